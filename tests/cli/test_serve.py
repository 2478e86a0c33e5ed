"""`serve` as a process: what is in the hubs comes out at the SOC, whatever happens to storage, hubs and the process."""

from __future__ import annotations

import json
import logging
import random
import re
import shutil
import signal
import socket
import threading
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx
import pytest
from prometheus_client.openmetrics import parser
from prometheus_client.samples import Sample

from alert_router_demo.soc import Hang, Status
from router.cli import main
from router.console.server import Hasty
from router.domain.deliveries import DeliveryState
from router.domain.keys import event_uid, signal_key
from tests.builders import RESOURCE, SUBSCRIPTION, alert_body, finding_body
from tests.cli.house import House
from tests.infra.watching import TARGET, alerts, panels
from tests.parse.messages import an_assessment, body_of
from tests.secrecy import found_in, secrets_in
from tests.stack.postgres import Server, Way
from tests.stack.stack import POLICIES, ROOT, Stack, stack_running
from tests.store import opened
from tests.waiting import PATIENCE, wait_until
from tests.warm import WarmProcess, started

_LOOK = 0.15
"""Seconds between two looks at what it did: a look may ask an account for everything that is owed."""

_PROBES = re.compile(r"probes and metrics are at 127.0.0.1, port (\d+),")

_LINE = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ (INFO|WARNING|ERROR) \S.*")


@dataclass(frozen=True)
class Serving:
    """A process that serves, or has ended."""

    stack: Stack
    process: WarmProcess
    log: Path

    @property
    def lines(self) -> list[str]:
        """What it has said so far, without the times."""
        return [line.partition(" ")[2] for line in self.log.read_text().splitlines()]

    def says(self, words: str) -> bool:
        """Whether a line has those words in it."""
        return any(words in line for line in self.lines)

    def until(self, is_so: Callable[[], bool]) -> None:
        """Waits for something to come true while it serves; fails if it ends before, or in the end."""
        wait_until(
            is_so,
            goes_on=lambda: self.process.poll() is None,
            about=lambda: f"{self.stack.soc.counts()}\n{self.log.read_text()}",
            look=_LOOK,
        )

    @property
    def port(self) -> int:
        """Where its probes are."""
        (port,) = (int(one.group(1)) for line in self.lines if (one := _PROBES.search(line)))
        return port

    def answer(self, path: str, *, method: str = "GET", accept: str = "") -> httpx.Response:
        """What its probes answer."""
        url = f"http://127.0.0.1:{self.port}{path}"
        return httpx.request(method, url, headers={"accept": accept}, trust_env=False, timeout=PATIENCE)

    def problems(self, path: str) -> list[str]:
        """What is wrong by one of its probes; nothing where that answers 200."""
        answer = self.answer(path)
        problems: list[str] = answer.json()["problems"]
        assert (answer.status_code, answer.json()["status"]) == ((503, "failing") if problems else (200, "ok"))
        return problems

    def stop(self, number: signal.Signals = signal.SIGTERM) -> int:
        """Its exit code after a signal that asks for a graceful end."""
        self.process.send_signal(number)
        return self.process.wait(PATIENCE)

    def kill(self) -> None:
        """Ends it as the kernel does when memory runs out."""
        self.process.kill()
        self.process.wait()


@contextmanager
def serving(
    stack: Stack, program: str = "router", home: Path = ROOT, /, *options: str, begun: str = "serving", **more: str
) -> Iterator[Serving]:
    """A process that serves a stack under further options and settings; it has begun to, and is gone at the end of the context.

    Whatever it says stands on lines of its log's form, in which is no secret and no URL.
    """
    log = stack.directory / f"serve-{len([*stack.directory.glob('serve-*.log')])}.log"
    with log.open("wb") as stderr:
        words: tuple[str | Path, ...] = (program, "serve", "--rules", stack.rules, *options)
        process = started(*words, env=stack.environment | more, cwd=home, stderr=stderr.fileno())
    one = Serving(stack, process, log)
    try:
        one.until(lambda: one.says(begun))
        yield one
        said = log.read_text()
        assert [line for line in said.splitlines() if not _LINE.fullmatch(line)] == []
        assert "://" not in said
        assert found_in(said, secrets_in(stack.environment)) == []
    finally:
        one.kill()


@dataclass(frozen=True)
class Received:
    """What the SOC of a stack was told, by signal: how many pages, tickets, and rows in each table."""

    pages: Counter[str]
    tickets: Counter[str]
    rows: dict[str, Counter[str]]
    decisions: Counter[str]

    @classmethod
    def at(cls, stack: Stack) -> Received:
        """What it was told so far."""
        state: dict[str, Any] = stack.soc.state()
        rows = {name.removeprefix("Custom-"): rows for name, rows in state["rows"].items()}
        decisions = rows.pop("AlertRouterDecisions_CL", [])
        return cls(
            pages=Counter(page.dedup_key for page in state["pages"]),
            tickets=Counter(ticket["correlation_id"] for ticket in state["tickets"]),
            rows={name: Counter(row["EventUid"] for row in found) for name, found in rows.items()},
            decisions=Counter(row["MessageKey"] for row in decisions),
        )


type Trouble = Callable[[Serving], None]
"""What becomes of one of several processes."""

type Ended = Callable[..., tuple[int, str]]
"""The exit code of a serve under further settings, or with other rules, and what it said."""

MACHINE = {"$id": "1", "Type": "azure-resource", "ResourceId": RESOURCE}
FINDING = f"{RESOURCE}/providers/Microsoft.Security/assessments/finding-{{}}".lower()


@pytest.fixture
def stack(postgresql: str) -> Iterator[Stack]:
    """A stack in which nothing was done yet."""
    with stack_running(postgresql) as stack:
        yield stack


@pytest.fixture(scope="module")
def unserved(postgres: Server) -> Iterator[Stack]:
    """A stack for all that never begins to serve."""
    with stack_running(postgres.new_database()) as stack:
        yield stack


@pytest.fixture
def said_here(unserved: Stack, capsys: pytest.CaptureFixture[str]) -> Iterator[Ended]:
    """What becomes of a serve that ends by itself, in this process: a process of its own takes a second to start."""

    def ended_here(
        settings: Mapping[str, str], *options: str, rules: Path = unserved.rules, command: Sequence[str] = ("serve",)
    ) -> tuple[int, str]:
        with pytest.MonkeyPatch.context() as patch:
            for name, value in {**unserved.environment, **settings}.items():
                patch.setenv(name, value)
            code = main([*command, "--rules", str(rules), *options])
        return code, capsys.readouterr().err

    root, router = logging.getLogger(), logging.getLogger("router")
    before, level = root.handlers[:], router.level
    yield ended_here
    root.handlers[:] = before
    router.setLevel(level)


def publish(stack: Stack, numbers: range) -> None:
    """Puts alerts that page and findings of those numbers into the hubs, in turn into their partitions."""
    for number in numbers:
        stack.hubs.append("cwpp", number % 2, alert_body(f"alert-{number}", Entities=[MACHINE]))
        stack.hubs.append("cspm", number % 2, finding_body(f"finding-{number}"))


def has_received(stack: Stack, numbers: range) -> bool:
    """Whether the SOC was told everything about what was published, be it once or more often."""
    received = Received.at(stack)
    alerts = {signal_key("cwpp", "alert", f"alert-{number}") for number in numbers}
    findings = {signal_key("cspm", "recommendation", FINDING.format(number)) for number in numbers}
    return (
        received.pages.keys() == alerts
        and received.tickets.keys() == alerts | findings
        and received.rows.keys() == {"ASimAlertEventLogs", "DefenderFindings_CL"}
        and received.rows["ASimAlertEventLogs"].keys() == {event_uid(alert, 1) for alert in alerts}
        and received.rows["DefenderFindings_CL"].keys() == {event_uid(finding, 1) for finding in findings}
        and len(received.decisions) == 2 * len(numbers)
    )


def assert_nothing_was_received_twice(stack: Stack) -> None:
    """Each page, ticket, row and decision is there once, and the SOC had nothing to fold together."""
    received = Received.at(stack)
    assert {*received.pages.values(), *received.tickets.values(), *received.decisions.values()} == {1}
    assert {count for rows in received.rows.values() for count in rows.values()} == {1}
    assert set(stack.soc.counts()["duplicates"].values()) == {0}


def states(stack: Stack) -> dict[str, int]:
    """How many deliveries are in which state."""
    return dict(opened.rows_in(stack.state, "SELECT state, count(*) FROM deliveries GROUP BY state"))


def slow_down(stack: Stack, seconds: float) -> None:
    """Lets every answer of the SOC take a while from now on; no time at all for none."""
    for endpoint in stack.soc.endpoints:
        endpoint.faults.clear()
        if seconds:
            endpoint.faults.add(Hang(seconds), times=None)


def test_replaced_in_turn_under_load_they_lose_nothing_and_tell_nobody_twice(stack: Stack) -> None:
    """In the midst of work it sends on what it has begun to, takes up nothing more, gives its partitions to the other one at
    once, not when its lease ends, and ends with 0. The log has no line for each message."""
    slow_down(stack, 1.5)
    publish(stack, range(8))
    with serving(stack) as old:
        old.until(lambda: bool(stack.soc.pagerduty.pages) and "" not in owners(stack))
        before = owners(stack)
        with serving(stack, "tests.cli.hasty") as new:
            assert old.stop() == 0
            assert old.lines[-1] == "INFO stopped"
            assert not before & owners(stack)
            assert not has_received(stack, range(8))
            publish(stack, range(8, 10))
            slow_down(stack, 0)
            new.until(lambda: has_received(stack, range(10)))
            assert new.stop() == 0
            assert not new.says("repeat")
            assert len(new.lines) < 20
    assert_nothing_was_received_twice(stack)


def test_probes_say_how_it_is_from_the_start_to_the_end(
    stack: Stack, house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It lives while it waits for the state, while the state is gone, and while it ends; it is ready for work only while the
    state takes what it writes. What it counts begins at nought. Who holds connections keeps no other from asking.

    Alert rules and dashboard ask for nothing that it does not tell."""
    write_what_ends(stack)
    for name, value in stack.environment.items():
        monkeypatch.setenv(name, value)
    assert house.says("silences", "add", *SILENCE, "--rules", stack.rules).code == 0
    # Who serves has the secrets, which may not be those of this shell.
    listed = house.says("destinations", "list", "--rules", stack.rules).out
    assert (listed.count("not known here"), "ready" in listed) == (7, False)
    nowhere = "postgresql://postgres@127.0.0.1:1/none"
    with ExitStack() as held:
        way = held.enter_context(Way(nowhere))
        options, settings = ("--probes", "127.0.0.1:0"), {"ALERT_ROUTER_STATE": way.to(stack.state)}
        one = held.enter_context(
            serving(stack, "tests.cli.hasty", ROOT, *options, begun="probes and metrics", **settings)
        )
        one.until(lambda: one.problems("/readyz") != ["is starting"])
        (problem,) = one.problems("/readyz")
        assert re.fullmatch(r"127\.0\.0\.1, database \w+: .+", problem)
        assert one.problems("/healthz") == []
        assert {*counted(one, "alert_router_decisions_total").values()} == {0}
        statuses = [one.answer("/healthz", method=method).status_code for method in ("HEAD", "POST", "DELETE")]
        assert (statuses, one.answer("/").status_code) == ([200, 405, 405], 404)

        way.server = stack.state
        one.until(lambda: one.says("serving"))
        one.until(lambda: one.problems("/readyz") == [])
        publish(stack, range(2))
        one.until(lambda: has_received(stack, range(2)))
        # Four of each alert, three of each finding.
        one.until(lambda: counted(one, "alert_router_delivery_age_seconds_count") == {"cwpp": 8, "cspm": 6})
        routed = counted(one, "alert_router_decisions_total", outcome="routed", severity="High")
        assert routed == {"cwpp": 2, "cspm": 2}
        # Sweeps tell of one stream after the other, and the first one may have come before the alerts.
        one.until(lambda: bool(counted(one, "alert_router_dead_letters", lane="page")))
        one.until(lambda: bool(counted(one, "alert_router_sources_silent")))
        assert_nothing_else_is_asked(one)

        idle = [held.enter_context(socket.create_connection(("127.0.0.1", one.port))) for _ in range(300)]
        assert one.problems("/healthz") == []
        assert sum(is_closed(client) for client in idle) >= 300 - Hasty.most

        way.server = nowhere
        way.cut()
        one.until(lambda: one.problems("/readyz") != [])
        assert one.problems("/healthz") == []
        way.server = stack.state
        one.until(lambda: one.problems("/readyz") == [])

        slow_down(stack, 1.5)
        publish(stack, range(2, 4))
        one.until(lambda: DeliveryState.CLAIMED in states(stack))
        one.process.send_signal(signal.SIGTERM)
        one.until(lambda: one.says("stopping"))
        assert (one.problems("/healthz"), one.problems("/readyz")) == ([], ["is told to end"])
        assert one.process.wait(PATIENCE) == 0


SILENCE = (
    *("--stream", "cwpp", "--type", "VM_Other", "--resource", "vm-1", "--for", "4h"),
    *("--reason", "pentest", "--author", "ana@contoso.example", "--yes"),
)


def write_what_ends(stack: Stack) -> None:
    """Adds to the rules a suppression rule, a shadow rule that would hold every alert, and a source that must be heard."""
    stack.write_policy("cwpp", f"types: [VM_Test, VM_Other]{POLICIES['cwpp']}")
    rule = {
        "alertType": "VM_Test",
        "state": "Enabled",
        "reason": "NotRelevant",
        "comment": "ticket SEC-1, owner ana@contoso.example",
        "expirationDateUtc": f"{datetime.now(UTC) + timedelta(days=90):%Y-%m-%dT00:00:00Z}",
        "suppressionAlertsScope": {
            "allOf": [{"field": "entities.azureresource.resourceid", "contains": RESOURCE.lower()}]
        },
    }
    shadows = stack.rules / "cwpp" / "suppressions" / "shadow"
    shadows.mkdir(parents=True)
    (shadows / "tried.json").write_text(json.dumps({"properties": rule}))
    (shadows.parent / "other.json").write_text(json.dumps({"properties": rule | {"alertType": "VM_Other"}}))
    (stack.rules / "coverage.yaml").write_text(f"expect: [{{kind: subscription, name: {SUBSCRIPTION}}}]\n")


def assert_nothing_else_is_asked(one: Serving) -> None:
    """Each name, label and value that a query of the alert rules or of the dashboard mentions is in what is scraped."""
    labels, values = defaultdict[str, set[str]](set), set[tuple[str, str, str]]()
    for sample in scraped(one):
        labels[sample.name] |= {*sample.labels}
        values |= {(sample.name, *pair) for pair in sample.labels.items()}
    for query in [*alerts(), *panels()]:
        asked = query.series()
        assert asked.keys() <= labels.keys(), query.where
        assert query.labels() <= TARGET.union(*(labels[name] for name in asked)), query.where
        told = {(name, *pair) for name, pairs in asked.items() for pair in pairs if pair[0] not in TARGET}
        assert told <= values, query.where


def counted(one: Serving, name: str, **labels: str) -> dict[str, float]:
    """How much the samples of a name that have some labels come to, by stream."""
    sums = defaultdict[str, float](float)
    for sample in scraped(one):
        if sample.name == name and labels.items() <= sample.labels.items():
            sums[sample.labels["stream"]] += sample.value
    return dict(sums)


def scraped(one: Serving) -> list[Sample]:
    """What Prometheus reads of it, in the form that it asks for first."""
    answer = one.answer("/metrics", accept="application/openmetrics-text;version=1.0.0;q=0.5,*/*;q=0.1")
    assert answer.headers["content-type"].startswith("application/openmetrics-text; version=1.0.0")
    older = one.answer("/metrics", accept="text/plain, application/openmetrics-text; q=0.0")
    assert older.headers["content-type"].startswith("text/plain; version=0.0.4")
    families = parser.text_string_to_metric_families(answer.text)  # type: ignore[no-untyped-call]  # the library has no types
    return [sample for family in families for sample in family.samples]


def is_closed(client: socket.socket) -> bool:
    """Whether the other end has hung up."""
    client.setblocking(False)
    try:
        return client.recv(1) == b""
    except BlockingIOError:
        return False
    except ConnectionError:
        return True


def owners(stack: Stack) -> set[str]:
    """Who reads partitions, by the name that its client gives itself; nobody has none."""
    return {owner for (owner,) in opened.rows_in(stack.state, "SELECT owner FROM partitions")}


def test_nothing_keeps_it_from_ending(stack: Stack) -> None:
    """Who does not want to wait for a slow destination need not: a second signal ends it at once. A database that takes what
    is said and answers nothing keeps it for so long and no longer. The claims are due again when their leases end."""
    slow_down(stack, 60)
    publish(stack, range(1))
    with serving(stack) as one:
        one.until(lambda: DeliveryState.CLAIMED in states(stack))
        one.process.send_signal(signal.SIGTERM)
        one.until(lambda: one.says("stopping"))
        assert one.stop() == -signal.SIGTERM
    with Way(stack.state) as way:
        hanging, over = threading.Event(), threading.Event()

        def hang() -> None:
            hanging.set()
            over.wait(PATIENCE)

        with serving(stack, "tests.cli.hasty", ALERT_ROUTER_STATE=way.to(stack.state), HASTY_STOP="3") as one:
            way.cut_at(1, is_after=True, happens=hang)
            one.until(hanging.is_set)
            assert one.stop() == 1
            assert one.lines[-1].startswith("WARNING something hangs; ")
            over.set()


def is_killed(one: Serving) -> None:
    """It is gone."""
    one.process.kill()


def hangs(one: Serving) -> None:
    """It does nothing for longer than its leases and its claims on partitions last, and then goes on where it was."""
    one.process.send_signal(signal.SIGSTOP)


A_ROUND = 6
MOST_TRIPS = 40
"""Round trips to the state within which trouble comes: about as many as a round takes."""


def is_replaced(one: Serving) -> None:
    """It is told to stop."""
    one.process.send_signal(signal.SIGTERM)


def is_cut_off(one: Serving) -> None:
    """Every connection to its hubs is cut, and so are those of the others."""
    one.stack.hubs.drop_connections()


TROUBLES: tuple[Trouble, ...] = (is_killed, is_killed, hangs, is_replaced, is_cut_off)


@pytest.mark.parametrize(
    ("seed", "rounds"), [(20261130, 1), *(pytest.param(seed, 24, marks=pytest.mark.soak) for seed in (1, 2))]
)
def test_several_lose_nothing_whatever_becomes_of_one_in_the_midst_of_a_batch(
    stack: Stack, seed: int, rounds: int
) -> None:
    """At a round trip to the state that chance chose, and another one in its place, or two: more than there are partitions.
    Every partition is read again, every message comes out, and what came twice was on its way: a page is one, and so is all
    that was claimed once."""
    chance, published = random.Random(seed), 0  # noqa: S311  A seed, so that a failure can be had again.

    def is_over(is_last: bool) -> bool:
        return has_received(stack, range(published)) and (not is_last or positions(stack) == ends(stack))

    with ExitStack() as held:
        way = held.enter_context(Way(stack.state))
        settings = {"ALERT_ROUTER_STATE": way.to(stack.state), "ALERT_ROUTER_LEASE": "2", "ALERT_ROUTER_GRACE": "1"}

        def begun() -> Serving:
            return held.enter_context(serving(stack, "tests.cli.hasty", **settings))

        slow_down(stack, 0.2)  # So that trouble finds deliveries on their way.
        running = [begun(), begun()]
        for trouble in (is_killed, *chance.choices(TROUBLES, k=rounds - 1)):
            victim, met = running.pop(chance.randrange(len(running))), threading.Event()

            def happens(trouble: Trouble = trouble, victim: Serving = victim, met: threading.Event = met) -> None:
                trouble(victim)
                met.set()

            way.cut_at(chance.randint(1, MOST_TRIPS), is_after=chance.random() < 0.5, happens=happens)
            published += A_ROUND
            publish(stack, range(published - A_ROUND, published))
            assert met.wait(PATIENCE)
            if trouble is is_replaced:
                assert victim.process.wait(PATIENCE) == 0
            while rounds > 1 and len(running) < chance.choice((2, 3)):
                running.append(begun())
            if trouble is hangs:
                running[0].until(lambda: is_over(is_last=False))
                victim.process.send_signal(signal.SIGCONT)
            if trouble in (hangs, is_cut_off):
                running.append(victim)
        published += A_ROUND
        publish(stack, range(published - A_ROUND, published))
        running[0].until(lambda: is_over(is_last=True))
        assert {one.stop() for one in running} == {0}
    assert assert_doubled_only_where_cut_off(stack) or rounds == 1, "no trouble met a delivery, so nothing was proven"


def assert_doubled_only_where_cut_off(stack: Stack) -> set[str]:
    """A page is one, and so is all that was claimed once; returns the keys of what was claimed again."""
    received = Received.at(stack)
    assert set(received.pages.values()) == {1}
    claimed_again = opened.rows_in(stack.state, "SELECT key FROM deliveries WHERE attempts > 1")
    # The record's have the keys of messages, with the stream behind them.
    cut_off = {key.partition("/")[0] for (key,) in claimed_again}
    told = received.tickets + received.decisions
    assert {key for key, count in told.items() if count > 1} <= cut_off
    again = {uid for rows in received.rows.values() for uid, count in rows.items() if count > 1}
    assert again <= {event_uid(key, 1) for key in cut_off}
    return cut_off


def positions(stack: Stack) -> dict[tuple[str, str], int]:
    """Up to where each partition is taken in, of those without a gap."""
    whole = "SELECT hub, partition, max(last) FROM taken GROUP BY hub, partition HAVING count(*)=1"
    return {(hub, partition): last for hub, partition, last in opened.rows_in(stack.state, whole)}


def ends(stack: Stack) -> dict[tuple[str, str], int]:
    """The last number of each partition."""
    return {(hub, id): last for hub in ("cwpp", "cspm") for id, last in stack.hubs.last_sequences(hub).items()}


def test_what_is_owed_again_is_sent_by_who_serves(stack: Stack, house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    """A page that the pager refused and somebody redrives; a message that somebody retakes."""
    for name, value in stack.environment.items():
        monkeypatch.setenv(name, value)
    stack.soc.pagerduty.faults.add(Status(400))
    stack.hubs.append("cwpp", 0, alert_body("alert-1"))
    stack.hubs.append("cwpp", 1, body_of(an_assessment()))
    with serving(stack) as one:
        one.until(lambda: "oncall" in house.says("dead-letters", "list").out)
        one.until(lambda: "wrong_stream" in house.says("quarantine", "list").out)
        assert stack.soc.pagerduty.pages == []
        assert house.says("dead-letters", "redrive", "--all").out.startswith("redriven: 1;")
        one.until(lambda: len(stack.soc.pagerduty.pages) == 1)
        retaken = house.says("quarantine", "retake", "--all", "--rules", stack.rules)
        assert retaken.out.endswith("retaken: 1; what was routed is sent within a minute\n")
        one.until(lambda: len(stack.soc.servicenow.tickets) == 2)
        assert one.stop() == 0


def test_what_keeps_it_from_starting_is_named(
    unserved: Stack, said_here: Ended, tmp_path: Path, subtests: pytest.Subtests
) -> None:
    """One line that begins with what is at fault, and exit code 2; of a policy with problems each has a line, with its file."""
    for settings, complaint in (
        ({"ALERT_ROUTER_STATE": "mysql://soc@127.0.0.1/alerts"}, r"ALERT_ROUTER_STATE: is no address of a state; .*"),
        ({"ALERT_ROUTER_STATE": "postgresql://soc:s3cret@127.0.0.1:1/alerts"}, r"127.0.0.1, database alerts: .*"),
        ({"EVENT_HUBS": ""}, r"EVENT_HUBS: is not set; set .*"),
        ({"EVENT_HUBS": "nonsense"}, r"EVENT_HUBS: does not say where a namespace is"),
        ({"ALERT_ROUTER_LEASE": "soon"}, r"ALERT_ROUTER_LEASE: 'soon' is no number of seconds .*"),
    ):
        with subtests.test(complaint):
            code, said = said_here(settings)
            assert code == 2
            assert re.fullmatch(complaint + r"\n", said), said
            assert found_in(said, secrets_in(unserved.environment) | {"s3cret"}) == []
    with socket.create_server(("127.0.0.1", 0)) as busy:
        taken = f"127.0.0.1:{busy.getsockname()[1]}"
        for address, why in (
            (taken, "nothing can listen there"),
            ("9464", "is no address"),
            ("soc:9464", "is no address"),
        ):
            with subtests.test(address):
                code, said = said_here({}, "--probes", address)
                assert code == 2
                assert re.fullmatch(rf"{address}: {why}.*\n", said), said
    rules = tmp_path / "rules"
    shutil.copytree(unserved.rules, rules)
    for path in rules.glob("*/policy.yaml"):  # Where no destination is ready, it is the same.
        path.write_text(path.read_text().replace(unserved.soc.addresses.logs, "https://logs.example"))
    unready = {f"{stream}_{name}": "" for stream in ("CWPP", "CSPM") for name in ("ROUTING_KEY", "PASSWORD")}
    code, said = said_here({"ALERT_ROUTER_LEASE": "soon", **unready}, rules=rules)
    assert code == 2
    assert said.startswith("ALERT_ROUTER_LEASE: 'soon' is no number of seconds ")
    (rules / "cspm" / "policy.yaml").write_text("stream: cspm\nfloor: {default: Middling}\n")
    code, said = said_here({}, rules=rules)
    assert (code, bool(said.splitlines())) == (2, True)
    assert all(line.startswith(f"{rules}/cspm/policy.yaml:") for line in said.splitlines())


def test_a_directory_has_one_that_serves_it(stack: Stack, said_here: Ended) -> None:
    """A second one would read what the first one claimed; it says so and ends.

    What is not there yet is named, and the rest is served; what is owed there goes out once it is there.
    """
    state = str(stack.directory / "state")
    publish(stack, range(1))
    reference = "@Microsoft.KeyVault(VaultName=v;SecretName=s)"
    with serving(stack, ALERT_ROUTER_STATE=state, CWPP_PASSWORD="", CSPM_PASSWORD=reference) as one:
        one.until(lambda: bool(stack.soc.pagerduty.pages))
        assert one.says("WARNING cwpp tickets: not yet: CWPP_PASSWORD is missing")
        assert one.says("WARNING cspm backlog: not yet: CSPM_PASSWORD is still a reference to Key Vault")
        for command in (["serve"], ["run", "--state", state, "--stream", "cwpp", "/dev/null"]):
            code, said = said_here({"ALERT_ROUTER_STATE": state}, command=command)
            assert (code, said) == (2, f"{state}: another run is at work on this state; wait for it to end\n")
        assert one.stop() == 0
    assert not Received.at(stack).tickets
    with serving(stack, ALERT_ROUTER_STATE=state) as one:
        one.until(lambda: has_received(stack, range(1)))
        assert not one.says("not yet")
    assert_nothing_was_received_twice(stack)
