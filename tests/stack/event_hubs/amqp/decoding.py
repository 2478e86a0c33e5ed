"""AMQP 1.0's types read from bytes, with what is needed to pass a part on as it came.

https://docs.oasis-open.org/amqp/core/v1.0/os/amqp-core-types-v1.0-os.html
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, NamedTuple
from uuid import UUID

from tests.stack.event_hubs.amqp.refused import Malformed

_DESCRIBED, _EMPTY_LIST, _UUID = 0x00, 0x45, 0x98
_CONSTANTS = {0x40: None, 0x41: True, 0x42: False, 0x43: 0, 0x44: 0}
_NUMBERS = {
    0x50: ">B", 0x51: ">b", 0x52: ">B", 0x53: ">B", 0x54: ">b", 0x55: ">b", 0x56: ">?", 0x60: ">H", 0x61: ">h",
    0x70: ">I", 0x71: ">i", 0x72: ">f", 0x80: ">Q", 0x81: ">q", 0x82: ">d", 0x83: ">q",
}  # fmt: skip
# The upper half of a constructor says how many bytes a value has, or how many bytes tell its size.
_WIDTHS = {0x4: 0, 0x5: 1, 0x6: 2, 0x7: 4, 0x8: 8, 0x9: 16}
_SIZES = {0xA: 1, 0xB: 4, 0xC: 1, 0xD: 4, 0xE: 1, 0xF: 4}


class Described(NamedTuple):
    """A value with the descriptor that says what it stands for."""

    descriptor: Any
    value: Any


@contextmanager
def decoding(what: str) -> Iterator[None]:
    """Raises Malformed, however bytes that are not AMQP upset their reader; all functions below are called inside."""
    try:
        yield
    except (AttributeError, LookupError, TypeError, ValueError, RecursionError, struct.error) as fault:
        raise Malformed(f"{what} cannot be read: {fault}") from fault


def decode(data: bytes, at: int = 0) -> tuple[Any, int]:
    """The value at a place, and where it ends; symbols come as text."""
    constructor = data[at]
    if constructor == _DESCRIBED:
        descriptor, at = decode(data, at + 1)
        value, at = decode(data, at)
        return Described(descriptor, value), at
    start, end = _extent(constructor, data, at + 1)
    return _value(constructor, data, start, end), end


def end_of(data: bytes, at: int) -> int:
    """Where the value at a place ends."""
    if data[at] == _DESCRIBED:
        return end_of(data, end_of(data, at + 1))
    return _extent(data[at], data, at + 1)[1]


def items(data: bytes, at: int) -> list[bytes]:
    """The elements of the list at a place, still encoded; of a map, keys and values in turn."""
    constructor = data[at]
    if constructor == _EMPTY_LIST:
        return []
    start, _ = _extent(constructor, data, at + 1)
    count, at = _count(constructor, data, start)
    found = []
    for _ in range(count):
        end = end_of(data, at)
        found.append(data[at:end])
        at = end
    return found


def _extent(constructor: int, data: bytes, at: int) -> tuple[int, int]:
    """Where the content of a value lies whose constructor ends at a place."""
    half = constructor >> 4
    if half in _WIDTHS:
        start, end = at, at + _WIDTHS[half]
    else:
        start = at + _SIZES[half]
        end = start + int.from_bytes(data[at:start])
    if end > len(data):
        raise ValueError("it ends too early")
    return start, end


def _value(constructor: int, data: bytes, start: int, end: int) -> Any:
    match constructor >> 4, constructor & 0xF:
        case 0x4, _:
            return [] if constructor == _EMPTY_LIST else _CONSTANTS[constructor]
        case 0xA | 0xB, is_text:
            return data[start:end].decode() if is_text else data[start:end]
        case 0xC | 0xD, is_map:
            values = _list(constructor, data, start)
            return dict(zip(values[::2], values[1::2], strict=True)) if is_map else values
        case 0xE | 0xF, _:
            return _array(constructor, data, start)
    if constructor == _UUID:
        return UUID(bytes=data[start:end])
    form = _NUMBERS.get(constructor)
    # Decimals and single characters are left as they are: nobody here looks into them.
    return struct.unpack_from(form, data, start)[0] if form else data[start:end]


def _count(constructor: int, data: bytes, start: int) -> tuple[int, int]:
    """How many elements a list, map or array has, and where the first one lies."""
    first = start + _SIZES[constructor >> 4]
    count = int.from_bytes(data[start:first])
    if count > len(data):
        raise ValueError("it has more elements than bytes")
    return count, first


def _list(constructor: int, data: bytes, start: int) -> list[Any]:
    count, at = _count(constructor, data, start)
    found = []
    for _ in range(count):
        value, at = decode(data, at)
        found.append(value)
    return found


def _array(constructor: int, data: bytes, start: int) -> list[Any]:
    """Elements that share one constructor, which stands before the first."""
    count, at = _count(constructor, data, start)
    if not count:
        return []
    shared, end = data[at], at + 1
    found = []
    for _ in range(count):
        begin, end = _extent(shared, data, end)
        found.append(_value(shared, data, begin, end))
    return found
