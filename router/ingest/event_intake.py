"""Takes a batch of one partition in: marked, taken, written down as taken."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager, suppress
from datetime import datetime

from router.domain.errors import StoreError
from router.domain.journal import Event, HubEpoch, Mark, Partition, Span, Taken, spans_of
from router.domain.notices import RecordEntry
from router.domain.ports import Journal
from router.ingest.epochs import EpochTracker
from router.ingest.exclusive import Company
from router.ingest.intake import Intake, Message
from router.ingest.poison import Fate, fates_of


class Taking:
    """Takes events in for one process; raises StoreError, after which the same events must come again.

    `company` is shared by whoever takes events in within the process, so that what is tried alone is alone.
    """

    def __init__(self, intake: Intake, journal: Journal, process: str, company: Company | None = None) -> None:
        self._intake = intake
        self._journal = journal
        self._process = process
        self._company = company if company is not None else Company()
        self._epochs = EpochTracker(journal)

    async def take(
        self, partition: Partition, events: Sequence[Event], now: datetime, trace: str | None = None
    ) -> list[RecordEntry]:
        """Takes events of a partition in, in their order, and returns what each signal in them came to.

        `trace` is the traceparent of those that came with none.
        """
        if not events:
            return []
        async with self._company.beside():
            position = await self._epochs.position_before(partition, events[0], now)
            epoch, spans = position.epoch, spans_of([event.sequence for event in events])
            marks = [Mark(epoch, span, self._process) for span in spans]
            others = [mark for mark in await self._journal.begin(marks) if mark.process != self._process]
            messages = {event.sequence: _message(epoch, event, trace) for event in events}
            fates = fates_of(messages, others)
            async with self._unmarked_by_trouble(marks):
                entries = [] if fates else await self._intake.take(list(messages.values()), now)
        if fates:
            async with self._unmarked_by_trouble(marks):
                entries = await self._take_singly(epoch, messages, fates, now)
        done = [mark for mark in others if any(_is_inside(mark.span, span) for span in spans)]
        enqueued = max(event.enqueued for event in events)
        await self._journal.finish([*marks, *done], [Taken(span, enqueued, now) for span in spans])
        self._epochs.remember(partition, position.advanced_by(events))
        return entries

    async def _take_singly(
        self, epoch: HubEpoch, messages: Mapping[int, Message], fates: Mapping[int, Fate], now: datetime
    ) -> list[RecordEntry]:
        """Takes messages one at a time, in their order: what is suspected under a mark of its own, a killer unread."""
        entries: list[RecordEntry] = []
        for number, message in messages.items():
            match fates.get(number):
                case Fate.KILLS:
                    entries += await self._intake.refuse([message], "its worker died each time it was read", now)
                case Fate.SUSPECTED:
                    entries += await self._take_alone(
                        Mark(epoch, Span(number, number), self._process, alone=True), message, now
                    )
                case _:
                    async with self._company.beside():
                        entries += await self._intake.take([message], now)
        return entries

    async def _take_alone(self, mark: Mark, message: Message, now: datetime) -> list[RecordEntry]:
        """Takes a message while nothing else is taken in this process: whatever it kills, nobody else is blamed for."""
        async with self._company.alone():
            await self._journal.begin([mark])
            async with self._unmarked_by_trouble([mark]):
                entries = await self._intake.take([message], now)
            await self._journal.finish([mark], [])
        return entries

    @asynccontextmanager
    async def _unmarked_by_trouble(self, marks: Sequence[Mark]) -> AsyncIterator[None]:
        """A context in which trouble of storage takes the marks away: whoever lives to see it did not die of an event."""
        try:
            yield
        except StoreError:
            with suppress(StoreError):  # it may be down for this, too
                await self._journal.finish(marks, [])
            raise


def _message(epoch: HubEpoch, event: Event, trace: str | None) -> Message:
    source = f"{epoch.partition.hub}/{epoch.partition.id}:{event.sequence}"
    return Message(event.body, source, epoch.arrival_of(event), event.trace or trace)


def _is_inside(span: Span, other: Span) -> bool:
    return other.first <= span.first and span.last <= other.last
