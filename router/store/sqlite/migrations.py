"""State of version 3, as 930b370 and b6224d0 wrote it, is carried forward to this program's version."""

from __future__ import annotations

import sqlite3

from router.store.sqlite.schema import INDEXES, TABLES, VERSION

OLDEST = 3
"""The oldest version that is carried forward: no release ever wrote one before it."""

ADDED = {
    "ledger": ("heard INTEGER", "review_at INTEGER", "snapshots TEXT"),
    "record": ("stream TEXT", "signal TEXT", "turn INTEGER", "decided INTEGER"),
    "deliveries": ("reference TEXT", "errors TEXT"),
    "cards": ("reduced INTEGER NOT NULL DEFAULT 0",),
}
"""The columns of version 4, by the table that has them at its end."""

# Nothing asks for the first two any more; the third knows columns that version 3 has not.
_GONE = "DROP INDEX IF EXISTS resolutions; DROP INDEX IF EXISTS updates; DROP INDEX IF EXISTS odd_rows;"


def give_form(db: sqlite3.Connection) -> None:
    """Gives a database of version 3 the tables, columns and indexes of this version; part of a transaction."""
    _run(db, _GONE)
    for table, columns in ADDED.items():
        there = {name for (_, name, *_) in db.execute(f"PRAGMA table_info({table})")}
        for column in columns if there else ():
            if column.partition(" ")[0] not in there:
                db.execute(f"ALTER TABLE {table} ADD COLUMN {column}")
    _run(db, TABLES)
    _run(db, INDEXES)
    db.execute(f"PRAGMA user_version={VERSION}")


def _run(db: sqlite3.Connection, script: str) -> None:
    """Runs statements in the transaction that is under way, which `executescript` would end."""
    for statement in script.split(";"):
        if statement.strip():
            db.execute(statement)
