"""Notices that events which a hub holds do not arrive.

The client does not say where a partition cannot be read: it opens its receiver again and again, in silence
(`_receive_task` in azure.eventhub.aio._transport._pyamqp_transport_async, 5.15.1).
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from router.domain.errors import HubError
from router.domain.journal import Partition
from router.eventhubs.batching import BatchHandler, Report
from router.eventhubs.connection import ANSWER, reaching
from router.eventhubs.extents import extent_of

if TYPE_CHECKING:
    from azure.eventhub import CloseReason
    from azure.eventhub.aio import EventHubConsumerClient, PartitionContext

    from router.eventhubs.checkpoints import Checkpoints


class StallWatch:
    """Compares what was ingested with what the hub holds, for the partitions that this process reads."""

    def __init__(self, hub: str, checkpoints: Checkpoints, batches: BatchHandler, report: Report) -> None:
        self._hub = hub
        self._checkpoints = checkpoints
        self._batches = batches
        self._report = report
        self._partitions: set[Partition] = set()
        self._behind: dict[Partition, int] = {}
        self._known: set[str] = set()

    async def on_begin(self, context: PartitionContext) -> None:
        """Watches a partition from now on."""
        self._partitions.add(Partition(self._hub, context.partition_id))

    async def on_close(self, context: PartitionContext, reason: CloseReason) -> None:
        """Watches a partition no longer."""
        self._partitions.discard(Partition(self._hub, context.partition_id))

    async def until_stuck(self, client: EventHubConsumerClient, seconds: float) -> None:
        """Looks every so many seconds, and returns when the receiving must begin again, having reported why."""
        while not await self._is_stuck(client):
            await asyncio.sleep(seconds)

    async def _is_stuck(self, client: EventHubConsumerClient) -> bool:
        reasons: list[HubError] = []
        try:
            reasons += await self._changes(client)
            for partition in sorted(self._partitions):
                reasons += await self._troubles(client, partition)
        except HubError as fault:
            self._report(fault)
        for reason in reasons:
            self._report(reason)
        return bool(reasons)

    async def _changes(self, client: EventHubConsumerClient) -> list[HubError]:
        """Whether the hub has other partitions than before: the client asks for them only once."""
        with reaching(self._hub):
            async with asyncio.timeout(ANSWER):
                found = set(await client.get_partition_ids())
        known, self._known = self._known, found
        if known in (set(), found):
            return []
        return [HubError(f"hub {self._hub}: has other partitions than before; reading those")]

    async def _troubles(self, client: EventHubConsumerClient, partition: Partition) -> list[HubError]:
        position = self._checkpoints.position_of(partition.id)
        held = await extent_of(client, partition)
        was_behind = self._behind.pop(partition, None) == position
        if held.last < position:
            self._checkpoints.void(partition.id)
            return [_trouble(partition, "was created anew; reading it from its start")]
        if max(held.first, position + 1) > held.last or self._batches.is_busy(partition):
            return []
        if was_behind:
            return [_trouble(partition, "holds events that do not arrive; receiving them anew")]
        self._behind[partition] = position
        return []


def _trouble(partition: Partition, what: str) -> HubError:
    return HubError(f"hub {partition.hub}, partition {partition.id}: {what}")
