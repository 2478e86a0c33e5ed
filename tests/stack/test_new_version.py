"""A worker that is told to end, as a new version's deployment tells it, ends in order: nobody has to wait for its leases."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from contextlib import ExitStack

from tests.stack.accounting import Post, books_of, high, key_of, left_over, low, rows_in, settle, sweep
from tests.stack.acts import conditions, runs, state_held
from tests.stack.functions_host import FunctionsHost, Outcome
from tests.stack.gate import GatedStack, Order, to
from tests.waiting import until

AT_ONCE = {"ALERT_ROUTER_GRACE": "1"}
"""Claims have their usual leases, minutes long, as in Azure."""

DOORS = ("deliver_cwpp_page", "deliver_cwpp_ticket", "deliver_cwpp_rows", "take_cwpp")


async def replace_worker(
    host: FunctionsHost, orders: Sequence[Order], meanwhile: Callable[[], Awaitable[object]] | None = None
) -> None:
    """Sends a worker SIGTERM in the midst of what some orders hold up, and lets that go on once it has heeded it."""
    async with asyncio.TaskGroup() as group:
        group.create_task(host.terminate_worker())
        await until(lambda: "ending; what is in hand has" in host.log)
        if meanwhile is not None:
            await meanwhile()
        for order in orders:
            order.end()


def test_what_is_in_hand_is_finished_and_the_rest_is_the_next_workers(gated_stack: GatedStack) -> None:
    """In the midst of claims, requests, answers and settlements of every lane. Nothing is lost, nobody is told twice, no call
    dies, and no lease has to run out: the next worker sends at once what this one had claimed and not sent."""
    post, gate = Post(gated_stack), gated_stack.gate
    moments = {
        "on its way": gate.hold(to("pagerduty", key_of("on its way"))),
        "paged": gate.withhold(to("pagerduty", key_of("paged"))),
        "opened": gate.withhold(to("servicenow", f'"correlation_id":"{key_of("opened")}"')),
    }

    async def run() -> None:
        async with gated_stack.host(conditions=conditions(), **AT_ONCE).running() as host:
            await post.send(*map(high, moments))
            await asyncio.gather(*(order.met() for order in moments.values()))
            await replace_worker(host, list(moments.values()))
            await until(lambda: _is_done(gated_stack), look=1)
            assert await books_of(gated_stack) == post.due
            assert [runs(host, door, Outcome.DIED) for door in DOORS] == [0] * len(DOORS)

    asyncio.run(run())
    assert asyncio.run(rows_in(gated_stack, "SELECT id FROM deliveries WHERE lost > 0")) == []
    assert {page.triggers for page in gated_stack.soc.pagerduty.pages} == {1}
    assert set(gated_stack.soc.counts()["duplicates"].values()) == {0}


def test_a_batch_in_hand_is_taken_in_and_the_next_one_is_the_next_workers(gated_stack: GatedStack) -> None:
    """The platform would count a batch as done whose worker dies, and the sweep would have to bring it back."""
    post = Post(gated_stack)

    async def run() -> None:
        async with gated_stack.host(conditions=conditions(), **AT_ONCE).running() as host:
            await post.send(low("first"))
            await host.idle()
            with ExitStack() as held:
                held.enter_context(state_held(gated_stack))
                await post.send(high("in hand"), low("low"))
                await until(lambda: host.under_way("take_cwpp") == 1)

                async def refused() -> None:
                    await post.send(high("comes later"), partition=1)
                    await until(lambda: runs(host, "take_cwpp", Outcome.FAILED) >= 1)
                    held.close()

                await replace_worker(host, [], refused)
            await until(lambda: _is_done(gated_stack), look=1)
            assert await books_of(gated_stack) == post.due
            assert runs(host, "take_cwpp", Outcome.DIED) == 0
            await settle(gated_stack, lambda: sweep(host))

    asyncio.run(run())


async def _is_done(gated_stack: GatedStack) -> bool:
    """Whether every delivery was sent; that the hub is settled is a sweep's to say."""
    return not [one for one in await left_over(gated_stack) if "settled up to" not in one]
