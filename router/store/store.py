"""The store and its transactions, and what differs between the two engines that keep a state.

SQL is PostgreSQL's, with `?` for a parameter and `= ANY(?)` or `<> ALL(?)` for a list of texts or numbers. A column of type
PLACE numbers the rows of a table, and INSTANT(x) in a view writes an instant as a text. What differs, as `sqlite` and
`postgresql` have it: parameters, lists, STRICT tables and BLOB, `INDEXED BY`, and locks, which are `BEGIN IMMEDIATE` in
SQLite and rows in PostgreSQL. Texts are ordered by their bytes in both.

Numbered steps in SQL carry the tables forward: each once, in order, in a transaction of its own. `migrations/NNNN.sql` never
changes once it is released. It writes into `meta` which version is the `oldest` that lets be what it adds, so that one version
back can run beside; after a step that writes none, no older one begins.
"""

from __future__ import annotations

import asyncio
import random
import re
from abc import ABC, abstractmethod
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager, contextmanager
from contextvars import ContextVar
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path
from time import monotonic
from typing import Any, NamedTuple

from router.domain import readable
from router.domain.errors import StoreError
from router.store.codec import MICROSECOND, Columns, micros, upsert

STEPS = tuple(file.read_text("utf-8") for file in sorted(Path(__file__).with_name("migrations").glob("*.sql")))

_COLUMNS = re.compile(r"(?ms)^(?:CREATE TABLE IF NOT EXISTS|ALTER TABLE) (\w+) (?:\(|ADD COLUMN )(.*?)(?:^\)|;)")


def tables_in(steps: Iterable[str]) -> Mapping[str, str]:
    """Return what each table is made of, with the columns that later steps add."""
    found = _COLUMNS.findall("".join(steps))
    return {name: "\n".join(columns for one, columns in found if one == name) for name, _ in found}


TABLES = tables_in(STEPS)

VERSION = len(STEPS)
"""The version of the tables that this program writes: as many steps as were carried out."""

_MOST, _LEAST = 2**63 - 1, -(2**63)

type Clock = Callable[[], datetime]

CLOCK: Clock = partial(datetime.now, UTC)

type ResultSet = tuple[Sequence[Any], Sequence[Sequence[Any]], int]
"""What tells of each column, its name first; the rows; and how many rows were written."""


class Conflict(StoreError):
    """Another transaction came in between, or the line was broken before this one began: it may be run again."""


class Transaction(ABC):
    """Asks and writes in SQL; raises StoreError, and Unstorable for values that the engine refuses.

    Attributes:
        now: the time when it began, by the state's clock.
        is_open: whether it was begun, and has not ended; statements by themselves never are.
    """

    def __init__(self, now: datetime) -> None:
        self.now = now
        self.is_open = False

    @abstractmethod
    async def ask(self, sql: str, values: Sequence[object], *, is_last: bool = False) -> ResultSet:
        """Run a statement and return what the database answers; `is_last` is as in `fetch`."""

    @abstractmethod
    async def execute_many(self, sql: str, rows: Iterable[Sequence[object]]) -> int:
        """Run a statement once for each row, in one round trip, and return how many rows all of them wrote."""

    async def fetch(self, sql: str, *values: object, is_last: bool = False) -> list[Columns]:
        """Return the rows that a query finds.

        If `is_last`, it ends the outermost transaction in the same round trip: all is kept, and what is asked later stands
        by itself.
        """
        columns, rows, _ = await self.ask(sql, values, is_last=is_last)
        names = [one[0] for one in columns]
        return [Columns(dict(zip(names, row, strict=True))) for row in rows]

    async def find(self, sql: str, *values: object) -> Columns | None:
        """Return the first row that a query finds; None where it finds none."""
        return next(iter(await self.fetch(sql, *values)), None)

    async def value(self, sql: str, *values: object) -> Any:
        """Return the first column of the first row; None where there is no row."""
        _, rows, _ = await self.ask(sql, values)
        return rows[0][0] if rows else None

    async def execute(self, sql: str, *values: object) -> int:
        """Run a statement and return how many rows it wrote."""
        return (await self.ask(sql, values))[2]

    async def write(self, sql: str, *values: object) -> None:
        """Run a statement and wait for nothing: a fault of it is raised by a later call, or where the transaction ends."""
        await self.ask(sql, values)

    async def write_many(self, sql: str, rows: Iterable[Sequence[object]]) -> None:
        """Run a statement once for each row, and wait for nothing, as `write` does."""
        await self.execute_many(sql, rows)

    async def wait_for(self, *names: str) -> bool:
        """Take the locks of names until the transaction ends; return whether another may have written until now.

        A file has one writer at a time, so there is nothing to wait for.
        """
        return False


class StateSizes(NamedTuple):
    """The bytes of each file of a state, or of the database, and of each table with its indexes, none where not known."""

    files: Mapping[str, int]
    tables: Mapping[str, int]


def storable(value: Any) -> Any:
    """Return a value as both engines can hold it.

    PostgreSQL holds no NUL in a text, neither engine a lone surrogate or a number beyond 64 bits.
    """
    kind = type(value)
    if kind is str:
        return readable.storable(value)
    if kind is int:
        return value if _LEAST <= value <= _MOST else max(_LEAST, min(value, _MOST))
    if value is None or kind is bytes:
        return value
    if kind is datetime:
        return micros(value)
    if kind is timedelta:
        return value // MICROSECOND
    if isinstance(value, str):
        return readable.storable(str(value))
    if isinstance(value, int):
        return int(value)
    if isinstance(value, list | tuple | set | frozenset):
        return [storable(one) for one in value]
    raise TypeError(f"{kind.__name__} is no value of a column")


_READ_VERSIONS = "SELECT name, value FROM meta WHERE name IN ('version', 'oldest')"
_WRITE_VERSION = upsert("meta", ("name", "value"), ["name"])
_ELSEWHERE = "name another state with --state"

_TRIES, _LONGEST = 8, 25.0
"""How often a transaction that is broken off is tried, after the first within 10 ms, then 20, 40 and so on; and for how many
seconds, which are less than a lock is waited for."""


class Store(ABC):
    """A database that holds the state; every method raises StoreError.

    Attributes:
        name: the directory, or the server and the database, in words; no secret.
        is_shared: whether other processes work on it beside this one, as on a server.
    """

    is_shared = True
    _TABLES: str
    """Finds the names of all tables."""
    _DIALECT: tuple[str, Iterable[tuple[str, str]]]
    """What a schema says for INSTANT(x), in which `\\1` is x, and for other words."""

    def __init__(self, name: str) -> None:
        self.name = name
        self._lock = asyncio.Lock()
        self._current: ContextVar[Transaction | None] = ContextVar("transaction", default=None)

    @abstractmethod
    def now(self) -> datetime:
        """Return the time by the state's clock, which is the same for all who work on it."""

    @abstractmethod
    def session(self) -> AbstractAsyncContextManager[Transaction]:
        """Return the transaction that this task is in; outside one each statement stands by itself."""

    @abstractmethod
    async def measure(self) -> StateSizes:
        """Return what the state takes; no table where there is none yet."""

    @abstractmethod
    async def close(self) -> None:
        """Let go of the database."""

    @abstractmethod
    def _begin(self) -> AbstractAsyncContextManager[Transaction]:
        """Begin a transaction while no other task is in one; it is committed where the context ends without a fault."""

    def hold(self) -> None:  # noqa: B027  A server is shared, and is not held.
        """Make this process the one that works on a directory, until `close`; raises StateInUse if another does."""

    @contextmanager
    def alone(self) -> Iterator[None]:
        """Make this process the one that works on a directory as long as the context lasts; raises as `hold` does."""
        yield

    async def notice_restore(self) -> None:  # noqa: B027  A file is looked at when it is opened.
        """Put on record that a server was put back as it was, or that this is a copy of what another database held."""

    def _find_begun(self) -> Transaction | None:
        """Return the transaction that this task is in."""
        tx = self._current.get()
        return tx if tx is not None and tx.is_open else None

    @asynccontextmanager
    async def transaction(self) -> AsyncIterator[Transaction]:
        """Begin a transaction: all of it is kept, or none. Inside another one of the same task it is part of that."""
        if (begun := self._find_begun()) is not None:
            yield begun
            return
        async with self._lock, self._begin() as tx:
            token, tx.is_open = self._current.set(tx), True
            try:
                yield tx
            finally:
                tx.is_open = False
                self._current.reset(token)

    async def run[T](self, work: Callable[[Transaction], Awaitable[T]]) -> T:
        """Run work in a transaction, and return what it returned once that is committed.

        PostgreSQL may break a transaction off because of another one. Then nothing of it is kept, and after a moment `work` is
        called again with a new transaction. So `work` must be repeatable: it changes nothing but by its transaction. Inside a
        transaction of the same task it is part of that one, and is called once. Raises StoreError where the last of eight
        tries is broken off too, or one after 25 seconds, and what `work` raises.
        """
        tries, until = 0, monotonic() + _LONGEST
        while True:
            try:
                async with self.transaction() as tx:
                    return await work(tx)
            except Conflict:
                tries += 1
                if tries == _TRIES or monotonic() > until or self._find_begun() is not None:
                    raise
                await asyncio.sleep(random.random() * 0.005 * 2**tries)  # noqa: S311  It keeps no secret.

    async def make(self, schema: str) -> None:
        """Run the statements of a schema, as this engine writes them."""
        instant, words = self._DIALECT
        text = re.sub(r"\bINSTANT\(([\w.]+)\)", instant, schema)
        for ours, theirs in words:
            text = text.replace(ours, theirs)
        async with self.transaction() as tx:
            for statement in filter(None, map(str.strip, re.sub("(?m)^--.*\n", "", text).split(";"))):
                await tx.execute(statement)

    async def refuse_newer(self, newest: int = VERSION) -> int:
        """Return the version of the tables, 0 where there are none; raises StoreError where it lets no program so old begin."""
        async with self.session() as tx:
            if not (tables := {row.text("name") for row in await tx.fetch(self._TABLES)}):
                return 0
            if not {"meta", "signals"} <= tables:
                words = "holds tables and says no version, as no release of this program leaves them"
                raise StoreError(f"{self.name}: {words}; {_ELSEWHERE}")
            said = {row.text("name"): row.words("value") for row in await tx.fetch(_READ_VERSIONS)}
        version = said.get("version", "")
        if not re.fullmatch("[0-9]+ [0-9]+", f"{version} {(oldest := said.get('oldest', version))}"):
            raise StoreError(f"{self.name}: says no version in its table meta; {_ELSEWHERE}")
        if int(oldest) > newest:
            words = f"holds state of version {version}, and this program reads up to version {newest}"
            raise StoreError(f"{self.name}: {words}; use the newer program, or {_ELSEWHERE}")
        return int(version)

    async def upgrade(self, steps: Sequence[str] = STEPS) -> int:
        """Carry the tables forward; return how many steps that took. Raises StoreError as `refuse_newer` does.

        Of several processes that begin at once one carries a step out, and the others wait for it. A step that waits behind a
        long transaction is broken off after two seconds, so that the others come through, and tried again, eight times in all.
        """

        async def take_step(tx: Transaction) -> bool:
            await tx.wait_for("upgrade")
            if (version := await self.refuse_newer(len(steps))) >= len(steps):
                return False
            if self.is_shared:  # All others wait behind who waits for a table. Autovacuum gives way within a second.
                await tx.write("SET LOCAL lock_timeout = '2s'")
            before = "DELETE FROM meta WHERE name='oldest';\n" if version else ""
            await self.make(before + steps[version])
            await tx.write(_WRITE_VERSION, "version", str(version + 1))
            return True

        done = 0
        while await self.refuse_newer(len(steps)) < len(steps):
            done += await self.run(take_step)
        return done

    async def prepare(self, steps: Sequence[str] = STEPS) -> None:
        """Carry the tables forward where they are behind; raises StoreError where there are none, or the role may not."""
        version = await self.refuse_newer(len(steps))
        if version == 0:
            raise StoreError(f"{self.name}: holds no state; begin one there with alert-router state upgrade")
        if version < len(steps):
            try:
                await self.upgrade(steps)
            except StoreError as fault:
                raise StoreError(f"{fault}; carry it forward with alert-router state upgrade") from fault

    async def refuse_unwritable(self) -> None:
        """Raise StoreError where nothing can be written now: a server may be read-only, or have no room on its disk."""

        async def write(tx: Transaction) -> None:
            await tx.write("UPDATE meta SET value=value WHERE name='version'")
            if self.is_shared:
                # A row may find room where no file can grow, so a query writes 300 KB to a temporary one.
                await tx.write("SET LOCAL work_mem = '64kB'")
                await tx.fetch("SELECT count(*) FROM generate_series(1, 10000)")

        await self.run(write)
