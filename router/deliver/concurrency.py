"""How many sends to one destination go side by side in this process."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager


class ConcurrencyLimit:
    """The permits to send to one destination. `width` is how many may be out at a time, never above the count it began with.

    `narrow` leaves one, since the destination is asked too much; with each round of sends that it takes then, `widen` adds one.
    """

    def __init__(self, count: int) -> None:
        self._most = count
        self._out = 0
        self._taken = 0
        self._returned = asyncio.Event()
        self.width = count

    @asynccontextmanager
    async def permit(self) -> AsyncIterator[None]:
        """A context with a permit, however long that takes to come free."""
        while self._out >= self.width:
            self._returned.clear()
            await self._returned.wait()
        self._out += 1
        try:
            yield
        finally:
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
