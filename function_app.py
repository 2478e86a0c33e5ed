"""The doors in Azure: triggers, and nothing else. docs/operations.md says what each of their settings is for."""

from __future__ import annotations

import json
import logging
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, List  # noqa: UP035  Microsoft's worker refuses list[...] in an annotation.

import azure.functions as func
from azure.functions.decorators.function_app import FunctionBuilder

from router.app.lazy import Lazy
from router.domain.errors import Ending, RouterError
from router.domain.hubs import Event, Partition
from router.domain.readable import one_line
from router.domain.rulebook import Lane
from router.domain.signals import Stream
from router.eventhubs import trace_of

if TYPE_CHECKING:
    from contextlib import AbstractAsyncContextManager

    from router.app.service import Service

app = func.FunctionApp(http_auth_level=func.AuthLevel.FUNCTION)


def open_service() -> AbstractAsyncContextManager[Service]:
    """The service. A worker lists its functions without it: the router is imported by the first call."""
    from router.app.wiring import service_at

    return service_at(Path(__file__).parent / "rules")


service = Lazy(open_service)

_LOG = logging.getLogger(__name__)

WAKE = "deliver"
"""The text of a wake-up. It says nothing: what is due is in the state."""

Batch = List[func.EventHubEvent]  # noqa: UP006
WakeUps = func.Out[List[str]]  # noqa: UP006

type Decorator = Callable[[Callable[..., Any]], FunctionBuilder]


def takes(hub: str) -> Decorator:
    """A trigger for batches of a hub. An invocation fails only when the state does, or its worker ends; it comes again."""

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


def wakes(queue: str, arg_name: str) -> Decorator:
    """An output of wake-ups for a lane."""
    output: Decorator = app.queue_output(arg_name=arg_name, queue_name=queue, connection="AzureWebJobsStorage")
    return output


def delivers(queue: str) -> Decorator:
    """A trigger for the wake-ups of a lane, and an output for the one that goes on where this one ends."""

    def triggered(function: Callable[..., Any]) -> FunctionBuilder:
        on_queue = app.queue_trigger(arg_name="wake", queue_name=queue, connection="AzureWebJobsStorage")
        built: FunctionBuilder = on_queue(wakes(queue, "again")(function))
        return built

    return triggered


@takes("cwpp")
@wakes("cwpp-page", "page")
@wakes("cwpp-ticket", "ticket")
@wakes("cwpp-rows", "rows")
async def take_cwpp(events: Batch, context: func.Context, page: WakeUps, ticket: WakeUps, rows: WakeUps) -> None:
    """Takes runtime alerts in."""
    await take(Stream.CWPP, events, context)
    await wake_lanes(Stream.CWPP, {Lane.PAGE: page, Lane.TICKET: ticket, Lane.ROWS: rows})


@takes("cspm")
@wakes("cspm-ticket", "ticket")
@wakes("cspm-rows", "rows")
async def take_cspm(events: Batch, context: func.Context, ticket: WakeUps, rows: WakeUps) -> None:
    """Takes posture in."""
    await take(Stream.CSPM, events, context)
    await wake_lanes(Stream.CSPM, {Lane.TICKET: ticket, Lane.ROWS: rows})


@delivers("cwpp-page")
async def deliver_cwpp_page(wake: func.QueueMessage, again: WakeUps) -> None:
    """Pages."""
    await deliver(Stream.CWPP, Lane.PAGE, again)


@delivers("cwpp-ticket")
async def deliver_cwpp_ticket(wake: func.QueueMessage, again: WakeUps) -> None:
    """Opens, updates and resolves the SOC's tickets."""
    await deliver(Stream.CWPP, Lane.TICKET, again)


@delivers("cwpp-rows")
async def deliver_cwpp_rows(wake: func.QueueMessage, again: WakeUps) -> None:
    """Writes rows about runtime alerts."""
    await deliver(Stream.CWPP, Lane.ROWS, again)


@delivers("cspm-ticket")
async def deliver_cspm_ticket(wake: func.QueueMessage, again: WakeUps) -> None:
    """Opens, updates and resolves tickets of the backlog."""
    await deliver(Stream.CSPM, Lane.TICKET, again)


@delivers("cspm-rows")
async def deliver_cspm_rows(wake: func.QueueMessage, again: WakeUps) -> None:
    """Writes rows about posture."""
    await deliver(Stream.CSPM, Lane.ROWS, again)


@app.timer_trigger(arg_name="timer", schedule="0 * * * * *", run_on_startup=False)
@wakes("cwpp-page", "cwpp_page")
@wakes("cwpp-ticket", "cwpp_ticket")
@wakes("cwpp-rows", "cwpp_rows")
@wakes("cspm-ticket", "cspm_ticket")
@wakes("cspm-rows", "cspm_rows")
async def sweep(
    timer: func.TimerRequest,
    cwpp_page: WakeUps,
    cwpp_ticket: WakeUps,
    cwpp_rows: WakeUps,
    cspm_ticket: WakeUps,
    cspm_rows: WakeUps,
) -> None:
    """Does every minute what runs on a clock, and wakes what delivers."""
    try:
        opened = await working()
        try:
            await opened.sweep()
        finally:
            await wake_lanes(Stream.CWPP, {Lane.PAGE: cwpp_page, Lane.TICKET: cwpp_ticket, Lane.ROWS: cwpp_rows})
            await wake_lanes(Stream.CSPM, {Lane.TICKET: cspm_ticket, Lane.ROWS: cspm_rows})
    except Ending:
        raise
    except RouterError as fault:  # The wake-ups of a call that fails are not sent.
        _LOG.error("sweep: %s", one_line(str(fault)))


@app.route(route="health", methods=["GET"])
async def health(req: func.HttpRequest) -> func.HttpResponse:
    """What works and what is late: 200 if nothing is wrong, else 503."""
    from router.app.health import Health  # for which no batch waits

    try:
        found = await (await service()).health()
    except RouterError as fault:  # it could not even be opened: rules, a setting, or the state
        found = Health((str(fault),), {})
    status = 503 if found.problems else 200
    return func.HttpResponse(json.dumps(found.document, indent=2), status_code=status, mimetype="application/json")


@app.route(route="console/{*path}", methods=["GET", "HEAD", "POST"], auth_level=func.AuthLevel.ANONYMOUS)
async def console(req: func.HttpRequest, context: func.Context) -> func.HttpResponse:
    """The console, also at /api/console. Who may see it says the platform's sign-in, and not a key in a URL."""
    answer: func.HttpResponse = await console_app().handle_async(req, context)
    return answer


@cache
def console_app() -> func.AsgiMiddleware:
    """The console, as a function calls it."""
    from router.console.azure import azure_console  # for which no batch waits

    return func.AsgiMiddleware(azure_console(service))  # type: ignore[no-untyped-call]  # It has no types.


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


async def wake_lanes(stream: Stream, lanes: Mapping[Lane, WakeUps]) -> None:
    """Wakes a worker for each lane of a stream in which something is due, and more of them where much is."""
    for lane, count in (await (await service()).count_wake_ups(stream)).items():
        lanes[lane].set([WAKE] * count)


async def deliver(stream: Stream, lane: Lane, again: WakeUps) -> None:
    """Delivers in a lane. Where the state fails, the timer wakes another worker: a wake-up is worth no second try."""
    try:
        if await (await working()).deliver(stream, lane):
            again.set([WAKE])
    except Ending:
        raise
    except RouterError as fault:
        _LOG.error("%s %s: %s", stream, lane, one_line(str(fault)))
