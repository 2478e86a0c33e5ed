"""The order in which deliveries of one signal go to one destination, and what each event makes of them. Pure."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from dataclasses import replace
from datetime import datetime, timedelta

from router.domain.clocks import is_possible
from router.domain.decisions import Change
from router.domain.deliveries import SUSPECT, DeliveryState, Settlement
from router.domain.lanes import LONGEST_LEASE, LONGEST_WAIT
from router.domain.rulebook import Lane
from router.store.azure.outbox.stages import Stage
from router.store.endings import DISCARDED, ended

LONGEST_ERROR = 4_000
"""Characters of an error that are kept; a column holds 32 Ki."""

_UNTOLD = (DeliveryState.OWED, DeliveryState.DEAD, DeliveryState.SKIPPED)


def first_open(signal: Iterable[Stage]) -> Stage | None:
    """The one whose turn it is: the first that is owed or claimed."""
    return min((one for one in signal if one.is_open), key=lambda one: one.turn, default=None)


def is_free(one: Stage, at: datetime, lease: timedelta = LONGEST_LEASE) -> bool:
    """Whether a delivery is open, and no worker has it in hand; a claim may be for so long a lease."""
    return one.is_open and (one.lease is None or one.lease <= at or not is_possible(one.lease, at, lease))


def is_ripe(one: Stage, at: datetime, lease: timedelta = LONGEST_LEASE) -> bool:
    """Whether a delivery whose turn it is may be claimed."""
    return is_free(one, at, lease) and (one.due <= at or is_put_off(one, at))


def is_put_off(one: Stage, at: datetime) -> bool:
    """Whether a clock that was wrong put a delivery off, or further than anything is put off."""
    return not (is_possible(one.settled or one.born, at) and is_possible(one.due, at, LONGEST_WAIT[one.lane]))


def set_right(one: Stage, at: datetime) -> Stage:
    """A delivery without instants that only a clock that was wrong can have set."""
    return replace(
        one,
        born=one.born if is_possible(one.born, at) else at,
        settled=one.settled if one.settled is None or is_possible(one.settled, at) else at,
        due=at if is_put_off(one, at) else one.due,
    )


def losses_of(one: Stage) -> int:
    """How many of its claims in a row nobody settled, if it is claimed now."""
    return one.lost + (one.state is DeliveryState.CLAIMED)


def is_deadly(one: Stage) -> bool:
    """Whether a worker died each time it was tried, once more than makes it a suspect."""
    return losses_of(one) > SUSPECT


def unsaid(signal: Collection[Stage]) -> list[Stage]:
    """What need not be said, in turn order.

    Nobody was told that it opened, so nobody needs to hear that it is over; unless an earlier end never got through: what
    that one was to close is still open. And an update that another one follows, which says all that it says.
    """
    ends = [one for one in signal if _is_unsaid(one, signal)]
    skipped = [
        one
        for one in signal
        if one.state is DeliveryState.OWED
        and (any(one.opened == end.opened and one.turn <= end.turn for end in ends) or _is_said_again(one, signal))
    ]
    return sorted(skipped, key=lambda one: one.turn)


def _is_said_again(update: Stage, signal: Iterable[Stage]) -> bool:
    is_fresh = update.change is Change.UPDATED and not update.attempts and not update.redriven
    return (
        is_fresh
        and update.lane is not Lane.ROWS
        and any(
            one.opened == update.opened
            and one.turn > update.turn
            and one.change is Change.UPDATED
            and one.state is DeliveryState.OWED
            for one in signal
        )
    )


def _is_unsaid(end: Stage, signal: Collection[Stage]) -> bool:
    is_end = end.change is Change.RESOLVED and end.state is DeliveryState.OWED and end.lane is not Lane.ROWS
    return (
        is_end
        and any(one.turn == end.opened < end.turn and one.state in _UNTOLD for one in signal)
        and not any(
            one.opened == end.opened and one.turn < end.turn and (one.attempts or one.redriven) for one in signal
        )
        and not any(
            one.turn < end.opened and one.change is Change.RESOLVED and one.state is DeliveryState.DEAD
            for one in signal
        )
    )


def is_overtaken(letter: Stage, signal: Iterable[Stage]) -> bool:
    """Whether what was told since leaves nothing to say for a dead letter.

    An opening or an update would be stale, and a resolution would close what was opened again.
    """
    return any(
        one.turn > letter.turn and one.state is DeliveryState.SENT and one.change in _OVERTAKEN_BY[letter.change]
        for one in signal
    )


_OVERTAKEN_BY = {
    Change.OPENED: (Change.OPENED, Change.UPDATED),
    Change.UPDATED: tuple(Change),
    Change.RESOLVED: (Change.OPENED,),
}


def ends_after(letter: Stage, signal: Iterable[Stage]) -> list[Stage]:
    """The resolutions that belong after a dead letter when it is sent again."""
    return [
        one
        for one in signal
        if one.opened == letter.opened and one.turn > letter.turn and one.change is Change.RESOLVED
    ]


def has_a_say(settlement: Settlement, stored: Stage | None, mine: Stage | None) -> bool:
    """Whether a settlement still counts, given the delivery as it is stored and as its worker had claimed it, if known.

    An acknowledgement on record stays, and who asked for a delivery again wants it sent again, whatever an earlier claim
    brought. Beside that an acknowledgement always counts, and anything else only while the claim is its worker's.
    """
    if stored is None or stored.state is DeliveryState.SENT:
        return False
    if mine is not None and stored.redriven != mine.redriven:
        return False
    if settlement.state is DeliveryState.SENT:
        return True
    return stored.state is DeliveryState.CLAIMED and (mine is None or stored.claim == mine.claim)


def last_words(settlements: Sequence[Settlement]) -> dict[str, Settlement]:
    """One settlement for each delivery: its acknowledgement, else the last."""
    words: dict[str, Settlement] = {}
    for one in settlements:
        id = one.delivery.id
        if id not in words or words[id].state is not DeliveryState.SENT:
            words[id] = one
    return words


def claimed(one: Stage, until: datetime, claim: str) -> Stage:
    """A delivery that is one worker's alone; `claim` is what no two claims share."""
    return replace(
        one,
        state=DeliveryState.CLAIMED,
        attempts=one.attempts + 1,
        lost=losses_of(one),
        lease=until,
        claim=claim,
        settled=None,
    )


def settled(one: Stage, settlement: Settlement) -> Stage:
    """A delivery of whose claim something became; its worker lived. What was put back untried is as suspect as before."""
    return replace(
        one,
        state=settlement.state,
        due=settlement.due or one.due,
        attempts=one.attempts - (0 if settlement.spent else 1),
        lost=0 if settlement.spent else one.lost,
        lease=None,
        settled=settlement.at,
        error=settlement.error[:LONGEST_ERROR] if settlement.error else None,
    )


def untold(one: Stage, until: datetime, why: str) -> Stage:
    """A delivery that was claimed and could not be read whole; it is untried, and owed again from an instant on."""
    return replace(
        one,
        state=DeliveryState.OWED,
        due=until,
        attempts=one.attempts - 1,
        lease=None,
        error=why[:LONGEST_ERROR],
    )


def skipped(one: Stage, at: datetime) -> Stage:
    """A delivery that nobody needs."""
    return replace(one, state=DeliveryState.SKIPPED, lease=None, settled=at)


def discarded(one: Stage, at: datetime) -> Stage:
    """A dead letter that somebody took off the list."""
    return replace(skipped(one, at), error=DISCARDED)


def given_up(one: Stage, at: datetime, ending: str) -> Stage:
    """A dead letter; its last trouble is kept."""
    return replace(
        one, state=DeliveryState.DEAD, lease=None, settled=at, error=ended(ending, one.error)[:LONGEST_ERROR]
    )


def owed_again(one: Stage, at: datetime) -> Stage:
    """A delivery that somebody asked for."""
    return replace(one, state=DeliveryState.OWED, redriven=one.redriven + 1, born=at, due=at, lease=None, settled=None)
