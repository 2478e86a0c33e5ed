"""How many sends to one destination go side by side, and who waits for one to end."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

PATIENCE = 1.0
"""Seconds for which a slot is waited for; who waits takes a place that another destination's pointer could have."""

STUCK = 2.0
"""Seconds without a slot taken or freed after which nobody waits: the destination hangs."""


class Slots:
    """The slots of one destination in this process. While sends come and go, who finds none free waits a little.

    `narrow` leaves one slot of them, since the destination is asked too much; with each round of sends that it takes then,
    `widen` gives one back.
    """

    def __init__(self, count: int) -> None:
        self._most = count
        self._width = count
        self._used = 0
        self._taken = 0
        self._freed = asyncio.Event()
        self._moved = float("-inf")

    @asynccontextmanager
    async def one(self) -> AsyncIterator[bool]:
        """A context that has a slot, or, where none came free in time, is told False and has none."""
        if not await self._is_taken():
            yield False
            return
        try:
            yield True
        finally:
            self._moved = _now()
            self._used -= 1
            self._freed.set()

    def narrow(self) -> None:
        """Leaves one slot; those that are taken are given back as they come free."""
        self._width, self._taken = 1, 0

    def widen(self, sends: int = 1) -> None:
        """Hears of sends that the destination took: as many as there are slots are good for one more."""
        self._taken += sends
        if self._width < self._most and self._taken >= self._width:
            self._width, self._taken = self._width + 1, 0
            self._freed.set()

    async def _is_taken(self) -> bool:
        if self._used >= self._width and _now() - self._moved > STUCK:
            return False
        try:
            async with asyncio.timeout(PATIENCE):
                while self._used >= self._width:
                    self._freed.clear()
                    await self._freed.wait()
        except TimeoutError:
            return False
        self._used += 1
        self._moved = _now()
        return True


def _now() -> float:
    return asyncio.get_running_loop().time()
