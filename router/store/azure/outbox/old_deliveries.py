"""Deliveries as retention meets them: those of some signals, and how they go. What is changed meanwhile stays."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime

from router.domain.deliveries import DeliveryState
from router.domain.ledger import RECORD
from router.store.azure.outbox.deliveries import TOLD, Deliveries
from router.store.azure.outbox.entry_rows import COLUMNS, AzureEntry
from router.store.azure.outbox.locations import Location, RowKind, Shard, span_of
from router.store.azure.outbox.reached import Reached
from router.store.azure.outbox.registry import Registry
from router.store.azure.shards import named, shard_of, sorting
from router.store.azure.tables import Entity, RowPage, Step, Table

type ByDestination = Mapping[str, Sequence[AzureEntry]]
"""The deliveries of one signal or group, by destination."""

type Destination = tuple[str, str]
"""A stream and the name of a destination."""

_LOOKED_AT = ("PartitionKey", "RowKey", "key", "state", "settled")
_STATES = frozenset(DeliveryState)
_OVER = (DeliveryState.SENT.value, DeliveryState.SKIPPED.value)


class OldDeliveries:
    """Finds deliveries by their signal, and takes them away; raises StoreError."""

    def __init__(self, table: Table, deliveries: Deliveries, registry: Registry, reached: Reached) -> None:
        self._table = table
        self._deliveries = deliveries
        self._registry = registry
        self._reached = reached

    async def destinations(self) -> list[Destination]:
        """Every destination that was ever owed anything."""
        return [(one.stream, one.destination) for one in await self._registry.all()]

    async def of_signal(self, key: str, destinations: Iterable[Destination]) -> ByDestination:
        """The deliveries of a signal or group to some destinations."""
        shards = [Shard(*one, shard_of(key)) for one in destinations]
        found = await asyncio.gather(*(self._deliveries.all_of(shard, named(key), COLUMNS) for shard in shards))
        return {shard.destination: some for shard, some in zip(shards, found, strict=True) if some}

    async def of_record(self, keys: Iterable[str], stream: str) -> list[AzureEntry]:
        """What the record's second home was owed for some decisions, by the keys of those deliveries."""
        locations = [Location(Shard(stream, RECORD, shard_of(key)), named(key), 1) for key in keys]
        return await self._deliveries.find_all(locations)

    async def forget(self, entries: Sequence[AzureEntry]) -> int:
        """Takes deliveries away; returns how many. Their blobs, which no row names then, go with those of dead writers."""
        if not entries:
            return 0
        # An older program did not say who took a delivery, and what says so goes now.
        sent = (one.location.shard for one in entries if one.state is DeliveryState.SENT)
        await self._reached.note({(shard.stream, shard.destination) for shard in sent})
        written = await self._table.write([_deletion(one) for one in entries])
        return len(written) - written.count(None)

    async def forget_payloads(self, entries: Iterable[AzureEntry]) -> None:
        """Takes away what deliveries told; their receipts stay."""
        rows = [dict(zip(("PartitionKey", "RowKey"), one.location.key, strict=True)) for one in entries]
        await self._table.write([(Step("merge", {**row, "content": b""}),) for row in rows])

    async def page(self, after: Mapping[str, str] | None, most: int) -> RowPage:
        """A page of the rows of deliveries, wherever they lie."""
        low, high = span_of(RowKind.DELIVERY)
        return await self._table.page(f"RowKey ge '{low}' and RowKey lt '{high}'", after, most, _LOOKED_AT)

    async def over_in(self, rows: Iterable[Entity], settled_until: datetime) -> dict[str, set[Destination]]:
        """The keys and destinations of what was sent or skipped until an instant; what is damaged is seen to."""
        found: dict[str, set[Destination]] = {}
        for row in rows:
            stream, destination, number = str(row["PartitionKey"]).rsplit(".", 2)
            if _is_odd(row):
                await self._deliveries.see_to(Shard(stream, destination, int(number)), row)
            elif row["state"] in _OVER and row["settled"] <= sorting(settled_until):
                found.setdefault(row["key"], set()).add((stream, destination))
        return found

    async def owner(self, key: str) -> Entity | None:
        """The row of which a blob's name has the keys, as far as it names blobs."""
        partition, _, row = key.rpartition("/")
        return await self._table.find(partition, row, TOLD)


def _deletion(entry: AzureEntry) -> tuple[Step, ...]:
    partition, key = entry.location.key
    row = {"PartitionKey": partition, "RowKey": key}
    gone = Step("delete", row, entry.version)
    if entry.reference is None:
        return (gone,)
    return gone, Step("delete", {"PartitionKey": partition, "RowKey": entry.location.row_by(entry.reference)})


def _is_odd(row: Entity) -> bool:
    """Whether columns by which retention goes are damaged."""
    is_text = isinstance(row.get("key"), str) and isinstance(row.get("settled"), str)
    return not is_text or row.get("state") not in _STATES
