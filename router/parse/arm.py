"""What every posture message has: an ARM id, a name, properties, and what was done to it."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import NamedTuple

from router.domain.entities import Entities
from router.domain.reasons import Code
from router.parse.fields import Fields, fields_in, is_true, name_in, text_in
from router.parse.refusals import MessageRefused

_PROVIDER = "/providers/microsoft.security/"
_BREAK = re.compile(r"<br\s*+/?>", re.IGNORECASE)


class Posture(NamedTuple):
    """One posture message.

    Attributes:
        id: its id in lower case.
        name: the last part of its id.
        scope: the resource, or the subscription, that its id begins with.
        properties: its properties.
        deleted: whether it is a Delete.
        snapshot: whether it is part of a snapshot.
    """

    id: str
    name: str
    scope: str | None
    properties: Fields
    deleted: bool
    snapshot: bool


def posture_in(fields: Fields) -> Posture:
    """The parts of a posture message; raises MessageRefused (invalid) where it has no id."""
    written = text_in(fields, "id")
    if written is None:
        raise MessageRefused(Code.INVALID, "a finding without id", "id")
    written = written.strip().rstrip("/") or written
    id = written.lower()
    enrichments = [fields_in(value) for name, value in fields.items() if name.endswith("eventdataenrichment")]
    return Posture(
        id=id,
        name=name_in(fields, "name") or written.rpartition("/")[2],
        scope=written[: max(id.rfind(_PROVIDER), 0)] or None,
        properties=fields_in(fields.get("properties")),
        deleted=any((text_in(enrichment, "action") or "").strip().lower() == "delete" for enrichment in enrichments),
        snapshot=any(is_true(enrichment.get("issnapshot")) for enrichment in enrichments),
    )


def entities_for(resource: str | None, inside: Iterable[dict[str, object]] = ()) -> Entities:
    """What a finding offers to rules as entities: its resource, and what it names `inside` a cluster."""
    named = [{"$id": "1", "Type": "azure-resource", "ResourceId": resource}] if resource is not None else []
    return Entities([*named, *inside])


def steps_for(html: str | None) -> tuple[str, ...]:
    """A text of Defender's as one remediation step, with its <br> as line ends."""
    return (_BREAK.sub("\n", html),) if html else ()
