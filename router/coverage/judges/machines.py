"""Machines and scale sets: whether Defender for Cloud deploys the sensor, whether it is there, and whether it runs. Pure.

An extension proves that a sensor was deployed, never that it runs: what the sensor reports decides. The instances of a
flexible scale set are machines of their own; those of a uniform one are in no list but Defender for Endpoint's.
https://learn.microsoft.com/azure/defender-for-cloud/enable-defender-for-endpoint,
https://learn.microsoft.com/defender-endpoint/health-status,
https://learn.microsoft.com/azure/virtual-machine-scale-sets/virtual-machine-scale-sets-orchestration-modes
"""

from __future__ import annotations

from collections.abc import Sequence

from router.coverage import remedies
from router.coverage.facts import CoverageCase, ResourceFact, subscription_subject
from router.coverage.fields import worst_truth
from router.coverage.machine_states import (
    MachineState,
    SensorReport,
    find_exclusion_tag,
    machine_state_for,
    sensor_report_for,
    tag_name,
)
from router.coverage.plans.at_resource import plan_answers
from router.coverage.plans.table import plan_named, read_toml
from router.coverage.readers.machines import (
    AbsentExtensionsFact,
    EndpointFact,
    ExtensionFact,
    MachineFact,
    ScaleSetFact,
)
from router.coverage.readers.plans import SettingFact
from router.coverage.recommendations import (
    POSTURE_NOT_KNOWN,
    RecommendationAnswers,
    is_posture_known_on,
    quoted_title,
    recommendation_answers_for,
)
from router.coverage.verdicts import CoverageEvidence, Verdict, covered, gap, not_coverable, unknown
from router.coverage.workloads import SCALE_SET
from router.domain.recommendations import EDR_INSTALLED, EDR_RUNNING

_ENDPOINT = "WDATP"
_WITHOUT_LINUX = "WDATP_EXCLUDE_LINUX_PUBLIC_PREVIEW"
_SAME_AGE = "WDATP_UNIFIED_SOLUTION"
"""A version of the API that lists this setting lists the one that leaves Linux out, too; older ones list neither."""

_PLAN = plan_named("VirtualMachines")
_OTHER_VENDORS = "the recommendation counts the solutions of other vendors, too"

_FAILURES = read_toml("extension_failures.toml")
"""What the exit codes of the installation mean, and what to do before it is installed again."""


def judge_machine_integration(case: CoverageCase) -> Verdict | None:
    """Covered where integration and plan are on, and Linux is in it where the machine may be one.

    MdeDesignatedSubscription is about machines that are onboarded without Azure, so no verdict rests on it.
    """
    endpoint = _setting(case, _ENDPOINT)
    own, at_subscription = (answers.is_on for answers in plan_answers(case, _PLAN.name))
    # Where the plan is off at the machine itself, the rung plan says so.
    deployed = True if own else at_subscription
    if endpoint is False:
        also = f", and the plan {_PLAN.name} is off" if deployed is False else ""
        reason = f"the integration with Defender for Endpoint ({_ENDPOINT}) is off{also}"
        return gap(reason, *_setting_evidence(case, _ENDPOINT), remedy=_rest_setting(case, "put", _ENDPOINT, on=True))
    if deployed is False:
        said = f"{_ENDPOINT} is on" if endpoint else f"no document says whether {_ENDPOINT} is on"
        reason = f"{said}, but the plan {_PLAN.name} is off, so nothing is deployed"
        return gap(
            reason,
            *_plan_evidence(case),
            remedy=remedies.enable_plan(_PLAN, case.subscription, "P2"),
        )
    systems = {fact.system for fact in case.about(ResourceFact) if fact.system is not None}
    excluded = _is_linux_left_out(case)
    if excluded and systems == {"linux"}:
        reason = f"Linux machines are left out ({_WITHOUT_LINUX} is on)"
        return gap(
            reason,
            *_setting_evidence(case, _WITHOUT_LINUX),
            remedy=_rest_setting(case, "put", _WITHOUT_LINUX, on=False),
        )
    if endpoint is None:
        reason = f"no document says whether the integration with Defender for Endpoint ({_ENDPOINT}) is on"
        return unknown(reason, remedy=_rest_setting(case, "get"))
    if deployed is None:
        reason = f"{_ENDPOINT} is on, but no document says whether the plan {_PLAN.name} is"
        return unknown(reason, *_setting_evidence(case, _ENDPOINT), remedy=remedies.ask_plans(case.subscription))
    if systems != {"windows"} and excluded:
        reason = f"Linux machines are left out ({_WITHOUT_LINUX} is on), and it is not known that the machine is none"
        return unknown(
            reason, *_setting_evidence(case, _WITHOUT_LINUX), remedy=remedies.ask_resource(case.workload.id or "")
        )
    if systems != {"windows"} and excluded is None:
        reason = f"no document says whether Linux machines are left out ({_WITHOUT_LINUX})"
        return unknown(reason, *_setting_evidence(case, _ENDPOINT), remedy=_rest_setting(case, "get", _WITHOUT_LINUX))
    is_old = systems != {"linux"} and _setting(case, _SAME_AGE) is False
    tags = [tag_name(tag) for fact in case.about(ResourceFact) if (tag := find_exclusion_tag(fact)) is not None]
    remarks = (
        *([f"{_SAME_AGE} is off, so Windows Server 2012 R2 and 2016 may have no sensor"] if is_old else ()),
        *(f"its tag {tag} keeps Defender for Endpoint off it" for tag in dict.fromkeys(tags)),
        *([f"the plan {_PLAN.name} is off at the machine itself: see the rung plan"] if own is False else ()),
    )
    evidence = (*_setting_evidence(case, _ENDPOINT), *_plan_evidence(case))
    return covered(f"{_ENDPOINT} and the plan {_PLAN.name} are on", *evidence, remarks=remarks)


def _setting(case: CoverageCase, name: str) -> bool | None:
    """Whether a setting is on; None where no document says it. Of two answers that differ the worse one counts."""
    return worst_truth(one.is_enabled for one in case.of_subscription(SettingFact) if one.name == name)


def _is_linux_left_out(case: CoverageCase) -> bool | None:
    facts = case.of_subscription(SettingFact)
    answers = {one.is_enabled for one in facts if one.name == _WITHOUT_LINUX}
    if not answers:
        return False if any(one.name == _SAME_AGE and one.source.is_whole for one in facts) else None
    return True if True in answers else False if False in answers else None


def _setting_evidence(case: CoverageCase, name: str) -> list[CoverageEvidence]:
    facts = [one for one in case.of_subscription(SettingFact) if one.name == name]
    return [one.source.shows("properties.enabled", one.is_enabled) for one in facts]


def _plan_evidence(case: CoverageCase) -> list[CoverageEvidence]:
    own, at_subscription = plan_answers(case, _PLAN.name)
    return [one.source.shows("properties.pricingTier", one.tier) for one in (*own.facts, *at_subscription.facts)]


def _rest_setting(case: CoverageCase, method: str, name: str = "", *, on: bool | None = None) -> str:
    scope = subscription_subject(case.subscription)
    body = None if on is None else {"kind": "DataExportSettings", "properties": {"enabled": on}}
    return remedies.rest(method, f"{scope}/providers/Microsoft.Security/settings/{name}", "2022-05-01", body)


def judge_machine_installed(case: CoverageCase) -> Verdict | None:
    """Covered where the extension succeeded, or the sensor is seen to run."""
    return remedies.on_machine(_installed(case), case.workload)


def _installed(case: CoverageCase) -> Verdict:
    state = machine_state_for(case.facts, case.workload.subject, case.now)
    report = sensor_report_for(case.facts, case.workload.subject, case.now)
    extensions = [one for one in case.about(ExtensionFact) if one.is_endpoint]
    failed = [one for one in extensions if one.state == "failed"]
    if report.is_proof:
        remarks = (*(f"its extension {one.name} failed" for one in failed), *state.remarks)
        return covered("its sensor is seen to run, so it is there", *report.runs, remarks=remarks)
    if (verdict := _scale_set(case)) is not None:
        return verdict
    said = recommendation_answers_for(case, [case.workload.subject], [EDR_INSTALLED])
    installed = [one for one in extensions if one.state == "succeeded"]
    if failed and state.stopped is None:
        return _failed_extension(case, failed, installed)
    if installed and not failed:
        clones = tuple(
            f"the settings of its extension {one.name} name another machine, {one.bound_to}; was it made from that one's image?"
            for one in installed
            if one.bound_to not in (None, case.workload.subject)
        )
        remarks = (*clones, *state.remarks, *said.doubts)
        return covered(f"its extension {installed[0].name} succeeded", *_state_evidence(installed), remarks=remarks)
    return _without_extension(case, state, extensions, said)


def _state_evidence(extensions: Sequence[ExtensionFact]) -> list[CoverageEvidence]:
    return [one.source.shows(one.field, one.state) for one in extensions]


def _failed_extension(
    case: CoverageCase, failed: Sequence[ExtensionFact], installed: Sequence[ExtensionFact]
) -> Verdict:
    one = next((one for one in failed if one.code is not None), failed[0])
    means = one.message if one.code is None else _FAILURES.get(str(one.code))
    why = f"{'' if one.code is None else f' with {one.code}'}{f': {means}' if means else ''}"
    remarks = tuple(f"they contradict each other: {other.source.document} says succeeded" for other in installed)
    remedy = remedies.remove_extension(case.id, one.name)
    return gap(f"its extension {one.name} failed{why}", *_state_evidence(failed), remedy=remedy, remarks=remarks)


def _without_extension(
    case: CoverageCase, state: MachineState, extensions: Sequence[ExtensionFact], said: RecommendationAnswers
) -> Verdict:
    absent = [one for one in case.about(AbsentExtensionsFact) if one.lacks_endpoint]
    is_asked = bool(absent or extensions)
    # Each of these could say the opposite, so each must have been asked.
    is_untagged = state.has_known_tags and state.exclusion is None
    if said.are_healthy and is_posture_known_on(case) and is_asked and state.is_in_reach and is_untagged:
        reason = f"the recommendation {quoted_title(said.healthy[0])} is healthy"
        return covered(reason, *said.evidence, remarks=(_OTHER_VENDORS, *state.remarks))
    if state.stopped is not None:
        return not_coverable("is stopped", state.stopped)
    if state.exclusion is not None:
        return _left_out(case, state.exclusion)
    if state.is_new:
        return unknown(
            "it is new, and its sensor may still come", *said.evidence, remedy=remedies.ASK_ENDPOINT_EXTENSIONS
        )
    mend = remedies.install_sensor(case.id, state.system)
    if said.unhealthy:
        return gap(said.doubts[0], *said.evidence, remedy=mend)
    if extensions:
        reason = f"its extension {extensions[0].name} has neither succeeded nor failed"
        return unknown(reason, *_state_evidence(extensions), remedy=remedies.ASK_ENDPOINT_EXTENSIONS)
    if not is_asked:
        is_partly_asked = bool(case.about(ExtensionFact))
        reason = "no list has all of its extensions" if is_partly_asked else "nobody asked which extensions it has"
        return unknown(reason, *said.evidence, remedy=remedies.ASK_ENDPOINT_EXTENSIONS)
    evidence = [one.source.shows("extensions", ", ".join(one.others or ())) for one in absent]
    # An extension that is absent is no gap by itself: some systems have the sensor built in, others get it by policy.
    ask = remedies.ask_sensor(state.system)
    if doubt := said.find_doubt(ask, remedies.ask_recommendations(EDR_INSTALLED)):
        return unknown(f"it has no extension, and {doubt[0]}", *evidence, *said.evidence, remedy=doubt[1])
    if said.healthy and not is_posture_known_on(case):
        return unknown(
            f"it has no extension, and {POSTURE_NOT_KNOWN}", *evidence, *said.evidence, remedy=remedies.ASK_POSTURE
        )
    others = next((one.others for one in absent if one.others is not None), None)
    if others is not None:
        listed = f"it has only {', '.join(others)}" if others else "it has none"
        reason = f"its extensions are all listed, and none brings Defender for Endpoint: {listed}"
        return gap(reason, *evidence, remedy=mend)
    reason = "it has no extension of Defender's; its sensor may be built in, come by policy, or be another tenant's"
    return unknown(reason, *evidence, remedy=ask)


def _left_out(case: CoverageCase, tag: CoverageEvidence) -> Verdict:
    remedy = remedies.remove_tag(case.id, tag_name(tag), tag.value)
    return gap(f"the tag {tag_name(tag)} leaves it out", tag, remedy=remedy)


def judge_machine_running(case: CoverageCase) -> Verdict | None:
    """Covered where the sensor says so, Defender for Endpoint does, or all recommendations on it are healthy."""
    return remedies.on_machine(_running(case), case.workload)


def _running(case: CoverageCase) -> Verdict:
    state = machine_state_for(case.facts, case.workload.subject, case.now)
    report = sensor_report_for(case.facts, case.workload.subject, case.now)
    said = recommendation_answers_for(case, [case.workload.subject], EDR_RUNNING)
    if report.fails and (state.stopped is None or report.is_certain_failure):
        return _failed_sensor(case, state, report)
    if report.is_proof:
        remarks = (*report.remarks, *state.remarks, *said.doubts)
        return covered("its sensor is seen to run", *report.runs, remarks=remarks)
    if (verdict := _scale_set(case)) is not None:
        return verdict
    if said.are_healthy and state.is_in_reach and is_posture_known_on(case):
        return covered("every recommendation on its sensor is healthy", *said.evidence, remarks=state.remarks)
    return _not_proved(case, state, report, said)


def _failed_sensor(case: CoverageCase, state: MachineState, report: SensorReport) -> Verdict:
    reason, evidence = report.fails[0]
    others = tuple(one for _, one in report.fails[1:])
    if state.is_new and not report.is_certain_failure:
        return unknown(f"{reason}, and is new", evidence, *others, remedy=remedies.ask_sensor(state.system))
    remarks = tuple(f"they contradict each other: {one.document} says that it runs" for one in report.runs)
    is_unlicensed = evidence.field == "licensed"
    restart = "sc.exe start sense" if state.system == "windows" else "systemctl restart mdatp"
    mend = remedies.install_sensor(case.id, state.system) if is_unlicensed else restart
    return gap(reason, evidence, *others, *report.runs, remedy=mend, remarks=remarks)


def _not_proved(case: CoverageCase, state: MachineState, report: SensorReport, said: RecommendationAnswers) -> Verdict:
    ask = remedies.ask_sensor(state.system)
    if state.stopped is not None:
        return not_coverable("is stopped", state.stopped)
    if state.lost is not None and state.lost.value.lower() == "expired":
        reason = "its identity in Azure Arc has expired, so nothing reaches it; it must be connected anew"
        return gap(reason, state.lost, remedy="azcmagent disconnect --force-local-only")
    if said.unhealthy and not state.is_new:
        mend = remedies.MENDS[said.unhealthy[0].recommendation][state.system == "windows"]
        return gap(said.doubts[0], *said.evidence, remedy=mend)
    if state.exclusion is not None:
        return _left_out(case, state.exclusion)
    if state.lost is not None:
        reason = f"Azure Arc calls it {state.lost.value}; whether it is off or dark nothing says"
        return unknown(reason, state.lost, remedy="azcmagent show")
    if report.stale:
        reason = "what Defender for Endpoint says of its sensor is old, or of a time to come"
        return unknown(reason, *report.stale, remedy=ask)
    if said.unhealthy:
        return unknown("a recommendation on its sensor is unhealthy, and it is new", *said.evidence, remedy=ask)
    if doubt := said.find_doubt(ask, remedies.ask_recommendations(*EDR_RUNNING)):
        return unknown(doubt[0], *said.evidence, remedy=doubt[1])
    if not said.healthy:
        return unknown("nobody asked its sensor", remedy=ask)
    if said.missing:
        reason = f"of {len(EDR_RUNNING)} recommendations on its sensor {said.missing} are not there"
        return unknown(reason, *said.evidence, remedy=remedies.ask_recommendations(*EDR_RUNNING))
    if not state.is_in_reach:
        reason = "nothing says whether Azure Arc still reaches it"
        return unknown(reason, *said.evidence, remedy=remedies.ask_resource(case.id))
    return unknown(POSTURE_NOT_KNOWN, *said.evidence, remedy=remedies.ASK_POSTURE)


def _scale_set(case: CoverageCase) -> Verdict | None:
    """What is known of a scale set's sensors; None for any other machine."""
    subject = case.workload.subject
    if f"/providers/{SCALE_SET}/" not in subject:
        return None
    sets = case.about(ScaleSetFact)
    capacity = max((one.capacity for one in sets if one.capacity is not None), default=None)
    number = "an unknown number" if capacity is None else str(capacity)
    if {one.is_flexible for one in sets if one.is_flexible is not None} == {True}:
        instances = {one.subject for one in case.facts.every(MachineFact) if one.scale_set == subject}
        shown = [one.source.shows("sku.capacity", one.capacity) for one in sets]
        if capacity is None or len(instances) < capacity:
            many = f"{len(instances)} of {number}"
            return unknown(
                f"its instances are machines of their own, and {many} are here", *shown, remedy=remedies.ASK_POWER
            )
        return not_coverable(f"its {len(instances)} instances are machines of their own, each judged by itself", *shown)
    # Where it stands, for each instance, that its sensor runs. One that is gone leaves its record behind.
    named = {one.subject for one in case.facts.every(EndpointFact) if one.subject is not None}
    inside = sorted(one for one in named if one.startswith(f"{subject}/virtualmachines/"))
    reports = [sensor_report_for(case.facts, instance, case.now) for instance in inside]
    running = [one.runs[0] for one in reports if one.is_proof]
    many = f"{len(running)} of {number}"
    if capacity and len(running) >= capacity:
        return covered(f"the sensors of {many} instances are seen to run", *running)
    shown = [one.source.shows("properties.orchestrationMode", "Uniform") for one in sets if one.is_flexible is False]
    reason = f"no list shows extensions of a uniform scale set's instances, and the sensors of {many} are seen to run"
    return unknown(reason, *shown, *running, remedy=remedies.ASK_DEVICES)
