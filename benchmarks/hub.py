"""From a hub to the pager on the loopback stack, over each engine: at rest, and while a snapshot is taken in."""

from __future__ import annotations

import asyncio
import random
import time
from collections.abc import Iterator, Sequence
from statistics import quantiles

from benchmarks.engines import ENGINES
from benchmarks.table import Row
from router.domain.keys import signal_key
from tests.builders import alert_body, finding_body
from tests.stack.functions_host import Conditions, FunctionsHost
from tests.stack.stack import Stack, stack_running

PAGES = 30
SNAPSHOT = 100_000
PATIENCE = 180  # seconds for a page
PAUSE = 4.0
"""Seconds of rest at most, after which a host looks at its queues as seldom as it ever does."""


def measure(scale: float) -> Iterator[Row]:
    """The rows of the hub's way."""
    for engine in ENGINES:
        with stack_running() as stack:
            yield from asyncio.run(_pages(engine, stack, round(SNAPSHOT * scale)))


async def _pages(engine: str, stack: Stack, snapshot: int) -> list[Row]:
    state = f"sqlite:{stack.directory / 'state'}" if engine == "SQLite" else stack.state
    async with stack.host(conditions=Conditions(), ALERT_ROUTER_STATE=state).running() as host:
        at_rest = await _times_to_page(stack, "rest", PAUSE)
        await _publish_snapshot(stack, snapshot)
        while not _taken(host):
            await asyncio.sleep(0.2)
        busy = await _times_to_page(stack, "busy", 0)
        left = f"{snapshot - _taken(host):,} of {snapshot:,} findings were still to be taken in"
    return [
        _row(f"{engine}: hub to pager, at rest", at_rest, 2, "polling as host.json says"),
        _row(f"{engine}: hub to pager, a snapshot in flight", busy, 5, left),
    ]


def _taken(host: FunctionsHost) -> int:
    return sum(run.events for run in host.invocations if run.function == "take_cspm")


def _row(what: str, times: Sequence[float], limit: float, seen: str) -> Row:
    high = quantiles(times, n=100, method="inclusive")[98]
    return Row(what=f"{what}: p99", measured=high, limit=limit, unit="s", seen=f"worst {max(times):.1f} s; {seen}")


async def _publish_snapshot(stack: Stack, count: int) -> None:
    hubs = stack.hubs
    assert hubs.home is not None

    async def append(numbers: range) -> None:
        for number in numbers:
            hubs.append("cspm", number % 2, finding_body(f"f-{number}"))

    for first in range(0, count, 1_000):
        numbers = range(first, min(first + 1_000, count))
        await asyncio.wrap_future(asyncio.run_coroutine_threadsafe(append(numbers), hubs.home.loop))


async def _times_to_page(stack: Stack, name: str, pause: float) -> list[float]:
    """Seconds from when an alert was enqueued until it was a page, for some alerts with up to `pause` seconds between them."""
    times = []
    for number in range(PAGES):
        await asyncio.sleep(random.uniform(0, pause))
        id = f"{name}-{number}"
        key, began = signal_key("cwpp", "alert", id), time.monotonic()
        stack.hubs.append("cwpp", number % 2, alert_body(id))
        while not any(page.dedup_key == key for page in reversed(stack.soc.pagerduty.pages)):
            if time.monotonic() - began > PATIENCE:
                raise TimeoutError(f"{id}: no page within {PATIENCE} s")
            await asyncio.sleep(0.02)
        times.append(time.monotonic() - began)
    return times
