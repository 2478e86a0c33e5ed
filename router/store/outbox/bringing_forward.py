"""Bringing forward what a destination is owed, since a person wants to know whether it can be asked."""

from __future__ import annotations

from contextlib import aclosing
from datetime import datetime

from router.domain.delivery_lifecycle import OutboxEntry, brought_forward
from router.domain.turn_order import next_owed
from router.store.outbox.claiming import TRIES
from router.store.outbox.table import Move, OutboxTable


class BringingForward[E: OutboxEntry]:
    """Brings deliveries forward; raises StoreError."""

    def __init__(self, table: OutboxTable[E]) -> None:
        self._table = table

    async def bring_forward(self, stream: str, destination: str, due: datetime, now: datetime) -> bool:
        """Makes one delivery due at an instant at the latest, and points at it; False where none waits there."""
        with self._table.transaction():
            for _ in range(TRIES):
                entry = await self._find(stream, destination, now)
                if entry is None:
                    return False
                moved = await self._table.move([Move(entry, brought_forward(entry, due))])
                if sooner := [one for one in moved if one is not None]:
                    await self._table.point(sooner, now)
                    return True
        return False

    async def _find(self, stream: str, destination: str, now: datetime) -> E | None:
        """The delivery that is next there, of those that were looked at."""
        async with aclosing(self._table.open_since(stream, [destination], now, now)) as found:
            async for entries in found:
                signals = await self._table.signals_of(entries)
                if (entry := next_owed(signal.entries for signal in signals)) is not None:
                    return entry
        return None
