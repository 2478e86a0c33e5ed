"""A subscription is silent, and the sweep of Microsoft's worker tells of it."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterator
from datetime import datetime, timedelta

import pytest

from router.app.clock import now
from router.domain.coverage_sources import LastHeard
from router.domain.keys import signal_key
from router.domain.source_turns import SourceWatch, document_of_watch, finding_id_of
from router.store.delivery_status import list_deliveries
from router.store.documents import put_document
from router.store.sources import write_heard
from router.store.store import Store
from tests.domain.silence_model import DAY, ONE, TWO, of_subscription
from tests.stack.accounting import sweep
from tests.stack.azurite import Azurite
from tests.stack.stack import Stack, stack_running
from tests.stack.test_destination_faults import host, received
from tests.store.within import within
from tests.waiting import until

MANIFEST = f"expect:\n  - {{kind: subscription, name: [{ONE}, {TWO}]}}\n  - {{kind: cluster, name: 'aks-*'}}\n"


@pytest.fixture
def stack(azurite: Azurite, postgresql: str) -> Iterator[Stack]:
    """A stack whose rules expect two subscriptions."""
    with stack_running(azurite, postgresql) as stack:
        (stack.rules / "coverage.yaml").write_text(MANIFEST)
        yield stack


async def have_lived(store: Store, at: datetime) -> None:
    """The router ran for twenty days, and heard of one subscription nine days ago and of the other one just now."""
    heard = [LastHeard(source=of_subscription(id), posture=at - days * DAY) for id, days in ((ONE, 9), (TWO, 0))]
    await within(store, write_heard, heard, at)
    watch = SourceWatch(anew=at - 20 * DAY, taken=at - timedelta(minutes=30))
    await within(store, put_document, document_of_watch("cspm", watch))


async def owed_of(store: Store, id: str) -> list[str]:
    """What the ticket intake was owed of a subscription."""
    key = signal_key("cspm", "coverage", finding_id_of(of_subscription(id)))
    return [one.change.value for one in await within(store, list_deliveries, key) if one.destination == "backlog"]


def test_a_sweep_tells_who_is_silent(stack: Stack) -> None:
    """Its ticket arrives; the health page counts it, and names the pattern that fits nothing."""

    async def run() -> None:
        store = stack.store()
        try:
            await have_lived(store, now())
            async with host(stack).running() as running:
                await sweep(running)
                assert await owed_of(store, ONE) == ["opened"]
                page = json.loads((await running.request("GET", "/api/health")).body)
                assert page["streams"]["cspm"]["sources"]["silent"] == 1
                assert page["streams"]["cspm"]["sources"]["unmatched"] == [
                    "coverage.yaml expect[1].name: 'aks-*' fits nothing that was ever heard of"
                ]
                await until(lambda: received(stack, "tickets") == 1)
            assert await owed_of(store, TWO) == []
        finally:
            await store.close()

    asyncio.run(run())
