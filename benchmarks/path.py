"""Files to HTTP on loopback, the whole path, against Alertmanager in the same run."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial
from math import nan
from statistics import median

from benchmarks import alertmanager, router_run
from benchmarks.race import Race
from benchmarks.sink import Sink, running_sink
from benchmarks.table import Row


@dataclass(frozen=True, slots=True)
class Promise:
    """With so many rules, over so many alerts: the most CPU and the least speed, as multiples of Alertmanager's."""

    rules: int
    alerts: int
    cpu: float
    speed: float


PROMISES = (Promise(10, 10_000, 1, 0.6), Promise(10_000, 5_000, 1 / 6, 5))
REPETITIONS = 3


def measure() -> Iterator[Row]:
    """The rows of the whole path."""
    program = alertmanager.find_alertmanager()
    with running_sink() as sink:
        for promise in PROMISES:
            ours, theirs = _race(sink, promise, program)
            yield from _rows(promise, ours, theirs)


def _race(sink: Sink, promise: Promise, program: str | None) -> tuple[list[Race], list[Race]]:
    ours, theirs = [], []
    for _ in range(REPETITIONS):
        ours.append(router_run.race(sink, promise.alerts, promise.rules))
        if program is not None:
            now = datetime.now(UTC)
            theirs.append(alertmanager.race(program, sink, promise.alerts, promise.rules, now))
    return ours, theirs


def _rows(promise: Promise, ours: list[Race], theirs: list[Race]) -> Iterator[Row]:
    row = partial(_row, ours=ours, theirs=theirs)
    what = f"files to HTTP, {promise.rules:,} rules, against Alertmanager: "
    yield row(what + "CPU an alert", Race.cpu_each, "{:.3f} ms", 1e3, limit=promise.cpu)
    yield row(what + "delivered/s", Race.speed, "{:,.0f}/s", 1, limit=promise.speed, at_least=True)


def _row(
    what: str,
    measure_of: Callable[[Race], float],
    form: str,
    scale: float,
    *,
    ours: list[Race],
    theirs: list[Race],
    limit: float,
    at_least: bool = False,
) -> Row:
    mine = [measure_of(race) for race in ours]
    yours = [measure_of(race) for race in theirs]
    seen = form.format(scale * median(mine)) + " against "
    seen += form.format(scale * median(yours)) if yours else "Alertmanager, which is not installed"
    ratio = median(one / other for one, other in zip(mine, yours, strict=True)) if yours else nan
    return Row(what=what, measured=ratio, limit=limit, at_least=at_least, seen=seen)
