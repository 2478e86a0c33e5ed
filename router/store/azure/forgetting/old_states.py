"""States of groups, members and windows that are long over, as the walk meets them."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from datetime import datetime

from router.domain.groups import GroupState
from router.domain.retention import LONGEST, Disposition, Forgotten, disposition_of_group
from router.store.azure.groups import state_in
from router.store.azure.outbox.old_deliveries import OldDeliveries
from router.store.azure.shards import sorting
from router.store.azure.tables import Entity, Step, Table, keys_of, version_of
from router.store.codec import attempt
from router.store.stored_names import ADMISSION_STATE, GROUP_STATE


class OldStates:
    """Forgets entries of the table `groups`; raises StoreError. What is written meanwhile stays."""

    def __init__(self, table: Table, deliveries: OldDeliveries) -> None:
        self._table = table
        self._deliveries = deliveries

    async def see_to(self, rows: Sequence[Entity], now: datetime) -> Forgotten:
        """Takes those of some entries away that are over, and reduces groups that stand."""
        until = sorting(now - LONGEST)
        old = [row for row in rows if row["RowKey"] != ADMISSION_STATE and str(row.get("at") or "~") <= until]
        results = await asyncio.gather(*(self._see_to(row) for row in old if row.get("reduced") is not True))
        total = Forgotten()
        for one in results:
            total = total.and_then(one)
        return total

    async def _see_to(self, row: Entity) -> Forgotten:
        tag, _, key = str(row["RowKey"]).partition(":")
        state = attempt(state_in, row) if tag == GROUP_STATE else None
        if not isinstance(state, GroupState):
            # A damaged one is mended when it is asked for, or goes by its columns.
            return Forgotten(groups=await self._delete(row)) if row.get("standing") == 0 else Forgotten()
        stream, _, destination = str(row["PartitionKey"]).partition(".")
        entries = (await self._deliveries.of_signal(key, [(stream, destination)])).get(destination, ())
        match disposition_of_group(state, entries):
            case Disposition.FORGET:
                gone = await self._deliveries.forget(entries)
                return Forgotten(groups=await self._delete(row), deliveries=gone)
            case Disposition.REDUCE:
                gone = await self._deliveries.forget([one for one in entries if one.turn != state.opened])
                await self._deliveries.forget_payloads(one for one in entries if one.turn == state.opened)
                step = Step("merge", {**keys_of(row), "reduced": True}, version_of(row))
                (written,) = await self._table.write([(step,)])
                return Forgotten(reduced=int(written is not None), deliveries=gone)
        return Forgotten()

    async def _delete(self, row: Entity) -> int:
        (gone,) = await self._table.write([(Step("delete", keys_of(row), version_of(row)),)])
        return int(gone is not None)
