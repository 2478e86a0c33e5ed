"""Batches of a hub, handed over one after the other in each partition, and checkpointed when they were taken."""

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

type Take = Callable[[Partition, Sequence[Event]], Awaitable[None]]
"""Takes a batch of one partition in, for good; raises StoreError or HubError where it cannot just now."""

type Report = Callable[[RouterError], None]
"""Is told of a trouble."""

LONGEST = 60.0
"""Seconds between two tries of the same batch, at most; the first wait is one second, each later one twice as long."""


class _Ended(Exception):
    """Ends the receiving of a partition: nothing more is taken."""


class Handing:
    """The batches of one hub in the hands of `take`; made in the event loop that uses it.

    `broken` is set to what `take` raised and should not have.
    """

    def __init__(self, hub: str, take: Take, report: Report) -> None:
        self.broken: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._hub = hub
        self._take = take
        self._report = report
        self._ended = asyncio.Event()
        self._turns: defaultdict[Partition, asyncio.Lock] = defaultdict(asyncio.Lock)
        self._in_hand: set[asyncio.Task[None]] = set()

    async def on_batch(self, context: PartitionContext, batch: list[EventData]) -> None:
        """Sees a batch through, also where the partition is taken away from this process meanwhile."""
        # Not awaited itself: a take that is broken off leaves its marks in the journal, as one does that died.
        seeing = asyncio.create_task(self._see_through(context, batch))
        self._in_hand.add(seeing)
        seeing.add_done_callback(self._put_down)
        await asyncio.wait([seeing])
        if self._ended.is_set():
            raise _Ended

    async def on_error(self, context: PartitionContext | None, error: Exception) -> None:
        """Reports what kept the client from reading a partition, or from sharing them; it tries again by itself."""
        from azure.core.exceptions import AzureError

        if isinstance(error, AzureError):
            self._report(self._store_error(error))
        elif not isinstance(error, _Ended):
            self._report(hub_error(error, self._hub, context.partition_id if context is not None else None))

    def is_busy(self, partition: Partition) -> bool:
        """Whether a batch of a partition is in hand."""
        return self._turns[partition].locked()

    async def finish(self, grace: float) -> None:
        """Takes nothing more, and returns when what is in hand was seen through, or after so many seconds."""
        self._ended.set()
        if self._in_hand:
            _, late = await asyncio.wait(self._in_hand, timeout=grace)
            for seeing in late:
                seeing.cancel()

    async def _see_through(self, context: PartitionContext, batch: Sequence[EventData]) -> None:
        partition = Partition(self._hub, context.partition_id)
        # A receiver that was replaced may still have a batch in hand, which is the earlier one.
        async with self._turns[partition]:
            if not self._ended.is_set() and await self._is_taken(partition, batch):
                await self._checkpoint(context, batch[-1])

    async def _is_taken(self, partition: Partition, batch: Sequence[EventData]) -> bool:
        """Takes events as often as it needs; False where the end came first, and they come again."""
        wait = 1.0
        while True:
            try:
                await self._take(partition, [event_of(data) for data in batch])
                return True
            except (StoreError, HubError) as trouble:
                self._report(trouble)
            with suppress(TimeoutError):
                async with asyncio.timeout(wait):
                    await self._ended.wait()
                return False
            wait = min(2 * wait, LONGEST)

    async def _checkpoint(self, context: PartitionContext, last: EventData) -> None:
        from azure.core.exceptions import AzureError

        try:
            await context.update_checkpoint(last)
        except AzureError as fault:  # The next one covers it; until then these events may come twice.
            self._report(self._store_error(fault))

    def _put_down(self, seeing: asyncio.Task[None]) -> None:
        self._in_hand.discard(seeing)
        fault = None if seeing.cancelled() else seeing.exception()
        if fault is not None and not self.broken.done():
            self.broken.set_exception(fault)
            self._ended.set()

    def _store_error(self, fault: Exception) -> StoreError:
        status = getattr(fault, "status_code", None)
        return StoreError(
            f"storage, checkpoints of hub {self._hub}: {type(fault).__name__}{f' ({status})' if status else ''}"
        )
