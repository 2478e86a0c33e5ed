"""The rows of deliveries: read by location, by signal and by index, and moved."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import AsyncGenerator, AsyncIterator, Collection, Iterable, Mapping, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

from router.domain.clocks import latest
from router.domain.damage import DamagedLetter, DamagedRow
from router.domain.deliveries import DeadLetter, Delivery, DeliveryState, Receipt
from router.domain.delivery_errors import damaged
from router.domain.delivery_lifecycle import free_at
from router.domain.errors import Undecodable
from router.domain.rulebook import Lane
from router.domain.supersession import asks_for_closed
from router.domain.turn_order import Waiting, first_open
from router.store.azure.bodies import Bodies, fresh_name
from router.store.azure.damaged_rows import RowQuarantine
from router.store.azure.outbox.entry_rows import CLOSED, COLUMNS, OPEN, AzureEntry, change, creation, entry_of
from router.store.azure.outbox.locations import Location, RowKind, Shard, indexed, location_in, span_of, span_of_signal
from router.store.azure.outbox.mending import TABLE, Mending
from router.store.azure.shards import named, sorting
from router.store.azure.tables import Entity, Table, each
from router.store.codec import attempt, attempted, content_of, decode, encode, readable, tag_of
from router.store.outbox.table import Move
from router.store.row_reader import Columns
from router.store.stored_names import RECEIPT

BLOBS = "deliveries"
"""The folder of what rows of deliveries cannot hold."""

TOLD = ("content", "receipt")
"""The columns that may lie in a blob."""


type EntryMove = Move[AzureEntry]


class Deliveries:
    """Deliveries in their partitions; raises StoreError."""

    def __init__(self, table: Table, bodies: Bodies, aside: RowQuarantine) -> None:
        self._table = table
        self._bodies = bodies
        self._aside = aside
        self._mending = Mending(table, aside)

    async def create(self, entries: Sequence[AzureEntry], deliveries: Sequence[Delivery]) -> None:
        """Creates deliveries where there are none."""
        told = await asyncio.gather(*map(self._content_columns, entries, deliveries))
        written = await self._table.write([creation(entry, one) for entry, one in zip(entries, told, strict=True)])
        there = [
            (entry.location, one["content"])
            for entry, one, versions in zip(entries, told, written, strict=True)
            if versions is None and isinstance(one["content"], str)
        ]
        await asyncio.gather(*(self._drop(*one) for one in there))

    async def _drop(self, location: Location, name: str) -> None:
        """Deletes a blob, unless the row names it after all: an answer may be lost of what was written."""
        row = await self._table.find(*location.key, TOLD)
        if row is None or name not in row.values():
            await self._bodies.delete(name)

    async def _content_columns(self, entry: AzureEntry, delivery: Delivery) -> dict[str, Any]:
        body = encode(delivery.content)
        return {
            "key": delivery.key,
            "type": tag_of(delivery.content),
            "content": await self._bodies.column(body, blob_name(entry.location)),
            "receipt": "",
            "trace": delivery.trace or "",
        }

    async def move(self, moves: Sequence[EntryMove]) -> list[AzureEntry | None]:
        """Makes moves, each by itself; None stands for one that was not as before any more."""
        units = [change(one.before, one.after, await self._brought(one), _reference_in(one)) for one in moves]
        written = await self._table.write(units)
        moved = {
            one.after.id: replace(one.after, version=versions[0])
            for one, versions in zip(moves, written, strict=True)
            if versions is not None
        }
        doubtful = [one.after for one in moves if one.after.id not in moved]
        if doubtful:
            # The answer may have been lost, and the client has tried again over a version that is there no more.
            stored = {entry.id: entry for entry in await self.find_all([entry.location for entry in doubtful])}
            moved |= {
                one.id: replace(one, version=stored[one.id].version)
                for one in doubtful
                if one.id in stored and _is_same(one, stored[one.id])
            }
            await self._index_anew([one.before for one in moves if one.after.id not in moved], stored)
        return [moved.get(one.after.id) for one in moves]

    async def move_together(self, moves: Sequence[EntryMove]) -> bool:
        """Makes moves of one signal, all or none; False where one was not as before any more."""
        (written,) = await self._table.write([tuple(step for one in moves for step in change(one.before, one.after))])
        if written is None:
            befores = [one.before for one in moves]
            stored = {entry.id: entry for entry in await self.find_all([entry.location for entry in befores])}
            await self._index_anew(befores, stored)
        return written is not None

    async def is_rightly_indexed(self, location: Location) -> bool:
        """Whether a delivery is open that the index says is; what is wrong with its index is put in order."""
        entry = await self.find(location)
        if entry is not None and entry.is_open:
            return True
        if entry is not None:
            await self._mending.index_anew(entry)
        else:
            await self._mending.drop_index(location)
        return False

    async def _index_anew(self, befores: Sequence[AzureEntry], stored: Mapping[str, AzureEntry]) -> None:
        """Sees to those that nobody changed, and whose change was refused all the same: their index is damaged."""
        for one in befores:
            if one.id in stored and stored[one.id].version == one.version:
                await self._mending.index_anew(one)

    async def _brought(self, move: EntryMove) -> Mapping[str, Any]:
        if move.receipt is None:
            return {}
        receipt = await self._bodies.column(encode(move.receipt), blob_name(move.after.location))
        return {"receipt": receipt, "reference": _reference_in(move) or ""}

    async def find(self, location: Location) -> AzureEntry | None:
        """How far one delivery has come; None also where that cannot be known any more."""
        row = await self._table.find(*location.key, COLUMNS)
        return await self._entry(location, row) if row is not None else None

    async def find_all(self, locations: Iterable[Location]) -> list[AzureEntry]:
        """How far those of many deliveries have come that are there."""
        known = {location.key: location for location in locations}
        found = await self._table.find_all(known, COLUMNS)
        return [entry for key, row in found.items() if (entry := await self._entry(known[key], row)) is not None]

    async def _entry(self, location: Location, row: Entity) -> AzureEntry | None:
        """The entry that a row holds, or that which stands in the place of a damaged one."""
        entry = attempt(entry_of, location.shard, row)
        return entry if isinstance(entry, AzureEntry) else await self._mending.mend(location, entry)

    async def _entries(self, shard: Shard, rows: AsyncIterator[Entity]) -> list[AzureEntry]:
        found = [(attempt(location_in, shard, row["RowKey"]), row) async for row in rows]
        entries = [await self._entry(location, row) for location, row in found if isinstance(location, Location)]
        return [entry for entry in entries if entry is not None]

    async def whole(self, location: Location) -> tuple[AzureEntry, Entity] | None:
        """One delivery with all that it tells."""
        row = await self._table.find(*location.key)
        entry = await self._entry(location, row) if row is not None else None
        return (entry, row) if row is not None and entry is not None else None

    async def letter(self, location: Location) -> DeadLetter | DamagedLetter | None:
        """The dead letter that lies there, or what is left of it."""
        row = await self._table.find(*location.key)
        if row is None or row.get("state") != DeliveryState.DEAD:
            return None
        entry = attempt(entry_of, location.shard, row)
        delivery = await attempted(self.delivery(entry, row)) if isinstance(entry, AzureEntry) else entry
        found, settled = Columns(row), readable(None, Columns(row).find_time, "settled")
        if isinstance(delivery, Undecodable) or not isinstance(entry, AzureEntry):
            why = delivery if isinstance(delivery, Undecodable) else Undecodable("settled: is no instant")
            id = readable(None, found.find_text, "id")
            return DamagedLetter(
                id=id
                if id is not None and id.isalnum()
                else f"{location.signal}{location.turn}{location.shard.number}",
                died=settled,
                error=found.words("error") or damaged(why),
                damage=DamagedRow(
                    table=TABLE,
                    key="/".join(location.key),
                    why=str(why),
                    stream=location.shard.stream,
                    addressed_to=f"{location.shard.stream} {location.shard.destination}",
                    row=found.whole_row(),
                ),
            )
        return DeadLetter(
            delivery=delivery,
            attempts=entry.attempts,
            born=entry.born,
            died=settled if settled is not None else entry.due,
            error=entry.error or "",
        )

    async def discard_damaged(self, location: Location, now: datetime) -> bool:
        """Takes a dead letter off the list that cannot be decoded; False if there is none."""
        row = await self._table.find(*location.key)
        return (
            row is not None
            and row.get("state") == DeliveryState.DEAD
            and await self._mending.discard(location, row, now)
        )

    async def set_aside(self, entry: AzureEntry, why: Undecodable) -> None:
        """Keeps the row of a delivery whole that cannot be decoded."""
        if (row := await self._table.find(*entry.location.key)) is not None:
            await self._aside.put(TABLE, row, why, entry.location.shard.stream)

    async def see_to(self, shard: Shard, row: Entity) -> None:
        """Mends a row that cannot be decoded; retention meets those that nobody asks for."""
        await self._entries(shard, _one(row))

    async def history(self, location: Location) -> list[AzureEntry]:
        """How far every delivery of the same signal there has come, in turn order."""
        return await self._entries(
            location.shard, self._table.rows(location.shard.partition, *location.span, select=COLUMNS)
        )

    async def next_open(self, location: Location) -> AzureEntry | None:
        """The delivery of the same signal there whose turn it is."""
        rows = self._table.rows(location.shard.partition, *location.span, where=OPEN, select=COLUMNS)
        return first_open(await self._entries(location.shard, rows))

    async def signal(self, location: Location) -> list[AzureEntry]:
        """What is open of the same signal there, with its rows, and what is closed where the next step depends on it."""
        partition = location.shard.partition
        rows = {row["RowKey"]: row async for row in self._table.rows(partition, *location.span, where=OPEN)}
        found = await self._entries(location.shard, each(rows.values()))
        # What was mended just now tells what it told before.
        entries = {one.turn: replace(one, row=rows[one.location.key[1]]) for one in found}
        if asks_for_closed(entries.values()):
            closed = self._table.rows(partition, *location.span, where=CLOSED, select=COLUMNS)
            entries |= {one.turn: one for one in await self._entries(location.shard, closed)}
        return list(entries.values())

    async def all_of(self, shard: Shard, signal: str, select: Collection[str] | None = None) -> list[AzureEntry]:
        """Everything that is kept of a signal there, in turn order, with its rows, or those columns of them."""
        rows = [row async for row in self._table.rows(shard.partition, *span_of_signal(signal), select=select)]
        by_key = {row["RowKey"]: row for row in rows}
        return [replace(one, row=by_key[one.location.key[1]]) for one in await self._entries(shard, each(rows))]

    async def after(self, entries: Iterable[AzureEntry]) -> list[AzureEntry]:
        """What waited for these and whose turn it is now; in the rows lane nobody is waited for."""
        locations = {
            (one.location.shard, one.location.signal): one.location for one in entries if one.lane is not Lane.ROWS
        }
        found = await asyncio.gather(*map(self.next_open, locations.values()))
        return [one for one in found if one is not None]

    async def due(
        self, shards: Sequence[Shard], last: datetime, now: datetime, lease: timedelta
    ) -> AsyncGenerator[Location]:
        """The locations of deliveries that fell due until an instant and that nobody has claimed now, in order of due.

        Nobody has a claim that ends later than one can which is for so long a lease.
        """
        # Nor has anybody one that is no text: it is damaged.
        free = f"not (lease gt '{sorting(now)}') or lease gt '{sorting(latest(now, lease))}'"
        if len(shards) == 1:
            async for _, location in self.index(shards[0], RowKind.DUE, last, free):
                yield location
            return
        found = await asyncio.gather(*(_listed(self.index(shard, RowKind.DUE, last, free)) for shard in shards))
        for _, location in sorted((one for some in found for one in some), key=lambda one: one[0]):
            yield location

    async def opening_receipt(self, entry: AzureEntry, row: Entity) -> Receipt | None:
        """What the delivery brought back that opened the signal there."""
        found: Entity | None = row
        if entry.opened != entry.turn:
            found = await self._table.find(*replace(entry.location, turn=entry.opened).key, ("receipt",))
        # Without its handles the vendor is asked where the signal is open.
        return await self.receipt_in(found) if found is not None else None

    async def receipt_in(self, row: Entity) -> Receipt | None:
        """What a delivery brought back, as far as that can be decoded."""
        receipt = await attempted(self._receipt(row["receipt"])) if row.get("receipt") else None
        return receipt if isinstance(receipt, Receipt) else None

    async def _receipt(self, column: object) -> Receipt:
        receipt: Receipt = decode(RECEIPT, await self._bodies.read(column))
        return receipt

    async def delivery(self, entry: AzureEntry, row: Entity) -> Delivery:
        """The delivery that a row holds; raises Undecodable."""
        found = Columns(row)
        key = found.text("key")
        if named(key) != entry.location.signal:
            raise Undecodable("key: is not that of its signal")
        return Delivery(
            stream=entry.location.shard.stream,
            destination=entry.location.shard.destination,
            lane=entry.lane,
            key=key,
            turn=entry.turn,
            change=entry.change,
            opened=entry.opened,
            content=content_of(found.text("type"), await self._bodies.read(row.get("content"))),
            trace=readable(None, found.find_text, "trace"),
        )

    async def index(
        self,
        shard: Shard,
        index: RowKind,
        last: datetime | None = None,
        where: str | None = None,
        after: datetime | None = None,
    ) -> AsyncIterator[tuple[datetime, Location]]:
        """The instants and locations that an index names, in order; as far as they come after an instant."""
        rows = self._table.rows(shard.partition, *span_of(index, last, after), where=where, select=("RowKey",))
        async for row in rows:
            if not isinstance(one := attempt(indexed, shard, row["RowKey"]), Undecodable):
                yield one

    async def waiting(self, shard: Shard) -> list[Waiting]:
        """The open deliveries of a shard, each with when it may be claimed as far as time goes."""
        rows = self._table.rows(shard.partition, *span_of(RowKind.DUE), select=("RowKey", "lease"))
        found = [(Columns(row), attempt(indexed, shard, row["RowKey"])) async for row in rows]
        return [
            Waiting(one[1].signal, one[1].turn, free_at(readable(None, row.find_time, "lease"), one[0]), one[1])
            for row, one in found
            if not isinstance(one, Undecodable)
        ]

    async def count(self, shard: Shard) -> Counter[DeliveryState]:
        """How many deliveries of a shard there are in each state."""
        rows = self._table.rows(shard.partition, *span_of(RowKind.DELIVERY), select=("state",))
        # What cannot be known is as good as dead.
        return Counter([readable(DeliveryState.DEAD, Columns(row).word, "state", DeliveryState) async for row in rows])

    async def first_born(self, shard: Shard) -> datetime | None:
        """Since when the oldest open delivery of a shard is owed."""
        async for born, _ in self.index(shard, RowKind.BORN):
            return born
        return None


async def _one(row: Entity) -> AsyncIterator[Entity]:
    yield row


def _reference_in(move: EntryMove) -> str | None:
    return move.receipt.reference if move.receipt is not None else None


def _is_same(one: AzureEntry, other: AzureEntry) -> bool:
    return replace(one, version=None) == replace(other, version=None)


async def _listed[T](found: AsyncIterator[T]) -> list[T]:
    return [one async for one in found]


def blob_name(location: Location) -> str:
    """A fresh name for what a delivery's row cannot hold; its owner's keys stand in it."""
    partition, row = location.key
    return fresh_name(BLOBS, f"{partition}/{row}")
