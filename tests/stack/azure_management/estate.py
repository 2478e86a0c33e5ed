"""Subscriptions and what is in them, made up: every plan on, every sensor running, everything exported."""

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
        id = f"/subscriptions/{subscription}/providers/microsoft.security/pricings/{plan}".lower()
        for row in (*self.pricings(subscription), *self.graph["securityresources"]):
            if row["id"].lower() == id:
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
    properties: Row
    type, name = "pricings", plan
    if plan == "StorageAccounts":
        type, name = "defenderForStorageSettings", "current"
        scanning = {"onUpload": {"isEnabled": False, "capGBPerMonth": 5000}}
        properties = {"isEnabled": not is_off, "overrideSubscriptionLevelSettings": is_off, "malwareScanning": scanning}
        properties["sensitiveDataDiscovery"] = {"isEnabled": False}
    elif plan == "CosmosDbs":
        type, name, properties = "advancedThreatProtectionSettings", "current", {"isEnabled": not is_off}
    else:
        tier, above = ("Free", None) if is_off else ("Standard", id.partition("/resourceGroups/")[0])
        properties = {"pricingTier": tier, "inherited": str(not is_off), "inheritedFrom": above}
    path = f"{id}/providers/Microsoft.Security/{type}/{name}"
    return path, {"id": path, "name": name, "type": f"Microsoft.Security/{type}", "properties": properties}


def healthy_estate(subscriptions: int = 1, machines: int = 1) -> Estate:
    """An estate in which Defender watches everything, so far as Azure can say it."""
    estate = Estate()
    for number in range(subscriptions):
        _add_subscription(estate, subscription_id(number), number, machines)
    return estate


def _add_subscription(estate: Estate, id: str, number: int, machines: int) -> None:
    scope = f"/subscriptions/{id}"
    subscription = {"id": scope, "name": f"contoso-{number}", "type": "microsoft.resources/subscriptions"}
    more = {"subscriptionId": id, "tags": {"owner": "platform"}, "properties": {"state": "Enabled"}}
    estate.graph["resourcecontainers"].append({**subscription, **more})
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


def _security(security: str, type: str, name: str, properties: Row, **more: object) -> Row:
    """A thing of Defender's, as Resource Manager has it."""
    id, full = f"{security}/{type}/{name}", f"Microsoft.Security/{type}"
    return {"id": id, "name": name, "type": full, "properties": properties, **more}


def _plan(security: str, plan: str) -> Row:
    names = ("ContainerSensor", "ContainerRegistriesVulnerabilityAssessments") if plan == "Containers" else ()
    properties: Row = {
        "pricingTier": "Standard",
        "freeTrialRemainingTime": "PT0S",
        "enforce": "False",
        "resourcesCoverageStatus": "FullyCovered",
        "extensions": [{"name": name, "isEnabled": "True", "additionalExtensionProperties": None} for name in names],
        **({"subPlan": SUB_PLANS[plan]} if plan in SUB_PLANS else {}),
    }
    return _security(security, "pricings", plan, properties)


def _setting(security: str, name: str) -> Row:
    kind = "AlertSyncSettings" if name == "Sentinel" else "DataExportSettings"
    return _security(security, "settings", name, {"enabled": not name.startswith("WDATP_EXCLUDE")}, kind=kind)


def _automation(scope: str) -> Row:
    rule = {"propertyJPath": "Severity", "propertyType": "String", "operator": "Equals"}
    severities = ("high", "medium", "low", "informational")
    rule_sets = [{"rules": [{**rule, "expectedValue": severity}]} for severity in severities]
    properties = {
        "isEnabled": True,
        "scopes": [{"scopePath": scope}],
        "sources": [{"eventSource": "Alerts", "ruleSets": rule_sets}],
        "actions": [{"actionType": "EventHub", "eventHubResourceId": HUB}],
    }
    security = f"{scope}/resourceGroups/rg-export/providers/Microsoft.Security"
    return _security(security, "automations", "exportToEventHub", properties)


def _suppression_rule(security: str) -> Row:
    properties = {
        "alertType": "VM_SuspiciousScan",
        "lastModifiedUtc": "2026-11-01T08:00:00Z",
        "expirationDateUtc": "2026-12-31T00:00:00Z",
        "state": "Enabled",
        "reason": "FalsePositive",
        "comment": "the scanner of the SOC",
        "suppressionAlertsScope": {"allOf": [{"field": "entities.ip.address", "in": ["10.0.0.4"]}]},
    }
    return _security(security, "alertsSuppressionRules", "scanner", properties)


def _resources(scope: str) -> Iterator[Row]:
    """One of each kind that Defender watches from its own side, and a cluster."""
    types = {
        "Microsoft.Storage/storageAccounts": "uploads",
        "Microsoft.DocumentDB/databaseAccounts": "carts",
        "Microsoft.ContainerRegistry/registries": "images",
        "Microsoft.Sql/servers": "ledger",
    }
    for type, name in types.items():
        yield _resource(scope, type, name, {}, {"team": "payments"})
    cluster = {
        "powerState": {"code": "Running"},
        "nodeResourceGroup": "MC_rg_aks-payouts_westeurope",
        "securityProfile": {"defender": {"securityMonitoring": {"enabled": True}}},
        "addonProfiles": {"azurepolicy": {"enabled": True, "config": None}},
    }
    yield _resource(scope, "Microsoft.ContainerService/managedClusters", "aks-payouts", cluster)


def _machine(scope: str, name: str) -> Iterator[Row]:
    properties = {
        "timeCreated": "2026-01-11T08:00:00Z",
        "storageProfile": {"osDisk": {"osType": "Linux", "name": f"{name}-disk"}},
        "extended": {"instanceView": {"powerState": {"code": "PowerState/running"}}},
    }
    machine = _resource(scope, "Microsoft.Compute/virtualMachines", name, properties)
    yield machine
    installed = {
        "publisher": "Microsoft.Azure.AzureDefenderForServers",
        "type": "MDE.Linux",
        "provisioningState": "Succeeded",
        "settings": {"azureResourceId": machine["id"]},
    }
    extension = {"id": f"{machine['id']}/extensions/MDE.Linux", "name": "MDE.Linux", "location": "westeurope"}
    yield {**extension, "type": "microsoft.compute/virtualmachines/extensions", "properties": installed}


def _assessments(scope: str, name: str) -> Iterator[Row]:
    machine = f"{scope}/resourceGroups/rg/providers/Microsoft.Compute/virtualMachines/{name}"
    for key in (EDR_INSTALLED, *EDR_RUNNING):
        properties = {
            "resourceDetails": {"Source": "Azure", "Id": machine},
            "status": {"code": "Healthy", "cause": "", "description": ""},
        }
        assessment = _security(f"{machine}/providers/Microsoft.Security", "assessments", key, properties)
        yield {**assessment, "type": "microsoft.security/assessments"}


def _resource(scope: str, type: str, name: str, properties: Row, tags: Mapping[str, str] | None = None) -> Row:
    """A row of Resource Graph, which writes the type in lower case and the id as it is."""
    return {
        "id": f"{scope}/resourceGroups/rg/providers/{type}/{name}",
        "name": name,
        "type": type.lower(),
        "location": "westeurope",
        "tags": dict(tags) if tags is not None else None,
        "properties": {"provisioningState": "Succeeded", **properties},
    }
