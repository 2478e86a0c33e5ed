"""Dead letters: listed, redriven and discarded."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from router.domain.damage import DamagedLetter
from router.domain.deliveries import DeadLetter, Redrive
from router.domain.delivery_lifecycle import OutboxEntry, discarded, redriven, skipped
from router.domain.errors import StoreError
from router.domain.supersession import is_overtaken, redriven_with
from router.store.outbox.claiming import TRIES
from router.store.outbox.table import Move, OutboxTable


class DeadLetters[E: OutboxEntry]:
    """What was given up on; raises StoreError."""

    def __init__(self, table: OutboxTable[E]) -> None:
        self._table = table

    async def all(self) -> Sequence[DeadLetter | DamagedLetter]:
        """The dead letters, oldest first; of those that cannot be decoded what is left of them."""
        return await self._table.dead()

    async def redrive(self, id: str, now: datetime) -> Redrive:
        """Owes a dead letter again, and the resolutions that came after it; one that is overtaken is skipped.

        A resolution that is in flight is owed again too, whatever comes of that. One that cannot be decoded stays.
        """
        with self._table.transaction():
            for _ in range(TRIES):
                letter = await self._table.find_letter(id, now)
                if letter is None:
                    return Redrive.UNKNOWN
                if isinstance(letter, DamagedLetter):
                    return Redrive.DAMAGED
                entries = await self._table.history(letter)
                if is_overtaken(letter, entries):
                    if await self._table.move_together([Move(letter, skipped(letter, now))]):
                        return Redrive.OVERTAKEN
                    continue
                again = [letter, *redriven_with(letter, entries)]
                moves = [Move(one, redriven(one, now)) for one in again]
                if await self._table.move_together(moves):
                    # The resolutions wait for it.
                    await self._table.point([moves[0].after], now)
                    return Redrive.OWED
        raise StoreError(f"storage, deliveries: {id} is changed by others all the time")

    async def discard(self, id: str, now: datetime) -> bool:
        """Takes a dead letter off the list for good; False if there is none."""
        with self._table.transaction():
            letter = await self._table.find_letter(id, now)
            if letter is None:
                return False
            if isinstance(letter, DamagedLetter):
                return await self._table.discard_damaged(id, now)
            return await self._table.move_together([Move(letter, discarded(letter, now))])
