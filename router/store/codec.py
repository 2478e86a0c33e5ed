"""Values as columns hold them, and the columns of a row as values again.

An instant is a number, of microseconds since 1970, UTC. A body is the JSON of a value: its keys are the names of its
fields, so one that is added needs a default. What is not as it was written is Undecodable.
"""

from __future__ import annotations

import inspect
import re
import zlib
from collections.abc import Callable, Iterable, Mapping
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from functools import cache, lru_cache, partial
from operator import attrgetter
from pathlib import Path
from types import NoneType
from typing import Any, NamedTuple, get_args, get_origin, get_type_hints, overload

import orjson
from msgspec import MsgspecError
from msgspec.json import Decoder, Encoder

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

_WORDS = Path(__file__).with_name("words.txt").read_text(encoding="utf-8").replace("\n", "").encode()
"""What such JSON is made of. These never change: to them refers what was deflated before."""

# Copied for each body, which is cheap with a window of 4 KB.
_DEFLATING, _INFLATING = zlib.compressobj(6, wbits=-12, memLevel=5, zdict=_WORDS), zlib.decompressobj(-12, _WORDS)
_MOST_INFLATED = 64 * 1024 * 1024

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
MICROSECOND = timedelta(microseconds=1)

_CONTENTS: Mapping[str, type[Notice | RecordEntry]] = {kind.__name__: kind for kind in (Notice, RecordEntry)}
"""What a delivery tells, by the tag beside its body."""


@overload
def micros(time: datetime) -> int: ...
@overload
def micros(time: None) -> None: ...
def micros(time: datetime | None) -> int | None:
    """Return an instant as a column holds it."""
    return (time - EPOCH) // MICROSECOND if time is not None else None


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


def _fault(name: str, wanted: str) -> Undecodable:
    return Undecodable(f"{name}: is no {wanted}")


def _text_of(value: object, name: str) -> str:
    if not isinstance(value, str) or not (value.isascii() or _is_sound(value)):
        raise _fault(name, "text")
    return value


def _flag_of(value: object, name: str) -> bool:
    if type(value) is not int or value not in (0, 1):
        raise _fault(name, "yes or no")
    return value == 1


def _body_of(value: object, name: str) -> bytes:
    if not isinstance(value, bytes):
        raise _fault(name, "body")
    return value


def _json_of(value: object, name: str) -> Any:
    try:
        return orjson.loads(_text_of(value, name))
    except orjson.JSONDecodeError as fault:
        raise _fault(name, "JSON") from fault


def _names_of(value: object, name: str) -> frozenset[str]:
    names = _json_of(value, name)
    if not isinstance(names, list) or not all(isinstance(one, str) for one in names):
        raise _fault(name, "list of names")
    return frozenset(names)


def _turns_of(value: object, name: str) -> dict[str, int]:
    turns = _json_of(value, name)
    if not isinstance(turns, dict) or not all(type(n) is int and 1 <= n <= MOST_TURNS for n in turns.values()):
        raise _fault(name, "list of turns")
    return turns


def _number_of(value: object, name: str, bounds: tuple[int, int] | None = None) -> int:
    least, most = bounds or _BOUNDS.get(name, (0, MOST))
    if type(value) is not int or not least <= value <= most:
        raise _fault(name, f"number from {least} to {most}")
    return value


def _asks[T](read: Callable[[Any, str], T]) -> Callable[[Columns, str], T]:
    return lambda row, name: read(row.raw(name), name)


class Columns:
    """One row; every question raises Undecodable, which names the column, where the column has no answer to it."""

    def __init__(self, row: Mapping[str, Any]) -> None:
        self._row = row
        self.raw: Callable[[str], Any] = row.get
        """What a column holds, whatever that is; None where there is no such column."""

    text = _asks(_text_of)
    flag = _asks(_flag_of)
    body = _asks(_body_of)
    time = _asks(time_of)

    def find_text(self, name: str) -> str | None:
        """A text, or None where there is none."""
        return None if (value := self.raw(name)) in (None, "") else _text_of(value, name)

    def find_time(self, name: str) -> datetime | None:
        """An instant, or None where there is none."""
        return None if (value := self.raw(name)) is None else time_of(value, name)

    def words(self, name: str) -> str:
        """Text for people, whatever a column holds."""
        return printable(self.raw(name))

    def whole(self, name: str, least: int = 0, most: int = MOST) -> int:
        """A whole number between two others."""
        return _number_of(self.raw(name), name, (least, most))

    def word[E: StrEnum](self, name: str, words: type[E]) -> E:
        """One of a closed set of words."""
        word: E = _word_of(_known(words), self.raw(name), name)
        return word

    def whole_row(self) -> bytes:
        """Everything that the row holds, as JSON; what is deflated is inflated, and bytes that are no text are escaped."""
        bodies = {name: readable(it, inflate, it) for name, it in self._row.items() if isinstance(it, bytes)}
        texts = {
            name: printable(it) for name, it in {**self._row, **bodies}.items() if isinstance(it, bytes | str | float)
        }
        return orjson.dumps({**self._row, **texts}, default=str)


_BOUNDS = {
    "severity": (-1, MOST),
    "turn": (1, MOST_TURNS),
    "opened": (1, MOST_TURNS),
    "attempts": (0, MOST_TIMES),
    "lost": (0, MOST_TIMES),
    "redriven": (0, MOST_TIMES),
    "epoch": (1, MOST_STEPS),
    "version": (1, MOST_STEPS),
    "held_messages": (1, MOST_STEPS),
}
"""The least and the most of numbers that are not any from 0 on, by their columns."""

_READ: Mapping[Any, Callable[[Any, str], Any]] = {
    str: _text_of,
    bool: _flag_of,
    int: _number_of,
    bytes: _body_of,
    datetime: time_of,
    timedelta: lambda value, name: timedelta(microseconds=_number_of(value, name)),
    frozenset: _names_of,
    Mapping: _turns_of,
}
"""How what a column holds is read, by the type of its field."""

_WRITE: Mapping[Any, Callable[[Any], object]] = {
    frozenset: lambda names: orjson.dumps(sorted(names)).decode(),
    Mapping: lambda turns: orjson.dumps(turns).decode(),
    tuple: lambda numbers: " ".join(map(str, numbers)),
}
"""How a field is written that no column can hold as it is."""


class RowForm[T]:
    """How the fields of a class lie in columns: each in the one of its name, unless another column or a form is given.

    A field with a form of its own lies in several, and is None where the first of these is empty. `read` has readers of
    columns that hold less than the type of their field says. What is `left_out` lies in no column.
    """

    def __init__(
        self,
        kind: type[T],
        read: Mapping[str, Callable[[Columns], Any]] | None = None,
        left_out: Iterable[str] = (),
        **places: str | RowForm[Any],
    ) -> None:
        self._kind, self.columns = kind, tuple[str, ...]()
        self._reads: list[tuple[str, Callable[..., Any], str | None, bool]] = []
        self._paths: list[str] = []
        self._writes: list[tuple[int, Callable[[Any], object]]] = []
        parts: list[tuple[str, RowForm[Any]]] = []
        hints = get_type_hints(kind)
        for name in (one for one in inspect.signature(kind).parameters if one not in left_out):
            place, hint = places.get(name, name), hints[name]
            if is_optional := NoneType in get_args(hint):
                hint = get_args(hint)[0]
            if isinstance(place, RowForm):
                self._reads.append((name, place.find if is_optional else place.read, None, False))
                if is_optional:
                    parts.append((name, place))
                else:
                    self._writes += [(len(self._paths) + place_of, write) for place_of, write in place._writes]
                    self._paths += [f"{name}.{path}" for path in place._paths]
                    self.columns += place.columns
                continue
            if read is not None and name in read:
                self._reads.append((name, read[name], None, False))
            else:
                reader = _READ.get(get_origin(hint) or hint) or partial(_word_of, _known(hint))
                self._reads.append((name, reader, place, is_optional))
            if (write := _WRITE.get(get_origin(hint))) is not None:
                self._writes.append((len(self._paths), write))
            self._paths.append(name)
            self.columns += (place,)
        self._fields = attrgetter(*self._paths)
        self._parts = parts
        self.columns += tuple(column for _, part in parts for column in part.columns)

    def read(self, row: Columns, **given: Any) -> T:
        """Return the value that a row holds, with the fields that are given; raises Undecodable."""
        raw = row.raw
        for name, read, column, is_optional in self._reads:
            if column is None:
                given[name] = read(row)
            elif (value := raw(column)) is None and is_optional:
                given[name] = None
            else:
                given[name] = read(value, column)
        return self._kind(**given)

    def find(self, row: Columns) -> T | None:
        """Return the value that a row holds; None where its first column is empty. Raises Undecodable."""
        return None if row.raw(self.columns[0]) is None else self.read(row)

    def values(self, value: T | None) -> tuple[object, ...]:
        """Return what the columns hold of a value; of None, nothing in each."""
        if value is None:
            return (None,) * len(self.columns)
        found = list(self._fields(value))
        for place, write in self._writes:
            found[place] = write(found[place])
        for name, part in self._parts:
            found += part.values(getattr(value, name))
        return tuple(found)


class PageEnd(NamedTuple):
    """Where a page ends of a list that begins with the latest: when its last was, in microseconds since 1970, and its row."""

    at: int
    row: str

    def __str__(self) -> str:
        """Return it as a URL has it."""
        return f"{self.at}.{self.row}"

    @classmethod
    def parse(cls, text: str) -> PageEnd | None:
        """Return the end that a text is; None where it is none."""
        found = re.fullmatch(r"(-?[0-9]{1,19})\.([!-~]{1,64})", text, re.ASCII)
        return cls(int(found[1]), found[2]) if found is not None else None


def _word_of(words: Mapping[str, Any], value: object, name: str) -> Any:
    if not isinstance(value, str) or value not in words:
        raise _fault(name, "word that this version knows")
    return words[value]


def upsert(table: str, columns: Iterable[str], key: Iterable[str], changes: Iterable[str] | None = None) -> str:
    """Return the statement that writes a row or, where its key is there, changes that one: all else of it by default."""
    names, keys = tuple(columns), tuple(key)
    changed = changes if changes is not None else (f"{name}=excluded.{name}" for name in names if name not in keys)
    return f"{insert(table, names)} ON CONFLICT ({', '.join(keys)}) DO UPDATE SET {', '.join(changed)}"


def insert(table: str, columns: Iterable[str], key: Iterable[str] = ()) -> str:
    """Return the statement that writes a row, and nothing where a row of that key is there."""
    names, keys = tuple(columns), ", ".join(key)
    sql = f"INSERT INTO {table} ({', '.join(names)}) VALUES ({','.join('?' * len(names))})"
    return f"{sql} ON CONFLICT ({keys}) DO NOTHING" if keys else sql


@cache
def _known(words: type[StrEnum]) -> Mapping[str, Any]:
    return {word.value: word for word in words}


def printable(value: object) -> str:
    """Return anything as a text, an empty one where there is nothing."""
    if value is None or (isinstance(value, str) and _is_sound(value)):
        return value or ""
    data = value if isinstance(value, bytes) else str(value).encode("utf-8", "surrogateescape")
    return data.decode("utf-8", "backslashreplace")


def _is_sound(text: str) -> bool:
    """Whether a text is UTF-8 all through: what is not comes with surrogates in it."""
    return text.isascii() or not any("\ud800" <= letter <= "\udfff" for letter in text)


_decoder_of: Callable[[Any], Decoder[Any]] = cache(Decoder)

encode = Encoder().encode
"""Return a value as JSON."""


def decode[T](kind: type[T], data: bytes) -> T:
    """Return the value of a class that JSON says; raises Undecodable."""
    try:
        value: T = _decoder_of(kind).decode(data)
        return value
    except (MsgspecError, UnicodeDecodeError, RecursionError) as fault:
        raise Undecodable(f"{kind.__name__}: {fault}") from fault


def pack(value: object) -> bytes:
    """Return a large value as a body: its JSON, deflated. That leaves a third of a notice, and a quarter of a decision."""
    deflating = _DEFLATING.copy()
    return deflating.compress(encode(value)) + deflating.flush()


def inflate(body: bytes) -> bytes:
    """Return the JSON that was deflated; raises Undecodable."""
    inflating = _INFLATING.copy()
    try:
        data = inflating.decompress(body, _MOST_INFLATED)
    except zlib.error as fault:
        raise Undecodable("body: is not as it was written") from fault
    if not inflating.eof or inflating.unused_data:
        raise Undecodable("body: is not as it was written")
    return data


def unpack[T](kind: type[T], body: bytes) -> T:
    """Return the value of a class whose deflated JSON a body is; raises Undecodable."""
    return decode(kind, inflate(body))


def tag_of(content: Notice | RecordEntry) -> str:
    """Return the tag of what a delivery tells."""
    return type(content).__name__


@lru_cache(1024)
def content_of(tag: str, body: bytes | None) -> Notice | RecordEntry:
    """Return what a delivery tells; raises Undecodable, also where that is gone. Deliveries of a turn share it."""
    if tag not in _CONTENTS:
        raise Undecodable("type: is nothing that a delivery tells")
    if body is None:
        raise Undecodable("body: what it tells is there no more")
    return unpack(_CONTENTS[tag], body)


def decision_in(body: bytes) -> RecordEntry:
    """Return what is on record of a message; raises Undecodable, also where it has a time or an outcome that is none."""
    entry = unpack(RecordEntry, body)
    for name, written in (("at", entry.at), ("suppressed_until", entry.suppressed_until)):
        try:
            if written is not None and (time := datetime.fromisoformat(written)).astimezone(UTC) != time:
                raise _fault(name, "instant")  # It has no zone, so it equals none that has one.
        except (ValueError, OverflowError) as fault:
            raise _fault(name, "instant") from fault
    if entry.outcome not in _known(Outcome):
        raise _fault("outcome", "outcome")
    return entry


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
