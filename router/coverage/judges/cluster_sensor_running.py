"""Whether the sensor runs on every node of a cluster that can have one."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta
from typing import NamedTuple

from router.coverage.case import CoverageCase
from router.coverage.fields import time_of
from router.coverage.kubernetes.asks import at_cluster
from router.coverage.kubernetes.exclusion import find_exclusion, find_stopped, left_out
from router.coverage.kubernetes.objects import objects_of
from router.coverage.kubernetes.sensor import is_seen_running, judge_running
from router.coverage.readers.kubernetes import KubernetesFact
from router.coverage.readers.process_events import ProcessEventsFact
from router.coverage.recency import age_of
from router.coverage.verdicts import CoverageEvidence, CoverageState, Verdict
from router.domain.clocks import is_possible
from router.domain.coverage import Rung, WorkloadKind

RUNG = Rung.SENSOR_RUNNING
KINDS = (WorkloadKind.CLUSTER,)

_FRESH = timedelta(days=1)
"""How old a row may be that shows a sensor at work: a cluster runs processes all day."""


def judge(case: CoverageCase) -> Verdict | None:
    """Covered where collector and publisher are ready on every node that can have them, in that cluster's own words."""
    return at_cluster(_judge(case), case.workload)


def _judge(case: CoverageCase) -> Verdict:
    objects, row = objects_of(case.about(KubernetesFact), case.workload), _find_last_row(case)
    verdict = _with_last_row(judge_running(objects, case.now), row, case.now)
    if verdict.state in (CoverageState.COVERED, CoverageState.NOT_COVERABLE):
        return verdict
    is_running = is_seen_running(objects)
    if not is_running and (stopped := find_stopped(case)) is not None:
        return stopped
    if (exclusion := find_exclusion(case)) is None:
        return verdict
    is_running = is_running or (row is not None and row.is_fresh(case.now))
    return left_out(verdict, exclusion, case.workload, is_running=is_running)


class _LastRow(NamedTuple):
    """The last row that a cluster's sensor sent, which says that it ran then, on some node, and nothing of the other nodes."""

    time: datetime
    evidence: CoverageEvidence

    def is_fresh(self, now: datetime) -> bool:
        """Whether the sensor ran within a day, on some node."""
        return now - self.time <= _FRESH


def _find_last_row(case: CoverageCase) -> _LastRow | None:
    """The last one that is known; None where no workspace says any, which proves nothing."""
    rows = [
        _LastRow(time, fact.source.shows("last", fact.source.time))
        for fact in case.about(ProcessEventsFact)
        if (time := time_of(fact.source.time or "")) is not None and is_possible(time, case.now)
    ]
    return max(rows, key=lambda one: one.time, default=None)


def _with_last_row(verdict: Verdict, row: _LastRow | None, now: datetime) -> Verdict:
    """A verdict with what the last row adds: it stays what it is, since rows of one node cover no other one."""
    if row is None:
        return verdict
    said = f"the last row of its sensor is {age_of(row.time, now)} old"
    if verdict.state is not CoverageState.UNKNOWN:
        return replace(verdict, remarks=(*verdict.remarks, said))
    said = f"{said}, and says nothing of its other nodes" if row.is_fresh(now) else said
    return replace(verdict, reason=f"{verdict.reason}; {said}", evidence=(*verdict.evidence, row.evidence))
