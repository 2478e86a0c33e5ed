"""A trace leads from the hub to the destination, also where nobody collects anything."""

import asyncio
import subprocess
import sys
from pathlib import Path

import pytest
from opentelemetry import trace
from opentelemetry.sdk.trace import ReadableSpan
from opentelemetry.semconv._incubating.attributes import messaging_attributes as convention
from opentelemetry.semconv.attributes.error_attributes import ERROR_TYPE
from opentelemetry.trace import Link, SpanKind, StatusCode

from router.domain.deliveries import Backlog, Receipt
from router.domain.errors import Unauthorized, Unavailable
from router.domain.rulebook import Lane
from router.telemetry import Telemetry
from router.telemetry import metrics as names
from router.telemetry import open_telemetry as spans
from tests.builders import NOW
from tests.telemetry.builders import (
    ANOTHER,
    SPAN,
    TRACE,
    TRACEPARENT,
    a_claim,
    a_loss,
    a_pause,
    an_entry,
    settled,
    swept,
)
from tests.telemetry.conftest import Listening
from tests.waiting import PATIENCE


def test_taking_a_batch_in_is_a_consumers_span(listening: Listening) -> None:
    """Named and described as the conventions for Azure Event Hubs ask, and linked to what its messages came with: each trace
    once, whatever is no traceparent left out."""
    came = [TRACEPARENT, None, ANOTHER, "nonsense", TRACEPARENT]
    with listening.telemetry.processing("cwpp", came, partition="3", group="take"):
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
        convention.MESSAGING_BATCH_MESSAGE_COUNT: 5,
    }
    assert links_of(span) == [TRACEPARENT, ANOTHER]


def test_a_batch_belongs_to_the_call_that_brought_it(listening: Listening) -> None:
    """Its parent is the traceparent given, and else the current span."""
    with listening.telemetry.processing("cwpp", [], TRACEPARENT):
        pass
    with listening.tracer.start_as_current_span("the call"), listening.telemetry.processing("cwpp", [], "nonsense"):
        pass
    first, second, call = listening.spans()
    assert parent_of(first) == (TRACE, SPAN)
    assert parent_of(second) == ids_of(call)


def test_a_send_goes_on_where_its_message_came_from(listening: Listening) -> None:
    """It is a client's span under the delivery's own trace, linked to the call that delivers; one without a trace of its own
    belongs to the call: a hostile text is no trace."""
    with listening.tracer.start_as_current_span("the call"):
        for trace_of_it in (TRACEPARENT, "00-zz-zz-01"):
            with listening.telemetry.delivering([a_claim(trace_of_it)]):
                pass
    send, traceless, call = listening.spans()
    assert (send.name, send.kind) == ("deliver oncall", SpanKind.CLIENT)
    assert (parent_of(send), links_of(send)) == ((TRACE, SPAN), [written(call)])
    assert (parent_of(traceless), links_of(traceless)) == (ids_of(call), [])


def test_a_send_is_described(listening: Listening) -> None:
    """By where it goes, and by its delivery where it carries one alone."""
    claim = a_claim(number=2)
    for claims in ([claim], [a_claim(), a_claim(key="other")]):
        with listening.telemetry.delivering(claims):
            pass
    where = {names.STREAM: "cwpp", names.DESTINATION: "oncall", names.LANE: "page"}
    one = {names.CHANGE: "opened", names.DELIVERY: claim.delivery.id, spans.ATTEMPT: 2, spans.COUNT: 1}
    assert [dict(span.attributes or {}) for span in listening.spans()] == [{**where, **one}, {**where, spans.COUNT: 2}]


def test_a_send_of_many_deliveries_is_linked_to_each_trace(listening: Listening) -> None:
    """It has many origins and so no parent; where all came with one trace, it goes on there."""
    with listening.telemetry.delivering([a_claim(TRACEPARENT), a_claim(ANOTHER), a_claim()]):
        pass
    with listening.telemetry.delivering([a_claim(TRACEPARENT), a_claim(TRACEPARENT)]):
        pass
    mixed, same = listening.spans()
    assert (parent_of(mixed), links_of(mixed)) == (None, [TRACEPARENT, ANOTHER])
    assert (parent_of(same), links_of(same)) == ((TRACE, SPAN), [])


def test_a_trace_leads_from_the_hub_to_the_destination(listening: Listening) -> None:
    """One without a trace keeps its batch's; the destination is told the span of the send. Outside of any there is none."""
    assert listening.telemetry.traceparent() is None
    with listening.telemetry.processing("cwpp", [None], TRACEPARENT):
        kept = listening.telemetry.traceparent()
    assert listening.telemetry.traceparent() is None
    with listening.telemetry.delivering([a_claim(kept)]):
        header = listening.telemetry.headers()["traceparent"]
    assert listening.telemetry.headers() == {}
    batch, send = listening.spans()
    assert (kept, header) == (written(batch), written(send))
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


def test_a_span_says_how_it_failed_and_nothing_of_what_was_said(listening: Listening) -> None:
    """The type of the first failure among deliveries, or of what is raised inside, which goes through: its text may hold
    anything, so no event holds it. A send that got through has no error, as the conventions ask, and no span stays current."""
    with listening.telemetry.delivering([a_claim(), a_claim()]) as span:
        span.record_results([Receipt(), Unauthorized("answered 401")])
    with pytest.raises(Unavailable), listening.telemetry.processing("cwpp", []):
        raise Unavailable("no answer from https://example.com/?sig=secret")
    with listening.telemetry.delivering([a_claim()]) as span:
        span.record_results([Receipt()])
    *failed, sent = listening.spans()
    for told, error in zip(failed, ("Unauthorized", "Unavailable"), strict=True):
        assert (told.status.status_code, told.status.description) == (StatusCode.ERROR, None)
        assert (told.attributes or {})[ERROR_TYPE] == error
        assert not told.events
    assert sent.status.status_code is StatusCode.UNSET
    assert ERROR_TYPE not in (sent.attributes or {})
    assert trace.get_current_span() is trace.INVALID_SPAN


def parent_of(span: ReadableSpan) -> tuple[str, str] | None:
    """The trace id and span id of a span's parent."""
    parent = span.parent
    return (f"{parent.trace_id:032x}", f"{parent.span_id:016x}") if parent is not None else None


def ids_of(span: ReadableSpan) -> tuple[str, str]:
    """The trace id and span id of a span."""
    _, trace_id, span_id, _ = written(span).split("-")
    return trace_id, span_id


def written(span: ReadableSpan | Link) -> str:
    """The traceparent of a span, or of what one is linked to."""
    assert span.context is not None
    return f"00-{span.context.trace_id:032x}-{span.context.span_id:016x}-{span.context.trace_flags:02x}"


def links_of(span: ReadableSpan) -> list[str]:
    """The traceparents that a span is linked to."""
    return list(map(written, span.links))


ROOT = Path(__file__).parents[2]


TELEMETRY = Telemetry()
"""The process's own, of which no SDK was set up."""


def test_a_stored_trace_reaches_the_destination_unchanged(subtests: pytest.Subtests) -> None:
    """Whoever collects before and after us can still put both ends together; where there is no trace none is made up."""
    for traceparent in (TRACEPARENT, f"00-{TRACE}-{SPAN}-00", f"00-{TRACE}-{SPAN}-fe"):
        with subtests.test(traceparent):
            with TELEMETRY.delivering([a_claim(traceparent)]) as span:
                assert TELEMETRY.headers() == {"traceparent": traceparent}
                span.record_results([Unavailable("no answer")])
            assert TELEMETRY.headers() == {}
    for hostile in (None, "", "00-hostile", TRACEPARENT + "\r\nX-Injected: 1"):
        with subtests.test(hostile), TELEMETRY.delivering([a_claim(hostile)]):
            assert TELEMETRY.headers() == {}


def test_a_message_without_a_trace_keeps_that_of_the_call() -> None:
    """The call's own traceparent goes on as it is; a hostile one does not."""
    with TELEMETRY.processing("cwpp", [None, ANOTHER], TRACEPARENT):
        assert TELEMETRY.traceparent() == TRACEPARENT
    with TELEMETRY.processing("cwpp", [None], "00-hostile"):
        assert TELEMETRY.traceparent() is None


def test_everything_can_be_told_to_nobody() -> None:
    """No SDK is no error."""
    TELEMETRY.record_taken([an_entry()], "cwpp")
    TELEMETRY.record_delivered([settled(a_claim())])
    backlog = {"oncall": Backlog(Lane.PAGE, NOW, 1)}
    TELEMETRY.record_swept(swept(backlog=backlog, lag={"0": 1}, lost=[a_loss(1, 2)], paused={"oncall": a_pause()}))


LATE = f"""
import sys
import router.telemetry
assert not [name for name in sys.modules if name.startswith("opentelemetry")], "imported with the module"
telemetry = router.telemetry.Telemetry()
assert not [name for name in sys.modules if name.startswith("opentelemetry.sdk")], "needs the SDK"

from opentelemetry import metrics, trace
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import InMemoryMetricReader
from opentelemetry.sdk.trace import TracerProvider
from tests.builders import NOW
from router.telemetry.metrics import Swept
reader = InMemoryMetricReader()
metrics.set_meter_provider(MeterProvider([reader]))
trace.set_tracer_provider(TracerProvider())
telemetry.record_swept(Swept(stream="cwpp", at=NOW, lag={{"0": 1}}))
(told,) = reader.get_metrics_data().resource_metrics[0].scope_metrics
assert told.scope.name == "alert_router"
print(sorted(metric.name for metric in told.metrics))
with telemetry.processing("cwpp", [], {TRACEPARENT!r}):
    print(telemetry.traceparent())
"""


def test_opentelemetry_is_imported_when_it_is_needed_and_its_sdk_may_come_later() -> None:
    """Who only reads rules does not pay for it, and a worker that sets its SDK up after us collects all the same."""
    done = subprocess.run(
        [sys.executable, "-c", LATE], cwd=ROOT, capture_output=True, text=True, timeout=PATIENCE, check=False
    )
    assert done.returncode == 0, done.stderr
    names, traceparent = done.stdout.splitlines()
    assert "alert_router.hub.lag" in names
    assert "alert_router.sweep.taken" in names
    assert traceparent.startswith(f"00-{TRACE}-")
    assert SPAN not in traceparent
