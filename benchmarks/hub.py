"""From a hub to the outbox, from the outbox to the SOC, and from the hub to the pager, on the loopback stack."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from statistics import quantiles
from tempfile import TemporaryDirectory
from typing import Any

from benchmarks.table import Row
from benchmarks.workload import alerts
from router.app.rules import load_rules, new_intake
from router.app.settings import Settings, now
from router.app.wiring import open_service
from router.domain.hubs import Event, Partition
from router.domain.keys import signal_key
from router.domain.rulebook import Lane
from router.domain.signals import Stream
from router.eventhubs import Namespace
from router.eventhubs.events import event_of
from router.ingest.event_intake import EventIntake
from router.store.store import Store
from tests.builders import RESOURCE, alert_body, finding_body
from tests.stack.functions_host import Conditions, FunctionsHost
from tests.stack.stack import Stack, stack_running
from tests.store.opened import open_store

EVENTS = 2_000
PAGES = 30
SNAPSHOT = 100_000
AT_A_TIME = 100
HUB = Partition("cwpp", "0")


def measure() -> Iterator[Row]:
    """The rows of the hub's way."""
    with stack_running() as stack:
        yield from asyncio.run(_intake(stack))
    yield _grouped()
    with stack_running() as stack:
        yield asyncio.run(_deliveries(stack))
    with stack_running() as stack:
        yield from asyncio.run(_pages(stack))


async def _intake(stack: Stack) -> list[Row]:
    for body in alerts(EVENTS):
        stack.hubs.append(HUB.hub, HUB.id, body)
    with TemporaryDirectory() as directory:
        sqlite = open_store(Path(directory))
        on_file = await _take_all(stack, sqlite)
        await sqlite.close()
    in_database = await _in_database(stack)
    what = "hub to outbox, batches of 100 alerts of 4.9 KB"
    return [
        Row(what=f"{what}, SQLite", measured=on_file, unit="/s", seen=f"{EVENTS:,} events, one reader"),
        Row(what=f"{what}, PostgreSQL", measured=in_database, unit="/s", seen=f"{in_database / on_file:.2f}x SQLite's"),
    ]


def _grouped() -> Row:
    """How fast alerts get to the outbox that all join a group of one of fifty resources, against the same without groups."""
    speeds = {}
    for group in ("", ", group: {{by: [resource], window: 1h}}, limit: {{most: 20, window: 1h}}"):
        with stack_running() as stack:
            ticket = (
                '{{kind: servicenow, url: "{servicenow}", auth: {{user: {user}, password: {{secret: CWPP_PASSWORD}}}}'
            )
            destinations = f"destinations: {{{{tickets: {ticket}{group}}}}}}}}}"
            stack.write_policy("cwpp", f"stream: cwpp\n{destinations}\notherwise: [tickets]\n")
            for number in range(EVENTS):
                body = alert_body(f"g-{number}", AzureResourceId=f"{RESOURCE}-{number % 50}")
                stack.hubs.append(HUB.hub, HUB.id, body)
            speeds[bool(group)] = asyncio.run(_in_database(stack))
    return Row(
        what="the same, ungrouped against every alert in a group at a limited destination",
        measured=speeds[False] / speeds[True],
        limit=1.5,
        seen=f"{speeds[True]:.0f}/s against {speeds[False]:.0f}/s; batches of {AT_A_TIME}, small alerts, one destination",
    )


async def _in_database(stack: Stack) -> float:
    async with stack.store() as store:
        return await _take_all(stack, store)


async def _take_all(stack: Stack, store: Store) -> float:
    """Events a second, received from the hub through the SDK and taken in for good, one batch after the other."""
    rules = load_rules(stack.rules, [Stream.CWPP], now())
    intake = EventIntake(new_intake(store, rules, Stream.CWPP), store, "bench", asyncio.Lock())
    namespace, done, all_taken = Namespace(connection_string=stack.hubs.connection_string), 0, asyncio.Event()

    async def take(context: object, batch: Sequence[Any]) -> None:
        nonlocal done
        await intake.ingest_events(HUB, [event_of(one) for one in batch], now())
        done += len(batch)
        if done >= EVENTS:
            all_taken.set()

    async with namespace.consumer(HUB.hub, "take") as client:
        began = time.perf_counter()
        receiving = asyncio.create_task(
            client.receive_batch(take, partition_id=HUB.id, max_batch_size=AT_A_TIME, starting_position="-1")
        )
        await all_taken.wait()
        seconds = time.perf_counter() - began
        receiving.cancel()
        await asyncio.gather(receiving, return_exceptions=True)
    return EVENTS / seconds


async def _deliveries(stack: Stack) -> Row:
    """Deliveries a second, by one worker with the lanes of one stream: a page, a ticket and a row each."""
    rules = load_rules(stack.rules, list(Stream), now())
    async with open_service(rules, Settings(stack.environment), now) as service:
        bodies = [alert_body(f"d-{number}") for number in range(EVENTS // 2)]
        for first in range(0, len(bodies), AT_A_TIME):
            events = [Event(first + n, now(), body) for n, body in enumerate(bodies[first : first + AT_A_TIME])]
            await service.ingest_events(HUB, events)
        began = time.perf_counter()
        loops = [asyncio.create_task(service.deliver_on(Stream.CWPP, lane)) for lane in Lane]
        while (done := _delivered(stack)) < 3 * len(bodies):
            await asyncio.sleep(0.05)
        seconds = time.perf_counter() - began
        service.drain.asked.set()
        await asyncio.gather(*loops)
    seen = f"{done:,} pages, tickets and rows in {seconds:.1f} s"
    return Row(what="deliveries by one worker, PostgreSQL", measured=done / seconds, unit="/s", seen=seen)


def _delivered(stack: Stack) -> int:
    received = stack.soc.counts()["received"]
    return (
        int(received["pages"])
        + int(received["tickets"])
        + len(stack.soc.logs.rows.get("Custom-ASimAlertEventLogs", []))
    )


async def _pages(stack: Stack) -> list[Row]:
    async with stack.host(conditions=Conditions()).running() as host:
        at_rest = await _times_to_page(stack, "rest")
        await _publish_snapshot(stack)
        while not host.invocations or host.invocations[-1].function != "take_cspm":
            await asyncio.sleep(0.2)
        busy = await _times_to_page(stack, "busy")
        left = SNAPSHOT - _taken(host)
    return [
        _row("hub to pager, at rest", at_rest, "polling as host.json says"),
        _row(
            "hub to pager, a snapshot in flight", busy, f"{left:,} of {SNAPSHOT:,} findings were still to be taken in"
        ),
    ]


def _taken(host: FunctionsHost) -> int:
    return sum(run.events for run in host.invocations if run.function == "take_cspm")


def _row(what: str, times: Sequence[float], seen: str) -> Row:
    high = quantiles(times, n=100, method="inclusive")[98]
    return Row(what=f"{what}: p99", measured=high, limit=60, unit="s", seen=f"worst {max(times):.1f} s; {seen}")


async def _publish_snapshot(stack: Stack) -> None:
    hubs = stack.hubs
    assert hubs.home is not None

    async def append(numbers: range) -> None:
        for number in numbers:
            hubs.append("cspm", number % 2, finding_body(f"f-{number}"))

    for first in range(0, SNAPSHOT, 1_000):
        numbers = range(first, first + 1_000)
        await asyncio.wrap_future(asyncio.run_coroutine_threadsafe(append(numbers), hubs.home.loop))


async def _times_to_page(stack: Stack, name: str) -> list[float]:
    """Seconds from when an alert was enqueued until it was a page, for some alerts one after the other."""
    times = []
    for number in range(PAGES):
        id = f"{name}-{number}"
        key, began = signal_key("cwpp", "alert", id), time.monotonic()
        stack.hubs.append("cwpp", number % 2, alert_body(id))
        while not any(page.dedup_key == key for page in reversed(stack.soc.pagerduty.pages)):
            if time.monotonic() - began > 180:
                raise TimeoutError(f"{id}: no page within 3 minutes")
            await asyncio.sleep(0.02)
        times.append(time.monotonic() - began)
    return times
