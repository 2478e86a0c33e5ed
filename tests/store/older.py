"""States as older programs left them: of version 3, made of one of today's, and whatever lies in a state's tables."""

from __future__ import annotations

import sqlite3
from collections.abc import Mapping, Sequence
from contextlib import closing
from pathlib import Path

from router.store.sqlite.migrations import ADDED

DB = "router.db"

_NEW_TABLES = ("rule_fields", "lookups", "counts", "hits", "documents")
_NEW_INDEXES = (
    "aging",
    "reviewing",
    "odd_rows",
    "holding",
    "referred",
    "acted_on",
    "decisions",
    "decided",
    "aging_cards",
)
_OLD_INDEX = "CREATE INDEX odd_rows ON ledger (stream) WHERE NOT (typeof(key)='text' AND stream IN ('cwpp', 'cspm'))"
_NOT_YET = ("commits", "reached", "births")
"""Tables that 930b370 did not know."""


def make_version_3(database: Path, *, of_930b370: bool = False) -> None:
    """Takes everything from a closed state that version 3 did not have; of one of 930b370 what that did not have either."""
    with closing(sqlite3.connect(database, isolation_level=None)) as db:
        for index in _NEW_INDEXES:
            db.execute(f"DROP INDEX {index}")
        for table in (*_NEW_TABLES, *(_NOT_YET if of_930b370 else ())):
            db.execute(f"DROP TABLE {table}")
        for table, columns in ADDED.items():
            for column in columns:
                db.execute(f"ALTER TABLE {table} DROP COLUMN {column.partition(' ')[0]}")
        if not of_930b370:
            db.execute(_OLD_INDEX)
        db.execute("PRAGMA user_version=3")
        db.execute("VACUUM")
    if of_930b370:
        database.with_name("router.commit").unlink()


def version_of(database: Path) -> int:
    """The version that a state says."""
    with closing(sqlite3.connect(database)) as db:
        return int(db.execute("PRAGMA user_version").fetchone()[0])


def form_of(database: Path) -> object:
    """Tables with their columns, and indexes with what they say: all that makes the form of a state."""
    with closing(sqlite3.connect(database)) as db:
        names = [name for (name,) in db.execute("SELECT name FROM sqlite_schema WHERE type='table'")]
        tables = {name: db.execute(f"PRAGMA table_info({name})").fetchall() for name in names}
        indexes = db.execute(
            "SELECT name, tbl_name, sql FROM sqlite_schema WHERE type='index' ORDER BY name"
        ).fetchall()
    return tables, indexes


def rows_in(database: Path, without: Sequence[str] = ("commits",)) -> Mapping[str, list[tuple[object, ...]]]:
    """All that lies in the tables of a state, as it is stored."""
    with closing(sqlite3.connect(database)) as db:
        db.text_factory = bytes
        names = [name.decode() for (name,) in db.execute("SELECT name FROM sqlite_schema WHERE type='table'")]
        return {
            name: sorted(db.execute(f"SELECT * FROM {name}").fetchall(), key=repr)  # noqa: S608
            for name in names
            if name not in without
        }
