"""How far deliveries have come, as people ask for it."""

from __future__ import annotations

import asyncio
from collections.abc import Collection, Iterable, Sequence
from dataclasses import replace

from router.domain.deliveries import DeliveryState, DeliveryStatus
from router.domain.delivery_lifecycle import status_of
from router.domain.errors import Undecodable
from router.domain.histories import History, last_taken, owed_since
from router.domain.notices import Notice
from router.store.azure.outbox.deliveries import Deliveries
from router.store.azure.outbox.entry_rows import COLUMNS, AzureEntry
from router.store.azure.outbox.locations import Shard, referred, span_of_reference
from router.store.azure.outbox.registry import Registry
from router.store.azure.shards import named, shard_of
from router.store.azure.tables import Table
from router.store.codec import attempt, attempted
from router.store.row_reader import Columns

_WITHOUT_CONTENT = (*COLUMNS, "key", "receipt")
"""The columns of a delivery without what it tells."""


class Statuses:
    """Deliveries by their signal, or by what a vendor calls what it made of them; raises StoreError."""

    def __init__(self, table: Table, deliveries: Deliveries, registry: Registry) -> None:
        self._table = table
        self._deliveries = deliveries
        self._registry = registry

    async def of_key(self, key: str) -> Sequence[DeliveryStatus]:
        """Those of a signal or group, by destination and turn."""
        shards = [Shard(one.stream, one.destination, shard_of(key)) for one in await self._registry.all()]
        found = await asyncio.gather(*(self._deliveries.all_of(shard, named(key)) for shard in shards))
        return await self._statuses(entry for some in found for entry in some)

    async def of_reference(self, reference: str) -> Sequence[DeliveryStatus]:
        """Those whose receipt has that reference."""
        if not reference:
            return []
        shards = [shard for one in await self._registry.all() for shard in one.shards]
        found = await asyncio.gather(*(self._referred(shard, reference) for shard in shards))
        statuses = await self._statuses(entry for some in found for entry in some)
        return [one for one in statuses if one.receipt is not None and one.receipt.reference == reference]

    async def _referred(self, shard: Shard, reference: str) -> list[AzureEntry]:
        rows = self._table.rows(shard.partition, *span_of_reference(reference), select=("RowKey",))
        locations = [attempt(referred, shard, row["RowKey"]) async for row in rows]
        found = [await self._deliveries.whole(one) for one in locations if not isinstance(one, Undecodable)]
        return [replace(entry, row=row) for entry, row in filter(None, found)]

    async def last_notice(self, stream: str, destination: str, key: str) -> Notice | None:
        """The notice that a destination last took of a signal or group."""
        entries = await self._all_at(stream, destination, key)
        sent = [one for one in entries if one.state is DeliveryState.SENT]
        return await self._notice(sent[-1]) if sent else None

    async def at_destination(self, stream: str, destination: str, key: str) -> Sequence[DeliveryStatus]:
        """Those of a signal or group at one destination, by turn; one request."""
        return await self._statuses(await self._all_at(stream, destination, key, _WITHOUT_CONTENT))

    async def history(self, stream: str, destination: str, key: str, opened: int) -> History:
        """What a destination was told of a signal or group since the turn that opened it there; one request."""
        entries = await self._all_at(stream, destination, key)
        statuses = await self._statuses(entries)
        last = last_taken(statuses, opened)
        rows = {one.turn: one for one in entries}
        notice = await self._notice(rows[last.turn]) if last is not None else None
        handles = last.receipt.handles if last is not None and last.receipt is not None else {}
        return History(last=notice, handles=handles, opened=owed_since(statuses, opened))

    async def _all_at(
        self, stream: str, destination: str, key: str, select: Collection[str] | None = None
    ) -> list[AzureEntry]:
        return await self._deliveries.all_of(Shard(stream, destination, shard_of(key)), named(key), select)

    async def _notice(self, entry: AzureEntry) -> Notice | None:
        """The notice of one delivery, as far as it can be decoded."""
        if entry.row is None:
            return None
        delivery = await attempted(self._deliveries.delivery(entry, entry.row))
        content = delivery.content if not isinstance(delivery, Undecodable) else None
        return content if isinstance(content, Notice) else None

    async def _statuses(self, entries: Iterable[AzureEntry]) -> list[DeliveryStatus]:
        read = await asyncio.gather(*(self._status(one) for one in entries))
        return sorted((one for one in read if one is not None), key=lambda one: (one.destination, one.turn))

    async def _status(self, entry: AzureEntry) -> DeliveryStatus | None:
        if entry.row is None or isinstance(key := attempt(Columns(entry.row).text, "key"), Undecodable):
            return None
        shard = entry.location.shard
        return status_of(
            entry,
            stream=shard.stream,
            destination=shard.destination,
            key=key,
            receipt=await self._deliveries.receipt_in(entry.row),
        )
