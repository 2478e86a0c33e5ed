"""Takes in what an event hub holds: each event once, whatever dies meanwhile.

Before a batch is touched, its numbers are marked as being tried by this process, and only when all of it is in storage are
they written down as taken. Marks that others left say who died of it: what three processes did not survive is taken one
event at a time, and the one that kills is kept unread.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from router.domain.journal import Era, Event, Mark, Partition, Progress, Span, Taken, spans_of
from router.domain.notices import RecordEntry
from router.domain.ports import Journal
from router.intake import Intake, Message

SUSPICION = 3
"""So many processes tried an event and did not finish it; then it is taken alone."""

CERTAINTY = 2
"""So many tried it alone and did not finish it; then it kills. One may have lived, and found storage down just then."""


class Taking:
    """Takes events in for one process; raises StoreError, after which the same events must come again."""

    def __init__(self, intake: Intake, journal: Journal, process: str) -> None:
        self._intake = intake
        self._journal = journal
        self._process = process
        self._known: dict[Partition, _Known] = {}

    async def take(
        self, partition: Partition, events: Sequence[Event], now: datetime, trace: str | None = None
    ) -> list[RecordEntry]:
        """Takes events of a partition in, in their order, and returns what each signal in them came to.

        `trace` is the traceparent of those that came with none.
        """
        if not events:
            return []
        known = await self._known_before(partition, events[0])
        era, spans = known.era, spans_of([event.sequence for event in events])
        marks = [Mark(era, span, self._process) for span in spans]
        others = [mark for mark in await self._journal.begin(marks) if mark.process != self._process]
        messages = {event.sequence: _message(era, event, trace) for event in events}
        if fates := fates_of(messages, others):
            entries = await self._take_singly(era, messages, fates, now)
        else:
            entries = await self._intake.take(list(messages.values()), now)
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
                    alone = Mark(era, Span(number, number), self._process, alone=True)
                    await self._journal.begin([alone])
                    entries += await self._intake.take([message], now)
                    await self._journal.finish([alone], [])
                case _:
                    entries += await self._intake.take([message], now)
        return entries

    async def _known_before(self, partition: Partition, first: Event) -> _Known:
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
                anew = Era(partition, progress.era.epoch + 1)
                await self._journal.advance(Progress(era=anew, version=progress.version))
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
