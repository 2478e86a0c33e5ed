"""The life of one delivery, and the order of a signal's deliveries to one destination. Pure.

A worker changes many deliveries by one statement, and single ones by the functions of this file. Deliveries go in the order of
their turns: one that is open holds up those behind it. Superseded is what was never sent and need not be; overtaken is a dead
letter that would only say what is stale.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from copy import replace
from datetime import datetime, timedelta
from itertools import takewhile
from operator import attrgetter
from typing import NamedTuple

from router.domain.clocks import is_possible
from router.domain.decisions import Change
from router.domain.deliveries import LONGEST_WAIT, SUSPECT, DeliveryState, DeliveryStatus, FailedAttempt
from router.domain.errors import Undecodable
from router.domain.rulebook import Lane

LONGEST_LEASE = timedelta(days=1)
"""How long a claim may be one worker's alone by settings."""

NOWHERE = "no_destination: the policy no longer names it"
DEADLY = f"internal: its worker died each of the last {SUSPECT + 1} times it was tried"
DAMAGED = "damaged: it cannot be decoded: "
"""Begins the error of a delivery that was given up on since its row is damaged."""

LAST_TROUBLE = "; its last trouble: "
"""Stands between an ending and the error that was on record."""

LONGEST_ERROR = 4_000
"""Characters of an error that are kept."""

MOST_FAILURES = 10
"""Attempts that failed, of which it is kept when and why."""

LONGEST_FAILURE = 500
"""Characters of the error of each."""


def skipped(status: DeliveryStatus, now: datetime) -> DeliveryStatus:
    """Return a delivery that is needed no more."""
    return replace(status, state=DeliveryState.SKIPPED, settled=now)


def given_up(status: DeliveryStatus, now: datetime, ending: str) -> DeliveryStatus:
    """Return a dead letter; its last trouble is kept beside why it was given up on."""
    return replace(status, state=DeliveryState.DEAD, settled=now, error=ended(ending, status.error)[:LONGEST_ERROR])


def redriven(status: DeliveryStatus, now: datetime) -> DeliveryStatus:
    """Return a delivery that a person asked for again: it is as old as if it were owed from now on."""
    return replace(status, state=DeliveryState.OWED, redriven=status.redriven + 1, born=now, due=now, settled=None)


def is_claimable(status: DeliveryStatus, now: datetime, lease: timedelta = LONGEST_LEASE) -> bool:
    """Return whether a delivery may be claimed as far as time goes: it is due, or the claim of another worker is over.

    So is what is deferred, or claimed, for longer than `LONGEST_WAIT` or `lease`: a wrong clock wrote that.
    """
    ahead = lease if status.state is DeliveryState.CLAIMED else LONGEST_WAIT[status.lane]
    return status.is_open and (status.due <= now or not is_possible(status.due, now, ahead))


def born_at(born: datetime, now: datetime) -> datetime:
    """Return since when a delivery is owed; from now on, where only a wrong clock can have written since when."""
    return born if is_possible(born, now) else now


def redriven_by(claim: str) -> int:
    """Return how often a person had asked for a delivery again by its claim of that id; none in one of another program."""
    number = claim.partition("-")[0]
    return int(number) if number.isdecimal() else -1


def failures_after(failed: tuple[FailedAttempt, ...], at: datetime, error: str) -> tuple[FailedAttempt, ...]:
    """Return the latest attempts of a delivery that failed, after another one."""
    return (*failed, FailedAttempt(at, error[:LONGEST_FAILURE]))[-MOST_FAILURES:]


def ended(ending: str, trouble: str | None) -> str:
    """Return the error of a dead letter: why it was given up on, and what was wrong before."""
    return f"{ending}{LAST_TROUBLE}{trouble}" if trouble else ending


def damaged(why: Undecodable, trouble: str | None = None) -> str:
    """Return the error of a dead letter that cannot be decoded."""
    return ended(f"{DAMAGED}{why}", trouble)


_turn = attrgetter("turn")


class NextStep(NamedTuple):
    """What a worker has to do for a signal: skip what is superseded, in turn order, and then claim one, if there is one."""

    needless: list[DeliveryStatus]
    first: DeliveryStatus | None


def next_step(
    statuses: Collection[DeliveryStatus],
    now: datetime,
    lease: timedelta = LONGEST_LEASE,
    kept: Collection[int] = (),
) -> NextStep:
    """Return what is next for a signal at an instant; `kept` is as for `superseded`.

    The first open turn decides when: what is superseded is skipped once that turn has come, before anything is claimed.
    """
    first = first_open(statuses)
    if first is None or not is_claimable(first, now, lease):
        return NextStep([], None)
    needless = superseded(statuses, kept)
    gone = {one.turn for one in needless}
    first = first_open(one for one in statuses if one.turn not in gone)
    return NextStep(needless, first if first is not None and is_claimable(first, now, lease) else None)


def first_open(statuses: Iterable[DeliveryStatus]) -> DeliveryStatus | None:
    """Return the delivery whose turn it is: the first that is open."""
    return min((one for one in statuses if one.is_open), key=_turn, default=None)


def superseded(statuses: Collection[DeliveryStatus], kept: Collection[int] = ()) -> list[DeliveryStatus]:
    """Return the deliveries that are needed no more, in turn order.

    Where a destination was not told that a signal opened, it need not hear that it is over; unless an earlier resolution never
    got through: then what that one was to close is still open. And an update says all that an earlier one says.

    `kept` are the rows of resolutions that are sent all the same, and then say that their signal opened, too.
    """
    owed = sorted((one for one in statuses if one.state is DeliveryState.OWED), key=_turn)
    ends = [one for one in owed if _ends_untold(one, statuses)]
    updates = [one for one in owed if one.change is Change.UPDATED and one.lane is not Lane.ROWS]
    last = {one.opened: one.turn for one in updates}
    return [
        one
        for one in owed
        if one.row_id not in kept
        and (
            any(one.opened == end.opened and one.turn <= end.turn for end in ends)
            or (one in updates and not (one.attempts or one.redriven) and one.turn < last[one.opened])
        )
    ]


def find_untold_life(statuses: Collection[DeliveryStatus]) -> Sequence[DeliveryStatus]:
    """Return a whole life of a signal of which its destination was told nothing, its end last; nothing if none is.

    One that opened again since is told of as it is now.
    """
    end = max(statuses, key=_turn)
    if not (end.is_open and _ends_untold(end, statuses)):
        return ()
    return sorted((one for one in statuses if one.opened == end.opened), key=_turn)


def _ends_untold(end: DeliveryStatus, statuses: Collection[DeliveryStatus]) -> bool:
    """Return whether a delivery is the resolution of what its destination was told nothing of."""
    if end.change is not Change.RESOLVED or end.lane is Lane.ROWS:
        return False
    life = [one for one in statuses if one.opened == end.opened and one.turn < end.turn]
    return (
        any(one.turn == end.opened and one.state in _UNTOLD for one in life)
        and not any(one.attempts or one.redriven for one in life)
        and not any(
            one.turn < end.opened and one.change is Change.RESOLVED and one.state is DeliveryState.DEAD
            for one in statuses
        )
    )


_UNTOLD = frozenset({DeliveryState.OWED, DeliveryState.DEAD, DeliveryState.SKIPPED})


def untold_before(update: DeliveryStatus, statuses: Iterable[DeliveryStatus]) -> list[DeliveryStatus]:
    """Return what an update stands for as well: the deliveries of its opening since the last that was sent."""
    earlier = (one for one in statuses if one.opened == update.opened and one.turn < update.turn)
    latest_first = sorted(earlier, key=_turn, reverse=True)
    return list(takewhile(lambda one: one.state is not DeliveryState.SENT, latest_first))


def is_overtaken(letter: DeliveryStatus, statuses: Collection[DeliveryStatus]) -> bool:
    """Return whether what was sent since leaves nothing to say for a dead letter.

    An opening or an update would be stale, and a resolution would close what was opened again. A resolution of what no
    destination was told of says that it opened, too.
    """
    return any(
        one.change in _OVERTAKEN_BY[letter.change] or (one.opened == letter.opened and _ends_untold(one, statuses))
        for one in statuses
        if one.turn > letter.turn and one.state is DeliveryState.SENT
    )


_OVERTAKEN_BY = {
    Change.OPENED: (Change.OPENED, Change.UPDATED),
    Change.UPDATED: tuple(Change),
    Change.RESOLVED: (Change.OPENED,),
}


def redriven_with(letter: DeliveryStatus, statuses: Iterable[DeliveryStatus]) -> list[DeliveryStatus]:
    """Return the resolutions that are sent again after a dead letter, so that what it opens does not stay open."""
    return [
        one
        for one in statuses
        if one.opened == letter.opened and one.turn > letter.turn and one.change is Change.RESOLVED
    ]
