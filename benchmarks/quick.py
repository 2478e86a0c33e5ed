"""`python -m benchmarks quick [--against COMMIT]`: did this checkout get slower than another commit? Ratios only.

Both routers are measured by the benchmarks of this checkout, in copies of the two trees, in three pairs. Programs are asked
as users ask them, so that an old router and a new one can answer. CPU is user and system time of child processes. The two
of a pair run at once: the same code differed by 20 % one after the other on a busy machine,
and by 3 % side by side. Each pair takes the least of a few turns.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory

from benchmarks import router_run
from benchmarks.checkouts import ROOT, Checkout, NotRun, commit_of, is_dirty, measurable, tree_of
from benchmarks.sink import Sink, running_sink
from benchmarks.table import drawn
from benchmarks.workload import write_rules

PAIRS = 3
MOST = 1.1
"""A ratio above it is worse: more than 10 %."""

ALERTS, COUNTED, FEW, MANY = 1_500, 300, 10, 10_000
RUN = f"a run on {router_run.START} messages: CPU"
STATEMENTS = f"a run on {router_run.START} messages: SQLite statements"
CHECK = f"rules check, {FEW} rules: CPU"
HEADINGS = ("what", *(f"pair {number + 1}" for number in range(PAIRS)), "median", "verdict")

type Values = Mapping[str, float]
"""What was measured, by row; less is better."""

type Pair = dict[str, tuple[float, float]]
"""What was measured here and there, by row."""

type Sinks = Mapping[Checkout, Sink]
"""Each side has its own, since a sink counts."""


@dataclass(frozen=True, slots=True)
class Measurement:
    """Rows that are measured at once.

    Attributes:
        turns: how often each side is measured in a pair, which takes the least.
        start: the row that is taken off the others, if any.
        is_count: whether each turn must find the same.
    """

    measure: Callable[[Checkout], Values]
    turns: int = 1
    start: str | None = None
    is_count: bool = False


@dataclass(frozen=True, slots=True)
class Row:
    """What the pairs say, this checkout divided by the other one; no pairs where one of them has nothing to measure."""

    what: str
    pairs: Sequence[float]
    is_count: bool = False

    @property
    def is_worse(self) -> bool:
        """Whether all pairs agree that it got more than 10 % worse. Of a count, one pair is enough."""
        agree = any if self.is_count else all
        return bool(self.pairs) and agree(ratio > MOST for ratio in self.pairs)

    def cells(self) -> tuple[str, ...]:
        """The row as texts."""
        if not self.pairs:
            return self.what, *["-"] * (PAIRS + 1), "not comparable"
        ratios = (f"{ratio:.2f}x" for ratio in (*self.pairs, median(self.pairs)))
        return self.what, *ratios, "WORSE" if self.is_worse else "ok"


def main(arguments: Sequence[str]) -> int:
    """Print the table; return 1 where a row got worse, and name the rows."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks quick", description=__doc__)
    default = "HEAD where something is not committed, else HEAD~1"
    parser.add_argument("--against", type=commit_of, metavar="COMMIT", help=f"the other commit (default: {default})")
    options = parser.parse_args(arguments)
    commit = options.against or commit_of("HEAD" if is_dirty() else "HEAD~1")
    print(f"this checkout against {commit}, {PAIRS} pairs", file=sys.stderr, flush=True)
    try:
        rows = list(_rows(commit))
    except NotRun as fault:
        parser.exit(2, f"this checkout: {fault}\n")
    print(drawn([HEADINGS, *(row.cells() for row in rows)]))
    worse = [row.what for row in rows if row.is_worse]
    if worse:
        print(f"\nmore than 10 % worse than {commit}: {'; '.join(worse)}")
    return 1 if worse else 0


def _rows(commit: str) -> Iterator[Row]:
    with ExitStack() as held:
        ours = held.enter_context(measurable(ROOT))
        theirs = held.enter_context(measurable(held.enter_context(tree_of(commit))))
        sinks = {checkout: held.enter_context(running_sink()) for checkout in (ours, theirs)}
        directory = Path(held.enter_context(TemporaryDirectory(prefix="quick-")))
        for measurement in _measurements(sinks, directory):
            for row in compared(measurement, ours, theirs):
                print(*row.cells(), sep="  ", file=sys.stderr, flush=True)
                yield row


def _measurements(sinks: Sinks, directory: Path) -> Iterator[Measurement]:
    few, many = (write_rules(directory / str(count), count, datetime.now(UTC)) for count in (FEW, MANY))
    yield Measurement(partial(_path, sinks), turns=2, start=RUN)
    yield Measurement(partial(_counts, sinks), start=STATEMENTS, is_count=True)
    yield Measurement(_decision)
    yield Measurement(partial(_cpu, "import function_app", ["-c", "import function_app"]), turns=3)
    yield Measurement(partial(_cpu, "import router.cli", ["-c", "import router.cli"]), turns=12)
    yield Measurement(partial(_cpu, "--version", ["-m", "router", "--version"]), turns=3)
    yield Measurement(partial(_loading, few, many), turns=2, start=CHECK)


def compared(measurement: Measurement, ours: Checkout, theirs: Checkout) -> Iterator[Row]:
    """The rows of a measurement of both; the other checkout may lack what is asked for."""
    pairs = [
        _least([_turn(measurement, ours, theirs) for _ in range(measurement.turns)], measurement.start)
        for _ in range(PAIRS)
    ]
    for what in pairs[0]:
        is_comparable = all(mine > 0 and other > 0 for mine, other in (pair[what] for pair in pairs))
        ratios = [pair[what][0] / pair[what][1] for pair in pairs] if is_comparable else []
        yield Row(what, ratios, measurement.is_count)


def _turn(measurement: Measurement, ours: Checkout, theirs: Checkout) -> Pair:
    """What both answer at once, by row; 0 where the other commit has not what is asked for."""
    with ThreadPoolExecutor(2) as pool:
        answers = [pool.submit(measurement.measure, checkout) for checkout in (ours, theirs)]
    mine = answers[0].result()
    other: Values = {}
    try:
        other = answers[1].result()
    except NotRun as fault:
        print(f"the other commit: {fault}", file=sys.stderr, flush=True)
    return {what: (value, other.get(what, 0)) for what, value in mine.items()}


def _least(turns: Sequence[Pair], start: str | None) -> Pair:
    """The turn that took least, by row: both sides of the same one, which met the same disturbance."""
    least = {what: min((turn[what] for turn in turns), key=sum) for what in turns[0]}
    if start is None:
        return least
    # Only now: a start that was slow once would make the rest look fast.
    here, there = least[start]
    return {what: pair if what == start else (pair[0] - here, pair[1] - there) for what, pair in least.items()}


def _path(sinks: Sinks, checkout: Checkout) -> Values:
    start, whole = router_run.runs(sinks[checkout], ALERTS, FEW, checkout, "router")
    return {"file to webhook: CPU": whole.cpu, RUN: start.cpu}


def _counts(sinks: Sinks, checkout: Checkout) -> Values:
    start, whole = router_run.runs(sinks[checkout], COUNTED, FEW, checkout, "benchmarks.counted")
    return {"file to webhook: SQLite statements": int(whole.last), STATEMENTS: int(start.last)}


def _decision(checkout: Checkout) -> Values:
    return {"bytes to decision: CPU": float(checkout.run("-m", "benchmarks.decision")[1])}


def _cpu(what: str, command: Sequence[str], checkout: Checkout) -> Values:
    return {f"{what}: CPU": checkout.run(*command)[0]}


def _loading(few: Path, many: Path, checkout: Checkout) -> Values:
    check = ("-m", "router", "rules", "check")
    start, whole = (checkout.run(*check, str(rules))[0] for rules in (few, many))
    return {f"rules check, {MANY:,} rules: CPU": whole, CHECK: start}
