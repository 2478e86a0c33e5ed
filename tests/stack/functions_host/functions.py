"""The functions of an app, as the worker reads them from its code."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any


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
    """One function: its trigger as the app declares it, its retry policy, and the queues that its parameters go to."""

    name: str
    id: str
    trigger: Mapping[str, Any]
    retry: RetryPolicy | None
    outputs: Mapping[str, str]

    @property
    def kind(self) -> str:
        """Gives the trigger's type, such as `queueTrigger`."""
        return str(self.trigger["type"])


def function_of(metadata: Any) -> Function:
    """Gives the function that a worker's metadata describes."""
    bindings = [json.loads(binding) for binding in metadata.raw_bindings]
    (trigger,) = (binding for binding in bindings if binding["type"].endswith("Trigger"))
    options = metadata.retry_options
    shortest, longest = (
        each.ToTimedelta().total_seconds() for each in (options.minimum_interval, options.maximum_interval)
    )
    return Function(
        name=metadata.name,
        id=metadata.function_id,
        trigger=trigger,
        retry=RetryPolicy(options.max_retry_count, shortest, longest) if metadata.HasField("retry_options") else None,
        outputs={binding["name"]: binding["queueName"] for binding in bindings if binding["type"] == "queue"},
    )
