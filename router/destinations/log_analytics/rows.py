"""A delivery as one row of a Log Analytics table; columns without a value are left out."""

from __future__ import annotations

from typing import Any

from router.destinations.log_analytics.tables import ALERTS, FINDINGS
from router.destinations.wording.evidence import evidence_of
from router.destinations.wording.headlines import reporter_of
from router.destinations.wording.languages import web_link
from router.destinations.wording.posture import posture_of
from router.domain.decisions import Change
from router.domain.deliveries import Attempt
from router.domain.evidence import Evidence, account_name_of, command_line_of
from router.domain.keys import event_uid
from router.domain.notices import Notice, RecordEntry
from router.domain.signals import Stream

type Row = dict[str, Any]

# ASIM knows four severities. What is worse than High is High, and so is what is not known; the original stands beside.
_SEVERITIES = frozenset({"Informational", "Low", "Medium", "High"})
_LOUDEST = "High"

_HASHES = {32: "FileMD5", 40: "FileSHA1", 64: "FileSHA256"}
_NEXT_LINE = "\n"


def row_for(attempt: Attempt, table: str) -> Row:
    """The row of what an attempt delivers: by the table where it is one of ours, else by the stream."""
    content = attempt.delivery.content
    if isinstance(content, RecordEntry):
        row = decision_row(content)
    elif table == FINDINGS.name or (table != ALERTS.name and content.stream == Stream.CSPM):
        row = finding_row(content, attempt)
    else:
        row = alert_row(content, attempt)
    return {column: value for column, value in row.items() if value is not None and value != "" and value != ()}


def alert_row(notice: Notice, attempt: Attempt) -> Row:
    """A row of ASimAlertEventLogs, ASIM AlertEvent 0.1; the alert's own id is EventOriginalUid."""
    began = notice.started or notice.changed or attempt.now.isoformat()
    return {
        "TimeGenerated": attempt.now.isoformat(),
        "EventUid": event_uid(notice.key, notice.turn),
        "EventOriginalUid": notice.id,
        "EventType": "Alert",
        "EventSubType": "Suspicious Activity" if notice.stream == Stream.CWPP else "Compliance Violation",
        "EventSchema": "AlertEvent",
        "EventSchemaVersion": "0.1",
        "EventVendor": "Microsoft",
        "EventProduct": reporter_of(notice),
        "EventCount": 1,
        "EventStartTime": began,
        "EventEndTime": notice.ended or began,
        "EventSeverity": notice.severity if notice.severity in _SEVERITIES else _LOUDEST,
        "EventOriginalSeverity": notice.severity_written or notice.severity,
        "EventOriginalType": notice.type,
        "EventMessage": notice.description,
        "EventReportUrl": web_link(notice.link),
        "EventOwner": notice.owner.group if notice.owner else None,
        "AlertName": notice.title,
        "AlertStatus": "Closed" if attempt.delivery.change is Change.RESOLVED else "Active",
        "AlertOriginalStatus": notice.status,
        "AttackTactics": ", ".join(tactic.name for tactic in notice.tactics),
        "AttackTechniques": ", ".join(notice.techniques),
        "AttackRemediationSteps": _NEXT_LINE.join(notice.remediation),
        **_subjects(notice),
        "AdditionalFields": _additional(notice, attempt),
    }


def finding_row(notice: Notice, attempt: Attempt) -> Row:
    """A row of DefenderFindings_CL."""
    owner = notice.owner
    return {
        "TimeGenerated": attempt.now.isoformat(),
        "EventUid": event_uid(notice.key, notice.turn),
        "SignalKey": notice.key,
        "Turn": notice.turn,
        "Change": str(attempt.delivery.change),
        "Kind": notice.kind,
        "FindingId": notice.id,
        "FindingType": notice.type,
        "FindingTitle": notice.title,
        "Description": notice.description,
        "Severity": notice.severity,
        "SeverityWritten": notice.severity_written,
        "Status": notice.status,
        "StatusChanged": notice.changed,
        "Cause": notice.cause,
        "Measure": notice.measure,
        "Categories": notice.categories,
        "ResourceId": notice.resource,
        "ResourceType": notice.resource_type,
        "ResourceGroup": notice.resource_group,
        "SubscriptionId": notice.subscription,
        "Cloud": notice.cloud,
        "Tactics": tuple(tactic.id for tactic in notice.tactics),
        "Techniques": notice.techniques,
        "AttackVersion": notice.attack_version,
        "Routes": notice.routes,
        "Reason": notice.reason,
        "Rulebook": notice.rulebook,
        "PortalLink": web_link(notice.link),
        "Remediation": _NEXT_LINE.join(notice.remediation),
        "OwnerGroup": owner.group if owner else None,
        "OwnerService": owner.service if owner else None,
        "IsSnapshot": notice.snapshot,
        "Evidence": _evidence(notice) or None,
        "Extended": dict(notice.extended) or None,
    }


def decision_row(entry: RecordEntry) -> Row:
    """A row of AlertRouterDecisions_CL, at the time of the decision."""
    return {
        "TimeGenerated": entry.at,
        "MessageKey": entry.key,
        "SignalId": entry.id,
        "Stream": entry.stream,
        "Kind": entry.kind,
        "SignalType": entry.type,
        "SignalTitle": entry.title,
        "Severity": entry.severity,
        "Status": entry.status,
        "Plan": entry.plan,
        "ResourceId": entry.resource,
        "IsSample": entry.sample,
        "Outcome": entry.outcome,
        "Reason": entry.reason,
        "Notice": entry.notice,
        "SuppressedBy": entry.suppressed_by,
        "SuppressedUntil": entry.suppressed_until,
        "ShadowedBy": entry.shadowed_by,
        "Tactics": entry.tactics,
        "Techniques": entry.techniques,
        "Routes": entry.routes,
        "Destinations": entry.destinations,
        "Rulebook": entry.rulebook,
        "Source": entry.source,
    }


def _subjects(notice: Notice) -> Row:
    """The first host, address, account, process, file and URL: ASIM has one column for each."""
    evidence = notice.evidence
    user = _first(tuple(map(account_name_of, evidence.accounts)))
    file = _first(evidence.files)
    is_azure = bool(notice.resource and notice.resource.lower().startswith("/subscriptions/"))
    return {
        "IndicatorType": "Host" if evidence.hosts else "Cloud Resource",
        "DvcHostname": _first(evidence.hosts),
        "DvcIpAddr": _first(evidence.ips),
        "DvcId": notice.resource,
        "DvcIdType": ("AzureResourceId" if is_azure else "Other") if notice.resource else None,
        "DvcScopeId": notice.subscription,
        "Username": user,
        "UsernameType": _username_type(user) if user else None,
        "ProcessCommandLine": _first(_command_lines_in(evidence)) or _first(evidence.commands),
        "FilePath": file,
        **_hashes_in(evidence.hashes),
        "Url": _first(evidence.urls),
    }


def _command_lines_in(evidence: Evidence) -> tuple[str, ...]:
    return tuple(command_line_of(process, evidence.files) for process in evidence.processes)


def _additional(notice: Notice, attempt: Attempt) -> Row:
    fields = {
        "SignalKey": notice.key,
        "Turn": notice.turn,
        "Change": str(attempt.delivery.change),
        "Kind": notice.kind,
        "Plan": notice.plan,
        "Product": notice.product,
        "IsSample": notice.sample,
        "CompromisedEntity": notice.compromised_entity,
        "ResourceType": notice.resource_type,
        "ResourceGroup": notice.resource_group,
        "TacticIds": [tactic.id for tactic in notice.tactics],
        "AttackVersion": notice.attack_version,
        "OwnerService": notice.owner.service if notice.owner else None,
        "Routes": notice.routes,
        "Reason": notice.reason,
        "Rulebook": notice.rulebook,
        "Evidence": _evidence(notice),
        "Extended": dict(notice.extended),
    }
    return {name: value for name, value in fields.items() if value is not None and value not in ("", [], (), {})}


def _evidence(notice: Notice) -> Row:
    """The lists of evidence, and what an individual recommendation says: software, CVEs, risk and so on, by the same names."""
    return {**evidence_of(notice), **{name: value for name, value in posture_of(notice).items() if value}}


def _first(values: tuple[str, ...]) -> str | None:
    return values[0] if values else None


def _username_type(name: str) -> str:
    """As ASIM tells them: https://learn.microsoft.com/azure/sentinel/normalization-entity-user#usernametype."""
    return "UPN" if "@" in name else "Windows" if "\\" in name else "Simple"


def _hashes_in(hashes: tuple[str, ...]) -> Row:
    """The first hash of each length; an algorithm before a colon is left out."""
    found: Row = {}
    for written in hashes:
        value = written.rpartition(":")[2].strip()
        column = _HASHES.get(len(value))
        if column:
            found.setdefault(column, value)
    return found
