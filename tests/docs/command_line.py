"""The commands that there are."""

from __future__ import annotations

from argparse import ArgumentParser, _SubParsersAction
from collections.abc import Iterator

from router.cli.parser import new_parser


def commands() -> list[str]:
    """Every command, such as `run` or `rules check`, in the order of the parser."""
    return [command for command, _ in _parsers_of(new_parser())]


def options() -> dict[str, set[str]]:
    """Every option of a command but `--help`, with the commands that take it."""
    takers: dict[str, set[str]] = {}
    for command, parser in _parsers_of(new_parser()):
        for action in parser._actions:
            for name in action.option_strings:
                if name not in ("-h", "--help"):
                    takers.setdefault(name, set()).add(command)
    return takers


def _parsers_of(parser: ArgumentParser, *before: str) -> Iterator[tuple[str, ArgumentParser]]:
    for action in parser._actions:
        if isinstance(action, _SubParsersAction):
            for name, inner in action.choices.items():
                if inner.get_default("command") is not None:
                    yield " ".join([*before, name]), inner
                yield from _parsers_of(inner, *before, name)
