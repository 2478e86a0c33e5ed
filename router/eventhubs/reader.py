"""Reads spans of a hub again, beside its consumers."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from router.domain.errors import HubError
from router.domain.journal import Event, Extent, Partition, Span
from router.eventhubs.connection import Namespace, extent_of, hub_error, reaching
from router.eventhubs.events import event_of

if TYPE_CHECKING:
    from azure.eventhub import CloseReason, EventData
    from azure.eventhub.aio import EventHubConsumerClient, PartitionContext

GROUP = "sweep"
"""The consumer group of the sweep; nobody else reads through it."""

AT_A_TIME = 8
"""Partitions that are asked about at a time; each takes a connection of its own."""

NO_ANSWER = 20.0
"""Seconds without an answer, or an event where there should be one, after which it is a fault."""

PREFETCH = 100
"""Events that the client may hold before they are asked for; each may be as large as a megabyte."""

_GRACE = 5.0
"""Seconds that a receiver has to close."""


class HubReader:
    """Reads one hub through a consumer group of the sweep's own, without an epoch, so that no other reader is disconnected.

    `patience` is how many seconds the hub may take to answer.

    Attributes:
        name: the name of the hub.
    """

    def __init__(self, namespace: Namespace, hub: str, patience: float = NO_ANSWER) -> None:
        self.name = hub
        self._namespace = namespace
        self._patience = patience

    async def read_extents(self) -> Mapping[Partition, Extent | HubError]:
        """What the hub holds of each of its partitions, or why one did not say; raises HubError where the hub does not."""
        async with self._namespace.consumer(self.name, GROUP) as client:
            with reaching(self.name):
                async with asyncio.timeout(self._patience):
                    about = await client.get_eventhub_properties()
            partitions = [Partition(self.name, id) for id in about["partition_ids"]]
            turns = asyncio.Semaphore(AT_A_TIME)

            async def held(partition: Partition) -> Span:
                async with turns:
                    return await extent_of(client, partition, self._patience)

            # All of them have ended before the client is closed, also where one fails.
            answers = await asyncio.gather(*map(held, partitions), return_exceptions=True)
        created = about["created_at"].astimezone(UTC)
        return dict(zip(partitions, (_extent(answer, created) for answer in answers), strict=True))

    async def read_events(self, partition: Partition, span: Span, most: int) -> Sequence[Event]:
        """The first events that the hub still has of a span, at most so many; raises HubError.

        Also where it says that it does not reach the end of the span: no answer of such a hub proves that anything is gone.
        """
        async with self._namespace.consumer(self.name, GROUP) as client:
            held = await extent_of(client, partition, self._patience)
            if held.last < span.last:
                raise HubError(f"hub {self.name}, partition {partition.id}: answers with less than it had")
            wanted = Span(max(span.first, held.first), min(span.last, held.last))
            if wanted.last < wanted.first or most < 1:
                return []
            return await Receiver(partition, wanted, most).receive(client, self._patience)


def _extent(answer: Span | BaseException, created: datetime) -> Extent | HubError:
    if isinstance(answer, HubError):
        return answer
    if isinstance(answer, BaseException):
        raise answer
    return Extent(answer.first, answer.last, created)


class _Enough(Exception):
    """Ends the receiving from within, which is faster than cancelling it: the client looks for that once a second."""


class Receiver:
    """Receives the events of a span, which the hub has or had.

    A hub that trimmed them meanwhile goes on with the first event it still has.
    """

    def __init__(self, partition: Partition, span: Span, most: int) -> None:
        self._partition = partition
        self._span = span
        self._most = most
        self._events: dict[int, Event] = {}
        self._fault: HubError | None = None
        self._over = False
        self._news = asyncio.Event()

    async def receive(self, client: EventHubConsumerClient, patience: float) -> Sequence[Event]:
        """The first events of the span; raises HubError where the hub fails, or says nothing for so many seconds."""
        prefetch = min(self._most, PREFETCH)
        receiving = asyncio.create_task(
            client.receive_batch(
                on_event_batch=self._on_batch,
                partition_id=self._partition.id,
                starting_position=self._span.first,
                starting_position_inclusive=True,
                prefetch=prefetch,
                max_batch_size=prefetch,
                on_error=self._on_error,
                on_partition_close=self._on_close,
            )
        )
        try:
            with reaching(*self._partition):
                await self._until_over(patience)
        finally:
            receiving.cancel()
            await asyncio.wait([receiving], timeout=_GRACE)
        if self._fault is not None:
            raise self._fault
        return [self._events[number] for number in sorted(self._events)]

    async def _until_over(self, patience: float) -> None:
        while not self._over:
            async with asyncio.timeout(patience):
                await self._news.wait()
            self._news.clear()

    async def _on_batch(self, context: PartitionContext, batch: list[EventData]) -> None:
        self._news.set()
        for data in batch:
            # After a connection was cut the client asks again from the last event it gave us, so some come twice.
            event = event_of(data)
            if self._span.first <= event.sequence <= self._span.last:
                self._events[event.sequence] = event
            if event.sequence >= self._span.last or len(self._events) == self._most:
                raise _Enough

    async def _on_error(self, context: PartitionContext | None, error: Exception) -> None:
        if not isinstance(error, _Enough):
            self._fault = hub_error(error, *self._partition)
        if context is None:  # It failed before it had a receiver, so none is closed.
            self._end()

    async def _on_close(self, context: PartitionContext, reason: CloseReason) -> None:
        self._end()

    def _end(self) -> None:
        self._over = True
        self._news.set()
