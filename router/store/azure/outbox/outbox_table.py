"""The table and the queues of the account as the outbox asks for them."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Collection, Sequence
from contextlib import AbstractContextManager, aclosing, nullcontext
from datetime import datetime, timedelta
from itertools import batched

from router.domain.clocks import latest
from router.domain.damage import DamagedLetter
from router.domain.deliveries import Claim, DeadLetter, Delivery, Pointer
from router.domain.errors import StoreError, Undecodable
from router.domain.lane_limits import LONGEST_WAIT
from router.domain.rulebook import Lane
from router.store.azure.outbox.dead_letter_lookup import Letters
from router.store.azure.outbox.deliveries import Deliveries, EntryMove
from router.store.azure.outbox.entry_rows import AzureEntry, entry_for
from router.store.azure.outbox.locations import Location, RowKind, Shard, location_at, location_of, shards_of
from router.store.azure.outbox.pointers import Pointers
from router.store.azure.outbox.reached import Reached
from router.store.azure.outbox.registry import Registry
from router.store.codec import attempted
from router.store.outbox import SignalEntries

_TOGETHER = 30
"""Deliveries that are moved in one transaction: three rows each, of the hundred that it takes."""

_LEAST, _MOST = 8, 200
"""Signals that are looked at together."""

_AT_A_TIME = 500
"""Deliveries that are read together."""


class AzureOutboxTable:
    """Deliveries in their partitions, and pointers in their queues; raises StoreError."""

    def __init__(
        self, deliveries: Deliveries, pointers: Pointers, registry: Registry, letters: Letters, reached: Reached
    ) -> None:
        self._deliveries = deliveries
        self._pointers = pointers
        self._registry = registry
        self._letters = letters
        self._reached = reached

    def transaction(self) -> AbstractContextManager[object]:
        """Nothing: each move is kept by itself."""
        return nullcontext()

    async def add(self, deliveries: Sequence[Delivery], now: datetime) -> None:
        """Creates deliveries where there are none, and points at all of them."""
        # A transaction takes no row twice.
        unique = list({one.id: one for one in deliveries}.values())
        owed = [entry_for(one, now) for one in unique]
        await self._registry.note(unique, now)
        await self._deliveries.create(owed, unique)
        await self._pointers.point(owed, now)

    async def due(
        self, pointer: Pointer, now: datetime, lease: timedelta, limit: int
    ) -> AsyncGenerator[Sequence[SignalEntries[AzureEntry]]]:
        """The signal of the delivery that a pointer points at; or those that have something due in its shards."""
        match location_at(pointer):
            case Location() as location:
                yield [SignalEntries(await self._deliveries.signal(location), turn=location.turn)]
            case Shard() as shard:
                async for signals in self._due_in([shard], now, lease, limit):
                    yield signals
            case None:
                async for signals in self._due_in(shards_of(pointer.stream, pointer.destination), now, lease, limit):
                    yield signals

    async def _due_in(
        self, shards: Sequence[Shard], now: datetime, lease: timedelta, limit: int
    ) -> AsyncGenerator[Sequence[SignalEntries[AzureEntry]]]:
        most = min(max(limit, _LEAST), _MOST)
        seen: set[tuple[Shard, str]] = set()
        locations: list[Location] = []
        async with aclosing(self._deliveries.due(shards, now, now, lease)) as due:
            async for location in due:
                if (location.shard, location.signal) in seen:
                    continue
                seen.add((location.shard, location.signal))
                locations.append(location)
                if len(locations) == most:
                    yield await self._signals(locations)
                    locations = []
        if locations:
            yield await self._signals(locations)

    async def _signals(self, locations: Sequence[Location], turn: int | None = None) -> list[SignalEntries[AzureEntry]]:
        found = await asyncio.gather(*map(self._deliveries.signal, locations))
        return [SignalEntries(entries, turn=turn) for entries in found]

    async def signals_of(
        self, entries: Sequence[AzureEntry], turn: int | None = None
    ) -> Sequence[SignalEntries[AzureEntry]]:
        """The signals of some entries as they are now, each once."""
        locations = {(one.location.shard, one.location.signal): one.location for one in entries}
        signals: list[SignalEntries[AzureEntry]] = []
        for some in batched(locations.values(), _MOST, strict=False):
            signals += await self._signals(some, turn)
        return signals

    async def move(self, moves: Sequence[EntryMove]) -> Sequence[AzureEntry | None]:
        """Makes moves, each by itself; returns the entries as they are now, None for one that was not as before any more."""
        return await self._deliveries.move(moves) if moves else []

    async def move_together(self, moves: Sequence[EntryMove]) -> bool:
        """Makes moves of one signal, all or none; False where one was not as before any more."""
        return await self._deliveries.move_together(moves)

    async def move_in_order(self, signals: Sequence[Sequence[EntryMove]]) -> Sequence[bool]:
        """Makes the moves of some signals, in order, as many together as a transaction takes."""
        return await asyncio.gather(*map(self._move_in_order, signals))

    async def _move_in_order(self, moves: Sequence[EntryMove]) -> bool:
        for some in batched(moves, _TOGETHER, strict=False):
            if not await self._deliveries.move_together(some):
                return False
        return True

    async def claims(self, entries: Sequence[AzureEntry]) -> Sequence[Claim | Undecodable | StoreError]:
        """The claims that entries stand for, read whole."""
        return await asyncio.gather(*map(self._claim, entries))

    async def _claim(self, entry: AzureEntry) -> Claim | Undecodable | StoreError:
        if entry.row is None:
            return StoreError("storage, deliveries: a row was mended while it was claimed")
        try:
            delivery, opening = await asyncio.gather(
                self._deliveries.delivery(entry, entry.row), self._deliveries.opening_receipt(entry, entry.row)
            )
        except (StoreError, Undecodable) as fault:
            return fault
        return Claim(
            delivery=delivery,
            id=entry.claim,
            number=entry.attempts,
            born=entry.born,
            opening=opening,
            lost=entry.lost,
        )

    async def read(self, entries: Sequence[AzureEntry]) -> Sequence[Delivery | Undecodable]:
        """The deliveries of some entries; one that was forgotten meanwhile is none."""
        found = await asyncio.gather(*(self._deliveries.whole(one.location) for one in entries))
        return await asyncio.gather(*(attempted(self._deliveries.delivery(*one)) for one in found if one is not None))

    async def set_aside(self, entry: AzureEntry, why: Undecodable) -> None:
        """Keeps the row of a delivery whole that cannot be decoded."""
        await self._deliveries.set_aside(entry, why)

    async def find_all(self, deliveries: Sequence[Delivery]) -> Sequence[AzureEntry]:
        """The entries of those deliveries that are there."""
        return await self._deliveries.find_all(map(location_of, deliveries))

    async def history(self, entry: AzureEntry) -> Sequence[AzureEntry]:
        """Every entry of the same signal at the same destination."""
        return await self._deliveries.history(entry.location)

    async def note_delivered(self, takers: Collection[tuple[str, str]]) -> None:
        """Remembers who took a delivery, before anything says so that may be taken away again."""
        await self._reached.note(takers)

    async def point(self, entries: Sequence[AzureEntry], now: datetime) -> None:
        """Points at entries that are open, and at what waited for those that are closed."""
        again = [one for one in entries if one.is_open]
        next = await self._deliveries.after(one for one in entries if not one.is_open)
        await self._pointers.point([*again, *next], now)

    async def point_soon(self, entries: Sequence[AzureEntry]) -> None:
        """Points a little later at the shards of those that are in the rows lane: settling rows points at nothing."""
        shards = {one.location.shard for one in entries if one.lane is Lane.ROWS}
        await asyncio.gather(*map(self._pointers.point_soon, shards))

    async def dead(self) -> Sequence[DeadLetter | DamagedLetter]:
        """The dead letters, oldest first; of those that cannot be decoded what is left of them."""
        return await self._letters.all()

    async def find_letter(self, id: str, now: datetime) -> AzureEntry | DamagedLetter | None:
        """The dead letter of an id."""
        return await self._letters.find(id)

    async def discard_damaged(self, id: str, now: datetime) -> bool:
        """Takes a dead letter off the list that cannot be decoded; False if there is none."""
        return await self._letters.discard_damaged(id, now)

    async def open_since(
        self, stream: str, names: Collection[str], born_until: datetime, now: datetime, *, others: bool = False
    ) -> AsyncGenerator[Sequence[AzureEntry]]:
        """What has been owed since an instant or longer to destinations of those names, or to all others; some at a time."""
        if others:
            names = {one.destination for one in await self._registry.all(stream)} - set(names)
        shards = [shard for name in names for shard in shards_of(stream, name)]
        found = await asyncio.gather(*(self._listed(shard, RowKind.BORN, born_until) for shard in shards))
        for some in batched([location for locations in found for location in locations], _AT_A_TIME, strict=False):
            yield await self._deliveries.find_all(some)

    async def with_impossible_times(self, now: datetime) -> AsyncGenerator[Sequence[AzureEntry]]:
        """Those that were owed at an instant that is not possible, and those that are deferred for longer than any is.

        What a wrong clock deferred for less is due when a pointer comes to it, in the rows lane when its instant does.
        """
        known = await self._registry.all()
        shards = [(shard, latest(now, LONGEST_WAIT[one.lane])) for one in known for shard in one.shards]
        found = await asyncio.gather(
            *(self._listed(shard, RowKind.BORN, after=latest(now)) for shard, _ in shards),
            *(self._listed(shard, RowKind.DUE, after=due) for shard, due in shards),
        )
        locations = dict.fromkeys(location for some in found for location in some)
        for some_places in batched(locations, _AT_A_TIME, strict=False):
            yield [one for one in await self._deliveries.find_all(some_places) if one.is_open]

    async def died_after(self, instant: datetime) -> Sequence[AzureEntry]:
        """The dead letters that died after an instant."""
        shards = [shard for one in await self._registry.all() for shard in one.shards]
        found = await asyncio.gather(*(self._listed(shard, RowKind.DEAD, after=instant) for shard in shards))
        return await self._deliveries.find_all(location for some in found for location in some)

    async def _listed(
        self, shard: Shard, index: RowKind, last: datetime | None = None, after: datetime | None = None
    ) -> list[Location]:
        return [location async for _, location in self._deliveries.index(shard, index, last, after=after)]
