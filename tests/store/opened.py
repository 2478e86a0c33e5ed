"""How tests open a store: nothing else says of what it is made."""

import atexit
import re
import shutil
import sqlite3
import tempfile
from collections.abc import Callable
from contextlib import closing
from datetime import datetime
from functools import cache
from importlib.resources import files
from pathlib import Path
from typing import Any

import psycopg

from router.app.settings import now
from router.store.conninfo import Connector, parse_address
from router.store.postgresql import PostgresqlStore
from router.store.sqlite import StateFile, at_once
from router.store.store import Store

__all__ = [
    "Place",
    "Store",
    "changed",
    "empty",
    "engine_over",
    "everything_in",
    "open_new_store",
    "open_store",
    "rows_in",
]

type Place = Path | str
"""Where a state is: a directory, or the URL of a database."""


def engine_over(
    url: str, *settings: str, clock: Callable[[], datetime] = now, machine: Callable[[], datetime] = now
) -> PostgresqlStore:
    """An engine over a database; in each of its sessions some statements are run first."""
    address = parse_address(url)
    connector = Connector(address)

    async def connect() -> psycopg.AsyncConnection[object]:
        connection = await connector.connect()
        for setting in settings:
            await connection.execute(setting.encode())
        return connection

    return PostgresqlStore(connect, address.name, clock=clock, machine=machine)


def open_store(place: Place, clock: Callable[[], datetime] = now) -> Store:
    """Gives the store in a place: a directory, which is made where there is none, or a database that holds a state."""
    return engine_over(place, clock=clock) if isinstance(place, str) else StateFile(place, clock)


def open_new_store(directory: Path) -> Store:
    """Gives a store with nothing in it in a directory where there is none: a copy of one that this process made before."""
    shutil.copytree(_empty_state(), directory, dirs_exist_ok=True)
    return open_store(directory)


@cache
def _empty_state() -> Path:
    """Where a state in which nothing was done yet is, as long as the process: to make its tables takes longer than a test."""
    place = Path(tempfile.mkdtemp(prefix="empty-state-"))
    atexit.register(shutil.rmtree, place, ignore_errors=True)
    at_once(open_store(place).close())
    return place


async def changed(store: Any, statement: str, *values: object) -> int:
    """How many rows of a store a statement changed."""
    async with store.transaction() as tx:
        return int(await tx.execute(statement, *values))


async def empty(store: Store) -> None:
    """Takes everything out of a store in a database, for the next example."""
    async with store.transaction() as tx:
        for row in await tx.fetch("SELECT tablename FROM pg_tables WHERE schemaname = current_schema()"):
            if (table := row.text("tablename")) != "meta":
                await tx.execute(f"DELETE FROM {table}")


async def everything_in(store: Store) -> dict[str, list[bytes]]:
    """Every row of every table but that which counts commits."""
    schema = files("router.store").joinpath("migrations/0001.sql").read_text()
    tables = set(re.findall(r"CREATE TABLE IF NOT EXISTS (\w+)", schema)) - {"meta"}
    async with store.session() as tx:
        rows = {table: await tx.fetch(f"SELECT * FROM {table}") for table in tables}
    return {table: sorted(row.whole_row() for row in found) for table, found in rows.items()}


def rows_in(place: Place, query: str, *values: object) -> list[tuple[Any, ...]]:
    """What a query finds in a state, or the rows that a statement changed and returns; it is committed."""
    if isinstance(place, str):
        with psycopg.connect(place) as server:
            answered = server.execute(query.replace("?", "%s").encode(), values or None)
            return answered.fetchall() if answered.description else []
    with closing(sqlite3.connect(place / "router.db")) as file, file:
        return file.execute(query, values).fetchall()
