"""`rules check`, `rules test` and `rules schema`."""

import json
import shutil

import jsonschema
import pytest
import yaml

from tests.builders import RULES
from tests.cli.house import House, Transcript, a_suppression
from tests.parse.messages import a_flat_alert, an_assessment

NOW = "2026-11-24T12:00:00Z"


@pytest.fixture
def house(house: House) -> House:
    """The same with a chat in place of a file that people are to read: what goes to files alone calls nobody."""
    policy = house.directory / "rules/cwpp/policy.yaml"
    file = f"{{kind: file, path: {house.directory}/people.ndjson}}"
    policy.write_text(policy.read_text().replace(file, "{kind: slack, url: {secret: SLACK_URL}}"))
    return house


def an_example(**expect: object) -> str:
    """A file of one example."""
    example = {"name": "an alert", "now": NOW, "message": a_flat_alert(), "expect": expect}
    return yaml.safe_dump([example])


def test_a_problem_is_exit_1_and_a_warning_is_not_unless_it_is_strict(house: House, transcript: Transcript) -> None:
    """Each is a line with file and line number, relative to where one stands, also where the directory was named whole.

    JUnit has a case for each file: one with warnings passes and says them, one that is missing or a bad example fails.
    """
    check = f"rules check --now {NOW}"
    house.writes("rules/attack.yaml", (RULES / "attack.yaml").read_bytes())
    assert transcript(check).code == 0
    house.writes("rules/cwpp/suppressions/old.json", a_suppression("VM_Example", "2026-11-20T00:00:00Z"))
    assert transcript(check).code == 0
    for form in ("text", "json", "github", "junit"):
        assert transcript(f"{check} --strict --format {form}").code == 1
    house.writes("rules/cwpp/suppressions/broad.json", a_suppression("*", "2026-12-31T00:00:00Z"))
    house.writes("rules/cwpp/examples/odd.yaml", "- {name: odd}\n")
    for form in ("text", "json", "github"):
        assert transcript(f"{check} {house.directory}/rules --format {form}").code == 1
    (house.directory / "rules/cspm/policy.yaml").unlink()
    assert transcript(f"{check} --format junit").code == 1


def test_a_stream_without_rules_is_said(house: House) -> None:
    """What comes in for it is told to nobody; one whose directory is none is a problem: somebody meant to have some."""
    cspm = house.directory / "rules/cspm"
    shutil.rmtree(cspm)
    assert house.says("rules", "check").out.endswith("; cspm has no rules, and nobody is told of it\n")
    for make in (lambda: cspm.symlink_to("nowhere"), lambda: cspm.write_text("")):
        make()
        said = house.says("rules", "check")
        assert (said.code, said.out[:10]) == (1, "rules/cspm")
        cspm.unlink()


def test_a_message_holds_only_what_json_has(house: House) -> None:
    """YAML's other types are a problem of the file, on their line.

    JSON can say half a pair of UTF-16; a text that holds it is none that could arrive, and is quarantined.
    """
    for written in ("!!set {a}", "!!binary aaaa", "!!timestamp 2026-01-01", "!!omap [a: 1]", "!own 1"):
        example = f"- name: odd\n  now: {NOW}\n  message: {{a: {written}}}\n  expect: {{outcome: routed}}\n"
        house.writes("rules/cwpp/examples/odd.yaml", example)
        for command in ("check", "test"):
            said = house.says("rules", command)
            assert (said.code, said.err) == (1, "")
            assert said.out.startswith("rules/cwpp/examples/odd.yaml:3: cannot be read: ")
    house.writes("rules/cwpp/examples/odd.yaml", "")
    bodies: list[object] = [{**a_flat_alert(), "Description": "\ud800"}, "\ud800"]
    examples = [
        {"name": str(number), "now": NOW, "message": body, "expect": {"outcome": "routed"}}
        for number, body in enumerate(bodies)
    ]
    house.writes("rules/cwpp/examples/odd.json", json.dumps(examples))
    for format in ("text", "json", "github", "junit"):
        said = house.says("rules", "test", "--format", format)
        assert (said.code, said.err) == (1, "")
        assert "quarantined" in said.out
        assert said.out.isprintable() or "\\ud800" not in said.out


def test_an_example_that_holds(house: House, transcript: Transcript) -> None:
    """Only the part that is expected is compared, at the example's own time; where no example is that is said.

    One that fails says its file, line and key, what was expected and what came; what cannot be read or run is no sound one.
    """
    one = "rules/cwpp/examples/one.yaml"
    transcript("rules test", "rules test --format github")
    house.writes("rules/cwpp/suppressions/known.json", a_suppression("VM_Example", "2026-12-31T00:00:00Z"))
    house.writes(one, an_example(outcome="suppressed", suppressed_by="known", reason="rule"))
    assert house.says("rules", "test", "--now", "2027-06-01") == transcript("rules test")
    (house.directory / "rules/cwpp/suppressions/known.json").unlink()
    house.writes(one, an_example(outcome="below_floor", routes=["high"], notice="updated"))
    assert transcript("rules test", "rules test --format json").code == 1
    house.writes(one, "- {name: odd}\n")
    assert transcript("rules test").code == 1
    house.writes(one, an_example(outcome="routed"))
    house.writes("rules/cwpp/policy.yaml", "stream: cwpp\n")
    assert transcript("rules test", "rules test --format junit").code == 1


def test_an_example_may_expect_an_owner(house: House) -> None:
    """By its group, else by its service; null is nobody, whom what is not understood has for an owner, too."""
    owned = ("environment: production", "group: payments", "service: ledger", "pager: {secret: PAGER}")
    owners = (f"- {{subscription: {first}*, {owner}}}" for first, owner in enumerate(owned))
    house.writes("rules/owners.yaml", "\n".join(["owners:", *owners]))
    for first, owner in ((1, "payments"), (2, "ledger"), (3, None), (0, None), (9, None)):
        id = f"/subscriptions/{first}0000000-0000-0000-0000-000000000000/resourceGroups/a"
        example = {"name": "an alert", "now": NOW, "message": a_flat_alert(AzureResourceId=id)}
        for expected, code in ((owner, 0), ("others", 1)):
            house.writes("rules/cwpp/examples/one.yaml", yaml.safe_dump([example | {"expect": {"owner": expected}}]))
            said = house.says("rules", "test")
            assert said.code == code
        assert f'an alert: owner: expected "others", got {json.dumps(owner)}\n' in said.out


EXPECTED: list[dict[str, object]] = [
    {"ownr": "x"},
    {"route": "x"},
    {"whatever": "x"},
    {"messages": "x"},
    {"outcome": "routed", "shadowed_by": ["web"]},
    {"shadowed_by": []},
    {"shadowed_by": ["shade", "web"]},
    {"shadowed_by": ["far", "web"]},
    {"shadowed_by": ["gone"]},
    {"outcome": "suppressed", "suppressed_by": "db"},
    {"outcome": "suppressed"},
    {"suppressed_by": "db"},
    {"suppressed_by": "sql"},
    {"suppressed_by": "gone"},
]


def test_why_an_example_fails_is_said_as_explain_says_it(house: House, transcript: Transcript) -> None:
    """Of each key that is unknown what was meant; of shadow rules as a set, why one would not hold that should.

    Of the rule that is named, or of each for the type, why it does not hold; no shadow rule is a reason.
    """
    until = "2026-12-31T00:00:00Z"
    for name, type, host in (
        ("web", "VM_Example", "web-01"),
        ("shade", "VM_Example", "db-01"),
        ("far", "SQL_X", "web-01"),
    ):
        house.writes(f"rules/cwpp/suppressions/shadow/{name}.json", a_suppression(type, until, host=host))
    house.writes("rules/cwpp/examples/one.yaml", an_example(outcome="suppressed"))
    transcript("rules test")
    for name, type, host in (("db", "VM_Example", "db-01"), ("app", "VM_Example", "app-1"), ("sql", "SQL_X", "web-01")):
        house.writes(f"rules/cwpp/suppressions/{name}.json", a_suppression(type, until, host=host))
    for expect in EXPECTED:
        house.writes("rules/cwpp/examples/one.yaml", an_example(**expect))
        transcript("rules test")
    assert transcript("rules test --format json").code == 1


def test_why_an_outcome_is_another_one_is_said(house: House, transcript: Transcript) -> None:
    """What was not understood says what is at fault, a rule that holds its end, and a low severity the floor."""
    house.writes("rules/cwpp/suppressions/web.json", a_suppression("VM_Example", "2026-12-31T00:00:00Z"))
    messages = (an_assessment(), "{}", "{oh", a_flat_alert(), a_flat_alert(Severity="Low"))
    outcomes = ("suppressed", "routed", "routed", "routed", "suppressed")
    examples = [
        {"name": str(number), "now": NOW, "message": message, "expect": {"outcome": outcome}}
        for number, (message, outcome) in enumerate(zip(messages, outcomes, strict=True))
    ]
    house.writes("rules/cwpp/examples/some.json", json.dumps(examples))
    house.writes("rules/cwpp/examples/one.yaml", an_example(outcome="routed", suppressed_by="web"))
    assert transcript("rules test").code == 1


def test_schemas_are_printed_and_written(house: House) -> None:
    """One by name, all together, or a file each; and they are JSON Schemas."""
    every = json.loads(house.says("rules", "schema").out)
    assert json.loads(house.says("rules", "schema", "policy").out) == every["policy"]
    assert house.says("rules", "schema", "--out", "schemas").out == ""
    for name, schema in every.items():
        jsonschema.Draft202012Validator.check_schema(schema)
        assert json.loads((house.directory / "schemas" / f"{name}.schema.json").read_text()) == schema
    jsonschema.validate(yaml.safe_load((RULES / "cwpp" / "policy.yaml").read_text()), every["policy"])


def test_examples_as_junit_and_annotations(house: House, transcript: Transcript) -> None:
    """Those that hold are cases too, equal names are told apart, and an example over several messages fails once."""
    message = a_flat_alert()
    examples = [
        {"name": "one", "now": NOW, "message": message, "expect": {"outcome": "routed"}},
        {"name": "one", "now": NOW, "messages": [message, message], "expect": {"outcome": "noted", "routes": []}},
    ]
    house.writes("rules/cwpp/examples/some.yaml", json.dumps(examples, indent=1))
    for form in ("junit", "text", "github"):
        assert transcript(f"rules test --format {form}").code == 1
