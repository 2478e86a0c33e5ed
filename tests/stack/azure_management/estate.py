"""Subscriptions and what is in them, made up: every plan on, every sensor running, everything exported."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from router.domain.recommendations import EDR_INSTALLED, EDR_RUNNING

type Row = dict[str, Any]

PLANS = (
    "VirtualMachines", "Containers", "SqlServers", "SqlServerVirtualMachines", "OpenSourceRelationalDatabases", "CosmosDbs",
    "StorageAccounts", "KeyVaults", "AppServices", "Arm", "Api", "AI", "CloudPosture",
)  # fmt: skip
TABLES = ("resources", "resourcecontainers", "securityresources", "kubernetesconfigurationresources")
SUB_PLANS = {"VirtualMachines": "P2", "StorageAccounts": "DefenderForStorageV2", "KeyVaults": "PerKeyVault"}
SETTINGS = ("WDATP", "WDATP_UNIFIED_SOLUTION", "WDATP_EXCLUDE_LINUX_PUBLIC_PREVIEW", "Sentinel")
HUB = (
    "/subscriptions/22222222-2222-2222-2222-222222222222/resourceGroups/rg-router/providers/Microsoft.EventHub/namespaces"
    "/evhns-router/eventhubs/cwpp"
)


def subscription_id(number: int) -> str:
    """The id of the subscription of that number."""
    return f"6f0a3c52-8d1e-4b7a-9c45-{number:012d}"


@dataclass
class Estate:
    """What Azure has. Its rows may be changed before it is asked.

    Attributes:
        graph: the rows of each table of Resource Graph.
        lists: the rows of each list of Resource Manager, by its path in lower case.
        objects: single objects of Resource Manager, by their paths in lower case.
        hidden: the subscriptions that whoever asks may not read, in lower case.
        processes: the rows of CloudProcessEvents by workspace: cluster and time.
    """

    graph: dict[str, list[Row]] = field(default_factory=lambda: {table: [] for table in TABLES})
    lists: dict[str, list[Row]] = field(default_factory=dict)
    objects: dict[str, Row] = field(default_factory=dict)
    hidden: set[str] = field(default_factory=set)
    processes: dict[str, list[tuple[str, str]]] = field(default_factory=dict)

    def pricings(self, subscription: str) -> list[Row]:
        """The plans of a subscription, as Resource Manager lists them."""
        return self.lists[f"/subscriptions/{subscription}/providers/microsoft.security/pricings"]

    def set_plan(self, subscription: str, plan: str, **properties: object) -> None:
        """Says something else of a plan, in both answers that speak of it."""
        for row in (*self.pricings(subscription), *self.graph["securityresources"]):
            if (
                row["id"].lower()
                == f"/subscriptions/{subscription}/providers/microsoft.security/pricings/{plan}".lower()
            ):
                row["properties"] |= properties

    def override(self, subscription: str, plan: str, off: str = "") -> None:
        """Says that resources differ from a plan of their subscription, and of each whether it does: those named `off` do."""
        self.set_plan(subscription, plan, resourcesCoverageStatus="PartiallyCovered")
        for row in self.graph["resources"]:
            if row["type"] in _OVERRIDABLE[plan] and row["id"].startswith(f"/subscriptions/{subscription}/"):
                path, answer = _own_setting(row["id"], plan, is_off=row["name"] == off)
                self.objects[path.lower()] = answer


_OVERRIDABLE = {
    "VirtualMachines": ("microsoft.compute/virtualmachines",),
    "Containers": ("microsoft.containerservice/managedclusters", "microsoft.containerregistry/registries"),
    "StorageAccounts": ("microsoft.storage/storageaccounts",),
    "CosmosDbs": ("microsoft.documentdb/databaseaccounts",),
}


def _own_setting(id: str, plan: str, *, is_off: bool) -> tuple[str, Row]:
    """What a resource says of a plan, and where."""
    security = f"{id}/providers/Microsoft.Security"
    if plan == "StorageAccounts":
        type, properties = (
            "defenderForStorageSettings",
            {
                "isEnabled": not is_off,
                "overrideSubscriptionLevelSettings": is_off,
                "malwareScanning": {"onUpload": {"isEnabled": False, "capGBPerMonth": 5000}},
                "sensitiveDataDiscovery": {"isEnabled": False},
            },
        )
    elif plan == "CosmosDbs":
        type, properties = "advancedThreatProtectionSettings", {"isEnabled": not is_off}
    else:
        type, properties = (
            "pricings",
            {
                "pricingTier": "Free" if is_off else "Standard",
                "inherited": str(not is_off),
                "inheritedFrom": None if is_off else id.partition("/resourceGroups/")[0],
            },
        )
    name = plan if type == "pricings" else "current"
    path = f"{security}/{type}/{name}"
    return path, {"id": path, "name": name, "type": f"Microsoft.Security/{type}", "properties": properties}


def healthy_estate(subscriptions: int = 1, machines: int = 1) -> Estate:
    """An estate in which Defender watches everything, so far as Azure can say it."""
    estate = Estate()
    for number in range(subscriptions):
        _add_subscription(estate, subscription_id(number), number, machines)
    return estate


def _add_subscription(estate: Estate, id: str, number: int, machines: int) -> None:
    scope = f"/subscriptions/{id}"
    estate.graph["resourcecontainers"].append(
        {
            "id": scope,
            "name": f"contoso-{number}",
            "type": "microsoft.resources/subscriptions",
            "subscriptionId": id,
            "tags": {"owner": "platform"},
            "properties": {"state": "Enabled"},
        }
    )
    security = f"{scope}/providers/Microsoft.Security"
    plans = [_plan(security, plan) for plan in PLANS]
    lists: Mapping[str, list[Row]] = {
        "pricings": plans,
        "settings": [_setting(security, name) for name in SETTINGS],
        "automations": [_automation(scope)],
        "alertsSuppressionRules": [_suppression_rule(security)],
    }
    for name, rows in lists.items():
        estate.lists[f"{security}/{name}".lower()] = rows
    # Resource Graph writes types in lower case, and does not say how many resources have a plan.
    shown = [{**plan, "type": plan["type"].lower(), "properties": dict(plan["properties"])} for plan in plans]
    for plan in shown:
        del plan["properties"]["resourcesCoverageStatus"]
    estate.graph["securityresources"] += shown
    estate.graph["resources"] += _resources(scope)
    for machine in range(machines):
        estate.graph["resources"] += _machine(scope, f"web-{machine}")
        estate.graph["securityresources"] += _assessments(scope, f"web-{machine}")


def _plan(security: str, plan: str) -> Row:
    properties: Row = {
        "pricingTier": "Standard",
        "freeTrialRemainingTime": "PT0S",
        "enablementTime": "2026-01-11T08:00:00Z",
        "enforce": "False",
        "resourcesCoverageStatus": "FullyCovered",
        "extensions": [],
    }
    if plan in SUB_PLANS:
        properties["subPlan"] = SUB_PLANS[plan]
    if plan == "Containers":
        names = ("ContainerSensor", "ContainerRegistriesVulnerabilityAssessments")
        properties["extensions"] = [
            {"name": name, "isEnabled": "True", "additionalExtensionProperties": None} for name in names
        ]
    return {
        "id": f"{security}/pricings/{plan}",
        "name": plan,
        "type": "Microsoft.Security/pricings",
        "properties": properties,
    }


def _setting(security: str, name: str) -> Row:
    return {
        "name": name,
        "type": "Microsoft.Security/settings",
        "id": f"{security}/settings/{name}",
        "kind": "AlertSyncSettings" if name == "Sentinel" else "DataExportSettings",
        "properties": {"enabled": not name.startswith("WDATP_EXCLUDE")},
    }


def _automation(scope: str) -> Row:
    def rule_set(severity: str) -> Row:
        rule = {
            "propertyJPath": "Severity",
            "propertyType": "String",
            "expectedValue": severity,
            "operator": "Equals",
        }
        return {"rules": [rule]}

    severities = ("high", "medium", "low", "informational")
    return {
        "id": f"{scope}/resourceGroups/rg-export/providers/Microsoft.Security/automations/exportToEventHub",
        "name": "exportToEventHub",
        "type": "Microsoft.Security/automations",
        "etag": '"0"',
        "location": "westeurope",
        "tags": {},
        "properties": {
            "isEnabled": True,
            "scopes": [{"description": "scope", "scopePath": scope}],
            "sources": [{"eventSource": "Alerts", "ruleSets": [rule_set(one) for one in severities]}],
            "actions": [
                {
                    "actionType": "EventHub",
                    "isTrustedServiceEnabled": True,
                    "eventHubResourceId": HUB,
                    "sasPolicyName": None,
                }
            ],
        },
    }


def _suppression_rule(security: str) -> Row:
    return {
        "id": f"{security}/alertsSuppressionRules/scanner",
        "name": "scanner",
        "type": "Microsoft.Security/alertsSuppressionRules",
        "properties": {
            "alertType": "VM_SuspiciousScan",
            "lastModifiedUtc": "2026-11-01T08:00:00Z",
            "expirationDateUtc": "2026-12-31T00:00:00Z",
            "state": "Enabled",
            "reason": "FalsePositive",
            "comment": "the scanner of the SOC",
            "suppressionAlertsScope": {"allOf": [{"field": "entities.ip.address", "in": ["10.0.0.4"]}]},
        },
    }


def _resources(scope: str) -> Iterator[Row]:
    """One of each kind that Defender watches from its own side, and a cluster."""
    types = {
        "Microsoft.Storage/storageAccounts": "uploads",
        "Microsoft.DocumentDB/databaseAccounts": "carts",
        "Microsoft.ContainerRegistry/registries": "images",
        "Microsoft.Sql/servers": "ledger",
    }
    for type, name in types.items():
        yield _resource(scope, type, name, {"provisioningState": "Succeeded"}, {"team": "payments"})
    yield _resource(
        scope,
        "Microsoft.ContainerService/managedClusters",
        "aks-payouts",
        {
            "provisioningState": "Succeeded",
            "powerState": {"code": "Running"},
            "nodeResourceGroup": "MC_rg_aks-payouts_westeurope",
            "securityProfile": {"defender": {"securityMonitoring": {"enabled": True}}},
            "addonProfiles": {"azurepolicy": {"enabled": True, "config": None}},
        },
    )


def _machine(scope: str, name: str) -> Iterator[Row]:
    machine = _resource(
        scope,
        "Microsoft.Compute/virtualMachines",
        name,
        {
            "provisioningState": "Succeeded",
            "timeCreated": "2026-01-11T08:00:00Z",
            "storageProfile": {"osDisk": {"osType": "Linux", "name": f"{name}-disk"}},
            "extended": {"instanceView": {"powerState": {"code": "PowerState/running"}}},
        },
    )
    yield machine
    yield {
        "id": f"{machine['id']}/extensions/MDE.Linux",
        "name": "MDE.Linux",
        "type": "microsoft.compute/virtualmachines/extensions",
        "location": "westeurope",
        "properties": {
            "publisher": "Microsoft.Azure.AzureDefenderForServers",
            "type": "MDE.Linux",
            "typeHandlerVersion": "1.0",
            "autoUpgradeMinorVersion": True,
            "provisioningState": "Succeeded",
            "settings": {"azureResourceId": machine["id"], "provisionedBy": "Manual", "forceReOnboarding": True},
        },
    }


def _assessments(scope: str, name: str) -> Iterator[Row]:
    machine = f"{scope}/resourceGroups/rg/providers/Microsoft.Compute/virtualMachines/{name}"
    for key in (EDR_INSTALLED, *EDR_RUNNING):
        yield {
            "id": f"{machine}/providers/Microsoft.Security/assessments/{key}",
            "name": key,
            "type": "microsoft.security/assessments",
            "properties": {
                "displayName": "made up",
                "resourceDetails": {"Source": "Azure", "Id": machine},
                "status": {"code": "Healthy", "cause": "", "description": ""},
                "additionalData": {},
            },
        }


def _resource(scope: str, type: str, name: str, properties: Row, tags: Mapping[str, str] | None = None) -> Row:
    """A row of Resource Graph, which writes the type in lower case and the id as it is."""
    return {
        "id": f"{scope}/resourceGroups/rg/providers/{type}/{name}",
        "name": name,
        "type": type.lower(),
        "location": "westeurope",
        "tags": dict(tags) if tags is not None else None,
        "properties": properties,
    }
