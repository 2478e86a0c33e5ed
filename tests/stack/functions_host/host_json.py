"""What host.json, and the app settings that override it, ask of the host.

Defaults are Microsoft's: https://learn.microsoft.com/azure/azure-functions/functions-bindings-event-hubs#hostjson-settings
and https://learn.microsoft.com/azure/azure-functions/functions-bindings-storage-queue#host-json
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

from tests.stack.functions_host.functions import NotServed

_OVERRIDE = "AzureFunctionsJobHost__"
_TIMESPAN = re.compile(r"(?:(\d+)\.)?(\d+):(\d+):(\d+(?:\.\d+)?)")
_NOT_DONE = {"minEventBatchSize": "1", "batchCheckpointFrequency": "1", "enableCheckpointing": "true"}


@dataclass(frozen=True, slots=True)
class QueueSettings:
    """How queues are listened to; times in seconds."""

    batch_size: int
    new_batch_threshold: int
    max_polling_interval: float
    max_dequeue_count: int
    visibility_timeout: float
    message_encoding: str


@dataclass(frozen=True, slots=True)
class EventHubSettings:
    """How hubs are listened to; `start` is `fromStart` or `fromEnd`, for partitions without a checkpoint."""

    max_event_batch_size: int
    prefetch_count: int
    start: str


@dataclass(frozen=True, slots=True)
class HostJson:
    """What the mini-host heeds of host.json."""

    queues: QueueSettings
    event_hubs: EventHubSettings
    route_prefix: str

    @classmethod
    def of(cls, app: Path, settings: Mapping[str, str]) -> Self:
        """Reads the host.json of an app; raises NotServed for what the mini-host does not do."""
        file = app / "host.json"
        content: dict[str, Any] = json.loads(file.read_text()) if file.exists() else {}
        for name, value in settings.items():
            if name.startswith(_OVERRIDE):
                _override(content, name.removeprefix(_OVERRIDE).split("__"), value)
        extensions = content.get("extensions", {})
        return cls(
            queues=_queues(extensions.get("queues", {})),
            event_hubs=_event_hubs(extensions.get("eventHubs", {})),
            route_prefix=extensions.get("http", {}).get("routePrefix", "api"),
        )


def _override(content: dict[str, Any], path: list[str], value: str) -> None:
    *way, last = path
    for key in way:
        content = content.setdefault(key, {})
    content[last] = value


def _queues(given: Mapping[str, Any]) -> QueueSettings:
    batch = int(given.get("batchSize", 16))
    return QueueSettings(
        batch_size=batch,
        new_batch_threshold=int(given.get("newBatchThreshold", batch // 2)),
        max_polling_interval=_seconds(given.get("maxPollingInterval", "00:01:00")),
        max_dequeue_count=int(given.get("maxDequeueCount", 5)),
        visibility_timeout=_seconds(given.get("visibilityTimeout", "00:00:00")),
        message_encoding=str(given.get("messageEncoding", "base64")).lower(),
    )


def _event_hubs(given: Mapping[str, Any]) -> EventHubSettings:
    for key, done in _NOT_DONE.items():
        if str(given.get(key, done)).lower() != done:
            raise NotServed(f"host.json: the mini-host knows only {key} {done}")
    start = str(given.get("initialOffsetOptions", {}).get("type", "fromStart"))
    if start not in ("fromStart", "fromEnd"):
        raise NotServed(f"host.json: the mini-host starts at no {start}; use fromStart or fromEnd")
    return EventHubSettings(
        max_event_batch_size=int(given.get("maxEventBatchSize", 100)),
        prefetch_count=int(given.get("prefetchCount", 300)),
        start=start,
    )


def _seconds(text: str) -> float:
    """The seconds of a .NET TimeSpan such as `00:00:30` or `1.00:00:00.5`."""
    found = _TIMESPAN.fullmatch(text)
    if found is None:
        raise NotServed(f"host.json: {text!r} is no time span; write hh:mm:ss")
    days, hours, minutes, seconds = found.groups(default="0")
    return ((int(days) * 24 + int(hours)) * 60 + int(minutes)) * 60 + float(seconds)
