"""Silences as documents: what they say is stored whole, and means the same whatever the rules are by then."""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import datetime, time
from ipaddress import ip_network
from typing import Any

from router.domain.address_ranges import AddressRange, AddressRanges
from router.domain.documents import DocumentKind, StoredDocument
from router.domain.ledger import Version
from router.domain.recurrences import DAYS, Recurrence
from router.domain.silences import Silence
from router.domain.suppression import Element, Field, Operator

_ENTITIES = "entities"


def document_of(silence: Silence, version: Version | None = None) -> StoredDocument:
    """A silence as a document; `version` is what the store calls the state of it that this is written over."""
    body = {
        "stream": silence.stream,
        "type": silence.alert_type,
        "scope": [[_written(element) for element in group] for group in silence.groups],
        "begins": silence.begins.isoformat(),
        "until": silence.until.isoformat(),
        "every": _recurrence_written(silence.every) if silence.every is not None else None,
        "reason": silence.reason,
        "author": silence.author,
        "ticket": silence.ticket,
        "made": silence.made.isoformat(),
        "first": silence.first.isoformat(),
        "ended": silence.ended.isoformat() if silence.ended is not None else None,
    }
    return StoredDocument(
        kind=DocumentKind.SILENCE,
        id=silence.id,
        at=silence.end,
        body=json.dumps(body, ensure_ascii=False).encode(),
        version=version,
    )


def find_silence_in(document: StoredDocument) -> Silence | None:
    """The silence that a document is; None where it cannot be read: what it would hold is rather told."""
    try:
        body: Any = json.loads(document.body)
        return Silence(
            id=document.id,
            stream=_text(body["stream"]),
            alert_type=_find_text(body["type"]),
            groups=tuple(tuple(_element_in(one) for one in group) for group in body["scope"]),
            begins=_instant(body["begins"]),
            until=_instant(body["until"]),
            every=_recurrence_in(body["every"]) if body["every"] is not None else None,
            reason=_text(body["reason"]),
            author=_text(body["author"]),
            ticket=_find_text(body["ticket"]),
            made=_instant(body["made"]),
            first=_instant(body["first"]),
            ended=_instant(body["ended"]) if body["ended"] is not None else None,
        )
    except (ValueError, TypeError, LookupError, OverflowError, RecursionError):
        return None


def _written(element: Element) -> Mapping[str, object]:
    return {
        "field": str(element.field),
        "operator": element.operator.value,
        "values": sorted(element.values),
        "ranges": [str(range) for range in element.ranges],
    }


def _element_in(body: Any) -> Element:
    values, ranges = list(map(_text, body["values"])), [AddressRange.of(ip_network(one)) for one in body["ranges"]]
    if not values and not ranges:
        raise ValueError("an element without a value")
    return Element(
        _field_in(_text(body["field"])), Operator(body["operator"]), frozenset(values), AddressRanges.of(ranges)
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


def _recurrence_in(body: Any) -> Recurrence:
    every = Recurrence(
        frozenset(map(_day, body["days"])),
        time.fromisoformat(body["begins"]),
        time.fromisoformat(body["ends"]),
        _text(body["zone"]),
    )
    # A zone that is not known here raises, as whatever else cannot be read.
    every.find_window_at(datetime.fromisoformat("2026-01-01T00:00:00+00:00"))
    return every


def _day(value: Any) -> int:
    if type(value) is not int or not 0 <= value < len(DAYS):
        raise ValueError("no day of a week")
    return value


def _instant(value: Any) -> datetime:
    instant = datetime.fromisoformat(_text(value))
    if instant.tzinfo is None:
        raise ValueError("an instant without a zone")
    return instant


def _text(value: Any) -> str:
    if not isinstance(value, str):
        raise TypeError("not a text")
    return value


def _find_text(value: Any) -> str | None:
    return None if value is None else _text(value)
