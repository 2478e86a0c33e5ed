"""Reads a body into its signals, be it one message or an envelope of several: an array, `records`, or what Azure answers.

    az graph query     {"count", "data", "skip_token", "total_records"}
    Resource Graph     {"totalRecords", "count", "data", "facets", "resultTruncated", "$skipToken"}
    a REST list        {"value", "nextLink"}

https://learn.microsoft.com/azure/governance/resource-graph/concepts/work-with-data
https://github.com/microsoft/api-guidelines/blob/vNext/azure/Guidelines.md#collections
"""

from __future__ import annotations

import json
import re
from enum import Enum
from typing import NamedTuple

from router.domain.catalogue import Catalogue
from router.domain.decisions import Code
from router.domain.signals import Alert, Finding, Quarantined
from router.parse.documents import MessageRefused, document_in, find_document, serialised
from router.parse.fields import Fields, fields_in, items_in
from router.parse.shapes import find_reader, reader_for

_ANSWERS = ("value", "data")
_LISTS = ("records", *_ANSWERS)
_MEMBERS = frozenset(
    {*_ANSWERS, "count", "totalrecords", "skiptoken", "resulttruncated", "nextlink", "context", "facets"}
)
# The same names as they are written: an answer is told by how it begins, before anything of it is parsed.
_BEGINNING = re.compile(
    rb'\s*\{\s*"(?:\$|@odata\.)?(?:'
    rb'value|data|count|total_?records|skip_?token|result_?truncated|next_?link|context|facets)"\s*:',
    re.IGNORECASE,
)


class Continuation(Enum):
    """How an answer says that it is only a part."""

    TOKEN = "skip_token"
    LINK = "nextLink"
    CUT = "total_records"


class Answer(NamedTuple):
    """An answer of Azure's."""

    bodies: tuple[bytes, ...]
    continuation: Continuation | None


def find_elements(document: object, body: bytes) -> list[object] | None:
    """The elements of a body that is an array, records or an answer; None where it is one message.

    Raises MessageRefused (unknown_shape) where a signal has other signals in it.
    """
    if isinstance(document, list):
        return document
    if not isinstance(document, dict):
        return None
    if not (lists := [name for name, held in document.items() if isinstance(held, list) and name.lower() in _LISTS]):
        return None
    if find_reader(fields_in(document)) is None:
        members = _find_members(document, body)
        return _list_in(members) if members is not None else None
    # A signal may have a field of that name, as long as no signal is in it.
    for name in lists:
        if any(find_reader(fields_in(element)) is not None for element in items_in(document[name])):
            raise MessageRefused(Code.UNKNOWN_SHAPE, "a signal that holds other signals", name)
    return None


def answer_in(body: bytes) -> Answer | None:
    """The answer of Azure's that a body is, which may be an empty one; None for any other body."""
    if _BEGINNING.match(body) is None:
        return None
    try:
        document = document_in(body)
    except MessageRefused:
        return None
    members = _find_members(document, body) if isinstance(document, dict) else None
    if members is None or "records" in members:
        return None
    return Answer(tuple(map(serialised, _list_in(members))), _find_rest(members))


def _find_members(document: dict[str, object], body: bytes) -> Fields | None:
    """The members of an envelope by their plain names; None where it holds anything else, which would be lost."""
    members = {
        name.lower().removeprefix("@odata.").removeprefix("$").replace("_", ""): held for name, held in document.items()
    }
    lists = [name for name, held in members.items() if isinstance(held, list) and (held or name != "facets")]
    if len(lists) != 1 or lists[0] not in _LISTS or len(members) < _count_of_names(body):
        return None
    for name, held in members.items():
        is_known = name in _MEMBERS or name == "records" or (lists == ["records"] and name not in _ANSWERS)
        is_document = isinstance(held, dict) or (isinstance(held, str) and find_document(held) is not None)
        if is_document or not is_known:
            return None
    return members


def _count_of_names(body: bytes) -> int:
    """How many names the object that a body is gives, each as often as it stands there."""
    try:
        text = body.decode(json.detect_encoding(body), "replace")
        return len(json.loads(text, object_pairs_hook=list, strict=False, parse_int=str, parse_constant=str))
    except RecursionError:
        raise MessageRefused(Code.NOT_JSON, "nested too deeply") from None


def _list_in(members: Fields) -> list[object]:
    return next(held for name in _LISTS if isinstance(held := members.get(name), list))


def _find_rest(members: Fields) -> Continuation | None:
    if members.get("skiptoken"):
        return Continuation.TOKEN
    if members.get("nextlink"):
        return Continuation.LINK
    count, total = members.get("count"), members.get("totalrecords")
    is_short = isinstance(count, int) and isinstance(total, int) and count < total
    # Resource Graph writes it as a text.
    return Continuation.CUT if is_short or str(members.get("resulttruncated")).lower() == "true" else None


MOST_ELEMENTS = 1_000
"""Messages that one body may hold; an array of so many small things takes more memory than a worker has."""

LARGEST_BODY = 4 * 1024 * 1024
"""The longest body that is looked at, in bytes. Event Hubs carries 1 MB at most:
https://learn.microsoft.com/azure/event-hubs/event-hubs-quotas
"""


def read_signals(body: bytes, catalogue: Catalogue) -> tuple[Alert | Finding | Quarantined, ...]:
    """The signals in a body, at least one. What is not understood is Quarantined, with the element that it is about."""
    if len(body) > LARGEST_BODY:
        refusal = MessageRefused(Code.TOO_LARGE, f"{len(body)} bytes, which is more than {LARGEST_BODY}")
        return (refusal.quarantined(body),)
    try:
        document = document_in(body)
        if isinstance(document, dict) and (fields := fields_in(document)).keys().isdisjoint(_LISTS):
            return (_signal_of(fields, catalogue),)
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
    """The bodies inside one JSON document, at least one; None for a body that is refused whole."""
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
    return _signal_of(fields_in(document), catalogue)


def _signal_of(fields: Fields, catalogue: Catalogue) -> Alert | Finding:
    if not _ZONED.isdisjoint(fields):
        # The portal writes the zone of a table's times into the names of their columns.
        fields = {name.removesuffix(" [utc]"): value for name, value in fields.items()}
    return reader_for(fields)(fields, catalogue)


_ZONED = frozenset({"timegenerated [utc]", "processingendtime [utc]", "starttime [utc]", "endtime [utc]"})

_WORDS = {list: "a list", str: "a text", int: "a number", float: "a number", bool: "true or false"}
