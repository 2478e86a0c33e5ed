"""What a gate is told to do to some requests instead of handing them on, until it is told otherwise."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from concurrent.futures import Future
from dataclasses import dataclass, field
from typing import Any

from tests.stack.event_hubs.threads import Home, at_home
from tests.stack.gate.requests import Matching, Seen
from tests.waiting import PATIENCE


@dataclass(frozen=True, slots=True)
class Answer:
    """What a caller gets."""

    status: int
    headers: Any
    body: bytes = field(repr=False)


type Forward = Callable[[], Awaitable[Answer | None]]
"""Hands a request on and gives the answer, if its caller is still there to want one."""

type Trouble = Callable[["Order", Seen, Forward], Awaitable[Answer | None]]
"""Gives the answer to a request, or None to cut its caller off."""


class Order:
    """An order to a gate; its methods may be called from any thread."""

    def __init__(self, matching: Matching, trouble: Trouble, home: Home) -> None:
        self.home: Home | None = home
        self.ended = asyncio.Event()
        self.count = 0
        self._matching = matching
        self._trouble = trouble
        self._met: Future[None] = Future()

    async def met(self) -> None:
        """Returns once a request has met the order; raises TimeoutError."""
        await asyncio.wait_for(asyncio.shield(asyncio.wrap_future(self._met)), PATIENCE)

    @at_home
    def end(self) -> None:
        """Withdraws the order: what it held back goes on, unless its caller is gone."""
        self.ended.set()

    def is_for(self, seen: Seen) -> bool:
        """Whether a request is to meet the order."""
        return not self.ended.is_set() and self._matching(seen)

    async def meet(self, seen: Seen, forward: Forward) -> Answer | None:
        """Does to a request what was ordered."""
        self.count += 1
        if not self._met.done():
            self._met.set_result(None)
        return await self._trouble(self, seen, forward)


async def hold(order: Order, _: Seen, forward: Forward) -> Answer | None:
    """Nothing happens before the order ends."""
    await order.ended.wait()
    return await forward()


async def withhold(order: Order, _: Seen, forward: Forward) -> Answer | None:
    """It happens, and its caller hears of it when the order ends."""
    answer = await forward()
    await order.ended.wait()
    return answer


def delay(seconds: float) -> Trouble:
    """It happens later."""

    async def trouble(_order: Order, _seen: Seen, forward: Forward) -> Answer | None:
        await asyncio.sleep(seconds)
        return await forward()

    return trouble


def call(callback: Callable[[], object]) -> Trouble:
    """A callback is called in the gate's thread; after that, as `hold`."""

    async def trouble(order: Order, seen: Seen, forward: Forward) -> Answer | None:
        callback()
        return await hold(order, seen, forward)

    return trouble
