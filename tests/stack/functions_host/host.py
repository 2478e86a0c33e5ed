"""An instance of a function app: the part that Azure plays, and what calls functions by itself: hubs, queues and timers.

As in `EventHubListener.PartitionProcessor.cs`, `QueueListener.cs` and `QueueProcessor.cs` of azure-sdk-for-net.
"""

from __future__ import annotations

import asyncio
import json
import signal
import time
from collections import defaultdict, deque
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Self

from tests.stack.event_hubs import EventHubs, Published
from tests.stack.functions_host.invocations import (
    Conditions,
    Invocation,
    Invoker,
    Outcome,
    Response,
    events_call,
    message_call,
    request_call,
    response_in,
    timer_call,
)
from tests.stack.functions_host.workers import Function, Workers
from tests.waiting import PATIENCE

_TAIL = 8000
_OVERRIDE = "AzureFunctionsJobHost__extensions__"
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
        call = message_call(message.content, message.dequeued)
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


type Trigger = HubTrigger | QueueTrigger | Timer


class FunctionsHost:
    """Runs an app's functions in a worker process, triggered by hubs, queues, requests and timers.

    `env` is all that the worker has in its environment. Checkpoints and queues outlive a host.
    """

    def __init__(
        self,
        app: Path,
        *,
        env: Mapping[str, str],
        hubs: EventHubs,
        checkpoints: Checkpoints,
        queues: Queues,
        conditions: Conditions,
    ) -> None:
        self._conditions, self._env, self._hubs = conditions, env, hubs
        self._checkpoints, self._queues = checkpoints, queues
        self._extensions = _extensions_of(app, env)
        self._workers = Workers(app, env, self._conditions.restart_delay)
        self._invoker = Invoker(self._workers, self._conditions, self._put)
        self._triggers: dict[str, Trigger] = {}
        self._tasks: list[asyncio.Task[None]] = []

    @asynccontextmanager
    async def running(self) -> AsyncIterator[Self]:
        """Starts the worker and the triggers, and stops them gracefully; what fails inside shows the worker's log.

        Raises RuntimeError with the worker's own words where the app cannot be indexed.
        """
        with TemporaryDirectory(prefix="functions-host-") as scratch:
            try:
                await self._workers.start(Path(scratch) / "worker.log")
                functions = [
                    one for one in self.functions.values() if one.kind != "httpTrigger" and not self._is_off(one)
                ]
                self._triggers = {one.name: self._trigger(one) for one in functions}
                self._tasks = [asyncio.create_task(one.run()) for one in self._triggers.values()]
                self._tasks.append(asyncio.create_task(self._workers.keep()))
                yield self
                self._raise_fault()
            except Exception as fault:
                for task in self._tasks:
                    if task.done() and task.exception() not in (None, fault):
                        fault.add_note(f"The host had failed before: {task.exception()!r}")
                fault.add_note(f"The worker said:\n{self.log[-_TAIL:]}")
                raise
            finally:
                await self._stop()

    @property
    def log(self) -> str:
        """Gives what the workers printed, also after the run."""
        return self._workers.log

    @property
    def functions(self) -> Mapping[str, Function]:
        """Gives the app's functions by name, with their triggers and retry policies."""
        return self._workers.functions

    @property
    def invocations(self) -> list[Invocation]:
        """Gives the runs that have ended, in the order in which they did."""
        return self._invoker.finished

    @property
    def worker_pid(self) -> int:
        """Gives the process id of the current worker, or of the last one while there is none."""
        return self._workers.pid

    def under_way(self, function: str) -> int:
        """Gives how many calls of a function the worker has."""
        return self._invoker.calls[function]

    async def kill_worker(self) -> None:
        """Kills the worker in the midst of whatever it does, and returns when it is gone; another one follows."""
        await (await self._workers.current()).signal(signal.SIGKILL)

    async def terminate_worker(self) -> None:
        """Sends the worker SIGTERM, which Microsoft's heeds no more than this one, and returns when it is gone.

        The host goes on meanwhile, and calls it as long as it is there; another one follows.
        """
        await (await self._workers.current()).signal(signal.SIGTERM)

    async def request(
        self, method: str, path: str, headers: Mapping[str, str] | None = None, body: bytes = b""
    ) -> Response:
        """Answers an HTTP request by the function whose route it is, with a bare 500 where that fails."""
        function = next(one for one in self.functions.values() if _is_at(path.partition("?")[0], one))
        ended = await self._invoker.begin(
            self._invoker.invoke(function, request_call(method, path, headers or {}, body))
        )
        return response_in(ended.answer) if ended.outcome is Outcome.OK else Response(500)

    async def fire(self, function: str) -> Invocation:
        """Fires a timer now, and gives how that ended."""
        timer = self._triggers[function]
        assert isinstance(timer, Timer), f"{function}: has no timer trigger"
        return await timer.fire()

    async def idle(self, within: float = PATIENCE) -> None:
        """Returns once nothing is under way and nothing waits in any hub or queue; fails, and says what is, after some seconds.

        Messages that are hidden in a queue wait for later, and do not count.
        """
        deadline = time.monotonic() + within
        while waiting := self._waiting():
            assert time.monotonic() < deadline, f"after {within} seconds: {'; '.join(waiting)}"
            self._raise_fault()
            await asyncio.sleep(0.05)

    def _waiting(self) -> list[str]:
        waiting = [one for trigger in self._triggers.values() for one in trigger.backlog()]
        return [*waiting, f"{len(self._invoker.work)} calls under way"] if self._invoker.work else waiting

    def _put(self, queue: str, content: str) -> None:
        self._queues[queue].append(Queued(content))

    def _is_off(self, function: Function) -> bool:
        """Whether a setting disables a function: https://learn.microsoft.com/azure/azure-functions/disable-function"""
        return self._env.get(f"AzureWebJobs__{function.name}__Disabled", "") == "true"

    def _trigger(self, function: Function) -> Trigger:
        if function.kind == "timerTrigger":
            return Timer(function, self._invoker, self._conditions.timers)
        if function.kind == "queueTrigger":
            settings = self._extensions["queues"]
            return QueueTrigger(function, self._invoker, self._queues, settings, self._conditions.speed)
        return HubTrigger(function, self._invoker, self._hubs, self._checkpoints, self._extensions["eventHubs"])

    def _raise_fault(self) -> None:
        for task in self._tasks:
            if task.done():
                task.result()

    async def _stop(self) -> None:
        self._invoker.stopping.set()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        if self._invoker.work and self._conditions.grace:
            await asyncio.wait(self._invoker.work, timeout=self._conditions.grace)
        left = [*self._invoker.work]
        for work in left:
            work.cancel()
        await asyncio.gather(*left, return_exceptions=True)
        await self._workers.stop()


def _is_at(path: str, function: Function) -> bool:
    """Whether a function answers at a path; where its route catches all, the rest may be missing.

    https://learn.microsoft.com/aspnet/core/fundamentals/routing#route-templates
    """
    route, catches_all, _ = str(function.trigger.get("route", function.name)).partition("/{*")
    return path == f"/api/{route}" or (bool(catches_all) and path.startswith(f"/api/{route}/"))


def _extensions_of(app: Path, settings: Mapping[str, str]) -> dict[str, Any]:
    """What host.json, and the app settings that override it, say of hubs and queues."""
    extensions: dict[str, Any] = json.loads((app / "host.json").read_text())["extensions"]
    assert extensions["queues"]["messageEncoding"] == "none"
    assert extensions["eventHubs"]["batchCheckpointFrequency"] == 1
    for name, value in settings.items():
        if name.startswith(_OVERRIDE):
            extension, key = name.removeprefix(_OVERRIDE).split("__")
            extensions[extension][key] = value
    return extensions


def _seconds(text: str) -> float:
    """The seconds of a .NET TimeSpan such as `00:00:30`."""
    hours, minutes, seconds = map(int, text.split(":"))
    return (hours * 60 + minutes) * 60.0 + seconds
