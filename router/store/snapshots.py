"""The table `snapshots`, of the days on which rows of snapshots of findings came, and the findings that they named.

`signals` has when messages named a finding: by its subscription and kind it is found which of them none named since.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from datetime import datetime

from router.domain.errors import Undecodable
from router.store.codec import Columns, micros, readable
from router.store.quarantine import read_sound
from router.store.signals import days_in
from router.store.snapshot_rules import AbsenceWindow, Named, Snapshot, day_of
from router.store.transaction import Transaction

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


async def add_snapshot_rows(tx: Transaction, rows: Iterable[tuple[str, datetime]]) -> None:
    """Write down when rows of snapshots of subscriptions came."""
    by_day: dict[tuple[str, int], list[datetime]] = {}
    for subscription, at in rows:
        by_day.setdefault((subscription, day_of(at)), []).append(at)
    days = [(*place, micros(min(some)), micros(max(some))) for place, some in sorted(by_day.items())]
    await tx.write_many(_ADD, days)


async def find_ended(tx: Transaction, until: datetime) -> list[str]:
    """Return the subscriptions of which rows that are not judged ended a day up to an instant."""
    return [row.text("subscription") for row in await tx.fetch(_ENDED, micros(until))]


async def read_days(tx: Transaction, subscription: str, latest: datetime) -> list[Snapshot]:
    """Return the rows of each day of a subscription's snapshots, but those after the latest instant that there can be."""
    return await read_sound(tx, "snapshots", _DAYS, (subscription, micros(latest)), _day_in)


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
        values = window.subscription, kind, micros(window.earlier.first), window.subscription, kind, micros(latest)
        keys += [row.text("key") for row in await tx.fetch(_UNSEEN, *values)]
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
