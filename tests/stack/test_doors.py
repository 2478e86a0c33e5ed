"""A message that is sent into a hub comes out at the SOC, through function_app.py and Microsoft's own runtime."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator

import pytest

from router.domain.keys import signal_key
from tests.builders import alert_body, finding_body
from tests.stack.azurite import Azurite
from tests.stack.functions_host import Conditions
from tests.stack.stack import Stack, stack_running

QUICK = Conditions(speed=20.0)


@pytest.fixture
def stack(azurite: Azurite) -> Iterator[Stack]:
    """A stack with an empty account."""
    with stack_running(azurite) as stack:
        yield stack


def test_alerts_page_and_posture_does_not(stack: Stack) -> None:
    """An alert is a page, a ticket and a row; a finding is a ticket and a row. Each has one decision on record."""
    stack.hubs.append("cwpp", 0, alert_body("a-1"))
    stack.hubs.append("cwpp", 1, alert_body("a-2", Severity="Medium"))
    stack.hubs.append("cspm", 0, finding_body("f-1"))

    async def run() -> None:
        async with stack.host(conditions=QUICK).running() as host:
            await host.idle()

    asyncio.run(run())
    found = stack.soc.state()
    assert [page.dedup_key for page in found["pages"]] == [signal_key("cwpp", "alert", "a-1")]
    assert len(found["tickets"]) == 3
    assert {table: len(rows) for table, rows in found["rows"].items()} == {
        "Custom-ASimAlertEventLogs": 2,
        "Custom-DefenderFindings_CL": 1,
        "Custom-AlertRouterDecisions_CL": 3,
    }
