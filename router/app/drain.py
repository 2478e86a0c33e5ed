"""The end of a worker in order: nothing further begins, what is under way is finished, and then the process ends.

A signal without a handler ends a Python process at once, and what it had claimed stays claimed until the lease is over.
"""

from __future__ import annotations

import asyncio
import logging
import os
import signal
import threading
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager

from router.domain.errors import Ending, StoreError

STOP = 60.0
"""Seconds that what is under way has to end when the router is told to stop; a claim that did not end is due again later."""

REPLY_GRACE = 1.0
"""Seconds between the end of the last call and the end of the process, so that the caller gets its answer."""

_LOG = logging.getLogger(__name__)


class Drain:
    """What is under way in this process, and whether it was asked to end."""

    def __init__(self) -> None:
        self.asked = asyncio.Event()
        self._under_way: dict[object, float] = {}
        self._ended = asyncio.Event()

    @property
    def is_asked(self) -> bool:
        """Whether nothing further is to begin."""
        return self.asked.is_set()

    def refuse(self) -> None:
        """Raises Ending once nothing further is to begin."""
        if self.is_asked:
            raise Ending("this worker is told to end: another one does it")

    @contextmanager
    def work(self) -> Iterator[None]:
        """Counts what is done inside as under way."""
        one = object()
        self._under_way[one] = asyncio.get_running_loop().time()
        try:
            yield
        finally:
            del self._under_way[one]
            self._ended.set()

    @property
    def longest_since(self) -> float | None:
        """When the running loop's clock showed that what is under way for longest began; None where nothing is."""
        return min(self._under_way.values(), default=None)

    async def over(self, grace: float = STOP) -> bool:
        """Waits until nothing is under way, so many seconds at most; returns whether nothing is."""
        try:
            async with asyncio.timeout(grace):
                while self._under_way:
                    self._ended.clear()
                    await self._ended.wait()
        except TimeoutError:
            return False
        return True


@contextmanager
def ending_on_sigterm(drain: Drain, last: Callable[[], Awaitable[None]]) -> Iterator[None]:
    """A context in which SIGTERM asks for the end; `last` is done after all else, and may raise StoreError.

    Microsoft's worker has no handler for SIGTERM, so it would die of one at once. Here it dies when nothing is under way any
    more; a second SIGTERM changes nothing. Only the main thread of a process gets signals.
    """
    if threading.current_thread() is not threading.main_thread() or signal.getsignal(signal.SIGTERM) is signal.SIG_IGN:
        yield
        return
    loop = asyncio.get_running_loop()
    ending: list[asyncio.Task[None]] = []

    def heed() -> None:
        if not drain.is_asked:
            drain.asked.set()
            ending.append(loop.create_task(_end(drain, last)))

    loop.add_signal_handler(signal.SIGTERM, heed)
    try:
        yield
    finally:
        loop.remove_signal_handler(signal.SIGTERM)


async def _end(drain: Drain, last: Callable[[], Awaitable[None]]) -> None:
    _LOG.info("ending; what is in hand has %.0f seconds to end", STOP)
    if not await drain.over():
        _LOG.warning("not all ended in time; what was claimed is due again when its lease is over")
    try:
        await last()
    except StoreError as fault:
        _LOG.warning("%s", fault)
    await asyncio.sleep(REPLY_GRACE)
    asyncio.get_running_loop().remove_signal_handler(signal.SIGTERM)
    os.kill(os.getpid(), signal.SIGTERM)
