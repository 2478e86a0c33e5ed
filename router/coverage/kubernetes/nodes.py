"""Nodes: which of them can have a sensor, and which of those a DaemonSet chooses."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from router.coverage.facts import Source
from router.coverage.fields import find, find_list, find_text, objects_at
from router.coverage.readers.kubernetes import KubernetesFact


@dataclass(frozen=True, slots=True)
class Taint:
    """What keeps pods off a node that do not tolerate it."""

    key: str
    value: str
    effect: str

    def __str__(self) -> str:
        value = f"={self.value}" if self.value else ""
        return f"{self.key}{value}:{self.effect}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Node:
    """A node, as one document says it; None and empty texts are what the document does not say.

    Attributes:
        system: its operating system in lower case, as `linux`; empty where the document does not say it.
        image: the name of its operating system's release, as `Ubuntu 22.04.5 LTS`; empty where the document does not say it.
        cloud: where it is, as `azure` or `aws`; empty where the document does not say it.
    """

    name: str
    labels: Mapping[str, str]
    taints: tuple[Taint, ...]
    is_ready: bool | None
    system: str
    kernel: str
    image: str
    cloud: str
    source: Source = field(compare=False)


@dataclass(frozen=True, slots=True)
class Uncoverable:
    """Why a node cannot have a sensor.

    Attributes:
        reason: why, after the word "is".
        may_run: whether a sensor may run there all the same, though it is not supported; no Linux image runs on Windows.
    """

    reason: str
    may_run: bool


def read_node(fact: KubernetesFact) -> Node:
    """The node that a document describes."""
    info = find(fact.body, "status", "nodeInfo")
    labels = labels_at(fact.body, "metadata", "labels")
    system = find_text(info, "operatingSystem") or labels.get("kubernetes.io/os") or labels.get("beta.kubernetes.io/os")
    return Node(
        name=fact.name,
        labels=labels,
        taints=tuple(
            Taint(find_text(one, "key") or "", find_text(one, "value") or "", find_text(one, "effect") or "")
            for one in objects_at(fact.body, "spec", "taints")
        ),
        is_ready=find_condition(fact.body, "Ready"),
        system=(system or "").lower(),
        kernel=find_text(info, "kernelVersion") or "",
        image=find_text(info, "osImage") or "",
        cloud=(find_text(fact.body, "spec", "providerID") or "").partition("://")[0].lower(),
        source=fact.source,
    )


def labels_at(body: object, *path: str) -> Mapping[str, str]:
    """The labels at a path."""
    found = find(body, *path)
    return {str(key): str(value) for key, value in found.items()} if isinstance(found, Mapping) else {}


def find_condition(body: object, name: str) -> bool | None:
    """Whether a condition in the status is met; None where the status does not have it."""
    for one in objects_at(body, "status", "conditions"):
        if (find_text(one, "type") or "").lower() == name.lower():
            return str(find(one, "status")).lower() == "true"
    return None


_OLDEST_KERNEL = (5, 4)

_OLDEST_RELEASES = {
    "ubuntu": (16, 4),
    "debian": (10,),
    "red hat enterprise linux": (8,),
    "centos": (8,),
}
"""The oldest release of each family that the support matrix lists. A newer one than it lists is expected to have a sensor: the
list follows the releases, and a node that no list names yet must not pass unseen."""

_UNLISTED_FAMILIES = (
    "alma", "alpine", "amazon linux ami", "fedora", "flatcar", "opensuse", "oracle linux", "photon", "rocky", "suse", "talos",
)  # fmt: skip
"""Families that the support matrix does not list. Whatever else an image is called, a sensor is expected on it; also on the
CoreOS of OpenShift, which is not listed either, but where sensors have been seen."""


def find_uncoverable(node: Node) -> Uncoverable | None:
    """Why a node cannot have a sensor; None where it can, as far as its document says."""
    if node.system == "windows":
        return Uncoverable("a Windows node", may_run=False)
    if node.labels.get("type") == "virtual-kubelet" or any(
        one.key == "virtual-kubelet.io/provider" for one in node.taints
    ):
        return Uncoverable("a virtual node", may_run=False)
    if node.labels.get("eks.amazonaws.com/compute-type", "").lower() == "fargate":
        return Uncoverable("a Fargate node", may_run=False)
    if node.name.startswith("gk3-"):  # https://cloud.google.com/kubernetes-engine/docs/concepts/autopilot-overview
        return Uncoverable("a node of GKE Autopilot", may_run=True)
    if (kernel := _version_numbers(node.kernel)) and kernel[:2] < _OLDEST_KERNEL:
        return Uncoverable(f"a node whose kernel {node.kernel} is older than 5.4", may_run=True)
    if _is_unlisted(node.image):
        return Uncoverable(f"a node of {node.image}, which the sensor does not support", may_run=True)
    return None


def _is_unlisted(image: str) -> bool:
    name = image.lower()
    if name.startswith(_UNLISTED_FAMILIES):
        return True
    for family, oldest in _OLDEST_RELEASES.items():
        if name.startswith(family):
            release = _version_numbers(name.removeprefix(family))
            return bool(release) and release < oldest
    return False


def _version_numbers(version: str) -> tuple[int, ...]:
    """The numbers of the first version in a text; none where there is none."""
    found = re.search(r"\d{1,9}(?:\.\d{1,9})*", version, re.ASCII)
    return tuple(int(part) for part in found[0].split(".")) if found else ()


@dataclass(frozen=True, slots=True)
class Toleration:
    """What a pod bears; an empty key or effect is any."""

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
    """What an affinity asks of one label, or one field, of a node."""

    key: str
    operator: str
    values: tuple[str, ...]

    @classmethod
    def of(cls, body: Mapping[str, object]) -> Requirement:
        """The requirement that an expression of a selector writes."""
        values = tuple(str(value) for value in find_list(body, "values") or ())
        return cls(find_text(body, "key") or "", find_text(body, "operator") or "", values)

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
    """Where the pods of a DaemonSet may go, and as which account.

    Attributes:
        terms: of which one must fit, each a list of requirements of labels and fields; None where there is no affinity.
        has_tolerations: whether the template has a list of tolerations, even an empty one.
    """

    selector: Mapping[str, str]
    terms: tuple[tuple[Requirement, ...], ...] | None
    tolerations: tuple[Toleration, ...]
    has_tolerations: bool
    node: str
    account: str


@dataclass(frozen=True, slots=True)
class Obstacle:
    """What keeps a DaemonSet off a node; the reason goes after the name of the node.

    Attributes:
        field: the field of the DaemonSet or the node that says so.
        label: the label that its nodeSelector asks for; empty where that is not what it is.
    """

    reason: str
    field: str
    value: str
    taint: Taint | None = None
    label: str = ""


def read_scheduling(body: Mapping[str, object]) -> PodScheduling:
    """Where the pods of a DaemonSet may go."""
    pod = find(body, "spec", "template", "spec")
    required = find(pod, "affinity", "nodeAffinity", "requiredDuringSchedulingIgnoredDuringExecution")
    return PodScheduling(
        selector=labels_at(pod, "nodeSelector"),
        terms=tuple(map(_read_term, objects_at(required, "nodeSelectorTerms")))
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


def _read_term(body: Mapping[str, object]) -> tuple[Requirement, ...]:
    return tuple(Requirement.of(one) for name in ("matchExpressions", "matchFields") for one in objects_at(body, name))


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
