"""Storage that fails, refuses or hangs costs time, and never a message."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator

import pytest

from router.ingest.poison import SUSPICION
from tests.stack.accounting import LEASE, QUICK, Post, books_of, high, junk, key_of, low, medium, settle, sweep
from tests.stack.acts import conditions, dead_letters, runs
from tests.stack.azurite import Azurite, azurite_running
from tests.stack.functions_host import Outcome
from tests.stack.gate import GatedStack, Seen, gated, moves, writes
from tests.stack.stack import stack_running
from tests.waiting import until


@pytest.fixture
def stack(azurite: Azurite) -> Iterator[GatedStack]:
    """A stack with an empty account, behind a gate."""
    with stack_running(azurite) as stack, gated(stack) as stack:
        yield stack


def to_storage(seen: Seen) -> bool:
    """Any request to storage."""
    return seen.service in ("blob", "queue", "table")


def test_while_storage_fails_messages_wait_in_the_hub_and_nobody_is_suspected(stack: GatedStack) -> None:
    """Storage that is busy is asked again; storage that refuses fails the call, which comes again with the same messages. A
    process that lives and tries again is nobody's death, so nothing is ever taken alone."""
    post, gate = Post(stack), stack.gate
    alone = gate.watch(writes("journal", '"alone": true'))

    async def run() -> None:
        async with stack.host(conditions=conditions(), **QUICK).running() as host:
            closed = gate.fail(to_storage, 403, "AuthorizationFailure")
            await post.send(high("from the start"), junk(), low("low"))
            # More often than makes an event suspect, and before the service was ever ready.
            await until(lambda: runs(host, "take_cwpp", Outcome.FAILED) > SUSPICION)
            assert (await host.fire("sweep")).outcome is Outcome.FAILED
            closed.end()
            await until(lambda: runs(host, "take_cwpp", Outcome.OK) == 1)
            half = gate.fail(writes("record"), 403, "AuthorizationFailure")
            await post.send(high("half-way"), medium("half-way, too"))
            failed = runs(host, "take_cwpp", Outcome.FAILED) + SUSPICION
            await until(lambda: runs(host, "take_cwpp", Outcome.FAILED) > failed)
            half.end()
            busy = gate.fail(to_storage, 503, "ServerBusy")
            await post.send(high("under load"))
            await until(lambda: busy.count > 10)
            busy.end()
            await settle(stack, lambda: sweep(host))
            assert await books_of(stack) == post.due
            assert runs(host, "take_cwpp", Outcome.DIED) == 0

    asyncio.run(run())
    assert alone == []


def test_what_the_soc_took_while_storage_failed_is_written_down_later_and_sent_once(stack: GatedStack) -> None:
    """A settlement that storage did not take stays with the worker as long as it lives."""
    post, gate = Post(stack), stack.gate

    async def run() -> None:
        async with stack.host(conditions=conditions(), **QUICK).running() as host:
            closed = gate.fail(moves("oncall", key_of("told"), "sent"), 403, "AuthorizationFailure")
            await post.send(high("told"))
            await until(lambda: runs(host, "deliver_cwpp_page", Outcome.FAILED) == 1)
            closed.end()
            assert await dead_letters(stack) == []
            assert await books_of(stack) == post.due

    asyncio.run(run())
    assert [page.triggers for page in stack.soc.pagerduty.pages] == [1]


def test_storage_that_hangs_costs_time_only() -> None:
    """Messages that come, and deliveries that are under way, while storage says nothing are all accounted for."""
    with azurite_running() as azurite, stack_running(azurite) as stack:
        post = Post(stack)

        async def run() -> None:
            async with stack.host(conditions=conditions(), **QUICK).running() as host:
                await post.send(*(high(f"before-{number}") for number in range(8)))
                await until(lambda: len(stack.soc.pagerduty.pages) > 0)
                azurite.pause()
                await post.send(*(high(f"meanwhile-{number}") for number in range(8)), partition=1)
                await asyncio.sleep(1 + LEASE)  # A claim runs out meanwhile, and nothing else can happen.
                azurite.resume()
                await settle(stack, lambda: sweep(host))
                assert await books_of(stack) == post.due
                assert not [run for run in host.invocations if run.outcome is Outcome.DIED]

        asyncio.run(run())
