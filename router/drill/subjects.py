"""What a drill is about, and which decisions on record are about its alerts.

Who raises sample alerts is told no id of them. So an alert is the drill's if Defender lists its id among those that came since,
or if it fits: a sample, of the bundle's plan, of that subscription, decided since the drill began and not known before.
Defender also writes samples with a subscription of zeros; those fit any subscription, so that of them Defender's list decides
where it can be had.
https://learn.microsoft.com/rest/api/defenderforcloud/alerts/simulate
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from types import MappingProxyType

from router.domain.notices import RecordEntry
from router.domain.resources import parse_resource_id
from router.domain.samples import NO_SUBSCRIPTION
from router.domain.signals import Stream

BUNDLES: Mapping[str, str] = MappingProxyType(
    {
        "AppServices": "AppServices",
        "CosmosDbs": "CosmosDbs",
        "DNS": "Dns",
        "KeyVaults": "KeyVaults",
        "KubernetesService": "Containers",
        "ResourceManager": "Arm",
        "SqlServers": "SqlServers",
        "StorageAccounts": "StorageAccounts",
        "VirtualMachines": "VirtualMachines",
    }
)
"""The plan that each bundle of sample alerts is of, as `az security pricing` calls it."""

CONTAINERS, MACHINES = "Containers", "VirtualMachines"


@dataclass(frozen=True, slots=True, kw_only=True)
class DrillSubject:
    """What a drill is about. Exactly one of `bundle`, `cluster` and `machine` is there.

    Attributes:
        plan: the plan whose alerts are raised.
        subscription: the subscription's id, in lower case; None where nobody named one, which only a cluster may lack.
        bundle: the bundle of sample alerts.
        cluster: the name or the resource id of the cluster whose test alert is raised, which is no sample.
        machine: the resource id of the machine whose test alert is raised, which is no sample.
    """

    plan: str
    subscription: str | None = None
    bundle: str | None = None
    cluster: str | None = None
    machine: str | None = None

    @property
    def is_real(self) -> bool:
        """Whether its alerts are real ones, so that nothing tells people that it is a drill."""
        return self.bundle is None

    @property
    def words(self) -> str:
        """What it is about, for people."""
        if self.bundle is not None:
            return f"sample alerts of {self.bundle} in subscription {self.subscription}"
        return f"the test alert of {'cluster' if self.cluster else 'machine'} {self.cluster or self.machine}"


def samples_of(subscription: str, bundle: str) -> DrillSubject:
    """The drill of one bundle in one subscription; raises KeyError for a bundle that is not known."""
    return DrillSubject(plan=BUNDLES[bundle], subscription=subscription.lower(), bundle=bundle)


def is_of_drill(entry: RecordEntry, subject: DrillSubject, listed: Collection[str]) -> bool:
    """Whether a decision that was made since a drill began, on a signal not known before, is about an alert of the drill.

    `listed` are the ids, in lower case, of the drill's alerts in Defender's own list; empty where that is not known.
    """
    if entry.stream != Stream.CWPP or entry.sample is subject.is_real:
        return False
    if entry.id is not None and entry.id.lower() in listed:
        return True
    if subject.cluster is not None:
        return _is_of_cluster(entry, subject.cluster)
    if subject.machine is not None:
        return (entry.resource or "").lower().rstrip("/") == subject.machine.lower().rstrip("/")
    if entry.plan != subject.plan:
        return False
    subscription = (parse_resource_id(entry.resource).subscription or "").lower()
    return subscription == subject.subscription or (subscription in ("", NO_SUBSCRIPTION) and not listed)


def _is_of_cluster(entry: RecordEntry, cluster: str) -> bool:
    """Whether an alert of Kubernetes names the cluster: by its whole id, or by its name as a part of the id."""
    if entry.plan != CONTAINERS and not (entry.type or "").upper().startswith("K8S"):
        return False
    resource = (entry.resource or "").lower().rstrip("/")
    wanted = cluster.lower().rstrip("/")
    return resource == wanted or wanted in resource.split("/")
