"""`explain`: every step of the decision, in words."""

from __future__ import annotations

import json

import pytest
import yaml

from tests.cli.house import House, a_suppression, commands_in, ndjson
from tests.parse.messages import a_compliance_assessment, a_flat_alert, an_assessment, an_attack_path

NOW = "2026-11-24T12:00:00Z"


def test_every_step_is_said(house: House) -> None:
    """Which floor, each rule for the type and why it does not hold, which routes, and where it goes."""
    house.writes("rules/cwpp/suppressions/db.json", a_suppression("VM_Example", "2026-12-31T00:00:00Z", host="db-01"))
    house.writes("rules/cwpp/suppressions/old.json", a_suppression("VM_Example", "2026-11-01T00:00:00Z"))
    house.writes("a.ndjson", ndjson(a_flat_alert()))
    said = house.says("explain", "--now", NOW, "a.ndjson")
    assert said.code == 0
    lines = [" ".join(line.split()) for line in said.out.splitlines()]
    assert lines[0] == "a.ndjson:1: routed, routes: high"
    for line in (
        "what High alert VM_Example: Something happens",
        "goes to everything, people",
        "resolved? no, its status is New",
        "below the floor? no, High is at least Medium",
        "held by db? no, entities.host.hostname in ['db-01'] is not met: the signal has web-01",
        "held by old? no, the rule ended at 2026-11-01T00:00:00Z",
        "ATT&CK? TA0003 Persistence, TA0006 Credential Access",
        "route high? yes, to people",
        "always everything",
    ):
        assert line in lines


def test_whose_it_is_is_said(house: House) -> None:
    """By which entry of owners.yaml, or that nobody owns it; in JSON the name stands by itself, too."""
    house.writes(
        "a.ndjson", ndjson(a_flat_alert(), a_flat_alert(AzureResourceId="/subscriptions/1/resourceGroups/a"), b"?")
    )
    house.writes("rules/owners.yaml", "owners:\n- {environment: production}\n- {subscription: '1', group: payments}\n")
    said = [" ".join(line.split()) for line in house.says("explain", "a.ndjson").out.splitlines()]
    assert [line for line in said if line.startswith("owner? ")] == [
        "owner? nobody, no entry of owners.yaml that names an owner matches",
        "owner? payments, as entry 2 of owners.yaml says",
    ]
    explained = json.loads(house.says("explain", "--format", "json", "a.ndjson").out)
    assert [one["owner"] for one in explained] == [None, "payments", None]
    assert {"question": "owner?", "answer": "payments, as entry 2 of owners.yaml says"} in explained[1]["steps"]


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


def test_what_a_destination_would_be_told_is_shown_as_text(house: House) -> None:
    """Its own words for what goes there, and why it is told nothing of the rest; a name that nobody has is refused."""
    house.writes("a.ndjson", ndjson(a_flat_alert(), a_flat_alert(Severity="Low"), {"no": "alert"}))
    said = house.says("explain", "--now", NOW, "a.ndjson", "--notice", "people")
    assert said.code == 0
    shown, low, foreign = said.out.split("--- a.ndjson:")[1:]
    assert '"title": "Something happens"' in shown
    assert '"change": "opened"' in shown
    assert "people: is told nothing: the signal is below_floor (floor" in low
    assert "people: is told nothing, since the message is quarantined (unknown_shape" in foreign
    documents = json.loads(
        house.says("explain", "--now", NOW, "a.ndjson", "--notice", "people", "--format", "json").out
    )
    assert [document["notice"].splitlines()[0] for document in documents][1:] == [
        low.splitlines()[1], foreign.splitlines()[1],
    ]  # fmt: skip
    for name, said_of_it in (
        ("nobody", "no policy names such a destination; there are backlog, everything, people"),
        ("peopel", "no policy names such a destination; did you mean people?"),
        ("record", "gets decisions as rows and no notices; name one of backlog, everything, people"),
    ):
        wrong = house.says("explain", "a.ndjson", "--notice", name)
        assert (wrong.code, wrong.err) == (2, f"--notice {name}: {said_of_it}\n")


def test_what_a_message_does_not_say_is_said_in_words(house: House) -> None:
    """A status or a severity that is not there has no name of the program's own."""
    house.writes("a.ndjson", ndjson(a_flat_alert(Status=None, Severity=None), a_flat_alert(Severity="Grave")))
    out = house.says("explain", "a.ndjson").out
    lines = [" ".join(line.split()) for line in out.splitlines()]
    assert "None" not in out
    for line in (
        "resolved? no, it has no status",
        "below the floor? no, it has no severity, which is above every floor",
        "below the floor? no, severity 'Grave' is not known, which is above every floor",
    ):
        assert line in lines


def test_a_sample_has_the_tactics_of_what_it_simulates(house: House) -> None:
    """However Defender calls it; what only looks like one has none."""
    sites = "/subscriptions/11111111-2222-3333-4444-555555555555/resourceGroups/rg/providers/Microsoft.Web/sites/shop"
    at: dict[str, object] = {
        "Intent": None,
        "ExtendedProperties": {},
        "AzureResourceId": sites,
        "ProductComponentName": "AppServices",
    }
    types = {
        "AppServices_WpThemeInjection": ["TA0002"],
        "SIMULATED_AppServices_WpThemeInjection": ["TA0002"],
        "SIMULATED_APPS_WpThemeInjection": ["TA0002"],
        "simulated_apps_wpthemeinjecton": ["TA0002"],
        "SIMULATED_APPS_SpamReferrer": [],
        "SIMULATED_APPS_OfNoKind": [],
        "APPS_WpThemeInjection": [],
    }
    titles = {
        ("SIMULATED_MaliciousContent-AzureWebApps", "[SAMPLE ALERT] Phishing content hosted on Azure Webapps"): [
            "TA0009"
        ],
        ("MaliciousContent-AzureWebApps", "[SAMPLE ALERT]phishing content hosted on Azure Webapps"): ["TA0009"],
        ("MaliciousContent-AzureWebApps", "Phishing content hosted on Azure Webapps"): [],
    }
    alerts = [(type, "Something happens", tactics) for type, tactics in types.items()]
    alerts += [(*named, tactics) for named, tactics in titles.items()]
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


@pytest.mark.parametrize(
    ("destination", "lines"),
    [
        ("incidents", ["impact: 2", "urgency: 2", "Severity: Medium (none given)"]),
        ("security", ["impact: 2", "urgency: 2", "priority: 3", "Severity: Medium (none given)"]),
        ("events", ["severity: 3", "Severity: Medium (none given)"]),
        ("issues", ["priority:", "name: Medium", "Severity: Medium (none given)"]),
        ("chat", []),
        ("hook", ['"severity": "Medium",', '"severity_written": null,']),
    ],
)
def test_a_finding_without_a_severity_is_no_grave_ticket_and_says_that_none_was_given(
    house: House, destination: str, lines: list[str]
) -> None:
    """Wherever it goes; what of its CVEs one says is as grave as that, and no route for grave ones takes another."""
    house.writes("rules/cspm/policy.yaml", TICKETS)
    by_cve = {"CvesDetails": json.dumps([{"CveId": "CVE-2026-1", "Severity": "High"}])}
    untold = [an_assessment(metadata=None), an_attack_path(riskLevel=None, potentialImpact=None)]
    house.writes(
        "a.ndjson", ndjson(*untold, an_assessment(metadata=None, additionalData=by_cve), a_compliance_assessment())
    )
    *told, grave, numbers = json.loads(
        house.says("explain", "a.ndjson", "--notice", destination, "--format", "json").out
    )
    for one in told:
        assert (one["decision"]["severity"], one["decision"]["routes"]) == ("Medium", [])
        answers = {step["question"]: step["answer"] for step in one["steps"]}
        assert answers["below the floor?"] == "no, Medium (none given) is at least Low"
    for one in (*told, numbers):
        assert set(lines) <= {line.strip() for line in one["notice"].splitlines()}
        assert "Medium (none given): " in one["notice"] or destination in ("hook", "events")
    assert (grave["decision"]["severity"], grave["decision"]["routes"]) == ("High", ["grave"])
    assert "High (none given, by its CVEs): " in grave["notice"] or destination != "chat"


def test_how_soon_people_should_answer_is_said(house: House) -> None:
    """As the routes that match say it."""
    policy = yaml.safe_load((house.directory / "rules/cwpp/policy.yaml").read_bytes())
    policy["routes"][0]["respond_within"] = "30m"
    house.writes("rules/cwpp/policy.yaml", json.dumps(policy).encode())
    house.writes("a.ndjson", ndjson(a_flat_alert()))
    said = house.says("explain", "--now", NOW, "a.ndjson")
    lines = [" ".join(line.split()) for line in said.out.splitlines()]
    assert "to be answered by? 2026-11-24T12:30:00Z, as the most pressing of its routes says" in lines


def test_a_rule_that_holds_is_said_with_its_end(house: House) -> None:
    """Asked one by one, the rule that decides says yes."""
    house.writes("rules/cwpp/suppressions/known.json", a_suppression("VM_Example", "2026-12-31T00:00:00Z"))
    said = house.says("explain", "--now", NOW, house.writes("a.ndjson", ndjson(a_flat_alert())))
    assert "a.ndjson:1: suppressed, rule: known until 2026-12-31T00:00:00Z" in said.out
    assert "yes, until 2026-12-31T00:00:00Z" in said.out


def test_what_is_not_understood_is_explained_too(house: House) -> None:
    """The reason and the field at fault, also on the wrong stream."""
    house.writes("a.ndjson", ndjson({"some": "thing"}, b"?", an_assessment()))
    out = house.says("explain", "--stream", "cwpp", "a.ndjson").out
    for words in (
        "a.ndjson:1: quarantined, unknown_shape: ",
        "at fault",
        "not_json: ",
        "wrong_stream: cspm recommendation",
    ):
        assert words in out


def test_a_file_of_examples_is_said_to_be_one(house: House) -> None:
    """In YAML and in JSON, sound or not; a list of messages is none."""
    message = a_flat_alert()
    one = {"name": "one", "now": NOW, "message": message, "expect": {"outcome": "routed"}}
    for name, content in (
        ("rules/cwpp/examples/a.yaml", "# mine\n" + yaml.safe_dump([one])),
        ("some.json", json.dumps([one])),
        ("odd.yml", yaml.safe_dump([{"messages": [message], "expect": {}}])),
    ):
        assert (
            house.says("explain", house.writes(name, content)).complaint
            == f"{name}: holds examples, and no messages; alert-router rules test runs them"
        )
    for name in ("messages.json", "messages.yaml"):
        assert house.says("explain", house.writes(name, json.dumps([message, message]))).code == 0


def test_as_json_it_holds_the_decision(house: House) -> None:
    """--format json gives each decision as the decisions file does, and its steps."""
    house.writes("a.ndjson", ndjson(a_flat_alert(), b"?"))
    decision = house.routes("--dry-run", "--now", NOW, "a.ndjson")[0]
    explained, unread = json.loads(house.says("explain", "--now", NOW, "--format", "json", "a.ndjson").out)
    assert explained["decision"] == decision
    assert {"question": "only noted?", "answer": "no"} in explained["steps"]
    assert unread["decision"]["outcome"] == "quarantined"


def test_it_leaves_nothing_behind(house: House) -> None:
    """Explaining keeps no state."""
    house.says("explain", house.writes("a.ndjson", ndjson(a_flat_alert())))
    assert not (house.directory / ".state").exists()
