"""What alerts prove: a drill the whole way from Defender to the destination, a real alert the whole chain of its workload.

No alert proves nothing, since a healthy workload has none for months. A sample alert, as a drill raises it, is about a resource
that Defender makes up, and so proves nothing of any sensor.
https://learn.microsoft.com/azure/defender-for-cloud/alert-validation
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from copy import replace
from datetime import UTC, datetime, timedelta

from router.coverage.drill.subjects import LINUX_SIGNAL, WINDOWS_SIGNAL
from router.coverage.facts import CoverageCase, ResourceFact, age_words
from router.coverage.readers.messages import AlertFact
from router.coverage.remedies import command_line
from router.coverage.stored import DrillFact, SourceFact
from router.coverage.verdicts import CoverageState, Verdict, covered, gap, unknown
from router.domain.clocks import is_possible
from router.domain.coverage import Rung, WorkloadKind
from router.domain.coverage_sources import AlertWatcher, HeardAlert, watcher_for
from router.domain.readable import counted, timestamp

LATELY = timedelta(days=30)
"""How long ago a drill may have passed: keys are rotated and rules are changed in the meantime."""

_BUNDLE = "VirtualMachines"
"""What is raised where no drill was yet."""

_FIRST = (CoverageState.GAP, CoverageState.COVERED, CoverageState.UNKNOWN)
"""What counts where drills came to different ends."""

_PASSED = "passed"
_NEVER = datetime.min.replace(tzinfo=UTC)


def judge_path(case: CoverageCase) -> Verdict | None:
    """Covered where the last drill of each bundle passed, and one of them lately enough."""
    verdicts = [_judged_drill(case, one) for one in last_drills(case.about(DrillFact))]
    if not verdicts:
        reason = "only a drill proves it, whose sample alerts are seen at the router and at every destination"
        is_expected = Rung.PATH in (case.expectation.rungs or ())
        return unknown(reason, remedy=_drill(case, "--bundle", _BUNDLE)) if is_expected else None
    state = min((one.state for one in verdicts), key=_FIRST.index)
    counting = [one for one in verdicts if one.state is state]
    others = [one.reason for one in verdicts if one.state is not state]
    return Verdict(
        state=state,
        reason="; ".join(one.reason for one in counting),
        evidence=tuple(shown for one in counting for shown in one.evidence),
        remedy="\n".join(dict.fromkeys(one.remedy for one in counting if one.remedy)) or None,
        remarks=(*others, *(remark for one in counting for remark in one.remarks)),
    )


def last_drills(drills: Iterable[DrillFact]) -> Sequence[DrillFact]:
    """The last drill of each bundle, cluster and machine; of two at one instant the one that did not pass."""
    found: dict[tuple[str, str], DrillFact] = {}
    for one in sorted(drills, key=lambda drill: (drill.ended or _NEVER, drill.verdict != _PASSED)):
        found[one.subject, one.about.lower()] = one
    return [found[key] for key in sorted(found)]


def _judged_drill(case: CoverageCase, drill: DrillFact) -> Verdict:
    what, shown = f"the drill of {drill.about}", drill.source.shows("verdict", drill.verdict)
    option, value = ("--cluster", drill.cluster) if drill.cluster else ("--machine", drill.machine)
    again = _drill(case, option, value) if value else _drill(case, "--bundle", drill.exercise or _BUNDLE)
    if drill.ended is None or not is_possible(drill.ended, case.now):
        return unknown(f"{what} does not say when it ended, or not rightly", shown, remedy=again)
    age = f"{age_words(drill.ended, case.now)} ago"
    seconds = [f"{hop.name} {hop.seconds:g} s" for hop in drill.hops if hop.seconds is not None]
    seconds += [f"nothing came over the hop {drill.failed_hop}"] if drill.failed_hop else []
    hops = f" ({', '.join(seconds)})" if seconds else ""
    if drill.verdict == "failed":
        return gap(f"{what} failed {age}: {drill.reason or 'nothing says where'}{hops}", shown, remedy=again)
    if drill.verdict != _PASSED:
        return unknown(f"{what} proved nothing {age}: {drill.reason or 'nothing says why'}{hops}", shown, remedy=again)
    # It names destinations, of which each took a notice: a drill passes then, and only then.
    if {(one.verdict or "").lower() for one in drill.destinations} != {_PASSED} or drill.failed_hop is not None:
        reason = f"{what} says that it passed {age}, and not of every destination that it took anything{hops}"
        return unknown(reason, shown, remedy=again)
    if case.now - drill.ended > LATELY:
        return unknown(f"{what} passed {age}, which is too long ago", shown, remedy=again)
    partly = f", without {', '.join(drill.left_out)}" if drill.left_out else ""
    named = ", ".join(f"{one.name} {one.verdict}" for one in drill.destinations)
    return covered(f"{what} passed {age}{partly}{hops}", shown, remarks=(f"destinations of {what}: {named}",))


def _drill(case: CoverageCase, option: str, value: str) -> str:
    return command_line("alert-router", "drill", "--subscription", case.subscription, option, value)


_KEPT = timedelta(days=90)
"""How long Defender keeps alerts, and so how old one may be that proves anything."""

_SKEW = timedelta(days=1)
"""How far clocks may be apart."""

_PROVING = {
    WorkloadKind.CLUSTER: AlertWatcher.NODE_SENSOR,
    WorkloadKind.SQL_ON_MACHINE: AlertWatcher.SQL_SENSOR,
    WorkloadKind.MACHINE: AlertWatcher.OTHER,
}
"""Whose alerts prove that a workload of a kind is watched itself; whatever else is watched has nothing installed on it."""


def judge_detection(case: CoverageCase) -> Verdict | None:
    """Covered where an alert, no sample and not too old, is about the workload and comes of what watches it."""
    is_expected = Rung.DETECTION in (case.expectation.rungs or ())
    alerts = sorted(case.about(AlertFact), key=lambda one: one.time or _NEVER, reverse=True)
    heard = [one for fact in case.about(SourceFact) for one in _heard_alerts(fact, case.now)]
    recent = [one for one in (*alerts, *heard) if not one.is_sample and _is_recent(one, case.now)]
    watcher = _PROVING.get(case.workload.kind)
    if proving := [one for one in recent if one.type and watcher in (None, watcher_for(one.type))]:
        newest = max(proving, key=lambda one: one.time or _NEVER)
        reason = f"Defender raised {newest.type} about it {_age(newest.time, case.now)}"
        return covered(reason, newest.source.shows("alertType", newest.type))
    # What is only heard of says less than an alert does: it makes nothing unknown that was not expected.
    alerts = alerts or (heard if is_expected else [])
    if alerts:
        real = [one for one in alerts if not one.is_sample]
        best = next(iter([one for one in real if _is_recent(one, case.now)] or real or alerts))
        return unknown(_why_not(case, best), best.source.shows("alertType", best.type), remedy=_signal(case))
    reason = (
        "no alert that was given is about it, which proves nothing: raise a test signal, and give what "
        "`az security alert list --output json` prints then"
    )
    return unknown(reason, remedy=_signal(case)) if is_expected else None


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
    return alert.time is not None and -_SKEW <= now - alert.time <= _KEPT


def _why_not(case: CoverageCase, alert: AlertFact) -> str:
    if alert.is_sample:
        return f"the sample alert {alert.type} proves the path of alerts, and no sensor"
    if alert.time is None:
        return f"the alert {alert.type} about it does not say when it was raised"
    if case.now - alert.time < -_SKEW:
        return f"the alert {alert.type} about it is of a time to come"
    age = _age(alert.time, case.now)
    if case.now - alert.time > _KEPT:
        return (
            f"the newest alert about it, {alert.type}, was raised {age}: too long ago to say that it is still watched"
        )
    if alert.type and watcher_for(alert.type) is AlertWatcher.AUDIT_LOG:
        return f"{alert.type}, raised {age}, comes of the audit log: it proves no sensor on a node, as one of K8S.NODE_ would"
    return f"{alert.type or 'an alert without a type'}, raised {age}, comes of no sensor on it"


def _age(time: datetime | None, now: datetime) -> str:
    days = max((now - time).days, 0) if time else 0
    return f"{counted(days, 'day')} ago" if days else "less than a day ago"


def _signal(case: CoverageCase) -> str:
    """A real signal, where the documentation has one, to run on the machine or in the cluster; else the alerts themselves."""
    if case.workload.kind is WorkloadKind.CLUSTER:
        return _CLUSTER
    if case.workload.kind is WorkloadKind.MACHINE:
        is_windows = any(one.system == "windows" for one in case.about(ResourceFact))
        return WINDOWS_SIGNAL if is_windows else LINUX_SIGNAL
    subscription = case.workload.subscription
    within = ("--subscription", subscription) if subscription else ()
    return command_line("az", "security", "alert", "list", *within, "--output", "json")


# `kubectl get pods --namespace=asc-alerttest-662jfi039n` would prove the audit log alone; this is for a cluster of tests.
# https://learn.microsoft.com/azure/defender-for-cloud/alerts-containers
_CLUSTER = (
    "curl -O https://raw.githubusercontent.com/microsoft/Defender-for-Cloud-Attack-Simulation/refs/heads/main/simulation.py "
    "&& python3 simulation.py"
)
