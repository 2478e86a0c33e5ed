"""What is asked of Resource Manager for each subscription, since Resource Graph does not have it. Pure.

https://learn.microsoft.com/rest/api/defenderforcloud/settings, https://learn.microsoft.com/rest/api/defenderforcloud/automations,
https://learn.microsoft.com/rest/api/defenderforcloud/alerts-suppression-rules
"""

from __future__ import annotations

from collections.abc import Iterator

from router.coverage.live.answers import SECURITY_READER
from router.coverage.live.arm import list_probe
from router.coverage.live.clouds import AzureCloud
from router.coverage.live.probes import Probe

_LISTS = (
    ("settings", "2022-05-01"),
    ("automations", "2023-12-01-preview"),
    ("alertsSuppressionRules", "2019-01-01-preview"),
)
"""The lists, each with the version of its API."""


def security_probes(cloud: AzureCloud, subscription: str) -> Iterator[Probe]:
    """The three questions about one subscription."""
    for name, version in _LISTS:
        yield list_probe(cloud, _path(subscription, name), version, SECURITY_READER)


def pricings_probe(cloud: AzureCloud, subscription: str) -> Probe:
    """The plans of one subscription, in the first version that says whether some resource differs from them."""
    return list_probe(cloud, _path(subscription, "pricings"), "2024-01-01", SECURITY_READER)


def _path(subscription: str, name: str) -> str:
    return f"/subscriptions/{subscription}/providers/Microsoft.Security/{name}"
