"""When a subscription, cluster, plan, workload or owner was last heard of. Pure.

Recommendations come at least once a week, as a snapshot of them all; alerts come when something happens, which may be never.
https://learn.microsoft.com/azure/defender-for-cloud/continuous-export
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from enum import Enum, StrEnum, auto
from typing import NamedTuple

from router.domain.clocks import is_possible
from router.domain.keys import bounded
from router.domain.values import Value


class AlertWatcher(Enum):
    """What watched: an agent on the nodes, the audit log of a cluster, which says nothing of its nodes, and so on.

    AZURE watches from outside, or without an agent: its network, its management plane, scans of disks. OTHER is, of a machine,
    the sensor on it.
    """

    NODE_SENSOR = auto()
    AUDIT_LOG = auto()
    SQL_SENSOR = auto()
    AZURE = auto()
    OTHER = auto()


_AZURE = ("arm_", "rm_", "azuredns_", "network_", "generic_incoming_", "portscanning", "ddos", "rdp_", "ssh_", "sql")
_BEGINNINGS = (
    (AlertWatcher.NODE_SENSOR, ("k8s.node_",)),
    (AlertWatcher.AUDIT_LOG, ("k8s",)),
    (AlertWatcher.SQL_SENSOR, ("sql.",)),
    (AlertWatcher.AZURE, _AZURE),
)
"""How the types of alerts begin; some of Azure's are of the SQL servers on machines."""


def watcher_for(type: str) -> AlertWatcher:
    """Return what watched when an alert of a type was raised."""
    lowered = type.lower()
    for watcher, beginnings in _BEGINNINGS:
        if lowered.startswith(beginnings):
            return watcher
    return AlertWatcher.AZURE if "agentless" in lowered else AlertWatcher.OTHER


class CoverageSourceKind(StrEnum):
    """What can be heard of. Their values are stored."""

    SUBSCRIPTION = "subscription"
    CLUSTER = "cluster"
    PLAN = "plan"
    WORKLOAD = "workload"
    OWNER = "owner"


class CoverageSource(NamedTuple):
    """What can be heard of, by a subject in lower case, and Microsoft's name for a plan, else nothing.

    The subject is the subscription's id, also of a plan; the resource id of a cluster or workload; an owner.
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


INSTANTS = ("posture", "snapshot", "healthy", "alert", "real_alert")
"""What is remembered of a source: the instants by these names."""


class LastHeard(Value, kw_only=True):
    """When something was last heard of; None where it never was. Instants are those at which messages came in.

    Attributes:
        subscription: the id of its subscription in lower case; None where it has none.
        posture: when a message of the cspm stream last spoke of it.
        snapshot: when a row of a snapshot did; `healthy` when one did that was Healthy.
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

    @property
    def instants(self) -> dict[str, datetime]:
        """The instants that are known, by their names."""
        return {name: at for name in INSTANTS if (at := getattr(self, name)) is not None}

    def joined(self, other: LastHeard) -> LastHeard:
        """Return what two say together of one source: the later instant of each."""
        one, two = self.instants, other.instants
        return LastHeard(
            source=self.source,
            subscription=self.subscription or other.subscription,
            by_watcher=last_of_each_watcher((*self.by_watcher, *other.by_watcher)),
            **(one | {name: max(at, one.get(name, at)) for name, at in two.items()}),
        )

    def possible_at(self, now: datetime) -> LastHeard:
        """Return the same without instants that a clock set which was wrong."""
        return LastHeard(
            source=self.source,
            subscription=self.subscription,
            by_watcher=tuple(one for one in self.by_watcher if is_possible(one.at, now)),
            **{name: at for name, at in self.instants.items() if is_possible(at, now)},
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
    """Return of some alerts the last one of each sort of watcher, in the order of time."""
    return tuple(sorted({watcher_for(alert.type): alert for alert in sorted(alerts)}.values()))
