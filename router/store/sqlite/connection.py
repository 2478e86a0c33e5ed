"""One connection to the file, and its faults as StoreError."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

from router.domain.errors import BadFile, StoreError
from router.store.sqlite.schema import SCHEMA, VERSION

_REMEDY = "name another directory with --state"


class Connection:
    """A connection whose writes are transactions, taken at once so that two processes wait instead of failing."""

    def __init__(self, path: Path) -> None:
        self._path = path
        try:
            _make(path.parent)
            self._db = sqlite3.connect(path, isolation_level=None, timeout=30)
            with ExitStack() as unprepared:
                unprepared.callback(self._db.close)
                self._db.execute("PRAGMA journal_mode=WAL")
                self._db.execute("PRAGMA synchronous=FULL")
                self._prepare()
                unprepared.pop_all()
        except sqlite3.Error as fault:
            raise BadFile(f"{path}: cannot hold the state: {fault}; {_REMEDY}") from fault

    def _prepare(self) -> None:
        found = int(self._db.execute("PRAGMA user_version").fetchone()[0])
        if found not in (0, VERSION):
            raise BadFile(f"{self._path}: holds state of version {found}, this program reads version {VERSION}")
        self._db.executescript(SCHEMA)
        self._db.execute(f"PRAGMA user_version={VERSION}")

    @contextmanager
    def reading(self) -> Iterator[sqlite3.Connection]:
        """The connection for look-ups; raises StoreError for its faults."""
        try:
            yield self._db
        except sqlite3.Error as fault:
            raise StoreError(f"{self._path}: {fault}") from fault

    @contextmanager
    def writing(self) -> Iterator[sqlite3.Connection]:
        """The connection inside a transaction: all of it is kept, or none; raises StoreError for its faults.

        Inside another one it is part of that, which is safe because no method of the store lets go of the event loop.
        """
        with self.reading() as db:
            if db.in_transaction:
                yield db
                return
            db.execute("BEGIN IMMEDIATE")
            try:
                yield db
            except BaseException:
                if db.in_transaction:  # a full disk ends it by itself, and that is the fault to tell of
                    db.execute("ROLLBACK")
                raise
            db.execute("COMMIT")

    @property
    def is_writing(self) -> bool:
        """Whether a transaction is under way."""
        return self._db.in_transaction

    def close(self) -> None:
        """Closes the file."""
        self._db.close()


def _make(directory: Path) -> None:
    try:
        directory.mkdir(parents=True, exist_ok=True)
    except FileExistsError as fault:
        raise BadFile(f"{directory}: is a file, so it cannot hold the state; {_REMEDY}") from fault
    except OSError as fault:
        raise BadFile(f"{directory}: cannot hold the state: {fault.strerror}; {_REMEDY}") from fault
