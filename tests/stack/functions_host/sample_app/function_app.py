"""A function of each kind. Each writes down what it was called with, and does as the body says."""

from __future__ import annotations

import asyncio
import json
import os
from pathlib import Path
from typing import Any, List  # noqa: UP035, the worker refuses list[...] in annotations

import azure.functions as func

app = func.FunctionApp(http_auth_level=func.AuthLevel.ANONYMOUS)
_SEEN = Path(os.environ["SEEN"])


def _write_down(**seen: Any) -> None:
    with _SEEN.open("a") as file:
        file.write(json.dumps(seen, default=str) + "\n")


async def _obey(order: str) -> None:
    """Does what a body says, such as `fail-once:NAME`; nothing if it says nothing known."""
    word, _, name = order.partition(":")
    mark = _SEEN.with_name(f"{_SEEN.name}-{name}")
    match word:
        case "fail":
            raise ValueError(order)
        case "fail-once" if not mark.exists():
            mark.touch()
            raise ValueError(order)
        case "hang-once" if not mark.exists():
            mark.touch()
            await asyncio.sleep(60)
        case "last":
            await asyncio.sleep(float(name))
        case "touch":
            mark.touch()
        case "wait-for":
            while not mark.exists():
                await asyncio.sleep(0.01)


@app.function_name("take")
@app.event_hub_message_trigger(
    arg_name="events",
    event_hub_name="%HUB%",
    connection="EVENT_HUBS",
    consumer_group="take",
    cardinality=func.Cardinality.MANY,
    data_type=func.DataType.BINARY,
)
@app.retry(
    strategy="exponential_backoff", max_retry_count="3", minimum_interval="00:00:05", maximum_interval="00:00:15"
)
async def take(events: List[func.EventHubEvent], context: func.Context) -> None:  # noqa: UP006
    """Takes a batch."""
    bodies = [event.get_body().decode() for event in events]
    _write_down(
        function="take",
        bodies=bodies,
        sequences=[event.sequence_number for event in events],
        offsets=[event.offset for event in events],
        keys=[event.partition_key for event in events],
        enqueued=[event.enqueued_time for event in events],
        metadata=events[0].metadata,
        retry=[context.retry_context.retry_count, context.retry_context.max_retry_count],
        trace=context.trace_context.trace_parent,
    )
    for body in bodies:
        await _obey(body)


@app.function_name("send")
@app.queue_trigger(arg_name="message", queue_name="outgoing", connection="STORAGE")
@app.queue_output(arg_name="copies", queue_name="%COPIES%", connection="STORAGE")
async def send(message: func.QueueMessage, copies: func.Out[List[str]]) -> None:  # noqa: UP006
    """Takes a message off the queue. `put:A,B` puts two copies, and then does as the last one says."""
    body = message.get_body().decode()
    _write_down(function="send", body=body, dequeued=message.dequeue_count, inserted=message.insertion_time)
    if body.startswith("put:"):
        copies.set(given := body.removeprefix("put:").split(","))
        body = given[-1]
    await _obey(body)


@app.function_name("sweep")
@app.timer_trigger(arg_name="timer", schedule="0 */1 * * * *", run_on_startup=False)
@app.queue_output(arg_name="$return", queue_name="swept", connection="STORAGE")
def sweep(timer: func.TimerRequest) -> str:
    """Notes that it was fired, and returns whether it was late."""
    _write_down(function="sweep", past_due=timer.past_due)
    return f"past due: {timer.past_due}"


@app.function_name("health")
@app.route(route="health/{part?}", methods=["GET", "POST"])
async def health(req: func.HttpRequest) -> func.HttpResponse:
    """Says what it was asked."""
    if req.params.get("order"):
        await _obey(req.params["order"])
    said = {"part": req.route_params.get("part"), "query": dict(req.params), "body": req.get_body().decode()}
    return func.HttpResponse(json.dumps(said), status_code=207, mimetype="application/json", headers={"X-Sample": "1"})
