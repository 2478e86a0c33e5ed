"""Each mistake in a rules file is reported with its file, its line and a remedy.

`bad/` holds one file for each mistake, named after it, and beside it what is said. To write those texts anew after a
change of wording, run this module: `python -m tests.rulebook.test_bad_rules`. Then read them.
"""

import ast
import re
import shutil
from collections.abc import Iterable
from itertools import groupby
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest

from router.cli.rules import find_unheard_plans
from router.coverage.expected.loading import read_coverage
from router.coverage.expected.manifest import FILE as COVERAGE
from router.domain.signals import Stream
from router.rulebook import Loaded, Problem, in_order, load
from router.rulebook.examples import load_examples
from router.rulebook.lints import lint
from tests.rulebook.builders import KINDS, NOW, rules_in

BAD = Path(__file__).parent / "bad"
CASES = sorted(path for path in BAD.rglob("*") if path.is_file() and path.suffix != ".txt")
BY_FOLDER = {str(folder.relative_to(BAD)): list(cases) for folder, cases in groupby(CASES, lambda path: path.parent)}


def golden_of(case: Path) -> Path:
    """The file beside a bad one, with what is said about it."""
    return case.with_name(f"{case.name}.txt")


def read_with(case: Path, folder: str) -> tuple[Loaded, str]:
    """What becomes of sound rules with a bad file in a folder of theirs, and what is said."""
    in_place = {"policy": f"{folder}.yaml", "suppressions": f"{folder}/{case.name}", "shadow": f"{folder}/{case.name}"}
    target = in_place.get(Path(folder).name, "cwpp/examples/one.yaml" if folder == "examples" else f"{folder}.yaml")
    stream = Stream.CSPM if target.startswith("cspm") else Stream.CWPP
    with TemporaryDirectory() as directory:
        rules = rules_in(Path(directory), stream=stream)
        (rules / target).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(case, rules / target)
        loaded = load(rules, stream, KINDS, NOW)
        unheard = find_unheard_plans(loaded, NOW) if stream is Stream.CWPP else ()
        problems: Iterable[Problem] = in_order([*loaded.problems, *lint(rules, stream, loaded, NOW), *unheard])
        if "examples" in target:
            _, problems = load_examples(rules, stream)
        if target == COVERAGE:
            problems = read_coverage(rules, NOW).problems
        lines = "".join(f"{problem.level} {problem.code} {problem}\n" for problem in problems)
        return loaded, lines.replace(rules.as_posix(), "rules")


@pytest.mark.parametrize("folder", BY_FOLDER)
def test_a_mistake_is_reported_with_its_place_and_its_remedy(folder: str, subtests: pytest.Subtests) -> None:
    """What is said about a bad file is what stands beside it. A policy with a problem stops its stream; a suppression rule
    with one is left out and stops nothing; what is only warned about is in force."""
    for case in BY_FOLDER[folder]:
        with subtests.test(case.name):
            loaded, said = read_with(case, folder)
            assert said == golden_of(case).read_text(encoding="utf-8")
            is_refused = any(problem.level == "problem" for problem in loaded.problems)
            if folder.endswith("policy"):
                assert (loaded.rulebook is None) is is_refused
            elif folder.endswith("suppressions"):
                assert loaded.rulebook is not None
                is_in_force = case.stem in loaded.rulebook.suppressions.by_name
                assert is_in_force is not (is_refused or case.suffix == ".bak")


def test_a_problem_never_repeats_a_secret() -> None:
    """A literal secret in a rules file stays there: nothing of what is said, which the test above holds, repeats it."""
    assert [case for case in CASES if b"hunter2" in case.read_bytes()]
    assert [case for case in CASES if "hunter2" in golden_of(case).read_text(encoding="utf-8")] == []


@pytest.mark.parametrize("stream", Stream)
def test_the_same_is_said_of_a_shadow_rule(stream: Stream, subtests: pytest.Subtests) -> None:
    """A rule is tried out as it would go live: the same problems, at the same lines, with the same codes."""
    for case in BY_FOLDER[f"{stream}/suppressions"]:
        said = golden_of(case).read_text(encoding="utf-8").replace("/suppressions/", "/suppressions/shadow/")
        said = said.replace("suppression rules stand in", "shadow rules stand in")
        # Where a rule belongs that stands in the wrong stream is where rules stand.
        said = said.replace("move the rule into cwpp/suppressions/shadow/", "move the rule into cwpp/suppressions/")
        # Each shadow rule is recorded by itself, so that another one covers it takes nothing away.
        covered = ("warning covered-scope", "warning same-scope")
        expected = "".join(line for line in said.splitlines(keepends=True) if not line.startswith(covered))
        with subtests.test(case.name):
            assert read_with(case, f"{stream}/suppressions/shadow")[1] == expected


ROOT = Path(__file__).parents[2]
SECTION = (ROOT / "docs" / "rule-checks.md").read_text().partition("## Codes\n")[2].partition("\n## ")[0]
DESCRIBED = dict(re.findall(r"^\| `([a-z-]+)` \| (.+) \|$", SECTION, re.MULTILINE))
FOLDERS = ROOT / "router" / "rulebook", ROOT / "router" / "coverage" / "expected"
SOURCES = [ROOT / "router" / "cli" / "rules.py", *(path for folder in FOLDERS for path in folder.rglob("*.py"))]
NOTING = {"note", "blame", "warn", "warning", "problem"}
"""The functions that note a problem."""


def test_every_code_that_is_given_is_described_and_no_other() -> None:
    """A code is written as `code=`, or behind the message of a problem; a check that goes takes its line with it."""
    nodes = [node for path in SOURCES for node in ast.walk(ast.parse(path.read_text()))]
    codes: list[ast.expr] = [node.value for node in nodes if isinstance(node, ast.keyword) and node.arg == "code"]
    for node in nodes:
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr in NOTING:
            codes += node.args[2:]
    given = {text for text in texts_among(codes) if re.fullmatch(r"[a-z]+(-[a-z]+)+", text)}
    given |= {line.split()[1] for case in CASES for line in golden_of(case).read_text().splitlines()}
    assert given <= DESCRIBED.keys() <= texts_among(nodes)
    assert len(DESCRIBED) > 50


def texts_among(nodes: Iterable[ast.AST]) -> set[str]:
    """The texts that stand in some nodes."""
    return {node.value for node in nodes if isinstance(node, ast.Constant) and isinstance(node.value, str)}


def _write_goldens() -> None:
    for folder, cases in BY_FOLDER.items():
        for case in cases:
            golden_of(case).write_text(read_with(case, folder)[1], encoding="utf-8")


if __name__ == "__main__":
    _write_goldens()
