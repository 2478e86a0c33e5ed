"""Whether a signal paged anybody, and if not, why: the first line of its life. Pure.

What was delivered says more than what was decided, and what may still be delivered more than what died. So the first row of
this table that is true answers. Where a pager was called, and the signal was over and came again since, only the deliveries
since then count; what was sent before is added.

| of the deliveries to pagers that open or update, the signal's own and its group's | answer |
|---|---|
| one was sent | `paged`; `grouped` where the group, or the summary of a limit, was paged before the signal came |
| one is owed or claimed | `owed`, and what it waits for; `paused`, `destination_held`, `not_ready` where that is so |
| its group waits for room under a limit | `limit` |
| its turn is decided and not published | `pending` |
| one is dead | `dead` |
| one was superseded or discarded | `superseded`, `discarded` |
| there is none, and a decision names a pager, or what may be one | `not_kept` |

Where there never was one, the latest decision answers that is neither a repeat nor that the signal is over: `below_floor`,
`noted`, `suppressed`, `not_understood`; `no_pager`, or `sample`, where it is routed and no pager is among its destinations.
`over` where the signal was over when it was first heard of, and `unknown` where no decision is kept. What tells of rules,
silences and holds is no signal: `announcement`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from enum import StrEnum
from typing import NamedTuple

from router.cli.signal_waits import AwaitedCode, limit_words, waits_at
from router.domain.decisions import Change, Outcome
from router.domain.deliveries import DISCARDED, OPEN, DeliveryState, DeliveryStatus
from router.domain.holders import holder_words
from router.domain.keys import ABOUT
from router.domain.notices import RecordEntry
from router.domain.plurals import counted
from router.domain.rulebook import Lane
from router.domain.signal_life import DestinationLife, SignalLife
from router.domain.timestamps import timestamp

_SENT = frozenset({DeliveryState.SENT})


class PagingCode(StrEnum):
    """Whether a signal paged anybody, and if not, why."""

    PAGED = "paged"
    GROUPED = "grouped"
    OWED = "owed"
    PAUSED = "paused"
    DESTINATION_HELD = "destination_held"
    NOT_READY = "not_ready"
    LIMIT = "limit"
    DEAD = "dead"
    SUPERSEDED = "superseded"
    DISCARDED = "discarded"
    NOT_KEPT = "not_kept"
    BELOW_FLOOR = "below_floor"
    NOTED = "noted"
    SUPPRESSED = "suppressed"
    NOT_UNDERSTOOD = "not_understood"
    SAMPLE = "sample"
    NO_PAGER = "no_pager"
    OVER = "over"
    ANNOUNCEMENT = "announcement"
    UNKNOWN = "unknown"


class PagingAnswer(NamedTuple):
    """Whether a signal paged anybody, and if not, why.

    Attributes:
        code: the answer, for programs.
        words: the answer, for people: one sentence or two.
    """

    code: PagingCode
    words: str


class _Call(NamedTuple):
    """A delivery to a pager that calls somebody, and the destination where it is."""

    destination: DestinationLife
    delivery: DeliveryStatus


def paging_answer(life: SignalLife, now: datetime) -> PagingAnswer:
    """Whether a signal paged anybody, and if not, why."""
    if life.key.startswith(ABOUT):
        words = "It pages nobody: it is no signal, but tells of rules, silences and holds to whom the policy's `notify` names."
        return PagingAnswer(PagingCode.ANNOUNCEMENT, words)
    answer = _by_deliveries(life, now) or _by_groups(life) or _by_ended(life) or _by_decisions(life)
    if answer.code is PagingCode.PAGED:
        return _with_what_came_after(answer, life)
    sent = [call for call in _every_call(life) if call.delivery.state is DeliveryState.SENT]
    before = [call for call in sent if not _is_of_group(call)]
    if not before:
        return answer
    return answer._replace(words=f"{answer.words} Before that it had: {_sent_words(before[0])}.")


def _with_what_came_after(answer: PagingAnswer, life: SignalLife) -> PagingAnswer:
    """The answer that it paged, and what the latest decision says where that would page nobody."""
    entry = _deciding(life.decisions)
    if entry is None or entry.outcome not in _WHY:
        return answer
    later = _by_decisions(life).words.removeprefix("It paged nobody: ")
    return answer._replace(words=f"{answer.words} Now it would page nobody: {later}")


def _every_call(life: SignalLife) -> list[_Call]:
    """The deliveries to pagers that call somebody, the latest first."""
    calls = [
        _Call(one, delivery)
        for one in life.destinations
        for delivery in one.all_deliveries
        if delivery.lane is Lane.PAGE and delivery.change is not Change.RESOLVED
    ]
    return sorted(calls, key=lambda call: (call.delivery.born, call.delivery.turn), reverse=True)


def _calls(life: SignalLife, states: frozenset[DeliveryState]) -> list[_Call]:
    """Those of them in some states that belong to the latest opening of the signal, or of its group, at their pager."""
    every = _every_call(life)
    opened: dict[tuple[str, str], int] = {}
    for one, delivery in every:
        opened[one.name, delivery.key] = max(opened.get((one.name, delivery.key), 0), delivery.opened)
    return [
        call
        for call in every
        if call.delivery.state in states and call.delivery.opened == opened[call.destination.name, call.delivery.key]
    ]


def _by_deliveries(life: SignalLife, now: datetime) -> PagingAnswer | None:
    """The answer by what was sent or is to be sent."""
    came = life.came
    if paged := _paging(life, came):
        return PagingAnswer(PagingCode.PAGED, f"It paged somebody: {_sent_words(paged[0])}.")
    if owed := _calls(life, OPEN):
        return _owed_answer(owed[-1], now)
    if joined := [call for call in _calls(life, _SENT) if _is_before(call, came) and not _waits_for_room(call)]:
        words = f"{_joined_words(joined[-1].destination)} had paged before it came: {_sent_words(joined[-1])}"
        return PagingAnswer(PagingCode.GROUPED, f"It called nobody anew: {words}.")
    return None


def _joined_words(one: DestinationLife) -> str:
    """What a signal joined at a destination that had been paged of it already."""
    group = one.group
    others = f" of {group.total} signals" if group is not None and group.total is not None else ""
    if group is not None and group.is_summary:
        return f"it is beyond {limit_words(one)}, and the summary{others} that are so"
    return f"its group{others}"


def _paging(life: SignalLife, came: datetime | None) -> list[_Call]:
    """What called somebody for the signal since it came: the first that was sent of each opening, the earliest first."""
    latest = _calls(life, _SENT)
    firsts: dict[tuple[str, str, int], _Call] = {}
    for call in _every_call(life):
        if call.delivery.state is DeliveryState.SENT and (_is_of_group(call) or call in latest):
            firsts[call.destination.name, call.delivery.key, call.delivery.opened] = call
    return sorted((call for call in firsts.values() if not _is_before(call, came)), key=lambda call: call.delivery.born)


def _is_of_group(call: _Call) -> bool:
    group = call.destination.group
    return group is not None and call.delivery.key == group.key


def _is_before(call: _Call, came: datetime | None) -> bool:
    """Whether a group's page was owed before the signal came to it."""
    return _is_of_group(call) and came is not None and call.delivery.born < came


def _waits_for_room(call: _Call) -> bool:
    """Whether the group of a page waits to open again: then what was sent before was for others."""
    return call.destination.group is not None and call.destination.group.waits_for_room


def _sent_words(call: _Call) -> str:
    delivery = call.delivery
    when = f" at {timestamp(delivery.settled)}" if delivery.settled is not None else ""
    receipt = delivery.receipt
    reference = f", as {receipt.reference}" if receipt is not None and receipt.reference else ""
    group = call.destination.group
    what = " of the summary" if group is not None and group.is_summary else " of its group"
    as_group = what if _is_of_group(call) else ""
    return f"{call.destination.name} took turn {delivery.turn}{as_group} ({delivery.change}){when}{reference}"


def _owed_answer(call: _Call, now: datetime) -> PagingAnswer:
    one, delivery = call
    awaited = next(
        awaited for awaited in waits_at(one, now) if (awaited.key, awaited.turn) == (delivery.key, delivery.turn)
    )
    return PagingAnswer(_OWED.get(awaited.code, PagingCode.OWED), f"It paged nobody yet: {awaited.words}.")


_OWED = {
    AwaitedCode.HOLD: PagingCode.DESTINATION_HELD,
    AwaitedCode.READINESS: PagingCode.NOT_READY,
    AwaitedCode.PAUSE: PagingCode.PAUSED,
}
"""What an owed page waits for that has an answer of its own."""


def _by_groups(life: SignalLife) -> PagingAnswer | None:
    waiting = [one for one in life.destinations if one.group is not None and one.group.waits_for_room]
    for one in sorted(waiting, key=lambda one: one.lane is not Lane.PAGE):
        if one.lane in (Lane.PAGE, None):
            return PagingAnswer(
                PagingCode.LIMIT,
                f"It paged nobody yet: its group at {one.name} waits for room under {limit_words(one)}.",
            )
    return None


def _by_ended(life: SignalLife) -> PagingAnswer | None:
    """The answer by deliveries that ended otherwise than sent."""
    if dead := _calls(life, frozenset({DeliveryState.DEAD})):
        one, delivery = dead[0]
        died = f" at {timestamp(delivery.settled)}" if delivery.settled is not None else ""
        tried = f" after {counted(delivery.attempts, 'attempt')}"
        return PagingAnswer(
            PagingCode.DEAD,
            f"It paged nobody: its delivery to {one.name} died{died}{tried}: {delivery.error or 'no error'}.",
        )
    if skipped := _calls(life, frozenset({DeliveryState.SKIPPED})):
        one, delivery = skipped[0]
        when = f" at {timestamp(delivery.settled)}" if delivery.settled is not None else ""
        if delivery.error == DISCARDED:
            return PagingAnswer(
                PagingCode.DISCARDED, f"It paged nobody: a person discarded its dead letter to {one.name}{when}."
            )
        return PagingAnswer(
            PagingCode.SUPERSEDED,
            f"It paged nobody: its delivery to {one.name} was skipped{when}, since a later turn left nothing to say.",
        )
    pagers = {one.name for one in life.destinations if one.lane in (Lane.PAGE, None) and not one.all_deliveries}
    named = sorted({name for entry in life.decisions if entry.notice for name in entry.destinations} & pagers)
    if named:
        return PagingAnswer(
            PagingCode.NOT_KEPT,
            f"Nobody knows any more: it was decided for {', '.join(named)}, and no delivery there is kept.",
        )
    return None


def _by_decisions(life: SignalLife) -> PagingAnswer:
    """The answer of the decision that settled it."""
    entry = _deciding(life.decisions)
    if entry is None:
        if any(entry.turn == 1 for entry in life.decisions):
            return PagingAnswer(PagingCode.OVER, "It paged nobody: it was over when it was first heard of.")
        return PagingAnswer(PagingCode.UNKNOWN, "Nobody knows any more: no decision says it that is kept.")
    return _WHY.get(entry.outcome, _by_routes)(entry)


def _deciding(decisions: Sequence[RecordEntry]) -> RecordEntry | None:
    passing = (Outcome.REPEAT, Outcome.RESOLVED)
    return next((entry for entry in reversed(decisions) if entry.outcome not in passing), None)


def _below_floor(entry: RecordEntry) -> PagingAnswer:
    return PagingAnswer(PagingCode.BELOW_FLOOR, f"It paged nobody: it is below the floor ({_reason(entry)}).")


def _noted(entry: RecordEntry) -> PagingAnswer:
    return PagingAnswer(PagingCode.NOTED, f"It paged nobody: it is only noted ({_reason(entry)}), which asks nobody.")


def _suppressed(entry: RecordEntry) -> PagingAnswer:
    holder = holder_words(entry.suppressed_by) if entry.suppressed_by else "a rule whose name is not kept"
    until = f" until {_short(entry.suppressed_until)}" if entry.suppressed_until else ""
    return PagingAnswer(PagingCode.SUPPRESSED, f"It paged nobody: at {_short(entry.at)} {holder} held it{until}.")


def _not_understood(entry: RecordEntry) -> PagingAnswer:
    return PagingAnswer(
        PagingCode.NOT_UNDERSTOOD,
        f"It paged nobody: its message was not understood ({_reason(entry)}) and lies in the quarantine.",
    )


def _by_routes(entry: RecordEntry) -> PagingAnswer:
    goes = f"to {', '.join(entry.destinations)}, none of which is a pager" if entry.destinations else "to nobody"
    by = f"its routes ({', '.join(entry.routes)}) lead" if entry.routes else "no route takes it, and the rest goes"
    if entry.sample:
        return PagingAnswer(PagingCode.SAMPLE, f"It paged nobody: it is one of Defender's samples, and {by} {goes}.")
    return PagingAnswer(PagingCode.NO_PAGER, f"It paged nobody: {by} {goes}.")


_WHY: Mapping[str, Callable[[RecordEntry], PagingAnswer]] = {
    Outcome.BELOW_FLOOR: _below_floor,
    Outcome.NOTED: _noted,
    Outcome.SUPPRESSED: _suppressed,
    Outcome.QUARANTINED: _not_understood,
}
"""What the decision says, by its outcome; what is routed is told `_by_routes`."""


def _reason(entry: RecordEntry) -> str:
    """The words of a reason, or its code where it has none."""
    code, _, words = entry.reason.partition(": ")
    return words or code


def _short(written: str) -> str:
    """An instant of the record as people read it; one that is damaged as it stands."""
    try:
        return timestamp(datetime.fromisoformat(written))
    except ValueError:
        return written
