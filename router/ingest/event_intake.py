"""Ingests events of a partition of a hub, each once: what is taken in and what is on record are one transaction.

A batch that kills its worker is tried in halves, down to one event, which is then quarantined.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Collection, Sequence
from contextlib import suppress
from copy import replace
from datetime import datetime
from typing import NamedTuple

from msgspec import field

from router.domain.errors import StoreError
from router.domain.hubs import Event, HubEpoch, Partition, Span
from router.domain.notices import RecordEntry
from router.domain.values import Value
from router.ingest.intake import Ingested, Intake, Message, fault_of
from router.store import partitions
from router.store.partitions import Taken, Try
from router.store.store import Store, Transaction

DEADLY = 3
"""So many processes must have died of an event, at least one while it tried nothing else; then the event is poison."""

_POISON = "its worker died each time it was read"


class _Step(NamedTuple):
    """What came of a try.

    Attributes:
        batches: what is to be tried in its stead.
        deaths: the tries by which the one event of `batches` is poison, if they are still the same at a second look.
    """

    ingested: Ingested | None = None
    batches: Sequence[list[Event]] = ()
    deaths: frozenset[Try] = frozenset()


class EventIntake(Value):
    """Ingests the events of one stream for one process; raises StoreError, after which the same events must come again.

    All intakes of a process share one `lock`: a process has one batch under way at a time, which is to blame if it dies.
    """

    intake: Intake
    store: Store
    process: str
    lock: asyncio.Lock = field(default_factory=asyncio.Lock)

    async def ingest_events(
        self, partition: Partition, events: Sequence[Event], now: datetime, trace: str | None = None
    ) -> list[RecordEntry]:
        """Ingests events of a partition, and returns the record's entry of each signal in those not taken in before.

        `trace` is the traceparent of those events that bring none.
        """
        entries: list[RecordEntry] = []
        deaths: frozenset[Try] = frozenset()
        if trace is not None:
            events = [event if event.trace else replace(event, trace=trace) for event in events]
        batches = deque(cut_events(events, ()))
        async with self.lock:
            while batches:
                step = await self._try(partition, batches.popleft(), deaths, now)
                batches.extendleft(reversed(step.batches))
                deaths = step.deaths
                if step.ingested is not None:
                    self.intake.remember(step.ingested)
                    entries += step.ingested.entries
        return entries

    async def _try(self, partition: Partition, batch: list[Event], deaths: frozenset[Try], now: datetime) -> _Step:
        one = Try(partition, _span_of(batch), self.process)
        is_over = False

        async def take(tx: Transaction, why: str | None = None) -> _Step:
            return await self._take(tx, one, batch, deaths, now, why)

        try:
            await self.store.run(lambda tx: partitions.begin_try(tx, one))
            step = await fault_of(self.store.run(take))
            if isinstance(step, Exception):
                why = type(step).__name__
                if len(batch) > 1:
                    return _Step(batches=[[event] for event in batch])
                step = await self.store.run(lambda tx: take(tx, why))
            is_over = step.ingested is not None
            return step
        finally:
            if not is_over:
                with suppress(StoreError):  # It may be down for this, too.
                    await self.store.run(lambda tx: partitions.end_try(tx, one))

    async def _take(
        self,
        tx: Transaction,
        one: Try,
        batch: list[Event],
        deaths: frozenset[Try],
        now: datetime,
        why: str | None,
    ) -> _Step:
        """Takes a batch in; refuses it where that is known to fail, and leaves it where it is to be cut."""
        known = await partitions.lock_partition(tx, one.partition, one)
        taken = await partitions.read_taken(tx, known.epoch, one.span.first - 1)
        if is_from_new_hub(taken, batch[0]):
            known, _ = await partitions.begin_epoch(tx, known, now)
            taken = []
        passed = [done.span for done in taken if done.span.overlaps(one.span)]
        fresh = (
            [event for event in batch if not any(_holds(span, event.sequence) for span in passed)] if passed else batch
        )
        if len(fresh) < len(batch):
            return _Step(batches=cut_events(fresh, ()))
        if known.is_tried:
            tries = await partitions.find_other_tries(tx, one)
            if len(batch) == 1 and _is_deadly(tries):
                # A process that lives and waits for the lock comes before the second look, which finds another try then.
                if not deaths:
                    return _Step(batches=[batch], deaths=frozenset(tries))
                if _is_deadly(deaths.intersection(tries)):
                    why = _POISON
            if (pieces := cut_events(batch, [other.span for other in tries])) != [batch]:
                return _Step(batches=pieces)
        messages = [_message(known.epoch, event) for event in batch]
        if why is None:
            ingested = await self.intake.ingest_in(tx, messages, now)
        else:
            ingested = Ingested(await self.intake.refuse_in(tx, messages, why, now), {})
        enqueued = max(event.enqueued for event in batch)
        await partitions.take(tx, known.epoch, taken, Taken(one.span, enqueued, now, now))
        return _Step(ingested)


def cut_events(events: Sequence[Event], deadly: Collection[Span]) -> list[list[Event]]:
    """Return events in batches without a gap, each of at most half of the numbers that a process died of with one in it."""
    batches: list[list[Event]] = []
    most = 0
    for event in sorted({event.sequence: event for event in events}.values(), key=lambda event: event.sequence):
        sizes = [span.last - span.first + 1 for span in deadly if _holds(span, event.sequence)]
        limit = max(1, min(sizes) // 2) if sizes else len(events)
        follows = bool(batches) and event.sequence == batches[-1][-1].sequence + 1
        if follows and len(batches[-1]) < min(most, limit):
            batches[-1].append(event)
            most = min(most, limit)
        else:
            batches.append([event])
            most = limit
    return batches


def _is_deadly(tries: Collection[Try]) -> bool:
    """Whether so many processes died of an event, at least one while it tried nothing else."""
    return len(tries) >= DEADLY and any(one.span.first == one.span.last for one in tries)


def is_from_new_hub(taken: Sequence[Taken], event: Event) -> bool:
    """Whether a hub was created anew before an event: its number was passed, yet it was enqueued later than all known."""
    return bool(taken) and event.sequence <= taken[-1].span.last and event.enqueued > max(one.enqueued for one in taken)


def _message(epoch: HubEpoch, event: Event) -> Message:
    source = f"{epoch.partition.hub}/{epoch.partition.id}:{event.sequence}"
    return Message(event.body, source, epoch.arrival_of(event), event.trace)


def _span_of(batch: Sequence[Event]) -> Span:
    return Span(batch[0].sequence, batch[-1].sequence)


def _holds(span: Span, number: int) -> bool:
    return span.first <= number <= span.last
