"""Finds the events of a hub that were never taken in, and takes them in.

The platform checkpoints a batch even when its worker died (https://github.com/Azure/azure-functions-host/pull/5926), so the
checkpoint is not trusted: the journal is compared with what the hub holds, up to the last number that was enqueued.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from itertools import batched

from router.domain.clocks import SKEW, is_recent
from router.domain.errors import HubError
from router.domain.journal import Extent, Loss, Partition, Progress, Span, Taken, find_taken_until, gaps_in, spans_of
from router.domain.notices import RecordEntry
from router.domain.ports.ingest import Hub, Journal
from router.ingest.epochs import begin_next_epoch, highest_known
from router.ingest.event_intake import EventIntake

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
        entries: the record's entries of the messages that it ingested.
        losses: the losses that it declared.
        lag: how many numbers of each partition are not ingested yet.
        warnings: lines for people, without a secret.
        taken_until: for each partition the hub's time up to which all was taken in or lost; None where nobody knows.
    """

    entries: list[RecordEntry] = field(default_factory=list)
    losses: list[Loss] = field(default_factory=list)
    lag: dict[str, int] = field(default_factory=dict)
    warnings: list[str] = field(default_factory=list)
    taken_until: dict[str, datetime | None] = field(default_factory=dict)

    def find_taken_until(self) -> datetime | None:
        """The hub's time up to which all of the hub was taken in or lost; None where nobody knows."""
        known = [until for until in self.taken_until.values() if until is not None]
        return min(known) if known and len(known) == len(self.taken_until) else None


class GapFiller:
    """Fills the gaps of one hub; raises StoreError. Safe to repeat, and to break off anywhere."""

    def __init__(self, hub: Hub, journal: Journal, event_intake: EventIntake, grace: timedelta = GRACE) -> None:
        self._hub = hub
        self._journal = journal
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
            if isinstance(extent, HubError):
                report.warnings.append(str(extent))
                continue
            try:
                await self._fill_partition(partition, extent, report, now)
            except HubError as fault:
                report.warnings.append(str(fault))
        return report

    async def _fill_partition(self, partition: Partition, extent: Extent, report: GapReport, now: datetime) -> None:
        progress = await self._progress(partition, extent, report, now)
        if progress is None:
            return
        settled = _settled(progress)
        taken = await self._journal.read_taken(progress.epoch, settled)
        lost: list[Span] = []
        for gaps in near_each_other(self._gaps(settled, taken, extent, now)):
            lost += await self._ingest_missing(partition, gaps, report, now)
        await self._lose(
            [Loss(progress.epoch, span, now, "the hub no longer holds these events") for span in lost], report
        )
        taken = await self._journal.read_taken(progress.epoch, settled)
        top = highest_known(progress, taken)
        # The hub's clock may be behind this one.
        report.taken_until[partition.id] = find_taken_until(progress, taken, lost, extent, now - SKEW)
        report.lag[partition.id] = max(0, extent.last - max(top[0] if top else -1, settled))
        await self._settle(progress, taken, lost, now)

    def _gaps(self, settled: int, taken: Sequence[Taken], extent: Extent, now: datetime) -> list[Span]:
        """The spans that are missing for longer than the grace period, the end of the hub among them.

        A gap is as old as the first thing taken after it. One that nothing follows is as old as the last thing taken.
        """
        old = [one.span.last for one in taken if self._is_old(one, now)]
        until = extent.last if len(old) == len(taken) else max(old, default=settled)
        return gaps_in([one.span for one in taken], Span(settled + 1, until))

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

    async def _progress(
        self, partition: Partition, extent: Extent, report: GapReport, now: datetime
    ) -> Progress | None:
        """How far a partition has come, begun at what the hub held first if no sweep ever saw it; None in a lost race."""
        progress = await self._journal.read_progress(partition)
        if progress.created is not None and progress.created != extent.created:
            report.warnings.append(f"{partition.hub}: the hub was created anew, so its numbers begin again")
            losses, begun = await begin_next_epoch(self._journal, progress, now, extent.created)
            report.losses += losses
            if begun is None:
                return None
            progress = begun
        if progress.settled is not None and progress.settled > max(extent.last, extent.first - 1):
            # Nobody can have ingested what the hub never held: the number is damaged, and all is compared again.
            progress = replace(progress, settled=None, top=None)
        if progress.settled is None:
            # What was taken in before the first sweep, and is in the hub no longer, says where the hub began.
            first = min(
                [one.span.first for one in await self._journal.read_taken(progress.epoch, -1)], default=extent.first
            )
            settled = min(first, extent.first) - 1
            return await self._journal.write_progress(replace(progress, settled=settled, created=extent.created))
        return progress

    async def _lose(self, losses: Sequence[Loss], report: GapReport) -> None:
        if losses:
            await self._journal.write_losses(losses)
            report.losses += losses

    async def _settle(self, progress: Progress, taken: Sequence[Taken], lost: Sequence[Span], now: datetime) -> None:
        """Moves progress over what was taken in or lost without a gap, and forgets the details of it."""
        settled = _settled(progress)
        # What was taken in just now says that somebody is at work, so it stays.
        old = [one for one in taken if self._is_old(one, now)]
        for span in sorted([*(one.span for one in old), *lost]):
            if span.first <= settled + 1:
                settled = max(settled, span.last)
        if settled == progress.settled:
            return
        top = highest_known(progress, [one for one in old if one.span.last <= settled])
        if await self._journal.write_progress(replace(progress, settled=settled, top=top)) is not None:
            await self._journal.forget_settled(progress.epoch, settled)

    def _is_old(self, taken: Taken, now: datetime) -> bool:
        return self._is_past(taken.at, now)

    def _is_past(self, instant: datetime, now: datetime) -> bool:
        """Whether an instant is longer ago than the grace period, or none that a clock can have shown."""
        return not is_recent(instant, now, self._grace)


def near_each_other(gaps: Sequence[Span]) -> list[list[Span]]:
    """Gaps in groups that are read together: what lies between two of a group is less than one read brings."""
    groups: list[list[Span]] = []
    for gap in gaps:
        if groups and gap.first - groups[-1][-1].last <= READ:
            groups[-1].append(gap)
        else:
            groups.append([gap])
    return groups


def _settled(progress: Progress) -> int:
    """The last number that need not be looked at again."""
    return progress.settled if progress.settled is not None else -1
