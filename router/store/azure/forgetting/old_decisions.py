"""Decisions that are old enough to go, found by time, the oldest first; and signals that are to be looked at again.

A decision goes in this order: its row on record, its deliveries, its signal if that is old, then the rows that find it. So
whoever dies in between leaves a row that the next sweep finds.
"""

from __future__ import annotations

import asyncio
from collections import defaultdict
from collections.abc import Sequence
from datetime import datetime, timedelta

from router.domain.clocks import latest
from router.domain.decisions import Outcome
from router.domain.ledger import RECORD, record_key
from router.domain.retention import SILENT, Forgotten, Retention, deliveries_to_forget, latest_to_come
from router.domain.signals import Stream
from router.domain.state_report import due_after
from router.store.azure.bodies import Bodies
from router.store.azure.damaged_rows import RowQuarantine
from router.store.azure.forgetting.old_signals import OldSignals
from router.store.azure.forgetting.rests import Rests
from router.store.azure.lookup_rows import LookupKind, OldDecision, instant_in, old_decision_in
from router.store.azure.lookup_search import TABLE
from router.store.azure.outbox.old_deliveries import Destination, OldDeliveries
from router.store.azure.partitions_in_use import PartitionsInUse
from router.store.azure.record_rows import record_row
from router.store.azure.shards import sorting
from router.store.azure.tables import AFTER, Entity, Step, Table, Unit, each, keys_of, version_of
from router.store.codec import attempt

PAGE = 50
"""Decisions, or signals, of each partition that one step sees to."""

_INSTANT = timedelta(microseconds=1)


class OldDecisions:
    """Forgets decisions by time, and looks at signals again; raises StoreError."""

    def __init__(
        self,
        lookups: Table,
        record: Table,
        bodies: Bodies,
        aside: RowQuarantine,
        deliveries: OldDeliveries,
        signals: OldSignals,
        rests: Rests,
        in_use: PartitionsInUse,
    ) -> None:
        self._lookups = lookups
        self._in_use = in_use
        self._record = record
        self._bodies = bodies
        self._aside = aside
        self._deliveries = deliveries
        self._signals = signals
        self._rests = rests

    async def decisions(self, now: datetime, retention: Retention) -> Forgotten | None:
        """Forgets some decisions of each outcome; None where none is old enough."""
        partitions = await self._with_decisions(now)
        found = await asyncio.gather(
            *(
                self._due(partition, f"{LookupKind.TIME}:{outcome.value}:", now - age, age, latest_to_come(now), now)
                for outcome, age in retention.decisions.items()
                for partition in partitions
            )
        )
        rows = [row for some in found for row in some]
        if not rows:
            return None
        return await self._forget(
            await self._aside.sound(self._lookups, TABLE, each(rows), old_decision_in), retention, now
        )

    async def signals(self, now: datetime, retention: Retention) -> Forgotten | None:
        """Looks again at some signals whose time has come; None where that of none has."""
        again, possible = f"{LookupKind.AGAIN}:", latest(now, SILENT)
        partitions = self._in_use.known
        due = await asyncio.gather(
            *(self._due(partition, again, now, timedelta(), possible, now) for partition in partitions)
        )
        # A clock that was wrong may have put some off for ever.
        beyond = await asyncio.gather(*(self._beyond(partition, again, possible, now) for partition in partitions))
        rows = [row for some in (*due, *beyond) for row in some]
        if not rows:
            return None
        places = {str(row["signal"]): str(row["PartitionKey"]) for row in rows}
        looked = await self._signals.look_at(places, retention, now)
        await self._signals.remember(looked.again, places)
        await self._signals.date(looked.undated, now)
        await self._lookups.write([(Step("delete", keys_of(row), version_of(row)),) for row in rows])
        return Forgotten(signals=looked.signals, reduced=looked.reduced, deliveries=looked.deliveries)

    async def bring_back(self, now: datetime) -> None:
        """Has decisions that a wrong clock dated ahead found as of now, too: they would stay for ever."""
        partitions = self._in_use.known
        for outcome in Outcome:
            prefix = f"{LookupKind.TIME}:{outcome.value}:"
            found = await asyncio.gather(
                *(
                    self._beyond(partition, prefix, latest_to_come(now), now, "moved eq false")
                    for partition in partitions
                )
            )
            await self._lookups.write([_moved(row, prefix, now) for some in found for row in some])

    async def _with_decisions(self, now: datetime) -> list[str]:
        """The partitions in which there is any decision; of the others nobody has to ask for each outcome."""
        partitions = self._in_use.known
        return [one for one in await asyncio.gather(*(self._find_used(one, now) for one in partitions)) if one]

    async def _find_used(self, partition: str, now: datetime) -> str | None:
        prefixes = [f"{LookupKind.TIME}:{outcome.value}:" for outcome in Outcome]
        if all(self._rests.is_resting(partition, prefix, now) for prefix in prefixes):
            return None
        if await self._lookups.some(partition, f"{LookupKind.TIME}:", f"{LookupKind.TIME}:{AFTER}", 1):
            return partition
        for prefix in prefixes:
            self._rests.rest(partition, prefix, now, None)
            self._rests.rest(partition, f"{prefix}>", now, None)
        return None

    async def _due(
        self, partition: str, prefix: str, until: datetime, age: timedelta, possible: datetime, now: datetime
    ) -> list[Entity]:
        """The first rows of a kind whose instant is at most another; `possible` is the latest that a right clock sets."""
        if self._rests.is_resting(partition, prefix, now):
            return []
        # What is not due yet is read along: it says how long to rest, and often that no clock was wrong.
        found = await self._lookups.some(partition, prefix, prefix + AFTER, PAGE)
        keys = [str(row["RowKey"]) for row in found]
        if len(found) < PAGE and not any(key >= _after(prefix, possible) for key in keys):
            self._rests.rest(partition, f"{prefix}>", now, None)
        rows = [row for key, row in zip(keys, found, strict=True) if key < f"{prefix}{sorting(until + _INSTANT)}"]
        if not rows:
            due = attempt(instant_in, keys[0]) if keys else None
            self._rests.rest(partition, prefix, now, due_after(due, age) if isinstance(due, datetime) else None)
        return rows

    async def _beyond(
        self, partition: str, prefix: str, latest: datetime, now: datetime, where: str | None = None
    ) -> list[Entity]:
        """Some rows of a kind whose instant no clock that is right can have set."""
        if self._rests.is_resting(partition, f"{prefix}>", now):
            return []
        rows = await self._lookups.some(partition, _after(prefix, latest), prefix + AFTER, PAGE, where=where)
        if not rows:
            self._rests.rest(partition, f"{prefix}>", now, None)
        return rows

    async def _forget(self, old: Sequence[OldDecision], retention: Retention, now: datetime) -> Forgotten:
        rows = (dict(zip(("PartitionKey", "RowKey"), record_row(one.key), strict=True)) for one in old)
        await self._record.write([(Step("delete", row),) for row in rows])
        await asyncio.gather(*(self._bodies.delete(one.blob) for one in old if one.blob))
        deliveries = await self._forget_deliveries(old, now - retention.deliveries)
        places = {one.signal: one.partition for one in old if one.signal}
        looked = await self._signals.look_at(places, retention, now)
        await self._signals.remember(looked.again, places)
        await self._signals.date(looked.undated, now)
        gone = await self._lookups.write(
            [tuple(Step("delete", {"PartitionKey": one.partition, "RowKey": row}) for row in one.rows) for one in old]
        )
        return Forgotten(
            decisions=len(gone) - gone.count(None),
            deliveries=deliveries + looked.deliveries,
            signals=looked.signals,
            reduced=looked.reduced,
        )

    async def _forget_deliveries(self, old: Sequence[OldDecision], settled_until: datetime) -> int:
        """Takes away what was delivered of some decisions, at their destinations and at the record's second home."""
        turns: dict[str, set[int]] = defaultdict(set)
        names: dict[str, set[Destination]] = defaultdict(set)
        for one in old:
            stream = one.partition.rpartition(".")[0]
            turns[one.signal].add(one.turn)
            names[one.signal] |= {(stream, name) for name in one.destinations}
        known = set(await self._deliveries.destinations())
        told = [key for key in turns if key and names[key]]
        rows = await self._signals.rows(told)
        of_signals = await asyncio.gather(*(self._deliveries.of_signal(key, names[key] & known) for key in told))
        going = [
            entry
            for key, deliveries in zip(told, of_signals, strict=True)
            if key not in rows or rows[key] is not None
            for name, some in deliveries.items()
            for entry in deliveries_to_forget(some, rows.get(key), name, turns[key], settled_until)
        ]
        for stream in Stream:
            if (stream.value, RECORD) in known:
                keys = [record_key(one.key, stream.value) for one in old]
                for entry in await self._deliveries.of_record(keys, stream.value):
                    going += deliveries_to_forget([entry], None, RECORD, [1], settled_until)
        return await self._deliveries.forget(going)


def _after(prefix: str, instant: datetime) -> str:
    """What the keys of a kind begin after whose instant is later than another."""
    return f"{prefix}{sorting(instant)};"


def _moved(row: Entity, prefix: str, now: datetime) -> Unit:
    """What lets a decision be found as of now; its own row stays, since it says that the decision is counted."""
    here = f"{prefix}{sorting(now)}:{str(row['RowKey']).rpartition(':')[2]}"
    columns = {name: row[name] for name in ("key", "signal", "turn", "destinations", "blob") if name in row}
    stand_in = {"PartitionKey": row["PartitionKey"], "RowKey": here, **columns, "moved": True, "of": row["RowKey"]}
    return Step("merge", {**keys_of(row), "moved": True}, version_of(row)), Step("create", stand_in)
