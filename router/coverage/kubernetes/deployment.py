"""Collector and publisher of one namespace: together they are a sensor, and each is to be ready on every node that can."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from router.coverage.kubernetes.asks import ASK_CLUSTER
from router.coverage.kubernetes.commands import enable_sensor
from router.coverage.kubernetes.daemon_sets import SensorPart, version_remark
from router.coverage.kubernetes.faults import SensorFault, gap_of, sentence_of, unclear
from router.coverage.kubernetes.findings import NodeFinding, NodeState
from router.coverage.kubernetes.objects import Fleet, SensorObjects
from router.coverage.kubernetes.rollout import Rollout, rollout_of
from router.coverage.verdicts import CoverageEvidence, CoverageState, Verdict, Workload


@dataclass(frozen=True, slots=True, kw_only=True)
class Deployment:
    """The sensor of one namespace.

    Attributes:
        namespace: the namespace.
        rollouts: its DaemonSets against the nodes, by what they are parts of.
        verdict: whether it runs on every node that can have it.
    """

    namespace: str
    rollouts: Mapping[SensorPart, tuple[Rollout, ...]]
    verdict: Verdict


def deployments_of(objects: SensorObjects, workload: Workload, now: datetime) -> list[Deployment]:
    """The sensors of a cluster, by namespace; those that run come first, and those that are broken last."""
    namespaces: dict[str, dict[SensorPart, list[Rollout]]] = defaultdict(lambda: defaultdict(list))
    for (namespace, _), versions in sorted(objects.daemon_sets.items()):
        rollout = rollout_of(versions, objects)
        for part in sorted(rollout.daemon_set.parts):
            namespaces[namespace][part].append(rollout)
    found = [_deployment(namespace, some, objects, workload, now) for namespace, some in namespaces.items()]
    order = (CoverageState.COVERED, CoverageState.UNKNOWN, CoverageState.GAP)
    return sorted(found, key=lambda one: order.index(one.verdict.state))


def _deployment(
    namespace: str,
    rollouts: Mapping[SensorPart, list[Rollout]],
    objects: SensorObjects,
    workload: Workload,
    now: datetime,
) -> Deployment:
    parts = {part: tuple(some) for part, some in rollouts.items()}
    faults = list(_faults(namespace, parts, objects, workload))
    is_gap = any(one.state is CoverageState.GAP for one in faults)
    state = CoverageState.GAP if is_gap else CoverageState.UNKNOWN if faults else CoverageState.COVERED
    said = [one for one in faults if one.state is state]
    everything = [rollout for some in parts.values() for rollout in some]
    nodes = len(objects.fleet.coverable)
    where = "the one node that can have them" if nodes == 1 else f"all {nodes} nodes that can have them"
    verdict = Verdict(
        state=state,
        reason=sentence_of(said) or f"collector and publisher in {namespace} are ready on {where}",
        evidence=tuple(dict.fromkeys(_evidence(said, everything, objects.fleet))),
        remedy=next((one.remedy for one in said if one.remedy), None),
        remarks=tuple(dict.fromkeys(_remarks(namespace, state, everything, objects, now))),
        counts=_counts(namespace, parts, objects),
    )
    return Deployment(namespace=namespace, rollouts=parts, verdict=verdict)


def _evidence(said: Sequence[SensorFault], rollouts: Sequence[Rollout], fleet: Fleet) -> Iterator[CoverageEvidence]:
    """What a verdict rests on: what is at fault, else what every status says; and against how many nodes that is held."""
    for fault in said:
        yield from fault.evidence
    if not said:
        for rollout in rollouts:
            yield from rollout.daemon_set.evidence()
    for file in dict.fromkeys(one.source.file for versions in fleet.nodes.values() for one in versions):
        yield CoverageEvidence(
            file, "items", f"{len(fleet.nodes)} nodes, of which {len(fleet.coverable)} can have a sensor"
        )


def _faults(
    namespace: str, parts: Mapping[SensorPart, tuple[Rollout, ...]], objects: SensorObjects, workload: Workload
) -> Iterator[SensorFault]:
    for part in SensorPart:
        if part in parts:
            yield from _faults_of(parts[part], objects)
        elif objects.is_namespace_listed(namespace):
            documents = ", ".join(one for one, listed in objects.listed.items() if namespace in listed)
            yield SensorFault(
                state=CoverageState.GAP,
                reason=f"no {part} of Defender is among the DaemonSets of {namespace} in {documents}",
                remedy=enable_sensor(workload) or ASK_CLUSTER,
            )
        else:
            yield unclear(f"nobody asked whether a {part} is in {namespace}")
    if not objects.fleet.nodes:
        yield unclear("nobody asked which nodes the cluster has")
    elif not objects.fleet.is_whole:
        yield unclear("the nodes that were given are no whole list of the cluster's")
    widest, fleet = objects.widest, objects.fleet
    if widest is not None and fleet.nodes and widest.many > len(fleet.nodes):
        reason = f"{widest.title} is to be on {widest.many} nodes, and the list of them has {len(fleet.nodes)}"
        yield unclear(reason, widest.source.shows("status.desiredNumberScheduled", widest.many))
    beyond = max((one.beyond for some in parts.values() for one in some), default=0)
    if objects.fleet.nodes and beyond:
        yield unclear(f"the sensor is to be on {beyond} more than the nodes in the list of them")


def _faults_of(rollouts: Sequence[Rollout], objects: SensorObjects) -> Iterator[SensorFault]:
    """What one part of a sensor lacks; where several DaemonSets are that part, on each node the best of them counts."""
    fleet = objects.fleet
    best = {name: _best(name, rollouts) for name in fleet.possible}
    bad = {name: best[name] for name in fleet.coverable if best[name][1].state is not NodeState.READY}
    for rollout in rollouts:
        lacking = {
            name: finding
            for name, (owner, finding) in bad.items()
            if owner is rollout and finding.state >= NodeState.SHORT
        }
        unsure = [(name, one) for name, (owner, one) in bad.items() if owner is rollout and name not in lacking]
        if lacking:
            yield gap_of(rollout, lacking, objects)
        for name, finding in unsure[:1]:
            where = f" (node {name} and {len(unsure) - 1} more)" if len(unsure) > 1 else f" (node {name})"
            reason = f"{rollout.daemon_set.title}: {finding.reason}{where}"
            yield unclear(reason, *rollout.daemon_set.evidence(), *finding.evidence)
    problems = [one for one in rollouts if one.problem is not None]
    if not fleet.is_whole and len(problems) == len(rollouts):
        yield gap_of(problems[0], {}, objects)


def _best(name: str, rollouts: Sequence[Rollout]) -> tuple[Rollout, NodeFinding]:
    found = [(one, one.findings[name]) for one in rollouts]
    return min(found, key=lambda pair: pair[1].state)


def _remarks(
    namespace: str, state: CoverageState, rollouts: Sequence[Rollout], objects: SensorObjects, now: datetime
) -> Iterator[str]:
    for rollout in rollouts:
        yield from rollout.remarks
        if rollout.daemon_set.doubt:
            yield f"{rollout.daemon_set.title} {rollout.daemon_set.doubt}"
        if rollout.daemon_set.version:
            yield version_remark(rollout.daemon_set.version, now)
    if any(one.daemon_set.is_managed for one in rollouts) and state is CoverageState.GAP:
        yield f"AKS manages the DaemonSets in {namespace}, and may undo a change to them"
    if state is CoverageState.COVERED and any(one.refuses_sensor for one in objects.levels.get(namespace, ())):
        level = next(one.enforced for one in objects.levels[namespace] if one.refuses_sensor)
        yield f"the namespace {namespace} enforces Pod Security {level}, which refuses pods of the sensor that are made anew"


def _counts(
    namespace: str, parts: Mapping[SensorPart, tuple[Rollout, ...]], objects: SensorObjects
) -> Mapping[CoverageState, int] | None:
    """How many nodes are in which state; a node that is not supported and where the sensor runs is covered all the same."""
    fleet = objects.fleet
    if not fleet.nodes:
        return None
    absent = NodeState.LACKING if objects.is_namespace_listed(namespace) else NodeState.UNCLEAR
    found = Counter(_state_of(name, parts, fleet, absent) for name in fleet.nodes)
    # Where the status counts fewer pods than there are nodes, and nothing says on which they are, as many nodes are a gap.
    ready = [max(one.count(fleet.coverable) for one in some) for some in parts.values()]
    missing = max((len(fleet.coverable) - count for count in ready), default=0)
    if len(parts) == len(SensorPart) and found[CoverageState.GAP] > missing > 0:
        found[CoverageState.COVERED] += found[CoverageState.GAP] - missing
        found[CoverageState.GAP] = missing
    return {state: found[state] for state in CoverageState if found[state]}


def _state_of(
    name: str, parts: Mapping[SensorPart, tuple[Rollout, ...]], fleet: Fleet, absent: NodeState
) -> CoverageState:
    """What is known of a node; `absent` is what that means on each node that a part has no DaemonSet."""
    if name not in fleet.possible:
        return CoverageState.NOT_COVERABLE
    worst = max(_best(name, parts[part])[1].state if part in parts else absent for part in SensorPart)
    if worst is NodeState.READY:
        return CoverageState.COVERED
    if name in fleet.uncoverable:
        return CoverageState.NOT_COVERABLE
    return CoverageState.GAP if worst >= NodeState.SHORT else CoverageState.UNKNOWN
