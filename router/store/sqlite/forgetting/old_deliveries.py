"""Deliveries as retention meets them: all of some signals, and how they go."""

from __future__ import annotations

import sqlite3
from collections.abc import Collection, Sequence

from router.store.codec import attempt
from router.store.delivery_rows import ENTRY, StoredEntry, entry_of
from router.store.sqlite.forgetting.steps import THOSE, as_json
from router.store.sqlite.selecting import columns_of


def entries_by_key(db: sqlite3.Connection, keys: Collection[str]) -> dict[str, dict[str, list[StoredEntry]]]:
    """The deliveries of some signals or groups, by key and destination. What is damaged is seen to elsewhere."""
    found: dict[str, dict[str, list[StoredEntry]]] = {}
    sql = f"SELECT {', '.join(ENTRY)}, destination FROM deliveries WHERE key IN ({THOSE})"
    for row in columns_of(db.execute(sql, (as_json(keys),))):
        entry = attempt(entry_of, row)
        if isinstance(entry, StoredEntry):
            found.setdefault(row.text("key"), {}).setdefault(row.words("destination"), []).append(entry)
    return found


def forget_deliveries(db: sqlite3.Connection, entries: Sequence[StoredEntry]) -> int:
    """Takes deliveries away, and what only they told; returns how many."""
    if not entries:
        return 0
    places = as_json(entry.row_id for entry in entries)
    payloads = db.execute(
        f"SELECT DISTINCT key, turn, type FROM deliveries WHERE rowid IN ({THOSE})", (places,)
    ).fetchall()
    gone = db.execute(f"DELETE FROM deliveries WHERE rowid IN ({THOSE})", (places,)).rowcount
    db.executemany(
        "DELETE FROM payloads WHERE key=?1 AND turn=?2 AND type=?3 AND NOT EXISTS "
        "(SELECT 1 FROM deliveries d WHERE d.key=?1 AND d.turn=?2 AND d.type=?3)",
        payloads,
    )
    return gone


def forget_payloads(db: sqlite3.Connection, keys: Collection[str]) -> None:
    """Takes away whatever deliveries of some signals or groups told; none of them is owed or dead."""
    db.execute(f"DELETE FROM payloads WHERE key IN ({THOSE})", (as_json(keys),))
