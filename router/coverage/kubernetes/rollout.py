"""One DaemonSet against the nodes of its cluster: where it is ready, and what it lacks elsewhere."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from enum import IntEnum

from router.coverage.kubernetes.daemon_sets import SensorDaemonSet
from router.coverage.kubernetes.mends import describe, lift_obstacle, show_pod
from router.coverage.kubernetes.nodes import Obstacle, find_obstacle
from router.coverage.kubernetes.objects import Fleet, SensorObjects
from router.coverage.kubernetes.pods import MANY_RESTARTS, Pod
from router.coverage.verdicts import CoverageEvidence


class NodeState(IntEnum):
    """What is known of a DaemonSet on a node; the greater, the worse.

    Attributes:
        READY: its pod there is ready.
        UNCLEAR: the documents do not tell.
        SHORT: its pod is not ready on some nodes, and this may be one of them.
        LACKING: its pod there is not ready, or not there.
    """

    READY = 0
    UNCLEAR = 1
    SHORT = 2
    LACKING = 3


@dataclass(frozen=True, slots=True, kw_only=True)
class NodeFinding:
    """What is known of a DaemonSet on a node, from what, and the line that mends it.

    Attributes:
        reason: why, as a clause that does not name the node; empty where it is ready, and where the counts alone say it.
        is_uncreated: whether no pod is known there, so that it may be one that cannot be made.
    """

    state: NodeState
    reason: str = ""
    is_uncreated: bool = False
    evidence: tuple[CoverageEvidence, ...] = ()
    remedy: str | None = None


_READY = NodeFinding(state=NodeState.READY)


def find_by_pods(pods: Sequence[Pod], *, has_list: bool) -> NodeFinding | None:
    """What the pods on a node say; None where they say nothing."""
    if any(one.serves for one in pods):
        return _READY
    for pod in pods:
        trouble = "being deleted" if pod.is_terminating else pod.trouble
        shown = pod.source.shows("status", f"{trouble}: {pod.message}" if pod.message else trouble)
        reason = f"pod {pod.name} is {trouble}" + (f" after {pod.restarts} restarts" if pod.restarts else "")
        reason += f": {pod.shortage}" if pod.shortage else ""
        return NodeFinding(state=NodeState.LACKING, reason=reason, evidence=(shown,), remedy=show_pod(pod))
    return NodeFinding(state=NodeState.LACKING, reason="it has no pod there", is_uncreated=True) if has_list else None


def judge_node(
    name: str,
    daemon_set: SensorDaemonSet,
    objects: SensorObjects,
    obstacle: Obstacle | None,
    seen: NodeFinding | None,
    counted: Counted,
) -> NodeFinding:
    """What is known of a DaemonSet on a node."""
    fleet = objects.fleet
    if daemon_set.is_terminating:
        shown = daemon_set.source.shows("metadata.deletionTimestamp", "set")
        return NodeFinding(state=NodeState.LACKING, reason="it is being deleted", evidence=(shown,))
    is_ready = seen is not None and seen.state is NodeState.READY
    if obstacle is not None and not is_ready:
        source = fleet.nodes[name][0].source if obstacle.taint else daemon_set.source
        return NodeFinding(
            state=NodeState.LACKING,
            reason=obstacle.reason,
            evidence=(source.shows(obstacle.field, obstacle.value),),
            remedy=lift_obstacle(obstacle, daemon_set, objects.fleet.nodes[name][0], objects.workload),
        )
    state = counted.unsupported if name in fleet.uncoverable else counted.state
    found = seen or NodeFinding(state=state, reason=counted.reason, is_uncreated=True)
    return _of_node_not_ready(name, fleet, found) if fleet.is_not_ready(name) else found


def _of_node_not_ready(name: str, fleet: Fleet, found: NodeFinding) -> NodeFinding:
    """What is known of a DaemonSet on a node that does not report: not that it runs, even where a document still says so."""
    source = next(one.source for one in fleet.nodes[name] if one.is_ready is False)
    is_lacking = found.state >= NodeState.SHORT
    return NodeFinding(
        state=NodeState.LACKING if is_lacking else NodeState.UNCLEAR,
        reason="the node is NotReady",
        evidence=(*found.evidence, source.shows("status.conditions[Ready]", "not True")),
        remedy=describe("node", name),
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Counted:
    """What the counts in its status say of every node that a DaemonSet chooses.

    Attributes:
        beyond: on how many nodes it is to run beside those that the documents name.
        unsupported: what they say of the nodes among them on which no sensor is supported.
    """

    state: NodeState
    reason: str = ""
    beyond: int = 0
    unsupported: NodeState = NodeState.UNCLEAR

    @classmethod
    def of(cls, daemon_set: SensorDaemonSet, fleet: Fleet, obstacles: Mapping[str, Obstacle | None]) -> Counted:
        """What they say of the nodes in a fleet."""
        if daemon_set.counts is None:
            reason = (
                f"its status is of generation {daemon_set.observed or 0}, its specification of {daemon_set.generation}"
                if daemon_set.is_stale
                else "its status does not say on how many nodes it is ready"
            )
            return cls(state=NodeState.UNCLEAR, reason=reason)
        desired, ready = daemon_set.counts
        chosen = {name for name, obstacle in obstacles.items() if obstacle is None}
        wanted = len(chosen.intersection(fleet.coverable))
        beyond = max(0, desired - len(chosen))
        is_on_all = fleet.is_whole and not beyond and ready >= len(chosen.intersection(fleet.possible))
        if is_on_all:
            return cls(state=NodeState.READY, beyond=beyond, unsupported=NodeState.READY)
        if ready >= desired >= wanted:
            return cls(state=NodeState.READY, beyond=beyond)
        if ready < wanted:
            return cls(state=NodeState.SHORT, beyond=beyond)
        return cls(
            state=NodeState.UNCLEAR,
            reason=f"it is ready on {ready} of the {desired} nodes that it chooses, and its status does not say on which",
            beyond=beyond,
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Rollout:
    """A DaemonSet against the nodes; of several documents, what the worst one says.

    Attributes:
        problem: what is wrong whatever the nodes are; None where nothing is.
        beyond: on how many nodes it is to run beside those that the documents name.
    """

    daemon_set: SensorDaemonSet
    findings: Mapping[str, NodeFinding]
    problem: NodeFinding | None
    beyond: int
    remarks: tuple[str, ...]

    def count(self, names: Sequence[str]) -> int:
        """On how many of some nodes it is known to be ready."""
        short = sum(self.findings[name].state is NodeState.SHORT for name in names)
        ready = sum(self.findings[name].state is NodeState.READY for name in names)
        counts = self.daemon_set.counts
        return ready if not short or counts is None else max(ready, min(counts[1], ready + short - 1))


def judge_rollout(versions: Sequence[SensorDaemonSet], objects: SensorObjects) -> Rollout:
    """A DaemonSet against the nodes, as the worst of what several documents say of it."""
    found = [_rollout(one, objects) for one in versions]
    worst = max(found, key=_badness)
    remarks = dict.fromkeys(remark for one in found for remark in one.remarks)
    if len(found) > 1:
        remarks[f"{_documents(versions)} say different things of {worst.daemon_set.title}; the worse one counts"] = None
    return Rollout(
        daemon_set=worst.daemon_set,
        findings={
            name: max((one.findings[name] for one in found), key=lambda one: one.state) for name in worst.findings
        },
        problem=next((one.problem for one in found if one.problem is not None), None),
        beyond=max(one.beyond for one in found),
        remarks=tuple(remarks),
    )


def _badness(rollout: Rollout) -> tuple[int, int, bool]:
    counts = rollout.daemon_set.counts
    worst = sum(one.state for one in rollout.findings.values())
    return worst, -counts[1] if counts else 0, rollout.problem is not None


def _documents(versions: Sequence[SensorDaemonSet]) -> str:
    return " and ".join(dict.fromkeys(one.source.document for one in versions))


def _rollout(daemon_set: SensorDaemonSet, objects: SensorObjects) -> Rollout:
    fleet = objects.fleet
    own = objects.find_pods(daemon_set)
    by_node = _by_node(own)
    # A pod that waits for a node is to be on one without a pod; no document says on which.
    waiting = [one for one in by_node.get("", ()) if not one.serves]
    obstacles = {name: _obstacle(name, daemon_set, fleet) for name in fleet.nodes}
    counted = Counted.of(daemon_set, fleet, obstacles)
    # A list of pods that has none of a DaemonSet's may be of other namespaces; one that has some has all of them.
    has_list = any(pod.source.is_whole for some in own.values() for pod in some)
    findings: dict[str, NodeFinding] = {}
    remarks: dict[str, None] = {}
    for name in fleet.possible:
        by_pods = find_by_pods(by_node.get(name) or waiting, has_list=has_list)
        findings[name] = judge_node(name, daemon_set, objects, obstacles[name], by_pods, counted)
        if by_pods is not None and by_pods.state is NodeState.LACKING and counted.state is NodeState.READY:
            remarks[f"the status of {daemon_set.title} counts more pods that are ready than its list of pods has"] = (
                None
            )
    remarks |= dict.fromkeys(_pod_remarks(own, fleet))
    if daemon_set.misscheduled:
        remarks[f"{daemon_set.title} runs on {daemon_set.misscheduled} nodes on which it is not to run"] = None
    return Rollout(
        daemon_set=daemon_set,
        findings=_corrected(findings, daemon_set, fleet),
        problem=_problem(daemon_set, by_node),
        beyond=counted.beyond,
        remarks=tuple(remarks),
    )


def _by_node(pods: Mapping[tuple[str, str], tuple[Pod, ...]]) -> dict[str, list[Pod]]:
    """The pods on each node; of several documents of a pod, what the worst one says."""
    found: dict[str, list[Pod]] = defaultdict(list)
    for versions in pods.values():
        worst = min(versions, key=lambda one: one.serves)
        for node in dict.fromkeys(one.node for one in versions):
            found[node].append(worst)
    return found


def _obstacle(name: str, daemon_set: SensorDaemonSet, fleet: Fleet) -> Obstacle | None:
    return next(filter(None, (find_obstacle(one, daemon_set.scheduling) for one in fleet.nodes[name])), None)


def _corrected(
    findings: Mapping[str, NodeFinding], daemon_set: SensorDaemonSet, fleet: Fleet
) -> Mapping[str, NodeFinding]:
    """The findings, where pods are ready on more nodes than the status counts: those are the ones that it speaks of."""
    if daemon_set.counts is None:
        return findings
    _, counted = daemon_set.counts
    chosen = [name for name in fleet.coverable if _obstacle(name, daemon_set, fleet) is None]
    ready = [name for name in chosen if findings[name].state is NodeState.READY]
    if len(ready) <= counted or counted >= len(chosen):
        return findings
    return {**findings, **dict.fromkeys(ready, NodeFinding(state=NodeState.SHORT, is_uncreated=True))}


def _problem(daemon_set: SensorDaemonSet, by_node: Mapping[str, Sequence[Pod]]) -> NodeFinding | None:
    """What is wrong whatever the nodes are; None where nothing is known to be."""
    if daemon_set.is_terminating:
        return NodeFinding(state=NodeState.LACKING, reason="it is being deleted")
    if daemon_set.counts is not None and daemon_set.counts[1] < daemon_set.counts[0]:
        return NodeFinding(state=NodeState.SHORT, is_uncreated=True)
    for node, pods in by_node.items():
        found = find_by_pods(pods, has_list=False)
        if found is not None and found.state is NodeState.LACKING:
            where = f"node {node}: " if node else ""
            return NodeFinding(
                state=found.state, reason=f"{where}{found.reason}", evidence=found.evidence, remedy=found.remedy
            )
    return None


def _pod_remarks(pods: Mapping[tuple[str, str], tuple[Pod, ...]], fleet: Fleet) -> Iterator[str]:
    for versions in pods.values():
        pod = min(versions, key=lambda one: one.serves)
        if len(versions) > 1:
            documents = " and ".join(dict.fromkeys(one.source.document for one in versions))
            yield f"{documents} say different things of pod {pod.name}; the worse one counts"
        if fleet.nodes and pod.node and pod.node not in fleet.nodes:
            yield f"pod {pod.name} is on node {pod.node}, which is not among the nodes"
        if pod.serves and pod.restarts >= MANY_RESTARTS:
            yield f"pod {pod.name} on node {pod.node} is ready after {pod.restarts} restarts ({MANY_RESTARTS} or more are said)"
