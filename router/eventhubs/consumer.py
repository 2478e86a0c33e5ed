"""A hub read as it fills, for the router outside Functions."""

from __future__ import annotations

import asyncio
import random
from collections import defaultdict
from collections.abc import Awaitable, Callable, Sequence
from contextlib import nullcontext, suppress
from dataclasses import dataclass, field
from functools import partial
from typing import Any

from azure.eventhub import CloseReason, EventData
from azure.eventhub.aio import EventHubConsumerClient, PartitionContext

from router.domain.errors import HubError, RouterError, StoreError
from router.domain.hubs import Event, Partition
from router.eventhubs.checkpoints import Checkpoints, Partitions
from router.eventhubs.connection import ANSWER, Namespace
from router.eventhubs.events import event_of

type IngestEvents = Callable[[Partition, Sequence[Event]], Awaitable[None]]
"""Ingests a batch of one partition, for good; raises StoreError or HubError where it cannot just now."""

GROUP = "serve"
"""The consumer group of the router outside Functions; two programs that shared one would take each other's partitions."""

STOLEN = "link:stolen"
"""What the client calls it that somebody else began to read a partition: of several the last one reads on."""

MOST = 100
"""Events in a batch, at most."""

GRACE = 30.0
"""Seconds that a batch under way has when the consumer is stopped."""

FIRST_WAIT, REFUSED_AT_A_TIME = 0.5, 4
"""Seconds until a receiver that was refused is opened again, at first; and how many of those try or wait at a time: the others
wait for their turn."""

LONGEST = 10.0
"""Seconds at most until a receiver that was refused is opened again, and between two tries of a batch: waits grow twofold."""


@dataclass(slots=True, eq=False, repr=False)
class Consumer:
    """One hub, shared partition by partition with every other consumer of the same hub and state; it consumes once.

    Every error goes to `report`; none of them is the end. Every `renew` seconds the partitions are renewed that this process
    owns: any process may take over one that was not renewed six times. Every `watch` seconds it is looked whether the events
    arrive that the hub holds: `looked` is when the running loop's clock showed that it last was, and `trouble` why the hub did
    not answer then, or refuses to be read; None where it does neither.
    """

    namespace: Namespace
    hub: str
    partitions: Partitions
    report: Callable[[RouterError], None]
    renew: float = 10.0
    watch: float = 60.0
    looked: float = field(init=False, default=0.0)
    trouble: HubError | None = field(init=False, default=None)
    _ended: asyncio.Event = field(init=False, default_factory=asyncio.Event)
    _defect: BaseException | None = field(init=False, default=None)
    _turns: dict[str, asyncio.Lock] = field(init=False, default_factory=lambda: defaultdict(asyncio.Lock))
    _turns_to_open: asyncio.Semaphore = field(init=False, default_factory=lambda: asyncio.Semaphore(REFUSED_AT_A_TIME))
    _waits: dict[str, float] = field(init=False, default_factory=dict)
    _under_way: set[asyncio.Task[None]] = field(init=False, default_factory=set)
    _read: set[str] = field(init=False, default_factory=set)

    async def consume_events(self, ingest: IngestEvents, stop: asyncio.Event) -> None:
        """Ingests the hub's events until stopped, those of each partition in order.

        A batch whose `ingest` raises StoreError or HubError is ingested again until it succeeds; none is skipped. Any other
        exception of `ingest` ends this. A batch under way has `GRACE` to end before this returns.
        """
        checkpoints = Checkpoints(self.partitions)
        self.trouble = HubError(f"hub {self.hub}: did not answer yet")
        stopping = asyncio.create_task(stop.wait())
        stopping.add_done_callback(lambda _: self._ended.set())
        try:
            while await self._is_stuck(checkpoints, ingest):
                pass
        finally:
            stopping.cancel()
        if self._defect is not None:
            raise self._defect

    async def _is_stuck(self, checkpoints: Checkpoints, ingest: IngestEvents) -> bool:
        """Receives until it has ended, or until it has to begin again; returns which."""
        self._read.clear()
        self._waits.clear()
        async with self.namespace.consumer(
            self.hub, GROUP, checkpoint_store=checkpoints, load_balancing_interval=self.renew
        ) as client:
            ask = client.get_partition_ids
            client.get_partition_ids = lambda: asyncio.wait_for(ask(), ANSWER)  # type: ignore[method-assign]  # it has no end
            client._create_consumer = partial(self._receiver, client._create_consumer)  # type: ignore[method-assign]  # see there
            receiving = asyncio.create_task(
                client.receive_batch(
                    on_event_batch=partial(self._on_batch, ingest),
                    max_batch_size=MOST,
                    prefetch=MOST,
                    starting_position="-1",  # The hub's first event, where nothing is taken in.
                    on_error=partial(self._on_error, checkpoints),
                    on_partition_initialize=self._on_begin,
                    on_partition_close=self._on_close,
                )
            )
            watching = asyncio.create_task(self._until_stuck(client, checkpoints))
            tasks: list[asyncio.Task[Any]] = [receiving, watching, asyncio.create_task(self._ended.wait())]
            is_stuck = False
            try:
                done, _ = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
                is_stuck = done == {watching} and watching.exception() is None
            finally:
                if not is_stuck:
                    self._ended.set()
                    # Before the receiving ends, so that no other process has the partitions yet.
                    if self._under_way:
                        _, late = await asyncio.wait(self._under_way, timeout=GRACE)
                        for processing in late:
                            processing.cancel()
                for task in tasks:
                    task.cancel()
                await asyncio.wait(tasks, timeout=GRACE)
        for task in tasks:
            if task.done() and not task.cancelled():
                task.result()
        return is_stuck

    def _receiver(self, create: Callable[..., Any], group: str, partition: str, *args: Any, **options: Any) -> Any:
        """What receives from a partition, with a wait before it is opened again.

        Where it cannot be opened Microsoft's client tries it without a pause, and in silence: a core goes into that. No public
        name leads there (azure-eventhub 5.15.1, whose `_receive_task` returns where `_open` raises, and is called again).
        """
        receiver = create(group, partition, *args, **options)
        receiver._open = partial(self._open, receiver, partition, receiver._open)
        return receiver

    async def _open(self, receiver: Any, partition: str, opening: Callable[[], Awaitable[None]]) -> None:
        if receiver.running:
            return
        async with self._turns_to_open if partition in self._waits else nullcontext():
            (fault,) = await asyncio.gather(asyncio.wait_for(opening(), ANSWER), return_exceptions=True)
            if not isinstance(fault, Exception):
                self._waits.pop(partition, None)
                return
            self.trouble = self.namespace.error_of(fault, self.hub)
            self.report(self.trouble)
            wait = self._waits[partition] = min(2 * self._waits.get(partition, FIRST_WAIT / 2), LONGEST)
            await asyncio.sleep(wait * random.uniform(0.5, 1))  # noqa: S311  It keeps no secret.
            raise fault

    async def _on_begin(self, context: PartitionContext) -> None:
        self._read.add(context.partition_id)

    async def _on_close(self, context: PartitionContext, reason: CloseReason) -> None:
        self._read.discard(context.partition_id)

    async def _on_error(self, checkpoints: Checkpoints, context: PartitionContext | None, error: Exception) -> None:
        """Reports what kept the client from reading a partition, or from sharing them; it tries again by itself."""
        partition = context.partition_id if context is not None else None
        trouble = error if isinstance(error, StoreError) else self.namespace.error_of(error, self.hub, partition)
        if partition is not None and getattr(error, "error", None) == STOLEN:
            if not await checkpoints.is_ours(Partition(self.hub, partition)):
                return  # Another process of this state has taken it over.
            trouble = HubError(
                f"{trouble}: another reads by consumer group {GROUP}; if that goes on, with another state"
            )
        self.report(trouble)

    async def _on_batch(self, ingest: IngestEvents, context: PartitionContext, batch: list[EventData]) -> None:
        """Ingests a batch to its end, also where another process takes the partition over meanwhile."""
        # Not awaited itself: the client cancels who waits, and a batch under way has time to end.
        processing = asyncio.create_task(self._process(ingest, context, batch))
        self._under_way.add(processing)
        processing.add_done_callback(self._on_done)
        await asyncio.wait([processing])

    def _on_done(self, processing: asyncio.Task[None]) -> None:
        self._under_way.discard(processing)
        fault = None if processing.cancelled() else processing.exception()
        if fault is not None:
            self._defect = self._defect or fault
            self._ended.set()

    async def _process(self, ingest: IngestEvents, context: PartitionContext, batch: Sequence[EventData]) -> None:
        # A receiver that was replaced may still have a batch under way, which is the earlier one.
        async with self._turns[context.partition_id]:
            wait = 1.0
            while not self._ended.is_set():
                try:
                    await ingest(Partition(self.hub, context.partition_id), [event_of(data) for data in batch])
                    await context.update_checkpoint(batch[-1])
                    return
                except (StoreError, HubError) as trouble:
                    self.report(trouble)
                with suppress(TimeoutError):
                    async with asyncio.timeout(wait):
                        await self._ended.wait()
                wait = min(2 * wait, LONGEST)

    async def _until_stuck(self, client: EventHubConsumerClient, checkpoints: Checkpoints) -> None:
        """Returns when the receiving must begin again, having reported why: the client asks only once which partitions are."""
        known, behind, reasons = set[str](), dict[str, int](), list[str]()
        while not reasons:
            self.looked = asyncio.get_running_loop().time()
            try:
                async with self.namespace.reaching(self.hub):
                    found = set(await client.get_partition_ids())
                if known not in (set(), found):
                    reasons.append(": has other partitions than before; reading those")
                known = found
                for partition in sorted(self._read):
                    position = checkpoints.position_of(partition)
                    held = await self.namespace.extent_of(client, Partition(self.hub, partition))
                    # Asked again: an event that arrived while the hub was asked is not missing.
                    was_behind = behind.pop(partition, None) == position == checkpoints.position_of(partition)
                    if held.last < position:
                        checkpoints.void(partition)
                        reasons.append(f", partition {partition}: was created anew; reading it from its start")
                    elif max(held.first, position + 1) <= held.last and not (
                        self._turns[partition].locked() or partition in self._waits
                    ):
                        behind[partition] = position
                        if was_behind:
                            reasons.append(
                                f", partition {partition}: holds events that do not arrive; receiving them anew"
                            )
                if self._read.isdisjoint(self._waits):
                    self.trouble = None
            except HubError as fault:
                self.trouble = fault
                self.report(fault)
            for reason in reasons:
                self.report(HubError(f"hub {self.hub}{reason}"))
            await asyncio.sleep(0 if reasons else self.watch)
