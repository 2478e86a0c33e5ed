"""A parser of a command line whose complaints are one line that names the argument, and whose help ends with examples."""

from __future__ import annotations

import shlex
from argparse import Action, ArgumentError, ArgumentParser, HelpFormatter, Namespace, _SubParsersAction
from collections.abc import Iterable, Sequence
from typing import NoReturn

from router.domain.errors import BadUsage


class _HelpFormatter(HelpFormatter):
    """Fills paragraphs, and leaves alone what has lines of its own."""

    def _fill_text(self, text: str, width: int, indent: str) -> str:
        return text if "\n" in text else super()._fill_text(text, width, indent)


class Parser(ArgumentParser):
    """A parser whose complaint is an error of ours: one line."""

    def __init__(self, *args: object, **kwargs: object) -> None:
        super().__init__(*args, allow_abbrev=False, formatter_class=_HelpFormatter, **kwargs)  # type: ignore[arg-type, misc]

    def format_help(self) -> str:
        """The help, which ends with examples and exit codes."""
        from router.cli.help_texts import epilog_for  # for which no other command waits

        self.epilog = epilog_for(self.prog)
        return super().format_help()

    def parse_known_args(  # type: ignore[override]
        self, args: Sequence[str] | None = None, namespace: Namespace | None = None
    ) -> tuple[Namespace, list[str]]:
        """What a command line says; raises BadUsage for what it does not know, which only the command itself can help with."""
        options, unknown = super().parse_known_args(args, namespace)
        if unknown:
            self.error(self._words_for(unknown, options))
        return options, []

    def _words_for(self, unknown: Sequence[str], options: Namespace) -> str:
        """What to say of arguments that it does not know."""
        name, _, value = next((one for one in unknown if one.startswith("-")), "").partition("=")
        if name == "--rules" and self.prog in _CHECKS:
            line = shlex.join([*self.prog.split(), value or str(options.directory)])
            return f"argument --rules: is no option here, where the directory stands by itself; write: {line}"
        return f"unrecognized arguments: {' '.join(unknown)}{_meant(name, self._option_string_actions)}"

    def _check_value(self, action: Action, value: object) -> None:
        try:
            super()._check_value(action, value)
        except ArgumentError as error:
            raise ArgumentError(action, error.message + _meant(str(value), map(str, action.choices or ()))) from None

    def error(self, message: str) -> NoReturn:
        """Raises BadUsage, naming the argument first."""
        lacking = message.removeprefix("the following arguments are required: ")
        if wanted := _WANTED.get(f"{self.prog}: {lacking}") or _WANTED.get(lacking):
            message = f"{lacking}: is missing; {wanted}"
        raise BadUsage(f"{message.removeprefix('argument ')}; see {self.prog} --help")


def _meant(word: str, known: Iterable[str]) -> str:
    """What a word was probably meant to be, as the end of a sentence; empty where nothing is close."""
    from difflib import get_close_matches  # for which no command that is spelled well waits

    close = get_close_matches(word, list(known), n=1)
    return f"; did you mean {close[0]}?" if close else ""


_CHECKS = ("alert-router rules check", "alert-router rules test")
"""What takes a directory of rules by itself."""

_WANTED = {
    "FILE": "name a file of messages (NDJSON, JSON or CSV), or - for standard input",
    "FILE|ID": "name a file of messages, or a signal of a state by its id, the end of it, or the number of a ticket",
    "alert-router rules preview: FILE": "name the file of a suppression rule",
    "ID": "name one of the list",
    "DIR": "name the directory to write",
    "NAME": "name a destination; alert-router destinations list shows them",
    "--for": "say how long, such as --for 2h",
    "--reason": "say why, such as --reason 'patching, CHG-1234'",
}
"""What to give where an argument is missing, of any command or of one."""


type Commands = _SubParsersAction[Parser]


def add_command(commands: Commands, name: str, command: str, help: str) -> Parser:
    """Adds a command; `command` names the module and the function that obey it."""
    parser = commands.add_parser(name, help=help, description=f"{help[0].upper()}{help[1:]}.")
    parser.set_defaults(command=command)
    return parser


def add_group(commands: Commands, name: str, help: str) -> Commands:
    """Adds a group of commands; returns what they are added to."""
    parser = commands.add_parser(name, help=help, description=f"{help[0].upper()}{help[1:]}.")
    group: Commands = parser.add_subparsers(title="commands", metavar="COMMAND", required=True)
    return group
