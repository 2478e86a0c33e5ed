"""How many sends to one destination go side by side in this process."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

PATIENCE = 1.0
"""Seconds for which a permit is waited for; who waits takes a place that another destination's pointer could have."""

STUCK = 2.0
"""Seconds without a permit given or returned after which nobody waits: the destination hangs."""


class ConcurrencyLimit:
    """The permits to send to one destination. `width` is how many may be out at a time, never above the count it began with.

    `narrow` leaves one, since the destination is asked too much; with each round of sends that it takes then, `widen` adds one.
    """

    def __init__(self, count: int) -> None:
        self._most = count
        self._out = 0
        self._taken = 0
        self._returned = asyncio.Event()
        self._moved = float("-inf")
        self.width = count

    @asynccontextmanager
    async def permit(self) -> AsyncIterator[bool]:
        """A context with a permit. Where none came free in time it is told False and has none."""
        if not await self._is_soon_free():
            yield False
            return
        self._lend()
        try:
            yield True
        finally:
            self.give_back()

    async def wait_for_permit(self) -> None:
        """Gives a permit out, however long that takes to come free; `give_back` ends it."""
        await self._wait()
        self._lend()

    def give_back(self) -> None:
        """Takes a permit back."""
        self._moved = _now()
        self._out -= 1
        self._returned.set()

    def narrow(self) -> None:
        """Leaves one permit; those that are out do not go out again as they come back."""
        self.width, self._taken = 1, 0

    def widen(self, sends: int = 1) -> None:
        """Counts sends that the destination took: as many as there are permits are good for one more."""
        self._taken += sends
        if self.width < self._most and self._taken >= self.width:
            self.width, self._taken = self.width + 1, 0
            self._returned.set()

    def _lend(self) -> None:
        self._out += 1
        self._moved = _now()

    async def _is_soon_free(self) -> bool:
        if self._out >= self.width and _now() - self._moved > STUCK:
            return False
        try:
            async with asyncio.timeout(PATIENCE):
                await self._wait()
        except TimeoutError:
            return False
        return True

    async def _wait(self) -> None:
        while self._out >= self.width:
            self._returned.clear()
            await self._returned.wait()


def _now() -> float:
    return asyncio.get_running_loop().time()
