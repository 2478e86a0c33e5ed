"""The way to a hub on loopback."""

from __future__ import annotations

import asyncio
import gc
from collections.abc import Awaitable, Callable, Coroutine
from typing import Any

import pytest

from router.domain.hubs import Partition
from router.eventhubs import Namespace
from tests.stack.event_hubs import EventHubs
from tests.waiting import PATIENCE

LEFT_BEHIND = pytest.mark.filterwarnings(
    "ignore:unclosed <StreamWriter:ResourceWarning", "ignore:loop is closed:ResourceWarning"
)
"""The client leaves connections that were cut, or never came about, to the garbage collector."""

HUB = "cwpp"
FIRST, SECOND = Partition(HUB, "0"), Partition(HUB, "1")


def a_namespace(hubs: EventHubs) -> Namespace:
    """The way to some hubs."""
    return Namespace(connection_string=hubs.connection_string)


def fill(hubs: EventHubs, partition: Partition, count: int) -> list[bytes]:
    """Publishes so many bodies to a partition, and returns them."""
    bodies = [b"%s/%s/%d" % (partition.hub.encode(), partition.id.encode(), number) for number in range(count)]
    for body in bodies:
        hubs.append(*partition, body)
    return bodies


def run[T](work: Coroutine[Any, Any, T]) -> T:
    """What comes of some work, with all gone that its clients left behind."""

    async def bounded() -> T:
        async with asyncio.timeout(PATIENCE):
            return await work

    try:
        return asyncio.run(bounded())
    finally:
        gc.collect()


def with_hubs[T](work: Callable[[EventHubs], Awaitable[T]], partitions: int = 1) -> T:
    """What comes of some work beside a hub."""

    async def beside() -> T:
        async with EventHubs({HUB: partitions}).running() as hubs:
            return await work(hubs)

    return run(beside())
