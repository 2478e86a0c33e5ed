"""Documents of the state: what a person or a sweep sets down for every worker, and what a body of one says."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from enum import StrEnum
from functools import partial

type Version = int | str
"""The version of a document, or of a row."""


class DocumentKind(StrEnum):
    """The kinds of documents. Their values are stored.

    A silence holds signals back for some hours, a hold keeps a destination from being asked; a change says who made what of
    them when. A fact is what is known of the coverage of a workload, and tags are a resource's. Silent sources are those
    that are expected and of which nothing was heard for too long. Sources, snapshots of a subscription's findings, and of
    a stream its rules and what people were told of them, have tables of their own, and are counted among documents.
    """

    SILENCE = "silence"
    HOLD = "hold"
    CHANGE = "change"
    FACT = "fact"
    SOURCE = "source"
    TAGS = "tags"
    SNAPSHOTS = "snapshots"
    RULES = "rules"
    RULE_EVENTS = "rule_events"
    SILENT_SOURCES = "silent_sources"


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredDocument:
    """A document.

    Attributes:
        at: from when on its retention counts: its end, if it has one, else when it was last written.
        version: what the store calls this state of it; None where it is not stored yet.
    """

    kind: DocumentKind
    id: str
    at: datetime
    body: bytes = field(repr=False)
    version: Version | None = None


class BodyFields:
    """The fields of a body that was read; each look-up raises ValueError or TypeError where one is not what it must be."""

    def __init__(self, fields: Mapping[str, object]) -> None:
        self._fields = fields

    def __iter__(self) -> Iterator[str]:
        """The names of the fields."""
        return iter(self._fields)

    def text(self, name: str) -> str:
        """A text."""
        return _text(self._fields.get(name))

    def number(self, name: str) -> int:
        """A whole number."""
        return _number(self._fields.get(name))

    def flag(self, name: str) -> bool:
        """Whether something is so."""
        value = self._fields.get(name)
        if not isinstance(value, bool):
            raise TypeError(name)
        return value

    def instant(self, name: str) -> datetime:
        """An instant, in UTC."""
        return instant_in(self.text(name))

    def fields(self, name: str) -> BodyFields:
        """Fields within a field."""
        return BodyFields(_mapping(self._fields.get(name)))

    def texts(self, name: str) -> list[str]:
        """A list of texts."""
        return list(map(_text, self._list(name)))

    def numbers(self, name: str) -> list[int]:
        """A list of whole numbers."""
        return list(map(_number, self._list(name)))

    def each(self, name: str) -> list[BodyFields]:
        """A list of things that have fields."""
        return [BodyFields(_mapping(one)) for one in self._list(name)]

    def groups(self, name: str) -> list[list[BodyFields]]:
        """A list of lists of things that have fields."""
        return [[BodyFields(_mapping(one)) for one in _listed(some)] for some in self._list(name)]

    def optional[T](self, name: str, read: Callable[[str], T]) -> T | None:
        """What one of the look-ups above finds, such as `fields.text`; None where there is nothing."""
        return read(name) if self._fields.get(name) is not None else None

    def _list(self, name: str) -> list[object]:
        return _listed(self._fields.get(name))


def body_of(fields: Mapping[str, object] | Sequence[Mapping[str, object]]) -> bytes:
    """Fields, or a list of such, as a body is stored: the same make the same bytes. Instants may stand where texts may."""
    return json.dumps(fields, separators=(",", ":"), default=_written).encode()


def find_in_body[T](body: bytes, read: Callable[[BodyFields], T]) -> T | None:
    """What is read out of a body; None where it does not decode."""
    return _find(lambda: _read(json.loads(body), read))


def items_in_body[T](body: bytes, read: Callable[[BodyFields], T]) -> list[T]:
    """What is read out of each item of a body that is a list, without those that do not decode; nothing out of any other."""
    items = _find(lambda: _listed(json.loads(body))) or []
    found = (_find(partial(_read, item, read)) for item in items)
    return [one for one in found if one is not None]


def instant_in(text: str) -> datetime:
    """The instant that a text of a body is, in UTC; raises ValueError."""
    instant = datetime.fromisoformat(text)
    if instant.tzinfo is None:
        raise ValueError("an instant without a zone")
    # So near an end of time that reckoning with it fails; no program writes one.
    if not 1970 <= instant.year < 9000:
        raise ValueError("an instant that nobody means")
    return instant.astimezone(UTC)


def _read[T](item: object, read: Callable[[BodyFields], T]) -> T:
    return read(BodyFields(_mapping(item)))


def _find[T](read: Callable[[], T]) -> T | None:
    try:
        return read()
    # A zone that is called like a directory of zones raises an OSError.
    except (ValueError, TypeError, LookupError, OverflowError, RecursionError, OSError):
        return None


def _written(value: object) -> str:
    if not isinstance(value, datetime):
        raise TypeError(f"{type(value).__name__} is nothing that a body holds")
    return value.isoformat()


def _text(value: object) -> str:
    if not isinstance(value, str):
        raise TypeError("not a text")
    value.encode()  # Half of a surrogate pair could be neither printed nor written again.
    return value


def _number(value: object) -> int:
    if type(value) is not int:
        raise TypeError("not a whole number")
    return value


def _listed(value: object) -> list[object]:
    if not isinstance(value, list):
        raise TypeError("not a list")
    return value


def _mapping(value: object) -> Mapping[str, object]:
    if not isinstance(value, dict):
        raise TypeError("nothing that has fields")
    return value
