"""Ingests a batch of events of one partition: places markers on them, ingests them, and writes down that it did."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager, suppress
from datetime import datetime

from router.domain.errors import StoreError
from router.domain.journal import Event, HubEpoch, InFlightMarker, Partition, Span, Taken, spans_of
from router.domain.notices import RecordEntry
from router.domain.ports.ingest import Journal
from router.ingest.epochs import EpochTracker
from router.ingest.intake import Intake, Message
from router.ingest.poison import PoisonVerdict, verdicts_on
from router.ingest.shared_exclusive_lock import SharedExclusiveLock


class EventIntake:
    """Ingests the events of one stream for one process; raises StoreError, after which the same events must come again.

    All intakes of a process share one `lock`, so that an event that is ingested alone is alone in the whole process.
    """

    def __init__(self, intake: Intake, journal: Journal, process: str, lock: SharedExclusiveLock | None = None) -> None:
        self._intake = intake
        self._journal = journal
        self._process = process
        self._lock = lock if lock is not None else SharedExclusiveLock()
        self._epochs = EpochTracker(journal)
        self._left: set[InFlightMarker] = set()

    async def ingest_events(
        self, partition: Partition, events: Sequence[Event], now: datetime, trace: str | None = None
    ) -> list[RecordEntry]:
        """Ingests events of a partition in their order, and returns the record's entry of each signal in them.

        `trace` is the traceparent of those events that bring none.
        """
        if not events:
            return []
        async with self._lock.shared():
            await self._take_left_away()
            position = await self._epochs.position_before(partition, events[0], now)
            epoch, spans = position.epoch, spans_of([event.sequence for event in events])
            markers = [InFlightMarker(epoch, span, self._process) for span in spans]
            async with self._without_markers_on_error(markers):
                overlapping = await self._journal.place_markers(markers)
                others = [marker for marker in overlapping if marker.process != self._process]
                messages = {event.sequence: _message(epoch, event, trace) for event in events}
                verdicts = verdicts_on(messages, others)
                entries = [] if verdicts else await self._intake.ingest(list(messages.values()), now)
        if verdicts:
            async with self._without_markers_on_error(markers):
                entries = await self._ingest_singly(epoch, messages, verdicts, now)
        done = [marker for marker in others if any(_is_inside(marker.span, span) for span in spans)]
        enqueued = max(event.enqueued for event in events)
        await self._journal.finish_markers([*markers, *done], [Taken(span, enqueued, now) for span in spans])
        self._epochs.remember(partition, position.advanced_by(events))
        return entries

    async def _ingest_singly(
        self, epoch: HubEpoch, messages: Mapping[int, Message], verdicts: Mapping[int, PoisonVerdict], now: datetime
    ) -> list[RecordEntry]:
        """Ingests messages one at a time, in their order: a suspected one alone, a poisonous one unread."""
        entries: list[RecordEntry] = []
        for number, message in messages.items():
            match verdicts.get(number):
                case PoisonVerdict.POISONOUS:
                    entries += await self._intake.refuse([message], "its worker died each time it was read", now)
                case PoisonVerdict.SUSPECTED:
                    marker = InFlightMarker(epoch, Span(number, number), self._process, alone=True)
                    entries += await self._ingest_alone(marker, message, now)
                case _:
                    async with self._lock.shared():
                        entries += await self._intake.ingest([message], now)
        return entries

    async def _ingest_alone(self, marker: InFlightMarker, message: Message, now: datetime) -> list[RecordEntry]:
        """Ingests a message while this process ingests nothing else: if it kills the process, no other event is blamed."""
        async with self._lock.exclusive():
            async with self._without_markers_on_error([marker]):
                await self._journal.place_markers([marker])
                entries = await self._intake.ingest([message], now)
            await self._journal.finish_markers([marker], [])
        return entries

    @asynccontextmanager
    async def _without_markers_on_error(self, markers: Sequence[InFlightMarker]) -> AsyncIterator[None]:
        """A context that takes the markers away when the state fails: a process that sees that did not die of an event."""
        try:
            yield
        except StoreError:
            self._left.update(markers)
            with suppress(StoreError):  # it may be down for this, too
                await self._take_left_away()
            raise

    async def _take_left_away(self) -> None:
        """Takes the markers away that a failing state kept: a process that is at work again did not die of those events."""
        left = list(self._left)
        await self._journal.finish_markers(left, [])
        self._left.difference_update(left)


def _message(epoch: HubEpoch, event: Event, trace: str | None) -> Message:
    source = f"{epoch.partition.hub}/{epoch.partition.id}:{event.sequence}"
    return Message(event.body, source, epoch.arrival_of(event), event.trace or trace)


def _is_inside(span: Span, other: Span) -> bool:
    return other.first <= span.first and span.last <= other.last
