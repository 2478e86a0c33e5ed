"""The options that several commands take, said in the same words wherever they stand."""

from __future__ import annotations

from argparse import _MutuallyExclusiveGroup
from pathlib import Path

from router.cli.argument_parser import Parser
from router.cli.argument_types import file_in, instant_in, state_in

STREAMS = ("cwpp", "cspm")

ID_HELP = "an id from the list, or the beginning of one"
FILE_HELP = (
    "NDJSON, JSON (also what az graph query and az rest print), or CSV if its name ends so; "
    "- is standard input, NDJSON or JSON, whose lines are taken as they come"
)
RULES_DIR = Path("rules")
"""Where rules are unless somebody says it."""

DEFAULT_STATE = Path(".state")
"""Where the state is unless somebody says it."""

RULES_HELP = "the rules directory (default: rules)"
_STATE_HELP = "where the state is kept: a directory, sqlite:DIRECTORY, or postgresql://ROLE@HOST/DATABASE"
_AUTHOR = "who does it, best by mail address (default: git's user.email or user.name, else who is logged in)"


def add_stream(parser: Parser, help: str) -> None:
    """Adds `--stream`."""
    parser.add_argument("--stream", choices=STREAMS, help=help)


def add_rules_dir(parser: Parser) -> None:
    """Adds `--rules`."""
    parser.add_argument("--rules", metavar="DIR", type=Path, default=RULES_DIR, help=RULES_HELP)


def add_state(
    parser: Parser | _MutuallyExclusiveGroup,
    usual: Path | None = DEFAULT_STATE,
    *,
    help: str = _STATE_HELP,
    else_: str = "",
    default: object = None,
) -> None:
    """Adds `--state`; where it is not given, `parse` puts ALERT_ROUTER_STATE there, else what is usual."""
    instead = else_ or (f", else {usual}" if usual is not None else "")
    parser.add_argument(
        "--state",
        metavar="STATE",
        type=state_in,
        default=default,
        help=f"{help} (default: ALERT_ROUTER_STATE{instead})",
    )
    parser.set_defaults(usual_state=usual)


def add_state_if_there(parser: Parser) -> None:
    """Adds `--state` to a command that can do without a state, and takes the usual one where it is there."""
    add_state(parser, None, else_=f", else {DEFAULT_STATE} if it is there")


def add_now(parser: Parser, help: str = "the time to decide at") -> None:
    """Adds `--now`; `help` says what happens at that instant."""
    parser.add_argument("--now", metavar="ISO", type=instant_in, help=f"{help} (default: the clock's)")


def add_decisions(parser: Parser, help: str) -> None:
    """Adds `--decisions`."""
    parser.add_argument("--decisions", metavar="FILE", type=file_in, help=help)


def add_ids(parser: Parser) -> None:
    """Adds ids from a list, and `--all`."""
    parser.add_argument("--all", action="store_true", help="all of them")
    parser.add_argument("ids", metavar="ID", nargs="*", help=ID_HELP)


def add_yes(parser: Parser) -> None:
    """Adds `--yes`."""
    parser.add_argument("--yes", action="store_true", help="do not ask; needed where there is no terminal")


def add_format(parser: Parser, *more: str) -> None:
    """Adds `--format`: text, JSON, and `more`."""
    formats = ("text", "json", *more)
    parser.add_argument("--format", choices=formats, default="text", help="how to print (default: text)")


def add_author(parser: Parser) -> None:
    """Adds `--author`."""
    parser.add_argument("--author", metavar="TEXT", help=_AUTHOR)
