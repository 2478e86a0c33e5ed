"""How tests open a store: nothing else says of what it is made."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from pathlib import Path

import psycopg

from router.store.conninfo import Connector, parse_address
from router.store.engine import PostgresqlEngine
from router.store.sqlite import SqliteStore as SqlStore

__all__ = ["SqlStore", "engine_over", "open_store"]


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


def open_store(place: Path, clock: Callable[[], datetime] | None = None) -> SqlStore:
    """Gives the store in a directory, which is made where there is none; by the clock that a test sets, if it sets one."""
    return SqlStore(place) if clock is None else SqlStore(place, clock)
