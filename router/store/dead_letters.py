"""Dead letters: listed, redriven and discarded."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from router.domain.damage import DamagedLetter
from router.domain.deliveries import DeadLetter, Redrive
from router.domain.delivery_errors import DISCARDED, damaged
from router.domain.delivery_lifecycle import discarded, redriven, skipped
from router.domain.errors import Undecodable
from router.domain.supersession import is_overtaken, redriven_with
from router.store.codec import attempt, readable
from router.store.delivery_rows import (
    WHOLE,
    StoredEntry,
    damaged_row,
    delivery_of,
    entry_of,
    read_signals,
    write_entries,
)
from router.store.engine import Engine, Transaction
from router.store.instants import EPOCH, micros
from router.store.row_reader import MOST_TIMES, Columns

_UNNAMED = "row-"
"""Begins the id of one whose own cannot be read."""


class DeadDeliveries:
    """What was given up on; raises StoreError."""

    _engine: Engine

    async def dead(self) -> Sequence[DeadLetter | DamagedLetter]:
        """Return the dead letters, oldest first; of those that cannot be decoded what is left of them."""
        async with self._engine.session() as tx:
            rows = await tx.fetch(f"{WHOLE} WHERE d.state='dead' ORDER BY d.settled NULLS FIRST, d.id")
        return [_letter_of(row) for row in rows]

    async def redrive(self, id: str, now: datetime) -> Redrive:
        """Owe a dead letter again, and the resolutions that came after it; one that is overtaken is skipped.

        A resolution that is in flight is owed again too, whatever comes of that. One that cannot be decoded stays.
        """
        async with self._engine.transaction() as tx:
            row = await _find_dead(tx, id)
            if row is None:
                return Redrive.UNKNOWN
            letter = attempt(entry_of, row)
            if isinstance(letter, Undecodable) or isinstance(attempt(delivery_of, row), Undecodable):
                return Redrive.DAMAGED
            entries = (await read_signals(tx, [letter.row_id]))[letter.key]
            if is_overtaken(letter, entries):
                await write_entries(tx, [skipped(letter, now)])
                return Redrive.OVERTAKEN
            await write_entries(tx, [redriven(one, now) for one in (letter, *redriven_with(letter, entries))])
            return Redrive.OWED

    async def discard(self, id: str, now: datetime) -> bool:
        """Take a dead letter off the list for good; False if there is none."""
        async with self._engine.transaction() as tx:
            row = await _find_dead(tx, id)
            if row is None:
                return False
            letter = attempt(entry_of, row)
            if isinstance(letter, StoredEntry):
                await write_entries(tx, [discarded(letter, now)])
            else:
                sql = "UPDATE deliveries SET state='skipped', settled=?, error=? WHERE place=?"
                await tx.execute(sql, micros(now), DISCARDED, row.whole("place"))
            return True


async def _find_dead(tx: Transaction, id: str) -> Columns | None:
    """The dead letter of that id, by the id under which it is listed."""
    number = id.removeprefix(_UNNAMED)
    if id != number and number.isdecimal():
        return await tx.find(f"{WHOLE} WHERE d.place=? AND d.state='dead'", int(number))
    return await tx.find(f"{WHOLE} WHERE d.id=? AND d.state='dead'", id)


def _letter_of(row: Columns) -> DeadLetter | DamagedLetter:
    """The dead letter that a row holds, or what is left of it."""
    delivery, error = attempt(delivery_of, row), row.words("error")
    if isinstance(delivery, Undecodable):
        id = readable("", row.text, "id")
        return DamagedLetter(
            id=id if id.isalnum() else f"{_UNNAMED}{row.raw('place')}",
            died=readable(None, row.find_time, "settled"),
            error=error or damaged(delivery),
            damage=damaged_row(row, delivery),
        )
    return DeadLetter(
        delivery=delivery,
        attempts=readable(0, row.whole, "attempts", 0, MOST_TIMES),
        born=readable(EPOCH, row.time, "born"),
        died=readable(EPOCH, row.time, "settled"),
        error=error,
    )
