"""Silences as documents: what they say is stored whole, and means the same whatever the rules are by then."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime, time
from ipaddress import ip_network
from typing import NamedTuple

from router.domain.documents import BodyFields, DocumentKind, StoredDocument, Version, body_of, find_in_body
from router.domain.patterns import AddressRange, AddressRanges
from router.domain.recurrences import DAYS, Recurrence
from router.domain.silences import Silence
from router.domain.suppression import Element, Field, Operator

_ENTITIES = "entities"


class ReadSilences(NamedTuple):
    """The silences that documents hold, in their order, and how many of the documents do not decode: these hold nothing."""

    silences: Sequence[Silence]
    undecodable: int


def document_of_silence(silence: Silence, version: Version | None = None) -> StoredDocument:
    """The document of a silence, to be written over a version of it."""
    body = body_of(
        {
            "stream": silence.stream,
            "type": silence.alert_type,
            "scope": [[_written(element) for element in group] for group in silence.groups],
            "begins": silence.begins,
            "until": silence.until,
            "every": _recurrence_written(silence.every) if silence.every is not None else None,
            "reason": silence.reason,
            "author": silence.author,
            "ticket": silence.ticket,
            "made": silence.made,
            "first": silence.first,
            "ended": silence.ended,
        }
    )
    return StoredDocument(kind=DocumentKind.SILENCE, id=silence.id, at=silence.end, body=body, version=version)


def find_silence_in(document: StoredDocument) -> Silence | None:
    """The silence that a document is; None where it does not decode: people rather hear of what it would hold."""
    return find_in_body(document.body, lambda fields: _silence_in(document.id, fields))


def read_silences(documents: Iterable[StoredDocument]) -> ReadSilences:
    """The silences that documents hold."""
    found = [find_silence_in(document) for document in documents]
    silences = [silence for silence in found if silence is not None]
    return ReadSilences(silences, len(found) - len(silences))


def _silence_in(id: str, fields: BodyFields) -> Silence:
    return Silence(
        id=id,
        stream=fields.text("stream"),
        alert_type=fields.optional("type", fields.text),
        groups=tuple(map(_group_in, fields.groups("scope"))),
        begins=fields.instant("begins"),
        until=fields.instant("until"),
        every=fields.optional("every", lambda name: _recurrence_in(fields.fields(name))),
        reason=fields.text("reason"),
        author=fields.text("author"),
        ticket=fields.optional("ticket", fields.text),
        made=fields.instant("made"),
        first=fields.instant("first"),
        ended=fields.optional("ended", fields.instant),
    )


def _written(element: Element) -> Mapping[str, object]:
    return {
        "field": str(element.field),
        "operator": element.operator.value,
        "values": sorted(element.values),
        "ranges": [str(range) for range in element.ranges],
    }


def _group_in(elements: Sequence[BodyFields]) -> tuple[Element, ...]:
    if not elements:
        raise ValueError("a group without an element")
    return tuple(map(_element_in, elements))


def _element_in(fields: BodyFields) -> Element:
    values = fields.texts("values")
    ranges = [AddressRange.of(ip_network(one)) for one in fields.texts("ranges")]
    if not values and not ranges:
        raise ValueError("an element without a value")
    return Element(
        _field_in(fields.text("field")),
        Operator(fields.text("operator")),
        frozenset(values),
        AddressRanges.of(ranges),
    )


def _field_in(written: str) -> Field:
    entity, _, name = written.removeprefix(f"{_ENTITIES}.").partition(".")
    return Field(entity, name) if written.startswith(f"{_ENTITIES}.") else Field(None, written)


def _recurrence_written(every: Recurrence) -> Mapping[str, object]:
    return {
        "days": sorted(every.days),
        "begins": every.begins.isoformat(),
        "ends": every.ends.isoformat(),
        "zone": every.zone,
    }


def _recurrence_in(fields: BodyFields) -> Recurrence:
    days = frozenset(fields.numbers("days"))
    if not days <= set(range(len(DAYS))):
        raise ValueError("no day of a week")
    begins, ends = time.fromisoformat(fields.text("begins")), time.fromisoformat(fields.text("ends"))
    every = Recurrence(days, begins, ends, fields.text("zone"))
    # A zone that is not known here raises, as whatever else cannot be read.
    every.find_window_at(datetime.fromisoformat("2026-01-01T00:00:00+00:00"))
    return every
