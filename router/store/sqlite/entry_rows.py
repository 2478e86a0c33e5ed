"""How far a delivery has come, as its row has it. A claimed row keeps the end of its lease as `due`."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from router.domain.decisions import Change
from router.domain.deliveries import Delivery, DeliveryState, Receipt
from router.domain.delivery_lifecycle import OutboxEntry, added, due_at
from router.domain.rulebook import Lane
from router.store.codec import encode, readable, tag_of
from router.store.failed_attempts import errors_of, failed_in
from router.store.outbox import Move
from router.store.row_reader import MOST_TIMES, MOST_TURNS, Columns
from router.store.sqlite.schema import micros

ENTRY = (
    "rowid AS place", "id", "lane", "turn", "change", "opened", "state", "attempts", "lost", "redriven", "born", "due",
    "settled", "error", "errors",
)  # fmt: skip
"""The columns from which an entry is read."""

IS_OPEN = "state IN ('owed', 'claimed')"
"""The condition of the index in which everything stands that still has to be sent."""

INSERT = (
    "INSERT OR IGNORE INTO deliveries (id, stream, destination, lane, key, turn, change, opened, type, trace, state, "
    "attempts, lost, redriven, born, due) VALUES (?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?)"
)

UPDATE = (
    "UPDATE deliveries SET state=?, attempts=?, lost=?, redriven=?, born=?, due=?, settled=?, error=?, errors=?, "
    "receipt=coalesce(?, receipt), reference=coalesce(?, reference) WHERE rowid=? AND state=? AND due=?"
)
"""Makes a move, unless the row was claimed, settled or deferred since it was read."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SqliteEntry(OutboxEntry):
    """How far one delivery has come, and where that is written.

    Attributes:
        rowid: The row's number.
    """

    rowid: int


def entry_of(row: Columns) -> SqliteEntry:
    """The entry that a row holds; raises Undecodable.

    Since when a claimed one was due is not kept: no later than its claim, and no earlier than it was owed.
    """
    state, born, due = row.word("state", DeliveryState), row.time("born"), row.time("due")
    is_claimed = state is DeliveryState.CLAIMED
    return SqliteEntry(
        rowid=row.whole("place"),
        id=row.text("id"),
        turn=row.whole("turn", 1, MOST_TURNS),
        lane=row.word("lane", Lane),
        change=row.word("change", Change),
        opened=row.whole("opened", 1, MOST_TURNS),
        state=state,
        born=born,
        due=born if is_claimed else due,
        attempts=row.whole("attempts", 0, MOST_TIMES),
        lost=row.whole("lost", 0, MOST_TIMES),
        redriven=row.whole("redriven", 0, MOST_TIMES),
        lease=due if is_claimed else None,
        settled=row.find_time("settled"),
        error=row.words("error") or None,
        failed=readable((), failed_in, row),
    )


def insertion(delivery: Delivery, now: datetime) -> tuple[object, ...]:
    """The values with which a delivery is created."""
    entry = added(delivery, now)
    return (
        entry.id,
        delivery.stream,
        delivery.destination,
        entry.lane.value,
        delivery.key,
        entry.turn,
        entry.change.value,
        entry.opened,
        tag_of(delivery.content),
        delivery.trace,
        entry.state.value,
        entry.attempts,
        entry.lost,
        entry.redriven,
        micros(entry.born),
        micros(due_at(entry)),
    )


def update(move: Move[SqliteEntry]) -> tuple[object, ...]:
    """The values with which a move is made."""
    after, before = move.after, move.before
    return (
        after.state.value,
        after.attempts,
        after.lost,
        after.redriven,
        micros(after.born),
        micros(due_at(after)),
        micros(after.settled),
        after.error,
        errors_of(after),
        _body(move.receipt),
        move.receipt.reference if move.receipt is not None else None,
        before.rowid,
        before.state.value,
        micros(due_at(before)),
    )


def _body(receipt: Receipt | None) -> bytes | None:
    return encode(receipt) if receipt is not None else None
