"""`explain`: every step of the decision on a message, or the life of a signal, in words."""

import json
import os
from datetime import datetime
from typing import Any

import pytest
import yaml

from router.app.paging_answer import AwaitedCode, PagingCode
from router.store.documents import document_of_silence, put_document
from tests.builders import alert_body
from tests.cli.house import House, Transcript, a_suppression, column, ndjson, over_both
from tests.parse.messages import a_compliance_assessment, a_flat_alert, an_assessment, an_attack_path
from tests.silences import HOUR, a_silence, named
from tests.store.opened import rows_in
from tests.store.within import within

NOW = "2026-11-24T12:00:00Z"
CONSOLE = "https://alerts.contoso.com/console"


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


def test_what_a_destination_would_be_told_is_shown_as_text(
    house: House, transcript: Transcript, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its own words for what goes there, with the link to the console, and why it is told nothing of the rest.

    A name that nobody has is refused.
    """
    monkeypatch.setenv("ALERT_ROUTER_CONSOLE_URL", CONSOLE)
    house.writes("a.ndjson", ndjson(a_flat_alert(), a_flat_alert(Severity="Low"), {"no": "alert"}))
    said = transcript(f"explain --now {NOW} a.ndjson --notice people")
    assert said.code == 0
    documents = json.loads(house.says(*f"explain --now {NOW} a.ndjson --notice people --format json".split()).out)
    shown = [part.partition("\n")[2].rstrip("\n") for part in said.out.split("--- a.ndjson:")[1:]]
    assert [document["notice"].rstrip("\n") for document in documents] == shown
    transcript(*(f"explain a.ndjson --notice {name}" for name in ("nobody", "peopel", "record")))


SIMULATED: tuple[tuple[str, str, list[str]], ...] = (
    ("AppServices_WpThemeInjection", "", ["TA0002"]),
    ("SIMULATED_AppServices_WpThemeInjection", "", ["TA0002"]),
    ("SIMULATED_APPS_WpThemeInjection", "", ["TA0002"]),
    ("SIMULATED_APPS_SpamReferrer", "", []),
    ("SIMULATED_APPS_OfNoKind", "", []),
    ("APPS_WpThemeInjection", "", []),
    ("SIMULATED_MaliciousContent-AzureWebApps", "[SAMPLE ALERT] Phishing content hosted on Azure Webapps", ["TA0009"]),
    ("MaliciousContent-AzureWebApps", "[SAMPLE ALERT]phishing content hosted on azure webapps", ["TA0009"]),
    ("MaliciousContent-AzureWebApps", "Phishing content hosted on Azure Webapps", []),
)
"""Types and titles of alerts, and their tactics."""


def test_a_sample_has_the_tactics_of_what_it_simulates(house: House) -> None:
    """However Defender calls it; what only looks like one has none."""
    resource = "/subscriptions/1/resourceGroups/rg/providers/Microsoft.Web/sites/shop"
    at: dict[str, object] = dict.fromkeys(("Intent", "ExtendedProperties"))
    at |= {"AzureResourceId": resource, "ProductComponentName": "AppServices"}
    alerts = [
        a_flat_alert(AlertType=type, AlertDisplayName=title or "It happens", **at) for type, title, _ in SIMULATED
    ]
    house.writes("a.ndjson", ndjson(*alerts))
    assert column(house.routes("--dry-run", "a.ndjson"), "tactics") == [tactics for _, _, tactics in SIMULATED]


def test_a_finding_without_a_severity_is_not_grave_and_says_that_none_was_given(house: House) -> None:
    """What of its CVEs one says is as grave as that, and no route for grave ones takes another."""
    policy = (house.directory / "rules/cspm/policy.yaml").read_text()
    grave = "{name: grave, when: {at_least: High, kind: [recommendation, attack_path]}, to: [chat]}"
    policy = policy.replace(
        "routes: []", f"routes: [{grave}, {{name: numbers, when: {{kind: compliance}}, to: [chat]}}]"
    )
    chat = "destinations:\n  chat: {kind: slack, url: {secret: SLACK}}"
    house.writes("rules/cspm/policy.yaml", policy.replace("[backlog]", "[chat]").replace("destinations:", chat))
    by_cve = {"CvesDetails": json.dumps([{"CveId": "CVE-2026-1", "Severity": "High"}])}
    findings: tuple[tuple[dict[str, Any], str | None, str, list[str]], ...] = (
        (an_assessment(metadata=None), "Medium", "Medium (none given)", []),
        (an_attack_path(riskLevel=None, potentialImpact=None), "Medium", "Medium (none given)", []),
        (a_compliance_assessment(), None, "Medium (none given)", ["numbers"]),
        (an_assessment(metadata=None, additionalData=by_cve), "High", "High (none given, by its CVEs)", ["grave"]),
    )
    house.writes("a.ndjson", ndjson(*(finding for finding, *_ in findings)))
    explained = json.loads(house.says("explain", "a.ndjson", "--notice", "chat", "--format", "json").out)
    for one, (_, severity, words, routes) in zip(explained, findings, strict=True):
        assert (one["decision"]["severity"], one["decision"]["routes"]) == (severity, routes)
        answers = {step["question"]: step["answer"] for step in one["steps"]}
        has_one = f"{words} is at least Medium" if severity else "it has no severity, which is above every floor"
        assert answers["below the floor?"] == f"no, {has_one}"
        assert f"{words}: " in one["notice"]


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


LATER = "2026-11-24T13:00:00Z"
ID = str(a_flat_alert()["SystemAlertId"])


@pytest.fixture
def routed(house: House) -> House:
    """A house where an alert was routed an hour ago."""
    house.writes("a.ndjson", ndjson(a_flat_alert()))
    assert house.says("run", "--now", NOW, "a.ndjson").code == 0
    return house


def lines_of(out: str) -> list[str]:
    """Lines as words with one blank between them."""
    return [" ".join(line.split()) for line in out.splitlines()]


def as_json(house: House, *arguments: str) -> Any:
    said = house.says("explain", "--format", "json", "--now", LATER, *arguments)
    assert (said.code, said.err) == (0, "")
    return json.loads(said.out)


@over_both
def test_the_life_of_a_signal_is_told_from_the_state(
    routed: House, transcript: Transcript, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The answer first, each message with its outcome and stored steps, each delivery; and the rules may have changed since.

    What a destination was last told is shown in its own words, with the link to the console; where it took nothing, that.
    """
    monkeypatch.setenv("ALERT_ROUTER_CONSOLE_URL", CONSOLE)
    document = json.loads(transcript(f"explain {ID} --now {LATER} --format json").out)
    assert document["paging"]["code"] == PagingCode.NO_PAGER
    notice = transcript(f"explain {ID} --notice people").out
    assert as_json(routed, ID, "--notice", "people")["notice"] + "\n" == notice
    routed.writes("b.ndjson", ndjson(a_flat_alert(SystemAlertId="low", Severity="Low")))
    routed.says("run", "--now", NOW, "b.ndjson")
    transcript("explain low --notice people", f"explain {ID} --notice peple")
    routed.writes("rules/cwpp/policy.yaml", "stream: cwpp\nfloor: {default: Critical}\n")
    transcript(f"explain {ID.upper()} --now {LATER}")


def test_what_holds_a_signal_or_fails_is_told_and_what_it_waits_for(house: House, transcript: Transcript) -> None:
    """Until when, since when, how many messages; each attempt with its error; a setting that is missing."""
    policy = house.directory / "rules" / "cwpp" / "policy.yaml"
    record = "{kind: log_analytics, endpoint: {setting: LOGS_ENDPOINT}, rule: dcr-1, table: Test_CL}"
    policy.write_text(f"{policy.read_text()}record: {record}\n")
    (house.directory / "people.ndjson").mkdir()
    house.says("run", "--now", NOW, house.writes("a.ndjson", ndjson(a_flat_alert())))
    document = as_json(house, ID)
    (people,) = [one for one in document["destinations"] if one["name"] == "people"]
    (delivery,) = people["deliveries"]
    assert delivery["error"]
    assert [one["error"] for one in delivery["failed"]] == [delivery["error"]] * delivery["attempts"]
    waits = {one["destination"]: one for one in document["waits"]}
    assert waits["record"]["words"].endswith("waits until record can be asked: LOGS_ENDPOINT is missing")
    assert (waits["people"]["key"], waits["people"]["turn"]) == (document["signal"]["key"], 1)
    assert AwaitedCode(waits["people"]["code"]) in (AwaitedCode.TIME, AwaitedCode.WORKER)
    house.writes("rules/cwpp/suppressions/nightly.json", a_suppression("VM_Example", "2026-12-31T00:00:00Z"))
    house.says("run", "--now", NOW, house.writes("b.ndjson", ndjson(a_flat_alert(SystemAlertId="held"))))
    transcript(f"explain held --now {LATER}")


@over_both
def test_a_file_is_explained_with_the_silences_of_the_state_that_is_named(house: House, transcript: Transcript) -> None:
    """Each that may hold it is a step: one that is over, one of another machine, and one that holds it."""
    moment = datetime.fromisoformat(NOW)
    ended = a_silence("0ld0ld", begins=moment - 3 * HOUR)
    for one in (a_silence(begins=moment), ended, a_silence("0ther0", groups=(named("vm-2"),), begins=moment)):
        house.in_state(lambda store: within(store, put_document, document_of_silence(one)))  # noqa: B023  It is done at once.
    explain = f"explain {house.writes('a.ndjson', alert_body())} --now {NOW}"
    assert ("silence" in house.says(*explain.split()).out) is isinstance(house.state, str), "a setting names it there"
    transcript(f"{explain} --state {house.state}", f"{explain} --notice people --state {house.state}")


@over_both
def test_the_end_of_a_silence_is_told_as_it_stands_now(house: House, transcript: Transcript) -> None:
    """One that was extended holds longer than it did when the signal came; one that was ended holds it no more."""
    house.says("run", "--now", NOW, house.writes("none.ndjson", b""))
    silence = f"silences add --host web-01 --for 2h --reason patching --author ana --yes --now {NOW} --format json"
    id = json.loads(house.says(*silence.split()).out)["id"]
    house.says("run", "--now", NOW, house.writes("a.ndjson", ndjson(a_flat_alert())))
    for change in (f"extend {id} --for 1h", f"end {id}"):
        assert house.says(*f"silences {change} --author ben --now {LATER}".split()).code == 0
        transcript(f"explain {ID} --now {LATER}")


def test_what_is_owed_is_not_open(house: House) -> None:
    """Open is where a destination took the signal and not its end, whatever was decided since."""
    people = house.directory / "people.ndjson"

    def comes_to(now: str, status: str = "New") -> tuple[str, set[str]]:
        house.writes("a.ndjson", ndjson(a_flat_alert(Status=status)))
        house.says("run", "--now", now, "a.ndjson")
        lines = lines_of(house.says("explain", ID, "--now", now).out)
        return next(line for line in lines if line.startswith("now ")), {*as_json(house, ID)["now"]["open"]}

    people.mkdir()
    assert comes_to(NOW) == ("now it stands, open at everything; owed to people", {"everything"})
    given_up = "now it stands, open at everything; given up on at people"
    assert comes_to("2026-11-28T12:00:00Z") == (given_up, {"everything"})
    people.rmdir()
    assert house.says("dead-letters", "redrive", "--all", "--now", "2026-11-28T12:01:00Z").code == 0
    assert comes_to("2026-11-28T12:02:00Z") == ("now it stands, open at everything, people", {"everything", "people"})
    people.unlink()
    people.mkdir()
    assert comes_to("2026-11-28T12:03:00Z", "Resolved") == ("now over, open at people", {"people"})
    people.rmdir()
    assert comes_to("2026-11-28T13:00:00Z", "Resolved") == ("now over, open nowhere", set())


def test_several_signals_that_may_be_meant_are_listed(house: House, transcript: Transcript) -> None:
    """With what tells them apart, and no one of them is chosen; a stream chooses. Of none it is said where it was sought."""
    house.writes("a.ndjson", ndjson(*(a_flat_alert(SystemAlertId=f"{id}-same") for id in ("one", "two"))))
    house.writes("b.ndjson", b'{"SystemAlertId": "2517-lost", ')
    house.says("run", "--now", NOW, "a.ndjson", "b.ndjson")
    transcript("explain same --state .state", "explain same --stream cspm", "explain nobody", "explain 2517-LOST")
    matches = json.loads(house.says("explain", "same", "--format", "json").out)["matches"]
    assert {one["id"] for one in matches} == {"one-same", "two-same"}
    assert as_json(house, matches[0]["key"])["signal"]["id"] == matches[0]["id"]
    assert house.says("explain", os.fsdecode(b"nob\xffdy")).complaint.startswith(
        "nob\ufffddy: is no file, and no signal in"
    )


def test_what_is_a_file_is_explained_as_one(routed: House, transcript: Transcript) -> None:
    """A file wins, whether a state is named or not; without a file or a state both are said to be missing."""
    for state in ((), ("--state", ".state")):
        assert routed.says("explain", "a.ndjson", "--now", NOW, *state).out.startswith("a.ndjson:1: routed")
    transcript("explain a.ndjson --state elsewhere", f"explain {ID} --state elsewhere")
    (routed.directory / ".state" / "router.db").rename(routed.directory / "db")
    (routed.directory / ".state" / "router.commit").unlink()
    transcript(f"explain {ID}")


def test_an_id_may_be_longer_than_any_name_of_a_file(house: House) -> None:
    """It is no file then; the name of a state that is too long is one complaint. An empty one is refused as such."""
    ids = ("x" * 300, "a/" * 3_000 + "b")
    house.writes("a.ndjson", ndjson(*(a_flat_alert(SystemAlertId=id) for id in ids)))
    empty = [("explain", name, *state) for name in ("", " ", "\n\t", "\u2003") for state in ((), ("--state", ".state"))]
    refused = "FILE|ID: is empty; name a file, or a signal by its id"
    assert {house.says(*one).complaint for one in empty} == {refused}
    house.says("run", "--now", NOW, "a.ndjson")
    assert {house.says(*one).complaint for one in empty} == {refused}
    for id in ids:
        assert as_json(house, id)["signal"]["id"] == id
        assert house.says("explain", "x", "--state", id).complaint.endswith("cannot be read: File name too long")


def test_what_is_damaged_or_gone_costs_only_itself(routed: House, subtests: pytest.Subtests) -> None:
    """The rest of the life is told, and the answer says where nobody knows."""
    state = routed.directory / ".state" / "router.db"
    whole = state.read_bytes()
    for damage in (
        "UPDATE decisions SET body = x'00'",
        "UPDATE decisions SET body = substr(body, 1, length(body) - 1)",
        "UPDATE signals SET open = '['",
        "UPDATE deliveries SET receipt = x'00' WHERE destination = 'people'",
        "UPDATE deliveries SET change = 'x' WHERE destination = 'people'",
        "DELETE FROM signals",
        "DELETE FROM deliveries",
        "DELETE FROM decisions",
    ):
        with subtests.test(damage):
            state.write_bytes(whole)
            assert rows_in(state.parent, f"{damage} RETURNING 1")
            assert routed.says("attack", "layer", "--now", LATER).code == 0
            said = routed.says("explain", ID)
            assert said.code == 0, said
            lines = lines_of(said.out)
            assert f"key {as_json(routed, ID)['signal']['key']}" in lines
            assert ("2026-11-24T12:00:00Z routed, routes: high (turn 1)" in lines) is ("decisions" not in damage)
