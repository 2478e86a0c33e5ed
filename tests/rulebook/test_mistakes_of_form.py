"""A text that is not YAML or JSON is told by the line to mend and by what to do; the published schemas say the same."""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st
from jsonschema import Draft202012Validator

from router.coverage.expected.form import CoverageForm
from router.destinations import discover
from router.rulebook.documents import Unreadable, parse
from router.rulebook.folder import Folder
from router.rulebook.patterns import WORDS
from router.rulebook.schemas import schemas
from tests.builders import RULES
from tests.rulebook.builders import KINDS
from tests.rulebook.test_bad_rules import BAD

YAML = """\
stream: cwpp
destinations:
  oncall: {kind: pager, key: {secret: PAGER_KEY}}
  tickets:
    kind: desk
    url: "https://desk.example.com"
routes:
  - name: page
    when: {at_least: High}
    to: [oncall]
always: [oncall]
"""

JSON = """\
{
  "properties": {
    "alertType": "SQL.DB_BruteForce",
    "state": "Enabled",
    "reason": "Noise",
    "suppressionAlertsScope": {
      "allOf": [{"field": "entities.ip.address", "in": ["10.20.0.5"]}]
    }
  }
}
"""


def what_is_said(text: str, file: str) -> tuple[int | None, str]:
    """The line and the words about a text that cannot be read."""
    with pytest.raises(Unreadable) as met:
        parse(text, file)
    return met.value.line, str(met.value)


type Mistakes = Sequence[tuple[str, str, int | None, str]]
"""What stands there, what is written in its place, the line to mend and the words about it."""

IN_YAML: Mistakes = [
    ("    when", "\twhen", 9, "has a tab in its indentation; YAML is indented with spaces"),
    ("  - name", "  -\tname", 8, "has a tab in its indentation"),
    ("{at_least: High}", "{resource: */rg-x/*}", 9, "begins with * and is not in quotes"),
    ("{at_least: High}", "{owner: @team}", 9, "has a character with which no text begins; put the text in quotes"),
    ("{at_least: High}", "{owner: !team}", 9, "begins with ! and is not in quotes"),
    ("name: page", "name: page: high", 8, "has a colon that belongs to nothing above it"),
    ("stream: cwpp", "stream:cwpp", 1, "has no space behind the colon of 'stream'"),
    ('.com"', ".com", 6, "opens a quotation mark that nothing closes"),
    ("name: page", "name: 'page", 8, "opens a quotation mark that nothing closes"),
    ("to: [oncall]", "to: [oncall", 10, "opens a [ that nothing closes"),
    ("High}", "High", 9, "opens a { that nothing closes"),
    ("to: [oncall]", "to: [oncall, # {", 10, "opens a [ that nothing closes"),
    ("to: [oncall]", 'to: ["{", oncall', 10, "opens a [ that nothing closes"),
    ("to: [oncall]", "to: [\n      oncall\n      tickets:\n    ]", 10, "opens a [ that nothing closes"),
    ("High}", "High}}", 9, "belongs to nothing above it"),
    ("always: [oncall]", "stream: cwpp", 11, "'stream' is given twice, here and on line 1; remove one"),
    ("High}", "High, at_least: Low}", 9, "'at_least' is given twice; remove one"),
    ("    to", " - name: b\n    to", 10, "belongs to nothing above it"),
    ("    when", "\u00a0\u00a0when", 9, "has a blank that is no space"),
    ("name: page", "name: pa\x07ge", 8, "has the control character U+0007; remove it"),
    ("always", "---\nalways", 11, "begins a second document"),
    ("always", "=======\nalways", 11, "has a merge conflict that is not resolved"),
    ('"https://desk', '"C:\\desk', 6, "has a backslash in double quotes that means nothing"),
    ("stream: cwpp", "? [a, b]\n: c\nstream: cwpp", 1, "has a key that is a list or a mapping; a key is a text"),
    (YAML, "\n# nothing yet\n", None, "says nothing"),
]
IN_JSON: Mistakes = [
    ("    }\n", "    },\n", 8, "illegal trailing comma before end of object"),
    ('    "state"', '    // on\n    "state"', 4, "has a comment, and JSON has none"),
    ('"reason"', "reason", 5, "expecting property name enclosed in double quotes"),
    ('"Noise"', "", 5, "expecting value"),
    ('"Enabled",', '"Enabled"', 4, "expecting ',' delimiter"),
    ('"reason":', '"reason"', 5, "expecting ':' delimiter"),
    ('"Noise"', '"No\tise"', 5, "invalid control character"),
    ('"Noise"', '"C:\\Scan"', 5, "invalid \\escape"),
    ("  }\n}\n", "  }\n", 1, "opens a { that nothing closes"),
    ('"10.20.0.5"]}]\n    }\n  }\n}\n', '"10.20.0.5"', 7, "opens a [ that nothing closes"),
    ("  }\n}\n", "  }\n}\n}\n", 11, "extra data"),
    (JSON, "properties:\n  state: Enabled\n", 1, "if it is YAML, let its name end in .yaml"),
    ('    "state"', '=======\n    "state"', 4, "has a merge conflict that is not resolved"),
    (JSON, " \n\n", None, "says nothing"),
]


def test_a_mistake_of_form_is_told_with_its_line_and_its_remedy(subtests: pytest.Subtests) -> None:
    """The line is the one to mend, which need not be the one on which the parser gave up."""
    for sound, file, mistakes in ((YAML, "cwpp/policy.yaml", IN_YAML), (JSON, "cwpp/suppressions/one.json", IN_JSON)):
        for old, new, line, words in mistakes:
            with subtests.test(file, old=old, new=new):
                assert old in sound
                said_at, said = what_is_said(sound.replace(old, new, 1), file)
                assert words in said
                assert said_at == line


def test_an_alias_is_refused() -> None:
    """A few lines of nested aliases stand for gigabytes; JSON has none, and no rule needs one."""
    bomb = "".join(f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 9)}]\n" for n in range(1, 30))
    for text, line in (
        (f"a0: &a0 [x, x]\n{bomb}", 2),
        ("a: &a {b: 1}\nc:\n  <<: [*a, *a]\n", 3),
        ("- &a secret\n-\n  *a\n", 3),
        ("{a: &a x, b: {c:*a, d: *a}}\n", 1),
    ):
        said_at, said = what_is_said(text, "policy.yaml")
        assert said_at == line, text
        assert "begins with * and is not in quotes; put it in quotes" in said
        assert "secret" not in said


def test_a_key_or_a_number_that_no_rule_has_is_a_text() -> None:
    """A key is a name, so none is read as a truth value, a number, a time or a merge. A time of day is no number to the base of
    60, and none is so large that reading or printing it fails. A type that its text does not fit ends in no traceback."""
    read, _ = parse("on: 1\nno: 2\n1:30: 3\n012345670123: 4\n~: 5\n2026-11-24: 6\n<<: {yes: 7}\n", "owners.yaml")
    assert isinstance(read, dict)
    assert list(read) == ["on", "no", "1:30", "012345670123", "~", "2026-11-24", "<<"]
    for number in ("1:30", "1" + ":30" * 999 + ".5", "9" * 5_000, "0x" + "f" * 5_000):
        text = f"at: {number}\nmost: -12\nshare: 0.5\n"
        assert parse(text, "policy.yaml")[0] == {"at": number, "most": -12, "share": 0.5}
    for text in ("a: !!bool x", "a: !!int ''", "a: !!int '-'", "a: !!float x"):
        assert "cannot be read: " in what_is_said(text, "policy.yaml")[1], text


def test_a_file_is_utf_8_however_an_editor_saves_it(tmp_path: Path) -> None:
    """What is not UTF-8 is told with the line of the first wrong character; UTF-16, as editors on Windows save it, by name."""
    for data, words in (
        (YAML.encode("utf-16"), "policy.yaml: is UTF-16, or no text; save it as UTF-8"),
        (YAML.encode("utf-16-le"), "policy.yaml: is UTF-16, or no text; save it as UTF-8"),
        ((YAML + "# caf\xe9\n").encode("latin-1"), "policy.yaml:12: is not UTF-8; save it as UTF-8"),
    ):
        (tmp_path / "policy.yaml").write_bytes(data)
        folder = Folder(tmp_path)
        assert folder.read("policy.yaml") is None
        assert [str(problem) for problem in folder.problems] == [f"{tmp_path}/{words}"]
    for data in (b"\xef\xbb\xbf" + YAML.encode(), YAML.replace("\n", "\r\n").encode(), f"---\n{YAML}...\n".encode()):
        (tmp_path / "policy.yaml").write_bytes(data)
        document = Folder(tmp_path).read("policy.yaml")
        assert document is not None
        assert document.value == parse(YAML, "policy.yaml")[0]
        assert document.line_of(("always",)) in (11, 12)


@given(st.text(alphabet="ab:-[]{}'\"*&!\t\n #,\\\u00a0", max_size=30), st.sampled_from(["a.yaml", "a.json"]))
def test_whatever_is_written_has_a_line_of_the_text(text: str, file: str) -> None:
    """No text makes the explanation fail, and a line that is told is one that the text has."""
    try:
        parse(text, file)
    except Unreadable as error:
        assert error.line is None or 1 <= error.line <= text.count("\n") + 1


def _patterns_in(schema: object) -> set[str]:
    if isinstance(schema, list):
        return set().union(*map(_patterns_in, schema))
    if not isinstance(schema, dict):
        return set()
    own = {schema["pattern"]} if isinstance(schema.get("pattern"), str) else set()
    return own.union(*map(_patterns_in, schema.values()))


def test_what_must_have_a_pattern_is_described_in_words() -> None:
    """No problem shows a regular expression: each that a form or a kind of destination asks for has words of its own."""
    published = schemas(discover(), CoverageForm)
    # A suppression rule and `by` are read by hand, addresses are judged by what they lead to, statuses by their list and
    # durations by their length; editors alone see these.
    asked = _patterns_in({name: one for name, one in published.items() if name != "suppression"})
    seen_by_editors = ("[Hh][Tt]", "^tag", "[Nn][Ee][Ww]", "^(open|(")
    assert {one for one in asked if not any(part in one for part in seen_by_editors)} - WORDS.keys() == set()


class _Plain(yaml.SafeLoader):
    """YAML as an editor's schema check sees it: times are text."""


_Plain.yaml_implicit_resolvers = {
    first: [(tag, pattern) for tag, pattern in resolvers if not tag.endswith("timestamp")]
    for first, resolvers in yaml.SafeLoader.yaml_implicit_resolvers.items()
}


def content_of(path: Path) -> Any:
    """What a rules file says."""
    text = path.read_text(encoding="utf-8")
    return json.loads(text) if path.suffix == ".json" else yaml.load(text, _Plain)  # noqa: S506 - a safe loader


def validator_of(path: Path, published: Mapping[str, dict[str, Any]]) -> Draft202012Validator:
    """What an editor holds a rules file against."""
    folder = path.parent.name
    names = {"suppressions": "suppression", "examples": "examples"}
    return Draft202012Validator(published[names.get(folder, folder if BAD in path.parents else path.stem)])


def test_the_starter_rules_meet_their_schemas(subtests: pytest.Subtests) -> None:
    """Each schema is valid JSON Schema 2020-12 and says so; an editor that knows them has nothing to say about these rules."""
    published = schemas(discover(), CoverageForm)
    assert set(published) >= {"policy", "suppression", "owners", "attack", "examples", "coverage"}
    for name, schema in published.items():
        with subtests.test(name):
            assert schema["$schema"] == "https://json-schema.org/draft/2020-12/schema"
            Draft202012Validator.check_schema(schema)
    for path in sorted(RULES.rglob("*")):
        if path.suffix in (".json", ".yaml"):
            with subtests.test(path.relative_to(RULES).as_posix()):
                validator_of(path, published).validate(content_of(path))


OF_SHAPE = {
    "empty-value", "invalid", "literal-secret", "missing-key", "no-end", "unknown-field", "unknown-key", "unknown-kind",
    "unknown-operator", "unknown-sub-plan", "whole-alert-type", "wrong-lane",
}  # fmt: skip
"""Codes of what is there, is missing, or is of the wrong kind in one place."""

BEYOND_SCHEMA = {
    "answer-in-years", "both-messages", "empty-expiry", "expects-nothing", "expiry-no-time", "field-of-nothing",
    "field-of-unknown-entity", "group-of-pages-that-is-open", "literal-password-in-url", "literal-secret-as-hub",
    "literal-secret-in-fields", "literal-secret-quoted-by-kind", "literal-token-in-url", "no-message", "now-without-zone",
    "pager-group-of-years", "posture-pages", "properties-given-twice", "record-in-page-lane", "runbook-with-a-password",
    "runbook-with-a-secret", "runbook-with-a-token", "runbook-with-a-token-in-its-fragment", "silences-of-years",
    "subscription-by-name", "ticket-group-of-years",
}  # fmt: skip
"""Mistakes with such a code that only the program can see: how long a time is, a secret in a URL."""


def test_a_mistake_of_shape_is_seen_by_the_schema_too() -> None:
    """What the program refuses for its shape, an editor underlines."""
    published = schemas(KINDS, CoverageForm)
    for path in (*BAD.rglob("*.yaml"), *BAD.rglob("*.json")):
        said = path.with_name(f"{path.name}.txt").read_text(encoding="utf-8").splitlines()
        codes = {line.split()[1] for line in said if line.startswith("problem ")}
        if codes & OF_SHAPE and path.stem not in BEYOND_SCHEMA:
            assert not validator_of(path, published).is_valid(content_of(path)), path
