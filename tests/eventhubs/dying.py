"""A consumer whose process dies while it takes its second batch: `python -m tests.eventhubs.dying HUBS STORAGE CONTAINER`."""

from __future__ import annotations

import asyncio
import os
import sys
from collections.abc import Sequence

from azure.storage.blob.aio import ContainerClient

from router.domain.journal import Event, Partition
from router.eventhubs import Consumer, Namespace
from tests.eventhubs.hubs import HUB, QUICK


async def die_at_work(hubs: str, storage: str, container: str) -> None:
    """Takes one batch, and is gone in the middle of the next."""
    batches = 0

    async def take(partition: Partition, events: Sequence[Event]) -> None:
        nonlocal batches
        batches += 1
        if batches == 2:
            os._exit(9)

    async with ContainerClient.from_connection_string(storage, container) as blobs:
        consumer = Consumer(Namespace(connection_string=hubs), HUB, blobs, lambda trouble: None, QUICK)
        await consumer.consume_events(take, asyncio.Event())


if __name__ == "__main__":
    asyncio.run(die_at_work(*sys.argv[1:]))
