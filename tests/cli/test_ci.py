"""What other people's repositories take from this one: the GitHub action, and the hooks for pre-commit."""

from __future__ import annotations

import os
import re
import shlex
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import yaml

from router.cli import main
from router.cli.parser import new_parser
from tests.builders import RULES
from tests.cli.house import House, a_suppression
from tests.docs.pages import page
from tests.waiting import PATIENCE

ROOT = Path(__file__).parents[2]
ACTION: dict[str, Any] = yaml.safe_load((ROOT / "action.yml").read_text())
HOOKS: list[dict[str, Any]] = yaml.safe_load((ROOT / ".pre-commit-hooks.yaml").read_text())
STEPS: list[dict[str, Any]] = ACTION["runs"]["steps"]
INPUTS: dict[str, str] = {name: given["default"] for name, given in ACTION["inputs"].items()}

AN_EXAMPLE_THAT_FAILS = "- {name: '## 100%', now: 2026-11-24T00:00:00Z, message: 'no', expect: {id: y}}"


@dataclass(frozen=True, slots=True)
class Ran:
    """What a step came to."""

    code: int
    log: list[str]
    summary: str


def run(step: Mapping[str, Any], house: House, **inputs: str) -> Ran:
    """What a step of the action comes to in a house, with the action's inputs as GitHub hands them over."""
    temporary = house.directory / "temporary"
    program = temporary / "alert-router" / "bin" / "alert-router"
    if not program.exists():
        program.parent.mkdir(parents=True)
        program.write_text(f'#!/bin/sh\nexec {sys.executable} -m router "$@"\n')
        program.chmod(0o755)
    summary = house.directory / "summary.md"
    summary.write_text("")
    given = {
        name: (INPUTS | inputs)[inner[1]]
        for name, value in step["env"].items()
        if (inner := re.fullmatch(r"\$\{\{ inputs\.([a-z-]+) \}\}", value))
    }
    runner = {"RUNNER_TEMP": str(temporary), "GITHUB_STEP_SUMMARY": str(summary), "PYTHONPATH": str(ROOT)}
    command = ["bash", "--noprofile", "--norc", "-eo", "pipefail", "-c", step["run"]]
    done = subprocess.run(
        command, capture_output=True, text=True, timeout=PATIENCE, env=os.environ | runner | given, cwd=house.directory
    )
    assert done.stderr == ""
    return Ran(done.returncode, done.stdout.splitlines(), summary.read_text())


def test_the_action_is_pinned_and_nothing_that_is_given_to_it_is_code() -> None:
    """Each step has a shell or an action by its commit; inputs come by the environment; every input has a default."""
    assert ACTION["runs"]["using"] == "composite"
    for step in STEPS:
        if "uses" in step:
            assert re.search(r"@[0-9a-f]{40}$", step["uses"])
        else:
            assert step["shell"] == "bash"
            assert "${{" not in step["run"]
    handed_over = {name for step in STEPS for name in re.findall(r"inputs\.([a-z-]+)", str(step.get("env")))}
    assert handed_over == INPUTS.keys()
    assert all(isinstance(default, str) for default in INPUTS.values())


def test_the_action_passes_what_is_sound(house: House) -> None:
    """A warning is an annotation and no failure; the summary says what both commands said, as text."""
    house.writes("mine/cwpp/policy.yaml", (house.directory / "rules/cwpp/policy.yaml").read_bytes())
    house.writes("mine/cwpp/suppressions/old.json", a_suppression("VM_Example", "2026-11-20T00:00:00Z"))
    ran = run(STEPS[-1], house, rules="mine", now="2026-11-24T00:00:00Z")
    assert ran.code == 0, ran
    check, warning, test = ran.log
    assert check.startswith("::notice title=rules check::mine: 0 problems; 1 warning")
    assert warning.startswith("::warning file=mine/cwpp/suppressions/old.json,line=1,title=ended::")
    assert test.startswith("::notice title=rules test::mine: 0 examples, 0 failed")
    heading, blank, *lines = ran.summary.splitlines()
    assert (heading, blank) == ("### Alert rules passed", "")
    sum, old, examples = lines
    assert sum.startswith("    mine: 0 problems; 1 warning")
    assert old.startswith("    warning: mine/cwpp/suppressions/old.json:1: properties.expirationDateUtc: has passed")
    assert examples.startswith("    mine: 0 examples, 0 failed; 0 problems; nothing was tested: ")


def test_the_action_fails_what_is_not(house: House) -> None:
    """Strictly a warning is an error; a failed example is one, too; no text is a command or markup."""
    house.writes("rules/cwpp/suppressions/a\n::add-mask::b.json", a_suppression("VM_Example", "2026-11-20T00:00:00Z"))
    house.writes("rules/cwpp/examples/one.yaml", AN_EXAMPLE_THAT_FAILS)
    ran = run(STEPS[-1], house, strict="true", now="2026-11-24T00:00:00Z")
    assert ran.code == 1, ran
    assert all(re.match(r"::(notice|error|warning) (title|file)=", line) for line in ran.log)
    assert sum(line.startswith("::error") for line in ran.log) == len(ran.log) - 2
    assert any("title=failed-example" in line for line in ran.log)
    heading, _, *lines = ran.summary.splitlines()
    assert heading == "### Alert rules failed"
    assert all(line.startswith("    ") for line in lines)
    assert any(line.startswith("    error: rules/cwpp/suppressions/a ::add-mask::b.json:1: ") for line in lines)
    assert any(": ## 100%: id: expected" in line for line in lines)


def test_the_action_says_what_keeps_it_from_working(house: House) -> None:
    """A directory that is not there, or an input that means nothing, is one error and no success."""
    ran = run(STEPS[-1], house, rules="-no%0A")
    assert ran.code == 2
    (error,) = ran.log
    assert error.startswith("::error::-no%250A: is no directory of rules")
    ran = run(STEPS[-1], house, strict="yes")
    assert (ran.code, ran.log) == (2, ["::error::strict: must be true or false"])


def test_hooks_are_commands_and_look_at_the_whole_directory(house: House) -> None:
    """Each entry is a command of this program that takes no file; it passes good rules and fails bad ones."""
    assert len({hook["id"] for hook in HOOKS}) == len(HOOKS)
    for hook in HOOKS:
        assert (hook["language"], hook["files"], hook["pass_filenames"]) == ("python", "^rules/", False)
        program, *arguments = shlex.split(hook["entry"])
        assert program == "alert-router"
        assert main(arguments) == 0
    house.writes("rules/cwpp/suppressions/broad.json", a_suppression("*", "2026-12-31T00:00:00Z"))
    entries = [shlex.split(hook["entry"])[1:] for hook in HOOKS]
    assert list(map(main, entries)) == [1, 1]
    (house.directory / "rules/cwpp/suppressions/broad.json").unlink()
    house.writes("rules/cwpp/examples/one.yaml", AN_EXAMPLE_THAT_FAILS)
    assert list(map(main, entries)) == [0, 1]


def test_what_the_docs_say_to_copy_is_what_there_is() -> None:
    """Inputs and hooks are called as the action and the hooks are, and the commands are commands."""
    snippets = {fence.label: fence.text for fence in page("docs/rules.md").fences}
    (job,) = yaml.safe_load(snippets[".github/workflows/rules.yml"])["jobs"].values()
    assert job["steps"][-1]["with"].keys() <= INPUTS.keys()
    (source,) = yaml.safe_load(snippets[".pre-commit-config.yaml"])["repos"]
    assert [hook["id"] for hook in source["hooks"]] == [hook["id"] for hook in HOOKS]
    for hook, told in zip(HOOKS, source["hooks"], strict=True):
        new_parser().parse_args(shlex.split(hook["entry"])[1:] + told.get("args", []))
    for line in yaml.safe_load(snippets[".gitlab-ci.yml"])["rules"]["script"]:
        if line.startswith("alert-router "):
            new_parser().parse_args(shlex.split(line.partition(" >")[0])[1:])


@pytest.mark.soak
def test_the_action_installs_itself(house: House) -> None:
    """From its own directory, into a place of its own, with the versions of the lock; and it works there."""
    temporary = house.directory / "temporary"
    temporary.mkdir()
    environment = os.environ | {
        "RUNNER_TEMP": str(temporary), "GITHUB_ACTION_PATH": str(ROOT), "PYTHON": sys.executable, "SOURCE": "",
    }  # fmt: skip
    command = ["bash", "--noprofile", "--norc", "-eo", "pipefail", "-c", STEPS[1]["run"]]
    subprocess.run(command, check=True, env=environment, cwd=house.directory)
    assert "aiohttp==" in (temporary / "alert-router/constraints.txt").read_text()
    ran = run(STEPS[-1], house, rules=os.path.relpath(RULES, house.directory))
    assert ran.code == 0, ran
