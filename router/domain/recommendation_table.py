"""The table behind `router.domain.recommendations`: it is data, and stands in Python because pure rooms open no files.

Keys and titles: https://learn.microsoft.com/azure/defender-for-cloud/recommendations-reference and the pages under it,
https://learn.microsoft.com/azure/defender-for-cloud/deploy-helm; definitions:
https://github.com/Azure/azure-policy/tree/master/built-in-policies/policyDefinitions
"""

from __future__ import annotations

from dataclasses import dataclass

from router.domain.coverage import Rung, WorkloadKind

DEPRECATED = "deprecated"
"""Stands for the day since which a recommendation says nothing, where that is not known."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CoverageRecommendation:
    """A recommendation that says something of a rung.

    Attributes:
        key: its assessment key in lower case; None where Microsoft documents none.
        title: its title, or what it says where the title is not documented.
        kinds: the kinds of workloads that it is about.
        rung: what is missing where it is unhealthy.
        plan: the plan that is missing; None on other rungs.
        retired: the day since which it says nothing, or `deprecated` where that day is not known; None while it is in force.
            A message of one that was retired on a day still says that a sensor is missing.
        note: what else is to be known of it; empty where there is nothing.
        has_official_title: whether the title is the very one that Defender writes.
    """

    key: str | None
    title: str
    kinds: tuple[WorkloadKind, ...]
    rung: Rung
    plan: str | None = None
    retired: str | None = None
    note: str = ""
    has_official_title: bool = True

    @property
    def is_deprecated(self) -> bool:
        """Whether it is about what is gone for good, as the Log Analytics agent is: unhealthy everywhere, and no gap."""
        return self.retired == DEPRECATED


_MACHINE = (WorkloadKind.MACHINE,)
_CLUSTER = (WorkloadKind.CLUSTER,)
_SQL = (WorkloadKind.SQL_SERVER,)
_SQL_ON_MACHINE = (WorkloadKind.SQL_ON_MACHINE,)
_DATABASE = (WorkloadKind.OPEN_SOURCE_DATABASE,)
_SUBSCRIPTION = (WorkloadKind.SUBSCRIPTION,)


def _plan(key: str | None, title: str, plan: str, note: str = "") -> CoverageRecommendation:
    return CoverageRecommendation(key=key, title=title, kinds=_SUBSCRIPTION, rung=Rung.PLAN, plan=plan, note=note)


def _sensor(
    key: str | None, title: str, kinds: tuple[WorkloadKind, ...], rung: Rung, note: str = ""
) -> CoverageRecommendation:
    return CoverageRecommendation(key=key, title=title, kinds=kinds, rung=rung, note=note)


def _antivirus(key: str, says: str) -> CoverageRecommendation:
    return CoverageRecommendation(
        key=key,
        title=says,
        kinds=_MACHINE,
        rung=Rung.SENSOR_RUNNING,
        note="one of three that took the place of dc5357d0-3858-4d17-a1a3-072840bff5be",
        has_official_title=False,
    )


def _retired(
    key: str, says: str, since: str, note: str = "", *, kinds: tuple[WorkloadKind, ...] = _MACHINE
) -> CoverageRecommendation:
    return CoverageRecommendation(
        key=key,
        title=says,
        kinds=kinds,
        rung=Rung.SENSOR_RUNNING,
        retired=since,
        note=note,
        has_official_title=False,
    )


_HELM = "stays unhealthy for ever where the sensor came by Helm"
_ENDPOINT = "endpoint protection, found by the Log Analytics agent"
_AGENT = "the Log Analytics agent"
_EDR = "EDR configuration issues"
_EDR_NEW = "three others took its place, which are selected by key"

EDR_INSTALLED = "06e3a6db-6c0c-4ad9-943f-31d9d73ecf6c"
"""Whether a machine has a solution for endpoint detection and response, as the scan without an agent sees it."""

EDR_RUNNING = (
    "d44de051-1862-48f8-8476-192aee854699",
    "aafa7d27-01ae-40c6-a56c-1d0ef04b1d71",
    "506d18a1-d571-4341-aad5-a7d363c5bbd4",
)
"""What together says that the sensor of a machine is at work."""

SQL_PROTECTED = "The status of Microsoft SQL Servers on Machines should be protected"
"""The title of the recommendation on SQL servers on machines, whose key is documented nowhere."""

RECOMMENDATIONS: tuple[CoverageRecommendation, ...] = (
    _sensor(
        "56a83a6e-c417-42ec-b567-1e6fcb3d09a9",
        "Azure Kubernetes Service clusters should have Defender profile enabled",
        _CLUSTER,
        Rung.INTEGRATION,
        _HELM,
    ),
    _sensor(
        "3ef9848c-c2c8-4ff3-8b9c-4c8eb8ddfce6",
        "Azure Arc-enabled Kubernetes clusters should have the Defender extension installed",
        _CLUSTER,
        Rung.SENSOR_INSTALLED,
        f"{_HELM}; passes over AKS, EKS and GKE",
    ),
    _sensor(
        None,
        "EKS clusters should have Microsoft Defender's extension for Azure Arc installed",
        _CLUSTER,
        Rung.SENSOR_INSTALLED,
    ),
    _sensor(
        None,
        "GKE clusters should have Microsoft Defender's extension for Azure Arc installed",
        _CLUSTER,
        Rung.SENSOR_INSTALLED,
    ),
    _sensor(
        "08e628db-e2ed-4793-bc91-d13e684401c3",
        "Azure Kubernetes Service clusters should have the Azure Policy add-on for Kubernetes installed",
        _CLUSTER,
        Rung.ADMISSION_AUDITS,
    ),
    _sensor(
        "0642d770-b189-42ef-a2ce-9dcc3ec6c169",
        "Azure Arc-enabled Kubernetes clusters should have the Azure Policy extension installed",
        _CLUSTER,
        Rung.ADMISSION_AUDITS,
    ),
    _sensor(
        EDR_INSTALLED,
        "EDR solution should be installed on Virtual Machines",
        _MACHINE,
        Rung.SENSOR_INSTALLED,
        "needs Servers P2 or Defender CSPM; counts the solutions of other vendors, too; says nothing of machines on premises",
    ),
    _antivirus("d44de051-1862-48f8-8476-192aee854699", "no full or quick scan of the antivirus in 7 days"),
    _antivirus("aafa7d27-01ae-40c6-a56c-1d0ef04b1d71", "the signatures of the antivirus are out of date"),
    _antivirus("506d18a1-d571-4341-aad5-a7d363c5bbd4", "the antivirus is off or partly configured"),
    _sensor(
        "9b7d740f-c271-4bfd-88fb-515680c33440",
        "File integrity monitoring should be enabled on machines",
        _MACHINE,
        Rung.INTEGRATION,
    ),
    _sensor(
        "ffff0522-1e88-47fc-8382-2a80ba848f5d",
        "Machines should have a vulnerability assessment solution",
        _MACHINE,
        Rung.INTEGRATION,
        "a scanner of vulnerabilities, which detects no attack",
    ),
    _sensor(None, SQL_PROTECTED, _SQL_ON_MACHINE, Rung.SENSOR_RUNNING, "evaluated every 12 hours"),
    _plan(
        "56a6e81f-7413-4f72-9a1b-aaeeaa87c872", "Microsoft Defender for servers should be enabled", "VirtualMachines"
    ),
    _plan("e599a9fe-30e3-47c6-a173-8b4b6d9d3255", "Microsoft Defender for Containers should be enabled", "Containers"),
    _plan(
        "58d72d9d-0310-4792-9a3b-6dd111093cdb",
        "Microsoft Defender for Azure SQL Database servers should be enabled",
        "SqlServers",
    ),
    _plan(
        "6ac66a74-761f-4a59-928a-d373eea3f028",
        "Microsoft Defender for SQL servers on machines should be enabled",
        "SqlServerVirtualMachines",
    ),
    _plan(
        "b6a28450-dd5d-4ba4-8806-245e20ef6632",
        "Microsoft Defender for open-source relational databases should be enabled",
        "OpenSourceRelationalDatabases",
    ),
    _plan(None, "Microsoft Defender for Azure Cosmos DB should be enabled", "CosmosDbs"),
    _plan(
        "1be22853-8ed1-4005-9907-ddad64cb1417", "Microsoft Defender for Storage should be enabled", "StorageAccounts"
    ),
    _plan("b1af52e4-e968-4e2b-b6d0-6736c9651f0a", "Microsoft Defender for Key Vault should be enabled", "KeyVaults"),
    _plan("f0fb2a7e-16d5-849f-be57-86db712e9bd0", "Microsoft Defender for Resource Manager should be enabled", "Arm"),
    _plan(
        "0876ef51-fee7-449d-ba1e-f2662c7e43c6", "Microsoft Defender for App Service should be enabled", "AppServices"
    ),
    _plan(None, "Microsoft Defender for APIs should be enabled", "Api"),
    _plan(None, "Microsoft Defender CSPM should be enabled", "CloudPosture"),
    _plan(
        "aae10e53-8403-3576-5d97-3b00f97332b2",
        "Microsoft Defender for DNS should be enabled",
        "Dns",
        "the plan is deprecated and cannot be enabled any more; Servers P2 has its alerts",
    ),
    CoverageRecommendation(
        key="400a6682-992c-4726-9549-629fbc3b988f",
        title="Microsoft Defender for SQL should be enabled for unprotected Azure SQL servers",
        kinds=_SQL,
        rung=Rung.PLAN,
        plan="SqlServers",
    ),
    CoverageRecommendation(
        key="ff6dbca8-d93c-49fc-92af-dc25da7faccd",
        title="Microsoft Defender for SQL should be enabled for unprotected SQL Managed Instances",
        kinds=_SQL,
        rung=Rung.PLAN,
        plan="SqlServers",
    ),
    CoverageRecommendation(
        key="bf2541d8-2d82-4cf3-a4e8-ed1137c90773",
        title="Microsoft Defender should be enabled for unprotected PostgreSQL flexible servers",
        kinds=_DATABASE,
        rung=Rung.PLAN,
        plan="OpenSourceRelationalDatabases",
        has_official_title=False,
    ),
    CoverageRecommendation(
        key="41f5d060-b585-4780-918e-c31fe9821d02",
        title="Microsoft Defender should be enabled for unprotected MySQL flexible servers",
        kinds=_DATABASE,
        rung=Rung.PLAN,
        plan="OpenSourceRelationalDatabases",
        has_official_title=False,
    ),
    CoverageRecommendation(
        key="f7010359-8d21-4598-a9f2-c3e81a17141e",
        title="All advanced threat protection types should be enabled in SQL server advanced data security settings",
        kinds=_SQL,
        rung=Rung.INTEGRATION,
    ),
    CoverageRecommendation(
        key="ebe970fe-9c27-4dd7-a165-1e943d565e10",
        title="All advanced threat protection types should be enabled in SQL managed instance advanced data security settings",
        kinds=_SQL,
        rung=Rung.INTEGRATION,
    ),
    _retired("dc5357d0-3858-4d17-a1a3-072840bff5be", f"{_EDR} of virtual machines", "2026-07-31", _EDR_NEW),
    _retired("695abd03-82bd-4d7f-a94c-140e8a17666c", f"{_EDR} of EC2 instances", "2026-07-31", _EDR_NEW),
    _retired("f36a15fb-61a6-428c-b719-6319538ecfbc", f"{_EDR} of machines in GCP", "2026-07-31", _EDR_NEW),
    _retired(
        "08d649c8-5458-46dd-a13c-e1c5c7b1687c",
        "Microsoft Defender for SQL status should be protected for Arc-enabled SQL Servers",
        "2026-03-29",
        f"followed by: {SQL_PROTECTED}",
        kinds=_SQL_ON_MACHINE,
    ),
    _retired("4fb67663-9ab9-475d-b026-8c544cced439", _ENDPOINT, DEPRECATED),
    _retired("37a3689a-818e-4a0e-82ac-b1392b9bb000", _ENDPOINT, DEPRECATED),
    _retired("83f577bd-a1b6-b7e1-0891-12ca19d1e6df", _ENDPOINT, DEPRECATED),
    _retired("e71020c2-860c-3235-cd39-04f3f8c936d2", _ENDPOINT, DEPRECATED),
    _retired("21300918-b2e3-0346-785f-c77ff57d243b", _ENDPOINT, DEPRECATED),
    _retired("d1db3318-01ff-16de-29eb-28b344515626", _AGENT, DEPRECATED),
    _retired("45cfe080-ceb1-a91e-9743-71551ed24e94", _AGENT, DEPRECATED),
    _retired("8e2b96ff-3de2-289b-b5c1-3b9921a3441e", _AGENT, DEPRECATED),
    _retired("1ce68079-b783-4404-b341-d2851d6f0fa2", "Defender for servers on workspaces", DEPRECATED),
    _retired("e9c320f1-03a0-4d2b-9a37-84b3bdc2e281", "Defender for SQL on machines on workspaces", DEPRECATED),
)
"""The recommendations, those in force first."""
