"""The way of one alert: the files and functions of `router/` that it passes, from the trigger to four destinations.

Two alerts of 4.9 KB go through, one after the other. They differ in their ids; the second is counted, so that what a process
does once is not. It comes in by the function of function_app.py that takes events of the hub `cwpp`. Each wake-up that
it puts into a queue calls the function of that queue. The alert ends at a pager, a ticket, a row and the record, on loopback.
Each function, method, lambda and generator that is entered in between, in any thread or task, counts once if its file is
in `router/`. Code that the standard library generates, such as `__init__` of a dataclass, is in no file and does not count.
"""

from __future__ import annotations

import asyncio
import json
import os
import subprocess
import sys
from collections.abc import Awaitable, Callable, Iterator, Sequence
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from types import CodeType, SimpleNamespace
from typing import Any, NoReturn

from benchmarks.table import Row
from benchmarks.workload import Origin, alert_at

_MOST_FILES = 120


def measure() -> Iterator[Row]:
    """The rows about an alert's way."""
    from tests.stack.stack import stack_running

    with stack_running() as stack:
        command = (sys.executable, "-m", "benchmarks.way")
        # Nothing but the router runs in the process whose calls count.
        done = subprocess.run(command, env=os.environ | stack.environment, stdout=subprocess.PIPE, check=True)
        ended = stack.soc.state()
    assert len(ended["pages"]) == len(ended["tickets"]) == 2, f"not both alerts arrived: {ended}"
    assert len(ended["rows"]) == 2, f"the record or the row did not arrive: {ended['rows']}"
    files, functions = json.loads(done.stdout)
    yield Row(what="an alert's way, trigger to four destinations", measured=files, limit=_MOST_FILES, unit="files")
    yield Row(what="the same", measured=functions, unit="functions")


async def _send(alerts: Sequence[bytes]) -> NoReturn:
    """Send alerts through function_app.py, print how many files and functions the last of them passed, and exit."""
    import function_app
    import router

    by_hub: dict[str, Any] = {}
    by_queue: dict[str, Any] = {}
    woken = list[str]()
    for function in function_app.app.get_functions():
        trigger: Any = function.get_trigger()
        trigger = trigger.get_dict_repr()
        if trigger["type"] == "eventHubTrigger":
            by_hub[trigger["eventHubName"]] = _with_outputs(function, woken)
        elif trigger["type"] == "queueTrigger":
            by_queue[trigger["queueName"]] = _with_outputs(function, woken)
    passed = set[tuple[str, str, int]]()
    home = str(Path(router.__file__).parent)

    def enter(code: CodeType, _: int) -> None:
        if code.co_filename.startswith(home):
            passed.add((code.co_filename, code.co_qualname, code.co_firstlineno))

    monitoring = sys.monitoring
    monitoring.use_tool_id(monitoring.PROFILER_ID, "way")
    monitoring.register_callback(monitoring.PROFILER_ID, monitoring.events.PY_START, enter)
    for number, body in enumerate(alerts):
        passed.clear()
        monitoring.set_events(monitoring.PROFILER_ID, monitoring.events.PY_START)
        await by_hub["cwpp"]([_event(number, body)], SimpleNamespace(trace_context=SimpleNamespace(trace_parent=None)))
        while woken:
            await by_queue[woken.pop(0)](None)
        monitoring.set_events(monitoring.PROFILER_ID, 0)
    print(json.dumps((len({file for file, _, _ in passed}), len(passed))), flush=True)
    os._exit(0)  # The service has no end of its own here.


def _event(number: int, body: bytes) -> SimpleNamespace:
    """An event as azure.functions gives it."""
    metadata = {"PartitionContext": {"PartitionId": "0"}, "PropertiesArray": [{}]}
    return SimpleNamespace(
        metadata=metadata, sequence_number=number, enqueued_time=datetime.now(UTC), get_body=lambda: body
    )


def _with_outputs(function: Any, woken: list[str]) -> Callable[..., Awaitable[None]]:
    """A function of the app, whose outputs note the queue of each wake-up that they are given."""

    def output(queue: str) -> SimpleNamespace:
        return SimpleNamespace(set=lambda wake_ups: woken.extend(queue for _ in wake_ups))

    bindings = [binding.get_dict_repr() for binding in function.get_bindings()]
    return partial(
        function.get_user_function(),
        **{one["name"]: output(one["queueName"]) for one in bindings if one["type"] == "queue"},
    )


if __name__ == "__main__":
    asyncio.run(_send([alert_at(number, Origin(0, "web-1", "172.16.4.9")) for number in range(2)]))
