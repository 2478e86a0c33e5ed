"""The worker may be killed at any step: nothing is lost, and nobody is told twice who can tell it."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator

import pytest

from alert_router_demo.soc.pagerduty import Page
from tests.stack.accounting import (
    Post,
    books_of,
    high,
    key_of,
    quick,
    settle,
    sweep,
)
from tests.stack.acts import conditions
from tests.stack.azurite import Azurite
from tests.stack.gate import GatedStack, gated, to
from tests.stack.stack import stack_running


@pytest.fixture
def stack(azurite: Azurite, postgresql: str) -> Iterator[GatedStack]:
    """A stack with an empty account, behind a gate."""
    with stack_running(azurite, postgresql) as stack, gated(stack) as stack:
        yield stack


def test_killed_at_any_moment_of_a_delivery_nobody_is_told_twice_who_can_tell_it(stack: GatedStack) -> None:
    """A delivery whose worker died is made again when its claim ends. The pager folds what it had already, a ticket that is
    there is found, a row keeps its EventUid; what is on record as sent is never sent again."""
    post, gate = Post(stack), stack.gate
    moments = {
        "on its way": gate.hold(to("pagerduty", key_of("on its way"))),
        "paged": gate.withhold(to("pagerduty", key_of("paged"))),
        "opened": gate.withhold(to("servicenow", f'"correlation_id":"{key_of("opened")}"')),
    }

    async def run() -> None:
        async with stack.host(conditions=conditions(), **quick(lease=6)).running() as host:
            await post.send(*map(high, moments))
            await asyncio.gather(*(order.met() for order in moments.values()))
            await host.kill_worker()
            for order in moments.values():
                order.end()
            await settle(stack, lambda: sweep(host))
            assert await books_of(stack) == post.due

    asyncio.run(run())
    assert page_of(stack, "paged").triggers >= 2, "no kill met a page under way, so nothing was proven"


def page_of(stack: GatedStack, name: str) -> Page:
    """The one page of an alert."""
    (page,) = [page for page in stack.soc.pagerduty.pages if page.dedup_key == key_of(name)]
    return page
