"""`demo`: the main job, on real HTTP, twice, with whatever destinations a policy has."""

import asyncio
import re
import signal
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from copy import replace
from dataclasses import dataclass
from itertools import takewhile
from pathlib import Path
from typing import Any

import httpx
import pytest
import yaml

from alert_router_demo.connection import connected
from alert_router_demo.soc import Soc, soc_in_thread
from router.app.destination_readiness import readiness_of
from router.app.rules import Rules, load_rules
from router.app.settings import Settings
from router.cli.incoming import open_files
from router.cli.option_values import clock_for
from router.cli.run_job import Job, Report, do
from router.console.views import VIEWS
from router.destinations import discover
from router.domain.readable import counted
from router.domain.rulebook import DestinationSpec, Lane
from router.domain.signals import Stream
from tests.cli.house import House, Said, a_process, column, lines_in, ndjson, routing
from tests.destinations.builders import examples_of, secret_names_in
from tests.docs.pages import page
from tests.parse.messages import a_flat_alert, an_assessment
from tests.stack.postgres import Server
from tests.waiting import wait_until


@dataclass(frozen=True, slots=True)
class DemoRuns:
    """The demo, run twice in one directory, and what the decisions were each time.

    Attributes:
        pages: what the console said that the second run opened, by the paths of its pages.
    """

    directory: Path
    first: Said
    decisions: list[dict[str, Any]]
    second: Said
    repeats: list[dict[str, Any]]
    pages: dict[str, dict[str, Any]]


ASKED = ("/resource", "/silences/new")
"""The views that say something of what is asked alone."""


@pytest.fixture(scope="module")
def runs(tmp_path_factory: pytest.TempPathFactory) -> DemoRuns:
    """The demo as people run it."""
    directory = tmp_path_factory.mktemp("demo")
    decisions = directory / ".state" / "demo" / "decisions.ndjson"
    first = a_process("demo", within=directory)
    once = lines_in(decisions)
    with routing("demo", "--keep", "--listen", "127.0.0.1:0", within=directory) as keeping:
        assert keeping.stdout is not None
        out = "".join(takewhile(lambda line: not line.startswith("Ctrl-C"), keeping.stdout))
        (url,) = re.findall(r"^the console is at (\S+)$", out, re.M) or [keeping.communicate()]
        with httpx.Client(follow_redirects=True) as browser:
            assert browser.get(url).status_code == 200
            paths = [view.path for view in VIEWS if "{" not in view.path and view.path not in ASKED]
            pages = {path: browser.get(url.replace("/?", f"{path}.json?")).json() for path in paths}
        keeping.send_signal(signal.SIGINT)
        second = Said(keeping.wait(), out, keeping.communicate()[1])
    return DemoRuns(directory, first, once, second, lines_in(decisions), pages)


def test_everything_arrives(runs: DemoRuns) -> None:
    """Samples of every kind are routed by the starter's rules to a SOC that turns requests away at first; exit 0."""
    first, decisions = runs.first, runs.decisions
    assert (first.code, first.err) == (0, "")
    assert len(decisions) >= 60
    assert {"routed", "suppressed", "below_floor", "noted", "resolved", "repeat", "quarantined"} == set(
        column(decisions, "outcome")
    )
    assert {"cwpp", "cspm"} <= set(column(decisions, "stream"))
    for words in (
        f"received          {len(decisions)}",
        "4 by scanner-sql-bruteforce until 2028-",
        "not_json 1",
        "by severity",
        "by ATT&CK tactic (v",
        "decisions  .state/demo/decisions.ndjson",
        "state      .state/demo",
        "429 x 3",
        "503 x 1",
        "dropped x 1",
    ):
        assert words in first.out
    for destination in ("oncall", "soc-tickets", "sentinel", "backlog", "posture", "demo-webhook", "record"):
        assert destination in first.out
    assert "owed, next due" not in first.out
    # Its story opens, updates, resolves and opens again.
    assert {"opened", "updated", "resolved"} <= set(column(decisions, "notice"))


def test_the_soc_saw_what_was_sent(runs: DemoRuns) -> None:
    """What the funnel says was sent is what the SOC took: no page and no row more, and one ticket for each opening."""
    first = runs.first
    lines = [line.split() for line in first.out.splitlines()]
    sent = Counter[str]()
    for line in lines:
        if len(line) == 6 and line[0] in ("cwpp", "cspm"):
            sent[line[1]] += int(line[2])
    assert f"202 x {sent['oncall']}" in first.out
    assert f"webhook      {sent['demo-webhook']} hooks" in first.out
    assert f"logs         {sent['sentinel'] + sent['posture'] + sent['record']} rows" in first.out
    tickets = next(int(line[1]) for line in lines if line[:1] == ["servicenow"])
    assert f"201 x {tickets}," in first.out
    assert 0 < tickets < sent["soc-tickets"] + sent["backlog"]


def test_it_ends_with_what_it_came_to_and_a_command_that_runs(runs: DemoRuns) -> None:
    """Pages and tickets are counted at the SOC; a command, typed as it is, says why one of the pages is one; the last line
    offers the console."""
    for said in (runs.first, runs.second):
        holds = {name: counted(int(count), what) for name, count, what in _HOLDS.findall(said.out)}
        headline, command = re.findall(r"^  (89 messages: .*|\S.* explain .*)$", said.out, re.M)
        held = column(runs.decisions, "outcome").count("suppressed")
        assert headline == f"89 messages: {holds['pagerduty']}, {holds['servicenow']}, {held} held"
        end = said.out.partition(headline)[2]
        assert end.count("\n    page  ") == int(holds["pagerduty"].split()[0])
    program, _, last = runs.first.out.rpartition(f"\n  {command}\n\n  ")[2].partition(" demo --keep ")
    assert (command.partition(" explain ")[0], last) == (program, "opens the console on what just happened\n")
    typed = subprocess.run(["sh", "-c", command], cwd=runs.directory, capture_output=True, text=True)
    assert (typed.returncode, typed.stdout.partition(" was paged ")[0]) == (0, "oncall"), typed.stderr


_HOLDS = re.compile(r"^  (servicenow|pagerduty) +(\d+) (page|ticket)s? ", re.M)


def test_the_readme_shows_the_screen(runs: DemoRuns) -> None:
    """Each paragraph that it shows is printed so, and in that order; the command is that of a clone."""
    shown = page("README.md").text.partition("<!-- screen -->\n```text\n")[2].partition("\n```")[0]
    printed = re.sub(r"\S+ -m router (?=explain|demo)", ".venv/bin/alert-router ", runs.first.out)
    assert shown.count("\n\n") >= 6
    for paragraph in shown.split("\n\n"):
        _, found, printed = printed.partition(paragraph + "\n")
        assert found, paragraph
    words = r"(\d+) alerts are for `oncall`: (\d+) got a page each, and one more page counts\s+the (\d+) beyond"
    ((alerts, alone, beyond),) = re.findall(words, page("README.md").text)
    assert int(alerts) == sum("oncall" in one["destinations"] for one in runs.decisions if one["notice"] == "opened")
    assert int(alerts) == int(alone) + int(beyond) + 2 and f" {int(alone) + 1 + 2} pages," in shown


def test_the_second_time_nothing_is_sent(runs: DemoRuns) -> None:
    """Run twice, everything is a repeat or was never sent, and the SOC hears nothing. Everything that it wrote is in the state,
    which is not where `run` keeps its own."""
    assert set(column(runs.repeats, "outcome")) == {"repeat", "below_floor", "suppressed", "quarantined"}
    assert "nothing sent, nothing owed" in runs.second.out and "one page" not in runs.second.out
    assert "servicenow   0 tickets   nothing" in runs.second.out
    written = {path.relative_to(runs.directory).as_posix() for path in runs.directory.rglob("*") if path.is_file()}
    assert {"/".join(Path(name).parts[:2]) for name in written} == {".state/demo"}


def test_kept_it_is_a_console_with_something_in_every_view(runs: DemoRuns) -> None:
    """People acted, a silence and a rule that end soon hold something, a ticket was refused, and a cluster is dark; until
    Ctrl-C, which ends it."""
    assert runs.second.code == 130
    assert re.fullmatch(r"interrupted: 4 taken in, \d owed; the next run goes on with them\n", runs.second.err)
    assert [path for path, said in runs.pages.items() if not any(said.values())] == []
    (dark, *_), status = runs.pages["/coverage"]["workloads"], runs.pages["/status"]
    assert (dark["name"], dark["sensor"]) == ("aks-payouts", "dark")
    assert status["streams"]["cwpp"]["held"] == ["demo-webhook"]
    assert (status["streams"]["cwpp"]["dead"], status["silences"]["active"]) == (1, 1)


def test_what_stands_in_the_way_is_one_line(house: House, monkeypatch: pytest.MonkeyPatch, postgres: Server) -> None:
    """A state that cannot be kept, a database without tables, no such option; what is deployed has no samples, no SOC."""
    house.writes("file", "")
    assert house.says("demo", "--state", "file").complaint.startswith("file: is a file, ")
    assert "holds no state; begin one there" in house.says("demo", "--state", postgres.new_database()).complaint
    assert house.says("demo", "--to", "mars").complaint.startswith("unrecognized arguments: --to")
    monkeypatch.setitem(sys.modules, "alert_router_demo", None)
    monkeypatch.delitem(sys.modules, "alert_router_demo.story", raising=False)
    assert house.says("demo").complaint.startswith("demo: alert_router_demo is not deployed; ")


def test_one_page_and_one_ticket_are_shown_whole(runs: DemoRuns) -> None:
    """As the SOC got them: what happened first, then evidence, what to do and links; nobody is told anything new again."""
    page, ticket = runs.first.out.split("one page, as the pager got it")[1].split("one ticket, as ServiceNow got it")
    shown = [line.strip() for line in page.splitlines()]
    assert shown.index("owner_group: web-shop") < shown.index("processes:") < shown.index("remediation:")
    lines = [line.strip() for line in ticket.splitlines()]
    headings = ["WHAT", "WHERE", "WHEN", "WHY YOU", "EVIDENCE", "WHAT TO DO", "LINKS", "REFERENCE"]
    assert [line for line in lines if line in headings][: len(headings)] == headings


CONSOLE = "https://alerts.contoso.com"

_ADDRESS = "https://servicenow.example"
DESTINATIONS: dict[str, Any] = {
    **{
        f"{kind}-{at}": one
        for kind in discover()
        for at, one in enumerate(examples_of(kind))
        if one.get("tls") != "none"
    },
    "user": {
        "kind": "servicenow",
        "url": _ADDRESS,
        "auth": {"user": {"secret": "USER"}, "password": {"secret": "PASSWORD"}},
    },
    "client": {
        "kind": "servicenow",
        "url": _ADDRESS,
        "auth": {"client_id": "us", "client_secret": {"secret": "CLIENT"}, "token_url": f"{_ADDRESS}/oauth_token.do"},
    },
}
"""Every example of every kind, and two more ways to be let in; the SOC's mail server takes mail of its users alone."""

BACKLOG = {
    "kind": "servicenow",
    "url": _ADDRESS,
    "table": "problem",
    "auth": {"user": "us", "password": {"secret": "PASSWORD"}},
}


@pytest.fixture
def soc() -> Iterator[Soc]:
    """A running SOC."""
    with soc_in_thread() as running:
        yield running


def rules_in(house: House) -> Rules:
    """The rules of both streams, with every kind that there is and an owner who is paged with a key of its own."""
    routes = [{"name": "high", "when": {"at_least": "High"}, "to": list(DESTINATIONS)}]
    for stream, destinations, routed in (("cwpp", DESTINATIONS, routes), ("cspm", {"backlog": BACKLOG}, [])):
        policy = {"stream": stream, "floor": {"default": "Low"}, "destinations": destinations, "routes": routed}
        house.writes(f"rules/{stream}/policy.yaml", yaml.safe_dump({**policy, "otherwise": list(destinations)[-1:]}))
    house.writes("rules/owners.yaml", "owners: [{group: web, pager: {secret: WEB_KEY}}]\n")
    return load_rules(house.directory / "rules", list(Stream), clock_for(None)())


def routed(house: House, rules: Rules, soc: Soc) -> Report:
    """What routing an alert and a finding to the SOC comes to, where a setting says where the console is."""
    rules, settings = connected(rules, soc)
    settings = Settings({**settings.values, "ALERT_ROUTER_CONSOLE_URL": CONSOLE})
    state, clock = house.directory / ".state", clock_for(None)
    job = Job(rules=rules, only=None, state=state, decisions=None, settings=settings, clock=clock)
    with open_files([house.writes("a.ndjson", ndjson(a_flat_alert(), an_assessment()))]) as files:
        return asyncio.run(do(job, files))


def test_every_kind_reaches_the_soc(house: House, soc: Soc) -> None:
    """Each with an endpoint of its own, by token, by password and as an OAuth client that asks nobody else for a token; two
    streams may name one secret, and a file is a file. What they get leads to the console."""
    report = routed(house, rules_in(house), soc)
    names = {*DESTINATIONS, "demo-webhook", "backlog"}
    assert {one.destination: one.sent for one in report.standings if one.sent} == dict.fromkeys(names, 1)
    assert not report.died
    wait_until(lambda: soc.teams.count() == 1)
    received = soc.counts()["received"]
    assert all(received.values()) and (received["tickets"], received["hooks"]) == (5, 5)
    assert len(house.lines("notices.ndjson")) == 1
    told = soc.state()
    for holds in ("tickets", "pages", "hooks", "em_alerts", "issues", "alerts", "messages", "cards", "events"):
        assert all(f"{CONSOLE}/signals/" in repr(one) for one in told[holds]), holds
    rows = [row for some in told["rows"].values() for row in some]
    assert all(f"{CONSOLE}/signals/" in repr(row) for row in rows)


def test_every_secret_that_the_rules_name_has_a_value(house: House, soc: Soc) -> None:
    """Also the user's, both of a webhook's, and an owner's pager key; so no secret is missing."""
    rules, settings = connected(rules_in(house), soc)
    readiness = readiness_of(rules, settings)
    assert (readiness.unready, readiness.problems) == ((), [])
    named = {*secret_names_in(DESTINATIONS), "WEB_KEY"}
    assert {"USER", "WEBHOOK_SECRET_NEXT"} < named <= readiness.secrets[Stream.CWPP].keys()


def test_a_kind_that_the_soc_lacks_is_left_out(house: House, soc: Soc, capsys: pytest.CaptureFixture[str]) -> None:
    """One line names it, its secret is not missed, and the rest is routed as ever."""
    rules = rules_in(house)
    book = rules.books[Stream.CWPP]
    chat = DestinationSpec(name="chat", kind="chat", lane=Lane.TICKET, config=object(), secrets=("CHAT_TOKEN",))
    (route,) = book.routes
    odd = replace(
        book,
        destinations={**book.destinations, "chat": chat},
        routes=(replace(route, to=("chat", "pagerduty-0")),),
        always=("chat", "file-0"),
        record=replace(chat, name="record"),
    )
    report = routed(house, replace(rules, books={Stream.CWPP: odd}), soc)
    assert capsys.readouterr().err.splitlines() == [
        "cwpp chat: left out, the demo's SOC has no endpoint for kind chat",
        "cwpp record: left out, the demo's SOC has no endpoint for kind chat",
    ]
    assert not report.died
    assert {one.destination for one in report.standings if one.sent} == {"demo-webhook", "file-0", "pagerduty-0"}
