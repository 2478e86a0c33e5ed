"""One worker at a time, for ever: a new one takes the place of one that died."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from tests.stack.functions_host.functions import Function, function_of
from tests.stack.functions_host.process import WorkerDied, WorkerProcess
from tests.stack.functions_worker.protocol import protocol
from tests.waiting import PATIENCE

_HOST_VERSION = "4.1045.0"


class AppRefused(Exception):
    """The worker could not index the app; the message is the worker's own, its stack trace included."""


class Workers:
    """The worker processes of one instance."""

    def __init__(self, app: Path, settings: Mapping[str, str], restart_delay: float) -> None:
        self._app = app
        self._settings = settings
        self._restart_delay = restart_delay
        self._output: Path | None = None
        self._said = ""
        self._worker: WorkerProcess | None = None
        self._fault: Exception | None = None
        self._replaced = asyncio.Event()
        self.functions: Mapping[str, Function] = {}

    async def start(self, output: Path) -> None:
        """Starts the first worker, what it prints going to a file, and has it index the app.

        Raises AppRefused.
        """
        self._output = output
        self._worker, indexed = await self._started()
        functions = map(function_of, indexed)
        self.functions = {function.name: function for function in functions}

    async def keep(self) -> None:
        """Replaces every worker that dies, until it is cancelled; raises AppRefused."""
        while True:
            assert self._worker is not None
            await self._worker.gone()
            await asyncio.sleep(self._restart_delay)
            try:
                self._worker, _ = await self._started()
            except AppRefused as fault:
                self._fault = fault
                raise
            finally:
                self._replaced.set()
                self._replaced = asyncio.Event()

    async def current(self) -> WorkerProcess:
        """Gives a worker that can be asked, and waits for one while there is none; raises AppRefused."""
        while self._worker is None or not self._worker.is_open:
            if self._fault is not None:
                raise self._fault
            await self._replaced.wait()
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
        if self._worker is None:
            raise RuntimeError("The host is not running; enter running() first.")
        return self._worker.pid

    async def _started(self) -> tuple[WorkerProcess, list[Any]]:
        assert self._output is not None
        worker = await WorkerProcess.started(self._app, self._settings, self._output)
        try:
            async with asyncio.timeout(PATIENCE):
                return worker, await self._indexed(worker)
        except TimeoutError:
            await worker.kill()
            raise AppRefused(f"{self._app}: the worker did not index it within {PATIENCE} seconds") from None
        except WorkerDied:
            raise AppRefused(
                f"{self._app}: the worker ended with status {await worker.gone()} while indexing"
            ) from None
        except BaseException:
            await worker.stop()
            raise

    async def _indexed(self, worker: WorkerProcess) -> list[Any]:
        where, of = str(self._app), protocol()
        self._check(
            await worker.ask(
                worker_init_request=of.WorkerInitRequest(host_version=_HOST_VERSION, function_app_directory=where)
            )
        )
        answer = await worker.ask(functions_metadata_request=of.FunctionsMetadataRequest(function_app_directory=where))
        self._check(answer)
        for one in answer.function_metadata_results:
            load = of.FunctionLoadRequest(function_id=one.function_id, metadata=one)
            self._check(await worker.ask(function_load_request=load))
        return list(answer.function_metadata_results)

    def _check(self, answer: Any) -> None:
        if answer.result.status != protocol().StatusResult.Success:
            said = answer.result.exception
            raise AppRefused(f"{self._app}: {said.message}\n{said.stack_trace}")
