"""The way to a hub on loopback, and consumers beside a database that remember what they were given."""

from __future__ import annotations

import asyncio
import gc
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

import pytest

from router.app.connections import SharedPartitions
from router.domain.errors import RouterError
from router.domain.hubs import Event, Partition, Span
from router.eventhubs import Namespace
from router.eventhubs.consumer import Consumer
from router.store.partitions import Taken, begin_epoch, list_claims, lock_partition, read_taken, take
from router.store.store import Store
from tests.stack.event_hubs import EventHubs
from tests.store.opened import open_store
from tests.store.within import within
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


type Hook = Callable[[Partition, Sequence[Event]], Awaitable[None]]
"""What else a take does before it has taken."""


@dataclass(slots=True)
class Inbox:
    """What a consumer was given: every try, what was taken of it, and the troubles that it reported."""

    store: Store
    hook: Hook | None
    stop: asyncio.Event = field(default_factory=asyncio.Event)
    running: asyncio.Future[None] = field(init=False)
    tries: list[tuple[Partition, list[int]]] = field(default_factory=list)
    taken: dict[Partition, list[int]] = field(default_factory=dict)
    bodies: list[bytes] = field(default_factory=list)
    troubles: list[str] = field(default_factory=list)

    async def ingest(self, partition: Partition, events: Sequence[Event]) -> None:
        """Takes a batch and writes down that it did, unless the hook raises."""
        numbers = [event.sequence for event in events]
        self.tries.append((partition, numbers))
        if self.hook is not None:
            await self.hook(partition, events)
        self.taken.setdefault(partition, []).extend(numbers)
        self.bodies += [event.body for event in events]
        span, at = Span(numbers[0], numbers[-1]), events[-1].enqueued
        async with self.store.transaction() as tx:
            known = await lock_partition(tx, partition)
            taken = await read_taken(tx, known.epoch)
            if taken and span.first <= taken[-1].span.last and at > taken[-1].enqueued:
                known, _ = await begin_epoch(tx, known, at)
                taken = []
            await take(tx, known.epoch, taken, Taken(span, at, at, at))

    def report(self, trouble: RouterError) -> None:
        """Remembers a trouble."""
        self.troubles.append(f"{type(trouble).__name__} {trouble}")


@dataclass(slots=True)
class ConsumerRig:
    """A hub, and a database in which consumers claim its partitions."""

    hubs: EventHubs
    store: Store

    @asynccontextmanager
    async def consuming(self, hook: Hook | None = None, watch: float = 60.0) -> AsyncIterator[Inbox]:
        """A consumer at work, which is stopped and has ended when the context does."""
        inbox = Inbox(self.store, hook)
        consumer = Consumer(a_namespace(self.hubs), HUB, SharedPartitions(self.store), inbox.report, 0.5, watch)
        inbox.running = asyncio.create_task(consumer.consume_events(inbox.ingest, inbox.stop))
        try:
            yield inbox
        finally:
            inbox.stop.set()
            await inbox.running

    async def positions(self) -> dict[Partition, int]:
        """The number up to which each partition is taken in."""
        claims = await within(self.store, list_claims, HUB)
        return {one.partition: one.sequence for one in claims if one.sequence is not None}


def with_rig(database: str, work: Callable[[ConsumerRig], Awaitable[None]], *groups: str) -> None:
    """Does some work beside a hub of two partitions and a database in which nothing is claimed."""

    async def beside() -> None:
        store = open_store(database)
        try:
            await store.upgrade()
            async with EventHubs({HUB: 2}, groups=groups or ("serve",)).running() as hubs:
                await work(ConsumerRig(hubs, store))
        finally:
            await store.close()

    run(beside())
