"""Alerts of every form. Their fields differ in names and in wrapping; one table of names reads them all.

The forms: flat, as Event Hubs carries them; ARM, of 2022 and of 2015 to 2019; Azure Resource Graph rows, which have
neither type nor systemAlertId; rows of the SecurityAlert table
(https://learn.microsoft.com/azure/sentinel/security-alert-schema), whose lists and objects are JSON inside strings.
"""

from __future__ import annotations

from collections.abc import Mapping

from router.domain.catalogue import Catalogue
from router.domain.entities import Entities
from router.domain.reasons import Code
from router.domain.resources import parse_resource_id
from router.domain.samples import is_sample
from router.domain.severity import severity_named
from router.domain.signals import Alert, Kind
from router.parse.documents import find_document
from router.parse.fields import (
    Fields,
    fields_in,
    find_named,
    is_true,
    items_in,
    name_in,
    names_in,
    plain_values,
    text_in,
    texts_in,
    time_in,
)
from router.parse.links import links_in
from router.parse.products import refuse_foreign
from router.parse.refusals import MessageRefused

_OVER = frozenset({"resolved", "dismissed"})
_NOTHING = Entities(())


def read_flat_alert(fields: Fields, catalogue: Catalogue) -> Alert:
    """The alert in a flat message or a table row.

    A row's SystemAlertId is the workspace's own; Defender's stands in VendorOriginalId. Raises MessageRefused: unknown_shape
    for another product's row, invalid where nothing identifies it.
    """
    refuse_foreign(fields, catalogue)
    id = name_in(fields, "vendororiginalid", "systemalertid")
    if id is None:
        raise MessageRefused(Code.INVALID, "an alert without SystemAlertId", "SystemAlertId")
    return _alert(id, fields, catalogue)


def read_arm_alert(fields: Fields, catalogue: Catalogue) -> Alert:
    """The alert in an ARM document or a Resource Graph row.

    Raises MessageRefused: unknown_shape for another product's alert, invalid where nothing identifies it.
    """
    properties = fields_in(fields.get("properties"))
    refuse_foreign(properties, catalogue, "properties.")
    id = name_in(properties, "systemalertid") or name_in(fields, "name")
    if id is None and (path := name_in(fields, "id")):
        id = path.rstrip("/").rpartition("/")[2] or None
    if id is None:
        raise MessageRefused(Code.INVALID, "an alert without systemAlertId, name and id", "properties.systemAlertId")
    return _alert(id, properties, catalogue)


def _alert(id: str, fields: Fields, catalogue: Catalogue) -> Alert:
    extended = plain_values(fields.get("extendedproperties"))
    type = name_in(fields, "alerttype", "alertname") or ""
    title = text_in(fields, "alertdisplayname", "displayname", "alertname") or type
    description = text_in(fields, "description") or ""
    severity = text_in(fields, "severity", "alertseverity", "reportedseverity")
    status = text_in(fields, "status", "state")
    resource = _find_resource(fields, extended)
    compromised = text_in(fields, "compromisedentity")
    return Alert(
        kind=Kind.INCIDENT if is_true(fields.get("isincident")) else Kind.ALERT,
        id=id,
        type=type,
        title=title,
        severity=severity_named(severity),
        severity_written=severity,
        status=status,
        resolved=status is not None and status.strip().lower() in _OVER,
        changed=time_in(
            fields,
            "processingendtime",
            "processingendtimeutc",
            "timegenerated",
            "timegeneratedutc",
            "reportedtimeutc",
            "detectedtimeutc",
        ),
        resource=resource,
        description=description,
        remediation=texts_in(fields.get("remediationsteps")),
        link=text_in(fields, "alerturi", "alertlink"),
        links=links_in(fields.get("extendedlinks")),
        entities=_entities(fields.get("entities")),
        intents=_intents(fields, extended),
        techniques=names_in(fields.get("techniques")) + names_in(fields.get("subtechniques")),
        plan=catalogue.find_plan(_find_component(fields, extended), type)
        or _find_plan_of_resource(resource, extended, catalogue),
        sample=is_sample(type, title, [resource]),
        compromised_entity=compromised,
        product=text_in(fields, "productname"),
        correlation=name_in(fields, "correlationkey"),
        started=time_in(fields, "starttimeutc", "starttime"),
        ended=time_in(fields, "endtimeutc", "endtime"),
        extended=extended,
    )


def _find_resource(fields: Fields, extended: Mapping[str, object]) -> str | None:
    if named := name_in(fields, "azureresourceid", "resourceid", "associatedresource"):
        return named
    for item in items_in(fields.get("resourceidentifiers")):
        if identified := name_in(fields_in(item), "azureresourceid"):
            return identified
    effective = find_named(extended, "effectiveazureresourceid")
    return effective.strip() or None if isinstance(effective, str) else None


def _find_component(fields: Fields, extended: Mapping[str, object]) -> str | None:
    if named := name_in(fields, "productcomponentname"):
        return named
    component = find_named(extended, "productcomponentname")
    return component.strip() if isinstance(component, str) else None


def _find_plan_of_resource(resource: str | None, extended: Mapping[str, object], catalogue: Catalogue) -> str | None:
    """The plan of what an alert of an unknown type is about: by the resource's id, else by Defender's word for its type."""
    if plan := catalogue.find_plan_of_resource(parse_resource_id(resource).type):
        return plan
    word = find_named(extended, "resourcetype")
    return catalogue.find_plan_of_resource(word.strip()) if isinstance(word, str) else None


def _intents(fields: Fields, extended: Mapping[str, object]) -> tuple[str, ...]:
    return (
        names_in(fields.get("intent"))
        or names_in(fields.get("tactics"))
        or names_in(find_named(extended, "killchainintent"))
    )


def _entities(raw: object) -> Entities:
    if isinstance(raw, str):
        raw = find_document(raw)
    if isinstance(raw, dict):  # some connectors sort entities by their type; nested ones count like listed ones
        return Entities([raw])
    return Entities(raw) if isinstance(raw, list) else _NOTHING
