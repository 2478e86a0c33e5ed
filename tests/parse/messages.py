"""Messages in Defender's shapes, all made up; a test names only what it is about."""

from collections.abc import Callable
from functools import partial
from typing import Any

import orjson

from router.domain.catalogue import AlertType, Catalogue
from router.domain.signals import Alert, Finding, Quarantined
from router.parse import read_signals
from router.rulebook import load_catalogue

type Message = dict[str, Any]

SUBSCRIPTION = "/subscriptions/11111111-2222-3333-4444-555555555555"
MACHINE = f"{SUBSCRIPTION}/resourceGroups/rg-web/providers/Microsoft.Compute/virtualMachines/web-01"
ASSESSMENT_KEY = "aaaa1111-0000-4000-8000-000000000001"
ASSESSMENT = f"{MACHINE}/providers/Microsoft.Security/assessments/{ASSESSMENT_KEY}"
CATALOGUE = Catalogue(
    types={"vm_example": AlertType("VirtualMachines", ("Execution",), "High", "An example")},
    plan_names={"virtualmachines": "VirtualMachines", "storage accounts": "StorageAccounts"},
    prefixes=(("storage.", "StorageAccounts"), ("kv_", "KeyVaults")),
    properties=load_catalogue().properties,
    products=load_catalogue().products,
)


def body_of(message: object) -> bytes:
    """The message as it arrives."""
    return orjson.dumps(message)


def read_one(message: object) -> Alert | Finding | Quarantined:
    """The one signal that a message becomes."""
    (signal,) = read_signals(message if isinstance(message, bytes) else body_of(message), CATALOGUE)
    return signal


def _read_as[T](kind: type[T], message: object) -> T:
    signal = read_one(message)
    assert isinstance(signal, kind), signal
    return signal


read_alert = partial(_read_as, Alert)
"""The alert that a message becomes."""
read_finding = partial(_read_as, Finding)
"""The finding that a message becomes."""
read_quarantined = partial(_read_as, Quarantined)
"""The refusal that a message becomes."""


def a_flat_alert(**changes: object) -> Message:
    """An alert as Event Hubs carries it."""
    return {
        "VendorName": "Microsoft",
        "AlertType": "VM_Example",
        "ProductName": "Microsoft Defender for Cloud",
        "ProductComponentName": "VirtualMachines",
        "StartTimeUtc": "2026-11-16T01:34:18.5157151Z",
        "EndTimeUtc": "2026-11-16T02:04:18.9511821Z",
        "TimeGenerated": "2026-11-16T02:05:56.1713711Z",
        "ProcessingEndTime": "2026-11-16T02:05:53.7025211Z",
        "Severity": "High",
        "Status": "New",
        "IsIncident": False,
        "SystemAlertId": "2516000000000000000_aaaaaaaa-0000-4000-8000-000000000001",
        "Intent": "Persistence, CredentialAccess",
        "AzureResourceId": MACHINE,
        "CompromisedEntity": "web-01",
        "AlertDisplayName": "Something happens",
        "Description": "It happens on web-01.",
        "Entities": [{"$id": "4", "HostName": "web-01", "Type": "host"}],
        "RemediationSteps": ["Look at it.", "Mend it."],
        "ResourceIdentifiers": [{"$id": "2", "AzureResourceId": MACHINE, "Type": "AzureResource"}],
        "AlertUri": "https://portal.azure.com/#blade/alert",
        "ExtendedProperties": {"User Name": "ada"},
    } | changes


def _in_arm(name: str, properties: Message) -> Message:
    path = f"{SUBSCRIPTION}/resourceGroups/rg-web/providers/Microsoft.Security/locations/westeurope/alerts/{name}"
    return {"id": path, "name": name, "type": "Microsoft.Security/Locations/alerts", "properties": properties}


def an_arm_alert(**changes: object) -> Message:
    """An alert in the ARM form of 2022; changes are to its properties."""
    name = "2516000000000000000_aaaaaaaa-0000-4000-8000-000000000002"
    return _in_arm(
        name,
        {
            "status": "Active",
            "timeGeneratedUtc": "2026-11-16T07:51:23.7323577Z",
            "processingEndTimeUtc": "2026-11-16T07:51:23.1811182Z",
            "productName": "Microsoft Defender for Cloud",
            "productComponentName": "Storage Accounts",
            "alertType": "Storage.Example",
            "startTimeUtc": "2026-11-16T07:49:31.1811182Z",
            "endTimeUtc": "2026-11-16T07:49:31.1811182Z",
            "severity": "Medium",
            "isIncident": False,
            "systemAlertId": name,
            "intent": "Exfiltration",
            "resourceIdentifiers": [{"$id": "centralus_1", "azureResourceId": MACHINE, "type": "AzureResource"}],
            "compromisedEntity": "web-01",
            "alertDisplayName": "Data leaves",
            "description": "Data leaves web-01.",
            "remediationSteps": ["Close it."],
            "extendedProperties": {"resourceType": "Storage"},
            "entities": [{"$id": "centralus_2", "address": "192.0.2.1", "type": "ip"}],
            "techniques": ["T1059"],
            "subTechniques": ["T1059.001"],
        }
        | changes,
    )


def a_graph_row(**changes: object) -> Message:
    """The alert of `a_flat_alert` as `az graph query` gives it; changes are to its properties, of which None is left out."""
    flat = a_flat_alert()
    name = str(changes.get("SystemAlertId") or flat["SystemAlertId"])
    times = {f"{key}Utc": flat.pop(key) for key in ("TimeGenerated", "ProcessingEndTime")}
    del flat["AzureResourceId"]
    properties = flat | times | {"Status": "Active"} | changes
    row = _in_arm(name, {key: held for key, held in properties.items() if held is not None})
    return row | {"kind": "", "managedBy": "", "tags": None, "type": "microsoft.security/locations/alerts"}


def an_old_arm_alert(**changes: object) -> Message:
    """An alert in the ARM form of 2015 to 2019; changes are to its properties."""
    return _in_arm(
        "2516000000000000000_AAAAAAAA-0000-4000-8000-000000000003",
        {
            "alertDisplayName": "A known bad address",
            "alertName": "ThreatIntelligence",
            "detectedTimeUtc": "2026-11-16T19:50:47.083633Z",
            "reportedTimeUtc": "2026-11-17T05:36:12.2089889Z",
            "description": "A process talks to a known bad address.",
            "remediationSteps": "ask the user\r\nscan the machine",
            "reportedSeverity": "High",
            "compromisedEntity": "web-01",
            "associatedResource": MACHINE,
            "extendedProperties": {"killChainIntent": "LateralMovement, Execution"},
            "state": "Dismissed",
            "isIncident": False,
            "entities": [{"address": "192.0.2.1", "type": "ip"}],
        }
        | changes,
    )


def a_table_row(**changes: object) -> Message:
    """A row of the SecurityAlert table."""
    return {
        "TimeGenerated": "2026-11-16 07:27:56.188461+00:00",
        "DisplayName": "A miner runs",
        "AlertName": "A miner runs",
        "AlertSeverity": "High",
        "Description": "A miner runs on web-01.",
        "ProviderName": "Azure Security Center",
        "VendorOriginalId": "2516000000000000000_aaaaaaaa-0000-4000-8000-000000000004",
        "SystemAlertId": "bbbbbbbb-0000-4000-8000-000000000004",
        "ResourceId": MACHINE,
        "AlertType": "VM_Example",
        "IsIncident": "False",
        "StartTime": "2026-11-16 07:27:09.489644+00:00",
        "EndTime": "2026-11-16 07:27:09.489644+00:00",
        "ProcessingEndTime": "2026-11-16 07:27:51.489644+00:00",
        "RemediationSteps": '["Stop it.", "Find out how it came."]',
        "ExtendedProperties": '{"User Name": "ada"}',
        "Entities": '[{"$id": "2", "HostName": "web-01", "Type": "host"}]',
        "ProductName": "Azure Security Center",
        "ProductComponentName": "VirtualMachines",
        "AlertLink": "https://portal.azure.com/#blade/alert",
        "Status": "New",
        "CompromisedEntity": "web-01",
        "Tactics": "Execution",
        "Techniques": '["T1496"]',
        "Type": "SecurityAlert",
    } | changes


def an_enrichment(action: str = "Insert", snapshot: bool = False) -> Message:
    """What continuous export adds to a posture message."""
    return {"action": action, "apiVersion": "2019-01-01", "isSnapshot": snapshot}


def an_assessment(
    *, code: str = "Unhealthy", action: str = "Insert", snapshot: bool = False, **changes: object
) -> Message:
    """A recommendation; changes are to its properties."""
    return {
        "id": ASSESSMENT,
        "name": ASSESSMENT_KEY,
        "type": "Microsoft.Security/assessments",
        "tags": None,
        "properties": {
            "resourceDetails": {"source": "Azure", "id": MACHINE},
            "displayName": "Management ports should be closed",
            "status": {"code": code, "cause": "OpenPort", "statusChangeDate": "2026-11-09T17:20:31.5215758Z"},
            "additionalData": {"ports": [22, 3389], "note": "open"},
            "metadata": {
                "description": "Open ports invite guessing.",
                "remediationDescription": "To fix it:<br>1. Open it.<BR/>2. Close it.",
                "categories": ["Networking"],
                "severity": "Medium",
            },
            "links": {"azurePortal": "portal.azure.com/#blade/recommendation"},
        }
        | changes,
        "assessmentEventDataEnrichment": an_enrichment(action, snapshot),
        "securityEventDataEnrichment": an_enrichment(action, snapshot),
    }


def a_sub_assessment(*, code: str = "Unhealthy", action: str = "Insert", **changes: object) -> Message:
    """A vulnerability in camel case; changes are to its properties."""
    return {
        "id": f"{ASSESSMENT}/subAssessments/99",
        "name": "cccccccc-0000-4000-8000-000000000099",
        "type": "Microsoft.Security/assessments/subAssessments",
        "properties": {
            "id": "CVE-2026-0001",
            "displayName": "An example library",
            "status": {"code": code, "cause": "", "severity": "High"},
            "resourceDetails": {"source": "Azure", "id": MACHINE},
            "remediation": "Update it.",
            "category": "Libraries",
            "description": "A crafted request stops it.",
            "timeGenerated": "2026-11-18T03:11:27.7396878Z",
            "additionalData": {"assessedResourceType": "ServerVulnerability", "patchable": True},
        }
        | changes,
        "subAssessmentEventDataEnrichment": an_enrichment(action),
        "securityEventDataEnrichment": an_enrichment(action),
    }


def in_pascal_case(value: object) -> object:
    """A camel-case document as Newtonsoft writes it with type names: `$type` on every object."""
    if isinstance(value, dict):
        return {"$type": "An.Example, Example"} | {k[:1].upper() + k[1:]: in_pascal_case(v) for k, v in value.items()}
    return [in_pascal_case(item) for item in value] if isinstance(value, list) else value


def _posture(path: str, type: str, properties: Message, action: str = "Insert") -> Message:
    return {
        "id": f"{SUBSCRIPTION}/providers/Microsoft.Security/{path}",
        "name": path.rpartition("/")[2],
        "type": f"Microsoft.Security/{type}",
        "properties": properties,
        "securityEventDataEnrichment": an_enrichment(action),
    }


def rekeyed(value: Any, change: Callable[[str], str]) -> Any:
    """A document in which the names are written otherwise."""
    if isinstance(value, dict):
        return {name if name.startswith("$") else change(name): rekeyed(held, change) for name, held in value.items()}
    return [rekeyed(item, change) for item in value] if isinstance(value, list) else value


def a_secure_score(**changes: object) -> Message:
    """The secure score of a subscription; changes are to its properties."""
    score = {"displayName": "ASC score", "score": {"max": 58, "current": 33.41, "percentage": 0.576}}
    return _posture("secureScores/ascScore", "secureScores", score | changes)


def a_score_control() -> Message:
    """One control of a secure score."""
    counts = {"healthyResourceCount": 21, "unhealthyResourceCount": 9, "notApplicableResourceCount": 0}
    control = {"displayName": "Enable MFA", "score": {"max": 8, "current": 5.6, "percentage": 0.7}}
    return _posture(
        "secureScores/ascScore/secureScoreControls/mfa", "secureScores/secureScoreControls", control | counts
    )


def a_compliance_assessment() -> Message:
    """A compliance assessment in the form of an event."""
    standards, controls, assessments = (f"regulatoryCompliance{of}" for of in ("Standards", "Controls", "Assessments"))
    counts = {"passedResources": 7, "failedResources": 4, "skippedResources": 0}
    return _posture(
        f"{standards}/PCI/{controls}/1.1/{assessments}/dddd",
        f"{standards}/{controls}/{assessments}",
        {"description": "Scan data should be complete", "state": "Failed"} | counts,
    )


def an_attack_path(*, action: str = "Insert", **changes: object) -> Message:
    """An attack path in Exposure Management's shape; changes are to its properties."""
    return _posture(
        "attackpaths/eeee",
        "attackpaths",
        {
            "displayName": "An exposed cluster leads to a database",
            "riskLevel": "Critical",
            "riskFactors": ["Exposure to the internet"],
            "attackPathType": "ExposedClusterToDatabase",
            "entryPoint": {"id": MACHINE},
            "target": {"id": f"{MACHINE}-db"},
            "mITRETacticsAndTechniques": [{"tactic": "Initial Access", "techniques": ["T1190"]}],
            "attackStory": "An attacker enters.",
        }
        | changes,
        action,
    )


def a_legacy_attack_path(**changes: object) -> Message:
    """An attack path in Defender CSPM's own shape; changes are to its properties."""
    entities = [
        {"id": "in-1", "entityIdentifiers": {"azureResourceId": MACHINE}},
        {"id": "in-2", "entityIdentifiers": {"azureResourceId": f"{MACHINE}-store"}},
    ]
    return an_attack_path() | {
        "properties": {
            "displayName": "An exposed machine can read a store",
            "description": "The machine can be reached.",
            "attackPathType": "ExposedMachineToStore",
            "potentialImpact": "High",
            "riskCategories": ["Data exposure"],
            "entryPointEntityInternalID": "in-1",
            "targetEntityInternalID": "in-2",
            "manualRemediationSteps": "1. Close it.\n2. Update it.",
            "graphComponent": {"entities": entities},
        }
        | changes
    }


WORKSPACE = f"{SUBSCRIPTION}/resourceGroups/rg-logs/providers/Microsoft.OperationalInsights/workspaces/logs"
COMMON_ALERT = f"{SUBSCRIPTION}/providers/Microsoft.AlertsManagement/alerts/ffff0000-0000-4000-8000-000000000001"


def a_common_alert(
    *, condition: str = "Fired", dimensions: object = None, context: Message | None = None, **essentials: object
) -> Message:
    """A log search alert of Azure Monitor about a changed file; changes are to its essentials."""
    if dimensions is None:
        dimensions = [{"name": "Computer", "value": "web-01"}, {"name": "FilePath", "value": "/etc/passwd"}]
    if context is None:
        criterion = {
            "searchQuery": "MDCFileIntegrityMonitoringEvents",
            "operator": "GreaterThan",
            "threshold": "0",
            "timeAggregation": "Count",
            "dimensions": dimensions,
            "metricValue": 3.0,
            "linkToSearchResultsUI": "https://portal.azure.com#@tenant/blade/all",
            "linkToFilteredSearchResultsUI": "https://portal.azure.com#@tenant/blade/filtered",
        }
        condition_of_rule = {"windowSize": "PT15M", "allOf": [criterion]}
        context = {"properties": {}, "conditionType": "LogQueryCriteria", "condition": condition_of_rule}
    return {
        "schemaId": "azureMonitorCommonAlertSchema",
        "data": {
            "essentials": {
                "alertId": COMMON_ALERT,
                "alertRule": "file-integrity",
                "severity": "Sev1",
                "signalType": "Log",
                "monitorCondition": condition,
                "monitoringService": "Log Alerts V2",
                "alertTargetIDs": [MACHINE],
                "configurationItems": ["web-01"],
                "firedDateTime": "2026-11-18T13:58:24.3713213Z",
                "description": "A watched file changed.",
            }
            | essentials,
            "alertContext": context,
            "customProperties": {"runbook": "https://wiki.contoso.example/file-integrity"},
        },
    }


def a_metric_alert(**essentials: Any) -> Message:
    """A metric alert of Azure Monitor that is over; changes are to its essentials."""
    criterion = {
        "metricName": "Percentage CPU",
        "metricNamespace": "Microsoft.Compute/virtualMachines",
        "operator": "GreaterThan",
        "threshold": "25",
        "timeAggregation": "Average",
        "dimensions": [{"name": "ResourceId", "value": "a0a0a0a0-bbbb-cccc-dddd-e1e1e1e1e1e1"}],
        "metricValue": 7.727,
    }
    condition = {"windowSize": "PT5M", "allOf": [criterion]}
    context = {"properties": None, "conditionType": "SingleResourceMultipleMetricCriteria", "condition": condition}
    own = {"alertRule": "cpu", "severity": "Sev3", "signalType": "Metric", "monitoringService": "Platform"}
    over = {"condition": "Resolved", "resolvedDateTime": "2026-11-18T14:03:16.2246313Z"}
    return a_common_alert(context=context, **own | over | essentials)
