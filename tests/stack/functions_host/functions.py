"""The functions of an app, as the worker reads them from its code."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

_QUEUE = "queue"
_SETTING = re.compile(r"%([^%]+)%")
_SERVED = {"eventHubTrigger", "queueTrigger", "timerTrigger", "httpTrigger", "http", _QUEUE}


class NotServed(Exception):
    """The app asks of its host what the mini-host does not do, or what nobody could do."""


@dataclass(frozen=True, slots=True)
class RetryPolicy:
    """How often a failed call is tried again; a negative limit is for ever, delays are in seconds."""

    limit: int
    shortest: float
    longest: float

    def is_allowed(self, retry: int) -> bool:
        """Whether the retry of that number, counted from 1, is made."""
        return self.limit < 0 or retry <= self.limit

    def delay_before(self, retry: int) -> float:
        """Gives the seconds before a retry: they double, from the shortest to the longest."""
        return min(self.longest, self.shortest * 2.0 ** min(retry - 1, 30))


@dataclass(frozen=True, slots=True)
class Function:
    """One function: its trigger as the app declares it, settings filled in, and its retry policy.

    `outputs` are the queues that its parameters, and its result as `$return`, go to.
    """

    name: str
    id: str
    trigger: Mapping[str, Any]
    retry: RetryPolicy | None
    outputs: Mapping[str, str] = field(default_factory=dict)

    @property
    def kind(self) -> str:
        """Gives the trigger's type, such as `queueTrigger`."""
        return str(self.trigger["type"])

    @property
    def parameter(self) -> str:
        """Gives the name of the parameter that takes what triggered it."""
        return str(self.trigger["name"])


def function_of(metadata: Any, settings: Mapping[str, str]) -> Function:
    """Gives the function that a worker's metadata describes; raises NotServed."""
    bindings = [json.loads(binding) for binding in metadata.raw_bindings]
    for binding in bindings:
        if binding["type"] not in _SERVED:
            raise NotServed(f"{metadata.name}: has a binding of type {binding['type']}, which the mini-host lacks")
    (trigger,) = (binding for binding in bindings if binding["type"].endswith("Trigger"))
    return Function(
        name=metadata.name,
        id=metadata.function_id,
        trigger={key: _filled(metadata.name, value, settings) for key, value in trigger.items()},
        retry=_policy_of(metadata.retry_options) if metadata.HasField("retry_options") else None,
        outputs={
            binding["name"]: _filled(metadata.name, binding["queueName"], settings)
            for binding in bindings
            if binding["type"] == _QUEUE
        },
    )


def _policy_of(options: Any) -> RetryPolicy:
    if options.HasField("delay_interval"):
        delay = options.delay_interval.ToTimedelta().total_seconds()
        return RetryPolicy(options.max_retry_count, delay, delay)
    return RetryPolicy(
        limit=options.max_retry_count,
        shortest=options.minimum_interval.ToTimedelta().total_seconds(),
        longest=options.maximum_interval.ToTimedelta().total_seconds(),
    )


def _filled(function: str, value: Any, settings: Mapping[str, str]) -> Any:
    """A value with every `%NAME%` in it replaced by the setting of that name."""
    if not isinstance(value, str):
        return value
    missing = [name for name in _SETTING.findall(value) if name not in settings]
    if missing:
        raise NotServed(f"{function}: it names the setting {missing[0]}, which is not among the app's settings")
    return _SETTING.sub(lambda found: settings[found[1]], value)
