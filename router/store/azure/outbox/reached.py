"""Which destinations ever took a delivery, in the partition `reached`: one row each."""

from __future__ import annotations

from collections.abc import Iterable

from router.domain.deliveries import DeliveryState
from router.store.azure.outbox.locations import RowKind, shards_of, span_of
from router.store.azure.tables import Step, Table

_PARTITION = "reached"

_SENT = f"state eq '{DeliveryState.SENT}'"

type Taker = tuple[str, str]
"""A stream and a destination."""


class Reached:
    """Remembers who took a delivery, each written once by each process. Raises StoreError."""

    def __init__(self, table: Table) -> None:
        self._table = table
        self._noted: set[Taker] = set()
        self._looked_at: set[Taker] = set()

    async def note(self, takers: Iterable[Taker]) -> None:
        """Remembers that destinations took a delivery, before anything says so that may be taken away again."""
        new = set(takers) - self._noted
        if new:
            await self._table.write([(Step("put", _keys(one)),) for one in new])
            self._noted |= new

    async def has(self, taker: Taker) -> bool:
        """Whether a destination ever took a delivery; what an older program delivered is looked for once."""
        keys = _keys(taker)
        if taker in self._noted or await self._table.find(keys["PartitionKey"], keys["RowKey"]) is not None:
            return True
        if taker in self._looked_at or not await self._was_sent_something(taker):
            self._looked_at.add(taker)
            return False
        await self.note([taker])
        return True

    async def _was_sent_something(self, taker: Taker) -> bool:
        for shard in shards_of(*taker):
            span = span_of(RowKind.DELIVERY)
            async for _ in self._table.rows(shard.partition, *span, where=_SENT, select=("RowKey",)):
                return True
        return False


def _keys(taker: Taker) -> dict[str, str]:
    return {"PartitionKey": _PARTITION, "RowKey": ".".join(taker)}
