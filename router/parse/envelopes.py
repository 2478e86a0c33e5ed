"""The envelopes in which messages come: an array, `records`, and what Azure answers.

    az graph query     {"count", "data", "skip_token", "total_records"}
    Resource Graph     {"totalRecords", "count", "data", "facets", "resultTruncated", "$skipToken"}
    a REST list        {"value", "nextLink"}

https://learn.microsoft.com/azure/governance/resource-graph/concepts/work-with-data
https://github.com/microsoft/api-guidelines/blob/vNext/azure/Guidelines.md#collections
"""

from __future__ import annotations

import re
from enum import Enum
from typing import NamedTuple

from router.parse.documents import document_in, serialised
from router.parse.fields import Fields, fields_in
from router.parse.refusals import MessageRefused
from router.parse.shapes import find_reader

_LISTS = ("value", "data")
_MEMBERS = frozenset(
    {*_LISTS, "count", "totalrecords", "skiptoken", "resulttruncated", "nextlink", "context", "facets"}
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


def find_elements(document: object) -> list[object] | None:
    """The elements of an array, of records or of an answer; None for a document that is one message."""
    if isinstance(document, list):
        return document
    if not isinstance(document, dict):
        return None
    records = document.get("records", document.get("Records"))
    if isinstance(records, list):
        # A signal may have a field of that name.
        return records if find_reader(fields_in(document)) is None else None
    members = _find_members(document)
    return _list_in(members) if members is not None else None


def answer_in(body: bytes) -> Answer | None:
    """The answer of Azure's that a body is, which may be an empty one; None for any other body."""
    if _BEGINNING.match(body) is None:
        return None
    try:
        document = document_in(body)
    except MessageRefused:
        return None
    members = _find_members(document) if isinstance(document, dict) else None
    if members is None:
        return None
    return Answer(tuple(map(serialised, _list_in(members))), _find_rest(members))


def _find_members(document: dict[str, object]) -> Fields | None:
    """The members of an answer by their plain names; None where the document holds anything else, which would be lost."""
    members: dict[str, object] = {}
    for written, held in document.items():
        name = written.lower().removeprefix("@odata.").removeprefix("$").replace("_", "")
        if name not in _MEMBERS or name in members:
            return None
        if isinstance(held, dict) or (isinstance(held, list) and name not in (*_LISTS, "facets")):
            return None
        members[name] = held
    return members if sum(isinstance(members.get(name), list) for name in _LISTS) == 1 else None


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
