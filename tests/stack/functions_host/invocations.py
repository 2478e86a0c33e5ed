"""Runs of functions: one at a time, or again and again as a retry policy has it."""

from __future__ import annotations

import asyncio
import secrets
import uuid
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

from tests.stack.azurite import StorageError
from tests.stack.functions_host.calls import Call
from tests.stack.functions_host.conditions import Conditions, Death
from tests.stack.functions_host.functions import Function
from tests.stack.functions_host.outputs import QueueOutputs
from tests.stack.functions_host.process import WorkerDied
from tests.stack.functions_host.workers import Workers
from tests.stack.functions_worker.protocol import protocol


class Outcome(StrEnum):
    """How a run of a function ended."""

    OK = "ok"
    FAILED = "failed"
    DIED = "died"


@dataclass(frozen=True, slots=True)
class Invocation:
    """A run of a function that has ended.

    `source` is hub/partition, the queue, `timer`, or method and path; `retry` is 0 for the first run of a call.
    """

    function: str
    source: str
    events: int
    retry: int
    outcome: Outcome
    error: str = ""
    answer: Any = field(default=None, repr=False)
    id: str = field(default="", repr=False)


class Invoker:
    """Runs functions in whichever worker is current, and remembers how that went."""

    def __init__(self, workers: Workers, conditions: Conditions, outputs: QueueOutputs) -> None:
        self._workers = workers
        self._outputs = outputs
        self._conditions = conditions
        self.finished: list[Invocation] = []
        self.under_way = 0
        self.begun = 0
        self.calls: Counter[str] = Counter()

    @contextmanager
    def busy(self) -> Iterator[None]:
        """Counts what is done inside as under way."""
        self.begun += 1
        self.under_way += 1
        try:
            yield
        finally:
            self.under_way -= 1

    async def invoke(self, function: Function, call: Call, retry: int = 0) -> Invocation:
        """Runs a function once, as soon as there is a worker, and puts out what it gives; failures are the outcome."""
        worker = await self._workers.current()
        id = str(uuid.uuid4())
        self.calls[function.name] += 1
        try:
            answer = await worker.ask(invocation_request=_request(id, function, call, retry))
        except WorkerDied as death:
            outcome, error, answer = Outcome.DIED, str(death), None
        else:
            ok = answer.result.status == protocol().StatusResult.Success
            outcome, error = Outcome.OK if ok else Outcome.FAILED, answer.result.exception.message
            if ok:
                try:
                    await self._outputs.put(function, answer)
                except StorageError as fault:
                    outcome, error = Outcome.FAILED, f"output: {fault}"
        finally:
            self.calls[function.name] -= 1
        ended = Invocation(function.name, call.source, call.events, retry, outcome, error, answer, id)
        self.finished.append(ended)
        return ended

    async def persist(self, function: Function, call: Call, given_up: asyncio.Event) -> Invocation:
        """Runs a function as often as its retry policy has it, until it is `given_up`; gives the last run."""
        retry = 0
        while True:
            ended = await self.invoke(function, call, retry)
            retry += 1
            if ended.outcome is Outcome.OK or function.retry is None or not function.retry.is_allowed(retry):
                return ended
            if ended.outcome is Outcome.DIED and self._conditions.death is Death.CHECKPOINTED:
                return ended
            if await _is_set_within(given_up, function.retry.delay_before(retry) / self._conditions.speed):
                return ended


async def _is_set_within(event: asyncio.Event, seconds: float) -> bool:
    try:
        await asyncio.wait_for(event.wait(), seconds)
    except TimeoutError:
        return False
    return True


def _request(id: str, function: Function, call: Call, retry: int) -> Any:
    of = protocol()
    limit = function.retry.limit if function.retry is not None else 0
    return of.InvocationRequest(
        invocation_id=id,
        function_id=function.id,
        input_data=[of.ParameterBinding(name=function.parameter, data=call.data)],
        trigger_metadata=call.metadata,
        trace_context=of.RpcTraceContext(trace_parent=f"00-{secrets.token_hex(16)}-{secrets.token_hex(8)}-01"),
        retry_context=of.RetryContext(retry_count=retry, max_retry_count=limit) if function.retry is not None else None,
    )
