"""Nodes: which of them can have a sensor, and which of those a DaemonSet chooses."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import NamedTuple

from router.coverage.facts import Source
from router.coverage.fields import find, find_list, find_text, objects_at
from router.coverage.readers.kubernetes import KubernetesFact, labels_at


class Taint(NamedTuple):
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
        system: its operating system in lower case, as `linux`.
        image: the name of its operating system's release, as `Ubuntu 22.04.5 LTS`.
        cloud: where it is, as `azure` or `aws`.
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


class Uncoverable(NamedTuple):
    """Why a node cannot have a sensor, after the word "is", and whether one may run there all the same, unsupported."""

    reason: str
    may_run: bool


def read_node(fact: KubernetesFact) -> Node:
    """The node that a document describes."""
    info = find(fact.body, "status", "nodeInfo")
    labels = fact.labels
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
    if node.system == "windows":  # on which no Linux image runs
        return Uncoverable("a Windows node", may_run=False)
    is_virtual = any(one.key == "virtual-kubelet.io/provider" for one in node.taints)
    if is_virtual or node.labels.get("type") == "virtual-kubelet":
        return Uncoverable("a virtual node", may_run=False)
    if node.labels.get("eks.amazonaws.com/compute-type", "").lower() == "fargate":
        return Uncoverable("a Fargate node", may_run=False)
    if node.name.startswith("gk3-"):  # https://cloud.google.com/kubernetes-engine/docs/concepts/autopilot-overview
        return Uncoverable("a node of GKE Autopilot", may_run=True)
    if (kernel := _version_numbers(node.kernel)) and kernel[:2] < _OLDEST_KERNEL:
        return Uncoverable(f"a node whose kernel {node.kernel} is older than 5.4", may_run=True)
    name = node.image.lower()
    oldest = next(((one, release) for one, release in _OLDEST_RELEASES.items() if name.startswith(one)), None)
    is_old = oldest is not None and () < _version_numbers(name.removeprefix(oldest[0])) < oldest[1]
    if is_old or name.startswith(_UNLISTED_FAMILIES):
        return Uncoverable(f"a node of {node.image}, which the sensor does not support", may_run=True)
    return None


def _version_numbers(version: str) -> tuple[int, ...]:
    """The numbers of the first version in a text; none where there is none."""
    found = re.search(r"\d{1,9}(?:\.\d{1,9})*", version, re.ASCII)
    return tuple(int(part) for part in found[0].split(".")) if found else ()


def _bears(toleration: Mapping[str, object], taint: Taint) -> bool:
    """Whether a pod with a toleration bears a taint; an empty key or effect is any."""
    key, value, effect = (find_text(toleration, name) or "" for name in ("key", "value", "effect"))
    if effect and effect != taint.effect:
        return False
    if find_text(toleration, "operator") == "Exists":
        return key in ("", taint.key)
    return (key, value) == (taint.key, taint.value)


class Requirement(NamedTuple):
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
                try:
                    number, bound = int(value or ""), int(self.values[0])
                except (ValueError, IndexError):
                    return False
                return number > bound if self.operator == "Gt" else number < bound
        return True

    def __str__(self) -> str:
        values = f" ({', '.join(self.values)})" if self.values else ""
        return f"{self.key} {self.operator}{values}"


class Obstacle(NamedTuple):
    """What keeps a DaemonSet off a node, and the field of it, or of the node where it is a taint, that says so."""

    reason: str
    field: str
    value: str
    taint: Taint | None = None


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


def find_obstacle(node: Node, pod: Mapping[str, object]) -> Obstacle | None:
    """What keeps a DaemonSet off a node, by the template of its pods; None where it chooses the node."""
    if (name := find_text(pod, "nodeName") or node.name) != node.name:
        return Obstacle(f"it asks for the node {name}", "spec.template.spec.nodeName", name)
    for label, value in labels_at(pod, "nodeSelector").items():
        if node.labels.get(label) != value:
            wanted = f"{label}={value}"
            return Obstacle(f"its nodeSelector asks for {wanted}", "spec.template.spec.nodeSelector", wanted)
    required = find(pod, "affinity", "nodeAffinity", "requiredDuringSchedulingIgnoredDuringExecution")
    terms = [
        [Requirement.of(one) for name in ("matchExpressions", "matchFields") for one in objects_at(term, name)]
        for term in objects_at(required, "nodeSelectorTerms")
    ]
    # One term must fit, and one that asks for nothing fits no node.
    fields = {**node.labels, "metadata.name": node.name}
    if isinstance(required, Mapping) and not any(term and all(one.is_met_by(fields) for one in term) for term in terms):
        wanted = " or ".join(" and ".join(map(str, term)) for term in terms) or "nothing"
        return Obstacle(f"its affinity asks for {wanted}", "spec.template.spec.affinity.nodeAffinity", wanted)
    for taint in node.taints:
        is_borne = taint.effect == "PreferNoSchedule" or taint.key in _BORNE_BY_EVERY_DAEMON
        if not is_borne and not any(_bears(one, taint) for one in objects_at(pod, "tolerations")):
            return Obstacle(f"it does not tolerate the taint {taint}", "spec.taints", str(taint), taint)
    return None
