"""`alert-router rules preview`: what a rule would have held, as people, programs and pull requests read it."""

from __future__ import annotations

import asyncio
import json
from datetime import UTC, datetime
from typing import Any

import pytest

from router.coverage.commands.tags import keep_tags
from router.coverage.documents import parsed_document
from router.domain.severity import Severity
from tests.builders import RESOURCE, alert_body, finding_body
from tests.cli.house import House, a_suppression, over_both
from tests.cli.transcripts import Transcript
from tests.store.opened import open_store

NOW = "2026-11-25T00:00:00Z"
RULE, BAD = "rules/cwpp/suppressions/web.json", "rules/cwpp/suppressions/bad.json"
HOSTILE = "<b>@root</b> | `x` \\| [a](https://evil.example) \x1b[31m\u202e sig=" + "A" * 43 + "%3D"
"""Text that is markup, calls somebody, ends a cell and paints a terminal."""


def on_host(id: str, host: str = "web-01", **fields: object) -> bytes:
    """An alert about a host."""
    entities = [{"Type": "host", "HostName": host}]
    return alert_body(id, **{"AlertType": "VM_Example", "Entities": entities} | fields) + b"\n"


PREVIEW = f"rules preview --now {NOW}"


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


@over_both
def test_a_preview_says_what_a_rule_would_have_held(routed: House) -> None:
    """By day, severity, tactic and type, which notices nobody would have had, and what stands now."""
    one = previewed(routed)
    assert (one["looked_at"], one["not_judged"], one["signals"], one["decisions"]) == (4, 0, 2, 2)
    assert one["fewer_notices"] == {name: {"opened": 2, "notices": 2} for name in ("everything", "people")}
    assert [row["id"] for row in one["examples"]] == ["1", "2"]
    assert one["standing"]["by_severity"] == [{"severity": "High", "signals": 1}, {"severity": "Medium", "signals": 1}]


def test_a_preview_says_what_others_held_anyway_and_looks_back_as_far_as_it_is_told(routed: House) -> None:
    """What two rules hold is not fewer twice; a span ends at the instant that is given, and what stands is another matter."""
    file = routed.writes("wide.json", a_suppression("VM_Example", "2026-12-20T00:00:00Z", "db-01"))
    wide = previewed(routed, "--stream", "cwpp", file=file)
    assert (wide["decisions"], wide["held_already"], wide["fewer_notices"]) == (1, {"old": 1}, {})
    assert wide["standing"]["held_already"] == {"old": 1}
    assert previewed(routed, "--since", "24h")["decisions"] == 2
    later = previewed(routed, "--since", "23h59m")
    assert (later["decisions"], later["standing"]["signals"]) == (0, 2)


def test_a_rule_that_has_ended_is_said_to_have_ended_and_holds_nothing(routed: House, transcript: Transcript) -> None:
    """From the instant of its end on; what it held comes out. Until then it is previewed as ever. Each of a list is judged."""
    held = routed.writes("rules/cwpp/suppressions/old.json", a_suppression("VM_Example", NOW, "db-01"))
    one = previewed(routed, "--fail-on", "Low", file=held)
    assert (one["ended"], one["signals"], one["standing"]["signals"]) == (NOW, 0, 0)
    assert (one["let_through"]["signals"], one["standing"]["let_through"]) == (1, 1)
    transcript(f"{PREVIEW} {held}", f"rules preview --now 2026-11-24T23:59:59Z {held}")
    body = json.loads(a_suppression("VM_Example", "2026-12-20T00:00:00Z"))
    other = json.loads(a_suppression("VM_Example", "2026-12-20T00:00:00Z", "other"))
    file = routed.writes("list.yaml", json.dumps({"value": [{"name": "a", **body}, {"name": "b", **other}]}))
    said = routed.says("rules", "preview", "--stream", "cwpp", "--now", NOW, "--format", "json", file)
    assert [(one["name"], one["signals"]) for one in json.loads(said.out)] == [("a", 2), ("b", 1)]


def test_a_preview_is_read_on_a_terminal(routed: House, transcript: Transcript) -> None:
    """No text of an alert acts on it, and a credential is masked; it fails where the rule would have held what is as grave."""
    said = transcript(f"{PREVIEW} --format json {RULE}", f"{PREVIEW} {RULE}")
    assert not [one for one in ("\x1b", "\u202e", "A" * 43) if one in said.out]
    for severity in Severity:
        failing = routed.says(*PREVIEW.split(), "--fail-on", severity.label.lower(), RULE)
        assert (failing.code, failing.out) == (int(severity <= Severity.HIGH), said.out)


def test_a_file_that_holds_no_rule_is_one_complaint(routed: House, transcript: Transcript) -> None:
    """It says what to mend, and nothing is printed; each problem of a rule is a line, and what is only warned about is none."""
    for name, content in (
        *((BAD, content) for content in ("{", "{}", '{"value": []}')),
        ("rules/cwpp/bad.txt", "{}"),
        ("bad.json", "{}"),
        (RULE, a_suppression("VM_*", "2099-12-20", "")),
    ):
        said = transcript(f"{PREVIEW} {routed.writes(name, content)}")
        assert (said.code, said.out) == (2, "")
    transcript(f"{PREVIEW} scanner", PREVIEW, f"{PREVIEW} --state nowhere {RULE}")
    assert not (routed.directory / "nowhere").exists()


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


TAGGED_AT = "2026-11-24T12:00:00Z"
BY_OWNER = "rules/cspm/suppressions/payments.json"


def test_commands_on_a_state_know_the_owners_that_its_tags_name(house: House) -> None:
    """`explain` of a message, where the state is named, and a preview of a rule by owner, where owners.yaml says `live`."""
    house.writes("rules/owners.yaml", 'tags: live\nowners: [{tag: {team: "*"}, group: "{tag.team}"}]\n')
    house.writes("finding.ndjson", finding_body())
    assert house.says("run", "--now", TAGGED_AT, "finding.ndjson").code == 0

    async def keep() -> None:
        store = open_store(house.directory / ".state")
        document = parsed_document({"id": RESOURCE, "tags": {"Team": "payments"}}, "answer")
        await keep_tags(store, [document], datetime(2026, 11, 24, 11, tzinfo=UTC))
        await store.close()

    asyncio.run(keep())
    explain = ("explain", "--format", "json", "--now", TAGGED_AT, "finding.ndjson")
    owners = [json.loads(house.says(*explain, *state).out)[0]["owner"] for state in ((), ("--state", ".state"))]
    assert owners == [None, "payments"]

    rule = json.loads(a_suppression("assessment-1", "2026-12-20T00:00:00Z"))
    rule["properties"]["suppressionAlertsScope"] = {"allOf": [{"field": "owner", "in": ["payments"]}]}
    house.writes(BY_OWNER, json.dumps(rule))
    preview = ("rules", "preview", "--state", ".state", "--format", "json", "--now", TAGGED_AT, BY_OWNER)
    (by_tags,) = json.loads(house.says(*preview).out)
    house.writes("rules/owners.yaml", 'owners: [{tag: {team: "*"}, group: "{tag.team}"}]\n')
    (without,) = json.loads(house.says(*preview).out)
    assert (by_tags["signals"], without["signals"]) == (1, 0)
