"""No lane waits for another and no destination for another: a page leaves while tickets hang and a snapshot pours in."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator

import pytest

from alert_router_demo.soc import Hang
from router.app.wiring import AT_A_TIME
from tests.builders import finding_body
from tests.stack.accounting import Post, books_of, high, key_of, medium, settle, sweep
from tests.stack.azurite import Azurite
from tests.stack.functions_host import Conditions, FunctionsHost
from tests.stack.gate import gated, to
from tests.stack.stack import Stack, stack_running
from tests.waiting import until

HUNG = 4 * AT_A_TIME + 2
"""Tickets that hang: more than a worker sends at a time."""

SNAPSHOT = 3_000

POSTURE = """
stream: cspm
floor: {{default: Medium}}
destinations:
  posture: {{kind: log_analytics, endpoint: "{logs}", rule: dcr-3, table: DefenderFindings_CL}}
routes: []
always: []
otherwise: [posture]
record: {{kind: log_analytics, endpoint: "{logs}", rule: dcr-4, table: AlertRouterDecisions_CL}}
"""

BOTH = """
stream: cwpp
floor: {{default: Medium}}
destinations:
  tickets: {{kind: servicenow, url: "{servicenow}", auth: {{user: {user}, password: {{secret: CWPP_PASSWORD}}}}}}
  soar: {{kind: webhook, url: "{webhook}", secret: {{secret: WEBHOOK_SECRET}}}}
routes: []
always: []
otherwise: [tickets, soar]
"""


@pytest.fixture
def stack(azurite: Azurite, postgresql: str) -> Iterator[Stack]:
    """A stack with an empty account."""
    with stack_running(azurite, postgresql) as stack:
        yield stack


def host(stack: Stack, **settings: str) -> FunctionsHost:
    """A host as it is in Azure; what hangs in the end is not waited for."""
    return stack.host(conditions=Conditions(grace=0), **settings)


def snapshot(stack: Stack) -> None:
    """Publishes a snapshot of posture."""
    for number in range(SNAPSHOT):
        stack.hubs.append("cspm", number % 2, finding_body(f"f-{number}", isSnapshot=True))


def received(stack: Stack, what: str) -> int:
    """How many pages, tickets, rows or hooks are at the SOC."""
    return int(stack.soc.counts()["received"][what])


def test_a_page_leaves_while_tickets_hang_and_a_snapshot_pours_in(stack: Stack) -> None:
    """More tickets hang than a worker sends at a time, and thousands of findings are on their way: a new alert is a page before
    any ticket is through, and before all of the findings are."""
    stack.write_policy("cspm", POSTURE)
    stack.soc.servicenow.faults.add(Hang(600), times=None)
    post = Post(stack)

    async def run() -> None:
        async with host(stack).running():
            await post.send(*(medium(f"m-{number}") for number in range(HUNG)))
            await asyncio.to_thread(snapshot, stack)
            await until(lambda: stack.soc.logs.counts["Custom-DefenderFindings_CL"] > 0)
            await post.send(high("new"))
            await until(lambda: received(stack, "pages") == 1)
            assert received(stack, "tickets") == 0
            assert stack.soc.logs.counts["Custom-DefenderFindings_CL"] < SNAPSHOT

    asyncio.run(run())
    assert [page.dedup_key for page in stack.soc.pagerduty.pages] == [key_of("new")]


def test_a_destination_that_hangs_does_not_stop_another_of_its_lane(stack: Stack) -> None:
    """More tickets hang than a worker sends at a time in a lane; they get their share of it, and each alert gets to the webhook
    in that lane. When the tickets hang no longer, each is there, once."""
    secret = stack.soc.accounts["cwpp"].webhook_secret

    async def run() -> None:
        with gated(stack) as behind:
            behind.write_policy("cwpp", BOTH)
            post, tried = Post(behind), behind.gate.watch(to("servicenow"))
            hung = behind.gate.hold(to("servicenow"))
            async with host(behind, WEBHOOK_SECRET=secret, ALERT_ROUTER_GRACE="1").running() as running:
                await post.send(*(medium(f"m-{number}") for number in range(HUNG)))
                # A request gives up after 30 seconds, and another takes its place.
                await until(lambda: received(behind, "hooks") == HUNG and bool(tried))
                assert len(tried) <= AT_A_TIME
                hung.end()
                await settle(behind, lambda: sweep(running))
                assert (await books_of(behind)).tickets == post.due.tickets

    asyncio.run(run())
    assert stack.soc.webhook.duplicates == 0


def test_a_setting_says_how_many_calls_at_a_time_a_worker_makes_to_a_destination(stack: Stack) -> None:
    """With it and the most instances that there may be, what a vendor gets at a time is bounded."""

    async def run() -> None:
        with gated(stack) as behind:
            post, tried = Post(behind), behind.gate.watch(to("servicenow"))
            behind.gate.hold(to("servicenow"))
            async with host(behind, ALERT_ROUTER_AT_A_TIME="2").running():
                await post.send(*(medium(f"m-{number}") for number in range(HUNG)))
                # A request gives up after 30 seconds, and another takes its place.
                await until(lambda: received(behind, "rows") >= HUNG and len(tried) >= 2)
                assert len(tried) == 2

    asyncio.run(run())
