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
    """The slots of one destination in this process. While sends come and go, who finds none free waits a little."""

    def __init__(self, count: int) -> None:
        self._free = asyncio.Semaphore(count)
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
            self._free.release()

    async def _is_taken(self) -> bool:
        if self._free.locked() and _now() - self._moved > STUCK:
            return False
        try:
            async with asyncio.timeout(PATIENCE):
                await self._free.acquire()
        except TimeoutError:
            return False
        self._moved = _now()
        return True


def _now() -> float:
    return asyncio.get_running_loop().time()
