"""Which epoch of a partition an event belongs to: a hub that is created anew counts from 0 again, which begins an epoch."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from router.domain.journal import Event, HubEpoch, Loss, Partition, Progress, Span, Taken, gaps_in
from router.domain.ports.ingest import Journal

GONE = "the hub was created anew before these events were taken in"


@dataclass(frozen=True, slots=True)
class EpochPosition:
    """How far a partition has come, to the knowledge of one process.

    Attributes:
        epoch: the epoch that the partition is in.
        highest: the highest sequence number that is known in it, and the latest time at which any was enqueued; None where
            no number is known.
    """

    epoch: HubEpoch
    highest: tuple[int, datetime] | None

    def advanced_by(self, events: Sequence[Event]) -> EpochPosition:
        """The position after these events are taken in, too."""
        number = max(event.sequence for event in events)
        enqueued = max(event.enqueued for event in events)
        if self.highest is not None:
            number, enqueued = max(number, self.highest[0]), max(enqueued, self.highest[1])
        return replace(self, highest=(number, enqueued))


class EpochTracker:
    """Knows the epoch and the position of each partition, from the journal; raises StoreError."""

    def __init__(self, journal: Journal) -> None:
        self._journal = journal
        self._positions: dict[Partition, EpochPosition] = {}

    async def position_before(self, partition: Partition, first: Event, now: datetime) -> EpochPosition:
        """The epoch that an event belongs to, and the position before that event.

        The position that this process remembers counts only for the event that comes right after it: before any other event,
        another process may have taken events in.
        """
        position = self._positions.get(partition)
        if position is None or position.highest is None or position.highest[0] + 1 != first.sequence:
            position = await self._read(partition)
        while position.highest is not None and is_from_new_hub(position.highest, first):
            progress = await self._journal.read_progress(partition)
            if progress.epoch == position.epoch:
                await begin_next_epoch(self._journal, progress, now, position.highest[1])
            position = await self._read(partition)
        return position

    def remember(self, partition: Partition, position: EpochPosition) -> None:
        """Remembers how far this process has come."""
        self._positions[partition] = position

    async def _read(self, partition: Partition) -> EpochPosition:
        progress = await self._journal.read_progress(partition)
        after = progress.settled if progress.settled is not None else -1
        return EpochPosition(
            progress.epoch, highest_known(progress, await self._journal.read_taken(progress.epoch, after))
        )


async def begin_next_epoch(
    journal: Journal, progress: Progress, now: datetime, created: datetime
) -> tuple[Sequence[Loss], Progress | None]:
    """Begins the epoch of a hub that was created anew, and writes down as lost what was missing of the old hub.

    An event that was enqueued after the new hub was created says nothing of the old hub. Returns the losses, and the progress
    as it is stored or None where another process was faster.
    """
    settled = progress.settled if progress.settled is not None else -1
    taken = [one.span for one in await journal.read_taken(progress.epoch, settled) if one.enqueued <= created]
    top = max((span.last for span in taken), default=settled)
    # Before the first sweep nobody knows where the old hub began, so only what lies between is known to be missing.
    first = settled + 1 if progress.settled is not None else min((span.first for span in taken), default=0)
    losses = [Loss(progress.epoch, gap, now, GONE) for gap in gaps_in(taken, Span(first, top))]
    if losses:
        await journal.write_losses(losses)
    epoch = HubEpoch(progress.epoch.partition, progress.epoch.number + 1)
    stored = await journal.write_progress(Progress(epoch=epoch, version=progress.version))
    return losses, stored


def highest_known(progress: Progress, taken: Sequence[Taken]) -> tuple[int, datetime] | None:
    """The highest number that is known in an epoch, and the latest time at which any known number was enqueued."""
    known = [(one.span.last, one.enqueued) for one in taken]
    if progress.top is not None:
        known.append(progress.top)
    if not known:
        return None
    return max(number for number, _ in known), max(enqueued for _, enqueued in known)


def is_from_new_hub(highest: tuple[int, datetime], event: Event) -> bool:
    """Whether a hub was created anew before this event: its number is known, yet it was enqueued later than all known."""
    return event.sequence <= highest[0] and event.enqueued > highest[1]
