"""Secure score, its controls, and regulatory compliance: numbers and states without a severity, never resolved."""

from __future__ import annotations

from itertools import pairwise

from router.domain.catalogue import Catalogue
from router.domain.signals import Finding, Kind
from router.parse.arm import entities_for, posture_in
from router.parse.fields import Fields, fields_in, name_in, text_in

_RESOURCES = (("healthy", "healthy"), ("unhealthy", "unhealthy"), ("notapplicable", "not applicable"))
_SCOPES = ("subscription", "multicloudaggregation")
_STATES = ("passed", "failed", "skipped", "unsupported")


def read_score(kind: Kind, fields: Fields, _: Catalogue) -> Finding:
    """A secure score, or one control of one; its measure is current/max, and how many resources it has."""
    posture = posture_in(fields)
    properties = posture.properties
    return Finding(
        kind=kind,
        id=posture.id,
        type=posture.name,
        title=text_in(properties, "displayname") or posture.name,
        severity=None,
        resource=posture.scope,
        entities=entities_for(posture.scope),
        measure=", ".join([*_points(properties), *_resource_counts(properties)]) or None,
        deleted=posture.deleted,
        snapshot=posture.snapshot,
    )


def read_compliance(fields: Fields, _: Catalogue) -> Finding:
    """The state of a regulatory compliance assessment, control or standard.

    Its categories are the standard and the control that its id names, which stand nowhere else. It is about the recommendation
    that has its name as key, or about all recommendations of the category that its description names. It is
    counted in one scope or another, and only those of a subscription and of all clouds add up.
    """
    posture = posture_in(fields)
    properties = posture.properties
    title = text_in(properties, "description") or posture.name
    is_category = (text_in(properties, "assessmenttype") or "").strip().lower() == "assessmentcategory"
    scope = name_in(properties, "scope")
    return Finding(
        kind=Kind.COMPLIANCE,
        id=posture.id,
        type=posture.name,
        title=title,
        severity=None,
        status=text_in(properties, "state"),
        resource=posture.scope,
        entities=entities_for(posture.scope),
        categories=_standard_and_control(text_in(fields, "id") or ""),
        measure=", ".join(_compliance_counts(properties)) or None,
        category=title.strip() if is_category else None,
        extended={"scope": scope} if scope else {},
        overlaps=scope is not None and scope.lower() not in _SCOPES,
        deleted=posture.deleted,
        snapshot=posture.snapshot,
    )


def _points(properties: Fields) -> list[str]:
    score = fields_in(properties.get("score")) or properties
    current, most = _find_number(score.get("current")), _find_number(score.get("max"))
    return [f"{current}/{most}"] if current and most else []


def _resource_counts(properties: Fields) -> list[str]:
    counts = ((words, _find_number(properties.get(f"{name}resourcecount"))) for name, words in _RESOURCES)
    return [f"{count} {words}" for words, count in counts if count]


def _compliance_counts(properties: Fields) -> list[str]:
    # An assessment counts resources, a control assessments, a standard controls.
    things = ("resources", "assessments", "controls")
    counts = ((state, _find_number(properties.get(state + thing))) for state in _STATES for thing in things)
    return [f"{count} {state}" for state, count in counts if count]


def _standard_and_control(id: str) -> tuple[str, ...]:
    parts = id.split("/")
    collections = {"regulatorycompliancestandards", "regulatorycompliancecontrols"}
    return tuple(name for collection, name in pairwise(parts) if collection.lower() in collections)


def _find_number(value: object) -> str | None:
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    return f"{value:.10g}"
