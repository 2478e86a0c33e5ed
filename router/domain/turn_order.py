"""The deliveries of one signal to one destination: in which order they go, and what is next.

They go in the order of their turns: one that is open holds up those behind it. `next_step` says what a worker that comes by
has to do. Entries may stand in any order, and closed ones may be left out as far as `asks_for_closed` allows.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable
from datetime import datetime, timedelta
from typing import NamedTuple

from router.domain.decisions import Change
from router.domain.deliveries import DeliveryState
from router.domain.lanes import LONGEST_LEASE
from router.domain.lifecycle import OutboxEntry, due_at, is_claimable, is_poison, is_suspect
from router.domain.rulebook import Lane


class Skip[E: OutboxEntry](NamedTuple):
    """These deliveries are superseded: nobody needs them. They are in turn order."""

    entries: list[E]


class ClaimNow[E: OutboxEntry](NamedTuple):
    """This delivery may be claimed; `is_suspect` says that it must be tried alone, after everything else."""

    entry: E
    is_suspect: bool


class GiveUp[E: OutboxEntry](NamedTuple):
    """This delivery is poison: it killed every worker that tried it."""

    entry: E


class Wait[E: OutboxEntry](NamedTuple):
    """This delivery's turn it is, but it may not be claimed before an instant: it is deferred, or in flight."""

    entry: E
    until: datetime


type NextStep[E: OutboxEntry] = Skip[E] | ClaimNow[E] | GiveUp[E] | Wait[E]
"""What is next for a signal at a destination."""


def next_step[E: OutboxEntry](
    entries: Collection[E], now: datetime, lease: timedelta = LONGEST_LEASE
) -> NextStep[E] | None:
    """What is next for a signal at an instant; None where nothing of it is open.

    The first open turn decides when. What is superseded is skipped once that turn has come, before anything is claimed.
    """
    first = first_open(entries)
    if first is None:
        return None
    if not is_claimable(first, now, lease):
        return Wait(first, due_at(first))
    if needless := superseded(entries):
        return Skip(needless)
    return GiveUp(first) if is_poison(first) else ClaimNow(first, is_suspect(first))


def first_open[E: OutboxEntry](entries: Iterable[E]) -> E | None:
    """The delivery whose turn it is: the first that is open."""
    return min((one for one in entries if one.is_open), key=_turn, default=None)


def superseded[E: OutboxEntry](entries: Collection[E]) -> list[E]:
    """The deliveries that nobody needs, in turn order.

    Where nobody was told that a signal opened, nobody has to hear that it is over; unless an earlier resolution never got
    through: then what that one was to close is still open. And an update says all that an earlier one says.
    """
    owed = [one for one in entries if one.state is DeliveryState.OWED]
    if len(owed) < 2 and not asks_for_closed(owed):
        return []
    ends = [one for one in owed if _is_end_of_the_untold(one, entries)]
    needless = [
        one
        for one in owed
        if any(one.opened == end.opened and one.turn <= end.turn for end in ends) or _is_said_again(one, owed)
    ]
    return sorted(needless, key=_turn)


def _is_said_again(update: OutboxEntry, owed: Iterable[OutboxEntry]) -> bool:
    """Whether an update that was never tried is followed by another one of the same opening."""
    is_untried = update.change is Change.UPDATED and not update.attempts and not update.redriven
    return (
        is_untried
        and update.lane is not Lane.ROWS
        and any(one.opened == update.opened and one.turn > update.turn and one.change is Change.UPDATED for one in owed)
    )


def _is_end_of_the_untold(end: OutboxEntry, entries: Collection[OutboxEntry]) -> bool:
    return (
        end.change is Change.RESOLVED
        and end.lane is not Lane.ROWS
        and any(one.turn == end.opened < end.turn and one.state in _UNTOLD for one in entries)
        and not any(
            one.opened == end.opened and one.turn < end.turn and (one.attempts or one.redriven) for one in entries
        )
        and not any(
            one.turn < end.opened and one.change is Change.RESOLVED and one.state is DeliveryState.DEAD
            for one in entries
        )
    )


_UNTOLD = frozenset({DeliveryState.OWED, DeliveryState.DEAD, DeliveryState.SKIPPED})


def asks_for_closed(entries: Iterable[OutboxEntry]) -> bool:
    """Whether the next step of a signal depends on its closed deliveries, given the open ones.

    Only a resolution asks what became of its opening, and in the rows lane nothing is ever superseded.
    """
    return any(one.lane is not Lane.ROWS and one.change is Change.RESOLVED for one in entries)


def is_overtaken(letter: OutboxEntry, entries: Iterable[OutboxEntry]) -> bool:
    """Whether what was sent since leaves nothing to say for a dead letter.

    An opening or an update would be stale, and a resolution would close what was opened again.
    """
    return any(
        one.turn > letter.turn and one.state is DeliveryState.SENT and one.change in _OVERTAKEN_BY[letter.change]
        for one in entries
    )


_OVERTAKEN_BY = {
    Change.OPENED: (Change.OPENED, Change.UPDATED),
    Change.UPDATED: tuple(Change),
    Change.RESOLVED: (Change.OPENED,),
}


def redriven_with[E: OutboxEntry](letter: E, entries: Iterable[E]) -> list[E]:
    """The resolutions that are sent again after a dead letter, so that what it opens does not stay open."""
    return [
        one
        for one in entries
        if one.opened == letter.opened and one.turn > letter.turn and one.change is Change.RESOLVED
    ]


class Waiting(NamedTuple):
    """An open delivery as far as the question goes when its destination is next due.

    Attributes:
        signal: What the deliveries of one signal share.
        turn: Its number in the order of its signal.
        due: When it may be claimed, as far as time goes.
        location: Where it lies, in the store's own words.
    """

    signal: str
    turn: int
    due: datetime
    location: object


def first_turns(waiting: Iterable[Waiting]) -> list[Waiting]:
    """Of each signal the first turn: the later ones wait for it."""
    firsts: dict[str, Waiting] = {}
    for one in waiting:
        if one.signal not in firsts or one.turn < firsts[one.signal].turn:
            firsts[one.signal] = one
    return list(firsts.values())


def next_due_of(waiting: Iterable[Waiting]) -> Waiting | None:
    """What a destination has to send next."""
    return min(first_turns(waiting), key=lambda one: one.due, default=None)


def _turn(entry: OutboxEntry) -> int:
    return entry.turn
