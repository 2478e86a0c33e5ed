"""Whether Defender for Cloud deploys Defender for Endpoint on a machine: integration and plan are on, and Linux is in it.

MdeDesignatedSubscription is about machines that are onboarded without Azure, so no verdict rests on it.
https://learn.microsoft.com/azure/defender-for-cloud/enable-defender-for-endpoint
"""

from __future__ import annotations

from router.coverage.case import CoverageCase
from router.coverage.facts import ResourceFact, SettingFact, subscription_subject
from router.coverage.machines.states import find_exclusion_tag
from router.coverage.plans.extensions import ask_plan, enable_plan, is_plan_on, plan_answers
from router.coverage.remedies import command_line, rest_get, rest_put
from router.coverage.verdicts import CoverageEvidence, Verdict, covered, gap, unknown
from router.domain.coverage import Rung, WorkloadKind

RUNG = Rung.INTEGRATION
KINDS = (WorkloadKind.MACHINE,)

_ENDPOINT = "WDATP"
_WITHOUT_LINUX = "WDATP_EXCLUDE_LINUX_PUBLIC_PREVIEW"
_SAME_AGE = "WDATP_UNIFIED_SOLUTION"
"""A version of the API that lists this setting lists the one that leaves Linux out, too; older ones list neither."""

_PLAN = "VirtualMachines"
_VERSION = "2022-05-01"


def judge(case: CoverageCase) -> Verdict | None:
    """Covered where all three are known; a machine of which nobody says the system, only where it would be for both."""
    endpoint, deployed = _setting(case, _ENDPOINT), _is_planned(case)
    if endpoint is False:
        also = f", and the plan {_PLAN} is off" if deployed is False else ""
        reason = f"the integration with Defender for Endpoint ({_ENDPOINT}) is off{also}"
        return gap(reason, *_shown(case, _ENDPOINT), remedy=_set(case, _ENDPOINT, enabled=True))
    if deployed is False:
        said = f"{_ENDPOINT} is on" if endpoint else f"no document says whether {_ENDPOINT} is on"
        reason = f"{said}, but the plan {_PLAN} is off, so nothing is deployed"
        return gap(reason, *_plan_evidence(case), remedy=enable_plan(case, _PLAN, subPlan="P2"))
    systems = {fact.system for fact in case.about(ResourceFact) if fact.system is not None}
    excluded = _is_linux_left_out(case)
    if excluded and systems == {"linux"}:
        reason = f"Linux machines are left out ({_WITHOUT_LINUX} is on)"
        return gap(reason, *_shown(case, _WITHOUT_LINUX), remedy=_set(case, _WITHOUT_LINUX, enabled=False))
    if endpoint is None:
        reason = f"no document says whether the integration with Defender for Endpoint ({_ENDPOINT}) is on"
        return unknown(reason, remedy=_ask(case))
    if deployed is None:
        reason = f"{_ENDPOINT} is on, but no document says whether the plan {_PLAN} is"
        return unknown(reason, *_shown(case, _ENDPOINT), remedy=ask_plan(case, _PLAN))
    if systems != {"windows"} and excluded is not False:
        return _of_unknown_system(case) if excluded else _of_unknown_exclusion(case)
    evidence = (*_shown(case, _ENDPOINT), *_plan_evidence(case))
    return covered(f"{_ENDPOINT} and the plan {_PLAN} are on", *evidence, remarks=_remarks(case, systems))


def _of_unknown_system(case: CoverageCase) -> Verdict:
    reason = f"Linux machines are left out ({_WITHOUT_LINUX} is on), and it is not known that the machine is none"
    remedy = command_line("az", "resource", "show", "--ids", case.workload.id) if case.workload.id else None
    return unknown(reason, *_shown(case, _WITHOUT_LINUX), remedy=remedy)


def _of_unknown_exclusion(case: CoverageCase) -> Verdict:
    reason = f"no document says whether Linux machines are left out ({_WITHOUT_LINUX})"
    return unknown(reason, *_shown(case, _ENDPOINT), remedy=rest_get(_path(case, _WITHOUT_LINUX), _VERSION))


def _setting(case: CoverageCase, name: str) -> bool | None:
    """Whether a setting is on; None where nobody says it. Of two answers that differ the worse one counts."""
    said = {one.is_enabled for one in case.of_subscription(SettingFact) if one.name == name} - {None}
    return None if not said else said == {True}


def _is_linux_left_out(case: CoverageCase) -> bool | None:
    facts = case.of_subscription(SettingFact)
    said = {one.is_enabled for one in facts if one.name == _WITHOUT_LINUX}
    if not said:
        return False if any(one.name == _SAME_AGE and one.source.is_whole for one in facts) else None
    return True if True in said else False if False in said else None


def _is_planned(case: CoverageCase) -> bool | None:
    """Whether the plan is on at the machine or at its subscription. Where it is off at the machine, the rung plan says so."""
    own, at_subscription = plan_answers(case, _PLAN)
    return True if is_plan_on(own) else is_plan_on(at_subscription)


def _remarks(case: CoverageCase, systems: set[str]) -> tuple[str, ...]:
    remarks = []
    if systems != {"linux"} and _setting(case, _SAME_AGE) is False:
        remarks.append(f"{_SAME_AGE} is off, so Windows Server 2012 R2 and 2016 may have no sensor")
    tags = [tag.name for fact in case.about(ResourceFact) if (tag := find_exclusion_tag(fact)) is not None]
    remarks += [f"its tag {tag} keeps Defender for Endpoint off it" for tag in dict.fromkeys(tags)]
    if is_plan_on(plan_answers(case, _PLAN)[0]) is False:
        remarks.append(f"the plan {_PLAN} is off at the machine itself: see the rung plan")
    return tuple(remarks)


def _shown(case: CoverageCase, name: str) -> list[CoverageEvidence]:
    facts = [one for one in case.of_subscription(SettingFact) if one.name == name]
    return [one.source.shows("properties.enabled", one.is_enabled) for one in facts]


def _plan_evidence(case: CoverageCase) -> list[CoverageEvidence]:
    own, at_subscription = plan_answers(case, _PLAN)
    return [one.source.shows("properties.pricingTier", one.tier) for one in (*own.facts, *at_subscription.facts)]


def _path(case: CoverageCase, name: str | None = None) -> str:
    scope = subscription_subject(case.workload.subscription or "SUBSCRIPTION")
    return f"{scope}/providers/Microsoft.Security/settings{'' if name is None else f'/{name}'}"


def _ask(case: CoverageCase) -> str:
    return rest_get(_path(case), _VERSION)


def _set(case: CoverageCase, name: str, *, enabled: bool) -> str:
    return rest_put(_path(case, name), _VERSION, {"kind": "DataExportSettings", "properties": {"enabled": enabled}})
