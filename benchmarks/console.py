"""How soon a page of the console begins to come, on each engine: wall time from the request to the first byte, warm, over HTTP.

The state holds alerts of which each tenth is held, some are grouped and the rest were paged or ticketed, findings beside them,
and decisions. A few hundred are taken in and delivered as any are; the others are copies of their rows under other keys.

Then the same through function_app.py in Microsoft's worker: from the start of its process, and of one that is there.
"""

from __future__ import annotations

import asyncio
import json
import os
import sqlite3
import time
from collections import defaultdict, deque
from collections.abc import Callable, Iterator, Mapping
from contextlib import closing
from datetime import UTC, datetime, timedelta
from hashlib import blake2b
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory
from typing import Any

import psutil
import psycopg

from benchmarks.checkouts import ROOT
from benchmarks.engines import ENGINES, engine_running
from benchmarks.table import Row
from benchmarks.virtual import Clock, VirtualRouter, taken
from benchmarks.workload import alerts, rule_at
from router.app.rules import Rules, load_rules
from router.app.settings import now
from router.app.silences import add_silence, list_silences
from router.console.views import VIEWS
from router.coverage.last_check import document_of_check
from router.domain.conversation import Result
from router.domain.deliveries import Claim
from router.domain.errors import Rejected
from router.domain.signals import Stream
from router.store.documents import put_document
from router.store.signals import read_fields
from router.store.standing import StandingFilter, list_standing
from tests.builders import RESOURCE, finding_body
from tests.console.principals import HOST, SETTINGS, claims_of, principal
from tests.console.sites import Site, served
from tests.console.states import State, a_workload, paths_of
from tests.silences import HOUR, a_silence, called
from tests.stack.event_hubs import EventHubs, event_hubs_in_thread
from tests.stack.functions_host import Conditions, FunctionsHost, Queues
from tests.store.opened import Place, open_store
from tests.store.within import within

ALERTS, FINDINGS, DECISIONS = 5_000, 200_000, 100_000
SEEDS, FINDING_SEEDS = 250, 100
"""What is taken in of alerts and of findings."""
SILENCES, QUARANTINED, WORKLOADS = 100, 500, 5_000
WARM, ROUNDS = 3, 20
STARTS = 5
"""Workers that are started."""

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

_COUNTS = """
INSERT INTO counts (hour, id, cell, count)
WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i+1 FROM n WHERE i<{times})
SELECT c.hour - n.i * 5 * 3600000000, c.id, c.cell, c.count FROM counts c, n
"""
"""Each fifth hour of two months has what the first one had."""

FILTERS = {
    "/alerts": (
        "severity=High",
        "paged_nobody=1",
        "subscription=00000003-1111-4222-8333-444444444444",
        "owner=team-3",
        "owner=no-team",
    ),
    "/coverage": ("sensor=dark", "verdict=gap&rung=sensor-running"),
    "/decisions": (
        "outcome=suppressed&stream=cwpp",
        "type=vm_suspectnohup",
        "title=no+such+words",
        "resource=vm-1-0",
        "id=1",
        "until=2026-01-01",
    ),
    "/findings": ("subscription=00000003-1111-4222-8333-444444444444", "owner=no-team"),
    "/report": ("since=24h", "since=30d"),
}
"""Queries of views that are measured beside the view as it is."""


def measure(scale: float) -> Iterator[Row]:
    """The rows of pages over large states."""
    for name in ENGINES:
        with engine_running(name) as engine, TemporaryDirectory() as scratch:
            rules = _rules(Path(scratch))
            place = engine.new_state()
            asyncio.run(fill(place, rules, scale))
            with served(State(place, rules, asyncio.run(_paths(place)), now)) as site:
                for view in VIEWS:
                    path = site.state.url(view.path)
                    yield _page(name, site, view.path, path)
                    for query in FILTERS.get(view.path, ()):
                        yield _page(name, site, f"{view.path}?{query}", f"{path}?{query}")
            yield from _in_azure(name, place, Path(scratch))


def _in_azure(engine: str, place: Place, directory: Path) -> Iterator[Row]:
    """The rows of the console in a function app whose worker begins with nothing imported, as a cold start does."""
    app = directory / "app"
    app.mkdir()
    for name in ("function_app.py", "host.json"):
        (app / name).symlink_to(ROOT / name)
    given = {
        "PATH": os.environ["PATH"],
        "ALERT_ROUTER_STATE": place if isinstance(place, str) else f"sqlite:{place}",
        "ALERT_ROUTER_RULES": str(directory),
        **SETTINGS,
    }
    headers = {"Host": HOST, **principal(claims_of())}
    cold, listed, used, warm = list[float](), list[float](), list[float](), list[float]()

    async def first_byte(host: FunctionsHost) -> None:
        answer = await host.request("GET", "/api/console/alerts", headers)
        assert answer.status == 200, answer.text

    async def start(hubs: EventHubs) -> None:
        env = {**given, "EVENT_HUBS": hubs.connection_string}
        queues: Queues = defaultdict(deque)
        host = FunctionsHost(app, env=env, hubs=hubs, checkpoints={}, queues=queues, conditions=Conditions())
        begun = time.perf_counter()
        async with host.running():
            listed.append((time.perf_counter() - begun) * 1e3)
            await first_byte(host)
            cold.append((time.perf_counter() - begun) * 1e3)
            used.append(sum(psutil.Process(host.worker_pid).cpu_times()[:2]) * 1e3)
            for _ in range(ROUNDS):
                begun = time.perf_counter()
                await first_byte(host)
                warm.append((time.perf_counter() - begun) * 1e3)

    with event_hubs_in_thread() as hubs:
        for _ in range(1 + STARTS):  # The first compiles what is imported.
            asyncio.run(start(hubs))
    del cold[0], listed[0], used[0], warm[:ROUNDS]
    what = f"{engine}: /api/console/alerts in Microsoft's worker"
    seen = (
        f"{max(cold):,.0f} ms at worst of {STARTS}; functions listed after {median(listed):,.0f} ms; "
        f"{median(used):,.0f} ms CPU of the worker's"
    )
    yield Row(what=f"{what}, from the start of its process", measured=median(cold), unit="ms", seen=seen)
    yield Row(what=f"{what}, warm", measured=median(warm), limit=300, unit="ms", seen=f"{max(warm):.0f} ms at worst")


async def fill(place: Place, rules: Rules, scale: float = 1) -> None:
    """Make a state in a place: a directory, or a database that has its tables."""
    clock = Clock(datetime.now(UTC))
    store = open_store(place, clock)
    await store.upgrade()
    router = VirtualRouter(store, rules, clock, answer=_answer)
    for number in range(SILENCES):
        silence = a_silence("", begins=clock.now, lasts=HOUR * (number + 1), groups=(called(f"host-{number}"),))
        await add_silence(store, silence)
    await router.take(Stream.CWPP, [b"{ not JSON %d" % number for number in range(QUARANTINED)])
    await router.take(Stream.CWPP, alerts(SEEDS))
    await router.deliver()
    await router.take(
        Stream.CSPM, [finding_body(f"finding-{n}", resource=f"{RESOURCE}-{n}") for n in range(FINDING_SEEDS)]
    )
    await router.deliver()
    rows = [a_workload(f"aks-{number}", "gap", remedy="kubectl " * 30) for number in range(WORKLOADS)]
    await within(store, put_document, document_of_check("", rows, clock.now))
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


def _answer(claim: Claim) -> Result:
    """One in thirty deliveries is refused."""
    return Rejected("answered 400", status=400) if int(claim.delivery.key[:4], 16) % 30 == 0 else taken(claim)


def _rules(directory: Path) -> Rules:
    for stream, policy in POLICIES.items():
        (directory / stream / "suppressions").mkdir(parents=True)
        (directory / stream / "policy.yaml").write_text(policy)
    (directory / "owners.yaml").write_text(OWNERS)
    ends = datetime.now(UTC) + timedelta(days=30)
    for number in range(10):
        rule = json.dumps({"properties": rule_at(number, ends)["properties"]})
        (directory / "cwpp" / "suppressions" / f"rule-{number}.json").write_text(rule)
    return load_rules(directory, list(Stream), datetime.now(UTC))


async def _paths(place: Place) -> Mapping[str, str]:
    """The URLs of the views that need an id or a name."""
    store = open_store(place)
    async with store.session() as tx:
        page = await list_standing(tx, "cwpp", StandingFilter(), None, 1)
        fields = await read_fields(tx, [one.key for one in page.rows])
    silences, _ = await list_silences(store, store.now())
    await store.close()
    ((key, known),) = fields.items()
    return paths_of(key, known.resource or "", "rule-0", silences[0].silence.id)


def _copy(execute: Callable[[str], Any], scale: float) -> None:
    """Copy what was taken in until there is as much as is wanted."""
    for stream, seeds, wanted in (("cwpp", SEEDS, ALERTS), ("cspm", FINDING_SEEDS, FINDINGS)):
        times = max(1, round(wanted * scale / seeds)) - 1
        decided = times if stream == "cwpp" else max(0, round((DECISIONS - ALERTS) * scale / seeds) - 1)
        execute("DROP TABLE IF EXISTS m")
        execute(_KEYS.format(times=times, stream=stream))
        for table, (key, changed) in _COPIED.items():
            columns = [one[0] for one in execute(f"SELECT * FROM {table} LIMIT 0").description]  # noqa: S608  Its own names.
            kept = [name for name in columns if name != "place" or table == "signals"]
            written = ", ".join(changed.get(name, f"t.{name}") for name in kept)
            most = decided if table == "decisions" else times
            copies = f"SELECT {written} FROM {table} t JOIN m ON m.seed=t.{key} AND m.n<={most}"  # noqa: S608  Its own names.
            execute(f"INSERT INTO {table} ({', '.join(kept)}) {copies}")
    execute(_COUNTS.format(times=max(1, round(DECISIONS * scale / (SEEDS + FINDING_SEEDS)))))


def _page(engine: str, site: Site, what: str, path: str) -> Row:
    times, size = list[float](), 0
    for _ in range(WARM + ROUNDS):
        begun = time.perf_counter()
        with site.client.stream("GET", path) as answer:
            assert answer.status_code == 200, path
            parts = answer.iter_raw()
            size = len(next(parts))
            times.append((time.perf_counter() - begun) * 1e3)
            size += sum(map(len, parts))
    warm = times[WARM:]
    seen = f"{max(warm):.0f} ms at worst of {ROUNDS}; {size / 1000:.0f} KB"
    return Row(what=f"{engine}: {what}: the first byte", measured=median(warm), limit=300, unit="ms", seen=seen)
