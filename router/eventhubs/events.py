"""An event as the client gives it becomes an Event, with its whole body and the trace that came with it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import UTC
from typing import TYPE_CHECKING, Any, cast

import orjson

from router.domain.errors import HubError
from router.domain.hubs import Event, find_ids

if TYPE_CHECKING:
    from azure.eventhub import EventData
    from azure.eventhub.amqp import AmqpAnnotatedMessage

_NAMES = ("traceparent", "Diagnostic-Id")
"""The application properties that carry it; Azure's older clients write the second."""


def event_of(data: EventData) -> Event:
    """An event as the client received it; raises HubError for one without a number or a time, which no hub sends."""
    if data.sequence_number is None or data.enqueued_time is None:
        raise HubError("an event without a sequence number or an enqueued time")
    return Event(
        sequence=data.sequence_number,
        enqueued=data.enqueued_time.astimezone(UTC),
        body=body_of(data.raw_amqp_message),
        trace=trace_of(cast("Mapping[object, object] | None", data.properties)),
    )


def body_of(message: AmqpAnnotatedMessage) -> bytes:
    """The whole body, of whichever of AMQP's kinds it is; what is neither bytes nor text comes as JSON."""
    from azure.eventhub.amqp import AmqpMessageBodyType

    if message.body_type == AmqpMessageBodyType.DATA:
        return b"".join(cast("Iterable[bytes]", message.body))
    if message.body_type == AmqpMessageBodyType.SEQUENCE:
        sections = list(cast("Iterable[list[Any]]", message.body))
        return _json(sections[0] if len(sections) == 1 else sections)
    value: object = message.body
    if value is None:
        return b""
    if isinstance(value, bytes):
        return value
    return value.encode("utf-8", "replace") if isinstance(value, str) else _json(value)


def _json(value: object) -> bytes:
    try:
        return orjson.dumps(_texts(value), option=orjson.OPT_NON_STR_KEYS, default=str)
    except (TypeError, RecursionError):
        return str(value).encode("utf-8", "replace")


def _texts(value: object) -> object:
    """The value with text where AMQP's strings came as bytes."""
    if isinstance(value, bytes):
        return _text(value)
    if isinstance(value, Mapping):
        return {_texts(key): _texts(inner) for key, inner in value.items()}
    if isinstance(value, list | tuple):
        return [_texts(inner) for inner in value]
    return value


def trace_of(properties: Mapping[object, object] | None) -> str | None:
    """The W3C traceparent among an event's application properties, whose names and values may be bytes; None for none."""
    texts = {_text(name): _text(value) for name, value in (properties or {}).items()}
    found = (texts.get(name, "") for name in _NAMES)
    return next((text for text in found if find_ids(text) is not None), None)


def _text(value: object) -> str:
    if isinstance(value, bytes):
        return value.decode("utf-8", "replace")
    return value if isinstance(value, str) else ""
