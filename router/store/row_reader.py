"""The columns of one row as they were read: asked for by name, and refused by name where they are not what was written."""

from __future__ import annotations

import re
from base64 import b64encode
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from functools import cache
from typing import Any

import orjson

from router.domain.errors import Undecodable
from router.store.stored_names import WORDS

MOST = 2**63 - 1
"""Sequence numbers have 64 bits."""

MOST_TURNS = 999_999
"""Turns of one signal."""

MOST_TIMES = 999_999
"""How often anything may have been done with one delivery: far more than it lives to see."""

MOST_STEPS = 2**62
"""Epochs, and versions of one row: each has room for the next."""

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_LONGEST_NUMBER = 20
_SORTED = re.compile(r"[0-9]{17,18}")
_DIGITS = re.compile(r"-?[0-9]{1,20}")


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
        if not isinstance(value, str) or not (value.isascii() or is_sound(value)):
            raise self._fault(name, "text")
        return value

    def find_text(self, name: str) -> str | None:
        """A text, or None where there is none."""
        return None if self._row.get(name) in (None, "") else self.text(name)

    def words(self, name: str) -> str:
        """Text for people, whatever a column holds."""
        value = self._row.get(name)
        return value if isinstance(value, str) and is_sound(value) else printable(value)

    def whole(self, name: str, least: int = 0, most: int = MOST) -> int:
        """A whole number between two others."""
        value = self._row.get(name)
        if type(value) is not int or not least <= value <= most:
            raise self._fault(name, f"number from {least} to {most}")
        return value

    def digits(self, name: str, least: int = 0) -> int:
        """A whole number from another one on, written in digits."""
        value = self._row.get(name)
        if isinstance(value, str) and _DIGITS.fullmatch(value) and (number := int(value)) >= least:
            return number
        raise self._fault(name, f"number from {least} on")

    def flag(self, name: str) -> bool:
        """True or False."""
        value = self._row.get(name)
        if value not in (0, 1) or not isinstance(value, int):
            raise self._fault(name, "yes or no")
        return bool(value)

    def word[E: StrEnum](self, name: str, words: type[E]) -> E:
        """One of a closed set of words."""
        value = self._row.get(name)
        word: E | None = _known(words).get(value) if isinstance(value, str) else None
        if word is None:
            raise self._fault(name, f"{WORDS[words]} that this version knows")
        return word

    def time(self, name: str) -> datetime:
        """An instant, written as microseconds since 1970: a number, or digits."""
        return time_of(self._row.get(name), name)

    def sorted_time(self, name: str) -> datetime:
        """An instant as it stands in keys: in 17 digits, which sort as times do; in 18 by a clock beyond the year 5138."""
        value = self._row.get(name)
        if not isinstance(value, str) or not _SORTED.fullmatch(value):
            raise self._fault(name, "instant")
        return time_of(value, name)

    def find_time(self, name: str) -> datetime | None:
        """An instant, or None where there is none."""
        return None if self._row.get(name) in (None, "") else self.time(name)

    def written(self, name: str) -> datetime:
        """An instant, written in ISO 8601 with its offset."""
        try:
            time = datetime.fromisoformat(self.text(name))
        except ValueError as fault:
            raise self._fault(name, "instant") from fault
        if time.tzinfo is None:
            raise self._fault(name, "instant")
        return time

    def body(self, name: str) -> bytes:
        """Bytes."""
        value = self._row.get(name)
        if not isinstance(value, bytes):
            raise self._fault(name, "body")
        return value

    def names(self, name: str) -> frozenset[str]:
        """Texts, written as a JSON array."""
        return names_of(self._json(name), name)

    def turns(self, name: str) -> dict[str, int]:
        """Turns by destination, written as a JSON object."""
        return turns_of(self._json(name), name)

    def _json(self, name: str) -> Any:
        try:
            return orjson.loads(self.text(name))
        except orjson.JSONDecodeError as fault:
            raise self._fault(name, "JSON") from fault

    def whole_row(self) -> bytes:
        """Everything that the row holds, as JSON; what is no text as base64."""
        return orjson.dumps({name: _shown(value) for name, value in self._row.items()}, default=str)

    def _fault(self, name: str, wanted: str) -> Undecodable:
        return Undecodable(f"{name}: is no {wanted}")


@cache
def _known(words: type[StrEnum]) -> Mapping[str, Any]:
    return {word.value: word for word in words}


def time_of(value: object, name: str) -> datetime:
    """The instant that a number, or digits, of microseconds since 1970 stand for; raises Undecodable."""
    try:
        if isinstance(value, str) and len(value) <= _LONGEST_NUMBER:
            value = int(value)
        if type(value) is int:
            return _EPOCH + timedelta(microseconds=value)
    except (ValueError, OverflowError) as fault:
        raise Undecodable(f"{name}: is no instant") from fault
    raise Undecodable(f"{name}: is no instant")


def parts_of(body: bytes, many: int, name: str) -> list[Any]:
    """The values of a JSON array of so many; raises Undecodable."""
    try:
        parts = orjson.loads(body)
    except orjson.JSONDecodeError as fault:
        raise Undecodable(f"{name}: is no JSON") from fault
    if not isinstance(parts, list) or len(parts) != many:
        raise Undecodable(f"{name}: is no list of {many}")
    return parts


def names_of(value: object, name: str) -> frozenset[str]:
    """Texts of which a list was made; raises Undecodable."""
    if not isinstance(value, list) or not all(isinstance(one, str) for one in value):
        raise Undecodable(f"{name}: is no list of names")
    return frozenset(value)


def turns_of(value: object, name: str) -> dict[str, int]:
    """Turns by destination; raises Undecodable."""
    if not isinstance(value, dict) or not all(type(one) is int and 1 <= one <= MOST_TURNS for one in value.values()):
        raise Undecodable(f"{name}: is no list of turns")
    return value


def is_sound(text: str) -> bool:
    """Whether a text is UTF-8 all through: what is not comes with surrogates in it."""
    return text.isascii() or not any("\ud800" <= letter <= "\udfff" for letter in text)


def printable(value: object) -> str:
    """Anything as a text, none where there is nothing."""
    match value:
        case None:
            return ""
        case bytes():
            return value.decode("utf-8", "backslashreplace")
        case _:
            return str(value).encode("utf-8", "surrogateescape").decode("utf-8", "backslashreplace")


def _shown(value: object) -> object:
    match value:
        case bytes():
            try:
                return value.decode()
            except UnicodeDecodeError:
                return {"base64": b64encode(value).decode()}
        case str():
            return value if is_sound(value) else printable(value)
        case float():
            return str(value)
        case _:
            return value
