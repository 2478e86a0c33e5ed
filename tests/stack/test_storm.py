"""A storm through Microsoft's runtime: no page more than the policy allows, none held up by what pours in, nothing lost."""

from __future__ import annotations

import asyncio

import pytest

from alert_router_demo.soc import Hang
from router.app.wiring import AT_A_TIME
from tests.builders import RESOURCE, alert_body, finding_body
from tests.stack.accounting import (
    QUICK,
    Letter,
    Post,
    books_of,
    high,
    is_delivered,
    key_of,
    kill_again_and_again,
    medium,
    sweep,
)
from tests.stack.functions_host import Conditions, FunctionsHost
from tests.stack.stack import Stack
from tests.waiting import PATIENCE, until

pytestmark = pytest.mark.soak  # Each waits for leases, graces and retries to pass, for a minute or two.

MOST = 10
SNAPSHOT = 3_000
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


def an_alert(name: str, host: str, **fields: object) -> Letter:
    """An alert on a host: a row, and a member of the page of its host."""
    body = alert_body(name, AzureResourceId=f"{RESOURCE}-{host}", **fields)
    turn = 2 if fields else 1
    return Letter(body, "resolved" if fields else "routed", key_of(name), turn, frozenset({"rows"}))


def an_end(name: str, host: str) -> Letter:
    """Its end."""
    return an_alert(name, host, Status="Resolved")


async def settled(stack: Stack, post: Post, host: FunctionsHost, patience: float = PATIENCE) -> None:
    """Sweeps until every message is on record, every row is there, and nothing is owed."""

    async def is_settled() -> bool:
        await sweep(host)
        books = await books_of(stack)
        return await is_delivered(stack) and books.record == post.due.record and post.due.rows <= books.rows

    await until(is_settled, look=1, within=patience)


def test_a_storm_makes_ten_pages_and_one_that_says_what_is_held(stack: Stack) -> None:
    """Alerts on many hosts, over both partitions, while workers die: ten pages and the summary, a row and a record of each
    alert; and when all of it is over, no page is open."""
    count, hosts, post = 5_000, 500, Post(stack)
    stack.write_policy("cwpp", POLICY)

    async def run() -> None:
        settings = Conditions(speed=10, restart_delay=0.5)
        async with stack.host(conditions=settings, **QUICK).running() as host:
            killed: list[int] = []

            for letter in (an_alert, an_end):
                killing = asyncio.create_task(kill_again_and_again(host, 15, killed))
                for place in range(0, count, 100):
                    some = (letter(f"s-{number}", str(number % hosts)) for number in range(place, place + 100))
                    await post.send(*some, partition=place // 100 % 2)
                enough = len(killed) + 2
                await until(lambda enough=enough: len(killed) >= enough)  # type: ignore[misc]
                killing.cancel()
                await settled(stack, post, host, patience=900)
                assert len(stack.soc.pagerduty.pages) == MOST + 1

    asyncio.run(run())
    assert {page.status for page in stack.soc.pagerduty.pages} == {"resolved"}


def test_a_page_leaves_while_tickets_hang_and_a_snapshot_pours_in(stack: Stack) -> None:
    """More tickets hang than a worker sends at a time, and thousands of findings are on their way: a new alert is a page before
    any ticket is through, and before all of the findings are."""
    stack.soc.servicenow.faults.add(Hang(600), times=None)
    post, findings = Post(stack), "Custom-DefenderFindings_CL"

    def pour() -> None:
        for number in range(SNAPSHOT):
            stack.hubs.append("cspm", number % 2, finding_body(f"f-{number}", isSnapshot=True))

    async def run() -> None:
        async with stack.host(conditions=Conditions(grace=0)).running():
            await post.send(*(medium(f"m-{number}") for number in range(4 * AT_A_TIME + 2)))
            await asyncio.to_thread(pour)
            await until(lambda: stack.soc.logs.counts[findings] > 0)
            await post.send(high("new"))
            await until(lambda: stack.soc.counts()["received"]["pages"] == 1)
            assert stack.soc.counts()["received"]["tickets"] == 0
            assert stack.soc.logs.counts[findings] < SNAPSHOT

    asyncio.run(run())
    assert [page.dedup_key for page in stack.soc.pagerduty.pages] == [key_of("new")]
