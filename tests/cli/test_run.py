"""`run`: what is decided is written, what is owed is delivered, and what is done is not done again."""

from __future__ import annotations

import asyncio
import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from alert_router_demo.soc import soc_in_thread
from router.cli.decisions import KEYS
from tests.cli.house import House, a_process, a_suppression, column, ndjson
from tests.parse.messages import a_flat_alert, an_assessment
from tests.store.opened import Store, open_store
from tests.waiting import PATIENCE

NOW = "2026-11-24T12:00:00Z"


def an_alert(id: str, **changes: object) -> dict[str, object]:
    """A High alert under a short id."""
    return a_flat_alert(SystemAlertId=id, **changes)


@pytest.fixture
def alerts(house: House) -> str:
    """A file with an alert for people, one for the log only, and one that says nothing."""
    return house.writes("alerts.ndjson", ndjson(an_alert("one"), an_alert("two", Severity="Low"), b"?"))


def test_the_decisions_file_is_a_contract(house: House, alerts: str) -> None:
    """One JSON object a line, in input order, with every key of the design, in its order, and null or [] where empty."""
    routed, low, unread = house.routes("--now", NOW, alerts)
    assert tuple(routed) == tuple(low) == tuple(unread) == KEYS
    assert KEYS == (
        "id", "stream", "kind", "type", "title", "severity", "status", "plan", "resource", "sample", "outcome", "reason",
        "notice", "suppressed_by", "suppressed_until", "shadowed_by", "tactics", "techniques", "routes", "destinations",
        "rulebook", "source", "at",
    )  # fmt: skip
    assert routed == {
        "id": "one",
        "stream": "cwpp",
        "kind": "alert",
        "type": "VM_Example",
        "title": "Something happens",
        "severity": "High",
        "status": "New",
        "plan": "VirtualMachines",
        "resource": a_flat_alert()["AzureResourceId"],
        "sample": False,
        "outcome": "routed",
        "reason": "routes: high",
        "notice": "opened",
        "suppressed_by": None,
        "suppressed_until": None,
        "shadowed_by": [],
        "tactics": ["TA0003", "TA0006"],
        "techniques": [],
        "routes": ["high"],
        "destinations": ["everything", "people"],
        "rulebook": routed["rulebook"],
        "source": "alerts.ndjson:1",
        "at": NOW,
    }
    assert low["reason"] == "floor: Low is below Medium (default)"
    assert unread == dict.fromkeys(KEYS) | {
        "kind": "unknown",
        "sample": False,
        "outcome": "quarantined",
        "reason": unread["reason"],
        "shadowed_by": [],
        "tactics": [],
        "techniques": [],
        "routes": [],
        "destinations": [],
        "source": "alerts.ndjson:3",
        "at": NOW,
    }
    assert unread["reason"].startswith("not_json: ")


def test_a_suppressed_signal_says_by_what_and_until_when(house: House) -> None:
    """The decision and the funnel name the rule and its end."""
    house.writes("rules/cwpp/suppressions/known.json", a_suppression("VM_Example", "2026-12-31T00:00:00Z"))
    (held,) = house.routes("--now", NOW, house.writes("a.ndjson", ndjson(an_alert("one"))))
    assert held["suppressed_by"] == "known"
    assert held["suppressed_until"] == "2026-12-31T00:00:00Z"
    assert "1 by known until 2026-12-31T00:00:00Z" in house.says("run", "--now", NOW, "a.ndjson").out


@pytest.mark.parametrize("extra", [(), ("--dry-run",)])
def test_what_shadow_rules_would_have_held_is_decided_and_told_as_ever(house: House, extra: tuple[str, ...]) -> None:
    """The decision names them, and the funnel counts them."""
    house.writes("rules/cwpp/suppressions/shadow/b.json", a_suppression("VM_Example", "2026-12-31T00:00:00Z"))
    house.writes("rules/cwpp/suppressions/shadow/a.json", a_suppression("VM_Example", "2026-12-31T00:00:00Z"))
    house.writes("rules/cwpp/suppressions/shadow/over.json", a_suppression("VM_Example", "2026-01-01T00:00:00Z"))
    house.writes("a.ndjson", ndjson(an_alert("one"), an_alert("low", Severity="Low")))
    said = house.says("run", "--now", NOW, *extra, "--decisions", "decisions.ndjson", "a.ndjson")
    routed, low = house.lines("decisions.ndjson")
    assert (routed["outcome"], routed["destinations"]) == ("routed", ["everything", "people"])
    assert (routed["shadowed_by"], low["shadowed_by"]) == (["a", "b"], [])
    table = "  shadow rule   would have held\n  a                           1\n  b                           1\n"
    assert table in said.out


@pytest.mark.parametrize("extra", [(), ("--dry-run",)])
def test_lists_are_sorted(house: House, extra: tuple[str, ...]) -> None:
    """However a policy orders its names, for whatever outcome."""
    policy = house.directory / "rules" / "cwpp" / "policy.yaml"
    policy.write_text(policy.read_text().replace("always: [everything]", "always: [people, everything]"))
    house.writes("a.ndjson", ndjson(an_alert("one"), an_alert("two", Status="Resolved")))
    assert column(house.routes(*extra, "a.ndjson"), "destinations") == [["everything", "people"]] * 2


def test_what_is_routed_is_delivered(house: House, alerts: str) -> None:
    """Each destination gets its notices, and the funnel tells how many."""
    said = house.says("run", alerts)
    assert column(house.lines("people.ndjson"), "id") == ["one"]
    assert column(house.lines("everything.ndjson"), "id") == ["one"]
    assert said.err == ""
    for line in ("received          3", "quarantined       1   not_json 1", "routed            1   opened 1"):
        assert line in said.out
    assert "state      .state" in said.out
    assert "sent   owed   dead" in said.out


def test_what_is_routed_quietly_is_counted_too(house: House, alerts: str) -> None:
    """The parts of what was routed add up: some told nobody, since only `always` destinations have them."""
    policy = house.directory / "rules" / "cwpp" / "policy.yaml"
    quiet = "{name: quiet, when: {severity: [Low]}, to: []}"
    policy.write_text(policy.read_text().replace("default: Medium", "default: Low").replace("}]", f"}}, {quiet}]", 1))
    assert "routed            2   opened 1, told nobody 1" in house.says("run", alerts).out


def test_what_is_skipped_is_counted(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    """A signal that is over before anybody was told of it is never sent, and the funnel says so."""
    _page(house)
    monkeypatch.setenv("PAGER_KEY", "a key")
    states = [("New", "01"), ("Resolved", "02")]
    messages = [an_alert("one", Status=s, ProcessingEndTime=f"2026-11-{d}T00:00:00Z") for s, d in states]
    said = house.says("run", house.writes("a.ndjson", ndjson(*messages)))
    assert "delivered   to           sent   skipped   owed   dead" in said.out
    assert "cwpp        pager           0         2      0      0" in said.out


BY = ("--author", "ana@contoso.example")
WITH_TICKETS = """
stream: cwpp
floor: {{default: Medium}}
destinations:
  oncall: {{kind: pagerduty, url: "{addresses.pagerduty}", routing_key: {{secret: PAGER_KEY}}}}
  desk:
    kind: servicenow
    url: "{addresses.servicenow}"
    auth: {{user: cwpp-router, password: {{secret: SERVICENOW_PASSWORD}}}}
routes:
  - {{name: page-high, when: {{at_least: High}}, to: [oncall]}}
  - {{name: tickets, when: {{at_least: Medium}}, to: [desk]}}
always: []
otherwise: [desk]
"""


def test_what_was_to_page_and_was_over_while_vendors_were_away_leaves_a_ticket_and_pages_nobody(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One ticket for each that says that it opened and is over; none of what was no page. `explain` names it."""
    with soc_in_thread() as soc:
        account = soc.accounts["cwpp"]
        monkeypatch.setenv("PAGER_KEY", account.routing_key)
        monkeypatch.setenv("SERVICENOW_PASSWORD", account.servicenow_password)
        monkeypatch.setenv("ALERT_ROUTER_CA_FILE", str(soc.addresses.ca))
        house.writes("rules/cwpp/policy.yaml", WITH_TICKETS.format(addresses=soc.addresses))
        house.says("run", house.writes("nothing.ndjson", ""))
        hold = ("--for", "2h", "--reason", "moved", *BY)
        for destination in ("oncall", "desk"):
            held = house.says("destinations", "hold", destination, *hold)
            assert held.code == 0, held
        for day, status in (("01", "New"), ("02", "Resolved")):
            time = {"Status": status, "ProcessingEndTime": f"2026-11-{day}T00:00:00Z"}
            alerts = [an_alert("high", **time), an_alert("medium", Severity="Medium", **time)]
            assert house.says("run", house.writes(f"{status}.ndjson", ndjson(*alerts))).code == 0
        assert len(soc.servicenow.tickets) == 0
        for destination in ("oncall", "desk"):
            assert house.says("destinations", "release", destination, *BY).code == 0
        said = house.says("run", "nothing.ndjson")
        (ticket,) = soc.servicenow.tickets
        assert soc.pagerduty.pages == []
    assert (ticket.fields["state"], ticket.fields["short_description"][:6]) == ("6", "High: ")
    assert re.search("Opened 20.* UTC, over 20.* UTC, before this could be told", ticket.fields["description"])
    assert re.search(r"cwpp +desk +1 +3 +0 +0", said.out), said.out
    explained = house.says("explain", "high").out
    assert "It paged nobody" in explained
    assert re.search(rf"resolved +sent .* {ticket.fields['number']}", explained), explained
    assert "before this could be told" in house.says("explain", "high", "--notice", "desk").out


def test_a_second_run_repeats_and_sends_nothing(house: House, alerts: str) -> None:
    """What was routed is a repeat; what was too low or not understood is what it was; nobody hears of it again."""
    house.routes(alerts)
    again = house.routes(alerts)
    assert column(again, "outcome") == ["repeat", "below_floor", "quarantined"]
    assert again[0]["reason"] == "same"
    assert len(house.lines("people.ndjson")) == 1
    assert "nothing sent, nothing owed" in house.says("run", alerts).out


def test_a_signal_opens_changes_and_ends(house: House) -> None:
    """Opened, updated, resolved and opened again: four notices, in the order of the states' own times."""
    states = [("New", "01"), ("InProgress", "02"), ("Resolved", "03"), ("New", "04")]
    house.writes(
        "a.ndjson", ndjson(*(an_alert("one", Status=s, ProcessingEndTime=f"2026-11-{d}T00:00:00Z") for s, d in states))
    )
    assert column(house.routes("a.ndjson"), "notice") == ["opened", "updated", "resolved", "opened"]
    assert column(house.lines("people.ndjson"), "change") == ["opened", "updated", "resolved", "opened"]


def test_the_same_file_twice_is_routed_once(house: House, alerts: str) -> None:
    """A file that is named twice gives repeats the second time."""
    outcomes = column(house.routes(alerts, alerts), "outcome")
    assert outcomes == ["routed", "below_floor", "quarantined", "repeat", "below_floor", "quarantined"]


def test_each_message_goes_to_its_own_stream(house: House) -> None:
    """Without --stream alerts and findings part ways by what they are."""
    house.writes("mixed.ndjson", ndjson(an_alert("one"), an_assessment()))
    assert column(house.routes("mixed.ndjson"), "stream") == ["cwpp", "cspm"]
    assert column(house.lines("backlog.ndjson"), "stream") == ["cspm"]


@pytest.mark.parametrize("extra", [(), ("--dry-run",)])
def test_the_other_stream_is_the_wrong_one(house: House, extra: tuple[str, ...]) -> None:
    """With --stream a message of the other one is quarantined, in a dry run too."""
    house.writes("mixed.ndjson", ndjson(an_alert("one"), an_assessment()))
    routed, wrong = house.routes("--stream", "cwpp", *extra, "mixed.ndjson")
    assert routed["outcome"] == "routed"
    assert (wrong["outcome"], wrong["stream"]) == ("quarantined", "cwpp")
    assert wrong["reason"] == "wrong_stream: cspm recommendation on the cwpp stream"
    assert wrong["rulebook"] == routed["rulebook"]


def test_a_stream_without_rules_is_the_wrong_one(house: House) -> None:
    """Rules for one stream alone make a router of that stream."""
    for path in sorted((house.directory / "rules" / "cspm").rglob("*"), reverse=True):
        path.rmdir() if path.is_dir() else path.unlink()
    (house.directory / "rules" / "cspm").rmdir()
    (wrong,) = house.routes(house.writes("a.ndjson", ndjson(an_assessment())))
    assert wrong["reason"] == "wrong_stream: cspm recommendation on a router without rules for it"


def test_a_dry_run_does_nothing(house: House, alerts: str) -> None:
    """It decides like a run, but knows of no earlier message, and leaves no state and no notice."""
    house.routes(alerts)
    before = sorted(path for path in house.directory.rglob("*"))
    decisions = house.routes("--dry-run", "--state", "elsewhere", alerts, alerts)
    assert column(decisions, "outcome") == ["routed", "below_floor", "quarantined"] * 2
    assert sorted(path for path in house.directory.rglob("*")) == before
    said = house.says("run", "--dry-run", alerts)
    assert "everything          1" in said.out
    assert "nothing sent" not in said.out


def test_a_dry_run_needs_no_secret(house: House, alerts: str) -> None:
    """Rules with secrets that nobody has can be tried out."""
    _page(house)
    assert house.says("run", "--dry-run", alerts).code == 0


def test_what_a_rule_held_comes_out_when_it_ends(house: House) -> None:
    """The run after a rule's end delivers what it held, once."""
    house.writes("rules/cwpp/suppressions/known.json", a_suppression("VM_Example", "2026-11-25T00:00:00Z"))
    house.writes("a.ndjson", ndjson(an_alert("one")))
    house.writes("none.ndjson", b"")
    assert column(house.routes("--now", NOW, "a.ndjson"), "outcome") == ["suppressed"]
    assert house.lines("people.ndjson") == []
    said = house.says("run", "--now", "2026-11-25T00:00:00Z", "none.ndjson")
    assert "1 held until now came out, what held them ended or changed: routed 1" in said.out
    assert column(house.lines("people.ndjson"), "id") == ["one"]
    assert "came out" not in house.says("run", "--now", "2026-11-26", "none.ndjson").out
    assert len(house.lines("people.ndjson")) == 1


def test_who_stands_beyond_a_limit_is_told_by_a_run_that_brings_no_message(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A opens; B, C come and go beyond a limit of one; D stands. The run says that it waits, and the next one tells of it."""
    _page(house)
    policy = house.directory / "rules" / "cwpp" / "policy.yaml"
    policy.write_text(policy.read_text().replace("{kind: pagerduty", "{limit: {most: 1, window: 10m}, kind: pagerduty"))
    monkeypatch.setenv("PAGER_KEY", "a-secret")
    came = [("A", "New"), ("B", "New"), ("B", "Dismissed"), ("C", "New"), ("C", "Dismissed"), ("D", "New")]
    for minute, (id, status) in enumerate(came):
        house.writes("one.ndjson", ndjson(an_alert(id, Status=status)))
        said = house.says("run", "--now", f"2026-11-24T12:0{minute}:00Z", "one.ndjson")
    assert "cwpp pager: 1 beyond its limit wait until it has room; a run after that tells of them" in said.out
    (before,) = [line for line in said.out.splitlines() if "owed, next due" in line]
    house.writes("none.ndjson", b"")
    said = house.says("run", "--now", "2026-11-24T12:10:00Z", "none.ndjson")
    assert "beyond its limit wait" not in said.out
    (after,) = [line for line in said.out.splitlines() if "owed, next due" in line]
    assert _owed(after) == _owed(before) + 1


def _owed(line: str) -> int:
    return int(line.split(": ")[1].split()[0])


def test_what_is_owed_is_said_with_when_and_why(house: House, alerts: str) -> None:
    """A destination that cannot take its deliveries now keeps nobody; the next run continues."""
    (house.directory / "people.ndjson").mkdir()
    said = house.says("run", "--now", NOW, alerts)
    assert said.code == 0
    (owed,) = [line for line in said.out.splitlines() if "owed, next due" in line]
    assert owed.startswith("  cwpp people: 1 owed, next due 2026-11-24T12:00:0")
    assert f"s): {house.directory}/people.ndjson: cannot be written" in owed
    (house.directory / "people.ndjson").rmdir()
    assert house.says("run", "--now", "2026-11-24T12:01:00Z", alerts).code == 0
    assert column(house.lines("people.ndjson"), "id") == ["one"]


def test_a_delivery_that_dies_is_told_by_the_exit_code(house: House, alerts: str) -> None:
    """A delivery that nobody took for 72 hours is given up on: exit 1, once."""
    (house.directory / "people.ndjson").mkdir()
    house.says("run", "--now", NOW, alerts)
    said = house.says("run", "--now", "2026-11-27T12:00:00Z", alerts)
    assert said.code == 1
    assert "1 given up on; see alert-router dead-letters list --state " in said.out
    assert house.says("run", "--now", "2026-11-27T12:00:01Z", alerts).code == 0


def test_a_destination_that_the_policy_drops_is_dead_at_once(house: House, alerts: str) -> None:
    """What is owed to a destination that no longer exists dies as no_destination, and exit 1 says so."""
    (house.directory / "people.ndjson").mkdir()
    house.says("run", alerts)
    policy = house.directory / "rules" / "cwpp" / "policy.yaml"
    policy.write_text(policy.read_text().replace("people", "persons"))
    assert house.says("run", alerts).code == 1
    assert "no_destination" in house.says("dead-letters", "list").out


def test_refused_rules_are_said_and_stop_nothing(house: House, alerts: str) -> None:
    """A suppression rule that cannot be kept is left out, loudly; so are warnings; the run goes on."""
    house.writes("rules/cwpp/suppressions/broad.json", a_suppression("*", "2026-12-31T00:00:00Z"))
    house.writes("rules/cwpp/suppressions/old.json", a_suppression("VM_Example", "2026-11-20T00:00:00Z"))
    said = house.says("run", "--now", NOW, alerts)
    assert said.code == 0
    broad, old = said.err.splitlines()
    assert broad.startswith("rules/cwpp/suppressions/broad.json:1: ")
    assert old.startswith("rules/cwpp/suppressions/old.json:1: warning: ")


def test_a_time_without_a_zone_is_utc(house: House) -> None:
    """--now is read as people write it."""
    house.writes("rules/cwpp/suppressions/known.json", a_suppression("VM_Example", "2026-11-25T00:00:00Z"))
    house.writes("a.ndjson", ndjson(an_alert("one")))
    times = {
        "2026-11-24T23:59:59.999999": "suppressed",
        "2026-11-25T00:00:00": "routed",
        "2026-11-25": "routed",
        "2026-11-25T01:00:00+02:00": "suppressed",
        "2026-11-25 00:00Z": "routed",
    }
    for written, outcome in times.items():
        assert column(house.routes("--dry-run", "--now", written, "a.ndjson"), "outcome") == [outcome], written


def test_a_second_run_on_the_same_state_waits_its_turn(house: House, alerts: str) -> None:
    """While one run works on a state, another is refused."""
    store = open_store(house.directory / ".state")
    store.hold()
    try:
        assert house.says("run", alerts).complaint.startswith(".state: another run is at work")
    finally:
        _close(store)
    assert house.says("run", alerts).code == 0


def test_a_bad_policy_is_told_whole(house: House, alerts: str) -> None:
    """Every problem of every policy is a line, with file and line."""
    for stream in ("cwpp", "cspm"):
        policy = house.directory / "rules" / stream / "policy.yaml"
        policy.write_text(
            policy.read_text().replace("Medium", "Middling").replace("otherwise: [", "otherwise: [nowhere, ")
        )
    said = house.says("run", alerts)
    assert (said.code, said.out) == (2, "")
    lines = said.err.splitlines()
    assert len(lines) == 4
    assert all(line.startswith("rules/c") and "/policy.yaml:" in line for line in lines)


@pytest.mark.parametrize(("typed", "meant"), [("explian", "explain"), ("rule", "rules"), ("fly", None)])
def test_a_command_that_is_nearly_one_is_said_to_be_meant(house: House, typed: str, meant: str | None) -> None:
    """Of what is far from all of them nothing is guessed."""
    complaint = house.says(typed, "check").complaint
    assert complaint.endswith((f"; did you mean {meant}?" if meant else "") + "; see alert-router --help")
    assert ("did you mean" in complaint) == (meant is not None)


@pytest.mark.parametrize(
    ("arguments", "at_fault"),
    [
        ((), "the following arguments are required: COMMAND"),
        (("fly",), "COMMAND: invalid choice: 'fly'"),
        (("run",), "FILE: is missing; name a file of messages (NDJSON, JSON or CSV), or - for standard input; see "),
        (("run", "--stream", "both", "a.ndjson"), "--stream: invalid choice: 'both'"),
        (("run", "--now", "yesterday", "a.ndjson"), "--now: 'yesterday' is no time"),
        (("run", "--now", "0001-01-01", "a.ndjson"), "--now: '0001-01-01' is no time to route at"),
        (("run", "--now", "9999-12-31T23:59:59-10:00", "a.ndjson"), "--now: "),
        (
            ("run", "--dry", "a.ndjson"),
            "unrecognized arguments: --dry; did you mean --dry-run?; see alert-router run --help",
        ),
        (("run", "--rules", "nowhere", "a.ndjson"), "nowhere: is no directory of rules; did you mean rules?"),
        (("run", "--rules", ".", "a.ndjson"), ".: has neither cwpp/ nor cspm/; did you mean rules?"),
        (("run", "--rules", ".", "--stream", "cwpp", "a.ndjson"), ".: has neither cwpp/ nor cspm/; did you mean rules?"),
        (
            ("run", "--rules", "rules/cwpp/policy.yaml", "a.ndjson"),
            "rules/cwpp/policy.yaml: is a file, and no directory of rules; did you mean rules?",
        ),
        (("run", "--state", "a.ndjson", "a.ndjson"), "a.ndjson: is a file, so it cannot hold the state; name another"),
        (("run", "--state", "a.ndjson/x", "a.ndjson"), "a.ndjson/x: cannot hold the state: Not a directory; name another"),
        (("run", "--decisions", "-", "a.ndjson"), "--decisions: '-' is no file; name one"),
        (("demo", "--decisions", "-"), "--decisions: '-' is no file; name one"),
        (("run", "--decisions", "nowhere/d.ndjson", "a.ndjson"), "nowhere/d.ndjson: decisions cannot be written"),
        (("run", "--decisions", "a.ndjson", "a.ndjson"), "a.ndjson: is one of the files to route"),
        (("run", "missing.ndjson"), "missing.ndjson: cannot be read"),
        (("route", "a.ndjson"), "COMMAND: invalid choice: 'route'"),
        (("explain",), "FILE|ID: is missing; name a file of messages"),
        (("quarantine", "show"), "ID: is missing; name one of the list"),
        (("explain", "missing.json"), "missing.json: is no file, and no state is in .state to find a signal in"),
        (("explain", "--format", "xml", "a.ndjson"), "--format: invalid choice: 'xml'"),
        (("rules",), "the following arguments are required: COMMAND"),
        (
            ("rules", "chek"),
            "COMMAND: invalid choice: 'chek' (choose from check, test, list, preview, schema); did you mean check?; see ",
        ),
        (
            ("rules", "check", "--rules", "my own"),
            "--rules: is no option here, where the directory stands by itself; write: alert-router rules check 'my own'; see ",
        ),
        (
            ("rules", "test", "--rules=mine", "--format", "json"),
            "--rules: is no option here, where the directory stands by itself; write: alert-router rules test mine; see ",
        ),
        (("rules", "check", "a", "b"), "unrecognized arguments: b; see alert-router rules check --help"),
        (("rules", "check", "nowhere"), "nowhere: is no directory of rules"),
        (("rules", "check", "rules/cwpp"), "rules/cwpp: has neither cwpp/ nor cspm/; did you mean rules?"),
        (("rules", "check", "rules/cwpp/gone.yaml"), "rules/cwpp/gone.yaml: is no directory of rules; did you mean rules?"),
        (("rules", "check", "a.ndjson"), "a.ndjson: is a file, and no directory of rules; did you mean rules?"),
        (("rules", "test", "nowhere"), "nowhere: is no directory of rules"),
        (("rules", "schema", "poetry"), "poetry: is no sort of rules file"),
        (("rules", "schema", "--out", "a.ndjson/schemas"), "a.ndjson/schemas: cannot be written"),
        (("dead-letters", "list"), ".state: holds no state"),
        (("dead-letters", "show", "abc"), ".state: holds no state"),
        (("dead-letters", "redrive", "--all"), ".state: holds no state"),
        (("dead-letters", "redrive"), "redrive: name ids, or --all"),
        (("dead-letters", "redrive", "--all", "abc"), "redrive: name ids, or --all"),
        (("dead-letters", "discard"), "discard: name ids, or --all"),
        (("dead-letters", "discard", "--all", "abc"), "discard: name ids, or --all"),
        (("dead-letters", "discard", "abc"), ".state: holds no state"),
        (("quarantine", "list"), ".state: holds no state"),
        (("quarantine", "show", "abc"), ".state: holds no state"),
        (("quarantine", "retake"), "retake: name ids, or --all"),
        (("quarantine", "retake", "--all", "abc"), "retake: name ids, or --all"),
        (("quarantine", "retake", "abc"), ".state: holds no state"),
        (("quarantine", "discard"), "discard: name ids, or --all"),
        (("quarantine", "discard", "--all", "abc"), "discard: name ids, or --all"),
        (("quarantine", "discard", "abc"), ".state: holds no state"),
    ],
)  # fmt: skip
def test_an_error_is_one_line_that_names_the_thing_at_fault(
    house: House, arguments: tuple[str, ...], at_fault: str
) -> None:
    """Never a traceback for somebody's mistake: one line on stderr, exit 2, and nothing is left behind."""
    house.writes("a.ndjson", ndjson(an_alert("one")))
    before = (house.directory / "a.ndjson").read_bytes()
    assert house.says(*arguments).complaint.startswith(at_fault)
    assert (house.directory / "a.ndjson").read_bytes() == before
    if "nowhere/d.ndjson" not in arguments:
        assert not (house.directory / ".state").exists()


def test_a_certificate_file_that_is_missing_is_named(
    house: House, alerts: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A setting that names a file which is not there is a person's to mend."""
    monkeypatch.setenv("ALERT_ROUTER_CA_FILE", "nowhere.pem")
    assert house.says("run", alerts).complaint.startswith("nowhere.pem: ALERT_ROUTER_CA_FILE")


def test_the_program_is_a_program(house: House, alerts: str) -> None:
    """`python -m router` does what `alert-router` does: streams, exit codes, no traceback, no colour in a pipe."""
    done = a_process("run", alerts, within=house.directory)
    assert (done.code, done.err) == (0, "")
    assert "received          3" in done.out
    assert "\x1b" not in done.out
    failed = a_process("run", "missing.ndjson", within=house.directory)
    assert failed.complaint == "missing.ndjson: cannot be read: No such file or directory"


@pytest.mark.parametrize(
    ("command", "words"),
    [
        (
            "run",
            "NDJSON, JSON (also what az graph query and az rest print), or CSV if its name ends so; - is standard input",
        ),
        ("explain", "- is standard input, NDJSON or JSON, whose lines are taken as they come"),
        ("run", "the time to decide at and to deliver at"),
    ],
)
def test_help_says_what_would_surprise(house: House, command: str, words: str) -> None:
    """CSV is told by its name, standard input is no stream, and deliveries go by --now."""
    assert words in " ".join(a_process(command, "--help", within=house.directory).out.split())


def test_help_needs_nothing_that_is_slow(house: House) -> None:
    """`--help` answers without loading what only commands need."""
    code = "import sys; from router.cli import main\ntry: main(['--help'])\nexcept SystemExit: print(*sys.modules)"
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, timeout=PATIENCE, env=_environment()
    )
    assert "run" in done.stdout
    assert not {"pydantic", "rich", "httpx", "sqlite3", "azure"} & set(done.stdout.split())


def _page(house: House) -> None:
    policy = house.directory / "rules" / "cwpp" / "policy.yaml"
    pager = "{kind: pagerduty, url: 'http://127.0.0.1:9', routing_key: {secret: PAGER_KEY}}"
    text = policy.read_text().replace("routes:", f"  pager: {pager}\nroutes:")
    policy.write_text(text.replace("to: [people]", "to: [pager]"))


def _environment() -> dict[str, str]:
    return os.environ | {"PYTHONPATH": str(Path(__file__).parents[2])}


def _close(store: Store) -> None:
    asyncio.run(store.close())


def test_a_run_of_one_stream_forgets_no_hits_of_the_rules_of_the_other(house: House) -> None:
    """It has not read those, so it cannot say that they are there no more."""
    house.writes("rules/cwpp/suppressions/known.json", a_suppression("VM_Example", "2026-12-31T00:00:00Z"))
    alert = house.writes("a.ndjson", ndjson(an_alert("one")))
    (held,) = house.routes("--now", NOW, alert)
    assert held["suppressed_by"] == "known"
    posture = house.writes("b.ndjson", ndjson(an_assessment()))
    # A clock that leapt is believed by the next run.
    for hour in (12, 14):
        house.routes("--now", f"2028-03-24T{hour}:00:00Z", "--stream", "cspm", posture)
    said = json.loads(house.says("state", "--format", "json").out)
    assert said["decisions"]["by_outcome"]["suppressed"] == 0
    assert said["rules_with_hits"] == 1
