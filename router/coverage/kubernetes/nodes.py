"""Nodes, and which of them can have a sensor.

https://learn.microsoft.com/azure/defender-for-cloud/support-matrix-defender-for-containers
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field

from router.coverage.facts import Source
from router.coverage.fields import find, find_text, objects_at
from router.coverage.readers.kubernetes import KubernetesFact


@dataclass(frozen=True, slots=True)
class Taint:
    """What keeps pods off a node that do not tolerate it.

    Attributes:
        key: its key.
        value: its value; empty where it has none.
        effect: `NoSchedule`, `PreferNoSchedule` or `NoExecute`.
    """

    key: str
    value: str
    effect: str

    def __str__(self) -> str:
        value = f"={self.value}" if self.value else ""
        return f"{self.key}{value}:{self.effect}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Node:
    """A node, as one document says it.

    Attributes:
        name: its name.
        labels: its labels.
        taints: its taints.
        is_ready: whether its kubelet reports that it is ready; None where the document does not say it.
        system: its operating system in lower case, as `linux`; empty where the document does not say it.
        kernel: the version of its kernel; empty where the document does not say it.
        image: the name of its operating system's release, as `Ubuntu 22.04.5 LTS`; empty where the document does not say it.
        source: where that stands.
    """

    name: str
    labels: Mapping[str, str]
    taints: tuple[Taint, ...]
    is_ready: bool | None
    system: str
    kernel: str
    image: str
    source: Source = field(compare=False)


@dataclass(frozen=True, slots=True)
class Uncoverable:
    """Why a node cannot have a sensor.

    Attributes:
        reason: why, after the word "is".
        may_run: whether a sensor may run there all the same, though nobody supports it; no Linux image runs on Windows.
    """

    reason: str
    may_run: bool


def node_of(fact: KubernetesFact) -> Node:
    """The node that a document describes."""
    info = find(fact.body, "status", "nodeInfo")
    labels = labels_of(fact.body, "metadata", "labels")
    system = find_text(info, "operatingSystem") or labels.get("kubernetes.io/os") or labels.get("beta.kubernetes.io/os")
    return Node(
        name=fact.name,
        labels=labels,
        taints=tuple(
            Taint(find_text(one, "key") or "", find_text(one, "value") or "", find_text(one, "effect") or "")
            for one in objects_at(fact.body, "spec", "taints")
        ),
        is_ready=condition_of(fact.body, "Ready"),
        system=(system or "").lower(),
        kernel=find_text(info, "kernelVersion") or "",
        image=find_text(info, "osImage") or "",
        source=fact.source,
    )


def labels_of(body: object, *path: str) -> Mapping[str, str]:
    """The labels at a path."""
    found = find(body, *path)
    return {str(key): str(value) for key, value in found.items()} if isinstance(found, Mapping) else {}


def condition_of(body: object, name: str) -> bool | None:
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
    if (kernel := _numbers_of(node.kernel)) and kernel[:2] < _OLDEST_KERNEL:
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
            release = _numbers_of(name.removeprefix(family))
            return bool(release) and release < oldest
    return False


def _numbers_of(version: str) -> tuple[int, ...]:
    """The numbers of the first version in a text; none where there is none."""
    found = re.search(r"\d{1,9}(?:\.\d{1,9})*", version, re.ASCII)
    return tuple(int(part) for part in found[0].split(".")) if found else ()
