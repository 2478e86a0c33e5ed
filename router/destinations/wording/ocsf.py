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
from collections.abc import Callable, Iterator, Mapping
from datetime import datetime
from typing import Any

from router.destinations.wording.escaping import read_table
from router.destinations.wording.facts import find_time
from router.destinations.wording.fitting import without_empty
from router.domain.evidence import account_name_of, command_line_of
from router.domain.signals import DEFENDER

VERSION = "1.5.0"
CONTENT_TYPE = "application/cloudevents+json"

type Document = Mapping[str, Any]
"""What `document_of` gives of a notice, its texts and lists perhaps cut."""


def names() -> dict[str, Any]:
    """What OCSF calls kinds, changes, severities, statuses and lists of evidence: `ocsf.toml`."""
    return read_table("wording/ocsf.toml")


_NEW, _SUPPRESSED, _RESOLVED = (1, "New"), 3, (4, "Resolved")
_CVE = re.compile(r"\bCVE-\d{4}-\d{4,}\b", re.IGNORECASE)
_MARK = re.compile(r"(?:… \[\d+ more\]|\.\.\. and \d+ more)")


def _without_empty[**P](make: Callable[P, dict[str, Any]]) -> Callable[P, dict[str, Any]]:
    """The same function without what has nothing to say in what it makes."""
    return lambda *args, **kwargs: without_empty(make(*args, **kwargs))


def message_of(document: Document, id: str, now: datetime) -> dict[str, Any]:
    """The CloudEvent that carries a notice; `id` is the delivery key, `now` the time of one that has none.

    Its source is the router's stream, its subject the signal key, its type the signal's kind and what changed.
    """
    _, _, schema = names()["classes"][class_for(document)]
    return {
        "specversion": "1.0",
        "id": id,
        "source": f"/alert-router/{document['stream']}",
        "type": f"alert-router.{document['kind']}.{document['change']}",
        "subject": document["key"],
        "time": _time_in(document, now).isoformat(),
        "datacontenttype": "application/json",
        "dataschema": f"https://schema.ocsf.io/{VERSION}/classes/{schema}",
        "data": finding_of(document, id, now),
    }


def class_for(document: Document) -> str:
    """The class of finding that a notice is, as `ocsf.toml` calls it."""
    kind = names()["kinds"].get(document["kind"], "detection")
    is_update = document["package"] or (document["category"] or "").lower() in names()["updates"]
    if is_update and document["kind"] == "recommendation":
        kind = "vulnerability"
    return str(kind)


@_without_empty
def finding_of(document: Document, id: str, now: datetime) -> dict[str, Any]:
    """The finding of a notice; attributes that have nothing to say are left out."""
    kind = class_for(document)
    uid, caption, _ = names()["classes"][kind]
    activity, activity_name = names()["activities"][document["change"]]
    status, status_name = _status_of(document)
    severity = document["severity"]
    words = severity or document["severity_written"] or "Unknown"
    provider, subscription = document["cloud"] or "Azure", document["subscription"]
    account = {"account": {"uid": subscription, "type_id": 13, "type": "Azure Subscription"}}
    return {
        "category_uid": 2,
        "category_name": "Findings",
        "class_uid": uid,
        "class_name": caption,
        "activity_id": activity,
        "activity_name": activity_name,
        "type_uid": uid * 100 + activity,
        "type_name": f"{caption}: {activity_name}",
        "time": _milliseconds(_time_in(document, now)),
        "start_time": _milliseconds(find_time(document["started"])),
        "end_time": _milliseconds(find_time(document["ended"])),
        "severity_id": names()["severities"].get(severity, names()["severities"]["unknown"]),
        "severity": words,
        "status_id": status,
        "status": status_name,
        "status_detail": document["status"],
        "message": f"{words}: {document['title'] or document['type']}",
        "metadata": _metadata(document, id),
        "finding_info": _finding_info(document, kind),
        "cloud": {"provider": provider, **(account if subscription and provider == "Azure" else {})},
        "resources": _resources(document),
        "observables": _observables(document, kind),
        **_of_its_class(document, kind),
        "unmapped": _unmapped(document, kind),
    }


def _of_its_class(document: Document, kind: str) -> dict[str, Any]:
    remediation = {"desc": "\n".join(document["remediation"])} if document["remediation"] else None
    if kind == "vulnerability":
        return {"vulnerabilities": _vulnerabilities(document, remediation)}
    evidence = without_empty(document["evidence"])
    own = {"remediation": remediation, "evidences": [{"data": evidence}] if evidence else None}
    if kind == "compliance":
        return own | {"compliance": _compliance(document)}
    return own | {"is_alert": document["stream"] == "cwpp" or None}


@_without_empty
def _metadata(document: Document, id: str) -> dict[str, Any]:
    is_ours = document["kind"] == "coverage"
    return {
        "version": VERSION,
        "uid": id,
        "correlation_uid": document["key"],
        "sequence": document["turn"],
        "event_code": document["type"],
        "original_time": document["changed"],
        "log_provider": "alert-router",
        "profiles": ["cloud"],
        "labels": ["sample"] if document["sample"] else None,
        "product": {
            "name": "alert-router" if is_ours else document["product"] or DEFENDER,
            "vendor_name": "alert-router" if is_ours else "Microsoft",
            **({"feature": {"name": document["plan"]}} if document["plan"] else {}),
        },
    }


@_without_empty
def _finding_info(document: Document, kind: str) -> dict[str, Any]:
    type = document["type"]
    analytic = {"uid": type, "name": document["title"] or type, "type_id": 0, "type": "Unknown"}
    return {
        "uid": document["id"],
        "title": document["title"] or type,
        "desc": document["description"],
        "types": [type],
        "src_url": document["link"],
        "first_seen_time": _milliseconds(find_time(document["started"])),
        "last_seen_time": _milliseconds(find_time(document["ended"])),
        "modified_time": _milliseconds(find_time(document["changed"])),
        "analytic": analytic if kind == "detection" else None,
        "attacks": list(_attacks(document)),
    }


def _attacks(document: Document) -> Iterator[dict[str, Any]]:
    """The tactics and techniques; a technique is told beside its tactic only where there is no choice of tactics."""
    version = {"version": document["attack_version"]}
    tactics = [{"uid": one["id"], "name": one["name"]} for one in document["tactics"] if isinstance(one, Mapping)]
    techniques = [
        {"technique": {"uid": one.partition(".")[0]}, **({"sub_technique": {"uid": one}} if "." in one else {})}
        for one in document["techniques"]
        if not _MARK.fullmatch(one)
    ]
    if len(tactics) == 1 and techniques:
        yield from ({"tactic": tactics[0], **technique, **version} for technique in techniques)
        return
    yield from ({"tactic": tactic, **version} for tactic in tactics)
    yield from ({**technique, **version} for technique in techniques)


def _resources(document: Document) -> list[dict[str, Any]]:
    uid, owner = document["resource"], document["owner"] or {}
    name = uid.rstrip("/").rpartition("/")[2] if uid else document["compromised_entity"]
    if not (uid or name):
        return []
    group, person = document["resource_group"], owner.get("group") or owner.get("service")
    resource = {
        "uid": uid,
        "name": name,
        "type": document["resource_type"],
        "group": {"name": group} if group else None,
        "owner": {"name": person} if person else None,
    }
    return [without_empty(resource)]


def _observables(document: Document, kind: str) -> list[dict[str, Any]]:
    """What other events may hold too; `name` says where it stands in this one."""
    place = "unmapped.evidence" if kind == "vulnerability" else "evidences[0].data"
    return [
        {"name": f"{place}.{name}", "type_id": uid, "type": type, "value": found}
        for name, (uid, type) in names()["observables"].items()
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
    common = {
        "title": document["title"] or document["type"],
        "severity": document["severity_written"] or document["severity"],
        "references": [link] if link else None,
        "remediation": remediation,
        "affected_packages": _packages(package) if package else None,
        "is_fix_available": bool(package["fixed"]) if package else None,
    }
    return [name | without_empty(common) for name in names or [{"advisory": {"uid": document["type"]}}]]


def _packages(package: Mapping[str, Any]) -> list[dict[str, Any]]:
    """The software in each version that was found."""
    common = {"name": package["name"], "package_manager": package["type"], "fixed_in_version": package["fixed"]}
    versions = [version for version in package["installed"] if not _MARK.fullmatch(version)]
    return [without_empty({**common, "version": version}) for version in versions or ["unknown"]]


@_without_empty
def _compliance(document: Document) -> dict[str, Any]:
    status, words = names()["compliance_statuses"].get(_status_word(document), (99, document["status"] or ""))
    if not words:
        status, words = 0, "Unknown"
    categories = list(document["categories"])
    is_state = document["kind"] == "compliance"
    return {
        "status_id": status,
        "status": words,
        "control": (categories[1] if len(categories) > 1 else document["type"]) if is_state else document["title"],
        "standards": categories[:1] if is_state else None,
        "category": None if is_state else document["category"] or ", ".join(categories),
    }


@_without_empty
def _unmapped(document: Document, kind: str) -> dict[str, Any]:
    rest = {name: document[name] for name in names()["unmapped"]} | {"console": document.get("console")}
    if kind == "vulnerability":
        said = document["package"] or {}
        rest["evidence"] = without_empty(document["evidence"])
        rest["package"] = without_empty({name: said.get(name) for name in ("language", "fix_status")})
    else:
        rest["cves"] = document["cves"]
    rest["has_more_cves"] = document["has_more_cves"] or None
    marks = {
        name: [one for one in document[name] if isinstance(one, str) and _MARK.fullmatch(one)]
        for name in ("tactics", "techniques", "cves")
    }
    marked = {name: texts for name, texts in marks.items() if texts}
    return rest | {"cut": marked}


def _status_of(document: Document) -> tuple[int, str]:
    status, words = names()["statuses"].get(_status_word(document), _NEW)
    return (status, words) if document["change"] != "resolved" or status == _SUPPRESSED else _RESOLVED


def _status_word(document: Document) -> str:
    return (document["status"] or "").replace(" ", "").lower()


def _time_in(document: Document, now: datetime) -> datetime:
    return find_time(document["changed"] or document["started"]) or now


def _milliseconds(time: datetime | None) -> int | None:
    return int(time.timestamp() * 1_000) if time is not None else None
