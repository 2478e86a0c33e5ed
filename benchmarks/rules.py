"""What many suppression rules cost: for each decision, at start, and in memory."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory

from benchmarks.decision import MESSAGES, compare, deciding, rulebook_in
from benchmarks.loading import ask
from benchmarks.table import Row
from benchmarks.workload import alerts, write_rule_list, write_rules

FEW, MANY, MOST = 10, 10_000, 100_000
LOADS = 5


def measure() -> Iterator[Row]:
    """The rows about suppression rules."""
    now = datetime.now(UTC)
    with TemporaryDirectory() as directory:
        few, many = (write_rules(Path(directory) / str(count), count, now) for count in (FEW, MANY))
        yield _per_decision(few, write_rule_list(Path(directory) / str(MOST), MOST, now), now)
        yield from _at_start(few, many)


def _per_decision(few: Path, most: Path, now: datetime) -> Row:
    bodies, ten = alerts(MESSAGES), rulebook_in(few, now)
    crowd = replace(ten, suppressions=rulebook_in(most, now).suppressions)
    ratio, slow, fast = compare(deciding(bodies, crowd, now), deciding(bodies, ten, now))
    return Row(
        what="the same with 100,000 rules, against 10",
        measured=ratio,
        limit=1.2,
        seen=f"{slow / MESSAGES * 1e6:.1f} us against {fast / MESSAGES * 1e6:.1f} us CPU an alert",
    )


def _at_start(few: Path, many: Path) -> Iterator[Row]:
    seconds = [ask("time", many) for _ in range(LOADS)]
    yield Row(
        what="loading 10,000 rules, a file each",
        measured=median(seconds),
        limit=2,
        unit="s",
        seen=f"{LOADS} fresh processes, {min(seconds):.2f} to {max(seconds):.2f} s",
    )
    retained = (ask("memory", many) - ask("memory", few)) / (MANY - FEW)
    yield Row(what="memory that a rule retains", measured=retained / 1024, limit=2, unit="KB", seen="by tracemalloc")
