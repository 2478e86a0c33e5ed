"""Whether the sensor runs on every node of a cluster that can have one."""

from __future__ import annotations

from router.coverage.case import CoverageCase
from router.coverage.kubernetes.contexts import at_cluster
from router.coverage.kubernetes.exclusion import find_exclusion, find_stopped, left_out
from router.coverage.kubernetes.last_rows import find_last_row, with_last_row
from router.coverage.kubernetes.objects import objects_of
from router.coverage.kubernetes.sensor import is_seen_running, judge_running
from router.coverage.readers.kubernetes import KubernetesFact
from router.coverage.verdicts import CoverageState, Verdict
from router.domain.coverage import Rung, WorkloadKind

RUNG = Rung.SENSOR_RUNNING
KINDS = (WorkloadKind.CLUSTER,)


def judge(case: CoverageCase) -> Verdict | None:
    """Covered where collector and publisher are ready on every node that can have them, in that cluster's own words."""
    return at_cluster(_judge(case), case.workload)


def _judge(case: CoverageCase) -> Verdict:
    objects, row = objects_of(case.about(KubernetesFact)), find_last_row(case)
    verdict = with_last_row(judge_running(objects, case.workload, case.now), row, case.now)
    if verdict.state in (CoverageState.COVERED, CoverageState.NOT_COVERABLE):
        return verdict
    is_running = is_seen_running(objects)
    if not is_running and (stopped := find_stopped(case)) is not None:
        return stopped
    if (exclusion := find_exclusion(case)) is None:
        return verdict
    is_running = is_running or (row is not None and row.is_fresh(case.now))
    return left_out(verdict, exclusion, case.workload, is_running=is_running)
