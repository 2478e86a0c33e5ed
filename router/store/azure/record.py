"""The record in a table."""

from __future__ import annotations

import asyncio
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from datetime import datetime
from itertools import batched, groupby
from typing import NamedTuple

from router.domain.decisions import Outcome
from router.domain.ledger import message_of
from router.domain.notices import RecordEntry
from router.store.azure.bodies import Bodies, fresh_name
from router.store.azure.damaged_rows import RowQuarantine
from router.store.azure.shards import named, ordered
from router.store.azure.tables import AFTER, Entity, Step, Table, Unit
from router.store.codec import encode
from router.store.row_reader import Columns

_BUCKET = 10_000
"""Messages of one origin that share a partition."""

_NEAR = 100
"""Keys whose numbers are further apart than this are looked up apart."""

_FEW = 10
"""Entries that are written together or not at all; with bodies as big as a row holds they still fit a transaction."""


class AzureRecord:
    """Every decision, in the table `record`: a partition has the messages of one origin whose numbers are near, in order."""

    def __init__(self, table: Table, bodies: Bodies, aside: RowQuarantine) -> None:
        self._table = table
        self._aside = aside
        self._bodies = bodies

    async def put_on_record(self, entries: Sequence[RecordEntry]) -> None:
        """Puts decisions on record, create-if-absent by their key: a message's first outcome is its outcome."""
        first = {entry.key: entry for entry in reversed(entries)}
        entities = await asyncio.gather(*map(self._entity_of, first.values()))
        units = list(_together(entities))
        written = await self._table.write(units)
        if None not in written:
            return
        # A batch that came once more is on record already, all of it or the part that was done: one look says which.
        refused = [step for unit, versions in zip(units, written, strict=True) if versions is None for step in unit]
        there = await self._rows_near(first)
        await self._table.write([(step,) for step in refused if _row_of(step.entity) not in there])

    async def find_outcomes(self, keys: Collection[str]) -> Mapping[str, Outcome]:
        """The latest outcomes of those messages that are on record."""
        wanted = {key for key in keys if message_of(key) == key}
        found = await asyncio.gather(*(self._outcomes(stretch) for stretch in _ranges(map(_record_key, wanted))))
        return {key: outcome for some in found for key, outcome in some.items() if key in wanted}

    async def _outcomes(self, stretch: _KeyRange) -> Mapping[str, Outcome]:
        partition, low, high = stretch
        latest: dict[str, tuple[datetime, int, Outcome]] = {}
        columns = ("PartitionKey", "RowKey", "message", "at", "again", "outcome")
        rows = self._table.rows(partition, ordered(low), ordered(high) + AFTER, select=columns)
        # What is damaged is put aside, and on record no more.
        for message, one in await self._aside.sound(self._table, "record", rows, _outcome_of):
            latest[message] = max(one, latest.get(message, one))
        return {message: outcome for message, (_, _, outcome) in latest.items()}

    async def _rows_near(self, keys: Iterable[str]) -> set[_Row]:
        """The rows on record near some messages."""
        columns = ("PartitionKey", "RowKey")
        return {
            _row_of(row)
            for partition, low, high in _ranges(map(_record_key, keys))
            async for row in self._table.rows(partition, ordered(low), ordered(high) + AFTER, select=columns)
        }

    async def _entity_of(self, entry: RecordEntry) -> Entity:
        key = _record_key(entry.key)
        row = f"{ordered(key.number)}.{key.part:08d}.{key.again:08d}"
        return {
            "PartitionKey": key.partition,
            "RowKey": row,
            "message": message_of(entry.key),
            "again": key.again,
            "at": entry.at,
            "outcome": entry.outcome,
            "body": await self._bodies.column(encode(entry), fresh_name("record", named(entry.key))),
        }


def _outcome_of(row: Columns) -> tuple[str, tuple[datetime, int, Outcome]]:
    return row.text("message"), (row.written("at"), row.whole("again"), row.word("outcome", Outcome))


type _Row = tuple[str, str]


def _row_of(entity: Entity) -> _Row:
    return entity["PartitionKey"], entity["RowKey"]


def _together(entities: Iterable[Entity]) -> Iterator[Unit]:
    """Entries of one partition, some at a time: where one is on record already, so are its neighbours as a rule."""
    for _, some in groupby(sorted(entities, key=_row_of), key=lambda entity: entity["PartitionKey"]):
        for few in batched(some, _FEW, strict=False):
            yield tuple(Step("create", entity) for entity in few)


class _RecordKey(NamedTuple):
    """The key of a decision's row.

    Attributes:
        partition: the partition.
        number: the message's place in its origin.
        part: which of the signals of its message.
        again: which further decision on it; 0 for the first.
    """

    partition: str
    number: int
    part: int
    again: int


class _KeyRange(NamedTuple):
    """Keys that are near each other.

    Attributes:
        partition: their partition.
        first: the first number.
        last: the last number.
    """

    partition: str
    first: int
    last: int


def _record_key(key: str) -> _RecordKey:
    """The key of a decision's row; `Arrival.key` says how the keys of decisions are made."""
    origin, _, rest = key.rpartition(":")
    place, _, again = rest.partition("@")
    number, _, part = place.partition(".")
    bucket = int(number) // _BUCKET
    return _RecordKey(f"{named(origin)}.{ordered(bucket)}", int(number), int(part or 0), int(again or 0))


def _ranges(keys: Iterable[_RecordKey]) -> Iterator[_KeyRange]:
    stretch: _KeyRange | None = None
    for key in sorted(keys):
        if stretch is not None and key.partition == stretch.partition and key.number <= stretch.last + _NEAR:
            stretch = stretch._replace(last=key.number)
            continue
        if stretch is not None:
            yield stretch
        stretch = _KeyRange(key.partition, key.number, key.number)
    if stretch is not None:
        yield stretch
