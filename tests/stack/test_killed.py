"""The worker may be killed at any step: nothing is lost, and nobody is told twice who can tell it."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator, Sequence

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
    resolved,
    settle,
    sweep,
    sweep_later,
)
from tests.stack.acts import conditions, runs
from tests.stack.azurite import Azurite
from tests.stack.functions_host import Death, Outcome
from tests.stack.gate import GatedStack, Matching, gated, moves, reads, sends, to, writes
from tests.stack.stack import stack_running
from tests.waiting import until

STEPS: dict[str, Matching] = {
    "before its markers": writes("journal", '"RowKey": "m.'),
    "marked, before a body is kept": writes("quarantine"),
    "before what is kept is on record": writes("record", '"quarantined"'),
    "before the ledger is asked": reads("ledger"),
    "before the intents": writes("ledger", '"unfinished": true'),
    "before the deliveries": writes("deliveries", '"cwpp.tickets.'),
    "between two deliveries": writes("deliveries", '"cwpp.oncall.', '"s:'),
    "before the pointers": sends("cwpp-ticket"),
    "before the record": writes("record", '"routed"'),
    "before the record is owed to its second home": writes("deliveries", '"cwpp.record.', '"s:'),
    "before the intents are done": writes("ledger", '"unfinished": false'),
    "before the journal": writes("journal", '"RowKey": "t.'),
}
"""The writing order, and the first request of each step."""

SOME = ("before its markers", "between two deliveries", "before the journal")
"""The first step, one in the midst of it all, and the last; what lies between them is for `make soak`."""

AGAIN = ("before the intents", "between two deliveries", "before the journal")
"""Steps at which a batch dies that the platform brings again."""


@pytest.fixture
def stack(azurite: Azurite) -> Iterator[GatedStack]:
    """A stack with an empty account, behind a gate."""
    with stack_running(azurite) as stack, gated(stack) as stack:
        yield stack


@pytest.mark.parametrize("steps", [SOME, pytest.param(tuple(STEPS), marks=pytest.mark.soak)], ids=["some", "all"])
def test_what_a_worker_died_of_at_any_step_is_taken_in_by_the_sweep(stack: GatedStack, steps: Sequence[str]) -> None:
    """The platform takes a dead worker's batch for done. Killed before each step of the writing order, every message still
    has one outcome on record, and is at the SOC once where it belongs."""
    post = Post(stack)

    async def run() -> None:
        async with stack.host(conditions=conditions(), **QUICK).running() as host:
            # Nothing is delivered meanwhile: what a kill does to deliveries is another test's.
            quiet = stack.gate.hold(reads("deliveries", "'pauses'"))
            for number, step in enumerate(steps):
                order = stack.gate.hold(STEPS[step])
                await post.send(high(f"h-{number}"), junk(), low(f"l-{number}"), medium(f"m-{number}"))
                await order.met()
                await host.kill_worker()
                order.end()
            quiet.end()
            assert runs(host, "take_cwpp", Outcome.DIED) == len(steps)
            await settle(stack, lambda: sweep(host))
            assert await books_of(stack) == post.due

    asyncio.run(run())


@pytest.mark.parametrize("steps", [AGAIN[1:2], pytest.param(AGAIN, marks=pytest.mark.soak)], ids=["one", "all"])
def test_a_batch_that_comes_again_after_its_worker_died_is_taken_in_once(
    stack: GatedStack, steps: Sequence[str]
) -> None:
    """Where the platform brings a dead worker's batch again, no sweep is needed, and nothing is there twice either."""
    post = Post(stack)

    async def run() -> None:
        async with stack.host(conditions=conditions(Death.RETRIED), **QUICK).running() as host:
            for number, step in enumerate(steps):
                order = stack.gate.hold(STEPS[step])
                await post.send(high(f"h-{number}"), junk(), low(f"l-{number}"), medium(f"m-{number}"))
                await order.met()
                await host.kill_worker()
                order.end()
                await host.idle()
            assert [runs(host, "take_cwpp", outcome) for outcome in (Outcome.DIED, Outcome.OK)] == [len(steps)] * 2
            assert (await books_of(stack)).record == post.due.record
            await settle(stack, lambda: sweep(host))
            assert await books_of(stack) == post.due

    asyncio.run(run())


def test_killed_at_any_moment_of_a_delivery_nobody_is_told_twice_who_can_tell_it(stack: GatedStack) -> None:
    """A delivery whose worker died is made again when its claim ends. The pager folds what it had already, a ticket that is
    there is found, a row keeps its EventUid; what is on record as sent is never sent again."""
    post, gate = Post(stack), stack.gate
    moments = {
        "claimed": gate.withhold(moves("oncall", key_of("claimed"), "claimed")),
        "on its way": gate.hold(to("pagerduty", key_of("on its way"))),
        "paged": gate.withhold(to("pagerduty", key_of("paged"))),
        "page settled": gate.withhold(moves("oncall", key_of("page settled"), "sent")),
        "opened": gate.withhold(to("servicenow", f'"correlation_id":"{key_of("opened")}"')),
        "ticket unsettled": gate.hold(moves("tickets", key_of("ticket unsettled"), "sent")),
        "row unsettled": gate.hold(moves("sentinel", key_of("row unsettled"), "sent")),
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
    assert page_of(stack, "page settled").triggers == 1
    assert page_of(stack, "paged").triggers >= 2, "no kill met a page under way, so nothing was proven"
    assert stack.soc.counts()["duplicates"]["rows"] >= 1, "no kill met a row under way, so nothing was proven"


# tests/store/test_repointing.py says in an account what the sweep points at.
@pytest.mark.soak
def test_what_nobody_points_at_any_more_is_pointed_at_by_the_sweep(stack: GatedStack) -> None:
    """A worker may die after it wrote that a delivery is owed again, or that the next one's turn has come, and before it
    pointed there."""
    post, gate = Post(stack), stack.gate

    async def run() -> None:
        async with stack.host(conditions=conditions(), **quick(lease=8, pointer=1)).running() as host:
            opening = gate.hold(to("pagerduty", key_of("over")))
            gate.fail(to("pagerduty", key_of("busy")), 500, "Fault", times=1, Retry_After="3")
            later = gate.hold(lambda seen: sends("cwpp-page")(seen) and "visibilitytimeout=0" not in seen.path)
            await post.send(high("over"), high("busy"))
            await asyncio.gather(opening.met(), later.met())
            await post.send(resolved("over"))
            # The pointer to the resolution comes while it is not its turn yet.
            await until(lambda: runs(host, "deliver_cwpp_page", Outcome.OK) >= 1)
            next = gate.hold(sends("cwpp-page"))
            opening.end()
            await next.met()
            await host.kill_worker()
            later.end()
            next.end()
            # The pointers that the worker had in hand come again, and find nothing to do.
            await until(lambda: runs(host, "deliver_cwpp_page", Outcome.OK) >= 3)
            assert page_of(stack, "over").status == "triggered"
            await settle(stack, lambda: sweep_later(stack))
            assert await books_of(stack) == post.due

    asyncio.run(run())
    assert (page_of(stack, "over").status, page_of(stack, "busy").status) == ("resolved", "triggered")


def page_of(stack: GatedStack, name: str) -> Page:
    """The one page of an alert."""
    (page,) = [page for page in stack.soc.pagerduty.pages if page.dedup_key == key_of(name)]
    return page
