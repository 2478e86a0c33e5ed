"""A transaction, in which all asks and writes, and what differs between the two engines that keep a state.

SQL is PostgreSQL's, with `?` for a parameter and `= ANY(?)` or `<> ALL(?)` for a list of texts or numbers. What differs,
as `sqlite` and `postgresql` have it:

parameters  `%s` in PostgreSQL                          lists    `json_each` in SQLite
types       SQLite's tables are STRICT and know BLOB    places   a column of type PLACE numbers the rows of a table
indexes     `INDEXED BY` is SQLite's alone              locks    `BEGIN IMMEDIATE` in SQLite, rows in PostgreSQL
views       INSTANT(x) writes an instant as a text

Instants are whole microseconds since 1970. Texts are ordered by their bytes in both.

Numbered steps in SQL carry the tables forward: each once, in order, in a transaction of its own. A file `steps/NNNN.sql` never
changes once it is released. It adds what the program of the version before lets be, so that one version back can run beside.
"""

from __future__ import annotations

import re
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

from router.domain import texts
from router.domain.errors import StoreError
from router.store.codec import Columns

STEPS = tuple(file.read_text("utf-8") for file in sorted(Path(__file__).with_name("steps").glob("*.sql")))

VERSION = len(STEPS)
"""The version of the tables that this program writes: as many steps as were carried out."""

_MOST = 2**63 - 1
_LEAST = -(2**63)

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


class StateSizes(NamedTuple):
    """The bytes of each file of a state, or of the database, and of each table with its indexes, None where not known."""

    files: Mapping[str, int]
    tables: Mapping[str, int | None]


def statements_in(schema: str, instant: str, words: Iterable[tuple[str, str]]) -> list[str]:
    """Return the statements of a schema with other words, and `instant` for what INSTANT(x) says, in which `\\1` is x."""
    text = re.sub(r"\bINSTANT\(([\w.]+)\)", instant, re.sub(r"^--.*\n", "", schema, flags=re.MULTILINE))
    for ours, theirs in words:
        text = text.replace(ours, theirs)
    return [statement for part in text.split(";") if (statement := part.strip())]


def storable(value: Any) -> Any:
    """Return a value as both engines can hold it.

    PostgreSQL holds no NUL in a text, neither engine a lone surrogate or a number beyond 64 bits.
    """
    kind = type(value)
    if kind is str:
        return texts.storable(value)
    if kind is int:
        return value if _LEAST <= value <= _MOST else max(_LEAST, min(value, _MOST))
    if value is None or kind is bytes:
        return value
    if isinstance(value, str):
        return texts.storable(str(value))
    if isinstance(value, int):
        return int(value)
    if isinstance(value, list | tuple | set | frozenset):
        return [storable(one) for one in value]
    raise TypeError(f"{kind.__name__} is no value of a column")
