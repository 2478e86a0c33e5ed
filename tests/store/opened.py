"""How tests open a store: nothing else says of what it is made."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable
from contextlib import closing
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

import psycopg

from router.store.conninfo import Connector, parse_address
from router.store.deliveries import SqlOutbox
from router.store.engine import PostgresqlEngine
from router.store.store import SqlStore
from router.store.upgrade import upgrade
from tests.builders import NOW

__all__ = ["OutboxStore", "Place", "SqlStore", "engine_over", "open_outbox", "open_store", "rows_in"]

type Place = Path | str
"""Where a state is: a directory, or the URL of a database."""


def engine_over(url: str, *settings: str) -> PostgresqlEngine:
    """An engine over a database; in each of its sessions some statements are run first."""
    address = parse_address(url)
    connector = Connector(address)

    async def connect() -> psycopg.AsyncConnection[object]:
        connection = await connector.connect()
        for setting in settings:
            await connection.execute(setting.encode())
        return connection

    return PostgresqlEngine(connect, address.name)


def open_store(place: Place, clock: Callable[[], datetime] | None = None) -> SqlStore:
    """Gives the store in a place, by the clock that a test sets, if it sets one; a directory is made where there is none."""
    given = () if clock is None else (clock,)
    return SqlStore.of(place, *given) if isinstance(place, Path) else SqlStore(engine_over(place), *given)


def rows_in(place: Place, query: str, *values: object) -> list[tuple[Any, ...]]:
    """What a query finds in a state, or the rows that a statement changed and returns; it is committed."""
    if isinstance(place, str):
        with psycopg.connect(place) as server:
            answered = server.execute(query.replace("?", "%s").encode(), values)
            return answered.fetchall() if answered.description else []
    with closing(sqlite3.connect(place / "router.db")) as file, file:
        return file.execute(query, values).fetchall()


@dataclass(frozen=True)
class OutboxStore:
    """As much of a store in PostgreSQL as runs there: its outbox."""

    engine: PostgresqlEngine
    outbox: SqlOutbox

    async def close(self) -> None:
        """Lets go of the database."""
        await self.engine.close()


async def open_outbox(url: str) -> OutboxStore:
    """Gives the outbox in a database, whose tables are made where there are none."""
    engine = engine_over(url)
    await upgrade(engine)
    return OutboxStore(engine, SqlOutbox(engine, lambda: NOW))
