"""Clusters and estates as they may be, what is printed of them, and, counted by hand, whether they are covered."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from hypothesis import strategies as st

from router.coverage.expected.manifest import NO_MANIFEST
from tests.coverage import builders as az
from tests.coverage import kubernetes_builders as k8s
from tests.coverage.builders import COSMOS_DB, STORAGE, SUBSCRIPTION, Json, expecting_plans, kubectl, node, pricing

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
    return {
        "plain": node(name),
        "gpu": node(name, taints=[k8s.taint("sku", "gpu")]),
        "silent": k8s.silent_node(name),
        "windows": node(name, system="windows"),
        "virtual": node(name, taints=[k8s.taint("virtual-kubelet.io/provider", "azure")]),
        "old": k8s.node_of_image(name, "Ubuntu 18.04.6 LTS", "4.15.0"),
    }[kind]


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


PLANS = {
    az.MACHINE: "VirtualMachines",
    az.CLUSTER: "Containers",
    az.REGISTRY: "Containers",
    az.SQL_SERVER: "SqlServers",
}
PLANS |= {COSMOS_DB: "CosmosDbs", STORAGE: "StorageAccounts"}
CAN_DIFFER = (az.MACHINE, az.CLUSTER, az.REGISTRY)
SUB_PLANS = {"VirtualMachines": ["P1", "P2"], "StorageAccounts": ["DefenderForStorageV2", "PerTransaction"]}
MANIFESTS = [
    NO_MANIFEST,
    expecting_plans({"VirtualMachines": "P2", "Containers": None, "StorageAccounts": "DefenderForStorageV2"}),
    expecting_plans(None, "AgentlessVmScanning", "OnUploadMalwareScanning"),
    expecting_plans({"SqlServers": None}, expects_posture=True),
]


@dataclass(frozen=True)
class Estate:
    """How one resource and its subscription truly are.

    Attributes:
        tier: the tier of its plan at the subscription, with the sub-plan, where it has some, and whether extensions are on.
        own: the tier of the resource itself; None where it has its subscription's.
        others: whether some other resource differs.
    """

    id: str
    tier: str
    sub_plan: str | None
    scanning: bool
    own: str | None
    others: bool
    deprecated: bool

    def documents(self) -> dict[str, object]:
        """All that may be asked about it, each answer by what it is called."""
        plan, tier, scope = PLANS[self.id], self.tier, f"/subscriptions/{SUBSCRIPTION}"
        names = ("AgentlessVmScanning", "OnUploadMalwareScanning")
        extensions = [{"name": name, "isEnabled": str(self.scanning)} for name in names]
        said: dict[str, Any] = {"subPlan": self.sub_plan if tier == "Standard" else None, "extensions": extensions}
        flat = {"id": f"{scope}/providers/Microsoft.Security/pricings/{plan}", "name": plan, "pricingTier": tier}
        found: dict[str, object] = {
            "named": pricing("CloudPosture", scope=self.id),
            "rest": {"value": [pricing(plan, tier, resourcesCoverageStatus=self._coverage(), **said)]},
            "az": [{**flat, **said}],
            "2018": [flat],
            "row": [{"name": plan, "subscriptionId": SUBSCRIPTION, "tier": tier}],
            "others": {"value": [pricing("Api", "Free"), pricing("CloudPosture", "Standard")]},
            "account": [{"id": SUBSCRIPTION, "name": "Payments", "tenantId": "t", "isDefault": True}],
        }
        if self.deprecated:
            found["old"] = [pricing(name, deprecated=True) for name in ("KubernetesService", "ContainerRegistry")]
        is_on = (self.own or tier) == "Standard"
        if self.id in CAN_DIFFER:
            found["own"] = self._own_plan(plan, extensions)
        elif self.id == STORAGE:
            switches = {"isEnabled": is_on, "overrideSubscriptionLevelSettings": self.own is not None}
            found["own"] = az.setting(STORAGE, "defenderForStorageSettings", **switches)
        elif self.id == COSMOS_DB:
            found["own"] = az.setting(COSMOS_DB, "advancedThreatProtectionSettings", isEnabled=is_on)
        return found

    def _own_plan(self, plan: str, extensions: list[dict[str, str]]) -> Json:
        if self.own is not None:
            return pricing(plan, self.own, scope=self.id, inherited="False", subPlan="P1")
        said: dict[str, Any] = {"inherited": "True", "subPlan": self.sub_plan, "extensions": extensions}
        return pricing(plan, self.tier, scope=self.id, **said)

    def _coverage(self) -> str:
        on = [(self.own or self.tier) == "Standard", (self.tier == "Standard") is not self.others]
        return "FullyCovered" if all(on) else "PartiallyCovered" if any(on) else "NotCovered"


@st.composite
def estates(draw: st.DrawFn) -> Estate:
    """An estate, of which no two answers contradict each other."""
    id = draw(st.sampled_from(list(PLANS)))
    differs = id != az.SQL_SERVER
    return Estate(
        id=id,
        tier=draw(st.sampled_from(["Standard", "Standard", "Free"])),
        sub_plan=draw(st.sampled_from(SUB_PLANS[PLANS[id]])) if PLANS[id] in SUB_PLANS else None,
        scanning=draw(st.booleans()),
        own=draw(st.sampled_from([None, "Standard", "Free"])) if differs else None,
        others=draw(st.booleans()) if differs else False,
        deprecated=draw(st.booleans()),
    )
