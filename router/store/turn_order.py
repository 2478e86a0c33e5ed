"""The deliveries of one signal to one destination: in which order they go, what is next, and which are needed no more. Pure.

They go in the order of their turns: one that is open holds up those behind it. `next_step` says what a worker that comes by
has to do. Entries may stand in any order.

Superseded is what was never sent and need not be; overtaken is a dead letter that would only say what is stale.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from datetime import datetime, timedelta
from itertools import takewhile
from typing import NamedTuple

from router.domain.decisions import Change
from router.domain.deliveries import LONGEST_LEASE, Delivery, DeliveryState
from router.domain.notices import Notice
from router.domain.rulebook import Lane
from router.store.delivery_lifecycle import OutboxEntry, due_at, is_claimable, is_poison, is_suspect


class Skip(NamedTuple):
    """These deliveries are superseded. They are in turn order."""

    entries: list[OutboxEntry]


class ClaimNow(NamedTuple):
    """This delivery may be claimed; `is_suspect` says that it must be tried alone, after everything else.

    `is_untold` says that nothing of its signal was told before, though it is over.
    """

    entry: OutboxEntry
    is_suspect: bool
    is_untold: bool = False


class GiveUp(NamedTuple):
    """This delivery is poison: it killed every worker that tried it."""

    entry: OutboxEntry


class Wait(NamedTuple):
    """This delivery's turn it is, but it may not be claimed before an instant: it is deferred, or in flight."""

    entry: OutboxEntry
    until: datetime


type NextStep = Skip | ClaimNow | GiveUp | Wait
"""What is next for a signal at a destination."""


def next_step(
    entries: Collection[OutboxEntry], now: datetime, lease: timedelta = LONGEST_LEASE, kept: Collection[str] = ()
) -> NextStep | None:
    """What is next for a signal at an instant; None where nothing of it is open.

    The first open turn decides when. What is superseded is skipped once that turn has come, before anything is claimed;
    `kept` is as there.
    """
    first = first_open(entries)
    if first is None:
        return None
    if not is_claimable(first, now, lease):
        return Wait(first, due_at(first))
    if needless := superseded(entries, kept):
        return Skip(needless)
    return GiveUp(first) if is_poison(first) else ClaimNow(first, is_suspect(first), first.id in kept)


def first_open(entries: Iterable[OutboxEntry]) -> OutboxEntry | None:
    """The delivery whose turn it is: the first that is open."""
    return min((one for one in entries if one.is_open), key=_turn, default=None)


def _turn(entry: OutboxEntry) -> int:
    return entry.turn


def superseded(entries: Collection[OutboxEntry], kept: Collection[str] = ()) -> list[OutboxEntry]:
    """The deliveries that are needed no more, in turn order.

    Where a destination was not told that a signal opened, it need not hear that it is over; unless an earlier resolution never
    got through: then what that one was to close is still open. And an update says all that an earlier one says.

    `kept` are the ids of resolutions that are sent all the same, and then say that their signal opened, too.
    """
    owed = [one for one in entries if one.state is DeliveryState.OWED]
    ends = [one for one in owed if _is_end_of_the_untold(one, entries)]
    needless = [
        one
        for one in owed
        if one.id not in kept
        and (any(one.opened == end.opened and one.turn <= end.turn for end in ends) or _is_said_again(one, owed))
    ]
    return sorted(needless, key=_turn)


def find_untold_life(entries: Collection[OutboxEntry]) -> Sequence[OutboxEntry]:
    """A whole life of a signal of which its ticket destination was told nothing, its end last; nothing where there is none.

    One that opened again since is told of as it is now.
    """
    end = max(entries, key=_turn)
    if end.lane is not Lane.TICKET or not (end.is_open and _is_end_of_the_untold(end, entries)):
        return ()
    return sorted((one for one in entries if one.opened == end.opened), key=_turn)


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


def may_be_note(delivery: Delivery) -> bool:
    """Whether a delivery to a ticket destination says nothing new but a status, given that what came before it was told."""
    is_update = delivery.lane is Lane.TICKET and delivery.change is Change.UPDATED
    return is_update and isinstance(delivery.content, Notice) and delivery.content.status_only


def is_paged(delivery: Delivery) -> bool:
    """Whether the rules sent a delivery's signal, or one of its group, to a pager as well."""
    return isinstance(delivery.content, Notice) and delivery.content.paged


def untold_before(update: OutboxEntry, entries: Iterable[OutboxEntry]) -> list[OutboxEntry]:
    """What an update stands for as well: the deliveries of its opening since the last that was sent, the latest first."""
    earlier = (one for one in entries if one.opened == update.opened and one.turn < update.turn)
    latest_first = sorted(earlier, key=lambda one: -one.turn)
    return list(takewhile(lambda one: one.state is not DeliveryState.SENT, latest_first))


def is_overtaken(letter: OutboxEntry, entries: Collection[OutboxEntry]) -> bool:
    """Whether what was sent since leaves nothing to say for a dead letter.

    An opening or an update would be stale, and a resolution would close what was opened again. A resolution of what no
    destination was told of says that it opened, too.
    """
    since = [one for one in entries if one.turn > letter.turn and one.state is DeliveryState.SENT]
    return any(
        one.change in _OVERTAKEN_BY[letter.change]
        or (one.opened == letter.opened and _is_end_of_the_untold(one, entries))
        for one in since
    )


_OVERTAKEN_BY = {
    Change.OPENED: (Change.OPENED, Change.UPDATED),
    Change.UPDATED: tuple(Change),
    Change.RESOLVED: (Change.OPENED,),
}


def redriven_with(letter: OutboxEntry, entries: Iterable[OutboxEntry]) -> list[OutboxEntry]:
    """The resolutions that are sent again after a dead letter, so that what it opens does not stay open."""
    return [
        one
        for one in entries
        if one.opened == letter.opened and one.turn > letter.turn and one.change is Change.RESOLVED
    ]
