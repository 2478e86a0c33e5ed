"""What a client says, by name. Only the fields that somebody here looks at are read.

https://docs.oasis-open.org/amqp/core/v1.0/os/amqp-core-transport-v1.0-os.html
"""

from __future__ import annotations

import re
from typing import Any, NamedTuple, get_type_hints

from tests.stack.event_hubs.amqp.decoding import Described, decode, decoding, items
from tests.stack.event_hubs.amqp.descriptors import Performative
from tests.stack.event_hubs.amqp.encoding import NULL

EPOCH = "com.microsoft:epoch"
RUNTIME_METRIC = "com.microsoft:enable-receiver-runtime-metric"

_ATTACH_FIELDS = 14
_SOURCE_FILTER = 7
_SCHEME_AND_HOST = re.compile(r"^\w+://[^/]*")


class Open(NamedTuple):
    """Begins a connection; times in milliseconds, sizes in bytes."""

    container_id: str
    hostname: str | None = None
    max_frame_size: int | None = None
    channel_max: int | None = None
    idle_timeout: int | None = None


class Begin(NamedTuple):
    """Begins a session."""

    remote_channel: int | None
    next_outgoing_id: int
    incoming_window: int


class Attach(NamedTuple):
    """Begins a link to a node, which is a path in lower case."""

    handle: int
    receives: bool
    node: str
    selector: str | None
    epoch: int | None
    wants_metrics: bool
    delivery_count: int
    raw: list[bytes]


class Flow(NamedTuple):
    """Says how much a session, and perhaps one of its links, can take."""

    next_incoming_id: int | None
    incoming_window: int
    next_outgoing_id: int
    outgoing_window: int
    handle: int | None = None
    delivery_count: int | None = None
    link_credit: int | None = None


class Transfer(NamedTuple):
    """Carries a message, or a part of it; parts after the first may leave out what the first one said."""

    handle: int
    delivery_id: int | None = None
    delivery_tag: bytes | None = None
    message_format: int | None = None
    settled: bool | None = None
    more: bool | None = None


class Disposition(NamedTuple):
    """Says what became of deliveries: of no interest, since everything is sent settled."""


class Detach(NamedTuple):
    """Ends a link."""

    handle: int
    closed: bool | None = None


class End(NamedTuple):
    """Ends a session."""


class Close(NamedTuple):
    """Ends the connection."""


class SaslInit(NamedTuple):
    """Chooses how to sign in: what counts are the tokens that follow."""


type Said = Open | Begin | Attach | Flow | Transfer | Disposition | Detach | End | Close | SaslInit

_BY_PLACE: dict[int, type[Any]] = {
    Performative.OPEN: Open,
    Performative.BEGIN: Begin,
    Performative.FLOW: Flow,
    Performative.TRANSFER: Transfer,
    Performative.DISPOSITION: Disposition,
    Performative.DETACH: Detach,
    Performative.END: End,
    Performative.CLOSE: Close,
    Performative.SASL_INIT: SaslInit,
}


# What passes fields on as they came is not looked into.
_TYPES = {
    kind: [type for name, type in get_type_hints(kind).items() if name != "raw"]
    for kind in (*_BY_PLACE.values(), Attach)
}


def read(body: bytes) -> tuple[Said, bytes]:
    """What a frame's body says, and the payload behind it; raises Malformed."""
    with decoding("a performative"):
        code, at = decode(body, 1)
        fields, end = decode(body, at)
        if code == Performative.ATTACH:
            said = _attach(fields + [None] * (_ATTACH_FIELDS - len(fields)), items(body, at))
        else:
            kind = _BY_PLACE[code]
            said = kind(*fields[: len(kind._fields)])
        for field, type in zip(said, _TYPES[said.__class__], strict=False):
            if not isinstance(field, type):
                raise TypeError(f"{field!r} has another type")
    return said, body[end:]


def path_in(address: str) -> str:
    """The path of an address, in lower case, since names of entities are the same in any case."""
    return _SCHEME_AND_HOST.sub("", address).strip("/").lower()


def _attach(fields: list[Any], raw: list[bytes]) -> Attach:
    receives = bool(fields[2])
    terminus = fields[5 if receives else 6]
    return Attach(
        handle=fields[1],
        receives=receives,
        node=path_in(terminus.value[0] or ""),
        selector=_selector(terminus.value) if receives else None,
        epoch=(fields[13] or {}).get(EPOCH),
        wants_metrics=RUNTIME_METRIC in _several(fields[12]),
        delivery_count=fields[9] or 0,
        raw=raw + [NULL] * (_ATTACH_FIELDS - len(raw)),
    )


def _selector(source: list[Any]) -> str | None:
    """The text of a source's filter."""
    filters = source[_SOURCE_FILTER] if len(source) > _SOURCE_FILTER else None
    for filter in (filters or {}).values():
        return str(filter.value if isinstance(filter, Described) else filter)
    return None


def _several(field: Any) -> list[Any]:
    """A field that may hold none, one, or an array."""
    return [] if field is None else field if isinstance(field, list) else [field]
