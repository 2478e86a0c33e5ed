"""A lock of one process that many may hold together, or one alone."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager


class SharedExclusiveLock:
    """A lock that many tasks hold together in shared mode, or one task holds alone in exclusive mode."""

    def __init__(self) -> None:
        self._entry = asyncio.Lock()
        self._holders = 0
        self._released = asyncio.Event()

    @asynccontextmanager
    async def shared(self) -> AsyncIterator[None]:
        """A context that others may share; waits while a task holds the lock exclusively, or waits to."""
        async with self._entry:
            self._holders += 1
        try:
            yield
        finally:
            self._holders -= 1
            self._released.set()

    @asynccontextmanager
    async def exclusive(self) -> AsyncIterator[None]:
        """A context that nobody shares; waits until all others have left theirs."""
        async with self._entry:
            while self._holders:
                self._released.clear()
                await self._released.wait()
            yield
