"""The scripts that complete words in a shell."""

from __future__ import annotations

import shutil
import subprocess

import pytest

from tests.cli.house import House
from tests.waiting import PATIENCE

COMPLETE = """
source ./script
line="$1"
read -ra COMP_WORDS <<< "$line"
case "$line" in *" ") COMP_WORDS+=("") ;; esac
COMP_CWORD=$((${#COMP_WORDS[@]} - 1)) COMP_LINE="$line" COMP_POINT=${#line}
function_of() { while [ "$1" != -F ]; do shift; done; echo "$2"; }
"$(function_of $(complete -p alert-router))" alert-router "${COMP_WORDS[COMP_CWORD]}"
printf '%s\\n' "${COMPREPLY[@]}"
"""
"""What bash does when the tab key is pressed behind a line."""


def completed(line: str, house: House) -> list[str]:
    """What bash offers behind a line, with the script and nothing else loaded."""
    command = ["bash", "--noprofile", "--norc", "-c", COMPLETE, "bash", line]
    done = subprocess.run(command, capture_output=True, text=True, timeout=PATIENCE, cwd=house.directory, check=True)
    return done.stdout.split()


@pytest.mark.parametrize(
    ("line", "offered"),
    [
        ("alert-router ru", ["run", "rules"]),
        ("alert-router rules ", ["check", "test", "list", "preview", "schema"]),
        ("alert-router rules check --str", ["--strict"]),
        ("alert-router rules check --format ", ["text", "json", "github", "junit"]),
        ("alert-router run --stream ", ["cwpp", "cspm"]),
        ("alert-router rules check ", ["rules", "other"]),
        ("alert-router run al", ["alerts.ndjson"]),
    ],
)
def test_bash_completes_commands_options_and_values(line: str, offered: list[str], house: House) -> None:
    """In a real bash: commands, options, choices, directories where one is wanted, and files where one is."""
    house.writes("alerts.ndjson", "")
    house.writes("other/file", "")
    house.writes("script", house.says("completion", "bash").out)
    assert sorted(completed(line, house)) == sorted(offered)


@pytest.mark.parametrize(("shell", "check"), [("zsh", ["-n"]), ("fish", ["--no-execute"])])
def test_other_shells_get_a_script_of_their_own(shell: str, check: list[str], house: House) -> None:
    """It names every command; where that shell is installed, it is one that the shell understands."""
    script = house.says("completion", shell).out
    assert "alert-router" in script
    assert all(command in script for command in ("dead-letters", "redrive", "strict", "junit"))
    if program := shutil.which(shell):
        subprocess.run([program, *check, house.directory / house.writes("script", script)], check=True)
