"""The outbox over a table: each promise of the outbox that does not depend on the store, and which part keeps it."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from datetime import datetime

from router.domain.damage import DamagedLetter
from router.domain.deliveries import Claim, DeadLetter, Delivery, Pointer, Redrive, Settlement
from router.domain.delivery_lifecycle import OutboxEntry
from router.store.outbox.bringing_forward import BringingForward
from router.store.outbox.claiming import Claiming
from router.store.outbox.dead_letters import DeadLetters
from router.store.outbox.giving_up import GivingUp
from router.store.outbox.in_flight import InFlight
from router.store.outbox.settling import Settling
from router.store.outbox.table import OutboxTable


class TableOutbox[E: OutboxEntry]:
    """The deliveries, as a table and its queue keep them; raises StoreError."""

    def __init__(self, table: OutboxTable[E]) -> None:
        in_flight = InFlight[E]()
        self._table = table
        self._claiming = Claiming(table, in_flight)
        self._settling = Settling(table, in_flight)
        self._letters = DeadLetters(table)
        self._giving_up = GivingUp(table, self._claiming, self._letters)
        self._bringing_forward = BringingForward(table)

    async def put_in_outbox(self, deliveries: Sequence[Delivery], now: datetime) -> None:
        """Owes deliveries, create-if-absent by their id, and points at them, also at those that were there already."""
        if deliveries:
            await self._table.add(deliveries, now)

    async def claim(self, pointer: Pointer, due: datetime, until: datetime, limit: int) -> Sequence[Claim]:
        """Claims up to `limit` deliveries that lie where a pointer says and are due, each the first of its signal."""
        return await self._claiming.claim(pointer, due, until, limit)

    async def settle(self, settlements: Sequence[Settlement]) -> None:
        """Writes down what became of claims, and points at what is owed again or comes next."""
        await self._settling.settle(settlements)

    async def repair_times(self, now: datetime) -> int:
        """Owes at once what only a wrong clock can have deferred or given up on; returns how many deliveries."""
        return await self._giving_up.repair_times(now)

    async def abandon(self, stream: str, named: Collection[str], born_before: datetime, now: datetime) -> int:
        """Gives up on deliveries that old of a stream to destinations that the policy does not name; returns how many."""
        return await self._giving_up.abandon(stream, named, born_before, now)

    async def give_up(self, stream: str, destination: str, born_until: datetime, error: str, now: datetime) -> int:
        """Gives up on what was owed until an instant at a destination that nobody can ask; returns how many deliveries."""
        return await self._giving_up.give_up(stream, destination, born_until, error, now)

    async def bring_forward(self, stream: str, destination: str, due: datetime, now: datetime) -> bool:
        """Makes one delivery due at an instant at the latest, and points at it; False where none waits there."""
        return await self._bringing_forward.bring_forward(stream, destination, due, now)

    async def dead(self) -> Sequence[DeadLetter | DamagedLetter]:
        """The dead letters, oldest first; of those that cannot be decoded what is left of them."""
        return await self._letters.all()

    async def redrive(self, id: str, now: datetime) -> Redrive:
        """Owes a dead letter again, and the resolutions that came after it; one that is overtaken is skipped."""
        return await self._letters.redrive(id, now)

    async def discard(self, id: str, now: datetime) -> bool:
        """Takes a dead letter off the list for good; False if there is none."""
        return await self._letters.discard(id, now)
