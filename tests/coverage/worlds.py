"""Clusters as they may be, what `kubectl` prints of them, and, counted by hand, whether their sensor runs."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from hypothesis import strategies as st

from tests.coverage import kubernetes_builders as k8s
from tests.coverage.builders import Json, kubectl, node

PARTS = (k8s.COLLECTOR, k8s.PUBLISHER)
COVERABLE = ("plain", "gpu", "silent")


@dataclass(frozen=True, slots=True)
class DaemonWorld:
    """A DaemonSet as it is.

    Attributes:
        tolerates: whether it bears every taint.
        is_for_linux: whether it asks for Linux.
        pods: what its pod on each node is, by the number of the node: `ready`, `crashing` or `absent`.
    """

    tolerates: bool
    is_for_linux: bool
    pods: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class ClusterWorld:
    """A cluster as it is.

    Attributes:
        kinds: what each of its nodes is: `plain`, `gpu` with a taint, `silent`, `windows`, `virtual`, or `old` in its kernel.
        daemons: collector and publisher, by their names.
        level: the level of Pod Security of their namespace; empty for none.
    """

    kinds: tuple[str, ...]
    daemons: Mapping[str, DaemonWorld]
    level: str

    def chooses(self, part: str, number: int) -> bool:
        """Whether a DaemonSet chooses a node."""
        daemon, kind = self.daemons[part], self.kinds[number]
        return (daemon.tolerates or kind not in ("gpu", "virtual")) and not (daemon.is_for_linux and kind == "windows")

    def pod_of(self, part: str, number: int) -> str:
        """What the pod of a DaemonSet on a node is; where it is not to run, or cannot, none is ready."""
        found = self.daemons[part].pods[number]
        if not self.chooses(part, number):
            return "absent"
        return "crashing" if found == "ready" and self.kinds[number] in ("silent", "windows", "virtual") else found

    @property
    def is_covered(self) -> bool:
        """Whether collector and publisher are ready on each node that can have them; there must be one."""
        coverable = [number for number, kind in enumerate(self.kinds) if kind in COVERABLE]
        ready = all(self.pod_of(part, number) == "ready" for part in PARTS for number in coverable)
        return bool(coverable) and ready

    @property
    def documents(self) -> dict[str, Json]:
        """What `kubectl` prints of it, one file for each sort of object; there may be events whether it is dark or not."""
        there = ((part, number) for part in PARTS for number in self._numbers(part, "ready", "crashing"))
        return {
            "daemonsets": kubectl(*map(self._daemon_set, PARTS)),
            "nodes": kubectl(*(_node(f"node-{number}", kind) for number, kind in enumerate(self.kinds))),
            "pods": kubectl(*(self._pod(*one) for one in there)),
            "events": kubectl(*(k8s.failed_create(owner=part) for part in PARTS)),
            "namespaces": kubectl(k8s.namespace(**({"enforce": self.level} if self.level else {}))),
        }

    def _numbers(self, part: str, *states: str) -> list[int]:
        return [number for number in range(len(self.kinds)) if self.pod_of(part, number) in states]

    def _daemon_set(self, part: str) -> Json:
        daemon = self.daemons[part]
        desired = sum(self.chooses(part, number) for number in range(len(self.kinds)))
        template: dict[str, object] = {"tolerations": [{"operator": "Exists"}]} if daemon.tolerates else {}
        if daemon.is_for_linux:
            template["nodeSelector"] = {"kubernetes.io/os": "linux"}
        make = k8s.collector if part == k8s.COLLECTOR else k8s.publisher
        ready, current = (len(self._numbers(part, *states)) for states in (["ready"], ["ready", "crashing"]))
        return make(desired, ready=ready, current=current, pod=template)

    def _pod(self, part: str, number: int) -> Json:
        waiting = None if self.pod_of(part, number) == "ready" else "CrashLoopBackOff"
        return k8s.pod(f"node-{number}", part, waiting=waiting)


def _node(name: str, kind: str) -> Json:
    match kind:
        case "gpu":
            return node(name, taints=[k8s.taint("sku", "gpu")])
        case "silent":
            return k8s.silent_node(name)
        case "windows":
            return node(name, system="windows")
        case "virtual":
            return node(name, taints=[k8s.taint("virtual-kubelet.io/provider", "azure")])
        case "old":
            return k8s.node_of_image(name, "Ubuntu 18.04.6 LTS", "4.15.0")
    return node(name)


@st.composite
def cluster_worlds(draw: st.DrawFn) -> ClusterWorld:
    """Clusters of up to five nodes; many of them as they should be."""
    every = st.sampled_from(("plain", "plain", "plain", "gpu", "silent", "windows", "virtual", "old"))
    kinds = tuple(draw(st.lists(every, max_size=5)))
    pods = st.sampled_from(("ready", "ready", "ready", "crashing", "absent"))
    is_healthy = draw(st.booleans())
    daemons = {}
    for part in PARTS:
        some = ("ready",) * len(kinds) if is_healthy else tuple(draw(pods) for _ in kinds)
        daemons[part] = DaemonWorld(draw(st.booleans()), draw(st.booleans()), some)
    return ClusterWorld(kinds, daemons, draw(st.sampled_from(("", "privileged", "baseline"))))
