"""While a deployment replaces one version by the next, workers of both are at work on one state; one further is refused."""

from __future__ import annotations

import asyncio
import json
import subprocess
from collections.abc import Iterable, Iterator
from contextlib import AsyncExitStack
from functools import partial
from pathlib import Path

import pytest
from azure.data.tables.aio import TableServiceClient

from router.store.azure.state_version import OURS, PARTITION, ROW
from tests.stack.accounting import (
    Letter,
    Post,
    books_of,
    high,
    junk,
    left_over,
    low,
    medium,
    quick,
    resolved,
    settle,
    sweep,
)
from tests.stack.acts import conditions, runs
from tests.stack.azurite import Azurite
from tests.stack.functions_host import FunctionsHost, Outcome
from tests.stack.stack import ROOT, Stack, stack_running
from tests.waiting import until

OLD = "930b370"
"""The commit that is one version back."""

APP = ("function_app.py", "host.json", "router", "rules")
"""What of it is deployed."""

SETTINGS = quick(lease=20, pointer=5)

EACH = 10
"""Alerts of each kind in a round, and for each partition."""

ROUNDS = 5


@pytest.fixture
def stack(azurite: Azurite) -> Iterator[Stack]:
    """A stack with an empty account."""
    with stack_running(azurite) as stack:
        yield stack


@pytest.fixture
def old_app(tmp_path: Path) -> Path:
    """The app as it was one version back, from git's history."""
    directory = tmp_path / OLD
    directory.mkdir()
    try:
        found = subprocess.run(["git", "archive", OLD, *APP], cwd=ROOT, capture_output=True, check=True)
    except (OSError, subprocess.CalledProcessError) as fault:
        pytest.skip(f"{OLD} is not in git's history here, as in a shallow clone: {fault}")
    subprocess.run(["tar", "-x", "-C", str(directory)], input=found.stdout, check=True)
    return directory


def old_host(stack: Stack, app: Path) -> FunctionsHost:
    """A Functions host for the app as it was."""
    return FunctionsHost(
        app,
        env=stack.environment | SETTINGS,
        event_hubs_connection=stack.hubs.connection_string,
        storage_connection=stack.storage,
        conditions=conditions(),
    )


def alerts(number: int, partition: int) -> list[Letter]:
    """What comes in one round into a partition: alerts of each kind, and what is no message."""
    names = [f"{partition}-{number}-{place}" for place in range(EACH)]
    come = [letter for one in names for letter in (high(f"h-{one}"), medium(f"m-{one}"), low(f"l-{one}"))]
    return [*come, junk(f"no JSON {partition} {number}".encode())]


def ends(number: int, partition: int, places: Iterable[int]) -> list[Letter]:
    """The ends of some alerts of a round."""
    return [resolved(f"{kind}-{partition}-{number}-{place}") for place in places for kind in "hm"]


async def send(post: Post, number: int, ended: int = 0, places: Iterable[int] = ()) -> None:
    """Sends a round into each partition, and the ends of some alerts of one before it."""
    for id in range(2):
        await post.send(*alerts(number, id), *ends(ended, id, places), partition=id)


def has_arrived(stack: Stack, number: int) -> bool:
    """Whether there is each page and ticket of a round. Of what ends before that nobody is told."""
    at_soc = stack.soc.state()
    due = [letter for partition in range(2) for letter in alerts(number, partition)]
    return {page.dedup_key for page in at_soc["pages"]} >= {one.key for one in due if "pages" in one.tells} and {
        ticket["correlation_id"] for ticket in at_soc["tickets"]
    } >= {one.key for one in due if "tickets" in one.tells}


def done(host: FunctionsHost) -> tuple[int, int]:
    """How many batches a host took in, and how many pointers it worked off."""
    lanes = (runs(host, f"deliver_cwpp_{lane}", Outcome.OK) for lane in ("page", "ticket", "rows"))
    return runs(host, "take_cwpp", Outcome.OK), sum(lanes)


def is_further(host: FunctionsHost, before: tuple[int, int]) -> bool:
    """Whether a host took something in and delivered something since."""
    return all(one < other for one, other in zip(before, done(host), strict=True))


@pytest.mark.soak
def test_one_version_back_works_beside_this_one_while_queues_drain(stack: Stack, old_app: Path) -> None:
    """The old one begins, both take in and deliver, and the old one goes with work left. Each message is on record once; each
    page, ticket and row is there once; nothing is dead, set aside or left behind."""
    post = Post(stack)
    old, new = old_host(stack, old_app), stack.host(conditions=conditions(), **SETTINGS)

    async def run() -> None:
        async with AsyncExitStack() as later:
            async with old.running():
                await send(post, 0)
                await until(lambda: has_arrived(stack, 0), look=0.2)
                await later.enter_async_context(new.running())
                for number in range(1, ROUNDS + 1):
                    before = done(old)
                    # What the old one opened ends under either of them.
                    await send(post, number, ended=0, places=(2 * number - 2, 2 * number - 1))
                    await until(partial(is_further, old, before))
                await until(lambda: is_further(new, (0, 0)) and has_arrived(stack, 1), look=0.2)
                # So does what either of them opened.
                before = done(old)
                await send(post, ROUNDS + 1, ended=1, places=range(EACH))
                await until(partial(is_further, old, before))
                assert await left_over(stack), "nothing is left that queues could drain of"
            await settle(stack, lambda: sweep(new))

    asyncio.run(run())
    print(f"batches and pointers: old {done(old)}, new {done(new)}")
    assert asyncio.run(books_of(stack)) == post.due
    assert {page.triggers for page in stack.soc.pagerduty.pages} == {1}
    assert set(stack.soc.counts()["duplicates"].values()) == {0}
    assert {run.outcome for host in (old, new) for run in host.invocations} == {Outcome.OK}


def test_where_the_state_is_of_a_newer_version_the_health_page_says_so(stack: Stack) -> None:
    """In one line, without a traceback, and nothing is taken in: the messages stay in the hub for the newer program."""

    async def run() -> None:
        async with TableServiceClient.from_connection_string(stack.storage) as tables:
            journal = await tables.create_table("journal")
            newer = {"version": OURS.version + 2, "oldest": OURS.version + 1}
            await journal.create_entity({"PartitionKey": PARTITION, "RowKey": ROW, **newer})
            async with stack.host(conditions=conditions()).running() as host:
                answer = await host.request("GET", "/api/health")
                await Post(stack).send(high("a"))
                await until(lambda: runs(host, "take_cwpp", Outcome.FAILED) > 1)
            assert {one.name async for one in tables.list_tables()} == {"journal"}
        (line,) = json.loads(answer.body)["problems"]
        assert answer.status == 503
        assert "\n" not in line
        assert f"of version {OURS.version + 2}, " in line
        assert f"this program is of version {OURS.version}; deploy the newer program again" in line

    asyncio.run(run())
