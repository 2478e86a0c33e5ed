"""Values as columns hold them, and the columns of a row as values again.

An instant is a number, of microseconds since 1970, UTC. A body is the JSON of a dataclass: its keys are the names of its
fields, so one that is added needs a default. What is not as it was written is Undecodable.
"""

from __future__ import annotations

from base64 import b64encode
from collections.abc import Callable, Mapping
from dataclasses import MISSING, fields
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from functools import cache, lru_cache
from typing import Any, overload

import orjson
from pydantic import TypeAdapter, ValidationError

from router.domain.decisions import Outcome
from router.domain.errors import Undecodable
from router.domain.notices import Notice, RecordEntry

MOST = 2**63 - 1
"""Sequence numbers have 64 bits."""

MOST_TURNS = 999_999
"""Turns of one signal."""

MOST_TIMES = 999_999
"""How often anything may have been done with one delivery: far more than it lives to see."""

MOST_STEPS = 2**62
"""Epochs, and versions of one row: each has room for the next."""

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)

_CONTENTS: Mapping[str, type[Notice | RecordEntry]] = {"Notice": Notice, "RecordEntry": RecordEntry}
"""What a delivery tells, by the tag beside its body."""
_ADAPTERS: dict[type[Any], TypeAdapter[Any]] = {}
_TAGS = {kind: tag for tag, kind in _CONTENTS.items()}


class Columns:
    """One row; every question raises Undecodable, which names the column, where the column has no answer to it."""

    def __init__(self, row: Mapping[str, Any]) -> None:
        self._row = row

    def raw(self, name: str) -> Any:
        """What a column holds, whatever that is; None where there is no such column."""
        return self._row.get(name)

    def text(self, name: str) -> str:
        """A text."""
        value = self._row.get(name)
        if not isinstance(value, str) or not (value.isascii() or _is_sound(value)):
            raise _fault(name, "text")
        return value

    def find_text(self, name: str) -> str | None:
        """A text, or None where there is none."""
        return None if self._row.get(name) in (None, "") else self.text(name)

    def words(self, name: str) -> str:
        """Text for people, whatever a column holds."""
        return printable(self._row.get(name))

    def whole(self, name: str, least: int = 0, most: int = MOST) -> int:
        """A whole number between two others."""
        value = self._row.get(name)
        if type(value) is not int or not least <= value <= most:
            raise _fault(name, f"number from {least} to {most}")
        return value

    def flag(self, name: str) -> bool:
        """True or False."""
        value = self._row.get(name)
        if type(value) is not int or value not in (0, 1):
            raise _fault(name, "yes or no")
        return value == 1

    def word[E: StrEnum](self, name: str, words: type[E]) -> E:
        """One of a closed set of words."""
        value = self._row.get(name)
        word: E | None = _known(words).get(value) if isinstance(value, str) else None
        if word is None:
            raise _fault(name, "word that this version knows")
        return word

    def time(self, name: str) -> datetime:
        """An instant."""
        return time_of(self._row.get(name), name)

    def find_time(self, name: str) -> datetime | None:
        """An instant, or None where there is none."""
        return None if self._row.get(name) is None else self.time(name)

    def body(self, name: str) -> bytes:
        """Bytes."""
        value = self._row.get(name)
        if not isinstance(value, bytes):
            raise _fault(name, "body")
        return value

    def names(self, name: str) -> frozenset[str]:
        """Texts, written as a JSON array."""
        value = self.json(name)
        if not isinstance(value, list) or not all(isinstance(one, str) for one in value):
            raise _fault(name, "list of names")
        return frozenset(value)

    def turns(self, name: str) -> dict[str, int]:
        """Turns by destination, written as a JSON object."""
        value = self.json(name)
        if not isinstance(value, dict) or not all(
            type(one) is int and 1 <= one <= MOST_TURNS for one in value.values()
        ):
            raise _fault(name, "list of turns")
        return value

    def json(self, name: str) -> Any:
        """What a text says in JSON."""
        try:
            return orjson.loads(self.text(name))
        except orjson.JSONDecodeError as fault:
            raise _fault(name, "JSON") from fault

    def whole_row(self) -> bytes:
        """Everything that the row holds, as JSON; what is no text as base64."""
        return orjson.dumps({name: _shown(value) for name, value in self._row.items()}, default=str)


def _fault(name: str, wanted: str) -> Undecodable:
    return Undecodable(f"{name}: is no {wanted}")


@cache
def _known(words: type[StrEnum]) -> Mapping[str, Any]:
    return {word.value: word for word in words}


@overload
def micros(time: datetime) -> int: ...
@overload
def micros(time: None) -> None: ...
def micros(time: datetime | None) -> int | None:
    """Return an instant as a column holds it."""
    return (time - EPOCH) // _MICROSECOND if time is not None else None


def instant(value: int) -> datetime:
    """Return the instant that a column holds."""
    return EPOCH + timedelta(microseconds=value)


def time_of(value: object, name: str) -> datetime:
    """Return the instant that a column of that name holds; raises Undecodable."""
    try:
        if type(value) is int:
            return instant(value)
    except OverflowError as fault:
        raise _fault(name, "instant") from fault
    raise _fault(name, "instant")


def printable(value: object) -> str:
    """Return anything as a text, an empty one where there is nothing."""
    match value:
        case None:
            return ""
        case str() if _is_sound(value):
            return value
        case bytes():
            return value.decode("utf-8", "backslashreplace")
        case _:
            return str(value).encode("utf-8", "surrogateescape").decode("utf-8", "backslashreplace")


def _is_sound(text: str) -> bool:
    """Whether a text is UTF-8 all through: what is not comes with surrogates in it."""
    return text.isascii() or not any("\ud800" <= letter <= "\udfff" for letter in text)


def _shown(value: object) -> object:
    match value:
        case bytes():
            try:
                return value.decode()
            except UnicodeDecodeError:
                return {"base64": b64encode(value).decode()}
        case str() | float():
            return printable(value)
        case _:
            return value


def encode(value: object) -> bytes:
    """Return a dataclass as JSON, without the fields that have their defaults: in a notice most have."""
    return orjson.dumps(value, _plain, orjson.OPT_PASSTHROUGH_DATACLASS)


def _plain(value: object) -> object:
    match value:
        case frozenset():
            return sorted(value)
        case tuple():
            return list(value)
        case _:
            return _without_defaults(value)


def _without_defaults(value: object) -> dict[str, object]:
    kind: Any = type(value)
    return {
        name: given
        for name, default in _defaults_of(kind)
        if (given := getattr(value, name)) is not default and given != default
    }


@cache
def _defaults_of(kind: Any) -> list[tuple[str, object]]:
    """The names of a class's fields, each with its default; a marker that no value equals stands for none."""
    defaults = ((one.name, one.default, one.default_factory) for one in fields(kind))
    return [(name, make() if make is not MISSING else default) for name, default, make in defaults]


def decode[T](kind: type[T], data: bytes, *, strict: bool = False) -> T:
    """Return the value of a class that JSON says; raises Undecodable. If `strict`, a number is no instant."""
    adapter = _ADAPTERS.get(kind) or _ADAPTERS.setdefault(kind, TypeAdapter(kind))
    try:
        value: T = adapter.validate_json(data, strict=strict or None)
        return value
    except ValidationError as fault:
        first = fault.errors(include_url=False, include_context=False, include_input=False)[0]
        place = ".".join(map(str, first["loc"]))
        raise Undecodable(f"{kind.__name__}{f' at {place}' if place else ''}: {first['msg']}") from fault


def tag_of(content: Notice | RecordEntry) -> str:
    """Return the tag of what a delivery tells."""
    return _TAGS[type(content)]


@lru_cache(1024)
def content_of(tag: str, data: bytes | None) -> Notice | RecordEntry:
    """Return what a delivery tells; raises Undecodable, also where that is gone. Deliveries of a turn share it."""
    if tag not in _CONTENTS:
        raise Undecodable("type: is nothing that a delivery tells")
    if data is None:
        raise Undecodable("body: what it tells is there no more")
    return decode(_CONTENTS[tag], data)


def decision_in(data: bytes) -> RecordEntry:
    """Return what is on record of a message; raises Undecodable, also where it has a time or an outcome that is none."""
    entry = decode(RecordEntry, data)
    _check_time("at", entry.at)
    if entry.suppressed_until is not None:
        _check_time("suppressed_until", entry.suppressed_until)
    if entry.outcome not in _known(Outcome):
        raise _fault("outcome", "outcome")
    return entry


def _check_time(name: str, written: str) -> None:
    """Raise Undecodable unless a text is an instant that can be told in UTC."""
    try:
        time = datetime.fromisoformat(written)
        if time.tzinfo is not None:
            time.astimezone(UTC)
            return
    except (ValueError, OverflowError) as fault:
        raise _fault(name, "instant") from fault
    raise _fault(name, "instant")


def attempt[**P, T](read: Callable[P, T], *args: P.args, **more: P.kwargs) -> T | Undecodable:
    """Return what a read brings, or why it cannot be decoded: damage is a value, which every caller has to look at."""
    try:
        return read(*args, **more)
    except Undecodable as fault:
        return fault


def readable[**P, T](otherwise: T, read: Callable[P, T], *args: P.args, **more: P.kwargs) -> T:
    """Return what a read brings, or something else where it cannot be decoded."""
    found = attempt(read, *args, **more)
    return otherwise if isinstance(found, Undecodable) else found
