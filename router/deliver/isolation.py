"""A poison suspect is sent with nothing beside it in this process, so that its worker's death costs no other delivery anything.

Everything that is claimed and not settled is lost with a worker that dies, whether it was tried or not: it waits for the end of
its lease, it may be told twice, and it is suspected a little more itself. So a suspect waits until it is the only claim of its
process, and meanwhile nothing further is claimed.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager

LONGEST_HOLD = 40.0
"""Seconds for which a suspect keeps others from being claimed while it waits for those that are; a request takes 30 at most."""


class Isolation:
    """What the workers of one process share, so that a suspect is sent alone.

    `is_reserved` says that a suspect is being sent or waits for that. Nothing is to be claimed then.
    """

    def __init__(self) -> None:
        self._claims = 0
        self._changed = asyncio.Event()
        self.is_reserved = False

    @contextmanager
    def claiming(self) -> Iterator[None]:
        """A context in which the state is asked for claims, which may bring one or none."""
        self.hold(1)
        try:
            yield
        finally:
            self.release(1)

    def hold(self, claims: int) -> None:
        """Counts claims as this process's own."""
        self._claims += claims

    def release(self, claims: int) -> None:
        """Counts claims as settled."""
        self._claims -= claims
        self._changed.set()

    async def wait_until_free(self) -> None:
        """Waits until claims may be made."""
        while self.is_reserved:
            await self._wait()

    @asynccontextmanager
    async def alone(self, longest: float) -> AsyncIterator[bool]:
        """A context in which the one claim that is held by who asks is the only one; False where that cannot be soon.

        `longest` is for how many seconds who asks can wait for that at most.
        """
        if self.is_reserved:
            yield False
            return
        self.is_reserved = True
        try:
            yield await self._is_soon_alone(min(longest, LONGEST_HOLD))
        finally:
            self.is_reserved = False
            self._changed.set()

    async def _is_soon_alone(self, longest: float) -> bool:
        try:
            async with asyncio.timeout(longest):
                while self._claims > 1:
                    await self._wait()
        except TimeoutError:
            return False
        return True

    async def _wait(self) -> None:
        self._changed.clear()
        await self._changed.wait()
