"""What a message costs over PostgreSQL: round trips, own CPU, and how many a second go in and out by one worker.

The router is in a process of its own, and CPU is that process's. Round trips are counted on the way to the server, which is
a real one, in memory: each is a message after which the client waits. The receivers are real, on loopback.
"""

from __future__ import annotations

import json
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from subprocess import PIPE, Popen
from tempfile import TemporaryDirectory
from typing import IO, Any

import psycopg

from benchmarks.table import Row
from benchmarks.workload import alerts
from tests.builders import alert_body
from tests.stack.postgres import Way, postgres_running
from tests.stack.stack import Stack, stack_running

ROOT = Path(__file__).parent.parent
MANY, ALONE, WARM = 1_000, 50, 20
AT_A_TIME = 100
FIRST_ALONE = 100_000
"""The number of the first message that comes alone: those of a partition rise."""
TICK = 0.02
EVERYWHERE = "told to pager, ticket, rows and record"

_OPEN = "SELECT count(*) FROM deliveries WHERE state IN ('owed', 'claimed')"


@dataclass(frozen=True, slots=True)
class Cost:
    """What a message cost: round trips, CPU seconds, and seconds."""

    trips: float
    cpu: float
    seconds: float


def measure() -> Iterator[Row]:
    """The rows of the state in PostgreSQL."""
    with stack_running() as stack, postgres_running() as server, Way(server.url) as way:
        url = server.new_database()
        environment = stack.environment | {"ALERT_ROUTER_STATE": way.to(url)}
        subprocess.run([sys.executable, "-m", "router", "state", "upgrade"], cwd=ROOT, env=environment, check=True)
        with psycopg.connect(url, autocommit=True) as asking, _router(stack, environment) as process:
            router = Router(process, way, asking, stack.directory)
            router.take([alert_body(f"warm-{n}") for n in range(WARM)], 0, 1)
            router.deliver(WARM)
            yield from _by_the_hundred(router, [alert_body(f"told-{n}") for n in range(MANY)], "small")
            yield from _one_by_one(router)


def _by_the_hundred(router: Router, bodies: Sequence[bytes], size: str) -> Iterator[Row]:
    taken = router.take(bodies, 1_000, AT_A_TIME)
    out = router.deliver(len(bodies))
    trips = f"{taken.trips:.2f} in, {out.trips:.2f} out; {len(bodies):,} {size} alerts"
    yield Row(
        what=f"PostgreSQL: round trips a message {EVERYWHERE}, by the hundred",
        measured=taken.trips + out.trips,
        limit=0.3,
        unit="",
        seen=trips,
    )
    yield Row(what="own CPU a message there: in", measured=taken.cpu * 1e3, limit=1, unit="ms", seen="by the hundred")
    yield Row(what="own CPU a message there: out", measured=out.cpu * 1e3, limit=2, unit="ms", seen="four deliveries")
    yield Row(what="intake there by one worker", measured=1 / taken.seconds, unit="/s", seen=f"{AT_A_TIME} at a time")
    yield Row(what="deliveries there by one worker", measured=4 / out.seconds, unit="/s", seen=EVERYWHERE)


def _one_by_one(router: Router) -> Iterator[Row]:
    bodies = alerts(ALONE)
    taken = router.take(bodies, FIRST_ALONE, 1)
    trips = 0.0
    for number in range(ALONE):
        router.take([alert_body(f"alone-{number}")], 2 * FIRST_ALONE + number, 1)
        trips += router.deliver(1).trips
    seen = f"{taken.trips:.1f} in, {trips / ALONE:.1f} out; {ALONE} alerts"
    what = "PostgreSQL: round trips a message so told, one by one"
    yield Row(what=what, measured=taken.trips + trips / ALONE, unit="", seen=seen)


class Router:
    """The router, at work in a process of its own over a counted way to a server."""

    def __init__(self, process: Popen[str], way: Way, asking: psycopg.Connection[Any], directory: Path) -> None:
        self._process = process
        self._way = way
        self._asking = asking
        self._directory = directory

    def take(self, bodies: Sequence[bytes], first: int, at_a_time: int) -> Cost:
        """Take messages in, so many at a time, and return what each cost."""
        file = self._directory / "messages.ndjson"
        file.write_bytes(b"\n".join(bodies))
        begun = self._now()
        self._do(f"take {file} {first} {at_a_time}")
        return self._since(begun, len(bodies))

    def deliver(self, messages: int) -> Cost:
        """Deliver until nothing is open any more, and return what each message cost."""
        begun = self._now()
        self._do("deliver", "delivering")
        while self._asking.execute(_OPEN).fetchone() != (0,):
            time.sleep(TICK)
        cost = self._since(begun, messages)
        self._do("rest")
        return cost

    def _do(self, line: str, answer: str = "done") -> None:
        stdin, stdout = _pipes(self._process)
        stdin.write(f"{line}\n")
        stdin.flush()
        said = stdout.readline().strip()
        if said != answer:
            raise RuntimeError(f"{line}: {said or 'the router ended'}")

    def _now(self) -> Cost:
        # This is how Linux names the clock of another process: clock_getcpuclockid(3).
        return Cost(self._way.trips, time.clock_gettime((~self._process.pid << 3) | 2), time.perf_counter())

    def _since(self, begun: Cost, messages: int) -> Cost:
        now = self._now()
        return Cost(
            trips=(now.trips - begun.trips) / messages,
            cpu=(now.cpu - begun.cpu) / messages,
            seconds=(now.seconds - begun.seconds) / messages,
        )


@contextmanager
def _router(stack: Stack, environment: Mapping[str, str]) -> Iterator[Popen[str]]:
    with TemporaryDirectory(prefix="state-"):
        command = [sys.executable, "-m", "benchmarks.state_router"]
        with Popen(command, cwd=ROOT, env=environment, stdin=PIPE, stdout=PIPE, text=True) as process:
            stdin, stdout = _pipes(process)
            try:
                stdin.write(json.dumps({"rules": str(stack.rules), "environment": dict(environment)}) + "\n")
                stdin.flush()
                if not stdout.readline():
                    raise RuntimeError("the router ended")
                yield process
            finally:
                stdin.close()


def _pipes(process: Popen[str]) -> tuple[IO[str], IO[str]]:
    if process.stdin is None or process.stdout is None:
        raise RuntimeError("the router has no pipes")
    return process.stdin, process.stdout
