"""Each `--help` ends with examples that work, and with the exit codes."""

import re
import shlex
import shutil
import subprocess
from argparse import ArgumentParser, _SubParsersAction
from collections.abc import Iterator
from pathlib import Path

import pytest

from router.cli.parser import PROGRAM, new_parser, parse, read_commands
from router.coverage.drill.subjects import BUNDLES
from router.domain.errors import BadUsage
from tests.cli.house import GOLDEN, House
from tests.docs.pages import commands, page
from tests.waiting import PATIENCE

HELP = read_commands()["commands"]


def _parsers_of(parser: ArgumentParser) -> Iterator[ArgumentParser]:
    """A parser, and those of its commands and of theirs that it knows more of than the name."""
    yield parser
    for action in parser._actions:
        if isinstance(action, _SubParsersAction):
            for inner in filter(None, action.choices.values()):
                yield from _parsers_of(inner)


PARSERS = {parser.prog.removeprefix(PROGRAM).strip(): parser for parser in _parsers_of(new_parser())}


def test_every_command_has_a_text_and_every_text_a_command() -> None:
    """Groups such as `rules` and the program itself have one, too."""
    assert HELP.keys() == PARSERS.keys()


def test_a_drill_may_name_each_bundle_that_there_is() -> None:
    """The table of commands lists them, so that no start imports the drill."""
    bundles = next(one for one in PARSERS["drill"]._actions if one.dest == "bundle").choices
    assert bundles == sorted(BUNDLES)


def test_a_start_knows_every_option_of_the_command_that_it_is_asked_for(subtests: pytest.Subtests) -> None:
    """It knows none of the others, which no line can be about."""
    for command in PARSERS.keys() - {"", "completion"}:
        with subtests.test(command):
            parsers = {one.prog.removeprefix(PROGRAM).strip(): one for one in _parsers_of(new_parser(command.split()))}
            assert parsers[command].format_help() == PARSERS[command].format_help()
            assert len(parsers) < len(PARSERS)


AN_ID = "d87e1b60-4a2c-4f93-b1d7-05c3e8a2f330"


def test_help_ends_with_examples_and_exit_codes(subtests: pytest.Subtests) -> None:
    """Examples first, each on one line, then the codes; nothing stands behind them. Each example is understood.

    What is piped into it or where its output goes is the shell's. ID stands for an id, which is too long for a line.
    """
    whole = new_parser()
    for command, parser in PARSERS.items():
        with subtests.test(command):
            examples, codes = parser.format_help().partition("\nexamples:\n")[2].split("\n\nexit codes:\n")
            shown = [line.partition("#")[0].strip() for line in examples.splitlines()]
            assert shown == [line for line, _ in HELP[command]["examples"]]
            listed = [line.split()[0] for line in codes.splitlines()]
            assert listed == ["0", *(["1"] if "found" in HELP[command] else []), "2", "130", "141", "143"]
            for example, _ in HELP[command]["examples"]:
                program, *arguments = shlex.split(example.rpartition("| ")[2].partition(" >")[0])
                assert program == PROGRAM
                assert " ".join(arguments).startswith(command)
                whole.parse_args([AN_ID if one == "ID" else one for one in arguments])


def test_the_docs_give_a_command_the_same_exit_codes() -> None:
    """docs/command-line.md says more of each, and no other ones."""
    told = {command for command in commands() if "Exit code 1 " in page("docs/command-line.md").section(command)}
    assert told == {command for command in commands() if "found" in HELP[command]}


def test_a_word_that_is_none_of_the_choices_is_told_alike_by_each_python() -> None:
    """Python 3.13.0 quotes the choices, and later ones do not."""
    said = r"^COMMAND: invalid choice: 'chek' \(choose from check, test\); did you mean check\?"
    for choices in ("check, test", "'check', 'test'"):
        with pytest.raises(BadUsage, match=said):
            new_parser().error(f"argument COMMAND: invalid choice: 'chek' (choose from {choices})")


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


def test_bash_completes_commands_options_and_values(house: House, subtests: pytest.Subtests) -> None:
    """In a real bash: commands, options, choices, directories where one is wanted, and files where one is."""
    house.writes("alerts.ndjson", "")
    house.writes("other/file", "")
    house.writes("script", house.says("completion", "bash").out)
    for line, offered in (
        ("alert-router ru", {"run", "rules"}),
        ("alert-router rules check --str", {"--strict"}),
        ("alert-router run --stream ", {"cwpp", "cspm"}),
        ("alert-router rules check ", {"rules", "other"}),
        ("alert-router run al", {"alerts.ndjson"}),
    ):
        with subtests.test(line=line):
            assert set(completed(line, house)) == offered


@pytest.mark.parametrize(("shell", "check"), [("zsh", ["-n"]), ("fish", ["--no-execute"])])
def test_other_shells_get_a_script_of_their_own(shell: str, check: list[str], house: House) -> None:
    """It names every command; where that shell is installed, it is one that the shell understands."""
    script = house.says("completion", shell).out
    assert "alert-router" in script
    assert all(command in script for command in ("dead-letters", "redrive", "strict", "junit"))
    if program := shutil.which(shell):
        subprocess.run([program, *check, house.directory / house.writes("script", script)], check=True)


def test_each_transcript_on_file_is_of_a_test_that_asks_for_it() -> None:
    """A golden whose test was renamed or is gone would be kept up by nothing."""
    for path in GOLDEN.glob("*/*.txt"):
        tests = (GOLDEN.parent / f"test_{path.parent.name}.py").read_text()
        assert re.search(rf"def test_{path.stem.partition('-')[0]}\([^)]*\btranscript\b", tests), path


def test_a_setting_names_the_rules_of_every_command_and_an_option_wins(monkeypatch: pytest.MonkeyPatch) -> None:
    """So that who asks in a pod, or beside the unit, asks about the rules that are served there."""
    for setting, usual, may_lack in (("", Path("rules"), None), ("/mine", Path("/mine"), Path("/mine"))):
        monkeypatch.setenv("ALERT_ROUTER_RULES", setting)
        assert parse(["explain", "id"]).rules == parse(["rules", "check"]).directory == usual
        assert parse(["destinations", "list"]).rules == may_lack
        assert parse(["explain", "id", "--rules", "given"]).rules == Path("given")
