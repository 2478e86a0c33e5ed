"""Metrics, traces and log records in one hand."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Iterable, Sequence
from typing import TYPE_CHECKING

from router.domain.deliveries import Claim, Settlement
from router.domain.notices import RecordEntry
from router.telemetry import log_records, metrics
from router.telemetry.metrics import Measure, Swept

if TYPE_CHECKING:
    from opentelemetry.metrics import Meter
    from opentelemetry.trace import Tracer

    from router.telemetry.exposition import Exposition
    from router.telemetry.open_telemetry import Traced

SCOPE = "alert_router"
"""The name under which metrics and spans are told: https://opentelemetry.io/docs/specs/otel/common/instrumentation-scope/"""


class Telemetry:
    """Reports what rooms returned. A process has one, because an instrument is made once.

    Where no meter or tracer is given they are the process's own, also if an SDK is set up later. An `exposition` is told what
    the meter is. Nothing here raises for what values hold.
    """

    def __init__(
        self,
        meter: Meter | None = None,
        tracer: Tracer | None = None,
        log: logging.Logger | None = None,
        clock: Callable[[], float] = time.monotonic,
        exposition: Exposition | None = None,
    ) -> None:
        # Commands that only read rules or files import this module too, and need no OpenTelemetry.
        from opentelemetry import metrics, trace

        from router.telemetry.open_telemetry import Meters, Spans

        meters = Meters(metrics.get_meter(SCOPE) if meter is None else meter, clock)
        self._recorders: Sequence[Meters | Exposition] = (meters,) if exposition is None else (meters, exposition)
        self._spans = Spans(trace.get_tracer(SCOPE) if tracer is None else tracer)
        self._log = logging.getLogger(log_records.LOGGER) if log is None else log

    def record_taken(self, entries: Sequence[RecordEntry], stream: str) -> None:
        """Report what the signals of a batch came to; `stream` is where it came in."""
        self._count(metrics.measures_of_taken(entries, stream))
        log_records.record_taken(self._log, entries, stream)

    def record_delivered(self, settled: Sequence[Settlement]) -> None:
        """Report what became of claims."""
        self._count(metrics.measures_of_delivered(settled))
        log_records.record_delivered(self._log, settled)

    def record_swept(self, swept: Swept) -> None:
        """Report what a sweep found and did."""
        self._count(metrics.measures_of_swept(swept))
        for one in self._recorders:
            one.show(swept)
        log_records.record_swept(self._log, swept)

    def _count(self, measures: Iterable[Measure]) -> None:
        measures = list(measures)
        for one in self._recorders:
            one.count(measures)

    def processing(
        self,
        stream: str,
        traces: Sequence[str | None],
        parent: str | None = None,
        *,
        partition: str | None = None,
        group: str | None = None,
    ) -> Traced:
        """A context for the intake of a batch. `traces` are the traceparents that its messages came with, one for each.

        `parent` is that of the call itself, where the current context does not know it. `partition` is the hub's, `group` the
        consumer group. A text that is no traceparent is none.
        """
        return self._spans.processing(stream, traces, parent, partition, group)

    def delivering(self, claims: Sequence[Claim]) -> Traced:
        """A context in which claims, one or more and all of one destination, are sent in one conversation."""
        return self._spans.delivering(claims)

    def traceparent(self) -> str | None:
        """The traceparent of the current span, to keep with messages that came with none; None where there is no span."""
        return self._spans.find_traceparent()

    def headers(self) -> dict[str, str]:
        """The headers that let a destination go on with the current span; none where there is none.

        https://www.w3.org/TR/trace-context/#traceparent-header
        """
        traceparent = self.traceparent()
        return {"traceparent": traceparent} if traceparent is not None else {}
