"""What the service says: each function gives one performative, encoded, with every field in its place."""

from __future__ import annotations

from collections.abc import Sequence

from tests.stack.event_hubs.amqp.descriptors import ACCEPTED, ERROR, REJECTED, Performative
from tests.stack.event_hubs.amqp.encoding import (
    FALSE,
    NULL,
    TRUE,
    binary,
    boolean,
    composite,
    mapping,
    string,
    symbol,
    symbols,
    ubyte,
    uint,
    ulong,
    ushort,
)
from tests.stack.event_hubs.amqp.incoming import Attach
from tests.stack.event_hubs.amqp.refused import Refused

WINDOW = 0x7FFFFFFF  # transfers: sessions are never held back, links are
_HANDLES, _CHANNELS = 255, 1023
_SETTLED = 1
_PRODUCT = "loopback-event-hubs"


def sasl_mechanisms() -> bytes:
    """The ways to sign in."""
    return composite(Performative.SASL_MECHANISMS, symbols(["ANONYMOUS", "EXTERNAL", "MSSBCBS"]))


def sasl_outcome() -> bytes:
    """Signing in has worked."""
    return composite(Performative.SASL_OUTCOME, ubyte(0), NULL)


def open(largest_frame: int) -> bytes:
    """The connection stands."""
    properties = mapping(symbol("product"), string(_PRODUCT))
    nothing = [NULL] * 5
    return composite(
        Performative.OPEN,
        string(_PRODUCT), NULL, uint(largest_frame), ushort(_CHANNELS), *nothing, properties,
    )  # fmt: skip


def begin(channel: int) -> bytes:
    """The session stands."""
    windows = uint(WINDOW), uint(WINDOW)
    return composite(Performative.BEGIN, ushort(channel), uint(0), *windows, uint(_HANDLES), NULL, NULL, NULL)


def attach(asked: Attach, limit: int) -> bytes:
    """The link stands, as it was asked for; messages have at most so many bytes."""
    return _attach(asked, asked.raw[5], asked.raw[6], limit)


def attach_nowhere(asked: Attach, limit: int) -> bytes:
    """The link comes about with no node at its ends, so that it can be detached with the reason."""
    return _attach(asked, NULL, NULL, limit)


def _attach(asked: Attach, source: bytes, target: bytes, limit: int) -> bytes:
    name, settle_mode = asked.raw[0], asked.raw[4]
    sends = ubyte(_SETTLED) if asked.receives else asked.raw[3]
    count = uint(0) if asked.receives else NULL
    return composite(
        Performative.ATTACH,
        name, uint(asked.handle), boolean(not asked.receives), sends, settle_mode, source, target,
        NULL, FALSE, count, ulong(limit), NULL, NULL, mapping(),
    )  # fmt: skip


def flow(next_incoming_id: int, next_outgoing_id: int, handle: int, delivery_count: int, credit: int) -> bytes:
    """The client may send so many messages on a link."""
    windows = uint(next_incoming_id), uint(WINDOW), uint(next_outgoing_id), uint(WINDOW)
    link = uint(handle), uint(delivery_count), uint(credit)
    return composite(Performative.FLOW, *windows, *link, NULL, FALSE, FALSE, NULL)


def transfer(handle: int, delivery_id: int, tag: bytes, *, more: bool) -> bytes:
    """Carries a message, settled, or a part of it and more to follow; the payload comes after it."""
    nothing: Sequence[bytes] = (NULL, NULL, NULL, NULL, NULL)
    return composite(
        Performative.TRANSFER, uint(handle), uint(delivery_id), binary(tag), uint(0), TRUE, boolean(more), *nothing
    )


def accepted(delivery_id: int) -> bytes:
    """A delivery was taken."""
    return _disposition(delivery_id, composite(ACCEPTED))


def rejected(delivery_id: int, refusal: Refused) -> bytes:
    """A delivery was not taken."""
    return _disposition(delivery_id, composite(REJECTED, _error(refusal)))


def _disposition(delivery_id: int, outcome: bytes) -> bytes:
    return composite(Performative.DISPOSITION, TRUE, uint(delivery_id), uint(delivery_id), TRUE, outcome, NULL)


def detach(handle: int, refusal: Refused | None = None, *, closed: bool = True) -> bytes:
    """The link is over."""
    return composite(Performative.DETACH, uint(handle), boolean(closed), _error(refusal))


def end() -> bytes:
    """The session is over."""
    return composite(Performative.END, NULL)


def close(refusal: Refused | None = None) -> bytes:
    """The connection is over."""
    return composite(Performative.CLOSE, _error(refusal))


def _error(refusal: Refused | None) -> bytes:
    if refusal is None:
        return NULL
    return composite(ERROR, symbol(refusal.condition), string(refusal.description), NULL)
