"""The demo takes whatever destinations a policy has: people try theirs out in the shipped one."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Iterator
from dataclasses import replace

import pytest

from alert_router_demo.connection import connected
from alert_router_demo.soc import Soc, soc_in_thread
from router.app.destination_readiness import readiness_of
from router.app.rules import Rules, load_rules
from router.cli.incoming import open_files
from router.cli.option_values import clock_for
from router.cli.run_job import Job, Report, do
from router.domain.rulebook import DestinationSpec, Lane
from router.domain.signals import Stream
from tests.cli.house import House, ndjson
from tests.parse.messages import a_flat_alert, an_assessment
from tests.waiting import wait_until

POLICY = """
stream: cwpp
floor: {default: Medium}
destinations:
  log: {kind: file, path: log.ndjson}
  hook: {kind: webhook, url: "https://soc.example.com/hook", secret: [{secret: HOOK_NEXT}, {secret: HOOK}]}
  token: {kind: servicenow, url: "https://example.service-now.com", auth: {bearer: {secret: TOKEN}}}
  user:
    kind: servicenow
    url: "https://example.service-now.com"
    table: sn_si_incident
    auth: {user: {secret: USER}, password: {secret: PASSWORD}}
  client:
    kind: servicenow
    url: "https://example.service-now.com"
    auth: {client_id: us, client_secret: {secret: CLIENT}, token_url: "https://example.service-now.com/oauth_token.do"}
  pager: {kind: pagerduty, routing_key: {secret: KEY}}
  events: {kind: servicenow_events, url: "https://example.service-now.com", auth: {bearer: {secret: TOKEN}}}
  ops: {kind: jsm_ops, key: {secret: OPS_KEY}, responders: [{type: team, name: "{owner.group}"}]}
  issues:
    kind: jira
    url: "https://example.atlassian.net"
    auth: {user: us, password: {secret: JIRA_TOKEN}}
    project: SOC
    issue_type: Incident
    fields: {customfield_10010: "{owner.group}"}
    resolve: {transition: Close, resolution: Done}
  gateway: {kind: jira, url: "https://api.atlassian.com/ex/jira/1", auth: {bearer: {secret: JIRA_BEARER}}, project: "1"}
  slack: {kind: slack, url: {secret: SLACK_URL}}
  teams: {kind: teams, url: {secret: TEAMS_URL}, origin: "https://prod-01.westeurope.logic.azure.com"}
  mail:
    kind: email
    host: smtp.soc.example
    auth: {user: us, password: {secret: MAIL_PASSWORD}}
    from: router@soc.example
    to: [soc@soc.example]
  splunk: {kind: splunk_hec, url: "https://splunk.example.com:8088", token: {secret: SPLUNK_TOKEN}, index: soc}
routes:
  - {name: high, when: {at_least: High}, to: [hook, token, user, client, pager, events, ops, issues, slack, teams, splunk]}
always: [log, mail]
otherwise: [log]
"""

POSTURE = """
stream: cspm
floor: {default: Low}
destinations:
  backlog:
    kind: servicenow
    url: "https://example.service-now.com"
    table: problem
    auth: {user: posture, password: {secret: PASSWORD}}
routes: []
always: []
otherwise: [backlog]
"""


@pytest.fixture
def soc() -> Iterator[Soc]:
    """A running SOC."""
    with soc_in_thread() as running:
        yield running


def rules_in(house: House) -> Rules:
    """The rules of both streams, with every kind that there is and an owner who is paged with a key of its own."""
    house.writes("rules/cwpp/policy.yaml", POLICY)
    house.writes("rules/cspm/policy.yaml", POSTURE)
    house.writes("rules/owners.yaml", "owners: [{group: web, pager: {secret: WEB_KEY}}]\n")
    return load_rules(house.directory / "rules", list(Stream), clock_for(None)())


def routed(house: House, rules: Rules, soc: Soc) -> Report:
    """What routing an alert and a finding to the SOC comes to."""
    rules, settings = connected(rules, soc)
    state, clock = house.directory / ".state", clock_for(None)
    job = Job(rules=rules, only=None, state=state, decisions=None, settings=settings, clock=clock)
    with open_files([house.writes("a.ndjson", ndjson(a_flat_alert(), an_assessment()))]) as files:
        return asyncio.run(do(job, files))


def test_every_kind_reaches_the_soc(house: House, soc: Soc) -> None:
    """Each with an endpoint of its own, by token, by password and as an OAuth client that asks nobody else for a token; two
    streams may name one secret, and a file is a file."""
    report = routed(house, rules_in(house), soc)
    names = {"log", "hook", "token", "user", "client", "pager", "demo-webhook", "backlog"}
    names |= {"events", "ops", "issues", "slack", "teams", "splunk", "mail"}
    assert {one.destination: one.sent for one in report.standings if one.sent} == dict.fromkeys(names, 1)
    assert not report.died
    wait_until(lambda: soc.teams.count() == 1)
    assert soc.counts()["received"] == {
        "tickets": 4, "pages": 1, "rows": 0, "hooks": 2, "em_alerts": 1, "issues": 1, "alerts": 1, "messages": 1, "cards": 1,
        "events": 1, "mails": 1,
    }  # fmt: skip
    assert len(house.lines("log.ndjson")) == 1


def test_every_secret_that_the_rules_name_has_a_value(house: House, soc: Soc) -> None:
    """Also the user's, both of a webhook's, and an owner's pager key; so no secret is missing."""
    rules, settings = connected(rules_in(house), soc)
    readiness = readiness_of(rules, settings)
    assert (readiness.unready, readiness.problems) == ((), [])
    named = set(re.findall(r"secret: (\w+)", POLICY)) | {"WEB_KEY"}
    assert len(named) == 15 and named <= readiness.secrets[Stream.CWPP].keys()


def test_a_kind_that_the_soc_lacks_is_left_out(house: House, soc: Soc, capsys: pytest.CaptureFixture[str]) -> None:
    """One line names it, its secret is not missed, and the rest is routed as ever."""
    rules = rules_in(house)
    book = rules.books[Stream.CWPP]
    chat = DestinationSpec(name="chat", kind="chat", lane=Lane.TICKET, config=object(), secrets=("CHAT_TOKEN",))
    (route,) = book.routes
    odd = replace(
        book,
        destinations={**book.destinations, "chat": chat},
        routes=(replace(route, to=("chat", "pager")),),
        always=("chat", "log"),
        record=replace(chat, name="record"),
    )
    report = routed(house, replace(rules, books={Stream.CWPP: odd}), soc)
    assert capsys.readouterr().err.splitlines() == [
        "cwpp chat: left out, the demo's SOC has no endpoint for kind chat",
        "cwpp record: left out, the demo's SOC has no endpoint for kind chat",
    ]
    assert not report.died
    assert {one.destination for one in report.standings if one.sent} == {"demo-webhook", "log", "pager"}
