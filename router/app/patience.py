"""Asking until an answer comes: a few requests at a time, what may succeed later again, and a time limit for all of it."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable
from datetime import datetime

from router.app.clock import now
from router.deliver.settlement import seconds_after
from router.domain.conversation import HttpAnswer, HttpRequest, retry_after_in
from router.domain.errors import Unavailable

type Send = Callable[[HttpRequest], Awaitable[HttpAnswer]]
"""Sends a request and returns the answer, whatever its status; raises Unavailable where none came."""

ATTEMPTS = 5
"""How often one request is sent at the most."""

AT_A_TIME = 8
"""Requests in flight at a time; Resource Manager gives each subscription a bucket that refills by 10 reads a second.
https://learn.microsoft.com/azure/azure-resource-manager/management/request-limits-and-throttling"""

_LATER = frozenset({408, 425, 429})


class TimeLimit:
    """How long all questions together may take, from now on; `clock` counts seconds."""

    def __init__(self, seconds: float, clock: Callable[[], float] = time.monotonic) -> None:
        self.seconds = seconds
        self._clock = clock
        self._ends = clock() + seconds

    @property
    def left(self) -> float:
        """The seconds that are left; none where it is over."""
        return max(self._ends - self._clock(), 0.0)

    def over(self) -> Unavailable:
        """What is said of a question for which no time was left."""
        return Unavailable(f"not answered within the time limit of {self.seconds:g} s")


class PatientSender:
    """Sends requests, and those again that a later answer may come to: 408, 425, 429, 5xx, or none.

    It waits as long as an answer asks for, and gives up at once where that is beyond the time limit. So only requests that
    change nothing are sent through it, unless `attempts` is 1.
    """

    def __init__(
        self,
        send: Send,
        limit: TimeLimit,
        *,
        attempts: int = ATTEMPTS,
        at_a_time: int = AT_A_TIME,
        clock: Callable[[], datetime] = now,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        self._send = send
        self._limit = limit
        self._attempts = attempts
        self._free = asyncio.Semaphore(at_a_time)
        self._clock = clock
        self._sleep = sleep

    async def send(self, request: HttpRequest) -> HttpAnswer:
        """The last answer, whatever its status; raises Unavailable where none came, or the time was over."""
        async with self._free:
            for attempt in range(1, self._attempts + 1):
                answer, fault = await self._try(request)
                if answer is not None and not _may_succeed_later(answer):
                    return answer
                if attempt == self._attempts or not await self._wait(answer, attempt):
                    break
        if answer is not None:
            return answer
        raise fault or self._limit.over()

    async def _try(self, request: HttpRequest) -> tuple[HttpAnswer | None, Unavailable | None]:
        try:
            async with asyncio.timeout(self._limit.left):
                return await self._send(request), None
        except TimeoutError:
            return None, self._limit.over()
        except Unavailable as fault:
            return None, fault

    async def _wait(self, answer: HttpAnswer | None, attempt: int) -> bool:
        """Waits before the next attempt; False where the time limit leaves none."""
        asked = retry_after_in(answer, self._clock()) if answer is not None else None
        seconds = asked if asked is not None else seconds_after(attempt, first=1.0, longest=30.0)
        if seconds >= self._limit.left:
            return False
        await self._sleep(seconds)
        return True


def _may_succeed_later(answer: HttpAnswer) -> bool:
    return answer.status in _LATER or answer.status >= 500
