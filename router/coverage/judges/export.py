"""Whether continuous export sends a subscription's alerts, and its posture, to the hubs of the manifest.

Several automations may do it together, as one for each severity.
https://learn.microsoft.com/azure/defender-for-cloud/continuous-export
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import replace
from shlex import quote
from typing import NamedTuple

from router.coverage.expected.manifest import ExpectedExport
from router.coverage.exports import (
    Automation,
    ExportAnswer,
    ExportAspect,
    ExportedEvent,
    alert_event,
    automations_in,
    enabled,
    is_about,
    is_contradicted,
    leads_to,
    leads_to_a_hub,
    recommendation_event,
    sends,
    together,
    wide,
    worst,
)
from router.coverage.facts import CoverageCase, age_words
from router.coverage.readers.router_records import SourceFact
from router.coverage.readers.subscriptions import AutomationFact, NoAutomationsFact
from router.coverage.remedies import list_command
from router.coverage.remedies import rest as rest_line
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


class _Wanted(NamedTuple):
    """A message that must reach a hub."""

    stream: str
    severity: str
    hub: str
    event: ExportedEvent


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
    return verdict and replace(verdict, remarks=(*verdict.remarks, *_heard(case)))


def _heard(case: CoverageCase) -> Iterator[str]:
    """What came lately shows that something carries; it proves neither every severity nor that it goes on."""
    for fact in case.about(SourceFact):
        heard = fact.heard.possible_at(case.now)
        for what, instant in (("a recommendation", heard.posture), ("an alert", heard.alert)):
            if instant is not None:
                yield f"{what} of it came {age_words(instant, case.now)} ago, so export carried then"


def _judged(case: CoverageCase) -> Verdict | None:
    automations = automations_in(case.about(AutomationFact))
    wanted = list(_wanted(case.manifest.export))
    if not automations:
        return _without_automations(case, is_wanted=bool(wanted))
    if not wanted:
        return _without_hub(case, automations)
    proved: list[CoverageEvidence] = []
    missing: dict[_Missing, list[_Wanted]] = defaultdict(list)
    for one in wanted:
        answers = [(automation, _exports(automation, one.hub, one.event)) for automation in automations]
        sending = [automation for automation, aspect in answers if aspect.answer is ExportAnswer.YES]
        if sending:
            aspects = (worst(leads_to, sending[0], one.hub), worst(sends, sending[0], one.event))
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


def _wanted(export: ExpectedExport | None) -> Iterator[_Wanted]:
    """Every message that the manifest wants to reach a hub."""
    if export is None:
        return
    if export.alerts:
        for severity in sorted(export.severities, reverse=True):
            yield _Wanted("alerts", severity.label, export.alerts, alert_event(severity.label))
    if export.posture:
        for label in _POSTURE:
            yield _Wanted("recommendations", label, export.posture, recommendation_event(label))


def _exports(automation: Automation, hub: str, event: ExportedEvent) -> ExportAspect:
    return _asked(automation, worst(leads_to, automation, hub), worst(sends, automation, event))


def _asked(automation: Automation, leads: ExportAspect, is_sent: ExportAspect) -> ExportAspect:
    """Whether an automation does it all; of one that leads to no event hub nothing else needs to be said."""
    to_any = worst(leads_to_a_hub, automation)
    if to_any.answer is ExportAnswer.NO:
        return to_any
    return together((worst(enabled, automation), leads, worst(wide, automation), is_sent))


def _missing(answers: Sequence[tuple[Automation, ExportAspect]], *, is_listed: bool) -> _Missing:
    # Workflow automations, which lead to no event hub, are many, and say the least.
    answers = sorted(answers, key=lambda one: worst(leads_to_a_hub, one[0]).answer is ExportAnswer.NO)
    named = [f"{one[0].name} {aspect.reason}" for one, aspect in answers[:_MOST]]
    if len(answers) > _MOST:
        named.append(f"{len(answers) - _MOST} more do not either")
    is_refused = all(aspect.answer is ExportAnswer.NO for _, aspect in answers)
    leads = any(worst(leads_to_a_hub, one).answer is not ExportAnswer.NO for one, _ in answers)
    return _Missing(
        is_proved=is_refused and (is_listed or leads),
        reasons=", ".join(named),
        evidence=tuple(aspect.evidence for _, aspect in answers[:_MOST] if aspect.evidence),
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


def _without_automations(case: CoverageCase, *, is_wanted: bool) -> Verdict | None:
    """The verdict without any automation: nothing is exported if they were listed."""
    whole = next((one for one in case.about(NoAutomationsFact) if one.source.is_whole), None)
    if whole is not None:
        return gap(
            "it has no automation, so nothing is exported", whole.source.shows("value", "[]"), remedy=_deploy(case)
        )
    if is_wanted or Rung.EXPORT in (case.expectation.rungs or ()):
        return unknown("nobody asked for its automations", remedy=_ask(case))
    return None


def _without_hub(case: CoverageCase, automations: Sequence[Automation]) -> Verdict:
    """The verdict if the manifest names no hub: whether alerts are exported to any."""
    answers = [(one, _asked(one, worst(leads_to_a_hub, one), worst(is_about, one, "alerts"))) for one in automations]
    why, remarks = _missing(answers, is_listed=_is_listed(case, automations)), _doubts(case, automations)
    if why.is_proved:
        reason = f"alerts are not exported to any event hub: {why.reasons}"
        return gap(reason, *why.evidence, remedy=_remedy(case, automations), remarks=remarks)
    exporting = [one for one, aspect in answers if aspect.answer is not ExportAnswer.NO]
    if not exporting:
        reason = f"alerts are not known to be exported to any event hub: {why.reasons}"
        return unknown(reason, *why.evidence, remedy=_ask(case), remarks=remarks)
    likely = worst(leads_to_a_hub, exporting[0])
    return unknown(
        "which hub is ours is not said: write export.alerts in the manifest",
        *((likely.evidence,) if likely.evidence else ()),
        remedy="azd env get-value CWPP_HUB_ID",
        remarks=remarks,
    )


def _is_listed(case: CoverageCase, automations: Sequence[Automation]) -> bool:
    """Whether a document lists all automations."""
    sources = [fact.source for one in automations for fact in one]
    sources += [one.source for one in case.about(NoAutomationsFact)]
    return any(source.is_whole for source in sources)


def _doubts(case: CoverageCase, automations: Sequence[Automation]) -> tuple[str, ...]:
    """What else is to be said of the documents."""
    said = [
        f"the documents say different things of {one[0].name}; the worse counts"
        for one in automations
        if is_contradicted(one)
    ]
    if not _is_listed(case, automations):
        said.append("no document lists all automations: another one may export the rest")
    return tuple(said)


def _posture_remarks(export: ExpectedExport | None, automations: Sequence[Automation]) -> tuple[str, ...]:
    """What is left out of posture that need not be there."""
    if export is None or not export.posture:
        return ()
    hub = export.posture
    beside = (
        (recommendation_event("Critical"), "recommendations of severity Critical are not exported"),
        (recommendation_event("High", "assessmentssnapshot"), "weekly snapshots of recommendations are not exported"),
    )
    return tuple(
        remark
        for event, remark in beside
        if all(_exports(one, hub, event).answer is not ExportAnswer.YES for one in automations)
    )


def _remedy(case: CoverageCase, automations: Sequence[Automation]) -> str:
    """Switching on what needs nothing else; else the export that this project deploys."""
    wanted = list(_wanted(case.manifest.export))
    for one in automations:
        is_wide = worst(wide, one)
        rest = [(worst(leads_to, one, want.hub), is_wide, worst(sends, one, want.event)) for want in wanted]
        rest = rest or [(worst(leads_to_a_hub, one), is_wide, worst(is_about, one, "alerts"))]
        is_whole = any(together(aspects).answer is ExportAnswer.YES for aspects in rest)
        if worst(enabled, one).answer is ExportAnswer.NO and is_whole:
            return rest_line("patch", one[0].id, _API, {"properties": {"isEnabled": True}})
    return _deploy(case)


def _deploy(case: CoverageCase) -> str:
    """The line that deploys the export of one more subscription; the variables are those of `azd env get-values`."""
    export = case.manifest.export
    alerts = quote(export.alerts) if export and export.alerts else '"$CWPP_HUB_ID"'
    posture = quote(export.posture) if export and export.posture else '"$CSPM_HUB_ID"'
    return (
        f'az deployment sub create --subscription {quote(_subscription(case))} --location "$AZURE_LOCATION" '
        "--template-file infra/export-subscription.bicep "
        f'--parameters environmentName="$AZURE_ENV_NAME" cwppHubId={alerts} cspmHubId={posture}'
    )


def _ask(case: CoverageCase) -> str:
    return list_command("security automation list", _subscription(case), "Microsoft.Security/automations")


def _subscription(case: CoverageCase) -> str:
    return case.workload.subscription or case.workload.name
