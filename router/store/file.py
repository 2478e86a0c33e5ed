"""The file of a state that one machine keeps, the lock beside it, and its faults as StoreError.

Durability: write-ahead log with `synchronous=FULL`, so what a commit returned from survives a power cut.
https://www.sqlite.org/pragma.html#pragma_synchronous
"""

from __future__ import annotations

import fcntl
import os
import re
import sqlite3
from collections.abc import Coroutine, Iterator
from contextlib import ExitStack, closing, contextmanager, suppress
from pathlib import Path
from typing import IO, Any
from urllib.parse import quote

from router.domain.errors import BadFile, StateInUse, StoreError
from router.store.engine import SqliteEngine
from router.store.private import REMEDY, make_private, open_private, sync_directory
from router.store.upgrade import refuse_newer, upgrade
from router.store.witness import Witness

_AT_WORK = b"a run is at work, or did not come to its end\n"

_CORRUPT = (sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB)

_MALFORMED = (sqlite3.SQLITE_ERROR, *_CORRUPT)
"""When it is opened, an error in our own statements is the file's, too: a header of an unsupported format."""

_COUNT = """
INSERT INTO meta (name, value) VALUES ('commit', '1') ON CONFLICT (name) DO UPDATE SET value=meta.value+1 RETURNING value
"""


class StateFile:
    """A database whose writes are transactions, begun at once so that two processes wait instead of failing.

    Each transaction that changes anything has a number, which the database holds and the witness beside it names.

    Attributes:
        path: the file.
        is_damaged: whether damage of the file was found since it was opened.
    """

    def __init__(self, directory: Path) -> None:
        self.path = directory / "router.db"
        self.is_damaged = False
        self._is_counting = False
        self._held = ExitStack()
        make_private(directory)
        with ExitStack() as unprepared, _opening(self.path, "hold the state"):
            self._witness = Witness(self.path)
            unprepared.callback(self._witness.close)
            named = self._witness.find()
            self._is_counting = named is not None
            if not self.path.exists():
                os.close(open_private(self.path))
            self._db = sqlite3.connect(self.path, isolation_level=None, timeout=30)
            unprepared.callback(self._db.close)
            # What is refused is left as it is: closing it would throw its log away.
            self._db.setconfig(sqlite3.SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, True)
            self._db.text_factory = _text_in
            _refuse(self._db, UnchangedFile(self.path, self._db), self._witness, named)
            self._db.setconfig(sqlite3.SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, False)
            self._db.execute("PRAGMA journal_mode=WAL")
            self._db.execute("PRAGMA synchronous=FULL")
            at_once(upgrade(SqliteEngine(self)))
            self._begin_to_count(named)
            unprepared.pop_all()

    def _begin_to_count(self, named: int | None) -> None:
        """Has the database hold a number that can be read, and the witness name it, where there was none."""
        if _number_in(self._db) is None:
            with self.writing() as db:
                db.execute("UPDATE meta SET value=? WHERE name='commit'", (str(named or 0),))
        elif named is None:
            # Locked, so that one process makes the witness, and with a number that is committed.
            self._db.execute("BEGIN IMMEDIATE")
            self._witness.open()
            self._witness.write(_number_in(self._db) or 0)
            self._db.execute("ROLLBACK")
        self._is_counting = True

    @contextmanager
    def reading(self) -> Iterator[sqlite3.Connection]:
        """The connection for look-ups; raises StoreError for its faults."""
        try:
            yield self._db
        except sqlite3.Error as fault:
            if _code_of(fault) in _CORRUPT:
                self.is_damaged = True
                raise StoreError(str(self._witness.damaged(str(fault)))) from fault
            raise StoreError(f"{self.path}: {fault}") from fault

    @contextmanager
    def writing(self) -> Iterator[sqlite3.Connection]:
        """The connection inside a transaction: all of it is kept, or none; raises StoreError for its faults."""
        with self.reading() as db:
            if db.in_transaction:
                yield db
                return
            db.execute("BEGIN IMMEDIATE")
            before, number = db.total_changes, None
            try:
                yield db
                if db.total_changes != before:
                    (text,) = db.execute(_COUNT).fetchone()
                    number = int(text)
            except BaseException:
                if db.in_transaction:  # a full disk ends it by itself, and that is the fault to tell of
                    db.execute("ROLLBACK")
                raise
            db.execute("COMMIT")
            if number is not None and self._is_counting:
                self._name(number)

    def _name(self, number: int) -> None:
        try:
            self._witness.write(number)
        except OSError as fault:
            raise StoreError(f"{self._witness.path}: cannot be written: {fault.strerror}") from fault

    def hold(self) -> None:
        """Makes this process the one that works on the state, until `close`.

        Raises StateInUse if another does. Where the last one did not come to its end the whole file is checked, and BadFile
        says what is wrong with it.
        """
        path = self.path.with_name("router.lock")
        try:
            lock = self._held.enter_context(os.fdopen(open_private(path), "r+b"))
        except OSError as fault:
            raise BadFile(f"{path}: cannot be opened: {fault.strerror}; only one run at a time may hold it") from fault
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as fault:
            raise StateInUse(f"{self.path.parent}: another run is at work on this state; wait for it to end") from fault
        if lock.read(1):
            self._check()
        else:
            lock.write(_AT_WORK)
            lock.flush()
            os.fsync(lock.fileno())
        self._held.callback(self._note_the_end, lock)

    def _note_the_end(self, lock: IO[bytes]) -> None:
        """Takes the note away that a run is at work; where it came upon damage the next one is to check the whole file."""
        if not self.is_damaged:
            lock.truncate(0)

    def _check(self) -> None:
        """Reads the whole file; raises BadFile where it is damaged. A row's values are no matter of the file's."""
        try:
            found = [str(line) for (line,) in self._db.execute("PRAGMA quick_check")]
        except sqlite3.Error as fault:
            found = [str(fault)]
        if problems := [line for line in found if line != "ok" and " value in " not in line]:
            raise self._witness.damaged(problems[0])

    def close(self) -> None:
        """Closes the file, and lets go of the state."""
        self._db.close()
        self._witness.close()
        self._held.close()


class UnchangedFile:
    """A database that is read in one transaction.

    Attributes:
        path: its file.
    """

    def __init__(self, path: Path, db: sqlite3.Connection) -> None:
        self.path = path
        self._db = db

    @contextmanager
    def reading(self) -> Iterator[sqlite3.Connection]:
        """The connection for look-ups."""
        yield self._db

    writing = reading
    """The same: the database refuses what would change it."""

    def close(self) -> None:
        """Does nothing: who opened it closes it."""


@contextmanager
def opened_unchanged(directory: Path) -> Iterator[UnchangedFile]:
    """A state as it is, beside a run that is at work on it, in one transaction in which nothing can be written.

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
            db.text_factory = _text_in
            db.execute("PRAGMA query_only=ON")
            file = UnchangedFile(path, db)
            db.execute("BEGIN")
            _refuse(db, file, witness, named)
            yield file


def back_up(directory: Path, copy: Path) -> None:
    """Copies a state to a file that is not there yet, as it was last committed, beside a run that is at work on it.

    Raises BadFile. Under its own name a copy is whole and on disk, whatever ends the process meanwhile.
    """
    unfinished = copy.with_name(f"{copy.name}.new")
    for path in (copy, unfinished):
        if os.path.lexists(path):
            raise BadFile(f"{path}: is there already, and no copy is written over; name another file")
    with opened_unchanged(directory) as file, file.reading() as db:
        try:
            os.close(open_private(unfinished, os.O_EXCL))
            with _unlinked_unless_renamed(unfinished):
                with closing(sqlite3.connect(unfinished)) as target:
                    db.backup(target)
                with unfinished.open("rb") as written:
                    os.fsync(written.fileno())
                unfinished.rename(copy)
            sync_directory(copy.parent)
        except (sqlite3.Error, OSError) as fault:
            why = fault.strerror if isinstance(fault, OSError) else fault
            raise BadFile(f"{copy}: the copy cannot be written: {why}; name a file where there is room") from fault


@contextmanager
def _unlinked_unless_renamed(path: Path) -> Iterator[None]:
    try:
        yield
    finally:
        with suppress(OSError):
            path.unlink(missing_ok=True)


def at_once[T](asked: Coroutine[Any, Any, T]) -> T:
    """What is asked of a file, without an event loop: nothing there waits."""
    try:
        asked.send(None)
    except StopIteration as end:
        found: T = end.value
        return found
    raise RuntimeError("a file was waited for")


def _text_in(stored: bytes) -> str:
    """A text as it is stored: what is not UTF-8 in it must not end the query that finds it."""
    return stored.decode("utf-8", "surrogateescape")


def _number_in(db: sqlite3.Connection) -> int | None:
    """The number of the last commit; 0 where there is none yet, None where it cannot be read."""
    if not db.execute("SELECT 1 FROM sqlite_schema WHERE name='meta'").fetchone():
        return 0
    (text,) = db.execute("SELECT value FROM meta WHERE name='commit'").fetchone() or ("0",)
    return int(text) if re.fullmatch(r"[0-9]{1,20}", text) else None


def _refuse(db: sqlite3.Connection, file: UnchangedFile, witness: Witness, named: int | None) -> None:
    """Raises BadFile where a database lost what was committed to it, or has another form."""
    at_once(refuse_newer(SqliteEngine(file)))
    if named is not None:
        if is_alone := not db.in_transaction:
            db.execute("BEGIN")
        witness.refuse_lossy(db, _number_in(db), named)
        if is_alone:
            db.execute("COMMIT")


@contextmanager
def _opening(path: Path, what: str) -> Iterator[None]:
    """A context in which a fault of the file is a BadFile."""
    try:
        yield
    except sqlite3.Error as fault:
        if _code_of(fault) in _MALFORMED:
            with closing(Witness(path)) as witness:
                raise witness.damaged(str(fault)) from fault
        raise BadFile(f"{path}: cannot {what}: {fault}; {REMEDY}") from fault
    except OSError as fault:
        raise BadFile(f"{path}: cannot {what}: {fault.strerror}; {REMEDY}") from fault
    except StoreError as fault:
        raise BadFile(str(fault)) from fault


def _code_of(fault: sqlite3.Error) -> int:
    return getattr(fault, "sqlite_errorcode", 0) & 0xFF
