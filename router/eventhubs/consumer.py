"""A hub read as it fills, for the router outside Functions."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any, NamedTuple

from router.eventhubs.batching import Handing, Report, Take
from router.eventhubs.connection import Namespace
from router.eventhubs.stalls import Watch

if TYPE_CHECKING:
    from azure.eventhub.aio import EventHubConsumerClient
    from azure.storage.blob.aio import ContainerClient

    from router.eventhubs.checkpoints import Checkpoints

GROUP = "serve"
"""The consumer group of the router outside Functions; two programs that shared one would take each other's partitions."""

MOST = 100
"""Events that are handed over at a time."""


class Rhythm(NamedTuple):
    """Seconds between two renewals of what this process owns, and between two looks whether it gets what it should.

    What was not renewed six times is anybody's.
    """

    renew: float = 10.0
    watch: float = 60.0


RHYTHM = Rhythm()

GRACE = 30.0
"""Seconds that a batch in hand has when the consumer is stopped."""

_START = "-1"
"""From the first event that the hub holds, where there is no checkpoint."""


class Consumer:
    """One hub, shared partition by partition with every other consumer of the same hub and container.

    Checkpoints are kept in a blob container that exists, and that is closed by who opened it. `report` is told each
    trouble; none of them is the end.
    """

    def __init__(
        self, namespace: Namespace, hub: str, container: ContainerClient, report: Report, rhythm: Rhythm = RHYTHM
    ) -> None:
        self._namespace = namespace
        self._hub = hub
        self._container = container
        self._report = report
        self._rhythm = rhythm

    async def run(self, take: Take, stop: asyncio.Event) -> None:
        """Hands the hub's events to `take` until stopped, each partition's in order, and checkpoints what was taken.

        A batch that raises StoreError or HubError is handed over again until it is taken; nothing is passed over. What
        else `take` raises ends this. A batch in hand is seen through before this returns, if `GRACE` is enough for it.
        """
        from router.eventhubs.checkpoints import Checkpoints

        checkpoints = Checkpoints(self._container)
        handing = Handing(self._hub, take, self._report)
        while await self._is_stuck(checkpoints, handing, stop):
            pass

    async def _is_stuck(self, checkpoints: Checkpoints, handing: Handing, stop: asyncio.Event) -> bool:
        """Receives until stopped, or until it has to begin again."""
        watch = Watch(self._hub, checkpoints, handing, self._report)
        async with self._namespace.consumer(
            self._hub, GROUP, checkpoint_store=checkpoints, load_balancing_interval=self._rhythm.renew
        ) as client:
            receiving = asyncio.create_task(_receive(client, handing, watch))
            watching = asyncio.create_task(watch.until_stuck(client, self._rhythm.watch))
            stopping = asyncio.create_task(stop.wait())
            ends: list[asyncio.Future[Any]] = [receiving, watching, stopping, handing.broken]
            is_stuck = False
            try:
                ended, _ = await asyncio.wait(ends, return_when=asyncio.FIRST_COMPLETED)
                is_stuck = ended == {watching} and watching.exception() is None
            finally:
                if not is_stuck:
                    # Before the receiving ends, so that the partitions are nobody else's yet.
                    await handing.finish(GRACE)
                for task in (receiving, watching, stopping):
                    task.cancel()
                await asyncio.wait([receiving, watching, stopping], timeout=GRACE)
        for end in ends:
            if end.done() and not end.cancelled():
                end.result()
        return is_stuck


async def _receive(client: EventHubConsumerClient, handing: Handing, watch: Watch) -> None:
    await client.receive_batch(
        on_event_batch=handing.on_batch,
        max_batch_size=MOST,
        prefetch=MOST,
        starting_position=_START,
        on_error=handing.on_error,
        on_partition_initialize=watch.on_begin,
        on_partition_close=watch.on_close,
    )
