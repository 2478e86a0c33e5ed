"""The doors in Azure: triggers, and nothing else. docs/operations.md says what each of their settings is for."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from datetime import UTC
from pathlib import Path
from typing import TYPE_CHECKING, Any, List  # noqa: UP035  Microsoft's worker refuses list[...] in a trigger's annotation.

import azure.functions as func
from azure.functions.decorators.function_app import FunctionBuilder

from router.app.health import Health
from router.app.lazy import Lazy
from router.app.wiring import service_at
from router.domain.errors import RouterError
from router.domain.journal import Event, Partition
from router.domain.rulebook import Lane
from router.domain.signals import Stream
from router.eventhubs import trace_of

if TYPE_CHECKING:
    from router.app.service import Service

app = func.FunctionApp(http_auth_level=func.AuthLevel.FUNCTION)
service = Lazy(lambda: service_at(Path(__file__).parent / "rules"))

Batch = List[func.EventHubEvent]  # noqa: UP006


def takes(hub: str) -> Callable[[Callable[..., Any]], FunctionBuilder]:
    """A trigger for batches of a hub. An invocation fails only when storage does, or its worker ends; it comes again."""

    def triggered(function: Callable[..., Any]) -> FunctionBuilder:
        on_hub = app.event_hub_message_trigger(
            arg_name="events",
            event_hub_name=hub,
            connection="EVENT_HUBS",
            consumer_group="take",
            cardinality="many",
            data_type="binary",
        )
        for_ever = app.retry(
            strategy="exponential_backoff",
            max_retry_count="-1",
            minimum_interval="00:00:05",
            maximum_interval="00:05:00",
        )
        built: FunctionBuilder = on_hub(for_ever(function))
        return built

    return triggered


def delivers(queue: str) -> Callable[[Callable[..., Any]], FunctionBuilder]:
    """A trigger for the pointers in a queue."""
    trigger: Callable[[Callable[..., Any]], FunctionBuilder] = app.queue_trigger(
        arg_name="pointer", queue_name=queue, connection="AzureWebJobsStorage"
    )
    return trigger


@takes("cwpp")
async def take_cwpp(events: Batch, context: func.Context) -> None:
    """Takes runtime alerts in."""
    await take(Stream.CWPP, events, context)


@takes("cspm")
async def take_cspm(events: Batch, context: func.Context) -> None:
    """Takes posture in."""
    await take(Stream.CSPM, events, context)


@delivers("cwpp-page")
async def deliver_cwpp_page(pointer: func.QueueMessage) -> None:
    """Pages."""
    await deliver(Stream.CWPP, Lane.PAGE, pointer)


@delivers("cwpp-ticket")
async def deliver_cwpp_ticket(pointer: func.QueueMessage) -> None:
    """Opens, updates and resolves the SOC's tickets."""
    await deliver(Stream.CWPP, Lane.TICKET, pointer)


@delivers("cwpp-rows")
async def deliver_cwpp_rows(pointer: func.QueueMessage) -> None:
    """Writes rows about runtime alerts."""
    await deliver(Stream.CWPP, Lane.ROWS, pointer)


@delivers("cspm-ticket")
async def deliver_cspm_ticket(pointer: func.QueueMessage) -> None:
    """Opens, updates and resolves tickets of the backlog."""
    await deliver(Stream.CSPM, Lane.TICKET, pointer)


@delivers("cspm-rows")
async def deliver_cspm_rows(pointer: func.QueueMessage) -> None:
    """Writes rows about posture."""
    await deliver(Stream.CSPM, Lane.ROWS, pointer)


@app.timer_trigger(arg_name="timer", schedule="0 * * * * *", run_on_startup=False)
async def sweep(timer: func.TimerRequest) -> None:
    """Does every minute what no other trigger would ever do again."""
    await (await working()).sweep()


@app.route(route="health", methods=["GET"])
async def health(req: func.HttpRequest) -> func.HttpResponse:
    """What works and what is late: 200 if nothing is wrong, else 503."""
    try:
        found = await (await service()).health()
    except RouterError as fault:  # it could not even be opened: rules, a setting, or storage
        found = Health((str(fault),), {})
    status = 503 if found.problems else 200
    return func.HttpResponse(json.dumps(found.document, indent=2), status_code=status, mimetype="application/json")


async def working() -> Service:
    """The service, unless this worker is told to end: raises Ending, and the host comes again, to the next one."""
    opened = await service()
    opened.drain.refuse()
    return opened


async def take(stream: Stream, events: Sequence[Any], context: func.Context) -> None:
    """Takes a batch of one partition in."""
    # Every event carries what is known of the whole batch, so it is read once: for each event it costs the batch squared.
    batch = events[0].metadata or {}
    properties = batch.get("PropertiesArray") or [{}] * len(events)
    await (await working()).ingest_events(
        Partition(stream.value, str(batch["PartitionContext"]["PartitionId"])),
        [
            # The library makes a time naive unless it was written with a Z; a hub's time is UTC however it is written.
            Event(event.sequence_number, event.enqueued_time.replace(tzinfo=UTC), event.get_body(), trace_of(own))
            for event, own in zip(events, properties, strict=True)
        ],
        context.trace_context.trace_parent,
    )


async def deliver(stream: Stream, lane: Lane, pointer: func.QueueMessage) -> None:
    """Delivers what a pointer points at."""
    await (await service()).deliver(stream, lane, pointer.get_body().decode("utf-8", "replace"))
