"""What a trigger hands to its function, in the form in which the Functions host sends it, and what comes back.

Taken from the host's sources (`GrpcMessageConversionExtensions.cs`), the triggers' (`EventHubTriggerBindingStrategy.cs`,
`QueueTriggerBinding.cs`), and from what a real app logged. Of note: times of events carry no zone, so that
`EventHubEvent.enqueued_time` is naive.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

from tests.stack.event_hubs import Published
from tests.stack.functions_worker.protocol import protocol


@dataclass(frozen=True, slots=True)
class Call:
    """What a function is called with; `source` and `events` say where it came from and how much it is."""

    data: Any
    source: str
    metadata: Mapping[str, Any] = field(default_factory=dict)
    events: int = 1


@dataclass(frozen=True, slots=True)
class Response:
    """What a request is answered with."""

    status: int
    body: bytes = b""


def events_call(hub: str, partition: str, events: Sequence[Published]) -> Call:
    """A batch of one partition, for a function that takes many events as bytes."""
    of = protocol()
    metadata = {
        "PartitionContext": _json({"EventHubName": hub, "ConsumerGroup": "take", "PartitionId": partition}),
        "PropertiesArray": _json([event.properties for event in events]),
        "SystemPropertiesArray": _json([_system_properties(event) for event in events]),
    }
    bodies = of.TypedData(collection_bytes=of.CollectionBytes(bytes=[event.body for event in events]))
    return Call(bodies, f"{hub}/{partition}", metadata, len(events))


def message_call(queue: str, content: str, dequeued: int) -> Call:
    """One message of a queue."""
    text = protocol().TypedData(string=content)
    return Call(text, queue, {"QueueTrigger": text, "DequeueCount": _json(dequeued)})


def timer_call() -> Call:
    """A timer that fires on time."""
    now = datetime.now(UTC)
    status = {"Last": now - timedelta(minutes=1), "LastUpdated": now - timedelta(minutes=1), "Next": now}
    shown = {key: f"{_without_zone(value)}+00:00" for key, value in status.items()}
    return Call(_json({"Schedule": {"AdjustForDST": True}, "ScheduleStatus": shown, "IsPastDue": False}), "timer")


def request_call(method: str, path: str) -> Call:
    """An HTTP request without a body."""
    http = protocol().RpcHttp(method=method, url=f"http://127.0.0.1{path}")
    return Call(protocol().TypedData(http=http), f"{method} {path}")


def response_in(answer: Any) -> Response:
    """The response that an HTTP function gave."""
    http = answer.return_value.http
    return Response(int(http.status_code), http.body.bytes)


def messages_in(answer: Any, outputs: Mapping[str, str]) -> Iterator[tuple[str, str]]:
    """Each queue, and each message for it, that a call gave: a JSON array is a message for each of its elements."""
    for output in answer.output_data:
        for content in json.loads(output.data.json):
            yield outputs[output.name], content


def _system_properties(event: Published) -> dict[str, Any]:
    enqueued = _without_zone(event.enqueued)
    return {
        "x-opt-sequence-number": event.sequence,
        "x-opt-enqueued-time": f"{enqueued}+00:00",
        "SequenceNumber": event.sequence,
        "PartitionKey": None,
        "EnqueuedTimeUtc": enqueued,
    }


def _without_zone(moment: datetime) -> str:
    """A DateTime of unspecified kind, as Newtonsoft writes it: no zone, no zeros at the end."""
    fraction = f".{moment.microsecond:06}".rstrip("0").rstrip(".")
    return f"{moment:%Y-%m-%dT%H:%M:%S}{fraction}"


def _json(value: object) -> Any:
    return protocol().TypedData(json=json.dumps(value))
