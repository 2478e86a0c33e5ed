"""State of version 3, as 930b370 and b6224d0 wrote it, is carried forward to this program's version.

A copy is made first, and everything else is one transaction. Whoever dies on the way leaves a state of version 3, which the
next one carries forward, or one of this version.

A new version of the form raises `VERSION`, adds what it adds to `ADDED`, and fills that from what is stored.
"""

from __future__ import annotations

import fcntl
import os
import sqlite3
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from datetime import datetime
from pathlib import Path

from router.domain.errors import BadFile, StateInUse
from router.store.sqlite.damage import is_malformed
from router.store.sqlite.private import open_private
from router.store.sqlite.schema import INDEXES, TABLES, VERSION
from router.store.sqlite.state_copy import StateCopy
from router.store.sqlite.version_3_rows import fill

OLDEST = 3
"""The oldest version that is carried forward: no release ever wrote one before it."""

ADDED = {
    "ledger": ("heard INTEGER", "review_at INTEGER", "snapshots TEXT"),
    "record": ("stream TEXT", "signal TEXT", "turn INTEGER", "decided INTEGER"),
    "deliveries": ("reference TEXT", "errors TEXT"),
    "cards": ("reduced INTEGER NOT NULL DEFAULT 0",),
    "held": ("hold TEXT",),
}
"""The columns that version 4 added, by table. A table that is missing is made whole."""

ADDED_LATER = {"held": ADDED["held"], "lookups": ("type TEXT", "sample INTEGER")}
"""Those that a state of version 4 may lack. A program that does not know them writes rows without them."""

_CHANGED = ("resolutions", "updates", "odd_rows")
"""Indexes that are gone, or that know a column more."""


def refuse_other_version(database: Path, version: int) -> None:
    """Raises BadFile where a state is of a version that this program neither writes nor carries forward."""
    if version == 0 or OLDEST <= version <= VERSION:
        return
    found = f"{database}: holds state of version {version}"
    if version < OLDEST:
        raise BadFile(
            f"{found}, which no release wrote; this program reads versions {OLDEST} to {VERSION}: "
            "name another directory with --state"
        )
    copies = [StateCopy(database, older).path for older in range(VERSION, OLDEST - 1, -1)]
    copy = next((f", or go back to the copy {path}" for path in copies if path.exists()), "")
    raise BadFile(f"{found}, this program reads versions {OLDEST} to {VERSION}; use the program that wrote it{copy}")


def needs_migration(db: sqlite3.Connection, database: Path) -> bool:
    """Whether a state is of an older version, or was carried forward by a process that died before it was through."""
    return _is_behind(db) or any(copy.unfinished.exists() for copy in _copies(database))


def migrate(
    db: sqlite3.Connection, database: Path, now: datetime, check: Callable[[], None], commit: Callable[[], None]
) -> Path | None:
    """Carries a state forward, unless another process did meanwhile, which is waited for; returns where the copy is.

    `check` raises BadFile where the whole file is damaged; `commit` ends the transaction. Raises StateInUse where a run is at
    work on the state, and BadFile where the copy or the transaction has no room. Then nothing is changed.
    """
    with _one_at_a_time(database.parent):
        if is_behind := _is_behind(db):
            with _held(database.parent) as was_unclean:
                if was_unclean:
                    check()
                _migrate_once_copied(db, database, now, commit)
        for copy in _copies(database):
            copy.finish()
    return StateCopy(database, OLDEST).path if is_behind else None


def _migrate_once_copied(db: sqlite3.Connection, database: Path, now: datetime, commit: Callable[[], None]) -> None:
    # From here on nobody else writes, so the copy is what is carried forward.
    db.execute("BEGIN IMMEDIATE")
    copy = StateCopy(database, OLDEST)
    try:
        if not _has_form(db):
            copy.make()
        _change_form(db, now)
        commit()
    except BaseException as fault:
        if db.in_transaction:  # a full disk ends it by itself
            db.execute("ROLLBACK")
        if not _is_behind(db):
            raise
        copy.discard()
        if not isinstance(fault, sqlite3.Error) or is_malformed(fault):
            raise
        raise BadFile(
            f"{database}: cannot be carried forward to version {VERSION}: {fault}; nothing is changed; "
            "make room for three times what it takes"
        ) from fault
    # The log is as large as the state by now. Where that cannot go into the file yet, it stays, and is as good.
    with suppress(sqlite3.OperationalError):
        db.execute("PRAGMA wal_checkpoint(TRUNCATE)")


def _is_behind(db: sqlite3.Connection) -> bool:
    """Whether a state is of an older version. One of no version is new, or 930b370 died while it made its tables."""
    version = int(db.execute("PRAGMA user_version").fetchone()[0])
    return version < VERSION and (version > 0 or bool(_columns_of(db, "ledger")))


def _has_form(db: sqlite3.Connection) -> bool:
    """Whether a state has the form of version 4, whichever version it says.

    930b370 looks at the version first and sets it to its own later, so that it may do that to a state that was carried forward
    in between.
    """
    return "decided" in _columns_of(db, "record")


def _copies(database: Path) -> list[StateCopy]:
    return [StateCopy(database, version) for version in range(OLDEST, VERSION)]


def _change_form(db: sqlite3.Connection, now: datetime) -> None:
    for index in _CHANGED:
        db.execute(f"DROP INDEX IF EXISTS {index}")
    add_columns(db, ADDED)
    _run(db, TABLES)
    fill(db, now)
    # An index that is made of all rows at once is made faster than one that grows.
    _run(db, INDEXES)
    db.execute(f"PRAGMA user_version={VERSION}")


def add_columns(db: sqlite3.Connection, added: Mapping[str, Sequence[str]]) -> None:
    """Adds those columns to tables that are there, by table, that they lack."""
    for table, columns in added.items():
        there = _columns_of(db, table)
        for column in columns if there else ():
            if column.partition(" ")[0] not in there:
                db.execute(f"ALTER TABLE {table} ADD COLUMN {column}")


def _run(db: sqlite3.Connection, script: str) -> None:
    """Runs statements in the transaction that is under way, which `executescript` would end."""
    for statement in script.split(";"):
        if statement.strip():
            db.execute(statement)


def _columns_of(db: sqlite3.Connection, table: str) -> set[str]:
    """The columns of a table; none where there is no such table."""
    return {name for (_, name, *_) in db.execute(f"PRAGMA table_info({table})")}


@contextmanager
def _one_at_a_time(directory: Path) -> Iterator[None]:
    """Waits for whoever carries the state of a directory forward just now, however long that takes."""
    file = os.open(directory, os.O_RDONLY)
    try:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield
    finally:
        os.close(file)


@contextmanager
def _held(directory: Path) -> Iterator[bool]:
    """Keeps runs from the state, those of older programs, too; whether the last one did not come to its end."""
    with os.fdopen(open_private(directory / "router.lock"), "r+b") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as fault:
            raise StateInUse(
                f"{directory}: a run of an older program is at work on this state; wait for it to end: then the state is "
                f"carried forward to version {VERSION}"
            ) from fault
        yield bool(lock.read(1))
