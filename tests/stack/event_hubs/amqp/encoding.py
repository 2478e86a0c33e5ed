"""AMQP 1.0's types as bytes: each function gives the encoding of one value.

https://docs.oasis-open.org/amqp/core/v1.0/os/amqp-core-types-v1.0-os.html
"""

from __future__ import annotations

import struct
from collections.abc import Sequence

NULL, TRUE, FALSE = b"\x40", b"\x41", b"\x42"


def boolean(value: bool) -> bytes:
    """A boolean."""
    return TRUE if value else FALSE


def ubyte(value: int) -> bytes:
    """A number of 8 bits."""
    return struct.pack(">BB", 0x50, value)


def ushort(value: int) -> bytes:
    """A number of 16 bits."""
    return struct.pack(">BH", 0x60, value)


def uint(value: int) -> bytes:
    """A number of 32 bits."""
    return struct.pack(">BI", 0x70, value)


def ulong(value: int) -> bytes:
    """A number of 64 bits."""
    return struct.pack(">BQ", 0x80, value)


def integer(value: int) -> bytes:
    """A signed number of 32 bits."""
    return struct.pack(">Bi", 0x71, value)


def long(value: int) -> bytes:
    """A signed number of 64 bits."""
    return struct.pack(">Bq", 0x81, value)


def timestamp(value: int) -> bytes:
    """An instant, in milliseconds since 1970."""
    return struct.pack(">Bq", 0x83, value)


def binary(value: bytes) -> bytes:
    """Bytes as they are."""
    return _variable(0xA0, value)


def string(value: str) -> bytes:
    """Text."""
    return _variable(0xA1, value.encode())


def symbol(value: str) -> bytes:
    """A name out of a fixed set."""
    return _variable(0xA3, value.encode())


def strings(values: Sequence[str]) -> bytes:
    """An array of text."""
    return _array(0xB1, values)


def symbols(values: Sequence[str]) -> bytes:
    """An array of names."""
    return _array(0xB3, values)


def mapping(*items: bytes) -> bytes:
    """A map of encoded keys and values in turn."""
    content = b"".join(items)
    return struct.pack(">BII", 0xD1, len(content) + 4, len(items)) + content


def described(code: int, value: bytes) -> bytes:
    """An encoded value behind the number that says what it stands for."""
    return bytes((0x00, 0x53, code)) + value


def composite(code: int, *fields: bytes) -> bytes:
    """A described list of encoded fields.

    Every field is to be given, null or not: pyamqp 5.15.1 looks for fields by place and never at how many there are.
    """
    content = b"".join(fields)
    return described(code, struct.pack(">BII", 0xD0, len(content) + 4, len(fields)) + content)


def _variable(code: int, content: bytes) -> bytes:
    """Content behind its size in the short form, where that is enough; the long form's code is 16 higher."""
    if len(content) < 256:
        return bytes((code, len(content))) + content
    return struct.pack(">BI", code + 0x10, len(content)) + content


def _array(code: int, values: Sequence[str]) -> bytes:
    elements = [value.encode() for value in values]
    content = b"".join(struct.pack(">I", len(element)) + element for element in elements)
    return struct.pack(">BIIB", 0xF0, len(content) + 5, len(elements), code) + content
