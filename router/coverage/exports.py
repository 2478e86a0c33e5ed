"""What the automations of a subscription export to a hub: each is asked five questions, and the worst answer counts. Pure.

Several answers about one automation, as of two days, are held together: what one of them does not say another may.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from enum import IntEnum
from typing import NamedTuple

from router.coverage.readers.subscriptions import AutomationFact, ExportRule
from router.coverage.verdicts import CoverageEvidence


class ExportAnswer(IntEnum):
    """Whether an automation does what is asked, the worst last; UNSURE is what the documents say and does not tell."""

    UNSAID = 0
    YES = 1
    UNSURE = 2
    NO = 3


class ExportAspect(NamedTuple):
    """The answer to one question about an automation, why it does not, as words after its name, and what that rests on."""

    answer: ExportAnswer
    reason: str = ""
    evidence: CoverageEvidence | None = None


class ExportedEvent(NamedTuple):
    """A message that may be exported: its event source, and its values by the paths that rules ask about, in lower case."""

    source: str
    properties: Mapping[str, str]


def alert_event(severity: str) -> ExportedEvent:
    """An alert of a severity."""
    return ExportedEvent("alerts", {"severity": severity.lower()})


def recommendation_event(severity: str, source: str = "assessments") -> ExportedEvent:
    """A recommendation of a severity."""
    properties = {"properties.metadata.severity": severity.lower(), "type": "microsoft.security/assessments"}
    return ExportedEvent(source, properties)


type Automation = Sequence[AutomationFact]
"""One automation, as one or several answers describe it."""


def worst(question: Callable[..., ExportAspect], automation: Automation, *about: object) -> ExportAspect:
    """The worst answer to a question about an automation."""
    return max((question(fact, *about) for fact in automation), key=lambda one: one.answer)


def is_contradicted(automation: Automation) -> bool:
    """Whether two answers say different things of it."""
    hubs = (None if fact.action_types is None else fact.hubs for fact in automation)
    said = zip(*((fact.is_enabled, fact.scopes, fact.sources) for fact in automation), strict=True)
    return any(len(set(some) - {None}) > 1 for some in (*said, hubs))


def automations_in(facts: Iterable[AutomationFact]) -> Sequence[Automation]:
    """Each automation once, by name."""
    found: dict[str, list[AutomationFact]] = {}
    for fact in facts:
        found.setdefault(fact.id.lower(), []).append(fact)
    return sorted(found.values(), key=lambda some: (some[0].name, some[0].id))


def together(aspects: Sequence[ExportAspect]) -> ExportAspect:
    """The answer to several questions at once: every reason of the worst answer."""
    if all(one.answer is ExportAnswer.YES for one in aspects):
        return aspects[0]
    refused = [one for one in aspects if one.answer is ExportAnswer.NO]
    counted = refused or [one for one in aspects if one.answer is not ExportAnswer.YES]
    reason = " and ".join(dict.fromkeys(one.reason for one in counted))
    answer = ExportAnswer.NO if refused else ExportAnswer.UNSURE
    return ExportAspect(answer, reason, next((one.evidence for one in counted if one.evidence), None))


def enabled(fact: AutomationFact) -> ExportAspect:
    """Whether it is on."""
    if fact.is_enabled is None:
        return ExportAspect(ExportAnswer.UNSAID, "does not say whether it is enabled")
    evidence = fact.source.shows("properties.isEnabled", fact.is_enabled)
    if fact.is_enabled:
        return ExportAspect(ExportAnswer.YES, evidence=evidence)
    return ExportAspect(ExportAnswer.NO, "is disabled", evidence)


def wide(fact: AutomationFact) -> ExportAspect:
    """Whether it is for the whole subscription."""
    if fact.scopes is None:
        return ExportAspect(ExportAnswer.UNSAID, "does not say its scope")
    evidence = fact.source.shows("properties.scopes", ", ".join(fact.scopes))
    if fact.subject in fact.scopes:
        return ExportAspect(ExportAnswer.YES, evidence=evidence)
    inner = [scope for scope in fact.scopes if scope.startswith(f"{fact.subject}/")]
    if inner:
        return ExportAspect(ExportAnswer.NO, f"is too narrow: its scope is {inner[0]}", evidence)
    if fact.scopes and all(scope.startswith("/subscriptions/") for scope in fact.scopes):
        return ExportAspect(ExportAnswer.NO, f"is for another subscription: its scope is {fact.scopes[0]}", evidence)
    # The API takes a subscription or a resource group; no answer says whether anything wider holds this subscription.
    return ExportAspect(
        ExportAnswer.UNSURE, "has a scope of which nobody says whether it holds the subscription", evidence
    )


def leads_to_a_hub(fact: AutomationFact) -> ExportAspect:
    """Whether it sends to an event hub at all."""
    if fact.action_types is None:
        return ExportAspect(ExportAnswer.UNSAID, "does not say its actions")
    if fact.hubs:
        named = fact.source.shows("properties.actions.eventHubResourceId", ", ".join(fact.hubs))
        return ExportAspect(ExportAnswer.YES, evidence=named)
    evidence = fact.source.shows("properties.actions", ", ".join(fact.action_types))
    return ExportAspect(ExportAnswer.NO, "leads to no event hub", evidence)


def leads_to(fact: AutomationFact, hub: str) -> ExportAspect:
    """Whether it sends to that hub."""
    general = leads_to_a_hub(fact)
    if general.answer is not ExportAnswer.YES:
        return general
    wanted = hub.lower().rstrip("/")
    named = [one.lower().rstrip("/") for one in fact.hubs]
    evidence = fact.source.shows("properties.actions.eventHubResourceId", ", ".join(fact.hubs))
    if wanted in named:
        return ExportAspect(ExportAnswer.YES, evidence=evidence)
    if any(one and wanted.startswith(f"{one}/eventhubs/") for one in named):
        reason = "names the namespace of the event hub and not the hub"
        return ExportAspect(ExportAnswer.UNSURE, reason, evidence)
    if "" in named:
        return ExportAspect(ExportAnswer.UNSURE, "does not say which event hub it leads to", evidence)
    return ExportAspect(ExportAnswer.NO, f"points elsewhere, to {fact.hubs[0]}", evidence)


def is_about(fact: AutomationFact, source: str) -> ExportAspect:
    """Whether it sends anything of an event source."""
    if fact.sources is None:
        return ExportAspect(ExportAnswer.UNSAID, "does not say what it exports")
    evidence = fact.source.shows("properties.sources", ", ".join(one.event for one in fact.sources))
    if any(one.event == source for one in fact.sources):
        return ExportAspect(ExportAnswer.YES, evidence=evidence)
    return ExportAspect(ExportAnswer.NO, f"exports no {source}", evidence)


def sends(fact: AutomationFact, event: ExportedEvent) -> ExportAspect:
    """Whether that is among what it sends."""
    general = is_about(fact, event.source)
    if general.answer is not ExportAnswer.YES:
        return general
    mine = [one for one in fact.sources or () if one.event == event.source]
    alternatives = [one for source in mine for one in source.rule_sets]
    if any(not source.rule_sets for source in mine):
        evidence = fact.source.shows("properties.sources.ruleSets", "")
        return ExportAspect(ExportAnswer.YES, evidence=evidence)
    answers = [_lets_pass(rules, event) for rules in alternatives]
    best = min(answers)
    shown = " or ".join(_written(rules) for rules in alternatives)
    evidence = fact.source.shows("properties.sources.ruleSets", shown)
    if best is ExportAnswer.YES:
        return ExportAspect(best, evidence=evidence)
    others = [rule.property for rules in alternatives for rule in rules if _path(rule) not in event.properties]
    if best is ExportAnswer.NO and not others:
        return ExportAspect(best, f"lets only {shown} pass", evidence)
    if best is ExportAnswer.NO:
        return ExportAspect(
            best, f"filters more than the manifest intends, by {', '.join(dict.fromkeys(others))}", evidence
        )
    return ExportAspect(best, f"has a rule that cannot be read: {shown}", evidence)


def _lets_pass(rules: Sequence[ExportRule], event: ExportedEvent) -> ExportAnswer:
    """Whether a set of rules lets every such message pass; of a set without rules that is not known."""
    return max((_holds(rule, event) for rule in rules), default=ExportAnswer.UNSURE)


def _holds(rule: ExportRule, event: ExportedEvent) -> ExportAnswer:
    value = event.properties.get(_path(rule))
    if value is None:
        # Some messages have another value of it, so not every one passes.
        return ExportAnswer.NO if rule.property else ExportAnswer.UNSURE
    compare = _OPERATORS.get(rule.operator)
    if compare is None or rule.type not in ("", "string"):
        return ExportAnswer.UNSURE
    return ExportAnswer.YES if compare(value, rule.value.lower()) else ExportAnswer.NO


def _path(rule: ExportRule) -> str:
    return rule.property.lower().removeprefix("$.")


def _written(rules: Sequence[ExportRule]) -> str:
    return " and ".join(f"{rule.property} {rule.operator} {rule.value}" for rule in rules) or "a set without rules"


# Texts are compared without regard to case. https://learn.microsoft.com/rest/api/defenderforcloud/automations/get
_OPERATORS: Mapping[str, Callable[[str, str], bool]] = {
    "equals": lambda value, wanted: value == wanted,
    "notequals": lambda value, wanted: value != wanted,
    "contains": lambda value, wanted: wanted in value,
    "startswith": lambda value, wanted: value.startswith(wanted),
    "endswith": lambda value, wanted: value.endswith(wanted),
}
