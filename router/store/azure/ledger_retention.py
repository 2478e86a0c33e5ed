"""What retention takes away of the ledger. It walks the table; the service does the filtering."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Collection
from datetime import datetime
from itertools import batched

from router.domain.decisions import Outcome
from router.store.azure.bodies import Bodies
from router.store.azure.ledger_rows import BODIES, FOLDER, LET_GO, entity_key
from router.store.azure.shards import sorting
from router.store.azure.suppression_index import HeldIndex, signal_of
from router.store.azure.tables import Entity, Step, Table, version_of

type Among = Callable[[Collection[str]], Awaitable[Collection[str]]]
"""Says which of some signals are of some kind."""

_KEY_COLUMNS = ("PartitionKey", "RowKey")
_AT_A_TIME = 1000
_NO_ROW_KEY = frozenset("/\\#?")
"""https://learn.microsoft.com/rest/api/storageservices/understanding-the-table-service-data-model"""


class LedgerRetention:
    """The ledger's rows and bodies as they get old. What somebody writes meanwhile is left as it is."""

    def __init__(self, table: Table, held: HeldIndex, bodies: Bodies) -> None:
        self._table = table
        self._held = held
        self._bodies = bodies

    async def let_go(self, ended: datetime) -> int:
        """Lets bodies go whose rules ended by an instant; returns how many.

        What still waits for its rule to end keeps its body, however long nobody looked.
        """
        over = f"until ne '' and until le '{sorting(ended)}' and outcome ne '{Outcome.SUPPRESSED.value}'"
        found = [row async for row in self._table.query(over, _KEY_COLUMNS)]
        return await self._change([Step("merge", {**_key_columns(row), **LET_GO}, version_of(row)) for row in found])

    async def forget(self, closed: datetime, delivered: Among) -> int:
        """Takes rows away that were closed by an instant and have no delivery left; returns how many.

        Their turns would start anew, so a row outlives every delivery that bears one of them.
        """
        old = f"closed_at ne '' and closed_at le '{sorting(closed)}' and unfinished eq false"
        gone = 0
        for some in batched([row async for row in self._table.query(old, _KEY_COLUMNS)], _AT_A_TIME, strict=False):
            kept = await delivered([row["RowKey"] for row in some])
            gone += await self._change([_deletion(row) for row in some if row["RowKey"] not in kept])
        return gone

    async def standing(self, keys: Collection[str]) -> Collection[str]:
        """Those signals that still stand."""
        signals = [key for key in keys if not _NO_ROW_KEY.intersection(key)]
        found = await self._table.find_all(map(entity_key, signals), ("resolved",))
        return {key for (_, key), row in found.items() if row.get("resolved") is not True}

    async def tidy(self, before: datetime) -> None:
        """Takes away what was entered or put in a blob before an instant, and whose row was never written or is gone."""
        entries = [entry async for entry in self._held.older(before)]
        for some in batched(entries, _AT_A_TIME, strict=False):
            found = await self._table.find_all([entity_key(signal_of(entry)) for entry in some], ("RowKey",))
            await self._held.remove([entry for entry in some if entity_key(signal_of(entry)) not in found])
        await self._bodies.tidy(FOLDER, before, lambda key: self._table.find(*entity_key(key), BODIES))

    async def _change(self, steps: list[Step]) -> int:
        written = await self._table.write([(step,) for step in steps])
        return sum(versions is not None for versions in written)


def _key_columns(row: Entity) -> dict[str, str]:
    return {"PartitionKey": row["PartitionKey"], "RowKey": row["RowKey"]}


def _deletion(row: Entity) -> Step:
    return Step("delete", _key_columns(row), version_of(row))
