"""Receives one span of one partition."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import TYPE_CHECKING

from router.domain.errors import HubError
from router.domain.journal import Event, Partition, Span
from router.eventhubs.connection import hub_error, reaching
from router.eventhubs.events import event_of

if TYPE_CHECKING:
    from azure.eventhub import CloseReason, EventData
    from azure.eventhub.aio import EventHubConsumerClient, PartitionContext

PREFETCH = 100
"""Events that the client may hold before they are asked for; each may be as large as a megabyte."""

_GRACE = 5.0
"""Seconds that a receiver has to close."""


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
