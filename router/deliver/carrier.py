"""Delivers what a pointer from a queue points at, at one destination.

Many pointers are carried at a time, each on its own. What cannot be tried just now is pointed at again later, and that
spends no attempt: the destination refuses our credentials, or has its share of this worker's slots already.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from contextlib import nullcontext
from dataclasses import replace
from datetime import UTC, datetime, timedelta

from router.deliver.retry import chance, seconds_after
from router.deliver.sending import Sending
from router.deliver.slots import Slots
from router.deliver.trials import Trials
from router.domain.asks import Result
from router.domain.deliveries import SUSPECT, Claim, Pause, Pointer, Settlement
from router.domain.errors import StoreError, Unavailable
from router.domain.notices import Receipt
from router.domain.pauses import PROBE, is_probe_due, pause_after
from router.domain.ports import QueuedOutbox
from router.domain.retry import settlement_for, untried
from router.domain.rulebook import Lane

BUSY = timedelta(seconds=5)
"""How long a pointer waits where its destination has its share of the slots."""

LONGEST_ALONE = 30.0
"""Seconds for which a destination that wishes to be left alone is at most, by this worker; then one send asks how it is."""

FRESH = timedelta(seconds=5)
"""How long what was read about pauses is trusted."""

ROUNDS = 20
"""Sends, one after the other, that one pointer into the rows lane is good for; what is left is pointed at again."""

type Carried = list[tuple[Claim, Settlement]]
"""What was tried, and what became of it."""


class Carrier:
    """Carries pointers to one destination, `slots` at a time; `alone` is held by what may kill its worker.

    At the stop what is on its way is finished, and what is claimed and not sent is put back.
    """

    def __init__(
        self,
        stream: str,
        name: str,
        sending: Sending,
        *,
        outbox: QueuedOutbox,
        clock: Callable[[], datetime],
        slots: int,
        alone: asyncio.Lock,
        is_stopped: Callable[[], bool] = lambda: False,
    ) -> None:
        self._stream = stream
        self._name = name
        self._sending = sending
        self._outbox = outbox
        self._clock = clock
        self._slots = Slots(slots)
        self._trials = Trials(alone)
        self._is_stopped = is_stopped
        self._alone_until = datetime.min.replace(tzinfo=UTC)
        self._unwritten: Carried = []
        self._looked: tuple[datetime, Pause | None] | None = None

    async def carry(self, pointer: Pointer) -> Carried:
        """Delivers what lies there and is due; raises StoreError, after which the pointer must come again."""
        async with self._slots.one() as is_mine:
            now = self._clock()
            if not is_mine or self._is_stopped():
                await self._outbox.requeue(pointer, now + BUSY)
                return []
            rest = (self._alone_until - now).total_seconds()
            if 0 < rest <= LONGEST_ALONE:
                await self._outbox.requeue(pointer, self._alone_until + timedelta(seconds=rest * chance()))
                return []
            written = await self.write_down()
            pause = await self._find_pause(now)
            if pause is None:
                return [*written, *await self._carry(pointer, now)]
            return [*written, *await self._probe(pointer, pause, now)]

    async def write_down(self) -> Carried:
        """Writes down what storage did not take before, so that nobody is told again what they were told."""
        unwritten, self._unwritten = self._unwritten, []
        return await self._write(unwritten)

    async def _carry(self, pointer: Pointer, began: datetime) -> Carried:
        carried: Carried = []
        for _ in range(ROUNDS):
            # What falls due meanwhile has a pointer of its own.
            claims, done = await self._deliver(pointer, began, self._sending.batch)
            carried += done
            is_more = pointer.lane is Lane.ROWS and (len(claims) == self._sending.batch or _is_suspect(claims))
            if not is_more:
                return carried
            if self._is_stopped() or any(settlement.error is not None for _, settlement in carried):
                # Another worker goes on, or what is left has the same trouble ahead of it: later.
                break
        await self._outbox.requeue(pointer, self._clock() + BUSY)
        return carried

    async def _probe(self, pointer: Pointer, pause: Pause, now: datetime) -> Carried:
        """One delivery probes a paused destination when that is due; the rest waits until it got through."""
        next = now + PROBE
        if not is_probe_due(pause, now) or not await self._outbox.probe(pause, next):
            # Let go, else pointers would pile up: what is owed is pointed at again when the probe is due.
            return []
        self._looked = None
        claims, carried = await self._deliver(pointer, now, 1, pause)
        if not claims:
            # Nothing to probe with: the next pointer may.
            await self._outbox.pause(replace(pause, probe=now))
            return []
        if pointer.lane is Lane.ROWS:
            await self._outbox.requeue(pointer, self._clock() + BUSY)
        return carried

    async def _deliver(
        self, pointer: Pointer, due: datetime, limit: int, pause: Pause | None = None
    ) -> tuple[Sequence[Claim], Carried]:
        """Claims what is due and sends it; what may kill its worker is put back where it would not be alone."""
        if self._trials.is_on:
            await self._outbox.requeue(pointer, self._clock() + BUSY)
            return [], []
        with self._trials.claiming():
            claims = await self._outbox.claim(pointer, due, self._clock() + self._sending.lease, limit)
            if self._is_stopped():
                return [], await self._put_back(claims, timedelta())
            if _is_suspect(claims) and not self._trials.is_possible:
                return claims, await self._put_back(claims, BUSY)
        return claims, await self._send(claims, pause)

    async def _send(self, claims: Sequence[Claim], pause: Pause | None) -> Carried:
        if not claims:
            return []
        async with self._trials.trial() if _is_suspect(claims) else nullcontext():
            if self._is_stopped():
                return await self._put_back(claims, timedelta())
            began = self._clock()
            results = await self._sending.send(claims)
        carried = await self._settle(claims, results, began)
        self._mind(results)
        await self._heed(results, pause)
        return carried

    def _mind(self, results: Sequence[Result]) -> None:
        """Asks a destination less that is asked too much, and by and by more again."""
        crowded = [result for result in results if isinstance(result, Unavailable) and result.is_crowded]
        if crowded:
            self._slots.narrow()
            wish = min(max(one.retry_after or 0.0 for one in crowded), LONGEST_ALONE)
            self._alone_until = self._clock() + timedelta(seconds=wish)
        elif any(isinstance(result, Receipt) for result in results):
            self._slots.widen()

    async def _heed(self, results: Sequence[Result], pause: Pause | None) -> None:
        """Pauses a destination that refuses our credentials, and resumes a paused one that took them."""
        now = self._clock()
        after = pause_after(pause, results, stream=self._stream, destination=self._name, now=now)
        if after is not None:
            await self._outbox.pause(after)
            self._looked = (now, after)
        elif pause is not None:
            await self._outbox.resume(self._stream, self._name)

    async def _put_back(self, claims: Sequence[Claim], wait: timedelta) -> Carried:
        now = self._clock()
        return await self._write([(claim, untried(claim, now + wait, now)) for claim in claims])

    async def _settle(self, claims: Sequence[Claim], results: Sequence[Result], began: datetime) -> Carried:
        now = self._clock()
        settlements = [
            settlement_for(claim, result, began, now, backoff=seconds_after, chance=chance())
            for claim, result in zip(claims, results, strict=True)
        ]
        return await self._write(list(zip(claims, settlements, strict=True)))

    async def _write(self, carried: Carried) -> Carried:
        try:
            await self._outbox.settle([settlement for _, settlement in carried])
        except StoreError:
            self._unwritten += carried
            raise
        return carried

    async def _find_pause(self, now: datetime) -> Pause | None:
        if self._looked is None or not _is_fresh(self._looked[0], now):
            self._looked = (now, (await self._outbox.pauses(self._stream)).get(self._name))
        return self._looked[1]


def _is_fresh(looked: datetime, now: datetime) -> bool:
    """Whether what was read at an instant is still trusted; not after the clock was set back."""
    return timedelta() <= now - looked <= FRESH


def _is_suspect(claims: Sequence[Claim]) -> bool:
    """Whether workers died of this delivery, or while it was in hand; such a one comes alone."""
    return any(claim.lost >= SUSPECT for claim in claims)
