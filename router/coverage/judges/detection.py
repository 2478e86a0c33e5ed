"""Whether Defender has lately raised an alert about a workload itself: that alone proves the whole chain for it.

No alert proves nothing, since a healthy workload has none for months; a sample alert is about a resource that is made up.
https://learn.microsoft.com/azure/defender-for-cloud/alert-validation
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from shlex import quote

from router.coverage.drill.subjects import LINUX_SIGNAL, WINDOWS_SIGNAL
from router.coverage.facts import CoverageCase, ResourceFact
from router.coverage.readers.messages import AlertFact
from router.coverage.readers.router_records import SourceFact
from router.coverage.verdicts import Verdict, covered, unknown
from router.domain.coverage import Rung, WorkloadKind
from router.domain.coverage_sources import AlertWatcher, HeardAlert, watcher_for
from router.domain.readable import counted, timestamp

LATELY = timedelta(days=90)
"""How long Defender keeps alerts, and so how old one may be that proves anything."""

_SKEW = timedelta(days=1)
"""How far clocks may be apart."""

_NEVER = datetime.min.replace(tzinfo=UTC)

_PROVING = {
    WorkloadKind.CLUSTER: {AlertWatcher.NODE_SENSOR},
    WorkloadKind.SQL_ON_MACHINE: {AlertWatcher.SQL_SENSOR},
    WorkloadKind.MACHINE: {AlertWatcher.OTHER},
}
"""Whose alerts prove that a workload of a kind is watched itself; whatever else is watched has nothing installed on it."""


def judge_detection(case: CoverageCase) -> Verdict | None:
    """Covered where an alert, no sample and not too old, is about the workload and comes of what watches it."""
    alerts = sorted(case.about(AlertFact), key=lambda one: one.time or _NEVER, reverse=True)
    remedy = _remedy(case)
    heard = [one for fact in case.about(SourceFact) for one in _heard_alerts(fact, case.now)]
    # What is only heard of says less than an alert does: it makes nothing unknown that was not expected.
    alerts = alerts or [one for one in heard if Rung.DETECTION in (case.expectation.rungs or ())]
    if proved := _covered(case, [*alerts, *heard]):
        return proved
    if not alerts:
        if Rung.DETECTION not in (case.expectation.rungs or ()):
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


def _heard_alerts(fact: SourceFact, now: datetime) -> Iterator[AlertFact]:
    """The last alerts that were no samples, as the router heard of them, the newest first.

    Without a type one proves nothing: it may have come of the audit log, or of Azure's own network.
    """
    heard = fact.heard.possible_at(now)
    without_type = [HeardAlert(heard.real_alert, "")] if heard.real_alert is not None else []
    for one in reversed(heard.by_watcher or without_type):
        source = replace(fact.source, time=timestamp(one.at), known_at=timestamp(one.at))
        yield AlertFact(subject=fact.subject, type=one.type, time=one.at, is_sample=False, source=source)


def _is_recent(alert: AlertFact, now: datetime) -> bool:
    return alert.time is not None and -_SKEW <= now - alert.time <= LATELY


def _proves(kind: WorkloadKind, type: str) -> bool:
    """Whether an alert of that type comes of what watches such a workload."""
    if not type:
        return False
    proving = _PROVING.get(kind)
    return proving is None or watcher_for(type) in proving


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
    if alert.type and watcher_for(alert.type) is AlertWatcher.AUDIT_LOG:
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
        return WINDOWS_SIGNAL if is_windows else LINUX_SIGNAL
    subscription = case.workload.subscription
    return f"az security alert list{f' --subscription {quote(subscription)}' if subscription else ''} --output json"


# `kubectl get pods --namespace=asc-alerttest-662jfi039n` would prove the audit log alone; this is for a cluster of tests.
# https://learn.microsoft.com/azure/defender-for-cloud/alerts-containers
_CLUSTER = (
    "curl -O https://raw.githubusercontent.com/microsoft/Defender-for-Cloud-Attack-Simulation/refs/heads/main/simulation.py "
    "&& python3 simulation.py"
)
