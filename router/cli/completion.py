"""`alert-router completion bash|zsh|fish`: a script that completes commands, options and their values in that shell."""

from __future__ import annotations

from argparse import ArgumentParser, Namespace, _SubParsersAction
from collections.abc import Iterator

from router.cli.parser import new_parser
from router.cli.printing import print_text


def script(options: Namespace) -> int:
    """Prints the script, made from the parser as it is."""
    import shtab  # which nothing else waits for

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
