"""The file of a state that one machine keeps, the lock beside it, and its faults as StoreError.

Durability: write-ahead log with `synchronous=FULL`, so what a commit returned from survives a power cut.
https://www.sqlite.org/pragma.html#pragma_synchronous
"""

from __future__ import annotations

import fcntl
import os
import re
import sqlite3
from collections.abc import AsyncIterator, Coroutine, Iterable, Iterator, Sequence
from contextlib import ExitStack, asynccontextmanager, closing, contextmanager
from datetime import datetime
from functools import lru_cache
from pathlib import Path
from typing import Any
from urllib.parse import quote

import orjson

from router.domain.errors import BadFile, StateInUse, StoreError
from router.store.changes import write_restore
from router.store.permissions import REMEDY, Witness, make_private, open_private, refuse_unreadable, rename_on_disk
from router.store.store import CLOCK, Clock, ResultSet, StateSizes, Store, Transaction, storable

_MEASURED = 512 * 1024 * 1024
"""Bytes of a file up to which it is measured by table: for that each of its pages is read."""

_CACHE = 64 * 1024
"""KiB of pages that a connection keeps at most: what is near the roots of a million rows."""

_HAS_SIZES = "SELECT sqlite_compileoption_used('ENABLE_DBSTAT_VTAB')"
_SIZES = """
SELECT s.tbl_name, sum(d.pgsize) AS bytes FROM dbstat d JOIN sqlite_schema s ON s.name=d.name
WHERE d.aggregate=TRUE GROUP BY s.tbl_name ORDER BY bytes DESC
"""

_TEXTS = (
    (re.compile(r"= ANY\(\?\)"), "IN (SELECT value FROM json_each(?))"),
    (re.compile(r"<> ALL\(\?\)"), "NOT IN (SELECT value FROM json_each(?))"),
    (re.compile(r" FOR UPDATE(?: OF \w+)?(?: SKIP LOCKED)?"), ""),
)
"""What of PostgreSQL's SQL SQLite says otherwise."""

_INSTANT = r"strftime('%Y-%m-%dT%H:%M:%SZ', \1/1000000, 'unixepoch')"
_WORDS = (
    ("PLACE", "INTEGER PRIMARY KEY"),
    ("BIGINT", "INTEGER"),
    ("BYTEA", "BLOB"),
    ("--sqlite ", ""),
    (") WITHOUT ROWID", "\n) STRICT, WITHOUT ROWID"),
    ("\n);", "\n) STRICT;"),
)

_AT_WORK = b"a run is at work, or did not come to its end\n"

_CORRUPT = (sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB)

_COUNT = """
INSERT INTO meta (name, value) VALUES ('commit', '1') ON CONFLICT (name) DO UPDATE SET value=meta.value+1 RETURNING value
"""


class SqliteStore(Store):
    """A file, whose statements return at once: between two of them no other task runs. Raises sqlite3.Error."""

    is_shared = False
    _TABLES = "SELECT name FROM sqlite_schema WHERE type='table' AND name NOT LIKE 'sqlite%'"
    _DIALECT = _INSTANT, _WORDS

    def __init__(self, path: Path, db: sqlite3.Connection, clock: Clock = CLOCK) -> None:
        super().__init__(str(path.parent))
        self.path = path
        self.db, self._clock = db, clock
        # What is not UTF-8 in a text must not end the query that finds it.
        db.text_factory = lambda stored: stored.decode("utf-8", "surrogateescape")

    def now(self) -> datetime:
        """Return the time by this machine's clock."""
        return self._clock()

    @asynccontextmanager
    async def session(self) -> AsyncIterator[Transaction]:
        """Return the transaction of this task, or statements by themselves."""
        with self._faults():
            yield self._find_begun() or _SqliteTransaction(self.db, self.now())

    @asynccontextmanager
    async def _begin(self) -> AsyncIterator[Transaction]:
        with self._faults():
            # At once, so that two processes wait instead of failing.
            self.db.execute("BEGIN IMMEDIATE")
            before = self.db.total_changes
            try:
                yield _SqliteTransaction(self.db, self.now())
                self._commit(is_changed=self.db.total_changes != before)
            finally:
                if self.db.in_transaction:  # A full disk ends it by itself, and that is the fault to tell of.
                    self.db.execute("ROLLBACK")

    def _commit(self, *, is_changed: bool) -> None:
        self.db.execute("COMMIT")

    @contextmanager
    def _faults(self) -> Iterator[None]:
        yield

    async def measure(self) -> StateSizes:
        """Return what the file takes, its log, and each table. A large file is not measured by table: all of it is read."""
        paths = (self.path, self.path.with_name(f"{self.path.name}-wal"))
        files = {one.name: one.stat().st_size for one in paths if one.exists()}
        with self._faults():
            is_measured = files[self.path.name] <= _MEASURED and self.db.execute(_HAS_SIZES).fetchone()[0]
            tables = dict(self.db.execute(_SIZES).fetchall()) if is_measured else {}
        # Who reads makes an empty log.
        return StateSizes({name: size for name, size in files.items() if size or name == self.path.name}, tables)

    async def close(self) -> None:
        """Close the file."""
        self.db.close()


class _SqliteTransaction(Transaction):
    def __init__(self, db: sqlite3.Connection, now: datetime) -> None:
        super().__init__(now)
        self._db = db

    async def ask(self, sql: str, values: Sequence[object], *, is_last: bool = False) -> ResultSet:
        found = self._db.execute(_text_of(sql), _values_of(values))
        return found.description or (), found.fetchall(), found.rowcount

    async def execute_many(self, sql: str, rows: Iterable[Sequence[object]]) -> int:
        bound = [_values_of(row) for row in rows]
        return self._db.executemany(_text_of(sql), bound).rowcount if bound else 0


def _values_of(values: Iterable[object]) -> list[Any]:
    return [orjson.dumps(one).decode() if type(one := storable(value)) is list else one for value in values]


@lru_cache(1024)
def _text_of(sql: str) -> str:
    for theirs, ours in _TEXTS:
        sql = theirs.sub(ours, sql)
    return sql


class StateFile(SqliteStore):
    """The file of a directory's state, made where it is missing, which a process works on; raises BadFile.

    Each transaction that changes anything has a number, which the database holds and the witness beside it names.
    """

    def __init__(self, directory: Path, clock: Clock = CLOCK) -> None:
        path = directory / "router.db"
        self.is_damaged = False
        self._held, self._holders = ExitStack(), 0
        make_private(directory)
        with ExitStack() as unprepared, _opening(path, "hold the state"):
            self._witness = Witness(path)
            unprepared.callback(self._witness.close)
            named = self._witness.find()
            self._is_counting = named is not None
            if not path.exists():
                os.close(open_private(path))
            # All that a process asks stays prepared: of the 128 that Python keeps, one that answers people throws some away.
            db = sqlite3.connect(path, isolation_level=None, timeout=30, cached_statements=512)
            unprepared.callback(db.close)
            super().__init__(path, db, clock)
            # What is refused is left as it is: closing it would throw its log away.
            db.setconfig(sqlite3.SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, True)
            version = _refuse(SqliteStore(path, db), self._witness, named)
            db.execute("COMMIT")
            db.setconfig(sqlite3.SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, False)
            db.execute("PRAGMA journal_mode=WAL")
            db.execute("PRAGMA synchronous=FULL")
            db.execute(f"PRAGMA cache_size=-{_CACHE}")
            at_once(self.upgrade())
            if version and named is None:
                at_once(self.run(write_restore))
            self._begin_to_count(named)
            unprepared.pop_all()

    def _begin_to_count(self, named: int | None) -> None:
        """Have the database hold a number that can be read, and the witness name it, where there was none."""
        if _number_in(self.db) is None:
            mend = "UPDATE meta SET value=? WHERE name='commit'"
            at_once(self.run(lambda tx: tx.execute(mend, str(named or 0))))
        elif named is None:
            # Locked, so that one process makes the witness, and with a number that is committed.
            self.db.execute("BEGIN IMMEDIATE")
            self._witness.open()
            self._witness.write(_number_in(self.db) or 0)
            self.db.execute("ROLLBACK")
        self._is_counting = True

    def _commit(self, *, is_changed: bool) -> None:
        number = int(self.db.execute(_COUNT).fetchone()[0]) if is_changed else 0
        self.db.execute("COMMIT")
        try:
            if is_changed and self._is_counting:
                self._witness.write(number)
        except OSError as fault:
            raise StoreError(f"{self._witness.path}: cannot be written: {fault.strerror}") from fault

    @contextmanager
    def _faults(self) -> Iterator[None]:
        try:
            yield
        except sqlite3.Error as fault:
            if _code_of(fault) not in _CORRUPT:
                raise StoreError(f"{self.path}: {fault}") from fault
            self.is_damaged = True
            raise StoreError(str(self._witness.damaged(str(fault)))) from fault

    def hold(self) -> None:
        """Make this process the one that works on the state, until `close`.

        Raises StateInUse if another does. Where the last one did not come to its end the whole file is checked, and BadFile
        says what is wrong with it.
        """
        if not self._holders:
            with ExitStack() as stack:
                self._lock_file(stack)
                self._held = stack.pop_all()
        self._holders += 1

    @contextmanager
    def alone(self) -> Iterator[None]:
        """Make this process the one that works on the state as long as the context lasts; raises as `hold` does."""
        self.hold()
        try:
            yield
        finally:
            self._holders -= 1
            if not self._holders:
                self._held.close()

    def _lock_file(self, held: ExitStack) -> None:
        path = self.path.with_name("router.lock")
        try:
            lock = held.enter_context(os.fdopen(open_private(path), "r+b"))
        except OSError as fault:
            raise BadFile(f"{path}: cannot be opened: {fault.strerror}; only one run at a time may hold it") from fault
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as fault:
            raise StateInUse(f"{self.path.parent}: another run is at work on this state; wait for it to end") from fault
        if lock.read(1):
            if problem := _find_problem(self.db):
                raise self._witness.damaged(problem)
        else:
            lock.write(_AT_WORK)
            lock.flush()
            os.fsync(lock.fileno())
        # Where this run came upon damage the next one is to check the whole file.
        held.callback(lambda: lock.truncate(0) if not self.is_damaged else None)

    async def close(self) -> None:
        """Close the file, and let go of the state."""
        self.db.close()
        self._witness.close()
        self._held.close()


@contextmanager
def opened_unchanged(directory: Path) -> Iterator[SqliteStore]:
    """Open a state as it is, beside a run that is at work on it, in one transaction in which nothing can be written.

    Raises BadFile where it cannot be opened, is damaged, or of another form. One that is new holds no tables.
    """
    path = directory / "router.db"
    with _opening(path, "be read"), closing(Witness(path)) as witness:
        named = witness.find()
        log = path.with_name(f"{path.name}-wal")
        is_logged = log.exists() and log.stat().st_size > 0
        place = f"file:{quote(bytes(path))}?mode=rw"
        with closing(sqlite3.connect(place, uri=True, isolation_level=None, timeout=30)) as db:
            # To close it would put the log that a killed run left into the file. Where there is none, it removes its own.
            db.setconfig(sqlite3.SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, is_logged)
            db.execute("PRAGMA query_only=ON")
            store = SqliteStore(path, db)
            _refuse(store, witness, named)
            yield store


def back_up(directory: Path, copy: Path) -> None:
    """Copy a state to a file that is not there yet, as it was last committed, beside a run that is at work on it.

    Raises BadFile. Under its own name a copy is whole and on disk, whatever ends the process meanwhile.
    """
    unfinished = copy.with_name(f"{copy.name}.new")
    for path in (copy, unfinished):
        if os.path.lexists(path):
            raise BadFile(f"{path}: is there already, and no copy is written over; name another file")
    with opened_unchanged(directory) as store, ExitStack() as unlinked:
        try:
            os.close(open_private(unfinished, os.O_EXCL))
            unlinked.callback(unfinished.unlink, missing_ok=True)
            with closing(sqlite3.connect(unfinished)) as target:
                store.db.backup(target)
                if problem := _find_problem(target):
                    with closing(Witness(store.path)) as witness:
                        raise witness.damaged(problem)
            with unfinished.open("rb") as written:
                os.fsync(written.fileno())
            rename_on_disk(unfinished, copy)
        except (sqlite3.Error, OSError) as fault:
            why = fault.strerror if isinstance(fault, OSError) else fault
            raise BadFile(f"{copy}: the copy cannot be written: {why}; name a file where there is room") from fault


def at_once[T](asked: Coroutine[Any, Any, T]) -> T:
    """Return what is asked of a file, without an event loop: nothing there waits."""
    try:
        asked.send(None)
    except StopIteration as end:
        found: T = end.value
        return found
    raise RuntimeError("a file was waited for")


def _find_problem(db: sqlite3.Connection) -> str | None:
    """Return what a look at each page finds wrong first; a row's values are no matter of the file's."""
    try:
        found = [str(line) for (line,) in db.execute("PRAGMA quick_check")]
    except sqlite3.Error as fault:
        found = [str(fault)]
    return next((line for line in found if line != "ok" and " value in " not in line), None)


def _number_in(db: sqlite3.Connection) -> int | None:
    """The number of the last commit; 0 where there is none yet, None where it cannot be read."""
    if not db.execute("SELECT 1 FROM sqlite_schema WHERE name='meta'").fetchone():
        return 0
    (text,) = db.execute("SELECT value FROM meta WHERE name='commit'").fetchone() or ("0",)
    return int(text) if re.fullmatch(r"[0-9]{1,20}", text) else None


def _refuse(store: SqliteStore, witness: Witness, named: int | None) -> int:
    """Begin a transaction, return the tables' version; raise BadFile where commits are lost, or the form is another."""
    store.db.execute("BEGIN")
    version = at_once(store.refuse_newer())
    if named is not None:
        witness.refuse_lossy(store.db, _number_in(store.db), named)
    return version


@contextmanager
def _opening(path: Path, what: str) -> Iterator[None]:
    """A context in which a fault of the file is a BadFile."""
    try:
        yield
    except sqlite3.Error as fault:
        # When it is opened, an error in our own statements is the file's, too: a header of an unsupported format.
        if _code_of(fault) in (sqlite3.SQLITE_ERROR, *_CORRUPT):
            with closing(Witness(path)) as witness:
                raise witness.damaged(str(fault)) from fault
        refuse_unreadable(path.parent)
        raise BadFile(f"{path}: cannot {what}: {fault}; {REMEDY}") from fault
    except OSError as fault:
        refuse_unreadable(path.parent)
        raise BadFile(f"{path}: cannot {what}: {fault.strerror}; {REMEDY}") from fault
    except StoreError as fault:
        raise BadFile(str(fault)) from fault


def _code_of(fault: sqlite3.Error) -> int:
    return getattr(fault, "sqlite_errorcode", 0) & 0xFF
