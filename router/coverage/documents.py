"""The objects in a document, as `az ... -o json`, `az graph query`, `az rest` and `kubectl get -o json` print them. Pure.

A document is one value of JSON: an object, a bare list, or an answer with its rows in `value`, `data` or `items`.
https://learn.microsoft.com/azure/governance/resource-graph/concepts/work-with-data,
https://kubernetes.io/docs/reference/using-api/api-concepts/
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from copy import replace
from dataclasses import dataclass, field
from datetime import datetime
from typing import TYPE_CHECKING, NamedTuple

from router.coverage.fields import find, find_list, find_text, find_truth
from router.coverage.truncated_lists import ListPage, page_of_answer, page_of_kubernetes, page_of_rows
from router.domain.errors import BadFile
from router.domain.resources import parse_resource_id
from router.domain.values import Value

if TYPE_CHECKING:
    from router.coverage.facts import CoverageFact

_ERROR = {"code", "message", "details", "target", "innererror", "additionalinfo"}
"""The fields of an error of ARM. https://learn.microsoft.com/rest/api/resources/resources/list#errorresponse"""

_DEEPEST = 12
"""How many lists and answers are opened around an object."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Item:
    """One object of a document.

    Attributes:
        document: the document as it was named, and where in it the object stands, as in `pricings.json value[3]`.
        given: the name before the document, as in `NAME=FILE`.
        is_whole: whether the list around it says of itself that it is whole.
        known_at: the instant, as text, at which it was asked or a message said it; None for a file, whose age is not known.
        type: its ARM type in lower case, by its own word, else by its id; empty where neither has one, as `kind` of Kubernetes.
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
        id = find_text(self.body, "id")
        type = find_text(self.body, "type") or parse_resource_id(id).type or ""
        object.__setattr__(self, "id", id)
        object.__setattr__(self, "type", type.lower())
        object.__setattr__(self, "kind", kubernetes_kind(self.body) or "")

    def find(self, *path: str) -> object:
        """A value under `properties` or, as `az` flattens it, at the top; None where neither has it."""
        properties = find(self.body, "properties")
        found = find(properties, *path) if isinstance(properties, Mapping) else None
        return found if found is not None else find(self.body, *path)

    def text(self, *path: str) -> str | None:
        """The text or the number there, without blanks around it; None where there is nothing else."""
        return find_text(self.find(*path))

    def word(self, *path: str) -> str | None:
        """The text there in lower case, as words of Azure's own count in any."""
        text = self.text(*path)
        return text.lower() if text is not None else None

    def truth(self, *path: str) -> bool | None:
        """Whether the value there is true; None where it is neither true nor false."""
        return find_truth(self.find(*path))


def kubernetes_kind(body: Mapping[str, object]) -> str | None:
    """The kind of an object of Kubernetes; None for any other object.

    Rows of Resource Graph have apiVersion, kind and an id, but no metadata. An object of a custom kind may have an id, too: it
    stays one of its cluster.
    """
    has_metadata = isinstance(find(body, "metadata"), Mapping)
    is_one = find_text(body, "apiVersion") is not None and (has_metadata or find_text(body, "id") is None)
    return find_text(body, "kind") if is_one else None


class Refusal(Value):
    """An answer that is an error, where it stands, and what it says."""

    document: str
    reason: str


class CoverageDocument(Value, kw_only=True):
    """What a document holds.

    Attributes:
        given: the name before it, as in `NAME=FILE`.
        is_of_cluster: whether it is known to be of a cluster, whatever is in it.
        empty_lists: the kinds of the empty lists in it: `List`, `DaemonSetList`, or nothing for lists of Azure.
        facts: what a state says that no file can.
        why_empty: why nothing is in it, where the asker knows.
    """

    name: str
    given: str | None = None
    is_of_cluster: bool = False
    items: tuple[Item, ...] = ()
    refusals: tuple[Refusal, ...] = ()
    empty_lists: tuple[str, ...] = ()
    pages: tuple[ListPage, ...] = ()
    facts: tuple[CoverageFact, ...] = ()
    why_empty: str = ""


def read_document(data: bytes, name: str, given: str | None = None) -> CoverageDocument:
    """The objects of a document; raises BadFile, which names it, where it is not what a command of today prints."""
    try:
        text = data.decode(json.detect_encoding(data))  # UTF-16 is what `>` of Windows PowerShell writes
    except UnicodeDecodeError as error:
        raise BadFile(f"{name}: is no text in {error.encoding}") from error
    if not text.strip():
        raise BadFile(f"{name}: is empty; a command that fails prints nothing, so look at what it said")
    try:
        value = json.loads(text)
    except RecursionError as error:
        raise BadFile(f"{name}: is nested too deeply") from error
    except json.JSONDecodeError as error:
        if error.msg == "Extra data":
            raise BadFile(f"{name}: holds several answers; write each to a file of its own") from error
        raise BadFile(f"{name}: is no JSON at line {error.lineno}; ask for it with `-o json`") from error
    except ValueError as error:
        raise BadFile(f"{name}: is no JSON at a number; ask for it with `-o json`") from error
    if (command := _asked_otherwise(value)) is not None:
        raise BadFile(f"{name}: {command}")
    return parsed_document(value, name, given)


def _asked_otherwise(value: object) -> str | None:
    """What a document of another shape is, and the command that prints the right one; None for a shape that is read."""
    first = value[0] if isinstance(value, list) and value else value
    if find_list(first, "data", "columns") is not None:
        return "is a table of Resource Graph; ask with `az graph query -q QUERY --first 1000 -o json`"
    recorded = any(isinstance(find(first, name), Mapping | list) for name in ("request", "response", "responses"))
    if recorded or (find_text(first, "uri") and find_text(first, "method")):
        return "is a recording or a batch of requests; ask for each answer with `az rest --method get --url URL`"
    return None


def parsed_document(value: object, name: str, given: str | None = None) -> CoverageDocument:
    """The objects of a document that was parsed already."""
    found = list(_parts(value, _Position(name, given), _DEEPEST))
    return CoverageDocument(
        name=name,
        given=given,
        items=tuple(one for one in found if isinstance(one, Item)),
        refusals=tuple(one for one in found if isinstance(one, Refusal)),
        empty_lists=tuple(one for one in found if isinstance(one, str)),
        pages=tuple(one for one in found if isinstance(one, ListPage)),
    )


def dated(document: CoverageDocument, asked: datetime) -> CoverageDocument:
    """A document of an answer that was asked for at an instant, so that what it says has an age."""
    return replace(document, items=tuple(replace(one, known_at=asked.isoformat()) for one in document.items))


def refusal_in(body: Mapping[str, object]) -> str | None:
    """What an answer says that went wrong; None for one in which nothing did."""
    error = find(body, "error")
    if isinstance(error, str) and error.strip() and not find_text(body, "id"):
        return error.strip()
    # Older versions of the API, and some front doors, have no `error` around it.
    said = error if isinstance(error, Mapping) else body if {name.lower() for name in body} <= _ERROR else {}
    code, message = find_text(said, "code"), find_text(said, "message")
    is_said = bool(code or message) if said is error else bool(code and message)
    return ": ".join(filter(None, (code, message))) if is_said else None


def rows_in(body: Mapping[str, object]) -> tuple[str, list[object]] | None:
    """The rows of an answer of ARM or Resource Graph, and under which name they stand; None where it is no such answer."""
    if find_text(body, "type"):  # a resource of a kind that has a list of that name
        return None
    return next(((name, rows) for name in ("value", "data") if (rows := find_list(body, name)) is not None), None)


class _Position(NamedTuple):
    """Where in a document something stands: `path` is empty at its top."""

    file: str
    given: str | None
    path: str = ""
    is_whole: bool = False

    @property
    def document(self) -> str:
        return f"{self.file} {self.path}".rstrip()

    def part(self, name: str) -> str:
        return f"{self.path}.{name}" if self.path else name


def _parts(value: object, at: _Position, depth: int) -> Iterator[Item | Refusal | ListPage | str]:
    """The objects, errors, pages, and kinds of empty lists in a value."""
    kind = kubernetes_kind(value) if isinstance(value, Mapping) else None
    listed: list[object]
    if depth == 0 or not isinstance(value, list | Mapping):
        return
    if isinstance(value, list):
        listed, path, page = value, at.path, page_of_rows(at.file, at.path, value)
    elif kind is not None and kind.endswith("List") and _has_items(value):
        listed = [_with_kind(one, kind, value) for one in find_list(value, "items") or []]
        path, page = at.part("items"), page_of_kubernetes(at.file, at.path, value, at.given)
    elif kind is None and (reason := refusal_in(value)) is not None:
        yield Refusal(at.document, reason)
        return
    elif kind is None and (rows := rows_in(value)) is not None:
        name, listed = rows
        path, page = at.part(name), page_of_answer(at.file, at.document, value, listed)
        if not listed and find_text(value, "id"):
            # It says what there is none of: that is an answer, too.
            rest = {key: one for key, one in value.items() if key.lower() != name}
            yield _item(rest, at._replace(is_whole=page.is_whole))
    else:
        yield _item(value, at)
        return
    yield page
    if not listed:
        yield kind or ""
    for number, one in enumerate(listed):
        yield from _parts(one, at._replace(path=f"{path}[{number}]", is_whole=page.is_whole), depth - 1)


def _item(body: Mapping[str, object], at: _Position) -> Item:
    return Item(body=body, document=at.document, given=at.given, is_whole=at.is_whole)


def _has_items(body: Mapping[str, object]) -> bool:
    """Whether an object is a list: the API writes `items: null` for an empty one, and a list has no name of its own."""
    items, has_key = find(body, "items"), any(name.lower() == "items" for name in body)
    return has_key and find_text(body, "metadata", "name") is None and (items is None or isinstance(items, list))


def _with_kind(one: object, kind: str, listed: Mapping[str, object]) -> object:
    """A member of a typed list, which the API writes without its own kind."""
    if not isinstance(one, Mapping) or kind == "List" or find_text(one, "kind"):
        return one
    return {"apiVersion": find_text(listed, "apiVersion"), "kind": kind.removesuffix("List"), **one}
