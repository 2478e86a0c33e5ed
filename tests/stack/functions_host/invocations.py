"""Runs of functions: one at a time, or again and again as a retry policy has it; and what triggers hand to them.

The latter is as in the host's sources (`GrpcMessageConversionExtensions.cs`), in the triggers' (`QueueTriggerBinding.cs`,
`EventHubTriggerBindingStrategy.cs`), and in what a real app logged. Times of events carry no zone there.
"""

from __future__ import annotations

import asyncio
import json
import secrets
import uuid
from collections import Counter
from collections.abc import Callable, Coroutine, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from enum import Enum, StrEnum, auto
from typing import Any
from urllib.parse import parse_qsl, urlsplit

from tests.stack.event_hubs import Published
from tests.stack.functions_host.workers import Function, WorkerDied, Workers
from tests.stack.functions_worker.protocol import protocol


class Death(Enum):
    """What becomes of a batch of events whose worker process died."""

    CHECKPOINTED = auto()
    """It counts as done: a failed execution is followed by a checkpoint, and no retry policy stands in between."""

    RETRIED = auto()
    """It is a failure like any other, so that a retry policy covers it, as in the sources of the WebJobs SDK."""


@dataclass(frozen=True, slots=True)
class Conditions:
    """What the platform, and not the app, decides; times in seconds.

    Attributes:
        speed: by how much the waits of retry policies and between looks at an empty queue are shortened.
        death: what becomes of a batch whose worker died.
        restart_delay: how long the app has no worker after one died.
        grace: how long calls under way may take when the host stops; with 0 it goes as an instance that is lost.
        timers: how often timers fire by themselves; None for never.
    """

    speed: float = 1.0
    death: Death = Death.CHECKPOINTED
    restart_delay: float = 0.2
    grace: float = 5.0
    timers: float | None = None


class Outcome(StrEnum):
    """How a run of a function ended."""

    OK = "ok"
    FAILED = "failed"
    DIED = "died"


@dataclass(frozen=True, slots=True)
class Invocation:
    """A run of a function that has ended, and how much it was called with."""

    function: str
    events: int
    outcome: Outcome
    error: str = ""
    answer: Any = field(default=None, repr=False)


class Invoker:
    """Runs functions in whichever worker is current, and remembers how that went; `put` takes what they give to queues."""

    def __init__(self, workers: Workers, conditions: Conditions, put: Callable[[str, str], None]) -> None:
        self._workers = workers
        self._conditions = conditions
        self._put = put
        self.stopping = asyncio.Event()
        self.finished: list[Invocation] = []
        self.work: set[asyncio.Task[Any]] = set()
        self.calls: Counter[str] = Counter()

    def begin[T](self, work: Coroutine[Any, Any, T]) -> asyncio.Task[T]:
        """Does some work, which counts as under way until it is done."""
        task = asyncio.create_task(work)
        self.work.add(task)
        task.add_done_callback(self.work.discard)
        return task

    async def invoke(self, function: Function, call: Call, retry: int = 0) -> Invocation:
        """Runs a function once, as soon as there is a worker, and puts out what it gives; failures are the outcome."""
        worker = await self._workers.current()
        self.calls[function.name] += 1
        try:
            answer = await worker.ask(invocation_request=_request(function, call, retry))
        except WorkerDied as death:
            outcome, error, answer = Outcome.DIED, str(death), None
        else:
            ok = answer.result.status == protocol().StatusResult.Success
            outcome, error = Outcome.OK if ok else Outcome.FAILED, answer.result.exception.message
            for queue, content in messages_in(answer, function.outputs) if ok else ():
                self._put(queue, content)
        finally:
            self.calls[function.name] -= 1
        self.finished.append(Invocation(function.name, call.events, outcome, error, answer))
        return self.finished[-1]

    async def persist(self, function: Function, call: Call) -> Invocation:
        """Runs a function as often as its retry policy has it, until the host stops; gives the last run."""
        retry = 0
        while True:
            ended = await self.invoke(function, call, retry)
            retry += 1
            if ended.outcome is Outcome.OK or function.retry is None or not function.retry.is_allowed(retry):
                return ended
            if ended.outcome is Outcome.DIED and self._conditions.death is Death.CHECKPOINTED:
                return ended
            with suppress(TimeoutError):
                pause = function.retry.delay_before(retry) / self._conditions.speed
                await asyncio.wait_for(self.stopping.wait(), pause)
                return ended


@dataclass(frozen=True, slots=True)
class Call:
    """What a function is called with; `events` says how much it is."""

    data: Any
    metadata: Mapping[str, Any] = field(default_factory=dict)
    events: int = 1


@dataclass(frozen=True, slots=True)
class Response:
    """What a request is answered with."""

    status: int
    body: bytes = b""
    headers: Mapping[str, str] = field(default_factory=dict)

    @property
    def text(self) -> str:
        """The body as text."""
        return self.body.decode()


def events_call(hub: str, partition: str, events: Sequence[Published]) -> Call:
    """A batch of one partition, for a function that takes many events as bytes."""
    of = protocol()
    metadata = {
        "PartitionContext": _json({"EventHubName": hub, "ConsumerGroup": "take", "PartitionId": partition}),
        "PropertiesArray": _json([event.properties for event in events]),
        "SystemPropertiesArray": _json([_system_properties(event) for event in events]),
    }
    bodies = of.TypedData(collection_bytes=of.CollectionBytes(bytes=[event.body for event in events]))
    return Call(bodies, metadata, len(events))


def message_call(content: str, dequeued: int) -> Call:
    """One message of a queue."""
    text = protocol().TypedData(string=content)
    return Call(text, {"QueueTrigger": text, "DequeueCount": _json(dequeued)})


def timer_call() -> Call:
    """A timer that fires on time."""
    now = datetime.now(UTC)
    status = {"Last": now - timedelta(minutes=1), "LastUpdated": now - timedelta(minutes=1), "Next": now}
    shown = {key: f"{_without_zone(value)}+00:00" for key, value in status.items()}
    return Call(_json({"Schedule": {"AdjustForDST": True}, "ScheduleStatus": shown, "IsPastDue": False}))


def request_call(method: str, path: str, headers: Mapping[str, str], body: bytes) -> Call:
    """An HTTP request; the host hands the names of headers on in lower case, and a form as it came."""
    of, named = protocol(), {name.lower(): value for name, value in headers.items()}
    url = f"http://{named.get('host', '127.0.0.1')}{path}"
    query = dict(parse_qsl(urlsplit(path).query))
    content = of.TypedData(bytes=body) if body else None
    return Call(of.TypedData(http=of.RpcHttp(method=method, url=url, headers=named, query=query, body=content)))


def response_in(answer: Any) -> Response:
    """The response that an HTTP function gave."""
    http = answer.return_value.http
    return Response(int(http.status_code), http.body.bytes, dict(http.headers))


def messages_in(answer: Any, outputs: Mapping[str, str]) -> Iterator[tuple[str, str]]:
    """Each queue, and each message for it, that a call gave: a JSON array is a message for each of its elements."""
    for output in answer.output_data:
        for content in json.loads(output.data.json):
            yield outputs[output.name], content


def _system_properties(event: Published) -> dict[str, Any]:
    enqueued = _without_zone(event.enqueued)
    return {
        "x-opt-sequence-number": event.sequence,
        "x-opt-enqueued-time": f"{enqueued}+00:00",
        "SequenceNumber": event.sequence,
        "PartitionKey": None,
        "EnqueuedTimeUtc": enqueued,
    }


def _without_zone(moment: datetime) -> str:
    """A DateTime of unspecified kind, as Newtonsoft writes it: no zone, no zeros at the end."""
    fraction = f".{moment.microsecond:06}".rstrip("0").rstrip(".")
    return f"{moment:%Y-%m-%dT%H:%M:%S}{fraction}"


def _json(value: object) -> Any:
    return protocol().TypedData(json=json.dumps(value))


def _request(function: Function, call: Call, retry: int) -> Any:
    of, policy = protocol(), function.retry
    return of.InvocationRequest(
        invocation_id=str(uuid.uuid4()),
        function_id=function.id,
        input_data=[of.ParameterBinding(name=function.trigger["name"], data=call.data)],
        trigger_metadata=call.metadata,
        trace_context=of.RpcTraceContext(trace_parent=f"00-{secrets.token_hex(16)}-{secrets.token_hex(8)}-01"),
        retry_context=of.RetryContext(retry_count=retry, max_retry_count=policy.limit) if policy is not None else None,
    )
