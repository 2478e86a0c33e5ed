"""From what a publisher sends to what a reader is given: the hub adds its own annotations and leaves the rest as it is.

https://docs.oasis-open.org/amqp/core/v1.0/os/amqp-core-messaging-v1.0-os.html
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, NamedTuple, Self

from tests.stack.event_hubs.amqp.decoding import decode, decoding, end_of, items
from tests.stack.event_hubs.amqp.descriptors import Section
from tests.stack.event_hubs.amqp.encoding import binary, described, long, mapping, string, symbol, timestamp

BATCH = 0x80013700
"""The format of a message whose data sections are messages; azure-eventhub sends every batch so."""

_KEY = "x-opt-partition-key"
_RESERVED = "x-opt-"


class Part(NamedTuple):
    """A section of an encoded message: where it begins, where its value begins, and where both end."""

    section: int
    at: int
    value: int
    end: int


def parts(message: bytes) -> Iterator[Part]:
    """The sections of a message in their order. To be called while `reading`."""
    at = 0
    while at < len(message):
        section, value = decode(message, at + 1)
        end = end_of(message, value)
        yield Part(section, at, value, end)
        at = end


@dataclass(frozen=True, slots=True)
class Message:
    """A message taken apart where the hub's annotations go in; `annotations` are the publisher's own, encoded."""

    header: bytes
    annotations: tuple[bytes, ...]
    rest: bytes
    key: str | None

    @classmethod
    def holding(cls, body: bytes) -> Self:
        """A message of nothing but a body."""
        return cls(b"", (), described(Section.DATA, binary(body)), None)

    @classmethod
    def read(cls, data: bytes, key: str | None = None) -> Self:
        """A message as it was sent; `key` is that of the batch it came in."""
        header, annotations, rest = b"", list[bytes](), list[bytes]()
        for section, at, value, end in parts(data):
            if section == Section.HEADER:
                header = data[at:end]
            elif section == Section.MESSAGE_ANNOTATIONS:
                key = _key_in(data, value) or key
                annotations = _own(items(data, value))
            elif section != Section.DELIVERY_ANNOTATIONS:  # meant for this hop only
                rest.append(data[at:end])
        return cls(header, tuple(annotations), b"".join(rest), key)


@dataclass(frozen=True, slots=True)
class Event:
    """A message in its place in a partition; `enqueued` is in milliseconds since 1970."""

    sequence: int
    offset: int
    enqueued: int
    header: bytes
    rest: bytes

    @classmethod
    def of(cls, message: Message, sequence: int, offset: int, enqueued: int) -> Self:
        """A message that is given its place."""
        annotations = mapping(
            symbol("x-opt-sequence-number"), long(sequence),
            symbol("x-opt-offset"), string(str(offset)),
            symbol("x-opt-enqueued-time"), timestamp(enqueued),
            *((symbol(_KEY), string(message.key)) if message.key is not None else ()),
            *message.annotations,
        )  # fmt: skip
        annotated = described(Section.MESSAGE_ANNOTATIONS, annotations) + message.rest
        return cls(sequence, offset, enqueued, message.header, annotated)

    def delivery(self, about_delivery: bytes = b"") -> bytes:
        """The event as a reader gets it, with annotations of this one delivery, if any."""
        return self.header + about_delivery + self.rest

    @property
    def size(self) -> int:
        """The bytes that it takes in the log."""
        return len(self.header) + len(self.rest)

    @property
    def body(self) -> bytes:
        """The data that was published."""
        return b"".join(decode(self.rest, part.value)[0] for part in parts(self.rest) if part.section == Section.DATA)

    @property
    def properties(self) -> dict[str, Any]:
        """The publisher's own properties of it, text where AMQP has bytes."""
        found = (
            decode(self.rest, one.value)[0] for one in parts(self.rest) if one.section == Section.APPLICATION_PROPERTIES
        )
        return {_text(key): _text(value) for key, value in next(found, {}).items()}


def _text(value: Any) -> Any:
    return value.decode(errors="replace") if isinstance(value, bytes) else value


def published(data: bytes, format: int) -> list[Message]:
    """The messages that one transfer carries, which share a partition; raises Malformed."""
    with decoding("a message"):
        if format != BATCH:
            return [Message.read(data)]
        envelope = list(parts(data))
        keys = (_key_in(data, part.value) for part in envelope if part.section == Section.MESSAGE_ANNOTATIONS)
        key = next(keys, None)
        inner = (decode(data, part.value)[0] for part in envelope if part.section == Section.DATA)
        return [Message.read(message, key) for message in inner]


def _key_in(data: bytes, at: int) -> str | None:
    """The partition key among the annotations at a place, which clients write as text or as bytes."""
    key = decode(data, at)[0].get(_KEY)
    return key.decode() if isinstance(key, bytes) else None if key is None else str(key)


def _own(annotations: list[bytes]) -> list[bytes]:
    """The keys and values that the hub does not set itself."""
    pairs = zip(annotations[::2], annotations[1::2], strict=True)
    return [part for key, value in pairs if not str(decode(key)[0]).startswith(_RESERVED) for part in (key, value)]
