"""`Microsoft.ContainerService/managedClusters`: AKS.

https://learn.microsoft.com/rest/api/aks/managed-clusters
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from router.coverage.documents import Item
from router.coverage.facts import CoverageFact, Source, source_of
from router.coverage.fields import find, find_text, find_truth
from router.coverage.workloads import AKS_CLUSTER, resource_fact
from router.domain.coverage import WorkloadKind


@dataclass(frozen=True, slots=True, kw_only=True)
class ClusterProfileFact:
    """What a managed cluster's own document says of Defender.

    Attributes:
        subject: the cluster in lower case.
        has_sensor: whether the security profile asks for the sensor; the profile is left out where nothing was ever asked for.
            None where a projection left it out.
        sensor_field: where that stands, which depends on the version of the API.
        has_policy: whether the Azure Policy add-on is on.
        source: where it stands.
    """

    subject: str
    has_sensor: bool | None
    sensor_field: str
    has_policy: bool
    source: Source


@dataclass(frozen=True, slots=True, kw_only=True)
class NodeGroupFact:
    """In which resource group the nodes of a managed cluster are.

    Attributes:
        subject: the cluster in lower case.
        group: the group's name.
        source: where it stands.
    """

    subject: str
    group: str
    source: Source


_SENSOR = ("securityProfile", "defender", "securityMonitoring", "enabled")
_BEFORE_2022 = ("securityProfile", "azureDefender", "enabled")


def reads(item: Item) -> bool:
    """Whether it is an AKS cluster."""
    return item.type == AKS_CLUSTER


def facts_in(item: Item) -> Iterator[CoverageFact]:
    """The cluster, and what its profile asks for."""
    fact = resource_fact(item, WorkloadKind.CLUSTER, is_stopped=_is_stopped(item))
    if fact is None:
        return
    yield fact
    if group := find_text(item.find("nodeResourceGroup")):
        yield NodeGroupFact(subject=fact.subject, group=group, source=source_of(item))
    # Every cluster has node pools: where they are left out, too, a query of Resource Graph or `az` did not ask for the profile.
    is_profile_said = any(item.find(name) is not None for name in ("agentPoolProfiles", "securityProfile"))
    if is_profile_said or item.find("addonProfiles") is not None:
        is_profile_said &= not _is_cut(item)
        is_old = find_truth(item.find(*_BEFORE_2022[:-1]), "enabled") is not None
        path = _BEFORE_2022 if is_old else _SENSOR
        yield ClusterProfileFact(
            subject=fact.subject,
            has_sensor=find_truth(item.find(*path)) is True if is_profile_said else None,
            sensor_field=f"properties.{'.'.join(path)}",
            has_policy=find_truth(item.find("addonProfiles", "azurepolicy", "enabled")) is True,
            source=source_of(item),
        )


def _is_cut(item: Item) -> bool:
    """Whether something on the way to the answer is a text, as `ConvertTo-Json` of PowerShell writes what is too deep."""
    paths = [path[:length] for path in (_SENSOR, _BEFORE_2022) for length in range(1, len(path))]
    return any(isinstance(item.find(*path), str) for path in paths)


def _is_stopped(item: Item) -> bool | None:
    code = find_text(item.find("powerState"), "code") or find_text(find(item.body, "powerState"), "code")
    return None if code is None else code.lower() == "stopped"
