"""Rows that nothing leads to, as the walk meets them: of an older program, of writers that died, of signals that are gone."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta

from router.domain.decisions import Outcome
from router.domain.retention import Forgotten, Retention, deliveries_to_forget
from router.store.azure.forgetting.old_signals import OldSignals
from router.store.azure.groups import AzureGroups
from router.store.azure.ledger_rows import LET_GO, entity_key
from router.store.azure.lookup_rows import partition_of
from router.store.azure.outbox.old_deliveries import OldDeliveries
from router.store.azure.shards import sorting
from router.store.azure.suppression_index import HeldIndex, signal_of
from router.store.azure.tables import Entity, Step, Table, keys_of, version_of, written_at

GRACE = timedelta(days=1)
"""How long what was written before its row may lie without one; after that its writer came to nothing."""

_NO_ROW_KEY = frozenset("/\\#?")
"""https://learn.microsoft.com/rest/api/storageservices/understanding-the-table-service-data-model"""


class OldRows:
    """Sees to pages of the ledger, of what is held, and of deliveries; raises StoreError."""

    def __init__(
        self,
        ledger: Table,
        held: HeldIndex,
        deliveries: OldDeliveries,
        groups: AzureGroups,
        signals: OldSignals,
    ) -> None:
        self._ledger = ledger
        self._held = held
        self._deliveries = deliveries
        self._groups = groups
        self._signals = signals

    async def see_to_signals(self, rows: Sequence[Entity], retention: Retention, now: datetime) -> Forgotten:
        """Looks at signals to which no decision leads, and has an older program's looked at again when they are old."""
        bodies = await self._let_go([row for row in rows if _is_let_go(row, now)])
        # What was written just now has another version, and is looked at in the next round.
        asked = [row for row in rows if row.get("reduced") is not True and not _is_let_go(row, now)]
        looked = await self._signals.look(asked, retention, now)
        new = {row["RowKey"]: row for row in asked if not row.get("heard")}
        again = {key: at for key, at in looked.again.items() if key in new}
        places = {key: partition_of(str(row.get("stream")), key) for key, row in new.items()}
        await self._signals.remember(again, places)
        await self._signals.date(looked.undated, now)
        return Forgotten(signals=looked.signals, reduced=looked.reduced, deliveries=looked.deliveries, bodies=bodies)

    async def _let_go(self, rows: Sequence[Entity]) -> int:
        """Lets bodies go that no rule holds any more."""
        written = await self._ledger.write(
            [(Step("merge", {**keys_of(row), **LET_GO}, version_of(row)),) for row in rows]
        )
        return len(written) - written.count(None)

    async def see_to_held(self, entries: Sequence[Entity], now: datetime) -> Forgotten:
        """Takes entries out of the index of what is held whose rows were never written, or are gone."""
        old = [entry for entry in entries if written_at(entry) < now - GRACE]
        found = await self._ledger.find_all([entity_key(signal_of(entry)) for entry in old], ("RowKey",))
        await self._held.remove([entry for entry in old if entity_key(signal_of(entry)) not in found])
        return Forgotten()

    async def see_to_deliveries(self, rows: Sequence[Entity], retention: Retention, now: datetime) -> Forgotten:
        """Takes deliveries away that are over and whose signal or group is gone, or which belong to none."""
        settled_until = now - retention.deliveries
        over = await self._deliveries.over_in(rows, settled_until)
        known = await self._known(over)
        going = [
            entry
            for key, destinations in over.items()
            if key not in known
            for name, some in (await self._deliveries.of_signal(key, destinations)).items()
            for entry in deliveries_to_forget(some, None, name, {one.turn for one in some}, settled_until)
        ]
        return Forgotten(deliveries=await self._deliveries.forget(going))

    async def _known(self, keys: Mapping[str, object]) -> set[str]:
        """Those keys under which a signal or a group is known."""
        sound = [key for key in keys if not _NO_ROW_KEY.intersection(key)]
        found = await self._ledger.find_all(map(entity_key, sound), ("RowKey",))
        known = {key for _, key in found}
        return known | set(await self._groups.find_groups([key for key in sound if key not in known]))


def _is_let_go(row: Entity, now: datetime) -> bool:
    """Whether a row holds a body whose rule is over, and waits for it no more."""
    until = row.get("until")
    return isinstance(until, str) and until != "" and until <= sorting(now) and row.get("outcome") != Outcome.SUPPRESSED
