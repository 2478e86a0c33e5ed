"""Each sort of problem has a code, and each code is described in docs/rule-checks.md."""

from __future__ import annotations

import ast
import re
from pathlib import Path

from tests.rulebook.test_bad_rules import BAD

ROOT = Path(__file__).parents[2]
SECTION = (ROOT / "docs" / "rule-checks.md").read_text().partition("## Codes\n")[2].partition("\n## ")[0]
DESCRIBED = dict(re.findall(r"^\| `([a-z-]+)` \| (.+) \|$", SECTION, re.MULTILINE))
SOURCES = [
    *(ROOT / "router" / "rulebook").rglob("*.py"),
    *(ROOT / "router" / "coverage" / "expected").rglob("*.py"),
    ROOT / "router" / "cli" / "rules.py",
]

NOTING = {"note", "blame", "warn", "warning", "problem"}
"""The functions that note a problem."""


def test_every_code_that_is_given_is_described() -> None:
    """A code is written as `code=`, or behind the message of a problem."""
    given = {line.split()[1] for golden in BAD.rglob("*.txt") for line in golden.read_text().splitlines()}
    for node in (node for path in SOURCES for node in ast.walk(ast.parse(path.read_text()))):
        texts: list[ast.expr] = []
        if isinstance(node, ast.keyword) and node.arg == "code":
            texts = [node.value]
        elif isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr in NOTING:
            texts = node.args[2:]
        said = [one.value for one in texts if isinstance(one, ast.Constant) and isinstance(one.value, str)]
        given |= {text for text in said if re.fullmatch(r"[a-z]+(-[a-z]+)+", text)}
    assert given <= DESCRIBED.keys()


def test_every_code_that_is_described_is_given() -> None:
    """A check that goes takes its line with it."""
    nodes = (node for path in SOURCES for node in ast.walk(ast.parse(path.read_text())))
    texts = {node.value for node in nodes if isinstance(node, ast.Constant) and isinstance(node.value, str)}
    assert DESCRIBED.keys() - texts == set()
    assert len(DESCRIBED) > 50
