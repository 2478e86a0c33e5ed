"""In Azure, the app of a newer version carries the state forward as it starts, beside workers of the version before."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from pathlib import Path

import pytest

from router.store.store import VERSION
from tests.stack.accounting import QUICK, Post, books_of, conditions, high, low, medium, rows_in, runs, settle, sweep
from tests.stack.functions_host import FunctionsHost, Outcome
from tests.stack.postgres import Server
from tests.stack.stack import ROOT, Stack, stack_running
from tests.waiting import until


async def takes_in(host: FunctionsHost, post: Post, name: str) -> None:
    """Has a host's worker take in what is sent now."""
    before = runs(host, "take_cwpp", Outcome.OK)
    await post.send(high(f"high {name}"), low(f"low {name}"), medium(f"medium {name}"))
    await until(lambda: runs(host, "take_cwpp", Outcome.OK) > before)


@pytest.fixture
def stack(postgres: Server) -> Iterator[Stack]:
    """A stack with a database of its own: what was carried forward is no other test's."""
    with stack_running(postgres.new_database()) as stack:
        yield stack


@pytest.mark.soak
def test_a_deployment_takes_instances_one_by_one_and_is_taken_back(stack: Stack, newer: Path) -> None:
    """A worker of the older version that starts after the step, as where Azure scales out meanwhile, takes in and delivers; so
    does the older version once the newer one is gone. Nothing is lost, and nobody is told twice."""
    post = Post(stack)

    async def run() -> None:
        async with stack.host(ROOT, conditions=conditions(), **QUICK).running() as older:
            await takes_in(older, post, "before")
            async with stack.host(newer, conditions=conditions(), **QUICK).running() as later:
                await takes_in(later, post, "beside")
                (said,) = await rows_in(stack, "SELECT value FROM meta WHERE name='version'")
                assert said.text("value") == str(VERSION + 1)
                await older.kill_worker()
                await takes_in(older, post, "from one that starts after the step")
                await later.kill_worker()
                await takes_in(later, post, "from the next one of the newer version")
            await older.terminate_worker()
            await takes_in(older, post, "taken back")
            await settle(stack, lambda: sweep(older))
        assert await books_of(stack) == post.due

    asyncio.run(run())
