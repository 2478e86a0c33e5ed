"""A storm makes no more pages than the policy lets it, and loses nothing: through files, the outbox and real HTTP."""

import json
from collections.abc import Iterator
from datetime import datetime, timedelta
from pathlib import Path

import pytest

from alert_router_demo.soc import Soc, soc_in_thread
from router.cli import main
from tests.builders import NOW, RESOURCE, RULES, alert_body, finding_body

STORM = 5_000
HOSTS = 500
MOST = 20

POLICY = """
stream: {stream}
floor: {{default: Low}}
destinations:
  {people}
  rows: {{kind: log_analytics, endpoint: "{logs}", rule: dcr-1, table: {table}}}
routes: [{{name: everything, to: [{name}]}}]
always: [rows]
otherwise: [{name}]
"""
ONCALL = (
    'oncall: {{kind: pagerduty, url: "{pagerduty}", routing_key: {{secret: ROUTING_KEY}}, '
    "group: {{by: [alert_type, resource], window: 30m}}, limit: {{most: 20, window: 10m}}}}"
)
BACKLOG = (
    'backlog: {{kind: servicenow, url: "{servicenow}", auth: {{user: {user}, password: {{secret: PASSWORD}}}}, '
    "group: {{by: [category, package, owner], window: open}}}}"
)


class RoutedStream:
    """A router over files, and the SOC that it tells."""

    def __init__(self, directory: Path, soc: Soc, stream: str, people: str, table: str) -> None:
        self.directory, self.soc, self.stream = directory, soc, stream
        at = soc.addresses
        told = people.format(
            pagerduty=at.pagerduty, servicenow=at.servicenow, user=soc.accounts[stream].servicenow_user
        )
        rules = directory / "rules" / stream
        rules.mkdir(parents=True)
        (directory / "rules" / "attack.yaml").write_bytes((RULES / "attack.yaml").read_bytes())
        name = people.partition(":")[0]
        policy = POLICY.format(stream=stream, people=told, logs=at.logs, table=table, name=name)
        (rules / "policy.yaml").write_text(policy)

    def run(self, *bodies: bytes, now: datetime = NOW) -> list[dict[str, object]]:
        """Routes messages at an instant; returns the decisions."""
        messages, decisions = self.directory / f"{len(bodies)}.ndjson", self.directory / "decisions.ndjson"
        messages.write_bytes(b"\n".join(bodies))
        given = ("--rules", self.directory / "rules", "--state", self.directory / "state", "--decisions", decisions)
        when = ("--now", now.isoformat())
        assert main(["run", *map(str, given), *when, "--stream", self.stream, str(messages)]) == 0
        return [json.loads(line) for line in decisions.read_bytes().splitlines()]


@pytest.fixture
def soc(monkeypatch: pytest.MonkeyPatch) -> Iterator[Soc]:
    """A SOC whose secrets the router knows."""
    with soc_in_thread() as soc:
        monkeypatch.setenv("ROUTING_KEY", soc.accounts["cwpp"].routing_key)
        monkeypatch.setenv("PASSWORD", soc.accounts["cspm"].servicenow_password)
        monkeypatch.setenv("ALERT_ROUTER_CA_FILE", str(soc.addresses.ca))
        yield soc


def test_five_thousand_alerts_in_a_minute_make_the_pages_that_the_policy_allows(tmp_path: Path, soc: Soc) -> None:
    """On 500 hosts: 20 pages and one that says what is held, each alert a row and on record; all over, no page is open."""
    routed = RoutedStream(tmp_path, soc, "cwpp", ONCALL, "ASimAlertEventLogs")
    hosts = [f"{RESOURCE}-{number}" for number in range(HOSTS)]
    storm = {f"a{number}": hosts[number % HOSTS] for number in range(STORM)}
    decisions = routed.run(*(alert_body(id, AzureResourceId=host) for id, host in storm.items()))
    assert [one["outcome"] for one in decisions] == ["routed"] * STORM
    pages = soc.pagerduty.pages
    assert len(pages) == MOST + 1
    held = [page for page in pages if "beyond the limit of 20 openings in 10m" in page.summary]
    assert len(held) == 1
    assert len({row["EventUid"] for row in soc.state()["rows"]["Custom-ASimAlertEventLogs"]}) == STORM
    routed.run(*(alert_body(id, AzureResourceId=host, Status="Resolved") for id, host in storm.items()))
    assert {page.status for page in soc.pagerduty.pages} == {"resolved"}
    assert len(soc.pagerduty.pages) == MOST + 1


def test_a_first_snapshot_opens_a_ticket_for_each_title_and_owner(tmp_path: Path, soc: Soc) -> None:
    """4,000 findings that existed before export began are one ticket, which the next run's note counts; each has a row."""
    routed = RoutedStream(tmp_path, soc, "cspm", BACKLOG, "DefenderFindings_CL")
    one = finding_body("4fb67663-9ab9-475d-b026-8c544cced439", isSnapshot=True)
    routed.run(*(one.replace(b"vm-1", f"vm-{number}".encode()) for number in range(4_000)))
    (ticket,) = soc.state()["tickets"]
    assert ticket["journal"] == []
    routed.run(now=NOW + timedelta(minutes=59))
    (ticket,) = soc.state()["tickets"]
    assert ticket["journal"] == [], "an hour after the first of them, and not before"
    routed.run(now=NOW + timedelta(hours=1))
    (ticket,) = soc.state()["tickets"]
    assert "4000 signals, 4000 still stand" in str(ticket["journal"])
    assert len({row["EventUid"] for row in soc.state()["rows"]["Custom-DefenderFindings_CL"]}) == 4_000
