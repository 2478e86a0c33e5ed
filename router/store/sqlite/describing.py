"""What is in a SQLite state, counted by its indexes: a report on a million rows takes about a second."""

from __future__ import annotations

import sqlite3
from collections import defaultdict
from collections.abc import Iterator, Mapping
from datetime import datetime
from pathlib import Path
from typing import Any, NamedTuple

from router.domain.decisions import Outcome
from router.domain.deliveries import DeliveryState
from router.domain.destination_holds import DestinationHold, find_hold_in, holds_in_force
from router.domain.documents import DocumentKind
from router.domain.retention import Retention
from router.domain.state_report import (
    SOON,
    Count,
    Cutoffs,
    DestinationCounts,
    NextForgotten,
    StateReport,
    TableSize,
    age_of_signal,
    cutoffs_for,
    due_after,
    sum_of,
)
from router.store.codec import attempt
from router.store.row_reader import time_of
from router.store.sqlite.private import FILES
from router.store.sqlite.schema import VERSION, micros
from router.store.sqlite.unchanged import opened_unchanged
from router.store.stored_names import GROUP_STATE

MOST_DUE = 100_000
"""Signals that fall due and are counted: each costs a look into its row."""

_SMALL = ("-shm", ".lock", ".commit")

MEASURED = 512 * 1024 * 1024
"""Bytes of a file up to which it is measured by table: for that each of its pages is read."""


def describe_file(path: Path, now: datetime, retention: Retention) -> StateReport | None:
    """What is in a database, without a change to it; None where it holds nothing yet.

    Raises BadFile as `opened_unchanged` does.
    """
    with opened_unchanged(path) as db:
        if not db.execute("SELECT 1 FROM sqlite_schema WHERE name='ledger'").fetchone():
            return None
        return describe_open(db, path, now, retention)


def describe_open(db: sqlite3.Connection, path: Path, now: datetime, retention: Retention) -> StateReport:
    """What is in a database that is open."""
    signals = _count(db, "ledger")
    oldest, newest = _ends(db)
    owed_since = _one(db, "SELECT min(born) FROM deliveries WHERE state IN ('owed', 'claimed')")
    return StateReport(
        at=now,
        version=VERSION,
        next_version=None,
        files=_files(path),
        tables=_tables(db, path),
        decisions=_by(db, Outcome, "SELECT outcome, count(*) FROM record GROUP BY outcome"),
        oldest=oldest,
        newest=newest,
        signals=signals,
        standing=Count(signals.number - _count(db, "ledger WHERE closed_at IS NOT NULL").number),
        held=_count(db, f"held JOIN ledger USING (key) WHERE ledger.outcome='{Outcome.SUPPRESSED}'"),
        unfinished=_count(db, "ledger WHERE intent IS NOT NULL"),
        deliveries=list(_deliveries(db)),
        owed_since=_instant(owed_since),
        quarantined=_count(db, "quarantine WHERE code<>'damaged'"),
        damaged=_count(db, "quarantine WHERE code='damaged'"),
        lost=Count(int(_one(db, "SELECT total(last-first+1) FROM losses WHERE last>=first"))),
        groups=_count(db, f"cards WHERE type='{GROUP_STATE}'"),
        hours=Count(_one(db, _HOURS)),
        rules=_count(db, "hits"),
        documents=_by(db, DocumentKind, "SELECT kind, count(*) FROM documents GROUP BY kind"),
        destination_holds=_destination_holds(db, now),
        forgotten_next=[*_old_decisions(db, now, retention), _old_signals(db, now)],
    )


_HOURS = """
WITH RECURSIVE hours(hour) AS (
    SELECT min(hour) FROM counts UNION ALL SELECT (SELECT min(c.hour) FROM counts c WHERE c.hour>hours.hour)
    FROM hours WHERE hours.hour IS NOT NULL
) SELECT count(hour) FROM hours
"""
"""Hours, each found by one look into the key, however many cells it has."""


def _destination_holds(db: sqlite3.Connection, now: datetime) -> list[DestinationHold]:
    bodies = db.execute("SELECT body FROM documents WHERE kind=?", (DocumentKind.HOLD.value,))
    found = (find_hold_in(body) for (body,) in bodies if isinstance(body, bytes))
    return holds_in_force((hold for hold in found if hold is not None), now)


def _one(db: sqlite3.Connection, sql: str, *values: object) -> Any:
    return db.execute(sql, values).fetchone()[0]


def _count(db: sqlite3.Connection, rows: str, *values: object) -> Count:
    return Count(_one(db, f"SELECT count(*) FROM {rows}", *values))


def _by[K: (Outcome, DocumentKind)](db: sqlite3.Connection, kind: type[K], sql: str) -> Mapping[K, Count]:
    """Counts by the members of an enum; a damaged row counts nowhere."""
    found = dict(db.execute(sql).fetchall())
    return {one: Count(found[one.value]) for one in kind if one.value in found}


def _instant(value: object) -> datetime | None:
    """The instant that a column holds; None where it is empty or damaged."""
    found = attempt(time_of, value, "") if isinstance(value, int) else None
    return found if isinstance(found, datetime) else None


def _files(path: Path) -> Mapping[str, Count]:
    """What the database and its log take."""
    files = [path.with_name(name) for name in FILES if not name.endswith(_SMALL)]
    sizes = {file.name: file.stat().st_size for file in files if file.exists()}
    # Whoever reads makes an empty log.
    return {name: Count(size) for name, size in sizes.items() if size or name == path.name}


def _tables(db: sqlite3.Connection, path: Path) -> list[TableSize]:
    """What each table takes, the largest first; none where SQLite cannot tell, or would have to look at too much."""
    if path.stat().st_size > MEASURED or not _one(db, "SELECT sqlite_compileoption_used('ENABLE_DBSTAT_VTAB')"):
        return []
    sql = (
        "SELECT s.tbl_name, sum(d.pgsize) AS bytes FROM dbstat d JOIN sqlite_schema s ON s.name=d.name "
        "WHERE d.aggregate=TRUE GROUP BY s.tbl_name ORDER BY bytes DESC"
    )
    return [TableSize(str(name), None, Count(size)) for name, size in db.execute(sql)]


def _ends(db: sqlite3.Connection) -> tuple[datetime | None, datetime | None]:
    """When the oldest and the newest decision were made."""
    values = [
        value
        for outcome in Outcome
        for end in ("min", "max")
        if isinstance(value := _one(db, f"SELECT {end}(decided) FROM record WHERE outcome=?", outcome.value), int)
    ]
    return _instant(min(values, default=None)), _instant(max(values, default=None))


def _deliveries(db: sqlite3.Connection) -> Iterator[DestinationCounts]:
    counts: defaultdict[tuple[str, str], dict[DeliveryState, Count]] = defaultdict(dict)
    sql = "SELECT stream, destination, state, count(*) FROM deliveries GROUP BY stream, destination, state"
    for stream, destination, state, many in db.execute(sql):
        if state in set(DeliveryState):
            counts[str(stream), str(destination)][DeliveryState(state)] = Count(many)
    for (stream, destination), states in sorted(counts.items()):
        yield DestinationCounts(stream, destination, states)


def _old_decisions(db: sqlite3.Connection, now: datetime, retention: Retention) -> Iterator[NextForgotten]:
    for outcome, age in retention.decisions.items():
        oldest = _instant(_one(db, "SELECT min(decided) FROM record WHERE outcome=?", outcome.value))
        cutoffs = cutoffs_for(age, now)
        old, soon = (
            _count(db, "record WHERE outcome=? AND decided<=?", outcome.value, micros(cutoff)).number
            for cutoff in cutoffs
        )
        next = due_after(oldest, age) if oldest is not None else None
        yield NextForgotten(outcome=outcome, age=age, next=next, overdue=Count(old), soon=Count(soon - old))


def _old_signals(db: sqlite3.Connection, now: datetime) -> NextForgotten:
    due = [
        *(_aging(db, outcome, cutoffs_for(age_of_signal(outcome), now)) for outcome in Outcome),
        _due(db, "reviewing", "review_at", "review_at IS NOT NULL", Cutoffs(now, now + SOON)),
    ]
    return NextForgotten(
        outcome=None,
        age=None,
        next=min((one.next for one in due if one.next is not None), default=None),
        overdue=sum_of(one.overdue for one in due),
        soon=sum_of(one.soon for one in due),
    )


class _Due(NamedTuple):
    """When the next of some signals falls due, how many are overdue, and how many more fall due soon."""

    next: datetime | None
    overdue: Count
    soon: Count


def _aging(db: sqlite3.Connection, outcome: Outcome, cutoffs: Cutoffs) -> _Due:
    """Signals of an outcome of which nothing came for long enough."""
    where = "outcome=? AND review_at IS NULL AND heard IS NOT NULL"
    found = _due(db, "aging", "heard", where, cutoffs, outcome.value)
    return found._replace(next=due_after(found.next, age_of_signal(outcome)) if found.next is not None else None)


def _due(db: sqlite3.Connection, index: str, column: str, where: str, cutoffs: Cutoffs, *values: object) -> _Due:
    """Signals that an index has in the order of an instant; `next` is the first such instant."""
    rows = f"FROM ledger INDEXED BY {index} WHERE {where}"
    first = _instant(_one(db, f"SELECT min({column}) {rows}", *values))
    some = f"SELECT {column} AS at {rows} AND {column}<=? ORDER BY {column} LIMIT {MOST_DUE}"
    sql = f"SELECT count(*) FILTER (WHERE at<=?), count(*) FROM ({some})"
    overdue, all = db.execute(sql, (micros(cutoffs.overdue), *values, micros(cutoffs.soon))).fetchone()
    is_whole = all < MOST_DUE
    return _Due(first, Count(overdue, is_whole or overdue < all), Count(all - overdue, is_whole))
