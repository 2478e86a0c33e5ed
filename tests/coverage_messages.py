"""Messages about coverage: recommendations that say that a sensor, a plan or an integration is missing."""

from typing import Any

from router.domain.recommendations import EDR_INSTALLED
from router.domain.signals import Finding
from tests.builders import a_finding, finding_body

RETIRED_EDR = "dc5357d0-3858-4d17-a1a3-072840bff5be"
"""The key under which machines lacked a sensor until July 2026. Its severity was Low."""


def coverage_body(key: str = EDR_INSTALLED, status: str = "Unhealthy", **said: Any) -> bytes:
    """A recommendation on coverage as Event Hubs carries it; `type` is who wrote it."""
    return finding_body(key, status, **_said(**said))


def a_coverage_finding(key: str = EDR_INSTALLED, status: str = "Unhealthy", **said: Any) -> Finding:
    """The finding that `coverage_body` reads as."""
    return a_finding(key, status, **_said(**said))


def _said(*, severity: str | None = "Low", type: str | None = None, **said: Any) -> dict[str, Any]:
    metadata = {"severity": severity} | ({"assessmentType": type} if type is not None else {})
    return {"title": "EDR solution should be installed on Virtual Machines", "metadata": metadata} | said
