"""Dead letters: what is given up on, and how it is listed, redriven and discarded."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime

from router.domain.clocks import latest
from router.domain.deliveries import DISCARDED, LONGEST_LEASE, DeadLetter, Redrive
from router.domain.errors import Undecodable
from router.store.claims import find_ends_to_send
from router.store.codec import EPOCH, MOST_TIMES, Columns, attempt, micros, readable
from router.store.deliveries import (
    IS_OPEN,
    WHOLE,
    delivery_of,
    entry_of,
    read_entries,
    read_signals,
    set_aside_unknown,
    write_entries,
)
from router.store.delivery_lifecycle import NOWHERE, OutboxEntry, damaged, given_up, redriven, skipped
from router.store.destinations import forget_pauses
from router.store.store import Transaction
from router.store.turn_order import is_overtaken, redriven_with, superseded


@dataclass(frozen=True, slots=True, kw_only=True)
class DamagedLetter:
    """A delivery that was given up on since it cannot be decoded, and what is left of it.

    Attributes:
        died: None where that cannot be read.
        why: what could not be decoded.
        addressed_to: its stream and destination, as far as they can be read.
        row: all that its row holds, as JSON.
    """

    id: str
    died: datetime | None
    error: str
    why: str
    addressed_to: str
    row: bytes = field(repr=False)


_AT_A_TIME = 500
"""Deliveries that one transaction gives up on: no other waits for more."""

_UNNAMED = "row-"
"""Begins the id of one whose own cannot be read."""


async def list_dead_letters(tx: Transaction) -> Sequence[DeadLetter | DamagedLetter]:
    """Return the dead letters, oldest first; of those that cannot be decoded what is left of them."""
    rows = await tx.fetch(f"{WHOLE} WHERE d.state='dead' ORDER BY d.settled NULLS FIRST, d.id")
    return [_letter_of(row) for row in rows]


async def redrive(tx: Transaction, id: str, now: datetime) -> Redrive:
    """Owe a dead letter again, and the resolutions that came after it; one that is overtaken is skipped.

    A resolution that is in flight is owed again too, whatever comes of that. One that cannot be decoded stays.
    """
    row = await _find_dead(tx, id)
    if row is None:
        return Redrive.UNKNOWN
    letter = attempt(entry_of, row)
    if isinstance(letter, Undecodable) or isinstance(attempt(delivery_of, row), Undecodable):
        return Redrive.DAMAGED
    ((entries, *_), _) = await read_signals(tx, [letter.row_id], now)
    if is_overtaken(letter, entries):
        await write_entries(tx, [skipped(letter, now)])
        return Redrive.OVERTAKEN
    await write_entries(tx, [redriven(one, now) for one in (letter, *redriven_with(letter, entries))])
    return Redrive.OWED


async def discard(tx: Transaction, id: str, now: datetime) -> bool:
    """Take a dead letter off the list for good; False if there is none."""
    row = await _find_dead(tx, id)
    if row is None:
        return False
    sql = "UPDATE deliveries SET state='skipped', settled=?, error=? WHERE place=?"
    await tx.write(sql, micros(now), DISCARDED, row.whole("place"))
    return True


async def abandon_deliveries(
    tx: Transaction, stream: str, named: Collection[str], born_before: datetime, now: datetime
) -> int:
    """Give up on deliveries that old to destinations of a stream that the policy does not name; return how many.

    That is 500 at most: where any were, there may be more. What such a destination was paused for is forgotten.
    """
    await set_aside_unknown(tx, now)
    await forget_pauses(tx, stream, named)
    return await _give_up(
        tx, await _read_old(tx, stream, born_before, now, "destination <> ALL(?)", list(named)), NOWHERE, now
    )


async def give_up_deliveries(
    tx: Transaction, stream: str, destination: str, born_until: datetime, error: str, now: datetime
) -> int:
    """Give up on what was owed until an instant at a destination that cannot be asked; return how many deliveries ended.

    That is 500 at most: where any did, there may be more. What is superseded is skipped, as it is before a claim.
    """
    old = await _read_old(tx, stream, born_until, now, "destination=?", destination)
    gone = await _skip_superseded(tx, old, now)
    return len(gone) + await _give_up(tx, [one for one in old if one.row_id not in gone], error, now)


async def _find_dead(tx: Transaction, id: str) -> Columns | None:
    """The dead letter of that id, by the id under which it is listed."""
    number = id.removeprefix(_UNNAMED)
    if id != number and number.isdecimal():
        return await tx.find(f"{WHOLE} WHERE d.place=? AND d.state='dead' FOR UPDATE OF d", int(number))
    return await tx.find(f"{WHOLE} WHERE d.id=? AND d.state='dead' FOR UPDATE OF d", id)


def _letter_of(row: Columns) -> DeadLetter | DamagedLetter:
    """The dead letter that a row holds, or what is left of it."""
    delivery, error = attempt(delivery_of, row), row.words("error")
    if isinstance(delivery, Undecodable):
        id = readable("", row.text, "id")
        return DamagedLetter(
            id=id if id.isalnum() else f"{_UNNAMED}{row.raw('place')}",
            died=readable(None, row.find_time, "settled"),
            error=error or damaged(delivery),
            why=str(delivery),
            addressed_to=" ".join(filter(None, (row.words("stream"), row.words("destination")))),
            row=row.whole_row(),
        )
    return DeadLetter(
        delivery=delivery,
        attempts=readable(0, row.whole, "attempts", 0, MOST_TIMES),
        born=readable(EPOCH, row.time, "born"),
        died=readable(EPOCH, row.time, "settled"),
        error=error,
    )


async def _read_old(
    tx: Transaction, stream: str, born_until: datetime, now: datetime, where: str, value: object
) -> list[OutboxEntry]:
    """The open deliveries that are so old and that no worker has in flight; those are left to their workers."""
    free = f"{IS_OPEN} AND (state='owed' OR due<=? OR due>?)"
    return await read_entries(
        tx,
        now,
        f"stream=? AND {free} AND born<=? AND {where}",
        stream,
        micros(now),
        micros(latest(now, LONGEST_LEASE)),
        micros(born_until),
        value,
        most=_AT_A_TIME,
    )


async def _skip_superseded(tx: Transaction, entries: Iterable[OutboxEntry], now: datetime) -> set[int]:
    """Skips what is superseded of the signals of some open deliveries; returns the rows."""
    signals, rows = await read_signals(tx, [one.row_id for one in entries], now)
    kept = find_ends_to_send(signals, rows)
    gone: dict[int, OutboxEntry] = {}
    for some in signals:
        while needless := superseded(some, kept):
            gone |= {one.row_id: skipped(one, now) for one in needless}
            some = [gone.get(one.row_id, one) for one in some]
    await write_entries(tx, gone.values())
    return set(gone)


async def _give_up(tx: Transaction, entries: Collection[OutboxEntry], ending: str, now: datetime) -> int:
    await write_entries(tx, [given_up(one, now, ending) for one in entries])
    return len(entries)
