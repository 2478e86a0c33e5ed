"""Weekly snapshots of findings: what one is, which of them count, and which findings two of them came without. Pure.

Defender never says that an individual recommendation is over: it is no longer there. It exports all findings of a subscription
once a week, as rows that bear no name of their snapshot, so time alone says which rows are of one. Instants are those of the
hub's clock; of messages from files, of the clock of the run. Two rows of one day, in UTC, are always of one snapshot.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import UTC, datetime, timedelta
from typing import NamedTuple

from router.domain.resources import parse_resource_id
from router.domain.signals import Kind, Signal

DAY = timedelta(days=1)
"""How long no row comes until a snapshot is over."""

HALF_WEEK = 7 * DAY / 2

REMEMBERED = 12
"""Days that are kept of each finding, the latest ones: of six snapshots, where each of them named it on two."""

ENDING_KINDS = frozenset({Kind.RECOMMENDATION, Kind.VULNERABILITY, Kind.ATTACK_PATH})
"""Kinds that end when they are no longer there; scores and compliance are numbers, and never end."""

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_NEAR = 5
"""Snapshots among which the last one is looked for that counts: so many before another are remembered of each finding."""


def day_of(instant: datetime) -> int:
    """The day of an instant in UTC, counted from 1970."""
    return (instant - _EPOCH) // DAY


class Appearances(NamedTuple):
    """When messages named a finding of a subscription, which is in lower case.

    Attributes:
        named: when the latest message of any sort named it.
        in_snapshot: when the latest row of a snapshot named it.
        days: on which days rows of snapshots named it, the latest `REMEMBERED` of them in order.
    """

    subscription: str
    kind: str
    named: datetime
    in_snapshot: datetime | None = None
    days: tuple[int, ...] = ()

    def named_at(self, at: datetime) -> Appearances:
        """The same after a message that came at an instant."""
        return self._replace(named=max(self.named, at))

    def in_snapshot_at(self, at: datetime) -> Appearances:
        """The same after a snapshot's row that came at an instant, in whatever order rows are taken in."""
        days = tuple(sorted({*self.days, day_of(at)})[-REMEMBERED:])
        return self.named_at(at)._replace(in_snapshot=max(self.in_snapshot or at, at), days=days)

    def is_news_at(self, at: datetime, *, in_snapshot: bool) -> bool:
        """Whether a message that is on record and comes again from a file names the finding anew.

        A row of a snapshot does half a week after the last one: it is of the next snapshot then, since two weekly files are
        alike where nothing changed. Any other message does half a week after the last message.
        """
        last = self.in_snapshot if in_snapshot and self.in_snapshot is not None else self.named
        return at - last >= HALF_WEEK

    def possible_until(self, latest: datetime) -> Appearances:
        """The same without instants that only a clock that was wrong can have shown."""
        if max(self.named, self.in_snapshot or self.named) <= latest:
            return self
        days = tuple(day for day in self.days if day <= day_of(latest))
        # Which time of its last day it was is not known any more.
        last = min(latest, _EPOCH + (days[-1] + 1) * DAY - timedelta(microseconds=1)) if days else None
        is_possible = self.in_snapshot is not None and self.in_snapshot <= latest
        return self._replace(
            named=self.named if self.named <= latest else last or _EPOCH,
            in_snapshot=self.in_snapshot if is_possible else last,
            days=days,
        )


def first_appearance(signal: Signal, at: datetime) -> Appearances | None:
    """The appearances of a finding that a message names for the first time; None where it never ends by itself."""
    if signal.kind not in ENDING_KINDS or (subscription := parse_resource_id(signal.id).subscription) is None:
        return None
    return Appearances(subscription.lower(), signal.kind.value, at)


class Snapshot(NamedTuple):
    """A snapshot of a subscription, or its rows of one day: when the first and the last came, and on which days.

    It counts where it seems to be whole; None where it is not judged.
    """

    first: datetime
    last: datetime
    days: frozenset[int]
    counts: bool | None = None


def joined(days: Iterable[Snapshot]) -> list[Snapshot]:
    """The snapshots that the rows of some days make up, in order: less than a day lies between two rows of one."""
    found: list[Snapshot] = []
    for one in sorted(days):
        if found and one.first - found[-1].last < DAY:
            before = found.pop()
            counts = before.counts if before.counts is not None else one.counts
            found.append(Snapshot(before.first, one.last, before.days | one.days, counts))
        else:
            found.append(one)
    return found


class Named(NamedTuple):
    """How many findings of a kind rows of snapshots named on the same days."""

    kind: str
    days: frozenset[int]
    many: int


class AbsenceWindow(NamedTuple):
    """Two snapshots that count, one after the other: what was not named since before the first of them has ended.

    `kinds` are those that came in both; of another one the export may be switched off.
    """

    subscription: str
    earlier: Snapshot
    later: Snapshot
    kinds: frozenset[str]

    def is_unseen(self, appearances: Appearances) -> bool:
        """Whether a finding of the subscription came in neither snapshot, and in no other message since."""
        return appearances.kind in self.kinds and appearances.named < self.earlier.first


def judge(
    snapshots: Sequence[Snapshot], named: Sequence[Named], until: datetime, lost_at: Iterable[datetime] = ()
) -> list[Snapshot]:
    """The snapshots that are over at an instant up to which all was taken in, each with whether it counts.

    One counts if it brought again three quarters of the rows of the last one that counted, or of each of the two before it,
    so that after a mass repair snapshots count again; the first one counts. `lost_at` are the instants at which events were
    found to be lost: it is not known which rows these were, so no snapshot counts that had begun by then.
    """
    judged: list[Snapshot] = []
    # Rows that come late and before what is judged are of no snapshot that is waited for.
    begun = max((one.first for one in snapshots if one.counts is not None), default=_EPOCH)
    begun = max([begun, *lost_at])
    for one in snapshots:
        if one.last + DAY > until:
            break
        is_known = one.counts is not None
        judged.append(one if is_known else one._replace(counts=one.first > begun and _is_whole(one, judged, named)))
    return judged


def find_absence_window(subscription: str, judged: Sequence[Snapshot], named: Sequence[Named]) -> AbsenceWindow | None:
    """The last two snapshots that count, by which findings of a subscription end; None where there are not yet two."""
    earlier, later = ([None, None, *(one for one in judged if one.counts)])[-2:]
    if earlier is None or later is None:
        return None
    kinds = (frozenset(kind for kind, days, _ in named if days & one.days) for one in (earlier, later))
    return AbsenceWindow(subscription, earlier, later, frozenset.intersection(*kinds))


def _is_whole(snapshot: Snapshot, judged: Sequence[Snapshot], named: Sequence[Named]) -> bool:
    def rows_in(*some: Snapshot) -> int:
        return sum(many for _, days, many in named if all(days & one.days for one in some))

    def brings_again(before: Snapshot) -> bool:
        rows = rows_in(before)
        return rows > 0 and 4 * rows_in(snapshot, before) >= 3 * rows

    if not any(one.counts for one in judged):
        return True
    last = [one for one in judged[-_NEAR:] if one.counts][-1:]
    two = judged[-2:]
    return any(map(brings_again, last)) or (len(two) == 2 and all(map(brings_again, two)))
