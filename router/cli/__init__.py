"""The command line: `alert-router ...`, also `python -m router`.

`parser` has what can be written, with `arguments` beneath it; each command has a module of its name.
An error is one line on stderr that names the thing at fault, and exit code 2.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from errno import ENAMETOOLONG
from importlib import import_module

from router.cli.interrupts import Interrupted, end_at_once, on_signals
from router.cli.streams import LostOutput, complain, refuse_lost_output, usable_streams
from router.domain.errors import BadPolicy, BadUsage, RouterError

FAILED = 2
"""The exit code of what could not be done: wrong usage, an unreadable file, a bad policy, a missing secret."""

LOST_OUTPUT = 141
"""The exit code of what was done and could not be printed."""

_DEMO = "alert_router_demo"


def main(arguments: Sequence[str] | None = None) -> int:
    """Do what the command line says and return the exit code; a person's mistake raises nothing."""
    with on_signals(end_at_once), usable_streams():
        try:
            return _obey(sys.argv[1:] if arguments is None else arguments)
        except LostOutput as lost:
            _say(lost)
            return LOST_OUTPUT
        except Interrupted as end:
            _say(end)
            return end.code
        except RouterError as error:
            _say(error)
            return FAILED
        except OSError as fault:
            # To ask whether there is such a file already fails then, wherever it is named.
            if fault.errno != ENAMETOOLONG:
                raise
            _say(BadUsage(f"{fault.filename}: cannot be read: {fault.strerror}"))
            return FAILED


def _obey(arguments: Sequence[str]) -> int:
    from router.cli.parser import parse

    try:
        options = parse(arguments)
        # Imported by name, so that `--help` does not wait for what only a command needs.
        module, _, function = options.command.partition(":")
        code: int = getattr(import_module(module), function)(options)
    except SystemExit:  # help was asked for
        refuse_lost_output()
        raise
    except ModuleNotFoundError as missing:
        if (missing.name or "").partition(".")[0] != _DEMO:
            raise
        from router.app.optional_packages import requirement

        raise BadUsage(f"demo: {_DEMO} is not deployed; install {requirement()}") from missing
    refuse_lost_output()
    return code


def _say(error: RouterError) -> None:
    # A name may have a line end in it, and a message may be empty.
    lines = error.problems if isinstance(error, BadPolicy) else filter(None, (str(error),))
    for line in lines:
        complain(" ".join(line.split()))
