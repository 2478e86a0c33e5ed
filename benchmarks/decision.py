"""Bytes to decision in one process, against orjson parsing the same bytes.

`python -m benchmarks.decision` prints the least microseconds of CPU that a message took, for `quick`, which runs it with
the router of an older commit, too: where a name below moves, import it from either place.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from datetime import UTC, datetime
from pathlib import Path
from tempfile import TemporaryDirectory
from time import process_time

import orjson

from benchmarks.table import Row, compared
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


def measure(scale: float) -> Iterator[Row]:
    """The row of one decision with ten rules."""
    bodies = alerts(max(100, round(MESSAGES * scale)))

    def parse() -> None:
        for body in bodies:
            orjson.loads(body)

    ours, theirs = alternately(_deciding_by_ten_rules(bodies), parse)
    what = "bytes to decision, 4.9 KB alert, 10 rules, against orjson parsing the same bytes: CPU"
    yield compared(what, ours, theirs, 7, "{:.1f} us", 1e6 / len(bodies))


def _deciding_by_ten_rules(bodies: Sequence[bytes]) -> Work:
    now = datetime.now(UTC)
    with TemporaryDirectory() as directory:
        return deciding(bodies, rulebook_in(write_rules(Path(directory), 10, now), now), now)


def deciding(bodies: Sequence[bytes], rulebook: Rulebook, now: datetime) -> Work:
    """The work of rooms 1 and 2 on some messages."""
    catalogue = load_catalogue()

    def work() -> None:
        for body in bodies:
            for signal in read_signals(body, catalogue):
                assert not isinstance(signal, Quarantined)
                decide(signal, rulebook, now)

    return work


def alternately(one: Work, other: Work) -> tuple[list[float], list[float]]:
    """The CPU seconds that each of two takes, measured in turn after a first time that does not count."""
    one(), other()
    pairs = [(_cpu_of(one), _cpu_of(other)) for _ in range(REPETITIONS)]
    return [first for first, _ in pairs], [second for _, second in pairs]


def _cpu_of(work: Work) -> float:
    start = process_time()
    work()
    return process_time() - start


def rulebook_in(rules: Path, now: datetime) -> Rulebook:
    """The rulebook of a directory that is known to be sound."""
    rulebook = load(rules, Stream.CWPP, discover(), now).rulebook
    assert rulebook is not None
    return rulebook


if __name__ == "__main__":
    work = _deciding_by_ten_rules(alerts(MESSAGES))
    print(min(_cpu_of(work) for _ in range(TRIES)) / MESSAGES * 1e6)
