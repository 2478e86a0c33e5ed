"""The deployments that are predicted, and what they are given: the values in infra/predicted/*.bicepparam."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from infra.variants import variants
from tests.infra.predicted import Deployment, predicted

ROOT = Path(__file__).parents[2]
INFRA = ROOT / "infra"

EVERY = [one.name for one in variants(INFRA) if one.template.name == "main.bicep"]
"""The variants of main.bicep, by name: `deployed(name)` is what one comes to."""

ENVIRONMENT = "test"
DEFENDER = "00000000-0000-0000-0000-00000000defe"
OPERATORS = ("00000000-0000-0000-0000-000000000a11", "00000000-0000-0000-0000-000000000b0b")
SENDER = "00000000-0000-0000-0000-000000000c1d"
WORKSPACE_GROUP = "/subscriptions/00000000-0000-0000-0000-000000000002/resourceGroups/soc"
WORKSPACE = f"{WORKSPACE_GROUP}/providers/Microsoft.OperationalInsights/workspaces/soc-logs"
WATCHED_GROUP = "/subscriptions/00000000-0000-0000-0000-000000000006/resourceGroups/servers"
WATCHED = f"{WATCHED_GROUP}/providers/Microsoft.OperationalInsights/workspaces/server-logs"
SECRETS = {"PAGERDUTY_ROUTING_KEY", "SERVICENOW_PASSWORD", "SERVICENOW_POSTURE_PASSWORD"}
"""The secrets that the predictions are made for, whatever the rules name."""

TEMPLATE: dict[str, Any] = json.loads((INFRA / "azuredeploy.json").read_text("utf-8"))
"""What main.bicep compiles to."""


def deployed(name: str) -> Deployment:
    """What a variant comes to, by its name."""
    return predicted(INFRA / "predicted" / f"{name}.snapshot.json")


def nested(template: dict[str, Any]) -> list[dict[str, Any]]:
    """The resources of a template, which a newer kind of template has by name."""
    resources = template["resources"]
    return list(resources.values()) if isinstance(resources, dict) else resources
