"""Writing down what became of claims."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from router.domain.deliveries import DeliveryState, Settlement
from router.domain.delivery_lifecycle import OutboxEntry, by_claim, one_for_each, settled, still_counts
from router.domain.errors import StoreError
from router.store.outbox.claiming import TRIES
from router.store.outbox.in_flight import InFlight
from router.store.outbox.table import Move, OutboxTable


class Settling[E: OutboxEntry]:
    """Settles claims; raises StoreError."""

    def __init__(self, table: OutboxTable[E], in_flight: InFlight[E]) -> None:
        self._table = table
        self._in_flight = in_flight

    async def settle(self, settlements: Sequence[Settlement]) -> None:
        """Writes settlements down, and points at what is owed again and at what waited for what is closed."""
        if not settlements:
            return
        with self._table.transaction():
            sent = (one.delivery for one in settlements if one.state is DeliveryState.SENT)
            await self._table.note_delivered({(one.stream, one.destination) for one in sent})
            for some in by_claim(settlements):
                written = await self._write_all(one_for_each(some))
                await self._table.point(written, max(one.at for one in some))
        self._in_flight.forget(one.claim for one in settlements)

    async def _write_all(self, chosen: Mapping[str, Settlement]) -> list[E]:
        claims = {id: entry for id, one in chosen.items() if (entry := self._in_flight.find(one.claim)) is not None}
        written = await self._write(chosen, claims)
        left = {id: one for id, one in chosen.items() if id not in written}
        for _ in range(TRIES):
            if not left:
                return list(written.values())
            # Not claimed here, or somebody has changed it since: what is stored decides.
            found = await self._table.find_all([one.delivery for one in left.values()])
            stored = {entry.id: entry for entry in found}
            left = {id: one for id, one in left.items() if still_counts(one, stored.get(id), claims.get(id))}
            written |= await self._write(left, stored)
            left = {id: one for id, one in left.items() if id not in written}
        if left:
            raise StoreError("storage, deliveries: too many workers settle the same ones")
        return list(written.values())

    async def _write(self, chosen: Mapping[str, Settlement], befores: Mapping[str, E]) -> dict[str, E]:
        """The entries of those that were as they are known."""
        moves = [
            Move(before, settled(before, one), one.receipt)
            for id, one in chosen.items()
            if (before := befores.get(id)) is not None
        ]
        return {entry.id: entry for entry in await self._table.move(moves) if entry is not None} if moves else {}
