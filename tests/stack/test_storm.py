"""A storm through Microsoft's runtime, while workers die: no page more than the policy lets it make, and nothing lost."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from functools import partial

import pytest

from alert_router_demo.soc.pagerduty import Page
from router.domain.deliveries import DeliveryState
from router.domain.keys import event_uid
from router.store.delivery_status import count_deliveries
from tests.builders import RESOURCE, alert_body
from tests.stack.accounting import QUICK, Letter, Post, books_of, key_of, sweep
from tests.stack.acts import asleep, conditions, has_died, kill
from tests.stack.azurite import Azurite
from tests.stack.functions_host import Conditions, FunctionsHost
from tests.stack.gate import GatedStack, gated
from tests.stack.postgres import Way
from tests.stack.stack import Stack, stack_running
from tests.store.within import within
from tests.waiting import PATIENCE, until

MOST = 10
OPEN = (DeliveryState.OWED, DeliveryState.CLAIMED)
POLICY = """
stream: cwpp
floor: {{default: Medium}}
destinations:
  oncall:
    kind: pagerduty
    url: "{pagerduty}"
    routing_key: {{secret: CWPP_ROUTING_KEY}}
    group: {{by: [alert_type, resource], window: 1h}}
    limit: {{most: 10, window: 1h}}
  sentinel: {{kind: log_analytics, endpoint: "{logs}", rule: dcr-1, table: ASimAlertEventLogs}}
routes: []
always: [sentinel]
otherwise: [oncall]
"""


@pytest.fixture
def stack(azurite: Azurite, postgresql: str) -> Iterator[GatedStack]:
    """A stack with an empty account, behind a gate."""
    with stack_running(azurite, postgresql) as stack, gated(stack) as behind:
        behind.write_policy("cwpp", POLICY)
        yield behind


def an_alert(name: str, host: str, **fields: object) -> Letter:
    """An alert on a host: a row, and a member of the page of its host."""
    body = alert_body(name, AzureResourceId=f"{RESOURCE}-{host}", **fields)
    turn = 2 if fields else 1
    return Letter(body, "resolved" if fields else "routed", key_of(name), turn, frozenset({"rows"}))


def over(name: str, host: str) -> Letter:
    """Its end."""
    return an_alert(name, host, Status="Resolved")


async def settled(stack: Stack, post: Post, host: FunctionsHost, patience: float = PATIENCE) -> None:
    """Sweeps until every message is on record, every row is there, and nothing is owed."""
    store, left = stack.store(), ["nothing was looked at in time"]

    async def is_settled() -> bool:
        nonlocal left
        await sweep(host)
        counts = await within(store, count_deliveries, "cwpp")
        books = await books_of(stack)
        left = [f"{n} {state} at {where}" for (where, state), n in counts.items() if n and state in OPEN]
        left += [
            f"{key}: {books.record.get(key)}"
            for key in post.due.record
            if books.record.get(key) != post.due.record[key]
        ]
        left += [f"no row {uid}" for uid in post.due.rows - books.rows]
        return not left

    try:
        await until(is_settled, look=1, within=patience)
    except TimeoutError:
        raise TimeoutError(f"After {patience:.0f} seconds: {'; '.join(left[:20])}") from None
    finally:
        await store.close()


def pages(stack: Stack, status: str) -> list[Page]:
    return [page for page in stack.soc.pagerduty.pages if page.status == status]


def test_workers_that_die_over_a_group_make_one_page_of_it_and_end_it(stack: GatedStack) -> None:
    """Killed at round trips all along the intake of what joins it: the page is one, counts all, and is over with the last."""
    post = Post(stack)
    trips = range(2, 8)
    names = [f"{number}-{one}" for number in range(len(trips)) for one in range(3)]

    async def run() -> None:
        with Way(stack.state) as way:
            settings = {**QUICK, **asleep(), "ALERT_ROUTER_STATE": way.to(stack.state)}
            async with stack.host(conditions=conditions(), **settings).running() as host:
                for number, trip in enumerate(trips):
                    way.cut_at(trip, is_after=number % 2 == 1, happens=partial(kill, host))
                    await post.send(*(an_alert(f"{number}-{one}", "h") for one in range(3)))
                    await until(partial(has_died, host, number + 1))
                    await host.idle()
        async with stack.host(conditions=conditions(), **QUICK).running() as host:
            await settled(stack, post, host)
            assert len(pages(stack, "triggered")) == 1
            await post.send(*(over(name, "h") for name in names[1:]))
            await settled(stack, post, host)
            assert pages(stack, "resolved") == []
            await post.send(over(names[0], "h"))
            await settled(stack, post, host)

    asyncio.run(run())
    assert [page.status for page in stack.soc.pagerduty.pages] == ["resolved"]


async def storm(stack: Stack, count: int, hosts: int, host: FunctionsHost, every: float, within: float) -> None:
    """Sends alerts while workers die, until all is settled; then ends them all."""
    post = Post(stack)
    letters = [an_alert(f"s-{number}", str(number % hosts)) for number in range(count)]
    ends = [over(f"s-{number}", str(number % hosts)) for number in range(count)]

    killed: list[int] = []

    async def kill() -> None:
        while True:
            await asyncio.sleep(every)
            worker = host.worker_pid
            await host.kill_worker()
            killed.append(worker)  # now that it is gone: who counts goes on with the next one

    for some in (letters, ends):
        killing = asyncio.create_task(kill())
        for place in range(0, count, 100):
            await post.send(*some[place : place + 100], partition=place // 100 % 2)
        enough = len(killed) + 2
        await until(lambda enough=enough: len(killed) >= enough)  # type: ignore[misc]
        killing.cancel()
        await settled(stack, post, host, within)
        assert len(stack.soc.pagerduty.pages) == MOST + 1
    assert {page.status for page in stack.soc.pagerduty.pages} == {"resolved"}


@pytest.mark.soak
def test_a_storm_makes_ten_pages_and_one_that_says_what_is_held(azurite: Azurite, postgresql: str) -> None:
    """Alerts on many hosts, over both partitions, while workers die: ten pages and the summary, a row and a record of each
    alert; and when all of it is over, no page is open."""
    with stack_running(azurite, postgresql) as stack:
        stack.write_policy("cwpp", POLICY)

        async def run() -> None:
            async with stack.host(
                conditions=Conditions(speed=10, restart_delay=0.5, visibility=10), **QUICK
            ).running() as host:
                await storm(stack, 5_000, 500, host, every=15, within=900)

        asyncio.run(run())
        assert event_uid(key_of("s-0"), 1) in {
            row["EventUid"] for row in stack.soc.state()["rows"]["Custom-ASimAlertEventLogs"]
        }
