"""What a trigger hands to its function, in the form in which the Functions host sends it.

Taken from the host's sources (`GrpcMessageConversionExtensions.cs`), the triggers' (`EventHubTriggerBindingStrategy.cs`,
`QueueTriggerBinding.cs`), and from what a real app logged. Of note: times of events carry no zone, so that
`EventHubEvent.enqueued_time` is naive, and arrays of text leave out what is empty.
"""

from __future__ import annotations

import json
import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from azure.eventhub import EventData
from azure.eventhub.aio import PartitionContext

from tests.stack.azurite import QueueMessage
from tests.stack.functions_host.functions import Function
from tests.stack.functions_worker.protocol import protocol


@dataclass(frozen=True, slots=True)
class Call:
    """What a function is called with; `source` and `events` say where it came from and how much it is."""

    data: Any
    metadata: Mapping[str, Any]
    source: str
    events: int = 1


def events_call(function: Function, partition: PartitionContext, events: Sequence[EventData]) -> Call:
    """A batch of one partition, for a function that takes many events."""
    bodies = [_body(event) for event in events]
    times = [_without_zone(event.enqueued_time) for event in events if event.enqueued_time is not None]
    context = {
        "FullyQualifiedNamespace": partition.fully_qualified_namespace,
        "EventHubName": partition.eventhub_name,
        "ConsumerGroup": partition.consumer_group,
        "PartitionId": partition.partition_id,
    }
    metadata = {
        "PartitionContext": _json(context),
        "PartitionKeyArray": _texts([_partition_key(event) or "" for event in events]),
        "OffsetArray": _texts([str(_offset(event)) for event in events]),
        "OffsetStringArray": _texts([event.offset or "" for event in events]),
        "SequenceNumberArray": _numbers([event.sequence_number or 0 for event in events]),
        "EnqueuedTimeUtcArray": _json(times),
        "PropertiesArray": _json([_plain(event.properties) for event in events]),
        "SystemPropertiesArray": _json([_system_properties(event) for event in events]),
        "sys": _sys(function),
    }
    source = f"{partition.eventhub_name}/{partition.partition_id}"
    return Call(_bodies(function, bodies), metadata, source, len(events))


def message_call(function: Function, message: QueueMessage, body: bytes, source: str) -> Call:
    """One message of a queue."""
    typed = protocol().TypedData
    data = typed(bytes=body) if _is_binary(function) else typed(string=body.decode(errors="replace"))
    metadata = {
        "QueueTrigger": typed(string=body.decode(errors="replace")),
        "DequeueCount": _json(message.dequeued),
        "ExpirationTime": _json(_with_zone(message.expires)),
        "Id": typed(string=message.id),
        "InsertionTime": _json(_with_zone(message.inserted)),
        "NextVisibleTime": _json(_with_zone(message.visible)),
        "PopReceipt": typed(string=message.receipt),
        "sys": _sys(function),
    }
    return Call(data, metadata, source)


def timer_call(function: Function, now: datetime) -> Call:
    """A timer that fires on time."""
    status = {"Last": now - timedelta(minutes=1), "LastUpdated": now - timedelta(minutes=1), "Next": now}
    timer = {
        "Schedule": {"AdjustForDST": True},
        "ScheduleStatus": {key: _with_zone(value) for key, value in status.items()},
        "IsPastDue": False,
    }
    return Call(_json(timer), {"sys": _sys(function)}, "timer")


def _body(event: EventData) -> bytes:
    parts: Any = event.body
    return b"".join(parts)


def _bodies(function: Function, bodies: Sequence[bytes]) -> Any:
    if _is_binary(function):
        return protocol().TypedData(collection_bytes=protocol().CollectionBytes(bytes=bodies))
    return _texts([body.decode(errors="replace") for body in bodies])


def _system_properties(event: EventData) -> dict[str, Any]:
    annotations = {
        key: value if isinstance(value, int | str) else None
        for key, value in _plain(event.system_properties).items()
        if key.startswith("x-opt-")
    }
    if event.enqueued_time is not None:
        annotations["x-opt-enqueued-time"] = _with_zone(event.enqueued_time)
    return annotations | {
        "SequenceNumber": event.sequence_number,
        "Offset": _offset(event),
        "OffsetString": event.offset,
        "PartitionKey": _partition_key(event),
        "EnqueuedTimeUtc": None if event.enqueued_time is None else _without_zone(event.enqueued_time),
    }


def _offset(event: EventData) -> int:
    """The offset as a number; -1 where it is none, as in a geo-replicated namespace."""
    return int(event.offset) if event.offset is not None and event.offset.isdecimal() else -1


def _partition_key(event: EventData) -> str | None:
    key: object = event.partition_key
    return key.decode() if isinstance(key, bytes) else None if key is None else str(key)


def _plain(properties: Mapping[Any, Any] | None) -> dict[str, Any]:
    """Properties with text where AMQP has bytes."""

    def text(value: Any) -> Any:
        return value.decode(errors="replace") if isinstance(value, bytes) else value

    return {text(key): text(value) for key, value in (properties or {}).items()}


def _is_binary(function: Function) -> bool:
    return str(function.trigger.get("dataType", "")).lower() == "binary"


def _without_zone(moment: datetime) -> str:
    """A DateTime of unspecified kind, as Newtonsoft writes it: no zone, no zeros at the end."""
    moment = moment.astimezone(UTC)
    fraction = f".{moment.microsecond:06}".rstrip("0").rstrip(".")
    return f"{moment:%Y-%m-%dT%H:%M:%S}{fraction}"


def _with_zone(moment: datetime) -> str:
    """A DateTimeOffset."""
    return f"{_without_zone(moment)}+00:00"


def _json(value: object) -> Any:
    return protocol().TypedData(json=json.dumps(value, default=str))


def _texts(values: Sequence[str]) -> Any:
    collection = protocol().CollectionString(string=[value for value in values if value])
    return protocol().TypedData(collection_string=collection)


def _numbers(values: Sequence[int]) -> Any:
    return protocol().TypedData(collection_sint64=protocol().CollectionSInt64(sint64=values))


def _sys(function: Function) -> Any:
    now = f"{_without_zone(datetime.now(UTC))}Z"
    return _json({"MethodName": function.name, "UtcNow": now, "RandGuid": str(uuid.uuid4())})
