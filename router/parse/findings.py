"""Recommendations (assessments), vulnerabilities (sub-assessments), and the router's own finding that a source is silent.

https://learn.microsoft.com/rest/api/defenderforcloud/assessments and .../sub-assessments; continuous export adds an
enrichment that says what was done. A message whose action is Delete may still say Unhealthy."""

from __future__ import annotations

from typing import Any

from router.domain.catalogue import Catalogue
from router.domain.locations import location_among
from router.domain.recommendations import find_missing_rung
from router.domain.resources import (
    NOWHERE,
    is_connected,
    is_telling,
    location_named,
    names_of_resource,
    parse_resource_id,
)
from router.domain.severity import severity_named
from router.domain.signals import Finding, Kind
from router.parse.arm import Posture, entities_for, entities_in_cluster, posture_in, steps_for
from router.parse.cves import find_cves, find_cvss, find_severity, severities_given
from router.parse.fields import Fields, fields_in, name_in, names_in, plain_values, text_in, texts_in, time_in
from router.parse.recommendations import (
    extended_in,
    find_grouped_facts,
    find_image,
    find_package,
    find_risk,
    find_rule,
    find_scanner,
)

_OVER = frozenset({"healthy", "notapplicable"})


def read_recommendation(fields: Fields, _: Catalogue) -> Finding:
    """The recommendation in an assessment; its type is the assessment key."""
    posture = posture_in(fields)
    properties = posture.properties
    metadata = fields_in(properties.get("metadata"))
    status = _status(properties)
    additional = fields_in(properties.get("additionaldata"))
    title = text_in(properties, "displayname") or text_in(metadata, "displayname") or posture.name
    return _finding(
        posture,
        status,
        additional,
        metadata,
        kind=Kind.RECOMMENDATION,
        type=posture.name,
        title=title,
        changed=time_in(status, "statuschangedate"),
        description=text_in(metadata, "description") or "",
        remediation=steps_for(text_in(metadata, "remediationdescription")),
        link=_link(text_in(fields_in(properties.get("links")), "azureportal", "azureportaluri")),
        intents=names_in(metadata.get("tactics")),
        categories=tuple(map(str.strip, texts_in(metadata.get("categories")))),
        category=name_in(metadata, "recommendationcategory"),
        package=find_package(additional),
        cves=find_cves(additional),
        image=find_image(fields_in(properties.get("resourceadditionaldata")), additional, posture.scope),
        rule=find_rule(fields_in(properties.get("resourcedetails")), additional),
        scanner=find_scanner(additional),
        risk=find_risk(properties.get("risk") or metadata.get("risk")),
        extended=extended_in(properties.get("additionaldata")),
        impact=text_in(additional, "impact"),
        user_impact=name_in(metadata, "userimpact"),
        effort=name_in(metadata, "implementationeffort"),
        threats=names_in(metadata.get("threats")),
        assessment_type=text_in(metadata, "assessmenttype"),
        rung=find_missing_rung(Kind.RECOMMENDATION, posture.name, title),
    )


def read_vulnerability(fields: Fields, _: Catalogue) -> Finding:
    """The vulnerability in a sub-assessment; its type is the scanner's own id of it, such as a rule or a CVE, else its title.

    Its name is a GUID of its own on each resource, so nothing is alike in that.
    """
    posture = posture_in(fields)
    properties = posture.properties
    type = name_in(properties, "id", "displayname") or posture.name
    status = _status(properties)
    additional = fields_in(properties.get("additionaldata"))
    return _finding(
        posture,
        status,
        additional,
        status,
        kind=Kind.VULNERABILITY,
        type=type,
        title=text_in(properties, "displayname") or type,
        changed=time_in(properties, "timegenerated"),
        description=text_in(properties, "description") or "",
        remediation=steps_for(text_in(properties, "remediation")),
        categories=tuple(map(str.strip, texts_in(properties.get("category")))),
        extended=plain_values(properties.get("additionaldata")),
        impact=text_in(properties, "impact"),
        grouped=find_grouped_facts(type, posture, additional),
    )


def _finding(posture: Posture, status: Fields, additional: Fields, grave: Fields, **own: Any) -> Finding:
    """The finding with what recommendations and vulnerabilities say alike; `grave` are the fields that give the severity."""
    severity, written = find_severity(severities_given(grave, additional), additional)
    details = fields_in(posture.properties.get("resourcedetails"))
    resource = _find_resource(posture, details)
    entities = entities_for(resource, entities_in_cluster(resource, additional))
    said = {name: text for name in details if (text := name_in(details, name))}
    code = text_in(status, "code")
    return Finding(
        id=posture.id,
        severity=severity,
        severity_written=written,
        status=code,
        resolved=posture.deleted or (code or "").strip().lower() in _OVER,
        resource=resource,
        entities=entities,
        location=location_among(resource, said, entities, {}),
        native_name=_find_native_name(resource, details),
        deleted=posture.deleted,
        snapshot=posture.snapshot,
        cloud=name_in(details, "source"),
        cause=text_in(status, "cause"),
        exemption=find_exemption(posture.properties, status),
        status_description=text_in(status, "description"),
        cvss=find_cvss(additional),
        first_seen=time_in(status, "firstevaluationdate"),
        **own,
    )


def _status(properties: Fields) -> Fields:
    status = properties.get("status")
    return fields_in(status) or {"code": status}


def _find_resource(posture: Posture, details: Fields) -> str | None:
    """The resource that a finding is about, else what its id hangs on.

    What is no name in any cloud, such as `/repositories/shop/images/sha256:...`, has neither subscription nor owner.
    """
    written = [id for name in _IDS if (id := name_in(details, name))]
    return next(filter(_is_name, written), None) or posture.scope or next(iter(written), None)


def _find_native_name(resource: str | None, details: Fields) -> str | None:
    """What a resource that a connector brought is called in its own cloud; None for any other, and where nothing says it."""
    if not is_connected(resource):
        return None
    ids = (names_of_resource(name_in(details, name) or "") for name in _NATIVE)
    name = next((names[-1] for names in ids if names), None) or name_in(details, "resourcename")
    return name if is_telling(name) else None


_NATIVE = ("nativeclouduniqueidentifier", "nativeresourceid")
_IDS = ("id", "azureresourceid", "nativeresourceid")


def _is_name(id: str) -> bool:
    return parse_resource_id(id).subscription is not None or location_named(id) != NOWHERE


def _link(written: str | None) -> str | None:
    """The link with a scheme: Event Hubs carries it without one."""
    if written is None or written.lower().startswith(("https://", "http://")):
        return written
    return f"https://{written}"


def read_own_finding(fields: Fields, _: Catalogue) -> Finding:
    """The finding that a source is silent; its type is the rung that is in doubt."""
    posture = posture_in(fields)
    properties = posture.properties
    type = name_in(properties, "rung") or posture.name
    title = text_in(properties, "displayname") or type
    status, resource = text_in(properties, "status"), text_in(properties, "resource")
    severity = text_in(properties, "severity")
    return Finding(
        kind=Kind.COVERAGE,
        id=posture.id,
        type=type,
        title=title,
        severity=severity_named(severity),
        severity_written=severity,
        status=status,
        resolved=(status or "").strip().lower() == "healthy",
        changed=time_in(properties, "statuschangedate"),
        resource=resource,
        description=text_in(properties, "description") or "",
        remediation=texts_in(properties.get("remediation")),
        entities=entities_for(resource),
        rung=find_missing_rung(Kind.COVERAGE, type, title),
    )


LONGEST = 500
"""Characters of what is kept of a description."""


def find_exemption(properties: Fields, status: Fields) -> str | None:
    """The category and the description of the exemption, as far as the message says them; None where it is not exempt."""
    if (text_in(status, "cause") or "").strip().lower() != "exempt":
        return None
    about = (status, properties, *(fields_in(properties.get(name)) for name in ("exemptiondata", "additionaldata")))
    category = next((found for fields in about if (found := text_in(fields, "exemptioncategory"))), None)
    said = [one.strip() for one in (category, text_in(status, "description")) if one is not None]
    return ", ".join(said)[:LONGEST]
