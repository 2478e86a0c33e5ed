"""One connection to the file, and its faults as StoreError."""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from datetime import datetime
from pathlib import Path

from router.domain.errors import BadFile, StoreError
from router.store.sqlite.damage import (
    damaged,
    find_commit,
    find_named,
    is_corrupt,
    is_malformed,
    problems_in,
    refuse_lossy,
    refuse_other_form,
)
from router.store.sqlite.private import REMEDY, make_private, open_private
from router.store.sqlite.schema import SCHEMA, VERSION
from router.store.sqlite.selecting import text_in
from router.store.sqlite.watermark import Watermark, text_of

type Clock = Callable[[], datetime]
"""Tells when a damaged row was found."""


class Connection:
    """A connection whose writes are transactions, begun at once so that two processes wait instead of failing.

    Each transaction that changes anything has a number, which the database holds and a small file beside it names.

    Attributes:
        path: the file.
        is_damaged: whether damage of the file was found since it was opened.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self.is_damaged = False
        self._watermark = Watermark(path.with_name("router.commit"))
        make_private(path.parent)
        with ExitStack() as unprepared:
            unprepared.callback(self._watermark.close)
            named = find_named(path, self._watermark)
            try:
                if not path.exists():
                    os.close(open_private(path))
                self._db = sqlite3.connect(path, isolation_level=None, timeout=30)
                self._db.text_factory = text_in
                unprepared.callback(self._db.close)
                # What is damaged is left as it is: closing it would throw its log away.
                self._db.setconfig(sqlite3.SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, True)
                self._refuse_damaged(named)
                self._db.setconfig(sqlite3.SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, False)
                self._db.execute("PRAGMA journal_mode=WAL")
                self._db.execute("PRAGMA synchronous=FULL")
                self._prepare(named)
            except sqlite3.Error as fault:
                if is_malformed(fault):
                    raise damaged(path, str(fault), self._watermark) from fault
                raise BadFile(f"{path}: cannot hold the state: {fault}; {REMEDY}") from fault
            except OSError as fault:
                raise BadFile(f"{path}: cannot hold the state: {fault.strerror}; {REMEDY}") from fault
            unprepared.pop_all()

    def _refuse_damaged(self, named: int | None) -> None:
        """Raises BadFile where the database lost what was committed to it, or is another version's."""
        refuse_other_form(self._db, self.path)
        if named is not None:
            self._db.execute("BEGIN")
            refuse_lossy(self._db, self.path, self._watermark, named)
            self._db.execute("COMMIT")

    def _prepare(self, named: int | None) -> None:
        # All at once: a database that has the table has a number in it.
        self._db.execute("BEGIN IMMEDIATE")
        for statement in SCHEMA:
            self._db.execute(statement)
        if not self._db.execute("PRAGMA user_version").fetchone()[0]:
            self._db.execute(f"PRAGMA user_version={VERSION}")
        is_counted = self._find_number() is not None
        if not is_counted:
            self._write_number((named or 0) + 1)
        self._db.execute("COMMIT")
        if named is None or not is_counted:
            # Locked, so that one process makes the file, and with a number that is committed.
            self._db.execute("BEGIN IMMEDIATE")
            number = self._find_number() or 0
            if self._watermark.open():
                self._watermark.write(number)
            else:
                self._watermark.create(number)
            self._db.execute("ROLLBACK")

    def _find_number(self) -> int | None:
        """The number of the last commit; None where the table holds none that can be read."""
        return find_commit(self._db)

    def _write_number(self, number: int) -> None:
        self._db.execute("INSERT OR REPLACE INTO commits (rowid, number) VALUES (1, ?)", (text_of(number),))

    def check(self) -> None:
        """Reads the whole file; raises BadFile where it is damaged."""
        try:
            problems = problems_in(self._db)
        except sqlite3.Error as fault:
            problems = [str(fault)]
        if problems:
            raise damaged(self.path, problems[0], self._watermark)

    @contextmanager
    def reading(self) -> Iterator[sqlite3.Connection]:
        """The connection for look-ups; raises StoreError for its faults."""
        try:
            yield self._db
        except sqlite3.Error as fault:
            if is_corrupt(fault):
                self.is_damaged = True
                raise StoreError(str(damaged(self.path, str(fault), self._watermark))) from fault
            raise StoreError(f"{self.path}: {fault}") from fault

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
            before, number = db.total_changes, None
            try:
                yield db
                if db.total_changes != before:
                    number = 1 + (self._find_number() or self._watermark.read() or 0)
                    self._write_number(number)
            except BaseException:
                if db.in_transaction:  # a full disk ends it by itself, and that is the fault to tell of
                    db.execute("ROLLBACK")
                raise
            db.execute("COMMIT")
            if number is not None:
                self._name(number)

    def _name(self, number: int) -> None:
        try:
            self._watermark.write(number)
        except OSError as fault:
            raise StoreError(f"{self._watermark.path}: cannot be written: {fault.strerror}") from fault

    @property
    def is_writing(self) -> bool:
        """Whether a transaction is under way."""
        return self._db.in_transaction

    def close(self) -> None:
        """Closes the file."""
        self._db.close()
        self._watermark.close()
