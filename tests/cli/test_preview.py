"""`alert-router rules preview`: what a rule would have held, as people, programs and pull requests read it."""

from __future__ import annotations

import json
from typing import Any

import pytest

from router.domain.severity import Severity
from tests.builders import alert_body, finding_body
from tests.cli.house import House, a_suppression, over_both

pytestmark = over_both

NOW = "2026-11-25T00:00:00Z"
RULE = "rules/cwpp/suppressions/web.json"
HOSTILE = "<b>@root</b> | `x` \\| [a](https://evil.example) \x1b[31m\u202e sig=" + "A" * 43 + "%3D"
"""Text that is markup, calls somebody, ends a cell and paints a terminal."""


def on_host(id: str, host: str = "web-01", **fields: object) -> bytes:
    """An alert about a host."""
    entities = [{"Type": "host", "HostName": host}]
    return alert_body(id, **{"AlertType": "VM_Example", "Entities": entities} | fields) + b"\n"


@pytest.fixture
def routed(house: House) -> House:
    """A house in whose state are alerts: two of a host, one of them held by a rule of long ago, and one of another host."""
    house.writes(RULE, a_suppression("VM_Example", "2026-12-20T00:00:00Z"))
    house.writes("rules/cwpp/suppressions/old.json", a_suppression("VM_Example", "2026-12-20T00:00:00Z", "db-01"))
    (house.directory / RULE).unlink()
    alerts = [
        on_host("1", Severity="High", Intent="Persistence, Execution"),
        on_host("2", Severity="Medium", AlertDisplayName=HOSTILE),
        on_host("3", "db-01"),
        on_host("4", "other"),
    ]
    house.writes("alerts.ndjson", b"".join(alerts))
    assert house.says("run", "--now", "2026-11-24T00:00:00Z", "alerts.ndjson").code == 0
    house.writes(RULE, a_suppression("VM_Example", "2026-12-20T00:00:00Z"))
    return house


def previewed(house: House, *arguments: str, file: str = RULE) -> Any:
    """The preview of the one rule of a file, as JSON."""
    said = house.says("rules", "preview", "--now", NOW, "--format", "json", *arguments, file)
    assert (said.code, said.err) == (0, "")
    (one,) = json.loads(said.out)
    return one


def test_a_preview_says_what_a_rule_would_have_held(routed: House) -> None:
    """By day, severity, tactic and type, which notices nobody would have had, and what stands now."""
    one = previewed(routed)
    assert (one["name"], one["stream"], one["file"]) == ("web", "cwpp", RULE)
    assert (one["since"], one["looked_back_to"], one["is_whole"]) == ("2026-10-26T00:00:00Z",) * 2 + (True,)
    assert (one["looked_at"], one["not_judged"], one["signals"], one["decisions"]) == (4, 0, 2, 2)
    assert one["by_day"] == [{"day": "2026-11-24", "signals": 2, "decisions": 2}]
    assert [row["severity"] for row in one["by_severity"]] == ["High", "Medium"]
    assert {row["tactic"]: (row["signals"], row["decisions"]) for row in one["by_tactic"]} == {
        "TA0002": (2, 2),
        "TA0003": (1, 1),
    }
    assert one["by_type"] == [{"type": "VM_Example", "signals": 2, "decisions": 2}]
    assert one["fewer_notices"] == {name: {"opened": 2, "notices": 2} for name in ("everything", "people")}
    assert [(row["id"], row["destinations"]) for row in one["examples"]] == [
        ("1", ["everything", "people"]),
        ("2", ["everything", "people"]),
    ]
    assert one["standing"]["signals"] == 2
    assert one["standing"]["by_severity"] == [{"severity": "High", "signals": 1}, {"severity": "Medium", "signals": 1}]


def test_a_preview_says_what_others_held_anyway(routed: House) -> None:
    """What two rules hold is not fewer twice."""
    wide = previewed(
        routed,
        "--stream",
        "cwpp",
        file=routed.writes("wide.json", a_suppression("VM_Example", "2026-12-20T00:00:00Z", "db-01")),
    )
    assert (wide["decisions"], wide["held_already"], wide["fewer_notices"]) == (1, {"old": 1}, {})
    assert wide["standing"]["held_already"] == {"old": 1}


def test_a_preview_looks_back_as_far_as_it_is_told(routed: House) -> None:
    """A span ends at the instant that is given; what stands now is another matter."""
    assert previewed(routed, "--since", "24h")["decisions"] == 2
    later = previewed(routed, "--since", "23h59m")
    assert (later["decisions"], later["standing"]["signals"]) == (0, 2)


def test_a_rule_that_has_ended_is_said_to_have_ended_and_holds_nothing(routed: House) -> None:
    """From the instant of its end on; what it held comes out. Until then it is previewed as ever."""
    held = routed.writes("rules/cwpp/suppressions/old.json", a_suppression("VM_Example", NOW, "db-01"))
    one = previewed(routed, "--fail-on", "Low", file=held)
    assert (one["ended"], one["signals"], one["standing"]["signals"]) == (NOW, 0, 0)
    assert (one["let_through"]["signals"], one["standing"]["let_through"]) == (1, 1)
    said = routed.says("rules", "preview", "--now", NOW, held)
    assert (said.code, said.out) == (0, f"old ({held}, cwpp) ended {NOW}, and holds nothing\n")
    before = routed.says("rules", "preview", "--now", "2026-11-24T23:59:59Z", "--format", "json", held)
    assert [(one["ended"], one["signals"]) for one in json.loads(before.out)] == [(None, 1)]


def test_each_rule_of_a_list_is_judged(routed: House) -> None:
    """In YAML too, wherever it stands."""
    body = json.loads(a_suppression("VM_Example", "2026-12-20T00:00:00Z"))
    other = json.loads(a_suppression("VM_Example", "2026-12-20T00:00:00Z", "other"))
    file = routed.writes("list.yaml", json.dumps({"value": [{"name": "a", **body}, {"name": "b", **other}]}))
    said = routed.says("rules", "preview", "--stream", "cwpp", "--now", NOW, "--format", "json", file)
    assert [(one["name"], one["signals"]) for one in json.loads(said.out)] == [("a", 2), ("b", 1)]


@pytest.mark.parametrize("severity", Severity)
def test_a_preview_fails_where_a_rule_would_have_held_what_is_as_grave(routed: House, severity: Severity) -> None:
    """It is printed all the same."""
    said = routed.says("rules", "preview", "--now", NOW, "--fail-on", severity.label.lower(), RULE)
    assert (said.code, said.err) == (int(severity <= Severity.HIGH), "")
    assert said.out.startswith("web (")


def test_a_preview_is_read_on_a_terminal(routed: House) -> None:
    """No text of an alert acts on it, and what looks like a credential is masked."""
    said = routed.says("rules", "preview", "--now", NOW, RULE)
    assert said.code == 0
    lines = [" ".join(line.split()) for line in said.out.splitlines()]
    assert lines[0] == f"web ({RULE}, cwpp), as if in force from 2026-10-26T00:00:00Z to 2026-11-25T00:00:00Z"
    assert "would have held 2 signals, 2 decisions" in lines
    assert "would not have told people (rows lane): 2 notices fewer (2 opened)" in lines
    assert "would hold now 2 signals that stand, the gravest High" in lines
    assert {"by severity High 1, Medium 1", "by ATT&CK tactic Execution 2, Persistence 1"} <= set(lines)
    assert {"by type VM_Example 2", "by day (UTC) 2026-11-24 2"} <= set(lines)
    assert "\x1b" not in said.out
    assert "\u202e" not in said.out
    assert "A" * 43 not in said.out


@pytest.mark.parametrize(
    ("name", "content", "complaint"),
    [
        ("rules/cwpp/suppressions/bad.json", "{", "rules/cwpp/suppressions/bad.json:1: is not JSON"),
        ("rules/cwpp/suppressions/bad.json", "{}", "rules/cwpp/suppressions/bad.json:1: has not one `properties`"),
        (
            "rules/cwpp/suppressions/bad.json",
            '{"value": []}',
            "rules/cwpp/suppressions/bad.json: holds no suppression rule",
        ),
        ("rules/cwpp/suppressions/bad.txt", "{}", "rules/cwpp/suppressions/bad.txt: is no rules file"),
        ("bad.json", "{}", "bad.json: stands neither in cwpp/ nor in cspm/; say its stream with --stream"),
    ],
)
def test_a_file_that_holds_no_rule_is_one_complaint(routed: House, name: str, content: str, complaint: str) -> None:
    """It says what to mend, and nothing is printed."""
    routed.writes(name, content)
    assert routed.says("rules", "preview", name).complaint.startswith(complaint)


def test_each_problem_of_a_rule_is_a_line(routed: House) -> None:
    """What is only warned about is left to `rules check`."""
    file = routed.writes(RULE, a_suppression("VM_*", "2099-12-20T00:00:00Z", ""))
    said = routed.says("rules", "preview", "--now", NOW, file)
    assert (said.code, said.out) == (2, "")
    assert all(line.startswith(f"{RULE}:") and "warning" not in line for line in said.err.splitlines())
    assert len(said.err.splitlines()) > 1


def test_a_file_that_is_not_there_is_one_complaint(house: House) -> None:
    """Whatever is missing: it may be the name of a rule that somebody wrote instead."""
    assert house.says("rules", "preview", "scanner").complaint == (
        "scanner: is no file; a suppression rule stands in rules/STREAM/suppressions/NAME.json"
    )
    assert "FILE: is missing; name the file of a suppression rule" in house.says("rules", "preview").complaint


def test_a_state_that_is_not_there_is_one_complaint(house: House) -> None:
    """Nothing is made."""
    house.writes(RULE, a_suppression("VM_Example", "2026-12-20T00:00:00Z"))
    assert house.says("rules", "preview", "--state", "nowhere", RULE).complaint.startswith("nowhere: holds no state")
    assert not (house.directory / "nowhere").exists()


def test_a_rule_that_names_an_owner_is_asked_with_the_owners_of_the_rules(house: House) -> None:
    """Without a directory of rules that is said, and nobody owns anything; where it is broken that is said, too."""
    house.writes("rules/owners.yaml", "owners: [{subscription: '*', group: web}]")
    body = json.loads(a_suppression("Microsoft.Security/assessments", "2026-12-20T00:00:00Z"))
    finding = house.writes("findings.ndjson", finding_body())
    assert house.says("run", "--now", "2026-11-24T00:00:00Z", finding).code == 0
    type = json.loads(house.says("explain", "--format", "json", finding).out)[0]["decision"]["type"]
    body["properties"] |= {"alertType": type, "suppressionAlertsScope": {"allOf": [{"field": "owner", "in": ["web"]}]}}
    file = house.writes("web.json", json.dumps(body))
    assert previewed(house, "--stream", "cspm", file=file)["signals"] == 1
    said = house.says("rules", "preview", "--stream", "cspm", "--rules", "none", "--now", NOW, file)
    assert said.err == "none: warning: is no directory of rules, so nothing is known of owners and destinations\n"
    assert said.out.splitlines()[1].split() == ["would", "have", "held", "nothing"]
    house.writes("rules/owners.yaml", "owners: [")
    assert house.says("rules", "preview", "--stream", "cspm", "--now", NOW, file).err == (
        "rules: warning: has problems that alert-router rules check names, so what is known of owners and destinations may be "
        "wrong\n"
    )
