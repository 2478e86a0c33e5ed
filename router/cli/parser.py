"""What can be written on the command line; and what the program says of itself: its version, and how shells complete it."""

from __future__ import annotations

import re
import shlex
import sys
import tomllib
from argparse import SUPPRESS, ArgumentParser, Namespace, RawDescriptionHelpFormatter, _SubParsersAction
from collections.abc import Container, Iterable, Iterator, Mapping, Sequence
from functools import cache
from pathlib import Path
from shutil import get_terminal_size
from textwrap import fill
from typing import TYPE_CHECKING, Any, NoReturn

from router import __version__
from router.cli.arguments import DEFAULT_STATE, RULES_DIR, TYPES
from router.domain.errors import BadUsage

if TYPE_CHECKING:
    from argparse import _ActionsContainer

_CHOICE = re.compile(r"invalid choice: '(.*?)' \(choose from (.*)\)", re.DOTALL)


class Parser(ArgumentParser):
    """A parser whose complaint is an error of ours, and whose help ends with examples and exit codes."""

    about: Mapping[str, Any]
    """What commands.toml says of its command."""

    def __init__(self, **options: Any) -> None:
        super().__init__(allow_abbrev=False, formatter_class=RawDescriptionHelpFormatter, **options)

    def format_help(self) -> str:
        """Return the help."""
        self.description = fill(self.description or "", get_terminal_size().columns - 2)
        self.epilog = _epilog(self.about)
        return super().format_help()

    def refuse_unknown(self, unknown: Sequence[str], directory: object) -> NoReturn:
        """Raise BadUsage for arguments that the command does not know; `directory` is the one that it is about, if any."""
        name, _, value = next((one for one in unknown if one.startswith("-")), "").partition("=")
        if name == "--rules" and directory is not None:
            line = shlex.join([*self.prog.split(), value or str(directory)])
            self.error(f"argument --rules: is no option here, where the directory stands by itself; write: {line}")
        options = re.findall(r"--[\w-]+", self.format_usage())
        self.error(f"unrecognized arguments: {' '.join(unknown)}{_nearest(name, options)}")

    def error(self, message: str) -> NoReturn:
        """Raise BadUsage, naming the argument first."""
        lacking = message.removeprefix("the following arguments are required: ")
        missing = read_commands()["missing"]
        if wanted := missing.get(f"{self.prog}: {lacking}") or missing.get(lacking):
            message = f"{lacking}: is missing; {wanted}"
        elif found := _CHOICE.search(message):
            choices = found[2].replace("'", "")  # which Python 3.13.0 writes, and later ones do not
            message = message.replace(found[2], choices) + _nearest(found[1], choices.split(", "))
        raise BadUsage(f"{message.removeprefix('argument ')}; see {self.prog} --help")


def _nearest(word: str, known: Iterable[str]) -> str:
    """Return what a word was probably meant to be, as the end of a sentence; empty where nothing is close."""
    from difflib import get_close_matches  # for which no command that is spelled well waits

    close = get_close_matches(word, list(known), n=1)
    return f"; did you mean {close[0]}?" if close else ""


PROGRAM = "alert-router"

_FAILED = "could not be done; one line on standard error says why"
_INTERRUPTED = {"130": "interrupted by Ctrl-C", "141": "nobody reads what it says", "143": "terminated"}


def _epilog(about: Mapping[str, Any]) -> str:
    """Return how the help of a command ends."""
    width = max(len(line) for line, _ in about["examples"])
    examples = [f"  {line.ljust(width)}  # {what}" for line, what in about["examples"]]
    found = {"1": about["found"]} if "found" in about else {}
    codes = {"0": "done", **found, "2": about.get("failed", _FAILED), **_INTERRUPTED}
    return "\n".join(
        ["examples:", *examples, "", "exit codes:", *(f"  {code.ljust(3)}  {what}" for code, what in codes.items())]
    )


@cache
def read_commands() -> Mapping[str, Any]:
    """Return what commands.toml says: every command, the options that several take, and what to give where one is missing."""
    return tomllib.loads(Path(__file__).with_name("commands.toml").read_text(encoding="utf-8"))


def new_parser(words: Container[str] | None = None) -> Parser:
    """Return the parser; what it parses has in `command` the module and the function that obey it.

    With the words of a command line it has no options of commands that are not among them, so that a start takes less.
    """
    table = read_commands()
    parsers: dict[str, Parser] = {}
    groups: dict[str, _SubParsersAction[Parser]] = {}
    for name, about in table["commands"].items():
        place, _, word = name.rpartition(" ")
        if not name:
            parser = Parser(prog=PROGRAM, description="Routes what Microsoft Defender for Cloud exports.")
        elif place not in parsers:
            continue
        else:
            if place not in groups:
                is_required = place != "" and "obeys" not in parsers[place].about
                made_by: Any = _parser_where_meant
                groups[place] = parsers[place].add_subparsers(
                    title="commands", metavar="COMMAND", required=is_required, parser_class=made_by
                )
            is_meant, does = words is None or word in words, about["does"]
            described = {"help": does, "description": f"{does[0].upper()}{does[1:]}."}
            parser = groups[place].add_parser(word, **described, is_meant=is_meant)
            if not is_meant:
                continue
        parser.about = about
        parsers[name] = parser
        _add_options(parser, about.get("options", ()), table["options"])
        needs = {name: about.get(name, True) for name in ("needs_state", "needs_rules")}
        parser.set_defaults(parser=parser, **needs)
        if "obeys" in about:
            parser.set_defaults(command=about["obeys"])
    return parsers[""]


def _parser_where_meant(*, is_meant: bool, **options: Any) -> Parser | None:
    """Return the parser of a command; None for one that no word names: argparse looks for translations of each one's titles."""
    return Parser(**options) if is_meant else None


def _add_options(to: _ActionsContainer, options: Iterable[Any], shared: Mapping[str, Mapping[str, Any]]) -> None:
    for option in options:
        written: dict[str, Any] = {"name": option} if isinstance(option, str) else dict(option)
        if "one_of" in written:
            group = to.add_mutually_exclusive_group(required=written.get("required", False))
            _add_options(group, written["one_of"], shared)
            continue
        name = written.pop("name")
        how = written if "metavar" in written else {**shared.get(name, {}), **written}
        if "type" in how:
            how["type"] = TYPES[how["type"]]
        if how.get("default") == SUPPRESS:
            how["default"] = SUPPRESS  # argparse asks whether it is this very object
        to.add_argument(name, **how)


def parse(arguments: Sequence[str]) -> Namespace:
    """Return what a command line says; raises BadUsage."""
    parser = new_parser(arguments)
    options, unknown = parser.parse_known_args(arguments)
    for name, usual in {"rules": RULES_DIR, "directory": RULES_DIR, "state": DEFAULT_STATE}.items():
        if getattr(options, name, "") is None:
            from router.app.settings import Settings  # for which no help waits

            said = Settings().state if name == "state" else Settings().rules
            setattr(options, name, said or (usual if getattr(options, f"needs_{name}", True) else None))
    if unknown:
        options.parser.refuse_unknown(unknown, getattr(options, "directory", None))
    if options.version:
        options.command = "router.cli.parser:print_version"
    elif "command" not in options:
        parser.error("the following arguments are required: COMMAND")
    return options


def script(options: Namespace) -> int:
    """Print the script, made from the parser as it is."""
    import shtab  # for which no other command waits

    from router.cli.printing import print_text

    parser = new_parser()
    named = {"FILE": shtab.FILE, "FILE|ID": shtab.FILE, "DIR": shtab.DIRECTORY}
    for command in _parsers_of(parser):
        for action in command._actions:
            if isinstance(action.metavar, str) and action.metavar in named:
                action.complete = named[action.metavar]  # type: ignore[attr-defined]
    print_text(shtab.complete(parser, options.shell) + "\n")
    return 0


def _parsers_of(parser: ArgumentParser) -> Iterator[ArgumentParser]:
    yield parser
    for action in parser._actions:
        if isinstance(action, _SubParsersAction):
            for inner in action.choices.values():
                yield from _parsers_of(inner)


def print_version(options: Namespace) -> int:
    """Print the version."""
    sys.stdout.write(f"{PROGRAM} {__version__}\n")
    return 0
