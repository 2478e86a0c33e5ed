"""What hubs do wrong costs time, and never a message, and nobody is told twice."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import suppress
from dataclasses import replace

import pytest

from router.domain.errors import StoreError
from router.store.partitions import read_losses
from tests.stack.accounting import (
    QUICK,
    Letter,
    Post,
    books_of,
    high,
    junk,
    low,
    medium,
    resolved,
    settle,
    sweep,
)
from tests.stack.acts import conditions, forget_checkpoints, runs
from tests.stack.functions_host import FunctionsHost, Outcome
from tests.stack.stack import Stack
from tests.store.within import within
from tests.waiting import PATIENCE, until

pytestmark = pytest.mark.soak  # Each waits for leases, graces and retries to pass, for a minute or two.

IN_PARTS = {"AzureFunctionsJobHost__extensions__eventHubs__maxEventBatchSize": "3"}
"""Settings under which batches are small."""


def mixed(name: str) -> list[Letter]:
    """One letter of each sort, told apart by a name."""
    return [high(f"h-{name}"), junk(f"no JSON {name}".encode()), low(f"l-{name}"), medium(f"m-{name}")]


def host(stack: Stack, **settings: str) -> FunctionsHost:
    """A host under which a hole in a hub is one at once."""
    return stack.host(conditions=conditions(), **(QUICK | {"ALERT_ROUTER_GRACE": "0.2"} | settings))


def batches(host: FunctionsHost) -> list[int]:
    """How many events of `cwpp` each call took in."""
    return [run.events for run in host.invocations if run.function == "take_cwpp"]


async def sweep_until(host: FunctionsHost, is_so: Callable[[], Awaitable[bool]]) -> None:
    """Sweeps until something is so; gives up after a while."""
    async with asyncio.timeout(PATIENCE):
        await sweep(host)
        while not await is_so():
            await sweep(host)


async def arrived(stack: Stack, post: Post) -> None:
    """Returns once all that is due is on record and at the SOC, and nothing else."""

    async def has_arrived() -> bool:
        with suppress(StoreError):  # Until the worker has begun there are no tables.
            return await books_of(stack) == post.due
        return False

    await until(has_arrived, look=0.1)


def test_hubs_that_stay_away_cost_time_only(stack: Stack) -> None:
    """What comes in meanwhile is taken by the trigger, without a sweep. A sweep meanwhile ends, and blames nobody."""
    post = Post(stack)

    async def run() -> None:
        async with host(stack).running() as running:
            await post.send(*mixed("before"))
            await arrived(stack, post)
            stack.hubs.stop_accepting()
            await post.send(*mixed("away"))
            await post.send(low("away, too"), partition=1)
            await sweep(running)
            stack.hubs.resume_accepting()
            await running.idle()
            assert (await books_of(stack)).record == post.due.record
            await arrived(stack, post)
            await settle(stack, lambda: sweep(running))

    asyncio.run(run())


def test_what_is_redelivered_whole_and_in_part_is_told_once(stack: Stack) -> None:
    """After the platform has forgotten how far it had read, in one batch and in small ones. The record keeps the first
    outcomes, and the SOC gets not one more request."""
    post = Post(stack)

    async def run() -> None:
        async with host(stack).running() as running:
            await post.send(*mixed("a"))
            for letter in (high("once"), resolved("once"), replace(high("once"), turn=3)):
                await post.send(letter)
                await arrived(stack, post)
            await settle(stack, lambda: sweep(running))
        told = stack.soc.counts()
        for settings, most in (({}, 7), (IN_PARTS, 3)):
            forget_checkpoints(stack)
            async with host(stack, **settings).running() as running:
                await running.idle()
                assert (sum(batches(running)), max(batches(running))) == (7, most)
                assert stack.soc.counts() == told
        async with host(stack).running() as running:
            await post.send(*mixed("later"))
            await arrived(stack, post)
            await settle(stack, lambda: sweep(running))

    asyncio.run(run())


class NewPost(Post):
    """Takes letters to a hub that was created anew."""

    def _enter(self, message: str, source: str, letter: Letter) -> None:
        hub, partition, _, number = message.split(":")
        super()._enter(f"{hub}:{partition}:2:{number}", source, letter)


def test_a_hub_that_was_created_anew_is_not_taken_for_the_old_one(stack: Stack) -> None:
    """The sweep takes in what the new hub holds, in a new epoch, and warns; the platform's stale checkpoints keep the trigger
    from it. When they are deleted, and the app has begun again, the trigger goes on, and what it brings again is a repeat."""
    post, new = Post(stack), NewPost(stack)
    new.due = post.due

    async def run() -> None:
        async with host(stack).running() as running:
            await post.send(*mixed("old"))
            await post.send(*mixed("older"), partition=1)
            await arrived(stack, post)
            await sweep(running)
            stack.hubs.recreate("cwpp", 2)
            taken = runs(running, "take_cwpp", Outcome.OK)
            # As numbers go, each is known: it is another message all the same.
            await new.send(resolved("h-old"), low("newest"), high("new"))
            await new.send(high("newer"), partition=1)

            async def has_arrived() -> bool:
                return await books_of(stack) == post.due

            await sweep_until(running, has_arrived)
            assert runs(running, "take_cwpp", Outcome.OK) == taken
            assert "the hub was created anew" in running.log
        forget_checkpoints(stack)
        told, store = stack.soc.counts(), stack.store()
        assert await within(store, read_losses, "cwpp") == []
        await store.close()
        async with host(stack).running() as running:
            await running.idle()
            assert stack.soc.counts() == told
            await new.send(*mixed("by the trigger"))
            await arrived(stack, post)

    asyncio.run(run())
