"""`python -m benchmarks quick [--against COMMIT]`: did this checkout get slower? Ratios only.

It is compared with two commits in one run: the one that is named, and the one that `guard.txt` names, so that small steps
do not add up. All routers are measured by the benchmarks of this checkout, in copies of their trees, in three pairs with each
commit. Programs are asked as users ask them, so that an old router and a new one can answer. CPU is user and system time of
child processes. The two of a pair run at once: the same code differed by 20 % one after the other on a busy machine,
and by 3 % side by side. Each pair takes the least of a few turns.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory, mkdtemp

from benchmarks import path, start
from benchmarks.checkouts import ROOT, Checkout, NotRun, commit_of, is_dirty, measurable, tree_of
from benchmarks.sink import Sink, running_sink
from benchmarks.state import router_over
from benchmarks.table import drawn
from benchmarks.workload import alerts, write_rules

GUARD = Path(__file__).with_name("guard.txt")
PAIRS = 3
NOISE, MOST = 0.03, 0.1
"""By how much the same code differs from itself, side by side: on a quiet machine, and at most."""

ALERTS, COUNTED, TOLD, FEW, MANY = 1_500, 300, 400, 10, 10_000
RUN = f"a run on {path.START} messages: CPU"
STATEMENTS = f"a run on {path.START} messages: SQLite statements"
CHECK = f"rules check, {FEW} rules: CPU"
HEADINGS = ("what", "against", *(f"pair {number + 1}" for number in range(PAIRS)), "median", "verdict")

type Values = Mapping[str, float]
"""What was measured, by row; less is better."""

type Pair = dict[str, tuple[float, float]]
"""What was measured here and there, by row."""

type Sides = Mapping[Checkout, tuple[Sink, Path]]
"""Each side has a receiver of its own, since that counts, and rules that lead there."""


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
    """What the pairs say, this checkout divided by another commit; no pairs where one of them has nothing to measure."""

    what: str
    commit: str
    pairs: Sequence[float]
    is_count: bool = False

    @property
    def is_worse(self) -> bool:
        """Whether it got worse by more than its noise: the least of its pairs is further from 1 than the pairs are from each
        other, or than MOST. A count depends on no machine, so one pair is enough."""
        if not self.pairs:
            return False
        least, greatest = min(self.pairs), max(self.pairs)
        return greatest > 1 + NOISE if self.is_count else least > 1 + min(MOST, max(NOISE, greatest - least))

    def cells(self) -> tuple[str, ...]:
        """The row as texts."""
        if not self.pairs:
            return self.what, self.commit, *["-"] * (PAIRS + 1), "not comparable"
        ratios = (f"{ratio:.2f}x" for ratio in (*self.pairs, median(self.pairs)))
        return self.what, self.commit, *ratios, "WORSE" if self.is_worse else "ok"


def main(arguments: Sequence[str]) -> int:
    """Print the table; return 1 where a row got worse, and name the rows."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks quick", description=__doc__)
    default = "HEAD where something is not committed, else HEAD~1"
    parser.add_argument("--against", type=commit_of, metavar="COMMIT", help=f"the other commit (default: {default})")
    options = parser.parse_args(arguments)
    named = options.against or commit_of("HEAD" if is_dirty() else "HEAD~1")
    # Once where both are the same.
    commits = list(dict.fromkeys((named, commit_of(GUARD.read_text().strip()))))
    print(f"this checkout against {' and '.join(commits)}, {PAIRS} pairs each", file=sys.stderr, flush=True)
    try:
        rows = list(_rows(commits))
    except NotRun as fault:
        parser.exit(2, f"this checkout: {fault}\n")
    print(drawn([HEADINGS, *(row.cells() for row in rows)]))
    worse = [f"{row.what} ({row.commit})" for row in rows if row.is_worse]
    if worse:
        print(f"\nworse by more than the noise: {'; '.join(worse)}")
    return 1 if worse else 0


def _rows(commits: Sequence[str]) -> Iterator[Row]:
    with ExitStack() as held:
        ours = held.enter_context(measurable(ROOT))
        others = {one: held.enter_context(measurable(held.enter_context(tree_of(one)))) for one in commits}
        directory = Path(held.enter_context(TemporaryDirectory(prefix="quick-")))
        sides = {}
        for number, checkout in enumerate((ours, *others.values())):
            sink = held.enter_context(running_sink())
            sides[checkout] = sink, write_rules(directory / f"rules-{number}", FEW, datetime.now(UTC), url=sink.url)
        for measurement in _measurements(sides, directory):
            for row in compared(measurement, ours, others):
                print(*row.cells(), sep="  ", file=sys.stderr, flush=True)
                yield row


def _measurements(sides: Sides, directory: Path) -> Iterator[Measurement]:
    few, many = (write_rules(directory / str(count), count, datetime.now(UTC)) for count in (FEW, MANY))
    first = directory / "first.ndjson"
    first.write_bytes(b"\n".join(alerts(start.FIRST)))
    new_state = partial(mkdtemp, dir=directory)
    yield Measurement(partial(_path, sides, new_state), turns=2, start=RUN)
    yield Measurement(partial(_counts, sides, new_state), start=STATEMENTS, is_count=True)
    yield Measurement(_over_postgresql)
    yield Measurement(_decision)
    yield Measurement(partial(_cpu, "import function_app", ["-c", "import function_app"]), turns=3)
    yield Measurement(partial(_first_batch, sides, first, new_state), turns=3)
    yield Measurement(partial(_cpu, "--version", ["-m", "router", "--version"]), turns=3)
    yield Measurement(partial(_loading, few, many), turns=2, start=CHECK)


def compared(measurement: Measurement, ours: Checkout, others: Mapping[str, Checkout]) -> Iterator[Row]:
    """The rows of a measurement here and at each of some commits, in turn; a commit may lack what is asked for."""
    pairs: dict[str, list[Pair]] = {commit: [] for commit in others}
    for _ in range(PAIRS):
        turns: dict[str, list[Pair]] = {commit: [] for commit in others}
        for _ in range(measurement.turns):
            for commit, theirs in others.items():
                turns[commit].append(_turn(measurement, ours, theirs))
        for commit, taken in turns.items():
            pairs[commit].append(_least(taken, measurement.start))
    for commit, measured in pairs.items():
        for what in measured[0]:
            is_comparable = all(mine > 0 and other > 0 for mine, other in (pair[what] for pair in measured))
            ratios = [pair[what][0] / pair[what][1] for pair in measured] if is_comparable else []
            yield Row(what, commit, ratios, measurement.is_count)


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


def _path(sides: Sides, new_state: Callable[[], str], checkout: Checkout) -> Values:
    sink, rules = sides[checkout]
    begun, whole = path.runs(sink, ALERTS, rules, lambda _: new_state(), checkout=checkout)
    return {"file to webhook: CPU": whole.run.cpu, RUN: begun.run.cpu}


def _counts(sides: Sides, new_state: Callable[[], str], checkout: Checkout) -> Values:
    sink, rules = sides[checkout]
    runs = path.runs(sink, COUNTED, rules, lambda _: new_state(), checkout=checkout, module="benchmarks.counted")
    begun, whole = (json.loads(one.run.last)[0] for one in runs)
    return {"file to webhook: SQLite statements": whole, STATEMENTS: begun}


def _over_postgresql(checkout: Checkout) -> Values:
    with router_over("PostgreSQL", checkout) as router:
        taken, out = router.pass_through(TOLD)
    trips = {"PostgreSQL, by the hundred: round trips": taken.trips + out.trips}
    return {"PostgreSQL, by the hundred: CPU in": taken.cpu, "PostgreSQL, by the hundred: CPU out": out.cpu} | trips


def _decision(checkout: Checkout) -> Values:
    return {"bytes to decision: CPU": float(checkout.run("-m", "benchmarks.decision").last)}


def _cpu(what: str, command: Sequence[str], checkout: Checkout) -> Values:
    return {f"{what}: CPU": checkout.run(*command).cpu}


def _first_batch(sides: Sides, file: Path, new_state: Callable[[], str], checkout: Checkout) -> Values:
    _, rules = sides[checkout]
    return {"cold process to first batch durable: CPU": start.first_batch(rules, file, new_state, checkout)}


def _loading(few: Path, many: Path, checkout: Checkout) -> Values:
    check = ("-m", "router", "rules", "check")
    begun, whole = (checkout.run(*check, str(rules)).cpu for rules in (few, many))
    return {f"rules check, {MANY:,} rules: CPU": whole, CHECK: begun}
