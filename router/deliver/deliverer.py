"""Delivers what is due at one destination: claims, sends, and writes down what came of it.

Sending and bookkeeping go side by side. Workers send; one keeper settles what they finished and claims more, many at a
time, so that a commit is paid once for a handful of deliveries. What a worker finished but the keeper has not written
down yet is sent again if the process dies just then, which is why a destination says how it deduplicates.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from datetime import datetime

from router.deliver.retry import PROBE, put_back, settlement_for
from router.deliver.sending import Sending
from router.domain.asks import Result
from router.domain.deliveries import Claim, Pause, Settlement
from router.domain.errors import Unauthorized
from router.domain.notices import Receipt
from router.domain.ports import Outbox

GATHER = 0.03
"""Seconds for which the keeper lets finished deliveries gather before it commits them."""


class Deliverer:
    """Delivers to one destination with at most `slots` sends at a time."""

    def __init__(
        self,
        stream: str,
        name: str,
        sending: Sending,
        *,
        outbox: Outbox,
        clock: Callable[[], datetime],
        slots: int,
    ) -> None:
        self._stream = stream
        self._name = name
        self._sending = sending
        self._outbox = outbox
        self._clock = clock
        self._slots = slots
        self._appetite = slots * 8 * sending.batch

    async def drain(self) -> None:
        """Delivers until nothing is due here, or the destination refuses our credentials; raises StoreError."""
        pause = (await self._outbox.pauses(self._stream)).get(self._name)
        if pause is not None and self._clock() < pause.probe:
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
            if not desk.refused and desk.in_hand <= self._appetite // 2:
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
        return await self._outbox.claim(
            self._stream, self._name, desk.began, self._clock() + self._sending.lease, limit
        )

    async def _settle(self, desk: _Desk) -> None:
        finished, desk.finished = desk.finished, []
        if not finished:
            return
        now = self._clock()
        await self._outbox.settle([self._settlement(claim, result, now) for claim, result in finished])
        desk.in_hand -= len(finished)
        await self._heed([result for _, result in finished if result is not None], desk, now)

    async def _heed(self, results: Sequence[Result], desk: _Desk, now: datetime) -> None:
        """Pauses a destination that refuses our credentials, and resumes a paused one that took its probe."""
        refusal = next((result for result in results if isinstance(result, Unauthorized)), None)
        if refusal is not None:
            desk.refused = True
            await self._outbox.pause(self._pause(str(refusal), now))
        elif desk.pause is not None and any(isinstance(result, Receipt) for result in results):
            desk.pause = None
            await self._outbox.resume(self._stream, self._name)
        elif desk.pause is not None and results:
            # The probe got neither through nor refused, which tells nothing: the next one asks again.
            desk.refused = True
            await self._outbox.pause(self._pause(desk.pause.error, now))

    def _pause(self, error: str, now: datetime) -> Pause:
        return Pause(stream=self._stream, destination=self._name, since=now, probe=now + PROBE, error=error)

    def _settlement(self, claim: Claim, result: Result | None, now: datetime) -> Settlement:
        return put_back(claim, now + PROBE, now) if result is None else settlement_for(claim, result, now)

    async def _work(self, desk: _Desk) -> None:
        while True:
            claims = await desk.take(self._sending.batch)
            results: Sequence[Result | None] = [None] * len(claims)
            if not desk.refused:
                results = await self._sending.send(claims)
                desk.refused = desk.refused or any(isinstance(result, Unauthorized) for result in results)
            desk.finished.extend(zip(claims, results, strict=True))
            desk.progress.set()


class _Desk:
    """What lies between the keeper and the workers of one drain."""

    def __init__(self, pause: Pause | None, began: datetime) -> None:
        self.pause = pause
        self.began = began
        self.refused = False
        self.in_hand = 0
        self.finished: list[tuple[Claim, Result | None]] = []
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
