"""What the automations of a subscription export to a hub: each is asked five questions, and the worst answer counts. Pure.

Several answers about one automation, as of two days, are held together: what one of them does not say another may.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from enum import IntEnum

from router.coverage.readers.subscriptions import AutomationFact, ExportRule
from router.coverage.verdicts import CoverageEvidence


class ExportAnswer(IntEnum):
    """Whether an automation does what is asked, the worst last.

    Attributes:
        UNSAID: the documents do not say it.
        YES: it does.
        UNSURE: what they say does not tell.
        NO: it does not.
    """

    UNSAID = 0
    YES = 1
    UNSURE = 2
    NO = 3


@dataclass(frozen=True, slots=True)
class ExportAspect:
    """What is known of one question about an automation.

    Attributes:
        answer: whether it does.
        reason: why not, as words after its name; empty where it does.
        evidence: what that rests on; None where nothing is said.
    """

    answer: ExportAnswer
    reason: str = ""
    evidence: CoverageEvidence | None = None


@dataclass(frozen=True, slots=True)
class ExportedEvent:
    """A message that may be exported.

    Attributes:
        source: the event source that it is of, in lower case.
        properties: what is known of every such message: values in lower case, by the paths that rules ask about.
    """

    source: str
    properties: Mapping[str, str]


def alert_of(severity: str) -> ExportedEvent:
    """An alert of a severity."""
    return ExportedEvent("alerts", {"severity": severity.lower()})


def recommendation_of(severity: str, source: str = "assessments") -> ExportedEvent:
    """A recommendation of a severity."""
    properties = {"properties.metadata.severity": severity.lower(), "type": "microsoft.security/assessments"}
    return ExportedEvent(source, properties)


@dataclass(frozen=True, slots=True)
class Automation:
    """One automation, as one or several answers describe it.

    Attributes:
        facts: the answers.
    """

    facts: tuple[AutomationFact, ...]

    @property
    def name(self) -> str:
        """Its name."""
        return self.facts[0].name

    @property
    def id(self) -> str:
        """Its ARM id."""
        return self.facts[0].id

    @property
    def is_contradicted(self) -> bool:
        """Whether two answers say different things of it."""
        values: tuple[set[object], ...] = (
            {fact.is_enabled for fact in self.facts if fact.is_enabled is not None},
            {fact.scopes for fact in self.facts if fact.scopes is not None},
            {fact.hubs for fact in self.facts if fact.action_types is not None},
            {fact.sources for fact in self.facts if fact.sources is not None},
        )
        return any(len(different) > 1 for different in values)

    def is_enabled(self) -> ExportAspect:
        """Whether it is on."""
        return self._worst(_enabled)

    def is_wide(self) -> ExportAspect:
        """Whether it is for the whole subscription."""
        return self._worst(_wide)

    def leads_to_a_hub(self) -> ExportAspect:
        """Whether it sends to an event hub at all."""
        return self._worst(_any_hub)

    def leads_to(self, hub: str) -> ExportAspect:
        """Whether it sends to that hub."""
        return self._worst(lambda fact: _leads_to(fact, hub))

    def is_about(self, source: str) -> ExportAspect:
        """Whether it sends anything of an event source."""
        return self._worst(lambda fact: _about(fact, source))

    def sends(self, event: ExportedEvent) -> ExportAspect:
        """Whether that is among what it sends."""
        return self._worst(lambda fact: _sends(fact, event))

    def _worst(self, question: Callable[[AutomationFact], ExportAspect]) -> ExportAspect:
        return max((question(fact) for fact in self.facts), key=lambda one: one.answer)


def automations_in(facts: Iterable[AutomationFact]) -> tuple[Automation, ...]:
    """Each automation once, by name."""
    found: dict[str, list[AutomationFact]] = {}
    for fact in facts:
        found.setdefault(fact.id.lower(), []).append(fact)
    return tuple(sorted((Automation(tuple(some)) for some in found.values()), key=lambda one: (one.name, one.id)))


def together(aspects: Sequence[ExportAspect]) -> ExportAspect:
    """The answer to several questions at once: every reason of the worst answer."""
    if all(one.answer is ExportAnswer.YES for one in aspects):
        return aspects[0]
    refused = [one for one in aspects if one.answer is ExportAnswer.NO]
    counted = refused or [one for one in aspects if one.answer is not ExportAnswer.YES]
    reason = " and ".join(dict.fromkeys(one.reason for one in counted))
    answer = ExportAnswer.NO if refused else ExportAnswer.UNSURE
    return ExportAspect(answer, reason, next((one.evidence for one in counted if one.evidence), None))


def _enabled(fact: AutomationFact) -> ExportAspect:
    if fact.is_enabled is None:
        return ExportAspect(ExportAnswer.UNSAID, "does not say whether it is enabled")
    evidence = fact.source.shows("properties.isEnabled", fact.is_enabled)
    if fact.is_enabled:
        return ExportAspect(ExportAnswer.YES, evidence=evidence)
    return ExportAspect(ExportAnswer.NO, "is disabled", evidence)


def _wide(fact: AutomationFact) -> ExportAspect:
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
    # The API takes a subscription or a resource group; whether anything wider holds this subscription nobody says.
    return ExportAspect(
        ExportAnswer.UNSURE, "has a scope of which nobody says whether it holds the subscription", evidence
    )


def _any_hub(fact: AutomationFact) -> ExportAspect:
    if fact.action_types is None:
        return ExportAspect(ExportAnswer.UNSAID, "does not say its actions")
    if fact.hubs:
        named = fact.source.shows("properties.actions.eventHubResourceId", ", ".join(fact.hubs))
        return ExportAspect(ExportAnswer.YES, evidence=named)
    evidence = fact.source.shows("properties.actions", ", ".join(fact.action_types))
    return ExportAspect(ExportAnswer.NO, "leads to no event hub", evidence)


def _leads_to(fact: AutomationFact, hub: str) -> ExportAspect:
    general = _any_hub(fact)
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


def _about(fact: AutomationFact, source: str) -> ExportAspect:
    if fact.sources is None:
        return ExportAspect(ExportAnswer.UNSAID, "does not say what it exports")
    evidence = fact.source.shows("properties.sources", ", ".join(one.event for one in fact.sources))
    if any(one.event == source for one in fact.sources):
        return ExportAspect(ExportAnswer.YES, evidence=evidence)
    return ExportAspect(ExportAnswer.NO, f"exports no {source}", evidence)


def _sends(fact: AutomationFact, event: ExportedEvent) -> ExportAspect:
    general = _about(fact, event.source)
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
    """Whether a set of rules lets every such message pass; of a set without rules nobody says it."""
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
