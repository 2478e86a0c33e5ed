"""The quarantine in a table."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

import orjson

from router.domain.damage import ORIGIN
from router.domain.errors import Undecodable
from router.domain.ledger import Arrival
from router.domain.quarantine import QuarantineEntry
from router.domain.reasons import Code, Reason
from router.domain.signals import Quarantined
from router.store.azure.bodies import Bodies, fresh_name
from router.store.azure.shards import EPOCH, sorting
from router.store.azure.tables import Entity, Step, Table
from router.store.codec import attempted, readable
from router.store.row_reader import Columns, parts_of, time_of

PARTITION = "kept"
"""The one partition: what is not understood is rare, and is listed as a whole."""

DAMAGED = "damaged"
"""The partition of rows of the state that cannot be decoded: they are counted every minute."""

_PARTITIONS = (PARTITION, DAMAGED)

FOLDER = "quarantine"
"""Where the bodies lie that a row cannot hold."""


BODIES = ("about", "body")
"""The columns that may name a blob."""


class AzureQuarantine:
    """What was not understood, in the table `quarantine`."""

    def __init__(self, table: Table, bodies: Bodies) -> None:
        self._table = table
        self._bodies = bodies

    async def put_in_quarantine(self, entries: Sequence[QuarantineEntry]) -> None:
        """Stores entries, create-if-absent by their id."""
        first = {one.id: one for one in reversed(entries)}
        entities = await asyncio.gather(*map(self._entity_of, first.values()))
        await self._table.write([(Step("create", entity),) for entity in entities])

    async def list_quarantined(self) -> Sequence[QuarantineEntry]:
        """All entries, oldest first; of an entry that is damaged itself, what can be read of it."""
        entries = [
            await self._entry_in(entity) for partition in _PARTITIONS async for entity in self._table.rows(partition)
        ]
        return sorted(entries, key=lambda one: (one.at, one.id))

    async def find_quarantined(self, id: str) -> QuarantineEntry | None:
        """One entry."""
        entity = await self._find(id)
        return await self._entry_in(entity) if entity is not None else None

    async def discard_quarantined(self, id: str) -> bool:
        """Discards one; False if there is none."""
        entity = await self._find(id)
        if entity is None:
            return False
        (gone,) = await self._table.write([(Step("delete", entity),)])
        await asyncio.gather(*(self._bodies.delete(entity.get(column)) for column in BODIES))
        return gone is not None

    async def count_damaged_rows(self, stream: str) -> int:
        """How many damaged rows there are, of a stream or of an unknown one."""
        rows = self._table.rows(DAMAGED, select=("RowKey", "stream"))
        return len([row async for row in rows if row.get("stream") in ("", stream)])

    async def owner(self, id: str) -> Entity | None:
        """The row of an entry, which names the blobs of what it cannot hold."""
        return await self._find(id)

    async def _find(self, id: str) -> Entity | None:
        found = await self._table.find(PARTITION, id)
        return found if found is not None else await self._table.find(DAMAGED, id)

    async def _entity_of(self, one: QuarantineEntry) -> Entity:
        return {
            "PartitionKey": DAMAGED if one.quarantined.reason.code is Code.DAMAGED else PARTITION,
            "RowKey": one.id,
            "at": sorting(one.at),
            "stream": one.stream or "",
            "code": one.quarantined.reason.code.value,
            "about": await self._bodies.column(_about(one), fresh_name(FOLDER, one.id)),
            "body": await self._bodies.column(one.quarantined.body, fresh_name(FOLDER, one.id)),
        }

    async def _entry_in(self, entity: Entity) -> QuarantineEntry:
        row = Columns(entity)
        about = await attempted(self._about(row))
        if isinstance(about, Undecodable):
            about = (ORIGIN, Arrival(ORIGIN, 0), f"{about}", None)
        source, arrival, words, at_fault = about
        body = await attempted(self._bodies.read(row.raw("body")))
        return QuarantineEntry(
            id=entity["RowKey"],
            source=source,
            stream=row.words("stream") or None,
            at=readable(EPOCH, row.time, "at"),
            arrival=arrival,
            quarantined=Quarantined(
                reason=Reason(readable(Code.DAMAGED, row.word, "code", Code), words),
                at_fault=at_fault,
                body=body if isinstance(body, bytes) else row.words("body").encode(),
            ),
        )

    async def _about(self, row: Columns) -> tuple[str, Arrival, str, str | None]:
        about = parts_of(await self._bodies.read(row.raw("about")), 7, "about")
        enqueued = time_of(about[4], "about") if about[4] else None
        match about:
            case [str(source), str(origin), int(place), int(part), _, str(words), str() | None as at_fault]:
                return source, Arrival(origin, place, enqueued, part), words, at_fault
        raise Undecodable("about: is not what is written of a message")


def _about(one: QuarantineEntry) -> bytes:
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
