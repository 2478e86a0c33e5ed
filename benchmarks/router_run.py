"""The router on the whole path: `alert-router run` on a file, its outbox in SQLite (synchronous=FULL), a signed webhook.

Start-up, loading the rules and the end of the run are taken off by a run on ten alerts with the same rules, because a
server has them behind it, too, when it is measured.
"""

from __future__ import annotations

import os
import sys
from base64 import b64encode
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from secrets import token_bytes
from subprocess import DEVNULL, Popen
from tempfile import TemporaryDirectory
from threading import Timer
from time import monotonic

from benchmarks.race import Race
from benchmarks.sink import Sink
from benchmarks.workload import alerts, write_rules

SECRET = f"whsec_{b64encode(token_bytes(32)).decode()}"
PATIENCE = 120  # seconds


@dataclass(frozen=True, slots=True)
class _Cost:
    cpu: float
    seconds: float


def race(sink: Sink, count: int, rules: int) -> Race:
    """The router on `count` alerts and so many suppression rules."""
    with TemporaryDirectory() as directory:
        root = Path(directory)
        write_rules(root / "rules", rules, datetime.now(UTC), url=sink.url)
        start = _run(root, "start", 10)
        before = sink.count()
        whole = _run(root, "whole", count)
        delivered = sink.count() - before
        assert delivered == count - count // 10, f"{delivered} of {count} alerts were delivered"
        return Race(delivered=delivered, cpu=whole.cpu - start.cpu, seconds=whole.seconds - start.seconds)


def _run(root: Path, name: str, count: int) -> _Cost:
    file = root / f"{name}.ndjson"
    file.write_bytes(b"\n".join(alerts(count)))
    command = [sys.executable, "-m", "router", "run", "--stream", "cwpp", "--rules", str(root / "rules")]
    command += ["--state", str(root / name), str(file)]
    start = monotonic()
    process = Popen(command, env=os.environ | {"BENCH_WEBHOOK_SECRET": SECRET}, stdout=DEVNULL, stderr=DEVNULL)
    guard = Timer(PATIENCE, process.kill)
    guard.start()
    _, status, usage = os.wait4(process.pid, 0)
    guard.cancel()
    process.returncode = os.waitstatus_to_exitcode(status)
    assert process.returncode == 0, f"alert-router run ended with {process.returncode}"
    return _Cost(cpu=usage.ru_utime + usage.ru_stime, seconds=monotonic() - start)
