"""A hub, a database for what consumers claim, and consumers that remember what they were given."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

from router.app.clock import now
from router.domain.errors import RouterError
from router.domain.journal import Event, Partition
from router.eventhubs import Consumer
from router.eventhubs.consumer import Rhythm
from router.store.engine import PostgresqlEngine
from router.store.partitions import SqlPartitions
from router.store.upgrade import upgrade
from tests.eventhubs.hubs import HUB, QUICK, a_namespace
from tests.stack.event_hubs import EventHubs
from tests.store.opened import engine_over

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
    engine: PostgresqlEngine

    def consumer(self, inbox: Inbox, rhythm: Rhythm = QUICK) -> Consumer:
        """A consumer that tells an inbox of its troubles."""
        return Consumer(a_namespace(self.hubs), HUB, SqlPartitions(self.engine, now), inbox.report, rhythm)

    @asynccontextmanager
    async def consuming(self, inbox: Inbox, rhythm: Rhythm = QUICK) -> AsyncIterator[asyncio.Event]:
        """A consumer at work, which is stopped and has ended when the context does."""
        stop = asyncio.Event()
        running = asyncio.create_task(self.consumer(inbox, rhythm).consume_events(inbox.ingest, stop))
        try:
            yield stop
        finally:
            stop.set()
            await running

    async def execute(self, sql: str) -> None:
        """Runs a statement in the database."""
        async with self.engine.transaction() as tx:
            await tx.execute(sql)

    async def positions(self) -> dict[Partition, int]:
        """The number that each partition is checkpointed at."""
        async with self.engine.session() as tx:
            rows = await tx.fetch("SELECT partition, sequence FROM partitions WHERE sequence IS NOT NULL")
        return {Partition(HUB, row.text("partition")): row.whole("sequence") for row in rows}


@asynccontextmanager
async def a_rig(database: str, hubs: EventHubs | None = None) -> AsyncIterator[ConsumerRig]:
    """An empty hub of two partitions, and a database in which nothing is claimed."""
    engine = engine_over(database)
    try:
        await upgrade(engine)
        async with (hubs or EventHubs({HUB: 2})).running() as running:
            yield ConsumerRig(running, engine)
    finally:
        await engine.close()
