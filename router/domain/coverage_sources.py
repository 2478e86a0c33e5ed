"""When a subscription, cluster, plan, workload or owner was last heard of. Pure.

Recommendations come at least once a week, as a snapshot of them all; alerts come when something happens, which may be never.
https://learn.microsoft.com/azure/defender-for-cloud/continuous-export
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from enum import Enum, StrEnum, auto
from typing import NamedTuple

from router.domain.clocks import is_possible
from router.domain.keys import bounded

_NODE_SENSOR = "k8s.node_"
_AUDIT_LOG = "k8s"
_SQL_SENSOR = "sql."
_AZURE = ("arm_", "rm_", "azuredns_", "network_", "generic_incoming_", "portscanning", "ddos", "rdp_", "ssh_", "sql")
"""How the types of alerts begin that Azure raises from its own network and management plane, or of the SQL servers on
machines."""


class AlertWatcher(Enum):
    """What watched.

    Attributes:
        AUDIT_LOG: who reads the audit log of a cluster; that says nothing of its nodes.
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


class CoverageSourceKind(StrEnum):
    """What can be heard of. Their values are stored."""

    SUBSCRIPTION = "subscription"
    CLUSTER = "cluster"
    PLAN = "plan"
    WORKLOAD = "workload"
    OWNER = "owner"


class CoverageSource(NamedTuple):
    """What can be heard of.

    Attributes:
        subject: in lower case: the subscription's id, also for a plan; the resource id of a cluster or workload; an owner.
        plan: the plan, by Microsoft's name for it; empty for everything else.
    """

    kind: CoverageSourceKind
    subject: str
    plan: str = ""

    @property
    def id(self) -> str:
        """What it is called among all."""
        return bounded(f"{self.kind}:{self.subject}:{self.plan}" if self.plan else f"{self.kind}:{self.subject}")


class HeardAlert(NamedTuple):
    """An alert that was heard of."""

    at: datetime
    type: str


@dataclass(frozen=True, slots=True, kw_only=True)
class LastHeard:
    """When something was last heard of; None where it never was. Instants are those at which messages came in.

    Attributes:
        subscription: the id of its subscription in lower case; None where it has none.
        posture: when a message of the cspm stream last spoke of it.
        snapshot: when a row of a snapshot did.
        healthy: when a row of a snapshot did that was Healthy.
        alert: when an alert did.
        real_alert: when an alert did that was no sample.
        by_watcher: the last such alert of each sort of watcher, in the order of time: one that a log raised says nothing of the
            sensor, whether it comes before or after one of the sensor; empty where no sensor is asked for.
    """

    source: CoverageSource
    subscription: str | None = None
    posture: datetime | None = None
    snapshot: datetime | None = None
    healthy: datetime | None = None
    alert: datetime | None = None
    real_alert: datetime | None = None
    by_watcher: tuple[HeardAlert, ...] = ()

    def joined(self, other: LastHeard) -> LastHeard:
        """What two say together of one source: the later instant of each."""
        return LastHeard(
            source=self.source,
            subscription=self.subscription or other.subscription,
            posture=_later(self.posture, other.posture),
            snapshot=_later(self.snapshot, other.snapshot),
            healthy=_later(self.healthy, other.healthy),
            alert=_later(self.alert, other.alert),
            real_alert=_later(self.real_alert, other.real_alert),
            by_watcher=last_of_each_watcher((*self.by_watcher, *other.by_watcher)),
        )

    def possible_at(self, now: datetime) -> LastHeard:
        """The same without instants that a clock set which was wrong."""
        return LastHeard(
            source=self.source,
            subscription=self.subscription,
            posture=_possible(self.posture, now),
            snapshot=_possible(self.snapshot, now),
            healthy=_possible(self.healthy, now),
            alert=_possible(self.alert, now),
            real_alert=_possible(self.real_alert, now),
            by_watcher=tuple(one for one in self.by_watcher if is_possible(one.at, now)),
        )

    @property
    def real_alert_type(self) -> str | None:
        """The type of the last alert that was no sample; None where it is not known."""
        last = self.by_watcher[-1] if self.by_watcher else None
        return last.type if last is not None and last.at == self.real_alert else None

    @property
    def last(self) -> datetime | None:
        """When anything last spoke of it."""
        return max((one for one in (self.posture, self.alert) if one is not None), default=None)


def last_of_each_watcher(alerts: Iterable[HeardAlert]) -> tuple[HeardAlert, ...]:
    """Of some alerts the last one of each sort of watcher, in the order of time."""
    last: dict[AlertWatcher, HeardAlert] = {}
    for alert in sorted(alerts):
        last[watcher_for(alert.type)] = alert
    return tuple(sorted(last.values()))


def _later(one: datetime | None, other: datetime | None) -> datetime | None:
    if one is None or other is None:
        return one or other
    return max(one, other)


def _possible(instant: datetime | None, now: datetime) -> datetime | None:
    return instant if instant is not None and is_possible(instant, now) else None
