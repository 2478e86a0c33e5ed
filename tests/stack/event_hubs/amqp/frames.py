"""A connection's bytes as frames, and frames as bytes.

https://docs.oasis-open.org/amqp/core/v1.0/os/amqp-core-transport-v1.0-os.html
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from enum import IntEnum
from typing import NamedTuple

from tests.stack.event_hubs.amqp.refused import Refused

LARGEST_FRAME = 64 * 1024  # bytes, in both directions
SMALLEST_FRAME = 512  # bytes, which everybody has to be able to take

AMQP_HEADER, SASL_HEADER = b"AMQP\x00\x01\x00\x00", b"AMQP\x03\x01\x00\x00"
_HEAD = struct.Struct(">IBBH")


class Kind(IntEnum):
    """What a frame's body belongs to; a protocol header is as long as a frame's head and has none."""

    AMQP = 0
    SASL = 1
    HEADER = 0x100


class Frame(NamedTuple):
    """One frame: an empty body is a heartbeat."""

    kind: int
    channel: int
    body: bytes


def frame(body: bytes, channel: int = 0, kind: Kind = Kind.AMQP) -> bytes:
    """A frame around a body."""
    return _HEAD.pack(_HEAD.size + len(body), 2, kind, channel) + body


class FrameReader:
    """Gives frames as soon as their last byte is there."""

    def __init__(self) -> None:
        self._buffer = bytearray()

    def feed(self, data: bytes) -> Iterator[Frame]:
        """The frames that these bytes complete; raises Refused for what is no frame."""
        self._buffer += data
        while len(self._buffer) >= _HEAD.size:
            if self._buffer.startswith(b"AMQP"):
                yield Frame(Kind.HEADER, 0, self._take(_HEAD.size))
                continue
            size, offset, kind, channel = _HEAD.unpack_from(self._buffer)
            if not _HEAD.size <= offset * 4 <= size <= LARGEST_FRAME:
                raise Refused("amqp:connection:framing-error", f"A frame of {size} bytes is not possible here.")
            if len(self._buffer) < size:
                return
            yield Frame(kind, channel, self._take(size)[offset * 4 :])

    def _take(self, size: int) -> bytes:
        taken = bytes(self._buffer[:size])
        del self._buffer[:size]
        return taken
