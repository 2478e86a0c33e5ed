"""Dead letters: listed, redriven and discarded. An id says nothing of where its delivery lies, so it is looked for."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Sequence
from datetime import datetime

from router.domain.deliveries import DamagedLetter, DeadLetter, DeliveryState, Redrive
from router.domain.errors import StoreError
from router.store.azure.outbox.claims import TRIES
from router.store.azure.outbox.deliveries import Deliveries, Move
from router.store.azure.outbox.places import Kind, Place, Shard
from router.store.azure.outbox.pointers import Pointers
from router.store.azure.outbox.registry import Registry
from router.store.azure.outbox.stages import Stage
from router.store.azure.outbox.turns import discarded, ends_after, is_overtaken, owed_again, skipped
from router.store.azure.shards import EPOCH
from router.store.azure.tables import quoted

_AT_A_TIME = 200
"""Dead letters that are fetched together."""


class DeadLetters:
    """What was given up on; raises StoreError."""

    def __init__(self, deliveries: Deliveries, registry: Registry, pointers: Pointers) -> None:
        self._deliveries = deliveries
        self._registry = registry
        self._pointers = pointers
        self._seen: dict[str, Place] = {}

    async def all(self) -> Sequence[DeadLetter | DamagedLetter]:
        """The dead letters, oldest first; of those that cannot be decoded what is left of them."""
        places = await self._places()
        letters: list[DeadLetter | DamagedLetter] = []
        for start in range(0, len(places), _AT_A_TIME):
            found = await asyncio.gather(*map(self._letter, places[start : start + _AT_A_TIME]))
            letters += [letter for letter in found if letter is not None]
        return sorted(letters, key=lambda letter: (letter.died or EPOCH, _id_of(letter)))

    async def _letter(self, place: Place) -> DeadLetter | DamagedLetter | None:
        letter = await self._deliveries.letter(place)
        if letter is not None:
            self._seen[_id_of(letter)] = place
        return letter

    async def _is_damaged(self, id: str) -> bool:
        """Whether a dead letter of that id was seen that cannot be decoded."""
        place = self._seen.get(id)
        return place is not None and isinstance(await self._deliveries.letter(place), DamagedLetter)

    async def redrive(self, id: str, now: datetime) -> Redrive:
        """Owes a dead letter again, and the resolution that came after it; one that a later notice overtook is let go.

        A resolution that is being sent is owed again too, whatever comes of that. One that cannot be decoded stays.
        """
        if await self._is_damaged(id):
            return Redrive.DAMAGED
        for _ in range(TRIES):
            letter = await self._find(id)
            if letter is None:
                return Redrive.UNKNOWN
            if isinstance(await self._letter(letter.place), DamagedLetter):
                return Redrive.DAMAGED
            signal = await self._deliveries.history(letter.place)
            if is_overtaken(letter, signal):
                if await self._deliveries.move_together([Move(letter, skipped(letter, now))]):
                    return Redrive.OVERTAKEN
                continue
            again = [letter, *ends_after(letter, signal)]
            if await self._deliveries.move_together([Move(one, owed_again(one, now)) for one in again]):
                await self._pointers.point([owed_again(letter, now)], now)
                return Redrive.OWED
        raise StoreError(f"storage, deliveries: {id} changes under everybody's eyes")

    async def discard(self, id: str, now: datetime) -> bool:
        """Takes a dead letter off the list for good; False if there is none."""
        if await self._is_damaged(id):
            return await self._deliveries.discard_damaged(self._seen[id], now)
        letter = await self._find(id)
        return letter is not None and await self._deliveries.move_together([Move(letter, discarded(letter, now))])

    async def _find(self, id: str) -> Stage | None:
        """The dead letter of that id: where it was seen last, else wherever it lies."""
        places = [self._seen[id]] if id in self._seen else []
        for place in places or await self._places(f"id eq '{quoted(id)}'"):
            stage = await self._deliveries.find(place)
            if stage is not None and stage.id == id and stage.state is DeliveryState.DEAD:
                return stage
        if places:
            del self._seen[id]
            return await self._find(id)
        return None

    async def _places(self, where: str | None = None) -> list[Place]:
        shards = [shard for known in await self._registry.all() for shard in known.shards]
        found = await asyncio.gather(*(self._dead_in(shard, where) for shard in shards))
        return [place for some in found for place in some]

    async def _dead_in(self, shard: Shard, where: str | None) -> Iterable[Place]:
        return [place async for _, place in self._deliveries.index(shard, Kind.DEAD, where=where)]


def _id_of(letter: DeadLetter | DamagedLetter) -> str:
    return letter.delivery.id if isinstance(letter, DeadLetter) else letter.id
