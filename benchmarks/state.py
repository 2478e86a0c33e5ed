"""What a message costs on each engine: own CPU, round trips to PostgreSQL, and how many a second go in and out by one worker.

The router is in a process of its own, and CPU is that process's. Round trips are counted on the way to the server, which is
a real one, in memory: each is a message after which the client waits. The receivers are real, on loopback.
"""

from __future__ import annotations

import json
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from subprocess import PIPE, Popen
from typing import IO, NamedTuple

from benchmarks.checkouts import Checkout, NotRun
from benchmarks.engines import ENGINES
from benchmarks.table import Row
from benchmarks.workload import alerts
from tests.builders import alert_body
from tests.stack.postgres import Way, postgres_running
from tests.stack.stack import Stack, stack_running
from tests.store.opened import Place, rows_in

MANY, ALONE, WARM = 1_000, 50, 20
AT_A_TIME = 100
FIRST_ALONE = 100_000
"""The number of the first message that comes alone: those of a partition rise."""
TICK = 0.02
TOLD = "told to pager, ticket, rows and record"

_OPEN = "SELECT count(*) FROM deliveries WHERE state IN ('owed', 'claimed')"


class Cost(NamedTuple):
    """What a message cost: round trips, CPU seconds, and seconds."""

    trips: float
    cpu: float
    seconds: float


def measure(scale: float) -> Iterator[Row]:
    """The rows of the state on each engine."""
    for engine in ENGINES:
        with router_over(engine) as router:
            yield from _by_the_hundred(engine, router, max(AT_A_TIME, round(MANY * scale)))
            if router.way is not None:
                yield _one_by_one(engine, router)


def _by_the_hundred(engine: str, router: Router, many: int) -> Iterator[Row]:
    taken, out = router.pass_through(many)
    if router.way is not None:
        seen = f"{taken.trips:.2f} in, {out.trips:.2f} out; {many:,} small alerts"
        what = f"{engine}: round trips a message {TOLD}, by the hundred"
        yield Row(what=what, measured=taken.trips + out.trips, limit=0.3, unit="", seen=seen)
    for where, cost, limit in (("in", taken, 1), ("out", out, 2)):
        what = f"{engine}: own CPU a message so told, by the hundred: {where}"
        yield Row(what=what, measured=cost.cpu * 1e3, limit=limit, unit="ms", seen=f"{many:,} small alerts")
    yield Row(what=f"{engine}: intake by one worker", measured=1 / taken.seconds, unit="messages/s")
    yield Row(what=f"{engine}: deliveries by one worker", measured=4 / out.seconds, unit="/s")


def _one_by_one(engine: str, router: Router) -> Row:
    taken = router.take(alerts(ALONE), FIRST_ALONE, 1)
    trips = 0.0
    for number in range(ALONE):
        router.take([alert_body(f"alone-{number}")], 2 * FIRST_ALONE + number, 1)
        trips += router.deliver(1).trips / ALONE
    seen = f"{taken.trips:.1f} in, {trips:.1f} out; {ALONE} alerts"
    what = f"{engine}: round trips a message so told, one by one"
    return Row(what=what, measured=taken.trips + trips, limit=16, unit="", seen=seen)


class Router:
    """The router, at work in a process of its own on a state, to which it has a counted way if that is in a database."""

    def __init__(self, process: Popen[str], state: Place, way: Way | None, directory: Path) -> None:
        self.way = way
        self._process = process
        self._state = state
        self._directory = directory
        self._passed = 0

    def pass_through(self, many: int) -> tuple[Cost, Cost]:
        """Take small alerts in by the hundred, then deliver them; return what a message cost in, and out."""
        first = self._passed
        self._passed += many
        return self.take([alert_body(f"told-{first + n}") for n in range(many)], first, AT_A_TIME), self.deliver(many)

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
        while rows_in(self._state, _OPEN) != [(0,)]:
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
            raise NotRun(f"{line}: {said or 'the router ended'}")

    def _now(self) -> Cost:
        # This is how Linux names the clock of another process: clock_getcpuclockid(3).
        cpu = time.clock_gettime((~self._process.pid << 3) | 2)
        return Cost(self.way.trips if self.way is not None else 0, cpu, time.perf_counter())

    def _since(self, begun: Cost, messages: int) -> Cost:
        return Cost(*((now - before) / messages for now, before in zip(self._now(), begun, strict=True)))


@contextmanager
def router_over(engine: str, checkout: Checkout | None = None) -> Iterator[Router]:
    """A checkout's router over a new state, after its first few messages."""
    checkout = checkout or Checkout()
    with ExitStack() as held:
        server = held.enter_context(postgres_running())
        stack = held.enter_context(stack_running(server.new_database()))
        place: Place = stack.directory / "state"
        way, state = None, str(place)
        if engine == "PostgreSQL":
            # The stack's own is made by the code of this checkout.
            place = server.new_database()
            way = held.enter_context(Way(server.url))
            state = way.to(place)
            checkout.run("-m", "router", "state", "upgrade", "--state", place)
        router = Router(held.enter_context(_process(stack, checkout, state)), place, way, stack.directory)
        router.pass_through(WARM)
        yield router


@contextmanager
def _process(stack: Stack, checkout: Checkout, state: str) -> Iterator[Popen[str]]:
    environment = stack.environment | {"ALERT_ROUTER_STATE": state, "PYTHONPATH": str(checkout.directory)}
    command = [checkout.python, "-m", "benchmarks.state_router"]
    with Popen(command, cwd=checkout.directory, env=environment, stdin=PIPE, stdout=PIPE, text=True) as process:
        stdin, stdout = _pipes(process)
        try:
            stdin.write(json.dumps({"rules": str(stack.rules), "environment": environment}) + "\n")
            stdin.flush()
            if not stdout.readline():
                raise NotRun("the router ended")
            yield process
        finally:
            stdin.close()


def _pipes(process: Popen[str]) -> tuple[IO[str], IO[str]]:
    if process.stdin is None or process.stdout is None:
        raise RuntimeError("the router has no pipes")
    return process.stdin, process.stdout
