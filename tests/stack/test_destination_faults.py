"""What a destination's trouble costs: time, there and nowhere else. What each vendor's does is told by tests/vendors."""

from __future__ import annotations

import asyncio

import pytest

from alert_router_demo.soc import Hang
from router.app.wiring import AT_A_TIME
from tests.builders import finding_body
from tests.stack.accounting import Post, high, key_of, medium
from tests.stack.functions_host import Conditions
from tests.stack.stack import Stack
from tests.waiting import until

pytestmark = pytest.mark.soak  # Each waits for leases, graces and retries to pass, for a minute or two.

SNAPSHOT = 3_000


def received(stack: Stack, what: str) -> int:
    """How many pages, tickets or rows are at the SOC."""
    return int(stack.soc.counts()["received"][what])


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
