"""A hub, a database for what consumers claim, and consumers that remember what they were given."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

from router.app.connections import SharedPartitions
from router.domain.errors import RouterError
from router.domain.hubs import Event, Partition, Span
from router.eventhubs import Consumer
from router.eventhubs.consumer import Rhythm
from router.store.partitions import Taken, begin_epoch, list_claims, lock_partition, read_taken, take
from router.store.store import Store
from tests.eventhubs.hubs import HUB, QUICK, a_namespace
from tests.stack.event_hubs import EventHubs
from tests.store.opened import open_store
from tests.store.within import within

type Hook = Callable[[Partition, Sequence[Event]], Awaitable[None]]
"""What else a take does before it has taken."""


async def nothing_else(partition: Partition, events: Sequence[Event]) -> None:
    """Takes at once."""


@dataclass(slots=True)
class Inbox:
    """What a consumer was given: every try, what was taken of it, and the troubles it told of."""

    hook: Hook = nothing_else
    tries: list[tuple[Partition, list[int]]] = field(default_factory=list)
    taken: dict[Partition, list[int]] = field(default_factory=dict)
    bodies: list[bytes] = field(default_factory=list)
    troubles: list[str] = field(default_factory=list)

    async def ingest(self, partition: Partition, events: Sequence[Event]) -> None:
        """Takes a batch, unless the hook raises."""
        numbers = [event.sequence for event in events]
        self.tries.append((partition, numbers))
        await self.hook(partition, events)
        self.taken.setdefault(partition, []).extend(numbers)
        self.bodies += [event.body for event in events]

    def report(self, trouble: RouterError) -> None:
        """Remembers a trouble."""
        self.troubles.append(f"{type(trouble).__name__} {trouble}")


@dataclass(slots=True)
class ConsumerRig:
    """Where consumers work."""

    hubs: EventHubs
    store: Store

    def consumer(self, inbox: Inbox, rhythm: Rhythm = QUICK) -> Consumer:
        """A consumer that tells an inbox of its troubles."""
        return Consumer(a_namespace(self.hubs), HUB, SharedPartitions(self.store), inbox.report, rhythm)

    @asynccontextmanager
    async def consuming(self, inbox: Inbox, rhythm: Rhythm = QUICK) -> AsyncIterator[asyncio.Event]:
        """A consumer at work, which is stopped and has ended when the context does."""
        stop = asyncio.Event()
        running = asyncio.create_task(
            self.consumer(inbox, rhythm).consume_events(with_record(self.store, inbox.ingest), stop)
        )
        try:
            yield stop
        finally:
            stop.set()
            await running

    async def positions(self) -> dict[Partition, int]:
        """The number up to which each partition is taken in."""
        claims = await within(self.store, list_claims, HUB)
        return {one.partition: one.sequence for one in claims if one.sequence is not None}


def with_record(store: Store, ingest: Hook) -> Hook:
    """Ingests a batch, and writes down that it did."""

    async def ingest_and_take(partition: Partition, events: Sequence[Event]) -> None:
        await ingest(partition, events)
        span, at = Span(events[0].sequence, events[-1].sequence), events[-1].enqueued
        async with store.transaction() as tx:
            known = await lock_partition(tx, partition)
            taken = await read_taken(tx, known.epoch)
            if taken and span.first <= taken[-1].span.last and at > taken[-1].enqueued:
                known, _ = await begin_epoch(tx, known, at)
                taken = []
            await take(tx, known.epoch, taken, Taken(span, at, at, at))

    return ingest_and_take


@asynccontextmanager
async def a_rig(database: str, hubs: EventHubs | None = None) -> AsyncIterator[ConsumerRig]:
    """An empty hub of two partitions, and a database in which nothing is claimed."""
    store = open_store(database)
    try:
        await store.upgrade()
        async with (hubs or EventHubs({HUB: 2})).running() as running:
            yield ConsumerRig(running, store)
    finally:
        await store.close()
