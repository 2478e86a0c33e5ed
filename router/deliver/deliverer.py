"""Delivers what is due at one destination: claims, sends, and writes down what came of it.

Sending and bookkeeping go side by side. Workers send; one keeper settles what they finished and claims more, many at a
time, so that a commit is paid once for a handful of deliveries. What a worker finished but the keeper has not written
down yet is sent again if the process dies just then, which is why a destination says how it deduplicates.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from datetime import datetime
from typing import NamedTuple

from router.deliver.retry import chance, seconds_after
from router.deliver.sending import Sending
from router.domain.asks import Result
from router.domain.deliveries import Claim, Pause, Pointer, Settlement
from router.domain.errors import Unauthorized
from router.domain.pauses import PROBE, is_probe_due, pause_after
from router.domain.ports import Outbox
from router.domain.retry import settlement_for, untried

GATHER = 0.03
"""Seconds for which the keeper lets finished deliveries gather before it commits them."""


class _Finished(NamedTuple):
    """A claim, what came of it, None where it was not tried, and when its attempt began."""

    claim: Claim
    result: Result | None
    began: datetime


class Deliverer:
    """Delivers to one destination with at most `slots` sends at a time; what is in flight at the stop is finished."""

    def __init__(
        self,
        stream: str,
        name: str,
        sending: Sending,
        *,
        outbox: Outbox,
        clock: Callable[[], datetime],
        slots: int,
        is_stopped: Callable[[], bool] = lambda: False,
    ) -> None:
        self._stream = stream
        self._name = name
        self._sending = sending
        self._outbox = outbox
        self._clock = clock
        self._slots = slots
        self._is_stopped = is_stopped
        self._appetite = slots * 8 * sending.batch

    async def drain(self) -> None:
        """Delivers until nothing is due here, or the destination refuses our credentials; raises StoreError."""
        pause = (await self._outbox.pauses(self._stream)).get(self._name)
        if pause is not None and not is_probe_due(pause, self._clock()):
            return
        desk = _Desk(pause, self._clock())
        workers = [asyncio.create_task(self._work(desk)) for _ in range(self._slots)]
        try:
            await self._keep(desk)
        finally:
            for worker in workers:
                worker.cancel()
            await asyncio.gather(*workers, return_exceptions=True)

    async def _keep(self, desk: _Desk) -> None:
        while True:
            await self._settle(desk)
            if not desk.refused and not self._is_stopped() and desk.in_hand <= self._appetite // 2:
                # One delivery probes a paused destination; the rest follows once it got through.
                limit = 1 if desk.pause is not None else self._appetite
                desk.give(await self._claim(desk, limit - desk.in_hand))
            if desk.in_hand == 0:
                return
            await desk.progress.wait()
            await asyncio.sleep(GATHER)
            desk.progress.clear()

    async def _claim(self, desk: _Desk, limit: int) -> Sequence[Claim]:
        # What falls due meanwhile is for the next drain: a destination that hangs must not keep this one from its end.
        pointer = Pointer(self._stream, self._sending.lane, self._name)
        return await self._outbox.claim(pointer, desk.began, self._clock() + self._sending.lease, limit)

    async def _settle(self, desk: _Desk) -> None:
        finished, desk.finished = desk.finished, []
        if not finished:
            return
        now = self._clock()
        await self._outbox.settle([self._settlement(one, now) for one in finished])
        desk.in_hand -= len(finished)
        await self._heed([one.result for one in finished if one.result is not None], desk, now)

    async def _heed(self, results: Sequence[Result], desk: _Desk, now: datetime) -> None:
        """Pauses a destination that refuses our credentials, and resumes a paused one that took them."""
        after = pause_after(desk.pause, results, stream=self._stream, destination=self._name, now=now)
        if after is not None and after is not desk.pause:
            # What was under way meanwhile tells nothing of it: the next probe asks again.
            desk.refused = True
            await self._outbox.pause(after)
        elif after is None and desk.pause is not None:
            desk.pause = None
            await self._outbox.resume(self._stream, self._name)

    def _settlement(self, one: _Finished, now: datetime) -> Settlement:
        if one.result is not None:
            return settlement_for(one.claim, one.result, one.began, now, backoff=seconds_after, chance=chance())
        return untried(one.claim, now if self._is_stopped() else now + PROBE, now)

    async def _work(self, desk: _Desk) -> None:
        while True:
            claims = await desk.take(self._sending.batch)
            results: Sequence[Result | None] = [None] * len(claims)
            began = self._clock()
            if not desk.refused and not self._is_stopped():
                results = await self._sending.send(claims)
                desk.refused = desk.refused or any(isinstance(result, Unauthorized) for result in results)
            desk.finished += [_Finished(claim, result, began) for claim, result in zip(claims, results, strict=True)]
            desk.progress.set()


class _Desk:
    """What lies between the keeper and the workers of one drain."""

    def __init__(self, pause: Pause | None, began: datetime) -> None:
        self.pause = pause
        self.began = began
        self.refused = False
        self.in_hand = 0
        self.finished: list[_Finished] = []
        self.progress = asyncio.Event()
        self._waiting: asyncio.Queue[Claim] = asyncio.Queue()

    def give(self, claims: Sequence[Claim]) -> None:
        self.in_hand += len(claims)
        for claim in claims:
            self._waiting.put_nowait(claim)

    async def take(self, most: int) -> list[Claim]:
        claims = [await self._waiting.get()]
        while len(claims) < most and not self._waiting.empty():
            claims.append(self._waiting.get_nowait())
        return claims
