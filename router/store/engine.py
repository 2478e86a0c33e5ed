"""The two engines that keep the state: one SQL text, and everything in which SQLite and PostgreSQL differ.

SQL is PostgreSQL's, with `?` for a parameter and `= ANY(?)` or `<> ALL(?)` for a list of texts or numbers. What differs:

parameters  `%s` in PostgreSQL                          lists    `json_each` in SQLite
types       SQLite's tables are STRICT and know BLOB    places   a column of type PLACE numbers the rows of a table
indexes     `INDEXED BY` is SQLite's alone              locks    `BEGIN IMMEDIATE`, or one advisory lock a transaction

Instants are whole microseconds since 1970. Texts are ordered by their bytes in both.
"""

from __future__ import annotations

import asyncio
import os
import random
import re
import socket
import sqlite3
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager, suppress
from contextvars import ContextVar
from datetime import UTC, datetime
from functools import lru_cache, partial
from typing import TYPE_CHECKING, Any, NamedTuple, Protocol

import orjson

from router.domain import legible
from router.domain.errors import StoreError, Unstorable
from router.store.instants import Clock
from router.store.row_reader import Columns

if TYPE_CHECKING:
    import psycopg

    from router.store.file import StateFile, UnchangedFile

_MOST = 2**63 - 1
_LEAST = -(2**63)

_LOCK = 4_711_001
"""The advisory lock of every transaction that writes: PostgreSQL has room for others beside it."""

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

_BROKEN_OFF = ("40001", "40P01")
"""SQLSTATE of a serialization failure and of a deadlock: what was asked is right, and came at a bad time.

https://www.postgresql.org/docs/current/mvcc-serialization-failure-handling.html
"""

_TRIES = 8
_FIRST_WAIT = 0.01
"""Seconds within which a transaction that was broken off is tried a second time; it doubles with each try."""

_CLOCK = partial(datetime.now, UTC)


class Transaction(Protocol):
    """Asks and writes in SQL; raises StoreError, and Unstorable for values that the engine refuses.

    Attributes:
        now: the time when it began, by the state's clock.
    """

    now: datetime

    async def fetch(self, sql: str, *values: object) -> list[Columns]:
        """Return the rows that a query finds."""
        ...

    async def find(self, sql: str, *values: object) -> Columns | None:
        """Return the first row that a query finds; None where it finds none."""
        ...

    async def value(self, sql: str, *values: object) -> Any:
        """Return the first column of the first row; None where there is no row."""
        ...

    async def execute(self, sql: str, *values: object) -> int:
        """Run a statement and return how many rows it wrote."""
        ...

    async def execute_many(self, sql: str, rows: Iterable[Sequence[object]]) -> int:
        """Run a statement once for each row, in one round trip, and return how many rows all of them wrote."""
        ...


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
        ...

    async def run[T](self, work: Callable[[Transaction], Awaitable[T]]) -> T:
        """Run work in a transaction, and return what it returned once that is committed.

        PostgreSQL may break a transaction off because of another one. Then nothing of it is kept, and after a moment `work` is
        called again with a new transaction. So `work` must be repeatable: it changes nothing but by its transaction. Inside a
        transaction of the same task it is part of that one, and is called once. Raises StoreError where the last of eight
        tries is broken off too, and what `work` raises.
        """
        ...

    def transaction(self) -> AbstractAsyncContextManager[Transaction]:
        """Begin a transaction: all of it is kept, or none. Inside another one of the same task it is part of that."""
        ...

    def session(self) -> AbstractAsyncContextManager[Transaction]:
        """Return the transaction that this task is in; outside one each statement stands by itself."""
        ...

    async def make(self, schema: str) -> None:
        """Run the statements of a schema, as this engine writes them, inside the transaction that this task is in."""
        ...

    async def has_tables(self, *names: str) -> bool:
        """Return whether there are tables of those names, or any."""
        ...

    async def measure(self) -> StateSizes:
        """Return what the state takes; no table where there is none yet."""
        ...

    async def close(self) -> None:
        """Let go of the database."""
        ...


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
        if (current := self._current.get()) is not None and current.is_open:
            yield current
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
            current = self._current.get()
            yield current if current is not None and current.is_open else _SqliteTransaction(db, self.now())

    async def run[T](self, work: Callable[[Transaction], Awaitable[T]]) -> T:
        """Run work in a transaction, once: a file has one writer at a time."""
        async with self.transaction() as tx:
            return await work(tx)

    async def make(self, schema: str) -> None:
        """Run the statements of a schema."""
        with self._file.reading() as db:
            for statement in sqlite_schema(schema):
                db.execute(statement)

    async def has_tables(self, *names: str) -> bool:
        """Return whether there are tables of those names, or any."""
        with self._file.reading() as db:
            found = {name for (name,) in db.execute(_SQLITE_TABLES)}
        return found >= set(names) if names else bool(found)

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


class _SqliteTransaction:
    def __init__(self, db: sqlite3.Connection, now: datetime) -> None:
        self._db = db
        self.now = now
        self.is_open = True

    async def fetch(self, sql: str, *values: object) -> list[Columns]:
        found = self._run(sql, values)
        names = [column[0] for column in found.description]
        return [Columns(dict(zip(names, row, strict=True))) for row in found]

    async def find(self, sql: str, *values: object) -> Columns | None:
        found = self._run(sql, values)
        row = found.fetchone()
        return (
            None
            if row is None
            else Columns({column[0]: one for column, one in zip(found.description, row, strict=True)})
        )

    async def value(self, sql: str, *values: object) -> Any:
        row = self._run(sql, values).fetchone()
        return None if row is None else row[0]

    async def execute(self, sql: str, *values: object) -> int:
        return self._run(sql, values).rowcount

    async def execute_many(self, sql: str, rows: Iterable[Sequence[object]]) -> int:
        bound = [_sqlite_values(row) for row in rows]
        return self._db.executemany(_sqlite_text(sql), bound).rowcount if bound else 0

    def _run(self, sql: str, values: Sequence[object]) -> sqlite3.Cursor:
        return self._db.execute(_sqlite_text(sql), _sqlite_values(values))


def _sqlite_values(values: Iterable[object]) -> list[Any]:
    return [orjson.dumps(one).decode() if type(one := storable(value)) is list else one for value in values]


@lru_cache(1024)
def _sqlite_text(sql: str) -> str:
    listed = _LIST.sub("IN (SELECT value FROM json_each(?))", sql)
    return _ROW_LOCK.sub("", _NO_LIST.sub("NOT IN (SELECT value FROM json_each(?))", listed))


def sqlite_schema(schema: str) -> list[str]:
    """The statements of a schema as SQLite takes them: tables STRICT, bodies BLOB, places their rows' numbers."""
    text = re.sub(r"^--.*\n", "", schema, flags=re.MULTILINE)
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
    """

    def __init__(
        self,
        connect: Callable[[], Awaitable[psycopg.AsyncConnection[Any]]],
        name: str,
        patience: float = _PATIENCE,
        clock: Clock = _CLOCK,
    ) -> None:
        self._connect = connect
        self.name = name
        self.now = clock
        self._patience = patience
        self._connection: psycopg.AsyncConnection[Any] | None = None
        self._lock = asyncio.Lock()
        self._current: ContextVar[_PostgresqlTransaction | None] = ContextVar("postgresql transaction", default=None)
        self._used = 0.0
        self._closing: asyncio.TimerHandle | None = None

    @asynccontextmanager
    async def transaction(self) -> AsyncIterator[Transaction]:
        """Begin a transaction; it waits for all others that write."""
        if (current := self._current.get()) is not None and current.is_open:
            yield current
            return
        async with self._lock:
            with self._faults():
                connection = await self._begun()
            begun = _PostgresqlTransaction(connection, faults := self._faults(), self.now())
            token = self._current.set(begun)
            cut = self._cut_later(connection)
            try:
                yield begun
                if faults.first is not None:  # The server would answer COMMIT with ROLLBACK, and call it a success.
                    raise faults.first
                with faults:
                    await connection.execute("COMMIT", prepare=False)
            except BaseException as fault:
                await self._roll_back(connection)
                if isinstance(fault, StoreError) and isinstance(faults.first, _Conflict):
                    raise faults.first from fault
                raise
            finally:
                cut.cancel()
                begun.is_open = False
                self._current.reset(token)

    @asynccontextmanager
    async def session(self) -> AsyncIterator[Transaction]:
        """Return the transaction of this task, or statements by themselves."""
        current = self._current.get()
        yield current if current is not None and current.is_open else _Statements(self.statement, self.now())

    @asynccontextmanager
    async def statement(self) -> AsyncIterator[Transaction]:
        """Return the transaction of this task, or wait for the connection and run one statement by itself."""
        if (current := self._current.get()) is not None and current.is_open:
            yield current
            return
        async with self._lock:
            with self._faults():
                connection = await self._opened()
            cut = self._cut_later(connection)
            try:
                yield _PostgresqlTransaction(connection, self._faults(), self.now(), self._opened)
            finally:
                cut.cancel()

    async def run[T](self, work: Callable[[Transaction], Awaitable[T]]) -> T:
        """Run work in a transaction, and again where the server breaks that off."""
        if (current := self._current.get()) is not None and current.is_open:
            return await work(current)
        for tries in range(_TRIES - 1):
            try:
                async with self.transaction() as tx:
                    return await work(tx)
            except _Conflict:
                await asyncio.sleep(random.random() * _FIRST_WAIT * 2**tries)  # noqa: S311  It keeps no secret.
        async with self.transaction() as tx:
            return await work(tx)

    async def make(self, schema: str) -> None:
        """Run the statements of a schema."""
        async with self.transaction():
            with self._faults():
                await (await self._opened()).execute(postgresql_schema(schema), prepare=False)

    async def has_tables(self, *names: str) -> bool:
        """Return whether there are tables of those names, or any."""
        async with self.session() as tx:
            found = {row.text("name") for row in await tx.fetch(_POSTGRESQL_TABLES)}
        return found >= set(names) if names else bool(found)

    async def measure(self) -> StateSizes:
        """Return what the database takes, and each table."""
        async with self.session() as tx:
            whole = await tx.value("SELECT pg_database_size(current_database())")
            rows = await tx.fetch(_POSTGRESQL_SIZES)
        return StateSizes({"database": whole}, {row.text("name"): row.whole("bytes") for row in rows})

    async def close(self) -> None:
        """Close the connection."""
        if self._closing is not None:
            self._closing.cancel()
            self._closing = None
        if self._connection is not None:
            await self._connection.close()
            self._connection = None

    async def _begun(self) -> psycopg.AsyncConnection[Any]:
        """A connection inside a transaction. One that broke while nothing was asked of it is replaced, once."""
        import psycopg

        was_there = self._connection is not None
        connection = await self._opened()
        try:
            await self._begin(connection)
        except psycopg.OperationalError:
            if not (was_there and connection.broken):
                raise
            connection = await self._opened()
            await self._begin(connection)
        return connection

    async def _begin(self, connection: psycopg.AsyncConnection[Any]) -> None:
        cut = self._cut_later(connection)
        try:
            await connection.execute(f"BEGIN; SELECT pg_advisory_xact_lock({_LOCK})", prepare=False)
        except BaseException:
            # It began before it waited, also where its task was cancelled meanwhile.
            await self._roll_back(connection)
            raise
        finally:
            cut.cancel()

    def _cut_later(self, connection: psycopg.AsyncConnection[Any]) -> asyncio.TimerHandle:
        """Cuts the line when patience ends: a server that hangs would be waited for without end."""
        return asyncio.get_running_loop().call_later(self._patience, _cut, connection.pgconn.socket)

    async def _opened(self) -> psycopg.AsyncConnection[Any]:
        loop = asyncio.get_running_loop()
        if self._connection is None or self._connection.closed:
            self._connection = await self._connect()
            self._used = loop.time()
        if self._closing is None:
            self._closing = loop.call_later(_IDLE, self._close_if_idle, loop)
        return self._connection

    def _close_if_idle(self, loop: asyncio.AbstractEventLoop) -> None:
        self._closing = None
        connection = self._connection
        if connection is None:
            return
        if self._lock.locked() or loop.time() - self._used < _IDLE:
            self._closing = loop.call_later(_IDLE, self._close_if_idle, loop)
            return
        connection.pgconn.finish()
        self._connection = None

    async def _roll_back(self, connection: psycopg.AsyncConnection[Any]) -> None:
        """Ends a transaction without keeping any of it; a connection on which that fails is given up."""
        import psycopg

        try:
            if not connection.closed:
                await connection.execute("ROLLBACK", prepare=False)
        except (psycopg.Error, asyncio.CancelledError):
            with suppress(psycopg.Error):
                await connection.close()

    def _faults(self) -> _Faults:
        self._used = asyncio.get_running_loop().time()
        return _Faults(self.name)


def _cut(line: int) -> None:
    with socket.socket(fileno=os.dup(line)) as copy, suppress(OSError):
        copy.shutdown(socket.SHUT_RDWR)


class _Faults:
    """Raises StoreError for what psycopg raises; it names the database and quotes nothing that a row holds.

    Attributes:
        first: the first one that it raised.
    """

    def __init__(self, name: str) -> None:
        self._name = name
        self.first: StoreError | None = None

    def __enter__(self) -> None:
        return None

    def __exit__(self, kind: type[BaseException] | None, fault: BaseException | None, trace: object) -> None:
        if (
            fault is None
            or isinstance(fault, StoreError)
            or kind is None
            or kind.__module__.partition(".")[0] != "psycopg"
        ):
            return
        state = getattr(fault, "sqlstate", None) or ""
        said = getattr(getattr(fault, "diag", None), "message_primary", None) or str(fault).partition("\n")[0]
        refused = state[:2] in ("22", "54") or kind.__name__ == "DataError"
        raised = _Conflict if state in _BROKEN_OFF else Unstorable if refused else StoreError
        self.first = self.first or raised(f"{self._name}: {said}")
        raise self.first from None


class _Conflict(StoreError):
    """The server broke a transaction off because of another one."""


class _PostgresqlTransaction:
    """Statements on a connection; `reopen` is given where each stands by itself, so that one may be tried again."""

    def __init__(
        self,
        connection: psycopg.AsyncConnection[Any],
        faults: _Faults,
        now: datetime,
        reopen: Callable[[], Awaitable[psycopg.AsyncConnection[Any]]] | None = None,
    ) -> None:
        self._connection = connection
        self._faults = faults
        self.now = now
        self._reopen = reopen
        self.is_open = True

    async def fetch(self, sql: str, *values: object) -> list[Columns]:
        with self._faults:
            found = await self._run(sql, values)
            names = [column.name for column in found.description or ()]
            return [Columns(dict(zip(names, row, strict=True))) for row in await found.fetchall()]

    async def find(self, sql: str, *values: object) -> Columns | None:
        rows = await self.fetch(sql, *values)
        return rows[0] if rows else None

    async def value(self, sql: str, *values: object) -> Any:
        with self._faults:
            row = await (await self._run(sql, values)).fetchone()
            return None if row is None else row[0]

    async def execute(self, sql: str, *values: object) -> int:
        with self._faults:
            return (await self._run(sql, values)).rowcount

    async def execute_many(self, sql: str, rows: Iterable[Sequence[object]]) -> int:
        bound = [[storable(one) for one in row] for row in rows]
        if not bound:
            return 0
        with self._faults:
            async with self._connection.cursor() as cursor:
                await cursor.executemany(_postgresql_text(sql), bound)
                return cursor.rowcount

    async def _run(self, sql: str, values: Sequence[object]) -> psycopg.AsyncCursor[Any]:
        import psycopg

        text, bound = _postgresql_text(sql), [storable(one) for one in values]
        try:
            return await self._connection.execute(text, bound)
        except psycopg.OperationalError:
            if self._reopen is None or not self._connection.broken:
                raise
            # It broke while nothing was asked of it, and what was asked first is asked once more.
            self._connection, self._reopen = await self._reopen(), None
            return await self._connection.execute(text, bound)


class _Statements:
    """Statements by themselves: none keeps the connection from what is asked between two of them."""

    def __init__(self, statement: Callable[[], AbstractAsyncContextManager[Transaction]], now: datetime) -> None:
        self._statement = statement
        self.now = now

    async def fetch(self, sql: str, *values: object) -> list[Columns]:
        async with self._statement() as one:
            return await one.fetch(sql, *values)

    async def find(self, sql: str, *values: object) -> Columns | None:
        async with self._statement() as one:
            return await one.find(sql, *values)

    async def value(self, sql: str, *values: object) -> Any:
        async with self._statement() as one:
            return await one.value(sql, *values)

    async def execute(self, sql: str, *values: object) -> int:
        async with self._statement() as one:
            return await one.execute(sql, *values)

    async def execute_many(self, sql: str, rows: Iterable[Sequence[object]]) -> int:
        async with self._statement() as one:
            return await one.execute_many(sql, rows)


@lru_cache(1024)
def _postgresql_text(sql: str) -> str:
    return _INDEXED_BY.sub("", sql).replace("%", "%%").replace("?", "%s")


def postgresql_schema(schema: str) -> str:
    """A schema as PostgreSQL takes it: texts ordered by their bytes; lines that begin with `--postgresql` are statements."""
    text = re.sub(r"^--postgresql ", "", schema, flags=re.MULTILINE)
    for ours, theirs in (
        ("PLACE", "BIGINT GENERATED BY DEFAULT AS IDENTITY PRIMARY KEY"),
        ("TEXT", 'TEXT COLLATE "C"'),
        (") WITHOUT ROWID;", ");"),
    ):
        text = text.replace(ours, theirs)
    return text
