"""What a process opens at its first use, and keeps."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from contextlib import AbstractAsyncContextManager


class Lazy[T]:
    """Enters a context at its first use, and stays in it until it is closed; where that fails, the next caller tries again."""

    def __init__(self, open: Callable[[], AbstractAsyncContextManager[T]]) -> None:
        self._open = open
        self._held: tuple[AbstractAsyncContextManager[T], T] | None = None
        self._lock = asyncio.Lock()

    async def __call__(self) -> T:
        """What the context gives."""
        async with self._lock:
            if self._held is None:
                context = self._open()
                # The context is held, too: without a reference it would be closed when it is collected.
                self._held = (context, await context.__aenter__())
        return self._held[1]

    async def close(self) -> None:
        """Leave the context, if it was entered."""
        if self._held is not None:
            await self._held[0].__aexit__(None, None, None)
