"""The first rule that the README has a newcomer write is sound beside the shipped ones, and so is its example."""

from __future__ import annotations

import json
import re
import shutil
from pathlib import Path
from textwrap import dedent

import pytest
import yaml

from router.cli import main
from tests.docs.pages import ROOT, page

RULE, EXAMPLE = "pentest-sql.json", "pentest-sql.yaml"

_SNIPPET = re.compile(r"^ {3}```\w+\n(.*?)^ {3}```$", re.DOTALL | re.MULTILINE)


@pytest.fixture
def rules(tmp_path: Path) -> Path:
    """The shipped rules, with what the README adds to them."""
    rules = shutil.copytree(ROOT / "rules", tmp_path / "rules")
    # They stand in a list, so they are indented.
    texts = [dedent(text) for text in _SNIPPET.findall(page("README.md").text)]
    (rule,) = [text for text in texts if "suppressionAlertsScope" in text]
    (example,) = [text for text in texts if "suppressed_by: pentest-sql" in text]
    assert json.loads(rule)
    assert yaml.safe_load(example)
    (rules / "cwpp" / "suppressions" / RULE).write_text(rule)
    (rules / "cwpp" / "examples" / EXAMPLE).write_text(example)
    return rules


@pytest.mark.parametrize("command", ["check", "test"])
def test_the_first_rule_breaks_nothing(rules: Path, command: str, capsys: pytest.CaptureFixture[str]) -> None:
    """Neither the rule itself nor any shipped example fails beside it."""
    assert main(["rules", command, str(rules)]) == 0, capsys.readouterr()


def test_the_first_rules_example_needs_the_rule(rules: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Without the rule the example fails, so it proves something."""
    (rules / "cwpp" / "suppressions" / RULE).unlink()
    assert main(["rules", "test", str(rules)]) == 1, capsys.readouterr()
