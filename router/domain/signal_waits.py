"""What each open thing in the life of a signal waits for, in one plain sentence. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import datetime
from typing import NamedTuple

from router.domain.clocks import is_possible
from router.domain.deliveries import DeliveryState, DeliveryStatus
from router.domain.delivery_lifecycle import OPEN
from router.domain.lane_limits import LONGEST_WAIT
from router.domain.signal_life import DestinationLife, SignalLife
from router.domain.step_words import holder_words


class Awaited(NamedTuple):
    """Something that is still to happen.

    Attributes:
        destination: the destination where it is to happen; None where it is about the signal itself.
        turn: the turn of the delivery that waits; None where no delivery does.
        key: the key of that delivery, which is the signal's or its group's; None where no delivery waits.
        words: what it waits for, as a sentence that begins with what waits.
    """

    destination: str | None
    turn: int | None
    key: str | None
    words: str


def waits_of(life: SignalLife, now: datetime) -> tuple[Awaited, ...]:
    """What is still to happen to a signal: first to itself, then at each destination, in the order of turns."""
    return (*_own_waits(life), *(wait for one in life.destinations for wait in waits_at(one, now)))


def waits_at(one: DestinationLife, now: datetime) -> Iterator[Awaited]:
    """What is still to happen at one destination."""
    for waiting, first in open_with_first(one):
        words = _delivery_words(one, waiting, first, now)
        yield Awaited(one.name, waiting.turn, waiting.key, f"{_delivery_named(one, waiting)} {words}")
    if one.group is not None and one.group.waits_for_room:
        yield Awaited(one.name, None, None, f"its group at {one.name} waits for room under {limit_words(one)}")


def open_with_first(one: DestinationLife) -> Iterator[tuple[DeliveryStatus, DeliveryStatus]]:
    """The open deliveries at a destination by turn, each with the one whose turn it is before any other of its key."""
    for deliveries in _by_key(one.all_deliveries):
        still_open = sorted((one for one in deliveries if one.state in OPEN), key=lambda one: one.turn)
        for waiting in still_open:
            yield waiting, still_open[0]


def limit_words(one: DestinationLife) -> str:
    """The limit of a destination in words."""
    return f"the limit of {one.limit}" if one.limit is not None else "the limit of that destination"


def _own_waits(life: SignalLife) -> Iterator[Awaited]:
    if life.row is not None and life.row.pending is not None:
        number = life.row.pending.number
        yield Awaited(
            None, None, None, f"turn {number} is decided and not yet published; the next run or the next sweep does it"
        )
    if (holder := life.holder) is not None:
        held = f"the signal is held by {holder_words(holder.name)} until {instant(holder.until)}"
        yield Awaited(None, None, None, f"{held}; then it is decided again if it still stands")


def _by_key(deliveries: Sequence[DeliveryStatus]) -> list[list[DeliveryStatus]]:
    keys: dict[str, list[DeliveryStatus]] = {}
    for one in deliveries:
        keys.setdefault(one.key, []).append(one)
    return list(keys.values())


def _delivery_named(one: DestinationLife, waiting: DeliveryStatus) -> str:
    whose = "the group's turn" if one.group is not None and waiting.key == one.group.key else "turn"
    return f"{whose} {waiting.turn} to {one.name} ({waiting.change})"


def _delivery_words(one: DestinationLife, waiting: DeliveryStatus, first: DeliveryStatus, now: datetime) -> str:
    """What an open delivery waits for; of several things that which has to end first."""
    if first.turn != waiting.turn:
        return f"waits for its turn behind turn {first.turn}"
    if waiting.state is DeliveryState.CLAIMED:
        return "is being sent, or was when its worker died: then it is claimed again when that claim ends"
    if one.held is not None:
        return f"waits, because {one.name} is held {one.held}"
    if one.unready is not None:
        return f"waits until {one.name} can be asked: {one.unready}"
    if one.pause is not None:
        since, probe = instant(one.pause.since), instant(one.pause.probe)
        return (
            f"waits, because {one.name} is paused since {since}: {one.pause.error}; one delivery tries again at {probe}"
        )
    tried = f" after {_counted(waiting.attempts)}" if waiting.attempts else ""
    trouble = f"; its last trouble: {waiting.error}" if waiting.error else ""
    if waiting.due > now and is_possible(waiting.due, now, LONGEST_WAIT[waiting.lane]):
        return f"is due again at {instant(waiting.due)}{tried}{trouble}"
    return f"is due now{tried}; the next run or worker sends it{trouble}"


def _counted(attempts: int) -> str:
    return f"{attempts} attempt{'s' if attempts > 1 else ''}"


def instant(at: datetime) -> str:
    """An instant as people read it."""
    return f"{at:%Y-%m-%dT%H:%M:%SZ}"
