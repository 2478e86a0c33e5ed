"""The Event Hubs trigger: a batch of a partition at a time, and a checkpoint after it, however it went.

As in `EventHubListener.PartitionProcessor.cs` of azure-sdk-for-net: nothing is checkpointed when the host is stopping,
or when the partition is another instance's by now.
"""

from __future__ import annotations

import asyncio
import gc
import logging
import warnings
from collections import defaultdict
from collections.abc import Sequence

from azure.eventhub import CloseReason, EventData, parse_connection_string
from azure.eventhub.aio import EventHubConsumerClient, PartitionContext

from tests.stack.event_hubs.checkpoints import Checkpoints
from tests.stack.functions_host.calls import events_call
from tests.stack.functions_host.conditions import Conditions
from tests.stack.functions_host.ends import Ends
from tests.stack.functions_host.functions import Function, NotServed
from tests.stack.functions_host.host_json import EventHubSettings
from tests.stack.functions_host.invocations import Invoker

_LOG = logging.getLogger(__name__)


class EventHubListener:
    """Reads one hub for one function, together with other instances."""

    def __init__(
        self,
        function: Function,
        settings: EventHubSettings,
        conditions: Conditions,
        invoker: Invoker,
        hubs: str,
        shared: Checkpoints,
    ) -> None:
        if str(function.trigger.get("cardinality", "")).lower() != "many":
            raise NotServed(
                f"{function.name}: takes one event at a time, the mini-host sends batches; use cardinality many"
            )
        self.hub = str(function.trigger["eventHubName"])
        self.group = str(function.trigger.get("consumerGroup") or "$Default")
        self._function = function
        self._settings = settings
        self._invoker = invoker
        self._namespace = parse_connection_string(hubs).fully_qualified_namespace
        self._store = shared
        self._consumer = EventHubConsumerClient.from_connection_string(
            hubs,
            self.group,
            eventhub_name=self.hub,
            checkpoint_store=self._store,
            load_balancing_interval=conditions.load_balancing,
            retry_backoff_factor=0.1,
        )
        self._ends = Ends(hubs, self.hub, self.group)
        self._starts: dict[str, int] = {}
        self._locks: dict[str, asyncio.Lock] = defaultdict(asyncio.Lock)
        self._tenures: dict[str, asyncio.Event] = {}
        self._work: set[asyncio.Task[None]] = set()

    async def open(self) -> None:
        """Finds the end of the hub if that is where reading starts."""
        # The SDK does not close a connection that was cut, or whose reading was cancelled; asyncio warns of each.
        warnings.filterwarnings("ignore", "unclosed <StreamWriter", ResourceWarning)
        if self._settings.start == "fromEnd":
            self._starts = await self._ends.lasts()

    async def run(self) -> None:
        """Reads partitions until it is cancelled; a batch that is under way then is not checkpointed any more."""
        try:
            await self._consumer.receive_batch(
                self._on_batch,
                max_batch_size=self._settings.max_event_batch_size,
                prefetch=self._settings.prefetch_count,
                starting_position={id: last if last >= 0 else "-1" for id, last in self._starts.items()} or "-1",
                on_error=self._on_error,
                on_partition_initialize=self._on_open,
                on_partition_close=self._on_close,
            )
        finally:
            for given_up in self._tenures.values():
                given_up.set()

    async def close(self) -> None:
        """Lets go of partitions and clients."""
        for work in self._work:
            work.cancel()
        await asyncio.gather(*self._work, self._consumer.close(), self._ends.close(), return_exceptions=True)
        gc.collect()  # What the SDK did not close is warned of while that is ignored, and not in a later test.

    async def backlog(self) -> Sequence[str]:
        """Gives the partitions whose latest event is behind no checkpoint yet."""
        done = self._starts | await self.checkpoints()
        waiting = {id: last - done.get(id, -1) for id, last in (await self._ends.lasts()).items()}
        return [f"{self.hub}/{id}: {count} events not checkpointed" for id, count in waiting.items() if count > 0]

    async def checkpoints(self) -> dict[str, int]:
        """Gives the sequence number up to which each partition counts as done."""
        found = await self._store.list_checkpoints(self._namespace, self.hub, self.group)
        return {one["partition_id"]: one["sequence_number"] for one in found}

    async def _on_batch(self, partition: PartitionContext, events: list[EventData]) -> None:
        given_up = self._tenures[partition.partition_id]
        work = asyncio.create_task(self._take(partition, events, given_up))
        self._work.add(work)
        work.add_done_callback(self._work.discard)
        try:
            # The run of a function is not called back when a partition is lost: only what follows it is left out.
            await asyncio.shield(work)
        except asyncio.CancelledError:
            given_up.set()
            raise

    async def _take(self, partition: PartitionContext, events: list[EventData], given_up: asyncio.Event) -> None:
        async with self._locks[partition.partition_id]:
            if given_up.is_set():
                return
            with self._invoker.busy():
                await self._invoker.persist(self._function, events_call(self._function, partition, events), given_up)
                if not given_up.is_set():
                    await partition.update_checkpoint(events[-1])

    async def _on_open(self, partition: PartitionContext) -> None:
        self._tenures[partition.partition_id] = asyncio.Event()

    async def _on_close(self, partition: PartitionContext, reason: CloseReason) -> None:
        _LOG.info("%s/%s: closed, %s", self.hub, partition.partition_id, reason)
        given_up = self._tenures.pop(partition.partition_id, None)
        if given_up is not None:
            given_up.set()

    async def _on_error(self, partition: PartitionContext | None, error: Exception) -> None:
        where = f"{self.hub}/{partition.partition_id}" if partition is not None else self.hub
        _LOG.warning("%s: %r", where, error)
