"""A hub read as it fills, for the router outside Functions."""

from __future__ import annotations

import asyncio
from collections import defaultdict
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import suppress
from typing import TYPE_CHECKING, Any, NamedTuple

from router.domain.errors import HubError, RouterError, StoreError
from router.domain.hubs import Event, Partition
from router.eventhubs.connection import Namespace, extent_of, hub_error, reaching
from router.eventhubs.events import event_of

if TYPE_CHECKING:
    from azure.eventhub import CloseReason, EventData
    from azure.eventhub.aio import EventHubConsumerClient, PartitionContext

    from router.eventhubs.checkpoints import Checkpoints, Partitions

type IngestEvents = Callable[[Partition, Sequence[Event]], Awaitable[None]]
"""Ingests a batch of one partition, for good; raises StoreError or HubError where it cannot just now."""

type Report = Callable[[RouterError], None]
"""Reports an error that ends nothing."""

GROUP = "serve"
"""The consumer group of the router outside Functions; two programs that shared one would take each other's partitions."""

MOST = 100
"""Events in a batch, at most."""

GRACE = 30.0
"""Seconds that a batch under way has when the consumer is stopped."""

LONGEST = 60.0
"""Seconds between two tries of the same batch, at most; the first wait is one second, each later one twice as long."""


class Rhythm(NamedTuple):
    """How often a consumer does what it does on a clock.

    Attributes:
        renew: seconds between two renewals of the partitions that this process owns; any process may take over a partition
            that was not renewed six times.
        watch: seconds between two looks whether the events arrive that the hub holds.
    """

    renew: float = 10.0
    watch: float = 60.0


RHYTHM = Rhythm()


class Consumer:
    """One hub, shared partition by partition with every other consumer of the same hub and state.

    Every error goes to `report`; none of them is the end.
    """

    def __init__(
        self, namespace: Namespace, hub: str, partitions: Partitions, report: Report, rhythm: Rhythm = RHYTHM
    ) -> None:
        self._namespace = namespace
        self._hub = hub
        self._partitions = partitions
        self._report = report
        self._rhythm = rhythm

    async def consume_events(self, ingest: IngestEvents, stop: asyncio.Event) -> None:
        """Ingests the hub's events until stopped, those of each partition in order.

        A batch whose `ingest` raises StoreError or HubError is ingested again until it succeeds; none is skipped. Any other
        exception of `ingest` ends this. A batch under way has `GRACE` to end before this returns.
        """
        from router.eventhubs.checkpoints import Checkpoints

        checkpoints = Checkpoints(self._partitions)
        batches = _Batches(self._hub, ingest, self._report, stop)
        while await self._is_stuck(checkpoints, batches, stop):
            pass

    async def _is_stuck(self, checkpoints: Checkpoints, batches: _Batches, stop: asyncio.Event) -> bool:
        """Receives until stopped, or until it has to begin again; returns which."""
        watch = _StallWatch(self._hub, checkpoints, batches, self._report)
        async with self._namespace.consumer(
            self._hub, GROUP, checkpoint_store=checkpoints, load_balancing_interval=self._rhythm.renew
        ) as client:
            receiving = asyncio.create_task(
                client.receive_batch(
                    on_event_batch=batches.on_batch,
                    max_batch_size=MOST,
                    prefetch=MOST,
                    starting_position="-1",  # The hub's first event, where nothing is taken in.
                    on_error=batches.on_error,
                    on_partition_initialize=watch.on_begin,
                    on_partition_close=watch.on_close,
                )
            )
            watching = asyncio.create_task(watch.until_stuck(client, self._rhythm.watch))
            stopping = asyncio.create_task(stop.wait())
            ends: list[asyncio.Future[Any]] = [receiving, watching, stopping, batches.failure]
            is_stuck = False
            try:
                ended, _ = await asyncio.wait(ends, return_when=asyncio.FIRST_COMPLETED)
                is_stuck = ended == {watching} and watching.exception() is None
            finally:
                if not is_stuck:
                    # Before the receiving ends, so that no other process has the partitions yet.
                    await batches.finish(GRACE)
                for task in (receiving, watching, stopping):
                    task.cancel()
                await asyncio.wait([receiving, watching, stopping], timeout=GRACE)
        for end in ends:
            if end.done() and not end.cancelled():
                end.result()
        return is_stuck


class _Ended(Exception):
    """Ends the receiving of a partition: nothing more is ingested."""


class _Batches:
    """Ingests the batches of one hub until `stop`, one after the other in each partition; made in the loop that uses it.

    Attributes:
        failure: fails with what `ingest` raised and should not have.
    """

    def __init__(self, hub: str, ingest: IngestEvents, report: Report, stop: asyncio.Event) -> None:
        self.failure: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._hub = hub
        self._ingest = ingest
        self._report = report
        self._stop = stop
        self._ended = asyncio.Event()
        self._turns: defaultdict[str, asyncio.Lock] = defaultdict(asyncio.Lock)
        self._under_way: set[asyncio.Task[None]] = set()

    async def on_batch(self, context: PartitionContext, batch: list[EventData]) -> None:
        """Ingests a batch to its end, also where another process takes the partition over meanwhile."""
        # Not awaited itself: the client cancels who waits, and a batch under way has time to end.
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

    def is_busy(self, partition: str) -> bool:
        """Whether a batch of a partition is under way."""
        return self._turns[partition].locked()

    async def finish(self, grace: float) -> None:
        """Begins nothing more, and returns when the batches under way have ended, or after so many seconds."""
        self._ended.set()
        if self._under_way:
            _, late = await asyncio.wait(self._under_way, timeout=grace)
            for processing in late:
                processing.cancel()

    async def _process(self, context: PartitionContext, batch: Sequence[EventData]) -> None:
        # A receiver that was replaced may still have a batch under way, which is the earlier one.
        async with self._turns[context.partition_id]:
            wait = 1.0
            # `stop` is asked, too: a receiving that begins again does not see it before it has begun.
            while not (self._ended.is_set() or self._stop.is_set()):
                try:
                    await self._ingest(Partition(self._hub, context.partition_id), [event_of(data) for data in batch])
                    await context.update_checkpoint(batch[-1])
                    return
                except (StoreError, HubError) as trouble:
                    self._report(trouble)
                with suppress(TimeoutError):
                    async with asyncio.timeout(wait):
                        await self._ended.wait()
                wait = min(2 * wait, LONGEST)

    def _on_ended(self, processing: asyncio.Task[None]) -> None:
        self._under_way.discard(processing)
        fault = None if processing.cancelled() else processing.exception()
        if fault is not None and not self.failure.done():
            self.failure.set_exception(fault)
            self._ended.set()


class _StallWatch:
    """Notices that what a hub holds of the partitions that this process reads does not arrive.

    The client does not say where a partition cannot be read: it opens its receiver again and again, in silence
    (`_receive_task` in azure.eventhub.aio._transport._pyamqp_transport_async, 5.15.1).
    """

    def __init__(self, hub: str, checkpoints: Checkpoints, batches: _Batches, report: Report) -> None:
        self._hub = hub
        self._checkpoints = checkpoints
        self._batches = batches
        self._report = report
        self._partitions: set[str] = set()
        self._behind: dict[str, int] = {}
        self._known: set[str] = set()

    async def on_begin(self, context: PartitionContext) -> None:
        """Watches a partition from now on."""
        self._partitions.add(context.partition_id)

    async def on_close(self, context: PartitionContext, reason: CloseReason) -> None:
        """Watches a partition no longer."""
        self._partitions.discard(context.partition_id)

    async def until_stuck(self, client: EventHubConsumerClient, seconds: float) -> None:
        """Looks every so many seconds, and returns when the receiving must begin again, having reported why."""
        is_stuck = False
        while not is_stuck:
            try:
                async for reason in self._reasons(client):
                    self._report(HubError(f"hub {self._hub}{reason}"))
                    is_stuck = True
            except HubError as fault:
                self._report(fault)
            if not is_stuck:
                await asyncio.sleep(seconds)

    async def _reasons(self, client: EventHubConsumerClient) -> AsyncIterator[str]:
        async with reaching(self._hub):
            found = set(await client.get_partition_ids())
        known, self._known = self._known, found
        # The client asks for them only once.
        if known not in (set(), found):
            yield ": has other partitions than before; reading those"
        for partition in sorted(self._partitions):
            position = self._checkpoints.position_of(partition)
            held = await extent_of(client, Partition(self._hub, partition))
            # Asked again: an event that arrived while the hub was asked is not missing.
            was_behind = self._behind.pop(partition, None) == position == self._checkpoints.position_of(partition)
            if held.last < position:
                self._checkpoints.void(partition)
                yield f", partition {partition}: was created anew; reading it from its start"
            elif max(held.first, position + 1) <= held.last and not self._batches.is_busy(partition):
                if was_behind:
                    yield f", partition {partition}: holds events that do not arrive; receiving them anew"
                self._behind[partition] = position
