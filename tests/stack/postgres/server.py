"""A server of PostgreSQL as its clients have it: databases, and the way to each."""

from __future__ import annotations

import itertools
import os
from contextlib import ExitStack
from typing import Any, LiteralString, Self
from urllib.parse import quote, urlsplit, urlunsplit

import psycopg
from psycopg import sql

NAMED = "ALERT_ROUTER_TEST_POSTGRESQL"
"""The setting that names a server which is there already: the URL of a database in it, whose role may make others."""

_FRESH = itertools.count()

_TABLES: LiteralString = "SELECT tablename FROM pg_tables WHERE schemaname = current_schema()"
_END_OTHERS: LiteralString = """
SELECT pg_terminate_backend(pid, 1000) FROM pg_stat_activity
WHERE datname = current_database() AND pid <> pg_backend_pid() AND state <> 'idle'
"""


class Server:
    """A server, known by the URL of a database in it from which others are made."""

    def __init__(self, url: str) -> None:
        self.url = url
        self._made: list[str] = []

    def of(self, database: str) -> str:
        """Gives the URL of one of its databases."""
        return urlunsplit(urlsplit(self.url)._replace(path="/" + quote(database, safe="")))

    def new_database(self, tablespace: str = "pg_default") -> str:
        """Makes an empty database under a name of its own, and gives its URL."""
        name = f"alert_router_test_{os.getpid()}_{next(_FRESH)}"
        made = sql.SQL("CREATE DATABASE {} TEMPLATE template0 STRATEGY wal_log TABLESPACE {}")
        self.execute(made.format(sql.Identifier(name), sql.Identifier(tablespace)))
        self._made.append(name)
        return self.of(name)

    def drop_databases(self) -> None:
        """Takes away the databases that were made here, also from clients that are still connected."""
        while self._made:
            self.execute(sql.SQL("DROP DATABASE IF EXISTS {} WITH (FORCE)").format(sql.Identifier(self._made.pop())))

    def execute(self, statement: LiteralString | sql.Composed, *parameters: object) -> list[tuple[Any, ...]]:
        """Runs a statement by itself, not in a test's own database, and gives the rows that it answers."""
        with psycopg.connect(self.url, autocommit=True) as connection:
            cursor = connection.execute(statement, parameters or None)
            return cursor.fetchall() if cursor.description else []


class EmptiedDatabase:
    """A database whose tables are made once, and emptied after each test: rows go in a millisecond, tables come in many."""

    def __init__(self, url: str) -> None:
        self.url = url
        self._held = ExitStack()
        self._connection = self._held.enter_context(psycopg.connect(url, autocommit=True))

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_fault: object) -> None:
        self._held.close()

    def empty(self) -> None:
        """Ends the transactions that a test left there, and deletes all rows but the schema's version."""
        self._connection.execute(_END_OTHERS)
        tables = self._connection.execute(_TABLES).fetchall()
        self._connection.execute(sql.SQL(";").join(_deletion(name) for (name,) in tables))


def _deletion(table: str) -> sql.Composed:
    kept = sql.SQL(" WHERE name <> 'version'" if table == "meta" else "")
    return sql.SQL("DELETE FROM {}{}").format(sql.Identifier(table), kept)
