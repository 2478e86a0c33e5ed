"""What a message makes of its signal's row: a repeat, or the signal's next turn. Pure.

A message that is older than what the ledger knows, or says the same again, is a repeat. Anything else is decided afresh,
told where the signal is open and where the rules say, and becomes the row's intent.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from functools import reduce

from router.decide import decide, entry_for, notice_for
from router.domain.decisions import Change, Decision, Outcome
from router.domain.keys import alert_mark
from router.domain.ledger import Held, Row, Seen, State, Target, Turn
from router.domain.marks import marks_after
from router.domain.notices import RecordEntry
from router.domain.reasons import Code, Reason
from router.domain.rulebook import Lane, Rulebook
from router.domain.signals import Finding, Kind
from router.ingest.observations import Sighting
from router.parse import alerts_named_in, evidence_of

SETTLED = frozenset({Outcome.ROUTED, Outcome.RESOLVED, Outcome.NOTED})
"""Outcomes after which the same state again is only a repeat; what was held back or too low is decided afresh."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Fold:
    """What becomes of a sighting: the entry for the record, and the row as it is to be written, if it changes at all.

    `let_go` are further rows of the signal that hold its body no longer, and `open` are those that it is left open in.
    """

    entry: RecordEntry
    row: Row | None
    let_go: tuple[Row, ...] = ()
    open: tuple[Row, ...] = ()

    @property
    def opens(self) -> bool:
        """Whether it opens the signal anywhere."""
        intent = self.row.intent if self.row is not None else None
        return intent is not None and any(target.change is Change.OPENED for target in intent.targets)


def fold(
    sighting: Sighting,
    rows: Sequence[Row],
    rulebook: Rulebook,
    now: datetime,
    *,
    on_record: Outcome | None = None,
) -> Fold:
    """Folds one sighting into its signal's row, none of whose rows carries an unfinished intent.

    A signal has one row. More are there where an older program knew it under several spellings of its id, or before and
    after it was flagged as an incident: then it goes on in the first that is open, and ends in all of them.

    `on_record` is the outcome under which the same message is on record already. If it was understood then, and its state
    no longer holds, it is an older one, whatever its times say.
    """
    # What a wrong clock or a wrong message told once must not make all that follows look old.
    rows = [replace(row, seen=row.seen.without_impossible(now)) for row in rows]
    if len(rows) < 2:
        only = rows[0] if rows else None
        return _fold(sighting, only, only, rulebook, now, on_record)
    row, *others = sorted(rows, key=lambda one: (not one.open, one.state.resolved))
    folded = _fold(sighting, row, _latest(sighting, rows), rulebook, now, on_record)
    if folded.row is None:
        return folded
    return replace(
        folded,
        let_go=tuple(_over(one, now) for one in others if one.outcome is Outcome.SUPPRESSED),
        open=tuple(one for one in others if one.open) if folded.row.outcome is Outcome.RESOLVED else (),
    )


def _over(row: Row, now: datetime) -> Row:
    """A row that holds nothing any more, since its signal goes on in another one."""
    return replace(row, state=row.state._replace(resolved=True), outcome=Outcome.RESOLVED, closed_at=now)


def _is_over(sighting: Sighting, row: Row) -> bool:
    """Whether what the row held of this very message goes on in another row by now."""
    return _is_from(row, sighting) and row.state.resolved and not sighting.signal.resolved


def _is_from(row: Row, sighting: Sighting) -> bool:
    """Whether a row has its state from this very message."""
    return row.seen.arrival.key == replace(sighting.arrival, again=0).key


def _latest(sighting: Sighting, rows: Sequence[Row]) -> Row:
    """The row that knows the latest state of their signal; one that has this very sighting's, where it got no further."""
    if reached := [one for one in rows if _is_from(one, sighting) and one.state == _state_after(sighting, one)]:
        return reached[0]
    return reduce(lambda one, other: other if one.seen.is_older_than(other.seen) else one, rows)


def _fold(
    sighting: Sighting,
    row: Row | None,
    latest: Row | None,
    rulebook: Rulebook,
    now: datetime,
    on_record: Outcome | None,
) -> Fold:
    """Folds a sighting into one row; `latest` is the row that knows the latest state of the signal."""
    seen, state = sighting.seen_at(now), _state_after(sighting, row)
    is_replay = on_record not in (None, Outcome.QUARANTINED)
    if (
        (is_replay and (latest is None or _state_after(sighting, latest) != latest.state))
        or (latest is not None and seen.is_older_than(latest.seen))
        or (row is not None and _is_over(sighting, row))
    ):
        return Fold(entry=_repeat(sighting, Code.OLDER, rulebook, now), row=None)
    if row is not None and state == row.state and row.outcome in SETTLED:
        return Fold(entry=_repeat(sighting, Code.SAME, rulebook, now), row=replace(row, seen=_later(seen, row.seen)))
    number = row.turn + 1 if row is not None else 1
    decision, targets = _with_targets(decide(sighting.signal, rulebook, now), row, rulebook, number)
    # A message that is decided otherwise than before has a second place on record; its first outcome stays.
    is_new = on_record is not None and (on_record is not decision.outcome or latest is not row)
    arrival = replace(sighting.arrival, again=number) if is_new else sighting.arrival
    entry = entry_for(sighting.signal, decision, key=arrival.key, source=sighting.source, now=now)
    if is_replay and row is not None and decision.outcome is row.outcome:
        return Fold(entry=entry, row=None)
    notice = None
    if targets:
        signal = sighting.signal
        key = row.key if row is not None else sighting.key
        named = _new_first(alerts_named_in(signal), row)
        notice = notice_for(signal, evidence_of(signal), decision, rulebook, key, number, named)
    turn = Turn(number=number, entry=entry, notice=notice, targets=targets, trace=sighting.trace)
    return Fold(entry=entry, row=_next_row(sighting, seen, state, row, decision, turn, now))


def _state_after(sighting: Sighting, row: Row | None) -> State:
    """The state that a message tells of, to a row of its signal.

    Of an incident all alerts that it ever named are part of it: more is news, fewer is none. So is the kind that the signal
    has come back as, where it is not the one that it was opened as.
    """
    state, signal = sighting.state, sighting.signal
    if isinstance(signal, Finding):
        return state
    marks = _marks_in(row)
    if row is None or not (row.state.resolved and state.resolved):
        is_other = row is not None and row.key in sighting.other_keys
        marks = marks_after(marks - _KINDS, alerts_named_in(signal)).union([signal.kind.value] if is_other else [])
    return state._replace(measure=" ".join(sorted(marks)) or None)


_KINDS = frozenset({Kind.ALERT.value, Kind.INCIDENT.value})


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
    key = row.key if row is not None else sighting.key
    return Row(
        key=key,
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
