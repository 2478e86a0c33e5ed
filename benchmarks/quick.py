"""`python -m benchmarks quick [--against COMMIT]`: did this checkout get slower than another commit? Ratios only.

Both routers are measured by the benchmarks of this checkout, in copies of the two trees, alternately: A B A B A B, three
pairs. Programs are asked as users ask them, so that an old router and a new one can answer. CPU is user and system time
of child processes, so that a busy machine disturbs little; inside a pair each side takes the least of a few turns.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
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

ALERTS, COUNTED, FEW, MANY = 2_000, 500, 10, 10_000
HEADINGS = ("what", *(f"pair {number + 1}" for number in range(PAIRS)), "median", "verdict")

type Values = Mapping[str, float]
"""What was measured, by row; less is better."""


@dataclass(frozen=True, slots=True)
class Measurement:
    """Rows that are measured at once. Each pair takes the least of so many turns. A count is the same in each turn."""

    measure: Callable[[Checkout], Values]
    turns: int = 1
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
        sink = held.enter_context(running_sink())
        directory = Path(held.enter_context(TemporaryDirectory(prefix="quick-")))
        for measurement in _measurements(sink, directory):
            for row in compared(measurement, ours, theirs):
                print(*row.cells(), sep="  ", file=sys.stderr, flush=True)
                yield row


def _measurements(sink: Sink, directory: Path) -> Iterator[Measurement]:
    few, many = (write_rules(directory / str(count), count, datetime.now(UTC)) for count in (FEW, MANY))
    yield Measurement(partial(_path, sink))
    yield Measurement(partial(_counts, sink), is_count=True)
    yield Measurement(_decision)
    yield Measurement(partial(_cpu, "import function_app", ["-c", "import function_app"]), turns=4)
    yield Measurement(partial(_cpu, "import router.cli", ["-c", "import router.cli"]), turns=12)
    yield Measurement(partial(_cpu, "--version", ["-m", "router", "--version"]), turns=4)
    yield Measurement(partial(_loading, few, many), turns=2)


def compared(measurement: Measurement, ours: Checkout, theirs: Checkout) -> Iterator[Row]:
    """The rows of a measurement, taken in turn from both; the other checkout may lack what is asked for."""
    pairs: list[tuple[Values, Values]] = []
    for _ in range(PAIRS):
        # In turn, so that what the machine does meanwhile meets both.
        turns = [(measurement.measure(ours), _measured_in(measurement, theirs)) for _ in range(measurement.turns)]
        mine, others = ([turn[side] for turn in turns] for side in (0, 1))
        pairs.append((_least(mine), _least(others)))
    for what in pairs[0][0]:
        is_comparable = all(mine[what] > 0 and other.get(what, 0) > 0 for mine, other in pairs)
        ratios = [mine[what] / other[what] for mine, other in pairs] if is_comparable else []
        yield Row(what, ratios, measurement.is_count)


def _measured_in(measurement: Measurement, theirs: Checkout) -> Values:
    """What the other commit answers: nothing where it has not what is asked for."""
    try:
        return measurement.measure(theirs)
    except NotRun as fault:
        print(f"the other commit: {fault}", file=sys.stderr, flush=True)
        return {}


def _least(turns: Sequence[Values]) -> Values:
    return {what: min(turn[what] for turn in turns) for what in turns[0]} if all(turns) else {}


def _path(sink: Sink, checkout: Checkout) -> Values:
    start, whole = router_run.runs(sink, ALERTS, FEW, checkout, "router")
    messages = ALERTS - router_run.START
    return {
        "file to webhook: CPU a message": (whole.cpu - start.cpu) / messages,
        f"a run on {router_run.START} messages: CPU": start.cpu,
    }


def _counts(sink: Sink, checkout: Checkout) -> Values:
    start, whole = (json.loads(one.last) for one in router_run.runs(sink, COUNTED, FEW, checkout, "benchmarks.counted"))
    messages = COUNTED - router_run.START
    return {"file to webhook: SQLite statements a message": (whole["statements"] - start["statements"]) / messages}


def _decision(checkout: Checkout) -> Values:
    return {"bytes to decision: CPU a message": float(checkout.run("-m", "benchmarks.decision")[1])}


def _cpu(what: str, command: Sequence[str], checkout: Checkout) -> Values:
    return {f"{what}: CPU": checkout.run(*command)[0]}


def _loading(few: Path, many: Path, checkout: Checkout) -> Values:
    check = ("-m", "router", "rules", "check")
    start, whole = (checkout.run(*check, str(rules))[0] for rules in (few, many))
    return {f"rules check: CPU of {MANY:,} rules": whole - start, f"rules check: CPU of {FEW} rules": start}
