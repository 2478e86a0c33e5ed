"""Takes in what an event hub holds: each event once, whatever dies meanwhile.

Before a batch is touched, its numbers are marked as being tried by this process, and only when all of it is in storage are
they written down as taken. Marks that others left say who died of it: what three processes did not survive is taken one
event at a time, and the one that kills is kept unread.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Collection, Mapping, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, replace
from datetime import datetime

from router.domain.errors import StoreError
from router.domain.journal import Era, Event, Loss, Mark, Partition, Progress, Span, Taken, holes_in, spans_of
from router.domain.notices import RecordEntry
from router.domain.ports import Journal
from router.intake import Intake, Message

SUSPICION = 3
"""So many processes tried an event and did not finish it; then it is taken alone."""

GONE = "the hub was created anew before these events were taken in"

type Losses = tuple[Sequence[Loss], Progress | None]

CERTAINTY = 2
"""So many tried it alone and did not finish it; then it kills. One may have lived, and found storage down just then."""


class Company:
    """Who takes events in within a process: many beside one another, or one with nobody beside it."""

    def __init__(self) -> None:
        self._door = asyncio.Lock()
        self._inside = 0
        self._left = asyncio.Event()

    @asynccontextmanager
    async def beside(self) -> AsyncIterator[None]:
        """A context that others may share; waits while one is alone, or about to be."""
        async with self._door:
            self._inside += 1
        try:
            yield
        finally:
            self._inside -= 1
            self._left.set()

    @asynccontextmanager
    async def alone(self) -> AsyncIterator[None]:
        """A context that nobody shares; waits until all others have left."""
        async with self._door:
            while self._inside:
                self._left.clear()
                await self._left.wait()
            yield


class Taking:
    """Takes events in for one process; raises StoreError, after which the same events must come again.

    `company` is shared by whoever takes events in within the process, so that what is tried alone is alone.
    """

    def __init__(self, intake: Intake, journal: Journal, process: str, company: Company | None = None) -> None:
        self._intake = intake
        self._journal = journal
        self._process = process
        self._company = company if company is not None else Company()
        self._known: dict[Partition, _Known] = {}

    async def take(
        self, partition: Partition, events: Sequence[Event], now: datetime, trace: str | None = None
    ) -> list[RecordEntry]:
        """Takes events of a partition in, in their order, and returns what each signal in them came to.

        `trace` is the traceparent of those that came with none.
        """
        if not events:
            return []
        async with self._company.beside():
            known = await self._known_before(partition, events[0], now)
            era, spans = known.era, spans_of([event.sequence for event in events])
            marks = [Mark(era, span, self._process) for span in spans]
            others = [mark for mark in await self._journal.begin(marks) if mark.process != self._process]
            messages = {event.sequence: _message(era, event, trace) for event in events}
            fates = fates_of(messages, others)
            async with self._unmarked_by_trouble(marks):
                entries = [] if fates else await self._intake.take(list(messages.values()), now)
        if fates:
            async with self._unmarked_by_trouble(marks):
                entries = await self._take_singly(era, messages, fates, now)
        done = [mark for mark in others if any(_is_inside(mark.span, span) for span in spans)]
        enqueued = max(event.enqueued for event in events)
        await self._journal.finish([*marks, *done], [Taken(span, enqueued, now) for span in spans])
        self._known[partition] = known.after(events)
        return entries

    async def _take_singly(
        self, era: Era, messages: Mapping[int, Message], fates: Mapping[int, str], now: datetime
    ) -> list[RecordEntry]:
        """Takes messages one at a time, in their order: what is suspected under a mark of its own, a killer unread."""
        entries: list[RecordEntry] = []
        for number, message in messages.items():
            match fates.get(number):
                case "kills":
                    entries += await self._intake.refuse([message], "its worker died each time it was read", now)
                case "suspected":
                    entries += await self._take_alone(
                        Mark(era, Span(number, number), self._process, alone=True), message, now
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

    async def _known_before(self, partition: Partition, first: Event, now: datetime) -> _Known:
        """The era that an event belongs to, and how far it has come.

        Where this process went on last is trusted only by the event that comes right after; else others may have been here.
        """
        known = self._known.get(partition)
        if known is None or known.top is None or known.top[0] + 1 != first.sequence:
            known = await self._read(partition)
        while known.top is not None and is_anew(known.top, first):
            # The hub was created anew: a number that is known already, enqueued later than all that is known.
            progress = await self._journal.find(partition)
            if progress.era == known.era:
                await begin_anew(self._journal, progress, now, known.top[1])
            known = await self._read(partition)
        return known

    async def _read(self, partition: Partition) -> _Known:
        progress = await self._journal.find(partition)
        after = progress.settled if progress.settled is not None else -1
        return _Known(progress.era, top_of(progress, await self._journal.taken(progress.era, after)))


@dataclass(frozen=True, slots=True)
class _Known:
    """How far a partition has come, to the knowledge of this process."""

    era: Era
    top: tuple[int, datetime] | None

    def after(self, events: Sequence[Event]) -> _Known:
        number = max(event.sequence for event in events)
        enqueued = max(event.enqueued for event in events)
        if self.top is not None:
            number, enqueued = max(number, self.top[0]), max(enqueued, self.top[1])
        return replace(self, top=(number, enqueued))


async def begin_anew(journal: Journal, progress: Progress, now: datetime, created: datetime) -> Losses:
    """Begins the era of a hub that was created anew, and writes down what was missing of the old one as lost.

    What was enqueued after the new hub was created tells nothing of the old one. Returns the losses, and the progress as
    stored or None where another was faster.
    """
    settled = progress.settled if progress.settled is not None else -1
    taken = [one.span for one in await journal.taken(progress.era, settled) if one.enqueued <= created]
    top = max((span.last for span in taken), default=settled)
    # Before the first sweep nobody knows where the old hub began, so only what lies between is known to be missing.
    first = settled + 1 if progress.settled is not None else min((span.first for span in taken), default=0)
    losses = [Loss(progress.era, hole, now, GONE) for hole in holes_in(taken, Span(first, top))]
    if losses:
        await journal.lose(losses)
    era = Era(progress.era.partition, progress.era.epoch + 1)
    stored = await journal.advance(Progress(era=era, version=progress.version))
    return losses, stored


def top_of(progress: Progress, taken: Sequence[Taken]) -> tuple[int, datetime] | None:
    """The highest number known in an era, and the latest time at which any known number was enqueued."""
    known = [(one.span.last, one.enqueued) for one in taken]
    if progress.top is not None:
        known.append(progress.top)
    if not known:
        return None
    return max(number for number, _ in known), max(enqueued for _, enqueued in known)


def is_anew(top: tuple[int, datetime], event: Event) -> bool:
    """Whether an event is one of a hub that was created anew: its number is known, yet it came later than all known."""
    return event.sequence <= top[0] and event.enqueued > top[1]


def fates_of(numbers: Collection[int], others: Sequence[Mark]) -> dict[int, str]:
    """The numbers that other processes did not survive: `suspected`, or `kills` where some died with nothing beside it."""
    fates: dict[int, str] = {}
    for number in numbers:
        marks = [mark for mark in others if mark.span.first <= number <= mark.span.last]
        if len({mark.process for mark in marks if mark.alone}) >= CERTAINTY:
            fates[number] = "kills"
        elif len({mark.process for mark in marks}) >= SUSPICION:
            fates[number] = "suspected"
    return fates


def _message(era: Era, event: Event, trace: str | None) -> Message:
    source = f"{era.partition.hub}/{era.partition.id}:{event.sequence}"
    return Message(event.body, source, era.arrival_of(event), event.trace or trace)


def _is_inside(span: Span, other: Span) -> bool:
    return other.first <= span.first and span.last <= other.last
