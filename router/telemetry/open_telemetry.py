"""The spans and the instruments of OpenTelemetry's API. Without its SDK there are none, and nothing is measured.

Taking a batch in is a span of its own, linked to whatever each message came with:
https://opentelemetry.io/docs/specs/semconv/messaging/messaging-spans/#batch-receiving
A delivery goes on where its message came from. Without an SDK what came with a message goes on as it is.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from types import TracebackType
from typing import Self

from opentelemetry import context, trace
from opentelemetry.metrics import CallbackOptions, CallbackT, Meter, Observation
from opentelemetry.trace import Link, Span, SpanContext, SpanKind, StatusCode, TraceFlags, Tracer

from router.domain.conversation import Result
from router.domain.deliveries import Claim
from router.domain.errors import DeliveryError
from router.domain.hubs import find_ids, traceparent_of
from router.telemetry.metrics import (
    AGE,
    AGES,
    CHANGE,
    COUNTERS,
    DELIVERY,
    DESTINATION,
    GAUGES,
    LANE,
    PARTITION,
    STREAM,
    Instrument,
    LatestSweeps,
    Measure,
    Swept,
)

# https://opentelemetry.io/docs/specs/semconv/messaging/azure-messaging/#azure-event-hubs
SYSTEM = "messaging.system"
OPERATION = "messaging.operation.name"
OPERATION_TYPE = "messaging.operation.type"
HUB = "messaging.destination.name"
GROUP = "messaging.consumer.group.name"
BATCH = "messaging.batch.message_count"

# https://opentelemetry.io/docs/specs/semconv/registry/attributes/error/
ERROR = "error.type"

ATTEMPT = "alert_router.delivery.attempt"
COUNT = "alert_router.delivery.count"


class Traced:
    """A span that is the current one inside its `with`; of what goes wrong there it keeps the type and never the text."""

    __slots__ = ("_before", "_span")

    def __init__(self, span: Span) -> None:
        self._span = span

    def __enter__(self) -> Self:
        self._before = context.attach(trace.set_span_in_context(self._span))
        return self

    def __exit__(
        self, kind: type[BaseException] | None, fault: BaseException | None, traceback: TracebackType | None
    ) -> None:
        context.detach(self._before)
        if kind is not None:
            self._fail(kind)
        self._span.end()

    def record_results(self, results: Sequence[Result]) -> None:
        """Says what the send brought; it failed where any of its deliveries did."""
        failed = next((result for result in results if isinstance(result, DeliveryError)), None)
        if failed is not None:
            self._fail(type(failed))

    def _fail(self, kind: type[BaseException]) -> None:
        self._span.set_attribute(ERROR, kind.__name__)
        self._span.set_status(StatusCode.ERROR)


class Spans:
    """The spans of one tracer."""

    def __init__(self, tracer: Tracer) -> None:
        self._tracer = tracer

    def processing(
        self, stream: str, traces: Sequence[str | None], parent: str | None, partition: str | None, group: str | None
    ) -> Traced:
        """The span around the intake of a batch. A hub is called as its stream is."""
        given = {PARTITION: partition, GROUP: group}
        attributes: dict[str, str | int] = {
            STREAM: stream,
            SYSTEM: "eventhubs",
            OPERATION: "process",
            OPERATION_TYPE: "process",
            HUB: stream,
            BATCH: len(traces),
            **{name: value for name, value in given.items() if value is not None},
        }
        under = _context_under(_find_context(parent))
        links = [Link(one) for one in _contexts_in(traces)]
        return Traced(self._tracer.start_span(f"process {stream}", under, SpanKind.CONSUMER, attributes, links))

    def delivering(self, claims: Sequence[Claim]) -> Traced:
        """The span of one send: under what its deliveries came with where that is one and the same, else linked to each."""
        it = claims[0].delivery
        origins = _contexts_in([claim.delivery.trace for claim in claims])
        parent = origins[0] if len(origins) == 1 else None
        attributes: dict[str, str | int] = {
            STREAM: it.stream,
            DESTINATION: it.destination,
            LANE: it.lane.value,
            COUNT: len(claims),
        }
        links = [Link(one) for one in (origins if parent is None else _current())]
        under = _context_under(parent)
        span = self._tracer.start_span(f"deliver {it.destination}", under, SpanKind.CLIENT, attributes, links)
        if len(claims) == 1 and span.is_recording():
            span.set_attributes({CHANGE: it.change.value, DELIVERY: it.id, ATTEMPT: claims[0].number})
        return Traced(span)

    def find_traceparent(self) -> str | None:
        """The traceparent of the current span; None where there is none."""
        return next((traceparent_of(one.trace_id, one.span_id, one.trace_flags) for one in _current()), None)


def _current() -> list[SpanContext]:
    """The context of the current span, if there is one."""
    current = trace.get_current_span().get_span_context()
    return [current] if current.is_valid else []


def _contexts_in(traces: Sequence[str | None]) -> list[SpanContext]:
    """The span contexts that texts hold, each once, in their order; what is no traceparent is left out."""
    return [found for one in dict.fromkeys(traces) if (found := _find_context(one)) is not None]


def _find_context(traceparent: str | None) -> SpanContext | None:
    ids = find_ids(traceparent)
    return SpanContext(ids[0], ids[1], True, TraceFlags(ids[2])) if ids is not None else None


def _context_under(parent: SpanContext | None) -> context.Context | None:
    """The context in which a span has that parent; None, which is the current one, where there is none."""
    return trace.set_span_in_context(trace.NonRecordingSpan(parent)) if parent is not None else None


class Meters:
    """The instruments of one meter. `clock` counts seconds from anywhere and never goes back."""

    def __init__(self, meter: Meter, clock: Callable[[], float]) -> None:
        ages = meter.create_histogram(AGE.name, AGE.unit, AGE.description, explicit_bucket_boundaries_advisory=AGES)
        counters = {one.name: meter.create_counter(one.name, one.unit, one.description).add for one in COUNTERS}
        self._add = {**counters, AGE.name: ages.record}
        self._latest = LatestSweeps(clock)
        for one in GAUGES:
            meter.create_observable_gauge(one.name, [self._observer_of(one)], one.unit, one.description)

    def count(self, measures: Iterable[Measure]) -> None:
        """Adds to counters, and to the histogram of ages."""
        for measure in measures:
            self._add[measure.instrument.name](measure.amount, measure.attributes)

    def show(self, swept: Swept) -> None:
        """Has the gauges say what a sweep found, until the next one or until it is stale."""
        self._latest.show(swept)

    def _observer_of(self, gauge: Instrument) -> CallbackT:
        def observe(_: CallbackOptions) -> list[Observation]:
            return [Observation(one.amount, one.attributes) for one in self._latest.measures_of(gauge)]

        return observe
