"""The states that were frozen: where they lie, what is written in them, and a store that holds one of them."""

from __future__ import annotations

import base64
import json
import shutil
import zlib
from collections.abc import Mapping, Sequence
from functools import cache, cached_property
from pathlib import Path
from typing import Any

from router.store.azure import Account, Address, AzureStore
from router.store.azure.store import CONTAINER, TABLES
from router.store.azure.tables import Step, Table
from router.store.sqlite import SqliteStore
from tests.builders import NOW

HERE = Path(__file__).parent
COMMITS = ("930b370", "b6224d0")

type Json = Any


class Frozen:
    """What one commit left, as its rows say.

    Attributes:
        directory: where it lies.
    """

    def __init__(self, commit: str) -> None:
        self.directory = HERE / commit

    @cache  # noqa: B019  There are two of them, for as long as the tests run.
    def rows(self, name: str) -> Sequence[Mapping[str, Json]]:
        """The entities of a table, or the messages of the queues, or the blobs; none of a table that it did not know."""
        file = self.directory / "azure" / f"{name}.json"
        found: Sequence[Mapping[str, Json]] = json.loads(file.read_bytes()) if file.exists() else []
        return found

    @cached_property
    def contents(self) -> Mapping[tuple[str, int], Json]:
        """What each delivery tells, as it is written, by its key and turn."""
        rows = (row for row in self.rows("deliveries") if "content" in row)
        return {(row["key"], int(row["RowKey"][-6:])): self.body(row["content"]) for row in rows}

    @cached_property
    def receipts(self) -> Mapping[tuple[str, str, int], Json]:
        """What each delivery that was sent brought back, as it is written, by destination, key and turn."""
        rows = (row for row in self.rows("deliveries") if row.get("receipt"))
        return {
            (row["PartitionKey"].split(".")[1], row["key"], int(row["RowKey"][-6:])): self.body(row["receipt"])
            for row in rows
        }

    @cached_property
    def intents(self) -> Mapping[str, Json]:
        """The intents of rows, as they are written, by the keys of their signals."""
        return {row["RowKey"]: self.body(row["intent"]) for row in self.rows("ledger") if row["unfinished"]}

    @cached_property
    def stored_groups(self) -> Mapping[tuple[str, str], Json]:
        """Boards and cards, as they are written, by destination and row key."""
        return {
            (row["PartitionKey"].split(".")[1], row["RowKey"]): self.body(row["body"]) for row in self.rows("groups")
        }

    def body(self, column: Json) -> Json:
        """The JSON that a column holds, or the blob that it names."""
        if isinstance(column, str):
            (column,) = (blob["body"] for blob in self.rows("blobs") if blob["blob"] == column)
        try:
            return json.loads(column["zlib"])
        except json.JSONDecodeError:
            return None


@cache
def frozen(commit: str) -> Frozen:
    """What a commit left."""
    return Frozen(commit)


def open_sqlite(commit: str, scratch: Path) -> SqliteStore:
    """A store on a copy of the directory that a commit left."""
    copy = scratch / "state"
    shutil.copytree(frozen(commit).directory / "sqlite", copy)
    return SqliteStore(copy, lambda: NOW)


async def open_azure(commit: str, address: Address) -> AzureStore:
    """A store on an account that holds what a commit left."""
    state, account = frozen(commit), Account(address)
    store = AzureStore(account, clock=lambda: NOW)
    await store.prepare()
    for name in TABLES:
        rows = [{column: _stored(value) for column, value in row.items()} for row in state.rows(name)]
        table = Table(account.tables.get_table_client(name))
        assert None not in await table.write([(Step("create", row),) for row in rows])
    for one in state.rows("queues"):
        await account.queues.get_queue_client(one["queue"]).send_message(one["message"], time_to_live=-1)
    for one in state.rows("blobs"):
        await account.blobs.get_container_client(CONTAINER).upload_blob(one["blob"], _stored(one["body"]))
    return store


def _stored(value: Json) -> Json:
    if not isinstance(value, dict):
        return value
    return zlib.compress(value["zlib"].encode()) if "zlib" in value else base64.b64decode(value["base64"])
