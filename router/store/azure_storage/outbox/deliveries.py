"""The rows of deliveries: read by place, by signal and by index, and taken from one stage to the next."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import AsyncGenerator, AsyncIterator, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any

from router.domain.clocks import latest
from router.domain.decisions import Change
from router.domain.deliveries import DeliveryState
from router.domain.notices import Delivery, Receipt
from router.domain.rulebook import Lane
from router.store.azure_storage.bodies import Bodies, fresh_name
from router.store.azure_storage.outbox.places import Kind, Place, Shard, indexed, span_of
from router.store.azure_storage.outbox.stages import CLOSED, COLUMNS, OPEN, Stage, change, creation, stage_of
from router.store.azure_storage.outbox.turns import first_open
from router.store.azure_storage.shards import find_instant, sorting
from router.store.azure_storage.tables import Entity, Table
from router.store.codec import decode, encode

BLOBS = "deliveries"
"""The folder of what rows of deliveries cannot hold."""

TOLD = ("content", "receipt")
"""The columns that may lie in a blob."""


@dataclass(frozen=True, slots=True)
class Move:
    """A delivery as it was read, as it shall be, and what it is told on the way."""

    before: Stage
    after: Stage
    receipt: Receipt | None = None


@dataclass(frozen=True, slots=True)
class Signal:
    """The deliveries of one signal at one destination as far as they matter, and the rows they were read from."""

    stages: Sequence[Stage]
    rows: Mapping[int, Entity]


class Deliveries:
    """Deliveries in their partitions; raises StoreError."""

    def __init__(self, table: Table, bodies: Bodies) -> None:
        self._table = table
        self._bodies = bodies

    async def create(self, stages: Sequence[Stage], deliveries: Sequence[Delivery]) -> None:
        """Creates deliveries where there are none."""
        told = await asyncio.gather(*map(self._told, stages, deliveries))
        written = await self._table.write([creation(stage, one) for stage, one in zip(stages, told, strict=True)])
        there = [
            (stage.place, one["content"])
            for stage, one, versions in zip(stages, told, written, strict=True)
            if versions is None and isinstance(one["content"], str)
        ]
        await asyncio.gather(*(self._drop(*one) for one in there))

    async def _drop(self, place: Place, name: str) -> None:
        """Deletes a blob, unless the row names it after all: an answer may be lost of what was written."""
        row = await self._table.find(*place.key, TOLD)
        if row is None or name not in row.values():
            await self._bodies.delete(name)

    async def _told(self, stage: Stage, delivery: Delivery) -> dict[str, Any]:
        body = encode(delivery.content)
        return {
            "key": delivery.key,
            "type": type(delivery.content).__name__,
            "content": await self._bodies.column(body, blob_name(stage.place)),
            "receipt": "",
            "trace": delivery.trace or "",
        }

    async def move(self, moves: Sequence[Move]) -> list[Stage | None]:
        """Takes deliveries to other stages; None stands for one that was not at the stage any more at which it was read."""
        units = [change(one.before, one.after, await self._brought(one)) for one in moves]
        written = await self._table.write(units)
        moved = {
            one.after.id: replace(one.after, version=versions[0])
            for one, versions in zip(moves, written, strict=True)
            if versions is not None
        }
        doubtful = [one.after for one in moves if one.after.id not in moved]
        if doubtful:
            # The answer may have been lost, and the client has tried again over a version that is there no more.
            stored = {stage.id: stage for stage in await self.find_all([stage.place for stage in doubtful])}
            moved |= {one.id: stored[one.id] for one in doubtful if one.id in stored and _is_same(one, stored[one.id])}
        return [moved.get(one.after.id) for one in moves]

    async def move_together(self, moves: Sequence[Move]) -> bool:
        """Takes deliveries of one signal to other stages, all or none; False where one was not at its stage any more."""
        (written,) = await self._table.write([tuple(step for one in moves for step in change(one.before, one.after))])
        return written is not None

    async def _brought(self, move: Move) -> Mapping[str, Any]:
        if move.receipt is None:
            return {}
        return {"receipt": await self._bodies.column(encode(move.receipt), blob_name(move.after.place))}

    async def find(self, place: Place) -> Stage | None:
        """How far one delivery has come."""
        row = await self._table.find(*place.key, COLUMNS)
        return stage_of(place.shard, row) if row is not None else None

    async def find_all(self, places: Iterable[Place]) -> list[Stage]:
        """How far those of many deliveries have come that are there."""
        shards = {place.key: place.shard for place in places}
        found = await self._table.find_all(shards, COLUMNS)
        return [stage_of(shards[key], row) for key, row in found.items()]

    async def whole(self, place: Place) -> tuple[Stage, Entity] | None:
        """One delivery with all that it tells."""
        row = await self._table.find(*place.key)
        return (stage_of(place.shard, row), row) if row is not None else None

    async def history(self, place: Place) -> list[Stage]:
        """How far every delivery of the same signal there has come, in turn order."""
        rows = self._table.rows(place.shard.partition, *place.span, select=COLUMNS)
        return [stage_of(place.shard, row) async for row in rows]

    async def next_open(self, place: Place) -> Stage | None:
        """The delivery of the same signal there whose turn it is."""
        rows = self._table.rows(place.shard.partition, *place.span, where=OPEN, select=COLUMNS)
        return first_open([stage_of(place.shard, row) async for row in rows])

    async def signal(self, place: Place) -> Signal:
        """What is open of the same signal there, whole, and of what is over as much as the turn order asks for."""
        partition = place.shard.partition
        rows = [row async for row in self._table.rows(partition, *place.span, where=OPEN)]
        stages = {row["RowKey"]: stage_of(place.shard, row) for row in rows}
        # Only what ends something asks what became of its opening. In the rows lane nothing is ever skipped.
        if any(one.lane is not Lane.ROWS and one.change is Change.RESOLVED for one in stages.values()):
            closed = self._table.rows(partition, *place.span, where=CLOSED, select=COLUMNS)
            stages |= {row["RowKey"]: stage_of(place.shard, row) async for row in closed}
        return Signal(
            stages=sorted(stages.values(), key=lambda one: one.turn),
            rows={stages[row["RowKey"]].turn: row for row in rows},
        )

    async def after(self, stages: Iterable[Stage]) -> list[Stage]:
        """What waited for these and whose turn it is now; in the rows lane nobody is waited for."""
        places = {(one.place.shard, one.place.signal): one.place for one in stages if one.lane is not Lane.ROWS}
        found = await asyncio.gather(*map(self.next_open, places.values()))
        return [one for one in found if one is not None]

    async def due(
        self, shards: Sequence[Shard], last: datetime, now: datetime, lease: timedelta
    ) -> AsyncGenerator[Place]:
        """The places of deliveries that fell due until an instant and that nobody has claimed now, in order of due.

        Nobody has a claim that ends later than one can which is for so long a lease.
        """
        free = f"lease le '{sorting(now)}' or lease gt '{sorting(latest(now, lease))}'"
        if len(shards) == 1:
            async for _, place in self.index(shards[0], Kind.DUE, last, free):
                yield place
            return
        found = await asyncio.gather(*(_listed(self.index(shard, Kind.DUE, last, free)) for shard in shards))
        for _, place in sorted((one for some in found for one in some), key=lambda one: one[0]):
            yield place

    async def opening_receipt(self, stage: Stage, row: Entity) -> Receipt | None:
        """What the delivery brought back that opened the signal there."""
        found: Entity | None = row
        if stage.opened != stage.turn:
            found = await self._table.find(*replace(stage.place, turn=stage.opened).key, ("receipt",))
        if found is None or not found["receipt"]:
            return None
        receipt: Receipt = decode("Receipt", await self._bodies.read(found["receipt"]))
        return receipt

    async def delivery(self, stage: Stage, row: Entity) -> Delivery:
        """The delivery that a row holds."""
        return Delivery(
            stream=stage.place.shard.stream,
            destination=stage.place.shard.destination,
            lane=stage.lane,
            key=row["key"],
            turn=stage.turn,
            change=stage.change,
            opened=stage.opened,
            content=decode(row["type"], await self._bodies.read(row["content"])),
            trace=row["trace"] or None,
        )

    async def index(
        self,
        shard: Shard,
        index: Kind,
        last: datetime | None = None,
        where: str | None = None,
        after: datetime | None = None,
    ) -> AsyncIterator[tuple[datetime, Place]]:
        """The instants and places that an index names, in order; as far as they come after an instant."""
        rows = self._table.rows(shard.partition, *span_of(index, last, after), where=where, select=("RowKey",))
        async for row in rows:
            yield indexed(shard, row["RowKey"])

    async def waiting(self, shard: Shard) -> list[tuple[datetime, Place]]:
        """The open deliveries of a shard, each with the instant from which it may be claimed as far as time goes."""
        rows = self._table.rows(shard.partition, *span_of(Kind.DUE), select=("RowKey", "lease"))
        found = [(find_instant(row["lease"]), *indexed(shard, row["RowKey"])) async for row in rows]
        return [(lease or due, place) for lease, due, place in found]

    async def count(self, shard: Shard) -> Counter[DeliveryState]:
        """How many deliveries of a shard there are in each state."""
        rows = self._table.rows(shard.partition, *span_of(Kind.DELIVERY), select=("state",))
        return Counter([DeliveryState(row["state"]) async for row in rows])

    async def first_born(self, shard: Shard) -> datetime | None:
        """Since when the oldest open delivery of a shard is owed."""
        row = await self._table.first(shard.partition, *span_of(Kind.BORN), select=("RowKey",))
        return indexed(shard, row["RowKey"])[0] if row is not None else None


def _is_same(one: Stage, other: Stage) -> bool:
    return replace(one, version=None) == replace(other, version=None)


async def _listed[T](found: AsyncIterator[T]) -> list[T]:
    return [one async for one in found]


def blob_name(place: Place) -> str:
    """A fresh name for what a delivery's row cannot hold; its owner's keys stand in it."""
    partition, row = place.key
    return fresh_name(BLOBS, f"{partition}/{row}")
