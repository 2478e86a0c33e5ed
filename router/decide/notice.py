"""Makes the notice that destinations get of a signal."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from copy import replace
from datetime import UTC, datetime
from typing import Any

import orjson

from router.decide.markup import plain_text
from router.decide.prose import prose_of, unfilled
from router.domain.decisions import Code, Decision
from router.domain.evidence import Evidence, PropertyTable, property_key, says_something
from router.domain.locations import location_of
from router.domain.notices import Notice, Release, Tactic, is_about_ai
from router.domain.owners import find_environment_of, find_owner_of
from router.domain.posture import Cves, GroupedFacts, PostureFacts, Risk
from router.domain.resources import parse_resource_id
from router.domain.rulebook import Rulebook, Runbook
from router.domain.severity import ASSUMED, Severity
from router.domain.signals import Alert, Finding, Signal

MOST_CVES = 50
"""The most CVEs that the notice of a finding names."""

MOST_ALERTS = 50
"""The most alerts that the notice of an incident names."""


MOST_NAMESPACES = 50
"""The most namespaces that a notice names: what names more is like no other signal."""

_ALIKE = [
    name
    for name in PostureFacts.__struct_fields__
    if name not in {"cloud", "package", "image", "risk", "status_description", "impact"}
]
"""What a notice says in a finding's own words."""

CLOSINGS = frozenset({Code.NOT_SEEN, Code.EXEMPT})
"""Codes of reasons that say how a signal ended, where it is not known to be over."""


def notice_for(
    signal: Signal,
    evidence: Evidence,
    decision: Decision,
    rulebook: Rulebook,
    key: str,
    turn: int,
    alerts: tuple[str, ...] = (),
    *,
    status_only: bool = False,
    paged: bool = False,
    release: Release | None = None,
) -> Notice:
    """The notice of the signal of a key at one turn: its evidence, the alerts that it names, its owner, why it was sent."""
    resource = parse_resource_id(signal.resource)
    alert = signal if isinstance(signal, Alert) else None
    finding = signal if isinstance(signal, Finding) else None
    names = rulebook.attack.names_of(decision.tactics)
    location, scope = location_of(signal), rulebook.scopes.scope_of(signal)
    prose = prose_of(signal, evidence)
    grouped = finding.grouped if finding and finding.grouped else GroupedFacts()
    cves = finding.cves if finding and finding.cves else grouped.cves
    extended = {name: str(value) for name, value in signal.extended.items()}
    # Scores and compliance have none; where a route sends them to people they are no graver than another finding without one.
    severity = signal.severity or (ASSUMED if finding and decision.people else None)
    alike: dict[str, Any] = {name: getattr(finding, name) for name in _ALIKE} if finding else {}
    notice = Notice(
        key=key,
        turn=turn,
        stream=signal.stream.value,
        kind=signal.kind.value,
        id=signal.id,
        type=signal.type,
        title=prose.title,
        unfilled_title=bare if (bare := unfilled(signal.title)) != prose.title else None,
        description=prose.description,
        severity=severity.label if severity is not None else None,
        severity_written=signal.severity_written,
        status=signal.status,
        plan=alert.plan if alert else None,
        sample=alert.sample if alert else False,
        resource=signal.resource,
        resource_type=resource.type,
        resource_group=resource.resource_group,
        subscription=resource.subscription,
        compromised_entity=alert.compromised_entity if alert else None,
        tactics=tuple(Tactic(id=id, name=name) for id, name in zip(decision.tactics, names, strict=True)),
        techniques=decision.techniques,
        attack_version=rulebook.attack.version,
        routes=decision.routes,
        routes_to=_by_destination(decision, rulebook),
        is_whole=True,
        reason=str(decision.reason),
        rulebook=decision.rulebook,
        link=signal.link,
        remediation=prose.remediation,
        evidence=evidence,
        owner=find_owner_of(signal, rulebook.owners),
        product=alert.product if alert else None,
        started=iso(alert.started if alert else finding.first_seen if finding else None),
        ended=iso(alert.ended) if alert else None,
        changed=iso(signal.changed),
        cloud=finding.cloud if finding and finding.cloud else location.cloud,
        respond_by=iso(decision.respond_by),
        correlation=alert.correlation if alert else None,
        alerts=alerts[:MOST_ALERTS],
        extended=extended,
        unlisted=unlisted_in(extended, rulebook.catalogue.properties, evidence),
        package=(finding.package if finding else None) or grouped.package,
        cves=cves.ids[:MOST_CVES] if cves else (),
        has_more_cves=bool(cves and not _are_all_named(cves)),
        image=(finding.image if finding else None) or grouped.image,
        risk=_find_risk(finding) if finding else None,
        account=location.account,
        project=next(iter(location.projects), None),
        cluster=location.cluster,
        namespaces=location.namespaces if len(location.namespaces) <= MOST_NAMESPACES else (),
        connector=next(iter(location.connectors), None),
        tags=_tags_grouped_by(signal, rulebook),
        subscription_name=scope.name,
        environment=find_environment_of(signal, rulebook.owners) or scope.environment,
        runbooks=runbooks_for(signal, rulebook.runbooks),
        closing=decision.reason.words if decision.reason.code in CLOSINGS else None,
        links=prose.links,
        status_description=plain_text(finding.status_description) if finding and finding.status_description else None,
        impact=plain_text(finding.impact) if finding and finding.impact else None,
        has_fix=grouped.has_fix,
        status_only=status_only,
        paged=paged and not (alert is not None and alert.sample),
        release=release,
        **alike,
    )
    # A title is told where a description is not: in outlines, and in a group's list of its members.
    return replace(notice, title=unfilled(signal.title)) if "{" in signal.title and is_about_ai(notice) else notice


def _find_risk(finding: Finding) -> Risk | None:
    """The risk of a finding; an attack path, which is about one place, has it in its severity and its factors."""
    if finding.risk is not None or not finding.risk_factors:
        return finding.risk
    is_level = finding.severity is not Severity.INFORMATIONAL and not finding.has_assumed_severity
    level = finding.severity if is_level else None
    return Risk(level=level, written=finding.severity_written, factors=finding.risk_factors, is_contextual=True)


def _tags_grouped_by(signal: Signal, rulebook: Rulebook) -> Mapping[str, str]:
    """The tags of a signal's resource that some destination groups by."""
    names = {name for spec in rulebook.destinations.values() if spec.group is not None for name in spec.group.tags}
    found = ((name, rulebook.owners.tags.find(signal.resource, name)) for name in sorted(names))
    return {name: value for name, value in found if value is not None}


def _by_destination(decision: Decision, rulebook: Rulebook) -> Mapping[str, tuple[str, ...]]:
    """The routes that matched, by the destinations to which they lead."""
    matched = set(decision.routes)
    led: dict[str, list[str]] = {}
    for route in rulebook.routes:
        for destination in route.to if route.name in matched else ():
            led.setdefault(destination, []).append(route.name)
    return {destination: tuple(sorted(names)) for destination, names in led.items()}


def _are_all_named(cves: Cves) -> bool:
    return cves.is_whole and len(cves.ids) <= MOST_CVES


def iso(time: datetime | None) -> str | None:
    """A time as destinations write it: ISO 8601, UTC, `Z`."""
    if time is None:
        return None
    utc = time if time.tzinfo is UTC else time.astimezone(UTC)
    # Four are written for each signal, and orjson takes a third of the time of `isoformat`.
    return orjson.dumps(utc, option=orjson.OPT_UTC_Z)[1:-1].decode()


def unlisted_in(extended: Mapping[str, str], table: PropertyTable, evidence: Evidence) -> tuple[str, ...]:
    """The names of the properties that say something and belong to no list, those with the shortest values first."""
    domains = {account.partition("\\")[0].casefold() for account in evidence.accounts if "\\" in account}
    names = [
        name
        for name, value in extended.items()
        if says_something(value)
        and table.find_list(name, value) is None
        and not (value.strip().casefold() in domains and table.lists.get(property_key(name)) == "domains")
    ]
    return tuple(sorted(names, key=lambda name: len(extended[name])))


MOST_RUNBOOKS = 3
"""The most runbooks that a notice names."""


def runbooks_for(signal: Signal, runbooks: Iterable[Runbook]) -> tuple[str, ...]:
    """The addresses of the first runbooks, top to bottom, that are about a signal, each once."""
    addresses: dict[str, None] = {}
    for runbook in runbooks:
        if len(addresses) == MOST_RUNBOOKS:
            break
        if runbook.url not in addresses and runbook.fits(signal):
            addresses[runbook.url] = None
    return tuple(addresses)
