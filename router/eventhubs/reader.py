"""Reads spans of a hub again, beside its consumers."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from datetime import UTC
from typing import TYPE_CHECKING

from router.domain.errors import HubError
from router.domain.hubs import Event, Extent, Partition, Span
from router.eventhubs.connection import ANSWER, Namespace
from router.eventhubs.events import event_of

if TYPE_CHECKING:
    from azure.eventhub import CloseReason, EventData
    from azure.eventhub.aio import EventHubConsumerClient, PartitionContext

GROUP = "sweep"
"""The consumer group of the sweep; nothing else reads through it."""

AT_A_TIME = 8
"""Partitions that are asked about at a time; each takes a connection of its own."""

PREFETCH = 100
"""Events that the client may hold before they are asked for; each may be as large as a megabyte."""

_GRACE = 5.0
"""Seconds that a receiver has to close."""


class HubReader:
    """Reads one hub through a consumer group of the sweep's own, without an epoch, so that no other reader is disconnected.

    `patience` is how many seconds the hub may take to answer, or to send an event that it has.
    """

    def __init__(self, namespace: Namespace, hub: str, patience: float = ANSWER) -> None:
        self.name = hub
        self._namespace = namespace
        self._patience = patience

    async def read_extents(self) -> Mapping[Partition, Extent | HubError]:
        """What the hub holds of each of its partitions, or why one did not say; raises HubError where the hub does not."""
        async with self._namespace.consumer(self.name, GROUP) as client:
            async with self._namespace.reaching(self.name, seconds=self._patience):
                about = await client.get_eventhub_properties()
            partitions = [Partition(self.name, id) for id in about["partition_ids"]]
            created, turns = about["created_at"].astimezone(UTC), asyncio.Semaphore(AT_A_TIME)

            async def held(partition: Partition) -> Extent | HubError:
                try:
                    async with turns:
                        return Extent(*await self._namespace.extent_of(client, partition, self._patience), created)
                except HubError as fault:
                    return fault

            return dict(zip(partitions, await asyncio.gather(*map(held, partitions)), strict=True))

    async def read_events(self, partition: Partition, span: Span, most: int) -> Sequence[Event]:
        """The first events that the hub still has of a span, at most so many; raises HubError.

        Also where it says that it does not reach the end of the span: no answer of such a hub proves that anything is gone.
        """
        async with self._namespace.consumer(self.name, GROUP) as client:
            held = await self._namespace.extent_of(client, partition, self._patience)
            if held.last < span.last:
                raise HubError(f"hub {self.name}, partition {partition.id}: answers with less than it had")
            wanted = Span(max(span.first, held.first), min(span.last, held.last))
            if wanted.last < wanted.first or most < 1:
                return []
            return await receive_events(self._namespace, client, partition, wanted, most, self._patience)


class _Enough(Exception):
    """Ends the receiving from within, which is faster than cancelling it: the client looks for that once a second."""


async def receive_events(
    namespace: Namespace, client: EventHubConsumerClient, partition: Partition, span: Span, most: int, patience: float
) -> Sequence[Event]:
    """The first events of a span which the hub has or had; raises HubError where it fails, or is silent for so many seconds.

    A hub that trimmed some meanwhile goes on with the first event that it still has.
    """
    events: dict[int, Event] = {}
    faults: list[HubError] = []
    news: asyncio.Queue[bool] = asyncio.Queue()

    async def on_batch(context: PartitionContext, batch: list[EventData]) -> None:
        news.put_nowait(False)
        for data in batch:
            # After a connection was cut the client asks again from the last event it gave us, so some come twice.
            event = event_of(data)
            if span.first <= event.sequence <= span.last:
                events[event.sequence] = event
            if event.sequence >= span.last or len(events) == most:
                raise _Enough

    async def on_error(context: PartitionContext | None, error: Exception) -> None:
        if not isinstance(error, _Enough):
            faults.append(namespace.error_of(error, *partition))
        if context is None:  # It failed before it had a receiver, so none is closed.
            news.put_nowait(True)

    async def on_close(context: PartitionContext, reason: CloseReason) -> None:
        news.put_nowait(True)

    receiving = asyncio.create_task(
        client.receive_batch(
            on_event_batch=on_batch,
            partition_id=partition.id,
            starting_position=span.first,
            starting_position_inclusive=True,
            prefetch=min(most, PREFETCH),
            max_batch_size=min(most, PREFETCH),
            on_error=on_error,
            on_partition_close=on_close,
        )
    )
    try:
        is_over = False
        while not is_over:
            async with namespace.reaching(*partition, patience):
                is_over = await news.get()
    finally:
        receiving.cancel()
        await asyncio.wait([receiving], timeout=_GRACE)
    if faults:
        raise faults[-1]
    return [events[number] for number in sorted(events)]
