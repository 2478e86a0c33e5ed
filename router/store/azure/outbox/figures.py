"""Figures on what is owed, sent and dead."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Mapping

from router.domain.deliveries import Backlog, DeliveryState, NextDue
from router.domain.turn_order import next_due_of
from router.store.azure.outbox.deliveries import Deliveries
from router.store.azure.outbox.locations import Location, RowKind, Shard
from router.store.azure.outbox.registry import Known, Registry


class Figures:
    """Counts deliveries; raises StoreError."""

    def __init__(self, deliveries: Deliveries, registry: Registry) -> None:
        self._deliveries = deliveries
        self._registry = registry

    async def counts(self, stream: str) -> Mapping[tuple[str, DeliveryState], int]:
        """How many deliveries there are by destination and state. Walks everything that is kept of the stream."""
        shards = [shard for known in await self._registry.all(stream) for shard in known.shards]
        found = await asyncio.gather(*(self._deliveries.count(shard) for shard in shards))
        total: Counter[tuple[str, DeliveryState]] = Counter()
        for shard, counted in zip(shards, found, strict=True):
            total.update({(shard.destination, state): count for state, count in counted.items()})
        return dict(total)

    async def next_due(self, stream: str) -> Mapping[str, NextDue]:
        """When each destination that is owed something is next due. Walks everything that is open in the stream."""
        known = await self._registry.all(stream)
        found = await asyncio.gather(*(self._next_due_at(one) for one in known))
        return {one.destination: next for one, next in zip(known, found, strict=True) if next is not None}

    async def _next_due_at(self, known: Known) -> NextDue | None:
        waiting = [one for some in await asyncio.gather(*map(self._deliveries.waiting, known.shards)) for one in some]
        first = next_due_of(waiting)
        if first is None or not isinstance(first.location, Location):
            return None
        entry = await self._deliveries.find(first.location)
        return NextDue(first.due, entry.error if entry is not None else None, len(waiting))

    async def backlog(self, stream: str) -> Mapping[str, Backlog]:
        """What is open and what is dead by destination, for every destination that was ever owed anything."""
        known = await self._registry.all(stream)
        found = await asyncio.gather(*map(self._backlog_at, known))
        return {one.destination: backlog for one, backlog in zip(known, found, strict=True)}

    async def _backlog_at(self, known: Known) -> Backlog:
        born = await asyncio.gather(*map(self._deliveries.first_born, known.shards))
        dead = await asyncio.gather(*map(self._dead_in, known.shards))
        return Backlog(known.lane, min((one for one in born if one is not None), default=None), sum(dead))

    async def _dead_in(self, shard: Shard) -> int:
        return len([location async for location in self._deliveries.index(shard, RowKind.DEAD)])
