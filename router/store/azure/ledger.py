"""The ledger in a table."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Collection, Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from itertools import batched

from router.domain.errors import Undecodable
from router.domain.ledger import LedgerRow, Version
from router.domain.lookback import HeldCounts, StandingPage
from router.domain.rule_fields import RuleFields
from router.domain.snapshots import Appeared
from router.store.azure.bodies import Bodies
from router.store.azure.damaged_rows import RowQuarantine
from router.store.azure.ledger_rows import (
    APPEARED,
    FIELDS,
    FINISHED,
    FOUND,
    HELD,
    appearances_of,
    appeared_in,
    entity_key,
    entity_of,
    fields_of,
    held_of,
    is_holding,
    key_columns,
    row_of,
)
from router.store.azure.standing import AzureStanding
from router.store.azure.suppression_index import HeldIndex, is_named_by, signal_of
from router.store.azure.tables import Entity, Step, Table, quoted, version_of
from router.store.codec import attempted, readable

_AT_A_TIME = 200
"""Rows that are looked at together, with what they hold."""


class AzureLedger:
    """The latest state of each signal, in the table `ledger`; a row's version is its etag."""

    def __init__(
        self,
        table: Table,
        held: HeldIndex,
        bodies: Bodies,
        aside: RowQuarantine,
    ) -> None:
        self._table = table
        self._held = held
        self._bodies = bodies
        self._aside = aside
        self._standing = AzureStanding(table, held, bodies)

    async def find_rows(self, keys: Collection[str]) -> Mapping[str, LedgerRow]:
        """The rows of those signals that are known; what they hold is left out, since no transition asks for it.

        One that cannot be decoded is set aside, and its signal is unknown then.
        """
        found = await self._table.find_all(map(entity_key, keys), FOUND)
        rows = await asyncio.gather(*map(self._row, found.values()))
        return {row.key: row for row in rows if row is not None}

    async def find_last_turns(self, keys: Collection[str]) -> Mapping[str, int]:
        """No turns: only a row that was set aside is missing here while deliveries of its signal are kept."""
        return {}

    async def _row(self, entity: Entity) -> LedgerRow | None:
        """The row that an entity holds; None where it is set aside."""
        row = await attempted(row_of(entity, self._bodies))
        if isinstance(row, LedgerRow):
            return row
        await self._aside.put("ledger", await self._table.find(*entity_key(entity["RowKey"])) or entity, row)
        await self._table.write([(Step("delete", key_columns(entity["RowKey"]), version_of(entity)),)])
        return None

    async def write_rows(self, rows: Sequence[LedgerRow]) -> Mapping[str, Version]:
        """Writes rows, each only if its stored version is still `version`; returns the new versions of those written."""
        await self._held.enter_rows(rows)
        entities = await asyncio.gather(*(entity_of(row, self._bodies) for row in rows))
        units = [(_step(row, entity),) for row, entity in zip(rows, entities, strict=True)]
        written = await self._table.write(units)
        return {row.key: versions[0] for row, versions in zip(rows, written, strict=True) if versions is not None}

    async def write_appearances(self, rows: Sequence[LedgerRow]) -> Mapping[str, Version]:
        """Writes of rows only when messages named them, each only if its stored version is still `version`."""
        units = [(Step("merge", appearances_of(row), str(row.version)),) for row in rows]
        written = await self._table.write(units)
        return {row.key: versions[0] for row, versions in zip(rows, written, strict=True) if versions is not None}

    async def read_fields(self, keys: Collection[str]) -> Mapping[str, RuleFields]:
        """What rules can match of those signals of which it is kept."""
        found = await self._table.find_all(map(entity_key, keys), FIELDS)
        read = await asyncio.gather(*(attempted(fields_of(entity, self._bodies)) for entity in found.values()))
        fields: dict[str, RuleFields] = {}
        for entity, one in zip(found.values(), read, strict=True):
            if isinstance(one, Undecodable):
                await self._aside.put("ledger", await self._table.find(*entity_key(entity["RowKey"])) or entity, one)
                step = Step("merge", {**key_columns(entity["RowKey"]), "fields": b""}, version_of(entity))
                await self._table.write([(step,)])
            elif one is not None:
                fields[entity["RowKey"]] = one
        return fields

    async def clear_pending(self, versions: Mapping[str, Version]) -> None:
        """Clears the pending turns of rows that are still at those versions, which gives the rows new versions."""
        steps = [Step("merge", {**key_columns(key), **FINISHED}, str(version)) for key, version in versions.items()]
        await self._table.write([(step,) for step in steps])

    async def find_pending_rows(self, stream: str) -> Sequence[LedgerRow]:
        """The rows of a stream that carry a pending turn. Walks the table: as a rule such a row is found by its key."""
        found = self._table.query(f"stream eq '{quoted(stream)}' and unfinished eq true", FOUND)
        rows = [await self._row(entity) async for entity in found]
        return [row for row in rows if row is not None and row.pending is not None]

    async def walk_appearances(self, stream: str) -> AsyncIterator[Sequence[Appeared]]:
        """When messages named the findings of a stream, some of them at a time."""
        filter, after = f"stream eq '{quoted(stream)}'", None
        while True:
            page = await self._table.page(filter, after, select=APPEARED)
            yield [one for row in page.rows if (one := readable(None, appeared_in, row)) is not None]
            if (after := page.next) is None:
                return

    def walk_standing(self, stream: str, types: Collection[str] | None = None) -> AsyncIterator[StandingPage]:
        """The signals of a stream that stand and that rules could match, in at most 20 pages."""
        return self._standing.walk_standing(stream, types)

    async def held_counts(self, stream: str) -> HeldCounts:
        """How many signals of a stream each rule or silence holds now that still stand, by its name."""
        return await self._standing.held_counts(stream)

    def walk_held(self, stream: str, name: str) -> AsyncIterator[StandingPage]:
        """The signals of a stream that a rule or silence holds now, in at most 20 pages."""
        return self._standing.walk_held(stream, name)

    async def held_in_doubt(
        self, stream: str, rulebook: str, active: Collection[str], now: datetime
    ) -> AsyncIterator[LedgerRow]:
        """The rows of a stream held by what is not among the active ones, or under another rulebook, or by a silence until now.

        Also those that were let go and still carry a pending turn; they hold nothing any more.
        """
        entries = [entry async for entry in self._held.in_doubt(stream, rulebook, frozenset(active), now)]
        for some in batched(entries, _AT_A_TIME, strict=False):
            for row in (await self._judged(some)).values():
                yield row

    async def _judged(self, entries: Sequence[Entity]) -> dict[str, LedgerRow]:
        """The rows that entries of the index rightly name; entries that name what is held no more are taken out of it."""
        keys = [entity_key(signal_of(entry)) for entry in entries]
        found = await self._table.find_all(keys, FOUND + HELD)
        rows: dict[str, LedgerRow] = {}
        over: list[tuple[Entity, Entity]] = []
        for entry, key in zip(entries, keys, strict=True):
            # An entry without a row: its writer may be about to write the row; retention removes what was left behind.
            if (entity := found.get(key)) is None:
                continue
            if is_named_by(entry, entity):
                row = await self._row(entity)
                if row is not None:
                    rows[row.key] = replace(row, held=await held_of(entity, self._bodies), held_by=None)
            elif entity.get("unfinished"):
                row = await self._row(entity)
                if row is not None and row.pending is not None:
                    rows.setdefault(row.key, row)
            else:
                over.append((entry, entity))
        await self._take_out(over)
        return rows

    async def _take_out(self, over: Sequence[tuple[Entity, Entity]]) -> None:
        """Takes entries out of the index, unless somebody writes their rows just now.

        Who is about to hold a signal again has made the entry anew, maybe before it was read here, and writes the row over
        the version that was judged. A new version makes that write fail, so that all of it is done again.
        """
        rows = {entity["RowKey"]: entity for _, entity in over}
        # What is held under another name is entered under that, also where its row was damaged since.
        for stream in {entry["PartitionKey"] for entry, _ in over}:
            # Several entries may name one row: what held its signal changed more than once.
            held = {one["RowKey"]: one for entry, one in over if entry["PartitionKey"] == stream and is_holding(one)}
            await self._held.enter_entities(stream, list(held.values()))
        fences = [Step("merge", {**key_columns(key), **FINISHED}, version_of(row)) for key, row in rows.items()]
        fenced = await self._table.write([(fence,) for fence in fences])
        quiet = {key for key, versions in zip(rows, fenced, strict=True) if versions is not None}
        await self._held.remove([entry for entry, entity in over if entity["RowKey"] in quiet])


def _step(row: LedgerRow, entity: Entity) -> Step:
    # What is not written anew stays, such as what rules can match.
    return Step("create", entity) if row.version is None else Step("merge", entity, str(row.version))
