"""Whether a cluster's sensor is there, and whether it runs, as the cluster itself says."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from dataclasses import replace
from datetime import datetime

from router.coverage.kubernetes.asks import ASK_CLUSTER
from router.coverage.kubernetes.commands import enable_sensor
from router.coverage.kubernetes.daemon_sets import SensorDaemonSet, SensorPart
from router.coverage.kubernetes.deployment import deployments_of
from router.coverage.kubernetes.faults import named
from router.coverage.kubernetes.objects import Fleet, SensorObjects
from router.coverage.kubernetes.rollout import rollout_of
from router.coverage.verdicts import (
    CoverageEvidence,
    CoverageState,
    Verdict,
    Workload,
    covered,
    gap,
    not_coverable,
    unknown,
)


def judge_running(objects: SensorObjects, workload: Workload, now: datetime) -> Verdict:
    """Whether one whole sensor is ready on every node that can have it."""
    found = deployments_of(objects, workload, now)
    if not found:
        return judge_absence(objects, workload)
    first, *others = found
    if objects.fleet.is_whole and not objects.fleet.coverable:
        return _no_node(objects)
    beside = [
        f"a sensor is in {one.namespace}, too, and is {one.verdict.state}: {one.verdict.reason}" for one in others
    ]
    remarks = (*first.verdict.remarks, *beside, *_fleet_remarks(objects.fleet))
    return replace(first.verdict, remarks=tuple(dict.fromkeys(remarks)))


def judge_installed(objects: SensorObjects, workload: Workload) -> Verdict:
    """Whether a collector was deployed, be it ready or not."""
    collectors = [one for one in _newest(objects) if SensorPart.COLLECTOR in one.parts]
    going = [one for one in collectors if one.is_terminating]
    if staying := [one for one in collectors if not one.is_terminating]:
        titles = " and ".join(one.title for one in staying)
        return covered(f"{titles} {'is' if len(staying) == 1 else 'are'} there", *map(_shown, staying))
    if going:
        remedy = enable_sensor(workload) or ASK_CLUSTER
        return gap(f"{going[0].title} is being deleted", *map(_shown, going), remedy=remedy)
    return judge_absence(objects, workload)


def judge_absence(objects: SensorObjects, workload: Workload) -> Verdict:
    """What is known of a cluster of whose sensor no document has a collector or a publisher."""
    fleet = objects.fleet
    if objects.is_empty:
        for refusal in objects.refusals:
            return unknown(f"the cluster was asked, and did not answer: {refusal}", remedy=ASK_CLUSTER)
        return unknown("nobody asked the cluster itself", remedy=ASK_CLUSTER)
    if fleet.is_whole and fleet.nodes and not fleet.coverable:
        return _no_node(objects)
    beside = [one for one in _newest(objects) if not one.parts]
    if not objects.listed:
        for refusal in objects.refusals:
            if "daemonsets" in refusal:
                return unknown(f"the cluster did not say which DaemonSets it has: {refusal}", remedy=ASK_CLUSTER)
        return unknown("nobody asked which DaemonSets the cluster has", remedy=ASK_CLUSTER)
    if not objects.searched:
        namespaces = sorted(set[str]().union(*objects.listed.values()))
        reason = f"nobody asked for the DaemonSets of every namespace, only for those of {', '.join(namespaces)}"
        return unknown(reason, remedy=ASK_CLUSTER)
    evidence = tuple(CoverageEvidence(one, "items", "no DaemonSet of Defender") for one in objects.searched)
    reason = "no DaemonSet of Defender's sensor is in " + ", ".join(map(_listing, objects.searched.items()))
    remarks = [f"{one.title} {one.doubt or 'is of Defender, and is no part of the sensor'}" for one in beside]
    remarks += _fleet_remarks(fleet)
    return gap(
        reason,
        *evidence,
        remedy=enable_sensor(workload) or ASK_CLUSTER,
        remarks=tuple(dict.fromkeys(remarks)),
    )


def is_seen_running(objects: SensorObjects) -> bool:
    """Whether a collector is ready on some node."""
    for versions in objects.daemon_sets.values():
        rollout = rollout_of(versions, objects)
        daemon_set = rollout.daemon_set
        if SensorPart.COLLECTOR not in daemon_set.parts or daemon_set.is_terminating:
            continue
        if daemon_set.counts is not None and daemon_set.counts[1] > 0:
            return True
        if any(one.is_ready for some in objects.pods_of(daemon_set).values() for one in some):
            return True
    return False


def _newest(objects: SensorObjects) -> list[SensorDaemonSet]:
    """Each DaemonSet once; of one of which documents say different things, the one that is being deleted."""
    return [max(some, key=lambda one: one.is_terminating) for _, some in sorted(objects.daemon_sets.items())]


def _shown(daemon_set: SensorDaemonSet) -> CoverageEvidence:
    return daemon_set.source.shows("metadata.name", daemon_set.name)


def _listing(listed: tuple[str, frozenset[str]]) -> str:
    document, namespaces = listed
    if not namespaces:
        return f"{document}, whose list is empty"
    if len(namespaces) <= 3:
        return f"{document}, which lists the DaemonSets of {', '.join(sorted(namespaces)) or 'no namespace'}"
    return f"{document}, which lists the DaemonSets of {len(namespaces)} namespaces"


def _no_node(objects: SensorObjects) -> Verdict:
    fleet = objects.fleet
    evidence = [fleet.nodes[name][0].source.shows("metadata.name", name) for name in list(fleet.nodes)[:3]]
    verdict = not_coverable("; ".join(_uncoverable(fleet)), *evidence)
    return replace(verdict, counts={CoverageState.NOT_COVERABLE: len(fleet.nodes)})


def _fleet_remarks(fleet: Fleet) -> Iterator[str]:
    yield from _uncoverable(fleet)
    if silent := [name for name in fleet.nodes if fleet.is_not_ready(name)]:
        yield f"{named(silent)} {'is' if len(silent) == 1 else 'are'} NotReady"
    for name, versions in fleet.nodes.items():
        if len(versions) > 1:
            documents = " and ".join(dict.fromkeys(one.source.document for one in versions))
            yield f"{documents} say different things of node {name}; the worse one counts"


def _uncoverable(fleet: Fleet) -> Iterator[str]:
    by_reason: dict[str, list[str]] = defaultdict(list)
    for name, found in fleet.uncoverable.items():
        by_reason[found.reason].append(name)
    for reason, names in by_reason.items():
        yield f"not coverable: {named(names)} {'is' if len(names) == 1 else 'are each'} {reason}"
