"""Publishes messages to a hub."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING

from router.domain.errors import HubError
from router.eventhubs.connection import ANSWER, Namespace, hub_error, reaching

if TYPE_CHECKING:
    from azure.eventhub import EventDataBatch
    from azure.eventhub.aio import EventHubProducerClient
    from azure.eventhub.exceptions import EventDataSendError

BUSY = ("server-busy", "timeout", "internal-error")
"""What a hub calls a refusal that is over soon: https://learn.microsoft.com/azure/event-hubs/event-hubs-quotas#throttling"""

WAITS = (1.0, 2.0, 4.0, 8.0)
"""Seconds before a batch is sent once more that the hub was too busy for."""


async def publish(namespace: Namespace, hub: str, bodies: Iterable[bytes], waits: Sequence[float] = WAITS) -> int:
    """Sends bodies in as few batches as the hub allows, and returns how many it took.

    The hub chooses the partition of each batch. Raises HubError, which says how many were taken before it.
    """
    async with namespace.producer(hub) as client:
        sender = _BatchSender(hub, client, waits)
        try:
            for body in bodies:
                await sender.add_body(body)
            await sender.flush()
        except HubError as fault:
            raise HubError(f"{fault}; messages taken before: {sender.accepted}") from fault
        return sender.accepted


class _BatchSender:
    """Sends bodies in batches, in their order.

    Attributes:
        accepted: how many bodies the hub accepted.
    """

    def __init__(self, hub: str, client: EventHubProducerClient, waits: Sequence[float]) -> None:
        self.accepted = 0
        self._hub = hub
        self._client = client
        self._waits = waits
        self._batch: EventDataBatch | None = None

    async def add_body(self, body: bytes) -> None:
        """Puts a body into the batch, which goes first where it is full; raises HubError for one that fits no batch."""
        if await self._is_added(body):
            return
        await self.flush()
        if not await self._is_added(body):
            raise HubError(
                f"hub {self._hub}: message {self.accepted + 1} has {len(body)} bytes, more than the hub takes; leave it out"
            )

    async def flush(self) -> None:
        """Sends the batch, as often as a hub that is busy needs."""
        batch, self._batch = self._batch, None
        if batch is None:
            return
        for wait in (*self._waits, None):
            refusal = await self._refusal_of(batch)
            if refusal is None:
                self.accepted += len(batch)
                return
            if wait is None or refusal.error not in BUSY:
                raise hub_error(refusal, self._hub) from refusal
            await asyncio.sleep(wait)

    async def _is_added(self, body: bytes) -> bool:
        from azure.eventhub import EventData

        if self._batch is None:
            with reaching(self._hub):
                async with asyncio.timeout(ANSWER):
                    self._batch = await self._client.create_batch()
        try:
            self._batch.add(EventData(body))
        except ValueError:  # It is full.
            return False
        return True

    async def _refusal_of(self, batch: EventDataBatch) -> EventDataSendError | None:
        """Why the hub refuses a batch; None where it took it."""
        from azure.eventhub.exceptions import EventDataSendError

        with reaching(self._hub):
            try:
                async with asyncio.timeout(ANSWER):
                    await self._client.send_batch(batch)
            except EventDataSendError as refusal:
                return refusal
        return None
