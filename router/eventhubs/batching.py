"""Ingests the batches of a hub, one after the other in each partition, and checkpoints each when it is ingested."""

from __future__ import annotations

import asyncio
from collections import defaultdict
from collections.abc import Awaitable, Callable, Sequence
from contextlib import suppress
from typing import TYPE_CHECKING

from router.domain.errors import HubError, RouterError, StoreError
from router.domain.journal import Event, Partition
from router.eventhubs.connection import hub_error
from router.eventhubs.events import event_of

if TYPE_CHECKING:
    from azure.eventhub import EventData
    from azure.eventhub.aio import PartitionContext

type IngestEvents = Callable[[Partition, Sequence[Event]], Awaitable[None]]
"""Ingests a batch of one partition, for good; raises StoreError or HubError where it cannot just now."""

type Report = Callable[[RouterError], None]
"""Reports an error that ends nothing."""

LONGEST = 60.0
"""Seconds between two tries of the same batch, at most; the first wait is one second, each later one twice as long."""


class _Ended(Exception):
    """Ends the receiving of a partition: nothing more is ingested."""


class BatchHandler:
    """Ingests the batches of one hub; made in the event loop that uses it.

    Attributes:
        failure: fails with what `ingest` raised and should not have.
    """

    def __init__(self, hub: str, ingest: IngestEvents, report: Report) -> None:
        self.failure: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._hub = hub
        self._ingest = ingest
        self._report = report
        self._ended = asyncio.Event()
        self._turns: defaultdict[Partition, asyncio.Lock] = defaultdict(asyncio.Lock)
        self._under_way: set[asyncio.Task[None]] = set()

    async def on_batch(self, context: PartitionContext, batch: list[EventData]) -> None:
        """Ingests a batch to its end, also where another process takes the partition over meanwhile."""
        # Not awaited itself: an intake that is cancelled leaves its markers in the journal, as one that died does.
        processing = asyncio.create_task(self._process(context, batch))
        self._under_way.add(processing)
        processing.add_done_callback(self._on_ended)
        await asyncio.wait([processing])
        if self._ended.is_set():
            raise _Ended

    async def on_error(self, context: PartitionContext | None, error: Exception) -> None:
        """Reports what kept the client from reading a partition, or from sharing them; it tries again by itself."""
        if isinstance(error, StoreError):
            self._report(error)
        elif not isinstance(error, _Ended):
            self._report(hub_error(error, self._hub, context.partition_id if context is not None else None))

    def is_busy(self, partition: Partition) -> bool:
        """Whether a batch of a partition is under way."""
        return self._turns[partition].locked()

    async def finish_batches(self, grace: float) -> None:
        """Begins nothing more, and returns when the batches under way have ended, or after so many seconds."""
        self._ended.set()
        if self._under_way:
            _, late = await asyncio.wait(self._under_way, timeout=grace)
            for processing in late:
                processing.cancel()

    async def _process(self, context: PartitionContext, batch: Sequence[EventData]) -> None:
        partition = Partition(self._hub, context.partition_id)
        # A receiver that was replaced may still have a batch under way, which is the earlier one.
        async with self._turns[partition]:
            if not self._ended.is_set() and await self._is_ingested(partition, batch):
                await self._checkpoint(context, batch[-1])

    async def _is_ingested(self, partition: Partition, batch: Sequence[EventData]) -> bool:
        """Ingests events, as often as it needs; False where the end came first, and they come again."""
        wait = 1.0
        while True:
            try:
                await self._ingest(partition, [event_of(data) for data in batch])
                return True
            except (StoreError, HubError) as trouble:
                self._report(trouble)
            with suppress(TimeoutError):
                async with asyncio.timeout(wait):
                    await self._ended.wait()
                return False
            wait = min(2 * wait, LONGEST)

    async def _checkpoint(self, context: PartitionContext, last: EventData) -> None:
        try:
            await context.update_checkpoint(last)
        except StoreError as fault:  # The next one covers it; until then these events may come twice.
            self._report(fault)

    def _on_ended(self, processing: asyncio.Task[None]) -> None:
        self._under_way.discard(processing)
        fault = None if processing.cancelled() else processing.exception()
        if fault is not None and not self.failure.done():
            self.failure.set_exception(fault)
            self._ended.set()
