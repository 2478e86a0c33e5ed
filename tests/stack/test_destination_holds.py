"""A person holds the tickets of a router at work in Azure: nobody asks for one until that is over, and then all come."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterator
from datetime import timedelta

import pytest

from router.app.clock import now
from router.cli import main
from router.store.destinations import PROBE
from tests.stack.accounting import Post, books_of, high, medium, settle, sweep
from tests.stack.azurite import Azurite
from tests.stack.stack import Stack, stack_running
from tests.stack.test_destination_faults import host, received, sweep_and_deliver
from tests.waiting import until

HOLD = ("destinations", "hold", "--stream", "cwpp", "tickets", "--for", "2h", "--reason", "moved", "--author", "ana")
RELEASE = ("destinations", "release", "--stream", "cwpp", "tickets", "--author", "ben")


@pytest.fixture
def stack(azurite: Azurite, postgresql: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[Stack]:
    """A stack with an empty account, which the command line finds as well."""
    with stack_running(azurite, postgresql) as stack:
        for name, value in stack.environment.items():
            monkeypatch.setenv(name, value)
        yield stack


async def command(stack: Stack, *arguments: str) -> int:
    """The exit code of a command over the account, given beside the router."""
    return await asyncio.to_thread(main, [*arguments, "--state", stack.state, "--rules", str(stack.rules)])


def test_what_is_held_is_asked_by_no_worker_and_comes_when_it_is_released(stack: Stack) -> None:
    """Everybody else is told meanwhile; the health page is green and says who holds it."""
    post = Post(stack)

    async def run() -> None:
        async with host(stack).running() as running:
            await sweep(running)
            assert await command(stack, *HOLD) == 0
        async with host(stack).running() as running:
            await post.send(medium("first"), *(high(f"h-{number}") for number in range(3)))
            await until(lambda: received(stack, "pages") == 3)
            await sweep(running)
            await running.idle()
            assert received(stack, "tickets") == 0
            page = await running.request("GET", "/api/health")
            found = json.loads(page.body)
            assert (page.status, found["problems"]) == (200, [])
            (line,) = found["held"]
            assert line.startswith("cwpp tickets: held by ana since ")
            assert await command(stack, *RELEASE) == 0
        await sweep_and_deliver(stack, timedelta(minutes=1))
        async with host(stack).running() as running:
            await settle(stack, lambda: sweep(running))
        assert await books_of(stack) == post.due

    asyncio.run(run())


def test_a_paused_destination_is_probed_at_the_next_wake_up_where_a_person_wishes_so(stack: Stack) -> None:
    """Without waiting for the probe of five minutes later."""
    post, tickets = Post(stack), stack.soc.servicenow

    async def run() -> None:
        async with host(stack, CWPP_PASSWORD="of yesterday").running() as running:
            await post.send(medium("first"))
            await until(lambda: tickets.answers["401"] == 1)
            await running.idle()
        async with host(stack).running() as running:
            began = now()
            assert await command(stack, *RELEASE) == 0
            while received(stack, "tickets") == 0:
                # As the timer does each minute: it is due once every worker has read that it may be probed.
                await sweep(running)
                await running.idle()
            assert now() - began < PROBE
        async with host(stack).running() as running:
            await settle(stack, lambda: sweep(running))
        assert await books_of(stack) == post.due

    asyncio.run(run())
    assert tickets.answers["401"] == 1
