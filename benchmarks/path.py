"""Files to HTTP on loopback, the whole path, on each engine, against Alertmanager in the same run.

The path is `alert-router run` on a file, its outbox in a state whose every commit is on disk, and a signed webhook. Start-up,
loading the rules and the end of the run are taken off by a run on ten alerts with the same rules, because a server has
them behind it, too, when it is measured. CPU is that of the router, and of the processes of PostgreSQL.
"""

from __future__ import annotations

from base64 import b64encode
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from datetime import UTC, datetime
from math import nan
from pathlib import Path
from secrets import token_bytes
from statistics import median
from tempfile import TemporaryDirectory
from typing import NamedTuple

from benchmarks import alertmanager
from benchmarks.alertmanager import Race
from benchmarks.checkouts import Checkout, NotRun, Run
from benchmarks.engines import ENGINES, Engine, engine_running
from benchmarks.sink import Sink, running_sink
from benchmarks.table import Row, compared
from benchmarks.workload import alerts, write_rules

SECRET = f"whsec_{b64encode(token_bytes(32)).decode()}"
START = 10  # alerts
REPETITIONS = 3


@dataclass(frozen=True, slots=True)
class Promise:
    """With so many rules, over so many alerts: the most CPU and the least speed, as multiples of Alertmanager's."""

    rules: int
    alerts: int
    cpu: float
    speed: float


PROMISES = (Promise(10, 10_000, 1.3, 0.45), Promise(10_000, 5_000, 0.17, 4.5))


def measure(scale: float) -> Iterator[Row]:
    """The rows of the whole path."""
    program = alertmanager.find_alertmanager()
    with ExitStack() as held:
        sink = held.enter_context(running_sink())
        engines = [held.enter_context(engine_running(name)) for name in ENGINES]
        for promise in PROMISES:
            count, races = round(promise.alerts * scale), dict[str, list[Race]]()
            directory = Path(held.enter_context(TemporaryDirectory()))
            rules = write_rules(directory, promise.rules, datetime.now(UTC), url=sink.url)
            for _ in range(REPETITIONS):
                for engine in engines:
                    races.setdefault(engine.name, []).append(_race(sink, engine, rules, count))
                if program is not None:
                    theirs = alertmanager.race(program, sink, count, promise.rules, datetime.now(UTC))
                    races.setdefault("", []).append(theirs)
            for engine in engines:
                yield from _rows(promise, engine.name, races[engine.name], races.get(""))


def _race(sink: Sink, engine: Engine, rules: Path, count: int) -> Race:
    start, whole = runs(sink, count, rules, engine.new_state, engine.cpu)
    served = whole.server - start.server
    cpu = whole.run.cpu - start.run.cpu + served
    return Race(delivered=count - count // 10, cpu=cpu, seconds=whole.run.seconds - start.run.seconds, served=served)


def _rows(promise: Promise, engine: str, ours: list[Race], theirs: list[Race] | None) -> Iterator[Row]:
    served = median(race.served / race.delivered for race in ours) * 1e3
    measures: tuple[tuple[str, Callable[[Race], float], float, str, float, bool, str], ...] = (
        ("CPU", Race.cpu_each, promise.cpu, "{:.3f} ms", 1e3, False, f"; the server's {served:.3f}" if served else ""),
        ("delivered/s", Race.speed, promise.speed, "{:,.0f}/s", 1, True, ""),
    )
    for what, value, limit, form, scale, at_least, note in measures:
        what = f"{engine}: files to HTTP, {promise.rules:,} silences, against Alertmanager: {what}"
        mine = [value(race) for race in ours]
        if theirs is None:
            seen = f"{form.format(scale * median(mine))}; {alertmanager.ABSENT}"
            yield Row(what=what, measured=nan, limit=limit, at_least=at_least, seen=seen)
            continue
        yours = [value(race) for race in theirs]
        yield compared(what, mine, yours, limit, form, scale, at_least=at_least, note=note)


class Served(NamedTuple):
    """A run, and the CPU seconds of the state's server meanwhile."""

    run: Run
    server: float


def runs(
    sink: Sink,
    count: int,
    rules: Path,
    new_state: Callable[[Checkout], object],
    served: Callable[[], float] = lambda: 0.0,
    checkout: Checkout | None = None,
    module: str = "router",
) -> tuple[Served, Served]:
    """A run on START alerts and one on `count`, each into a new state, by a module that takes the router's arguments."""
    checkout = checkout or Checkout()
    before = sink.count()
    both = [_run(some, rules, new_state(checkout), served, checkout, module) for some in (START, count)]
    delivered, due = sink.count() - before, sum(some - some // 10 for some in (START, count))
    if delivered != due:
        raise NotRun(f"{delivered} of {due} alerts were delivered")
    return both[0], both[1]


def _run(
    count: int, rules: Path, state: object, served: Callable[[], float], checkout: Checkout, module: str
) -> Served:
    with TemporaryDirectory() as scratch:
        file = Path(scratch) / "alerts.ndjson"
        file.write_bytes(b"\n".join(alerts(count)))
        command = ["-m", module, "run", "--stream", "cwpp", "--rules", str(rules), "--state", str(state), str(file)]
        before = served()
        run = checkout.run(*command, settings={"BENCH_WEBHOOK_SECRET": SECRET})
        return Served(run, served() - before)
