"""How large a state is, by table: a file by its pages, an account by a walk over everything in it."""

from __future__ import annotations

import sqlite3
from collections import Counter
from collections.abc import Mapping
from contextlib import closing
from datetime import datetime
from pathlib import Path
from typing import Any, NamedTuple

from router.store.azure import Account, Address

KINDS = ("lookups",)
"""Tables whose rows are of several kinds, which the first letter of their keys says."""


class Size(NamedTuple):
    """How many rows a table has, and how many bytes they and their indexes take."""

    rows: int
    bytes: int


type Sizes = Mapping[str, Size]
"""By table."""


def of_file(directory: Path) -> Sizes:
    """Of a state in a file; without dbstat, which not every SQLite has, the bytes are those of the whole file."""
    with closing(sqlite3.connect(f"file:{directory / 'router.db'}?mode=ro", uri=True)) as db:
        tables = [name for (name,) in db.execute("SELECT name FROM sqlite_schema WHERE type='table'")]
        rows = {name: db.execute(f"SELECT count(*) FROM {name}").fetchone()[0] for name in tables}  # noqa: S608
        try:
            taken = dict(
                db.execute(
                    "SELECT s.tbl_name, sum(d.pgsize) FROM dbstat d JOIN sqlite_schema s ON s.name=d.name "
                    "WHERE d.aggregate=1 GROUP BY s.tbl_name"
                )
            )
        except sqlite3.OperationalError:
            taken = {}
        pages = db.execute("SELECT page_count * page_size FROM pragma_page_count, pragma_page_size").fetchone()[0]
    sizes = {name: Size(rows[name], taken.get(name, 0)) for name in tables if rows[name]}
    return sizes | {"(the rest of the file)": Size(0, pages - sum(size.bytes for size in sizes.values()))}


async def of_account(storage: str) -> Sizes:
    """Of a state in an account, given its connection string."""
    account = Account(Address(storage))
    rows, taken = Counter[str](), Counter[str]()
    async for table in account.tables.list_tables():
        async for entity in account.tables.get_table_client(table.name).list_entities(results_per_page=1000):
            name = f"{table.name} {entity['RowKey'][0]}:" if table.name in KINDS else table.name
            rows[name] += 1
            taken[name] += _bytes_of(entity)
    async for container in account.blobs.list_containers():
        async for blob in account.blobs.get_container_client(container.name).list_blobs():
            rows[f"blobs in {container.name}"] += 1
            taken[f"blobs in {container.name}"] += blob.size
    await account.close()
    return {name: Size(count, taken[name]) for name, count in rows.items()}


def _bytes_of(entity: Mapping[str, Any]) -> int:
    """Bytes of an entity as the service reckons them: 4, its keys, and of each property 8, its name and its value.

    https://learn.microsoft.com/archive/blogs/avkashchauhan/how-the-size-of-an-entity-is-caclulated-in-windows-azure-table-storage
    """
    keys = 2 * (len(entity["PartitionKey"]) + len(entity["RowKey"]))
    others = {name: value for name, value in entity.items() if name not in {"PartitionKey", "RowKey"}}
    return 4 + keys + sum(8 + 2 * len(name) + _bytes_of_value(value) for name, value in others.items())


def _bytes_of_value(value: object) -> int:
    match value:
        case bool():
            return 1
        case int():
            return 4
        case str():
            return 4 + 2 * len(value)
        case bytes():
            return 4 + len(value)
        case float() | datetime():
            return 8
        case _:
            return 8
