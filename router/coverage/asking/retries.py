"""Asking until an answer comes: a few questions at a time, again what may succeed later, and a time limit for all of it."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable
from datetime import datetime
from typing import Any, cast

from tenacity import AsyncRetrying, Future, RetryCallState, retry_if_exception_type, retry_if_result
from tenacity.wait import wait_exponential_jitter

from router.app.settings import now
from router.domain.conversation import HttpAnswer, HttpRequest, retry_after_in
from router.domain.errors import Unavailable

type Send = Callable[[HttpRequest], Awaitable[HttpAnswer]]
"""Sends a request and returns the answer, whatever its status; raises Unavailable where none came."""

type Advance = Callable[[int, int], None]
"""Called with how many questions have ended, and of how many it is known that they are asked."""

type Sleep = Callable[[float], Awaitable[None]]

ATTEMPTS = 5
"""How often one question is asked at the most."""

AT_A_TIME = 8
"""Requests in flight at a time; Resource Manager gives each subscription a bucket that refills by 10 reads a second.
https://learn.microsoft.com/azure/azure-resource-manager/management/request-limits-and-throttling"""

WAITS = wait_exponential_jitter(initial=1, max=30, jitter=1)
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


def retrying(
    limit: TimeLimit,
    is_worth_it: Callable[[Any], bool],
    attempts: int = ATTEMPTS,
    wait: Callable[[RetryCallState], float] = WAITS,
    sleep: Sleep = asyncio.sleep,
) -> AsyncRetrying:
    """Return what asks again as long as an answer is worth it, or none came; it ends with the last answer or error."""
    return AsyncRetrying(
        retry=retry_if_result(is_worth_it) | retry_if_exception_type(Unavailable),
        wait=wait,
        stop=lambda state: state.attempt_number >= attempts or state.upcoming_sleep >= limit.left,
        sleep=sleep,
        retry_error_callback=lambda state: cast(Future, state.outcome).result(),
    )


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
        sleep: Sleep = asyncio.sleep,
    ) -> None:
        self._send = send
        self._limit = limit
        self._free = asyncio.Semaphore(at_a_time)
        self._clock = clock
        self._retrying = retrying(
            limit, lambda answer: answer.status in _LATER or answer.status >= 500, attempts, self._wait, sleep
        )

    async def send(self, request: HttpRequest) -> HttpAnswer:
        """Return the answer, whatever its status; raises Unavailable if none came, or the time was over."""
        async with self._free:
            return cast(HttpAnswer, await self._retrying.copy()(self._try, request))

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
        return asked if asked is not None else WAITS(state)
