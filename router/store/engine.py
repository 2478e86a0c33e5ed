"""The two engines that keep the state: one SQL text, and everything in which SQLite and PostgreSQL differ.

SQL is PostgreSQL's, with `?` for a parameter and `= ANY(?)` or `<> ALL(?)` for a list of texts or numbers. What differs:

parameters  `%s` in PostgreSQL                          lists    `json_each` in SQLite
types       SQLite's tables are STRICT and know BLOB    places   a column of type PLACE numbers the rows of a table
indexes     `INDEXED BY` is SQLite's alone              locks    `BEGIN IMMEDIATE` in SQLite, rows in PostgreSQL
views       INSTANT(x) writes an instant as a text

Instants are whole microseconds since 1970. Texts are ordered by their bytes in both.
"""

from __future__ import annotations

import asyncio
import os
import random
import re
import socket
import sqlite3
import time
from abc import ABC, abstractmethod
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager, AsyncExitStack, asynccontextmanager, suppress
from contextvars import ContextVar
from datetime import UTC, datetime, timedelta
from functools import lru_cache, partial
from hashlib import sha256
from typing import TYPE_CHECKING, Any, NamedTuple, Protocol

import orjson

from router.domain import legible
from router.domain.errors import StoreError, Unstorable
from router.store.bulk import find_bulk_statement
from router.store.codec import Columns, instant

if TYPE_CHECKING:
    import psycopg

    from router.store.file import StateFile, UnchangedFile

_MOST = 2**63 - 1
_LEAST = -(2**63)

_STATES = {"25006": "is read-only", "53100": "has no room left on its disk"}
"""What a server refuses every write for, where its own words are others for each statement and each file.

https://www.postgresql.org/docs/current/errcodes-appendix.html
"""

_IDLE = 60.0
"""Seconds after which a connection that nothing asked for is closed: a small server has few."""

_MEASURED = 512 * 1024 * 1024
"""Bytes of a file up to which it is measured by table: for that each of its pages is read."""

_HAS_SIZES = "SELECT sqlite_compileoption_used('ENABLE_DBSTAT_VTAB')"
_SQLITE_TABLES = "SELECT name FROM sqlite_schema WHERE type='table' AND name NOT LIKE 'sqlite%'"
_SQLITE_SIZES = """
SELECT s.tbl_name, sum(d.pgsize) AS bytes FROM dbstat d JOIN sqlite_schema s ON s.name=d.name
WHERE d.aggregate=TRUE GROUP BY s.tbl_name ORDER BY bytes DESC
"""
_OURS = "relkind='r' AND relnamespace = to_regnamespace(current_schema())"
_POSTGRESQL_TABLES = f"SELECT relname AS name FROM pg_class WHERE {_OURS}"
_POSTGRESQL_SIZES = f"""
SELECT relname AS name, pg_total_relation_size(oid) AS bytes FROM pg_class WHERE {_OURS} ORDER BY bytes DESC
"""

_PATIENCE = 120.0
"""Seconds; a lock is waited for 30 of them, which the server sees to."""

_BROKEN_OFF = ("40001", "40P01", "23505")
"""A serialization failure, a deadlock, and a row that another transaction made first.

https://www.postgresql.org/docs/current/mvcc-serialization-failure-handling.html
"""

_TRIES = 8
"""How often a transaction that is broken off is tried; after the first within 10 ms, then 20, 40 and so on."""

_WAIT = "SELECT pg_advisory_xact_lock(number) FROM unnest(CAST(? AS BIGINT[])) AS number"
"""Takes locks in that order: whoever takes some of the same waits, and none waits in a circle."""

_TIME = "SELECT (extract(epoch FROM clock_timestamp()) * 1000000)::bigint"
_SAME = timedelta(seconds=1)
"""Up to this, two clocks tell the same time."""

type Clock = Callable[[], datetime]

_CLOCK = partial(datetime.now, UTC)


type ResultSet = tuple[Sequence[Any], Sequence[Sequence[Any]], int]
"""What tells of each column, its name first; the rows; and how many rows were written."""


class Transaction(ABC):
    """Asks and writes in SQL; raises StoreError, and Unstorable for values that the engine refuses.

    Attributes:
        now: the time when it began, by the state's clock.
        is_open: whether it was begun, and has not ended; statements by themselves never are.
    """

    def __init__(self, now: datetime) -> None:
        self.now = now
        self.is_open = False

    async def fetch(self, sql: str, *values: object) -> list[Columns]:
        """Return the rows that a query finds."""
        return _rows_of(await self.ask(sql, values))

    async def fetch_last(self, sql: str, *values: object) -> list[Columns]:
        """Return the rows that a query finds, and end the transaction in the same round trip: all of it is kept.

        What is asked after it stands by itself. It is for the outermost transaction alone.
        """
        return _rows_of(await self.ask(sql, values, is_last=True))

    async def find(self, sql: str, *values: object) -> Columns | None:
        """Return the first row that a query finds; None where it finds none."""
        columns, rows, _ = await self.ask(sql, values)
        return Columns({about[0]: one for about, one in zip(columns, rows[0], strict=True)}) if rows else None

    async def value(self, sql: str, *values: object) -> Any:
        """Return the first column of the first row; None where there is no row."""
        _, rows, _ = await self.ask(sql, values)
        return rows[0][0] if rows else None

    async def execute(self, sql: str, *values: object) -> int:
        """Run a statement and return how many rows it wrote."""
        _, _, written = await self.ask(sql, values)
        return written

    @abstractmethod
    async def ask(self, sql: str, values: Sequence[object], *, is_last: bool = False) -> ResultSet:
        """Run a statement and return what the database answers; `is_last` is as in `fetch_last`."""

    async def write(self, sql: str, *values: object) -> None:
        """Run a statement and wait for nothing: a fault of it is raised by a later call, or where the transaction ends."""
        await self.ask(sql, values)

    async def wait_for(self, *names: str) -> bool:
        """Take the locks of names until the transaction ends; return whether another may have written until now.

        A file has one writer at a time, so there is nothing to wait for.
        """
        return False

    @abstractmethod
    async def execute_many(self, sql: str, rows: Iterable[Sequence[object]]) -> int:
        """Run a statement once for each row, in one round trip, and return how many rows all of them wrote."""

    async def write_many(self, sql: str, rows: Iterable[Sequence[object]]) -> None:
        """Run a statement once for each row, and wait for nothing, as `write` does."""
        await self.execute_many(sql, rows)


def _rows_of(found: ResultSet) -> list[Columns]:
    columns, rows, _ = found
    names = [one[0] for one in columns]
    return [Columns(dict(zip(names, row, strict=True))) for row in rows]


def _begun[T: Transaction](current: ContextVar[T | None]) -> T | None:
    """The transaction that this task is in."""
    one = current.get()
    return one if one is not None and one.is_open else None


class StateSizes(NamedTuple):
    """What a state takes, in bytes.

    Attributes:
        files: what each of its files takes, or the database.
        tables: what each table takes with its indexes, the largest first; None where that is not known.
    """

    files: Mapping[str, int]
    tables: Mapping[str, int | None]


class Engine(Protocol):
    """A database that holds the state.

    Attributes:
        name: the directory, or the server and the database, in words; no secret.
    """

    name: str

    def now(self) -> datetime:
        """Return the time by the state's clock, which is the same for all who work on it."""

    async def run[T](self, work: Callable[[Transaction], Awaitable[T]]) -> T:
        """Run work in a transaction, and return what it returned once that is committed.

        PostgreSQL may break a transaction off because of another one. Then nothing of it is kept, and after a moment `work` is
        called again with a new transaction. So `work` must be repeatable: it changes nothing but by its transaction. Inside a
        transaction of the same task it is part of that one, and is called once. Raises StoreError where the last of eight
        tries is broken off too, and what `work` raises.
        """

    def transaction(self) -> AbstractAsyncContextManager[Transaction]:
        """Begin a transaction: all of it is kept, or none. Inside another one of the same task it is part of that."""

    def session(self) -> AbstractAsyncContextManager[Transaction]:
        """Return the transaction that this task is in; outside one each statement stands by itself."""

    async def make(self, schema: str) -> None:
        """Run the statements of a schema, as this engine writes them, inside the transaction that this task is in."""

    async def table_names(self) -> set[str]:
        """Return the names of all tables."""

    async def measure(self) -> StateSizes:
        """Return what the state takes; no table where there is none yet."""

    async def close(self) -> None:
        """Let go of the database."""


def storable(value: Any) -> Any:
    """A value as both engines can hold it.

    PostgreSQL holds no NUL in a text, neither engine a lone surrogate or a number beyond 64 bits.
    """
    kind = type(value)
    if kind is str:
        return legible.storable(value)
    if kind is int:
        return value if _LEAST <= value <= _MOST else max(_LEAST, min(value, _MOST))
    if value is None or kind is bytes:
        return value
    if isinstance(value, str):
        return legible.storable(str(value))
    if isinstance(value, int):
        return int(value)
    if isinstance(value, list | tuple | set | frozenset):
        return [storable(one) for one in value]
    raise TypeError(f"{kind.__name__} is no value of a column")


_LIST = re.compile(r"= ANY\(\?\)")
_NO_LIST = re.compile(r"<> ALL\(\?\)")
_INDEXED_BY = re.compile(r" INDEXED BY \w+")
_ROW_LOCK = re.compile(r" FOR UPDATE(?: OF \w+)?(?: SKIP LOCKED)?")


class SqliteEngine:
    """One file, whose statements return at once: between two of them no other task runs."""

    def __init__(self, file: StateFile | UnchangedFile, clock: Clock = _CLOCK) -> None:
        self.name = str(file.path.parent)
        self.now = clock
        self._file = file
        self._lock = asyncio.Lock()
        self._current: ContextVar[_SqliteTransaction | None] = ContextVar("sqlite transaction", default=None)

    @asynccontextmanager
    async def transaction(self) -> AsyncIterator[Transaction]:
        """Begin a transaction."""
        if (begun := _begun(self._current)) is not None:
            yield begun
            return
        async with self._lock:
            with self._file.writing() as db:
                begun = _SqliteTransaction(db, self.now())
                token = self._current.set(begun)
                try:
                    yield begun
                finally:
                    begun.is_open = False
                    self._current.reset(token)

    @asynccontextmanager
    async def session(self) -> AsyncIterator[Transaction]:
        """Return the transaction of this task, or statements by themselves."""
        with self._file.reading() as db:
            begun = _begun(self._current)
            yield begun or _SqliteTransaction(db, self.now())

    async def run[T](self, work: Callable[[Transaction], Awaitable[T]]) -> T:
        """Run work in a transaction, once: a file has one writer at a time."""
        async with self.transaction() as tx:
            return await work(tx)

    async def make(self, schema: str) -> None:
        """Run the statements of a schema."""
        with self._file.reading() as db:
            for statement in sqlite_schema(schema):
                db.execute(statement)

    async def table_names(self) -> set[str]:
        """Return the names of all tables."""
        with self._file.reading() as db:
            return {name for (name,) in db.execute(_SQLITE_TABLES)}

    async def measure(self) -> StateSizes:
        """Return what the file takes, its log, and each table. A large file is not measured by table: all of it is read."""
        path = self._file.path
        files = {one.name: one.stat().st_size for one in (path, path.with_name(f"{path.name}-wal")) if one.exists()}
        with self._file.reading() as db:
            tables: dict[str, int | None] = dict.fromkeys(name for (name,) in db.execute(_SQLITE_TABLES))
            if files[path.name] <= _MEASURED and db.execute(_HAS_SIZES).fetchone()[0]:
                tables = dict(db.execute(_SQLITE_SIZES).fetchall())
        # Who reads makes an empty log.
        return StateSizes({name: size for name, size in files.items() if size or name == path.name}, tables)

    async def close(self) -> None:
        """Close the file."""
        self._file.close()


class _SqliteTransaction(Transaction):
    def __init__(self, db: sqlite3.Connection, now: datetime) -> None:
        super().__init__(now)
        self._db = db
        self.is_open = True

    async def ask(self, sql: str, values: Sequence[object], *, is_last: bool = False) -> ResultSet:
        found = self._db.execute(_sqlite_text(sql), _sqlite_values(values))
        return found.description or (), found.fetchall(), found.rowcount

    async def execute_many(self, sql: str, rows: Iterable[Sequence[object]]) -> int:
        bound = [_sqlite_values(row) for row in rows]
        return self._db.executemany(_sqlite_text(sql), bound).rowcount if bound else 0


def _sqlite_values(values: Iterable[object]) -> list[Any]:
    return [orjson.dumps(one).decode() if type(one := storable(value)) is list else one for value in values]


@lru_cache(1024)
def _sqlite_text(sql: str) -> str:
    listed = _LIST.sub("IN (SELECT value FROM json_each(?))", sql)
    return _ROW_LOCK.sub("", _NO_LIST.sub("NOT IN (SELECT value FROM json_each(?))", listed))


_INSTANT = re.compile(r"\bINSTANT\(([\w.]+)\)")
_POSTGRESQL_INSTANT = (
    r"CASE WHEN \1 BETWEEN 0 AND 253402300799999999 THEN "
    r"""to_char(to_timestamp(\1/1000000) AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS"Z"') END"""
)
"""A time of this era: PostgreSQL would refuse to show rows beside one that a wrong clock wrote."""


def sqlite_schema(schema: str) -> list[str]:
    """The statements of a schema as SQLite takes them: tables STRICT, bodies BLOB, places their rows' numbers."""
    text = _INSTANT.sub(r"strftime('%Y-%m-%dT%H:%M:%SZ', \1/1000000, 'unixepoch')", schema)
    text = re.sub(r"^--.*\n", "", text, flags=re.MULTILINE)
    for ours, theirs in (
        ("PLACE", "INTEGER PRIMARY KEY"),
        ("BIGINT", "INTEGER"),
        ("BYTEA", "BLOB"),
        (") WITHOUT ROWID", "\n) STRICT, WITHOUT ROWID"),
        ("\n);", "\n) STRICT;"),
    ):
        text = text.replace(ours, theirs)
    return [statement for part in text.split(";") if (statement := part.strip())]


class PostgresqlEngine:
    """A server, reached by one connection, which is opened when it is needed and closed when nothing asked for a while.

    Args:
        connect: opens a connection in autocommit mode; raises StoreError.
        name: the server and the database in words, for errors; no secret.
        patience: seconds after which a transaction, or a statement by itself, is cut off from a server that does not end it.
        clock: tells the time.
        machine: the clock of this machine. By as much as the server's is ahead of it, the state's is ahead of `clock`.
    """

    def __init__(
        self,
        connect: Callable[[], Awaitable[psycopg.AsyncConnection[Any]]],
        name: str,
        patience: float = _PATIENCE,
        clock: Clock = _CLOCK,
        machine: Clock = _CLOCK,
    ) -> None:
        self._connect = connect
        self.name = name
        self._patience = patience
        self._clock, self._machine = clock, machine
        self._ahead = timedelta()
        self._connection: psycopg.AsyncConnection[Any] | None = None
        self._zero = self._find_zero()
        self._compared: psycopg.AsyncConnection[Any] | None = None
        self._lock = asyncio.Lock()
        self._current: ContextVar[_PostgresqlTransaction | None] = ContextVar("postgresql transaction", default=None)
        self._end: asyncio.TimerHandle | None = None

    def now(self) -> datetime:
        """Return the time by the server's clock, which was last looked at when it was connected to."""
        return self._clock() + self._ahead

    @asynccontextmanager
    async def transaction(self) -> AsyncIterator[_PostgresqlTransaction]:
        """Begin a transaction."""
        async with self._connected() as tx:
            if tx.is_open:
                yield tx
                return
            token = self._current.set(tx)
            try:
                async with tx.pipelined():
                    await tx.begin(self.now)
                    yield tx
                    await tx.commit()
            except BaseException as fault:
                await tx.roll_back()
                if isinstance(fault, StoreError) and isinstance(tx.faults.first, Conflict):
                    raise tx.faults.first from fault
                raise
            finally:
                tx.is_open = False
                self._current.reset(token)

    @asynccontextmanager
    async def session(self) -> AsyncIterator[Transaction]:
        """Return the transaction of this task, or statements by themselves."""
        if self._compared is None:
            async with self._connected():
                pass  # To connect is to compare the clocks.
        begun = _begun(self._current)
        yield begun or _Statements(self._connected, self.now())

    @asynccontextmanager
    async def _connected(self) -> AsyncIterator[_PostgresqlTransaction]:
        """The transaction that this task is in, or the connection, for this task alone as long as the context lasts."""
        if (begun := _begun(self._current)) is not None:
            yield begun
            return
        async with self._lock:
            faults = _Faults(self.name)
            try:
                with faults:
                    connection = await self._opened()
                yield _PostgresqlTransaction(connection, self._opened, faults, self.now())
            finally:
                self._then(_IDLE, self._close_idle)

    async def run[T](self, work: Callable[[Transaction], Awaitable[T]]) -> T:
        """Run work in a transaction, and again where the server breaks that off."""
        if (begun := _begun(self._current)) is not None:
            return await work(begun)
        for tries in range(_TRIES - 1):
            try:
                async with self.transaction() as tx:
                    return await work(tx)
            except Conflict:
                await asyncio.sleep(random.random() * 0.01 * 2**tries)  # noqa: S311  It keeps no secret.
        async with self.transaction() as tx:
            return await work(tx)

    async def make(self, schema: str) -> None:
        """Run the statements of a schema."""
        async with self.transaction() as tx:
            for statement in postgresql_schema(schema):
                await tx.say(statement)

    async def table_names(self) -> set[str]:
        """Return the names of all tables."""
        async with self.session() as tx:
            return {row.text("name") for row in await tx.fetch(_POSTGRESQL_TABLES)}

    async def measure(self) -> StateSizes:
        """Return what the database takes, and each table."""
        async with self.session() as tx:
            whole = await tx.value("SELECT pg_database_size(current_database())")
            rows = await tx.fetch(_POSTGRESQL_SIZES)
        return StateSizes({"database": whole}, {row.text("name"): row.whole("bytes") for row in rows})

    async def close(self) -> None:
        """Close the connection."""
        if self._end is not None:
            self._end.cancel()
        if self._connection is not None:
            await self._connection.close()
            self._connection = None

    async def _opened(self) -> psycopg.AsyncConnection[Any]:
        """The connection, which is cut when patience ends: a server that hangs would be waited for without end."""
        if abs(self._find_zero() - self._zero) > _SAME:
            self._close_idle()  # The machine's clock was set, and is compared anew.
        if self._connection is None or self._connection.closed:
            self._connection = await self._connect()
        self._then(self._patience, partial(_cut, self._connection))
        if self._compared is not self._connection:
            await self._compare_clocks(self._connection)
        return self._connection

    async def _compare_clocks(self, connection: psycopg.AsyncConnection[Any]) -> None:
        """Finds out by how much the server's clock is ahead. What may as well be the time of the way is no difference."""
        asked, self._zero = self._machine(), self._find_zero()
        ((told,),) = await (await connection.execute(_TIME, prepare=False)).fetchall()
        trip = self._machine() - asked
        ahead = instant(told) - (asked + trip / 2)
        self._ahead = ahead if abs(ahead) > _SAME + trip / 2 else timedelta()
        self._compared = connection

    def _find_zero(self) -> datetime:
        """The machine's time at which its monotonic clock was zero: it moves when the machine's clock is set."""
        return self._machine() - timedelta(seconds=time.monotonic())

    def _then(self, seconds: float, end: Callable[[], None]) -> None:
        """Has the connection end in a while, and no more as it was to end before."""
        if self._end is not None:
            self._end.cancel()
        self._end = asyncio.get_running_loop().call_later(seconds, end)

    def _close_idle(self) -> None:
        if self._connection is not None:
            self._connection.pgconn.finish()
            self._connection = None


def _cut(connection: psycopg.AsyncConnection[Any]) -> None:
    if not connection.closed:
        with socket.socket(fileno=os.dup(connection.pgconn.socket)) as copy, suppress(OSError):
            copy.shutdown(socket.SHUT_RDWR)


class _Faults:
    """Raises StoreError for what psycopg raises; it names the database and quotes nothing that a row holds.

    Attributes:
        first: the first one that it raised.
        is_answered: whether the server answered anything, so that a line that breaks now did not break before.
    """

    def __init__(self, name: str) -> None:
        self._name = name
        self.first: StoreError | None = None
        self.is_answered = False

    def __enter__(self) -> None:
        return None

    def __exit__(self, kind: type[BaseException] | None, fault: BaseException | None, trace: object) -> None:
        if kind is None or kind.__module__.partition(".")[0] != "psycopg":
            return
        state = getattr(fault, "sqlstate", None) or ""
        said = _STATES.get(state) or getattr(getattr(fault, "diag", None), "message_primary", None)
        said = said or str(fault).partition("\n")[0]
        refused = state[:2] in ("22", "54") or kind.__name__ == "DataError"
        was_broken = not state and not self.is_answered and kind.__name__ == "OperationalError"
        raised = Conflict if state in _BROKEN_OFF or was_broken else Unstorable if refused else StoreError
        self.first = self.first or raised(f"{self._name}: {said}")
        raise self.first from None


class Conflict(StoreError):
    """Another transaction came in between, or the line was broken before this one began: it may be run again."""


class _PostgresqlTransaction(Transaction):
    """Statements on a connection, each by itself until they are begun together.

    Those that are begun travel in a pipeline (https://www.postgresql.org/docs/current/libpq-pipeline-mode.html): BEGIN and what
    is written go along with the next one that is waited for.
    """

    def __init__(
        self,
        connection: psycopg.AsyncConnection[Any],
        reopen: Callable[[], Awaitable[psycopg.AsyncConnection[Any]]],
        faults: _Faults,
        now: datetime,
    ) -> None:
        super().__init__(now)
        self._connection = connection
        self._reopen = reopen
        self._pipeline: psycopg.AsyncPipeline | None = None
        self._left = AsyncExitStack()
        self.faults = faults

    @asynccontextmanager
    async def pipelined(self) -> AsyncIterator[None]:
        """A pipeline, at whose end all that was written is waited for."""
        with self.faults:
            async with AsyncExitStack() as self._left:
                self._pipeline = await self._left.enter_async_context(self._connection.pipeline())
                try:
                    yield
                finally:
                    self._pipeline = None

    async def begin(self, clock: Clock) -> None:
        """Begin a transaction."""
        with self.faults:
            await self._queue("BEGIN")
        self.is_open, self.now = True, clock()

    async def commit(self) -> None:
        """Have all of it kept where the pipeline ends; raises the first fault of a statement, though its caller went on."""
        if self.faults.first is not None:  # The server would answer COMMIT with ROLLBACK, and call it a success.
            raise self.faults.first
        if self._pipeline is not None:
            await self._queue("COMMIT")

    async def roll_back(self) -> None:
        """Keep none of it; a connection on which that fails is given up."""
        import psycopg

        try:
            if not self._connection.closed:
                await self._connection.execute("ROLLBACK", prepare=False)
        except (psycopg.Error, asyncio.CancelledError):
            with suppress(psycopg.Error):
                await self._connection.close()

    async def say(self, text: str) -> None:
        """Run statements without values, in one round trip."""
        with self.faults:
            await self._send(text, None, prepare=False)

    async def ask(self, sql: str, values: Sequence[object], *, is_last: bool = False) -> ResultSet:
        with self.faults:
            send = self._send_last if is_last else self._send
            found = await send(_postgresql_text(sql), [storable(one) for one in values])
            columns = found.description or ()
            return columns, await found.fetchall() if columns else (), found.rowcount

    async def wait_for(self, *names: str) -> bool:
        await self.write(
            _WAIT, sorted(int.from_bytes(sha256(name.encode()).digest()[:8], signed=True) for name in names)
        )
        return True

    async def write(self, sql: str, *values: object) -> None:
        with self.faults:
            await self._queue(_postgresql_text(sql), [storable(one) for one in values])

    async def execute_many(self, sql: str, rows: Iterable[Sequence[object]]) -> int:
        written = await self._send_many(sql, rows)
        if written is not None and self._pipeline is not None:
            with self.faults:
                await self._pipeline.sync()
        return written.rowcount if written is not None else 0

    async def write_many(self, sql: str, rows: Iterable[Sequence[object]]) -> None:
        await self._send_many(sql, rows)

    async def _send_many(self, sql: str, rows: Iterable[Sequence[object]]) -> psycopg.AsyncCursor[Any] | None:
        bound = [[storable(one) for one in row] for row in rows]
        if not bound:
            return None
        with self.faults:
            if (bulk := find_bulk_statement(sql)) is not None and bulk.takes(bound):
                return await self._queue(bulk.sql, [list(column) for column in zip(*bound, strict=True)])
            cursor = self._connection.cursor()
            await cursor.executemany(_postgresql_text(sql), bound)
            return cursor

    async def _queue(
        self, text: str, values: Sequence[object] | None = None, *, prepare: bool | None = None
    ) -> psycopg.AsyncCursor[Any]:
        """Sends a statement, and waits for its answer only outside a pipeline.

        All of it is sent: psycopg would wait for an answer while the rest of a long one is still here
        (https://github.com/psycopg/psycopg/issues/685).
        """
        from psycopg.generators import send

        found = await self._connection.execute(text, values, prepare=prepare)
        if self._pipeline is not None:
            await self._connection.wait(send(self._connection.pgconn))
        return found

    async def _send(
        self, text: str, values: Sequence[object] | None, *, prepare: bool | None = None
    ) -> psycopg.AsyncCursor[Any]:
        import psycopg

        try:
            found = await self._queue(text, values, prepare=prepare)
            if self._pipeline is not None:
                await self._pipeline.sync()
                self.faults.is_answered = True
            return found
        except psycopg.OperationalError:
            # What broke while nothing was asked is seen now. What writes was carried out, perhaps, and is not asked again.
            if self._pipeline is not None or not self._connection.broken or not text.lstrip().startswith("SELECT"):
                raise
        self._connection = await self._reopen()
        return await self._connection.execute(text, values, prepare=prepare)

    async def _send_last(self, text: str, values: Sequence[object]) -> psycopg.AsyncCursor[Any]:
        found = await self._queue(text, values)
        await self.commit()
        self._pipeline = None
        await self._left.aclose()
        self.faults.is_answered = True
        return found


class _Statements(Transaction):
    """Statements by themselves: none keeps the connection from what is asked between two of them."""

    def __init__(self, taken: Callable[[], AbstractAsyncContextManager[Transaction]], now: datetime) -> None:
        super().__init__(now)
        self._connected = taken

    async def ask(self, sql: str, values: Sequence[object], *, is_last: bool = False) -> ResultSet:
        async with self._connected() as tx:
            return await tx.ask(sql, values)

    async def execute_many(self, sql: str, rows: Iterable[Sequence[object]]) -> int:
        async with self._connected() as tx:
            return await tx.execute_many(sql, rows)


@lru_cache(1024)
def _postgresql_text(sql: str) -> str:
    return _INDEXED_BY.sub("", sql).replace("%", "%%").replace("?", "%s")


def postgresql_schema(schema: str) -> list[str]:
    """The statements of a schema as PostgreSQL takes them: texts ordered by their bytes; `--postgresql` begins some of them."""
    text = re.sub(r"^--.*\n", "", re.sub(r"^--postgresql ", "", schema, flags=re.MULTILINE), flags=re.MULTILINE)
    text = _INSTANT.sub(_POSTGRESQL_INSTANT, text)
    for ours, theirs in (
        ("PLACE", "BIGINT GENERATED BY DEFAULT AS IDENTITY PRIMARY KEY"),
        ("TEXT", 'TEXT COLLATE "C"'),
        (") WITHOUT ROWID;", ");"),
        ("VIEW IF NOT EXISTS", "OR REPLACE VIEW"),
    ):
        text = text.replace(ours, theirs)
    return [statement for part in text.split(";") if (statement := part.strip())]
