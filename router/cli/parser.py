"""What can be written on the command line; and what the program says of itself: its version, and how shells complete it."""

from __future__ import annotations

import sys
from argparse import SUPPRESS, ArgumentParser, Namespace, _SubParsersAction
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

from router.cli.arguments import (
    DEFAULT_STATE,
    FILE_HELP,
    ID_HELP,
    RULES_DIR,
    RULES_HELP,
    STREAMS,
    Commands,
    Parser,
    add_command,
    add_group,
    add_ids,
    add_shared,
    add_state,
    add_state_if_there,
    duration_in,
)
from router.cli.coverage import add_coverage_commands, add_drill_command
from router.cli.rule_commands import add_attack_commands, add_init_command, add_rules_commands, add_silences_commands
from router.domain.errors import BadUsage
from router.domain.readable import counted, one_line

if TYPE_CHECKING:
    from router.domain.signals import Stream

_EXPLAIN = "say every step of the decision on each signal in a file; or, of a signal in a state, its whole life"
_DEMO_STATE = "the directory where the state is kept (default: .state/demo)"
_SIGNAL = "its id, the end of one, its key, the number of a ticket, or its resource"


def add_run_command(commands: Commands) -> None:
    """Add `run`."""
    run = add_command(commands, "run", "router.cli.run:run", "route messages from files")
    add_shared(run, "--stream", help="the stream that the messages come from; without it each goes to its own")
    add_shared(run, "--rules")
    add_state(run)
    add_shared(
        run,
        "--now",
        help="the time to decide at and to deliver at, so what is due and what is too old (default: the clock's)",
    )
    add_shared(run, "--decisions", help="write every decision there, one JSON object a line")
    run.add_argument("--dry-run", action="store_true", help="only decide: no state, no secrets, nothing sent")
    run.add_argument("files", metavar="FILE", nargs="+", help=FILE_HELP)


def add_demo_command(commands: Commands) -> None:
    """Add `demo`."""
    demo = add_command(commands, "demo", "alert_router_demo.story:run", "route bundled samples to a SOC on loopback")
    # It is the same wherever it is tried: no setting says where its state is.
    demo.add_argument("--state", metavar="DIR", type=Path, default=DEFAULT_STATE / "demo", help=_DEMO_STATE)
    add_shared(demo, "--decisions", help="where to write decisions (default: in the state)")


def add_explain_command(commands: Commands) -> None:
    """Add `explain`."""
    explain = add_command(commands, "explain", "router.cli.explain:run", _EXPLAIN)
    add_shared(
        explain, "--stream", help="the stream that the messages come from, or the signal is of; without it either"
    )
    add_shared(explain, "--rules")
    add_state_if_there(explain)
    add_shared(explain, "--now", help="the time to decide at, or to tell of (default: the clock's)")
    add_shared(explain, "--format")
    explain.add_argument(
        "--notice",
        metavar="DESTINATION",
        help="print the first notice of each message to that destination, or the last that it took of a signal, instead: as "
        "text (in JSON, beside the rest)",
    )
    explain.add_argument("file", metavar="FILE|ID", help=f"a file: {FILE_HELP}; or of a signal in a state: {_SIGNAL}")


def add_send_command(commands: Commands) -> None:
    """Add `send`."""
    send = add_command(commands, "send", "router.cli.send:send", "publish messages from files to an event hub")
    send.add_argument("--to", choices=STREAMS, required=True, help="the hub, which is called as its stream is")
    send.add_argument("files", metavar="FILE", nargs="+", help=FILE_HELP)


def add_serve_command(commands: Commands) -> None:
    """Add `serve`."""
    serve = add_command(
        commands, "serve", "router.cli.serve:serve", "read the event hubs, deliver and sweep, until told to stop"
    )
    add_shared(serve, "--rules")
    add_state(serve)


_STATE = "say what is in a state, how large and how old; it stays as it is"
_UPGRADE = "make the tables of a database that has none, and carry a state forward to this program's version"
_BACKUP = "copy the state of a directory into a file, also beside a run"
_REDRIVE = "owe them again; the next run sends them, or the process that serves the state"
_RETAKE = (
    "read messages again, with today's code; the next run sends what is routed, or the process that serves the state"
)
_HOLD = "keep one from being asked, for 4 hours at most where it is a pager, else 48"
_FOR = "how long, such as 2h, 30m or 1h30m; again, counted from the first start"
_RULES_THERE = "the rules directory (default: rules, if it is there; without rules what the state knows counts)"


def add_state_command(commands: Commands) -> None:
    """Add `state`."""
    state = add_command(commands, "state", "router.cli.state:show", _STATE)
    add_state(state)
    add_shared(state, "--now", help="the time to tell of: what is due then (default: the clock's)")
    add_shared(state, "--format")
    inner: Commands = state.add_subparsers(title="commands", metavar="COMMAND")
    upgrade = add_command(inner, "upgrade", "router.cli.state:upgrade", _UPGRADE)
    copy = add_command(inner, "backup", "router.cli.state:copy", _BACKUP)
    copy.add_argument("copy", metavar="FILE", type=Path, help="the copy, which is not there yet")
    for command in (upgrade, copy):
        # Where it is not given there, what stands before the command counts.
        add_state(command, default=SUPPRESS)


def add_dead_letters_commands(commands: Commands) -> None:
    """Add `dead-letters`."""
    letters = add_group(commands, "dead-letters", "see to what was given up on")
    listing = add_command(letters, "list", "router.cli.dead_letters:list_them", "list them")
    show = add_command(letters, "show", "router.cli.dead_letters:show", "show one whole")
    show.add_argument("id", metavar="ID", help=ID_HELP)
    redrive = add_command(
        letters,
        "redrive",
        "router.cli.dead_letters:redrive",
        _REDRIVE,
    )
    discard = add_command(letters, "discard", "router.cli.dead_letters:discard", "forget them for good")
    add_shared(discard, "--yes")
    for command in (listing, show):
        add_shared(command, "--format")
    for command in (redrive, discard):
        add_shared(command, "--now", help="the time to do it at (default: the clock's)")
        add_ids(command)
    for command in (listing, show, redrive, discard):
        add_state(command)


def add_quarantine_commands(commands: Commands) -> None:
    """Add `quarantine`."""
    quarantine = add_group(commands, "quarantine", "see to what was not understood")
    listing = add_command(quarantine, "list", "router.cli.quarantine:list_it", "list it")
    show = add_command(quarantine, "show", "router.cli.quarantine:show", "show one message whole")
    show.add_argument("id", metavar="ID", help=ID_HELP)
    retake = add_command(quarantine, "retake", "router.cli.quarantine:retake", _RETAKE)
    add_shared(retake, "--stream", help="the stream that they come from; without it each goes to its own")
    add_shared(retake, "--rules", "--now")
    discard = add_command(quarantine, "discard", "router.cli.quarantine:discard", "forget messages for good")
    add_shared(discard, "--yes")
    for command in (listing, show):
        add_shared(command, "--format")
    for command in (retake, discard):
        add_ids(command)
    for command in (listing, show, retake, discard):
        add_state(command)


def add_destinations_commands(commands: Commands) -> None:
    """Add `destinations`."""
    group = add_group(commands, "destinations", "see how destinations are, and keep one from being asked")
    listing = add_command(group, "list", "router.cli.destinations:show", "list them: held, paused, owed, dead")
    hold = add_command(group, "hold", "router.cli.destinations:hold", _HOLD)
    hold.add_argument("--for", metavar="DURATION", dest="duration", type=duration_in, required=True, help=_FOR)
    hold.add_argument("--reason", metavar="TEXT", required=True, help="why, for those who are not told meanwhile")
    release = add_command(
        group,
        "release",
        "router.cli.destinations:release",
        "have one asked again that is held, and at once if it is paused",
    )
    release.add_argument("--reason", metavar="TEXT", default="released", help="why (default: released)")
    for command in (listing, hold, release):
        command.add_argument("--stream", choices=STREAMS, help="the stream of the destination; without it either")
        command.add_argument("--rules", metavar="DIR", type=Path, help=_RULES_THERE)
        add_state(command)
        add_shared(command, "--now", help="the time to do it at (default: the clock's)")
    for command in (listing, hold, release):
        add_shared(command, "--format")
    for command in (hold, release):
        add_shared(command, "--author")
        command.add_argument("name", metavar="NAME", help="the destination, as the policy calls it")


SHELLS = ("bash", "zsh", "fish")


def new_parser() -> Parser:
    """Return the parser; what it parses has in `command` the module and the function that obey it."""
    parser = Parser(prog="alert-router", description="Routes what Microsoft Defender for Cloud exports.")
    parser.add_argument("--version", action="store_true", help="print the version, and the hash of the rules, and end")
    parser.add_argument("--rules", metavar="DIR", type=Path, dest="rules_shown", help=f"with --version: {RULES_HELP}")
    parser.set_defaults(parser=parser)
    commands: Commands = parser.add_subparsers(title="commands", metavar="COMMAND")
    add_init_command(commands)
    add_run_command(commands)
    add_demo_command(commands)
    add_explain_command(commands)
    add_rules_commands(commands)
    add_attack_commands(commands)
    add_silences_commands(commands)
    add_coverage_commands(commands)
    add_drill_command(commands)
    add_state_command(commands)
    add_dead_letters_commands(commands)
    add_quarantine_commands(commands)
    add_destinations_commands(commands)
    add_send_command(commands)
    add_serve_command(commands)
    _add_completion(commands)
    return parser


def parse(arguments: Sequence[str]) -> Namespace:
    """Return what a command line says; raises BadUsage."""
    parser = new_parser()
    options, unknown = parser.parse_known_args(arguments)
    if unknown:
        options.parser.refuse_unknown(unknown, getattr(options, "directory", None))
    if options.version:
        options.command = "router.cli.parser:print_version"
    elif options.rules_shown is not None:
        parser.error("argument --rules: stands behind a command, or beside --version")
    elif "command" not in options:
        parser.error("the following arguments are required: COMMAND")
    if getattr(options, "state", "") is None:
        from router.app.settings import Settings  # for which no help waits

        options.state = Settings().state or options.usual_state
    return options


def _add_completion(commands: Commands) -> None:
    completion = add_command(
        commands, "completion", "router.cli.parser:script", "print what completes words in a shell"
    )
    completion.add_argument("shell", choices=SHELLS, help="the shell")


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
    """Print the version; below it the rulebook's hash of each stream, where rules are here or a directory is named."""
    from importlib.metadata import PackageNotFoundError, version  # for which no help waits

    from router.app.optional_packages import PACKAGE
    from router.domain.signals import Stream

    directory: Path = options.rules_shown or RULES_DIR
    streams = [stream for stream in Stream if (directory / stream).is_dir()]
    if options.rules_shown is not None and not streams:
        from router.cli.option_values import streams_in

        streams_in(directory)  # which says what is wrong
    try:
        lines = [f"{PACKAGE} {version(PACKAGE)}"]
    except PackageNotFoundError:
        raise BadUsage(f"--version: {PACKAGE} runs without being installed, and only a package has one") from None
    if streams:
        lines.append(_line_for(directory, streams))
    sys.stdout.writelines(f"{one_line(line)}\n" for line in lines)
    return 0


def _line_for(directory: Path, streams: Sequence[Stream]) -> str:
    from router.destinations import discover
    from router.rulebook import load_all

    loaded = load_all(directory, discover(), datetime.now(UTC))
    books = {stream: loaded[stream].rulebook for stream in streams}
    hashes = [f"{stream} {book.hash if book is not None else 'cannot be used'}" for stream, book in books.items()]
    wrong = {problem for stream in streams for problem in loaded[stream].problems if problem.level == "problem"}
    see = f"; {counted(len(wrong), 'problem')}, see alert-router rules check {directory}" if wrong else ""
    return f"{directory}: {', '.join(hashes)}{see}"
