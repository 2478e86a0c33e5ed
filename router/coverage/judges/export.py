"""Whether continuous export sends a subscription's alerts, and its posture, to the hubs of the manifest.

Several automations may do it together, as one for each severity. Several answers about one automation, as of two days, are held
together: what one of them does not say another may, and the worst answer counts.
https://learn.microsoft.com/azure/defender-for-cloud/continuous-export
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from copy import replace
from enum import IntEnum
from shlex import quote
from typing import NamedTuple

from router.coverage.expected.manifest import ExpectedExport
from router.coverage.facts import CoverageCase, age_words
from router.coverage.readers.subscriptions import SUPPRESSION_RULES, AutomationFact, EmptyListFact, ExportRule
from router.coverage.remedies import list_command
from router.coverage.remedies import rest as rest_line
from router.coverage.stored import SourceFact
from router.coverage.verdicts import CoverageEvidence, Verdict, covered, gap, unknown
from router.domain.coverage import Rung

_MOST = 5
"""How many automations are named."""

_POSTURE = ("High", "Medium", "Low")
"""The severities of recommendations that Microsoft's own policy exports."""

_UNSEEN = (
    "a key that was rotated, or a role that is missing, does not show here: only `path` shows that a message arrives"
)
_API = "2023-12-01-preview"

type _Automation = Sequence[AutomationFact]
"""One automation, as one or several answers describe it."""


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


class _Wanted(NamedTuple):
    """A message that must reach a hub, or any if none is named; `properties` are its values by the paths in rules."""

    stream: str
    severity: str
    hub: str | None
    source: str
    properties: Mapping[str, str] | None


class _Missing(NamedTuple):
    """Why nothing sends a message: what each automation says, and what that rests on.

    It is proved where every automation says that it does not, and others are unlikely: all are listed, or one leads to a hub.
    """

    is_proved: bool
    reasons: str
    evidence: tuple[CoverageEvidence, ...]


def judge_export(case: CoverageCase) -> Verdict | None:
    """Covered where every severity that is expected has an automation that is on, wide enough, and leads to our hub."""
    verdict = _judged(case)
    return verdict and replace(verdict, remarks=(*verdict.remarks, *_arrivals(case)))


def _arrivals(case: CoverageCase) -> Iterator[str]:
    """What came lately shows that something carries; it proves neither every severity nor that it goes on."""
    for fact in case.about(SourceFact):
        heard = fact.heard.possible_at(case.now)
        for what, instant in (("a recommendation", heard.posture), ("an alert", heard.alert)):
            if instant is not None:
                yield f"{what} of it came {age_words(instant, case.now)} ago, so export carried then"


def _judged(case: CoverageCase) -> Verdict | None:
    automations, wanted = _automations(case), list(_wanted(case.manifest.export))
    if not automations:
        if whole := next((one for one in _empty_lists(case) if one.source.is_whole), None):
            shown = whole.source.shows("value", "[]")
            return gap("it has no automation, so nothing is exported", shown, remedy=_deploy(case))
        is_expected = bool(wanted) or Rung.EXPORT in (case.expectation.rungs or ())
        return unknown("nobody asked for its automations", remedy=_ask(case)) if is_expected else None
    if not wanted:
        return _without_hub(case, automations)
    proved: list[CoverageEvidence] = []
    missing: dict[_Missing, list[_Wanted]] = defaultdict(list)
    for one in wanted:
        answers = [(automation, _exports(automation, one)) for automation in automations]
        if sending := next((each for each, aspect in answers if aspect.answer is ExportAnswer.YES), None):
            aspects = (_worst(_leads_to, sending, one), _worst(_sends, sending, one))
            proved += [aspect.evidence for aspect in aspects if aspect.evidence]
        else:
            missing[_missing(answers, is_listed=_is_listed(case, automations))].append(one)
    remarks = (*_doubts(case, automations), *_posture_remarks(case.manifest.export, automations))
    if not missing:
        streams = " and ".join(dict.fromkeys(one.stream for one in wanted))
        return covered(f"{streams} are exported to our hub", *dict.fromkeys(proved), remarks=(*remarks, _UNSEEN))
    reason = "; ".join(_sentence(some, wanted, why) for why, some in missing.items())
    evidence = tuple(dict.fromkeys(shown for why in missing for shown in why.evidence))
    if any(why.is_proved for why in missing):
        return gap(reason, *evidence, remedy=_remedy(case, automations), remarks=remarks)
    return unknown(reason, *evidence, remedy=_ask(case), remarks=remarks)


def _automations(case: CoverageCase) -> Sequence[_Automation]:
    """Each automation once, by name."""
    found: dict[str, list[AutomationFact]] = defaultdict(list)
    for fact in case.about(AutomationFact):
        found[fact.id.lower()].append(fact)
    return sorted(found.values(), key=lambda some: (some[0].name, some[0].id))


def _wanted(export: ExpectedExport | None) -> Iterator[_Wanted]:
    """Every message that the manifest wants to reach a hub."""
    if export is not None and export.alerts:
        for severity in sorted(export.severities, reverse=True):
            yield _Wanted("alerts", severity.label, export.alerts, "alerts", {"severity": severity.label.lower()})
    if export is not None and export.posture:
        yield from (_recommendation(label, export.posture) for label in _POSTURE)


def _recommendation(severity: str, hub: str, source: str = "assessments") -> _Wanted:
    properties = {"properties.metadata.severity": severity.lower(), "type": "microsoft.security/assessments"}
    return _Wanted("recommendations", severity, hub, source, properties)


_ANY_ALERT = _Wanted("alerts", "", None, "alerts", None)


def _exports(automation: _Automation, wanted: _Wanted) -> ExportAspect:
    """Whether an automation does it all; of one that leads to no event hub nothing else needs to be said."""
    to_any = _worst(_leads_to, automation, _ANY_ALERT)
    return (
        to_any
        if to_any.answer is ExportAnswer.NO
        else _together(automation, _is_enabled, _leads_to, _covers_subscription, _sends, wanted=wanted)
    )


def _together(automation: _Automation, *questions: _Question, wanted: _Wanted) -> ExportAspect:
    """The answer to several questions at once: every reason of the worst answer."""
    aspects = [_worst(question, automation, wanted) for question in questions]
    refused = [one for one in aspects if one.answer is ExportAnswer.NO]
    if not (counted := refused or [one for one in aspects if one.answer is not ExportAnswer.YES]):
        return aspects[0]
    reason = " and ".join(dict.fromkeys(one.reason for one in counted))
    answer = ExportAnswer.NO if refused else ExportAnswer.UNSURE
    return ExportAspect(answer, reason, next((one.evidence for one in counted if one.evidence), None))


def _missing(answers: Sequence[tuple[_Automation, ExportAspect]], *, is_listed: bool) -> _Missing:
    # Workflow automations, which lead to no event hub, are many, and say the least.
    idle = [_worst(_leads_to, one, _ANY_ALERT).answer is ExportAnswer.NO for one, _ in answers]
    first = [one for is_idle in (False, True) for one, own in zip(answers, idle, strict=True) if own is is_idle][:_MOST]
    named = [f"{one[0].name} {aspect.reason}" for one, aspect in first]
    if len(answers) > _MOST:
        named.append(f"{len(answers) - _MOST} more do not either")
    is_refused = all(aspect.answer is ExportAnswer.NO for _, aspect in answers)
    return _Missing(
        is_proved=is_refused and (is_listed or not all(idle)),
        reasons=", ".join(named),
        evidence=tuple(aspect.evidence for _, aspect in first if aspect.evidence),
    )


def _sentence(some: Sequence[_Wanted], wanted: Sequence[_Wanted], why: _Missing) -> str:
    """Which messages are not exported, and why; severities are named where others of the stream are exported."""
    parts = []
    for stream in dict.fromkeys(one.stream for one in some):
        severities = [one.severity for one in some if one.stream == stream]
        every = [one.severity for one in wanted if one.stream == stream]
        parts.append(stream if severities == every else f"{stream} of severity {', '.join(severities)}")
    verb = "are not exported" if why.is_proved else "are not known to be exported"
    return f"{' and '.join(parts)} {verb} to our hub: {why.reasons}"


def _without_hub(case: CoverageCase, automations: Sequence[_Automation]) -> Verdict:
    """The verdict if the manifest names no hub: whether alerts are exported to any."""
    answers = [(one, _exports(one, _ANY_ALERT)) for one in automations]
    why, remarks = _missing(answers, is_listed=_is_listed(case, automations)), _doubts(case, automations)
    if why.is_proved:
        reason = f"alerts are not exported to any event hub: {why.reasons}"
        return gap(reason, *why.evidence, remedy=_remedy(case, automations), remarks=remarks)
    exporting = next((one for one, aspect in answers if aspect.answer is not ExportAnswer.NO), None)
    if exporting is None:
        reason = f"alerts are not known to be exported to any event hub: {why.reasons}"
        return unknown(reason, *why.evidence, remedy=_ask(case), remarks=remarks)
    likely = _worst(_leads_to, exporting, _ANY_ALERT).evidence
    reason = "which hub is ours is not said: write export.alerts in the manifest"
    return unknown(reason, *filter(None, [likely]), remedy="azd env get-value CWPP_HUB_ID", remarks=remarks)


def _empty_lists(case: CoverageCase) -> list[EmptyListFact]:
    return [one for one in case.about(EmptyListFact) if one.type != SUPPRESSION_RULES]


def _is_listed(case: CoverageCase, automations: Sequence[_Automation]) -> bool:
    """Whether a document lists all automations."""
    facts = [*(fact for one in automations for fact in one), *_empty_lists(case)]
    return any(fact.source.is_whole for fact in facts)


def _doubts(case: CoverageCase, automations: Sequence[_Automation]) -> tuple[str, ...]:
    """What else is to be said of the documents."""
    is_listed = _is_listed(case, automations)
    return () if is_listed else ("no document lists all automations: another one may export the rest",)


def _posture_remarks(export: ExpectedExport | None, automations: Sequence[_Automation]) -> tuple[str, ...]:
    """What is left out of posture that need not be there."""
    if export is None or not export.posture:
        return ()
    beside = {
        "recommendations of severity Critical": _recommendation("Critical", export.posture),
        "weekly snapshots of recommendations": _recommendation("High", export.posture, "assessmentssnapshot"),
    }
    return tuple(
        f"{what} are not exported"
        for what, wanted in beside.items()
        if all(_exports(one, wanted).answer is not ExportAnswer.YES for one in automations)
    )


def _remedy(case: CoverageCase, automations: Sequence[_Automation]) -> str:
    """Switching on what needs nothing else; else the export that this project deploys."""
    for one in automations:
        wanted = list(_wanted(case.manifest.export)) or [_ANY_ALERT]
        rest = (_together(one, _leads_to, _covers_subscription, _sends, wanted=want) for want in wanted)
        is_whole = any(aspect.answer is ExportAnswer.YES for aspect in rest)
        if is_whole and _worst(_is_enabled, one, _ANY_ALERT).answer is ExportAnswer.NO:
            return rest_line("patch", one[0].id, _API, {"properties": {"isEnabled": True}})
    return _deploy(case)


def _deploy(case: CoverageCase) -> str:
    """The line that deploys the export of one more subscription; the variables are those of `azd env get-values`."""
    export = case.manifest.export
    alerts = quote(export.alerts) if export and export.alerts else '"$CWPP_HUB_ID"'
    posture = quote(export.posture) if export and export.posture else '"$CSPM_HUB_ID"'
    return (
        f'az deployment sub create --subscription {quote(case.subscription)} --location "$AZURE_LOCATION" '
        "--template-file infra/export-subscription.bicep "
        f'--parameters environmentName="$AZURE_ENV_NAME" cwppHubId={alerts} cspmHubId={posture}'
    )


def _ask(case: CoverageCase) -> str:
    return list_command("security automation list", case.subscription, "Microsoft.Security/automations")


type _Question = Callable[[AutomationFact, _Wanted], ExportAspect]


def _worst(question: _Question, automation: _Automation, wanted: _Wanted) -> ExportAspect:
    return max((question(fact, wanted) for fact in automation), key=lambda one: one.answer)


def _answer(fact: AutomationFact, field: str, value: object, why_not: str = "", doubt: str = "") -> ExportAspect:
    """The answer that a field gives: no for a reason, unsure for a doubt, else yes."""
    answer = ExportAnswer.NO if why_not else ExportAnswer.UNSURE if doubt else ExportAnswer.YES
    return ExportAspect(answer, why_not or doubt, fact.source.shows(f"properties.{field}", value))


def _is_enabled(fact: AutomationFact, _: _Wanted) -> ExportAspect:
    if fact.is_enabled is None:
        return ExportAspect(ExportAnswer.UNSAID, "does not say whether it is enabled")
    return _answer(fact, "isEnabled", fact.is_enabled, "" if fact.is_enabled else "is disabled")


def _covers_subscription(fact: AutomationFact, _: _Wanted) -> ExportAspect:
    """Whether it is for the whole subscription."""
    if fact.scopes is None:
        return ExportAspect(ExportAnswer.UNSAID, "does not say its scope")
    why_not, inner = "", [scope for scope in fact.scopes if scope.startswith(f"{fact.subject}/")]
    is_ours = fact.subject in fact.scopes
    if inner and not is_ours:
        why_not = f"is too narrow: its scope is {inner[0]}"
    elif fact.scopes and not is_ours and all(scope.startswith("/subscriptions/") for scope in fact.scopes):
        why_not = f"is for another subscription: its scope is {fact.scopes[0]}"
    # The API takes a subscription or a resource group; no answer says whether anything wider holds this subscription.
    doubt = "" if is_ours else "has a scope of which nobody says whether it holds the subscription"
    return _answer(fact, "scopes", ", ".join(fact.scopes), why_not, doubt)


def _leads_to(fact: AutomationFact, wanted: _Wanted) -> ExportAspect:
    """Whether it sends to that hub, or to any at all."""
    if fact.action_types is None:
        return ExportAspect(ExportAnswer.UNSAID, "does not say its actions")
    if not fact.hubs:
        return _answer(fact, "actions", ", ".join(fact.action_types), "leads to no event hub")
    hub, named = (wanted.hub or "").lower().rstrip("/"), [one.lower().rstrip("/") for one in fact.hubs]
    why_not = doubt = ""
    if wanted.hub is not None and hub not in named:
        if any(one and hub.startswith(f"{one}/eventhubs/") for one in named):
            doubt = "names the namespace of the event hub and not the hub"
        elif "" in named:
            doubt = "does not say which event hub it leads to"
        else:
            why_not = f"points elsewhere, to {fact.hubs[0]}"
    return _answer(fact, "actions.eventHubResourceId", ", ".join(fact.hubs), why_not, doubt)


def _sends(fact: AutomationFact, wanted: _Wanted) -> ExportAspect:
    """Whether that is among what it sends, or anything of that event source."""
    if fact.sources is None:
        return ExportAspect(ExportAnswer.UNSAID, "does not say what it exports")
    mine = [one for one in fact.sources if one.event == wanted.source]
    if not mine or wanted.properties is None:
        why_not = "" if mine else f"exports no {wanted.source}"
        return _answer(fact, "sources", ", ".join(one.event for one in fact.sources), why_not)
    if any(not source.rule_sets for source in mine):
        return _answer(fact, "sources.ruleSets", "")
    sets, properties = [one for source in mine for one in source.rule_sets], wanted.properties
    # A set without rules lets pass what is not known.
    best = min(max((_passes(rule, properties) for rule in rules), default=ExportAnswer.UNSURE) for rules in sets)
    shown = " or ".join(_rules_text(rules) for rules in sets)
    others = dict.fromkeys(rule.property for rules in sets for rule in rules if _path(rule) not in properties)
    why_not = f"filters more than the manifest intends, by {', '.join(others)}" if others else f"lets only {shown} pass"
    doubt = f"has a rule that cannot be read: {shown}" if best is ExportAnswer.UNSURE else ""
    return _answer(fact, "sources.ruleSets", shown, why_not if best is ExportAnswer.NO else "", doubt)


def _passes(rule: ExportRule, properties: Mapping[str, str]) -> ExportAnswer:
    """Whether a rule lets every such message pass."""
    value = properties.get(_path(rule))
    if value is None:
        # Some messages have another value of it, so not every one passes.
        return ExportAnswer.NO if rule.property else ExportAnswer.UNSURE
    compare = _OPERATORS.get(rule.operator)
    if compare is None or rule.type not in ("", "string"):
        return ExportAnswer.UNSURE
    return ExportAnswer.YES if compare(value, rule.value.lower()) else ExportAnswer.NO


def _path(rule: ExportRule) -> str:
    return rule.property.lower().removeprefix("$.")


def _rules_text(rules: Sequence[ExportRule]) -> str:
    return " and ".join(f"{rule.property} {rule.operator} {rule.value}" for rule in rules) or "a set without rules"


# Texts are compared without regard to case. https://learn.microsoft.com/rest/api/defenderforcloud/automations/get
_OPERATORS: Mapping[str, Callable[[str, str], bool]] = {
    "equals": lambda value, wanted: value == wanted,
    "notequals": lambda value, wanted: value != wanted,
    "contains": lambda value, wanted: wanted in value,
    "startswith": lambda value, wanted: value.startswith(wanted),
    "endswith": lambda value, wanted: value.endswith(wanted),
}
