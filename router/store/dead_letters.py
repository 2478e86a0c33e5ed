"""Dead letters: what is given up on, and how it is listed, redriven and discarded."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from datetime import datetime
from enum import StrEnum
from typing import NamedTuple

from router.domain.clocks import latest
from router.domain.deliveries import Delivery, DeliveryStatus
from router.domain.errors import Undecodable
from router.domain.values import Value, repr_without
from router.store.codec import EPOCH, MOST_TIMES, Columns, PageEnd, attempt, readable
from router.store.deliveries import (
    IS_OPEN,
    WHOLE,
    read_delivery,
    read_signals,
    read_status,
    read_statuses,
    set_aside_unknown,
    write_statuses,
)
from router.store.delivery_lifecycle import (
    DAMAGED,
    LONGEST_LEASE,
    NOWHERE,
    damaged,
    given_up,
    is_overtaken,
    redriven,
    redriven_with,
    skipped,
    superseded,
)
from router.store.destinations import forget_pauses
from router.store.store import Transaction

DISCARDED = "discarded"
"""The error of a dead letter that a person took off the list."""

_AT_A_TIME = 500
"""Deliveries that one transaction gives up on: no other waits for more."""

_DIED = "COALESCE(d.settled, 0)"
"""When a letter died, as the index has it by which they are listed."""

_UNNAMED = "row-"
"""Begins the id of one whose own cannot be read."""


class DeadLetter(Value, kw_only=True):
    """A delivery that was given up on, kept until a person redrives or discards it.

    Attributes:
        delivery: None where its row cannot be decoded.
        died: None where that cannot be read.
        why: what could not be decoded; else the error.
        addressed_to: its stream and destination, as far as they can be read.
        row: all that its row holds, as JSON.
        page_end: where a page of the list ends that it is the last of.
    """

    id: str
    delivery: Delivery | None
    attempts: int
    born: datetime
    died: datetime | None
    error: str
    why: str
    addressed_to: str
    row: bytes
    page_end: PageEnd

    __repr__ = repr_without("row")


class Redrive(StrEnum):
    """What became of a dead letter that a person wants sent again."""

    OWED = "owed"
    OVERTAKEN = "overtaken"
    DAMAGED = "damaged"
    UNKNOWN = "unknown"


class LetterFilter(NamedTuple):
    """Which dead letters are meant: those of a stream, or of one of its destinations, or all."""

    stream: str | None = None
    destination: str | None = None

    @property
    def where(self) -> str:
        """The condition, in SQL."""
        named = (name for name, value in self._asdict().items() if value is not None)
        return " AND ".join(["d.state='dead'", *(f"d.{name}=?" for name in named)])

    @property
    def values(self) -> list[str]:
        """The values of its parameters."""
        return [value for value in self if value is not None]


async def list_dead_letters(tx: Transaction) -> Sequence[DeadLetter]:
    """Return the dead letters, oldest first; of those that cannot be decoded what is left of them."""
    rows = await tx.fetch(f"{WHOLE} WHERE d.state='dead' ORDER BY d.settled NULLS FIRST, d.id")
    return [_read_letter(row) for row in rows]


async def list_latest_letters(
    tx: Transaction, wanted: LetterFilter, after: PageEnd | None, most: int
) -> Sequence[DeadLetter]:
    """Return some dead letters, the latest first: no more than so many, after where a page ended, where that is given."""
    where, values = wanted.where, list[object](wanted.values)
    if after is not None:
        # SQLite walks to a pair from the start of an index on an expression; to its first part it goes at once.
        where += f" AND {_DIED}<=? AND ({_DIED}, d.place)<(?, ?)"
        values += [after.at, after.at, int(after.row)]
    rows = await tx.fetch(f"{WHOLE} WHERE {where} ORDER BY {_DIED} DESC, d.place DESC LIMIT ?", *values, most)
    return [_read_letter(row) for row in rows]


async def count_letters(tx: Transaction, wanted: LetterFilter, most: int) -> int:
    """Return how many dead letters there are, counted up to so many."""
    sql = f"SELECT count(*) FROM (SELECT 1 FROM deliveries d WHERE {wanted.where} LIMIT ?) AS counted"
    return int(await tx.value(sql, *wanted.values, most))


async def find_letters(tx: Transaction, ids: Collection[str]) -> Sequence[DeadLetter]:
    """Return those dead letters of some ids that are there still, the latest first."""
    by_place = [int(number) for id in ids if (number := _number_in(id)) is not None]
    found: dict[int, Columns] = {}
    for column, some in (("id", list(ids)), ("place", by_place)):
        rows = await tx.fetch(f"{WHOLE} WHERE d.state='dead' AND d.{column} = ANY(?)", some) if some else []
        found |= {row.whole("place"): row for row in rows}
    letters = [letter for row in found.values() if (letter := _read_letter(row)).id in ids]
    return sorted(letters, key=lambda one: (one.page_end.at, int(one.page_end.row)), reverse=True)


async def redrive(tx: Transaction, id: str, now: datetime) -> Redrive:
    """Owe a dead letter again, and the resolutions that came after it; one that is overtaken is skipped.

    A resolution that is in flight is owed again too, whatever comes of that. One that cannot be decoded stays.
    """
    row = await _find_dead(tx, id)
    if row is None:
        return Redrive.UNKNOWN
    letter = attempt(read_status, row)
    if isinstance(letter, Undecodable) or isinstance(attempt(read_delivery, row), Undecodable):
        return Redrive.DAMAGED
    (statuses,) = (await read_signals(tx, [letter.row_id], now)).statuses
    if is_overtaken(letter, statuses):
        await write_statuses(tx, [skipped(letter, now)])
        return Redrive.OVERTAKEN
    await write_statuses(tx, [redriven(one, now) for one in (letter, *redriven_with(letter, statuses))])
    return Redrive.OWED


async def discard(tx: Transaction, id: str, now: datetime) -> bool:
    """Take a dead letter off the list for good; False if there is none."""
    row = await _find_dead(tx, id)
    if row is None:
        return False
    sql = "UPDATE deliveries SET state='skipped', settled=?, error=? WHERE place=?"
    await tx.write(sql, now, DISCARDED, row.whole("place"))
    return True


async def abandon_deliveries(
    tx: Transaction, stream: str, named: Collection[str], born_before: datetime, now: datetime
) -> int:
    """Give up on deliveries that old to destinations of a stream that the policy does not name; return how many.

    That is 500 at most: where any were, there may be more. What such a destination was paused for is forgotten.
    """
    await set_aside_unknown(tx, now)
    await forget_pauses(tx, stream, named)
    old = await _read_old(tx, stream, born_before, now, "destination <> ALL(?)", list(named))
    await write_statuses(tx, [given_up(one, now, NOWHERE) for one in old])
    return len(old)


async def give_up_deliveries(
    tx: Transaction, stream: str, destination: str, born_until: datetime, error: str, now: datetime
) -> int:
    """Give up on what was owed until an instant at a destination that cannot be asked; return how many deliveries ended.

    That is 500 at most: where any did, there may be more. What is superseded is skipped, as it is before a claim.
    """
    old = await _read_old(tx, stream, born_until, now, "destination=?", destination)
    signals = await read_signals(tx, [one.row_id for one in old], now)
    gone = {one.row_id: skipped(one, now) for some in signals.statuses for one in superseded(some, signals.untold_ends)}
    dead = [given_up(one, now, error) for one in old if one.row_id not in gone]
    await write_statuses(tx, [*gone.values(), *dead])
    return len(gone) + len(dead)


async def _read_old(
    tx: Transaction, stream: str, born_until: datetime, now: datetime, where: str, value: object
) -> list[DeliveryStatus]:
    """Return the open deliveries that are so old and that no worker has in flight; those are left to their workers."""
    where = f"stream=? AND {IS_OPEN} AND (state='owed' OR due<=? OR due>?) AND born<=? AND {where}"
    longest = latest(now, LONGEST_LEASE)
    return await read_statuses(tx, now, where, stream, now, longest, born_until, value, most=_AT_A_TIME)


def _number_in(id: str) -> str | None:
    """Return the number of a row in the id of one whose own cannot be read; None where it is no such id."""
    number = id.removeprefix(_UNNAMED)
    return number if id != number and number.isascii() and number.isdecimal() else None


async def _find_dead(tx: Transaction, id: str) -> Columns | None:
    """Return the dead letter of that id, by the id under which it is listed."""
    if (number := _number_in(id)) is not None:
        return await tx.find(f"{WHOLE} WHERE d.place=? AND d.state='dead' FOR UPDATE OF d", int(number))
    return await tx.find(f"{WHOLE} WHERE d.id=? AND d.state='dead' FOR UPDATE OF d", id)


def _read_letter(row: Columns) -> DeadLetter:
    """Return the dead letter that a row holds, or what is left of it."""
    found, id = attempt(read_delivery, row), readable("", row.text, "id")
    delivery, fault = (None, found) if isinstance(found, Undecodable) else (found, None)
    return DeadLetter(
        id=id if id.isalnum() else f"{_UNNAMED}{row.raw('place')}",
        delivery=delivery,
        attempts=readable(0, row.whole, "attempts", 0, MOST_TIMES),
        born=readable(EPOCH, row.time, "born"),
        died=readable(None, row.find_time, "settled"),
        error=row.words("error") or (damaged(fault) if fault is not None else ""),
        why=f"{DAMAGED}{fault}" if fault is not None else row.words("error"),
        addressed_to=" ".join(filter(None, (row.words("stream"), row.words("destination")))),
        row=row.whole_row(),
        page_end=PageEnd(row.raw("settled") or 0, str(row.raw("place"))),
    )
