"""Renders each question that `decide` asks, in its order, and the answer in words; each rule is asked without the index.

ATT&CK and the owner settle nothing, and are told before the routes, which ask for them.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from datetime import datetime, timedelta
from itertools import islice
from typing import NamedTuple

from router.decide.decision import (
    QUESTIONS,
    Question,
    ask_floor,
    ask_holders,
    ask_noted,
    ask_resolved,
    ask_routes,
    decide,
    find_floor_above,
    find_holder,
    find_time_to_answer,
    is_above_every_floor,
    is_noted,
    level_words,
    matching_routes,
)
from router.decide.signal_facts import attack_of, with_coverage_level
from router.decide.suppression import covers, find_last, find_ranges, is_about, is_met, values_of
from router.domain.catalogue import Attack
from router.domain.decisions import Decision, StepCode
from router.domain.owners import find_owning_entry
from router.domain.posture import Cves
from router.domain.readable import timestamp
from router.domain.rulebook import Rulebook
from router.domain.signals import Alert, Finding, Signal
from router.domain.silences import NO_SILENCES, Silence, Silences, name_in_words, shadow_name
from router.domain.suppression import CVE, Element, SuppressionRule, Suppressions
from router.domain.values import Value

_MOST_NAMED = 5
"""The most addresses, CVEs or values that an answer names."""


class ExplanationStep(NamedTuple):
    """One question that was asked, and the answer in words.

    Attributes:
        rule: the name, as `router.domain.silences` gives it, of the rule, shadow rule or silence that the question is about;
            None for any other question.
    """

    question: str
    answer: str
    rule: str | None = None


class Explanation(Value, kw_only=True):
    """A decision, and every step that led to it.

    `holder` is the suppression rule that holds the signal, found by asking every rule of its type in turn: the index
    that `decide` uses has no part in it.
    """

    decision: Decision
    holder: SuppressionRule | None
    steps: tuple[ExplanationStep, ...]


def explain(signal: Signal, rulebook: Rulebook, now: datetime, silences: Silences = NO_SILENCES) -> Explanation:
    """Return the decision on a signal, and the answer to each question, also to those after the one that settled it.

    Without silences it is what the rules alone make of it.
    """
    decision = decide(signal, rulebook, now, silences)
    signal = with_coverage_level(signal, rulebook)
    rules = _rules_about(signal, rulebook.suppressions)
    return Explanation(
        decision=decision,
        holder=find_last(rule for rule in rules if rule.is_active(now) and covers(rule, signal, rulebook.owners)),
        steps=tuple(step for ask in QUESTIONS for step in _RENDERED[ask](signal, rulebook, now, silences)),
    )


def _resolved_steps(signal: Signal, rulebook: Rulebook, now: datetime, silences: Silences) -> Iterator[ExplanationStep]:
    status = f"its status is {signal.status}" if signal.status else "it has no status"
    yield ExplanationStep("resolved?", f"{'yes' if signal.resolved else 'no'}, {status}")


def _noted_steps(signal: Signal, rulebook: Rulebook, now: datetime, silences: Silences) -> Iterator[ExplanationStep]:
    yield ExplanationStep("only noted?", "yes, nobody answers a number" if is_noted(signal, rulebook) else "no")


def _floor_steps(signal: Signal, rulebook: Rulebook, now: datetime, silences: Silences) -> Iterator[ExplanationStep]:
    yield ExplanationStep("below the floor?", _floor_words(signal, rulebook))


def _holder_steps(signal: Signal, rulebook: Rulebook, now: datetime, silences: Silences) -> Iterator[ExplanationStep]:
    rules = _rules_about(signal, rulebook.suppressions)
    for rule in rules:
        yield ExplanationStep(f"held by {rule.name}?", _rule_words(rule, signal, rulebook, now), rule.name)
    if not rules:
        category = signal.category if isinstance(signal, Finding) else None
        names = f"{signal.type}, nor for {category}" if category else signal.type
        yield ExplanationStep("held by a rule?", f"no, there is no rule for {names}")
    for one in silences.by_name.values():
        if one.alert_type is None or is_about(one.as_rule(), signal):
            words = _silence_words(one, signal, rulebook, now)
            yield ExplanationStep(f"held by {name_in_words(one.name)}?", words, one.name)
    _, spent = find_holder(signal, rulebook, silences, now)
    if spent is not None and spent.code is StepCode.SILENCE_SPENT:
        most = rulebook.silences.longest // timedelta(hours=1)
        answer = f"yes, for the {most} hours that the policy allows without an hour's break, so they hold it no more"
        yield ExplanationStep("silenced for long enough?", answer)
    for rule in _rules_about(signal, rulebook.shadows):
        words = _rule_words(rule, signal, rulebook, now)
        yield ExplanationStep(f"would be held by shadow rule {rule.name}?", words, shadow_name(rule.name))


def _route_steps(signal: Signal, rulebook: Rulebook, now: datetime, silences: Silences) -> Iterator[ExplanationStep]:
    attack = attack_of(signal, rulebook)
    yield ExplanationStep("owner?", _owner_words(signal, rulebook))
    yield ExplanationStep("ATT&CK?", _attack_words(attack, rulebook))
    for route in rulebook.routes:
        failed = [clause for clause in route.when if not clause.holds(signal, attack)]
        no = " and ".join(f"{clause.key} is not {clause.written}" for clause in failed)
        yield ExplanationStep(
            f"route {route.name}?", f"no, {no}" if no else f"yes, to {', '.join(route.to) or 'nobody'}"
        )
    matching = matching_routes(signal, attack, rulebook)
    if by := find_time_to_answer(matching, now):
        yield ExplanationStep("to be answered by?", f"{timestamp(by)}, as the most pressing of its routes says")
    if not matching:
        yield ExplanationStep("otherwise", f"no route matches, so {', '.join(rulebook.otherwise) or 'nobody'} is told")
    yield ExplanationStep("always", ", ".join(rulebook.always) or "nothing")


_RENDERED: Mapping[Question, Callable[[Signal, Rulebook, datetime, Silences], Iterator[ExplanationStep]]] = {
    ask_resolved: _resolved_steps,
    ask_noted: _noted_steps,
    ask_floor: _floor_steps,
    ask_holders: _holder_steps,
    ask_routes: _route_steps,
}


def _rules_about(signal: Signal, rules: Suppressions) -> list[SuppressionRule]:
    return sorted((rule for rule in rules.by_name.values() if is_about(rule, signal)), key=lambda rule: rule.name)


def _floor_words(signal: Signal, rulebook: Rulebook) -> str:
    if is_above_every_floor(signal):
        return f"no, it is about coverage, which is above every floor{_coverage_words(signal, rulebook)}"
    if reason := find_floor_above(signal, rulebook):
        return f"yes, {reason.words}{_severity_words(signal)}"
    floor = rulebook.floor.severity_for(signal.plan if isinstance(signal, Alert) else None)
    if (level := signal.level) is None:
        written = signal.severity_written
        lacking = f"severity {written!r} is not known" if written else "it has no severity"
        return f"no, {lacking}, which is above every floor"
    return f"no, {level_words(signal, level)} is at least {floor.label}{_severity_words(signal)}"


def _coverage_words(signal: Signal, rulebook: Rulebook) -> str:
    """How grave the policy takes it to be, and what the message says."""
    wrote = signal.severity_written
    beside = (
        f"; the message says {wrote}" if wrote and wrote.strip().title() != rulebook.coverage_severity.label else ""
    )
    return f"; the policy makes it {rulebook.coverage_severity.label}{beside}"


def _severity_words(signal: Signal) -> str:
    """What to add where the floor looks at a risk that differs from the severity, as `at_least` and `severity` do too."""
    if signal.level == signal.severity:
        return ""
    severity = signal.severity.label if signal.severity is not None else signal.severity_written or "not known"
    return f"; the risk counts, and not the severity, which is {severity}"


def _rule_words(rule: SuppressionRule, signal: Signal, rulebook: Rulebook, now: datetime) -> str:
    until = timestamp(rule.expires)
    if not rule.enabled:
        return "no, the rule is not enabled"
    if not rule.is_active(now):
        return f"no, the rule ended at {until}"
    for group in rule.groups:
        if not is_met(group, signal, rulebook.owners):
            return f"no, {_group_words(group, signal, rulebook)}"
    within = dict.fromkeys(f"; {text} is in {held_by}" for text, held_by in find_ranges(rule, signal))
    return f"yes, until {until}{''.join(islice(within, _MOST_NAMED))}"


def _silence_words(silence: Silence, signal: Signal, rulebook: Rulebook, now: datetime) -> str:
    window = silence.find_window_at(now)
    if window is None:
        if silence.end <= now:
            return f"no, the silence ended at {timestamp(silence.end)}"
        coming = silence.find_next_window(now)
        return (
            f"no, the silence begins at {timestamp(coming.begins)}"
            if coming is not None
            else "no, it has no window yet to come"
        )
    for group in silence.groups:
        if not is_met(group, signal, rulebook.owners):
            return f"no, {_group_words(group, signal, rulebook)}"
    whose = f"{silence.author} made it: {silence.reason}"
    if rulebook.silences.refuses(signal.level):
        return f"no, the policy lets no silence hold a signal that grave; {whose}"
    return f"yes, until {timestamp(window.ends)}; {whose}"


def _group_words(group: tuple[Element, ...], signal: Signal, rulebook: Rulebook) -> str:
    cves = signal.cves if isinstance(signal, Finding) else None
    if group[0].field == CVE and cves is not None and cves.ids:
        return _cve_words(group[0], cves)
    wanted = " and ".join(f"{element.field} {element.operator} {_values_of(element)}" for element in group)
    found = sorted({text for element in group for text in values_of(signal, element.field, rulebook.owners)})
    return f"{wanted} is not met: the signal has {', '.join(found[:_MOST_NAMED]) if found else 'nothing there'}"


def _values_of(element: Element) -> list[str]:
    return [*sorted(element.values), *map(str, element.ranges)]


def _cve_words(element: Element, cves: Cves) -> str:
    """Why an element on CVEs does not hold a finding that names some."""
    if not cves.is_whole:
        return "its list of CVEs was cut, so it may name more than the rule does"
    unnamed = [id for id in cves.ids if element.values.isdisjoint(element.field.forms_of(id))]
    more = f" and {len(unnamed) - _MOST_NAMED} more" if len(unnamed) > _MOST_NAMED else ""
    return f"the rule must name every CVE, and does not name {', '.join(unnamed[:_MOST_NAMED])}{more}"


def _owner_words(signal: Signal, rulebook: Rulebook) -> str:
    entry = find_owning_entry(signal, rulebook.owners)
    if entry is None or entry.owner is None:
        return "nobody, no entry of owners.yaml that names an owner matches"
    return f"{entry.owner.name or 'an owner without group and service'}, as entry {entry.number} of owners.yaml says"


def _attack_words(attack: Attack, rulebook: Rulebook) -> str:
    if not attack.tactics and not attack.techniques:
        return "no tactic is known for it"
    named = [f"{id} {name}" for id, name in zip(attack.tactics, rulebook.attack.names_of(attack.tactics), strict=True)]
    return ", ".join([*named, *attack.techniques])
