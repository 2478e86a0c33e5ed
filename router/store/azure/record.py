"""The record in a table."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Collection, Iterable, Iterator, Mapping, Sequence
from datetime import datetime
from itertools import batched, groupby

from router.domain.counts import Cell, RuleHits
from router.domain.decisions import Outcome
from router.domain.ledger import message_of
from router.domain.lookback import DecisionPage
from router.domain.lookups import SignalAtResource, SignalLookup
from router.domain.notices import RecordEntry
from router.store.azure.bodies import Bodies, fresh_name
from router.store.azure.damaged_rows import RowQuarantine
from router.store.azure.lookup_rows import LookupKey, LookupKind, RecordedDecision
from router.store.azure.lookup_search import LookupSearch
from router.store.azure.lookups import AzureLookups
from router.store.azure.record_rows import (
    FOLDER,
    STORED,
    KeyRange,
    Row,
    blob_in,
    lookup_key_of,
    ranges,
    record_key,
    record_row,
    row_of,
)
from router.store.azure.shards import named, ordered
from router.store.azure.tables import AFTER, Entity, RowPage, Step, Table, Unit, Versions, keys_of, version_of
from router.store.codec import attempt, attempted, decision_in, encode
from router.store.row_reader import Columns

_FEW = 10
"""Entries that are written together or not at all; with bodies as big as a row holds they still fit a transaction."""


class AzureRecord:
    """Every decision, in the table `record`: a partition has the messages of one origin whose numbers are near, in order."""

    def __init__(
        self, table: Table, lookups: AzureLookups, search: LookupSearch, bodies: Bodies, aside: RowQuarantine
    ) -> None:
        self._table = table
        self._lookups = lookups
        self._search = search
        self._aside = aside
        self._bodies = bodies

    async def put_on_record(self, entries: Sequence[RecordEntry]) -> None:
        """Puts decisions on record, create-if-absent by their key: a message's first outcome is its outcome.

        Each is entered among the look-ups as it is on record: who put it there may have died before that.
        """
        first = {entry.key: entry for entry in reversed(entries)}
        entities = await asyncio.gather(*map(self._entity_of, first.values()))
        entity_of = {row_of(entity): entity for entity in entities}
        key_of = dict(zip(entity_of, first, strict=True))
        units = list(_together(entities))
        refused = _refused(units, await self._table.write(units))
        there: dict[Row, Entity] = {}
        if refused:
            # A batch that came once more is on record already, all of it or the part that was done: one look says which.
            there = await self._rows_near(key_of[row] for row in refused)
            again: list[Unit] = [(Step("create", entity_of[row]),) for row in refused if row not in there]
            if lost := _refused(again, await self._table.write(again)):
                # Another worker put them there meanwhile, or an answer was lost.
                there |= await self._rows_near(key_of[row] for row in lost)
        new = [RecordedDecision(first[key_of[row]], blob_in(one)) for row, one in entity_of.items() if row not in there]
        stored = {row: entity for row, entity in there.items() if row in entity_of}
        await self._lookups.enter(new, are_new=True)
        await self.enter_stored(stored.values())
        await self._drop({row: entity_of[row] for row in stored})

    async def enter_stored(self, rows: Collection[Entity]) -> None:
        """Enters decisions among the look-ups that are on record already, by the columns `STORED` of their rows."""
        known = [(row, attempt(lookup_key_of, Columns(row))) for row in rows]
        keys = [key for _, key in known if isinstance(key, LookupKey)]
        missing = set(await self._lookups.missing(keys))
        # An older program did not write under what a decision is looked up.
        asked = [row_of(row) for row, key in known if not isinstance(key, LookupKey) or key in missing]
        whole = await self._table.find_all(asked)
        found = await asyncio.gather(*(attempted(self._decision_in(row)) for row in whole.values()))
        await self._lookups.enter([one for one in found if isinstance(one, RecordedDecision)], are_new=False)

    async def page(self, after: Mapping[str, str] | None, most: int) -> RowPage:
        """A page of all that is on record, by the columns `STORED`."""
        return await self._table.page(None, after, most, STORED)

    async def migrate(self, rows: Sequence[Entity]) -> int:
        """Enters among the look-ups what an older program put on record; returns how many decisions."""
        old = [row for row in rows if row.get("signal") is None]
        await self.enter_stored(old)
        found = await self._table.find_all(map(row_of, old))
        read = await asyncio.gather(*(attempted(self._decision_in(row)) for row in found.values()))
        marks = [
            Step("merge", {**keys_of(row), "stream": one.entry.stream or "", "signal": one.entry.signal or ""})
            for row, one in zip(found.values(), read, strict=True)
            if isinstance(one, RecordedDecision)
        ]
        # What is gone meanwhile stays so.
        await self._table.write([(mark,) for mark in marks])
        return len(marks)

    async def _decision_in(self, row: Entity) -> RecordedDecision:
        entry = decision_in(await self._bodies.read(row.get("body")))
        return RecordedDecision(entry, blob_in(row))

    async def _drop(self, unused: Mapping[Row, Entity]) -> None:
        """Deletes the blobs of entries that others had put on record, unless a row names them after all."""
        mine = {row: name for row, entity in unused.items() if (name := blob_in(entity))}
        rows = await self._table.find_all(mine, ("body",))
        gone = [name for row, name in mine.items() if row not in rows or rows[row].get("body") != name]
        await asyncio.gather(*map(self._bodies.delete, gone))

    async def decisions_of(self, signal: str, most: int) -> Sequence[RecordEntry]:
        """The latest decisions on a signal, by its key; the latest first."""
        return await self._read(await self._search.decisions_of(signal, most))

    async def decisions_between(
        self, since: datetime, until: datetime, most: int, outcomes: Collection[Outcome] = frozenset(Outcome)
    ) -> Sequence[RecordEntry]:
        """The latest decisions from one instant to before another, with one of some outcomes; the latest first."""
        return await self._read(await self._search.decisions_between(since, until, most, outcomes))

    async def walk_decisions(
        self, stream: str, since: datetime, until: datetime, outcomes: Collection[Outcome]
    ) -> AsyncIterator[DecisionPage]:
        """The decisions of a stream in a span of time, in pages, the latest first; at most 20 pages."""
        async for page in self._search.walk_decisions(stream, since, until, outcomes):
            yield DecisionPage(await self._read(page.keys), page.looked)

    async def _read(self, keys: Sequence[str]) -> list[RecordEntry]:
        """The entries of those decisions that are on record, in their order; what is damaged is put aside."""
        rows = [record_row(key) for key in keys]
        found = await self._table.find_all(rows)
        read = await asyncio.gather(*(self._entry_in(found[row]) for row in dict.fromkeys(rows) if row in found))
        return [entry for entry in read if entry is not None]

    async def _entry_in(self, row: Entity) -> RecordEntry | None:
        one = await attempted(self._decision_in(row))
        if isinstance(one, RecordedDecision):
            return one.entry
        await self._aside.put("record", row, one)
        await self._table.write([(Step("delete", keys_of(row), version_of(row)),)])
        return None

    async def find_signals(self, id: str, most: int, stream: str | None = None) -> Sequence[SignalLookup]:
        """Signals of a stream, or of any, of that id, or whose id ends so, whatever its case; whole ids first."""
        return await self._search.find_signals(LookupKind.ID, id, most, stream)

    async def find_signals_at(self, resource: str, most: int, stream: str | None = None) -> Sequence[SignalLookup]:
        """Signals of a stream, or of any, at that resource, or at one whose id ends so, whatever its case; whole ids first."""
        return await self._search.find_signals(LookupKind.RESOURCE, resource, most, stream)

    async def signals_at_each(
        self, stream: str, resources: Collection[str], most: int
    ) -> Mapping[str, Sequence[SignalAtResource]]:
        """Signals of a stream at exactly each of some resources, whatever their case, at most so many of each."""
        return {resource: await self._search.signals_at(stream, resource, most) for resource in resources}

    async def read_counts(self, since: datetime, until: datetime) -> Mapping[datetime, Mapping[Cell, int]]:
        """How many decisions are in each cell, for each hour that began from one instant to before another."""
        return await self._search.read_counts(since, until)

    async def read_hits(self, stream: str) -> Mapping[str, RuleHits]:
        """How often each suppression rule of a stream ever held a signal, by its name."""
        return await self._search.read_hits(stream)

    async def find_outcomes(self, keys: Collection[str]) -> Mapping[str, Outcome]:
        """The latest outcomes of those messages that are on record."""
        wanted = {key for key in keys if message_of(key) == key}
        found = await asyncio.gather(*(self._outcomes(stretch) for stretch in ranges(map(record_key, wanted))))
        return {key: outcome for some in found for key, outcome in some.items() if key in wanted}

    async def _outcomes(self, stretch: KeyRange) -> Mapping[str, Outcome]:
        partition, low, high = stretch
        latest: dict[str, tuple[datetime, int, Outcome]] = {}
        columns = ("PartitionKey", "RowKey", "message", "at", "again", "outcome")
        rows = self._table.rows(partition, ordered(low), ordered(high) + AFTER, select=columns)
        # What is damaged is put aside, and on record no more.
        for message, one in await self._aside.sound(self._table, "record", rows, _outcome_of):
            latest[message] = max(one, latest.get(message, one))
        return {message: outcome for message, (_, _, outcome) in latest.items()}

    async def _rows_near(self, keys: Iterable[str]) -> dict[Row, Entity]:
        """The rows on record near some messages."""
        return {
            row_of(row): row
            for partition, low, high in ranges(map(record_key, keys))
            async for row in self._table.rows(partition, ordered(low), ordered(high) + AFTER, select=STORED)
        }

    async def _entity_of(self, entry: RecordEntry) -> Entity:
        partition, row = record_row(entry.key)
        return {
            "PartitionKey": partition,
            "RowKey": row,
            "message": message_of(entry.key),
            "again": record_key(entry.key).again,
            "at": entry.at,
            "outcome": entry.outcome,
            "stream": entry.stream or "",
            "signal": entry.signal or "",
            "body": await self._bodies.column(encode(entry), fresh_name(FOLDER, named(entry.key))),
        }


def _outcome_of(row: Columns) -> tuple[str, tuple[datetime, int, Outcome]]:
    return row.text("message"), (row.written("at"), row.whole("again"), row.word("outcome", Outcome))


def _refused(units: Sequence[Unit], written: Sequence[Versions]) -> list[Row]:
    """The rows of those units that were not written."""
    return [row_of(step.entity) for unit, done in zip(units, written, strict=True) if done is None for step in unit]


def _together(entities: Iterable[Entity]) -> Iterator[Unit]:
    """Entries of one partition, some at a time: where one is on record already, so are its neighbours as a rule."""
    for _, some in groupby(sorted(entities, key=row_of), key=lambda entity: entity["PartitionKey"]):
        for few in batched(some, _FEW, strict=False):
            yield tuple(Step("create", entity) for entity in few)
