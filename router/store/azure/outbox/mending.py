"""Rows of deliveries that cannot be decoded: what the rows beside them still know, and what stands in their place.

Where only the bookkeeping is damaged the delivery goes on: the index says since when it is owed, when it is due and in which
lane. Where it is not known any more what is to be told, or to whom, it is dead.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from router.domain.decisions import Change
from router.domain.deliveries import DeliveryState
from router.domain.delivery_errors import DISCARDED, damaged
from router.domain.delivery_lifecycle import OPEN
from router.domain.errors import Undecodable
from router.domain.keys import delivery_key
from router.domain.rulebook import Lane
from router.store.azure.damaged_rows import RowQuarantine
from router.store.azure.outbox.entry_rows import AzureEntry, entry_of
from router.store.azure.outbox.locations import Location, RowKind, Shard, indexed, span_of
from router.store.azure.shards import named, sorting
from router.store.azure.tables import Entity, Step, Table, version_of
from router.store.codec import attempt, readable
from router.store.row_reader import MOST_TIMES, MOST_TURNS, Columns

TABLE = "deliveries"

_INDEX = (RowKind.DUE, RowKind.BORN, RowKind.DEAD)


@dataclass(frozen=True, slots=True)
class Index:
    """The rows beside a delivery that say how far it has come; one of each kind, if nothing is damaged."""

    rows: Sequence[Entity]
    shard: Shard

    def find_row(self, kind: RowKind) -> Entity | None:
        """The first row of a kind."""
        return next((row for row in self.rows if row["RowKey"].startswith(kind.value)), None)

    def find_time(self, kind: RowKind) -> datetime | None:
        """The instant under which the delivery is found in an index."""
        row = self.find_row(kind)
        return indexed(self.shard, row["RowKey"])[0] if row is not None else None

    @property
    def state(self) -> DeliveryState:
        """The state that goes with those rows."""
        if self.find_row(RowKind.DUE) is not None or self.find_row(RowKind.BORN) is not None:
            return DeliveryState.OWED
        return DeliveryState.DEAD if self.find_row(RowKind.DEAD) is not None else DeliveryState.SENT


class Mending:
    """Mends deliveries; raises StoreError."""

    def __init__(self, table: Table, aside: RowQuarantine) -> None:
        self._table = table
        self._aside = aside

    async def mend(self, location: Location, why: Undecodable) -> AzureEntry | None:
        """Puts a damaged row aside, and what is known of it in its place; None where that is a dead letter, or gone."""
        entity = await self._table.find(*location.key)
        if entity is None:
            return None
        entry = attempt(entry_of, location.shard, entity)
        if isinstance(entry, AzureEntry):
            return entry
        index = await self._index_of(location)
        columns = _mended(location, Columns(entity), index, why, self._aside.clock())
        if columns is None:
            return None
        await self._aside.put(TABLE, entity, why, location.shard.stream)
        await self._write(location, entity, columns, index)
        after = await self._table.find(*location.key)
        entry = attempt(entry_of, location.shard, after) if after is not None else why
        return entry if isinstance(entry, AzureEntry) else None

    async def index_anew(self, entry: AzureEntry) -> None:
        """Puts the rows of the index in order that do not say what the delivery says, so that no change of it is refused."""
        if (entity := await self._table.find(*entry.location.key)) is None or version_of(entity) != entry.version:
            return
        index, columns = await self._index_of(entry.location), _indexed_columns(entry)
        rows = {row["RowKey"]: row for row in index.rows}
        wanted = {key for key, more in _index_rows(entry.location, columns).items() if more is not None}
        if rows.keys() != wanted:
            await self._aside.put(
                TABLE, entity, Undecodable("RowKey: its index says something else"), entry.location.shard.stream
            )
            await self._write(entry.location, entity, columns, index)

    async def drop_index(self, location: Location) -> None:
        """Takes the rows of the index away that name a delivery which is not there."""
        if await self._table.find(*location.key, ("RowKey",)) is None:
            index = await self._index_of(location)
            gone = [{"PartitionKey": row["PartitionKey"], "RowKey": row["RowKey"]} for row in index.rows]
            await self._table.write([(Step("delete", row),) for row in gone])

    async def discard(self, location: Location, entity: Entity, now: datetime) -> bool:
        """Takes a damaged dead letter off the list."""
        columns = {"state": DeliveryState.SKIPPED.value, "settled": sorting(now), "error": DISCARDED}
        return await self._write(location, entity, columns, await self._index_of(location))

    async def _write(self, location: Location, entity: Entity, columns: Mapping[str, Any], index: Index) -> bool:
        """Writes columns and the rows of the index that go with them."""
        partition, row = location.key
        old = {one["RowKey"] for one in index.rows}
        new = {key: more for key, more in _index_rows(location, columns).items() if more is not None}
        steps = [Step("merge", {"PartitionKey": partition, "RowKey": row, **columns}, version_of(entity))]
        steps += [Step("delete", {"PartitionKey": partition, "RowKey": key}) for key in old - new.keys()]
        steps += [Step("put", {"PartitionKey": partition, "RowKey": key, **more}) for key, more in new.items()]
        (written,) = await self._table.write([tuple(steps)])
        return written is not None

    async def _index_of(self, location: Location) -> Index:
        """Walks the index of a shard, since a row that cannot be decoded does not say where it stands there."""
        found: list[Entity] = []
        for kind in _INDEX:
            async for row in self._table.rows(location.shard.partition, *span_of(kind)):
                one = attempt(indexed, location.shard, row["RowKey"])
                if not isinstance(one, Undecodable) and one[1] == location:
                    found.append(row)
        return Index(found, location.shard)


def _mended(location: Location, row: Columns, index: Index, why: Undecodable, at: datetime) -> dict[str, Any] | None:
    """The columns that a damaged delivery gets; None where it is a dead letter already of which no more is known."""
    state = readable(index.state, row.word, "state", DeliveryState)
    born_row = index.find_row(RowKind.BORN)
    lane = readable(None, row.word, "lane", Lane)
    if lane is None and born_row is not None:
        lane = readable(None, Columns(born_row).word, "lane", Lane)
    change = readable(None, row.word, "change", Change)
    opened = readable(location.turn if change is Change.OPENED else None, row.whole, "opened", 1, MOST_TURNS)
    key = attempt(row.text, "key")
    is_known = isinstance(key, str) and named(key) == location.signal
    id = delivery_key(key, location.turn, location.shard.destination) if isinstance(key, str) and is_known else None
    whole = {"lane": lane and lane.value, "change": change and change.value, "opened": opened, "id": id}
    is_lost = None in whole.values()
    if is_lost and state not in OPEN:
        return None
    trouble = readable(None, row.find_text, "error")
    lease = readable(None, row.find_time, "lease")
    return {
        **{name: value for name, value in whole.items() if value is not None},
        "state": DeliveryState.DEAD.value if is_lost else state.value,
        "born": sorting(readable(index.find_time(RowKind.BORN) or at, row.sorted_time, "born")),
        "due": sorting(readable(index.find_time(RowKind.DUE) or at, row.sorted_time, "due")),
        "attempts": readable(0, row.whole, "attempts", 0, MOST_TIMES),
        "lost": readable(0, row.whole, "lost", 0, MOST_TIMES),
        "redriven": readable(0, row.whole, "redriven", 0, MOST_TIMES),
        "lease": sorting(lease) if state is DeliveryState.CLAIMED and not is_lost else "",
        "claim": readable("", row.text, "claim"),
        "settled": sorting(at if is_lost else readable(index.find_time(RowKind.DEAD) or at, row.find_time, "settled")),
        "error": damaged(why, trouble) if is_lost else trouble or "",
    }


def _indexed_columns(entry: AzureEntry) -> dict[str, Any]:
    """The columns of a delivery that its index goes by."""
    return {
        "id": entry.id,
        "lane": entry.lane.value,
        "state": entry.state.value,
        "born": sorting(entry.born),
        "due": sorting(entry.due),
        "lease": sorting(entry.lease),
        "settled": sorting(entry.settled),
    }


def _index_rows(location: Location, columns: Mapping[str, Any]) -> dict[str, dict[str, str] | None]:
    """The rows of the index that go with columns."""
    row = Columns(columns)
    match columns["state"]:
        case DeliveryState.OWED | DeliveryState.CLAIMED:
            due, born = location.row_in(RowKind.DUE, row.time("due")), location.row_in(RowKind.BORN, row.time("born"))
            return {due: {"lease": columns["lease"]}, born: {"lane": columns["lane"]}}
        case DeliveryState.DEAD:
            return {location.row_in(RowKind.DEAD, row.time("settled")): {"id": str(columns.get("id", ""))}}
    return {}
