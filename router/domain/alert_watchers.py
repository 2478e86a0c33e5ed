"""What watched when an alert was raised, by the type of the alert: a sensor, a log, or Azure itself. Pure.

https://learn.microsoft.com/azure/defender-for-cloud/alerts-reference
"""

from __future__ import annotations

from enum import Enum, auto

_NODE_SENSOR = "k8s.node_"
_AUDIT_LOG = "k8s"
_SQL_SENSOR = "sql."
_AZURE = ("arm_", "rm_", "azuredns_", "network_", "generic_incoming_", "portscanning", "ddos", "rdp_", "ssh_", "sql")
"""How the types of alerts begin that Azure raises from its own network and management plane, or of the SQL servers on
machines."""


class AlertWatcher(Enum):
    """What watched.

    Attributes:
        NODE_SENSOR: the sensor on the nodes of a cluster.
        AUDIT_LOG: who reads the audit log of a cluster; that says nothing of its nodes.
        SQL_SENSOR: the sensor of a SQL server on a machine.
        AZURE: Azure from outside, or without an agent: its network, its management plane, scans of disks.
        OTHER: anything else; of a machine, the sensor on it.
    """

    NODE_SENSOR = auto()
    AUDIT_LOG = auto()
    SQL_SENSOR = auto()
    AZURE = auto()
    OTHER = auto()


def watcher_for(type: str) -> AlertWatcher:
    """What watched when an alert of a type was raised."""
    lowered = type.lower()
    if lowered.startswith(_NODE_SENSOR):
        return AlertWatcher.NODE_SENSOR
    if lowered.startswith(_AUDIT_LOG):
        return AlertWatcher.AUDIT_LOG
    if lowered.startswith(_SQL_SENSOR):
        return AlertWatcher.SQL_SENSOR
    return AlertWatcher.AZURE if lowered.startswith(_AZURE) or "agentless" in lowered else AlertWatcher.OTHER
