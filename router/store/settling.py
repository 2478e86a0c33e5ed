"""Writing down what became of claims."""

from __future__ import annotations

from collections.abc import Sequence

from router.domain.deliveries import DeliveryState, Receipt, Settlement
from router.domain.delivery_lifecycle import is_still_valid, settled
from router.store.delivery_rows import StoredEntry, read_entries, write_entries
from router.store.engine import Engine


class DeliverySettlements:
    """Settles claims; raises StoreError."""

    _engine: Engine
    _reached: set[tuple[str, str]]

    async def settle(self, settlements: Sequence[Settlement]) -> None:
        """Write down what became of claims, all or none of them; what does not count any more changes nothing."""
        if not settlements:
            return
        async with self._engine.transaction() as tx:
            ids = sorted({one.delivery.id for one in settlements})
            now = max(one.at for one in settlements)
            stored = {one.id: one for one in await read_entries(tx, now, "id = ANY(?)", ids)}
            changed: dict[str, StoredEntry] = {}
            receipts: dict[int, Receipt | None] = {}
            for one in settlements:
                entry = stored.get(one.delivery.id)
                if entry is not None and is_still_valid(one, entry):
                    stored[entry.id] = changed[entry.id] = settled(entry, one)
                    receipts[entry.row_id] = one.receipt
            await write_entries(tx, changed.values(), receipts)
            sent = {
                (one.delivery.stream, one.delivery.destination)
                for one in settlements
                if one.state is DeliveryState.SENT
            }
            new = sent - self._reached
            await tx.execute_many(
                "INSERT INTO reached (stream, destination) VALUES (?,?) ON CONFLICT (stream, destination) DO NOTHING",
                sorted(new),
            )
        self._reached |= new

    async def has_delivered(self, stream: str, destination: str) -> bool:
        """Return whether a destination ever took a delivery, whatever is kept of it."""
        async with self._engine.session() as tx:
            sql = "SELECT 1 FROM reached WHERE stream=? AND destination=?"
            return await tx.value(sql, stream, destination) is not None
