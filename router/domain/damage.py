"""Rows of the state that cannot be decoded: what is kept of them, and what stands in their place. Pure.

A damaged row costs nobody but itself. It is set aside whole, in the quarantine, where people see it; in its place comes as
much of it as is known. In doubt that is what makes the router tell people again: under the same keys, so that vendors fold it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime

from router.domain.decisions import Change, Outcome
from router.domain.journal import HubEpoch, Partition, Progress
from router.domain.keeping import Kept
from router.domain.keys import kept_id
from router.domain.ledger import Arrival, LedgerRow, Seen, State, Turn, Version
from router.domain.reasons import Code, Reason
from router.domain.signals import Quarantined

ORIGIN = "state"
"""The origin of what is in quarantine and never came in."""

UNKNOWN = State(resolved=False, status="unknown: the row was damaged", severity=None)
"""The state of a signal of which nobody knows: no message says the same, so the next one is decided."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Unreadable:
    """A row that cannot be decoded: in which table and under which key it lay, why, and all that it holds, as JSON.

    `place` is where a delivery was to go, as far as that can be read.
    """

    table: str
    key: str
    why: str
    stream: str | None = None
    place: str = ""
    row: bytes = field(repr=False)


def kept_of(one: Unreadable, at: datetime) -> Kept:
    """A damaged row as it is set aside; the same row is the same again."""
    name = f"{one.table} {one.key}"
    return Kept(
        id=kept_id(f"{name} {one.row.decode()}"),
        source=f"{ORIGIN}: {name}",
        arrival=Arrival(ORIGIN, 0),
        stream=one.stream,
        at=at,
        quarantined=Quarantined(reason=Reason(Code.DAMAGED, one.why), at_fault=one.why.partition(":")[0], body=one.row),
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Past:
    """A delivery that was ever owed for a key, as far as the order of turns asks."""

    stream: str
    destination: str
    turn: int
    change: Change
    opened: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Remains:
    """What can still be read of a row of the ledger; None stands for what cannot.

    `pending` is None also where no turn was pending; `is_pending_lost` says that one was. `is_held` says whether a body is kept
    for it. `past` are the deliveries of its key, and `joined` the turns by destination that it went in with where a
    group has it as a member that stands.
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
    version: Version | None = None


def mended(row: Remains) -> LedgerRow:
    """What stands in the place of a damaged row.

    Its turn is beyond each that a delivery bears, since what is owed under a turn that was owed before is nothing new. It is
    open where it was told and not resolved. What was lost with a pending turn is not known to be open or told, so that the next
    message opens it there.
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
        version=row.version,
    )


def progress_after_damage(partition: Partition, epoch: int | None, now: datetime) -> Progress:
    """What stands in the place of damaged progress: nothing is settled, so all that the hub still has is compared again.

    Where not even the epoch is known, one begins that nobody has counted to: in one that was before, events of a new hub
    would be taken for those of the old one. Minutes since 1970 are more than the hubs that anybody ever made.
    """
    return Progress(epoch=HubEpoch(partition, epoch if epoch is not None else int(now.timestamp()) // 60))


def open_after(past: Sequence[Past]) -> dict[str, int]:
    """Where a signal is open after those deliveries, and the turn that opened it there."""
    last: dict[str, Past] = {}
    for one in sorted(past, key=lambda one: one.turn):
        last[one.destination] = one
    return {name: one.opened for name, one in last.items() if one.change is not Change.RESOLVED}
