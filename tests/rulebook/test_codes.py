"""Each sort of problem has a code, and each code is described: in the program and in the docs."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

from router.rulebook.codes import CODES
from tests.rulebook.test_bad_rules import BAD

ROOT = Path(__file__).parents[2]

NOTING = {"note", "blame", "warn", "warning", "problem"}
"""The functions that note a problem."""


def _literals_in(path: Path) -> Iterator[str]:
    """The codes that a file writes: as `code=`, or behind the message of a problem."""
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.keyword) and node.arg == "code" and isinstance(node.value, ast.Constant):
            yield str(node.value.value)
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr in NOTING:
            texts = [one.value for one in node.args[2:] if isinstance(one, ast.Constant)]
            yield from (text for text in texts if isinstance(text, str) and re.fullmatch(r"[a-z]+(-[a-z]+)+", text))


def test_every_code_that_is_given_is_described() -> None:
    """Whoever adds a check with a code of its own adds a line to router/rulebook/codes.py."""
    given = {code: path.name for path in (ROOT / "router" / "rulebook").rglob("*.py") for code in _literals_in(path)}
    said = {line.split()[1] for golden in BAD.rglob("*.txt") for line in golden.read_text().splitlines()}
    assert {code: path for code, path in given.items() if code not in CODES} == {}
    assert said <= CODES.keys()


def test_every_code_that_is_described_is_given() -> None:
    """A check that goes takes its line with it."""
    texts = {
        node.value
        for path in [*(ROOT / "router" / "rulebook").rglob("*.py"), ROOT / "router" / "app" / "asked_rules.py"]
        for node in ast.walk(ast.parse(path.read_text()))
        if path.name != "codes.py" and isinstance(node, ast.Constant) and isinstance(node.value, str)
    }
    assert CODES.keys() - texts == set()


def test_codes_are_kebab_case_and_their_descriptions_are_sentences() -> None:
    """Other programs show both."""
    assert all(re.fullmatch(r"[a-z]+(-[a-z]+)*", code) for code in CODES)
    assert all(re.fullmatch(r"[A-Z][^\n]*\.", description) for description in CODES.values())


def test_the_docs_list_the_same_codes() -> None:
    """docs/rules.md has a row for each, with the same words."""
    section = (ROOT / "docs" / "rules.md").read_text().partition("### Codes\n")[2].partition("\n### ")[0]
    rows = re.findall(r"^\| `([a-z-]+)` \| (.+) \|$", section, re.MULTILINE)
    assert dict(rows) == {code: description.removesuffix(".") for code, description in CODES.items()}
