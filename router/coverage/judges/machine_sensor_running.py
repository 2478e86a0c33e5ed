"""Whether the sensor of a machine runs, by what it reports itself, else by the recommendations on it.

What it reports decides: an extension that was installed does not prove that it runs. https://learn.microsoft.com/defender-endpoint/health-status
"""

from __future__ import annotations

from router.coverage.case import CoverageCase
from router.coverage.machines.commands import (
    ASK_POSTURE,
    ask_recommendations,
    ask_resource,
    ask_sensor,
    on_machine,
    remove_tag,
)
from router.coverage.machines.recommendations import (
    POSTURE_NOT_KNOWN,
    RecommendationAnswers,
    recommendation_answers_for,
    title_of,
)
from router.coverage.machines.scale_sets import judge_scale_set
from router.coverage.machines.sensor_reports import SensorReport, sensor_report_for
from router.coverage.machines.states import MachineState, machine_state_for
from router.coverage.plans.posture import is_posture_known_on
from router.coverage.verdicts import Verdict, covered, gap, not_coverable, unknown
from router.domain.coverage import Rung, WorkloadKind
from router.domain.recommendation_table import EDR_RUNNING

RUNG = Rung.SENSOR_RUNNING
KINDS = (WorkloadKind.MACHINE,)


def judge(case: CoverageCase) -> Verdict | None:
    """Covered where the sensor says so, Defender for Endpoint does, or all recommendations on it are healthy."""
    verdict = _judge(case)
    return verdict and on_machine(verdict, case.workload)


def _judge(case: CoverageCase) -> Verdict | None:
    state = machine_state_for(case.facts, case.workload.subject, case.now)
    report = sensor_report_for(case.facts, case.workload.subject, case.now)
    said = recommendation_answers_for(case, [case.workload.subject], EDR_RUNNING)
    if report.fails and (state.stopped is None or report.is_certain_failure):
        return _failed(case, state, report)
    if report.is_proof:
        doubts = tuple(f"the recommendation {title_of(one)} is unhealthy" for one in said.unhealthy)
        remarks = (*report.remarks, *state.remarks, *doubts)
        return covered("its sensor is seen to run", *report.runs, remarks=remarks)
    if (verdict := judge_scale_set(case)) is not None:
        return verdict
    if said.are_healthy and state.is_in_reach and is_posture_known_on(case):
        return covered("every recommendation on its sensor is healthy", *said.evidence, remarks=state.remarks)
    return _not_proved(case, state, report, said)


def _failed(case: CoverageCase, state: MachineState, report: SensorReport) -> Verdict:
    reason, evidence = report.fails[0]
    others = tuple(one for _, one in report.fails[1:])
    if state.is_new and not report.is_certain_failure:
        return unknown(f"{reason}, and is new", evidence, *others, remedy=ask_sensor(state.system))
    remarks = tuple(f"they contradict each other: {one.document} says that it runs" for one in report.runs)
    remedy = ask_sensor(state.system)
    return gap(reason, evidence, *others, *report.runs, remedy=remedy, remarks=remarks)


def _not_proved(case: CoverageCase, state: MachineState, report: SensorReport, said: RecommendationAnswers) -> Verdict:
    workload, ask = case.workload, ask_sensor(state.system)
    if state.stopped is not None:
        return not_coverable("is stopped", state.stopped)
    if state.is_expired and state.lost is not None:
        return gap(
            "its identity in Azure Arc has expired, so nothing reaches it; it must be connected anew",
            state.lost,
            remedy="azcmagent disconnect --force-local-only",
        )
    if said.unhealthy and not state.is_new:
        return gap(
            f"the recommendation {title_of(said.unhealthy[0])} is unhealthy",
            *said.evidence,
            remedy=ask,
        )
    if state.exclusion is not None:
        tag = state.exclusion
        remedy = remove_tag(workload.id or workload.subject, tag.name, tag.value)
        return gap(f"the tag {tag.name} leaves it out", tag.evidence, remedy=remedy)
    if state.lost is not None:
        return unknown(
            f"Azure Arc calls it {state.lost.value}; whether it is off or dark nothing says",
            state.lost,
            remedy="azcmagent show",
        )
    if report.stale:
        return unknown(
            "what Defender for Endpoint says of its sensor is old, or of a time to come", *report.stale, remedy=ask
        )
    return _unasked(case, state, said, ask)


def _unasked(case: CoverageCase, state: MachineState, said: RecommendationAnswers, ask: str) -> Verdict:
    workload = case.workload
    if said.unhealthy:
        return unknown("a recommendation on its sensor is unhealthy, and it is new", *said.evidence, remedy=ask)
    if said.why_not_applicable:
        return unknown(said.why_not_applicable, *said.evidence, remedy=ask)
    if said.stale:
        return unknown(said.why_stale, *said.evidence, remedy=ask_recommendations(*EDR_RUNNING))
    if not said.healthy:
        return unknown("nobody asked its sensor", remedy=ask)
    if said.missing:
        reason = f"of {len(EDR_RUNNING)} recommendations on its sensor {said.missing} are not there"
        return unknown(reason, *said.evidence, remedy=ask_recommendations(*EDR_RUNNING))
    if not state.is_in_reach:
        reason = "nothing says whether Azure Arc still reaches it"
        return unknown(reason, *said.evidence, remedy=ask_resource(workload.id or workload.subject))
    return unknown(POSTURE_NOT_KNOWN, *said.evidence, remedy=ASK_POSTURE)
