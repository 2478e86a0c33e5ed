"""What runs on a clock: pointing at what is due and nobody points at."""

from __future__ import annotations

import asyncio
from collections.abc import Collection
from contextlib import aclosing
from datetime import datetime, timedelta

from router.domain.lane_limits import LEASE
from router.domain.pauses import is_probe_due
from router.domain.rulebook import Lane
from router.domain.turn_order import Waiting, first_turns
from router.store.azure.outbox.deliveries import Deliveries
from router.store.azure.outbox.locations import Location, Shard, text_to, text_to_all
from router.store.azure.outbox.pauses import Pauses
from router.store.azure.outbox.pointers import LANES, Pointers
from router.store.azure.outbox.registry import Registry

GRACE = timedelta(seconds=30)
"""How long after a delivery fell due its own pointer is waited for."""

FULL = 2_000
"""Pointers of which a queue has enough: those are to be seen to first."""

_MOST_LOOKED_AT = 1_000
_MOST_POINTED_AT = 250
"""Deliveries of one shard that are looked at, and pointed at, in one go."""


class Sweeping:
    """Sweeps the deliveries of all destinations; raises StoreError. A queue with `full` pointers gets no further ones."""

    def __init__(
        self, deliveries: Deliveries, registry: Registry, pointers: Pointers, pauses: Pauses, full: int = FULL
    ) -> None:
        self._deliveries = deliveries
        self._registry = registry
        self._pointers = pointers
        self._pauses = pauses
        self._full = full

    async def repoint(self, stream: str, now: datetime, unready: Collection[str] = ()) -> int:
        """Points again at what is due and nobody claims, and at what poison queues hold; returns how many pointers.

        Pointers to what is owed at a destination that is not ready are let go.
        """
        counts = await asyncio.gather(*(self._repoint(stream, lane, now, unready) for lane in LANES[stream]))
        return sum(counts)

    async def _repoint(self, stream: str, lane: Lane, now: datetime, unready: Collection[str]) -> int:
        rescued = await self._pointers.rescue(stream, lane)
        queue = self._pointers.queue(stream, lane)
        if await queue.length() >= self._full:
            return rescued
        # Either kind of pointer leads to whatever lies there, also to what is left of another lane.
        known = [one for one in await self._registry.all(stream) if one.lane is lane]
        pauses = (await self._pauses.all(stream)).values()
        paused = [pause.destination for pause in pauses if not is_probe_due(pause, now - GRACE)]
        # What a paused destination is owed is pointed at when its probe is due: until then pointers there are let go.
        left = {*paused, *unready}
        shards = [shard for one in known if one.destination not in left for shard in one.shards]
        texts = await asyncio.gather(*(self._neglected(shard, lane, now) for shard in shards))
        return rescued + await self._pointers.send(stream, lane, [text for some in texts for text in some])

    async def _neglected(self, shard: Shard, lane: Lane, now: datetime) -> list[str]:
        """The pointers to what has been due in a shard for a while: to the first turn of each signal, or to the shard."""
        waiting: list[Waiting] = []
        async with aclosing(self._deliveries.due([shard], now - GRACE, now, max(LEASE.values()))) as due:
            async for location in due:
                if lane is Lane.ROWS:
                    if await self._deliveries.is_rightly_indexed(location):
                        return [text_to_all(shard)]
                    continue
                waiting.append(Waiting(location.signal, location.turn, now, location))
                if len(waiting) == _MOST_LOOKED_AT:
                    break
        locations = [one.location for one in first_turns(waiting) if isinstance(one.location, Location)][
            :_MOST_POINTED_AT
        ]
        # One that is indexed and done would hide the later turns of its signal.
        right = await asyncio.gather(*map(self._deliveries.is_rightly_indexed, locations))
        return [text_to(location) for location, is_right in zip(locations, right, strict=True) if is_right]
