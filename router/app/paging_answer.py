"""Two answers about the life of a signal: whether it paged, and what is still to happen. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import datetime
from enum import StrEnum
from typing import NamedTuple

from router.app.signal_life import DestinationLife, SignalLife
from router.destinations.wording.fitting import shortened
from router.domain.clocks import is_possible
from router.domain.decisions import Change, Outcome
from router.domain.deliveries import LONGEST_WAIT, OPEN, DeliveryState, DeliveryStatus
from router.domain.keys import ABOUT
from router.domain.notices import RecordEntry
from router.domain.readable import counted, span, timestamp
from router.domain.rulebook import Lane
from router.domain.silences import holder_words
from router.store.dead_letters import DISCARDED

AwaitedCode = StrEnum("AwaitedCode", "TURN CLAIM HOLD READINESS PAUSE TIME WORKER ROOM END")
"""What something that is still to happen waits for."""


class Awaited(NamedTuple):
    """Something that is still to happen.

    Attributes:
        words: a sentence that begins with what waits.
        destination: None where it is about the signal itself.
        key: the key of the delivery that waits, which is the signal's or its group's; None where no delivery does.
    """

    code: AwaitedCode
    words: str
    destination: str | None = None
    key: str | None = None
    turn: int | None = None


def waits_of(life: SignalLife, now: datetime) -> tuple[Awaited, ...]:
    """Return what is still to happen to a signal: first to itself, then at each destination, in the order of turns."""
    return (*_own_waits(life, now), *(wait for one in life.destinations for wait in waits_at(one, now)))


def _own_waits(life: SignalLife, now: datetime) -> Iterator[Awaited]:
    if (holder := life.holder) is None:
        return
    name, until = holder_words(holder.rule), _until(life, holder.rule, holder.until)
    if life.end_of_hold(holder.rule, holder.until) > now:
        words = f"the signal is held by {name} {until}; then it is decided again"
    else:
        words = f"{name} held the signal {until}; the next run or the next sweep decides it again"
    yield Awaited(AwaitedCode.END, words)


def _until(life: SignalLife, holder: str, until: datetime) -> str:
    end, silence = life.end_of_hold(holder, until), life.silences.get(holder)
    ended = ", when a person ended the silence" if silence is not None and silence.ended == end else ""
    return f"until {timestamp(end)}{ended}"


def waits_at(one: DestinationLife, now: datetime) -> Iterator[Awaited]:
    """Yield what is still to happen at one destination."""
    # What is owed to a group has turns of its own.
    for deliveries, whose in (
        (one.deliveries, "turn"),
        (one.group.deliveries if one.group else (), "the group's turn"),
    ):
        waiting = sorted((it for it in deliveries if it.state in OPEN), key=lambda it: it.turn)
        for it in waiting:
            code, words = _awaited_by(one, it, now)
            if it.turn != waiting[0].turn:
                code, words = AwaitedCode.TURN, f"waits for its turn behind turn {waiting[0].turn}"
            yield Awaited(code, f"{whose} {it.turn} to {one.name} ({it.change}) {words}", one.name, it.key, it.turn)
    if one.group is not None and one.group.waits_for_room:
        words = f"its group at {one.name} waits for room under the limit of {one.limit or 'that destination'}"
        yield Awaited(AwaitedCode.ROOM, words, one.name)


def _awaited_by(one: DestinationLife, waiting: DeliveryStatus, now: datetime) -> tuple[AwaitedCode, str]:
    """Return what the first open delivery waits for; of several things that which has to end first."""
    if waiting.state is DeliveryState.CLAIMED:
        words = "is being sent, or was when its worker died: then it is tried again when that claim ends"
        return AwaitedCode.CLAIM, words
    if one.held is not None:
        return AwaitedCode.HOLD, f"waits, because {one.name} is {one.held}"
    if (pause := one.pause) is not None:
        why = f"{one.name} is paused since {timestamp(pause.since)}: {pause.error}"
        return AwaitedCode.PAUSE, f"waits, because {why}; one delivery tries again at {timestamp(pause.probe)}"
    if one.unready is not None:
        return AwaitedCode.READINESS, f"waits until {one.name} can be asked: {one.unready}"
    tried = f" after {counted(waiting.attempts, 'attempt')}" if waiting.attempts else ""
    trouble = f"; its last trouble: {waiting.error}" if waiting.error else ""
    if waiting.due > now and is_possible(waiting.due, now, LONGEST_WAIT[waiting.lane]):
        return AwaitedCode.TIME, f"is due again at {timestamp(waiting.due)}{tried}{trouble}"
    return AwaitedCode.WORKER, f"is due now{tried}; the next run or worker sends it{trouble}"


PagingCode = StrEnum(
    "PagingCode",
    "PAGED GROUPED OWED PAUSED DESTINATION_HELD NOT_READY LIMIT DEAD SUPERSEDED DISCARDED NOT_KEPT BELOW_FLOOR NOTED "
    "SUPPRESSED NOT_UNDERSTOOD SAMPLE NO_PAGER OVER ANNOUNCEMENT UNKNOWN",
)
"""Whether a signal paged, and if not, why."""


class PagingAnswer(NamedTuple):
    """Whether a signal paged, and if not, why: for programs, and in a sentence for people."""

    code: PagingCode
    words: str


class _Call(NamedTuple):
    """A delivery to a pager that opens or updates, the signal's own or its group's, and the destination where it is."""

    destination: DestinationLife
    delivery: DeliveryStatus

    @property
    def is_of_group(self) -> bool:
        return self.destination.group is not None and self.delivery.key == self.destination.group.key

    def words_at(self, now: datetime) -> str:
        """Who was paged, how long ago that is, and for what."""
        it, group = self.delivery, self.destination.group
        at = f" {span(max(0, (now - it.settled).total_seconds()))} ago ({timestamp(it.settled)})" if it.settled else ""
        turn = f" ({it.change})" if it.change is not Change.OPENED else ""
        size = f" of {group.total} signals" if group is not None and group.total is not None else ""
        whose = f" for its group{size}" if self.is_of_group and group is not None and group.total != 1 else ""
        reference = it.receipt.reference if it.receipt is not None else None
        number = f", as {shortened(reference, _LONGEST_REFERENCE)}" if reference else ""
        return f"{self.destination.name} was paged{turn}{at}{whose}{number}"


_LONGEST_REFERENCE = 20
"""Characters of a vendor's number that people say; a longer one is no number but a digest."""


def paging_answer(life: SignalLife, now: datetime) -> PagingAnswer:
    """Return whether a signal paged, and if not, why: what was delivered says it before what was decided."""
    if life.key.startswith(ABOUT):
        words = "It pages nobody: it is no signal, but tells of rules, silences and holds to whom the policy's `notify` names."
        return PagingAnswer(PagingCode.ANNOUNCEMENT, words)
    every = _calls(life)
    latest: dict[tuple[str, str], int] = {}
    for one, it in every:
        latest[one.name, it.key] = max(latest.get((one.name, it.key), 0), it.opened)
    # What was sent before a signal was over and came again says nothing of its coming.
    calls = [call for call in every if call.delivery.opened == latest[call.destination.name, call.delivery.key]]
    return (
        _paged(life, every, calls, now)
        or _waiting(life, calls, now)
        or _joined(calls, now)
        or _ended(calls)
        or _forgotten(life)
        or _decided(life)
    )


def _calls(life: SignalLife) -> list[_Call]:
    """Return the calls, the earliest first."""
    pages = [_Call(one, it) for one in life.destinations for it in one.all_deliveries if it.lane is Lane.PAGE]
    calls = (call for call in pages if call.delivery.change is not Change.RESOLVED)
    return sorted(calls, key=lambda call: (call.delivery.born, call.delivery.turn))


def _paged(life: SignalLife, every: Sequence[_Call], latest: Sequence[_Call], now: datetime) -> PagingAnswer | None:
    openings: dict[tuple[str, str, int], _Call] = {}
    for call in every:
        if call.delivery.state is DeliveryState.SENT:
            openings.setdefault((call.destination.name, call.delivery.key, call.delivery.opened), call)
    for call in openings.values():
        # A group's page is for the signal only if it was owed after the signal came.
        if (life.came is None or call.delivery.born >= life.came) if call.is_of_group else call in latest:
            return PagingAnswer(PagingCode.PAGED, f"{call.words_at(now)}.")
    return None


_OWED = {
    AwaitedCode.HOLD: PagingCode.DESTINATION_HELD,
    AwaitedCode.READINESS: PagingCode.NOT_READY,
    AwaitedCode.PAUSE: PagingCode.PAUSED,
    AwaitedCode.ROOM: PagingCode.LIMIT,
}


def _waiting(life: SignalLife, calls: Sequence[_Call], now: datetime) -> PagingAnswer | None:
    still_open = [call for call in calls if call.delivery.state in OPEN]
    waits = [
        wait for one, it in still_open for wait in waits_at(one, now) if (wait.key, wait.turn) == (it.key, it.turn)
    ]
    pagers = [one for one in life.destinations if one.lane in (Lane.PAGE, None)]
    waits += [wait for one in pagers for wait in waits_at(one, now) if wait.code is AwaitedCode.ROOM]
    if not waits:
        return None
    return PagingAnswer(_OWED.get(waits[0].code, PagingCode.OWED), f"It paged nobody yet: {waits[0].words}.")


def _joined(calls: Sequence[_Call], now: datetime) -> PagingAnswer | None:
    """Return the answer where the group had been paged before the signal came to it."""
    for call in calls:
        if call.delivery.state is DeliveryState.SENT and call.destination.group is not None:
            words = f"It called nobody anew: before it came, {call.words_at(now)}."
            return PagingAnswer(PagingCode.GROUPED, words)
    return None


def _ended(calls: Sequence[_Call]) -> PagingAnswer | None:
    """Return the answer by the latest delivery that ended otherwise than sent; one that died before one that was skipped."""
    ended = sorted(calls, key=lambda call: call.delivery.state is DeliveryState.DEAD)
    if not ended or (it := ended[-1].delivery).state not in (DeliveryState.DEAD, DeliveryState.SKIPPED):
        return None
    name, at = ended[-1].destination.name, f" at {timestamp(it.settled)}" if it.settled is not None else ""
    if it.state is DeliveryState.DEAD:
        tries = counted(it.attempts, "attempt")
        return _nobody(PagingCode.DEAD, f"its delivery to {name} died{at} after {tries}: {it.error or 'no error'}")
    if it.error == DISCARDED:
        return _nobody(PagingCode.DISCARDED, f"a person discarded its dead letter to {name}{at}")
    return _nobody(
        PagingCode.SUPERSEDED, f"its delivery to {name} was skipped{at}, since a later turn left nothing to say"
    )


def _nobody(code: PagingCode, why: str) -> PagingAnswer:
    return PagingAnswer(code, f"It paged nobody: {why}.")


def _forgotten(life: SignalLife) -> PagingAnswer | None:
    pagers = {one.name for one in life.destinations if one.lane in (Lane.PAGE, None) and not one.all_deliveries}
    named = sorted({name for entry in life.decisions if entry.notice for name in entry.destinations} & pagers)
    if not named:
        return None
    words = f"Nobody knows any more: it was decided for {', '.join(named)}, and no delivery there is kept."
    return PagingAnswer(PagingCode.NOT_KEPT, words)


def _decided(life: SignalLife) -> PagingAnswer:
    """Return the answer of the latest decision that is neither a repeat nor that the signal is over."""
    passing = (Outcome.REPEAT, Outcome.RESOLVED)
    entry = next((one for one in reversed(life.decisions) if one.outcome not in passing), None)
    if entry is not None:
        return _nobody(*_why(life, entry))
    if any(one.turn == 1 for one in life.decisions):
        return _nobody(PagingCode.OVER, "it was over when it was first heard of")
    return PagingAnswer(PagingCode.UNKNOWN, "Nobody knows any more: no decision says it that is kept.")


def _why(life: SignalLife, entry: RecordEntry) -> tuple[PagingCode, str]:
    reason = entry.reason.partition(": ")[2] or entry.reason
    match entry.outcome:
        case Outcome.BELOW_FLOOR:
            return PagingCode.BELOW_FLOOR, f"it is below the floor ({reason})"
        case Outcome.NOTED:
            return PagingCode.NOTED, f"it is only noted ({reason}), which asks nobody"
        case Outcome.SUPPRESSED:
            holder = holder_words(entry.suppressed_by) if entry.suppressed_by else "a rule whose name is not kept"
            end = datetime.fromisoformat(entry.suppressed_until) if entry.suppressed_until else None
            until = f" {_until(life, entry.suppressed_by or '', end)}" if end is not None else ""
            return PagingCode.SUPPRESSED, f"at {written_instant(entry.at)} {holder} held it{until}"
        case Outcome.QUARANTINED:
            return PagingCode.NOT_UNDERSTOOD, f"its message was not understood ({reason}) and lies in the quarantine"
    goes = f"to {', '.join(entry.destinations)}, none of which is a pager" if entry.destinations else "to nobody"
    by = f"its routes ({', '.join(entry.routes)}) lead" if entry.routes else "no route takes it, and the rest goes"
    if entry.sample:
        return PagingCode.SAMPLE, f"it is one of Defender's samples, and {by} {goes}"
    return PagingCode.NO_PAGER, f"{by} {goes}"


def written_instant(written: str) -> str:
    """Return an instant of the record as people read it; one that is damaged as it stands."""
    try:
        return timestamp(datetime.fromisoformat(written))
    except ValueError:
        return written
