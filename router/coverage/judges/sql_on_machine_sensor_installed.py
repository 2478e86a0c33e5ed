"""Whether the machine of a SQL Server has the extension of Defender for SQL. The plan alone deploys nothing.

https://learn.microsoft.com/azure/defender-for-cloud/defender-for-sql-usage
"""

from __future__ import annotations

from router.coverage.case import CoverageCase
from router.coverage.machines.commands import ASK_EXTENSIONS, ask_resource, remove_extension
from router.coverage.machines.sql_reports import machine_of, sql_report_for
from router.coverage.machines.states import machine_state_for
from router.coverage.readers.machine_extensions import AbsentExtensionsFact, ExtensionFact
from router.coverage.verdicts import Verdict, covered, gap, not_coverable, unknown
from router.domain.coverage import Rung, WorkloadKind

RUNG = Rung.SENSOR_INSTALLED
KINDS = (WorkloadKind.SQL_ON_MACHINE,)


def judge(case: CoverageCase) -> Verdict | None:
    """Covered where the extension succeeded, or Azure Arc sees that the SQL Server is protected."""
    report = sql_report_for(case)
    if report.is_proof:
        return covered("Azure Arc sees that it is protected, so the sensor is there", *report.runs)
    machine = machine_of(case)
    if machine is None:
        return unknown("nothing says which machine it is on", remedy=ask_resource(case.workload.id or ""))
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
        remedy = remove_extension(machine, failed.name)
        return gap(f"the extension {failed.name} of its machine failed{why}", *shown, remedy=remedy, remarks=remarks)
    if extensions:
        reason = f"the extension {extensions[0].name} of its machine has neither succeeded nor failed"
        return unknown(reason, *shown, remedy=ASK_EXTENSIONS)
    absent = [one for one in case.facts.about(AbsentExtensionsFact, machine) if one.lacks_sql]
    if absent and not state.is_new:
        evidence = [one.source.shows("resources", None) for one in absent]
        return gap("its machine has no extension of Defender for SQL", *evidence, remedy=ASK_EXTENSIONS)
    return unknown("nothing says whether its machine has the extension of Defender for SQL", remedy=ASK_EXTENSIONS)
