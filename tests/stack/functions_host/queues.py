"""The Storage Queue trigger, as in `QueueListener.cs` and `QueueProcessor.cs` of azure-sdk-for-net."""

from __future__ import annotations

import asyncio
import base64
import binascii
import logging
from collections.abc import Sequence
from contextlib import suppress

from tests.stack.azurite import Queue, QueueMessage, StorageError
from tests.stack.functions_host.calls import message_call
from tests.stack.functions_host.conditions import Conditions
from tests.stack.functions_host.functions import Function
from tests.stack.functions_host.host_json import QueueSettings
from tests.stack.functions_host.invocations import Invoker, Outcome

_SHORTEST_POLL = 0.1
_POISON = "-poison"
_LOG = logging.getLogger(__name__)


class QueueListener:
    """Takes messages off one queue for one function, several at a time."""

    def __init__(
        self, function: Function, settings: QueueSettings, conditions: Conditions, invoker: Invoker, storage: str
    ) -> None:
        self.queue = str(function.trigger["queueName"])
        self._function = function
        self._settings = settings
        self._visibility = conditions.visibility
        self._longest_poll = max(_SHORTEST_POLL, settings.max_polling_interval / conditions.speed)
        self._invoker = invoker
        self._client = Queue(storage, self.queue)
        self._poison = Queue(storage, self.queue + _POISON)
        self._fetching = asyncio.Lock()
        self._work: set[asyncio.Task[None]] = set()

    async def open(self) -> None:
        """Needs nothing."""

    async def run(self) -> None:
        """Takes messages until it is cancelled; an empty queue is looked at less and less often."""
        poll = _SHORTEST_POLL
        while True:
            while len(self._work) > self._settings.new_batch_threshold:
                await asyncio.wait(self._work, return_when=asyncio.FIRST_COMPLETED)
            if await self._has_fetched():
                poll = _SHORTEST_POLL
            else:
                await asyncio.sleep(poll)
                poll = min(2 * poll, self._longest_poll)

    async def close(self) -> None:
        """Lets go of its clients; a message whose call is under way comes back when its time is up."""
        for work in self._work:
            work.cancel()
        await asyncio.gather(*self._work, return_exceptions=True)
        await self._client.close()
        await self._poison.close()

    async def backlog(self) -> Sequence[str]:
        """Gives the queue if a message in it can be seen."""
        # Nothing is on its way from the queue to here while the lock is held.
        async with self._fetching:
            seen = await self._client.seen()
        return [f"{self.queue}: {len(seen)} messages visible"] if seen else []

    async def _has_fetched(self) -> bool:
        async with self._fetching:
            try:
                messages = await self._client.take(self._settings.batch_size, hidden=self._visibility)
            except StorageError as fault:
                _LOG.warning("%s: %r", self.queue, fault)
                return False
            for message in messages:
                work = asyncio.create_task(self._take(message))
                self._work.add(work)
                work.add_done_callback(self._work.discard)
        return bool(messages)

    async def _take(self, message: QueueMessage) -> None:
        with self._invoker.busy():
            try:
                await self._settle(message)
            except StorageError as fault:
                _LOG.warning("%s: message %s is left as it is: %r", self.queue, message.id, fault)

    async def _settle(self, message: QueueMessage) -> None:
        body = self._find_body(message)
        if body is None or message.dequeued > self._settings.max_dequeue_count:
            await self._bury(message)
        elif await self._is_done(message, body):
            await self._client.delete(message)
        elif message.dequeued >= self._settings.max_dequeue_count:
            await self._bury(message)
        elif not self.queue.endswith(_POISON):
            await self._client.hide(message, round(self._settings.visibility_timeout))

    async def _bury(self, message: QueueMessage) -> None:
        if self.queue.endswith(_POISON):
            return  # A poison queue has none of its own: the message stays hidden until its time is up.
        await self._poison.put(message.content)
        await self._client.delete(message)

    async def _is_done(self, message: QueueMessage, body: bytes) -> bool:
        over = asyncio.Event()
        keeping = asyncio.create_task(self._keep(message, over))
        try:
            call = message_call(self._function, message, body, self.queue)
            return (await self._invoker.invoke(self._function, call)).outcome is Outcome.OK
        finally:
            over.set()
            await asyncio.gather(keeping, return_exceptions=True)

    async def _keep(self, message: QueueMessage, over: asyncio.Event) -> None:
        """Hides the message again before its time is up, for as long as it is worked on."""
        while True:
            with suppress(TimeoutError):
                await asyncio.wait_for(over.wait(), self._visibility / 2)
                return
            await self._client.hide(message, self._visibility)

    def _find_body(self, message: QueueMessage) -> bytes | None:
        if self._settings.message_encoding == "none":
            return message.content.encode()
        try:
            return base64.b64decode(message.content, validate=True)
        except (binascii.Error, ValueError):
            return None
