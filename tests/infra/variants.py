"""The deployments that somebody may choose."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from tests.infra.deployment import Deployment, deploy

ROOT = Path(__file__).parents[2]
INFRA = ROOT / "infra"
DEFENDER = "00000000-0000-0000-0000-00000000defe"

GIVEN = {"environmentName": "test", "location": "westeurope", "defenderPrincipalId": DEFENDER}
"""What has no default."""

WORKSPACE = "/subscriptions/OTHER/resourceGroups/soc/providers/Microsoft.OperationalInsights/workspaces/soc-logs"

VARIANTS: dict[str, dict[str, Any]] = {
    "nothing chosen": {},
    "private": {"private": True},
    "sentinel": {"sentinel": True},
    "a workspace that is there": {"existingWorkspaceId": WORKSPACE},
    "a Sentinel that is there": {"existingWorkspaceId": WORKSPACE, "sentinel": True},
    "nothing always ready": {"alwaysReady": 0},
    "zones": {"zoneRedundant": True},
    "people": {"operators": "ann,bob", "senders": "cyd", "emails": "soc@example.com"},
    "severe alerts only": {"alertSeverities": "High,Medium"},
    "storage that is watched": {"storageLogs": True, "storageRedundancy": "Standard_LRS"},
}


def deployed(**chosen: Any) -> Deployment:
    """What main.bicep deploys with some parameters."""
    return deploy(INFRA / "main.bicep", {**GIVEN, **chosen})
