"""Where deliveries lie in the table, and how pointers in queues say so.

A partition holds one shard of one destination, `{stream}.{destination}.{shard}`, with five kinds of rows:

    s:{signal}:{turn}            the delivery itself, in every state
    t:{due}:{signal}:{turn}      while it is owed or claimed: when it falls due, and the end of its lease
    b:{born}:{signal}:{turn}     while it is owed or claimed: since when
    x:{died}:{signal}:{turn}     while it is dead
    r:{reference}:{signal}:{turn} once it was sent: what the vendor calls what it made of it

All of a delivery lies in one partition, so each change of it is one transaction, and neither what is due nor what is oldest
is looked for in what is over.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

import orjson

from router.domain.deliveries import Delivery, Pointer
from router.domain.errors import Undecodable
from router.domain.rulebook import Lane
from router.store.azure.shards import SHARDS, escaped, named, shard_of, sorting
from router.store.row_reader import time_of

_SIGNAL = re.compile(r"[0-9a-f]{32}")
_MOST_TURNS = 1_000_000

_LONGEST_REFERENCE = 300
"""Characters of a reference, as it is escaped, that stand in a row key."""

_FIRST, _BEYOND = ":", ";"
"""What stands between the parts of a row key, and the character after that."""


class RowKind(StrEnum):
    """The kinds of rows; all but the first and the last are found by an instant."""

    DELIVERY = "s"
    DUE = "t"
    BORN = "b"
    DEAD = "x"
    REFERENCE = "r"


@dataclass(frozen=True, slots=True)
class Shard:
    """One partition: a shard of a destination."""

    stream: str
    destination: str
    number: int

    @property
    def partition(self) -> str:
        """The partition key."""
        return f"{self.stream}.{self.destination}.{self.number}"


@dataclass(frozen=True, slots=True)
class Location:
    """Where one delivery lies: its shard, its signal there as row keys have it, and its turn."""

    shard: Shard
    signal: str
    turn: int

    @property
    def key(self) -> tuple[str, str]:
        """Partition key and row key of the delivery itself."""
        return self.shard.partition, f"{RowKind.DELIVERY}:{self.signal}:{self.turn:06d}"

    def row_in(self, index: RowKind, time: datetime) -> str:
        """Row key under which the delivery is found by an instant."""
        return f"{index}:{sorting(time)}:{self.signal}:{self.turn:06d}"

    def row_by(self, reference: str) -> str:
        """Row key under which the delivery is found by its receipt's reference."""
        return f"{span_of_reference(reference)[0]}{self.signal}:{self.turn:06d}"

    @property
    def span(self) -> tuple[str, str]:
        """The range of row keys in which all deliveries of its signal lie."""
        return span_of_signal(self.signal)


def shards_of(stream: str, destination: str) -> list[Shard]:
    """Every shard of a destination."""
    return [Shard(stream, destination, number) for number in range(SHARDS)]


def location_of(delivery: Delivery) -> Location:
    """Where a delivery lies."""
    shard = Shard(delivery.stream, delivery.destination, shard_of(delivery.key))
    return Location(shard, named(delivery.key), delivery.turn)


def location_in(shard: Shard, row: str) -> Location:
    """The location whose delivery has that row key; raises Undecodable."""
    _, signal, turn = _parts(row, 3)
    return Location(shard, signal, int(turn))


def indexed(shard: Shard, row: str) -> tuple[datetime, Location]:
    """The instant and the location that the key of an index row names; raises Undecodable."""
    _, digits, signal, turn = _parts(row, 4)
    return time_of(digits, "RowKey"), Location(shard, signal, int(turn))


def _parts(row: str, many: int) -> list[str]:
    parts = row.split(":")
    if len(parts) != many or not parts[-1].isdecimal() or not _SIGNAL.fullmatch(parts[-2]):
        raise Undecodable("RowKey: names no delivery")
    return parts


def span_of(kind: RowKind, last: datetime | None = None, after: datetime | None = None) -> tuple[str, str]:
    """The range of the rows of a kind, or of those whose instant is at most that, and later than another."""
    low = f"{kind}{_FIRST}{sorting(after)}{_BEYOND}" if after is not None else f"{kind}{_FIRST}"
    return low, f"{kind}{_FIRST}{sorting(last)}{_BEYOND}" if last is not None else f"{kind}{_BEYOND}"


def span_of_signal(signal: str) -> tuple[str, str]:
    """The range of the deliveries of a signal in its shard."""
    return f"{RowKind.DELIVERY}:{signal}{_FIRST}", f"{RowKind.DELIVERY}:{signal}{_BEYOND}"


def span_of_reference(reference: str) -> tuple[str, str]:
    """The range of the deliveries of a shard whose receipt has a reference."""
    start = f"{RowKind.REFERENCE}{_FIRST}{escaped(reference)[:_LONGEST_REFERENCE]}"
    return f"{start}{_FIRST}", f"{start}{_BEYOND}"


def referred(shard: Shard, row: str) -> Location:
    """The location that the key of a row by reference names; raises Undecodable."""
    _, _, signal, turn = _parts(row, 4)
    return Location(shard, signal, int(turn))


def text_to(location: Location) -> str:
    """The message that points at one delivery."""
    shard = location.shard
    return _text({"d": shard.destination, "s": shard.number, "k": location.signal, "t": location.turn})


def text_to_all(shard: Shard) -> str:
    """The message that points at whatever is due in a shard."""
    return _text({"d": shard.destination, "s": shard.number})


def _text(message: dict[str, str | int]) -> str:
    return orjson.dumps(message).decode("ascii")


def find_pointer(stream: str, lane: Lane, text: str) -> Pointer | None:
    """The pointer that a message holds; None where it is none of ours."""
    try:
        message = orjson.loads(text)
    except orjson.JSONDecodeError:
        return None
    match message:
        case {"d": str(destination), "s": int(shard), **rest} if not isinstance(shard, bool) and 0 <= shard < SHARDS:
            location = _location_in(lane, shard, rest)
            return Pointer(stream, lane, destination, location) if location is not None and destination else None
    return None


def _location_in(lane: Lane, shard: int, rest: Mapping[object, object]) -> str | None:
    match rest:
        case {} if not rest and lane is Lane.ROWS:
            return str(shard)
        case {"k": str(signal), "t": int(turn), **more} if not more and lane is not Lane.ROWS:
            is_place = _SIGNAL.fullmatch(signal) and not isinstance(turn, bool) and 0 <= turn < _MOST_TURNS
            return f"{shard}:{signal}:{turn}" if is_place else None
    return None


def location_at(pointer: Pointer) -> Location | Shard | None:
    """What a pointer points at: a delivery, or in the rows lane a shard; None for its whole destination."""
    if pointer.location is None:
        return None
    number, *rest = pointer.location.split(":")
    shard = Shard(pointer.stream, pointer.destination, int(number))
    return Location(shard, rest[0], int(rest[1])) if rest else shard


def text_of(pointer: Pointer) -> str | None:
    """The message that holds a pointer; None for one to a whole destination, which no queue holds."""
    match location_at(pointer):
        case Location() as location:
            return text_to(location)
        case Shard() as shard:
            return text_to_all(shard)
        case None:
            return None
