"""Decides a signal. The order of the questions is written here, once; `explanation` and the record render the answers."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import datetime
from functools import lru_cache
from typing import Any

from router.decide.notice import iso
from router.decide.signal_facts import attack_of, with_coverage_level
from router.decide.suppression import find_shadows, find_silence, find_suppressor
from router.domain.catalogue import Attack
from router.domain.decisions import Change, Code, Decision, DecisionStep, Outcome, Reason, StepCode, written_steps
from router.domain.notices import DECISION_KEYS, RecordEntry
from router.domain.readable import timestamp
from router.domain.rulebook import Route, Rulebook
from router.domain.severity import Severity, assumed_words
from router.domain.signals import Alert, Finding, Kind, Quarantined, Signal
from router.domain.silences import NO_SILENCES, Silences
from router.domain.values import Value

NOTED_KINDS = frozenset({Kind.SECURE_SCORE, Kind.SECURE_SCORE_CONTROL, Kind.COMPLIANCE})
"""Kinds that are by nature not for people: numbers that move, which no person answers."""


type Steps = tuple[DecisionStep, ...]


class Holder(Value):
    """What holds a signal back.

    Attributes:
        name: its name on record.
        until: when it ends; of a silence that comes again, the end of its window.
        reason: why it is the outcome.
    """

    name: str
    until: datetime
    reason: Reason


type Settled = Mapping[str, Any]
"""The fields of a decision that is made."""

type Answer = tuple[Steps, Settled | None]
"""The answer to a question as it stands on record, and what it settles; None where the next question is asked."""

type Question = Callable[[Signal, Rulebook, datetime, Silences, Attack], Answer]


def decide(signal: Signal, rulebook: Rulebook, now: datetime, silences: Silences = NO_SILENCES) -> Decision:
    """Return the decision on a signal under a rulebook and the silences of its stream at an instant."""
    signal = with_coverage_level(signal, rulebook)
    attack = attack_of(signal, rulebook)
    tactics, techniques = attack.tactics, attack.techniques
    steps = _ATTACK_KNOWN if tactics or techniques else _ATTACK_UNKNOWN
    settled: Settled | None = None
    for ask in QUESTIONS:
        answers, settled = ask(signal, rulebook, now, silences, attack)
        steps += answers
        if settled is not None:
            break
    return Decision(rulebook=rulebook.hash, tactics=tactics, techniques=techniques, steps=steps, **(settled or {}))


def _answer(code: StepCode) -> Steps:
    return (DecisionStep(code),)


_ATTACK_KNOWN, _ATTACK_UNKNOWN = _answer(StepCode.ATTACK_KNOWN), _answer(StepCode.ATTACK_UNKNOWN)
_RESOLVED, _NOT_RESOLVED = _answer(StepCode.RESOLVED_YES), (_answer(StepCode.RESOLVED_NO), None)
_NOTED, _NOT_NOTED = _answer(StepCode.NOTED_YES), (_answer(StepCode.NOTED_NO), None)
_BELOW, _COVERAGE = _answer(StepCode.FLOOR_BELOW), (_answer(StepCode.FLOOR_COVERAGE), None)
_PASSED, _UNKNOWN = (_answer(StepCode.FLOOR_PASSED), None), (_answer(StepCode.FLOOR_UNKNOWN), None)
_ASSUMED = _answer(StepCode.SEVERITY_ASSUMED)


def ask_resolved(signal: Signal, rulebook: Rulebook, now: datetime, silences: Silences, attack: Attack) -> Answer:
    """Ask whether a signal is over."""
    if not signal.resolved:
        return _NOT_RESOLVED
    reason = _status(signal)
    return _RESOLVED, {
        "outcome": Outcome.RESOLVED,
        "reason": reason,
        "notice": Change.RESOLVED,
        "destinations": rulebook.always,
    }


def ask_noted(signal: Signal, rulebook: Rulebook, now: datetime, silences: Silences, attack: Attack) -> Answer:
    """Ask whether a signal is only noted."""
    if not is_noted(signal, rulebook):
        return _NOT_NOTED
    return _NOTED, {
        "outcome": Outcome.NOTED,
        "reason": Reason(Code.KIND, signal.kind),
        "destinations": rulebook.always,
    }


def ask_floor(signal: Signal, rulebook: Rulebook, now: datetime, silences: Silences, attack: Attack) -> Answer:
    """Ask whether a signal is below the floor."""
    if is_above_every_floor(signal):
        return _COVERAGE
    if signal.level is None:
        return _UNKNOWN
    reason = find_floor_above(signal, rulebook)
    (answer, settled) = _PASSED if reason is None else (_BELOW, {"outcome": Outcome.BELOW_FLOOR, "reason": reason})
    return (answer + _ASSUMED if isinstance(signal, Finding) and signal.has_assumed_severity else answer), settled


def ask_holders(signal: Signal, rulebook: Rulebook, now: datetime, silences: Silences, attack: Attack) -> Answer:
    """Ask whether a rule or a silence holds a signal."""
    holder, step = find_holder(signal, rulebook, silences, now)
    answer = (step,) if step is not None else ()
    if holder is None:
        return answer, None
    return (*answer, DecisionStep(StepCode.SUPPRESSION_HELD, holder.name)), {
        "outcome": Outcome.SUPPRESSED,
        "reason": holder.reason,
        "suppressed_by": holder.name,
        "suppressed_until": holder.until,
        "shadowed_by": _find_shadows(signal, rulebook, now),
    }


def ask_routes(signal: Signal, rulebook: Rulebook, now: datetime, silences: Silences, attack: Attack) -> Answer:
    """Ask where a signal goes, which settles what is left."""
    routes = matching_routes(signal, attack, rulebook)
    to = tuple([route.to for route in routes]) or (rulebook.otherwise,)
    steps, settled = _routed_by(tuple([route.name for route in routes]), to, rulebook.always)
    by_signal = {
        "respond_by": find_time_to_answer(routes, now) if settled["people"] else None,
        "shadowed_by": _find_shadows(signal, rulebook, now),
    }
    return steps, {**settled, **by_signal}


# Few different sets of routes match at all.
@lru_cache(maxsize=1024)
def _routed_by(
    routes: tuple[str, ...], to: tuple[tuple[str, ...], ...], always: tuple[str, ...]
) -> tuple[Steps, Settled]:
    """What is settled by the names of the routes that matched, and by where these, or else `otherwise`, lead."""
    names, people = tuple(sorted(routes)), {destination for some in to for destination in some}
    matched = [DecisionStep(StepCode.ROUTE_MATCHED, name) for name in names]
    return (DecisionStep(StepCode.SUPPRESSION_NONE), *(matched or [DecisionStep(StepCode.ROUTE_OTHERWISE)])), {
        "outcome": Outcome.ROUTED,
        "reason": Reason(Code.ROUTES, ", ".join(names)) if names else Reason(Code.OTHERWISE),
        "notice": Change.OPENED if people else None,
        "routes": names,
        "destinations": tuple(sorted(people.union(always))),
        "people": tuple(sorted(people)),
    }


QUESTIONS: tuple[Question, ...] = (ask_resolved, ask_noted, ask_floor, ask_holders, ask_routes)
"""What is asked of a signal, in this order, up to the first answer that settles it."""


def _find_shadows(signal: Signal, rulebook: Rulebook, now: datetime) -> tuple[str, ...]:
    shadows = rulebook.shadows
    return find_shadows(signal, shadows, now, rulebook.owners) if shadows.by_name else ()


def quarantined(what: Quarantined, rulebook: Rulebook | None) -> Decision:
    """The decision on what was not understood."""
    return Decision(
        outcome=Outcome.QUARANTINED,
        reason=what.reason,
        rulebook=rulebook.hash if rulebook is not None else "",
        steps=_answer(StepCode.NOT_UNDERSTOOD),
    )


def find_holder(
    signal: Signal, rulebook: Rulebook, silences: Silences, now: datetime
) -> tuple[Holder | None, DecisionStep | None]:
    """What holds a signal back, a rule or a silence, whichever ends last; where they end together, the rule.

    With it goes what is to be said of a silence that covers the signal and may not hold it.
    """
    rule = find_suppressor(signal, rulebook.suppressions, now, rulebook.owners)
    by_rule = Holder(rule.name, rule.expires, _until(Code.RULE, rule.name, rule.expires)) if rule is not None else None
    found = find_silence(signal, silences, now, rulebook.owners, rulebook.silences.longest)
    if found is None:
        return by_rule, None
    silence, until = found
    if rulebook.silences.refuses(signal.level):
        return by_rule, DecisionStep(StepCode.SILENCE_REFUSED, silence.name)
    if until <= now:
        return by_rule, DecisionStep(StepCode.SILENCE_SPENT, silence.name)
    if by_rule is not None and by_rule.until >= until:
        return by_rule, None
    return Holder(silence.name, until, _until(Code.SILENCE, silence.id, until)), None


def _until(code: Code, name: str, end: datetime) -> Reason:
    return Reason(code, f"{name} until {timestamp(end)}")


def is_noted(signal: Signal, rulebook: Rulebook) -> bool:
    """Whether a signal is only noted: by nature not for people, and no route names its kind, or it overlaps with others."""
    if signal.kind not in NOTED_KINDS:
        return False
    is_named = any(signal.kind in route.kinds for route in rulebook.routes)
    return not is_named or (isinstance(signal, Finding) and signal.overlaps)


def find_floor_above(signal: Signal, rulebook: Rulebook) -> Reason | None:
    """Why a level is too low to be forwarded; None where it is not, or is not known: in doubt the router is loud.

    So it is with what is not watched at all: what would be forwarded of that never comes.
    """
    if is_above_every_floor(signal):
        return None
    plan = signal.plan if isinstance(signal, Alert) else None
    floor = rulebook.floor.severity_for(plan)
    level = signal.level
    if level is None or level >= floor:
        return None
    whose = plan if plan in rulebook.floor.by_plan else "default"
    return Reason(Code.FLOOR, f"{level_words(signal, level)} is below {floor.label} ({whose})")


def is_above_every_floor(signal: Signal) -> bool:
    """Whether no floor drops a signal, whatever its level: it is about coverage."""
    return isinstance(signal, Finding) and signal.is_about_coverage


def level_words(signal: Signal, level: Severity) -> str:
    """The level of a signal in words: also whether it is that of its risk, or a severity that the message does not give."""
    if not isinstance(signal, Finding) or signal.is_about_coverage:
        return level.label
    if signal.risk is not None and signal.risk.contextual_level is not None:
        return f"{level.label} risk"
    return f"{level.label}{assumed_words(level.label, signal.severity_written) if signal.has_assumed_severity else ''}"


def matching_routes(signal: Signal, attack: Attack, rulebook: Rulebook) -> tuple[Route, ...]:
    """Every route whose clauses all hold."""
    return tuple([route for route in rulebook.routes if route.matches(signal, attack)])


def find_time_to_answer(routes: tuple[Route, ...], now: datetime) -> datetime | None:
    """When people should have answered: the soonest that any of the routes says; None where none says."""
    lengths = [route.respond_within for route in routes if route.respond_within is not None]
    return now + min(lengths) if lengths else None


def _status(signal: Signal) -> Reason:
    if isinstance(signal, Finding) and signal.deleted:
        return Reason(Code.STATUS, "action Delete")
    if isinstance(signal, Finding) and signal.exemption is not None:
        said = f": {signal.exemption}" if signal.exemption else ""
        return Reason(Code.EXEMPT, f"exempt, not fixed{said}")
    return Reason(Code.STATUS, signal.status or "")


def entry_for(
    parsed: Signal | Quarantined,
    decision: Decision,
    *,
    key: str,
    source: str,
    now: datetime,
    stream: str | None = None,
    about: str | None = None,
    turn: int | None = None,
) -> RecordEntry:
    """The record's entry of one message: what it was, its outcome and why.

    `stream` is where an unread message came in, `about` the key of the signal that it is about, and `turn` the turn of that
    signal that the decision made, if any.
    """
    signal = parsed if isinstance(parsed, Signal) else None
    alert = parsed if isinstance(parsed, Alert) else None
    return RecordEntry(
        key=key,
        at=iso(now) or "",
        id=signal.id if signal else None,
        stream=signal.stream.value if signal else stream,
        kind=signal.kind.value if signal else "unknown",
        type=signal.type if signal else None,
        title=signal.title if signal else None,
        severity=signal.severity.label if signal and signal.severity is not None else None,
        status=signal.status if signal else None,
        plan=alert.plan if alert else None,
        resource=signal.resource if signal else None,
        sample=alert.sample if alert else False,
        outcome=decision.outcome.value,
        reason=str(decision.reason),
        notice=decision.notice.value if decision.notice else None,
        suppressed_by=decision.suppressed_by,
        suppressed_until=iso(decision.suppressed_until),
        tactics=decision.tactics,
        techniques=decision.techniques,
        routes=decision.routes,
        destinations=decision.destinations,
        rulebook=decision.rulebook,
        source=source,
        signal=about,
        turn=turn,
        steps=written_steps(decision.steps),
        shadowed_by=decision.shadowed_by,
    )


ENTRY_KEYS = (*DECISION_KEYS, "at")
"""What programs read of an entry, always all of it, in this order."""


def entry_document(entry: RecordEntry) -> dict[str, object]:
    """Return an entry for programs: null or [] where there is nothing to say, and lists sorted."""
    return {key: _plain(getattr(entry, key)) for key in ENTRY_KEYS}


def _plain(value: object) -> object:
    if isinstance(value, tuple):
        return sorted(value)
    return None if value == "" else value
