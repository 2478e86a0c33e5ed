"""Decides a signal. The order of the steps is set here; `explanation` asks in the same order, and a test holds it to that."""

from __future__ import annotations

from datetime import datetime
from functools import partial

from router.decide.attack import attack_of
from router.decide.suppression import find_suppressor
from router.domain.attack import Attack
from router.domain.decisions import Change, Decision, Outcome
from router.domain.reasons import Code, Reason
from router.domain.rulebook import Route, Rulebook
from router.domain.signals import Alert, Finding, Kind, Quarantined, Signal

NOTED_KINDS = frozenset({Kind.SECURE_SCORE, Kind.SECURE_SCORE_CONTROL, Kind.COMPLIANCE})
"""Kinds that are by nature not for people: numbers that move, with nobody to answer them."""


def decide(signal: Signal, rulebook: Rulebook, now: datetime) -> Decision:
    """The decision on a signal under a rulebook at an instant."""
    attack = attack_of(signal, rulebook)
    decided = partial(Decision, rulebook=rulebook.hash, tactics=attack.tactics, techniques=attack.techniques)
    if signal.resolved:
        resolved = Change.RESOLVED
        return decided(outcome=Outcome.RESOLVED, reason=_status(signal), notice=resolved, destinations=rulebook.always)
    if is_noted(signal, rulebook):
        return decided(outcome=Outcome.NOTED, reason=Reason(Code.KIND, signal.kind), destinations=rulebook.always)
    if reason := find_floor_above(signal, rulebook):
        return decided(outcome=Outcome.BELOW_FLOOR, reason=reason)
    if rule := find_suppressor(signal, rulebook.suppressions, now):
        held = Reason(Code.RULE, f"{rule.name} until {rule.expires:%Y-%m-%dT%H:%M:%SZ}")
        return decided(outcome=Outcome.SUPPRESSED, reason=held, suppressed_by=rule.name, suppressed_until=rule.expires)
    routes = matching_routes(signal, attack, rulebook)
    names, people = sorted([route.name for route in routes]), people_for(routes, rulebook)
    return decided(
        outcome=Outcome.ROUTED,
        reason=Reason(Code.ROUTES, ", ".join(names)) if names else Reason(Code.OTHERWISE),
        notice=Change.OPENED if people else None,
        respond_by=find_time_to_answer(routes, now) if people else None,
        routes=tuple(names),
        destinations=tuple(sorted(people.union(rulebook.always))),
        people=tuple(sorted(people)),
    )


def quarantined(what: Quarantined, rulebook: Rulebook | None) -> Decision:
    """The decision on what was not understood."""
    return Decision(
        outcome=Outcome.QUARANTINED, reason=what.reason, rulebook=rulebook.hash if rulebook is not None else ""
    )


def is_noted(signal: Signal, rulebook: Rulebook) -> bool:
    """Whether a signal is only noted: by nature not for people, and no route names its kind."""
    return signal.kind in NOTED_KINDS and not any(signal.kind in route.kinds for route in rulebook.routes)


def find_floor_above(signal: Signal, rulebook: Rulebook) -> Reason | None:
    """Why a severity is too low to be forwarded; None where it is not, or is not known: in doubt the router is loud."""
    plan = signal.plan if isinstance(signal, Alert) else None
    floor = rulebook.floor.severity_for(plan)
    if signal.severity is None or signal.severity >= floor:
        return None
    whose = plan if plan in rulebook.floor.by_plan else "default"
    return Reason(Code.FLOOR, f"{signal.severity.label} is below {floor.label} ({whose})")


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
    return Reason(Code.STATUS, signal.status or "")
