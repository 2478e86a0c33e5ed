"""What runs on a clock: giving up on what is too old or has nowhere to go, and undoing what a wrong clock did."""

from __future__ import annotations

from collections.abc import Collection
from datetime import datetime
from functools import partial

from router.domain.clocks import latest
from router.domain.delivery_errors import NOWHERE
from router.domain.delivery_lifecycle import OutboxEntry, died_of_age, given_up, is_unclaimed, with_possible_times
from router.domain.supersession import superseded
from router.store.outbox.claiming import Claiming
from router.store.outbox.dead_letters import DeadLetters
from router.store.outbox.table import Move, OutboxTable


class GivingUp[E: OutboxEntry]:
    """Gives up on deliveries, and on what a wrong clock wrote of them; raises StoreError."""

    def __init__(self, table: OutboxTable[E], claiming: Claiming[E], letters: DeadLetters[E]) -> None:
        self._table = table
        self._claiming = claiming
        self._letters = letters

    async def repair_times(self, now: datetime) -> int:
        """Owes at once what only a wrong clock can have deferred or given up on; returns how many deliveries."""
        with self._table.transaction():
            count = 0
            async for entries in self._table.with_impossible_times(now):
                moves = [Move(one, right) for one in entries if (right := with_possible_times(one, now)) != one]
                moved = [one for one in await self._table.move(moves) if one is not None]
                await self._table.point(moved, now)
                count += len(moved)
            letters = [one.id for one in await self._table.died_after(latest(now)) if died_of_age(one)]
            for id in letters:
                await self._letters.redrive(id, now)
        return count + len(letters)

    async def abandon(self, stream: str, named: Collection[str], born_before: datetime, now: datetime) -> int:
        """Gives up on deliveries that old of a stream to destinations that the policy does not name; returns how many."""
        with self._table.transaction():
            count = 0
            async for entries in self._table.open_since(stream, named, born_before, now, others=True):
                count += await self._give_up(entries, NOWHERE, now)
        return count

    async def give_up(self, stream: str, destination: str, born_until: datetime, error: str, now: datetime) -> int:
        """Gives up on what was owed until an instant at a destination that nobody can ask; returns how many deliveries.

        What is superseded is skipped before, as it is before a claim.
        """
        with self._table.transaction():
            count = 0
            async for entries in self._table.open_since(stream, [destination], born_until, now):
                signals = await self._table.signals_of(entries)
                kept = await self._claiming.find_ends_to_send(signals)
                left = await self._claiming.skip_superseded(signals, now, partial(superseded, kept=kept))
                old = [one for signal in left for one in signal.entries if one.born <= born_until]
                count += await self._give_up(old, error, now)
        return count

    async def _give_up(self, entries: Collection[E], ending: str, now: datetime) -> int:
        """Gives up on those that nobody has in flight; what is in flight is left to its worker."""
        moves = [Move(one, given_up(one, now, ending)) for one in entries if is_unclaimed(one, now)]
        dead = [one for one in await self._table.move(moves) if one is not None]
        await self._table.point(dead, now)
        return len(dead)
