"""What can be written on the command line."""

from __future__ import annotations

from argparse import Namespace
from collections.abc import Sequence
from pathlib import Path

from router.cli.argument_parser import Commands, Parser, add_command
from router.cli.coverage_commands import add_coverage_commands
from router.cli.drill_commands import add_drill_command
from router.cli.message_commands import (
    add_demo_command,
    add_explain_command,
    add_run_command,
    add_send_command,
    add_serve_command,
)
from router.cli.rule_commands import add_attack_commands, add_init_command, add_rules_commands, add_silences_commands
from router.cli.shared_options import RULES_HELP
from router.cli.state_commands import (
    add_dead_letters_commands,
    add_destinations_commands,
    add_quarantine_commands,
    add_state_command,
)

SHELLS = ("bash", "zsh", "fish")


def new_parser() -> Parser:
    """The parser; what it parses has in `command` the module and the function that obey it."""
    parser = Parser(prog="alert-router", description="Routes what Microsoft Defender for Cloud exports.")
    parser.add_argument("--version", action="store_true", help="print the version, and the hash of the rules, and end")
    parser.add_argument("--rules", metavar="DIR", type=Path, dest="rules_shown", help=f"with --version: {RULES_HELP}")
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
    """What a command line says; raises BadUsage."""
    parser = new_parser()
    options = parser.parse_args(arguments)
    if options.version:
        options.command = "router.cli.version:show"
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
        commands, "completion", "router.cli.completion:script", "print what completes words in a shell"
    )
    completion.add_argument("shell", choices=SHELLS, help="the shell")
