"""Asking until an answer comes: a few requests at a time, what may succeed later again, and a time limit for all of it."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable
from datetime import datetime
from typing import cast

from tenacity import AsyncRetrying, Future, RetryCallState, retry_if_exception_type, retry_if_result
from tenacity.wait import wait_exponential_jitter

from router.app.settings import now
from router.domain.conversation import HttpAnswer, HttpRequest, retry_after_in
from router.domain.errors import Unavailable

type Send = Callable[[HttpRequest], Awaitable[HttpAnswer]]
"""Sends a request and returns the answer, whatever its status; raises Unavailable where none came."""

ATTEMPTS = 5
"""How often one request is sent at the most."""

AT_A_TIME = 8
"""Requests in flight at a time; Resource Manager gives each subscription a bucket that refills by 10 reads a second.
https://learn.microsoft.com/azure/azure-resource-manager/management/request-limits-and-throttling"""

_WAITS = wait_exponential_jitter(initial=1, max=30, jitter=1)
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
        retrying = AsyncRetrying(
            retry=retry_if_result(_may_succeed_later) | retry_if_exception_type(Unavailable),
            wait=self._wait,
            stop=lambda state: state.attempt_number >= self._attempts or state.upcoming_sleep >= self._limit.left,
            sleep=self._sleep,
            retry_error_callback=_last_outcome,
        )
        async with self._free:
            return cast(HttpAnswer, await retrying(self._try, request))

    async def _try(self, request: HttpRequest) -> HttpAnswer:
        try:
            async with asyncio.timeout(self._limit.left):
                return await self._send(request)
        except TimeoutError:
            raise self._limit.over() from None

    def _wait(self, state: RetryCallState) -> float:
        """The seconds before the next attempt: those that the answer asks for, or twice as many each time."""
        last = state.outcome
        answer = last.result() if last is not None and not last.failed else None
        asked = retry_after_in(answer, self._clock()) if answer is not None else None
        return asked if asked is not None else _WAITS(state)


def _last_outcome(state: RetryCallState) -> HttpAnswer:
    return cast(HttpAnswer, cast(Future, state.outcome).result())


def _may_succeed_later(answer: HttpAnswer) -> bool:
    return answer.status in _LATER or answer.status >= 500
