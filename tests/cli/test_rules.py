"""`rules check`, `rules test` and `rules schema`."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from datetime import datetime
from pathlib import Path
from xml.etree import ElementTree

import jsonschema
import pytest
import yaml

from router.app.rules import load_rules_of_hubs
from router.domain.errors import BadPolicy
from tests.builders import RULES
from tests.cli.house import House, a_suppression
from tests.parse.messages import a_flat_alert, an_assessment

NOW = "2026-11-24T12:00:00Z"


@pytest.fixture
def house(house: House) -> House:
    """The same with a chat in place of a file that people are to read: what goes to files alone calls nobody."""
    policy = house.directory / "rules/cwpp/policy.yaml"
    file = f"{{kind: file, path: {house.directory}/people.ndjson}}"
    policy.write_text(policy.read_text().replace(file, "{kind: slack, url: {secret: SLACK_URL}}"))
    return house


def cases_in(report: str) -> list[ElementTree.Element]:
    """The cases of a JUnit report."""
    return list(ElementTree.fromstring(report).iter("testcase"))  # noqa: S314 - our own


def an_example(**expect: object) -> str:
    """A file of one example."""
    example = {"name": "an alert", "now": NOW, "message": a_flat_alert(), "expect": expect}
    return yaml.safe_dump([example])


def test_sound_rules_are_sound(house: House) -> None:
    """Nothing to say is exit 0, with a line that counts what was read."""
    said = house.says("rules", "check")
    assert (said.code, said.err) == (0, "")
    assert said.out.startswith("rules: 0 problems; 0 warnings; cwpp 1 route, 0 suppression rules, hash ")


def test_a_problem_is_exit_1_and_a_warning_is_not(house: House) -> None:
    """Each is a line with file and line number, relative to where one stands."""
    house.writes("rules/cwpp/suppressions/old.json", a_suppression("VM_Example", "2026-11-20T00:00:00Z"))
    said = house.says("rules", "check", "--now", NOW)
    assert said.code == 0
    assert said.out.startswith("rules/cwpp/suppressions/old.json:1: warning: ")
    house.writes("rules/cwpp/suppressions/broad.json", a_suppression("*", "2026-12-31T00:00:00Z"))
    said = house.says("rules", "check", "--now", NOW)
    assert said.code == 1
    assert said.out.startswith("rules/cwpp/suppressions/broad.json:1: ")
    assert "rules: 1 problem; 1 warning; cwpp 1 route, 1 suppression rule, hash " in said.out


def test_a_stream_without_rules_is_said(house: House) -> None:
    """What comes in for it is told to nobody, which nobody should have to conclude from its absence."""
    shutil.rmtree(house.directory / "rules/cspm")
    assert house.says("rules", "check").out.endswith("; cspm has no rules, and nobody is told of it\n")


@pytest.mark.parametrize("make", [lambda path: path.symlink_to("nowhere"), lambda path: path.write_text("")])
def test_a_stream_whose_directory_is_none_is_a_problem(make: Callable[[Path], object], house: House) -> None:
    """It is not as good as a stream without rules: somebody meant to have some."""
    shutil.rmtree(house.directory / "rules/cspm")
    make(house.directory / "rules/cspm")
    said = house.says("rules", "check")
    assert said.code == 1
    assert said.out.startswith("rules/cspm")
    with pytest.raises(BadPolicy, match=r"cspm/policy\.yaml"):
        load_rules_of_hubs(house.directory / "rules", datetime.fromisoformat(NOW))


@pytest.mark.parametrize("written", ["!!set {a}", "!!binary aaaa", "!!timestamp 2026-01-01", "!!omap [a: 1]", "!own 1"])
@pytest.mark.parametrize("command", ["check", "test"])
def test_a_message_holds_only_what_json_has(command: str, written: str, house: House) -> None:
    """YAML's other types are a problem of the file, on their line."""
    example = f"- name: odd\n  now: {NOW}\n  message: {{a: {written}}}\n  expect: {{outcome: routed}}\n"
    house.writes("rules/cwpp/examples/odd.yaml", example)
    said = house.says("rules", command)
    assert (said.code, said.err) == (1, "")
    assert said.out.startswith("rules/cwpp/examples/odd.yaml:3: cannot be read: ")


@pytest.mark.parametrize("format", ["text", "json", "github", "junit"])
def test_half_a_pair_of_utf_16_in_a_message_is_read_as_it_arrives(format: str, house: House) -> None:
    """JSON can say it, so that Defender could; a text that holds it is none that could arrive, and is quarantined."""
    bodies: list[object] = [{**a_flat_alert(), "Description": "\ud800"}, "\ud800"]
    examples = [
        {"name": str(number), "now": NOW, "message": body, "expect": {"outcome": "routed"}}
        for number, body in enumerate(bodies)
    ]
    house.writes("rules/cwpp/examples/odd.json", json.dumps(examples))
    said = house.says("rules", "test", "--format", format)
    assert (said.code, said.err) == (1, "")
    assert "quarantined" in said.out
    assert said.out.isprintable() or "\\ud800" not in said.out


def test_check_looks_at_examples_too(house: House) -> None:
    """An example that cannot be read is a problem like any other."""
    house.writes("rules/cwpp/examples/odd.yaml", "- {name: odd}\n")
    said = house.says("rules", "check")
    assert said.code == 1
    assert said.out.startswith("rules/cwpp/examples/odd.yaml:1: ")


def test_problems_as_json(house: House) -> None:
    """--format json gives file, line, level and message."""
    house.writes("rules/cwpp/suppressions/broad.json", a_suppression("*", "2026-12-31T00:00:00Z"))
    said = house.says("rules", "check", "--format", "json", "--now", NOW)
    (problem,) = json.loads(said.out)["problems"]
    assert said.code == 1
    assert (problem["file"], problem["line"], problem["level"]) == ("cwpp/suppressions/broad.json", 1, "problem")
    assert "alertType" in problem["message"]


def test_an_example_that_holds(house: House) -> None:
    """Only the part that is expected is compared, at the example's own time."""
    house.writes("rules/cwpp/suppressions/known.json", a_suppression("VM_Example", "2026-12-31T00:00:00Z"))
    house.writes("rules/cwpp/examples/one.yaml", an_example(outcome="suppressed", suppressed_by="known", reason="rule"))
    assert house.says("rules", "test", "--now", "2027-06-01") == house.says("rules", "test")
    assert house.says("rules", "test").out == "rules: 1 example, 0 failed; 0 problems\n"


def test_where_no_example_is_it_is_said(house: House) -> None:
    """In the sum, which counts problems as well, in the log of GitHub, too; what cannot be read or run is no sound example."""
    said = house.says("rules", "test")
    assert said.code == 0
    assert said.out.startswith(
        "rules: 0 examples, 0 failed; 0 problems; nothing was tested: there is no example in cwpp/"
    )
    assert said.out.strip() in house.says("rules", "test", "--format", "github").out
    house.writes("rules/cwpp/examples/one.yaml", "- {name: odd}\n")
    said = house.says("rules", "test")
    assert said.code == 1
    assert "rules: 0 examples, 0 failed; 2 problems; nothing was tested: there is no sound example in cwpp/" in said.out
    house.writes("rules/cwpp/examples/one.yaml", an_example(outcome="routed"))
    house.writes("rules/cwpp/policy.yaml", "stream: cwpp\n")
    assert "; nothing was tested: the rules cannot be used\n" in house.says("rules", "test").out


def test_an_example_that_fails_says_what_it_got(house: House) -> None:
    """File, line, example, key, what was expected and what came: exit 1."""
    house.writes("rules/cwpp/examples/one.yaml", an_example(outcome="below_floor", routes=["high"], notice="updated"))
    said = house.says("rules", "test")
    assert said.code == 1
    assert said.out.splitlines() == [
        'rules/cwpp/examples/one.yaml:1: an alert: outcome: expected "below_floor", got "routed" (routes: high)',
        'rules/cwpp/examples/one.yaml:1: an alert: notice: expected "updated", got "opened"',
        "rules: 1 example, 1 failed; 0 problems",
    ]
    failures = json.loads(house.says("rules", "test", "--format", "json").out)
    assert failures["examples"] == 1
    assert [failure["example"] for failure in failures["failures"]] == ["an alert", "an alert"]


OWNERS = """
owners:
- {subscription: 0*, environment: production}
- {subscription: 1*, group: payments}
- {subscription: 2*, service: ledger}
- {subscription: 3*, pager: {secret: PAGER}}
"""


@pytest.mark.parametrize(
    ("first", "owner"), [("1", "payments"), ("2", "ledger"), ("3", None), ("0", None), ("9", None)]
)
def test_an_example_may_expect_an_owner(house: House, first: str, owner: str | None) -> None:
    """By its group, else by its service; null is nobody, whom what is not understood has for an owner, too."""
    house.writes("rules/owners.yaml", OWNERS)
    message = a_flat_alert(
        AzureResourceId=f"/subscriptions/{first}0000000-0000-0000-0000-000000000000/resourceGroups/a"
    )
    example = {"name": "an alert", "now": NOW, "message": message}
    house.writes("rules/cwpp/examples/one.yaml", yaml.safe_dump([example | {"expect": {"owner": owner}}]))
    assert house.says("rules", "test").code == 0
    house.writes("rules/cwpp/examples/one.yaml", yaml.safe_dump([example | {"expect": {"owner": "others"}}]))
    said = house.says("rules", "test")
    assert said.code == 1
    assert said.out.startswith(
        f'rules/cwpp/examples/one.yaml:1: an alert: owner: expected "others", got {json.dumps(owner)}\n'
    )


@pytest.mark.parametrize(
    ("key", "words"),
    [
        ("ownr", "did you mean 'owner'?"),
        ("route", "did you mean 'routes'?"),
        ("whatever", "the keys are outcome, reason, "),
        ("messages", "the keys are outcome, reason, "),
    ],
)
def test_what_can_be_expected_is_said_where_a_key_is_unknown(house: House, key: str, words: str) -> None:
    """The nearest key of a decision, or all of them; a key of something else is no help."""
    house.writes("rules/cwpp/examples/one.yaml", an_example(**{key: "x"}))
    line = house.says("rules", "test").out.splitlines()[0]
    assert line.startswith(f"rules/cwpp/examples/one.yaml:2: [0].expect.{key}: is no key that belongs here; {words}")


def test_an_example_may_expect_what_shadow_rules_would_hold(house: House) -> None:
    """As a set; and why one would not that should is said as `explain` says it."""
    until = "2026-12-31T00:00:00Z"
    for name, type, host in (
        ("web", "VM_Example", "web-01"),
        ("db", "VM_Example", "db-01"),
        ("sql", "SQL_X", "web-01"),
    ):
        house.writes(f"rules/cwpp/suppressions/shadow/{name}.json", a_suppression(type, until, host=host))
    house.writes("rules/cwpp/examples/one.yaml", an_example(outcome="routed", shadowed_by=["web"]))
    assert house.says("rules", "test").code == 0
    unmet = "entities.host.hostname in ['db-01'] is not met: the signal has web-01"
    for expected, why in (
        ([], 'got ["web"]'),
        (["db", "web"], f'got ["web"] (would be held by shadow rule db? no, {unmet})'),
        (["sql", "web"], 'got ["web"] (the shadow rule sql is not about VM_Example)'),
        (["gone"], 'got ["web"] (there is no shadow rule gone)'),
    ):
        house.writes("rules/cwpp/examples/one.yaml", an_example(shadowed_by=expected))
        said = house.says("rules", "test").out.splitlines()[0]
        assert said.endswith(f"shadowed_by: expected {json.dumps(expected)}, {why}")


def test_a_shadow_rule_is_no_reason_why_no_rule_holds_a_signal(house: House) -> None:
    """Where an example expects that one does, only rules that could are asked."""
    house.writes("rules/cwpp/suppressions/shadow/web.json", a_suppression("VM_Example", "2026-12-31T00:00:00Z"))
    house.writes("rules/cwpp/examples/one.yaml", an_example(outcome="suppressed"))
    assert house.says("rules", "test").out.splitlines()[0].endswith("(there is no rule for VM_Example)")


def test_why_no_rule_holds_what_one_should_is_said_as_explain_says_it(house: House) -> None:
    """Of the rule that is named, or of each for the type; of one that is about other types, and one that is nowhere."""
    until = "2026-12-31T00:00:00Z"
    for name, type, host in (("db", "VM_Example", "db-01"), ("app", "VM_Example", "app-1"), ("sql", "SQL_X", "web-01")):
        house.writes(f"rules/cwpp/suppressions/{name}.json", a_suppression(type, until, host=host))
    unmet = "entities.host.hostname in ['db-01'] is not met: the signal has web-01"
    for expect, why in (
        ({"outcome": "suppressed", "suppressed_by": "db"}, f"(held by db? no, {unmet})"),
        ({"suppressed_by": "db"}, f"(held by db? no, {unmet})"),
        ({"outcome": "suppressed"}, f"; held by db? no, {unmet})"),
        ({"suppressed_by": "sql"}, "(the rule sql is not about VM_Example)"),
        ({"suppressed_by": "gone"}, "(there is no rule gone)"),
    ):
        house.writes("rules/cwpp/examples/one.yaml", an_example(**expect))
        first, *others = house.says("rules", "test").out.splitlines()[:-1]
        assert first.endswith(why), expect
        assert not any("held by" in other for other in others)
        assert why in json.loads(house.says("rules", "test", "--format", "json").out)["failures"][0]["unmet"]


def test_where_no_rule_is_about_its_type_that_is_why_a_signal_is_not_held(house: House) -> None:
    """It says so of the type, and of no rule."""
    house.writes("rules/cwpp/examples/one.yaml", an_example(outcome="suppressed"))
    assert house.says("rules", "test").out.splitlines()[0].endswith("there is no rule for VM_Example)")


def test_why_an_outcome_is_another_one_is_said(house: House) -> None:
    """What was not understood says what is at fault, a rule that holds its end, and a low severity the floor."""
    house.writes("rules/cwpp/suppressions/web.json", a_suppression("VM_Example", "2026-12-31T00:00:00Z"))
    for message, expected, got in (
        (an_assessment(), "suppressed", 'got "quarantined" (wrong_stream: cspm recommendation on the cwpp stream)'),
        ("{}", "routed", 'got "quarantined" (unknown_shape'),
        ("{oh", "routed", "; at fault: "),
        (a_flat_alert(), "routed", 'got "suppressed" (rule: web until 2026-12-31T00:00:00Z)'),
        (a_flat_alert(Severity="Low"), "suppressed", 'got "below_floor" (floor: Low is below Medium (default))'),
    ):
        example = {"name": "one", "now": NOW, "message": message, "expect": {"outcome": expected}}
        house.writes("rules/cwpp/examples/one.yaml", yaml.safe_dump([example]))
        assert got in house.says("rules", "test").out
    house.writes("rules/cwpp/examples/one.yaml", an_example(outcome="routed", suppressed_by="web"))
    assert house.says("rules", "test").out.splitlines()[0].endswith("(rule: web until 2026-12-31T00:00:00Z)")


def test_an_example_of_the_wrong_stream_is_quarantined(house: House) -> None:
    """Examples of a stream come in on that stream."""
    example = {"name": "finding", "now": NOW, "message": an_assessment(), "expect": {"reason": "wrong_stream"}}
    house.writes("rules/cwpp/examples/one.yaml", yaml.safe_dump([example]))
    assert house.says("rules", "test").code == 0


def test_examples_under_a_bad_policy_are_a_problem(house: House) -> None:
    """Where the rules cannot be used their problems are told, and exit 1."""
    house.writes("rules/cwpp/policy.yaml", "stream: cwpp\n")
    house.writes("rules/cwpp/examples/one.yaml", an_example(outcome="routed"))
    said = house.says("rules", "test")
    assert said.code == 1
    assert said.out.startswith("rules/cwpp/policy.yaml:")


def test_the_starter_rules_pass(house: House) -> None:
    """What this project ships is sound, and does what its examples say."""
    assert house.says("rules", "check", RULES).code == 0
    assert house.says("rules", "test", RULES).code == 0


def test_schemas_are_printed_and_written(house: House) -> None:
    """One by name, all together, or a file each; and they are JSON Schemas."""
    every = json.loads(house.says("rules", "schema").out)
    assert json.loads(house.says("rules", "schema", "policy").out) == every["policy"]
    assert house.says("rules", "schema", "--out", "schemas").out == ""
    for name, schema in every.items():
        jsonschema.Draft202012Validator.check_schema(schema)
        assert json.loads((house.directory / "schemas" / f"{name}.schema.json").read_text()) == schema
    jsonschema.validate(yaml.safe_load((RULES / "cwpp" / "policy.yaml").read_text()), every["policy"])


def test_check_names_what_is_gone(house: House) -> None:
    """A rule on a retired assessment or a deprecated type is a warning with file and line, and is in force all the same."""
    key = "1195afff-c881-495e-9bc5-1486211ae03f"
    house.writes("rules/cwpp/suppressions/web.json", a_suppression("AppServices_CurlToDisk", "2026-12-31T00:00:00Z"))
    house.writes("rules/cwpp/suppressions/machines.json", a_suppression(key.upper(), "2026-12-31T00:00:00Z"))
    said = house.says("rules", "check", "--now", NOW)
    assert said.code == 0
    findings, machines, web, summary = said.out.splitlines()
    assert findings.endswith("names findings, and no alert; a rule about findings stands in cspm/")
    assert machines.startswith(
        f"rules/cwpp/suppressions/machines.json:1: warning: properties.alertType: names the assessment {key} "
    )
    assert machines.endswith("; put the recommendation category SoftwareUpdate in its place")
    assert web.startswith(
        "rules/cwpp/suppressions/web.json:1: warning: properties.alertType: 'AppServices_CurlToDisk' is deprecated "
    )
    assert "0 problems; 3 warnings; cwpp 1 route, 2 suppression rules" in summary


def test_check_as_annotations(house: House) -> None:
    """Files are named from where one stands, also where the directory was named whole; the exit code stays."""
    house.writes("rules/cwpp/suppressions/old.json", a_suppression("VM_Example", "2026-11-20T00:00:00Z"))
    house.writes("rules/cwpp/suppressions/broad.json", a_suppression("*", "2026-12-31T00:00:00Z"))
    said = house.says("rules", "check", house.directory / "rules", "--format", "github", "--now", NOW)
    assert said.code == 1
    sum, error, warning = said.out.splitlines()
    assert "1 problem; 1 warning" in sum
    assert error.startswith(
        "::error file=rules/cwpp/suppressions/broad.json,line=1,title=whole-alert-type::properties."
    )
    assert warning.startswith("::warning file=rules/cwpp/suppressions/old.json,line=1,title=ended::properties.")


def test_strictly_a_warning_is_a_problem(house: House) -> None:
    """Every format says so, and the exit code does."""
    house.writes("rules/cwpp/suppressions/old.json", a_suppression("VM_Example", "2026-11-20T00:00:00Z"))
    strictly = ("rules", "check", "--strict", "--now", NOW, "--format")
    assert house.says(*strictly[:-1]).out.startswith("rules/cwpp/suppressions/old.json:1: properties.")
    assert "1 problem; 0 warnings" in house.says(*strictly, "text").out
    assert json.loads(house.says(*strictly, "json").out)["problems"][0]["level"] == "problem"
    assert "\n::error file=" in house.says(*strictly, "github").out
    assert "<failure" in house.says(*strictly, "junit").out
    assert {house.says(*strictly, format).code for format in ("text", "json", "github", "junit")} == {1}
    (house.directory / "rules/cwpp/suppressions/old.json").unlink()
    assert house.says(*strictly[:-1]).code == 0


def test_check_as_junit_has_a_case_for_each_file(house: House) -> None:
    """One that is sound passes, one with warnings passes and says them, one that is missing fails."""
    house.writes("rules/cwpp/suppressions/old.json", a_suppression("VM_Example", "2026-11-20T00:00:00Z"))
    (house.directory / "rules/cspm/policy.yaml").unlink()
    said = house.says("rules", "check", "--format", "junit", "--now", NOW)
    assert said.code == 1
    cases = {case.attrib["file"]: [inner.tag for inner in case] for case in cases_in(said.out)}
    assert cases == {
        "rules/attack.yaml": [],
        "rules/cwpp/policy.yaml": [],
        "rules/cwpp/suppressions/old.json": ["system-out"],
        "rules/cspm/policy.yaml": ["failure"],
    }


def test_examples_as_junit_and_annotations(house: House) -> None:
    """Those that hold are cases too, equal names are told apart, and an example over several messages fails once."""
    message = a_flat_alert()
    examples = [
        {"name": "one", "now": NOW, "message": message, "expect": {"outcome": "routed"}},
        {"name": "one", "now": NOW, "messages": [message, message], "expect": {"outcome": "noted", "routes": []}},
    ]
    house.writes("rules/cwpp/examples/some.yaml", json.dumps(examples, indent=1))
    said = house.says("rules", "test", "--format", "junit")
    assert said.code == 1
    held, failed = cases_in(said.out)
    assert (held.attrib["name"], list(held)) == ("some: one", [])
    assert failed.attrib["name"] == "some: one (2)"
    assert int(failed.attrib["line"]) > 1
    assert len((failed[0].text or "").splitlines()) == 4
    assert house.says("rules", "test").out.endswith("rules: 2 examples, 1 failed; 0 problems\n")
    sum, only = house.says("rules", "test", "--format", "github").out.splitlines()
    assert sum == "::notice title=rules test::rules: 2 examples, 1 failed; 0 problems"
    assert only.startswith(
        f"::error file=rules/cwpp/examples/some.yaml,line={failed.attrib['line']},title=failed-example::"
    )
    assert only.count("%0A") == 3


def test_examples_that_cannot_be_run_are_skipped(house: House) -> None:
    """The policy that stops them is a case that failed."""
    house.writes("rules/cwpp/policy.yaml", "stream: cwpp\n")
    house.writes("rules/cwpp/examples/one.yaml", an_example(outcome="routed"))
    policy, example = cases_in(house.says("rules", "test", "--format", "junit").out)
    assert (policy.attrib["file"], policy[0].tag) == ("rules/cwpp/policy.yaml", "failure")
    assert example[0].tag == "skipped"
