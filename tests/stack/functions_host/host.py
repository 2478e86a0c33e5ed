"""An instance of a function app: the part that Azure plays."""

from __future__ import annotations

import asyncio
import os
import signal
import time
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Self

from tests.stack.event_hubs.checkpoints import Checkpoints
from tests.stack.functions_host.conditions import USUAL, Conditions
from tests.stack.functions_host.event_hubs import EventHubListener
from tests.stack.functions_host.functions import Function, NotServed
from tests.stack.functions_host.host_json import HostJson
from tests.stack.functions_host.http import Request, Response, Routes, response_of
from tests.stack.functions_host.invocations import Invocation, Invoker
from tests.stack.functions_host.listener import Listener
from tests.stack.functions_host.outputs import QueueOutputs
from tests.stack.functions_host.queues import QueueListener
from tests.stack.functions_host.timers import Timer
from tests.stack.functions_host.workers import Workers
from tests.waiting import PATIENCE

_TAIL = 8000


class NotIdle(Exception):
    """There is still something to do; the message says what."""


class FunctionsHost:
    """Runs an app's functions in a worker process, triggered by real hubs, queues, requests and timers.

    `env` is all that the worker has in its environment. The connections are what hubs and queues are reached by,
    whatever settings the app's triggers name for that. The checkpoints outlive a host whose caller keeps them.
    """

    def __init__(
        self,
        app: Path,
        *,
        env: Mapping[str, str],
        event_hubs_connection: str | None = None,
        storage_connection: str | None = None,
        checkpoints: Checkpoints | None = None,
        conditions: Conditions = USUAL,
    ) -> None:
        self._conditions = conditions
        self._env = env
        self._event_hubs = event_hubs_connection
        self._storage = storage_connection
        self._checkpoints = checkpoints or Checkpoints()
        self._host_json = HostJson.of(app, env)
        self._workers = Workers(app, env, conditions.restart_delay)
        self._outputs = QueueOutputs(self._host_json.queues, storage_connection)
        self._invoker = Invoker(self._workers, conditions, self._outputs)
        self._listeners: dict[str, Listener] = {}
        self._routes = Routes((), "")
        self._tasks: list[asyncio.Task[None]] = []

    @asynccontextmanager
    async def running(self) -> AsyncIterator[Self]:
        """Starts the worker and the triggers, and stops them gracefully; what fails inside shows the worker's log.

        Raises AppRefused with the worker's own words where the app cannot be indexed, and NotServed.
        """
        with TemporaryDirectory(prefix="functions-host-") as scratch:
            try:
                await self._workers.start(Path(scratch) / "worker.log")
                await self._listen()
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
        """Gives the worker's process id."""
        return self._workers.pid

    def under_way(self, function: str) -> int:
        """Gives how many calls of a function the worker has."""
        return self._invoker.calls[function]

    async def freeze_worker(self) -> None:
        """Keeps the worker, once there is one, from doing anything until it is killed."""
        os.kill((await self._workers.current()).pid, signal.SIGSTOP)

    async def kill_worker(self) -> None:
        """Kills the worker in the midst of whatever it does, and returns when it is gone; another one follows."""
        await (await self._workers.current()).kill()

    async def terminate_worker(self) -> None:
        """Sends the worker SIGTERM, which Microsoft's heeds no more than this one, and returns when it is gone.

        The host goes on meanwhile, and calls it as long as it is there; another one follows.
        """
        await (await self._workers.current()).terminate()

    async def request(
        self, method: str, path: str, *, headers: Mapping[str, str] | None = None, body: bytes = b""
    ) -> Response:
        """Answers an HTTP request by the function whose route it is; 404 where it is nobody's."""
        found = self._routes.find(Request(method, path, headers or {}, body))
        if found is None:
            return Response(404)
        with self._invoker.busy():
            return response_of(await self._invoker.invoke(*found))

    async def fire(self, function: str) -> Invocation:
        """Fires a timer now, and gives its last run."""
        timer = self._listeners[function]
        assert isinstance(timer, Timer), f"{function}: has no timer trigger"
        return await timer.fire()

    async def checkpoints(self, function: str) -> dict[str, int]:
        """Gives, by partition, the last sequence number that counts as done for a function."""
        return await self._reader(function).checkpoints()

    async def idle(self, within: float = PATIENCE) -> None:
        """Returns once nothing is under way and nothing waits in any hub or queue; raises NotIdle after some seconds.

        Messages that are hidden in a queue wait for later, and do not count. Of several instances, each is asked.
        """
        deadline = time.monotonic() + within
        waiting = ["a first look"]
        try:
            # A look that has begun is not cut short, since the SDK would not close its connection then.
            async with asyncio.timeout(within + PATIENCE):
                while (waiting := await self._waiting()) and time.monotonic() < deadline:
                    self._raise_fault()
                    await asyncio.sleep(0.05)
        except TimeoutError:
            waiting.append("a look that does not end")
        if waiting:
            raise NotIdle(f"After {within} seconds: {'; '.join(waiting)}")

    async def _waiting(self) -> list[str]:
        begun = self._invoker.begun
        if self._invoker.under_way:
            return [f"{self._invoker.under_way} calls under way"]
        waiting = [one for listener in self._listeners.values() for one in await listener.backlog()]
        # A call that began and ended while others were looked at may have left something there.
        return waiting or (["a call began meanwhile"] if self._invoker.begun != begun else [])

    async def _listen(self) -> None:
        functions = self.functions.values()
        self._routes = Routes(functions, self._host_json.route_prefix)
        listening = [one for one in functions if one.kind != "httpTrigger" and not self._is_disabled(one)]
        self._listeners = {one.name: self._listener(one) for one in listening}
        for function in functions:
            self._outputs.open(function)
        await asyncio.gather(*(listener.open() for listener in self._listeners.values()))
        self._tasks = [asyncio.create_task(one.run()) for one in self._listeners.values()]
        self._tasks.append(asyncio.create_task(self._workers.keep()))

    def _is_disabled(self, function: Function) -> bool:
        """Whether a setting keeps a function from being called.

        https://learn.microsoft.com/azure/azure-functions/disable-function
        """
        return self._env.get(f"AzureWebJobs__{function.name}__Disabled", "").lower() in ("true", "1")

    def _listener(self, function: Function) -> Listener:
        if function.kind == "timerTrigger":
            return Timer(function, self._invoker, self._conditions.timers)
        if function.kind == "queueTrigger":
            if self._storage is None:
                raise NotServed(f"{function.name}: needs storage; give storage_connection")
            return QueueListener(function, self._host_json.queues, self._conditions, self._invoker, self._storage)
        if self._event_hubs is None:
            raise NotServed(f"{function.name}: needs event hubs; give event_hubs_connection")
        return EventHubListener(
            function,
            self._host_json.event_hubs,
            self._conditions,
            self._invoker,
            self._event_hubs,
            self._checkpoints,
        )

    def _reader(self, function: str) -> EventHubListener:
        listener = self._listeners[function]
        assert isinstance(listener, EventHubListener), f"{function}: has no Event Hubs trigger"
        return listener

    def _raise_fault(self) -> None:
        for task in self._tasks:
            if task.done():
                task.result()

    async def _stop(self) -> None:
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        self._tasks.clear()
        deadline = time.monotonic() + self._conditions.grace
        while self._invoker.under_way and time.monotonic() < deadline:
            await asyncio.sleep(0.02)
        await asyncio.gather(*(listener.close() for listener in self._listeners.values()))
        await self._workers.stop()
        await self._outputs.close()
