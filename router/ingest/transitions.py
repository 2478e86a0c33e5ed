"""Makes the transition of a signal's row that an observation causes: a repeat, or the signal's next turn. Pure.

An observation that is older than the row, or says the same again, is a repeat. Any other is decided afresh. Its turn notifies
the destinations where the signal is open and those that the rules name.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from copy import replace
from datetime import datetime, timedelta

from router.decide import decide, entry_for, iso, notice_for
from router.domain.decisions import Change, Code, Decision, DecisionStep, Outcome, Reason, StepCode
from router.domain.hubs import Arrival, message_of
from router.domain.keys import alert_fingerprint
from router.domain.notices import Notice, RecordEntry, Release
from router.domain.owners import Owners, find_owner_of
from router.domain.rule_fields import RuleFields, rule_fields_of
from router.domain.rulebook import Lane, Rulebook
from router.domain.signals import Alert, Finding, Kind
from router.domain.silences import NO_SILENCES, HolderKind, Silences, find_silence_id
from router.domain.values import Value
from router.ingest.observations import Observation, fingerprints_after
from router.parse import alerts_named_in, evidence_of
from router.store.ledger import STANDING, Held, LedgerRow, Seen, State, Target, Turn
from router.store.snapshots import Appearances

SETTLED = frozenset({Outcome.ROUTED, Outcome.RESOLVED, Outcome.NOTED})
"""Outcomes after which the same state again is only a repeat; what was held back or too low is decided afresh."""

UNASKED = frozenset({Outcome.BELOW_FLOOR, Outcome.NOTED})
"""Outcomes of signals that no suppression rule is asked about, so that nothing need be kept for one to match."""

DAY = timedelta(days=1)
"""How often a signal that only repeats itself says anew what rules can match of it."""

_KINDS = frozenset({Kind.ALERT.value, Kind.INCIDENT.value})
_REPEATS = {Code.OLDER: (DecisionStep(StepCode.LEDGER_OLDER),), Code.SAME: (DecisionStep(StepCode.LEDGER_SAME),)}
_AGAIN = (DecisionStep(StepCode.LEDGER_AGAIN),)
_STILL_HELD = (DecisionStep(StepCode.LEDGER_STILL_HELD),)
_UNCHANGED = (DecisionStep(StepCode.LEDGER_UNCHANGED),)
_NEVER_NOTIFIED = (DecisionStep(StepCode.LEDGER_NEVER_NOTIFIED),)
_OPEN = (DecisionStep(StepCode.LEDGER_OPEN),)
_STATUS = (DecisionStep(StepCode.LEDGER_STATUS),)


class SignalTransition(Value, kw_only=True):
    """What an observation changes.

    Attributes:
        row: the signal's row as it is to be written; None where it does not change.
        named: the row where only that changes when messages named it; None where that is no news.
        snapshot: of which subscription's snapshot the message is a row, and when it came; None where it is none.
    """

    arrival: Arrival
    entry: RecordEntry
    row: LedgerRow | None = None
    named: LedgerRow | None = None
    snapshot: tuple[str, datetime] | None = None
    turn: Turn | None = None


def transition_for(
    observation: Observation,
    row: LedgerRow | None,
    rulebook: Rulebook,
    now: datetime,
    *,
    on_record: Outcome | None = None,
    silences: Silences = NO_SILENCES,
    last_turn: int = 0,
) -> SignalTransition:
    """The transition that an observation causes in the row of its signal, if that has one.

    `on_record` is the outcome under which the same message is on record already. If it was understood then, and its state
    no longer holds, it is an older one, whatever its times say; unless it names anew a finding that was not seen any more.
    `last_turn` is the turn after which a signal goes on whose row was lost.
    """
    if row is not None:
        # A time that a wrong clock or a wrong message brought once must not make all that follows look old.
        row = replace(row, seen=row.seen.without_impossible(now))
    seen, state = observation.seen_at(now), _state_after(observation, row)
    key = row.key if row is not None else observation.keys[0]
    is_replay = on_record not in (None, Outcome.QUARANTINED)
    is_back = is_replay and row is not None and _is_back(observation, row, now)
    before = row.appearances if row is not None else None
    appearances = observation.appearances_after(before, now, is_replay=is_replay)
    is_in_snapshot = appearances is not None and observation.is_in_snapshot(before, now, is_replay=is_replay)
    snapshot = (
        (appearances.subscription, observation.came_at(now)) if appearances is not None and is_in_snapshot else None
    )
    named_row = replace(row, appearances=appearances) if row is not None and appearances != before else None
    if (is_replay and not is_back and (row is None or state != row.state)) or (
        row is not None and _is_older(observation, seen, row)
    ):
        return SignalTransition(
            arrival=observation.arrival,
            entry=_repeat(observation, Code.OLDER, key, rulebook, now),
            named=named_row,
            snapshot=snapshot,
        )
    if row is not None and state == row.state and row.outcome in SETTLED:
        return SignalTransition(
            arrival=observation.arrival,
            entry=_repeat(observation, Code.SAME, key, rulebook, now),
            row=replace(
                row,
                # An old word that it is over does not make it seen.
                seen=row.seen if is_replay and row.is_unseen else _later(seen, row.seen),
                heard=now,
                fields=_fields_anew(observation, row, now),
                appearances=appearances,
            ),
            snapshot=snapshot,
        )
    number = (row.turn if row is not None else last_turn) + 1
    status_only = _is_status_only(observation, state, row)
    decision = decide(observation.signal, rulebook, now, silences)
    decision, targets = with_targets(decision, row, rulebook, number, status_only=status_only)
    # A message that is decided otherwise than before has a second place on record; its first outcome stays.
    is_new = on_record is not None and (on_record is not decision.outcome or is_back)
    arrival = replace(observation.arrival, again=number) if is_new else observation.arrival
    if arrival.again:
        decision = replace(decision, steps=decision.steps + _AGAIN)
    if observation.arrival.again and row is not None and _is_still_held(row, decision):
        decision = replace(decision, steps=decision.steps + _STILL_HELD)
    if is_replay and row is not None and decision.outcome is row.outcome:
        decision = replace(decision, steps=decision.steps + _UNCHANGED)
        entry = _entry(observation, decision, arrival.key, key, None, now)
        return SignalTransition(arrival=observation.arrival, entry=entry, named=named_row, snapshot=snapshot)
    entry = _entry(observation, decision, arrival.key, key, number, now)
    notice = None
    if targets:
        signal = observation.signal
        named = _new_first(alerts_named_in(signal), row)
        notice = notice_for(
            signal,
            evidence_of(signal, rulebook.catalogue),
            decision,
            rulebook,
            key,
            number,
            named,
            status_only=status_only,
            paged=any(target.lane is Lane.PAGE for target in targets),
            release=_release_of(row, decision, rulebook, silences, now),
        )
    turn = Turn(number=number, entry=entry, notice=notice, targets=targets, trace=observation.trace)
    row = _next_row(observation, key, seen, state, row, decision, turn, appearances, rulebook.owners, now)
    return SignalTransition(arrival=observation.arrival, entry=entry, row=row, snapshot=snapshot, turn=turn)


def with_targets(
    decision: Decision, row: LedgerRow | None, rulebook: Rulebook, number: int, *, status_only: bool
) -> tuple[Decision, tuple[Target, ...]]:
    """The decision with what the ledger adds to it, and which destinations are notified of which change.

    Of a mere status no pager hears where the signal is open: people may have resolved the page, and would be called anew.
    """
    known = row.open if row is not None else {}
    if decision.outcome is Outcome.RESOLVED:
        return targets_of_resolution(decision, row, known, rulebook, number)
    if decision.outcome not in SETTLED:
        return decision, ()
    names = sorted(known.keys() | set(decision.destinations))
    targets = tuple(
        _target(name, Change.UPDATED if name in known else Change.OPENED, row, rulebook, number) for name in names
    )
    if not known:
        return decision, targets
    steps = decision.steps + _OPEN
    if status_only:
        steps += _STATUS
        targets = tuple(
            target for target in targets if target.change is Change.OPENED or _takes_notes(target, rulebook)
        )
    notice, told = _notice(decision, targets, known, rulebook), tuple(target.destination for target in targets)
    return replace(decision, notice=notice, destinations=told, steps=steps), targets


def targets_of_resolution(
    decision: Decision, row: LedgerRow | None, known: Mapping[str, int], rulebook: Rulebook, number: int
) -> tuple[Decision, tuple[Target, ...]]:
    """The same of a decision that a signal is over: each destination is told where it is open, by `known`."""
    if row is not None and not row.forwarded:
        never = Reason(Code.NO_DESTINATION, f"nobody was ever told of it, it was {row.outcome}")
        steps = decision.steps + _NEVER_NOTIFIED
        return replace(decision, reason=never, notice=None, destinations=(), steps=steps), ()
    names = sorted(known.keys() | set(decision.destinations))
    targets = tuple(_target(name, Change.RESOLVED, row, rulebook, number) for name in names)
    return replace(decision, destinations=tuple(names), steps=decision.steps + (_OPEN if known else ())), targets


def _takes_notes(target: Target, rulebook: Rulebook) -> bool:
    """Whether a destination takes notes that call no one; one that the policy no longer names may be a pager."""
    return target.destination in rulebook.destinations and target.lane is not Lane.PAGE


def _target(name: str, change: Change, row: LedgerRow | None, rulebook: Rulebook, number: int) -> Target:
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
    """The change that people are notified of, if any: a destination that only `always` names is not people."""
    people = set(decision.people) | (known.keys() - set(rulebook.always))
    changes = {target.change for target in targets if target.destination in people}
    return next((change for change in (Change.OPENED, Change.UPDATED) if change in changes), None)


def _is_from(row: LedgerRow, observation: Observation) -> bool:
    """Whether a row has its state from this very message."""
    return row.seen.arrival.key == message_of(observation.arrival.key)


def _is_still_held(row: LedgerRow, decision: Decision) -> bool:
    """Whether what held a signal holds it by a further decision, too."""
    by = row.held if row.outcome is Outcome.SUPPRESSED else None
    return by is not None and by.rule == decision.suppressed_by


def _is_back(observation: Observation, row: LedgerRow, now: datetime) -> bool:
    """Whether a message that is on record says that a finding is back which was not seen any more."""
    if not row.is_unseen or row.appearances is None:
        return False
    return observation.names_anew(row.appearances, row.seen.arrival.enqueued, now)


def _is_older(observation: Observation, seen: Seen, row: LedgerRow) -> bool:
    """Whether the state of a message is older than the latest known.

    An alert that stands and is over at one and the same time of its own is over. Else a copy of the message that told of it
    would tell of it again.
    """
    is_over, was_over = observation.state.resolved, row.state.resolved
    is_at_once = seen.changed is not None and seen.changed == row.seen.changed
    if isinstance(observation.signal, Alert) and is_at_once and is_over is not was_over:
        return was_over
    return seen.is_older_than(row.seen)


def _is_status_only(observation: Observation, state: State, row: LedgerRow | None) -> bool:
    """Whether an alert comes again while it stands with nothing new but its status, and people were told the rest before.

    What was told of a signal that was held back or below the floor is not known.
    """
    is_alert = isinstance(observation.signal, Alert)
    return is_alert and row is not None and row.outcome in SETTLED and state.differs_in_status_only(row.state)


def _fields_anew(observation: Observation, row: LedgerRow, now: datetime) -> RuleFields | None:
    """What rules can match, where it may not be kept: retention takes it away."""
    is_kept = row.heard is not None and now - row.heard < DAY
    return None if is_kept or row.outcome in UNASKED else rule_fields_of(observation.signal)


def _next_row(
    observation: Observation,
    key: str,
    seen: Seen,
    state: State,
    row: LedgerRow | None,
    decision: Decision,
    turn: Turn,
    appearances: Appearances | None,
    owners: Owners,
    now: datetime,
) -> LedgerRow:
    notified = [target for target in turn.targets if target.change is not Change.RESOLVED]
    opened = {target.destination: target.opened for target in notified}
    held = _held_after(observation, row, decision, now)
    resolved = decision.outcome is Outcome.RESOLVED
    before = row.open if row is not None else {}
    fields = rule_fields_of(observation.signal) if decision.outcome not in UNASKED else None
    since, owner, cluster = (row.since, row.owner, row.cluster) if row is not None else (None, None, None)
    if decision.outcome in STANDING:
        since = since if row is not None and row.stands and since is not None else now
        owner = _owner_in(turn.notice, observation, owners)
        cluster = fields.location.cluster if fields is not None and fields.location is not None else None
    return LedgerRow(
        key=key,
        stream=observation.signal.stream.value,
        state=state,
        seen=_later(seen, row.seen) if row is not None else seen,
        turn=turn.number,
        outcome=decision.outcome,
        open={} if resolved else {**before, **opened},
        grouped=frozenset() if resolved else _grouped(row, notified),
        forwarded=bool(turn.targets) or (row is not None and row.forwarded),
        held=held,
        is_stored=row is not None and row.is_stored,
        closed_at=now if resolved else None,
        heard=now,
        fields=fields,
        appearances=appearances,
        since=since,
        owner=owner,
        cluster=cluster,
    )


def _owner_in(notice: Notice | None, observation: Observation, owners: Owners) -> str | None:
    """The name of a signal's owner, which the notice has already, where there is one."""
    owner = notice.owner if notice is not None else find_owner_of(observation.signal, owners)
    return owner.name if owner is not None else None


def _grouped(row: LedgerRow | None, notified: Sequence[Target]) -> frozenset[str]:
    before = row.grouped if row is not None else frozenset[str]()
    return before.union(target.destination for target in notified if target.grouped)


def _later(one: Seen, other: Seen) -> Seen:
    """The times to keep after a state that is not older: each as late as either, so that no replay looks new."""
    changed = max(filter(None, (one.changed, other.changed)), default=None)
    arrival = other.arrival if one.arrival.is_before(other.arrival) else one.arrival
    return Seen(one.changed if one.deleted or other.deleted else changed, arrival, one.deleted)


def _repeat(observation: Observation, code: Code, key: str, rulebook: Rulebook, now: datetime) -> RecordEntry:
    repeat = Decision(outcome=Outcome.REPEAT, reason=Reason(code), rulebook=rulebook.hash, steps=_REPEATS[code])
    return _entry(observation, repeat, observation.arrival.key, key, None, now)


def _entry(
    observation: Observation, decision: Decision, place: str, key: str, turn: int | None, now: datetime
) -> RecordEntry:
    """The entry of a message about the signal of a key, at its place on record."""
    signal, source = observation.signal, observation.source
    return entry_for(signal, decision, key=place, source=source, now=now, about=key, turn=turn)


def _state_after(observation: Observation, row: LedgerRow | None) -> State:
    """The state of a row after an observation.

    All alerts that an incident ever named are part of its state: more alerts change it, fewer do not. So is the kind in which
    the signal came back, where it is not the kind in which it was opened.
    """
    state, signal = observation.state, observation.signal
    if isinstance(signal, Finding):
        return state
    fingerprints = _fingerprints_in(row)
    if row is None or not (row.state.resolved and state.resolved):
        is_other = row is not None and row.key in observation.keys[1:]
        fingerprints = fingerprints_after(fingerprints - _KINDS, alerts_named_in(signal)).union(
            [signal.kind.value] if is_other else []
        )
    return state._replace(measure=" ".join(sorted(fingerprints)) or None)


def _new_first(named: Sequence[str], row: LedgerRow | None) -> tuple[str, ...]:
    """The alerts that an incident names, those first that it did not name before, since a notice has room for so many only."""
    known = _fingerprints_in(row)
    return tuple(sorted(named, key=lambda alert: alert_fingerprint(alert) in known))


def _fingerprints_in(row: LedgerRow | None) -> frozenset[str]:
    measure = row.state.measure if row is not None else None
    return frozenset(measure.split()) if measure is not None else frozenset()


def _release_of(
    row: LedgerRow | None, decision: Decision, rulebook: Rulebook, silences: Silences, now: datetime
) -> Release | None:
    """What had held a signal that stands and is notified now; None where nothing had, or where it is over.

    A rule that is no longer in the rulebook has no known owner. One that is there ended where its end has
    passed: else it was disabled or changed, or what the signal says is no longer what it covers. So with a silence, of whose
    windows the one ended that held the signal last.
    """
    if row is None or row.held is None or row.outcome is not Outcome.SUPPRESSED:
        return None
    if decision.outcome in (Outcome.SUPPRESSED, Outcome.RESOLVED):
        return None
    by = row.held
    if (id := find_silence_id(by.rule)) is not None:
        silence = silences.by_name.get(by.rule)
        kind, name, author = HolderKind.SILENCE, id, silence.author if silence is not None else None
        end = min(by.until, silence.end) if silence is not None else by.until
    else:
        rule = rulebook.suppressions.by_name.get(by.rule)
        kind, name, author = HolderKind.RULE, by.rule, rule.owner if rule is not None else None
        end = rule.expires if rule is not None else by.until
    ended = iso(end) if end <= now else None
    return Release(kind=kind.value, name=name, author=author, since=iso(by.since), ended=ended, messages=by.messages)


def _held_after(observation: Observation, row: LedgerRow | None, decision: Decision, now: datetime) -> Held | None:
    """What holds a signal after a decision; None where nothing does.

    Another rule that takes over begins anew: it says of itself alone since when, and the message that it took over is its
    first. A message that is decided once more is counted once; an older one, which is a repeat, is not held at all.
    """
    if not decision.suppressed_by or decision.suppressed_until is None:
        return None
    held = Held(
        rule=decision.suppressed_by,
        until=decision.suppressed_until,
        rulebook=decision.rulebook,
        source=observation.source,
        body=observation.body,
        since=now,
        messages=1,
    )
    before = row.held if row is not None else None
    if row is None or row.outcome is not Outcome.SUPPRESSED or (before is not None and before.rule != held.rule):
        return held
    if before is None or before.messages is None:
        return replace(held, since=None, messages=None)
    return replace(held, since=before.since, messages=before.messages + (not _is_from(row, observation)))
