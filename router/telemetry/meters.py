"""Measures to a meter. Without an SDK the meter measures nothing."""

from __future__ import annotations

from collections.abc import Callable, Iterable

from opentelemetry.metrics import CallbackOptions, CallbackT, Meter, Observation

from router.telemetry.instruments import AGE, AGES, COUNTERS, GAUGES, Instrument
from router.telemetry.measures import Measure, gauges_of_swept
from router.telemetry.sweeps import Swept

FRESH = 180.0
"""Seconds for which what a sweep found is reported as how things stand; sweeps come every minute.

A worker that no longer sweeps goes quiet, and does not tell for ever what it saw last while another's sweeps know better.
"""


class Meters:
    """The instruments of one meter. `clock` counts seconds from anywhere and never goes back."""

    def __init__(self, meter: Meter, clock: Callable[[], float]) -> None:
        self._counters = {one.name: meter.create_counter(one.name, one.unit, one.description) for one in COUNTERS}
        self._ages = meter.create_histogram(
            AGE.name, AGE.unit, AGE.description, explicit_bucket_boundaries_advisory=AGES
        )
        self._clock = clock
        self._latest: dict[str, tuple[float, Swept]] = {}
        for one in GAUGES:
            meter.create_observable_gauge(one.name, [self._observer_of(one)], one.unit, one.description)

    def count(self, measures: Iterable[Measure]) -> None:
        """Adds to counters."""
        for measure in measures:
            self._counters[measure.instrument.name].add(measure.amount, measure.attributes)

    def record(self, ages: Iterable[Measure]) -> None:
        """Adds to the histogram of ages."""
        for age in ages:
            self._ages.record(age.amount, age.attributes)

    def show(self, swept: Swept) -> None:
        """Has the gauges say what a sweep found, until the next one or until it is stale."""
        self._latest[swept.stream] = (self._clock(), swept)

    def _observer_of(self, gauge: Instrument) -> CallbackT:
        def observe(_: CallbackOptions) -> list[Observation]:
            since = self._clock() - FRESH
            fresh = [swept for at, swept in list(self._latest.values()) if at >= since]
            measures = (measure for swept in fresh for measure in gauges_of_swept(swept))
            return [Observation(one.amount, one.attributes) for one in measures if one.instrument is gauge]

        return observe
