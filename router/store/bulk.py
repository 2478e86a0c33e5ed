"""Statements that PostgreSQL runs once for many rows: the rows come as one array for each column.

An array costs less than as many values by themselves (https://www.postgresql.org/docs/current/functions-array.html, unnest),
and written here a seventh of what it costs in psycopg, which asks of each value how it is written.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from functools import lru_cache
from typing import NamedTuple

from router.store.store import TABLES

_COLUMN = re.compile(r"(\w+) (TEXT|BIGINT|INTEGER|BYTEA|PLACE)\b")
_TYPES = {
    table: {name: kind.replace("PLACE", "BIGINT") for name, kind in _COLUMN.findall(columns)}
    for table, columns in TABLES.items()
}
"""The type of each column, by table."""

_INSERT = re.compile(r"\s*INSERT INTO (\w+) \(([^)]*)\)\s+VALUES \(([^()]*)\)(?:\s+(ON CONFLICT \(([^)]*)\)[^?]*))?\s*")
_UPDATE = re.compile(r"\s*UPDATE (\w+) (SET .*?)\s+(WHERE .*?)\s*", re.DOTALL)
_DELETE = re.compile(r"\s*DELETE FROM (\w+)\s+(WHERE .*?)\s*", re.DOTALL)
_ASKED = re.compile(r"(\w+)\s*[=<>+-]+\s*\?|coalesce\(\?, (\w+)\)|\?=(?:('\w+')|\d+)")


class BulkStatement(NamedTuple):
    """A statement over an array for each column. Rows that share the values at the places of `key` do not go into one."""

    sql: str
    key: Sequence[int]

    def takes(self, rows: Sequence[Sequence[object]]) -> bool:
        """Return whether rows may go into one statement."""
        return not self.key or len({tuple(row[n] for n in self.key) for row in rows}) == len(rows)


def array_of(values: Iterable[object]) -> object:
    """Return the values of a column as they are bound: as the text of an array, unless some are bytes.

    https://www.postgresql.org/docs/current/arrays.html#ARRAYS-IO
    """
    column = list(values)
    return column if any(type(one) is bytes for one in column) else f"{{{','.join(map(_element, column))}}}"


def _element(value: object) -> str:
    if value is None or type(value) is int:
        return "NULL" if value is None else str(value)
    return '"' + str(value).replace("\\", "\\\\").replace('"', '\\"') + '"'


@lru_cache(1024)
def find_bulk_statement(sql: str) -> BulkStatement | None:
    """Return the statement that does for many rows what one does for each; None for one that it cannot be made of."""
    if (insert := _INSERT.fullmatch(sql)) is not None:
        return _insert_of(insert)
    if (update := _UPDATE.fullmatch(sql)) is not None:
        table, changes, where = update.groups()
        return _over_arrays(table, f"UPDATE {table} {changes} FROM", where, changes.count("?"))
    if (delete := _DELETE.fullmatch(sql)) is not None:
        return _over_arrays(delete[1], f"DELETE FROM {delete[1]} USING", delete[2], 0)
    return None


def _insert_of(insert: re.Match[str]) -> BulkStatement | None:
    table, names, values, conflict, target = insert.groups()
    columns, given = _words(names), _words(values)
    asked = [column for column, value in zip(columns, given, strict=True) if value == "?"]
    if table not in _TYPES or values.count("?") != len(asked):
        return None
    types = [_TYPES[table][column] for column in asked]
    key = [asked.index(column) for column in _words(target or "") if column in asked]
    sql = f"INSERT INTO {table} ({names}) SELECT {_numbered(', '.join(given), types)} FROM {_arrays(types)} {conflict or ''}"
    return BulkStatement(sql, key if "DO UPDATE" in (conflict or "") else ())


def _over_arrays(table: str, head: str, where: str, before: int) -> BulkStatement | None:
    columns, types = _TYPES.get(table, {}), []
    for asked in _ASKED.finditer(f"{head} {where}"):
        column, fallback, literal = asked.groups()
        types.append(columns.get(column or fallback) if column or fallback else "TEXT" if literal else "BIGINT")
    known = [one for one in types if one is not None]
    if (head + where).count("?") != len(known) or len(known) != len(types):
        return None
    changes, condition = _numbered(f"{head}\0{where}", known).split("\0")
    return BulkStatement(f"{changes} {_arrays(known)} {condition}", range(before, len(known)))


def _arrays(types: Sequence[str]) -> str:
    arrays = ", ".join(f"%s::{one}[]" for one in types)
    return f"unnest({arrays}) AS given ({', '.join(f'given_{n}' for n in range(len(types)))})"


def _numbered(sql: str, types: Sequence[str]) -> str:
    """The same with the columns of the arrays in place of `?`; a text is compared as the tables hold it, by its bytes."""
    first, *others = sql.split("?")
    collations = [' COLLATE "C"' if one == "TEXT" else "" for one in types]
    numbered = enumerate(zip(collations, others, strict=True))
    return first + "".join(f"given_{n}{collation}{other}" for n, (collation, other) in numbered)


def _words(names: str) -> list[str]:
    return [name.strip() for name in names.split(",") if name.strip()]
