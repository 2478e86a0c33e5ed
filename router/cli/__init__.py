"""The command line: `alert-router ...`, also `python -m router`.

    parser        what can be written        given         what options mean
    run           routes files               job           the work of `run` and `demo`
    dry_run       only decides               demo          the main job on an embedded default
    files, tables files -> messages          decisions     the decisions file
    tally         what a run came to         funnel        as people read it
    explain, rules, dead_letters, quarantine the other commands
    kept          what they share: a state that is there, ids by their beginning
    screen        where text is printed      progress      the bar on a terminal

An error is one line on stderr that names the thing at fault, and exit code 2.
"""

from __future__ import annotations

import io
import os
import sys
from collections.abc import Sequence
from importlib import import_module

from router.domain.errors import BadPolicy, RouterError

FAILED = 2
"""The exit code of what could not be done: wrong usage, an unreadable file, a bad policy, a missing secret."""

_INTERRUPTED = 130
_NOBODY_READS = 141


def main(arguments: Sequence[str] | None = None) -> int:
    """Does what the command line says and returns the exit code; never raises for somebody's mistake."""
    _never_choke_on_text()
    try:
        code = _obey(sys.argv[1:] if arguments is None else arguments)
        sys.stdout.flush()
    except RouterError as error:
        _say(error)
        return FAILED
    except KeyboardInterrupt:
        return _INTERRUPTED
    except BrokenPipeError:
        # What is still buffered would be written at exit, and fail again.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return _NOBODY_READS
    return code


def _obey(arguments: Sequence[str]) -> int:
    from router.cli.parser import new_parser

    options = new_parser().parse_args(arguments)
    # Imported by name, so that `--help` does not wait for what only a command needs.
    module, _, function = options.command.partition(":")
    code: int = getattr(import_module(f"router.cli.{module}"), function)(options)
    return code


def _say(error: RouterError) -> None:
    lines = error.problems if isinstance(error, BadPolicy) else (str(error),)
    for line in lines:
        sys.stderr.write(" ".join(line.split()) + "\n")


def _never_choke_on_text() -> None:
    """A title in a script that the terminal's encoding lacks costs a letter, not the run."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")
