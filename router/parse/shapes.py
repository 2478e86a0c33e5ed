"""Finds which of Defender's shapes a document has, by what it holds and never by the case of its keys."""

from __future__ import annotations

import re
from collections.abc import Callable
from functools import partial

from router.domain.catalogue import Catalogue
from router.domain.decisions import Code
from router.domain.resources import parse_resource_id
from router.domain.signals import Alert, Finding, Kind
from router.domain.silent_sources import MESSAGE_TYPE
from router.parse.alerts import read_arm_alert, read_flat_alert
from router.parse.attack_paths import read_attack_path
from router.parse.azure_monitor import is_common_alert, read_common_alert
from router.parse.documents import MessageRefused
from router.parse.fields import Fields, fields_in, text_in
from router.parse.findings import read_own_finding, read_recommendation, read_vulnerability
from router.parse.scores import read_compliance, read_score

type Reader = Callable[[Fields, Catalogue], Alert | Finding]

_PROVIDER = "microsoft.security/"
_STANDARDS = f"{_PROVIDER}regulatorycompliancestandards"
_BY_TYPE: dict[str, Reader] = {
    f"{_PROVIDER}alerts": read_arm_alert,
    f"{_PROVIDER}locations/alerts": read_arm_alert,
    f"{_PROVIDER}assessments": read_recommendation,
    f"{_PROVIDER}assessments/subassessments": read_vulnerability,
    f"{_PROVIDER}attackpaths": read_attack_path,
    f"{_PROVIDER}securescores": partial(read_score, Kind.SECURE_SCORE),
    f"{_PROVIDER}securescores/securescorecontrols": partial(read_score, Kind.SECURE_SCORE_CONTROL),
    _STANDARDS: read_compliance,
    f"{_STANDARDS}/regulatorycompliancecontrols": read_compliance,
    f"{_STANDARDS}/regulatorycompliancecontrols/regulatorycomplianceassessments": read_compliance,
    # What the REST API calls the same three.
    f"{_PROVIDER}regulatorycompliancestandard": read_compliance,
    f"{_PROVIDER}regulatorycompliancecontrol": read_compliance,
    f"{_PROVIDER}regulatorycomplianceassessment": read_compliance,
    MESSAGE_TYPE.lower(): read_own_finding,
}
_ALERT_COLUMNS = frozenset({"alerttype", "systemalertid", "vendororiginalid"})
_QUERY = re.compile(r"[?#]")
# A suppression rule has an alertType too.
_ALERT_PROPERTIES = ("systemalertid", "alertdisplayname")


def find_reader(fields: Fields) -> Reader | None:
    """What reads a message of this shape, or None for a shape that Defender does not export."""
    if is_common_alert(fields):
        return read_common_alert
    if has_alert_columns(fields) and not fields.get("properties"):
        return read_flat_alert
    return _find_by_type(fields) or _find_alert(fields)


def reader_for(fields: Fields) -> Reader:
    """What reads a message of this shape; raises MessageRefused (unknown_shape) where nothing does."""
    reader = find_reader(fields)
    if reader is None:
        type = text_in(fields, "type")
        words = f"type {_cut(type)} is not one of Defender's exports" if type else "neither an alert nor a finding"
        if schema := text_in(fields, "schemaid"):
            words = f"schema {_cut(schema)} is not Azure Monitor's common alert schema, which an action group sends if told to"
        raise MessageRefused(Code.UNKNOWN_SHAPE, words, "type")
    return reader


def _cut(name: str) -> str:
    """A foreign name as a reason keeps it: it may be a URL, whose query may hold a key."""
    return _QUERY.split(name, 1)[0][:200]


def has_alert_columns(fields: Fields) -> bool:
    """Whether the fields are a flat alert's or a table row's, whatever a `Type` beside them says."""
    return not _ALERT_COLUMNS.isdisjoint(fields)


def _find_by_type(fields: Fields) -> Reader | None:
    """By the document's type, else by the type that its id spells out: rows of Azure Resource Graph may lack one."""
    for type in (text_in(fields, "type"), parse_resource_id(text_in(fields, "id")).type):
        if type and (reader := _BY_TYPE.get(type.strip().lower())):
            return reader
    return None


def _find_alert(fields: Fields) -> Reader | None:
    """By its properties, where it has no type that says it is something else."""
    properties = fields_in(fields.get("properties"))
    if text_in(fields, "type") is None and any(name in properties for name in _ALERT_PROPERTIES):
        return read_arm_alert
    return read_flat_alert if has_alert_columns(fields) else None
