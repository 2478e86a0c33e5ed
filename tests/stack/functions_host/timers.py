"""The timer trigger, without a calendar: it fires when it is told to."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from datetime import UTC, datetime

from tests.stack.functions_host.calls import timer_call
from tests.stack.functions_host.functions import Function
from tests.stack.functions_host.invocations import Invocation, Invoker


class Timer:
    """Fires one function, never twice at a time; by itself every `interval` seconds, if any."""

    def __init__(self, function: Function, invoker: Invoker, interval: float | None) -> None:
        self._function = function
        self._invoker = invoker
        self._interval = interval
        self._stopping = asyncio.Event()
        self._firing = asyncio.Lock()

    async def fire(self) -> Invocation:
        """Runs the function, as often as its retry policy has it, and gives the last run."""
        async with self._firing:
            with self._invoker.busy():
                call = timer_call(self._function, datetime.now(UTC))
                return await self._invoker.persist(self._function, call, self._stopping)

    async def open(self) -> None:
        """Needs nothing."""

    async def run(self) -> None:
        """Fires again and again until it is cancelled."""
        while self._interval is not None:
            await asyncio.sleep(self._interval)
            await self.fire()

    async def close(self) -> None:
        """Gives up retries."""
        self._stopping.set()

    async def backlog(self) -> Sequence[str]:
        """Gives nothing: what has not fired is not owed."""
        return ()
