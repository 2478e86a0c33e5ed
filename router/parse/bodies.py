"""Parses a body into its signals."""

from __future__ import annotations

from router.domain.catalogue import Catalogue
from router.domain.reasons import Code
from router.domain.signals import Alert, Finding, Quarantined
from router.parse.documents import document_in, serialised
from router.parse.envelopes import find_elements
from router.parse.fields import fields_in
from router.parse.refusals import MessageRefused
from router.parse.shapes import reader_for

MOST_ELEMENTS = 1_000
"""Messages that one body may hold; an array of so many small things takes more memory than a worker has."""

LARGEST_BODY = 4 * 1024 * 1024
"""The longest body that is looked at, in bytes. Event Hubs carries 1 MB at most:
https://learn.microsoft.com/azure/event-hubs/event-hubs-quotas
"""


def read_signals(body: bytes, catalogue: Catalogue) -> tuple[Alert | Finding | Quarantined, ...]:
    """The signals in a body: one, or one for each element of an envelope; at least one.

    Never raises: what is not understood is Quarantined, with the element that it is about as its body.
    """
    if len(body) > LARGEST_BODY:
        refusal = MessageRefused(Code.TOO_LARGE, f"{len(body)} bytes, which is more than {LARGEST_BODY}")
        return (refusal.quarantined(body),)
    try:
        document = document_in(body)
        elements = find_elements(document, body)
        if elements is None:
            return (_signal_in(document, catalogue),)
        if not elements:
            raise MessageRefused(Code.NOT_AN_OBJECT, "an empty list")
        if len(elements) > MOST_ELEMENTS:
            raise MessageRefused(Code.TOO_LARGE, f"{len(elements)} elements, which is more than {MOST_ELEMENTS}")
    except MessageRefused as refusal:
        return (refusal.quarantined(body),)
    return tuple(_read_element(element, catalogue) for element in elements)


def split_body(body: bytes) -> tuple[bytes, ...] | None:
    """The bodies inside one JSON document, in their order; None for a body that is no JSON document.

    A document without elements is a body by itself, also where it is an empty list, so that none gets lost.
    """
    try:
        elements = find_elements(document_in(body), body)
    except MessageRefused:
        return None
    return tuple(map(serialised, elements)) if elements else (body,)


def is_empty_envelope(body: bytes) -> bool:
    """Whether a body is an array or an envelope with nothing in it."""
    try:
        return find_elements(document_in(body), body) == []
    except MessageRefused:
        return False


def _read_element(element: object, catalogue: Catalogue) -> Alert | Finding | Quarantined:
    try:
        return _signal_in(element, catalogue)
    except MessageRefused as refusal:
        return refusal.quarantined(serialised(element))


def _signal_in(document: object, catalogue: Catalogue) -> Alert | Finding:
    if not isinstance(document, dict):
        raise MessageRefused(Code.NOT_AN_OBJECT, f"{_WORDS.get(type(document), 'null')} where a message should be")
    fields = fields_in(document)
    if not _ZONED.isdisjoint(fields):
        # The portal writes the zone of a table's times into the names of their columns.
        fields = {name.removesuffix(" [utc]"): value for name, value in fields.items()}
    return reader_for(fields)(fields, catalogue)


_ZONED = frozenset({"timegenerated [utc]", "processingendtime [utc]", "starttime [utc]", "endtime [utc]"})

_WORDS = {list: "a list", str: "a text", int: "a number", float: "a number", bool: "true or false"}
