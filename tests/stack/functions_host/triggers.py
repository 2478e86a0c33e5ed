"""What calls functions by itself: hubs, queues and timers.

As in `EventHubListener.PartitionProcessor.cs`, `QueueListener.cs` and `QueueProcessor.cs` of azure-sdk-for-net.
"""

from __future__ import annotations

import asyncio
from collections import defaultdict, deque
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from tests.stack.event_hubs import EventHubs, Published
from tests.stack.functions_host.calls import events_call, message_call, timer_call
from tests.stack.functions_host.functions import Function
from tests.stack.functions_host.invocations import Invocation, Invoker, Outcome

_SHORTEST_POLL = 0.1


@dataclass(slots=True)
class Queued:
    """A message of a queue, and how often it was taken."""

    content: str
    dequeued: int = 0


type Queues = defaultdict[str, deque[Queued]]
"""The messages of queues that can be seen, by the queue's name."""

type Checkpoints = dict[tuple[str, str], int]
"""The last sequence number that counts as done, by hub and partition."""


class Trigger(Protocol):
    """Calls one function for as long as the host runs."""

    async def run(self) -> None:
        """Listens until it is cancelled; what it began goes on after that."""

    def backlog(self) -> Sequence[str]:
        """Gives in words what waits for its function, beside what is under way."""


class HubTrigger:
    """Calls with a batch of a partition at a time, and notes a checkpoint after it, however it went, unless the host stops."""

    def __init__(
        self,
        function: Function,
        invoker: Invoker,
        hubs: EventHubs,
        checkpoints: Checkpoints,
        settings: Mapping[str, Any],
    ) -> None:
        self._function, self._invoker, self._hubs, self._checkpoints = function, invoker, hubs, checkpoints
        self._hub = str(function.trigger["eventHubName"])
        self._most = int(settings["maxEventBatchSize"])
        self._busy: set[str] = set()
        self._news = asyncio.Event()

    async def run(self) -> None:
        loop = asyncio.get_running_loop()
        with self._hubs.watched(lambda: loop.call_soon_threadsafe(self._news.set)):
            while True:
                self._news.clear()
                for id, events in self._hubs.read(self._hub, self._done(), self._most).items():
                    if id not in self._busy:
                        self._busy.add(id)
                        self._invoker.begin(self._take(id, events))
                await self._news.wait()

    def backlog(self) -> Sequence[str]:
        done, lasts = self._done(), self._hubs.last_sequences(self._hub)
        return [f"{self._hub}/{id}: not checkpointed" for id, last in lasts.items() if last > done.get(id, -1)]

    def _done(self) -> dict[str, int]:
        return {id: sequence for (hub, id), sequence in self._checkpoints.items() if hub == self._hub}

    async def _take(self, id: str, events: Sequence[Published]) -> None:
        await self._invoker.persist(self._function, events_call(self._hub, id, events))
        if not self._invoker.stopping.is_set():
            self._checkpoints[self._hub, id] = events[-1].sequence
        self._busy.discard(id)
        self._news.set()


class QueueTrigger:
    """Takes messages off one queue, several at a time; one whose call failed comes back a few times."""

    def __init__(
        self, function: Function, invoker: Invoker, queues: Queues, settings: Mapping[str, Any], speed: float
    ) -> None:
        self._function, self._invoker, self._settings = function, invoker, settings
        self._name = str(function.trigger["queueName"])
        self._queue = queues[self._name]
        self._longest_poll = max(_SHORTEST_POLL, _seconds(settings["maxPollingInterval"]) / speed)
        self._work: set[asyncio.Task[None]] = set()

    async def run(self) -> None:
        poll = _SHORTEST_POLL
        while True:
            while len(self._work) > int(self._settings["newBatchThreshold"]):
                await asyncio.wait(self._work, return_when=asyncio.FIRST_COMPLETED)
            taken = [self._queue.popleft() for _ in range(min(len(self._queue), int(self._settings["batchSize"])))]
            for message in taken:
                work = self._invoker.begin(self._take(message))
                self._work.add(work)
                work.add_done_callback(self._work.discard)
            if not taken:
                await asyncio.sleep(poll)
            poll = _SHORTEST_POLL if taken else min(2 * poll, self._longest_poll)

    def backlog(self) -> Sequence[str]:
        return [f"{self._name}: {len(self._queue)} messages visible"] if self._queue else []

    async def _take(self, message: Queued) -> None:
        message.dequeued += 1
        call = message_call(self._name, message.content, message.dequeued)
        ended = await self._invoker.invoke(self._function, call)
        if ended.outcome is not Outcome.OK and message.dequeued < int(self._settings["maxDequeueCount"]):
            hidden = _seconds(self._settings["visibilityTimeout"])
            asyncio.get_running_loop().call_later(hidden, self._queue.append, message)


class Timer:
    """Fires when it is told to, never twice at a time, and by itself every `interval` seconds, if any."""

    def __init__(self, function: Function, invoker: Invoker, interval: float | None) -> None:
        self._function, self._invoker, self._interval = function, invoker, interval
        self._firing = asyncio.Lock()

    async def fire(self) -> Invocation:
        """Runs the function, and gives how that ended."""
        async with self._firing:
            return await self._invoker.begin(self._invoker.invoke(self._function, timer_call()))

    async def run(self) -> None:
        while self._interval is not None:
            await asyncio.sleep(self._interval)
            await self.fire()

    def backlog(self) -> Sequence[str]:
        return ()


def _seconds(text: str) -> float:
    """The seconds of a .NET TimeSpan such as `00:00:30`."""
    hours, minutes, seconds = map(int, text.split(":"))
    return (hours * 60 + minutes) * 60.0 + seconds
