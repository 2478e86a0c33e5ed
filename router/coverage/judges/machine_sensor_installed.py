"""Whether a machine has Defender's sensor, by its extension, else by what shows that the sensor came another way.

An extension that is absent is no gap by itself: newer systems of Windows have the sensor built in, and machines are onboarded
by policy or directly. https://learn.microsoft.com/azure/defender-for-cloud/enable-defender-for-endpoint
"""

from __future__ import annotations

from collections.abc import Sequence

from router.coverage.case import CoverageCase
from router.coverage.machines.commands import (
    ASK_ENDPOINT_EXTENSIONS,
    ASK_POSTURE,
    ask_recommendations,
    ask_sensor,
    on_machine,
    remove_extension,
    remove_tag,
)
from router.coverage.machines.extension_failures import EXTENSION_FAILURES
from router.coverage.machines.recommendations import (
    POSTURE_NOT_KNOWN,
    RecommendationAnswers,
    recommendation_answers_for,
    title_of,
)
from router.coverage.machines.scale_sets import judge_scale_set
from router.coverage.machines.sensor_reports import sensor_report_for
from router.coverage.machines.states import MachineState, machine_state_for
from router.coverage.plans.posture import is_posture_known_on
from router.coverage.readers.machine_extensions import AbsentExtensionsFact, ExtensionFact
from router.coverage.verdicts import CoverageEvidence, Verdict, covered, gap, not_coverable, unknown
from router.domain.coverage import Rung, WorkloadKind
from router.domain.recommendation_table import EDR_INSTALLED

RUNG = Rung.SENSOR_INSTALLED
KINDS = (WorkloadKind.MACHINE,)

_OTHER_VENDORS = "the recommendation counts the solutions of other vendors, too"


def judge(case: CoverageCase) -> Verdict | None:
    """Covered where the extension succeeded, or the sensor is seen to run."""
    verdict = _judge(case)
    return verdict and on_machine(verdict, case.workload)


def _judge(case: CoverageCase) -> Verdict | None:
    state = machine_state_for(case.facts, case.workload.subject, case.now)
    report = sensor_report_for(case.facts, case.workload.subject, case.now)
    extensions = [one for one in case.about(ExtensionFact) if one.is_endpoint]
    failed = [one for one in extensions if one.state == "failed"]
    if report.is_proof:
        remarks = tuple(f"its extension {one.name} failed" for one in failed)
        return covered("its sensor is seen to run, so it is there", *report.runs, remarks=(*remarks, *state.remarks))
    if (verdict := judge_scale_set(case)) is not None:
        return verdict
    said = recommendation_answers_for(case, [case.workload.subject], [EDR_INSTALLED])
    installed = [one for one in extensions if one.state == "succeeded"]
    if failed:
        return _failed(case, state, failed, installed)
    if installed:
        doubts = tuple(f"the recommendation {title_of(one)} is unhealthy" for one in said.unhealthy)
        remarks = (*_clones(installed, case.workload.subject), *state.remarks, *doubts)
        return covered(f"its extension {installed[0].name} succeeded", *_shown(installed), remarks=remarks)
    return _without_extension(case, state, extensions, said)


def _shown(extensions: Sequence[ExtensionFact]) -> list[CoverageEvidence]:
    return [one.source.shows(one.field, one.state) for one in extensions]


def _clones(extensions: Sequence[ExtensionFact], machine: str) -> tuple[str, ...]:
    """What is to be said of settings that name another machine, as an image brings them that was made of it."""
    return tuple(
        f"the settings of its extension {one.name} name another machine, {one.bound_to}; was it made from that one's image?"
        for one in extensions
        if one.bound_to is not None and one.bound_to != machine
    )


def _failed(
    case: CoverageCase, state: MachineState, failed: Sequence[ExtensionFact], installed: Sequence[ExtensionFact]
) -> Verdict:
    if state.stopped is not None:
        return not_coverable("is stopped", state.stopped)
    one = next((one for one in failed if one.code is not None), failed[0])
    remedy = remove_extension(case.workload.id or case.workload.subject, one.name)
    remarks = tuple(f"they contradict each other: {other.source.document} says succeeded" for other in installed)
    return gap(f"its extension {one.name} failed{_why(one)}", *_shown(failed), remedy=remedy, remarks=remarks)


def _why(extension: ExtensionFact) -> str:
    if extension.code is None:
        return f": {extension.message}" if extension.message else ""
    known = EXTENSION_FAILURES.get(extension.code)
    return f" with {extension.code}: {known.meaning}; {known.advice}" if known else f" with {extension.code}"


def _without_extension(
    case: CoverageCase, state: MachineState, extensions: Sequence[ExtensionFact], said: RecommendationAnswers
) -> Verdict:
    workload = case.workload
    absent = [one for one in case.about(AbsentExtensionsFact) if one.lacks_endpoint]
    is_asked = bool(absent or extensions)
    is_proof = said.are_healthy and is_posture_known_on(case)
    # Each of these could say the opposite, so each must have been asked.
    if is_proof and is_asked and state.is_in_reach and state.has_known_tags and state.exclusion is None:
        remarks = (_OTHER_VENDORS, *state.remarks)
        return covered(f"the recommendation {title_of(said.healthy[0])} is healthy", *said.evidence, remarks=remarks)
    if state.stopped is not None:
        return not_coverable("is stopped", state.stopped)
    if state.exclusion is not None:
        tag = state.exclusion
        remedy = remove_tag(workload.id or workload.subject, tag.name, tag.value)
        return gap(f"the tag {tag.name} leaves it out", tag.evidence, remedy=remedy)
    ask = ASK_ENDPOINT_EXTENSIONS
    if state.is_new:
        return unknown("it is new, and its sensor may still come", *said.evidence, remedy=ask)
    if said.unhealthy:
        return gap(f"the recommendation {title_of(said.unhealthy[0])} is unhealthy", *said.evidence, remedy=ask)
    if extensions:
        reason = f"its extension {extensions[0].name} has neither succeeded nor failed"
        return unknown(reason, *_shown(extensions), remedy=ask)
    if not is_asked:
        return unknown("nobody asked which extensions it has", *said.evidence, remedy=ask)
    return _absent(case, state, [one.source.shows("extensions", None) for one in absent], said)


def _absent(
    case: CoverageCase, state: MachineState, evidence: Sequence[CoverageEvidence], said: RecommendationAnswers
) -> Verdict:
    """Why an extension that is absent leaves it unknown, and what would answer it."""
    if said.why_not_applicable:
        # The recommendation will not answer; the sensor itself does.
        reason = f"it has no extension, and {said.why_not_applicable}"
        return unknown(reason, *evidence, *said.evidence, remedy=ask_sensor(state.system))
    if said.stale:
        reason = f"it has no extension, and {said.why_stale}"
        return unknown(reason, *evidence, *said.evidence, remedy=ask_recommendations(EDR_INSTALLED))
    if said.healthy and not is_posture_known_on(case):
        reason = f"it has no extension, and {POSTURE_NOT_KNOWN}"
        return unknown(reason, *evidence, *said.evidence, remedy=ASK_POSTURE)
    return unknown(
        "it has no extension of Defender's; its sensor may be built in, come by policy, or be another tenant's",
        *evidence,
        remedy=ask_sensor(state.system),
    )
