"""Which era of a partition an event belongs to: a hub that is created anew counts from 0 again."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from router.domain.journal import Era, Event, Loss, Partition, Progress, Span, Taken, holes_in
from router.domain.ports import Journal

GONE = "the hub was created anew before these events were taken in"


@dataclass(frozen=True, slots=True)
class Known:
    """How far a partition has come, to the knowledge of one process."""

    era: Era
    top: tuple[int, datetime] | None

    def after(self, events: Sequence[Event]) -> Known:
        """The same when these events are taken in, too."""
        number = max(event.sequence for event in events)
        enqueued = max(event.enqueued for event in events)
        if self.top is not None:
            number, enqueued = max(number, self.top[0]), max(enqueued, self.top[1])
        return replace(self, top=(number, enqueued))


class Eras:
    """The eras of partitions, as the journal has them; raises StoreError."""

    def __init__(self, journal: Journal) -> None:
        self._journal = journal
        self._known: dict[Partition, Known] = {}

    async def before(self, partition: Partition, first: Event, now: datetime) -> Known:
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

    def went_on(self, partition: Partition, known: Known) -> None:
        """Remembers how far this process has come."""
        self._known[partition] = known

    async def _read(self, partition: Partition) -> Known:
        progress = await self._journal.find(partition)
        after = progress.settled if progress.settled is not None else -1
        return Known(progress.era, top_of(progress, await self._journal.taken(progress.era, after)))


async def begin_anew(
    journal: Journal, progress: Progress, now: datetime, created: datetime
) -> tuple[Sequence[Loss], Progress | None]:
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
