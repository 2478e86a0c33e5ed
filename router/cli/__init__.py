"""The command line: `alert-router ...`, also `python -m router`.

    parser        what can be written; rule_commands, coverage   behind the commands about rules, and coverage
    arguments     a parser whose complaint is one line, and what arguments mean      given   what options stand for
    help.toml     how each --help ends       completion    what completes words in a shell
    version       what --version says
    run           routes files               job           the work of `run`, and of the demo
    files, csv_messages   files -> messages  incoming      standard input, answers of Azure, batches
    splitting     bytes -> lines, elements
    decisions     the decisions file         progress      the bar on a terminal
    forgetting    what is old goes at the end of a job
    funnel        what a run came to
    init          rules of one's own, and the workflow that checks them
    explain, rules, state, dead_letters, quarantine, send, serve   the other commands
    destinations, destination_list   the same
    silences, silences_add   the same; silence_store   how they are read and written; silence_preview   what one would hold
    silence_document   one for programs      silence_times   what commands say that make one
    explain_signal   the life of a signal as it is read      signal_document   the same for programs
    rules_list    every rule with what it held       rules_list_report   the same as it is read
    rules_report  what `rules` found, as values      formats    annotations and cases, as other programs read them
    attack        what of ATT&CK nobody hears of     attack_layer    the same for the Navigator
    preview       what a rule would have held        preview_report    the same as it is read
    opened_state  what they share: a state that is there, ids by their beginning
    printing      where lines and JSON are printed      screen     where tables are painted
    streams       standard input, output and error, and what is said and asked there
    interrupts    Ctrl-C and SIGTERM         stopping      a stop in order

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

NOBODY_READS = 141
"""The exit code of what was done and has nobody to tell."""

_DEMO = "alert_router_demo"


def main(arguments: Sequence[str] | None = None) -> int:
    """Does what the command line says and returns the exit code; never raises for somebody's mistake."""
    with on_signals(end_at_once), usable_streams():
        try:
            return _obey(sys.argv[1:] if arguments is None else arguments)
        except LostOutput as lost:
            _say(lost)
            return NOBODY_READS
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
        from router.app.extras import requirement

        raise BadUsage(f"demo: {_DEMO} is not deployed; install {requirement()}") from missing
    refuse_lost_output()
    return code


def _say(error: RouterError) -> None:
    # A name may have a line end in it; whoever has nothing to say says nothing.
    lines = error.problems if isinstance(error, BadPolicy) else filter(None, (str(error),))
    for line in lines:
        complain(" ".join(line.split()))
