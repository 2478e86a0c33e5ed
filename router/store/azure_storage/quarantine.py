"""The quarantine in a table."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from datetime import datetime

import orjson

from router.domain.keeping import Kept
from router.domain.ledger import Arrival
from router.domain.reasons import Code, Reason
from router.domain.signals import Quarantined
from router.store.azure_storage.bodies import Bodies, fresh_name
from router.store.azure_storage.shards import find_instant, instant, sorting
from router.store.azure_storage.tables import Entity, Step, Table

PARTITION = "kept"
"""The one partition: what is not understood is rare, and is listed as a whole."""

FOLDER = "quarantine"
"""Where the bodies lie that a row cannot hold."""


BODIES = ("about", "body")
"""The columns that may name a blob."""


class AzureQuarantine:
    """What was not understood, in the table `quarantine`."""

    def __init__(self, table: Table, bodies: Bodies) -> None:
        self._table = table
        self._bodies = bodies

    async def add(self, kept: Sequence[Kept]) -> None:
        """Keeps bodies, create-if-absent by their id."""
        first = {one.id: one for one in reversed(kept)}
        entities = await asyncio.gather(*map(self._entity_of, first.values()))
        await self._table.write([(Step("create", entity),) for entity in entities])

    async def all(self) -> Sequence[Kept]:
        """What is kept, oldest first."""
        kept = [await self._kept(entity) async for entity in self._table.rows(PARTITION)]
        return sorted(kept, key=lambda one: (one.at, one.id))

    async def find(self, id: str) -> Kept | None:
        """One kept body."""
        entity = await self._table.find(PARTITION, id)
        return await self._kept(entity) if entity is not None else None

    async def remove(self, id: str) -> bool:
        """Discards one; False if there is none."""
        entity = await self._table.find(PARTITION, id)
        if entity is None:
            return False
        (gone,) = await self._table.write([(Step("delete", entity),)])
        await asyncio.gather(*(self._bodies.delete(entity[column]) for column in BODIES))
        return gone is not None

    async def tidy(self, before: datetime) -> None:
        """Takes bodies away that were put in a blob before an instant, and whose row was never written or is gone."""
        await self._bodies.tidy(FOLDER, before, lambda key: self._table.find(PARTITION, key, BODIES))

    async def _entity_of(self, one: Kept) -> Entity:
        return {
            "PartitionKey": PARTITION,
            "RowKey": one.id,
            "at": sorting(one.at),
            "stream": one.stream or "",
            "code": one.quarantined.reason.code.value,
            "about": await self._bodies.column(_about(one), fresh_name(FOLDER, one.id)),
            "body": await self._bodies.column(one.quarantined.body, fresh_name(FOLDER, one.id)),
        }

    async def _kept(self, entity: Entity) -> Kept:
        source, origin, place, part, enqueued, words, at_fault = orjson.loads(await self._bodies.read(entity["about"]))
        reason = Reason(Code(entity["code"]), words)
        body = await self._bodies.read(entity["body"])
        return Kept(
            id=entity["RowKey"],
            source=source,
            stream=entity["stream"] or None,
            at=instant(entity["at"]),
            arrival=Arrival(origin, place, find_instant(enqueued), part),
            quarantined=Quarantined(reason=reason, at_fault=at_fault, body=body),
        )


def _about(one: Kept) -> bytes:
    arrival, reason = one.arrival, one.quarantined.reason
    return orjson.dumps(
        [
            one.source,
            arrival.origin,
            arrival.place,
            arrival.part,
            sorting(arrival.enqueued),
            reason.words,
            one.quarantined.at_fault,
        ]
    )
