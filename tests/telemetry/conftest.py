"""A telemetry that is listened to: OpenTelemetry's own SDK behind it, in memory, and nothing global."""

import logging
from collections.abc import Mapping, Sequence

import pytest
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import InMemoryMetricReader, Metric
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from opentelemetry.sdk.trace.sampling import ALWAYS_ON
from prometheus_client import Metric as PrometheusMetric
from prometheus_client.openmetrics.parser import text_string_to_metric_families as text_in_openmetrics
from prometheus_client.parser import text_string_to_metric_families as text_in_older_form

from router.domain.rulebook import Lane
from router.domain.signals import Stream
from router.telemetry import Telemetry
from router.telemetry.exposition import SAME, Exposition
from router.telemetry.metrics import Instrument

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
        streams, clock = {stream.value: f"hash of {stream}" for stream in Stream}, lambda: self.seconds
        self.exposition = Exposition("1.2.3", streams, {("cwpp", "oncall"): Lane.PAGE}, clock)
        self.telemetry = Telemetry(self._meters.get_meter("test"), self.tracer, log, clock, self.exposition)

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

    def scraped(self, form: str = "application/openmetrics-text") -> dict[str, PrometheusMetric]:
        """What Prometheus reads now, by name."""
        self.seconds += SAME
        text = self.exposition.text(form)[0].decode()
        families = text_in_openmetrics if form else text_in_older_form
        return {family.name: family for family in families(text)}

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


@pytest.fixture
def listening() -> Listening:
    """Listens to a telemetry of its own."""
    return Listening()
