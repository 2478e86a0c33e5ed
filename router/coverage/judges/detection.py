"""Whether Defender has lately raised an alert about a workload itself: that alone proves the whole chain for it.

No alert proves nothing, since a healthy workload has none for months; a sample alert is about a resource that is made up.
https://learn.microsoft.com/azure/defender-for-cloud/alert-validation
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from shlex import quote

from router.coverage.case import CoverageCase
from router.coverage.facts import ResourceFact
from router.coverage.readers.alerts import AlertFact
from router.coverage.readers.sources import SourceFact
from router.domain import alert_validation
from router.domain.coverage import Rung, Verdict, WorkloadKind, covered, unknown
from router.domain.plurals import counted
from router.domain.timestamps import timestamp

RUNG = Rung.DETECTION
KINDS = tuple(WorkloadKind)

LATELY = timedelta(days=90)
"""How long Defender keeps alerts, and so how old one may be that proves anything."""

_SKEW = timedelta(days=1)
"""How far clocks may be apart."""

_NEVER = datetime.min.replace(tzinfo=UTC)
_NODE_SENSOR = "k8s.node_"
_AUDIT_LOG = "k8s"
_SQL_SENSOR = "sql."
_WITHOUT_SENSOR = (
    "arm_", "rm_", "azuredns_", "network_", "generic_incoming_", "portscanning", "ddos", "rdp_", "ssh_", "sql",
)  # fmt: skip
"""How the types of alerts about machines begin that Azure raises from its own network and management plane, or of the SQL
servers on them. https://learn.microsoft.com/azure/defender-for-cloud/alerts-reference"""


def judge(case: CoverageCase) -> Verdict | None:
    """Covered where an alert, no sample and not too old, is about the workload and comes of what watches it."""
    alerts = sorted(case.about(AlertFact), key=lambda one: one.time or _NEVER, reverse=True)
    remedy = _remedy(case)
    heard = [one for one in (_heard_alert(fact, case.now) for fact in case.about(SourceFact)) if one is not None]
    # What is only heard of says less than an alert does: it makes nothing unknown that nobody asked for.
    alerts = alerts or [one for one in heard if RUNG in (case.expectation.rungs or ())]
    if proved := _covered(case, [*alerts, *heard]):
        return proved
    if not alerts:
        if RUNG not in (case.expectation.rungs or ()):
            return None
        return unknown(
            "no alert that was given is about it, which proves nothing: raise a test signal, and give what "
            "`az security alert list --output json` prints then",
            remedy=remedy,
        )
    real = [one for one in alerts if not one.is_sample]
    recent = [one for one in real if _is_recent(one, case.now)]
    best = next(iter(recent or real or alerts))
    return unknown(_why_not(case, best), best.source.shows("alertType", best.type), remedy=remedy)


def _covered(case: CoverageCase, alerts: Iterable[AlertFact]) -> Verdict | None:
    """What the newest alert proves that comes of what watches the workload; None where there is none."""
    proving = [
        one
        for one in alerts
        if not one.is_sample and _is_recent(one, case.now) and _proves(case.workload.kind, one.type)
    ]
    if not proving:
        return None
    newest = max(proving, key=lambda one: one.time or _NEVER)
    return covered(
        f"Defender raised {newest.type} about it {_age(newest.time, case.now)}",
        newest.source.shows("alertType", newest.type),
    )


def _heard_alert(fact: SourceFact, now: datetime) -> AlertFact | None:
    """The last alert that was no sample, as the router heard of it; None where it heard of none.

    Without a type it proves nothing: it may have come of the audit log, or of Azure's own network.
    """
    time = fact.heard.possible_at(now).real_alert
    if time is None:
        return None
    source = replace(fact.source, time=timestamp(time), known_at=timestamp(time))
    type = fact.heard.real_alert_type or ""
    return AlertFact(subject=fact.subject, type=type, time=time, is_sample=False, source=source)


def _is_recent(alert: AlertFact, now: datetime) -> bool:
    return alert.time is not None and -_SKEW <= now - alert.time <= LATELY


def _proves(kind: WorkloadKind, type: str) -> bool:
    """Whether an alert of that type comes of what watches such a workload."""
    lowered = type.lower()
    if not lowered:
        return False
    match kind:
        case WorkloadKind.CLUSTER:
            return lowered.startswith(_NODE_SENSOR)
        case WorkloadKind.SQL_ON_MACHINE:
            return lowered.startswith(_SQL_SENSOR)
        case WorkloadKind.MACHINE:
            return not lowered.startswith(_WITHOUT_SENSOR) and "agentless" not in lowered
        case _:
            return True


def _why_not(case: CoverageCase, alert: AlertFact) -> str:
    if alert.is_sample:
        return f"the sample alert {alert.type} proves the path of alerts, and no sensor"
    if alert.time is None:
        return f"the alert {alert.type} about it does not say when it was raised"
    if case.now - alert.time < -_SKEW:
        return f"the alert {alert.type} about it is of a time to come"
    age = _age(alert.time, case.now)
    if case.now - alert.time > LATELY:
        return (
            f"the newest alert about it, {alert.type}, was raised {age}: too long ago to say that it is still watched"
        )
    if alert.type.lower().startswith(_AUDIT_LOG):
        return f"{alert.type}, raised {age}, comes of the audit log: it proves no sensor on a node, as one of K8S.NODE_ would"
    return f"{alert.type or 'an alert without a type'}, raised {age}, comes of no sensor on it"


def _age(time: datetime | None, now: datetime) -> str:
    days = max((now - time).days, 0) if time else 0
    return f"{counted(days, 'day')} ago" if days else "less than a day ago"


def _remedy(case: CoverageCase) -> str:
    """A real signal, where the documentation has one, to run on the machine or in the cluster; else the alerts themselves."""
    kind = case.workload.kind
    if kind is WorkloadKind.CLUSTER:
        return _CLUSTER
    if kind is WorkloadKind.MACHINE:
        is_windows = any(one.system == "windows" for one in case.about(ResourceFact))
        return alert_validation.WINDOWS if is_windows else alert_validation.LINUX
    subscription = case.workload.subscription
    return f"az security alert list{f' --subscription {quote(subscription)}' if subscription else ''} --output json"


# `kubectl get pods --namespace=asc-alerttest-662jfi039n` would prove the audit log alone; this is for a cluster of tests.
# https://learn.microsoft.com/azure/defender-for-cloud/alerts-containers
_CLUSTER = (
    "curl -O https://raw.githubusercontent.com/microsoft/Defender-for-Cloud-Attack-Simulation/refs/heads/main/simulation.py "
    "&& python3 simulation.py"
)
