"""Each `--help` ends with examples that work, and with the exit codes."""

from __future__ import annotations

import shlex
from argparse import ArgumentParser, _SubParsersAction
from collections.abc import Iterator

import pytest

from router.cli.parser import PROGRAM, new_parser, read_commands
from router.coverage.drill.subjects import BUNDLES
from router.domain.errors import BadUsage
from tests.docs.command_line import commands
from tests.docs.pages import page

HELP = read_commands()["commands"]


def _parsers_of(parser: ArgumentParser) -> Iterator[ArgumentParser]:
    """A parser, and those of its commands and of theirs."""
    yield parser
    for action in parser._actions:
        if isinstance(action, _SubParsersAction):
            for inner in action.choices.values():
                yield from _parsers_of(inner)


PARSERS = {parser.prog.removeprefix(PROGRAM).strip(): parser for parser in _parsers_of(new_parser())}


def test_every_command_has_a_text_and_every_text_a_command() -> None:
    """Groups such as `rules` and the program itself have one, too."""
    assert HELP.keys() == PARSERS.keys()


def test_a_drill_may_name_each_bundle_that_there_is() -> None:
    """The table of commands lists them, so that no start imports the drill."""
    bundles = next(one for one in PARSERS["drill"]._actions if one.dest == "bundle").choices
    assert bundles == sorted(BUNDLES)


@pytest.mark.parametrize("command", [command for command in PARSERS if command not in ("", "completion")])
def test_a_start_knows_every_option_of_the_command_that_it_is_asked_for(command: str) -> None:
    """It knows none of the others, which no line can be about."""
    parsers = {one.prog.removeprefix(PROGRAM).strip(): one for one in _parsers_of(new_parser(command.split()))}
    assert parsers[command].format_help() == PARSERS[command].format_help()
    assert len(parsers) < len(PARSERS)


AN_ID = "d87e1b60-4a2c-4f93-b1d7-05c3e8a2f330"


@pytest.mark.parametrize("command", PARSERS)
def test_help_ends_with_examples_and_exit_codes(command: str) -> None:
    """Examples first, each on one line, then the codes; nothing stands behind them."""
    examples, codes = PARSERS[command].format_help().partition("\nexamples:\n")[2].split("\n\nexit codes:\n")
    assert [line.partition("#")[0].strip() for line in examples.splitlines()] == [
        line for line, _ in HELP[command]["examples"]
    ]
    listed = [line.split()[0] for line in codes.splitlines()]
    assert listed == ["0", *(["1"] if "found" in HELP[command] else []), "2", "130", "141", "143"]


@pytest.mark.parametrize(
    ("command", "example"), [(command, example) for command, text in HELP.items() for example, _ in text["examples"]]
)
def test_an_example_is_understood(command: str, example: str) -> None:
    """What is piped into it or where its output goes is the shell's; it shows the command under which it stands.

    ID stands for an id, which is too long for a line.
    """
    line = example.rpartition("| ")[2].partition(" >")[0]
    program, *arguments = shlex.split(line)
    assert program == PROGRAM
    assert " ".join(arguments).startswith(command)
    new_parser().parse_args([AN_ID if one == "ID" else one for one in arguments])


def test_the_docs_give_a_command_the_same_exit_codes() -> None:
    """docs/command-line.md says more of each, and no other ones."""
    told = {command for command in commands() if "Exit code 1 " in page("docs/command-line.md").section(command)}
    assert told == {command for command in commands() if "found" in HELP[command]}


@pytest.mark.parametrize("choices", ["check, test", "'check', 'test'"])
def test_a_word_that_is_none_of_the_choices_is_told_alike_by_each_python(choices: str) -> None:
    """Python 3.13.0 quotes the choices, and later ones do not."""
    with pytest.raises(
        BadUsage, match=r"^COMMAND: invalid choice: 'chek' \(choose from check, test\); did you mean check\?"
    ):
        new_parser().error(f"argument COMMAND: invalid choice: 'chek' (choose from {choices})")
