"""SQL Servers on machines: whether the extension of Defender for SQL is there, and whether it protects. Pure.

The plan alone deploys nothing. Microsoft's own policy counts Azure Arc's word Protected for a day:
https://github.com/Azure/azure-policy/blob/master/built-in-policies/policyDefinitions/Security%20Center/ASC_ProtectDefenderForSQLOnArc_Audit.json,
https://learn.microsoft.com/azure/defender-for-cloud/defender-for-sql-usage
"""

from __future__ import annotations

from datetime import timedelta

from router.coverage import remedies
from router.coverage.facts import CoverageCase
from router.coverage.machine_states import machine_state_for
from router.coverage.plans.table import PLAN_OF_KIND
from router.coverage.readers.machines import AbsentExtensionsFact, ExtensionFact, SqlHostFact
from router.coverage.recommendations import (
    POSTURE_NOT_KNOWN,
    is_posture_known_on,
    quoted_title,
    recommendation_answers_for,
)
from router.coverage.verdicts import Verdict, covered, gap, not_coverable, unknown
from router.domain.recommendations import SQL_PROTECTED

_AGE = timedelta(days=1)
"""How long the word Protected counts."""

_PROTECTION = "properties.azureDefenderStatus"


def _find_machine(case: CoverageCase) -> str | None:
    """The machine that the SQL Server of a case runs on."""
    return next((one.machine for one in case.about(SqlHostFact) if one.machine), None)


class _SqlReport:
    """Where it stands that a SQL Server is protected, that it is not, and that it was once, as Azure Arc says."""

    def __init__(self, case: CoverageCase) -> None:
        hosts = [
            (one.protection, one.source.is_recent(case.now, _AGE), one.source.shows(_PROTECTION, one.protection))
            for one in case.about(SqlHostFact)
        ]
        self.runs = [shown for said, is_recent, shown in hosts if said == "protected" and is_recent]
        self.fails = [shown for said, _, shown in hosts if said == "unprotected"]
        self.stale = [shown for said, is_recent, shown in hosts if said == "protected" and not is_recent]
        self.is_proof = bool(self.runs) and not self.fails


def judge_sql_installed(case: CoverageCase) -> Verdict | None:
    """Covered where the extension succeeded, or Azure Arc sees that the SQL Server is protected."""
    report = _SqlReport(case)
    if report.is_proof:
        return covered("Azure Arc sees that it is protected, so the sensor is there", *report.runs)
    machine = _find_machine(case)
    if machine is None:
        return unknown("nothing says which machine it is on", remedy=remedies.ask_resource(case.id))
    state = machine_state_for(case.facts, machine, case.now)
    extensions = [one for one in case.facts.about(ExtensionFact, machine) if one.is_sql]
    shown = [one.source.shows(one.field, one.state) for one in extensions]
    failed = next((one for one in extensions if one.state == "failed"), None)
    if failed is None and any(one.state == "succeeded" for one in extensions):
        return covered(f"the extension {extensions[0].name} of its machine succeeded", *shown, remarks=state.remarks)
    if state.stopped is not None:
        return not_coverable("its machine is stopped", state.stopped)
    if failed is not None:
        why = f": {failed.message}" if failed.message else ""
        others = [one for one in extensions if one.state == "succeeded"]
        remarks = tuple(f"they contradict each other: {one.source.document} says succeeded" for one in others)
        remedy = remedies.remove_extension(machine, failed.name)
        return gap(f"the extension {failed.name} of its machine failed{why}", *shown, remedy=remedy, remarks=remarks)
    if extensions:
        reason = f"the extension {extensions[0].name} of its machine has neither succeeded nor failed"
        return unknown(reason, *shown, remedy=remedies.ASK_EXTENSIONS)
    absent = [one for one in case.facts.about(AbsentExtensionsFact, machine) if one.lacks_sql]
    if absent and not state.is_new:
        evidence = [one.source.shows("extensions", ", ".join(one.others or ())) for one in absent]
        return gap(
            "its machine has no extension of Defender for SQL", *evidence, remedy=remedies.install_sql_sensor(machine)
        )
    return unknown(
        "nothing says whether its machine has the extension of Defender for SQL", remedy=remedies.ASK_EXTENSIONS
    )


def judge_sql_running(case: CoverageCase) -> Verdict | None:
    """Covered where Azure Arc said so within a day, or the recommendation is healthy."""
    report, machine = _SqlReport(case), _find_machine(case)
    state = machine_state_for(case.facts, machine, case.now)
    said = recommendation_answers_for(case, [case.workload.subject, machine], [SQL_PROTECTED])
    if report.is_proof:
        return covered("Azure Arc sees that it is protected", *report.runs, remarks=(*state.remarks, *said.doubts))
    is_proof = said.are_healthy and is_posture_known_on(case)
    # Where Azure Arc could say the opposite, it must have been asked whether it reaches the machine.
    if is_proof and machine is not None and state.is_in_reach and not report.fails:
        reason = f"the recommendation {quoted_title(said.healthy[0])} is healthy"
        return covered(reason, *said.evidence, remarks=state.remarks)
    if state.stopped is not None:
        return not_coverable("its machine is stopped", state.stopped)
    plan = PLAN_OF_KIND[case.workload.kind]
    mend = remedies.install_sql_sensor(machine) if machine else remedies.enable_plan(plan, case.subscription)
    if report.fails:
        remarks = tuple(f"they contradict each other: {one.document} says protected" for one in report.runs)
        return gap("Azure Arc sees that it is not protected", *report.fails, remedy=mend, remarks=remarks)
    if said.unhealthy:
        return gap(said.doubts[0], *said.evidence, remedy=mend)
    if doubt := said.find_doubt(remedies.ask_resource(case.id), remedies.ASK_SQL_RECOMMENDATIONS):
        return unknown(doubt[0], *said.evidence, remedy=doubt[1])
    if said.healthy and machine is None:
        reason = "the recommendation is healthy, and nothing says which machine it is on"
        return unknown(reason, *said.evidence, remedy=remedies.ask_resource(case.id))
    if said.healthy and not state.is_in_reach:
        reason = "the recommendation is healthy, and nothing says that Azure Arc still reaches the machine"
        return unknown(reason, *said.evidence, remedy=remedies.ask_resource(machine or ""))
    if said.healthy:
        return unknown(POSTURE_NOT_KNOWN, *said.evidence, remedy=remedies.ASK_POSTURE)
    if report.stale:
        reason = "Azure Arc saw that it was protected, and not within the last day"
        return unknown(reason, *report.stale, remedy=remedies.ask_resource(case.id))
    return unknown("nobody asked whether it is protected", remedy=remedies.ASK_SQL_RECOMMENDATIONS)
