"""The host's end of worker processes, and the functions that they read from an app's code.

There is one process at a time, for ever; a new one takes the place of one that died.
"""

from __future__ import annotations

import asyncio
import json
import os
import signal
import socket
import sys
import uuid
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from subprocess import DEVNULL, Popen
from typing import Any, Self

from infra.package import DEPENDENCIES
from tests.stack.functions_worker.protocol import find_message, protocol, write_message
from tests.waiting import PATIENCE, until
from tests.warm import WarmProcess, started

_REPOSITORY = Path(__file__).parents[3]
_WORKER = "tests.stack.functions_worker.worker"
_HOST_VERSION = "4.1045.0"
_GRACE = 5.0


@dataclass(frozen=True, slots=True)
class RetryPolicy:
    """How often a failed call is tried again; a negative limit is for ever, delays are in seconds."""

    limit: int
    shortest: float
    longest: float

    def is_allowed(self, retry: int) -> bool:
        """Whether the retry of that number, counted from 1, is made."""
        return self.limit < 0 or retry <= self.limit

    def delay_before(self, retry: int) -> float:
        """Gives the seconds before a retry: they double, from the shortest to the longest."""
        return min(self.longest, self.shortest * 2.0 ** min(retry - 1, 30))


@dataclass(frozen=True, slots=True)
class Function:
    """One function: its trigger as the app declares it, its retry policy, and the queues that its parameters go to."""

    name: str
    id: str
    trigger: Mapping[str, Any]
    retry: RetryPolicy | None
    outputs: Mapping[str, str]

    @property
    def kind(self) -> str:
        """Gives the trigger's type, such as `queueTrigger`."""
        return str(self.trigger["type"])


def function_of(metadata: Any) -> Function:
    """Gives the function that a worker's metadata describes."""
    bindings = [json.loads(binding) for binding in metadata.raw_bindings]
    (trigger,) = (binding for binding in bindings if binding["type"].endswith("Trigger"))
    options = metadata.retry_options
    shortest, longest = (
        each.ToTimedelta().total_seconds() for each in (options.minimum_interval, options.maximum_interval)
    )
    return Function(
        name=metadata.name,
        id=metadata.function_id,
        trigger=trigger,
        retry=RetryPolicy(options.max_retry_count, shortest, longest) if metadata.HasField("retry_options") else None,
        outputs={binding["name"]: binding["queueName"] for binding in bindings if binding["type"] == "queue"},
    )


class WorkerDied(Exception):
    """The worker process ended before it answered."""


def _process(app: Path, env: Mapping[str, str], connection: int, output: int) -> Popen[bytes] | WarmProcess:
    """A worker of the app in this repository, or of one that brings its own router, or none."""
    ends: dict[str, Any] = {"stdin": DEVNULL, "stdout": output, "stderr": output}
    if app.resolve() == _REPOSITORY:
        return started(_WORKER, "{}", env=env, cwd=app, descriptor=connection, **ends)
    command = [sys.executable, "-m", _WORKER, str(connection)]
    return Popen(command, cwd=app, env=env, pass_fds=(connection,), **ends)


class WorkerProcess:
    """One worker process: it is asked, in any number of questions at once, and it may die at any time."""

    def __init__(
        self, process: Popen[bytes] | WarmProcess, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        self._process, self._reader, self._writer = process, reader, writer
        self._asked: dict[str, asyncio.Future[Any]] = {}
        self._listening = asyncio.create_task(self._listen())
        self.pid = process.pid

    @classmethod
    async def started(cls, app: Path, env: Mapping[str, str], log: Path) -> Self:
        """Starts a process with the app, what it brings along, and nothing but `env` around it; a log gets what it prints."""
        ours, theirs = socket.socketpair()
        places = (app, app / DEPENDENCIES, _REPOSITORY)
        around = {**env, "PYTHONPATH": os.pathsep.join(map(str, places)), "PYTHONUNBUFFERED": "1"}
        with theirs, log.open("ab") as output:
            process = await asyncio.to_thread(_process, app, around, theirs.fileno(), output.fileno())
        return cls(process, *await asyncio.open_connection(sock=ours))

    @property
    def is_open(self) -> bool:
        """Whether it can still be asked."""
        return not self._listening.done()

    async def ask(self, **content: Any) -> Any:
        """Sends one request and gives the message that answers it; raises WorkerDied."""
        if not self.is_open:
            raise WorkerDied(f"worker {self.pid}: is gone")
        message = protocol().StreamingMessage(request_id=str(uuid.uuid4()), **content)
        answer = self._asked[message.request_id] = asyncio.get_running_loop().create_future()
        try:
            write_message(self._writer, message)
            await self._writer.drain()
            return await answer
        except ConnectionError as fault:
            raise WorkerDied(f"worker {self.pid}: hung up") from fault
        finally:
            del self._asked[message.request_id]

    async def gone(self) -> int:
        """Waits until the process has ended, and gives its exit status."""
        # Not awaited itself: one that is cancelled while it waits here must not stop the listening for all.
        await asyncio.wait([self._listening])
        await until(lambda: self._process.poll() is not None)
        return self._process.wait()

    async def signal(self, number: signal.Signals) -> None:
        """Sends the process a signal that ends it, and returns when it is gone."""
        self._process.send_signal(number)
        await self.gone()

    async def stop(self) -> None:
        """Hangs up, upon which the process ends by itself; kills it if it does not."""
        self._writer.close()
        try:
            await until(lambda: self._process.poll() is not None, within=_GRACE)
        except TimeoutError:
            await self.signal(signal.SIGKILL)
        await self.gone()

    async def _listen(self) -> None:
        while (message := await find_message(self._reader)) is not None:
            answer = self._asked.get(message.request_id)
            if answer is not None and not answer.done():
                answer.set_result(getattr(message, message.WhichOneof("content")))
        self._writer.close()
        for answer in self._asked.values():
            if not answer.done():
                answer.set_exception(WorkerDied(f"worker {self.pid}: ended before it answered"))


class Workers:
    """The worker processes of one instance."""

    def __init__(self, app: Path, settings: Mapping[str, str], restart_delay: float) -> None:
        self._app, self._settings, self._restart_delay = app, settings, restart_delay
        self._output: Path | None = None
        self._said = ""
        self._worker: WorkerProcess | None = None
        self._fault: Exception | None = None
        self.functions: Mapping[str, Function] = {}

    async def start(self, output: Path) -> None:
        """Starts the first worker, what it prints going to a file, and has it index the app; raises RuntimeError."""
        self._output = output
        self._worker, indexed = await self._started()
        self.functions = {function.name: function for function in map(function_of, indexed)}

    async def keep(self) -> None:
        """Replaces every worker that dies, until it is cancelled; raises RuntimeError."""
        while True:
            assert self._worker is not None
            await self._worker.gone()
            await asyncio.sleep(self._restart_delay)
            try:
                self._worker, _ = await self._started()
            except RuntimeError as fault:
                self._fault = fault
                raise

    async def current(self) -> WorkerProcess:
        """Gives a worker that can be asked, and waits for one while there is none; raises RuntimeError."""
        await until(lambda: self._fault is not None or (self._worker is not None and self._worker.is_open))
        if self._fault is not None:
            raise self._fault
        assert self._worker is not None
        return self._worker

    async def stop(self) -> None:
        """Ends the worker."""
        if self._worker is not None:
            await self._worker.stop()
        self._said, self._output = self.log, None

    @property
    def log(self) -> str:
        """Gives what the workers printed."""
        return self._output.read_text(errors="replace") if self._output is not None else self._said

    @property
    def pid(self) -> int:
        """Gives the process id of the current worker, or of the last one while there is none."""
        assert self._worker is not None, "The host is not running; enter running() first."
        return self._worker.pid

    async def _started(self) -> tuple[WorkerProcess, list[Any]]:
        assert self._output is not None
        worker = await WorkerProcess.started(self._app, self._settings, self._output)
        try:
            async with asyncio.timeout(PATIENCE):
                return worker, await self._indexed(worker)
        except WorkerDied:
            raise RuntimeError(f"{self._app}: the worker ended with {await worker.gone()} while indexing") from None
        except BaseException:
            await worker.stop()
            raise

    async def _indexed(self, worker: WorkerProcess) -> list[Any]:
        where, of = str(self._app), protocol()
        begin = of.WorkerInitRequest(host_version=_HOST_VERSION, function_app_directory=where)
        self._check(await worker.ask(worker_init_request=begin))
        answer = await worker.ask(functions_metadata_request=of.FunctionsMetadataRequest(function_app_directory=where))
        self._check(answer)
        for one in answer.function_metadata_results:
            load = of.FunctionLoadRequest(function_id=one.function_id, metadata=one)
            self._check(await worker.ask(function_load_request=load))
        return list(answer.function_metadata_results)

    def _check(self, answer: Any) -> None:
        if answer.result.status != protocol().StatusResult.Success:
            said = answer.result.exception
            raise RuntimeError(f"{self._app}: {said.message}\n{said.stack_trace}")
