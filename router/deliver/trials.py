"""What may kill its worker is tried with nothing beside it that would be blamed for that."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager


class Trials:
    """The trials at one destination; `alone` is held by the one that is on at any destination of this process.

    What is claimed and neither sent nor put back yet is lost with a worker that dies, though it was never tried. So a trial
    waits for all such, and while it is on nothing further is to be claimed there.
    """

    def __init__(self, alone: asyncio.Lock) -> None:
        self._alone = alone
        self._undecided = 0
        self._decided = asyncio.Event()
        self.is_on = False

    @property
    def is_possible(self) -> bool:
        """Whether one may begin now."""
        return not self._alone.locked()

    @contextmanager
    def claiming(self) -> Iterator[None]:
        """A context in which something is claimed, and put back if it is to wait."""
        self._undecided += 1
        try:
            yield
        finally:
            self._undecided -= 1
            self._decided.set()

    @asynccontextmanager
    async def trial(self) -> AsyncIterator[None]:
        """A context in which what may kill is sent."""
        async with self._alone:
            self.is_on = True
            try:
                while self._undecided:
                    self._decided.clear()
                    await self._decided.wait()
                yield
            finally:
                self.is_on = False
