"""Sensors of clusters: whether one was deployed, and whether it runs on every node that can have one. Pure.

The dark cluster passes the first, which proves no more than that.
"""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta
from typing import NamedTuple

from router.coverage.facts import CoverageCase, age_words
from router.coverage.fields import parse_time
from router.coverage.kubernetes.asks import at_cluster
from router.coverage.kubernetes.exclusion import find_exclusion, find_stopped, left_out
from router.coverage.kubernetes.mends import enable_sensor
from router.coverage.kubernetes.objects import collect_objects
from router.coverage.kubernetes.sensor import is_seen_running, judge_installed, judge_running
from router.coverage.readers.clusters import ClusterProfileFact, KubernetesExtensionFact, ProcessEventsFact
from router.coverage.readers.kubernetes import KubernetesFact
from router.coverage.verdicts import CoverageEvidence, CoverageState, Verdict, covered, gap
from router.domain.clocks import is_possible

_EXTENSION = "microsoft.azuredefender.kubernetes"

_FRESH = timedelta(days=1)
"""How old a row may be that shows a sensor at work: a cluster runs processes all day."""


def judge_cluster_installed(case: CoverageCase) -> Verdict | None:
    """Covered where a collector's DaemonSet is there, or the extension for clusters of Azure Arc says that it was installed."""
    return at_cluster(_installed(case), case.workload)


def _installed(case: CoverageCase) -> Verdict:
    verdict = judge_installed(collect_objects(case.about(KubernetesFact), case.workload))
    extensions = [one for one in case.about(KubernetesExtensionFact) if one.extension == _EXTENSION]
    if verdict.state is not CoverageState.COVERED and extensions:
        verdict = _by_arc_extension(verdict, extensions, case)
    exclusion = find_exclusion(case)
    if verdict.state is CoverageState.COVERED:
        remark = exclusion and f"the tag {exclusion.tag} keeps Azure from installing it; it is there all the same"
        return replace(verdict, remarks=(*verdict.remarks, remark)) if remark else verdict
    if verdict.state is CoverageState.NOT_COVERABLE:
        return verdict
    if (stopped := find_stopped(case)) is not None:
        return stopped
    if exclusion is not None:
        return left_out(verdict, exclusion, case.workload, is_running=False)
    return _with_profile(verdict, case)


def _by_arc_extension(verdict: Verdict, extensions: list[KubernetesExtensionFact], case: CoverageCase) -> Verdict:
    """What the extension says; of several documents of it, the worst one counts."""
    worst = min(extensions, key=lambda one: (one.state == "succeeded", one.state != "failed"))
    shown = worst.source.shows("properties.provisioningState", worst.state)
    if worst.state == "succeeded":
        remarks = (verdict.reason,) if verdict.state is CoverageState.GAP else ()
        return covered(f"the extension {_EXTENSION} was installed", shown, remarks=remarks)
    if worst.state == "failed":
        error = f": {worst.error}" if worst.error else ""
        reason = f"the extension {_EXTENSION} could not be installed{error}"
        return gap(reason, shown, remedy=enable_sensor(case.workload))
    remark = f"the extension {_EXTENSION} is {worst.state or 'in a state that its document does not say'}"
    return replace(verdict, evidence=(*verdict.evidence, shown), remarks=(*verdict.remarks, remark))


def _with_profile(verdict: Verdict, case: CoverageCase) -> Verdict:
    """The verdict, and what Azure wishes: that proves nothing of what is in the cluster, where it may come from Helm."""
    for profile in case.about(ClusterProfileFact):
        wish = "asks" if profile.has_sensor else "does not ask"
        remark = f"the security profile of the cluster {wish} for the sensor"
        shown = profile.source.shows(profile.sensor_field, profile.has_sensor)
        verdict = replace(verdict, evidence=(*verdict.evidence, shown), remarks=(*verdict.remarks, remark))
    return verdict


def judge_cluster_running(case: CoverageCase) -> Verdict | None:
    """Covered where collector and publisher are ready on every node that can have them, in that cluster's own words."""
    return at_cluster(_running(case), case.workload)


def _running(case: CoverageCase) -> Verdict:
    objects, row = collect_objects(case.about(KubernetesFact), case.workload), _find_last_row(case)
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
        if (time := parse_time(fact.source.time or "")) is not None and is_possible(time, case.now)
    ]
    return max(rows, key=lambda one: one.time, default=None)


def _with_last_row(verdict: Verdict, row: _LastRow | None, now: datetime) -> Verdict:
    """A verdict with what the last row adds: it stays what it is, since rows of one node cover no other one."""
    if row is None:
        return verdict
    said = f"the last row of its sensor is {age_words(row.time, now)} old"
    if verdict.state is not CoverageState.UNKNOWN:
        return replace(verdict, remarks=(*verdict.remarks, said))
    said = f"{said}, and says nothing of its other nodes" if row.is_fresh(now) else said
    return replace(verdict, reason=f"{verdict.reason}; {said}", evidence=(*verdict.evidence, row.evidence))
