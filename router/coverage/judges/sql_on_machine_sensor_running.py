"""Whether a SQL Server on a machine is protected, by Azure Arc's word or by the recommendation on it.

https://learn.microsoft.com/azure/defender-for-cloud/verify-machine-protection
"""

from __future__ import annotations

from router.coverage.case import CoverageCase
from router.coverage.machines.commands import ASK_POSTURE, ASK_SQL_RECOMMENDATIONS, ask_resource
from router.coverage.machines.recommendations import POSTURE_NOT_KNOWN, recommendation_answers_for, title_of
from router.coverage.machines.sql_reports import machine_of, sql_report_for
from router.coverage.machines.states import machine_state_for
from router.coverage.plans.posture import is_posture_known_on
from router.coverage.verdicts import Verdict, covered, gap, not_coverable, unknown
from router.domain.coverage import Rung, WorkloadKind
from router.domain.recommendation_table import SQL_PROTECTED

RUNG = Rung.SENSOR_RUNNING
KINDS = (WorkloadKind.SQL_ON_MACHINE,)


def judge(case: CoverageCase) -> Verdict | None:
    """Covered where Azure Arc said so within a day, or the recommendation is healthy."""
    report, machine = sql_report_for(case), machine_of(case)
    state = machine_state_for(case.facts, machine, case.now)
    said = recommendation_answers_for(case, [case.workload.subject, machine], [SQL_PROTECTED])
    if report.is_proof:
        doubts = tuple(f"the recommendation {title_of(one)} is unhealthy" for one in said.unhealthy)
        return covered("Azure Arc sees that it is protected", *report.runs, remarks=(*state.remarks, *doubts))
    is_proof = said.are_healthy and is_posture_known_on(case)
    # Where Azure Arc could say the opposite, it must have been asked whether it reaches the machine.
    if is_proof and machine is not None and state.is_in_reach and not report.fails:
        reason = f"the recommendation {title_of(said.healthy[0])} is healthy"
        return covered(reason, *said.evidence, remarks=state.remarks)
    if state.stopped is not None:
        return not_coverable("its machine is stopped", state.stopped)
    if report.fails:
        remarks = tuple(f"they contradict each other: {one.document} says protected" for one in report.runs)
        ask = ask_resource(case.workload.id or case.workload.subject)
        return gap("Azure Arc sees that it is not protected", *report.fails, remedy=ask, remarks=remarks)
    if said.unhealthy:
        reason = f"the recommendation {title_of(said.unhealthy[0])} is unhealthy"
        return gap(reason, *said.evidence, remedy=ask_resource(machine or case.workload.id or ""))
    if said.why_not_applicable:
        return unknown(said.why_not_applicable, *said.evidence, remedy=ask_resource(case.workload.id or ""))
    if said.stale:
        return unknown(said.why_stale, *said.evidence, remedy=ASK_SQL_RECOMMENDATIONS)
    if said.healthy and machine is None:
        reason = "the recommendation is healthy, and nothing says which machine it is on"
        return unknown(reason, *said.evidence, remedy=ask_resource(case.workload.id or ""))
    if said.healthy and not state.is_in_reach:
        reason = "the recommendation is healthy, and nothing says that Azure Arc still reaches the machine"
        return unknown(reason, *said.evidence, remedy=ask_resource(machine or ""))
    if said.healthy:
        return unknown(POSTURE_NOT_KNOWN, *said.evidence, remedy=ASK_POSTURE)
    if report.stale:
        reason = "Azure Arc saw that it was protected, and not within the last day"
        return unknown(reason, *report.stale, remedy=ask_resource(case.workload.id or ""))
    return unknown("nobody asked whether it is protected", remedy=ASK_SQL_RECOMMENDATIONS)
