"""The host's end of one worker process."""

from __future__ import annotations

import asyncio
import os
import signal
import socket
import sys
import uuid
from asyncio.subprocess import DEVNULL, STDOUT, Process
from collections.abc import Mapping
from functools import partial
from pathlib import Path
from typing import Any, Self

from infra.package import DEPENDENCIES
from tests.stack.functions_worker.protocol import find_message, protocol, write_message
from tests.waiting import until
from tests.warm import WarmProcess, started

_REPOSITORY = Path(__file__).parents[3]
_WORKER = "tests.stack.functions_worker.worker"
_GRACE = 5.0


class WorkerDied(Exception):
    """The worker process ended before it answered."""


class _Warm:
    """A process that has imported the router already, as asyncio has processes."""

    def __init__(self, process: WarmProcess) -> None:
        self._process = process
        self.pid = process.pid

    @property
    def returncode(self) -> int | None:
        """Its exit code, if it has ended."""
        return self._process.poll()

    async def wait(self) -> int:
        """Its exit code, once it has ended."""
        await until(lambda: self._process.poll() is not None)
        return self._process.wait()


async def _warm(app: Path, env: Mapping[str, str], connection: int, output: int) -> _Warm:
    """A worker of the app in this repository."""
    command = partial(started, _WORKER, "{}", env=env, cwd=app, stdin=DEVNULL, stdout=output, stderr=output)
    return _Warm(await asyncio.to_thread(command, descriptor=connection))


async def _cold(app: Path, env: Mapping[str, str], connection: int, output: int) -> Process:
    """A worker of an app that brings its own router, or none."""
    return await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", _WORKER, str(connection)),
        cwd=app,
        env=env,
        pass_fds=(connection,),
        stdin=DEVNULL,
        stdout=output,
        stderr=STDOUT,
    )


class WorkerProcess:
    """One worker process: it is asked, in any number of questions at once, and it may die at any time."""

    def __init__(self, process: Process | _Warm, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._process = process
        self._reader = reader
        self._writer = writer
        self._asked: dict[str, asyncio.Future[Any]] = {}
        self._listening = asyncio.create_task(self._listen())

    @classmethod
    async def started(cls, app: Path, env: Mapping[str, str], log: Path) -> Self:
        """Starts a process with the app, what it brings along, and nothing but `env` around it; a log gets what it prints."""
        ours, theirs = socket.socketpair()
        places = (app, app / DEPENDENCIES, _REPOSITORY)
        around = {**env, "PYTHONPATH": os.pathsep.join(map(str, places)), "PYTHONUNBUFFERED": "1"}
        start = _warm if app.resolve() == _REPOSITORY else _cold
        with theirs, log.open("ab") as output:
            process = await start(app, around, theirs.fileno(), output.fileno())
        return cls(process, *await asyncio.open_connection(sock=ours))

    @property
    def pid(self) -> int:
        """Gives the process's id."""
        return self._process.pid

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
        # Not awaited itself: who is cancelled while waiting here must not stop the listening for everybody.
        await asyncio.wait([self._listening])
        return await self._process.wait()

    async def kill(self) -> None:
        """Kills the process, as the kernel does when memory runs out, and returns when it is gone."""
        if self._process.returncode is None:
            os.kill(self.pid, signal.SIGKILL)
        await self.gone()

    async def terminate(self) -> None:
        """Asks the process to end, as what stops a container does, and returns when it is gone."""
        if self._process.returncode is None:
            os.kill(self.pid, signal.SIGTERM)
        await self.gone()

    async def stop(self) -> None:
        """Hangs up, upon which the process ends by itself; kills it if it does not."""
        self._writer.close()
        try:
            await asyncio.wait_for(self._process.wait(), _GRACE)
        except TimeoutError:
            await self.kill()
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
