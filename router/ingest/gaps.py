"""Finds the events of a hub that were never taken in, and takes them in.

The platform checkpoints a batch even when its worker died (https://github.com/Azure/azure-functions-host/pull/5926), so the
checkpoint is not trusted: what was taken in is compared with what the hub holds, up to the last number that was enqueued.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from itertools import batched
from typing import Protocol

from router.domain.clocks import SKEW, is_recent
from router.domain.errors import HubError
from router.domain.hubs import Event, Extent, HubEpoch, Loss, Partition, Span, gaps_in
from router.domain.notices import RecordEntry
from router.ingest.event_intake import EventIntake
from router.store import partitions
from router.store.partitions import HubPartition, Taken
from router.store.store import Store, Transaction


class Hub(Protocol):
    """Reads events of a hub, beside its consumers."""

    name: str

    async def read_extents(self) -> Mapping[Partition, Extent | HubError]:
        """What the hub holds of each of its partitions, or why one did not say; raises HubError where the hub does not."""
        ...

    async def read_events(self, partition: Partition, span: Span, most: int) -> Sequence[Event]:
        """The first events that the hub still has of a span, at most so many; raises HubError."""
        ...


GRACE = timedelta(minutes=2)
"""How long a number may be missing before it is a gap: the reader of the hub may still be at it."""

READ = 1_000
"""Events that are read again at a time; each read begins with a connection of its own, which takes a second."""

AT_A_TIME = 100
"""Events that are ingested at a time."""

MOST = 5_000
"""Events that one sweep reads again of one partition; the next one goes on."""


@dataclass(slots=True)
class GapReport:
    """What a sweep found of the gaps of one hub, and did with them.

    Attributes:
        lag: how many numbers of each partition are not ingested yet.
        taken_until: for each partition the hub's time up to which all was taken in or lost; None where that is not known.
    """

    entries: list[RecordEntry] = field(default_factory=list)
    losses: list[Loss] = field(default_factory=list)
    lag: dict[str, int] = field(default_factory=dict)
    warnings: list[str] = field(default_factory=list)
    taken_until: dict[str, datetime | None] = field(default_factory=dict)

    def find_taken_until(self) -> datetime | None:
        """The hub's time up to which all of the hub was taken in or lost; None where that is not known."""
        known = [until for until in self.taken_until.values() if until is not None]
        return min(known) if known and len(known) == len(self.taken_until) else None


class GapFiller:
    """Fills the gaps of one hub; raises StoreError. Safe to repeat, and to break off anywhere."""

    def __init__(self, hub: Hub, store: Store, event_intake: EventIntake, grace: timedelta = GRACE) -> None:
        self._hub = hub
        self._store = store
        self._event_intake = event_intake
        self._grace = grace

    async def fill_gaps(self, now: datetime) -> GapReport:
        """Ingests what is missing for longer than the grace period; what cannot be read now is left for the next sweep."""
        report = GapReport()
        try:
            extents = await self._hub.read_extents()
        except HubError as fault:
            report.warnings.append(str(fault))
            return report
        report.taken_until = dict.fromkeys(partition.id for partition in extents)
        for partition, extent in extents.items():
            try:
                if isinstance(extent, HubError):
                    raise extent
                await self._fill_partition(partition, extent, report, now)
            except HubError as fault:
                report.warnings.append(str(fault))
        return report

    async def _fill_partition(self, partition: Partition, extent: Extent, report: GapReport, now: datetime) -> None:
        known, lost = await self._store.run(lambda tx: begin_sweep(tx, partition, extent, now))
        if lost is not None:
            report.warnings.append(f"{partition.hub}: the hub was created anew, so its numbers begin again")
            report.losses += lost
        taken, done = await self._read_done(known.epoch)
        # Where it began can be damaged; no number is taken in before that.
        known = known._replace(begins=min([known.begins or 0, *(one.span.first for one in taken)]))
        missing: list[Span] = []
        for gaps in near_each_other(gaps_in(done, Span(known.begins or 0, self._ripe_until(taken, extent, now)))):
            missing += await self._ingest_missing(partition, gaps, report, now)
        if missing:
            losses = [Loss(known.epoch, span, now, "the hub no longer holds these events") for span in missing]
            await self._store.run(lambda tx: partitions.write_losses(tx, losses))
            report.losses += losses
        taken, done = await self._read_done(known.epoch)
        # The hub's clock may be behind this one.
        report.taken_until[partition.id] = find_taken_until(known, taken, done, extent, now - SKEW)
        report.lag[partition.id] = lag_of(known, done, extent)

    def _ripe_until(self, taken: Sequence[Taken], extent: Extent, now: datetime) -> int:
        """The number up to which what is missing is missing for longer than the grace period.

        A gap is as old as the first thing taken after it. One that nothing follows is as old as the last thing taken.
        """
        if all(self._is_past(one.at, now) for one in taken):
            return extent.last
        return max((one.span.first for one in taken if self._is_past(one.since, now)), default=0) - 1

    async def _ingest_missing(
        self, partition: Partition, gaps: Sequence[Span], report: GapReport, now: datetime
    ) -> list[Span]:
        """Ingests what the hub still holds of gaps that are near each other; returns what it holds no longer."""
        missing: list[Span] = []
        first, last, budget = gaps[0].first, gaps[-1].last, MOST
        while first <= last and budget > 0:
            events = await self._hub.read_events(partition, Span(first, last), min(READ, budget))
            wanted = [event for event in events if any(gap.first <= event.sequence <= gap.last for gap in gaps)]
            ripe = [event for event in wanted if self._is_past(event.enqueued, now)]
            for some in batched(ripe, AT_A_TIME, strict=False):
                report.entries += await self._event_intake.ingest_events(partition, some, now)
            numbers = [event.sequence for event in events]
            end = numbers[-1] if numbers else last
            read = spans_of(numbers)
            for gap in gaps:
                if gap.overlaps(Span(first, end)):
                    missing += gaps_in(read, Span(max(first, gap.first), min(end, gap.last)))
            if len(ripe) < len(wanted):
                break
            first, budget = end + 1, budget - len(events)
        return missing

    async def _read_done(self, epoch: HubEpoch) -> tuple[list[Taken], list[Span]]:
        async with self._store.session() as tx:
            return await partitions.read_done(tx, epoch)

    def _is_past(self, instant: datetime, now: datetime) -> bool:
        """Whether an instant is longer ago than the grace period, or none that a clock can have shown."""
        return not is_recent(instant, now, self._grace)


async def begin_sweep(
    tx: Transaction, partition: Partition, extent: Extent, now: datetime
) -> tuple[HubPartition, list[Loss] | None]:
    """Return a partition as a sweep goes by it, and what was lost where its hub was created anew; None where it was not."""
    known, losses = await partitions.lock_partition(tx, partition), None
    if known.created is not None and known.created != extent.created:
        known, losses = await partitions.begin_epoch(tx, known, now, extent.created)
    if known.begins is None:
        # What was taken in before the first sweep, and is in the hub no longer, says where the hub began.
        taken = await partitions.read_taken(tx, known.epoch)
        first = min([one.span.first for one in taken], default=extent.first)
        known = await partitions.write_beginning(tx, known, extent.created, min(first, extent.first))
    return known, losses


def find_taken_until(
    known: HubPartition, taken: Sequence[Taken], done: Sequence[Span], extent: Extent, now: datetime
) -> datetime | None:
    """The hub's time up to which each event of a partition is taken in or lost; None where that is not known.

    That is now where nothing is missing of what the hub held then. Else it is when the event before the first missing one came:
    a hub numbers events as they come.
    """
    missing = gaps_in(done, Span(known.begins or 0, extent.last))
    if not missing:
        return now
    return max((one.enqueued for one in taken if one.span.last < missing[0].first), default=None)


def lag_of(known: HubPartition | None, done: Sequence[Span], extent: Extent) -> int:
    """How many events the hub holds after the last that was taken in or lost."""
    first = extent.first if known is None or known.begins is None else known.begins
    return max(0, extent.last - max([span.last for span in done], default=first - 1))


def near_each_other(gaps: Sequence[Span]) -> list[list[Span]]:
    """Gaps in groups that are read together: what lies between two of a group is less than one read brings."""
    groups: list[list[Span]] = []
    for gap in gaps:
        if groups and gap.first - groups[-1][-1].last <= READ:
            groups[-1].append(gap)
        else:
            groups.append([gap])
    return groups


def spans_of(numbers: Sequence[int]) -> list[Span]:
    """The spans that numbers make up, in order."""
    spans: list[Span] = []
    for number in sorted(set(numbers)):
        if spans and spans[-1].last == number - 1:
            spans[-1] = Span(spans[-1].first, number)
        else:
            spans.append(Span(number, number))
    return spans
