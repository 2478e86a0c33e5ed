"""Every query is one that Microsoft's parser reads, and the workbook shows what the rows of the demo's samples say."""

import json
import subprocess
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import yaml

from router.destinations.log_analytics import ALERTS, DECISIONS, FINDINGS
from router.domain.errors import Rejected, Unauthorized
from router.domain.rulebook import Lane
from tests import npm
from tests.builders import NOW, RULES
from tests.infra.queries import workspace
from tests.infra.queries.at_work import AtWork
from tests.infra.queries.workspace import QUERIES, SCHEMA, Columns, Row, Rows, alert_rules, answers

UNTIL = datetime(2028, 6, 1)  # noqa: DTZ001  As the engine answers: in UTC, and not saying so.


def shown(name: str, rows: Rows, now: datetime = NOW, **more: Any) -> list[dict[str, Any]]:
    """What a tile of the workbook shows."""
    return answers(QUERIES[name], rows, now=now, **more)


def alerts_in(rows: Rows) -> list[Row]:
    """The decisions on alerts that could be read."""
    return [row for row in rows[DECISIONS] if row.get("Stream") == "cwpp"]


def test_the_funnel_counts_each_message_once(routed: Rows) -> None:
    """Of 89 messages each came to something, of one severity; the three that could not be read stand in the record of both
    streams. What follows is about rows in all tables."""
    assert set(routed) == {ALERTS, DECISIONS, FINDINGS}
    funnel = shown("funnel", routed)
    assert Counter({(row["Stream"], row["Outcome"]): row["Signals"] for row in funnel}) == {
        ("cspm", "below_floor"): 3,
        ("cspm", "noted"): 6,
        ("cspm", "resolved"): 7,
        ("cspm", "routed"): 12,
        ("cspm", "suppressed"): 3,
        ("cwpp", "below_floor"): 4,
        ("cwpp", "repeat"): 1,
        ("cwpp", "resolved"): 2,
        ("cwpp", "routed"): 42,
        ("cwpp", "suppressed"): 6,
        ("unread", "quarantined"): 3,
    }
    assert sum(row["Signals"] for row in funnel) == 89
    severities = ("Critical", "High", "Medium", "Low", "Informational", "Unknown")
    assert all(sum(row[severity] for severity in severities) == row["Signals"] for row in funnel)


def test_rows_that_were_sent_again_change_nothing(routed: Rows) -> None:
    """Log Analytics deduplicates nothing, and a delivery may be made twice."""
    twice = {table: [*rows, *rows] for table, rows in routed.items()}
    for name in ("funnel", "suppressed", "attack-heat-map", "posture-backlog", "sentinel-overlap"):
        assert shown(name, twice) == shown(name, routed)


def test_what_is_held_back_stands_with_its_rule_and_its_end(routed: Rows) -> None:
    """The same counts as the demo prints. The end of a rule that was edited is that of the latest decision, though an earlier
    one named a later end."""
    assert [(row["Stream"], row["Rule"], row["Until"], row["Messages"]) for row in shown("suppressed", routed)] == [
        ("cwpp", "build-agents-exclusions", UNTIL, 2),
        ("cspm", "sandbox-public-storage", UNTIL, 3),
        ("cwpp", "scanner-sql-bruteforce", UNTIL, 4),
    ]
    held = [row for row in routed[DECISIONS] if row.get("SuppressedBy") == "scanner-sql-bruteforce"]
    later = NOW + timedelta(hours=1)
    edited = {"MessageKey": "later", "TimeGenerated": later.isoformat(), "SuppressedUntil": "2027-01-01T00:00:00Z"}
    found = shown("suppressed", {DECISIONS: [*held, {**held[0], **edited}]}, later)
    assert [(row["Until"].year, row["Signals"], row["Messages"]) for row in found] == [(2027, 4, 5)]


def test_the_heat_map_counts_each_alert_once_for_each_of_its_tactics(routed: Rows) -> None:
    """As the record has them: updates and repeats of an alert, and what was dropped, are no further alerts."""
    alerts = {row["SignalId"]: row for row in alerts_in(routed) if row["Outcome"] in ("routed", "suppressed")}
    expected = Counter(tactic for row in alerts.values() for tactic in row.get("Tactics", ()))
    columns = ("Critical", "High", "Medium", "Low", "Other")
    heat = shown("attack-heat-map", routed)
    assert {row["Tactic"]: sum(row[column] for column in columns) for row in heat} == expected
    assert sum(row["Suppressed"] for row in heat) == 6


def test_an_alert_that_was_held_and_came_out_is_held_no_longer(routed: Rows) -> None:
    """It counts once, as what it is now."""
    held = next(row for row in alerts_in(routed) if row["Outcome"] == "suppressed")
    out = {**held, "MessageKey": f"{held['MessageKey']}@2", "TimeGenerated": (NOW + timedelta(hours=1)).isoformat()}
    rows = {DECISIONS: [held, {**out, "Outcome": "routed"}]}
    heat = shown("attack-heat-map", rows, NOW + timedelta(hours=1))
    assert [(row[held["Severity"]], row["Suppressed"]) for row in heat] == [(1, 0)] * len(held["Tactics"])
    assert [row["Outcome"] for row in shown("sentinel-overlap", rows, NOW + timedelta(hours=1))] == ["routed"]


def test_the_heat_map_has_every_tactic_in_the_order_of_an_attack() -> None:
    """The names and the order are those of rules/attack.yaml."""
    attack = yaml.safe_load((RULES / "attack.yaml").read_text("utf-8"))["tactics"]
    said = {"TimeGenerated": NOW, "Stream": "cwpp", "Outcome": "routed"}
    rows = [said | {"SignalId": tactic, "Tactics": [tactic]} for tactic in reversed(attack)]
    heat = shown("attack-heat-map", {DECISIONS: rows})
    assert [(row["Tactic"], row["Name"]) for row in heat] == list(attack.items())


def test_the_backlog_holds_what_is_open_by_owner(routed: Rows) -> None:
    """The latest turn of each finding counts, as the rows themselves say; scores and compliance are nobody's work."""
    latest: dict[str, Any] = {}
    for row in sorted(routed[FINDINGS], key=lambda row: row["Turn"]):
        latest[row["SignalKey"]] = row
    kinds = ("recommendation", "vulnerability", "attack_path", "coverage")
    is_open = [row for row in latest.values() if row["Kind"] in kinds and row["Change"] != "resolved"]
    backlog = shown("posture-backlog", routed)
    assert {row["Owner"]: row["Open"] for row in backlog} == Counter(row.get("OwnerGroup", "nobody") for row in is_open)
    assert len(is_open) < len(latest)
    assert sum(row["AttackPaths"] for row in backlog) == 1
    assert sum(row[column] for row in backlog for column in ("Critical", "High", "Medium", "Other")) == len(is_open)


def test_what_was_resolved_leaves_the_backlog(routed: Rows) -> None:
    """Whatever order its rows arrived in; a silent source, which may have no owner, when it speaks."""
    silent = {"SignalKey": "a", "Kind": "coverage", "Turn": 1, "Change": "opened", "Severity": "High"}
    silent["TimeGenerated"] = NOW
    rows: list[Row] = [
        silent,
        silent | {"SignalKey": "b"},
        silent | {"SignalKey": "b", "Turn": 2, "Change": "resolved"},
    ]
    (backlog,) = shown("posture-backlog", {FINDINGS: rows})
    assert (backlog["Owner"], backlog["Open"], backlog["High"]) == ("nobody", 1, 1)
    keys = {row["SignalKey"] for row in routed[FINDINGS] if row["Change"] == "resolved" and row["Turn"] > 1}
    rows = [row for row in routed[FINDINGS] if row["SignalKey"] in keys]
    ends = {key: max((row for row in rows if row["SignalKey"] == key), key=lambda row: row["Turn"]) for key in keys}
    still = sum(row["Change"] != "resolved" for row in ends.values())
    assert keys
    assert sum(row["Open"] for row in shown("posture-backlog", {FINDINGS: rows[::-1]})) == still


def test_alerts_that_sentinels_connector_holds_too_are_told(routed: Rows) -> None:
    """By Defender's own id, which is VendorOriginalId there; another product's are not compared. The table need not exist."""
    ours = sorted({row["SignalId"] for row in alerts_in(routed)})
    row = {"TimeGenerated": NOW, "ProductName": "Microsoft Defender for Cloud", "SystemAlertId": "another id"}
    theirs = [{**row, "VendorOriginalId": id} for id in (*ours[:5], "never exported")]
    foreign = {**row, "VendorOriginalId": ours[6], "ProductName": "Microsoft Entra ID Protection"}
    overlap = shown("sentinel-overlap", {**routed, "SecurityAlert": [*theirs, foreign]})
    by_holder: Counter[str] = Counter()
    for found in overlap:
        by_holder[found["HeldBy"]] += found["Alerts"]
    assert by_holder == {"both": 5, "only Sentinel": 1, "only the router": len(ours) - 5}
    without = shown("sentinel-overlap", routed, tables=SCHEMA.keys() - {"SecurityAlert"})
    assert {row["HeldBy"] for row in without} == {"only the router"}


def test_deliveries_and_dead_letters_stand_by_destination(work: AtWork) -> None:
    """Attempts of the whole time, dead letters and pauses as they stand now: when dead letters were seen to and credentials
    mended, neither stands there any more; a destination that was never tried does."""
    work.receive(3)
    work.deliver("tickets", Lane.TICKET, Rejected("answered 400", status=400))
    work.deliver("sentinel", Lane.ROWS, Unauthorized("answered 401"))
    work.minutes(2)
    work.receive(2)
    work.deliver("tickets", Lane.TICKET)
    work.minutes()
    assert shown("deliveries", {"AppMetrics": work.rows}, work.now) == [
        _standing("tickets", "ticket", Sent=2, Died=3, DeadLetters=3),
        _standing("sentinel", "rows", PutOff=3, Paused="paused"),
    ]
    work.discard_dead_letters()
    work.receive(1)
    work.deliver("tickets", Lane.TICKET, Unauthorized("answered 401"))
    work.minutes(6)
    work.deliver("tickets", Lane.TICKET)
    work.deliver("sentinel", Lane.ROWS)
    work.minutes()
    assert shown("deliveries", {"AppMetrics": work.rows}, work.now) == [
        _standing("sentinel", "rows", Sent=6, PutOff=3),
        _standing("tickets", "ticket", Sent=3, PutOff=1, Died=3),
    ]


def test_the_oldest_undelivered_grows_until_it_is_delivered(work: AtWork) -> None:
    """In seconds, for each lane; five minutes share a point, which is the highest of them."""
    work.receive()
    work.minutes(9)
    work.deliver("tickets", Lane.TICKET)
    work.minutes(5)
    chart = shown("oldest-undelivered", {"AppMetrics": work.rows}, work.now)
    assert [row["Seconds"] for row in chart if row["Series"] == "cwpp ticket"] == [240, 540, 0]
    assert {row["Series"] for row in chart} == {f"{stream} {lane}" for stream in ("cwpp", "cspm") for lane in Lane}


def _standing(destination: str, lane: str, **counts: Any) -> dict[str, Any]:
    nothing = {"Sent": 0, "PutOff": 0, "Died": 0, "DeadLetters": 0, "Paused": ""}
    return {"Stream": "cwpp", "Destination": destination, "Lane": lane, **nothing, **counts}


CONTROLS = {
    "no column": "AlertRouterDecisions_CL | where Outcom == 'routed'",
    "a column": "AlertRouterDecisions_CL | project Outcome",
}
"""Queries of a column that no table has, and of one that there is."""


@dataclass(frozen=True, slots=True)
class ParsedQuery:
    """What a query is to the parser: its problems, and the columns of its answer with their types."""

    problems: Sequence[str]
    columns: Columns


@pytest.fixture(scope="module")
def parsed() -> Mapping[str, ParsedQuery]:
    """What the parser says of each query over the tables of the schema."""
    queries, here = {**QUERIES, **CONTROLS}, Path(__file__).parent / "grammar"
    asked = {"modules": str(npm.installed(here, "kusto")), "schema": SCHEMA, "queries": list(queries.values())}
    node = [str(npm.NODE), str(here / "read.cjs")]
    said = subprocess.run(node, input=json.dumps(asked), capture_output=True, text=True, check=True).stdout
    return {name: ParsedQuery(**one) for name, one in zip(queries, json.loads(said), strict=True)}


def test_a_query_is_right_in_every_name_and_type(parsed: Mapping[str, ParsedQuery], subtests: pytest.Subtests) -> None:
    """Also in those that no row of a test ever reaches. The engine is not Microsoft's, so it is believed only where the parser
    sees the same columns."""
    for name, query in QUERIES.items():
        with subtests.test(name):
            assert parsed[name].problems == []
            assert workspace.columns_of(query, now=NOW) == list(parsed[name].columns)


def test_the_parser_sees_a_column_that_no_table_has(parsed: Mapping[str, ParsedQuery]) -> None:
    """Else its silence would say nothing."""
    wrong, right = (parsed[name] for name in CONTROLS)
    assert [problem.partition(":")[0] for problem in wrong.problems] == ["KS142"]
    assert (right.problems, right.columns) == ([], {"Outcome": "string"})


def test_a_tile_paints_columns_that_its_query_has_and_is_about_a_time(
    parsed: Mapping[str, ParsedQuery], subtests: pytest.Subtests
) -> None:
    """A formatter whose column is not there does nothing, and says nothing. The time is what the page's only parameter gives,
    or one of its own; else it would be about whatever Azure takes."""
    for name, look in workspace.TILES.items():
        with subtests.test(name):
            for formatter in look.get("gridSettings", {}).get("formatters", ()):
                assert set(formatter["columnMatch"].split("|")) <= parsed[name].columns.keys()
            assert look.get("timeContextFromParameter") in (None, *workspace.PARAMETERS)
            assert ("timeContextFromParameter" in look) != ("timeContext" in look)


def test_an_alert_is_about_columns_of_text_that_its_query_has(parsed: Mapping[str, ParsedQuery]) -> None:
    """Azure splits a rule's alerts by text and numbers only; here it is always text."""
    for name, rule in alert_rules().items():
        columns = parsed[f"alert-{name}"].columns
        assert {columns[dimension] for dimension in rule.dimensions} <= {"string"}


def test_every_query_stands_once_and_is_used_once() -> None:
    """In the workbook under its own name, or in the alert rule of its name, about the hubs that are deployed with it; that of
    file integrity in the rule of its own name, where it is chosen."""
    assert workspace.tile_queries() == [(name, QUERIES[name]) for name in workspace.TILES]
    known = {
        "eventHubNamespaceId": workspace.NAMESPACE,
        "databaseServerId": workspace.DATABASE,
        "databaseConnections": "414",
        "firstDeployed": "",
    }
    alerted = {f"alert-{name}": rule.query for name, rule in alert_rules().items()}
    shipped = {name: query for name, query in QUERIES.items() if name.startswith("alert-")}
    for name, value in known.items():
        shipped = {alert: query.replace(f"{{{name}}}", value) for alert, query in shipped.items()}
    assert alerted == shipped
    (sent,) = (one for name, one in alert_rules("several-subscriptions").items() if name not in alert_rules())
    assert sent.query == QUERIES[sent.name]
    assert {*workspace.TILES, *alerted, sent.name} == set(QUERIES)
