"""AMQP 1.0's bytes, by the encoder of the client itself: https://docs.oasis-open.org/amqp/core/v1.0/os/

What is sent has the client's way of saying numbers and text, which is one of several; it reads them all alike.
"""

import struct
from collections.abc import Iterator
from datetime import datetime
from enum import IntEnum
from typing import Any

from azure.eventhub._pyamqp._decode import _DECODE_BY_CONSTRUCTOR
from azure.eventhub._pyamqp._encode import encode_value
from azure.eventhub._pyamqp.types import TYPE, VALUE, AMQPTypes

AMQP_HEADER, SASL_HEADER = b"AMQP\x00\x01\x00\x00", b"AMQP\x03\x01\x00\x00"
LARGEST_FRAME = 64 * 1024
"""Bytes, in both directions."""

HEAD = struct.Struct(">IBBH")
"""The size of a frame, where its body begins in words of four bytes, 1 for sign-in and 0 for the rest, and the channel."""


class Said(IntEnum):
    """What one end of a connection tells the other."""

    OPEN = 0x10
    BEGIN = 0x11
    ATTACH = 0x12
    FLOW = 0x13
    TRANSFER = 0x14
    DISPOSITION = 0x15
    DETACH = 0x16
    END = 0x17
    CLOSE = 0x18
    SASL_MECHANISMS = 0x40
    SASL_INIT = 0x41
    SASL_OUTCOME = 0x44


class Section(IntEnum):
    """A part of a message."""

    DELIVERY_ANNOTATIONS = 0x71
    ANNOTATIONS = 0x72
    PROPERTIES = 0x73
    APPLICATION_PROPERTIES = 0x74
    DATA = 0x75
    VALUE = 0x77


ERROR, ACCEPTED, REJECTED = 0x1D, 0x24, 0x25


class Refused(Exception):
    """Ends what it is raised in: a delivery is rejected, a link detached, a request answered, with this condition."""

    def __init__(self, condition: str, description: str) -> None:
        super().__init__(f"{condition}: {description}")
        self.condition, self.description = condition, description

    @property
    def error(self) -> tuple[int, list[str | None]]:
        """The refusal as a field of what is said."""
        return ERROR, [self.condition, self.description, None]


def described(code: int, value: object) -> bytes:
    """A value behind the number that says what it stands for: a performative's list of fields, or a part of a message."""
    written = bytearray((0x00, 0x53, code))
    encode_value(written, value)
    return bytes(written)


def timestamp(moment: datetime) -> dict[str, object]:
    """A moment as a value."""
    return {TYPE: AMQPTypes.timestamp, VALUE: moment}


def frame(body: bytes, channel: int = 0, kind: int = 0) -> bytes:
    """A frame around a body; an empty one is a heartbeat."""
    return HEAD.pack(HEAD.size + len(body), 2, kind, channel) + body


def sections(message: bytes | bytearray | memoryview) -> Iterator[tuple[int, Any, bytes]]:
    """The parts of a message in their order: what each is, its value with text as bytes, and the whole part as it came."""
    left = memoryview(message)
    while left:
        rest, value = _DECODE_BY_CONSTRUCTOR[left[3]](left[4:])
        yield left[2], value, bytes(left[: len(left) - len(rest)])
        left = rest


def text(value: Any) -> Any:
    """A value with text where it is bytes."""
    return value.decode(errors="replace") if isinstance(value, bytes) else value


def no_entity(path: str) -> Refused:
    """No hub, or no consumer group, has this path."""
    return Refused("amqp:not-found", f"The messaging entity '{path}' could not be found.")


def messages_in(transfer: bytes | bytearray, format: int) -> Iterator[bytes]:
    """The messages that one transfer carries, which share a partition: azure-eventhub sends a batch as data of a message."""
    if format != 0x80013700:
        yield bytes(transfer)
        return
    yield from (value for part, value, _ in sections(transfer) if part == Section.DATA)
