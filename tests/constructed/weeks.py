"""Rows of weekly snapshots, constructed from the documentation: no real one of an individual recommendation was found."""

import orjson

from tests.builders import SUBSCRIPTION

CHANGED = "2026-05-05T00:00:00Z"
"""When the state of every finding changed: it is the old one, however often a finding goes and comes again."""


def row_of(
    name: str,
    kind: str = "recommendation",
    *,
    subscription: str = SUBSCRIPTION,
    is_snapshot: bool = True,
    action: str = "Insert",
    status: object = "Unhealthy",
    severity: str = "High",
    **more: object,
) -> bytes:
    """A message about a recommendation, a vulnerability or an attack path, by default a row of a snapshot."""
    resource = (
        f"/subscriptions/{subscription}/resourceGroups/rg-web/providers/Microsoft.Compute/virtualMachines/vm-{name}"
    )
    properties: dict[str, object] = {
        "displayName": f"Update {name}",
        "resourceDetails": {"Source": "Azure", "Id": resource},
        "status": status
        if isinstance(status, dict)
        else {"code": status, "statusChangeDate": CHANGED, "severity": severity},
        "metadata": {"severity": severity, "recommendationCategory": "SoftwareUpdate"},
        "additionalData": {"SoftwareName": name},
        "timeGenerated": CHANGED,
    }
    type, id = _TYPES[kind]
    if kind == "attack_path":
        properties = {"displayName": f"Path to {name}", "riskLevel": severity}
    return orjson.dumps(
        {
            "id": f"{resource}/providers/{type}/{id}{name}",
            "name": name,
            "type": type if kind != "vulnerability" else f"{type}/subAssessments",
            "properties": properties | more,
            "assessmentEventDataEnrichment": {"action": action, "isSnapshot": is_snapshot},
        }
    )


_TYPES = {
    "recommendation": ("Microsoft.Security/assessments", ""),
    "vulnerability": ("Microsoft.Security/assessments", "scan/subAssessments/"),
    "attack_path": ("Microsoft.Security/attackPaths", ""),
}
