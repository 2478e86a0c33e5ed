"""Which subscription, cluster, plan, workload and owner a message speaks of, so that they were heard of when it came. Pure.

What Azure Monitor alone raised, and what the router found by itself, says nothing of Defender's sensors.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import datetime

from router.domain.coverage import Rung, WorkloadKind
from router.domain.coverage_sources import CoverageSource, CoverageSourceKind, HeardAlert, LastHeard
from router.domain.locations import find_effective_resource, location_of
from router.domain.owners import Owners, find_owner_of
from router.domain.recommendations import find_proving, is_written_by_others
from router.domain.resources import (
    connected_name,
    find_whole,
    is_connected,
    is_of_azure,
    location_named,
    parse_resource_id,
)
from router.domain.signals import AZURE_MONITOR, Alert, Finding, Kind, Signal

LONGEST = 1_000
"""Characters of a name by which something is heard of; nothing of any cloud has a longer one."""

POSTURE = frozenset(
    {
        Kind.RECOMMENDATION,
        Kind.VULNERABILITY,
        Kind.ATTACK_PATH,
        Kind.SECURE_SCORE,
        Kind.SECURE_SCORE_CONTROL,
        Kind.COMPLIANCE,
    }
)
"""The kinds of findings that Defender exports."""

_AZURE_CLUSTER = re.compile(
    r"/subscriptions/[^/]+/resourcegroups/[^/]+/providers/"
    r"(?:microsoft\.containerservice/managedclusters|microsoft\.kubernetes/connectedclusters)/[^/]+",
    re.IGNORECASE,
)
_GOOGLE_CLUSTER = re.compile(r".*?/clusters/[^/]+", re.IGNORECASE)
_ENTITY = re.compile(r".*/securityentitydata/[^/]+", re.IGNORECASE)

_HEALTHY = "healthy"

_WATCHED = (CoverageSourceKind.CLUSTER, CoverageSourceKind.WORKLOAD)
"""What a sensor watches, so that the type of an alert about it says what watched."""


def last_heard_by(signal: Signal, at: datetime, owners: Owners) -> list[LastHeard]:
    """What a message, which came at an instant, makes of the sources that it speaks of; each source once."""
    if isinstance(signal, Finding):
        return _by_finding(signal, at) if signal.kind in POSTURE else []
    if isinstance(signal, Alert) and signal.product != AZURE_MONITOR:
        return _by_alert(signal, at, owners)
    return []


def _by_finding(finding: Finding, at: datetime) -> list[LastHeard]:
    subscription = _first_subscription(finding.id)
    sources = [
        *_sources(CoverageSourceKind.SUBSCRIPTION, subscription),
        *_sources(CoverageSourceKind.CLUSTER, _find_cluster_under(finding)),
    ]
    if subscription is not None and (plan := _find_plan(finding)) is not None:
        sources += [source._replace(plan=plan) for source in _sources(CoverageSourceKind.PLAN, subscription)]
    is_own = finding.kind is Kind.RECOMMENDATION and not is_written_by_others(finding.assessment_type)
    is_healthy = is_own and (finding.status or "").strip().lower() == _HEALTHY
    return [
        LastHeard(
            source=source,
            subscription=subscription,
            posture=at,
            snapshot=at if finding.snapshot else None,
            healthy=at if finding.snapshot and is_healthy and not finding.deleted else None,
        )
        for source in sources
    ]


def _by_alert(alert: Alert, at: datetime, owners: Owners) -> list[LastHeard]:
    """An incident is made of alerts about other resources, which come by themselves."""
    effective = find_effective_resource(alert)
    subscription = _first_subscription(alert.resource, effective)
    sources = list(_sources(CoverageSourceKind.SUBSCRIPTION, subscription))
    if alert.kind is Kind.ALERT:
        cluster = find_cluster(alert)
        sources += _sources(CoverageSourceKind.CLUSTER, cluster)
        for workload in dict.fromkeys(filter(None, (*_workloads(alert, effective), cluster))):
            sources += _sources(CoverageSourceKind.WORKLOAD, workload)
        if (owner := find_owner_of(alert, owners)) is not None and owner.name is not None:
            sources += _sources(CoverageSourceKind.OWNER, owner.name.lower())
    is_telling = bool(alert.type) and not alert.sample
    return [
        LastHeard(
            source=source,
            subscription=None if source.kind is CoverageSourceKind.OWNER else subscription,
            alert=at,
            real_alert=None if alert.sample else at,
            by_watcher=(HeardAlert(at, alert.type[:LONGEST]),) if is_telling and source.kind in _WATCHED else (),
        )
        for source in sources
    ]


def find_cluster(signal: Signal) -> str | None:
    """The cluster that a signal is about, in lower case: by its ARM id, by its name in its own cloud, else by what a connector
    calls it; None where it is about none."""
    id = signal.resource
    if id is not None and (found := _AZURE_CLUSTER.match(id.strip())) is not None:
        return found.group().lower()
    if is_of_azure(id or "") and signal.location is None:
        return None
    location = location_of(signal)
    if location.cluster is None:
        return None
    if location.native is not None and location_named(location.native).cluster is not None:
        native = location.native.lower().lstrip("/")
        found = _GOOGLE_CLUSTER.match(native)
        return found.group() if found is not None else native
    if id is not None and connected_name(id) is not None and (found := _ENTITY.match(id.strip())) is not None:
        return found.group().lower()
    return None


def _workloads(alert: Alert, effective: str | None) -> Iterator[str]:
    """The resources that an alert is about, in lower case; those of its entities may be another owner's."""
    for id in (alert.resource, effective):
        if id is not None and id.startswith("/") and not id.startswith("//"):
            resource = id.strip().rstrip("/").lower()
            yield resource
            if (whole := find_whole(resource)) is not None:
                yield whole
    # What is in another cloud is known by its name there, too; Google's begin with two slashes, or with none.
    if not is_of_azure(alert.resource or "") and (native := location_of(alert).native) is not None:
        yield native.lower().lstrip("/")


def _find_plan(finding: Finding) -> str | None:
    """The plan of a subscription that a recommendation says is on or off."""
    if finding.kind is not Kind.RECOMMENDATION or finding.rung is not Rung.PLAN:
        return None
    known = find_proving(finding.type, finding.title, finding.assessment_type)
    return known.plan if known is not None and WorkloadKind.SUBSCRIPTION in known.kinds else None


def _first_subscription(*ids: str | None) -> str | None:
    """The first subscription that ids name; that of a connector is heard of when what it brought is."""
    found = next(filter(None, (parse_resource_id(id).subscription for id in ids)), None)
    return found.lower() if found is not None else None


def _find_cluster_under(finding: Finding) -> str | None:
    """The cluster that a finding's own id hangs on: an assessment that is written elsewhere may name any resource.

    What a connector brought is under that, and has the cluster's name in its own cloud beside it.
    """
    cluster = find_cluster(finding) if not is_written_by_others(finding.assessment_type) else None
    if cluster is None or finding.id.startswith(f"{cluster}/"):
        return cluster
    return cluster if is_connected(finding.id) and not cluster.startswith("/") else None


def _sources(kind: CoverageSourceKind, subject: str | None) -> Iterator[CoverageSource]:
    """The source of that name; none where no such thing can have it."""
    if subject and is_name(subject):
        yield CoverageSource(kind, subject)


def is_name(text: str) -> bool:
    """Whether a resource, or an owner, can be called so: storage need not bear what is none."""
    return len(text) <= LONGEST and text.isprintable()
