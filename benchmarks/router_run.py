"""The router on the whole path: `alert-router run` on a file, its outbox in SQLite (synchronous=FULL), a signed webhook.

Start-up, loading the rules and the end of the run are taken off by a run on ten alerts with the same rules, because a
server has them behind it, too, when it is measured.
"""

from __future__ import annotations

from base64 import b64encode
from datetime import UTC, datetime
from pathlib import Path
from secrets import token_bytes
from tempfile import TemporaryDirectory
from time import monotonic
from typing import NamedTuple

from benchmarks.checkouts import Checkout, NotRun
from benchmarks.race import Race
from benchmarks.sink import Sink
from benchmarks.workload import alerts, write_rules

SECRET = f"whsec_{b64encode(token_bytes(32)).decode()}"
START = 10  # alerts


class Run(NamedTuple):
    """CPU and wall-clock seconds of a run, and the last line that it printed."""

    cpu: float
    seconds: float
    last: str


def race(sink: Sink, count: int, rules: int, checkout: Checkout | None = None) -> Race:
    """The router of a checkout, this one by default, on `count` alerts and so many suppression rules."""
    start, whole = runs(sink, count, rules, checkout or Checkout(), "router")
    delivered = count - count // 10
    return Race(delivered=delivered, cpu=whole.cpu - start.cpu, seconds=whole.seconds - start.seconds)


def runs(sink: Sink, count: int, rules: int, checkout: Checkout, module: str) -> tuple[Run, Run]:
    """A run on START alerts and one on `count`, each into a new state, by a module that takes the router's arguments."""
    with TemporaryDirectory() as directory:
        root = Path(directory)
        write_rules(root / "rules", rules, datetime.now(UTC), url=sink.url)
        start = _run(root, START, checkout, module)
        before = sink.count()
        whole = _run(root, count, checkout, module)
        delivered = sink.count() - before
    if delivered != count - count // 10:
        raise NotRun(f"{delivered} of {count} alerts were delivered")
    return start, whole


def _run(root: Path, count: int, checkout: Checkout, module: str) -> Run:
    file = root / f"{count}.ndjson"
    file.write_bytes(b"\n".join(alerts(count)))
    command = ["-m", module, "run", "--stream", "cwpp", "--rules", str(root / "rules")]
    command += ["--state", str(root / str(count)), str(file)]
    start = monotonic()
    cpu, last = checkout.run(*command, settings={"BENCH_WEBHOOK_SECRET": SECRET})
    return Run(cpu, monotonic() - start, last)
