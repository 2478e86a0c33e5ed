"""Defender's plans: what their sub-plans leave out, which extensions they have, and which of them can still be enabled. Pure.

A table as data; an answer may name plans, sub-plans and extensions that it does not have. Sources:
https://learn.microsoft.com/rest/api/defenderforcloud/pricings,
https://learn.microsoft.com/azure/defender-for-cloud/defender-for-servers-overview,
https://learn.microsoft.com/azure/defender-for-cloud/defender-for-storage-classic-migrate,
https://learn.microsoft.com/azure/defender-for-cloud/release-notes (2026-07-05: old plans are refused)
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from router.domain.coverage import WorkloadKind


@dataclass(frozen=True, slots=True, kw_only=True)
class DefenderSubPlan:
    """One of the forms in which a plan is sold.

    Attributes:
        name: as the API writes it.
        leaves_out: what it does not include of what the plan can do.
        is_offered: whether it can still be enabled; one that is on already stays on.
    """

    name: str
    leaves_out: tuple[str, ...] = ()
    is_offered: bool = True


@dataclass(frozen=True, slots=True, kw_only=True)
class DefenderPlan:
    """One plan.

    Attributes:
        name: as the API writes it.
        sub_plans: its sub-plans; the first one is what should be enabled.
        extensions: the extensions that were seen of it.
        successor: the plan that is to be enabled in its stead; None where it can still be enabled itself.
        is_posture: whether it looks at posture and protects no workload.
        protects: the ARM types that it protects, in lower case; empty where that is the subscription itself, or not known.
    """

    name: str
    sub_plans: tuple[DefenderSubPlan, ...] = ()
    extensions: tuple[str, ...] = ()
    successor: str | None = None
    is_posture: bool = False
    protects: frozenset[str] = frozenset()

    def find_sub_plan(self, name: str) -> DefenderSubPlan | None:
        """The sub-plan of that name, in any case."""
        return next((one for one in self.sub_plans if one.name.lower() == name.lower()), None)

    def has_extension(self, name: str) -> bool:
        """Whether an extension of that name, in any case, is known to be one of its own."""
        return name.lower() in (one.lower() for one in self.extensions)


_P1_LEAVES_OUT = (
    "agentless scanning of machines",
    "alerts of DNS and of Azure's network layer",
    "operating system updates and baselines",
    "premium vulnerability management",
    "file integrity monitoring",
    "just-in-time access",
)
_CLASSIC_LEAVES_OUT = ("malware scanning", "detection of threats to sensitive data")

_TABLE = (
    DefenderPlan(
        name="VirtualMachines",
        protects=frozenset(
            {
                "microsoft.compute/virtualmachines",
                "microsoft.compute/virtualmachinescalesets",
                "microsoft.hybridcompute/machines",
            }
        ),
        sub_plans=(DefenderSubPlan(name="P2"), DefenderSubPlan(name="P1", leaves_out=_P1_LEAVES_OUT)),
        extensions=("MdeDesignatedSubscription", "AgentlessVmScanning", "FileIntegrityMonitoring"),
    ),
    DefenderPlan(
        name="Containers",
        protects=frozenset(
            {
                "microsoft.containerservice/managedclusters",
                "microsoft.kubernetes/connectedclusters",
                "microsoft.containerregistry/registries",
            }
        ),
        extensions=(
            "ContainerSensor",
            "AgentlessDiscoveryForKubernetes",
            "ContainerRegistriesVulnerabilityAssessments",
            "AgentlessVmScanning",
            "ContainerIntegrityContribution",
        ),
    ),
    DefenderPlan(
        name="SqlServers",
        protects=frozenset({"microsoft.sql/servers", "microsoft.sql/managedinstances", "microsoft.synapse/workspaces"}),
    ),
    DefenderPlan(
        name="SqlServerVirtualMachines",
        protects=frozenset(
            {"microsoft.sqlvirtualmachine/sqlvirtualmachines", "microsoft.azurearcdata/sqlserverinstances"}
        ),
    ),
    DefenderPlan(
        name="OpenSourceRelationalDatabases",
        protects=frozenset(
            {
                "microsoft.dbforpostgresql/servers",
                "microsoft.dbforpostgresql/flexibleservers",
                "microsoft.dbformysql/servers",
                "microsoft.dbformysql/flexibleservers",
                "microsoft.dbformariadb/servers",
            }
        ),
    ),
    DefenderPlan(
        name="CosmosDbs",
        protects=frozenset({"microsoft.documentdb/databaseaccounts", "microsoft.documentdb/mongoclusters"}),
    ),
    DefenderPlan(
        name="StorageAccounts",
        protects=frozenset({"microsoft.storage/storageaccounts"}),
        sub_plans=(
            DefenderSubPlan(name="DefenderForStorageV2"),
            DefenderSubPlan(name="PerStorageAccount", leaves_out=_CLASSIC_LEAVES_OUT, is_offered=False),
            DefenderSubPlan(name="PerTransaction", leaves_out=_CLASSIC_LEAVES_OUT, is_offered=False),
        ),
        extensions=("OnUploadMalwareScanning", "SensitiveDataDiscovery"),
    ),
    DefenderPlan(
        name="KeyVaults",
        protects=frozenset({"microsoft.keyvault/vaults"}),
        sub_plans=(DefenderSubPlan(name="PerKeyVault"), DefenderSubPlan(name="PerTransaction", is_offered=False)),
    ),
    DefenderPlan(
        name="Arm",
        sub_plans=(DefenderSubPlan(name="PerSubscription"), DefenderSubPlan(name="PerApiCall", is_offered=False)),
    ),
    DefenderPlan(
        name="AppServices",
        protects=frozenset({"microsoft.web/sites"}),
    ),
    DefenderPlan(
        name="Api",
        protects=frozenset({"microsoft.apimanagement/service"}),
        sub_plans=tuple(DefenderSubPlan(name=f"P{size}") for size in range(1, 6)),
    ),
    DefenderPlan(
        name="AI",
        protects=frozenset({"microsoft.cognitiveservices/accounts", "microsoft.machinelearningservices/workspaces"}),
        extensions=("AIPromptEvidence", "AIPromptSharingWithPurview", "AIModelScanner"),
    ),
    DefenderPlan(name="Dns", successor="VirtualMachines"),
    DefenderPlan(name="KubernetesService", successor="Containers"),
    DefenderPlan(name="ContainerRegistry", successor="Containers"),
    DefenderPlan(
        name="CloudPosture",
        is_posture=True,
        extensions=(
            "AgentlessVmScanning",
            "AgentlessDiscoveryForKubernetes",
            "SensitiveDataDiscovery",
            "ContainerRegistriesVulnerabilityAssessments",
            "EntraPermissionsManagement",
            "ApiPosture",
        ),
    ),
    DefenderPlan(name="FoundationalCspm", is_posture=True),
    DefenderPlan(name="Discovery", is_posture=True),
)

PLANS: Mapping[str, DefenderPlan] = {one.name.lower(): one for one in _TABLE}
"""Each plan, by its name in lower case."""

PROTECTING_PLANS = tuple(one for one in _TABLE if not one.is_posture and one.successor is None)
"""The plans that protect workloads and can be enabled today."""

PLAN_OF_KIND: Mapping[WorkloadKind, DefenderPlan] = {
    WorkloadKind.MACHINE: PLANS["virtualmachines"],
    WorkloadKind.CLUSTER: PLANS["containers"],
    WorkloadKind.REGISTRY: PLANS["containers"],
    WorkloadKind.SQL_SERVER: PLANS["sqlservers"],
    WorkloadKind.SQL_ON_MACHINE: PLANS["sqlservervirtualmachines"],
    WorkloadKind.COSMOS_DB: PLANS["cosmosdbs"],
    WorkloadKind.OPEN_SOURCE_DATABASE: PLANS["opensourcerelationaldatabases"],
    WorkloadKind.STORAGE_ACCOUNT: PLANS["storageaccounts"],
}
"""Which plan protects a kind of workload."""

OLD_PLAN_OF_KIND: Mapping[WorkloadKind, DefenderPlan] = {
    WorkloadKind.CLUSTER: PLANS["kubernetesservice"],
    WorkloadKind.REGISTRY: PLANS["containerregistry"],
}
"""Which deprecated plan protects a kind of workload, where it was on before it was deprecated."""


def plan_named(name: str) -> DefenderPlan:
    """The plan of that name, in any case; one of which nothing is known where the table does not have it."""
    return PLANS.get(name.lower()) or DefenderPlan(name=name)


def find_lacking(plan: DefenderPlan, said: str, needed: str) -> tuple[str, ...] | None:
    """What one sub-plan leaves out that another one, which is needed, includes; None where the table does not know them."""
    if said.lower() == needed.lower():
        return ()
    has, needs = plan.find_sub_plan(said), plan.find_sub_plan(needed)
    if has is None or needs is None:
        return None
    return tuple(one for one in has.leaves_out if one not in needs.leaves_out)


def names_of(plans: Iterable[DefenderPlan]) -> str:
    """Their names, one after the other."""
    return ", ".join(one.name for one in plans)
