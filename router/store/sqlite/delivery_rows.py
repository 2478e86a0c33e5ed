"""Deliveries as rows of SQLite: what is read of them, and what becomes of those that cannot be."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

from router.domain.damage import DamagedLetter, DamagedRow, quarantine_entry_of
from router.domain.decisions import Change
from router.domain.deliveries import Claim, DeadLetter, Delivery, DeliveryState
from router.domain.delivery_errors import DISCARDED, damaged
from router.domain.delivery_lifecycle import OPEN, OutboxEntry
from router.domain.errors import Undecodable
from router.domain.rulebook import Lane
from router.domain.signals import Stream
from router.store.codec import attempt, content_of, decode, readable
from router.store.row_reader import MOST_TIMES, MOST_TURNS, Columns
from router.store.sqlite.quarantine import keep
from router.store.sqlite.schema import EPOCH, ODD_DELIVERY, micros
from router.store.sqlite.selecting import columns_of
from router.store.stored_names import RECEIPT

TABLE = "deliveries"

WITH_PAYLOAD = "deliveries d LEFT JOIN payloads p ON p.key=d.key AND p.turn=d.turn AND p.type=d.type"
"""Deliveries with what they tell, also those of which that is gone."""

_FIRST = datetime(2000, 1, 1, tzinfo=UTC)

ODD = f"SELECT rowid FROM deliveries WHERE {ODD_DELIVERY}"
"""The places of deliveries whose columns hold what no delivery has."""

COLUMNS = "d.rowid AS place, d.*, p.body AS body"


def delivery_of(row: Columns) -> Delivery:
    """The delivery that a row holds; raises Undecodable."""
    delivery = Delivery(
        stream=row.word("stream", Stream).value,
        destination=row.text("destination"),
        lane=row.word("lane", Lane),
        key=row.text("key"),
        turn=row.whole("turn", 1, MOST_TURNS),
        change=row.word("change", Change),
        opened=row.whole("opened", 1, MOST_TURNS),
        content=content_of(row.text("type"), row.raw("body")),
        trace=readable(None, row.find_text, "trace"),
    )
    if delivery.id != row.raw("id"):
        raise Undecodable("id: is not that of its signal, turn and destination")
    return delivery


def claim_of(row: Columns, entry: OutboxEntry) -> Claim:
    """The claim that an entry stands for, with the receipt of its opening; raises Undecodable."""
    receipt = row.raw("receipt_of_opening")
    return Claim(
        delivery=delivery_of(row),
        id=entry.claim,
        number=entry.attempts,
        born=entry.born,
        # Without its handles the vendor is asked where the signal is open.
        opening=readable(None, decode, RECEIPT, receipt) if receipt is not None else None,
        lost=entry.lost,
    )


def letter_of(row: Columns) -> DeadLetter | DamagedLetter:
    """The dead letter that a row holds, or what is left of it."""
    delivery, error = attempt(delivery_of, row), row.words("error")
    if isinstance(delivery, Undecodable):
        return DamagedLetter(
            id=letter_id(row),
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


def letter_id(row: Columns) -> str:
    """The id under which a dead letter is listed, also where its own is damaged."""
    id = readable(None, row.find_text, "id")
    return id if id is not None and id.isalnum() else f"row-{row.raw('place')}"


def damaged_row(row: Columns, why: Undecodable) -> DamagedRow:
    """A row that cannot be decoded, as it is set aside."""
    stream = attempt(row.word, "stream", Stream)
    return DamagedRow(
        table=TABLE,
        key=row.words("id"),
        why=str(why),
        stream=stream if isinstance(stream, Stream) else None,
        addressed_to=" ".join(filter(None, (row.words("stream"), row.words("destination")))),
        row=row.whole_row(),
    )


def park(db: sqlite3.Connection, row: Columns, why: Undecodable, at: datetime) -> None:
    """Gives up on a delivery that cannot be decoded, and sets its row aside as it was."""
    keep(db, quarantine_entry_of(damaged_row(row, why), at))
    trouble = row.words("error") or None
    db.execute(
        "UPDATE deliveries SET state='dead', settled=?, error=? WHERE rowid=?",
        (micros(at), damaged(why, trouble), row.raw("place")),
    )


def take_off(db: sqlite3.Connection, row: Columns, at: datetime) -> bool:
    """Takes a dead letter off the list that cannot be decoded; False if it is there no more."""
    gone = db.execute(
        "UPDATE deliveries SET state='skipped', settled=?, error=? WHERE rowid=?",
        (micros(at), DISCARDED, row.raw("place")),
    )
    return bool(gone.rowcount)


def _since_2000(born: datetime) -> datetime:
    if born < _FIRST:
        raise Undecodable("born: is before anything was owed")
    return born


def see_to_odd(db: sqlite3.Connection, at: datetime) -> None:
    """Sees to the deliveries whose columns hold what no delivery has: an index knows them, however many others there are.

    Where only the bookkeeping is damaged they are due at once; what is to be told, and to whom, is whole.
    """
    for row in columns_of(db.execute(f"SELECT {COLUMNS} FROM {WITH_PAYLOAD} WHERE d.rowid IN ({ODD})")):
        _mend(db, row, at)


def _mend(db: sqlite3.Connection, row: Columns, at: datetime) -> None:
    checks: dict[str, tuple[Callable[[], object], Any]] = {
        "attempts": (lambda: row.whole("attempts", 0, MOST_TIMES), 0),
        "redriven": (lambda: row.whole("redriven", 0, MOST_TIMES), 0),
        "lost": (lambda: row.whole("lost", 0, MOST_TIMES), 0),
        "born": (lambda: _since_2000(row.time("born")), micros(at)),
        "due": (lambda: row.time("due"), micros(at)),
        "settled": (lambda: row.find_time("settled"), micros(at)),
        "receipt": (lambda: row.body("receipt") if row.raw("receipt") is not None else None, None),
        "trace": (lambda: row.find_text("trace"), None),
        "error": (lambda: row.find_text("error"), row.words("error")),
    }
    faults = {name: fault for name, (check, _) in checks.items() if isinstance(fault := attempt(check), Undecodable)}
    state, delivery = attempt(row.word, "state", DeliveryState), attempt(delivery_of, row)
    lost = next((one for one in (state, delivery) if isinstance(one, Undecodable)), None)
    if faults:
        keep(db, quarantine_entry_of(damaged_row(row, next(iter(faults.values()))), at))
        values = {name: checks[name][1] for name in faults}
        db.execute(
            f"UPDATE deliveries SET {', '.join(f'{name}=?' for name in values)} WHERE rowid=?",
            (*values.values(), row.raw("place")),
        )
    if lost is not None and (isinstance(state, Undecodable) or state in OPEN):
        park(db, row, lost, at)
