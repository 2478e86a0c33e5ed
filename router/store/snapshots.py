"""Weekly snapshots of findings: what one is, which of them count, and which findings two of them came without.

Defender never says that an individual recommendation is over: it is no longer there. It exports all findings of a subscription
once a week, as rows that bear no name of their snapshot, so time alone says which rows are of one. Instants are those of the
hub's clock; of messages from files, of the clock of the run. Two rows of one day, in UTC, are always of one snapshot.

The table `snapshots` has the days on which rows came; `signals` has when messages named a finding.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta
from typing import NamedTuple

from router.domain.errors import Undecodable
from router.domain.resources import parse_resource_id
from router.domain.signals import Kind, Signal
from router.store.codec import EPOCH, MICROSECOND, Columns, readable
from router.store.quarantine import read_sound
from router.store.store import Transaction

DAY = timedelta(days=1)
"""How long no row comes until a snapshot is over."""

HALF_WEEK = 7 * DAY / 2

REMEMBERED = 12
"""Days that are kept of each finding, the latest ones: of six snapshots, where each of them named it on two."""

ENDING_KINDS = frozenset({Kind.RECOMMENDATION, Kind.VULNERABILITY, Kind.ATTACK_PATH})
"""Kinds that end when they are no longer there; scores and compliance are numbers, and never end."""

_NEAR = 5
"""Snapshots among which the last one is looked for that counts: so many before another are remembered of each finding."""

_LONGEST_DAY = 8
"""Digits that no number of a day has."""

_ADD = """
INSERT INTO snapshots (subscription, day, first, last) VALUES (?,?,?,?) ON CONFLICT (subscription, day) DO UPDATE SET
first=CASE WHEN excluded.first<snapshots.first THEN excluded.first ELSE snapshots.first END,
last=CASE WHEN excluded.last>snapshots.last THEN excluded.last ELSE snapshots.last END
"""
_ENDED = "SELECT DISTINCT subscription FROM snapshots WHERE counts IS NULL AND last<=? ORDER BY subscription"
_DAYS = "SELECT * FROM snapshots WHERE subscription=? AND first<=?"
_NAMED = """
SELECT kind, snapshot_days, count(*) AS many, max(key) AS page_end
FROM (SELECT key, kind, snapshot_days FROM signals WHERE subscription=? AND key>? ORDER BY key LIMIT ?) AS page
GROUP BY kind, snapshot_days
"""
_STANDING = "SELECT key FROM signals WHERE subscription=? AND kind=? AND resolved=0"
_UNSEEN = f"{_STANDING} AND named<? UNION ALL {_STANDING} AND named>?"
_PAGE = 2_000
_JUDGE = "UPDATE snapshots SET counts=? WHERE subscription=? AND day=? AND counts IS NULL"


def day_of(instant: datetime) -> int:
    """The day of an instant in UTC, counted from 1970."""
    return (instant - EPOCH) // DAY


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
        return at - ((in_snapshot and self.in_snapshot) or self.named) >= HALF_WEEK

    def possible_until(self, latest: datetime) -> Appearances:
        """The same without instants that only a clock that was wrong can have shown."""
        if max(self.named, self.in_snapshot or self.named) <= latest:
            return self
        days = tuple(day for day in self.days if day <= day_of(latest))
        # Which time of its last day it was is not known any more.
        last = min(latest, EPOCH + (days[-1] + 1) * DAY - MICROSECOND) if days else None
        is_possible = self.in_snapshot is not None and self.in_snapshot <= latest
        return self._replace(
            named=self.named if self.named <= latest else last or EPOCH,
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
            one = Snapshot(before.first, one.last, before.days | one.days, counts)
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
    begun = max([EPOCH, *lost_at, *(one.first for one in snapshots if one.counts is not None)])
    for one in snapshots:
        if one.last + DAY > until:
            break
        counts = one.counts if one.counts is not None else one.first > begun and _is_whole(one, judged, named)
        judged.append(one._replace(counts=counts))
    return judged


def find_absence_window(subscription: str, judged: Sequence[Snapshot], named: Sequence[Named]) -> AbsenceWindow | None:
    """The last two snapshots that count, by which findings of a subscription end; None where there are not yet two."""
    earlier, later = [None, None, *(one for one in judged if one.counts)][-2:]
    if earlier is None or later is None:
        return None
    kinds = (frozenset(kind for kind, days, _ in named if days & one.days) for one in (earlier, later))
    return AbsenceWindow(subscription, earlier, later, frozenset.intersection(*kinds))


def _is_whole(snapshot: Snapshot, judged: Sequence[Snapshot], named: Sequence[Named]) -> bool:
    def brings_again(before: Snapshot) -> bool:
        rows = [(days, many) for _, days, many in named if days & before.days]
        again = sum(many for days, many in rows if days & snapshot.days)
        return bool(rows) and 4 * again >= 3 * sum(many for _, many in rows)

    last, two = [one for one in judged[-_NEAR:] if one.counts][-1:], judged[-2:]
    if not any(one.counts for one in judged):
        return True
    return any(map(brings_again, last)) or (len(two) == 2 and all(map(brings_again, two)))


async def add_snapshot_rows(tx: Transaction, rows: Iterable[tuple[str, datetime]]) -> None:
    """Write down when rows of snapshots of subscriptions came."""
    days: dict[tuple[str, int], list[datetime]] = {}
    for subscription, at in rows:
        days.setdefault((subscription, day_of(at)), []).append(at)
    await tx.write_many(_ADD, [(*day, min(some), max(some)) for day, some in sorted(days.items())])


async def find_ended(tx: Transaction, until: datetime) -> list[str]:
    """Return the subscriptions of which rows that are not judged ended a day up to an instant."""
    return [row.text("subscription") for row in await tx.fetch(_ENDED, until)]


async def read_days(tx: Transaction, subscription: str, latest: datetime) -> list[Snapshot]:
    """Return the rows of each day of a subscription's snapshots, but those after the latest instant that there can be."""
    return await read_sound(tx, "snapshots", _DAYS, (subscription, latest), _day_in)


async def count_named(tx: Transaction, subscription: str) -> list[Named]:
    """Return how many findings of a subscription rows of snapshots named, by kind and days."""
    named: Counter[tuple[str, frozenset[int]]] = Counter()
    after = ""
    while rows := await tx.fetch(_NAMED, subscription, after, _PAGE):
        for row in rows:
            # A damaged row is set aside when its signal is asked for.
            named[row.words("kind"), frozenset(readable((), days_in, row))] += row.whole("many")
        after = max(row.raw("page_end") for row in rows)
    return [Named(kind, days, many) for (kind, days), many in named.items() if days]


async def find_unseen(tx: Transaction, window: AbsenceWindow, latest: datetime) -> list[str]:
    """Return the keys of findings that stand and that were not named since a window began, or by a wrong clock."""
    keys: list[str] = []
    for kind in sorted(window.kinds):
        of_kind = window.subscription, kind
        keys += [row.text("key") for row in await tx.fetch(_UNSEEN, *of_kind, window.earlier.first, *of_kind, latest)]
    return keys


async def write_judged(tx: Transaction, subscription: str, judged: Sequence[Snapshot]) -> None:
    """Write down which snapshots count, of those that were not judged before."""
    days = sorted((day, one.counts) for one in judged for day in one.days)
    await tx.write_many(_JUDGE, [(counts, subscription, day) for day, counts in days])


def _day_in(row: Columns) -> Snapshot:
    day, first, last = row.whole("day"), row.time("first"), row.time("last")
    if not day == day_of(first) == day_of(last):
        raise Undecodable("first, last: are no times of the day")
    return Snapshot(first, last, frozenset([day]), row.flag("counts") if row.raw("counts") is not None else None)


def days_in(row: Columns) -> tuple[int, ...]:
    """Return the days on which rows of snapshots named a finding, in order; raises Undecodable."""
    days = row.text("snapshot_days").split()
    if not all(one.isdecimal() and len(one) < _LONGEST_DAY for one in days):
        raise Undecodable("snapshot_days: is no list of days")
    return tuple(sorted(map(int, days)))
