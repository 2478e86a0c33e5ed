"""The ledger in a table."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Collection, Mapping, Sequence
from dataclasses import replace
from itertools import batched

from router.domain.errors import StoreError
from router.domain.ledger import Row, Version
from router.store.azure_storage.bodies import Bodies
from router.store.azure_storage.held import HeldIndex
from router.store.azure_storage.ledger_rows import FINISHED, FOUND, HELD, entity_of, held_of, keys_of, place_of, row_of
from router.store.azure_storage.tables import Entity, Step, Table, quoted, version_of

_AT_A_TIME = 200
"""Rows with what they hold that are judged together."""


class AzureLedger:
    """The latest state of each signal, in the table `ledger`; a row's version is its etag."""

    def __init__(self, table: Table, held: HeldIndex, bodies: Bodies) -> None:
        self._table = table
        self._held = held
        self._bodies = bodies

    async def find(self, keys: Collection[str]) -> Mapping[str, Row]:
        """The rows of those signals that are known; what they hold is left out, since nobody who folds asks for it."""
        found = await self._table.find_all(map(place_of, keys), FOUND)
        rows = await asyncio.gather(*(row_of(entity, self._bodies) for entity in found.values()))
        return {row.key: row for row in rows}

    async def write(self, rows: Sequence[Row]) -> Mapping[str, Version]:
        """Writes rows, each only if its stored version is still `version`; returns the new versions of those written."""
        await self._held.add(rows)
        entities = await asyncio.gather(*(entity_of(row, self._bodies) for row in rows))
        units = [(_step(row, entity),) for row, entity in zip(rows, entities, strict=True)]
        written = await self._table.write(units)
        return {row.key: versions[0] for row, versions in zip(rows, written, strict=True) if versions is not None}

    async def finish(self, versions: Mapping[str, Version]) -> None:
        """Clears the intents of rows that are still at those versions, which gives them new ones."""
        steps = [Step("merge", {**keys_of(key), **FINISHED}, str(version)) for key, version in versions.items()]
        await self._table.write([(step,) for step in steps])

    async def unfinished(self, stream: str) -> Sequence[Row]:
        """The rows of a stream that still carry an intent. Walks the table: an intent is met by its key as a rule."""
        found = self._table.query(f"stream eq '{quoted(stream)}' and unfinished eq true", FOUND)
        return [await row_of(entity, self._bodies) async for entity in found]

    async def held_in_doubt(self, stream: str, rulebook: str, active: Collection[str]) -> AsyncIterator[Row]:
        """The rows of a stream held by a rule that is not among the active ones, or under another rulebook.

        Also those that were, and still carry an intent: let go, and not yet seen to. They hold nothing any more.
        """
        entries = [entry async for entry in self._held.in_doubt(stream, rulebook, frozenset(active))]
        faults: list[StoreError] = []
        for some in batched(entries, _AT_A_TIME, strict=False):
            for row in (await self._judged(some, faults)).values():
                yield row
        if faults:
            # One that cannot be read must not keep the others from coming out.
            raise faults[0]

    async def _judged(self, entries: Sequence[Entity], faults: list[StoreError]) -> dict[str, Row]:
        """The rows that entries of the index rightly name; those that name what is over are taken out of it."""
        places = [place_of(entry["signal"]) for entry in entries]
        found = await self._table.find_all(places, FOUND + HELD)
        rows: dict[str, Row] = {}
        over: list[tuple[Entity, Entity]] = []
        for entry, place in zip(entries, places, strict=True):
            # Without a row its writer may be about to write it; retention sees to what was left behind.
            if (entity := found.get(place)) is None:
                continue
            if _is_named_by(entry, entity):
                try:
                    row = await row_of(entity, self._bodies)
                    rows[row.key] = replace(row, held=await held_of(entity, self._bodies))
                except StoreError as fault:
                    faults.append(fault)
            elif entity["unfinished"]:
                rows.setdefault(entity["RowKey"], await row_of(entity, self._bodies))
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
        fences = [Step("merge", {**keys_of(key), **FINISHED}, version_of(row)) for key, row in rows.items()]
        fenced = await self._table.write([(fence,) for fence in fences])
        quiet = {key for key, versions in zip(rows, fenced, strict=True) if versions is not None}
        await self._held.remove([entry for entry, entity in over if entity["RowKey"] in quiet])


def _is_named_by(entry: Entity, entity: Entity) -> bool:
    """Whether a row is still held under the rule and the rulebook under which the index names it."""
    return bool(entity["until"]) and (entity["rule"], entity["rulebook"]) == (entry["rule"], entry["rulebook"])


def _step(row: Row, entity: Entity) -> Step:
    return Step("create", entity) if row.version is None else Step("replace", entity, str(row.version))
