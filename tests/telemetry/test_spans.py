"""A trace leads from the hub to the destination."""

from __future__ import annotations

import asyncio

import pytest
from opentelemetry import trace
from opentelemetry.sdk.trace import ReadableSpan
from opentelemetry.semconv._incubating.attributes import messaging_attributes as convention
from opentelemetry.semconv.attributes.error_attributes import ERROR_TYPE
from opentelemetry.trace import SpanKind, StatusCode

from router.domain.deliveries import Receipt
from router.domain.errors import Unauthorized, Unavailable
from router.telemetry import metrics as names
from router.telemetry import open_telemetry as spans
from tests.telemetry.builders import ANOTHER, SPAN, TRACE, TRACEPARENT, a_claim
from tests.telemetry.listening import Listening


def test_taking_a_batch_in_is_a_consumers_span(listening: Listening) -> None:
    """Named and described as the conventions for Azure Event Hubs ask."""
    with listening.telemetry.processing("cwpp", [None, None, None], partition="3", group="take"):
        pass
    span = listening.span()
    assert (span.name, span.kind) == ("process cwpp", SpanKind.CONSUMER)
    assert dict(span.attributes or {}) == {
        names.STREAM: "cwpp",
        convention.MESSAGING_SYSTEM: convention.MessagingSystemValues.EVENTHUBS.value,
        convention.MESSAGING_OPERATION_NAME: "process",
        convention.MESSAGING_OPERATION_TYPE: convention.MessagingOperationTypeValues.PROCESS.value,
        convention.MESSAGING_DESTINATION_NAME: "cwpp",
        convention.MESSAGING_DESTINATION_PARTITION_ID: "3",
        convention.MESSAGING_CONSUMER_GROUP_NAME: "take",
        convention.MESSAGING_BATCH_MESSAGE_COUNT: 3,
    }


def test_a_batch_is_linked_to_what_its_messages_came_with(listening: Listening) -> None:
    """Each trace once, whatever is no traceparent left out."""
    with listening.telemetry.processing("cwpp", [TRACEPARENT, None, ANOTHER, "nonsense", TRACEPARENT]):
        pass
    assert links_of(listening.span()) == [TRACEPARENT, ANOTHER]


def test_a_batch_belongs_to_the_call_that_brought_it(listening: Listening) -> None:
    """Its parent is the traceparent given, and else the current span."""
    with listening.telemetry.processing("cwpp", [], TRACEPARENT):
        pass
    with listening.tracer.start_as_current_span("the call"), listening.telemetry.processing("cwpp", [], "nonsense"):
        pass
    first, second, call = listening.spans()
    assert parent_of(first) == (TRACE, SPAN)
    assert parent_of(second) == ids_of(call)


def test_a_message_that_came_without_a_trace_keeps_the_batchs(listening: Listening) -> None:
    """The traceparent of the current span is what is kept with it; outside of any there is none."""
    assert listening.telemetry.traceparent() is None
    with listening.telemetry.processing("cwpp", [None]):
        kept = listening.telemetry.traceparent()
    assert kept == written(listening.span())
    assert listening.telemetry.traceparent() is None


def test_a_send_goes_on_where_its_message_came_from(listening: Listening) -> None:
    """It is a client's span under the delivery's own trace, linked to the call that delivers."""
    with listening.tracer.start_as_current_span("the call"), listening.telemetry.delivering([a_claim(TRACEPARENT)]):
        pass
    send, call = listening.spans()
    assert (send.name, send.kind) == ("deliver oncall", SpanKind.CLIENT)
    assert parent_of(send) == (TRACE, SPAN)
    assert links_of(send) == [written(call)]


def test_a_send_is_described(listening: Listening) -> None:
    """By where it goes, and by its delivery where it carries one alone."""
    claim = a_claim(number=2)
    with listening.telemetry.delivering([claim]):
        pass
    where = {names.STREAM: "cwpp", names.DESTINATION: "oncall", names.LANE: "page"}
    assert dict(listening.span().attributes or {}) == {
        **where,
        names.CHANGE: "opened",
        names.DELIVERY: claim.delivery.id,
        spans.ATTEMPT: 2,
        spans.COUNT: 1,
    }
    with listening.telemetry.delivering([a_claim(), a_claim(key="other")]):
        pass
    assert dict(listening.spans()[1].attributes or {}) == {**where, spans.COUNT: 2}


def test_a_send_without_a_trace_of_its_own_belongs_to_the_call(listening: Listening) -> None:
    """A hostile text is no trace."""
    with listening.tracer.start_as_current_span("the call"), listening.telemetry.delivering([a_claim("00-zz-zz-01")]):
        pass
    send, call = listening.spans()
    assert (parent_of(send), links_of(send)) == (ids_of(call), [])


def test_a_send_of_many_deliveries_is_linked_to_each_trace(listening: Listening) -> None:
    """It has many origins and so no parent; where all came with one trace, it goes on there."""
    with listening.telemetry.delivering([a_claim(TRACEPARENT), a_claim(ANOTHER), a_claim()]):
        pass
    with listening.telemetry.delivering([a_claim(TRACEPARENT), a_claim(TRACEPARENT)]):
        pass
    mixed, same = listening.spans()
    assert (parent_of(mixed), links_of(mixed)) == (None, [TRACEPARENT, ANOTHER])
    assert (parent_of(same), links_of(same)) == ((TRACE, SPAN), [])


def test_the_destination_is_told_the_span_of_the_send(listening: Listening) -> None:
    """Inside of it, and nothing after."""
    with listening.telemetry.delivering([a_claim(TRACEPARENT)]):
        headers = listening.telemetry.headers()
    assert headers == {"traceparent": written(listening.span())}
    assert listening.telemetry.headers() == {}


def test_a_trace_leads_from_the_hub_to_the_destination(listening: Listening) -> None:
    """Without a trace of its own, a message is followed from its batch on."""
    with listening.telemetry.processing("cwpp", [None], TRACEPARENT):
        kept = listening.telemetry.traceparent()
    with listening.telemetry.delivering([a_claim(kept)]):
        header = listening.telemetry.headers()["traceparent"]
    batch, send = listening.spans()
    assert parent_of(send) == ids_of(batch)
    assert header.split("-")[1] == TRACE


def test_sends_side_by_side_do_not_see_each_others_spans(listening: Listening) -> None:
    """Each tells its destination its own trace."""

    async def send(traceparent: str, there: asyncio.Barrier) -> str:
        with listening.telemetry.delivering([a_claim(traceparent)]):
            await there.wait()
            return listening.telemetry.headers()["traceparent"]

    async def both() -> list[str]:
        there = asyncio.Barrier(2)
        return list(await asyncio.gather(send(TRACEPARENT, there), send(ANOTHER, there)))

    told = asyncio.run(both())
    assert [header.split("-")[1] for header in told] == [TRACE, ANOTHER.split("-")[1]]


def test_a_send_that_failed_says_how_and_nothing_of_what_was_said(listening: Listening) -> None:
    """The type of the first failure among its deliveries."""
    with listening.telemetry.delivering([a_claim(), a_claim()]) as span:
        span.record_results([Receipt(), Unauthorized("answered 401")])
    told = listening.span()
    assert (told.status.status_code, told.status.description) == (StatusCode.ERROR, None)
    assert (told.attributes or {})[ERROR_TYPE] == "Unauthorized"


def test_a_send_that_got_through_has_no_error(listening: Listening) -> None:
    """Its status is left alone, as the conventions ask."""
    with listening.telemetry.delivering([a_claim()]) as span:
        span.record_results([Receipt()])
    told = listening.span()
    assert told.status.status_code is StatusCode.UNSET
    assert ERROR_TYPE not in (told.attributes or {})


def test_what_is_raised_inside_goes_through_and_leaves_its_type(listening: Listening) -> None:
    """Its text may hold anything, so no event holds it; the span ends and is no longer current."""
    with pytest.raises(Unavailable), listening.telemetry.processing("cwpp", []):
        raise Unavailable("no answer from https://example.com/?sig=secret")
    told = listening.span()
    assert (told.status.status_code, told.status.description) == (StatusCode.ERROR, None)
    assert (told.attributes or {})[ERROR_TYPE] == "Unavailable"
    assert not told.events
    assert trace.get_current_span() is trace.INVALID_SPAN


def parent_of(span: ReadableSpan) -> tuple[str, str] | None:
    """The trace id and span id of a span's parent."""
    parent = span.parent
    return (f"{parent.trace_id:032x}", f"{parent.span_id:016x}") if parent is not None else None


def ids_of(span: ReadableSpan) -> tuple[str, str]:
    """The trace id and span id of a span."""
    _, trace_id, span_id, _ = written(span).split("-")
    return trace_id, span_id


def written(span: ReadableSpan) -> str:
    """The traceparent of a span."""
    assert span.context is not None
    return f"00-{span.context.trace_id:032x}-{span.context.span_id:016x}-{span.context.trace_flags:02x}"


def links_of(span: ReadableSpan) -> list[str]:
    """The traceparents that a span is linked to."""
    return [
        f"00-{link.context.trace_id:032x}-{link.context.span_id:016x}-{link.context.trace_flags:02x}"
        for link in span.links
    ]
