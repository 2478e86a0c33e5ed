"""An event loop in a thread of its own, and objects that live in one and are called from another."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import AbstractAsyncContextManager, contextmanager
from functools import partial, wraps
from typing import Concatenate, NamedTuple, Protocol, Self

from tests.waiting import PATIENCE


class Home(NamedTuple):
    """The loop that an object lives in, and the thread that it runs in."""

    loop: asyncio.AbstractEventLoop
    thread: int

    @classmethod
    def here(cls) -> Self:
        """The loop that runs now."""
        return cls(asyncio.get_running_loop(), threading.get_ident())


class Resident(Protocol):
    """An object that has a home while it runs."""

    home: Home | None


def at_home[S: Resident, **P, R](method: Callable[Concatenate[S, P], R]) -> Callable[Concatenate[S, P], R]:
    """A method that runs in its object's loop, from whichever thread it is called."""

    @wraps(method)
    def called(self: S, /, *args: P.args, **kwargs: P.kwargs) -> R:
        async def run() -> R:
            return method(self, *args, **kwargs)

        if self.home is None or self.home.thread == threading.get_ident():
            return method(self, *args, **kwargs)
        return asyncio.run_coroutine_threadsafe(run(), self.home.loop).result(PATIENCE)

    return called


@contextmanager
def in_thread[T](running: AbstractAsyncContextManager[T], name: str) -> Iterator[T]:
    """Holds an asynchronous context in a thread of its own, for callers without an event loop."""
    ready: Future[tuple[T, Callable[[], object]]] = Future()

    async def hold() -> None:
        over = asyncio.Event()
        async with running as held:
            ready.set_result((held, partial(asyncio.get_running_loop().call_soon_threadsafe, over.set)))
            await over.wait()

    def fail(ended: Future[None]) -> None:
        if not ready.done():
            ready.set_exception(ended.exception())

    with ThreadPoolExecutor(max_workers=1, thread_name_prefix=name) as threads:
        holding = threads.submit(asyncio.run, hold())
        holding.add_done_callback(fail)
        held, let_go = ready.result()
        try:
            yield held
        finally:
            let_go()
