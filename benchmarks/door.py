"""function_app.py without a host: its functions by what triggers them, and events for them.

`python -m benchmarks.door FILE` is a process that starts, takes the lines of a file in as one batch of the hub `cwpp`, and is
gone when that is durable. It imports nothing that the router would not.
"""

from __future__ import annotations

import asyncio
import os
import sys
from collections.abc import Awaitable, Callable, Sequence
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from types import SimpleNamespace
from typing import Any, NoReturn


class Door:
    """The functions of function_app.py; `woken` are the queues of the wake-ups that they gave, in order."""

    def __init__(self) -> None:
        import function_app

        self.woken = list[str]()
        self._functions: dict[str, Callable[..., Awaitable[None]]] = {}
        for function in function_app.app.get_functions():
            trigger: Any = function.get_trigger()
            trigger = trigger.get_dict_repr()
            for place in ("eventHubName", "queueName"):
                if place in trigger:
                    self._functions[f"{place} {trigger[place]}"] = self._with_outputs(function)

    async def take(self, first: int, bodies: Sequence[bytes]) -> None:
        """Call the function of the hub `cwpp` with events that are numbered from `first` on."""
        context = SimpleNamespace(trace_context=SimpleNamespace(trace_parent=None))
        events = [_event(first + number, body, len(bodies)) for number, body in enumerate(bodies)]
        await self._functions["eventHubName cwpp"](events, context)

    async def deliver(self) -> None:
        """Call the functions that were woken, until no more are."""
        while self.woken:
            await self._functions[f"queueName {self.woken.pop(0)}"](None)

    def _with_outputs(self, function: Any) -> Callable[..., Awaitable[None]]:
        """A function of the app, whose outputs note the queue of each wake-up that they are given."""

        def output(queue: str) -> SimpleNamespace:
            return SimpleNamespace(set=lambda wake_ups: self.woken.extend(queue for _ in wake_ups))

        bindings = [binding.get_dict_repr() for binding in function.get_bindings()]
        outputs = {one["name"]: output(one["queueName"]) for one in bindings if one["type"] == "queue"}
        return partial(function.get_user_function(), **outputs)


def _event(number: int, body: bytes, together: int) -> SimpleNamespace:
    """An event as azure.functions gives it: with the properties of all that came together."""
    metadata = {"PartitionContext": {"PartitionId": "0"}, "PropertiesArray": [{}] * together}
    return SimpleNamespace(
        metadata=metadata, sequence_number=number, enqueued_time=datetime.now(UTC), get_body=lambda: body
    )


async def _main(file: Path) -> NoReturn:
    await Door().take(0, file.read_bytes().splitlines())
    os._exit(0)  # The service has no end of its own here.


if __name__ == "__main__":
    asyncio.run(_main(Path(sys.argv[1])))
