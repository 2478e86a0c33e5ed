"""Signals as retention looks at them: forgotten, reduced to key and place, or looked at again later."""

from __future__ import annotations

import asyncio
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import NamedTuple

from router.domain.errors import Undecodable
from router.domain.ledger import LedgerRow
from router.domain.retention import (
    AGAIN,
    Disposition,
    Retention,
    deliveries_beyond_opening,
    is_dated,
    latest_to_come,
    review_of_signal,
)
from router.store.azure.bodies import Bodies
from router.store.azure.forgetting.rests import Rests
from router.store.azure.groups import AzureGroups
from router.store.azure.ledger_rows import FOUND, entity_key, key_columns, row_of
from router.store.azure.lookup_rows import FINDING, LookupKind, again_row, partition_of, span_of
from router.store.azure.outbox.old_deliveries import ByDestination, Destination, OldDeliveries
from router.store.azure.shards import sorting
from router.store.azure.tables import Entity, Step, Table, Unit, keys_of, version_of
from router.store.codec import attempted

REVIEWED = ("PartitionKey", *FOUND, "until", "reduced")
"""The columns of the ledger that retention looks at."""


class KnownSignal(NamedTuple):
    """A signal as the ledger has it.

    Attributes:
        entity: its row as it is stored.
        row: the row.
    """

    entity: Entity
    row: LedgerRow


@dataclass(frozen=True, slots=True)
class Reviewed:
    """What became of some signals.

    Attributes:
        again: when those that stayed are to be looked at again, by the key.
        undated: those of which nobody knows since when they count; to be dated once it is written down when to look again.
        signals: how many were forgotten.
        reduced: how many were reduced.
        deliveries: how many deliveries went with them.
    """

    again: Mapping[str, datetime]
    undated: Sequence[KnownSignal] = ()
    signals: int = 0
    reduced: int = 0
    deliveries: int = 0


class OldSignals:
    """Looks at signals; raises StoreError. One of which a message comes meanwhile stays as it is."""

    def __init__(
        self,
        ledger: Table,
        lookups: Table,
        bodies: Bodies,
        deliveries: OldDeliveries,
        groups: AzureGroups,
        rests: Rests,
    ) -> None:
        self._ledger = ledger
        self._lookups = lookups
        self._bodies = bodies
        self._deliveries = deliveries
        self._groups = groups
        self._rests = rests

    async def rows(self, keys: Collection[str]) -> dict[str, LedgerRow | None]:
        """The rows of those signals that are known; None for one that cannot be decoded."""
        found = await self._ledger.find_all(map(entity_key, keys), REVIEWED)
        rows = await asyncio.gather(*(attempted(row_of(entity, self._bodies)) for entity in found.values()))
        return {key: row if isinstance(row, LedgerRow) else None for (_, key), row in zip(found, rows, strict=True)}

    async def look_at(self, places: Mapping[str, str], retention: Retention, now: datetime) -> Reviewed:
        """Looks at signals, by the partition of what finds each; where one is not known any more, that goes, too."""
        known = await self._ledger.find_all(map(entity_key, places), REVIEWED)
        missing = {key: place for key, place in places.items() if entity_key(key) not in known}
        await self._forget_strays(missing)
        return await self.look(list(known.values()), retention, now)

    async def look(self, entities: Sequence[Entity], retention: Retention, now: datetime) -> Reviewed:
        """Looks at signals by the columns `REVIEWED` of their rows."""
        rows = await asyncio.gather(*(attempted(row_of(entity, self._bodies)) for entity in entities))
        again: dict[str, datetime] = {}
        old: list[KnownSignal] = []
        kept: list[KnownSignal] = []
        for entity, row in zip(entities, rows, strict=True):
            if isinstance(row, Undecodable):
                # It is mended when somebody asks for it.
                again[entity["RowKey"]] = now + AGAIN
                continue
            review = review_of_signal(row, {}, is_member=False, retention=retention, now=now)
            if review.disposition is Disposition.KEEP:
                again[row.key] = review.again
            (kept if review.disposition is Disposition.KEEP else old).append(KnownSignal(entity, row))
        results = await self._look_closely(old, retention, now)
        for one, result in zip(old, results, strict=True):
            if result.again is not None:
                again[one.row.key] = result.again
            if result.disposition is Disposition.KEEP:
                kept.append(one)
        return Reviewed(
            again,
            [one for one in kept if one.row.heard is None or not is_dated(one.row, now)],
            signals=sum(one.disposition is Disposition.FORGET for one in results),
            reduced=sum(one.disposition is Disposition.REDUCE for one in results),
            deliveries=sum(one.deliveries for one in results),
        )

    async def _look_closely(self, old: Sequence[KnownSignal], retention: Retention, now: datetime) -> list[_Result]:
        """Looks at signals that are old enough to go, with all that may need them."""
        if not old:
            return []
        members = await self._groups.find_members([one.row.key for one in old if one.row.forwarded])
        destinations = await self._deliveries.destinations()
        return await asyncio.gather(
            *(self._look(one, one.row.key in members, destinations, retention, now) for one in old)
        )

    async def _look(
        self,
        seen: KnownSignal,
        is_member: bool,
        destinations: Sequence[Destination],
        retention: Retention,
        now: datetime,
    ) -> _Result:
        row = seen.row
        deliveries: ByDestination = {}
        if row.forwarded:
            own = [one for one in destinations if one[0] == row.stream]
            deliveries = await self._deliveries.of_signal(row.key, own)
        review = review_of_signal(row, deliveries, is_member=is_member, retention=retention, now=now)
        match review.disposition:
            case Disposition.FORGET:
                return await self._forget(seen, deliveries)
            case Disposition.REDUCE:
                return await self._reduce(seen, deliveries, review.again)
        return _Result(Disposition.KEEP, review.again)

    async def _forget(self, seen: KnownSignal, deliveries: ByDestination) -> _Result:
        """Takes a signal away, and what finds it last: who comes by there looks once more."""
        finding = await self._finding(partition_of(seen.row.stream, seen.row.key), seen.row.key)
        gone = await self._deliveries.forget([one for some in deliveries.values() for one in some])
        deletion = Step("delete", key_columns(seen.row.key), version_of(seen.entity))
        (written,) = await self._ledger.write([(deletion,)])
        if written is None:
            return _Result(Disposition.KEEP, None, gone)
        await self._lookups.write([unfinding(row) for row in finding])
        return _Result(Disposition.FORGET, None, gone)

    async def _reduce(self, seen: KnownSignal, deliveries: ByDestination, again: datetime) -> _Result:
        """Leaves key and place of a signal that is open somewhere, and the receipts of what opened it."""
        if seen.entity.get("reduced") is True:
            return _Result(Disposition.KEEP, again)
        beyond = [one for name, some in deliveries.items() for one in deliveries_beyond_opening(some, seen.row, name)]
        gone = await self._deliveries.forget(beyond)
        left = [one for some in deliveries.values() for one in some if one not in beyond]
        await self._deliveries.forget_payloads(left)
        columns = {**key_columns(seen.row.key), "fields": b"", "reduced": True}
        (written,) = await self._ledger.write([(Step("merge", columns, version_of(seen.entity)),)])
        return _Result(Disposition.KEEP, None, gone) if written is None else _Result(Disposition.REDUCE, again, gone)

    async def date(self, seen: Sequence[KnownSignal], now: datetime) -> None:
        """Counts signals as heard of now of which an older program did not say it, or a clock that was wrong said it."""
        await self._ledger.write([(Step("merge", _dates(one.row, now), version_of(one.entity)),) for one in seen])

    async def remember(self, again: Mapping[str, datetime], places: Mapping[str, str]) -> None:
        """Writes down when signals are to be looked at again, by the partition of what finds each."""
        rows = [again_row(places[key], key, at) for key, at in again.items()]
        await self._lookups.write([(Step("put", row),) for row in rows])
        for place in {places[key] for key in again}:
            self._rests.wake(place)

    async def _forget_strays(self, places: Mapping[str, str]) -> None:
        """Takes away what finds signals that are not known any more, unless a message about them comes just now.

        It makes what finds them anew, after their rows: so these are looked for once more in between.
        """
        found = await asyncio.gather(*(self._finding(place, key) for key, place in places.items()))
        finding = {key: rows for key, rows in zip(places, found, strict=True) if rows}
        known = await self._ledger.find_all(map(entity_key, finding), ("RowKey",))
        gone = [row for key, rows in finding.items() if entity_key(key) not in known for row in rows]
        await self._lookups.write([unfinding(row) for row in gone])

    async def _finding(self, partition: str, key: str) -> list[Entity]:
        """The rows that say what finds a signal."""
        return [row async for row in self._lookups.rows(partition, *span_of(LookupKind.SIGNAL, key))]


def _dates(row: LedgerRow, now: datetime) -> Entity:
    is_wrong = row.closed_at is not None and row.closed_at > latest_to_come(now)
    return {**key_columns(row.key), "heard": sorting(now), **({"closed_at": sorting(now)} if is_wrong else {})}


def unfinding(row: Entity) -> Unit:
    """What takes away how a signal is found, unless that was made anew since."""
    names = (str(row.get(column) or "") for column in FINDING)
    others = (Step("delete", {"PartitionKey": row["PartitionKey"], "RowKey": name}) for name in names if name)
    return (Step("delete", keys_of(row), version_of(row)), *others)


class _Result(NamedTuple):
    """What became of one signal; `again` is None where it is gone, or a message about it came."""

    disposition: Disposition
    again: datetime | None
    deliveries: int = 0
