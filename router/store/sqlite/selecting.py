"""Rows as they come from SQLite."""

from __future__ import annotations

import sqlite3

from router.store.row_reader import Columns


def columns_of(found: sqlite3.Cursor) -> list[Columns]:
    """The rows that a query found, by the names of their columns."""
    names = [column[0] for column in found.description]
    return [Columns(dict(zip(names, row, strict=True))) for row in found]


def text_in(stored: bytes) -> str:
    """A text as it is stored: what is not UTF-8 in it must not end the query that finds it."""
    return stored.decode("utf-8", "surrogateescape")
