"""What the router asks of storage, and its own CPU: for an alert that is told everywhere, for one that is only on record,
and for a minute in which nothing happens. docs/deploy.md reckons costs with it.

    .venv/bin/python -m benchmarks.account [--rounds 5]
    .venv/bin/python -m benchmarks.account --against DIR    # this checkout and another one, alternately

The router is in a process of its own, and CPU is that process's; the median over the rounds is shown, each in a new account.
Requests are counted at a gate before Azurite. The host's own are not among them: its checkpoints, its leases, its looks into
queues; nor are the pointers' receipts, since a loop of ours and not the host receives them here.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from statistics import median
from subprocess import PIPE, Popen
from tempfile import TemporaryDirectory
from typing import IO, NamedTuple

from benchmarks.workload import alerts
from tests.builders import alert_body
from tests.stack.gate.gated import GatedStack, gated
from tests.stack.gate.requests import Seen
from tests.stack.stack import stack_running

ROOT = Path(__file__).parent.parent
ALERTS = 100
WARM = 10
QUIET = 3.0
"""Seconds without a request after which everything is delivered: longer than an empty queue is left alone."""
TICK = 0.05
STORAGE = ("table", "queue", "blob")


class Case(NamedTuple):
    """Alerts that come in, so many at a time, and are delivered then."""

    what: str
    then: str
    bodies: Sequence[bytes]
    at_a_time: int


@dataclass(frozen=True, slots=True)
class Cost:
    """What one message cost: requests by service, bytes sent to storage, CPU seconds."""

    requests: Mapping[str, float]
    sent: float
    cpu: float

    @property
    def total(self) -> float:
        """Requests to all services."""
        return sum(self.requests.values())


type Costs = Sequence[tuple[str, Cost]]
"""With what was done, in its order."""


def main() -> int:
    """Prints a line for each case."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.account", description=__doc__)
    parser.add_argument("--against", type=Path, metavar="DIR", help="another checkout, measured alternately")
    parser.add_argument("--rounds", type=int, default=5, help="how often each is measured (default: 5)")
    options = parser.parse_args()
    checkouts = [ROOT] if options.against is None else [ROOT, options.against]
    measured: list[list[Costs]] = [[] for _ in checkouts]
    for number in range(options.rounds):
        # In turn, and each begins as often as the other: the machine may get slower or faster meanwhile.
        for which in sorted(range(len(checkouts)), reverse=number % 2 == 1):
            print(f"round {number + 1} of {options.rounds}: {checkouts[which]}", file=sys.stderr, flush=True)
            measured[which].append(_measured(checkouts[which]))
    for number, (what, _) in enumerate(measured[0][0]):
        ours, *others = ([costs[number][1] for costs in rounds] for rounds in measured)
        print(_compared(what, ours, others[0]) if others else _line(what, ours))
    return 0


def _cases() -> list[Case]:
    everywhere, record = "page, ticket, row, record", "record only"

    def small(name: str, **fields: str) -> list[bytes]:
        return [alert_body(f"{name}-{n}", **fields) for n in range(ALERTS)]

    return [
        Case("taken in by the hundred, told everywhere", everywhere, small("told"), ALERTS),
        Case("taken in one by one, told everywhere", everywhere, small("alone"), 1),
        Case("taken in by the hundred, below the floor", record, small("kept", Severity="Low"), ALERTS),
        Case("taken in by twos, below the floor", record, small("trickled", Severity="Low"), 2),
        Case("4.9 KB each, by the hundred, told everywhere", everywhere, alerts(ALERTS), ALERTS),
    ]


def _measured(checkout: Path) -> Costs:
    """What everything costs in an account that is new."""
    with stack_running() as stack, gated(stack) as behind, _router(checkout, behind) as router:
        return list(_costs(router))


def _costs(router: Router) -> Iterator[tuple[str, Cost]]:
    # What a process does once, and what is not there before the first sweep, is no later one's cost.
    router.do("sweep")
    yield "a sweep of both streams, nothing ever came", router.cost_of(1, lambda: router.do("sweep"))
    for number, severity in enumerate(("High", "Low")):
        router.take([alert_body(f"warm-{severity}-{n}", Severity=severity) for n in range(WARM)], number * WARM, 1)
        router.deliver()
    router.do("sweep")
    yield "a sweep of both streams, all was delivered", router.cost_of(1, lambda: router.do("sweep"))
    for number, case in enumerate(_cases(), start=1):
        take = partial(router.take, case.bodies, number * 1000, case.at_a_time)
        yield case.what, router.cost_of(ALERTS, take)
        yield f"... and delivered: {case.then}", router.cost_of(ALERTS, router.deliver)


class Router:
    """The router of a checkout, at work in a process of its own."""

    def __init__(self, process: Popen[str], seen: list[Seen], directory: Path) -> None:
        self._process = process
        self._seen = seen
        self._directory = directory

    def cost_of(self, messages: int, work: Callable[[], float]) -> Cost:
        """What some work cost a message; the work says the process's CPU at its end."""
        first, before = len(self._seen), self.cpu()
        cpu = work() - before
        seen = [one for one in self._seen[first:] if _counts(one)]
        asked = Counter(one.service for one in seen)
        return Cost(
            requests={service: asked[service] / messages for service in STORAGE},
            sent=sum(len(one.body) for one in seen) / messages,
            cpu=cpu / messages,
        )

    def take(self, bodies: Sequence[bytes], first: int, at_a_time: int) -> float:
        """Takes messages in."""
        file = self._directory / "messages.ndjson"
        file.write_bytes(b"\n".join(bodies))
        return self.do(f"take {file} {first} {at_a_time}")

    def deliver(self) -> float:
        """Carries what is owed until nothing was asked of storage for a while, which is not counted."""
        self.do("deliver", "delivering")
        quiet_since, cpu, requests = time.monotonic(), self.cpu(), -1
        while time.monotonic() - quiet_since < QUIET:
            # At the first tick of every silence, since looks into empty queues cost CPU, too.
            if (count := sum(map(_counts, self._seen))) != requests:
                quiet_since, cpu, requests = time.monotonic(), self.cpu(), count
            time.sleep(TICK)
        self.do("rest")
        return cpu

    def do(self, line: str, answer: str = "done") -> float:
        """Has one line done."""
        stdin, stdout = _pipes(self._process)
        stdin.write(f"{line}\n")
        stdin.flush()
        said = stdout.readline().strip()
        assert said == answer, f"{line}: {said or 'the router ended'}"
        return self.cpu()

    def cpu(self) -> float:
        """CPU seconds of the process, all its threads together."""
        # This is how Linux names the clock of another process: clock_getcpuclockid(3).
        return time.clock_gettime((~self._process.pid << 3) | 2)


@contextmanager
def _router(checkout: Path, stack: GatedStack) -> Iterator[Router]:
    with TemporaryDirectory(prefix="account-") as scratch:
        directory = Path(scratch)
        for entry in checkout.resolve().iterdir():
            if entry.name != "benchmarks":
                (directory / entry.name).symlink_to(entry)
        # An older checkout is measured by these benchmarks, too.
        (directory / "benchmarks").symlink_to(ROOT / "benchmarks")
        command = [sys.executable, "-m", "benchmarks.account_router"]
        with Popen(command, cwd=directory, env=stack.environment, stdin=PIPE, stdout=PIPE, text=True) as process:
            stdin, stdout = _pipes(process)
            try:
                stdin.write(json.dumps({"rules": str(stack.rules), "environment": stack.environment}) + "\n")
                stdin.flush()
                code = stdout.readline().strip()
                assert Path(code).is_relative_to(checkout.resolve()), f"{checkout}: {code or 'the router ended'}"
                yield Router(process, stack.gate.watch(), directory)
            finally:
                stdin.close()


def _pipes(process: Popen[str]) -> tuple[IO[str], IO[str]]:
    assert process.stdin is not None
    assert process.stdout is not None
    return process.stdin, process.stdout


def _counts(one: Seen) -> bool:
    """Whether a request is one to storage, and no look into a queue: how many of those there are depends on time."""
    return one.service in STORAGE and (one.service, one.method) != ("queue", "GET")


def _line(what: str, costs: Sequence[Cost]) -> str:
    asked = "  ".join(f"{service} {median(one.requests[service] for one in costs):6.2f}" for service in STORAGE)
    sent = median(one.sent for one in costs) / 1e3
    return f"{what:44} {asked}  sent {sent:6.2f} KB  CPU {median(one.cpu for one in costs) * 1e3:6.2f} ms"


def _compared(what: str, ours: Sequence[Cost], others: Sequence[Cost]) -> str:
    requests, their_requests = (median(one.total for one in some) for some in (ours, others))
    sent, their_sent = (median(one.sent for one in some) / 1e3 for some in (ours, others))
    cpu, their_cpu = (median(one.cpu for one in some) * 1e3 for some in (ours, others))
    ratios = sorted(one.cpu / other.cpu for one, other in zip(ours, others, strict=True))
    return (
        f"{what:44} requests {requests:6.2f} against {their_requests:6.2f} ({requests - their_requests:+.2f})"
        f"  sent {sent:6.2f} against {their_sent:6.2f} KB ({sent / their_sent:.2f}x)"
        f"  CPU {cpu:6.2f} against {their_cpu:6.2f} ms ({median(ratios):.2f}x, {ratios[0]:.2f} to {ratios[-1]:.2f})"
    )


if __name__ == "__main__":
    sys.exit(main())
