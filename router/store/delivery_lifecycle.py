"""The lifecycle of one delivery: what takes it from one state to the next, and what an instant makes of it. Pure.

A worker changes many deliveries by one statement, and single ones by the functions of this file. Which of a signal's deliveries
is next is decided in `turn_order`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from router.domain.clocks import is_possible
from router.domain.deliveries import (
    DAMAGED,
    LONGEST_LEASE,
    LONGEST_WAIT,
    OPEN,
    SUSPECT,
    Delivery,
    DeliveryState,
    DeliveryStatus,
    FailedAttempt,
    Settlement,
)
from router.domain.errors import Undecodable


@dataclass(frozen=True, slots=True, kw_only=True)
class OutboxEntry(DeliveryStatus):
    """How far one delivery has come, as its row says.

    Attributes:
        lost: How many claims in a row ended without a settlement when the last claim was made.
        redriven: How often a person asked for it again.
        lease: Until when its claim is one worker's alone; None where it is not claimed.
        claim: What no two claims of it share; empty where it was never claimed.
        row_id: The row's number, in the column `place`; 0 of one that is not stored yet.
    """

    id: str
    lost: int = 0
    redriven: int = 0
    lease: datetime | None = None
    claim: str = ""
    row_id: int = 0

    @property
    def is_open(self) -> bool:
        """Whether it is owed or claimed."""
        return self.state in OPEN


NOWHERE = "no_destination: the policy no longer names it"
DEADLY = f"internal: its worker died each of the last {SUSPECT + 1} times it was tried"

LAST_TROUBLE = "; its last trouble: "
"""Stands between an ending and the error that was on record."""

LONGEST_ERROR = 4_000
"""Characters of an error that are kept."""


MOST_FAILURES = 10
"""Attempts that failed, of which it is kept when and why."""

LONGEST_FAILURE = 500
"""Characters of the error of each."""


def added(delivery: Delivery, now: datetime) -> OutboxEntry:
    """A delivery that is owed from now on."""
    return OutboxEntry(
        id=delivery.id,
        stream=delivery.stream,
        destination=delivery.destination,
        key=delivery.key,
        turn=delivery.turn,
        lane=delivery.lane,
        change=delivery.change,
        opened=delivery.opened,
        state=DeliveryState.OWED,
        born=now,
        due=now,
        attempts=0,
    )


def claimed(entry: OutboxEntry, now: datetime, until: datetime, claim: str) -> OutboxEntry:
    """A delivery that is one worker's alone until an instant; `claim` is what no two claims share.

    Since when it was due is not kept of it.
    """
    return replace(
        entry,
        state=DeliveryState.CLAIMED,
        attempts=entry.attempts + 1,
        lost=losses_of(entry),
        due=entry.born,
        lease=until,
        claim=claim,
        settled=None,
    )


def unclaimed(entry: OutboxEntry, now: datetime) -> OutboxEntry:
    """A delivery that was claimed just now, as if it had not been; that its last claim was lost is known."""
    return replace(entry, state=DeliveryState.OWED, attempts=entry.attempts - 1, due=now, lease=None)


def failures_after(failures: Sequence[FailedAttempt], settlement: Settlement) -> tuple[FailedAttempt, ...]:
    """The latest attempts of a delivery that failed, after another one."""
    if settlement.error is None or not settlement.spent:
        return tuple(failures)
    return (*failures, FailedAttempt(settlement.at, settlement.error[:LONGEST_FAILURE]))[-MOST_FAILURES:]


def skipped(entry: OutboxEntry, now: datetime) -> OutboxEntry:
    """A delivery that is needed no more."""
    return replace(entry, state=DeliveryState.SKIPPED, lease=None, settled=now)


def given_up(entry: OutboxEntry, now: datetime, ending: str) -> OutboxEntry:
    """A dead letter; its last trouble is kept beside why it was given up on."""
    return replace(entry, state=DeliveryState.DEAD, lease=None, settled=now, error=clipped(ended(ending, entry.error)))


def redriven(entry: OutboxEntry, now: datetime) -> OutboxEntry:
    """A delivery that a person asked for again: it is as old as if it were owed from now on."""
    return replace(
        entry, state=DeliveryState.OWED, redriven=entry.redriven + 1, born=now, due=now, lease=None, settled=None
    )


def losses_of(entry: OutboxEntry) -> int:
    """How many of its claims in a row ended without a settlement, if it is claimed now."""
    return entry.lost + (entry.state is DeliveryState.CLAIMED)


def is_suspect(entry: OutboxEntry) -> bool:
    """Whether it may be poison, which kills the worker that tries it: then it is tried alone, after everything else."""
    return losses_of(entry) >= SUSPECT


def is_poison(entry: OutboxEntry) -> bool:
    """Whether it also killed the worker that tried it alone: then it is given up on."""
    return losses_of(entry) > SUSPECT


def is_unclaimed(entry: OutboxEntry, now: datetime, lease: timedelta = LONGEST_LEASE) -> bool:
    """Whether a delivery is open, and no worker has it in flight.

    A lease that ends later than one which is for `lease` can end was written by a wrong clock, and holds nothing.
    """
    return entry.is_open and (entry.lease is None or entry.lease <= now or not is_possible(entry.lease, now, lease))


def is_claimable(entry: OutboxEntry, now: datetime, lease: timedelta = LONGEST_LEASE) -> bool:
    """Whether a delivery whose turn it is may be claimed.

    One that is claimed is due when its lease is over, and one that is owed also where only a wrong clock can have deferred it
    for so long.
    """
    is_due = entry.lease is not None or entry.due <= now or not is_possible(entry.due, now, LONGEST_WAIT[entry.lane])
    return is_unclaimed(entry, now, lease) and is_due


def born_at(born: datetime, now: datetime) -> datetime:
    """Return since when a delivery is owed; from now on, where only a wrong clock can have written since when."""
    return born if is_possible(born, now) else now


def due_at(entry: OutboxEntry) -> datetime:
    """When an open delivery may be claimed, as far as time goes."""
    return entry.lease or entry.due


def claim_id(entry: OutboxEntry, unique: str) -> str:
    """Return the id of a claim of a delivery: it says how often a person had asked for the delivery again by then."""
    return f"{entry.redriven}-{unique}"


def redriven_by(claim: str) -> int:
    """How often a person had asked for a delivery again when it was claimed by that id; none in one of another program."""
    number = claim.partition("-")[0]
    return int(number) if number.isdecimal() else -1


def ended(ending: str, trouble: str | None) -> str:
    """The error of a dead letter: why it was given up on, and what was wrong before."""
    return f"{ending}{LAST_TROUBLE}{trouble}" if trouble else ending


def damaged(why: Undecodable, trouble: str | None = None) -> str:
    """The error of a dead letter that cannot be decoded."""
    return ended(f"{DAMAGED}{why}", trouble)


def clipped(error: str | None) -> str | None:
    """As much of an error as is kept; None where there is none."""
    return error[:LONGEST_ERROR] if error else None
