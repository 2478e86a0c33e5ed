"""Findings of the router's own: a source that coverage.yaml expects is silent, or speaks again.

The router writes such a message itself, as `ingest/source_messages.py` has it, and reads it as any other: so what holds it, and
what decides it again, finds the same finding in it. From a hub it is refused: nobody else says what this router heard of.
"""

from __future__ import annotations

from router.domain.catalogue import Catalogue
from router.domain.recommendations import find_missing_rung
from router.domain.severity import severity_named
from router.domain.signals import Finding, Kind
from router.parse.arm import entities_for, posture_in
from router.parse.fields import Fields, name_in, text_in, texts_in, time_in

_OVER = "healthy"


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
        resolved=(status or "").strip().lower() == _OVER,
        changed=time_in(properties, "statuschangedate"),
        resource=resource,
        description=text_in(properties, "description") or "",
        remediation=texts_in(properties.get("remediation")),
        entities=entities_for(resource),
        rung=find_missing_rung(Kind.COVERAGE, type, title),
    )
