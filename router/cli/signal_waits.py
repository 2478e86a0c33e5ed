"""What each open thing in the life of a signal waits for, in one plain sentence. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import datetime
from enum import StrEnum
from typing import NamedTuple

from router.domain.clocks import is_possible
from router.domain.deliveries import OPEN, DeliveryState, DeliveryStatus
from router.domain.holders import holder_words
from router.domain.lane_limits import LONGEST_WAIT
from router.domain.plurals import counted
from router.domain.signal_life import DestinationLife, SignalLife
from router.domain.timestamps import timestamp


class AwaitedCode(StrEnum):
    """What something that is still to happen waits for."""

    TURN = "turn"
    CLAIM = "claim"
    HOLD = "hold"
    READINESS = "readiness"
    PAUSE = "pause"
    TIME = "time"
    WORKER = "worker"
    ROOM = "room"
    END = "end"


class Awaited(NamedTuple):
    """Something that is still to happen.

    Attributes:
        code: what it waits for, for programs.
        words: what it waits for, as a sentence that begins with what waits.
        destination: the destination where it is to happen; None where it is about the signal itself.
        key: the key of the delivery that waits, which is the signal's or its group's; None where no delivery does.
        turn: the turn of that delivery.
    """

    code: AwaitedCode
    words: str
    destination: str | None = None
    key: str | None = None
    turn: int | None = None


def waits_of(life: SignalLife, now: datetime) -> tuple[Awaited, ...]:
    """What is still to happen to a signal: first to itself, then at each destination, in the order of turns."""
    return (*_own_waits(life, now), *(wait for one in life.destinations for wait in waits_at(one, now)))


def waits_at(one: DestinationLife, now: datetime) -> Iterator[Awaited]:
    """What is still to happen at one destination."""
    for deliveries in _by_key(one.all_deliveries):
        still_open = sorted((one for one in deliveries if one.state in OPEN), key=lambda one: one.turn)
        for waiting in still_open:
            code, words = _awaited_by(one, waiting, still_open[0], now)
            yield Awaited(code, f"{_delivery_named(one, waiting)} {words}", one.name, waiting.key, waiting.turn)
    if one.group is not None and one.group.waits_for_room:
        words = f"its group at {one.name} waits for room under {limit_words(one)}"
        yield Awaited(AwaitedCode.ROOM, words, one.name)


def limit_words(one: DestinationLife) -> str:
    """The limit of a destination in words."""
    return f"the limit of {one.limit}" if one.limit is not None else "the limit of that destination"


def _own_waits(life: SignalLife, now: datetime) -> Iterator[Awaited]:
    if (holder := life.holder) is not None:
        name, silence = holder_words(holder.rule), life.silences.get(holder.rule)
        end = holder.until if silence is None else min(holder.until, silence.end)
        if end > now:
            yield Awaited(
                AwaitedCode.END, f"the signal is held by {name} until {timestamp(end)}; then it is decided again"
            )
        else:
            ended = f"{name} held the signal until {timestamp(end)}"
            yield Awaited(AwaitedCode.END, f"{ended}; the next run or the next sweep decides it again")


def _by_key(deliveries: Sequence[DeliveryStatus]) -> list[list[DeliveryStatus]]:
    keys: dict[str, list[DeliveryStatus]] = {}
    for one in deliveries:
        keys.setdefault(one.key, []).append(one)
    return list(keys.values())


def _delivery_named(one: DestinationLife, waiting: DeliveryStatus) -> str:
    whose = "the group's turn" if one.group is not None and waiting.key == one.group.key else "turn"
    return f"{whose} {waiting.turn} to {one.name} ({waiting.change})"


def _awaited_by(
    one: DestinationLife, waiting: DeliveryStatus, first: DeliveryStatus, now: datetime
) -> tuple[AwaitedCode, str]:
    """What an open delivery waits for; of several things that which has to end first."""
    if first.turn != waiting.turn:
        return AwaitedCode.TURN, f"waits for its turn behind turn {first.turn}"
    if waiting.state is DeliveryState.CLAIMED:
        return (
            AwaitedCode.CLAIM,
            "is being sent, or was when its worker died: then it is tried again when that claim ends",
        )
    if one.held is not None:
        return AwaitedCode.HOLD, f"waits, because {one.name} is {one.held}"
    if one.unready is not None:
        return AwaitedCode.READINESS, f"waits until {one.name} can be asked: {one.unready}"
    if (pause := one.pause) is not None:
        again = f"one delivery tries again at {timestamp(pause.probe)}"
        return (
            AwaitedCode.PAUSE,
            f"waits, because {one.name} is paused since {timestamp(pause.since)}: {pause.error}; {again}",
        )
    tried = f" after {counted(waiting.attempts, 'attempt')}" if waiting.attempts else ""
    trouble = f"; its last trouble: {waiting.error}" if waiting.error else ""
    if waiting.due > now and is_possible(waiting.due, now, LONGEST_WAIT[waiting.lane]):
        return AwaitedCode.TIME, f"is due again at {timestamp(waiting.due)}{tried}{trouble}"
    return AwaitedCode.WORKER, f"is due now{tried}; the next run or worker sends it{trouble}"
