"""How long a step of forgetting holds a SQLite writer: a large state of which everything is old enough to go.

While it goes, a process of its own begins one write transaction after the other, and says how long each had to wait.
"""

from __future__ import annotations

import asyncio
import json
import select
import sqlite3
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from itertools import batched
from pathlib import Path
from statistics import quantiles
from tempfile import TemporaryDirectory

from benchmarks.field import rules_for
from benchmarks.table import Row
from benchmarks.virtual import Clock, OnFile
from router.domain.signals import Stream
from router.store.forgetting import forget
from router.store.retention import Retention
from tests.builders import alert_body
from tests.store.opened import open_store

SIGNALS = 100_000
TOLD = 5
"""One in so many signals is told everywhere, and half of those are resolved."""
AT_A_TIME = 500
YEAR = timedelta(days=365)
PAUSE = 0.002
"""Seconds between two steps: whoever waits for the lock looks at it every now and then."""
LOOK = 0.0002


def measure() -> Iterator[Row]:
    """The row of forgetting."""
    with TemporaryDirectory() as scratch:
        yield asyncio.run(_measured(Path(scratch)))


async def _measured(scratch: Path) -> Row:
    clock = Clock(datetime.now(UTC) - YEAR)
    store, rules = open_store(scratch / "state", clock), rules_for(scratch / "rules", clock.now, 1)
    await _fill(OnFile(store, rules, clock))
    number, is_done, steps, now = 0, False, list[float](), clock.now + YEAR
    with _waiting(scratch / "state") as waits:
        while not is_done:
            began = time.perf_counter()
            gone, is_done = await forget(store, now, Retention(), 1)
            number += gone
            steps.append(time.perf_counter() - began)
            await asyncio.sleep(PAUSE)
    await store.close()
    return Row(
        what="the longest that a step of forgetting holds a SQLite writer",
        measured=max(waits) * 1e3,
        limit=50,
        unit="ms",
        seen=f"p99 {_p99(waits):.1f} ms of {len(waits):,} waits; {len(steps):,} steps of {max(steps) * 1e3:.1f} ms at most, "
        f"p99 {_p99(steps):.1f} ms; {number:,} decisions and signals",
    )


async def _fill(at_work: OnFile) -> None:
    """Takes signals in and delivers what is owed, all of it at one instant."""
    for some in batched(range(SIGNALS), AT_A_TIME, strict=False):
        severity = {n: "High" if n % TOLD == 0 else "Low" for n in some}
        await at_work.take(Stream.CWPP, [alert_body(f"old-{n}", Severity=severity[n]) for n in some])
        ended = [n for n in some if n % (2 * TOLD) == 0]
        await at_work.take(Stream.CWPP, [alert_body(f"old-{n}", Severity="High", Status="Resolved") for n in ended])
        await at_work.deliver()


@contextmanager
def _waiting(state: Path) -> Iterator[list[float]]:
    """A list that holds, when the context ends, how long another process waited for each of its transactions to begin."""
    waits: list[float] = []
    command = [sys.executable, "-m", "benchmarks.forgetting", str(state / "router.db")]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        process.stdout.readline()
        try:
            yield waits
        finally:
            answer, _ = process.communicate()
        waits += json.loads(answer)


def _p99(seconds: list[float]) -> float:
    """Milliseconds that 99 in 100 do not exceed."""
    return quantiles(seconds, n=100, method="inclusive")[98] * 1e3


def _wait(path: str) -> None:
    """Begins transactions until its input ends, then writes how long each waited."""
    db = sqlite3.connect(path, isolation_level=None, timeout=0)
    waits: list[float] = []
    print("ready", flush=True)
    while not select.select([sys.stdin], [], [], PAUSE)[0]:
        began = time.perf_counter()
        # SQLite's own patience grows from 1 to 100 ms between two looks, and would be measured instead.
        while not _is_begun(db):
            time.sleep(LOOK)
        waits.append(time.perf_counter() - began)
        db.execute("ROLLBACK")
    print(json.dumps(waits))


def _is_begun(db: sqlite3.Connection) -> bool:
    try:
        db.execute("BEGIN IMMEDIATE")
    except sqlite3.OperationalError as fault:
        if fault.sqlite_errorcode != sqlite3.SQLITE_BUSY:
            raise
        return False
    return True


if __name__ == "__main__":
    _wait(sys.argv[1])
