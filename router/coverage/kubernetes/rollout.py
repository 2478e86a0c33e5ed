"""One DaemonSet against the nodes of its cluster: where it is ready, and what it lacks elsewhere.

That as many pods are ready as are desired proves nothing by itself: a node that the DaemonSet passes over is not desired. So
counts are held against the list of nodes, and against pods where they are given. Where they disagree, the worse one counts.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from router.coverage.kubernetes.daemon_sets import SensorDaemonSet
from router.coverage.kubernetes.findings import Counted, NodeFinding, NodeState, find_by_pods, finding_of
from router.coverage.kubernetes.objects import Fleet, SensorObjects
from router.coverage.kubernetes.pods import MANY_RESTARTS, Pod
from router.coverage.kubernetes.scheduling import Obstacle, find_obstacle


@dataclass(frozen=True, slots=True, kw_only=True)
class Rollout:
    """A DaemonSet against the nodes.

    Attributes:
        daemon_set: the DaemonSet; of several documents, what the worst one says.
        findings: what is known of each node on which it may run.
        problem: what is wrong whatever the nodes are; None where nothing is.
        beyond: on how many nodes it is to run beside those that the documents name.
        remarks: what else is to be said.
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


def rollout_of(versions: Sequence[SensorDaemonSet], objects: SensorObjects) -> Rollout:
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
    own = objects.pods_of(daemon_set)
    by_node = _by_node(own)
    obstacles = {name: _obstacle(name, daemon_set, fleet) for name in fleet.nodes}
    counted = Counted.of(daemon_set, fleet, obstacles)
    # A list of pods that has none of a DaemonSet's may be of other namespaces; one that has some has all of them.
    has_list = any(pod.source.is_whole for some in own.values() for pod in some)
    findings: dict[str, NodeFinding] = {}
    remarks: dict[str, None] = {}
    for name in fleet.possible:
        by_pods = find_by_pods(by_node.get(name, ()), has_list=has_list)
        findings[name] = finding_of(name, daemon_set, fleet, obstacles[name], by_pods, counted)
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
