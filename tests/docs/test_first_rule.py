"""The page's tutorials, typed to the letter where `init` wrote rules: a first rule, and a first destination."""

from __future__ import annotations

import re
import shlex
from pathlib import Path
from textwrap import dedent

import pytest

from router.cli import main
from tests.docs.pages import page

RULE = "rules/cwpp/suppressions/pentest-sql.json"
EXAMPLE = "rules/cwpp/examples/pentest-sql.yaml"
POLICY = "mine/cwpp/policy.yaml"

_FENCE = re.compile(r"^( *)```(\w+)\n(.*?)^ *```$", re.DOTALL | re.MULTILINE)


def snippets(heading: str, language: str) -> list[str]:
    """The snippets of a language under a heading; those in a list are indented."""
    (_, after) = page("docs/first-steps.md").text.split(f"\n## {heading}\n")
    return [dedent(text) for _, found, text in _FENCE.findall(after.split("\n## ")[0]) if found == language]


def typed(text: str, capsys: pytest.CaptureFixture[str]) -> list[tuple[int, str, str]]:
    """What each command line comes to, and what the page says of it behind `#`."""
    came = []
    for line in text.splitlines():
        program, *arguments = shlex.split(line, comments=True)
        assert program == "alert-router"
        capsys.readouterr()
        came.append((main(arguments), capsys.readouterr().out, line.partition(" # ")[2]))
    return came


@pytest.fixture
def mine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Path:
    """Where `init` wrote rules, with what the tutorials add to them."""
    monkeypatch.chdir(tmp_path)
    assert main(["init", "."]) == 0
    (rule,), (example,) = (
        snippets("A first rule in five minutes", "json"),
        snippets("A first rule in five minutes", "yaml"),
    )
    (policy,) = snippets("A first destination in five minutes", "yaml")
    for name, text in {RULE: rule, EXAMPLE: example, POLICY: policy}.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(text)
    return tmp_path


def test_the_first_rule_does_what_the_readme_says(mine: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Before it the alert is routed; with it held, until the instant that the page names."""
    ask, check, examples = snippets("A first rule in five minutes", "sh")
    (checked, held, ended) = typed(check, capsys)
    assert (checked[0], held[0], ended[0]) == (0, 0, 0)
    (outcome, rule) = held[2].split(", ")
    assert held[1].startswith(f"alert.ndjson:1: {outcome.strip()}, {rule}")
    assert ended[1].startswith("alert.ndjson:1: routed")
    assert [code for code, *_ in typed(examples, capsys)] == [0]
    (mine / RULE).unlink()
    ((code, said, _),) = typed(ask, capsys)
    (shown,) = snippets("A first rule in five minutes", "text")
    assert code == 0
    assert all(" ".join(line.split()) in " ".join(said.split()) for line in shown.splitlines() if line.strip() != "...")


def test_the_first_rules_example_needs_the_rule(mine: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Without the rule the example fails, so it proves something."""
    (mine / RULE).unlink()
    assert main(["rules", "test"]) == 1, capsys.readouterr()


def test_the_first_destination_is_tried_without_sending_anything(
    mine: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """The commands but the one that pages."""
    (commands,) = snippets("A first destination in five minutes", "sh")
    *quiet, pages = commands.splitlines()
    assert pages.startswith("PAGERDUTY_ROUTING_KEY=... ")
    assert [code for code, *_ in typed("\n".join(quiet), capsys)] == [0, 0]
    assert not (mine / ".state").exists()
