"""The queues: one for each stream and lane, and the one beside it into which the platform puts what it gave up on.

Messages never expire, are plain text, and hold only a pointer. A message may hide for 7 days at most:
https://learn.microsoft.com/rest/api/storageservices/put-message
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable, Sequence
from datetime import datetime, timedelta
from math import ceil
from typing import TYPE_CHECKING, NamedTuple

from router.domain.deliveries import Pointer
from router.domain.rulebook import Lane
from router.store.azure_storage.account import storing
from router.store.azure_storage.outbox.places import Place, Shard, text_of, text_to, text_to_all
from router.store.azure_storage.outbox.stages import Stage

if TYPE_CHECKING:
    from azure.storage.queue.aio import QueueClient, QueueServiceClient

LANES = {"cwpp": (Lane.PAGE, Lane.TICKET, Lane.ROWS), "cspm": (Lane.TICKET, Lane.ROWS)}
"""The lanes of each stream that have a queue; posture pages nobody."""

POISON = "-poison"
"""What the platform appends to a queue's name:
https://learn.microsoft.com/azure/azure-functions/functions-bindings-storage-queue-trigger#poison-messages"""

LONGEST_HIDDEN = 7 * 24 * 3600
MOST_RECEIVED = 32
_NEVER_EXPIRES = -1

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


class Handle(NamedTuple):
    """By what a message that was received is deleted."""

    id: str
    receipt: str


class AzureQueue:
    """The pointers of one stream and lane; raises StoreError."""

    def __init__(self, client: QueueClient) -> None:
        self._client = client

    async def prepare(self) -> None:
        """Makes the queue unless it is there."""
        from azure.core.exceptions import ResourceExistsError

        async with storing(self._client.queue_name):
            try:
                await self._client.create_queue()
            except ResourceExistsError:
                return

    async def send(self, text: str, hidden: int = 0) -> None:
        """Puts a message into the queue that shows after so many seconds."""
        async with storing(self._client.queue_name):
            await self._client.send_message(text, visibility_timeout=hidden, time_to_live=_NEVER_EXPIRES)

    async def receive(self, most: int, hidden: timedelta) -> Sequence[tuple[str, Handle]]:
        """Some messages' texts and handles, 32 at most; each comes back after `hidden` unless it is deleted."""
        messages = self._client.receive_messages(
            messages_per_page=min(most, MOST_RECEIVED), visibility_timeout=ceil(hidden.total_seconds())
        )
        async with storing(self._client.queue_name):
            page = await anext(messages.by_page(), None)
            found = [message async for message in page] if page is not None else []
        return [(str(message.content), Handle(str(message.id), str(message.pop_receipt))) for message in found]

    async def delete(self, handle: object) -> None:
        """Deletes a message that was seen to, unless it has come back in the meantime."""
        from azure.core.exceptions import ResourceNotFoundError

        if not isinstance(handle, Handle):
            raise TypeError(f"{handle!r}: is no handle of this queue")
        async with storing(self._client.queue_name):
            try:
                await self._client.delete_message(handle.id, handle.receipt)
            except ResourceNotFoundError:
                return

    async def length(self) -> int:
        """About how many messages there are, those that do not show yet among them."""
        async with storing(self._client.queue_name):
            properties = await self._client.get_queue_properties()
        return int(properties.approximate_message_count or 0)


class Pointers:
    """Everything that is sent to queues; raises StoreError. `clock` tells when a pointer shows that is put off."""

    def __init__(self, service: QueueServiceClient, prefix: str, clock: Callable[[], datetime]) -> None:
        self._service = service
        self._prefix = prefix
        self._clock = clock
        self._slots = asyncio.Semaphore(AT_ONCE)
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

    async def point(self, stages: Iterable[Stage], now: datetime) -> None:
        """Points at deliveries for when they fall due: at each by itself, in the rows lane at their shards."""
        singly: dict[Place, Stage] = {}
        shards: dict[tuple[Shard, int], Stage] = {}
        for one in stages:
            if one.lane is not Lane.ROWS:
                singly[one.place] = one
                continue
            together = (one.place.shard, max(one.due - now, timedelta()) // TOGETHER)
            shards[together] = max(one, shards.get(together, one), key=lambda stage: stage.due)
        sends = [self._send(one, text_to(one.place), now) for one in singly.values()]
        sends += [self._send(one, text_to_all(one.place.shard), now) for one in shards.values()]
        await asyncio.gather(*sends)

    async def _send(self, one: Stage, text: str, now: datetime) -> None:
        hidden = seconds(one.due - now + SKEW) if one.due > now else 0
        async with self._slots:
            await self.queue(one.place.shard.stream, one.lane).send(text, hidden)

    async def send(self, stream: str, lane: Lane, texts: Sequence[str]) -> int:
        """Sends pointers that show at once; returns how many."""
        queue = self.queue(stream, lane)

        async def send(text: str) -> None:
            async with self._slots:
                await queue.send(text)

        await asyncio.gather(*map(send, texts))
        return len(texts)

    async def point_soon(self, shard: Shard) -> None:
        """Points at a shard in the rows lane a little later, unless this process has a pointer there on its way already."""
        now = self._clock()
        if now >= self._soon.get(shard, now):
            await self.queue(shard.stream, Lane.ROWS).send(text_to_all(shard), seconds(SOON))
            self._soon[shard] = now + SOON

    async def put_off(self, pointer: Pointer, until: datetime) -> None:
        """Points there once more at that instant."""
        hidden = seconds(until - self._clock())
        await self.queue(pointer.stream, pointer.lane).send(text_of(pointer), hidden)

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


def seconds(wait: timedelta) -> int:
    """The whole seconds for which a message hides so that it does not show before the wait is over."""
    return min(max(ceil(wait.total_seconds()), 0), LONGEST_HIDDEN)
