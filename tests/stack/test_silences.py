"""A person silences a machine while the router is at work in Azure: the workers that run obey within half a minute."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator, Mapping
from datetime import timedelta
from itertools import count

import pytest

from router.app.clock import now
from router.cli import main
from router.domain.counts import decided_at
from router.domain.decisions import Outcome
from router.store.decisions import find_outcomes
from router.store.store import Store
from tests.silences import HOUR
from tests.stack.accounting import Post, high
from tests.stack.azurite import Azurite
from tests.stack.stack import Stack, stack_running
from tests.stack.test_destination_faults import host, received
from tests.store.acts import decisions_between
from tests.store.within import within
from tests.waiting import until

SILENCE = ("silences", "add", "--resource", "vm-1", "--for", "2h", "--reason", "patching", "--author", "ana", "--yes")


@pytest.fixture
def stack(azurite: Azurite, postgresql: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[Stack]:
    """A stack with an empty account, which the command line finds as well."""
    with stack_running(azurite, postgresql) as stack:
        for name, value in stack.environment.items():
            monkeypatch.setenv(name, value)
        yield stack


def test_a_worker_that_runs_obeys_a_silence_within_half_a_minute(stack: Stack) -> None:
    """It knew of none, and nobody starts it again; whatever it tells of is what it decided before."""
    post, numbers = Post(stack), count()

    async def is_next_held(store: Store) -> bool:
        """Whether the alert is held that comes in now, once that is decided."""
        (key,) = await post.send(high(f"h-{next(numbers)}"))
        found: Mapping[str, Outcome] = {}

        async def is_decided() -> bool:
            nonlocal found
            found = await within(store, find_outcomes, [key])
            return key in found

        await until(is_decided)
        return found[key] is Outcome.SUPPRESSED

    async def run() -> None:
        store = stack.store()
        try:
            await at_work(store)
        finally:
            await store.close()

    async def at_work(store: Store) -> None:
        async with host(stack).running() as running:
            assert not await is_next_held(store)
            assert await asyncio.to_thread(main, [*SILENCE, "--state", stack.state, "--rules", str(stack.rules)]) == 0
            made = now()
            await until(lambda: is_next_held(store), look=1)
            decided = await within(store, decisions_between, made - HOUR, made + HOUR, 1_000, {Outcome.ROUTED})
            assert max(map(decided_at, decided)) < made + timedelta(seconds=30)
            told = next(numbers) - 1
            assert await is_next_held(store)
            await until(lambda: received(stack, "pages") == told)
            await running.idle()
            assert received(stack, "pages") == told

    asyncio.run(run())
