"""Sets rows of SQLite that cannot be decoded aside in the quarantine, so that the rows beside them can be read."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Sequence

from router.domain.damage import DamagedRow, quarantine_entry_of
from router.domain.errors import Undecodable
from router.domain.signals import Stream
from router.store.codec import attempt
from router.store.damaged_rows import PLACES
from router.store.row_reader import Columns, printable
from router.store.sqlite.connection import Clock, Connection
from router.store.sqlite.quarantine import keep
from router.store.sqlite.selecting import columns_of


def sound[T](
    connection: Connection,
    clock: Clock,
    table: str,
    where: str,
    values: Sequence[object],
    read: Callable[[Columns], T],
    columns: str = "*",
) -> list[T]:
    """The values of some rows of a table, in the order of `where`. Rows that cannot be decoded are put in the quarantine."""
    with connection.reading() as db:
        rows = columns_of(db.execute(f"SELECT {columns} FROM {table} WHERE {where}", values))
    found = [(row, attempt(read, row)) for row in rows]
    damaged = [(row, fault) for row, fault in found if isinstance(fault, Undecodable)]
    if damaged:
        with connection.writing() as db:
            for row, fault in damaged:
                set_aside(db, clock, table, _whole(db, table, row), fault)
                take_out(db, table, row)
    return [value for _, value in found if not isinstance(value, Undecodable)]


def set_aside(db: sqlite3.Connection, clock: Clock, table: str, row: Columns, why: Undecodable) -> None:
    """Puts a damaged row whole in the quarantine."""
    stream = attempt(row.word, "stream", Stream)
    key = "/".join(printable(row.raw(name)) for name in PLACES[table])
    one = DamagedRow(
        table=table,
        key=key,
        why=str(why),
        stream=stream.value if isinstance(stream, Stream) else None,
        row=row.whole_row(),
    )
    keep(db, quarantine_entry_of(one, clock()))


def take_out(db: sqlite3.Connection, table: str, row: Columns) -> None:
    """Takes a row out of its table."""
    where, values = _at(table, row)
    db.execute(f"DELETE FROM {table} WHERE {where}", values)


def _whole(db: sqlite3.Connection, table: str, row: Columns) -> Columns:
    where, values = _at(table, row)
    return next(iter(columns_of(db.execute(f"SELECT * FROM {table} WHERE {where}", values))), row)


def _at(table: str, row: Columns) -> tuple[str, list[object]]:
    """Where a row lies, also one whose keys are no text, or one that is not UTF-8."""
    names = PLACES[table]
    return " AND ".join(f"CAST({name} AS BLOB) IS CAST(? AS BLOB)" for name in names), [
        _stored(row.raw(name)) for name in names
    ]


def _stored(value: object) -> object:
    return value.encode("utf-8", "surrogateescape") if isinstance(value, str) else value
