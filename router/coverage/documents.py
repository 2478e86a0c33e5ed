"""The objects in a document, whatever stands around them.

A document is one value of JSON, or several behind each other. kubectl prints a `List`; what Azure wraps its answers in is in
`envelopes`.
https://kubernetes.io/docs/reference/using-api/api-concepts/
"""

from __future__ import annotations

import codecs
import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime

from router.coverage.envelopes import answers_in, refusal_in, rows_in
from router.coverage.fields import find, find_list, find_text
from router.coverage.pages import ListPage, page_of_answer, page_of_kubernetes, page_of_rows
from router.domain.errors import BadFile
from router.domain.resources import parse_resource_id

_ENCODINGS = (
    (codecs.BOM_UTF8, "utf-8-sig"),
    (codecs.BOM_UTF32_LE, "utf-32"),
    (codecs.BOM_UTF32_BE, "utf-32"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)
"""What Windows PowerShell writes before a file that `>` makes."""

_DEEPEST = 12
"""How many wrappings are opened around an object."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Item:
    """One object of a document.

    Attributes:
        body: the object.
        document: the document as it was named, and where in it the object stands, as in `pricings.json value[3]`.
        given: the name that was given before the document, as in `NAME=FILE`; None where none was.
        is_whole: whether it stands in a list that says of itself that it is whole.
        known_at: when whoever gives it knew it so, as text: the instant at which it was asked, or at which a message said it;
            None for what a file says, of which nobody knows how old it is.
        id: its ARM id; None where it has none.
        type: its ARM type in lower case, as it says itself, else as its id says; empty where neither does.
        kind: the kind of an object of Kubernetes; empty for any other object.
    """

    body: Mapping[str, object]
    document: str
    given: str | None = None
    is_whole: bool = False
    known_at: str | None = None
    id: str | None = field(init=False)
    type: str = field(init=False)
    kind: str = field(init=False)

    def __post_init__(self) -> None:
        # Every reader asks each object for these, so they are looked up once.
        id = find_text(self.body, "id") or find_text(self.body, "resourceId")
        type = find_text(self.body, "type") or parse_resource_id(id).type or ""
        object.__setattr__(self, "id", id)
        object.__setattr__(self, "type", type.lower())
        object.__setattr__(self, "kind", kubernetes_kind(self.body) or "")

    def find(self, *path: str) -> object:
        """A value of a resource, which stands under `properties` or, as `az` flattens it, at the top; None where neither."""
        properties = find(self.body, "properties")
        found = find(properties, *path) if isinstance(properties, Mapping) else None
        return found if found is not None else find(self.body, *path)


def kubernetes_kind(body: Mapping[str, object]) -> str | None:
    """The kind of an object of Kubernetes; None for any other object.

    Rows of Resource Graph have both fields, too, and an id; no metadata. An object of a kind of somebody's own may have an id,
    and stays one of its cluster, which says nothing of Azure.
    """
    has_metadata = isinstance(find(body, "metadata"), Mapping)
    is_one = find_text(body, "apiVersion") is not None and (has_metadata or find_text(body, "id") is None)
    return find_text(body, "kind") if is_one else None


@dataclass(frozen=True, slots=True)
class Refusal:
    """An answer in a document that says why there is none.

    Attributes:
        document: the document, and where in it.
        reason: what the answer says.
    """

    document: str
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class CoverageDocument:
    """What a document holds.

    Attributes:
        name: the document as it was named.
        given: the name that was given before it; None where none was.
        is_of_cluster: whether it is known to be of a cluster, whatever is in it.
        items: the objects in it.
        refusals: the answers in it that say why there are none.
        empty_lists: the kinds of the empty lists in it: `List`, as kubectl writes it, `DaemonSetList`, or nothing for others.
        pages: the lists in it, each of which may be one page of several.
        why_empty: why nothing is in it, where whoever gives it knows; empty where it does not.
    """

    name: str
    given: str | None = None
    is_of_cluster: bool = False
    items: tuple[Item, ...] = ()
    refusals: tuple[Refusal, ...] = ()
    empty_lists: tuple[str, ...] = ()
    pages: tuple[ListPage, ...] = ()
    why_empty: str = ""


@dataclass(slots=True)
class _Opened:
    """What was found so far in a document."""

    name: str
    given: str | None
    items: list[Item] = field(default_factory=list)
    refusals: list[Refusal] = field(default_factory=list)
    empty_lists: list[str] = field(default_factory=list)
    pages: list[ListPage] = field(default_factory=list)


def read_document(data: bytes, name: str, given: str | None = None) -> CoverageDocument:
    """The objects of a document; raises BadFile, which names it, where it holds no JSON."""
    values = _parsed(data, name)
    if len(values) == 1:
        return document_of(values[0], name, given)
    opened = _Opened(name, given)
    for number, value in enumerate(values):
        _open(value, f"[{number}]", False, _DEEPEST, opened)
    return _document(opened)


def document_of(value: object, name: str, given: str | None = None) -> CoverageDocument:
    """The objects of a document that was parsed already."""
    opened = _Opened(name, given)
    _open(value, "", False, _DEEPEST, opened)
    return _document(opened)


def dated(document: CoverageDocument, asked: datetime) -> CoverageDocument:
    """A document of an answer that was asked for at an instant, so that what it says has an age."""
    return replace(document, items=tuple(replace(one, known_at=asked.isoformat()) for one in document.items))


def _document(opened: _Opened) -> CoverageDocument:
    return CoverageDocument(
        name=opened.name,
        given=opened.given,
        items=tuple(opened.items),
        refusals=tuple(opened.refusals),
        empty_lists=tuple(opened.empty_lists),
        pages=tuple(opened.pages),
    )


def _parsed(data: bytes, name: str) -> list[object]:
    """The values in a document: one, or one after the other, as `>>` and JSON lines have them."""
    encoding = next((encoding for mark, encoding in _ENCODINGS if data.startswith(mark)), "utf-8")
    try:
        text = data.decode(encoding)
    except UnicodeDecodeError as error:
        raise BadFile(f"{name}: is no text in {encoding}") from error
    if not text.strip():
        raise BadFile(f"{name}: is empty; a command that fails prints nothing, so look at what it said")
    try:
        return list(_values_in(text))
    except RecursionError as error:
        raise BadFile(f"{name}: is nested too deeply") from error
    except ValueError as error:
        said = f"line {error.lineno}" if isinstance(error, json.JSONDecodeError) else "a number"
        raise BadFile(f"{name}: is no JSON at {said}; ask for it with `-o json`") from error


_BLANKS = re.compile(r"\s*")


def _values_in(text: str) -> Iterator[object]:
    """The values in a text; only objects and lists may have another one beside them. Raises ValueError for anything else."""
    decoder = json.JSONDecoder()
    start = _end_of_blanks(text, 0)
    value, end = decoder.raw_decode(text, start)
    end = _end_of_blanks(text, end)
    yield value
    while end < len(text):
        if not isinstance(value, list | dict):
            raise json.JSONDecodeError("Extra data", text, end)
        value, end = decoder.raw_decode(text, end)
        if not isinstance(value, list | dict):
            raise json.JSONDecodeError("Extra data", text, end)
        end = _end_of_blanks(text, end)
        yield value


def _end_of_blanks(text: str, start: int) -> int:
    found = _BLANKS.match(text, start)
    return found.end() if found else start


def _open(value: object, path: str, is_whole: bool, depth: int, opened: _Opened) -> None:
    if depth == 0:
        return
    if isinstance(value, list):
        page = page_of_rows(opened.name, path, value)
        opened.pages.append(page)
        _open_list(value, path, page.is_whole, "", depth, opened)
    elif isinstance(value, Mapping):
        _open_object(value, path, is_whole, depth, opened)


def _open_object(body: Mapping[str, object], path: str, is_whole: bool, depth: int, opened: _Opened) -> None:
    where = f"{opened.name} {path}".rstrip()
    if (kind := kubernetes_kind(body)) is not None:
        if kind.endswith("List") and _has_items(body):
            items = find_list(body, "items") or []
            page = page_of_kubernetes(opened.name, path, body, opened.given)
            opened.pages.append(page)
            typed = [_with_kind(one, kind, body) for one in items]
            _open_list(typed, _under(path, "items"), page.is_whole, kind, depth, opened)
        else:
            opened.items.append(Item(body=body, document=where, given=opened.given, is_whole=is_whole))
    elif (reason := refusal_in(body)) is not None:
        opened.refusals.append(Refusal(where, reason))
    elif (inner := answers_in(body)) is not None:
        for part, answer in inner:
            _open(answer, _under(path, part), is_whole, depth - 1, opened)
    elif (rows := rows_in(body)) is not None:
        part, listed = rows
        page = page_of_answer(opened.name, where, body, listed)
        opened.pages.append(page)
        if not listed and find_text(body, "id"):
            # It says what there is none of: that is an answer, too.
            nothing = {name: value for name, value in body.items() if name.lower() != part}
            opened.items.append(Item(body=nothing, document=where, given=opened.given, is_whole=page.is_whole))
        _open_list(listed, _under(path, part), page.is_whole, "", depth, opened)
    else:
        opened.items.append(Item(body=body, document=where, given=opened.given, is_whole=is_whole))


def _has_items(body: Mapping[str, object]) -> bool:
    """Whether an object is a list of objects: the API writes `null` for one in which there is nothing.

    A list has no name; an object that has one may be of a kind of somebody's own that is called so.
    """
    items = find(body, "items")
    if find_text(body, "metadata", "name") is not None:
        return False
    return isinstance(items, list) or (items is None and any(name.lower() == "items" for name in body))


def _open_list(listed: list[object], path: str, is_whole: bool, kind: str, depth: int, opened: _Opened) -> None:
    if not listed:
        opened.empty_lists.append(kind)
    for number, one in enumerate(listed):
        # A list of one answer after the other is not a list of objects; each answer says itself whether it is whole.
        _open(one, f"{path}[{number}]", is_whole, depth - 1, opened)


def _under(path: str, part: str) -> str:
    return f"{path}.{part}" if path else part


def _with_kind(one: object, kind: str, listed: Mapping[str, object]) -> object:
    """A member of a typed list, which the API writes without its own kind."""
    if not isinstance(one, Mapping) or kind == "List" or find_text(one, "kind"):
        return one
    return {"apiVersion": find_text(listed, "apiVersion"), "kind": kind.removesuffix("List"), **one}
