"""`--version` says which program works here, and by which rules."""

from __future__ import annotations

import subprocess
import sys
from importlib.metadata import version
from pathlib import Path

import pytest

from tests.cli.house import House, a_process

PROGRAM = f"alert-router {version('alert-router')}"


def hashes(house: House, *arguments: str) -> list[str]:
    """The words of what a summary says of each stream: those of `rules check`."""
    summary = house.says("rules", "check", *arguments).out.splitlines()[-1]
    return [part.split()[0] + " " + part.split()[-1] for part in summary.split("; ") if " hash " in part]


def test_without_rules_it_is_one_line_and_waits_for_nothing(tmp_path: Path) -> None:
    """A directory `rules` of somebody else's makes no difference."""
    (tmp_path / "rules" / "eslint").mkdir(parents=True)
    said = a_process("--version", within=tmp_path)
    assert (said.code, said.out, said.err) == (0, f"{PROGRAM}\n", "")
    code = "import sys; from router.cli import main; main(['--version']); print(*sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], cwd=tmp_path, capture_output=True, text=True, check=True)
    assert not {"pydantic", "rich", "router.rulebook", "router.coverage"} & set(done.stdout.split())


def test_rules_are_named_by_the_hash_that_decisions_carry(house: House) -> None:
    """Those that lie here, or those of a directory that is named."""
    ours = ", ".join(hashes(house))
    assert house.says("--version").out == f"{PROGRAM}\nrules: {ours}\n"
    (house.directory / "rules").rename(house.directory / "mine")
    assert house.says("--version").out == f"{PROGRAM}\n"
    assert house.says("--version", "--rules", "mine").out == f"{PROGRAM}\nmine: {ours}\n"


def test_rules_that_cannot_be_used_have_no_hash_and_keep_nobody_from_the_version(house: House) -> None:
    """The other stream's has one, and a rule that was left out is no secret."""
    (_, cspm) = hashes(house)
    house.writes("rules/cwpp/policy.yaml", "stream: [")
    house.writes("rules/cspm/suppressions/a.json", "{}")
    cspm = hashes(house)[-1]
    said = house.says("--version")
    assert (said.code, said.err) == (0, "")
    (program, rules) = said.out.splitlines()
    assert program == PROGRAM
    assert rules.startswith(f"rules: cwpp cannot be used, {cspm}; ")
    assert rules.endswith(" problems, see alert-router rules check rules")


@pytest.mark.parametrize("directory", ["nowhere", "empty", "rules/cwpp/policy.yaml"])
def test_a_directory_that_is_named_has_rules(house: House, directory: str) -> None:
    """Who names one is told where it holds none."""
    (house.directory / "empty").mkdir()
    assert house.says("--version", "--rules", directory).complaint.startswith(f"{directory}: ")


def test_a_directory_of_rules_is_not_named_before_a_command(house: House) -> None:
    """It would seem to be the command's, which takes its own."""
    assert house.says("--rules", "mine", "run", "a.ndjson").complaint.startswith("--rules: stands behind a command")
    assert house.says().complaint == "the following arguments are required: COMMAND; see alert-router --help"
