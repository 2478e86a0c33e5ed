"""The envelopes in which messages come: an array, `records`, and what Azure answers.

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

from router.domain.reasons import Code
from router.parse.documents import document_in, find_document, serialised
from router.parse.fields import Fields, fields_in, items_in
from router.parse.refusals import MessageRefused
from router.parse.shapes import find_reader

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
    """An answer of Azure's.

    Attributes:
        bodies: the bodies in it, in their order.
        continuation: how it says that there are more; None where there are no more.
    """

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
    lists = [name for name, held in document.items() if isinstance(held, list) and name.lower() in _LISTS]
    if not lists:
        return None
    if find_reader(fields_in(document)) is None:
        members = _find_members(document, body)
        return _list_in(members) if members is not None else None
    # A signal may have a field of that name, as long as no signal is in it.
    for name in lists:
        if any(find_reader(fields_in(element)) is not None for element in items_in(document[name])):
            raise MessageRefused(Code.UNKNOWN_SHAPE, "a signal that holds other signals", name)
    return None


def _plain(name: str) -> str:
    return name.lower().removeprefix("@odata.").removeprefix("$").replace("_", "")


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
    """The members of an envelope by their plain names; None where it holds anything else, which would be lost.

    That is a second list, an object, a document in a text, or a name given twice, of which only the last is in `document`.
    """
    members = {_plain(name): held for name, held in document.items()}
    lists = [name for name, held in members.items() if isinstance(held, list) and (held or name != "facets")]
    if len(lists) != 1 or lists[0] not in _LISTS or len(members) < _count_of_names(body):
        return None
    for name, held in members.items():
        is_known = name in _MEMBERS or (lists == ["records"] and name not in _ANSWERS)
        if not is_known and name != "records":
            return None
        if isinstance(held, dict) or (isinstance(held, str) and find_document(held) is not None):
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
