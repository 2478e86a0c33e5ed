"""The nodes that are asked by messages: `$cbs` takes tokens, `$management` tells about hubs and partitions.

https://learn.microsoft.com/en-us/azure/event-hubs/event-hubs-amqp-protocol-guide
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Self

from tests.stack.event_hubs.amqp.decoding import decode, decoding, items
from tests.stack.event_hubs.amqp.descriptors import Section
from tests.stack.event_hubs.amqp.encoding import (
    NULL,
    boolean,
    composite,
    described,
    integer,
    long,
    mapping,
    string,
    strings,
    symbol,
    timestamp,
)
from tests.stack.event_hubs.amqp.refused import Malformed, Refused
from tests.stack.event_hubs.claims import Claims
from tests.stack.event_hubs.clock import NEVER, millis
from tests.stack.event_hubs.events import parts
from tests.stack.event_hubs.namespace import Namespace

CBS, MANAGEMENT = "$cbs", "$management"

_SIGNATURE = "servicebus.windows.net:sastoken"
_HUB, _PARTITION = "com.microsoft:eventhub", "com.microsoft:partition"
_HOUR = 3600.0
_STATUSES = {"amqp:unauthorized-access": 401, "amqp:not-found": 404}


@dataclass(frozen=True, slots=True)
class Request:
    """A question: its id as it is to be sent back, and what it holds."""

    id: bytes
    properties: Mapping[str, Any]
    body: Any

    @classmethod
    def read(cls, message: bytes) -> Self:
        """The question that a message asks; raises Malformed."""
        id, properties, body = NULL, dict[str, Any](), None
        with decoding("a request"):
            for part in parts(message):
                if part.section == Section.PROPERTIES:
                    id = next(iter(items(message, part.value)), NULL)
                elif part.section == Section.APPLICATION_PROPERTIES:
                    properties = dict(decode(message, part.value)[0])
                elif part.section == Section.VALUE:
                    body = decode(message, part.value)[0]
        return cls(id, properties, body)

    def text(self, name: str) -> str:
        """A property that has to be there; raises Malformed."""
        if name not in self.properties:
            raise Malformed(f"a request without {name} cannot be answered")
        value = self.properties[name]
        return value.decode(errors="replace") if isinstance(value, bytes) else str(value)


type Answer = tuple[int, bytes]
"""A status as HTTP has it, and an encoded value."""


def answered(message: bytes, ask: Callable[[Request], Answer]) -> bytes:
    """The message that answers the question in a message, whether or not it is refused; raises Malformed if there is none."""
    request = Request.read(message)
    try:
        status, value = ask(request)
    except Refused as refusal:
        status = _STATUSES.get(refusal.condition, 400)
        return _message(request, status, refusal.description, NULL, refusal.condition)
    return _message(request, status, "OK", value)


def _message(request: Request, status: int, description: str, value: bytes, condition: str | None = None) -> bytes:
    nothing = [NULL] * 5
    about = [string("status-code"), integer(status), string("status-description"), string(description)]
    if condition is not None:
        about += [string("error-condition"), symbol(condition)]
    return (
        composite(Section.PROPERTIES, *nothing, request.id, *nothing, NULL, NULL)
        + described(Section.APPLICATION_PROPERTIES, mapping(*about))
        + described(Section.VALUE, value)
    )


def put_token(request: Request, claims: Claims) -> Answer:
    """Takes a token; a JWT is taken at its word, since there is nobody here who could have issued it."""
    token = request.body.decode(errors="replace") if isinstance(request.body, bytes) else str(request.body)
    if request.text("type") == _SIGNATURE:
        claims.put_signature(request.text("name"), token)
    else:
        claims.put_unchecked(request.text("name"), _HOUR)
    return 202, NULL


def describe(request: Request, namespace: Namespace, claims: Claims) -> Answer:
    """Tells about a hub or a partition."""
    name, kind = request.text("name"), request.text("type")
    claims.require(name)
    hub = namespace.hub(name)
    about = [string("name"), string(hub.name), string("type"), string(kind)]
    if kind == _HUB:
        ids = [str(id) for id in range(len(hub.partitions))]
        return 200, mapping(
            *about,
            string("created_at"), timestamp(millis(hub.created)),
            string("partition_count"), integer(len(ids)),
            string("partition_ids"), strings(ids),
        )  # fmt: skip
    if kind != _PARTITION:
        raise Malformed(f"nothing is known about {kind}")
    partition = hub.partition(request.text("partition"))
    partition.asked += 1
    return 200, mapping(
        *about,
        string("partition"), string(request.text("partition")),
        string("begin_sequence_number"), long(partition.begin),
        string("last_enqueued_sequence_number"), long(partition.last_sequence),
        string("last_enqueued_offset"), string(str(partition.last_offset)),
        string("last_enqueued_time_utc"), timestamp(partition.last.enqueued if partition.last else NEVER),
        string("is_partition_empty"), boolean(not partition.events),
    )  # fmt: skip
