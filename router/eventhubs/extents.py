"""What a hub holds of a partition just now."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from router.domain.journal import Partition, Span
from router.eventhubs.connection import ANSWER, reaching

if TYPE_CHECKING:
    from azure.eventhub.aio import EventHubConsumerClient


async def extent_of(client: EventHubConsumerClient, partition: Partition, patience: float = ANSWER) -> Span:
    """The first and last number that the hub holds; of an empty partition, nothing after its last. Raises HubError."""
    with reaching(*partition):
        async with asyncio.timeout(patience):
            found = await client.get_partition_properties(partition.id)
    last = found["last_enqueued_sequence_number"]
    return Span(last + 1 if found["is_empty"] else found["beginning_sequence_number"], last)
