"""One queue of pointers.

Messages never expire, are plain text, and hold only a pointer. A message may hide for 7 days at most:
https://learn.microsoft.com/rest/api/storageservices/put-message
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta
from math import ceil
from typing import TYPE_CHECKING, NamedTuple

from router.store.azure.account import storing

if TYPE_CHECKING:
    from azure.storage.queue.aio import QueueClient

LONGEST_HIDDEN = 7 * 24 * 3600
MOST_RECEIVED = 32
_NEVER_EXPIRES = -1


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


def seconds(wait: timedelta) -> int:
    """The whole seconds for which a message hides so that it does not show before the wait is over."""
    return min(max(ceil(wait.total_seconds()), 0), LONGEST_HIDDEN)
