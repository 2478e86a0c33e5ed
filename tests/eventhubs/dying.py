"""A consumer whose process dies while it takes its second batch: `python -m tests.eventhubs.dying HUBS DATABASE`."""

from __future__ import annotations

import asyncio
import os
import sys
from collections.abc import Sequence

from router.app.clock import now
from router.domain.journal import Event, Partition
from router.eventhubs import Consumer, Namespace
from router.store.partitions import SqlPartitions
from tests.eventhubs.hubs import HUB, QUICK
from tests.store.opened import engine_over


async def die_at_work(hubs: str, database: str) -> None:
    """Takes one batch, and is gone in the middle of the next."""
    batches = 0

    async def take(partition: Partition, events: Sequence[Event]) -> None:
        nonlocal batches
        batches += 1
        if batches == 2:
            os._exit(9)

    partitions = SqlPartitions(engine_over(database), now)
    consumer = Consumer(Namespace(connection_string=hubs), HUB, partitions, lambda trouble: None, QUICK)
    await consumer.consume_events(take, asyncio.Event())


if __name__ == "__main__":
    asyncio.run(die_at_work(*sys.argv[1:]))
