"""Opens something when it is first asked for, and keeps it open."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from contextlib import AbstractAsyncContextManager


class Lazy[T]:
    """Enters a context at its first use, for the life of the process; where that fails, the next who asks tries again."""

    def __init__(self, open: Callable[[], AbstractAsyncContextManager[T]]) -> None:
        self._open = open
        self._held: tuple[AbstractAsyncContextManager[T], T] | None = None
        self._lock = asyncio.Lock()

    async def __call__(self) -> T:
        """What the context gives."""
        async with self._lock:
            if self._held is None:
                context = self._open()
                # The context is held, too: one that nobody holds is closed when it is collected.
                self._held = (context, await context.__aenter__())
        return self._held[1]
