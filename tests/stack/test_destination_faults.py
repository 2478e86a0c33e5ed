"""What a destination's trouble costs: time, there and nowhere else; never a notice, and nobody is told twice who can tell."""

from __future__ import annotations

import asyncio

import pytest

from alert_router_demo.soc import Drop, Fault, Hang, LoseAnswer, Status
from router.app.wiring import AT_A_TIME
from tests.builders import finding_body
from tests.stack.accounting import QUICK, Post, books_of, high, key_of, medium, settle, sweep
from tests.stack.functions_host import Conditions
from tests.stack.stack import Stack
from tests.waiting import until

pytestmark = pytest.mark.soak  # Each waits for leases, graces and retries to pass, for a minute or two.

SNAPSHOT = 3_000


def received(stack: Stack, what: str) -> int:
    """How many pages, tickets or rows are at the SOC."""
    return int(stack.soc.counts()["received"][what])


def test_what_is_over_soon_costs_an_attempt_and_no_more(stack: Stack) -> None:
    """Errors, cut connections and answers that are none are tried again, and so is what was done but never answered: the
    pager folds that, a look-up finds the ticket, and the row keeps its EventUid."""
    post, soc = Post(stack), stack.soc
    fault: Fault
    asleep = Status(200, body="Your instance is hibernating")
    cancelled = Status(200, body={"error": {"message": "Transaction cancelled"}, "status": "failure"})
    for fault in (Status(200, body={"status": "queued"}), Status(502), LoseAnswer()):
        soc.pagerduty.faults.add(fault)
    for fault in (Drop(), asleep, cancelled):
        soc.servicenow.faults.add(fault)
    soc.servicenow.faults.add(LoseAnswer(), method="POST")
    for fault in (Status(500), Drop(), LoseAnswer()):
        soc.logs.faults.add(fault)

    async def run() -> None:
        async with stack.host(conditions=Conditions(speed=100, grace=0.5), **QUICK).running() as host:
            await post.send(*(high(f"h-{number}") for number in range(3)))
            await settle(stack, lambda: sweep(host))
            assert await books_of(stack) == post.due

    asyncio.run(run())
    assert sum(page.triggers for page in soc.pagerduty.pages) == 3 + 1
    assert received(stack, "rows") > 3 + 3, "nothing was written twice, so nothing was proven of rows"


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


def test_a_page_leaves_while_tickets_hang_and_a_snapshot_pours_in(stack: Stack) -> None:
    """More tickets hang than a worker sends at a time, and thousands of findings are on their way: a new alert is a page before
    any ticket is through, and before all of the findings are."""
    stack.write_policy("cspm", POSTURE)
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
            await until(lambda: received(stack, "pages") == 1)
            assert received(stack, "tickets") == 0
            assert stack.soc.logs.counts[findings] < SNAPSHOT

    asyncio.run(run())
    assert [page.dedup_key for page in stack.soc.pagerduty.pages] == [key_of("new")]
