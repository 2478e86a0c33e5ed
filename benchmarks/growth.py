"""What a message costs in a large state, on each engine, against smaller states in the same run; what grouping adds; what
a step of forgetting takes; and how large a signal is on disk. CPU is this process's, and that of the server's for it.

A state is a thousand alerts that were taken in and delivered, a hundred at each of ten resources, and as many copies of the
rows of one of them as are wanted, under other keys. The states take turns, a round each, so that all meet the same machine.
"""

from __future__ import annotations

import asyncio
import random
import re
import sqlite3
import time
from collections import defaultdict
from collections.abc import Awaitable, Callable, Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory
from typing import Any

import psycopg

from benchmarks.engines import ENGINES, Engine, engine_running
from benchmarks.table import Row, compared
from benchmarks.virtual import Clock, VirtualRouter
from router.app.rules import Rules, load_rules
from router.domain.signals import Stream
from router.store.forgetting import forget
from router.store.retention import Retention
from router.store.store import Store
from tests.builders import RESOURCE, alert_body
from tests.store.opened import Place, open_store

THOUSAND, TEN_THOUSAND, MILLION = 1_000, 10_000, 1_000_000
ROUNDS, EARLIER, RESOURCES = 10, 100, 50
ALONE, TOGETHER = 20, 50
STEPS = 300
"""Steps of forgetting, each of a hundred rows."""
YEAR = timedelta(days=365)
SIZE = 1_000
"""Bytes of an alert."""
PROSE = " ".join(re.findall(r"[\w.,:-]+", (Path(__file__).parent.parent / "docs" / "operations.md").read_text("utf-8")))
"""What alerts say: a stretch of English, so that what is deflated is as large as what people write."""

TICKETS = 'kind: servicenow, url: "https://soc.example", auth: {user: router, password: {secret: CWPP_PASSWORD}}'
TWICE = f"""
stream: cwpp
floor: {{default: Medium}}
destinations:
  tickets: {{{TICKETS}}}
  sentinel: {{kind: log_analytics, endpoint: "https://soc.example", rule: dcr-1, table: ASimAlertEventLogs}}
routes: []
always: [sentinel]
otherwise: [tickets]
"""
ALONE_OR_GROUPED = tuple(
    f"stream: cwpp\ndestinations: {{tickets: {{{TICKETS}{group}}}}}\notherwise: [tickets]\n"
    for group in ("", ", group: {by: [resource], window: 1h}, limit: {most: 20, window: 1h}")
)

_COPIED = {
    "signals": ("key", {"key": "m.key"}),
    "lookups": (
        "signal",
        dict.fromkeys(("signal", "id", "id_end"), "m.key")
        | {"resource": "substr(t.resource, 33) || m.key", "resource_end": "m.key || substr(t.resource_end, 33)"},
    ),
    "decisions": ("signal", {"key": "m.key", "signal": "m.key"}),
    "notices": ("key", {"key": "m.key"}),
    "deliveries": ("key", {"key": "m.key", "id": "m.key || t.destination", "reference": "m.key"}),
}
"""The tables that hold a signal: the column of its key, and what a copy has in its columns instead."""

_KEYS_OF = {
    "SQLite": """
WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i+1 FROM n WHERE i<{}) SELECT lower(hex(randomblob(16))) AS key FROM n
""",
    "PostgreSQL": "SELECT md5(n.i::text) AS key FROM generate_series(1, {}) AS n (i)",
}


@dataclass(slots=True)
class State:
    """A state and a router at work on it.

    Attributes:
        costs: CPU seconds a message, by what was done, a value a round.
    """

    store: Store
    clock: Clock
    router: VirtualRouter
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


def measure(scale: float) -> Iterator[Row]:
    """The rows of states that grow to a million signals."""
    for name in ENGINES:
        with engine_running(name) as engine:
            yield from asyncio.run(_grown(engine, (THOUSAND, TEN_THOUSAND, round(MILLION * scale))))
        with engine_running(name) as engine:
            yield asyncio.run(_grouped(engine))


async def _grown(engine: Engine, sizes: Sequence[int]) -> Sequence[Row]:
    rules, states, bytes_each = _rules(TWICE), list[State](), 0.0
    for size in sizes:
        place = engine.new_state()
        state = await _opened(place, rules)
        empty = await _bytes_of(state.store)
        for number in range(ROUNDS):
            await state.router.take(Stream.CWPP, [_alert(f"{number}-{n}", f"busy-{number}") for n in range(EARLIER)])
            await state.router.deliver()
        await state.store.close()
        _copy(engine.name, place, size - ROUNDS * EARLIER)
        state = await _opened(place, rules, ROUNDS * EARLIER)
        bytes_each = (await _bytes_of(state.store) - empty) / size
        states.append(state)
    for number in range(ROUNDS):
        for state in random.sample(states, len(states)):
            await _round(state, number)
    await _forget(states[-1])
    for state in states:
        await state.store.close()
    return list(_rows(engine.name, sizes[-1], states, bytes_each))


async def _grouped(engine: Engine) -> Row:
    """What taking alerts in costs that all join a group of one of some resources, against the same without groups."""
    alone, grouped = [await _opened(engine.new_state(), _rules(policy)) for policy in ALONE_OR_GROUPED]
    for number in range(ROUNDS + 1):
        bodies = [_alert(f"{number}-{n}", str(n % RESOURCES)) for n in range(2 * RESOURCES)]
        for state in random.sample((alone, grouped), 2):
            what = "intake" if number else "the first round, which finds no group"
            await state.measure(what, len(bodies), partial(state.router.take, Stream.CWPP, bodies))
            await state.router.deliver()
    for state in (alone, grouped):
        await state.store.close()
    what = f"{engine.name}: grouped intake at a limited destination, against ungrouped: CPU"
    return compared(what, grouped.costs["intake"], alone.costs["intake"], 1.5, "{:.2f} ms")


async def _forget(state: State) -> None:
    """Forget a year later, a step at a time: each is a transaction, for which another writer waits."""
    is_done = False

    async def forget_some() -> None:
        nonlocal is_done
        is_done = (await forget(state.store, state.clock() + YEAR, Retention(), 1)).is_done

    while not is_done and len(state.costs["forgetting"]) < STEPS:
        await state.measure("forgetting", 1, forget_some)


def _rules(policy: str) -> Rules:
    with TemporaryDirectory() as scratch:
        (Path(scratch) / "cwpp").mkdir()
        (Path(scratch) / "cwpp" / "policy.yaml").write_text(policy)
        return load_rules(Path(scratch), [Stream.CWPP], datetime.now(UTC))


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
    return State(store, clock, VirtualRouter(store, rules, clock, first))


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


def _rows(engine: str, size: int, states: Sequence[State], bytes_each: float) -> Iterator[Row]:
    few, some, many = states
    for what, small, measured in (
        (f"one message at {size:,} signals against {THOUSAND:,}", few, "alone"),
        (f"an alert, in and out, at {size:,} against {TEN_THOUSAND:,}", some, "fresh"),
        (f"the same where its resource has {EARLIER} earlier alerts", some, "busy"),
    ):
        yield compared(f"{engine}: {what}: CPU", many.costs[measured], small.costs[measured], 1.2, "{:.2f} ms")
    what = f"{engine}: disk a signal of a {SIZE / 1000:.0f} KB alert, delivered twice"
    yield Row(what=what, measured=bytes_each / 1000, limit=3, unit="KB", seen=f"{size:,} signals")
    steps = [seconds * 1e3 for seconds in many.costs["forgetting"]]
    seen = f"median {median(steps):.1f} ms of {len(steps):,} steps"
    what = f"{engine}: the longest step of forgetting at {size:,} signals: CPU"
    # For that long no one else writes to a file; a database locks the rows alone.
    yield Row(what=what, measured=max(steps), limit=50 if engine == "SQLite" else None, unit="ms", seen=seen)
