"""Messages about coverage: recommendations that say that a sensor, a plan or an integration is missing."""

from __future__ import annotations

from datetime import datetime
from typing import Any

import orjson

from router.domain.catalogue import Catalogue
from router.domain.recommendations import EDR_INSTALLED
from router.domain.signals import Finding
from router.parse import read_signals
from tests.builders import RESOURCE

RETIRED_EDR = "dc5357d0-3858-4d17-a1a3-072840bff5be"
"""The key under which machines lacked a sensor until July 2026. Its severity was Low."""


def coverage_body(
    key: str = EDR_INSTALLED,
    status: str = "Unhealthy",
    *,
    title: str = "EDR solution should be installed on Virtual Machines",
    severity: str | None = "Low",
    changed: datetime | None = None,
    risk: dict[str, Any] | None = None,
    resource: str = RESOURCE,
    details: dict[str, Any] | None = None,
    why: dict[str, str] | None = None,
    type: str | None = None,
    **enrichment: object,
) -> bytes:
    """A recommendation on coverage as Event Hubs carries it; `why` is what stands beside the code of its status, `type`
    who wrote it."""
    when = {"statusChangeDate": changed.isoformat()} if changed is not None else {}
    return orjson.dumps(
        {
            "id": f"{resource}/providers/Microsoft.Security/assessments/{key}",
            "name": key,
            "type": "Microsoft.Security/assessments",
            "properties": {
                "displayName": title,
                "resourceDetails": details or {"source": "Azure", "id": resource},
                "status": {"code": status, **when, **(why or {})},
                "metadata": {
                    "severity": severity,
                    "displayName": title,
                    "categories": ["Compute"],
                    **({"assessmentType": type} if type is not None else {}),
                },
                "risk": risk,
            },
            "assessmentEventDataEnrichment": {"action": "Write", "isSnapshot": False} | enrichment,
        }
    )


def a_coverage_finding(key: str = EDR_INSTALLED, status: str = "Unhealthy", **said: Any) -> Finding:
    """The finding that `coverage_body` reads as."""
    (finding,) = read_signals(coverage_body(key, status, **said), Catalogue())
    assert isinstance(finding, Finding), finding
    return finding
