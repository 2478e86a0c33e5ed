"""What need not be kept of deliveries any longer."""

from __future__ import annotations

import asyncio
from collections import defaultdict
from collections.abc import AsyncIterator, Awaitable, Callable, Collection, Iterable, Mapping, Sequence
from datetime import datetime
from itertools import batched

from router.domain.damage import Past
from router.domain.deliveries import DeliveryState
from router.store.azure.bodies import Bodies
from router.store.azure.outbox.deliveries import BLOBS, TOLD, Deliveries
from router.store.azure.outbox.locations import RowKind, Shard, span_of, span_of_signal
from router.store.azure.outbox.reached import Reached
from router.store.azure.outbox.registry import Registry
from router.store.azure.shards import SHARDS, named, shard_of, sorting
from router.store.azure.tables import Entity, Step, Table, version_of

type Standing = Callable[[Collection[str]], Awaitable[Collection[str]]]
"""Which of some signals, by their keys, still stand."""

_AT_A_TIME = 200
"""Signals that are asked about together."""

_LOOKED_AT = ("PartitionKey", "RowKey", "key", "state", "settled")

_STATES = frozenset(DeliveryState)

_OVER = (DeliveryState.SENT.value, DeliveryState.SKIPPED.value)


class Outdated:
    """Deliveries that were sent or skipped long ago; raises StoreError."""

    def __init__(
        self, table: Table, bodies: Bodies, registry: Registry, deliveries: Deliveries, reached: Reached
    ) -> None:
        self._table = table
        self._deliveries = deliveries
        self._bodies = bodies
        self._registry = registry
        self._reached = reached

    async def purge(self, settled_before: datetime, standing: Standing) -> int:
        """Takes away what was sent or skipped until an instant, and its blobs; returns how many deliveries.

        Signals that stand, or of which anything is open or dead at any destination, keep all of theirs. Walks everything.
        """
        known = await self._registry.all()
        gone = 0
        for number in range(SHARDS):
            # A signal lies in the shard of that number at every destination.
            shards = [Shard(one.stream, one.destination, number) for one in known]
            gone += await self._purge(shards, sorting(settled_before), standing)
        await self._bodies.tidy(BLOBS, settled_before, self._owner)
        return gone

    async def _purge(self, shards: Sequence[Shard], settled_before: str, standing: Standing) -> int:
        needed: set[str] = set()
        old: dict[str, list[Step]] = defaultdict(list)
        sent: set[tuple[str, str]] = set()
        async for row in self._rows(shards):
            stream, destination, number = row["PartitionKey"].rsplit(".", 2)
            if _is_odd(row):
                await self._deliveries.see_to(Shard(stream, destination, int(number)), row)
                needed.add(str(row.get("key")))
            elif row["state"] not in _OVER:
                needed.add(row["key"])
            elif row["settled"] <= settled_before:
                location = {"PartitionKey": row["PartitionKey"], "RowKey": row["RowKey"]}
                old[row["key"]].append(Step("delete", location, version_of(row)))
                if row["state"] == DeliveryState.SENT:
                    sent.add((stream, destination))
        # An older program did not say who took a delivery, and what says so may go now.
        await self._reached.note(sent)
        gone = 0
        for keys in batched(old.keys() - needed, _AT_A_TIME, strict=False):
            over = set(keys).difference(await standing(keys))
            deleted = await self._table.write([(step,) for key in over for step in old[key]])
            gone += len(deleted) - deleted.count(None)
        return gone

    async def _rows(self, shards: Iterable[Shard]) -> AsyncIterator[Entity]:
        for shard in shards:
            rows = self._table.rows(shard.partition, *span_of(RowKind.DELIVERY), select=_LOOKED_AT)
            async for row in rows:
                yield row

    async def _owner(self, key: str) -> Entity | None:
        partition, _, row = key.rpartition("/")
        return await self._table.find(partition, row, TOLD)

    async def past(self, keys: Collection[str]) -> Mapping[str, Sequence[Past]]:
        """The deliveries that were ever owed for some keys and are kept, by key."""
        known = await self._registry.all()
        found: dict[str, list[Past]] = {}
        for key in keys:
            shards = [Shard(one.stream, one.destination, shard_of(key)) for one in known]
            past = await asyncio.gather(*(self._deliveries.past(shard, named(key)) for shard in shards))
            found[key] = [one for some in past for one in some]
        return found

    async def has_any(self, keys: Collection[str]) -> Collection[str]:
        """Those of some signals of which deliveries are kept for any destination."""
        known = await self._registry.all()
        found: set[str] = set()
        for some in batched(keys, _AT_A_TIME, strict=False):
            locations = [(key, Shard(one.stream, one.destination, shard_of(key))) for key in some for one in known]
            rows = await asyncio.gather(
                *(
                    self._table.first(shard.partition, *span_of_signal(named(key)), select=("RowKey",))
                    for key, shard in locations
                )
            )
            found |= {key for (key, _), row in zip(locations, rows, strict=True) if row is not None}
        return found


def _is_odd(row: Entity) -> bool:
    """Whether columns by which retention goes are damaged."""
    is_text = isinstance(row.get("key"), str) and isinstance(row.get("settled"), str)
    return not is_text or row.get("state") not in _STATES
