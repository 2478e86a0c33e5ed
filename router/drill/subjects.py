"""What a drill is about, and which decisions on record are about its alerts.

Who raises sample alerts is told no id of them. So an alert may be the drill's if it fits: a sample, of the bundle's plan, of
that subscription, decided since the drill began and not known before. Somebody else's sample fits as well, an old one that is
sent again, and one that was read from a file. So it counts only if the hub brought it, and Defender lists its id among those
that are new since. Where that list is not to be had, its id must say that it was made since.
Defender also writes samples with a subscription of zeros; those fit any subscription.
https://learn.microsoft.com/rest/api/defenderforcloud/alerts/simulate
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from types import MappingProxyType
from typing import NamedTuple

from router.domain.clocks import SKEW
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


class ListedIds(NamedTuple):
    """What Defender's own list says of which alerts are the drill's.

    Attributes:
        ids: the ids of those that are new in it, in lower case.
        are_all: whether those are all; not so where the list could not be had, or not to its end.
    """

    ids: frozenset[str] = frozenset()
    are_all: bool = False


def may_be_of_drill(entry: RecordEntry, subject: DrillSubject, listed: ListedIds) -> bool:
    """Whether a decision that was made since a drill began, on a signal not known before, fits an alert of the drill."""
    if entry.stream != Stream.CWPP or entry.sample is subject.is_real:
        return False
    if (entry.id or "").lower() in listed.ids:
        return True
    if subject.cluster is not None:
        return _is_of_cluster(entry, subject.cluster, subject.subscription)
    if subject.machine is not None:
        return (entry.resource or "").lower().rstrip("/") == subject.machine.lower().rstrip("/")
    if entry.plan != subject.plan:
        return False
    subscription = (parse_resource_id(entry.resource).subscription or "").lower()
    return subscription in (subject.subscription, "", NO_SUBSCRIPTION)


def find_doubt(entry: RecordEntry, subject: DrillSubject, listed: ListedIds, began: datetime) -> str | None:
    """Why what fits is not counted as the drill's alert, in words; None where it is."""
    if not _is_from_hub(entry):
        return f"it came from {entry.source}, and not by the hub"
    if subject.is_real or (entry.id or "").lower() in listed.ids:
        return None
    if listed.are_all:
        return "Defender does not list it among those that are new since"
    made = find_time_made(entry.id or "")
    if made is None:
        return "Defender's list is not to be had, and its id does not say when it was made"
    return "it was made before" if made < began - SKEW else None


def find_time_made(id: str) -> datetime | None:
    """When Defender made the alert of an id that begins with how far that is from the end of .NET's time; else None."""
    ticks, separator, _ = id.partition("_")
    if not separator or len(ticks) != _DIGITS or not (ticks.isascii() and ticks.isdigit()):
        return None
    seconds = (_LAST_TICK - int(ticks) - _FIRST_TICK) / 10_000_000
    try:
        return datetime.fromtimestamp(0, UTC) + timedelta(seconds=seconds)
    except OverflowError:
        return None


_LAST_TICK, _FIRST_TICK = 3_155_378_975_999_999_999, 621_355_968_000_000_000
"""Tenths of a microsecond from the year 1 to the end of .NET's time, and to 1970.
https://learn.microsoft.com/dotnet/api/system.datetime.maxvalue"""

_DIGITS = 19


def _is_from_hub(entry: RecordEntry) -> bool:
    """Whether a hub brought the message, whose key then has hub, partition, epoch and sequence number."""
    return entry.key.count(":") == _IN_A_HUBS_KEY


_IN_A_HUBS_KEY = 3


def _is_of_cluster(entry: RecordEntry, cluster: str, subscription: str | None) -> bool:
    """Whether an alert of Kubernetes names the cluster: by its whole id, or by its name where ids have that of a cluster."""
    if entry.plan != CONTAINERS and not (entry.type or "").upper().startswith("K8S"):
        return False
    resource = (entry.resource or "").lower().rstrip("/")
    wanted = cluster.lower().rstrip("/")
    of = parse_resource_id(resource).subscription
    if subscription is not None and of is not None and of.lower() != subscription:
        return False
    parts = resource.split("/")
    named = {name for kind, name in pairwise(parts) if kind.rpartition(":")[2].endswith(("clusters", "cluster"))}
    return resource == wanted or wanted in named
