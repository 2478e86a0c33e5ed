"""What the router tells of itself, as Prometheus reads it: the same measures under the same names, in its spelling.

https://prometheus.io/docs/practices/naming/
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from itertools import product

from prometheus_client import (
    CONTENT_TYPE_PLAIN_0_0_4,
    CollectorRegistry,
    Counter,
    Gauge,
    Histogram,
    ProcessCollector,
    disable_created_metrics,
    generate_latest,
)
from prometheus_client.metrics_core import GaugeMetricFamily, Metric
from prometheus_client.openmetrics import exposition as openmetrics
from prometheus_client.registry import Collector

from router.domain.decisions import Outcome
from router.domain.deliveries import DeliveryState
from router.domain.rulebook import Lane
from router.domain.severity import Severity
from router.telemetry import metrics as of
from router.telemetry.metrics import Instrument, LatestSweeps, Measure, Swept

_NAMES = {of.SIGNALS.name: "alert_router.decisions"}
"""What is called otherwise here; all else as OpenTelemetry's own exporter would."""

_LABELS = {of.PARTITION: "partition"}
_LEFT_OUT = {of.REASON, of.KIND, of.CHANGE}
"""What is no label. So the values of a counter's labels are known at the start, but for shadow rules, of which there may be a
hundred thousand, and its series begin at 0: what one that began later had by then no rate would ever show."""

_ENDS = (DeliveryState.SENT, DeliveryState.OWED, DeliveryState.DEAD)
"""How an attempt leaves its delivery."""

_OPEN = openmetrics.CONTENT_TYPE_LATEST.partition(";")[0]
_NEVER = {"q=0", "q=0.0", "q=0.00", "q=0.000"}
"""How an Accept header says that it wants none of a type: https://www.rfc-editor.org/rfc/rfc9110#section-12.4.2"""

SAME = 1.0
"""Seconds for which a text is given again: however many ask, the loops lose some milliseconds a second to it at most."""


class Exposition(Collector):
    """The measures of one process, as text.

    `version` is the program's, `rulebooks` gives the hash of each stream's rules, and `lanes` the lane of each destination, by
    stream and name.
    """

    def __init__(
        self,
        version: str,
        rulebooks: Mapping[str, str],
        lanes: Mapping[tuple[str, str], Lane],
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        # Else each counter has a second series, with the time at which it was made.
        disable_created_metrics()  # type: ignore[no-untyped-call]  # the library gives it no types
        self._clock = clock
        self._texts: dict[str, tuple[float, bytes]] = {}
        self._registry = CollectorRegistry()
        self._latest = LatestSweeps(clock)
        self._counters = {one: Counter(*about(one), registry=self._registry) for one in of.COUNTERS}
        self._ages = Histogram(*about(of.AGE), registry=self._registry, buckets=of.AGES)
        self._registry.register(self)
        ProcessCollector(registry=self._registry)
        about_build = "1, with the version and the hash of each stream's rules."
        build = Gauge(
            "alert_router_build_info", about_build, ["version", "stream", "rulebook"], registry=self._registry
        )
        for stream, hash in rulebooks.items():
            build.labels(version, stream, hash).set(1)
            for one in (of.LOST, of.TAKEN, of.RELEASED, of.SWEEPS):
                self._counters[one].labels(stream)
        for words in product(rulebooks, Outcome, [*(one.label for one in Severity), of.UNKNOWN]):
            self._counters[of.SIGNALS].labels(*words)
        for (stream, name), lane in lanes.items():
            self._ages.labels(stream, name, lane)
            for state in _ENDS:
                self._counters[of.DELIVERIES].labels(stream, name, lane, state)

    def count(self, measures: Iterable[Measure]) -> None:
        """Add to counters, and to the histogram of ages."""
        for one in measures:
            if one.instrument is of.AGE:
                self._ages.labels(*_words_of(one)).observe(one.amount)
            else:
                self._counters[one.instrument].labels(*_words_of(one)).inc(one.amount)

    def show(self, swept: Swept) -> None:
        """Have the gauges say what a sweep found, until the next one or until it is stale."""
        self._latest.show(swept)

    def collect(self) -> Iterator[Metric]:
        """Yield the gauges as they stand now."""
        for gauge in of.GAUGES:
            name, description, labels = about(gauge)
            family = GaugeMetricFamily(name, description, labels=labels)
            for one in self._latest.measures_of(gauge):
                family.add_metric(_words_of(one), one.amount)
            yield family

    def text(self, accept: str) -> tuple[bytes, str]:
        """Return all of it and its media type: OpenMetrics where an Accept header asks for it, else the older text.

        The library's own reading of that header fails where it is malformed.
        """
        asked = [one.replace(" ", "").split(";") for one in accept.split(",")]
        is_open = any(name == _OPEN and not _NEVER.intersection(more) for name, *more in asked)
        type = openmetrics.CONTENT_TYPE_LATEST if is_open else CONTENT_TYPE_PLAIN_0_0_4
        at, text = self._texts.get(type, (-math.inf, b""))
        if self._clock() - at >= SAME:
            encode: Callable[[Collector], bytes] = openmetrics.generate_latest if is_open else generate_latest
            at, text = self._texts[type] = self._clock(), encode(self._registry)
        return text, type


def about(instrument: Instrument) -> tuple[str, str, list[str]]:
    """Return the name under which Prometheus reads an instrument, its description, and its labels."""
    name = _NAMES.get(instrument.name, instrument.name).replace(".", "_")
    labels = [_LABELS.get(one, one.rpartition(".")[2]) for one in instrument.attributes if one not in _LEFT_OUT]
    return f"{name}_seconds" if instrument.unit == "s" else name, instrument.description, labels


def _words_of(measure: Measure) -> list[str]:
    """The values of a measure's labels."""
    return [word for name, word in measure.attributes.items() if name not in _LEFT_OUT]
