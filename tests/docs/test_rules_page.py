"""The pages about rules say what the loader does, and their snippets are rules that load."""

from __future__ import annotations

import json
import re
import shutil
from datetime import datetime
from pathlib import Path

import pytest
import yaml

from router.cli import main
from router.coverage.expected.form import CoverageForm, ExceptionForm, ExpectationForm
from router.destinations import discover
from router.domain.rulebook import By
from router.domain.signals import Stream
from router.rulebook import Problem, load, load_catalogue, schemas
from router.rulebook.attack import AttackForm
from router.rulebook.owners import OwnerForm
from router.rulebook.policy_form import PolicyForm, SuppressionsForm
from router.rulebook.schemas import PropertiesForm
from router.rulebook.scope import PORTABLE, find_field
from router.rulebook.when_form import WhenForm
from tests.builders import RULES
from tests.docs.pages import ROOT, Fence, Table, column, page, pairs, spans
from tests.docs.rules_on_paper import (
    NOW,
    PAGES_OF_DESTINATIONS,
    PAGES_OF_RULES,
    apply_fragment,
    fragments,
    replace_in_policy,
    whole_files,
    write_rules,
)

PAGE = page("docs/rules.md")
SUPPRESSIONS = page("docs/suppressions.md")
CHECKS = page("docs/rule-checks.md")
BAD = ROOT / "tests/rulebook/bad"
WHEN = PAGE.table("The keys of `when`", "key")


@pytest.fixture
def rules(tmp_path: Path) -> Path:
    """The rules of the page, in a directory."""
    return write_rules(tmp_path)


def problems_of(rules: Path, stream: str) -> list[Problem]:
    """What is said about a stream's rules on the day of the papers."""
    return list(load(rules, Stream(stream), discover(), datetime.fromisoformat(NOW)).problems)


def test_every_snippet_of_rules_is_loaded_by_a_test() -> None:
    """A snippet in YAML or JSON says which file it is, or is part of, so that none escapes."""
    rules = r"rules/\S+|fragment of rules/(cwpp|cspm)/policy\.yaml|tests/\S+\.json"
    beside = r"\.vscode/settings\.json|\.github/workflows/rules\.yml|\.gitlab-ci\.yml|\.pre-commit-config\.yaml"
    known = re.compile(f"{rules}|{beside}")
    for name in (*PAGES_OF_RULES, "docs/rule-checks.md", *PAGES_OF_DESTINATIONS):
        for fence in page(name).fences:
            if fence.language in ("yaml", "json"):
                assert known.fullmatch(fence.label), (name, fence)


def test_the_rules_of_the_page_have_no_problem(rules: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """`rules check` finds neither a problem nor a warning in them."""
    assert main(["rules", "check", str(rules), "--now", NOW]) == 0
    assert ": 0 problems; 0 warnings; " in capsys.readouterr().out


@pytest.mark.parametrize("label", whole_files())
def test_each_file_of_the_page_fits_into_the_starter_set(label: str, tmp_path: Path) -> None:
    """A newcomer who copies one file of the page over the starter's is told of no problem, and keeps all of its rules."""
    rules = tmp_path / "rules"
    shutil.copytree(RULES, rules)
    (tmp_path / label).parent.mkdir(parents=True, exist_ok=True)
    (tmp_path / label).write_text(whole_files()[label], encoding="utf-8")
    if label.endswith("owners.yaml"):
        (rules / "tags").mkdir()
        (rules / "tags/resources.json").write_text(whole_files()["rules/tags/resources.json"])
    found = [problem for stream in Stream for problem in problems_of(rules, stream)]
    assert [str(problem) for problem in found if problem.level == "problem"] == []


def test_the_examples_of_the_page_come_true(rules: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """`rules test` passes with the first rule, and fails without it, as the page says."""
    assert main(["rules", "test", str(rules), "--now", NOW]) == 0
    assert ": 2 examples, 0 failed" in capsys.readouterr().out
    (rules / "cwpp/suppressions/nightly-scanner.json").unlink()
    assert main(["rules", "test", str(rules), "--now", NOW]) == 1
    assert ": 2 examples, 1 failed" in capsys.readouterr().out


@pytest.mark.parametrize(
    "fragment", fragments("docs/rules.md", *PAGES_OF_DESTINATIONS), ids=lambda fence: fence.text[:40]
)
def test_a_part_of_a_policy_fits_into_the_whole_one(fragment: Fence, rules: Path) -> None:
    """Every other snippet of a policy loads without a problem or a warning in the place of its keys."""
    apply_fragment(rules, fragment)
    assert [str(problem) for stream in Stream for problem in problems_of(rules, stream)] == []


def test_the_keys_of_when_are_listed() -> None:
    """The keys are those that a route knows, in the same order."""
    assert column(WHEN, "key") == list(WhenForm.model_fields)


@pytest.mark.parametrize("row", WHEN, ids=lambda row: row["key"])
def test_an_example_of_a_key_loads_where_signals_have_it(row: dict[str, str], rules: Path) -> None:
    """Each example is sound, and the stream whose signals lack the key is warned, as the page says."""
    when = yaml.safe_load(spans(row["example"])[0])
    assert list(when) == spans(row["key"])
    for stream in ("cwpp", "cspm"):
        replace_in_policy(rules, stream, routes=[{"name": "it", "when": when, "to": _to(stream)}])
        problems = problems_of(rules, stream)
        assert [str(problem) for problem in problems if problem.level == "problem"] == []
        assert not any("names no" in problem.message for problem in problems)
        is_warned = any("signals only" in problem.message for problem in problems)
        assert is_warned is (row["signals"] not in ("both", stream))


def _to(stream: str) -> list[str]:
    return ["oncall"] if stream == "cwpp" else ["backlog"]


def test_the_keys_of_an_owners_entry_are_listed() -> None:
    """Those by which an entry knows what it matches; the others say whose it is."""
    listed = _all_spans(page("docs/owners.md").table("Owners", "key"), "key")
    assert listed == [key for key in OwnerForm.model_fields if key not in ("group", "service", "pager", "environment")]


def test_the_keys_of_an_entry_of_coverage_are_listed() -> None:
    """With an example of each, which is sound; an exception takes some of them, and three of its own."""
    table = page("docs/coverage.md").table("What the manifest says", "key of an entry")
    assert column(table, "key of an entry") == list(ExpectationForm.model_fields)
    assert set(ExceptionForm.model_fields) - set(ExpectationForm.model_fields) == {"owner", "reason", "ends"}
    for row in table:
        example = yaml.safe_load(spans(row["example"])[0])
        assert list(example) == spans(row["key of an entry"])
        ExpectationForm.model_validate(example)


def test_what_signals_of_a_group_have_in_common_is_listed() -> None:
    """The words are those that `by` takes, in the same order."""
    assert _all_spans(PAGE.table("Groups and limits", "`by`"), "`by`") == list(By)


def test_the_keys_of_a_policy_are_listed() -> None:
    """The keys are those of the policy, and the defaults of suppression are told."""
    table = PAGE.table("The policy", "key")
    assert column(table, "key") == list(PolicyForm.model_fields)
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


def test_the_keys_of_a_suppression_rule_are_listed() -> None:
    """The keys are those of Defender's body."""
    assert set(column(SUPPRESSIONS.table("Suppression rules", "key"), "key")) == set(PropertiesForm.model_fields)


def test_the_fields_of_suppression_are_listed() -> None:
    """The fields that work in Defender too, and those that work here only."""
    portable, own = (_all_spans(table, "field") for table in SUPPRESSIONS.tables("What an element asks"))
    assert set(portable) == PORTABLE
    assert len(portable) == len(PORTABLE)
    assert all(find_field(field) and field.lower() not in PORTABLE for field in own)
    said = [
        line for file in BAD.glob("*/suppressions/warn-not-portable-*.txt") for line in file.read_text().splitlines()
    ]
    here_only = {field for line in said for field in re.findall(r"'([^']+)' works here, but", line)}
    kinds = {_kind_of(field) for field in here_only if not field.startswith("entities.")}
    assert {_kind_of(field) for field in own} == kinds


def _all_spans(table: Table, head: str) -> list[str]:
    return [name for row in table for name in spans(row[head])]


def _kind_of(field: str) -> str:
    return field.split(".")[0]


@pytest.mark.parametrize(("place", "level"), [(0, "problem"), (1, "warning")], ids=["refused", "warned about"])
def test_what_is_refused_and_warned_about_is_listed(place: int, level: str) -> None:
    """By its code: each that the page lists is given of a bad rule, and each that is given is on the page."""
    row = SUPPRESSIONS.table("What is refused, what is warned about", "level")[place]
    lines = [line for file in BAD.glob("*/suppressions/*.txt") for line in file.read_text().splitlines()]
    given = {line.split()[1] for line in lines if line.startswith(level)}
    assert set(spans(row["code"])) - {"reserved-name"} == given


def test_the_tables_of_attack_yaml_are_listed() -> None:
    """The tables are those of the form; the version is told before them."""
    assert ["version", *column(page("docs/attack.md").table("The tables of attack.yaml", "table"), "table")] == list(
        AttackForm.model_fields
    )


def test_an_editor_finds_a_schema_for_every_sort_of_file() -> None:
    """The settings name each schema that `rules schema` writes, for files that there are."""
    settings = json.loads(CHECKS.fence(".vscode/settings.json"))
    by_schema = {Path(schema).name: glob for schema, glob in settings["yaml.schemas"].items()}
    by_schema |= {Path(one["url"]).name: one["fileMatch"][0] for one in settings["json.schemas"]}
    assert by_schema.keys() == {f"{name}.schema.json" for name in schemas(discover(), CoverageForm)}
    assert all(list(RULES.parent.glob(glob)) or glob in whole_files() for glob in by_schema.values())


def test_the_page_gives_a_file_of_every_sort() -> None:
    """Policies, suppression rules, owners and examples are shown whole."""
    sorts = {re.sub(r"(cwpp|cspm)/|/[^/]+$", "", path.removeprefix("rules/")) for path in whole_files()}
    assert {"policy.yaml", "suppressions", "owners.yaml", "examples"} <= sorts
