"""Individual recommendations to update software, built from the fragments that Microsoft documents; no real message is here."""

from copy import replace
from datetime import datetime, timedelta
from typing import Any

import orjson

from router.domain.owners import Owner, Owners, Ownership
from router.domain.rulebook import By, Grouping, Limit, Rulebook
from router.domain.signals import Stream
from tests.builders import a_destination, a_rulebook, finding_body

SUBSCRIPTION = "6f0a3c52-8d1e-4b7a-9c1d-000000000001"
HOUR = timedelta(hours=1)

LASTING = Grouping((By.CATEGORY, By.PACKAGE, By.OWNER), None)
"""As the starter policy groups posture."""

OWNERS = Owners(
    tuple(
        Ownership(lambda _, group, number=number: group == f"rg-{number}", Owner(group=f"team-{number}"))  # type: ignore[misc]
        for number in range(5)
    )
)
"""Each of some teams owns a resource group."""


def a_posture_book(limit: Limit | None = None, grouping: Grouping | None = LASTING, **others: Any) -> Rulebook:
    """A rulebook of findings whose `tickets` are grouped, as far as a grouping is given."""
    destination = replace(a_destination("tickets"), group=grouping, limit=limit)
    book = a_rulebook(stream=Stream.CSPM, destinations=[destination], always=(), **others)
    return replace(book, owners=OWNERS)


def an_update(
    machine: str,
    package: str,
    *,
    team: int = 0,
    status: str = "Unhealthy",
    severity: str = "High",
    changed: datetime | None = None,
    snapshot: bool = True,
    cves: tuple[str, ...] = (),
) -> bytes:
    """That a machine is to update a package."""
    group = f"/subscriptions/{SUBSCRIPTION}/resourceGroups/rg-{team}"
    resource = f"{group}/providers/Microsoft.Compute/virtualMachines/{machine}"
    cve_details = orjson.dumps([{"cveId": one} for one in cves]).decode()
    return finding_body(
        f"{machine}-{package}",
        status,
        changed,
        resource=resource,
        title=f"Update {package}",
        metadata={"severity": severity, "recommendationCategory": "SoftwareUpdate"},
        additional={"SoftwareName": package, "CvesDetails": cve_details},
        isSnapshot=snapshot,
    )
