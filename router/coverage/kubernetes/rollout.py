"""One DaemonSet against the nodes of its cluster: where it is ready, what it lacks elsewhere, and why."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from copy import replace
from enum import IntEnum

from router.coverage.fields import find_list
from router.coverage.kubernetes.commands import add_toleration, describe, edit, enable_sensor, label_namespace
from router.coverage.kubernetes.daemon_sets import Pod, SensorDaemonSet, shortened
from router.coverage.kubernetes.nodes import Obstacle, find_obstacle
from router.coverage.kubernetes.objects import ENFORCE, Fleet, SensorObjects
from router.coverage.verdicts import CoverageEvidence, Verdict, gap
from router.domain.values import Value

_SHOWN = 3
"""How many nodes, and how many pieces of evidence of one kind, are shown; the rest is counted."""


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


class NodeFinding(Value, kw_only=True):
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


class Rollout(Value, kw_only=True):
    """A DaemonSet against the nodes; of several documents, what the worst one says.

    Attributes:
        problem: what is wrong whatever the nodes are; None where nothing is.
        beyond: on how many nodes it is to run beside those that the documents name.
    """

    daemon_set: SensorDaemonSet
    findings: Mapping[str, NodeFinding]
    problem: NodeFinding | None
    beyond: int

    def count(self, names: Sequence[str]) -> int:
        """On how many of some nodes it is known to be ready."""
        short = sum(self.findings[name].state is NodeState.SHORT for name in names)
        ready = sum(self.findings[name].state is NodeState.READY for name in names)
        counts = self.daemon_set.counts
        return ready if not short or counts is None else max(ready, min(counts[1], ready + short - 1))


def judge_rollout(versions: Sequence[SensorDaemonSet], objects: SensorObjects) -> Rollout:
    """A DaemonSet against the nodes, as the worst of what several documents say of it."""
    found = [_judge_version(one, objects) for one in versions]
    worst = max(found, key=_badness)
    return Rollout(
        daemon_set=worst.daemon_set,
        findings={
            name: max((one.findings[name] for one in found), key=lambda one: one.state) for name in worst.findings
        },
        problem=next((one.problem for one in found if one.problem is not None), None),
        beyond=max(one.beyond for one in found),
    )


def _badness(rollout: Rollout) -> tuple[int, int, bool]:
    counts = rollout.daemon_set.counts
    worst = sum(one.state for one in rollout.findings.values())
    return worst, -counts[1] if counts else 0, rollout.problem is not None


def _judge_version(daemon_set: SensorDaemonSet, objects: SensorObjects) -> Rollout:
    fleet, counts = objects.fleet, daemon_set.counts
    own = objects.find_pods(daemon_set)
    by_node = _by_node(own)
    # A pod that waits for a node is to be on one without a pod; no document says on which.
    waiting = [one for one in by_node.get("", ()) if not one.serves]
    # A list of pods that has none of a DaemonSet's may be of other namespaces; one that has some has all of them.
    has_list = any(pod.source.is_whole for some in own for pod in some)
    obstacles = {name: _find_obstacle(name, daemon_set, fleet) for name in fleet.nodes}
    chosen = {name for name, obstacle in obstacles.items() if obstacle is None}
    beyond = max(0, counts[0] - len(chosen)) if counts is not None else 0
    counted = _find_by_counts(daemon_set, fleet, chosen, beyond)
    findings: dict[str, NodeFinding] = {}
    for name in fleet.coverable:
        found = _find_by_pods(by_node.get(name) or waiting, has_list=has_list) or counted
        findings[name] = _judge_node(name, daemon_set, objects, obstacles[name], found)
    ready = [name for name in findings if name in chosen and findings[name].state is NodeState.READY]
    if counts is not None and counts[1] < len(ready):
        # Pods are ready on more nodes than the status counts: those are the ones that it speaks of.
        findings |= dict.fromkeys(ready, NodeFinding(state=NodeState.SHORT, is_uncreated=True))
    return Rollout(daemon_set=daemon_set, findings=findings, problem=_find_problem(daemon_set, by_node), beyond=beyond)


def _by_node(pods: Sequence[Sequence[Pod]]) -> dict[str, list[Pod]]:
    """The pods on each node; of several documents of a pod, what the worst one says."""
    found: dict[str, list[Pod]] = defaultdict(list)
    for versions in pods:
        worst = min(versions, key=lambda one: one.serves)
        for node in dict.fromkeys(one.node for one in versions):
            found[node].append(worst)
    return found


def _find_obstacle(name: str, daemon_set: SensorDaemonSet, fleet: Fleet) -> Obstacle | None:
    return next(filter(None, (find_obstacle(one, daemon_set.template) for one in fleet.nodes[name])), None)


def _find_by_pods(pods: Sequence[Pod], *, has_list: bool) -> NodeFinding | None:
    """What the pods on a node say; None where they say nothing."""
    if any(one.serves for one in pods):
        return NodeFinding(state=NodeState.READY)
    for pod in pods:
        trouble = "being deleted" if pod.is_terminating else pod.trouble
        told = f"{trouble}: {pod.message}" if pod.message else trouble
        reason = f"pod {pod.name} is {told if trouble == 'Unschedulable' else trouble}"
        return NodeFinding(
            state=NodeState.LACKING,
            reason=reason + (f" after {pod.restarts} restarts" if pod.restarts else ""),
            evidence=(pod.source.shows("status", told),),
            remedy=describe("pod", pod.name, pod.namespace),
        )
    return NodeFinding(state=NodeState.LACKING, reason="it has no pod there", is_uncreated=True) if has_list else None


def _find_by_counts(daemon_set: SensorDaemonSet, fleet: Fleet, chosen: set[str], beyond: int) -> NodeFinding:
    """What the counts in its status say of each node that can have a sensor."""
    state, reason = NodeState.UNCLEAR, ""
    if daemon_set.is_stale:
        reason = f"its status is of generation {daemon_set.observed or 0}, its specification of {daemon_set.generation}"
    elif daemon_set.counts is None:
        reason = "its status does not say on how many nodes it is ready"
    else:
        (desired, ready), wanted = daemon_set.counts, len(chosen.intersection(fleet.coverable))
        is_on_all = fleet.is_whole and not beyond and ready >= len(chosen.intersection(fleet.possible))
        if is_on_all or ready >= desired >= wanted:
            state = NodeState.READY
        elif ready < wanted:
            state = NodeState.SHORT
        else:
            unnamed = f"the {desired} nodes that it chooses, and its status does not say on which"
            reason = f"it is ready on {ready} of {unnamed}"
    return NodeFinding(state=state, reason=reason, is_uncreated=True)


def _judge_node(
    name: str, daemon_set: SensorDaemonSet, objects: SensorObjects, obstacle: Obstacle | None, found: NodeFinding
) -> NodeFinding:
    """What is known of a DaemonSet on a node, by what keeps it off, by its pods, or by its counts."""
    nodes = objects.fleet.nodes[name]
    if daemon_set.is_terminating:
        shown = daemon_set.source.shows("metadata.deletionTimestamp", "set")
        return NodeFinding(state=NodeState.LACKING, reason="it is being deleted", evidence=(shown,))
    if obstacle is not None and (found.is_uncreated or found.state is not NodeState.READY):
        source = nodes[0].source if obstacle.taint else daemon_set.source
        return NodeFinding(
            state=NodeState.LACKING,
            reason=obstacle.reason,
            evidence=(source.shows(obstacle.field, obstacle.value),),
            remedy=_lift_obstacle(name, daemon_set, objects, obstacle),
        )
    if (silent := objects.fleet.find_not_ready(name)) is None:
        return found
    # Nothing runs there for sure, even where a document still says so.
    return NodeFinding(
        state=NodeState.LACKING if found.state >= NodeState.SHORT else NodeState.UNCLEAR,
        reason="the node is NotReady",
        evidence=(*found.evidence, silent.source.shows("status.conditions[Ready]", "not True")),
        remedy=describe("node", name),
    )


def _lift_obstacle(name: str, daemon_set: SensorDaemonSet, objects: SensorObjects, obstacle: Obstacle) -> str:
    """The line that has a DaemonSet choose a node, or opens what a person must decide. AKS undoes a patch of what it manages.

    To remove an affinity or a label would have its pods go to nodes that cannot run them, too, such as virtual ones.
    """
    if daemon_set.is_managed:
        return describe("node", name) if obstacle.taint else enable_sensor(objects.workload)
    about = (daemon_set.name, daemon_set.namespace)
    if obstacle.taint is None:
        return edit("daemonset", *about)
    has_tolerations = find_list(daemon_set.template, "tolerations") is not None
    return add_toleration(*about, obstacle.taint.key, obstacle.taint.effect, has_tolerations=has_tolerations)


def _find_problem(daemon_set: SensorDaemonSet, by_node: Mapping[str, Sequence[Pod]]) -> NodeFinding | None:
    """What is wrong whatever the nodes are; None where nothing is known to be."""
    if daemon_set.is_terminating:
        return NodeFinding(state=NodeState.LACKING, reason="it is being deleted")
    if daemon_set.counts is not None and daemon_set.counts[1] < daemon_set.counts[0]:
        return NodeFinding(state=NodeState.SHORT, is_uncreated=True)
    for node, pods in by_node.items():
        found = _find_by_pods(pods, has_list=False)
        if found is not None and found.state is NodeState.LACKING:
            return replace(found, reason=f"node {node}: {found.reason}" if node else found.reason)
    return None


def find_fault(rollout: Rollout, lacking: Mapping[str, NodeFinding], objects: SensorObjects) -> Verdict:
    """What a DaemonSet lacks, on how many nodes, and why."""
    daemon_set, coverable = rollout.daemon_set, objects.fleet.coverable
    causes = list(_find_causes(rollout, lacking, objects))
    if lacking:
        count = f"ready on {rollout.count(coverable)} of {len(coverable)} nodes that can have it"
        if daemon_set.counts is not None and daemon_set.counts[0] < len(coverable):
            count += f", and chooses {daemon_set.counts[0] or 'none'} of them"
    elif daemon_set.counts is not None:
        count = f"ready on {daemon_set.counts[1]} of the {daemon_set.counts[0]} nodes that it chooses"
    else:
        count = "not ready"
    why = ", and ".join(dict.fromkeys(one.reason for one in causes if one.reason))
    return gap(
        f"{daemon_set.title} is {count}{': ' if why else ''}{why}",
        *daemon_set.evidence,
        *(shown for one in causes for shown in one.evidence),
        remedy=next((one.remedy for one in causes if one.remedy), None)
        or describe("daemonset", daemon_set.name, daemon_set.namespace),
    )


def _find_causes(rollout: Rollout, lacking: Mapping[str, NodeFinding], objects: SensorObjects) -> Iterator[NodeFinding]:
    daemon_set, problem = rollout.daemon_set, rollout.problem
    findings = [*lacking.values(), *([problem] if problem is not None and not lacking else [])]
    counts = (daemon_set.current, daemon_set.desired)
    has_all_pods = not daemon_set.is_stale and None not in counts and (counts[0] or 0) >= (counts[1] or 0)
    if any(one.is_uncreated for one in findings) and not has_all_pods:
        yield from _find_refusal(daemon_set, objects)
    by_reason: dict[str, list[str]] = defaultdict(list)
    for name, finding in lacking.items():
        if finding.reason:
            by_reason[finding.reason].append(name)
    for reason, names in list(by_reason.items())[:_SHOWN]:
        some = [lacking[name] for name in names[:_SHOWN]]
        evidence = tuple(shown for one in some for shown in one.evidence)
        yield replace(some[0], reason=f"{list_nodes(names)}: {reason}", evidence=evidence)
    if rest := sum(map(len, list(by_reason.values())[_SHOWN:])):
        yield NodeFinding(state=NodeState.LACKING, reason=f"{rest} more nodes for other reasons")
    if problem is not None and not lacking:
        yield problem


def list_nodes(names: Sequence[str]) -> str:
    """Some nodes by their names, and how many more there are."""
    more = f" and {len(names) - _SHOWN} more" if len(names) > _SHOWN else ""
    return f"{'node' if len(names) == 1 else 'nodes'} {', '.join(names[:_SHOWN])}{more}"


def _find_refusal(daemon_set: SensorDaemonSet, objects: SensorObjects) -> Iterator[NodeFinding]:
    """Why its pods are not made, as the latest event says, or, where events have gone, the label of its namespace."""
    event = next(
        (one.event for one in objects.failures if daemon_set.owns(one.namespace, one.owner, one.owner_uid)), None
    )
    label = objects.refusing.get(daemon_set.namespace)
    refused = re.search(r'violates PodSecurity "(\w{1,40}):', event.value) if event is not None else None
    if event is not None and refused is None:
        yield NodeFinding(
            state=NodeState.LACKING, reason=f'its pods cannot be made ("{shortened(event.value)}")', evidence=(event,)
        )
    elif refused is not None or label is not None:
        level = refused[1] if refused is not None else label.value if label is not None else ""
        by = f", by the label {ENFORCE}={label.value} of the namespace {daemon_set.namespace}" if label else ""
        yield NodeFinding(
            state=NodeState.LACKING,
            reason=f"Pod Security refuses its pods at level {level}{by}",
            evidence=tuple(filter(None, (event, label))),
            remedy=label_namespace(daemon_set.namespace, f"{ENFORCE}=privileged", "--overwrite"),
        )
