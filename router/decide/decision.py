"""Decides a signal. The order of the steps is set here; `explanation` asks in the same order, and a test holds it to that."""

from __future__ import annotations

from datetime import datetime
from functools import lru_cache, partial
from typing import NamedTuple

from router.decide.attack import attack_of
from router.decide.coverage_level import with_coverage_level
from router.decide.suppression import find_shadows, find_silence, find_suppressor
from router.domain.attack import Attack
from router.domain.decisions import Change, Decision, DecisionStep, Outcome, StepCode
from router.domain.reasons import Code, Reason
from router.domain.rulebook import Route, Rulebook
from router.domain.severity import Severity, assumed_words
from router.domain.signals import Alert, Finding, Kind, Quarantined, Signal
from router.domain.silences import NO_SILENCES, Silences
from router.domain.timestamps import timestamp

NOTED_KINDS = frozenset({Kind.SECURE_SCORE, Kind.SECURE_SCORE_CONTROL, Kind.COMPLIANCE})
"""Kinds that are by nature not for people: numbers that move, with nobody to answer them."""


type Steps = tuple[DecisionStep, ...]


def _asked(*answers: StepCode) -> tuple[Steps, Steps]:
    """The steps with these answers: where nothing is known of ATT&CK, and where something is. Shared by all decisions."""
    steps = tuple(map(DecisionStep, answers))
    return (DecisionStep(StepCode.ATTACK_UNKNOWN), *steps), (DecisionStep(StepCode.ATTACK_KNOWN), *steps)


_RESOLVED = _asked(StepCode.RESOLVED_YES)
_NOTED = _asked(StepCode.RESOLVED_NO, StepCode.NOTED_YES)
_BELOW = _asked(StepCode.RESOLVED_NO, StepCode.NOTED_NO, StepCode.FLOOR_BELOW)
_PASSED = _asked(StepCode.RESOLVED_NO, StepCode.NOTED_NO, StepCode.FLOOR_PASSED)
_UNKNOWN = _asked(StepCode.RESOLVED_NO, StepCode.NOTED_NO, StepCode.FLOOR_UNKNOWN)
_COVERAGE = _asked(StepCode.RESOLVED_NO, StepCode.NOTED_NO, StepCode.FLOOR_COVERAGE)
_ASSUMED = (DecisionStep(StepCode.SEVERITY_ASSUMED),)
_NOT_UNDERSTOOD = (DecisionStep(StepCode.NOT_UNDERSTOOD),)


@lru_cache(maxsize=1024)
def _held_by(name: str) -> Steps:
    return (DecisionStep(StepCode.SUPPRESSION_HELD, name),)


class Holder(NamedTuple):
    """What holds a signal back.

    Attributes:
        name: its name on record.
        until: when it ends; of a silence that comes again, the end of its window.
        reason: why it is the outcome.
    """

    name: str
    until: datetime
    reason: Reason


class Holding(NamedTuple):
    """Whether anything holds a signal back.

    Attributes:
        holder: what does; None where nothing does.
        step: what is to be said of a silence that covers it and may not hold it; None where there is none.
    """

    holder: Holder | None
    step: DecisionStep | None = None


@lru_cache(maxsize=1024)
def _routed_by(routes: tuple[str, ...]) -> Steps:
    matched = [DecisionStep(StepCode.ROUTE_MATCHED, route) for route in routes]
    return (DecisionStep(StepCode.SUPPRESSION_NONE), *(matched or [DecisionStep(StepCode.ROUTE_OTHERWISE)]))


def decide(signal: Signal, rulebook: Rulebook, now: datetime, silences: Silences = NO_SILENCES) -> Decision:
    """The decision on a signal under a rulebook and the silences of its stream at an instant."""
    signal = with_coverage_level(signal, rulebook)
    attack = attack_of(signal, rulebook)
    is_known = bool(attack.tactics or attack.techniques)
    decided = partial(Decision, rulebook=rulebook.hash, tactics=attack.tactics, techniques=attack.techniques)
    if signal.resolved:
        return decided(
            outcome=Outcome.RESOLVED,
            reason=_status(signal),
            notice=Change.RESOLVED,
            destinations=rulebook.always,
            steps=_RESOLVED[is_known],
        )
    if is_noted(signal, rulebook):
        kind = Reason(Code.KIND, signal.kind)
        return decided(outcome=Outcome.NOTED, reason=kind, destinations=rulebook.always, steps=_NOTED[is_known])
    assumed = _ASSUMED if isinstance(signal, Finding) and signal.has_assumed_severity else ()
    if reason := find_floor_above(signal, rulebook):
        return decided(outcome=Outcome.BELOW_FLOOR, reason=reason, steps=_BELOW[is_known] + assumed)
    passed = _passed(signal)[is_known] + assumed
    if rulebook.shadows.by_name:
        shadows = find_shadows(signal, rulebook.shadows, now, rulebook.owners)
        decided = partial(decided, shadowed_by=shadows)
    holder, step = find_holder(signal, rulebook, silences, now)
    if step is not None:
        passed = (*passed, step)
    if holder is not None:
        return decided(
            outcome=Outcome.SUPPRESSED,
            reason=holder.reason,
            suppressed_by=holder.name,
            suppressed_until=holder.until,
            steps=passed + _held_by(holder.name),
        )
    routes = matching_routes(signal, attack, rulebook)
    names, people = tuple(sorted([route.name for route in routes])), people_for(routes, rulebook)
    return decided(
        outcome=Outcome.ROUTED,
        reason=Reason(Code.ROUTES, ", ".join(names)) if names else Reason(Code.OTHERWISE),
        notice=Change.OPENED if people else None,
        respond_by=find_time_to_answer(routes, now) if people else None,
        routes=names,
        destinations=tuple(sorted(people.union(rulebook.always))),
        people=tuple(sorted(people)),
        steps=passed + _routed_by(names),
    )


def _passed(signal: Signal) -> tuple[Steps, Steps]:
    """The steps of a signal that is not below the floor."""
    if is_above_every_floor(signal):
        return _COVERAGE
    return _PASSED if signal.level is not None else _UNKNOWN


def quarantined(what: Quarantined, rulebook: Rulebook | None) -> Decision:
    """The decision on what was not understood."""
    return Decision(
        outcome=Outcome.QUARANTINED,
        reason=what.reason,
        rulebook=rulebook.hash if rulebook is not None else "",
        steps=_NOT_UNDERSTOOD,
    )


def find_holder(signal: Signal, rulebook: Rulebook, silences: Silences, now: datetime) -> Holding:
    """What holds a signal back: a rule or a silence, whichever ends last; where they end together, the rule."""
    rule = find_suppressor(signal, rulebook.suppressions, now, rulebook.owners)
    by_rule = Holder(rule.name, rule.expires, _until(Code.RULE, rule.name, rule.expires)) if rule is not None else None
    found = find_silence(signal, silences, now, rulebook.owners, rulebook.silences.longest)
    if found is None:
        return Holding(by_rule)
    silence, until = found
    if rulebook.silences.refuses(signal.level):
        return Holding(by_rule, DecisionStep(StepCode.SILENCE_REFUSED, silence.name))
    if until <= now:
        return Holding(by_rule, DecisionStep(StepCode.SILENCE_SPENT, silence.name))
    if by_rule is not None and by_rule.until >= until:
        return Holding(by_rule)
    return Holding(Holder(silence.name, until, _until(Code.SILENCE, silence.id, until)))


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


def people_for(routes: tuple[Route, ...], rulebook: Rulebook) -> frozenset[str]:
    """The destinations that routes name, or `otherwise` where no route matched."""
    if not routes:
        return frozenset(rulebook.otherwise)
    return frozenset([destination for route in routes for destination in route.to])


def find_time_to_answer(routes: tuple[Route, ...], now: datetime) -> datetime | None:
    """When people should have answered: the soonest that any of the routes says; None where none says."""
    return min((now + route.respond_within for route in routes if route.respond_within is not None), default=None)


def _status(signal: Signal) -> Reason:
    if isinstance(signal, Finding) and signal.deleted:
        return Reason(Code.STATUS, "action Delete")
    if isinstance(signal, Finding) and signal.exemption is not None:
        said = f": {signal.exemption}" if signal.exemption else ""
        return Reason(Code.EXEMPT, f"exempt, not fixed{said}")
    return Reason(Code.STATUS, signal.status or "")
