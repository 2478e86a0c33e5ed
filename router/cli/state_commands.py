"""What can be written behind the commands about a state: `state`, `dead-letters`, `quarantine`, `destinations`."""

from __future__ import annotations

from argparse import SUPPRESS
from pathlib import Path

from router.cli.argument_parser import Commands, add_command, add_group
from router.cli.durations import duration_in
from router.cli.shared_options import (
    ID_HELP,
    STREAMS,
    add_author,
    add_format,
    add_ids,
    add_now,
    add_rules_dir,
    add_state,
    add_stream,
    add_yes,
)

_STATE = "say what is in a state, how large and how old, and what of it is forgotten next; it stays as it is"
_UPGRADE = "make the tables of a database that has none, and carry a state forward to this program's version"
_BACKUP = "copy the state of a directory into a file, also beside a run"
_REDRIVE = "owe them again; the next run sends them, or whoever serves the state"
_RETAKE = "read messages again, with today's code; the next run sends what is routed, or whoever serves the state"
_HOLD = "keep one from being asked, for 4 hours at most where it is a pager, else 48"
_FOR = "how long, such as 2h, 30m or 1h30m; again, counted from the first start"
_RULES_THERE = "the rules directory (default: rules, if it is there; without rules what the state knows counts)"


def add_state_command(commands: Commands) -> None:
    """Adds `state`."""
    state = add_command(commands, "state", "router.cli.state:show", _STATE)
    add_state(state)
    add_now(state, "the time to tell of: what is due then")
    add_format(state)
    inner: Commands = state.add_subparsers(title="commands", metavar="COMMAND")
    upgrade = add_command(inner, "upgrade", "router.cli.state:upgrade", _UPGRADE)
    copy = add_command(inner, "backup", "router.cli.state_backup:copy", _BACKUP)
    copy.add_argument("copy", metavar="FILE", type=Path, help="the copy, which is not there yet")
    for command in (upgrade, copy):
        # Where it is not given there, what stands before the command counts.
        add_state(command, default=SUPPRESS)


def add_dead_letters_commands(commands: Commands) -> None:
    """Adds `dead-letters`."""
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
    add_yes(discard)
    for command in (listing, show):
        add_format(command)
    for command in (redrive, discard):
        add_now(command, "the time to do it at")
        add_ids(command)
    for command in (listing, show, redrive, discard):
        add_state(command)


def add_quarantine_commands(commands: Commands) -> None:
    """Adds `quarantine`."""
    quarantine = add_group(commands, "quarantine", "see to what was not understood")
    listing = add_command(quarantine, "list", "router.cli.quarantine:list_it", "list it")
    show = add_command(quarantine, "show", "router.cli.quarantine:show", "show one message whole")
    show.add_argument("id", metavar="ID", help=ID_HELP)
    retake = add_command(quarantine, "retake", "router.cli.quarantine:retake", _RETAKE)
    add_stream(retake, "the stream that they come from; without it each goes to its own")
    add_rules_dir(retake)
    add_now(retake)
    discard = add_command(quarantine, "discard", "router.cli.quarantine:discard", "forget messages for good")
    add_yes(discard)
    for command in (listing, show):
        add_format(command)
    for command in (retake, discard):
        add_ids(command)
    for command in (listing, show, retake, discard):
        add_state(command)


def add_destinations_commands(commands: Commands) -> None:
    """Adds `destinations`."""
    group = add_group(commands, "destinations", "see how destinations are, and keep one from being asked")
    listing = add_command(group, "list", "router.cli.destination_list:show", "list them: held, paused, owed, dead")
    hold = add_command(group, "hold", "router.cli.destinations:hold", _HOLD)
    hold.add_argument("--for", metavar="DURATION", dest="duration", type=duration_in, required=True, help=_FOR)
    hold.add_argument("--reason", metavar="TEXT", required=True, help="why, for whoever is not told meanwhile")
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
        add_now(command, "the time to do it at")
    for command in (listing, hold, release):
        add_format(command)
    for command in (hold, release):
        add_author(command)
        command.add_argument("name", metavar="NAME", help="the destination, as the policy calls it")
