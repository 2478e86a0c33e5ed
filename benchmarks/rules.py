"""What many suppression rules cost: for each decision, for whole runs, at start, and in memory.

`python -m benchmarks.rules DIR` loads a rules directory and prints, as JSON, seconds and bytes: seconds from the first file to
the finished rulebook, of CPU or by the clock where waiting for the disk took longer; bytes that the process holds then, and
held at most.
"""

from __future__ import annotations

import gc
import json
import resource
import sys
from collections.abc import Iterator, Sequence
from copy import replace
from datetime import UTC, datetime
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory
from time import perf_counter, process_time

from benchmarks.checkouts import Checkout
from benchmarks.counted import most_held
from benchmarks.decision import MESSAGES, alternately, deciding, rulebook_in
from benchmarks.engines import engine_running
from benchmarks.path import runs
from benchmarks.sink import running_sink
from benchmarks.table import Row, compared
from benchmarks.workload import alerts, write_rule_list, write_rules

FEW, MANY, MOST = 10, 10_000, 100_000
ALERTS, REPETITIONS = 10_000, 3


def measure(scale: float) -> Iterator[Row]:
    """The rows about suppression rules."""
    now, many, most = datetime.now(UTC), round(MANY * scale), round(MOST * scale)
    with TemporaryDirectory() as scratch, running_sink() as sink:
        few = write_rules(Path(scratch) / "few", FEW, now, url=sink.url)
        in_list = write_rule_list(Path(scratch) / "list", most, now, url=sink.url)
        yield _per_decision(few, in_list, now)
        with engine_running("SQLite") as engine:
            whole = []
            for _ in range(REPETITIONS):
                pair = (runs(sink, round(ALERTS * scale), rules, engine.new_state) for rules in (in_list, few))
                whole.append([run.run.cpu - start.run.cpu for start, run in pair])
        what = f"whole runs less their start, {most:,} rules against {FEW}: CPU"
        ours, theirs = zip(*whole, strict=True)
        yield compared(what, ours, theirs, 1.2, "{:.3f} ms", 1e3 / round(ALERTS * scale), note=" an alert")
        least = _load(few)
        for what, directory, loads, limit in (
            (f"{many:,} rules, a file each", write_rules(Path(scratch) / "many", many, now), 5, 1.5),
            (f"{most:,} rules, a file each", write_rules(Path(scratch) / "most", most, now), 3, 6),
            (f"{most:,} rules in one list", in_list, 3, 6),
        ):
            loaded = [_load(directory) for _ in range(loads)]
            yield _seconds(what, loaded, limit)
            if directory.name != "many":
                yield _memory(what, most, loaded, least)


def _per_decision(few: Path, most: Path, now: datetime) -> Row:
    bodies, ten = alerts(MESSAGES), rulebook_in(few, now)
    crowd = replace(ten, suppressions=rulebook_in(most, now).suppressions)
    many = len(crowd.suppressions.by_name)
    ours, theirs = alternately(deciding(bodies, crowd, now), deciding(bodies, ten, now))
    return compared(
        f"bytes to decision, {many:,} rules against {FEW}: CPU", ours, theirs, 1.2, "{:.1f} us", 1e6 / MESSAGES
    )


type _Load = tuple[float, float, float]
"""Seconds, bytes held when the rules are loaded, and bytes held at most."""


def _seconds(what: str, loads: Sequence[_Load], limit: float) -> Row:
    seconds = [one for one, _, _ in loads]
    seen = f"{len(loads)} fresh processes, {min(seconds):.2f} to {max(seconds):.2f} s"
    return Row(what=f"loading {what}", measured=median(seconds), limit=limit, unit="s", seen=seen)


def _memory(what: str, rules: int, loads: Sequence[_Load], least: _Load) -> Row:
    """The row of the memory that a rule takes, beyond a process with FEW."""
    kept, peak = ((median(one[place] for one in loads) - least[place]) / (rules - FEW) / 1024 for place in (1, 2))
    seen = f"{kept:.2f} KB once loaded"
    return Row(what=f"memory a rule, {what}: RSS at its peak", measured=peak, limit=2, unit="KB", seen=seen)


def _load(rules: Path) -> _Load:
    seconds, kept, peak = json.loads(Checkout().run("-m", "benchmarks.rules", str(rules)).last)
    return seconds, kept, peak


def _main(rules: Path) -> None:
    wall, cpu = perf_counter(), process_time()
    rulebook = rulebook_in(rules, datetime.now(UTC))
    seconds = max(perf_counter() - wall, process_time() - cpu)
    gc.collect()
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    assert rulebook.suppressions.by_name
    print(json.dumps((seconds, pages * resource.getpagesize(), most_held())))


if __name__ == "__main__":
    _main(Path(sys.argv[1]))
