"""Which nodes a DaemonSet chooses, and what keeps it off the others.

https://kubernetes.io/docs/concepts/scheduling-eviction/assign-pod-node/,
https://kubernetes.io/docs/concepts/scheduling-eviction/taint-and-toleration/
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from router.coverage.fields import find, find_list, find_text, objects_at
from router.coverage.kubernetes.nodes import Node, Taint, labels_of


@dataclass(frozen=True, slots=True)
class Toleration:
    """What a pod bears.

    Attributes:
        key: of which taints; empty for all of them, where the operator is `Exists`.
        operator: `Exists` or `Equal`.
        value: which value they must have, where the operator is `Equal`.
        effect: which effect they must have; empty for any.
    """

    key: str
    operator: str
    value: str
    effect: str

    def bears(self, taint: Taint) -> bool:
        """Whether it bears a taint."""
        if self.effect and self.effect != taint.effect:
            return False
        if self.operator == "Exists":
            return self.key in ("", taint.key)
        return self.key == taint.key and self.value == taint.value


@dataclass(frozen=True, slots=True)
class Requirement:
    """What an affinity asks of one label, or one field, of a node.

    Attributes:
        key: the label, or the field.
        operator: `In`, `NotIn`, `Exists`, `DoesNotExist`, `Gt` or `Lt`.
        values: the values that it speaks of.
    """

    key: str
    operator: str
    values: tuple[str, ...]

    def is_met_by(self, labels: Mapping[str, str]) -> bool:
        """Whether labels meet it; an operator that there is not yet is met, so that the status decides."""
        value = labels.get(self.key)
        match self.operator:
            case "In":
                return value in self.values
            case "NotIn":
                return value not in self.values
            case "Exists":
                return value is not None
            case "DoesNotExist":
                return value is None
            case "Gt" | "Lt":
                return _is_beyond(value, self.operator, self.values)
        return True

    def __str__(self) -> str:
        values = f" ({', '.join(self.values)})" if self.values else ""
        return f"{self.key} {self.operator}{values}"


def _is_beyond(value: str | None, operator: str, bounds: Sequence[str]) -> bool:
    try:
        number, bound = int(value or ""), int(bounds[0])
    except (ValueError, IndexError):
        return False
    return number > bound if operator == "Gt" else number < bound


@dataclass(frozen=True, slots=True, kw_only=True)
class PodScheduling:
    """Where the pods of a DaemonSet may go, and as whom.

    Attributes:
        selector: the labels that a node must have.
        terms: of which one must fit, each a list of requirements of labels and fields; None where there is no affinity.
        tolerations: what the pods bear.
        has_tolerations: whether the template has a list of tolerations, even an empty one.
        node: the one node that they must go to; empty for any.
        account: the service account that they run as; empty for the default one.
    """

    selector: Mapping[str, str]
    terms: tuple[tuple[Requirement, ...], ...] | None
    tolerations: tuple[Toleration, ...]
    has_tolerations: bool
    node: str
    account: str


@dataclass(frozen=True, slots=True)
class Obstacle:
    """What keeps a DaemonSet off a node.

    Attributes:
        reason: what it is, after the name of the node.
        field: the field of the DaemonSet or the node that says so.
        value: what stands there.
        taint: the taint that it is; None where it is none.
        label: the label that its nodeSelector asks for; empty where that is not what it is.
    """

    reason: str
    field: str
    value: str
    taint: Taint | None = None
    label: str = ""


def scheduling_of(body: Mapping[str, object]) -> PodScheduling:
    """Where the pods of a DaemonSet may go."""
    pod = find(body, "spec", "template", "spec")
    required = find(pod, "affinity", "nodeAffinity", "requiredDuringSchedulingIgnoredDuringExecution")
    return PodScheduling(
        selector=labels_of(pod, "nodeSelector"),
        terms=tuple(map(_term_of, objects_at(required, "nodeSelectorTerms")))
        if isinstance(required, Mapping)
        else None,
        tolerations=tuple(
            Toleration(
                find_text(one, "key") or "",
                find_text(one, "operator") or "Equal",
                find_text(one, "value") or "",
                find_text(one, "effect") or "",
            )
            for one in objects_at(pod, "tolerations")
        ),
        has_tolerations=find_list(pod, "tolerations") is not None,
        node=find_text(pod, "nodeName") or "",
        account=find_text(pod, "serviceAccountName") or find_text(pod, "serviceAccount") or "",
    )


def _term_of(body: Mapping[str, object]) -> tuple[Requirement, ...]:
    return tuple(
        Requirement(
            find_text(one, "key") or "",
            find_text(one, "operator") or "",
            tuple(str(value) for value in find_list(one, "values") or ()),
        )
        for name in ("matchExpressions", "matchFields")
        for one in objects_at(body, name)
    )


_BORNE_BY_EVERY_DAEMON = {
    "node.kubernetes.io/not-ready",
    "node.kubernetes.io/unreachable",
    "node.kubernetes.io/disk-pressure",
    "node.kubernetes.io/memory-pressure",
    "node.kubernetes.io/pid-pressure",
    "node.kubernetes.io/unschedulable",
    "node.kubernetes.io/network-unavailable",
}
"""What the controller of DaemonSets adds to each of them; that a node is not ready is said of the node itself.

https://kubernetes.io/docs/concepts/workloads/controllers/daemonset/#taints-and-tolerations
"""


def find_obstacle(node: Node, scheduling: PodScheduling) -> Obstacle | None:
    """What keeps a DaemonSet off a node; None where it chooses the node."""
    if scheduling.node not in ("", node.name):
        return Obstacle(f"it asks for the node {scheduling.node}", "spec.template.spec.nodeName", scheduling.node)
    for label, value in scheduling.selector.items():
        if node.labels.get(label) != value:
            wanted = f"{label}={value}"
            return Obstacle(
                f"its nodeSelector asks for {wanted}", "spec.template.spec.nodeSelector", wanted, label=label
            )
    if scheduling.terms is not None and not any(_fits(node, term) for term in scheduling.terms):
        wanted = " or ".join(" and ".join(map(str, term)) for term in scheduling.terms) or "nothing"
        return Obstacle(f"its affinity asks for {wanted}", "spec.template.spec.affinity.nodeAffinity", wanted)
    for taint in node.taints:
        if taint.effect == "PreferNoSchedule" or taint.key in _BORNE_BY_EVERY_DAEMON:
            continue
        if not any(one.bears(taint) for one in scheduling.tolerations):
            return Obstacle(f"it does not tolerate the taint {taint}", "spec.taints", str(taint), taint)
    return None


def _fits(node: Node, term: tuple[Requirement, ...]) -> bool:
    """Whether a node meets a term; one that asks for nothing is met by no node."""
    labels = {**node.labels, "metadata.name": node.name}
    return bool(term) and all(one.is_met_by(labels) for one in term)
