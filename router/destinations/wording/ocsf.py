"""A notice as an OCSF finding, in a CloudEvents envelope: for a receiver that knows no format of ours.

An alert or an incident is a Detection Finding, a vulnerability or an update of software a Vulnerability Finding, any other
recommendation, a compliance state or a silent source a Compliance Finding; anything else is a Detection Finding. Everything
that `document_of` says is in it: what OCSF has no attribute for stands under `unmapped`.

https://schema.ocsf.io/1.5.0/classes/detection_finding
https://schema.ocsf.io/1.5.0/classes/vulnerability_finding
https://schema.ocsf.io/1.5.0/classes/compliance_finding
https://github.com/cloudevents/spec/blob/v1.0.2/cloudevents/formats/json-format.md
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from typing import Any, NamedTuple

from router.domain.evidence import account_name_of, command_line_of
from router.domain.signals import DEFENDER

VERSION = "1.5.0"
CONTENT_TYPE = "application/cloudevents+json"

type Document = Mapping[str, Any]
"""What `document_of` gives of a notice, its texts and lists perhaps cut."""


class Class(NamedTuple):
    """A class of the Findings category; `name` stands in URLs of the schema."""

    uid: int
    caption: str
    name: str


DETECTION = Class(2004, "Detection Finding", "detection_finding")
VULNERABILITY = Class(2002, "Vulnerability Finding", "vulnerability_finding")
COMPLIANCE = Class(2003, "Compliance Finding", "compliance_finding")
CLASSES = {
    "vulnerability": VULNERABILITY,
    "recommendation": COMPLIANCE,
    "compliance": COMPLIANCE,
    "coverage": COMPLIANCE,
}
UPDATES = frozenset({"softwareupdate", "systemupdate"})
"""Categories of recommendations that are about vulnerabilities, also where a message does not name the software."""

ACTIVITIES = {"opened": (1, "Create"), "updated": (2, "Update"), "resolved": (3, "Close")}

SEVERITIES = {"Informational": 1, "Low": 2, "Medium": 3, "High": 4, "Critical": 5}
# What is not known is Other, not Unknown, which is 0: a receiver that keeps what is at least High must keep it.
NO_SEVERITY = 99

STATUSES = {
    "new": (1, "New"),
    "active": (1, "New"),
    "unhealthy": (1, "New"),
    "inprogress": (2, "In Progress"),
    "dismissed": (3, "Suppressed"),
}
_NEW, _RESOLVED = (1, "New"), (4, "Resolved")

COMPLIANCE_STATUSES = {
    "healthy": (1, "Pass"),
    "passed": (1, "Pass"),
    "unhealthy": (3, "Fail"),
    "failed": (3, "Fail"),
}

OBSERVABLES = {
    "hosts": (1, "Hostname"),
    "domains": (1, "Hostname"),
    "attackers": (2, "IP Address"),
    "ips": (2, "IP Address"),
    "accounts": (4, "User Name"),
    "urls": (6, "URL String"),
    "hashes": (8, "Hash"),
    "resources": (10, "Resource UID"),
    "commands": (13, "Command Line"),
    "processes": (13, "Command Line"),
    "user_agents": (16, "HTTP User-Agent"),
    "files": (45, "File Path"),
}
"""The lists of evidence that a receiver looks other things up by."""

_AZURE_SUBSCRIPTION = {"type_id": 13, "type": "Azure Subscription"}
_CVE = re.compile(r"\bCVE-\d{4}-\d{4,}\b", re.IGNORECASE)
_MARK = re.compile(r"(?:… \[\d+ more\]|\.\.\. and \d+ more)")
_UNMAPPED = (
    "change", "turn", "destination", "stream", "kind", "severity_written", "plan", "sample", "subscription",
    "compromised_entity", "routes", "reason", "rulebook", "categories", "measure", "cause", "snapshot", "extended",
    "owner", "group", "correlation", "alerts", "category", "image", "rule", "scanner", "risk",
)  # fmt: skip


def message_of(document: Document, id: str, now: datetime) -> dict[str, Any]:
    """The CloudEvent that carries a notice; `id` is the delivery key, `now` the time of one that has none.

    Its source is the router's stream, its subject the signal key, its type the signal's kind and what changed.
    """
    kind = class_for(document)
    return {
        "specversion": "1.0",
        "id": id,
        "source": f"/alert-router/{document['stream']}",
        "type": f"alert-router.{document['kind']}.{document['change']}",
        "subject": document["key"],
        "time": _time_in(document, now).isoformat(),
        "datacontenttype": "application/json",
        "dataschema": f"https://schema.ocsf.io/{VERSION}/classes/{kind.name}",
        "data": finding_of(document, id, now),
    }


def class_for(document: Document) -> Class:
    """The class of finding that a notice is."""
    kind = CLASSES.get(document["kind"], DETECTION)
    is_update = document["package"] or (document["category"] or "").lower() in UPDATES
    return VULNERABILITY if is_update and document["kind"] == "recommendation" else kind


def finding_of(document: Document, id: str, now: datetime) -> dict[str, Any]:
    """The finding of a notice; attributes that have nothing to say are left out."""
    kind = class_for(document)
    activity, activity_name = ACTIVITIES[document["change"]]
    status, status_name = _status_of(document)
    severity = document["severity"]
    words = severity or document["severity_written"] or "Unknown"
    return _without_empty(
        {
            "category_uid": 2,
            "category_name": "Findings",
            "class_uid": kind.uid,
            "class_name": kind.caption,
            "activity_id": activity,
            "activity_name": activity_name,
            "type_uid": kind.uid * 100 + activity,
            "type_name": f"{kind.caption}: {activity_name}",
            "time": _milliseconds(_time_in(document, now)),
            "start_time": _find_milliseconds(document["started"]),
            "end_time": _find_milliseconds(document["ended"]),
            "severity_id": SEVERITIES.get(severity or "", NO_SEVERITY),
            "severity": words,
            "status_id": status,
            "status": status_name,
            "status_detail": document["status"],
            "message": f"{words}: {document['title'] or document['type']}",
            "metadata": _metadata(document, id),
            "finding_info": _finding_info(document, kind),
            "cloud": _cloud(document),
            "resources": _resources(document),
            "observables": _observables(document, kind),
            **_of_its_class(document, kind),
            "unmapped": _unmapped(document, kind),
        }
    )


def _of_its_class(document: Document, kind: Class) -> dict[str, Any]:
    remediation = {"desc": "\n".join(document["remediation"])} if document["remediation"] else None
    if kind is VULNERABILITY:
        return {"vulnerabilities": _vulnerabilities(document, remediation)}
    own = {"remediation": remediation, "evidences": [{"data": evidence}] if (evidence := _evidence(document)) else None}
    if kind is COMPLIANCE:
        return own | {"compliance": _compliance(document)}
    return own | {"is_alert": True if document["stream"] == "cwpp" else None}


def _metadata(document: Document, id: str) -> dict[str, Any]:
    is_ours = document["kind"] == "coverage"
    return _without_empty(
        {
            "version": VERSION,
            "uid": id,
            "correlation_uid": document["key"],
            "sequence": document["turn"],
            "event_code": document["type"],
            "original_time": document["changed"],
            "log_provider": "alert-router",
            "profiles": ["cloud"],
            "labels": ["sample"] if document["sample"] else None,
            "product": _without_empty(
                {
                    "name": "alert-router" if is_ours else document["product"] or DEFENDER,
                    "vendor_name": "alert-router" if is_ours else "Microsoft",
                    "feature": {"name": document["plan"]} if document["plan"] else None,
                }
            ),
        }
    )


def _finding_info(document: Document, kind: Class) -> dict[str, Any]:
    type = document["type"]
    analytic = {"uid": type, "name": document["title"] or type, "type_id": 0, "type": "Unknown"}
    return _without_empty(
        {
            "uid": document["id"],
            "title": document["title"] or type,
            "desc": document["description"],
            "types": [type],
            "src_url": document["link"],
            "first_seen_time": _find_milliseconds(document["started"]),
            "last_seen_time": _find_milliseconds(document["ended"]),
            "modified_time": _find_milliseconds(document["changed"]),
            "analytic": analytic if kind is DETECTION else None,
            "attacks": list(_attacks(document)),
        }
    )


def _attacks(document: Document) -> Iterator[dict[str, Any]]:
    """The tactics and techniques; a technique is told beside its tactic only where there is no choice of tactics."""
    version = {"version": document["attack_version"]}
    tactics = [{"uid": one["id"], "name": one["name"]} for one in document["tactics"] if isinstance(one, Mapping)]
    techniques = [_technique(one) for one in document["techniques"] if not _MARK.fullmatch(one)]
    if len(tactics) == 1 and techniques:
        yield from ({"tactic": tactics[0], **technique, **version} for technique in techniques)
        return
    yield from ({"tactic": tactic, **version} for tactic in tactics)
    yield from ({**technique, **version} for technique in techniques)


def _technique(id: str) -> dict[str, Any]:
    technique, _, part = id.partition(".")
    return {"technique": {"uid": technique}, **({"sub_technique": {"uid": id}} if part else {})}


def _cloud(document: Document) -> dict[str, Any]:
    provider, subscription = document["cloud"] or "Azure", document["subscription"]
    if not subscription or provider != "Azure":
        return {"provider": provider}
    return {"provider": provider, "account": {"uid": subscription, **_AZURE_SUBSCRIPTION}}


def _resources(document: Document) -> list[dict[str, Any]]:
    uid, owner = document["resource"], document["owner"] or {}
    name = uid.rstrip("/").rpartition("/")[2] if uid else document["compromised_entity"]
    if not (uid or name):
        return []
    group, person = document["resource_group"], owner.get("group") or owner.get("service")
    return [
        _without_empty(
            {
                "uid": uid,
                "name": name,
                "type": document["resource_type"],
                "group": {"name": group} if group else None,
                "owner": {"name": person} if person else None,
            }
        )
    ]


def _evidence(document: Document) -> dict[str, Any]:
    return _without_empty(document["evidence"])


def _observables(document: Document, kind: Class) -> list[dict[str, Any]]:
    """What other events may hold too; `name` says where it stands in this one."""
    place = "unmapped.evidence" if kind is VULNERABILITY else "evidences[0].data"
    return [
        {"name": f"{place}.{name}", "type_id": uid, "type": type, "value": found}
        for name, (uid, type) in OBSERVABLES.items()
        for value in document["evidence"].get(name, ())
        if not _MARK.fullmatch(value) and (found := _found_by(name, value, document))
    ]


def _found_by(name: str, value: str, document: Document) -> str:
    """The part of a piece of evidence that other events have as well.

    No algorithm of a hash, of a process only its command line, no SID beside a name, no addresses of a domain.
    """
    match name:
        case "hashes":
            return value.rpartition(":")[2]
        case "processes":
            return command_line_of(value, document["evidence"].get("files", ()))
        case "accounts":
            return account_name_of(value)
        case "domains":
            return value.partition(" (")[0]
        case _:
            return value


def _vulnerabilities(document: Document, remediation: dict[str, str] | None) -> list[dict[str, Any]]:
    """One for each CVE that is listed, else for each that type and title name; else one by what the scanner calls it."""
    listed = [one for one in document["cves"] if not _MARK.fullmatch(one)]
    named = listed or _CVE.findall(f"{document['type']} {document['title']}")
    names = [{"cve": {"uid": uid}} for uid in dict.fromkeys(one.upper() for one in named)]
    package = document["package"]
    link = document["link"]
    common = _without_empty(
        {
            "title": document["title"] or document["type"],
            "severity": document["severity_written"] or document["severity"],
            "references": [link] if link else None,
            "remediation": remediation,
            "affected_packages": _packages(package) if package else None,
            "is_fix_available": bool(package["fixed"]) if package else None,
        }
    )
    return [name | common for name in names or [{"advisory": {"uid": document["type"]}}]]


def _packages(package: Mapping[str, Any]) -> list[dict[str, Any]]:
    """The software in each version that was found."""
    common = {"name": package["name"], "package_manager": package["type"], "fixed_in_version": package["fixed"]}
    versions = [version for version in package["installed"] if not _MARK.fullmatch(version)]
    return [_without_empty({**common, "version": version}) for version in versions or ["unknown"]]


def _compliance(document: Document) -> dict[str, Any]:
    status, words = COMPLIANCE_STATUSES.get(_plain(document["status"]), (99, document["status"] or ""))
    if not words:
        status, words = 0, "Unknown"
    categories = list(document["categories"])
    is_state = document["kind"] == "compliance"
    return _without_empty(
        {
            "status_id": status,
            "status": words,
            "control": (categories[1] if len(categories) > 1 else document["type"]) if is_state else document["title"],
            "standards": categories[:1] if is_state else None,
            "category": None if is_state else document["category"] or ", ".join(categories),
        }
    )


def _unmapped(document: Document, kind: Class) -> dict[str, Any]:
    rest = {name: document[name] for name in _UNMAPPED}
    if kind is VULNERABILITY:
        said = document["package"] or {}
        rest["evidence"] = _evidence(document)
        rest["package"] = _without_empty({name: said.get(name) for name in ("language", "fix_status")})
    else:
        rest["cves"] = document["cves"]
    rest["has_more_cves"] = document["has_more_cves"] or None
    marks = {
        name: [one for one in document[name] if isinstance(one, str) and _MARK.fullmatch(one)]
        for name in ("tactics", "techniques", "cves")
    }
    return _without_empty(rest | {"cut": _without_empty(marks)})


def _status_of(document: Document) -> tuple[int, str]:
    status = STATUSES.get(_plain(document["status"]), _NEW)
    if document["change"] != "resolved":
        return status
    return status if status[0] == STATUSES["dismissed"][0] else _RESOLVED


def _plain(status: str | None) -> str:
    return (status or "").replace(" ", "").lower()


def _time_in(document: Document, now: datetime) -> datetime:
    written = document["changed"] or document["started"]
    return _parsed(written) if written else now


def _parsed(written: str) -> datetime:
    time = datetime.fromisoformat(written)
    return time if time.tzinfo is not None else time.replace(tzinfo=UTC)


def _milliseconds(time: datetime) -> int:
    return int(time.timestamp() * 1_000)


def _find_milliseconds(written: str | None) -> int | None:
    return _milliseconds(_parsed(written)) if written else None


def _without_empty(values: Mapping[str, Any]) -> dict[str, Any]:
    """Without what has nothing to say; a number or a False says something."""
    return {name: value for name, value in values.items() if value is not None and value not in ("", (), [], {})}
