"""The tags by which somebody keeps a sensor off a resource, in lower case; each does so where its value is `true`.

https://learn.microsoft.com/azure/defender-for-cloud/defender-for-containers-exclude-cluster,
https://learn.microsoft.com/azure/defender-for-cloud/enable-defender-for-endpoint
"""

from __future__ import annotations

from collections.abc import Mapping

OFF_CLUSTERS = frozenset(
    {
        "ms_defender_container_exclude_sensors",
        "ms_defender_container_exclude_agents",
        "ms_defender_e2e_discovery_exclude",
    }
)
"""Those on a cluster."""

OFF_MACHINES = frozenset({"excludemdeautoprovisioning"})
"""Those on a machine."""


def excluding(tags: Mapping[str, str], names: frozenset[str]) -> Mapping[str, str]:
    """The tags, as they are written, that keep a sensor off by one of these names."""
    return {
        name: value for name, value in tags.items() if name.strip().lower() in names and value.strip().lower() == "true"
    }
