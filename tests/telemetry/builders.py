"""Values that rooms return, where a test names only what it is about, and a telemetry that is listened to."""

import logging
from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import InMemoryMetricReader, Metric
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from opentelemetry.sdk.trace.sampling import ALWAYS_ON

from router.domain.decisions import Change
from router.domain.deliveries import Claim, Delivery, DeliveryState, Pause, Receipt, Settlement
from router.domain.destination_holds import DestinationHold
from router.domain.hubs import HubEpoch, Loss, Partition, Span
from router.domain.notices import RecordEntry
from router.domain.rulebook import Lane
from router.telemetry import Telemetry
from router.telemetry.metrics import Instrument, Swept
from tests.builders import NOW
from tests.destinations.builders import an_entry as an_entry_on_record

TRACE = "0af7651916cd43dd8448eb211c80319c"
SPAN = "b7ad6b7169203331"
TRACEPARENT = f"00-{TRACE}-{SPAN}-01"
ANOTHER = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"


def an_entry(outcome: str = "routed", reason: str = "routes: tickets", **changes: object) -> RecordEntry:
    """What is on record of one high alert."""
    return an_entry_on_record(**{"outcome": outcome, "reason": reason, "source": "cwpp/0:7", **changes})


def an_unread_entry(reason: str = "not_json", source: str = "cwpp/0:7") -> RecordEntry:
    """What is on record of a message that was not understood."""
    nothing = dict.fromkeys(("id", "stream", "type", "title", "severity"))
    return an_entry("quarantined", reason, source=source, kind="unknown", **nothing)


def a_claim(
    trace: str | None = None, *, destination: str = "oncall", lane: Lane = Lane.PAGE, number: int = 1, key: str = "k"
) -> Claim:
    """A claim on a page that was owed at NOW."""
    said: dict[str, Any] = {"key": key, "turn": 1, "change": Change.OPENED, "opened": 1, "trace": trace}
    delivery = Delivery(stream="cwpp", destination=destination, lane=lane, content=an_entry(), **said)
    return Claim(delivery=delivery, id="claim", number=number, born=NOW)


def settled(
    claim: Claim,
    state: DeliveryState = DeliveryState.SENT,
    after: timedelta = timedelta(seconds=3),
    **more: Any,
) -> Settlement:
    """A claim, and what became of it a while after it was owed."""
    receipt = Receipt() if state is DeliveryState.SENT else None
    settlement = Settlement(claim=claim, state=state, at=NOW + after, receipt=receipt)
    return replace(settlement, **more)


def swept(stream: str = "cwpp", at: datetime = NOW, **found: Any) -> Swept:
    """A sweep that found nothing but what is said."""
    return replace(Swept(stream=stream, at=at), **found)


def a_loss(first: int, last: int, why: str = "the hub no longer has it") -> Loss:
    """Numbers of partition 3 that are lost."""
    return Loss(HubEpoch(Partition("cwpp", "3"), 2), Span(first, last), NOW, why)


def a_hold(destination: str = "oncall") -> DestinationHold:
    """A destination that a person holds."""
    return DestinationHold(
        stream="cwpp",
        destination=destination,
        lane=Lane.PAGE,
        author="ana",
        reason="the pager is moved",
        since=NOW,
        until=NOW + timedelta(hours=2),
    )


def a_pause(destination: str = "oncall", error: str = "pagerduty: answered 401") -> Pause:
    """A destination that refuses our credentials."""
    return Pause(stream="cwpp", destination=destination, since=NOW, probe=NOW + timedelta(minutes=5), error=error)


type Point = tuple[tuple[str, ...], float]
"""The values of an instrument's attributes, in their order, and the number."""

_STANDARD = frozenset(vars(logging.makeLogRecord({}))) | {"message", "asctime"}


class Listening:
    """Everything that a telemetry tells. `seconds` is its clock, which stands still until it is moved."""

    def __init__(self, level: int = logging.INFO) -> None:
        self.seconds = 1000.0
        self._reader = InMemoryMetricReader()
        self._meters = MeterProvider([self._reader], Resource.get_empty(), shutdown_on_exit=False)
        self._spans = InMemorySpanExporter()
        self._tracers = TracerProvider(
            ALWAYS_ON, Resource.get_empty(), shutdown_on_exit=False, meter_provider=self._meters
        )
        self._tracers.add_span_processor(SimpleSpanProcessor(self._spans))
        self.tracer = self._tracers.get_tracer("test")
        log, self._records = logging.Logger("test", level), _Recorder()
        log.addHandler(self._records)
        self.telemetry = Telemetry(self._meters.get_meter("test"), self.tracer, log, lambda: self.seconds)

    def metrics(self) -> dict[str, Metric]:
        """What a reader collects now, by name."""
        data = self._reader.get_metrics_data()
        scopes = [scope for resource in data.resource_metrics for scope in resource.scope_metrics] if data else []
        return {metric.name: metric for scope in scopes if scope.scope.name == "test" for metric in scope.metrics}

    def points(self, instrument: Instrument) -> list[Point]:
        """What an instrument says now, sorted; a histogram says its sum."""
        metric = self.metrics().get(instrument.name)
        if metric is None:
            return []
        return sorted(
            (
                tuple(str((point.attributes or {})[name]) for name in instrument.attributes),
                point.value if hasattr(point, "value") else point.sum,
            )
            for point in metric.data.data_points
        )

    def spans(self) -> Sequence[ReadableSpan]:
        """The spans that have ended, in that order."""
        return self._spans.get_finished_spans()

    def span(self) -> ReadableSpan:
        """The only span that has ended."""
        (span,) = self.spans()
        return span

    @property
    def records(self) -> Sequence[logging.LogRecord]:
        """The log records, in their order."""
        return self._records.received

    def attributes(self, level: int) -> list[Mapping[str, object]]:
        """The attributes of the log records of a level, in their order."""
        return [attributes_of(record) for record in self.records if record.levelno == level]


class _Recorder(logging.Handler):
    def __init__(self) -> None:
        super().__init__()
        self.received: list[logging.LogRecord] = []

    def emit(self, record: logging.LogRecord) -> None:
        self.received.append(record)


def attributes_of(record: logging.LogRecord) -> dict[str, object]:
    """What a log record says beside its text."""
    return {name: value for name, value in vars(record).items() if name not in _STANDARD}
