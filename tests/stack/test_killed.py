"""The worker may be killed at any step: nothing is lost, and nobody is told twice who can tell it."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from functools import partial

import pytest

from alert_router_demo.soc.pagerduty import Page
from tests.stack.accounting import (
    QUICK,
    Post,
    books_of,
    high,
    junk,
    key_of,
    low,
    medium,
    quick,
    settle,
    sweep,
)
from tests.stack.acts import asleep, conditions, has_died, kill
from tests.stack.functions_host import Death
from tests.stack.gate import GatedStack, to
from tests.stack.postgres import Way
from tests.waiting import until


def some(trips: int) -> Sequence[int]:
    """A round trip near the beginning of a batch, one in the midst of it, and one near its end."""
    return (2, trips // 2, trips - 1)


def every(trips: int) -> Sequence[int]:
    """Each round trip of a batch."""
    return range(1, trips)


@pytest.mark.parametrize("death", Death)
@pytest.mark.parametrize("chosen", [some, pytest.param(every, marks=pytest.mark.soak)])
def test_killed_at_any_round_trip_of_its_intake_a_batch_is_taken_in_once(
    gated_stack: GatedStack, death: Death, chosen: Callable[[int], Sequence[int]]
) -> None:
    """Before the state hears of it, or before the worker hears what came of it. The sweep takes a batch in that the platform
    counts as done; one that it brings again needs no sweep. Each message is on record once, and is told once."""
    post = Post(gated_stack)

    async def run() -> None:
        with Way(gated_stack.state) as way:
            settings = {**QUICK, **asleep(), "ALERT_ROUTER_STATE": way.to(gated_stack.state)}
            async with gated_stack.host(conditions=conditions(death), **settings).running() as host:
                for name in ("before", "counted"):
                    before = way.trips
                    await post.send(high(f"h-{name}"), junk(), low(f"l-{name}"), medium(f"m-{name}"))
                    await host.idle()
                for number, trip in enumerate(chosen(way.trips - before)):
                    way.cut_at(trip, is_after=number % 2 == 1, happens=partial(kill, host))
                    await post.send(high(f"h-{number}"), junk(), low(f"l-{number}"), medium(f"m-{number}"))
                    await until(partial(has_died, host, number + 1))
                    await host.idle()
                assert death is Death.CHECKPOINTED or (await books_of(gated_stack)).record == post.due.record
        async with gated_stack.host(conditions=conditions(), **QUICK).running() as host:
            await settle(gated_stack, lambda: sweep(host))
            assert await books_of(gated_stack) == post.due

    asyncio.run(run())


def test_killed_at_any_moment_of_a_delivery_nobody_is_told_twice_who_can_tell_it(gated_stack: GatedStack) -> None:
    """A delivery whose worker died is made again when its claim ends. The pager folds what it had already, a ticket that is
    there is found, a row keeps its EventUid; what is on record as sent is never sent again."""
    post, gate = Post(gated_stack), gated_stack.gate
    moments = {
        "on its way": gate.hold(to("pagerduty", key_of("on its way"))),
        "paged": gate.withhold(to("pagerduty", key_of("paged"))),
        "opened": gate.withhold(to("servicenow", f'"correlation_id":"{key_of("opened")}"')),
    }

    async def run() -> None:
        async with gated_stack.host(conditions=conditions(), **quick(lease=6)).running() as host:
            await post.send(*map(high, moments))
            await asyncio.gather(*(order.met() for order in moments.values()))
            await host.kill_worker()
            for order in moments.values():
                order.end()
            await settle(gated_stack, lambda: sweep(host))
            assert await books_of(gated_stack) == post.due

    asyncio.run(run())
    assert page_of(gated_stack, "paged").triggers >= 2, "no kill met a page under way, so nothing was proven"


def page_of(gated_stack: GatedStack, name: str) -> Page:
    """The one page of an alert."""
    (page,) = [page for page in gated_stack.soc.pagerduty.pages if page.dedup_key == key_of(name)]
    return page
