"""Bytes to decision in one process, against pydantic validating the same bytes into a model.

`python -m benchmarks.decision` prints the least microseconds of CPU that a message took, for `quick`, which runs it with
the router of an older commit, too: where a name below moves, import it from either place.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from datetime import UTC, datetime
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory
from time import process_time

from benchmarks.reference_model import ReferenceAlert
from benchmarks.table import Row
from benchmarks.workload import alerts, write_rules
from router.decide import decide
from router.destinations import discover
from router.domain.rulebook import Rulebook
from router.domain.signals import Quarantined, Stream
from router.parse import read_signals
from router.rulebook import load, load_catalogue

MESSAGES = 2_000
REPETITIONS = 21
TRIES = 10

type Work = Callable[[], object]


def measure() -> Iterator[Row]:
    """The row of one decision with ten rules."""
    bodies = alerts(MESSAGES)
    ratio, ours, theirs = compare(_deciding_by_ten_rules(bodies), validating(bodies))
    yield Row(
        what="bytes to decision, 4.9 KB alert, 10 rules, against pydantic",
        measured=ratio,
        limit=2,
        seen=f"{_micros(ours)} against {_micros(theirs)} CPU an alert",
    )


def least() -> float:
    """The microseconds of CPU that a message took in the fastest of TRIES repetitions."""
    bodies = alerts(MESSAGES)
    work = _deciding_by_ten_rules(bodies)
    return min(_cpu_of(work) for _ in range(TRIES)) / MESSAGES * 1e6


def _deciding_by_ten_rules(bodies: Sequence[bytes]) -> Work:
    now = datetime.now(UTC)
    with TemporaryDirectory() as directory:
        return deciding(bodies, rulebook_in(write_rules(Path(directory), 10, now), now), now)


def validating(bodies: Sequence[bytes]) -> Work:
    """The work of pydantic on the same messages; like ours it keeps nothing."""

    def work() -> None:
        for body in bodies:
            ReferenceAlert.model_validate_json(body)

    return work


def deciding(bodies: Sequence[bytes], rulebook: Rulebook, now: datetime) -> Work:
    """The work of rooms 1 and 2 on some messages."""
    catalogue = load_catalogue()

    def work() -> None:
        for body in bodies:
            for signal in read_signals(body, catalogue):
                assert not isinstance(signal, Quarantined)
                decide(signal, rulebook, now)

    return work


def compare(one: Work, other: Work) -> tuple[float, float, float]:
    """How often the CPU of the other one takes: the median over pairs of runs, and the median seconds of each."""
    one(), other()
    pairs = [(_cpu_of(one), _cpu_of(other)) for _ in range(REPETITIONS)]
    firsts, seconds = zip(*pairs, strict=True)
    return median(first / second for first, second in pairs), median(firsts), median(seconds)


def _cpu_of(work: Work) -> float:
    start = process_time()
    work()
    return process_time() - start


def rulebook_in(rules: Path, now: datetime) -> Rulebook:
    """The rulebook of a directory that is known to be sound."""
    rulebook = load(rules, Stream.CWPP, discover(), now).rulebook
    assert rulebook is not None
    return rulebook


def _micros(seconds: float) -> str:
    return f"{seconds / MESSAGES * 1e6:.1f} us"


if __name__ == "__main__":
    print(least())
