"""The commands that there are."""

from __future__ import annotations

from argparse import ArgumentParser, _SubParsersAction
from collections.abc import Iterator

from router.cli.parser import new_parser


def commands() -> list[str]:
    """Every command, such as `run` or `rules check`, in the order of the parser."""
    return list(_commands_of(new_parser()))


def _commands_of(parser: ArgumentParser, *before: str) -> Iterator[str]:
    for action in parser._actions:
        if isinstance(action, _SubParsersAction):
            for name, inner in action.choices.items():
                yield from list(_commands_of(inner, *before, name)) or [" ".join([*before, name])]
