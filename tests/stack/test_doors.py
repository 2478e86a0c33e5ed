"""A message that is sent into a hub comes out at the SOC, through function_app.py and Microsoft's own runtime.

So it does through the package that a release ships, which needs nothing but itself.
"""

from __future__ import annotations

import asyncio
import json
import platform
import shutil
import subprocess
import sys
from collections.abc import Iterator
from copy import replace
from pathlib import Path
from typing import Any
from zipfile import ZipFile

import pytest
from azure.eventhub import EventData
from azure.eventhub.aio import EventHubProducerClient

from alert_router_demo.soc import Soc, Status, soc_in_thread
from infra.package import DEPENDENCIES, OWN
from infra.package import main as pack
from router.app.service import A_WORKER, MOST_WORKERS
from router.app.settings import now
from router.cli import main
from router.decide import entry_document
from router.domain.deliveries import Pause
from router.domain.rulebook import Lane
from router.store.codec import decision_in
from router.store.deliveries import add_deliveries
from router.store.destinations import PROBE, pause_destination
from tests.builders import RULES, alert_body
from tests.console.principals import HOST, SETTINGS, claims_of, principal
from tests.stack.accounting import (
    LANES,
    ROWS,
    Post,
    asleep,
    conditions,
    forget_checkpoints,
    high,
    is_delivered,
    key_of,
    low,
    rows_in,
    runs,
    sweep,
)
from tests.stack.functions_host import Outcome, Queued
from tests.stack.gate import Gate
from tests.stack.stack import ROOT, Stack
from tests.store.builders import a_delivery
from tests.store.within import within
from tests.waiting import PATIENCE, until

DEMO = ROOT / "alert_router_demo" / "samples"
FINDINGS = "Custom-DefenderFindings_CL"
STREAMS = ("cwpp", "cspm")
FILES = {stream: DEMO / f"{stream}.ndjson" for stream in STREAMS}

type Decision = dict[str, Any]


async def publish(stack: Stack, hub: str, *bodies: bytes, **properties: str) -> None:
    """Sends bodies to a hub's first partition with Microsoft's client, as one batch."""
    connection = stack.hubs.connection_string
    async with EventHubProducerClient.from_connection_string(connection, eventhub_name=hub) as client:
        batch = await client.create_batch(partition_id="0")
        for body in bodies:
            event = EventData(body)
            event.properties = {name: value for name, value in properties.items()}  # noqa: C416  Its keys may be bytes, too.
            batch.add(event)
        await client.send_batch(batch)


async def on_record(stack: Stack, hub: str) -> list[Decision]:
    """The decisions on record of what a hub brought, in the order of its first partition."""
    rows = await rows_in(stack, "SELECT key, COALESCE(message, key) AS message, body FROM decisions")
    mine = [row for row in rows if row.text("message").startswith(f"{hub}:0:")]
    mine.sort(key=lambda row: (int(row.text("message").split(":")[3]), row.text("key")))
    return [entry_document(decision_in(row.body("body"))) for row in mine]


def standing(soc: Soc) -> dict[str, list[str]]:
    """What is open at a SOC, and what it was told in rows, each as often as it is there."""
    state = soc.state()
    rows = [row["EventUid"] for table in (ROWS, FINDINGS) for row in state["rows"].get(table, [])]
    return {
        "pages": sorted(page.dedup_key for page in state["pages"] if page.status == "triggered"),
        "tickets": sorted(
            f"{one['correlation_id']} {one['assignment_group']}" for one in state["tickets"] if one["active"] == "true"
        ),
        "rows": sorted(rows),
    }


def test_samples_come_out_of_hubs_as_out_of_files(
    stack: Stack, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The same decisions, pages, tickets and rows as `run` has for the same files. The health page has nothing to complain of
    then."""
    taken: dict[str, list[Decision]] = {}
    shutil.copytree(RULES, tmp_path / "rules")
    shutil.copytree(RULES, stack.rules, dirs_exist_ok=True)

    async def run() -> None:
        async with stack.host(conditions=conditions()).running() as running:
            for stream, file in FILES.items():
                await publish(stack, stream, *file.read_bytes().splitlines())
            await running.idle(PATIENCE)
            await until(lambda: is_delivered(stack), look=0.5)
            await sweep(running)
            health = await running.request("GET", "/api/health")
            assert (json.loads(health.body)["problems"], health.status) == ([], 200)
            assert json.loads(health.body)["status"] == "ok"
            assert {run.outcome for run in running.invocations} == {Outcome.OK}
            taken.update({stream: await on_record(stack, stream) for stream in FILES})

    stack.write_policies()
    asyncio.run(run())
    with soc_in_thread() as soc:
        files = replace(stack, soc=soc, directory=tmp_path)
        files.write_policies()
        for name, value in files.environment.items():
            monkeypatch.setenv(name, value)
        for stream, file in FILES.items():
            decisions = tmp_path / f"{stream}.ndjson"
            given = (
                "--rules",
                files.rules,
                "--stream",
                stream,
                "--state",
                tmp_path / "state",
                "--decisions",
                decisions,
            )
            assert main(["run", *map(str, given), str(file)]) == 0
            expected = [json.loads(line) for line in decisions.read_bytes().splitlines()]
            for one in (*taken[stream], *expected):
                # Where its message came from, under which rules, and when it was made.
                del one["source"], one["rulebook"], one["at"]
            assert taken[stream] == expected
        assert standing(stack.soc) == standing(soc)
    assert min(map(len, standing(stack.soc).values())) > 20


TRACES = {"traceparent": "11111111111111111111111111111111", "Diagnostic-Id": "22222222222222222222222222222222"}
SPAN = "3333333333333333"


def test_the_trace_of_an_event_goes_on_to_the_destinations(stack: Stack, gate: Gate) -> None:
    """Whichever of the two properties names it: each request to the pager and the tickets is of that trace."""

    async def run() -> None:
        async with stack.host(conditions=conditions()).running() as running:
            for name, trace in TRACES.items():
                await publish(stack, "cwpp", alert_body(name), **{name: f"00-{trace}-{SPAN}-01"})
            await running.idle(PATIENCE)

    asyncio.run(run())
    traces = {(one.service, one.headers.get("traceparent", "")[3:35]) for one in gate.seen}
    assert traces == {(service, trace) for service in ("pagerduty", "servicenow") for trace in TRACES.values()}


def woken(stack: Stack) -> dict[str, int]:
    """How many wake-ups are in the queues of `cwpp`; each is taken out."""
    queues = {lane: stack.queues[f"cwpp-{lane}"] for lane in LANES}
    found = {lane: len(queue) for lane, queue in queues.items()}
    for queue in queues.values():
        queue.clear()
    return found


def wake(stack: Stack, lane: str) -> None:
    """Puts a wake-up into the queue of a lane of `cwpp`."""
    stack.queues[f"cwpp-{lane}"].append(Queued("deliver"))


async def owe(stack: Stack, count: int, name: str = "d") -> None:
    """Owes pages."""
    one = a_delivery(lane=Lane.PAGE)
    owed = [replace(one, destination="oncall", key=f"{name}-{number}") for number in range(count)]
    async with stack.store() as store:
        await within(store, add_deliveries, owed, now())


def test_each_lane_is_woken_once_for_each_200_deliveries_that_are_due_there(stack: Stack) -> None:
    """By what the state holds, after each batch, also one that wrote nothing, and by the timer, which delivers nothing itself.
    A destination that is paused is not woken for, and no lane is sent more than twenty at a time."""
    post = Post(stack)

    async def run() -> None:
        await owe(stack, 2 * A_WORKER + 1)
        async with stack.host(conditions=conditions(), **asleep()).running() as host:
            # A decision that nobody is told of is a row of the record all the same.
            await post.send(low("low"))
            await host.idle()
            assert woken(stack) == {"page": 3, "ticket": 0, "rows": 1}
            await sweep(host)
            assert woken(stack) == {"page": 3, "ticket": 0, "rows": 1}
        forget_checkpoints(stack)
        everything = "SELECT id, state FROM deliveries ORDER BY id"
        owed = [(row.text("id"), row.text("state")) for row in await rows_in(stack, everything)]
        async with stack.host(conditions=conditions(), **asleep()).running() as host:
            await host.idle()
            assert runs(host, "take_cwpp", Outcome.OK) == 1
            assert [(row.text("id"), row.text("state")) for row in await rows_in(stack, everything)] == owed
            assert woken(stack) == {"page": 3, "ticket": 0, "rows": 1}
            await owe(stack, A_WORKER * MOST_WORKERS, "more")
            await sweep(host)
            assert woken(stack) == {"page": MOST_WORKERS, "ticket": 0, "rows": 1}
            refused = Pause(stream="cwpp", destination="oncall", since=now(), probe=now() + PROBE, error="401")
            async with stack.store() as store:
                await within(store, pause_destination, refused)
            await sweep(host)
            assert woken(stack) == {"page": 0, "ticket": 0, "rows": 1}

    asyncio.run(run())
    assert stack.soc.counts()["received"] == dict.fromkeys(stack.soc.counts()["received"], 0)


def test_one_wake_up_is_enough_for_what_falls_due_within_a_minute(stack: Stack) -> None:
    """The worker that it woke waits for the vendor, and for what comes meanwhile; a second one in its process ends at once."""
    post, pager = Post(stack), stack.soc.pagerduty
    pager.faults.add(Status(429, retry_after="1"), times=None)

    async def run() -> None:
        queues = "AzureFunctionsJobHost__extensions__queues__"
        settings = {f"{queues}batchSize": "2", f"{queues}newBatchThreshold": "1"}
        async with stack.host(conditions=conditions(), **settings).running() as host:
            await post.send(high("first"))
            await until(lambda: pager.answers["429"] > 0)
            assert host.under_way("deliver_cwpp_page") == 1
            wake(stack, "page")
            await until(lambda: runs(host, "deliver_cwpp_page", Outcome.OK) == 1)
            assert host.under_way("deliver_cwpp_page") == 1
            pager.faults.clear()
            await until(lambda: pager.answers["202"] == 1)
            await host.idle()
            assert runs(host, "deliver_cwpp_page", Outcome.OK) == 2

    asyncio.run(run())
    assert [page.dedup_key for page in pager.pages] == [key_of("first")]


BUILT = pytest.mark.skipif(
    (sys.platform, platform.machine(), sys.version_info[:2]) != ("linux", "x86_64", (3, 13)),
    reason="the package is built for Python 3.13 on Linux, x86_64",
)

ALONE = """
import sys
sys.path[:0] = sys.argv[1:]
import function_app, router.app.wiring
from router.app.rules import load_rules
from router.app.settings import now
from router.domain.signals import Stream
from pathlib import Path
assert load_rules(Path("rules"), list(Stream), now()).problems == ()
for module in list(sys.modules.values()):
    if file := getattr(module, "__file__", None):
        print(file)
"""


@pytest.fixture(scope="module")
def package(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """Where one that ships the starter's rules was unpacked."""
    directory = tmp_path_factory.mktemp("package")
    project = directory / "project"
    project.mkdir()
    for name in OWN:
        (project / name).symlink_to(RULES if name == "rules" else ROOT / name)
    made = directory / "alert-router.zip"
    assert pack([str(made)], project) == 0
    with ZipFile(made) as file:
        file.extractall(directory / "app")
    made.unlink()
    yield directory / "app"
    shutil.rmtree(directory)


@BUILT
def test_the_package_loads_with_nothing_around_it(package: Path) -> None:
    """Every module is its own or Python's, and the rules that it ships can be used."""
    # What is compiled here is kept beside it: the next test's worker need not do it again.
    command = [sys.executable, "-I", "-S", "-c", ALONE, str(package), str(package / DEPENDENCIES)]
    done = subprocess.run(command, cwd=package, env={}, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")
    own = (str(package), sys.base_prefix, sys.exec_prefix)
    assert [file for file in done.stdout.splitlines() if not file.startswith(own) or ".venv" in file] == []
    assert f"{package}/router/app/__init__.py" in done.stdout.splitlines()
    assert {path.name for path in package.iterdir()} - {"__pycache__"} == {*OWN, ".python_packages"}


@BUILT
def test_the_package_takes_a_batch_in_microsofts_worker(package: Path, stack: Stack) -> None:
    """With the rules beside its code, which here lead to the SOC, and its own dependencies before anybody else's: also those
    of the console, with its pages and files."""
    shutil.rmtree(package / "rules")
    shutil.copytree(stack.rules, package / "rules")
    host = stack.host(package, conditions=conditions(), ALERT_ROUTER_RULES="", **SETTINGS)

    async def run() -> None:
        async with host.running():
            await publish(stack, "cwpp", alert_body("one"), alert_body("two"))
            await host.idle(PATIENCE)
            await until(lambda: is_delivered(stack), look=0.5)
            page = await host.request("GET", "/api/console/alerts", {"Host": HOST, **principal(claims_of())})
            assert (page.status, "style.css" in page.text) == (200, True)
            loaded = Path(f"/proc/{host.worker_pid}/maps").read_text()
            assert f"{package / DEPENDENCIES}/pydantic_core/" in loaded
            assert "/site-packages/pydantic_core/" not in loaded.replace(str(package / DEPENDENCIES), "")
        assert {one.outcome for one in host.invocations} == {Outcome.OK}
        assert [one["outcome"] for one in await on_record(stack, "cwpp")] == ["routed", "routed"]

    asyncio.run(run())
    assert len(stack.soc.state()["tickets"]) == 2
