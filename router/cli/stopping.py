"""A stop in order: what is in flight when a signal asks for the end is finished and written down first."""

from __future__ import annotations

import asyncio
import signal
from collections.abc import Iterator
from contextlib import contextmanager, suppress

from router.cli.interrupts import Interrupted, end_at_once, on_signals


class Stop:
    """The request, by a signal, that the program end its work in order."""

    def __init__(self) -> None:
        self._number: int | None = None
        self._asked = asyncio.Event()
        self._loop = asyncio.get_running_loop()

    @classmethod
    @contextmanager
    def heeded(cls) -> Iterator[Stop]:
        """A context in which the first signal asks for the end of the work, and a second one ends the process."""
        stop = cls()
        with on_signals(stop._heed):
            yield stop

    @property
    def is_asked(self) -> bool:
        """Whether the work is to end."""
        return self._number is not None

    def interrupted(self, text: str) -> Interrupted:
        """Return the exception that ends the program once its work has ended."""
        return Interrupted(self._number or signal.SIGINT, text)

    async def wait(self, seconds: float) -> None:
        """Wait so many seconds, or until the work is to end."""
        with suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                await self._asked.wait()

    async def wait_for(self, event: asyncio.Event) -> None:
        """Wait for an event, or until the work is to end."""
        waits = [asyncio.ensure_future(one.wait()) for one in (event, self._asked)]
        try:
            await asyncio.wait(waits, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for one in waits:
                one.cancel()

    def _heed(self, number: int) -> None:
        if self.is_asked:
            end_at_once(number)
        self._number = number
        self._loop.call_soon_threadsafe(self._asked.set)
