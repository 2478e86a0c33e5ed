"""Publishes messages to a hub."""

from __future__ import annotations

import asyncio
import math
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING

from router.domain.errors import HubError
from router.eventhubs.connection import Namespace

if TYPE_CHECKING:
    from azure.eventhub import EventDataBatch
    from azure.eventhub.aio import EventHubProducerClient

BUSY = ("server-busy", "timeout", "internal-error")
"""What a hub calls a refusal that is over soon: https://learn.microsoft.com/azure/event-hubs/event-hubs-quotas#throttling"""

WAITS = (1.0, 2.0, 4.0, 8.0)
"""Seconds before a batch is sent once more that the hub was too busy for."""


async def publish(namespace: Namespace, hub: str, bodies: Iterable[bytes], waits: Sequence[float] = WAITS) -> int:
    """Sends bodies in as few batches as the hub allows, in their order, and returns how many it took.

    The hub chooses the partition of each batch. Raises HubError, which says how many were taken before it.
    """
    accepted, batch = 0, None
    async with namespace.producer(hub) as client:
        try:
            for body in bodies:
                if batch is not None:
                    if _is_added(batch, body):
                        continue
                    accepted += await _send(namespace, client, hub, batch, waits)
                async with namespace.reaching(hub):
                    batch = await client.create_batch()
                if not _is_added(batch, body):
                    size = f"message {accepted + 1} has {len(body)} bytes, more than the hub takes; leave it out"
                    raise HubError(f"hub {hub}: {size}")
            if batch is not None:
                accepted += await _send(namespace, client, hub, batch, waits)
        except HubError as fault:
            raise HubError(f"{fault}; messages taken before: {accepted}") from fault
        return accepted


def _is_added(batch: EventDataBatch, body: bytes) -> bool:
    from azure.eventhub import EventData

    try:
        batch.add(EventData(body))
    except ValueError:  # It is full.
        return False
    return True


async def _send(
    namespace: Namespace, client: EventHubProducerClient, hub: str, batch: EventDataBatch, waits: Sequence[float]
) -> int:
    """Sends a batch, as often as a hub that is busy needs, and returns how many bodies are in it."""
    from azure.eventhub.exceptions import EventDataSendError

    for wait in (*waits, math.inf):
        async with namespace.reaching(hub):
            try:
                await client.send_batch(batch)
                break
            except EventDataSendError as refusal:
                if wait == math.inf or refusal.error not in BUSY:
                    raise
        await asyncio.sleep(wait)
    return len(batch)
