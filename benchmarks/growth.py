"""What a message costs in a large state, on both engines: own CPU and the server's, against smaller states in the same run.

A state is a thousand alerts that were taken in and delivered, a hundred at each of ten resources, and as many copies of the
rows of one of them as are wanted, under other keys. The states take turns, a round each, so that all meet the same machine.

    .venv/bin/python -m benchmarks.growth --engine sqlite --signals 300000     # two minutes
"""

from __future__ import annotations

import argparse
import asyncio
import random
import re
import sqlite3
import time
from collections import defaultdict
from collections.abc import Awaitable, Callable, Iterator, Sequence
from contextlib import ExitStack, closing
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory
from typing import Any

import psycopg

from benchmarks.table import Row, markdown
from benchmarks.virtual import Clock, OnFile
from router.app.rules import Rules, load_rules
from router.domain.signals import Stream
from router.store.store import Store
from tests.builders import RESOURCE, alert_body
from tests.stack.postgres import postgres_running
from tests.store.opened import Place, open_store

THOUSAND, TEN_THOUSAND, MILLION = 1_000, 10_000, 1_000_000
ROUNDS, EARLIER = 10, 100
ALONE, TOGETHER = 20, 50
SIZE = 1_000
"""Bytes of an alert."""
PROSE = " ".join(re.findall(r"[\w.,:-]+", (Path(__file__).parent.parent / "docs" / "operations.md").read_text("utf-8")))
"""What alerts say: a stretch of English, so that what is deflated is as large as what people write."""

POLICY = """
stream: cwpp
floor: {default: Medium}
destinations:
  tickets: {kind: servicenow, url: "https://soc.example", auth: {user: router, password: {secret: CWPP_PASSWORD}}}
  sentinel: {kind: log_analytics, endpoint: "https://soc.example", rule: dcr-1, table: ASimAlertEventLogs}
routes: []
always: [sentinel]
otherwise: [tickets]
"""

_COPIED = {
    "signals": ("key", {"key": "m.key"}),
    "lookups": ("signal", dict.fromkeys(("signal", "id", "id_end", "resource", "resource_end"), "m.key")),
    "decisions": ("signal", {"key": "m.key", "signal": "m.key"}),
    "notices": ("key", {"key": "m.key"}),
    "deliveries": ("key", {"key": "m.key", "id": "m.key || t.destination", "reference": "m.key"}),
}
"""The tables that hold a signal: the column of its key, and what a copy has in its columns instead."""

_KEYS_OF = {
    "sqlite": """
WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i+1 FROM n WHERE i<{}) SELECT lower(hex(randomblob(16))) AS key FROM n
""",
    "postgresql": "SELECT md5(n.i::text) AS key FROM generate_series(1, {}) AS n (i)",
}


@dataclass(slots=True)
class State:
    """A state and a router at work on it.

    Attributes:
        costs: CPU seconds a message, by what was done, a value a round.
    """

    store: Store
    clock: Clock
    router: OnFile
    costs: defaultdict[str, list[float]] = field(default_factory=lambda: defaultdict(list))

    async def measure(self, what: str, messages: int, work: Callable[[], Awaitable[None]]) -> None:
        """Note what work cost for each of its messages: CPU of this process, and of the server's that works for it."""
        clocks = [time.CLOCK_PROCESS_CPUTIME_ID]
        if self.store.is_shared:
            async with self.store.session() as tx:
                # This is how Linux names the clock of another process: clock_getcpuclockid(3).
                clocks.append((~int(await tx.value("SELECT pg_backend_pid()")) << 3) | 2)
        begun = sum(map(time.clock_gettime, clocks))
        await work()
        self.costs[what].append((sum(map(time.clock_gettime, clocks)) - begun) / messages)


def main() -> None:
    """Prints the table of some engines, for a state of some size."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.growth", description=__doc__)
    parser.add_argument("--engine", choices=_KEYS_OF, action="append", help="default: both")
    parser.add_argument("--signals", type=int, default=MILLION, help=f"default: {MILLION:,}")
    options = parser.parse_args()
    print(markdown(measure(options.signals, options.engine or tuple(_KEYS_OF))))


def measure(signals: int = MILLION, engines: Sequence[str] = tuple(_KEYS_OF)) -> Iterator[Row]:
    """The rows of a state that grows to so many signals."""
    for engine in engines:
        with ExitStack() as held:
            scratch = Path(held.enter_context(TemporaryDirectory(prefix="growth-")))
            (scratch / "rules" / "cwpp").mkdir(parents=True)
            (scratch / "rules" / "cwpp" / "policy.yaml").write_text(POLICY)
            rules = load_rules(scratch / "rules", [Stream.CWPP], datetime.now(UTC))
            places: list[Place] = [scratch / "few", scratch / "some", scratch / "many"]
            if engine == "postgresql":
                # The server has a user of its own, and memory no room for it.
                scratch.chmod(0o711)
                server = held.enter_context(postgres_running(scratch / "server"))
                places = [server.new_database() for _ in places]
            yield from asyncio.run(_measured(engine, places, rules, (THOUSAND, TEN_THOUSAND, signals)))


async def _measured(engine: str, places: Sequence[Place], rules: Rules, sizes: Sequence[int]) -> Sequence[Row]:
    states = []
    bytes_each = 0.0
    for place, size in zip(places, sizes, strict=True):
        state = await _opened(place, rules)
        empty = await _bytes_of(state.store)
        for number in range(ROUNDS):
            await state.router.take(Stream.CWPP, [_alert(f"{number}-{n}", f"busy-{number}") for n in range(EARLIER)])
            await state.router.deliver()
        await state.store.close()
        _copy(engine, place, size - ROUNDS * EARLIER)
        state = await _opened(place, rules, ROUNDS * EARLIER)
        bytes_each = (await _bytes_of(state.store) - empty) / size
        states.append(state)
    for number in range(ROUNDS):
        for state in random.sample(states, len(states)):
            await _round(state, number)
    for state in states:
        await state.store.close()
    return _rows(engine, sizes[-1], states, bytes_each)


async def _round(state: State, number: int) -> None:
    alone = [_alert(f"alone-{number}-{n}", f"alone-{number}-{n}") for n in range(ALONE)]
    fresh = [_alert(f"fresh-{number}-{n}", f"fresh-{number}-{n}") for n in range(TOGETHER)]
    busy = [_alert(f"busy-{number}-{n}", f"busy-{number}") for n in range(TOGETHER)]

    async def take_alone() -> None:
        for body in alone:
            await state.router.take(Stream.CWPP, [body])

    async def take_and_deliver(bodies: Sequence[bytes]) -> None:
        await state.router.take(Stream.CWPP, bodies)
        await state.router.deliver()

    await state.measure("alone", ALONE, take_alone)
    await state.router.deliver()
    await state.measure("fresh", TOGETHER, lambda: take_and_deliver(fresh))
    await state.measure("busy", TOGETHER, lambda: take_and_deliver(busy))


async def _opened(place: Place, rules: Rules, first: int = 0) -> State:
    clock = Clock(datetime.now(UTC))
    store = open_store(place, clock)
    await store.upgrade()
    return State(store, clock, OnFile(store, rules, clock, first))


def _alert(id: str, machine: str) -> bytes:
    body = alert_body(id, AzureResourceId=f"{RESOURCE}-{machine}", Description="")
    start, length = random.randrange(len(PROSE) - SIZE), SIZE - len(body)
    return alert_body(id, AzureResourceId=f"{RESOURCE}-{machine}", Description=PROSE[start : start + length])


async def _bytes_of(store: Store) -> int:
    return sum((await store.measure()).files.values())


def _copy(engine: str, place: Place, many: int) -> None:
    """Make so many copies of a signal, and have the engine look at what it holds."""
    keys = f"CREATE TEMPORARY TABLE m AS {_KEYS_OF[engine].format(many)} ORDER BY key"
    if isinstance(place, str):
        with psycopg.connect(place, autocommit=True) as server:
            _fill(lambda statement: server.execute(statement.encode()), keys, many)
            server.execute("VACUUM ANALYZE")
    else:
        with closing(sqlite3.connect(place / "router.db", isolation_level=None)) as file:
            file.execute("PRAGMA synchronous=OFF")
            _fill(file.execute, keys, many)
            file.execute("ANALYZE")
            file.execute("PRAGMA wal_checkpoint(TRUNCATE)")


def _fill(execute: Callable[[str], Any], keys: str, many: int) -> None:
    if not many:
        return
    execute(keys)
    (seed,) = execute("SELECT min(key) FROM signals").fetchone()
    for table, (key, changed) in _COPIED.items():
        columns = [one[0] for one in execute(f"SELECT * FROM {table} LIMIT 0").description]  # noqa: S608
        kept = [name for name in columns if name != "place" or table == "signals"]
        written = ", ".join(changed.get(name, f"t.{name}") for name in kept)
        copies = f"SELECT {written} FROM {table} t, m WHERE t.{key}='{seed}'"  # noqa: S608
        execute(f"INSERT INTO {table} ({', '.join(kept)}) {copies}")


def _rows(engine: str, size: int, states: Sequence[State], bytes_each: float) -> list[Row]:
    few, some, many = states

    def compared(what: str, large: State, small: State, measured: str) -> Row:
        ratios = [a / b for a, b in zip(large.costs[measured], small.costs[measured], strict=True)]
        costs = [f"{median(state.costs[measured]) * 1e3:.2f}" for state in (large, small)]
        return Row(
            what=f"{engine}: {what}", measured=median(ratios), limit=1.2, seen=f"{costs[0]} against {costs[1]} ms"
        )

    return [
        compared(f"one message at {size:,} signals against {THOUSAND:,}: CPU", many, few, "alone"),
        compared(f"an alert, in and out, at {size:,} against {TEN_THOUSAND:,}: CPU", many, some, "fresh"),
        compared(f"the same where its resource has {EARLIER} earlier alerts", many, some, "busy"),
        Row(
            what=f"{engine}: disk a signal of a {SIZE / 1000:.0f} KB alert, delivered twice",
            measured=bytes_each / 1000,
            limit=3,
            unit="KB",
            seen=f"{size:,} signals",
        ),
    ]


if __name__ == "__main__":
    main()
