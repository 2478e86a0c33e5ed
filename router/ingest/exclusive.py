"""Who takes events in within a process at a time."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager


class Company:
    """Who takes events in within a process: many beside one another, or one with nobody beside it."""

    def __init__(self) -> None:
        self._door = asyncio.Lock()
        self._inside = 0
        self._left = asyncio.Event()

    @asynccontextmanager
    async def beside(self) -> AsyncIterator[None]:
        """A context that others may share; waits while one is alone, or about to be."""
        async with self._door:
            self._inside += 1
        try:
            yield
        finally:
            self._inside -= 1
            self._left.set()

    @asynccontextmanager
    async def alone(self) -> AsyncIterator[None]:
        """A context that nobody shares; waits until all others have left."""
        async with self._door:
            while self._inside:
                self._left.clear()
                await self._left.wait()
            yield
