"""A hub read as it fills, for the router outside Functions."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any, NamedTuple

from router.domain.ports.eventhubs import Partitions
from router.eventhubs.batching import BatchHandler, IngestEvents, Report
from router.eventhubs.connection import Namespace
from router.eventhubs.stalls import StallWatch

if TYPE_CHECKING:
    from azure.eventhub.aio import EventHubConsumerClient

    from router.eventhubs.checkpoints import Checkpoints

GROUP = "serve"
"""The consumer group of the router outside Functions; two programs that shared one would take each other's partitions."""

MOST = 100
"""Events in a batch, at most."""


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

GRACE = 30.0
"""Seconds that a batch under way has when the consumer is stopped."""

_START = "-1"
"""From the first event that the hub holds, where there is no checkpoint."""


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
        """Ingests the hub's events until stopped, those of each partition in order, and checkpoints what is ingested.

        A batch whose `ingest` raises StoreError or HubError is ingested again until it succeeds; none is skipped. Any other
        exception of `ingest` ends this. A batch under way has `GRACE` to end before this returns.
        """
        from router.eventhubs.checkpoints import Checkpoints

        checkpoints = Checkpoints(self._partitions)
        batches = BatchHandler(self._hub, ingest, self._report)
        while await self._is_stuck(checkpoints, batches, stop):
            pass

    async def _is_stuck(self, checkpoints: Checkpoints, batches: BatchHandler, stop: asyncio.Event) -> bool:
        """Receives until stopped, or until it has to begin again; returns which."""
        watch = StallWatch(self._hub, checkpoints, batches, self._report)
        async with self._namespace.consumer(
            self._hub, GROUP, checkpoint_store=checkpoints, load_balancing_interval=self._rhythm.renew
        ) as client:
            receiving = asyncio.create_task(_receive(client, batches, watch))
            watching = asyncio.create_task(watch.until_stuck(client, self._rhythm.watch))
            stopping = asyncio.create_task(stop.wait())
            ends: list[asyncio.Future[Any]] = [receiving, watching, stopping, batches.failure]
            is_stuck = False
            try:
                ended, _ = await asyncio.wait(ends, return_when=asyncio.FIRST_COMPLETED)
                is_stuck = ended == {watching} and watching.exception() is None
            finally:
                if not is_stuck:
                    # Before the receiving ends, so that the partitions are nobody else's yet.
                    await batches.finish_batches(GRACE)
                for task in (receiving, watching, stopping):
                    task.cancel()
                await asyncio.wait([receiving, watching, stopping], timeout=GRACE)
        for end in ends:
            if end.done() and not end.cancelled():
                end.result()
        return is_stuck


async def _receive(client: EventHubConsumerClient, batches: BatchHandler, watch: StallWatch) -> None:
    await client.receive_batch(
        on_event_batch=batches.on_batch,
        max_batch_size=MOST,
        prefetch=MOST,
        starting_position=_START,
        on_error=batches.on_error,
        on_partition_initialize=watch.on_begin,
        on_partition_close=watch.on_close,
    )
