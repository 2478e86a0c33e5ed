"""Dead letters where they lie. An id says nothing of where its delivery lies, so it is looked for."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Sequence
from datetime import datetime

from router.domain.damage import DamagedLetter
from router.domain.deliveries import DeadLetter
from router.store.azure.outbox.deliveries import Deliveries
from router.store.azure.outbox.entry_rows import AzureEntry
from router.store.azure.outbox.locations import Location, RowKind, Shard
from router.store.azure.outbox.registry import Registry
from router.store.azure.shards import EPOCH
from router.store.azure.tables import quoted

_AT_A_TIME = 200
"""Dead letters that are fetched together."""


class Letters:
    """Finds what was given up on; raises StoreError."""

    def __init__(self, deliveries: Deliveries, registry: Registry) -> None:
        self._deliveries = deliveries
        self._registry = registry
        self._seen: dict[str, Location] = {}

    async def all(self) -> Sequence[DeadLetter | DamagedLetter]:
        """The dead letters, oldest first; of those that cannot be decoded what is left of them."""
        locations = await self._locations()
        letters: list[DeadLetter | DamagedLetter] = []
        for start in range(0, len(locations), _AT_A_TIME):
            found = await asyncio.gather(*map(self._letter, locations[start : start + _AT_A_TIME]))
            letters += [letter for letter in found if letter is not None]
        return sorted(letters, key=lambda letter: (letter.died or EPOCH, _id_of(letter)))

    async def find(self, id: str) -> AzureEntry | DamagedLetter | None:
        """The dead letter of that id: where it was seen last, else wherever it lies."""
        if id in self._seen and isinstance(letter := await self._letter(self._seen[id]), DamagedLetter):
            return letter
        entry = await self._find(id)
        if entry is None:
            return None
        letter = await self._letter(entry.location)
        return letter if isinstance(letter, DamagedLetter) else entry

    async def discard_damaged(self, id: str, now: datetime) -> bool:
        """Takes a dead letter off the list that cannot be decoded; False if there is none."""
        return id in self._seen and await self._deliveries.discard_damaged(self._seen[id], now)

    async def _letter(self, location: Location) -> DeadLetter | DamagedLetter | None:
        letter = await self._deliveries.letter(location)
        if letter is not None:
            self._seen[_id_of(letter)] = location
        return letter

    async def _find(self, id: str) -> AzureEntry | None:
        locations = [self._seen[id]] if id in self._seen else []
        for location in locations or await self._locations(f"id eq '{quoted(id)}'"):
            entry = await self._deliveries.find(location)
            if entry is not None and entry.id == id and entry.is_dead:
                return entry
        if locations:
            del self._seen[id]
            return await self._find(id)
        return None

    async def _locations(self, where: str | None = None) -> list[Location]:
        shards = [shard for known in await self._registry.all() for shard in known.shards]
        found = await asyncio.gather(*(self._dead_in(shard, where) for shard in shards))
        return [location for some in found for location in some]

    async def _dead_in(self, shard: Shard, where: str | None) -> Iterable[Location]:
        return [location async for _, location in self._deliveries.index(shard, RowKind.DEAD, where=where)]


def _id_of(letter: DeadLetter | DamagedLetter) -> str:
    return letter.delivery.id if isinstance(letter, DeadLetter) else letter.id
