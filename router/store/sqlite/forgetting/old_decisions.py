"""Decisions that are old enough to go, the oldest first, with what was delivered for them."""

from __future__ import annotations

import sqlite3
from collections import defaultdict
from datetime import datetime

from router.domain.keys import ABOUT
from router.domain.ledger import RECORD, record_key
from router.domain.retention import Forgotten, Retention, deliveries_to_forget
from router.domain.signals import Stream
from router.store.sqlite.forgetting.old_deliveries import entries_by_key, forget_deliveries
from router.store.sqlite.forgetting.steps import STEP, THOSE, as_json
from router.store.sqlite.ledger import SqliteLedger
from router.store.sqlite.schema import ACTED_ON, micros


def forget_decisions(db: sqlite3.Connection, ledger: SqliteLedger, now: datetime, retention: Retention) -> Forgotten:
    """Takes the oldest decisions of an outcome away, each with its deliveries."""
    for outcome, age in retention.decisions.items():
        found = db.execute(
            "SELECT rowid, key, signal, turn FROM record INDEXED BY decided WHERE outcome=? AND decided<=? "
            "ORDER BY decided LIMIT ?",
            (outcome.value, micros(now - age), STEP),
        ).fetchall()
        if found:
            turns: dict[str, set[int]] = defaultdict(set)
            for _, key, signal, turn in found:
                if isinstance(signal, str) and isinstance(turn, int):
                    turns[signal].add(turn)
                for stream in Stream:
                    turns[record_key(str(key), stream)].add(1)
            deliveries = _forget_delivered(db, ledger, turns, now - retention.deliveries)
            db.execute(f"DELETE FROM record WHERE rowid IN ({THOSE})", (as_json(row[0] for row in found),))
            return Forgotten(decisions=len(found), deliveries=deliveries, is_done=False)
    return Forgotten()


def _forget_delivered(
    db: sqlite3.Connection, ledger: SqliteLedger, turns: dict[str, set[int]], settled_until: datetime
) -> int:
    """Takes away what was delivered by some turns of signals."""
    entries = entries_by_key(db, turns)
    rows = ledger.rows_of(entries)
    going = [
        entry
        for key, by_destination in entries.items()
        for destination, some in by_destination.items()
        for entry in deliveries_to_forget(some, rows.get(key), destination, turns[key], settled_until)
    ]
    return forget_deliveries(db, going)


def forget_outlived(db: sqlite3.Connection, settled_until: datetime) -> Forgotten:
    """Takes away what the record's second home was owed for decisions that went while it was a dead letter."""
    sql = (
        f"SELECT key FROM deliveries INDEXED BY acted_on WHERE {ACTED_ON} AND settled<=? AND NOT EXISTS "
        "(SELECT 1 FROM record r WHERE r.key=substr(deliveries.key, 1, length(deliveries.key)-5)) LIMIT ?"
    )
    # The key names the stream after the decision, which has four letters.
    keys = {key for (key,) in db.execute(sql, (micros(settled_until), STEP)) if isinstance(key, str)}
    going = [one for some in entries_by_key(db, keys).values() for one in some.get(RECORD, ())]
    return Forgotten(deliveries=forget_deliveries(db, going), is_done=not going)


def forget_announcements(db: sqlite3.Connection, settled_until: datetime) -> Forgotten:
    """Takes away what people were told of rules, silences and holds: no decision and no signal leads to it."""
    sql = (
        "SELECT DISTINCT key FROM deliveries INDEXED BY turns WHERE key>=? AND key<? AND state IN ('sent', 'skipped') "
        "AND settled<=? LIMIT ?"
    )
    end = f"{ABOUT[:-1]}{chr(ord(ABOUT[-1]) + 1)}"
    keys = {str(key) for (key,) in db.execute(sql, (ABOUT, end, micros(settled_until), STEP))}
    going = [
        entry
        for by_destination in entries_by_key(db, keys).values()
        for destination, some in by_destination.items()
        for entry in deliveries_to_forget(some, None, destination, {one.turn for one in some}, settled_until)
    ]
    return Forgotten(deliveries=forget_deliveries(db, going), is_done=not going)
