"""How soon the console has read a page of what stands, on each engine: wall time of the read, warm.

The state holds alerts of which each tenth is held, some are grouped and the rest were paged or ticketed, findings beside them,
and decisions. A few hundred are taken in and delivered as any are; the others are copies of their rows under other keys.
"""

from __future__ import annotations

import asyncio
import json
import sqlite3
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from datetime import UTC, datetime, timedelta
from hashlib import blake2b
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory
from typing import Any

import psycopg

from benchmarks.engines import ENGINES, engine_running
from benchmarks.table import Row
from benchmarks.virtual import Clock, VirtualRouter
from benchmarks.workload import alerts, rule_at
from router.app.rules import Rules, load_rules
from router.app.standing import read_standing
from router.domain.signals import Stream
from router.store.standing import StandingFilter
from router.store.store import Store
from tests.builders import RESOURCE, finding_body
from tests.store.opened import Place, open_store

ALERTS, FINDINGS, DECISIONS = 5_000, 200_000, 100_000
SEEDS, FINDING_SEEDS = 250, 100
"""What is taken in of alerts and of findings."""
ROUNDS, PAGE = 7, 50

POLICIES = {
    "cwpp": """
stream: cwpp
floor: {default: Informational}
destinations:
  oncall: {kind: pagerduty, routing_key: {secret: CWPP_PAGER}}
  tickets: {kind: servicenow, url: "https://soc.example", auth: {user: router, password: {secret: CWPP_PASSWORD}}}
  queue: {kind: servicenow, url: "https://soc.example", auth: {user: router, password: {secret: CWPP_PASSWORD}},
          group: {by: [alert_type], window: 1h}}
  sentinel: {kind: log_analytics, endpoint: "https://soc.example", rule: dcr-1, table: ASimAlertEventLogs}
routes:
  - {name: grave, when: {at_least: High}, to: [oncall, tickets], respond_within: 30m}
always: [sentinel]
otherwise: [queue]
""",
    "cspm": """
stream: cspm
floor: {default: Low}
destinations:
  backlog: {kind: servicenow, url: "https://soc.example", auth: {user: router, password: {secret: CSPM_PASSWORD}}}
routes: []
otherwise: [backlog]
""",
}
OWNERS = "owners:\n" + "".join(
    f"- {{subscription: {number:08d}-1111-4222-8333-444444444444, group: team-{number}}}\n" for number in range(4)
)

_COPIED = {
    "signals": ("key", {"key": "m.key", "since": "t.since - m.n * 1000000"}),
    "lookups": ("signal", dict.fromkeys(("signal", "id", "id_end"), "m.key")),
    "notices": ("key", {"key": "m.key"}),
    "deliveries": ("key", {"key": "m.key", "id": "m.key || t.destination", "born": "t.born - m.n * 1000000"}),
    "members": ("signal", {"signal": "m.key"}),
    "decisions": ("signal", {"key": "m.key", "signal": "m.key"}),
}
"""The tables that hold a signal: the column of its key, and what a copy has in its columns instead."""
_KEYS = """
CREATE TEMPORARY TABLE m AS
WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i+1 FROM n WHERE i<{times})
SELECT s.key AS seed, n.i AS n, md5(s.key || CAST(n.i AS TEXT)) AS key FROM signals s, n WHERE s.stream='{stream}'
"""

FILTERS = {
    "all of it": StandingFilter(),
    "High": StandingFilter(severities=("High",)),
    "paged nobody": StandingFilter(paged_nobody=True),
    "of one subscription": StandingFilter(subscription="00000003-1111-4222-8333-444444444444"),
    "an owner that owns nothing": StandingFilter(owner="nobody"),
}


def measure(scale: float) -> Iterator[Row]:
    """The rows of pages over large states."""
    for name in ENGINES:
        with engine_running(name) as engine:
            place = engine.new_state()
            asyncio.run(fill(place, scale))
            yield from asyncio.run(_pages(name, place, scale))


async def fill(place: Place, scale: float = 1) -> None:
    """Make a state in a place: a directory, or a database that has its tables."""
    clock = Clock(datetime.now(UTC))
    store = open_store(place, clock)
    await store.upgrade()
    router = VirtualRouter(store, _rules(), clock)
    await router.take(Stream.CWPP, alerts(SEEDS))
    await router.deliver()
    await router.take(
        Stream.CSPM, [finding_body(f"finding-{n}", resource=f"{RESOURCE}-{n}") for n in range(FINDING_SEEDS)]
    )
    await router.deliver()
    await store.close()
    if isinstance(place, str):
        with psycopg.connect(place, autocommit=True) as server:
            _copy(lambda statement: server.execute(statement.encode()), scale)
            server.execute("VACUUM ANALYZE")
    else:
        with closing(sqlite3.connect(place / "router.db", isolation_level=None)) as file:
            file.execute("PRAGMA synchronous=OFF")
            file.create_function(
                "md5", 1, lambda text: blake2b(text.encode(), digest_size=16).hexdigest(), deterministic=True
            )
            _copy(file.execute, scale)
            file.execute("PRAGMA wal_checkpoint(TRUNCATE)")


def _rules() -> Rules:
    with TemporaryDirectory() as scratch:
        directory = Path(scratch)
        for stream, policy in POLICIES.items():
            (directory / stream / "suppressions").mkdir(parents=True)
            (directory / stream / "policy.yaml").write_text(policy)
        (directory / "owners.yaml").write_text(OWNERS)
        ends = datetime.now(UTC) + timedelta(days=30)
        for number in range(10):
            rule = json.dumps({"properties": rule_at(number, ends)["properties"]})
            (directory / "cwpp" / "suppressions" / f"rule-{number}.json").write_text(rule)
        return load_rules(directory, list(Stream), datetime.now(UTC))


def _copy(execute: Callable[[str], Any], scale: float) -> None:
    """Copy what was taken in until there is as much as is wanted."""
    for stream, seeds, wanted in (("cwpp", SEEDS, ALERTS), ("cspm", FINDING_SEEDS, FINDINGS)):
        times = max(1, round(wanted * scale / seeds)) - 1
        decided = times if stream == "cwpp" else max(0, round((DECISIONS - ALERTS) * scale / seeds) - 1)
        execute("DROP TABLE IF EXISTS m")
        execute(_KEYS.format(times=times, stream=stream))
        for table, (key, changed) in _COPIED.items():
            columns = [one[0] for one in execute(f"SELECT * FROM {table} LIMIT 0").description]  # noqa: S608
            kept = [name for name in columns if name != "place" or table == "signals"]
            written = ", ".join(changed.get(name, f"t.{name}") for name in kept)
            most = decided if table == "decisions" else times
            copies = f"SELECT {written} FROM {table} t JOIN m ON m.seed=t.{key} AND m.n<={most}"  # noqa: S608
            execute(f"INSERT INTO {table} ({', '.join(kept)}) {copies}")


async def _pages(engine: str, place: Place, scale: float) -> Iterator[Row]:
    store = open_store(place)
    rows = [await _page(engine, store, stream, what, wanted) for stream in Stream for what, wanted in FILTERS.items()]
    await store.close()
    return iter(rows)


async def _page(engine: str, store: Store, stream: Stream, what: str, wanted: StandingFilter) -> Row:
    taken: list[float] = []
    document: dict[str, Any] = {}
    for _ in range(ROUNDS):
        begun = time.perf_counter()
        document = await read_standing(store, stream.value, wanted, None, PAGE, store.now())
        taken.append((time.perf_counter() - begun) * 1e3)
    seen = f"{len(document['signals'])} shown, {document['count']:,} counted, {document['looked']:,} looked at"
    # The first is not warm.
    return Row(
        what=f"{engine}: a page of {stream}, {what}", measured=median(taken[1:]), limit=100, unit="ms", seen=seen
    )
