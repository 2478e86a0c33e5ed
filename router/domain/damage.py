"""Rows of the state that cannot be decoded: how they are quarantined, and which row replaces them. Pure.

A damaged row harms no other row. It is set aside whole, in the quarantine, where people see it, and it is replaced by a row
with as much as is still known. In doubt the replacement notifies people again, under the same keys, so that vendors
deduplicate it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime

from router.domain.decisions import Change, Outcome
from router.domain.journal import HubEpoch, Partition, Progress
from router.domain.keys import quarantine_id
from router.domain.ledger import Arrival, LedgerRow, Seen, State, Turn, Version
from router.domain.quarantine import QuarantineEntry
from router.domain.reasons import Code, Reason
from router.domain.signals import Quarantined
from router.domain.snapshots import Appearances

ORIGIN = "state"
"""The origin of quarantined rows, which never came in as messages."""

UNKNOWN = State(resolved=False, status="unknown: the row was damaged", severity=None)
"""The state of a signal whose state is lost: no message equals it, so the next message is decided."""


@dataclass(frozen=True, slots=True, kw_only=True)
class DamagedRow:
    """A row of the state that cannot be decoded.

    Attributes:
        table: the table that it lay in.
        key: its key there.
        why: what could not be decoded, as text for people.
        stream: its stream, where that can be read.
        addressed_to: the stream and destination of a delivery, as far as they can be read.
        row: all that it holds, as JSON.
    """

    table: str
    key: str
    why: str
    stream: str | None = None
    addressed_to: str = ""
    row: bytes = field(repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class DamagedLetter:
    """A delivery that was given up on since it cannot be decoded; `damage` is its row. `died` is None where nobody knows."""

    id: str
    died: datetime | None
    error: str
    damage: DamagedRow


def quarantine_entry_of(one: DamagedRow, at: datetime) -> QuarantineEntry:
    """The entry under which a damaged row is set aside in the quarantine; the same row gives the same entry."""
    name = f"{one.table} {one.key}"
    return QuarantineEntry(
        id=quarantine_id(f"{name} {one.row.decode()}"),
        source=f"{ORIGIN}: {name}",
        arrival=Arrival(ORIGIN, 0),
        stream=one.stream,
        at=at,
        quarantined=Quarantined(reason=Reason(Code.DAMAGED, one.why), at_fault=one.why.partition(":")[0], body=one.row),
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Past:
    """What the order of turns needs to know of a delivery that was ever owed for a key.

    Attributes:
        stream, destination: where it was owed.
        turn: its turn.
        change: what it notifies: opened, updated or resolved.
        opened: the turn whose delivery opened the signal there.
    """

    stream: str
    destination: str
    turn: int
    change: Change
    opened: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Remains:
    """What can still be read of a damaged row of the ledger; None stands for what cannot be read.

    Attributes:
        key, stream, state, seen, turn, outcome, open, grouped, forwarded, closed_at, appearances, version: as in
            `LedgerRow`.
        pending: the pending turn; None also where there is none.
        is_pending_lost: whether there was a pending turn that cannot be read.
        is_held: whether a body is stored for it.
        past: the deliveries of its key.
        joined: by destination, the turn with which it joined a group that still has it as an open member.
    """

    key: str
    stream: str | None
    state: State | None
    seen: Seen | None
    turn: int | None
    outcome: Outcome | None
    open: Mapping[str, int] | None
    grouped: frozenset[str] | None
    forwarded: bool | None
    closed_at: datetime | None
    pending: Turn | None
    is_pending_lost: bool
    is_held: bool
    past: Sequence[Past]
    joined: Mapping[str, int]
    appearances: Appearances | None = None
    version: Version | None = None


def mended(row: Remains) -> LedgerRow:
    """The row that replaces a damaged one.

    Its turn is higher than that of each delivery, because a delivery under a turn that was owed before would count as a
    repeat. It is open where people were notified of it and it was not resolved. Where a pending turn was lost, the row says
    that nothing is open, so that the next message opens it there.
    """
    is_open = {**open_after(row.past), **row.joined}
    known = row.open
    if known is None:
        known = is_open
    elif row.is_pending_lost:
        known = {name: turn for name, turn in known.items() if name in is_open}
    is_whole = row.state is not None and not row.is_pending_lost
    state = row.state if row.state is not None and is_whole else UNKNOWN
    outcome = row.outcome if row.outcome is not None and is_whole else Outcome.BELOW_FLOOR
    turns = [row.turn or 0, *(one.turn for one in row.past), *row.joined.values(), *known.values()]
    return LedgerRow(
        key=row.key,
        stream=row.stream or next((one.stream for one in row.past), "cwpp"),
        state=state,
        # Nothing is older than what nobody knows.
        seen=row.seen or Seen(None, Arrival(f"{ORIGIN}/{row.key}", 0)),
        turn=max([*turns, row.pending.number if row.pending is not None else 0, 1]),
        outcome=Outcome.SUPPRESSED if row.is_held and row.outcome in (None, Outcome.SUPPRESSED) else outcome,
        open={} if state.resolved else known,
        grouped=frozenset() if state.resolved else (row.grouped or frozenset(row.joined)) & known.keys(),
        forwarded=row.forwarded if row.forwarded is not None else True,
        pending=row.pending,
        closed_at=row.closed_at if state.resolved else None,
        appearances=row.appearances,
        version=row.version,
    )


def progress_after_damage(partition: Partition, epoch: int | None, now: datetime) -> Progress:
    """The progress that replaces a damaged one: nothing is settled, so all that the hub still has is compared again.

    Where not even the epoch is known, a new epoch begins whose number was never used: under a used number, events of a new
    hub would be mistaken for those of the old one. The number is the minutes since 1970, which is more than the hubs that
    anybody ever made.
    """
    return Progress(epoch=HubEpoch(partition, epoch if epoch is not None else int(now.timestamp()) // 60))


def open_after(past: Sequence[Past]) -> dict[str, int]:
    """Where a signal is open after those deliveries, and the turn that opened it there."""
    last: dict[str, Past] = {}
    for one in sorted(past, key=lambda one: one.turn):
        last[one.destination] = one
    return {name: one.opened for name, one in last.items() if one.change is not Change.RESOLVED}
