"""What a message makes of its signal's row: a repeat, or the signal's next turn. Pure.

A message that is older than what the ledger knows, or says the same again, is a repeat. Anything else is decided afresh,
told where the signal is open and where the rules say, and becomes the row's intent.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from router.accept import alerts_named_in, evidence_of
from router.decide import decide, entry_for, notice_for
from router.domain.decisions import Change, Decision, Outcome
from router.domain.keys import alert_mark
from router.domain.ledger import Held, Row, Seen, State, Target, Turn
from router.domain.notices import RecordEntry
from router.domain.reasons import Code, Reason
from router.domain.rulebook import Lane, Rulebook
from router.domain.signals import Finding
from router.sightings import Sighting

SETTLED = frozenset({Outcome.ROUTED, Outcome.RESOLVED, Outcome.NOTED})
"""Outcomes after which the same state again is only a repeat; what was held back or too low is decided afresh."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Fold:
    """What becomes of a sighting: the entry for the record, and the row as it is to be written, if it changes at all."""

    entry: RecordEntry
    row: Row | None


def fold(
    sighting: Sighting, row: Row | None, rulebook: Rulebook, now: datetime, *, on_record: Outcome | None = None
) -> Fold:
    """Folds one sighting into its signal's row, which carries no unfinished intent.

    `on_record` is the outcome under which the same message is on record already. If it was understood then, and its state
    no longer holds, it is an older one, whatever its times say.
    """
    seen = sighting.seen_at(now)
    if row is not None:
        # What a wrong clock or a wrong message told once must not make all that follows look old.
        row = replace(row, seen=row.seen.without_impossible(now))
    named = alerts_named_in(sighting.signal)
    state = _state_after(sighting, named, row)
    is_replay = on_record not in (None, Outcome.QUARANTINED)
    if (is_replay and (row is None or state != row.state)) or (row is not None and seen.is_older_than(row.seen)):
        return Fold(entry=_repeat(sighting, Code.OLDER, rulebook, now), row=None)
    if row is not None and state == row.state and row.outcome in SETTLED:
        return Fold(entry=_repeat(sighting, Code.SAME, rulebook, now), row=replace(row, seen=_later(seen, row.seen)))
    number = row.turn + 1 if row is not None else 1
    decision, targets = _with_targets(decide(sighting.signal, rulebook, now), row, rulebook, number)
    # A message that is decided otherwise than before has a second place on record; its first outcome stays.
    is_new = on_record not in (None, decision.outcome)
    arrival = replace(sighting.arrival, again=number) if is_new else sighting.arrival
    entry = entry_for(sighting.signal, decision, key=arrival.key, source=sighting.source, now=now)
    if is_replay and row is not None and decision.outcome is row.outcome:
        return Fold(entry=entry, row=None)
    notice = None
    if targets:
        signal = sighting.signal
        notice = notice_for(signal, evidence_of(signal), decision, rulebook, number, _new_first(named, row))
    turn = Turn(number=number, entry=entry, notice=notice, targets=targets, trace=sighting.trace)
    return Fold(entry=entry, row=_next_row(sighting, seen, state, row, decision, turn, now))


def _state_after(sighting: Sighting, named: Sequence[str], row: Row | None) -> State:
    """The state that a message tells of, and of an incident all alerts that it ever named: more is news, fewer is none."""
    state, before = sighting.state, row.state if row is not None else None
    if isinstance(sighting.signal, Finding):
        return state
    is_over_still = before is not None and before.resolved and state.resolved
    marks = _marks_in(row).union(() if is_over_still else map(alert_mark, named))
    return state._replace(measure=" ".join(sorted(marks)) or None)


def _new_first(named: Sequence[str], row: Row | None) -> tuple[str, ...]:
    """The alerts that an incident names, those first that it did not name before: a notice has room for so many."""
    known = _marks_in(row)
    return tuple(sorted(named, key=lambda alert: alert_mark(alert) in known))


def _marks_in(row: Row | None) -> frozenset[str]:
    measure = row.state.measure if row is not None else None
    return frozenset(measure.split()) if measure is not None else frozenset()


def _with_targets(
    decision: Decision, row: Row | None, rulebook: Rulebook, number: int
) -> tuple[Decision, tuple[Target, ...]]:
    """The decision with what the ledger adds to it, and whom it tells what."""
    known = row.open if row is not None else {}
    if decision.outcome is Outcome.RESOLVED:
        return _targets_of_resolution(decision, row, known, rulebook, number)
    if decision.outcome not in SETTLED:
        return decision, ()
    names = sorted(known.keys() | set(decision.destinations))
    targets = tuple(
        _target(name, Change.UPDATED if name in known else Change.OPENED, row, rulebook, number) for name in names
    )
    if not known:
        return decision, targets
    return replace(decision, notice=_notice(decision, targets, known, rulebook), destinations=tuple(names)), targets


def _targets_of_resolution(
    decision: Decision, row: Row | None, known: Mapping[str, int], rulebook: Rulebook, number: int
) -> tuple[Decision, tuple[Target, ...]]:
    if row is not None and not row.forwarded:
        never = Reason(Code.NO_DESTINATION, f"nobody was ever told of it, it was {row.outcome}")
        return replace(decision, reason=never, notice=None, destinations=()), ()
    names = sorted(known.keys() | set(decision.destinations))
    targets = tuple(_target(name, Change.RESOLVED, row, rulebook, number) for name in names)
    return replace(decision, destinations=tuple(names)), targets


def _target(name: str, change: Change, row: Row | None, rulebook: Rulebook, number: int) -> Target:
    # A destination that the policy no longer names gets its delivery all the same: it becomes a dead letter that says so.
    spec = rulebook.destinations.get(name)
    lane = spec.lane if spec is not None else Lane.TICKET
    if row is not None and name in row.open:
        # As it was opened, whatever the policy groups by now.
        return Target(name, lane, change, row.open[name], name in row.grouped)
    return Target(name, lane, change, number, spec is not None and spec.is_grouped)


def _notice(
    decision: Decision, targets: Sequence[Target], known: Mapping[str, int], rulebook: Rulebook
) -> Change | None:
    """What people are told, if they are told anything: a destination that only `always` names is not people."""
    people = set(decision.people) | (known.keys() - set(rulebook.always))
    changes = {target.change for target in targets if target.destination in people}
    return next((change for change in (Change.OPENED, Change.UPDATED) if change in changes), None)


def _next_row(
    sighting: Sighting, seen: Seen, state: State, row: Row | None, decision: Decision, turn: Turn, now: datetime
) -> Row:
    told = [target for target in turn.targets if target.change is not Change.RESOLVED]
    opened = {target.destination: target.opened for target in told}
    held = None
    if decision.suppressed_by and decision.suppressed_until:
        held = Held(
            rule=decision.suppressed_by,
            until=decision.suppressed_until,
            rulebook=decision.rulebook,
            source=sighting.source,
            body=sighting.body,
        )
    resolved = decision.outcome is Outcome.RESOLVED
    before = row.open if row is not None else {}
    return Row(
        key=sighting.key,
        stream=sighting.signal.stream.value,
        state=state,
        seen=_later(seen, row.seen) if row is not None else seen,
        turn=turn.number,
        outcome=decision.outcome,
        open={} if resolved else {**before, **opened},
        grouped=frozenset() if resolved else _grouped(row, told),
        forwarded=bool(turn.targets) or (row is not None and row.forwarded),
        held=held,
        intent=turn,
        closed_at=now if resolved else None,
        version=row.version if row is not None else None,
    )


def _grouped(row: Row | None, told: Sequence[Target]) -> frozenset[str]:
    before = row.grouped if row is not None else frozenset[str]()
    return before.union(target.destination for target in told if target.grouped)


def _later(one: Seen, other: Seen) -> Seen:
    """The times to keep after a state that is not older: each as late as either, so that no replay looks new."""
    changed = max(filter(None, (one.changed, other.changed)), default=None)
    arrival = other.arrival if one.arrival.is_before(other.arrival) else one.arrival
    return Seen(one.changed if one.deleted or other.deleted else changed, arrival, one.deleted)


def _repeat(sighting: Sighting, code: Code, rulebook: Rulebook, now: datetime) -> RecordEntry:
    repeat = Decision(outcome=Outcome.REPEAT, reason=Reason(code), rulebook=rulebook.hash)
    return entry_for(sighting.signal, repeat, key=sighting.arrival.key, source=sighting.source, now=now)
