"""A parser whose complaints are one line that names the argument, and what options and their values mean."""

from __future__ import annotations

import re
import shlex
from argparse import ArgumentParser, ArgumentTypeError, RawDescriptionHelpFormatter
from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from shutil import get_terminal_size
from textwrap import fill
from typing import TYPE_CHECKING, Any, NoReturn

from router.domain.errors import BadUsage
from router.domain.readable import one_line
from router.domain.resources import find_subscription_id

if TYPE_CHECKING:
    from argparse import _MutuallyExclusiveGroup, _SubParsersAction

    from router.store.conninfo import PostgresqlAddress

_CHOICE = re.compile(r"invalid choice: '(.*?)' \(choose from (.*)\)", re.DOTALL)


class Parser(ArgumentParser):
    """A parser whose complaint is an error of ours, and whose help ends with examples and exit codes."""

    def __init__(self, **options: Any) -> None:
        super().__init__(allow_abbrev=False, formatter_class=RawDescriptionHelpFormatter, **options)

    def format_help(self) -> str:
        """Return the help."""
        self.description = fill(self.description or "", get_terminal_size().columns - 2)
        self.epilog = _epilog_for(self.prog)
        return super().format_help()

    def refuse_unknown(self, unknown: Sequence[str], directory: object) -> NoReturn:
        """Raise BadUsage for arguments that the command does not know; `directory` is the one that it was given."""
        name, _, value = next((one for one in unknown if one.startswith("-")), "").partition("=")
        if name == "--rules" and self.prog in _CHECKS:
            line = shlex.join([*self.prog.split(), value or str(directory)])
            self.error(f"argument --rules: is no option here, where the directory stands by itself; write: {line}")
        options = re.findall(r"--[\w-]+", self.format_usage())
        self.error(f"unrecognized arguments: {' '.join(unknown)}{_nearest(name, options)}")

    def error(self, message: str) -> NoReturn:
        """Raise BadUsage, naming the argument first."""
        lacking = message.removeprefix("the following arguments are required: ")
        if wanted := _WANTED.get(f"{self.prog}: {lacking}") or _WANTED.get(lacking):
            message = f"{lacking}: is missing; {wanted}"
        elif found := _CHOICE.search(message):
            choices = found[2].replace("'", "")  # which Python 3.13.0 writes, and later ones do not
            message = message.replace(found[2], choices) + _nearest(found[1], choices.split(", "))
        raise BadUsage(f"{message.removeprefix('argument ')}; see {self.prog} --help")


def _nearest(word: str, known: Iterable[str]) -> str:
    """Return what a word was probably meant to be, as the end of a sentence; empty where nothing is close."""
    from difflib import get_close_matches  # for which no command that is spelled well waits

    close = get_close_matches(word, list(known), n=1)
    return f"; did you mean {close[0]}?" if close else ""


PROGRAM = "alert-router"

_FAILED = "could not be done; one line on standard error says why"
_INTERRUPTED = {"130": "interrupted by Ctrl-C", "141": "nobody reads what it says", "143": "terminated"}


def read_help() -> dict[str, Any]:
    """Return what help.toml says of each command, by the words behind the program's name."""
    import tomllib  # for which no other command waits

    return tomllib.loads(Path(__file__).with_name("help.toml").read_text(encoding="utf-8"))


def _epilog_for(program: str) -> str | None:
    """Return how the help of a program such as `alert-router rules check` ends; None if nothing is written of it."""
    text = read_help().get(program.removeprefix(PROGRAM).strip())
    if text is None:
        return None
    width = max(len(line) for line, _ in text["examples"])
    examples = [f"  {line.ljust(width)}  # {what}" for line, what in text["examples"]]
    found = {"1": text["found"]} if "found" in text else {}
    codes = {"0": "done", **found, "2": text.get("failed", _FAILED), **_INTERRUPTED}
    return "\n".join(
        ["examples:", *examples, "", "exit codes:", *(f"  {code.ljust(3)}  {what}" for code, what in codes.items())]
    )


_CHECKS = ("alert-router rules check", "alert-router rules test")
"""What takes a directory of rules by itself."""

_WANTED = {
    "FILE": "name a file of messages (NDJSON, JSON or CSV), or - for standard input",
    "FILE|ID": "name a file of messages, or a signal of a state by its id, the end of it, or the number of a ticket",
    "alert-router rules preview: FILE": "name the file of a suppression rule",
    "ID": "name one of the list",
    "DIR": "name the directory to write",
    "NAME": "name a destination; alert-router destinations list shows them",
    "--for": "say how long, such as --for 2h",
    "--reason": "say why, such as --reason 'patching, CHG-1234'",
}
"""What to give where an argument is missing, of any command or of one."""


type Commands = _SubParsersAction[Parser]


def add_command(commands: Commands, name: str, command: str, help: str) -> Parser:
    """Add a command; `command` names the module and the function that obey it."""
    parser = commands.add_parser(name, help=help, description=f"{help[0].upper()}{help[1:]}.")
    parser.set_defaults(command=command, parser=parser)
    return parser


def add_group(commands: Commands, name: str, help: str) -> Commands:
    """Add a group of commands; return what they are added to."""
    parser = commands.add_parser(name, help=help, description=f"{help[0].upper()}{help[1:]}.")
    group: Commands = parser.add_subparsers(title="commands", metavar="COMMAND", required=True)
    return group


_DURATION = re.compile(r"(?:(\d{1,4})d)?(?:(\d{1,4})h)?(?:(\d{1,5})m)?", re.ASCII | re.IGNORECASE)
_MINUTE = 60


def duration_in(text: str) -> timedelta:
    """Return the duration that a text names: days, hours and minutes, at least one minute."""
    found = _DURATION.fullmatch(text.strip())
    days, hours, minutes = (int(part or 0) for part in found.groups()) if found is not None else (0, 0, 0)
    if not (duration := timedelta(days=days, hours=hours, minutes=minutes)):
        raise ArgumentTypeError(f"{text!r} is no duration; write one such as 2h, 30m, 1h30m or 30d")
    return duration


def written(duration: timedelta) -> str:
    """Return a duration as it is written there, to the minute; one that is shorter, in seconds."""
    seconds = max(0, round(duration.total_seconds()))
    if seconds < _MINUTE:
        return f"{seconds}s"
    minutes = seconds // _MINUTE
    parts = {"d": minutes // (24 * 60), "h": minutes // 60 % 24, "m": minutes % 60}
    return "".join(f"{number}{unit}" for unit, number in parts.items() if number)


_GUID = re.compile(r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}", re.IGNORECASE)
_LONGEST = 24 * 3600

_WHERE = r"[\w.-]+(?::\d+)?/[^\s?#]*(?:#(?:(?:egg|subdirectory|md5|sha\d+)=[^\s&]*&?)*)?"
_ORIGIN = re.compile(
    rf"(?:alert-router(?:\[[a-z, ]*\])? ?@ ?)?(?:\./.+|(?:git\+)?https://{_WHERE}|git\+ssh://(?:[\w-]*@)?{_WHERE})"
)
"""What a workflow can install: a file of the repository, or a URL without a password, a token, or a query, which may be one."""


def instant_in(text: str) -> datetime:
    """Return the instant that an ISO 8601 text names; UTC where it names no zone."""
    try:
        written = datetime.fromisoformat(text.strip())
        instant = (written if written.tzinfo else written.replace(tzinfo=UTC)).astimezone(UTC)
    except (ValueError, OverflowError):
        raise ArgumentTypeError(f"{text!r} is no time; write one such as 2026-11-24T12:00:00Z") from None
    if not 1970 <= instant.year < 9000:
        raise ArgumentTypeError(f"{text!r} is no time to route at; write one after 1970")
    return instant


def file_in(text: str) -> Path:
    """Return the file of that name, which is not `-`: standard output tells people what came of it."""
    if text == "-":
        raise ArgumentTypeError("'-' is no file; name one")
    return Path(text)


def directory_in(text: str) -> Path:
    """Return the directory of that name; an empty name, as a variable of a shell leaves it, names none."""
    if not text.strip():
        raise ArgumentTypeError(f"{text!r} is no directory; name one, such as . for this one")
    return Path(text)


def origin_in(text: str) -> str:
    """Return what `init --from` names. What is refused is not repeated: it may hold a password, and a workflow is public."""
    if one_line(text) != text or not _ORIGIN.fullmatch(text):
        raise ArgumentTypeError(
            "is no URL without credentials that a workflow can get; write one such as "
            "git+https://HOST/OWNER/alert-router@COMMIT, or that of a wheel"
        )
    return text


def state_in(text: str) -> Path | PostgresqlAddress:
    """Return where a state is; a password is refused, since other programs can read arguments."""
    from router.store.conninfo import parse_state  # for which no help waits

    try:
        state = parse_state(text)
    except ValueError as fault:
        raise ArgumentTypeError(str(fault)) from None
    if not isinstance(state, Path) and state.password is not None:
        raise ArgumentTypeError(
            "holds a password, which others on this machine can read there; put the address into ALERT_ROUTER_STATE"
        )
    return state


def subscription_in(text: str) -> str:
    """Return the id of a subscription, in lower case, also where `/subscriptions/` stands before it."""
    id = find_subscription_id(text)
    if id is None:
        raise ArgumentTypeError(f"{text!r} is no id of a subscription; `az account list -o table` shows them")
    return id


def workspace_in(text: str) -> str:
    """Return the id of a workspace of Log Analytics, which is no ARM id."""
    written = text.strip().lower()
    if not _GUID.fullmatch(written):
        asks = "`az monitor log-analytics workspace list --query [].customerId`"
        raise ArgumentTypeError(f"{text!r} is no id of a workspace; {asks} shows them")
    return written


def seconds_in(text: str) -> float:
    """Return some seconds, a day at the most."""
    try:
        seconds = float(text)
    except ValueError:
        seconds = 0.0
    if not 0 < seconds <= _LONGEST:
        raise ArgumentTypeError(f"{text!r} is no number of seconds above 0 and up to a day")
    return seconds


STREAMS = ("cwpp", "cspm")

ID_HELP = "an id from the list, or the beginning of one"
FILE_HELP = (
    "NDJSON, JSON (also what az graph query and az rest print), or CSV if its name ends so; "
    "- is standard input, NDJSON or JSON, whose lines are taken as they come"
)
RULES_DIR = Path("rules")
"""Where rules are unless an option says it."""

DEFAULT_STATE = Path(".state")
"""Where the state is unless an option or a setting says it."""

RULES_HELP = "the rules directory (default: rules)"
_STATE_HELP = "where the state is kept: a directory, sqlite:DIRECTORY, or postgresql://ROLE@HOST/DATABASE"
_AUTHOR = "who does it, best by mail address (default: git's user.email or user.name, else who is logged in)"


FORMATS = ("text", "json")

_SHARED: Mapping[str, Mapping[str, Any]] = {
    "--author": {"metavar": "TEXT", "help": _AUTHOR},
    "--decisions": {"metavar": "FILE", "type": file_in},
    "--format": {"choices": FORMATS, "default": "text", "help": "how to print (default: text)"},
    "--now": {"metavar": "ISO", "type": instant_in, "help": "the time to decide at (default: the clock's)"},
    "--rules": {"metavar": "DIR", "type": Path, "default": RULES_DIR, "help": RULES_HELP},
    "--stream": {"choices": STREAMS},
    "--yes": {"action": "store_true", "help": "do not ask; needed where there is no terminal"},
}
"""The options that several commands take."""


def add_shared(parser: Parser, *names: str, **changes: Any) -> None:
    """Add shared options, with other words or values where this command has some."""
    for name in names:
        parser.add_argument(name, **{**_SHARED[name], **changes})


def add_state(
    parser: Parser | _MutuallyExclusiveGroup,
    usual: Path | None = DEFAULT_STATE,
    *,
    help: str = _STATE_HELP,
    else_: str = "",
    default: object = None,
) -> None:
    """Add `--state`; where it is not given, `parse` puts ALERT_ROUTER_STATE there, else what is usual."""
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
    """Add `--state` to a command that can do without a state, and takes the usual one where it is there."""
    add_state(parser, None, else_=f", else {DEFAULT_STATE} if it is there")


def add_ids(parser: Parser) -> None:
    """Add ids from a list, and `--all`."""
    parser.add_argument("--all", action="store_true", help="all of them")
    parser.add_argument("ids", metavar="ID", nargs="*", help=ID_HELP)
