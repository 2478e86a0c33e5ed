"""Alerts of every form. Their fields differ in names and in wrapping; one table of names reads them all.

The forms: flat, as Event Hubs carries them; ARM, of 2022 and of 2015 to 2019; Azure Resource Graph rows, which have
neither type nor systemAlertId; rows of the SecurityAlert table
(https://learn.microsoft.com/azure/sentinel/security-alert-schema), whose lists and objects are JSON inside strings.
Microsoft's tables and APIs hold the alerts of other products, too: those are refused."""

from __future__ import annotations

import re
from collections.abc import Mapping
from functools import lru_cache

from router.domain.catalogue import Catalogue, is_sample
from router.domain.decisions import Code
from router.domain.entities import Entities
from router.domain.evidence import text_of
from router.domain.resources import parse_resource_id
from router.domain.severity import severity_named
from router.domain.signals import Alert, Kind, Link
from router.parse.documents import MessageRefused, find_document
from router.parse.fields import (
    Fields,
    fields_in,
    is_true,
    items_in,
    name_in,
    names_in,
    plain_values,
    text_in,
    texts_in,
    time_in,
)

_OVER = frozenset({"resolved", "dismissed"})
_CHANGED = (
    "processingendtime", "processingendtimeutc", "timegenerated", "timegeneratedutc", "reportedtimeutc", "detectedtimeutc",
)  # fmt: skip
_COMPONENT = "productcomponentname"
_NOTHING = Entities(())


def read_flat_alert(fields: Fields, catalogue: Catalogue) -> Alert:
    """The alert in a flat message or a table row, whose SystemAlertId is the workspace's own; raises MessageRefused."""
    refuse_foreign(fields, catalogue)
    id = name_in(fields, "vendororiginalid", "systemalertid")
    if id is None:
        raise MessageRefused(Code.INVALID, "an alert without SystemAlertId", "SystemAlertId")
    return _alert(id, fields, catalogue)


def read_arm_alert(fields: Fields, catalogue: Catalogue) -> Alert:
    """The alert in an ARM document or a Resource Graph row; raises MessageRefused."""
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
        changed=time_in(fields, *_CHANGED),
        resource=resource,
        description=description,
        remediation=texts_in(fields.get("remediationsteps")),
        link=text_in(fields, "alerturi", "alertlink"),
        links=links_in(fields.get("extendedlinks")),
        entities=_entities(fields.get("entities")),
        intents=names_in(fields.get("intent"))
        or names_in(fields.get("tactics"))
        or names_in(text_of(extended, "killchainintent")),
        techniques=names_in(fields.get("techniques")) + names_in(fields.get("subtechniques")),
        # The plan of what an alert of an unknown type is about, by the resource's id, else by Defender's word for its type.
        plan=catalogue.find_plan(name_in(fields, _COMPONENT) or text_of(extended, _COMPONENT), type)
        or catalogue.find_plan_of_resource(parse_resource_id(resource).type)
        or catalogue.find_plan_of_resource(text_of(extended, "resourcetype")),
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
    identifiers = (name_in(fields_in(item), "azureresourceid") for item in items_in(fields.get("resourceidentifiers")))
    return next(filter(None, identifiers), None) or text_of(extended, "effectiveazureresourceid") or None


def _entities(raw: object) -> Entities:
    if isinstance(raw, str):
        raw = find_document(raw)
    if isinstance(raw, dict):  # some connectors sort entities by their type; nested ones count like listed ones
        return Entities([raw])
    return Entities(raw) if isinstance(raw, list) else _NOTHING


_OURS = frozenset({"azuresecuritycenter", "microsoftdefenderforcloud", "azuredefender", "asc"})
"""What Defender for Cloud calls itself, or did; its plans, and all else that is `Defender for` something, are its own, too."""

_COLUMNS = {"ProductName": "productname", "ProviderName": "providername", "VendorName": "vendorname"}
_DOUBTFUL = ""
_LONGEST_NAME = 512
_ASIDE = re.compile(r"\([^()]{0,100}\)")
_AZURE = "/subscriptions/"


def refuse_foreign(fields: Fields, catalogue: Catalogue, within: str = "") -> None:
    """Raise MessageRefused (unknown_shape), naming the product, if an alert is another product's.

    The catalogue names the products. A name that it lacks is no reason: partners' alerts that Defender for Cloud relays,
    renamed products and its own plans are read. `within` is the path to the fields in the message.
    """
    written = [(text_in(fields, name) or "")[:_LONGEST_NAME] for name in _COLUMNS.values()]
    column, whose = _find_foreign(catalogue, *written)
    if whose is None or (column == _DOUBTFUL and _has_sign_of_ours(fields, catalogue)):
        return
    column = column or "ProviderName"
    said = (text_in(fields, _COLUMNS[column]) or "").strip()[:100]
    words = f"an alert of {whose} ({column} {said}), not of Microsoft Defender for Cloud"
    raise MessageRefused(Code.UNKNOWN_SHAPE, words, within + column)


@lru_cache(maxsize=1024)
def _find_foreign(known: Catalogue, *written: str) -> tuple[str, str | None]:
    """Return the column that names another product, and the product; None for an alert of ours.

    The column is `_DOUBTFUL` where the provider alone names it, so that other fields may outweigh it.
    """
    product, provider, vendor = map(_word_of, written)
    if whose := known.products.get(("rule", provider)):
        return "ProviderName", whose
    if _is_ours(product, known) or _is_ours(provider, known):
        return _DOUBTFUL, None
    if whose := _find_product(product, known):
        return "ProductName", whose
    if not product and (whose := _find_product(provider, known) or known.products.get(("provider", provider))):
        return _DOUBTFUL, whose
    return "VendorName", known.products.get(("vendor", vendor))


def _is_ours(word: str, known: Catalogue) -> bool:
    bare = word.removeprefix("microsoft").removeprefix("azure")
    return word in _OURS or (bare.startswith("defenderfor") and _find_product(word, known) is None)


def _find_product(word: str, known: Catalogue) -> str | None:
    """The product that a word stands for, with its maker's name or without."""
    return known.products.get(("product", word)) or known.products.get(("product", f"microsoft{word}"))


def _has_sign_of_ours(fields: Fields, catalogue: Catalogue) -> bool:
    """Whether an alert that names no product is of a plan of Defender for Cloud, or of a known type on a resource in Azure."""
    if (name_in(fields, _COMPONENT) or "").lower() in catalogue.plan_names:
        return True
    resource = name_in(fields, "azureresourceid", "resourceid") or ""
    type = name_in(fields, "alerttype") or ""
    return resource.lower().startswith(_AZURE) and catalogue.find_type(type) is not None


def _word_of(written: str) -> str:
    """A name without case, blanks, punctuation, and what stands in brackets, such as (Preview)."""
    return "".join(letter for letter in _ASIDE.sub("", written).lower() if letter.isalnum())


def links_in(value: object) -> tuple[Link, ...]:
    """The links of a list, or of a list inside a string, as often as they stand there; one without a name has its category."""
    return tuple(
        [
            Link(text=name_in(fields, "label", "category") or url, url=url)
            for fields in map(fields_in, items_in(value))
            if (url := name_in(fields, "href")) is not None
        ]
    )
