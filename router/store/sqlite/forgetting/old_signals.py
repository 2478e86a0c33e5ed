"""Signals of which nothing came for long enough, and those that are to be looked at again."""

from __future__ import annotations

import sqlite3
from collections.abc import Collection, Iterator
from datetime import datetime

from router.domain.decisions import Outcome
from router.domain.ledger import LedgerRow
from router.domain.retention import (
    BELOW_FLOOR,
    LONGEST,
    Disposition,
    Forgotten,
    Retention,
    deliveries_beyond_opening,
    review_of_signal,
)
from router.store.sqlite.forgetting.old_deliveries import entries_by_key, forget_deliveries, forget_payloads
from router.store.sqlite.forgetting.steps import STEP, THOSE, as_json
from router.store.sqlite.ledger import SqliteLedger
from router.store.sqlite.schema import micros
from router.store.stored_names import MEMBER_STATE


def forget_signals(db: sqlite3.Connection, ledger: SqliteLedger, now: datetime, retention: Retention) -> Forgotten:
    """Reviews some signals: each goes, is reduced to key and place, or is looked at again later."""
    keys = list(_old_signals(db, now))
    if not keys:
        return Forgotten()
    rows, entries, members = ledger.rows_of(keys), entries_by_key(db, keys), _members_among(db, keys)
    reduced: list[tuple[LedgerRow, datetime]] = []
    going: list[str] = []
    for key, row in rows.items():
        review = review_of_signal(row, entries.get(key, {}), is_member=key in members, retention=retention, now=now)
        if review.disposition is Disposition.FORGET:
            going.append(key)
        elif review.disposition is Disposition.REDUCE:
            reduced.append((row, review.again))
        else:
            _look_again(db, key, review.again)
    beyond = [
        entry
        for row, _ in reduced
        for destination, some in entries.get(row.key, {}).items()
        for entry in deliveries_beyond_opening(some, row, destination)
    ]
    closed = [entry for key in going for some in entries.get(key, {}).values() for entry in some]
    deliveries = forget_deliveries(db, [*beyond, *closed])
    forget_payloads(db, [*going, *(row.key for row, _ in reduced)])
    for row, again in reduced:
        _look_again(db, row.key, again)
    unmatched = as_json([*going, *(row.key for row, _ in reduced)])
    db.execute(f"DELETE FROM rule_fields WHERE key IN ({THOSE})", (unmatched,))
    for table, column in (("lookups", "signal"), ("held", "key"), ("ledger", "key")):
        db.execute(f"DELETE FROM {table} WHERE {column} IN ({THOSE})", (as_json(going),))
    return Forgotten(deliveries=deliveries, signals=len(going), reduced=len(reduced), is_done=False)


def _old_signals(db: sqlite3.Connection, now: datetime) -> Iterator[str]:
    """The keys of some signals that are old enough to be looked at."""
    left = STEP
    for outcome in Outcome:
        age = BELOW_FLOOR if outcome is Outcome.BELOW_FLOOR else LONGEST
        sql = f"SELECT key FROM ledger INDEXED BY aging WHERE outcome=? AND heard<=? AND review_at IS NULL LIMIT {left}"
        for (key,) in db.execute(sql, (outcome.value, micros(now - age))).fetchall():
            left -= 1
            yield key
    sql = f"SELECT key FROM ledger INDEXED BY reviewing WHERE review_at<=? LIMIT {left}"
    yield from (key for (key,) in db.execute(sql, (micros(now),)).fetchall())


def _look_again(db: sqlite3.Connection, key: str, at: datetime) -> None:
    db.execute("UPDATE ledger SET review_at=? WHERE key=?", (micros(at), key))


def _members_among(db: sqlite3.Connection, keys: Collection[str]) -> set[str]:
    """Those signals of which a group has the state of a member."""
    sql = f"SELECT key FROM cards WHERE type=? AND key IN ({THOSE})"
    return {key for (key,) in db.execute(sql, (MEMBER_STATE, as_json(keys)))}
