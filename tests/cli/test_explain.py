"""`explain`: every step of the decision, in words."""

from __future__ import annotations

import json

import pytest
import yaml

from tests.cli.house import House, a_suppression, commands_in, ndjson
from tests.cli.transcripts import Transcript
from tests.parse.messages import a_compliance_assessment, a_flat_alert, an_assessment, an_attack_path

NOW = "2026-11-24T12:00:00Z"


def test_every_step_is_said(house: House, transcript: Transcript) -> None:
    """Which floor, each rule for the type and why it does not hold, which routes, and where it goes; no state is kept.

    As JSON each decision is as the decisions file has it, with its steps. A rule that holds is said with its end.
    """
    policy = yaml.safe_load((house.directory / "rules/cwpp/policy.yaml").read_bytes())
    policy["routes"][0]["respond_within"] = "30m"
    house.writes("rules/cwpp/policy.yaml", json.dumps(policy))
    house.writes("rules/cwpp/suppressions/db.json", a_suppression("VM_Example", "2026-12-31T00:00:00Z", host="db-01"))
    house.writes("rules/cwpp/suppressions/old.json", a_suppression("VM_Example", "2026-11-01T00:00:00Z"))
    house.writes("a.ndjson", ndjson(a_flat_alert(), b"?"))
    said = transcript(f"explain --now {NOW} a.ndjson", f"explain --now {NOW} --format json a.ndjson")
    decisions = house.routes("--dry-run", "--now", NOW, "a.ndjson")
    assert [one["decision"] for one in json.loads(said.out)] == decisions
    house.writes("rules/cwpp/suppressions/known.json", a_suppression("VM_Example", "2026-12-31T00:00:00Z"))
    transcript(f"explain --now {NOW} a.ndjson")
    assert not (house.directory / ".state").exists()


def test_whose_it_is_is_said_and_what_a_message_does_not_say(house: House, transcript: Transcript) -> None:
    """By which entry of owners.yaml, or that nobody owns it; of what is not understood the reason and the field at fault."""
    house.writes("rules/owners.yaml", "owners:\n- {environment: production}\n- {subscription: '1', group: payments}\n")
    owned = a_flat_alert(AzureResourceId="/subscriptions/1/resourceGroups/a")
    some = (owned, a_flat_alert(Status=None, Severity=None), a_flat_alert(Severity="Grave"), {"some": "thing"}, b"?")
    house.writes("a.ndjson", ndjson(*some, an_assessment()))
    assert "None" not in transcript(f"explain --now {NOW} --stream cwpp a.ndjson").out
    explained = json.loads(house.says("explain", "--format", "json", "a.ndjson").out)
    assert [one["owner"] for one in explained[:5]] == ["payments", None, None, None, None]


def test_no_text_of_an_alert_commands_a_pipeline(house: House) -> None:
    """GitHub's agent obeys a line that begins with ::, so that a title could stop all later annotations or mark a file."""
    evil = "::error file=a,line=1::x\n::stop-commands::t\r  ::add-mask::e\u2028::set-output name=a::b\n##vso[task.complete]"
    alert = a_flat_alert(AlertDisplayName=evil, Description=evil, RemediationSteps=evil, CompromisedEntity=evil)
    house.writes(
        "a.ndjson", ndjson(alert, a_flat_alert(SystemAlertId=evil), {"no": evil}, evil.split("\n")[1].encode())
    )
    assert house.says("run", "--now", NOW, "a.ndjson").code == 0
    entries = json.loads(house.says("quarantine", "list", "--format", "json").out)
    for command in (
        ("explain", "a.ndjson"),
        ("explain", "a.ndjson", "--notice", "people"),
        ("explain", "a.ndjson", "--format", "json"),
        ("explain", evil),
        ("explain", evil, "--notice", "people"),
        *(("quarantine", "show", entry["id"]) for entry in entries),
    ):
        said = house.says(*command)
        assert "set-output" in said.out + said.err
        assert commands_in(said.out + said.err) == []


def test_what_a_destination_would_be_told_is_shown_as_text(house: House, transcript: Transcript) -> None:
    """Its own words for what goes there, and why it is told nothing of the rest; a name that nobody has is refused."""
    house.writes("a.ndjson", ndjson(a_flat_alert(), a_flat_alert(Severity="Low"), {"no": "alert"}))
    said = transcript(f"explain --now {NOW} a.ndjson --notice people")
    assert said.code == 0
    documents = json.loads(house.says(*f"explain --now {NOW} a.ndjson --notice people --format json".split()).out)
    shown = [part.partition("\n")[2].rstrip("\n") for part in said.out.split("--- a.ndjson:")[1:]]
    assert [document["notice"].rstrip("\n") for document in documents] == shown
    transcript(*(f"explain a.ndjson --notice {name}" for name in ("nobody", "peopel", "record")))


def test_a_sample_has_the_tactics_of_what_it_simulates(house: House) -> None:
    """However Defender calls it; what only looks like one has none."""
    sites = "/subscriptions/11111111-2222-3333-4444-555555555555/resourceGroups/rg/providers/Microsoft.Web/sites/shop"
    at: dict[str, object] = {
        "AzureResourceId": sites,
        "Intent": None,
        "ExtendedProperties": {},
        "ProductComponentName": "AppServices",
    }
    other, phishing = "Something happens", "Phishing content hosted on Azure Webapps"
    alerts = [
        ("AppServices_WpThemeInjection", other, ["TA0002"]),
        ("SIMULATED_AppServices_WpThemeInjection", other, ["TA0002"]),
        ("SIMULATED_APPS_WpThemeInjection", other, ["TA0002"]),
        ("SIMULATED_APPS_SpamReferrer", other, []),
        ("SIMULATED_APPS_OfNoKind", other, []),
        ("APPS_WpThemeInjection", other, []),
        ("SIMULATED_MaliciousContent-AzureWebApps", f"[SAMPLE ALERT] {phishing}", ["TA0009"]),
        ("MaliciousContent-AzureWebApps", f"[SAMPLE ALERT]{phishing.lower()}", ["TA0009"]),
        ("MaliciousContent-AzureWebApps", phishing, []),
    ]
    messages = (a_flat_alert(AlertType=type, AlertDisplayName=title, **at) for type, title, _ in alerts)
    house.writes("a.ndjson", ndjson(*messages))
    told = json.loads(house.says("explain", "a.ndjson", "--format", "json").out)
    assert [one["decision"]["tactics"] for one in told] == [tactics for _, _, tactics in alerts]


TICKETS = """
stream: cspm
floor: {default: Low}
destinations:
  incidents: {kind: servicenow, url: "https://s.example", auth: {user: u, password: {secret: S}}, table: incident}
  security: {kind: servicenow, url: "https://s.example", auth: {user: u, password: {secret: S}}, table: sn_si_incident}
  events: {kind: servicenow_events, url: "https://s.example", auth: {user: u, password: {secret: S}}}
  issues: {kind: jira, url: "https://j.example", auth: {user: u, password: {secret: S}}, project: SEC, issue_type: Task}
  chat: {kind: slack, url: {secret: SLACK}}
  hook: {kind: webhook, url: "https://h.example", secret: {secret: W}}
routes:
  - {name: grave, when: {at_least: High}, to: [chat]}
  - name: unknown
    when: {severity: unknown, kind: [recommendation, compliance]}
    to: [incidents, security, events, issues, chat, hook]
always: []
otherwise: [incidents, security, events, issues, chat, hook]
"""


NONE_GIVEN = {
    "incidents": ["impact: 2", "urgency: 2", "Severity: Medium (none given)"],
    "security": ["impact: 2", "urgency: 2", "priority: 3", "Severity: Medium (none given)"],
    "events": ["severity: 3", "Severity: Medium (none given)"],
    "issues": ["priority:", "name: Medium", "Severity: Medium (none given)"],
    "chat": [],
    "hook": ['"severity": "Medium",', '"severity_written": null,'],
}


def test_a_finding_without_a_severity_is_no_grave_ticket_and_says_that_none_was_given(
    house: House, subtests: pytest.Subtests
) -> None:
    """Wherever it goes; what of its CVEs one says is as grave as that, and no route for grave ones takes another."""
    house.writes("rules/cspm/policy.yaml", TICKETS)
    by_cve = {"CvesDetails": json.dumps([{"CveId": "CVE-2026-1", "Severity": "High"}])}
    untold = [an_assessment(metadata=None), an_attack_path(riskLevel=None, potentialImpact=None)]
    by_its_cves = an_assessment(metadata=None, additionalData=by_cve)
    house.writes("a.ndjson", ndjson(*untold, by_its_cves, a_compliance_assessment()))
    for destination, lines in NONE_GIVEN.items():
        with subtests.test(destination):
            out = house.says("explain", "a.ndjson", "--notice", destination, "--format", "json").out
            *told, grave, numbers = json.loads(out)
            for one in told:
                assert (one["decision"]["severity"], one["decision"]["routes"]) == ("Medium", [])
                answers = {step["question"]: step["answer"] for step in one["steps"]}
                assert answers["below the floor?"] == "no, Medium (none given) is at least Low"
            for one in (*told, numbers):
                assert set(lines) <= {line.strip() for line in one["notice"].splitlines()}
                assert "Medium (none given): " in one["notice"] or destination in ("hook", "events")
            assert (grave["decision"]["severity"], grave["decision"]["routes"]) == ("High", ["grave"])
            assert "High (none given, by its CVEs): " in grave["notice"] or destination != "chat"


def test_a_file_of_examples_is_said_to_be_one(house: House, transcript: Transcript) -> None:
    """In YAML and in JSON, sound or not; a list of messages is none."""
    message = a_flat_alert()
    one = {"name": "one", "now": NOW, "message": message, "expect": {"outcome": "routed"}}
    odd = {"messages": [message], "expect": {}}
    for name, content in (
        ("a.yaml", f"# mine\n{json.dumps([one])}"),
        ("b.json", json.dumps([one])),
        ("c.yml", json.dumps([odd])),
    ):
        assert transcript(f"explain {house.writes(name, content)}").code == 2
    for name in ("messages.json", "messages.yaml"):
        assert house.says("explain", house.writes(name, json.dumps([message, message]))).code == 0
