"""Weekly snapshots of findings: what one is, which of them count, and which findings two of them came without. Pure.

Defender never says that an individual recommendation is over: it is no longer there. It exports all findings of a subscription
once a week, as rows that bear no name of their snapshot, so time alone says which rows are of one. Instants are whole seconds
since 1970, by the hub's clock; of messages from files, by the clock of the run.
"""

from __future__ import annotations

from bisect import bisect_right
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import NamedTuple

from router.domain.resources import parse_resource_id
from router.domain.signals import Kind, Signal

DAY = 86_400
"""Seconds without a row after which a snapshot is over."""

HALF_WEEK = 7 * DAY // 2

REMEMBERED = 6
"""Snapshots that are kept of each finding, the latest ones."""

JUDGED = 12
"""Snapshots that are kept of each subscription, the latest ones."""

ENDING_KINDS = frozenset({Kind.RECOMMENDATION, Kind.VULNERABILITY, Kind.ATTACK_PATH})
"""Kinds that end when they are no longer there; scores and compliance are numbers, and never end."""

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def second_of(instant: datetime) -> int:
    """An instant in whole seconds."""
    return (instant - _EPOCH) // timedelta(seconds=1)


def instant_of(second: int) -> datetime:
    """The instant that so many seconds stand for."""
    return _EPOCH + timedelta(seconds=second)


class Stretch(NamedTuple):
    """Some time in which rows followed each other within less than a day.

    Attributes:
        first: when the first of them came.
        last: when the last of them came.
    """

    first: int
    last: int

    def is_near(self, other: Stretch) -> bool:
        """Whether less than a day lies between them, so that they are one."""
        return other.first - self.last < DAY and self.first - other.last < DAY

    def joined(self, other: Stretch) -> Stretch:
        """Both as one."""
        return Stretch(min(self.first, other.first), max(self.last, other.last))


class Appearances(NamedTuple):
    """When messages named a finding.

    Attributes:
        subscription: the subscription that it is of, in lower case.
        kind: its kind.
        named: when the latest message of any sort named it.
        snapshots: when rows of snapshots named it, the latest `REMEMBERED` stretches in order.
    """

    subscription: str
    kind: str
    named: int
    snapshots: tuple[Stretch, ...] = ()

    def named_at(self, at: int) -> Appearances:
        """The same after a message that came at an instant."""
        return self._replace(named=max(self.named, at))

    def in_snapshot_at(self, at: int) -> Appearances:
        """The same after a snapshot's row that came at an instant, in whatever order rows are taken in."""
        one, apart = Stretch(at, at), []
        for other in self.snapshots:
            if one.is_near(other):
                one = one.joined(other)
            else:
                apart.append(other)
        return self.named_at(at)._replace(snapshots=tuple(sorted([*apart, one])[-REMEMBERED:]))

    def read_again_at(self, at: int) -> Appearances:
        """The same after a row of a snapshot that is on record comes again from a file.

        For half a week it is the same snapshot, read again. After that it is the next one: two weekly files are alike where
        nothing changed.
        """
        is_next = not self.snapshots or at - self.snapshots[-1].last >= HALF_WEEK
        return self.in_snapshot_at(at) if is_next else self.named_at(at)

    def is_news_at(self, at: int, *, in_snapshot: bool) -> bool:
        """Whether a message that is on record and comes again from a file names anew what had ended.

        A row of a snapshot does where it is of the next one, and any other message half a week after the last one.
        """
        last = self.snapshots[-1].last if in_snapshot and self.snapshots else self.named
        return at - last >= HALF_WEEK

    def possible_until(self, latest: int) -> Appearances:
        """The same without instants that only a clock that was wrong can have shown."""
        if self.named <= latest and (not self.snapshots or self.snapshots[-1].last <= latest):
            return self
        snapshots = tuple(one for one in self.snapshots if one.last <= latest)
        last = snapshots[-1].last if snapshots else 0
        return self._replace(named=self.named if self.named <= latest else last, snapshots=snapshots)


class Appeared(NamedTuple):
    """What the ledger says of when a finding was named.

    Attributes:
        key: its key.
        resolved: whether it is resolved.
        appearances: when messages named it.
    """

    key: str
    resolved: bool
    appearances: Appearances


def first_appearance(signal: Signal, at: int) -> Appearances | None:
    """The appearances of a finding that a message names for the first time; None where it never ends by itself."""
    if signal.kind not in ENDING_KINDS or (subscription := parse_resource_id(signal.id).subscription) is None:
        return None
    return Appearances(subscription.lower(), signal.kind.value, at)


class JudgedSnapshot(NamedTuple):
    """A snapshot of a subscription that is over.

    Attributes:
        stretch: when its rows came.
        rows: how many findings it named.
        counts: whether it counts: it seems to be whole.
    """

    stretch: Stretch
    rows: int
    counts: bool


@dataclass(frozen=True, slots=True)
class SnapshotHistory:
    """What was judged of a subscription's snapshots.

    Attributes:
        judged: the snapshots that are over, the latest `JUDGED` of them in order.
        ended: when the last row came of the latest snapshot after which findings were looked for that ended.
    """

    judged: tuple[JudgedSnapshot, ...] = ()
    ended: int = 0

    def last_two_that_count(self) -> tuple[JudgedSnapshot, JudgedSnapshot] | None:
        """The last two snapshots that count, the earlier first; None where there are not yet two."""
        counting = [one for one in self.judged if one.counts]
        return (counting[-2], counting[-1]) if len(counting) > 1 else None


class AbsenceWindow(NamedTuple):
    """Two snapshots that count, one after the other: what was not named since before the first of them has ended.

    Attributes:
        subscription: the subscription.
        earlier: the first of the two.
        later: the second.
        kinds: the kinds that came in both; of another one the export may be switched off.
    """

    subscription: str
    earlier: Stretch
    later: Stretch
    kinds: frozenset[str]

    def is_unseen(self, appearances: Appearances) -> bool:
        """Whether a finding of the subscription came in neither snapshot, and in no other message since."""
        return appearances.kind in self.kinds and appearances.named < self.earlier.first


@dataclass(frozen=True, slots=True)
class SnapshotCounts:
    """The findings of a subscription, counted by the snapshots that named them.

    Attributes:
        stretches: the snapshots in order, those among them that are not over.
        members: by kind and the snapshots that named it, each by its index in `stretches`, how many findings there are.
    """

    stretches: tuple[Stretch, ...]
    members: Mapping[tuple[str, frozenset[int]], int]

    def find_index(self, stretch: Stretch) -> int | None:
        """The index of the snapshot that holds a stretch."""
        return next((index for index, one in enumerate(self.stretches) if one.is_near(stretch)), None)

    def rows_in(self, *indexes: int) -> int:
        """How many findings came in each of some snapshots."""
        return sum(count for (_, came), count in self.members.items() if came.issuperset(indexes))

    def kinds_in(self, stretch: Stretch) -> frozenset[str]:
        """The kinds that came in the snapshot that holds a stretch."""
        index = self.find_index(stretch)
        return frozenset(kind for kind, came in self.members if index in came)

    def brings_again(self, index: int, before: JudgedSnapshot) -> bool:
        """Whether a snapshot brought again three quarters of the rows of an earlier one."""
        other = self.find_index(before.stretch)
        rows = self.rows_in(other) if other is not None else 0
        return other is not None and rows > 0 and 4 * self.rows_in(index, other) >= 3 * rows


class SnapshotTally:
    """Counts the findings of one subscription in memory that does not grow with them."""

    def __init__(self, judged: Iterable[JudgedSnapshot] = ()) -> None:
        # Disjoint and in order, and no two are near each other.
        self._stretches: list[Stretch] = []
        self._ids: list[int] = []
        self._merged: dict[int, int] = {}
        self._members: Counter[tuple[str, tuple[int, ...]]] = Counter()
        for one in judged:
            self._id_of(one.stretch)

    def count(self, appearances: Appearances) -> None:
        """Counts one finding."""
        self._members[appearances.kind, tuple(map(self._id_of, appearances.snapshots))] += 1

    def counts(self) -> SnapshotCounts:
        """The findings that were counted."""
        indexes = {id: index for index, id in enumerate(self._ids)}
        members: Counter[tuple[str, frozenset[int]]] = Counter()
        for (kind, ids), count in self._members.items():
            members[kind, frozenset(indexes[self._known_as(id)] for id in ids)] += count
        return SnapshotCounts(tuple(self._stretches), members)

    def _id_of(self, stretch: Stretch) -> int:
        """The id of the snapshot that a stretch is part of, which grows by it, and together with others."""
        low = bisect_right(self._stretches, stretch.first - DAY, key=lambda one: one.last)
        if low < len(self._stretches) and self._holds(low, stretch):
            return self._ids[low]
        high = low
        while high < len(self._stretches) and self._stretches[high].is_near(stretch):
            stretch = stretch.joined(self._stretches[high])
            high += 1
        ids = self._ids[low:high]
        id = ids[0] if ids else len(self._merged)
        self._merged.setdefault(id, id)
        self._merged |= dict.fromkeys(ids, id)
        self._stretches[low:high] = [stretch]
        self._ids[low:high] = [id]
        return id

    def _holds(self, index: int, stretch: Stretch) -> bool:
        one = self._stretches[index]
        return one.first <= stretch.first and stretch.last <= one.last

    def _known_as(self, id: int) -> int:
        while (other := self._merged[id]) != id:
            id = other
        return id


def judged_after(
    history: SnapshotHistory, counts: SnapshotCounts, until: int, lost_at: Iterable[int] = ()
) -> SnapshotHistory:
    """The history after every snapshot is judged that is over at an instant up to which all was taken in.

    One counts if it brought again three quarters of the rows of the last one that counted, or of each of the two before it,
    so that after a mass repair snapshots count again; the first one counts. `lost_at` are the instants at which events were
    found to be lost: nobody knows which rows these were, so no snapshot counts that had begun by then.
    """
    judged, lost = list(history.judged), max(lost_at, default=-1)
    for index, stretch in enumerate(counts.stretches):
        if judged and (stretch.first < judged[-1].stretch.first or stretch.is_near(judged[-1].stretch)):
            continue
        if stretch.last + DAY > until:
            break
        is_whole = lost < stretch.first and _is_whole(counts, index, judged)
        judged.append(JudgedSnapshot(stretch, counts.rows_in(index), is_whole))
    return SnapshotHistory(_latest(judged), history.ended)


def _is_whole(counts: SnapshotCounts, index: int, judged: Sequence[JudgedSnapshot]) -> bool:
    if not any(one.counts for one in judged):
        return True
    # Findings that came in every snapshot since remember none that is longer ago.
    near = judged[-(REMEMBERED - 1) :]
    last = next((one for one in reversed(near) if one.counts), None)
    if last is not None and counts.brings_again(index, last):
        return True
    two = judged[-2:]
    return len(two) == 2 and all(counts.brings_again(index, one) for one in two)


def _latest(judged: Sequence[JudgedSnapshot]) -> tuple[JudgedSnapshot, ...]:
    """The latest of what was judged, and the last two that count however long ago they are."""
    old, late = judged[:-JUDGED], judged[-JUDGED:]
    missing = max(0, 2 - sum(one.counts for one in late))
    counting = [one for one in old if one.counts]
    return (*(counting[-missing:] if missing else ()), *late)


def find_absence_window(subscription: str, history: SnapshotHistory, counts: SnapshotCounts) -> AbsenceWindow | None:
    """The two snapshots by which findings of a subscription end now; None where there are not two, or nothing is new."""
    if (two := history.last_two_that_count()) is None or two[1].stretch.last <= history.ended:
        return None
    earlier, later = (one.stretch for one in two)
    return AbsenceWindow(subscription, earlier, later, counts.kinds_in(earlier) & counts.kinds_in(later))


def next_closing(counts: SnapshotCounts, until: int) -> int | None:
    """When the snapshot will be over that is not over yet, unless more of it comes; None where all are over."""
    return min((one.last + DAY for one in counts.stretches if one.last + DAY > until), default=None)
