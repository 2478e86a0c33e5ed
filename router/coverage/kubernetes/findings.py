"""What is known of one DaemonSet on one node, from its pods there and from the counts in its status."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import IntEnum

from router.coverage.kubernetes.commands import describe, lift_obstacle, show_pod
from router.coverage.kubernetes.daemon_sets import SensorDaemonSet
from router.coverage.kubernetes.objects import Fleet
from router.coverage.kubernetes.pods import Pod
from router.coverage.kubernetes.scheduling import Obstacle
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
    """What is known of a DaemonSet on a node, and from what.

    Attributes:
        state: what is known.
        reason: why, as a clause that does not name the node; empty where it is ready, and where the counts alone say it.
        is_uncreated: whether nobody knows of a pod there, so that it may be one that cannot be made.
        evidence: what it rests on.
        remedy: the line that mends it; None where there is none.
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
        return NodeFinding(state=NodeState.LACKING, reason=reason, evidence=(shown,), remedy=show_pod(pod))
    return NodeFinding(state=NodeState.LACKING, reason="it has no pod there", is_uncreated=True) if has_list else None


def finding_of(
    name: str,
    daemon_set: SensorDaemonSet,
    fleet: Fleet,
    obstacle: Obstacle | None,
    seen: NodeFinding | None,
    counted: Counted,
) -> NodeFinding:
    """What is known of a DaemonSet on a node."""
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
            remedy=lift_obstacle(obstacle, daemon_set),
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
        state: what they say.
        reason: why, where they do not tell.
        beyond: on how many nodes it is to run beside those that the documents name.
        unsupported: what they say of the nodes among them on which nobody supports a sensor.
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
