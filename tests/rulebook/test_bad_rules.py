"""Each mistake in a rules file is reported with its file, its line and a remedy.

`bad/` holds one file for each mistake, named after it, and beside it what is said. To write those texts anew after a
change of wording, run this module: `python -m tests.rulebook.test_bad_rules`. Then read them.
"""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Iterable
from pathlib import Path

import pytest

from router.cli.rules import find_unheard_plans
from router.coverage.expected.loading import read_coverage
from router.coverage.expected.manifest import FILE as COVERAGE
from router.domain.signals import Stream
from router.rulebook import Problem, in_order, lint, load, load_examples
from tests.rulebook.builders import NOW, rules_in
from tests.rulebook.kinds import KINDS

BAD = Path(__file__).parent / "bad"
CASES = sorted(path for path in BAD.rglob("*") if path.is_file() and path.suffix != ".txt")


def _target_of(case: Path) -> str:
    """Where a bad file stands in a rules directory."""
    folder = case.parent.relative_to(BAD).as_posix()
    if folder.endswith("policy"):
        return f"{folder}.yaml"
    if folder.endswith("suppressions"):
        return f"{folder}/{case.name}"
    return "cwpp/examples/one.yaml" if folder == "examples" else f"{folder}.yaml"


def _said_about(case: Path, directory: Path, target: str | None = None) -> str:
    target = target or _target_of(case)
    stream = Stream.CSPM if target.startswith("cspm") else Stream.CWPP
    rules = rules_in(directory, stream=stream)
    (rules / target).parent.mkdir(parents=True, exist_ok=True)
    shutil.copy(case, rules / target)
    loaded = load(rules, stream, KINDS, NOW)
    problems: Iterable[Problem] = in_order(
        [
            *loaded.problems,
            *lint(rules, stream, loaded, NOW),
            *(find_unheard_plans(loaded, NOW) if stream is Stream.CWPP else ()),
        ]
    )
    if "examples" in target:
        _, problems = load_examples(rules, stream)
    if target == COVERAGE:
        problems = read_coverage(rules, NOW).problems
    lines = "".join(f"{problem.level} {problem.code} {problem}\n" for problem in problems)
    return lines.replace(rules.as_posix(), "rules")


@pytest.mark.parametrize("case", CASES, ids=lambda path: path.relative_to(BAD).as_posix())
def test_a_mistake_is_reported_with_its_place_and_its_remedy(case: Path, tmp_path: Path) -> None:
    """What is said about a bad file is what stands beside it."""
    assert _said_about(case, tmp_path) == case.with_name(f"{case.name}.txt").read_text(encoding="utf-8")


def test_a_problem_never_repeats_a_secret() -> None:
    """A literal secret in a rules file stays there: nothing of what is said, which the test above holds, repeats it."""
    assert [case for case in CASES if b"hunter2" in case.read_bytes()]
    assert [case for case in CASES if "hunter2" in case.with_name(f"{case.name}.txt").read_text(encoding="utf-8")] == []


@pytest.mark.parametrize(
    "case", [case for case in CASES if case.parent.name == "suppressions"], ids=lambda path: path.name
)
def test_a_broken_suppression_rule_is_left_out_and_stops_nothing(case: Path, tmp_path: Path) -> None:
    """With a bad suppression rule the stream starts without it; one that is only warned about is in force."""
    target = _target_of(case)
    stream = Stream(target.partition("/")[0])
    rules = rules_in(tmp_path, stream=stream)
    (rules / target).parent.mkdir(parents=True)
    shutil.copy(case, rules / target)
    result = load(rules, stream, KINDS, NOW)
    assert result.rulebook is not None
    is_refused = any(problem.level == "problem" for problem in result.problems)
    assert (case.stem in result.rulebook.suppressions.by_name) is not (is_refused or case.suffix == ".bak")


@pytest.mark.parametrize(
    "case", [case for case in CASES if case.parent.name == "suppressions"], ids=lambda path: path.name
)
def test_the_same_is_said_of_a_shadow_rule(case: Path, tmp_path: Path) -> None:
    """A rule is tried out as it would go live: the same problems, at the same lines, with the same codes."""
    said = (
        case.with_name(f"{case.name}.txt")
        .read_text(encoding="utf-8")
        .replace("/suppressions/", "/suppressions/shadow/")
    )
    target = f"{case.parent.relative_to(BAD).as_posix()}/shadow/{case.name}"
    expected = said.replace("suppression rules stand in", "shadow rules stand in")
    # Where a rule belongs that stands in the wrong stream is where rules stand.
    expected = expected.replace("move the rule into cwpp/suppressions/shadow/", "move the rule into cwpp/suppressions/")
    # Each shadow rule is recorded by itself, so that another one covers it takes nothing away.
    lines = [
        line
        for line in expected.splitlines(True)
        if not line.startswith(("warning covered-scope", "warning same-scope"))
    ]
    assert _said_about(case, tmp_path, target) == "".join(lines)


@pytest.mark.parametrize(
    "case", [case for case in CASES if case.parent.name == "policy"], ids=lambda path: path.relative_to(BAD).as_posix()
)
def test_a_broken_policy_stops_its_stream_and_a_warning_does_not(case: Path, tmp_path: Path) -> None:
    """A policy with a problem gives no rulebook; one with warnings gives one."""
    target = _target_of(case)
    stream = Stream(target.partition("/")[0])
    rules = rules_in(tmp_path, stream=stream)
    shutil.copy(case, rules / target)
    result = load(rules, stream, KINDS, NOW)
    assert (result.rulebook is None) is any(problem.level == "problem" for problem in result.problems)


def _write_goldens() -> None:
    for case in CASES:
        with tempfile.TemporaryDirectory() as directory:
            case.with_name(f"{case.name}.txt").write_text(_said_about(case, Path(directory)), encoding="utf-8")


if __name__ == "__main__":
    _write_goldens()
