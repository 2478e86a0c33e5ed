"""The pages about rules say what the loader does, and their snippets are rules that load."""

import json
import re
import shutil
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest
import yaml

from router.cli import main
from router.coverage.expected.form import CoverageForm, ExpectationForm
from router.destinations import discover
from router.domain.signals import Stream
from router.rulebook import Problem, load, load_catalogue
from router.rulebook.policy_form import PolicyForm, SuppressionsForm
from router.rulebook.schemas import schemas
from router.rulebook.scope import PORTABLE, find_field
from tests.builders import RULES
from tests.docs.pages import DOCS, ROOT, Fence, page, pairs, spans

NOW = "2026-11-24T12:00:00Z"
"""The day on which the papers were written; the ends of their rules are counted from it."""

PAGES_OF_RULES = ("docs/rules.md", "docs/suppressions.md", "docs/owners.md")
"""The pages that give files of rules whole, coverage.yaml aside."""

_KINDS = sorted(path.name for path in (DOCS / "destinations").glob("*.md"))

PAGES_OF_DESTINATIONS = ("docs/destinations.md", *(f"docs/destinations/{name}" for name in _KINDS))
"""What the kinds have in common, and a page for each."""

_FRAGMENT = "fragment of "


def whole_files() -> dict[str, str]:
    """The rules files that the pages about rules give whole, by path."""
    fences = [fence for name in (*PAGES_OF_RULES, "docs/coverage.md") for fence in page(name).fences]
    return {fence.label: fence.text for fence in fences if fence.label.startswith("rules/")}


def fragments(*names: str) -> list[Fence]:
    """The snippets of pages that are part of a policy: keys that take the place of the whole policy's."""
    return [fence for name in names for fence in page(name).fences if fence.label.startswith(_FRAGMENT)]


def write_rules(directory: Path) -> Path:
    """The rules of these pages, with the starter's attack.yaml."""
    for label, text in whole_files().items():
        file = directory / label
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text, encoding="utf-8")
    shutil.copy(RULES / "attack.yaml", directory / "rules/attack.yaml")
    return directory / "rules"


def replace_in_policy(rules: Path, stream: str, **keys: Any) -> None:
    """Puts other values under some keys of a policy."""
    policy = rules / stream / "policy.yaml"
    policy.write_text(yaml.safe_dump(yaml.safe_load(policy.read_text()) | keys), encoding="utf-8")


PAGE = page("docs/rules.md")
SUPPRESSIONS = page("docs/suppressions.md")
CHECKS = page("docs/rule-checks.md")
BAD = ROOT / "tests/rulebook/bad"


@pytest.fixture
def rules(tmp_path: Path) -> Path:
    """The rules of the page, in a directory."""
    return write_rules(tmp_path)


def problems_of(rules: Path, stream: str) -> list[Problem]:
    """What is said about a stream's rules on the day of the papers."""
    return list(load(rules, Stream(stream), discover(), datetime.fromisoformat(NOW)).problems)


def test_every_snippet_of_rules_is_loaded_by_a_test() -> None:
    """A snippet in YAML or JSON says which file it is, or is part of, so that none escapes. Policies, suppression rules, owners
    and examples are shown whole."""
    sorts = {re.sub(r"(cwpp|cspm)/|/[^/]+$", "", path.removeprefix("rules/")) for path in whole_files()}
    assert {"policy.yaml", "suppressions", "owners.yaml", "examples"} <= sorts
    rules = r"rules/\S+|fragment of rules/(cwpp|cspm)/policy\.yaml|tests/\S+\.json"
    beside = r"\.vscode/settings\.json|\.github/workflows/rules\.yml|\.gitlab-ci\.yml|\.pre-commit-config\.yaml"
    known = re.compile(f"{rules}|{beside}")
    for name in (*PAGES_OF_RULES, "docs/rule-checks.md", *PAGES_OF_DESTINATIONS):
        for fence in page(name).fences:
            if fence.language in ("yaml", "json"):
                assert known.fullmatch(fence.label), (name, fence)


def test_each_file_of_the_page_fits_into_the_starter_set(tmp_path: Path, subtests: pytest.Subtests) -> None:
    """A newcomer who copies one file of the page over the starter's is told of no problem, and keeps all of its rules."""
    for label, text in whole_files().items():
        with subtests.test(label):
            rules = shutil.copytree(RULES, tmp_path / "rules")
            (tmp_path / label).parent.mkdir(parents=True, exist_ok=True)
            (tmp_path / label).write_text(text, encoding="utf-8")
            if label.endswith("owners.yaml"):
                (rules / "tags").mkdir()
                (rules / "tags/resources.json").write_text(whole_files()["rules/tags/resources.json"])
            found = [problem for stream in Stream for problem in problems_of(rules, stream)]
            assert [str(problem) for problem in found if problem.level == "problem"] == []
            shutil.rmtree(rules)


def test_the_examples_of_the_page_come_true(rules: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """`rules check` finds nothing; `rules test` passes with the first rule, and fails without it, as the page says."""
    assert main(["rules", "check", str(rules), "--now", NOW]) == 0
    assert ": 0 problems; 0 warnings; " in capsys.readouterr().out
    assert main(["rules", "test", str(rules), "--now", NOW]) == 0
    assert ": 2 examples, 0 failed" in capsys.readouterr().out
    (rules / "cwpp/suppressions/nightly-scanner.json").unlink()
    assert main(["rules", "test", str(rules), "--now", NOW]) == 1
    assert ": 2 examples, 1 failed" in capsys.readouterr().out


def test_a_part_of_a_policy_fits_into_the_whole_one(tmp_path: Path, subtests: pytest.Subtests) -> None:
    """Every other snippet of a policy loads without a problem or a warning in the place of its keys."""
    for number, fragment in enumerate(fragments("docs/rules.md", *PAGES_OF_DESTINATIONS)):
        with subtests.test(fragment.text[:40]):
            rules = write_rules(tmp_path / str(number))
            stream = fragment.label.removeprefix(_FRAGMENT).split("/")[1]
            replace_in_policy(rules, stream, **yaml.safe_load(fragment.text))
            assert [str(problem) for stream in Stream for problem in problems_of(rules, stream)] == []


def test_an_example_of_a_key_loads_where_signals_have_it(rules: Path, subtests: pytest.Subtests) -> None:
    """Each example is sound, and the stream whose signals lack the key is warned, as the page says."""
    for row in PAGE.table("The keys of `when`", "key"):
        when = yaml.safe_load(spans(row["example"])[0])
        assert list(when) == spans(row["key"])
        for stream, to in (("cwpp", "oncall"), ("cspm", "backlog")):
            with subtests.test(row["key"], stream=stream):
                replace_in_policy(rules, stream, routes=[{"name": "it", "when": when, "to": [to]}])
                problems = problems_of(rules, stream)
                assert [str(problem) for problem in problems if problem.level == "problem"] == []
                assert not any("names no" in problem.message for problem in problems)
                is_warned = any("signals only" in problem.message for problem in problems)
                assert is_warned is (row["signals"] not in ("both", stream))


def test_the_keys_of_an_entry_of_coverage_have_sound_examples() -> None:
    """One of each key."""
    for row in page("docs/coverage.md").table("What the manifest says", "key of an entry"):
        example = yaml.safe_load(spans(row["example"])[0])
        assert list(example) == spans(row["key of an entry"])
        ExpectationForm.model_validate(example)


def test_what_a_policy_says_if_a_key_is_absent_is_told() -> None:
    """What is a problem, and the defaults of suppression."""
    table = PAGE.table("The policy", "key")
    rules = SuppressionsForm()
    defaults = [rules.longest, rules.warn, str(rules.portable).lower()]
    assert spans(pairs(table, "key", "if absent")["suppression"]) == defaults
    required = {name for name, field in PolicyForm.model_fields.items() if field.is_required()}
    assert {spans(row["key"])[0] for row in table if row["if absent"] == "a problem"} == required


def test_the_plans_are_listed() -> None:
    """A floor may name these plans, and no others without a warning."""
    listed = re.search(r"Plans are called as .*?: (.*?)\. Other", PAGE.section("Floors"), re.DOTALL)
    assert listed
    assert set(spans(listed[1])) == set(load_catalogue().plan_names.values())


def test_the_fields_of_suppression_are_listed() -> None:
    """The fields that work in Defender too, and those that work here only."""
    portable, own = (
        [name for row in table for name in spans(row["field"])] for table in SUPPRESSIONS.tables("What an element asks")
    )
    assert set(portable) == PORTABLE
    assert len(portable) == len(PORTABLE)
    assert all(find_field(field) and field.lower() not in PORTABLE for field in own)
    said = [
        line for file in BAD.glob("*/suppressions/warn-not-portable-*.txt") for line in file.read_text().splitlines()
    ]
    here_only = {field for line in said for field in re.findall(r"'([^']+)' works here, but", line)}
    kinds = {_kind_of(field) for field in here_only if not field.startswith("entities.")}
    assert {_kind_of(field) for field in own} == kinds


def _kind_of(field: str) -> str:
    return field.split(".")[0]


def test_what_is_refused_and_warned_about_is_listed() -> None:
    """By its code: each that the page lists is given of a bad rule, and each that is given is on the page."""
    lines = [line for file in BAD.glob("*/suppressions/*.txt") for line in file.read_text().splitlines()]
    rows = SUPPRESSIONS.table("What is refused, what is warned about", "level")
    for row, level in zip(rows, ("problem", "warning"), strict=False):
        given = {line.split()[1] for line in lines if line.startswith(level)}
        assert set(spans(row["code"])) - {"reserved-name"} == given


def test_an_editor_finds_a_schema_for_every_sort_of_file() -> None:
    """The settings name each schema that `rules schema` writes, for files that there are."""
    settings = json.loads(CHECKS.fence(".vscode/settings.json"))
    by_schema = {Path(schema).name: glob for schema, glob in settings["yaml.schemas"].items()}
    by_schema |= {Path(one["url"]).name: one["fileMatch"][0] for one in settings["json.schemas"]}
    assert by_schema.keys() == {f"{name}.schema.json" for name in schemas(discover(), CoverageForm)}
    assert all(list(RULES.parent.glob(glob)) or glob in whole_files() for glob in by_schema.values())
