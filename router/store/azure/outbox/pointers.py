"""Pointers, in queues: one for each stream and lane, and its poison queue, into which the platform puts what it gave up on."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable, Sequence
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from router.domain.deliveries import Pointer
from router.domain.rulebook import Lane
from router.store.azure.outbox.entry_rows import AzureEntry
from router.store.azure.outbox.locations import Location, Shard, text_of, text_to, text_to_all
from router.store.azure.outbox.queues import MOST_RECEIVED, AzureQueue, Handle, seconds

if TYPE_CHECKING:
    from azure.storage.queue.aio import QueueServiceClient

LANES = {"cwpp": (Lane.PAGE, Lane.TICKET, Lane.ROWS), "cspm": (Lane.TICKET, Lane.ROWS)}
"""The lanes of each stream that have a queue; posture pages nobody."""

POISON = "-poison"
"""What the platform appends to a queue's name:
https://learn.microsoft.com/azure/azure-functions/functions-bindings-storage-queue-trigger#poison-messages"""

AT_ONCE = 32
"""Messages that are sent at a time."""

SKEW = timedelta(seconds=1)
"""By how much the clocks of two workers may differ: a pointer that came before its delivery is due would be lost."""

TOGETHER = timedelta(seconds=5)
"""Deliveries of one shard in the rows lane that fall due within this share a pointer, which comes when the last is due."""

SOON = timedelta(seconds=5)
"""How long a shard is left alone where rows wait for a turn in hand."""

_RESCUE = timedelta(minutes=1)
"""How long a message of a poison queue is hidden while it is put back."""

_ROUNDS = 50
"""How often a poison queue is asked for more in one go."""


class Pointers:
    """Everything that is sent to queues; raises StoreError. `clock` tells when a pointer shows that is requeued."""

    def __init__(self, service: QueueServiceClient, prefix: str, clock: Callable[[], datetime]) -> None:
        self._service = service
        self._prefix = prefix
        self._clock = clock
        self._sending = asyncio.Semaphore(AT_ONCE)
        self._queues: dict[str, AzureQueue] = {}
        self._soon: dict[Shard, datetime] = {}

    def queue(self, stream: str, lane: Lane) -> AzureQueue:
        """The queue of a stream and lane."""
        return self._queue(f"{self._prefix}{stream}-{lane}")

    def poison(self, stream: str, lane: Lane) -> AzureQueue:
        """What the platform gave up on in that queue."""
        return self._queue(f"{self._prefix}{stream}-{lane}{POISON}")

    def _queue(self, name: str) -> AzureQueue:
        if name not in self._queues:
            self._queues[name] = AzureQueue(self._service.get_queue_client(name))
        return self._queues[name]

    async def prepare(self) -> None:
        """Makes the queues that are not there yet."""
        pairs = [(stream, lane) for stream, lanes in LANES.items() for lane in lanes]
        queues = [queue for pair in pairs for queue in (self.queue(*pair), self.poison(*pair))]
        await asyncio.gather(*(queue.prepare() for queue in queues))

    async def point(self, entries: Iterable[AzureEntry], now: datetime) -> None:
        """Points at deliveries for when they fall due: at each by itself, in the rows lane at their shards."""
        singly: dict[Location, AzureEntry] = {}
        shards: dict[tuple[Shard, int], AzureEntry] = {}
        for one in entries:
            if one.lane is not Lane.ROWS:
                singly[one.location] = one
                continue
            together = (one.location.shard, max(one.due - now, timedelta()) // TOGETHER)
            shards[together] = max(one, shards.get(together, one), key=lambda entry: entry.due)
        sends = [self._send(one, text_to(one.location), now) for one in singly.values()]
        sends += [self._send(one, text_to_all(one.location.shard), now) for one in shards.values()]
        await asyncio.gather(*sends)

    async def _send(self, one: AzureEntry, text: str, now: datetime) -> None:
        hidden = seconds(one.due - now + SKEW) if one.due > now else 0
        async with self._sending:
            await self.queue(one.location.shard.stream, one.lane).send(text, hidden)

    async def send(self, stream: str, lane: Lane, texts: Sequence[str]) -> int:
        """Sends pointers that show at once; returns how many."""
        queue = self.queue(stream, lane)

        async def send(text: str) -> None:
            async with self._sending:
                await queue.send(text)

        await asyncio.gather(*map(send, texts))
        return len(texts)

    async def point_soon(self, shard: Shard) -> None:
        """Points at a shard in the rows lane a little later, unless this process has a pointer there on its way already."""
        now = self._clock()
        soon = self._soon.get(shard, now)
        # A clock that was set back must not keep it waiting.
        if now >= soon or soon > now + SOON:
            await self.queue(shard.stream, Lane.ROWS).send(text_to_all(shard), seconds(SOON))
            self._soon[shard] = now + SOON

    async def requeue(self, pointer: Pointer, until: datetime) -> None:
        """Points there once more at that instant, where a pointer names a location."""
        text = text_of(pointer)
        if text is not None:
            await self.queue(pointer.stream, pointer.lane).send(text, seconds(until - self._clock()))

    async def rescue(self, stream: str, lane: Lane) -> int:
        """Puts every message of a poison queue into its queue again; returns how many."""
        queue, poison = self.queue(stream, lane), self.poison(stream, lane)
        rescued = 0
        for _ in range(_ROUNDS):
            messages = await poison.receive(MOST_RECEIVED, _RESCUE)
            await asyncio.gather(*(_move(text, handle, poison, queue) for text, handle in messages))
            rescued += len(messages)
            if not messages:
                break
        return rescued


async def _move(text: str, handle: Handle, source: AzureQueue, target: AzureQueue) -> None:
    await target.send(text)
    await source.delete(handle)
