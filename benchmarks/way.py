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
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from types import CodeType
from typing import NoReturn

from benchmarks.checkouts import Checkout
from benchmarks.door import Door
from benchmarks.table import Row
from benchmarks.workload import Origin, alert_at

_MOST_FILES = 120


def measure(_scale: float) -> Iterator[Row]:
    """The rows about an alert's way."""
    from tests.stack.stack import stack_running

    with stack_running() as stack:
        # Nothing but the router runs in the process whose calls count.
        counted = Checkout().run("-m", "benchmarks.way", settings=stack.environment).last
        ended = stack.soc.state()
    assert len(ended["pages"]) == len(ended["tickets"]) == 2, f"not both alerts arrived: {ended}"
    assert len(ended["rows"]) == 2, f"the record or the row did not arrive: {ended['rows']}"
    files, functions = json.loads(counted)
    yield Row(what="an alert's way, trigger to four destinations", measured=files, limit=_MOST_FILES, unit="files")
    yield Row(what="the same", measured=functions, unit="functions")


async def _send(alerts: Sequence[bytes]) -> NoReturn:
    """Send alerts through function_app.py, print how many files and functions the last of them passed, and exit."""
    import router

    door = Door()
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
        await door.take(number, [body])
        await door.deliver()
        monitoring.set_events(monitoring.PROFILER_ID, 0)
    print(json.dumps((len({file for file, _, _ in passed}), len(passed))), flush=True)
    os._exit(0)  # The service has no end of its own here.


if __name__ == "__main__":
    asyncio.run(_send([alert_at(number, Origin(0, "web-1", "172.16.4.9")) for number in range(2)]))
