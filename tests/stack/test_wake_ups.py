"""What wakes the workers in Azure: queues say which lane has something to do, and the state alone says what."""

from __future__ import annotations

import asyncio
from dataclasses import replace

from alert_router_demo.soc import Status
from router.app.service import A_WORKER, MOST_WORKERS
from router.app.settings import now
from router.domain.deliveries import Pause
from router.domain.rulebook import Lane
from router.store.deliveries import add_deliveries
from router.store.destinations import PROBE, pause_destination
from tests.stack.accounting import QUICK, Post, books_of, high, key_of, low, settle, sweep
from tests.stack.acts import LANES, asleep, conditions, forget_checkpoints, runs
from tests.stack.functions_host import Outcome, Queued
from tests.stack.stack import Stack
from tests.store.builders import a_delivery
from tests.store.within import within
from tests.waiting import until


def woken(stack: Stack) -> dict[str, int]:
    """How many wake-ups are in the queues of `cwpp`; each is taken out."""
    queues = {lane: stack.queues[f"cwpp-{lane}"] for lane in LANES}
    found = {lane: len(queue) for lane, queue in queues.items()}
    for queue in queues.values():
        queue.clear()
    return found


def wake(stack: Stack, lane: str, times: int = 1) -> None:
    """Puts wake-ups into the queue of a lane of `cwpp`."""
    stack.queues[f"cwpp-{lane}"].extend(Queued("deliver") for _ in range(times))


async def owe(stack: Stack, count: int, name: str = "d") -> None:
    """Owes pages."""
    store = stack.store()
    one = a_delivery(lane=Lane.PAGE)
    owed = [replace(one, destination="oncall", key=f"{name}-{number}") for number in range(count)]
    await within(store, add_deliveries, owed, now())
    await store.close()


def test_each_lane_is_woken_once_for_each_200_deliveries_that_are_due_there(stack: Stack) -> None:
    """By what the state holds, after each batch, also one that wrote nothing, and by the timer, which delivers nothing itself.
    A destination that is paused is not woken for, and no lane is sent more than twenty at a time."""
    post = Post(stack)

    async def run() -> None:
        await owe(stack, 2 * A_WORKER + 1)
        async with stack.host(conditions=conditions(), **asleep()).running() as host:
            # A decision that nobody is told of is a row of the record all the same.
            await post.send(low("low"))
            await host.idle()
            assert woken(stack) == {"page": 3, "ticket": 0, "rows": 1}
            await sweep(host)
            assert woken(stack) == {"page": 3, "ticket": 0, "rows": 1}
        forget_checkpoints(stack)
        async with stack.host(conditions=conditions(), **asleep()).running() as host:
            await host.idle()
            assert runs(host, "take_cwpp", Outcome.OK) == 1
            assert woken(stack) == {"page": 3, "ticket": 0, "rows": 1}
            await owe(stack, A_WORKER * MOST_WORKERS, "more")
            await sweep(host)
            assert woken(stack) == {"page": MOST_WORKERS, "ticket": 0, "rows": 1}
            store = stack.store()
            refused = Pause(stream="cwpp", destination="oncall", since=now(), probe=now() + PROBE, error="401")
            await within(store, pause_destination, refused)
            await store.close()
            await sweep(host)
            assert woken(stack) == {"page": 0, "ticket": 0, "rows": 1}

    asyncio.run(run())
    assert stack.soc.counts()["received"] == dict.fromkeys(stack.soc.counts()["received"], 0)


def test_a_wake_up_that_is_lost_or_doubled_changes_nothing(stack: Stack) -> None:
    """What is due waits for the timer at most; who finds nothing to do ends at once."""
    post = Post(stack)

    async def run() -> None:
        async with stack.host(conditions=conditions(), **QUICK, **asleep()).running() as host:
            await post.send(*(high(f"h-{number}") for number in range(20)))
            await host.idle()
            assert woken(stack) == dict.fromkeys(LANES, 1)
        async with stack.host(conditions=conditions(), **QUICK).running() as host:
            await host.idle()
            assert host.invocations == []
            await sweep(host)
            for lane in LANES:
                wake(stack, lane, times=5)
            await settle(stack, lambda: sweep(host))
            assert await books_of(stack) == post.due
            assert {run.outcome for run in host.invocations} == {Outcome.OK}

    asyncio.run(run())
    assert {page.triggers for page in stack.soc.pagerduty.pages} == {1}
    assert set(stack.soc.counts()["duplicates"].values()) == {0}


def test_one_wake_up_is_enough_for_what_falls_due_within_a_minute(stack: Stack) -> None:
    """The worker that it woke waits for the vendor, and for what comes meanwhile; a second one in its process ends at once."""
    post, pager = Post(stack), stack.soc.pagerduty
    pager.faults.add(Status(429, retry_after="1"), times=None)

    async def run() -> None:
        queues = "AzureFunctionsJobHost__extensions__queues__"
        settings = {f"{queues}batchSize": "2", f"{queues}newBatchThreshold": "1"}
        async with stack.host(conditions=conditions(), **settings).running() as host:
            await post.send(high("first"))
            await until(lambda: pager.answers["429"] > 0)
            assert host.under_way("deliver_cwpp_page") == 1
            wake(stack, "page")
            await until(lambda: runs(host, "deliver_cwpp_page", Outcome.OK) == 1)
            assert host.under_way("deliver_cwpp_page") == 1
            pager.faults.clear()
            await until(lambda: pager.answers["202"] == 1)
            await host.idle()
            assert runs(host, "deliver_cwpp_page", Outcome.OK) == 2

    asyncio.run(run())
    assert [page.dedup_key for page in pager.pages] == [key_of("first")]
