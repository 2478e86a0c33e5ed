"""What can be written on the command line."""

from __future__ import annotations

import shlex
from argparse import (
    Action,
    ArgumentError,
    ArgumentParser,
    ArgumentTypeError,
    HelpFormatter,
    Namespace,
    _MutuallyExclusiveGroup,
    _SubParsersAction,
)
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import NoReturn

from router.cli.durations import duration_in
from router.cli.origin import origin_in
from router.domain.errors import BadUsage

STREAMS = ("cwpp", "cspm")
SHELLS = ("bash", "zsh", "fish")
SEVERITIES = ("Informational", "Low", "Medium", "High", "Critical")


class _HelpFormatter(HelpFormatter):
    """Fills paragraphs, and leaves alone what has lines of its own."""

    def _fill_text(self, text: str, width: int, indent: str) -> str:
        return text if "\n" in text else super()._fill_text(text, width, indent)


class Parser(ArgumentParser):
    """A parser whose complaint is an error of ours: one line."""

    def __init__(self, *args: object, **kwargs: object) -> None:
        super().__init__(*args, allow_abbrev=False, formatter_class=_HelpFormatter, **kwargs)  # type: ignore[arg-type, misc]

    def format_help(self) -> str:
        """The help, which ends with examples and exit codes."""
        from router.cli.help_texts import epilog_for  # for which no other command waits

        self.epilog = epilog_for(self.prog)
        return super().format_help()

    def parse_known_args(  # type: ignore[override]
        self, args: Sequence[str] | None = None, namespace: Namespace | None = None
    ) -> tuple[Namespace, list[str]]:
        """What a command line says; raises BadUsage for what it does not know, which only the command itself can help with."""
        options, unknown = super().parse_known_args(args, namespace)
        if unknown:
            self.error(self._words_for(unknown, options))
        return options, []

    def _words_for(self, unknown: Sequence[str], options: Namespace) -> str:
        """What to say of arguments that it does not know."""
        name, _, value = next((one for one in unknown if one.startswith("-")), "").partition("=")
        if name == "--rules" and self.prog in _CHECKS:
            line = shlex.join([*self.prog.split(), value or str(options.directory)])
            return f"argument --rules: is no option here, where the directory stands by itself; write: {line}"
        return f"unrecognized arguments: {' '.join(unknown)}{_meant(name, self._option_string_actions)}"

    def _check_value(self, action: Action, value: object) -> None:
        try:
            super()._check_value(action, value)
        except ArgumentError as error:
            raise ArgumentError(action, error.message + _meant(str(value), map(str, action.choices or ()))) from None

    def error(self, message: str) -> NoReturn:
        """Raises BadUsage, naming the argument first."""
        lacking = message.removeprefix("the following arguments are required: ")
        if lacking in _WANTED:
            message = f"{lacking}: is missing; {_WANTED[lacking]}"
        raise BadUsage(f"{message.removeprefix('argument ')}; see {self.prog} --help")


def _meant(word: str, known: Iterable[str]) -> str:
    """What a word was probably meant to be, as the end of a sentence; empty where nothing is close."""
    from difflib import get_close_matches  # for which no command that is spelled well waits

    close = get_close_matches(word, list(known), n=1)
    return f"; did you mean {close[0]}?" if close else ""


_CHECKS = ("alert-router rules check", "alert-router rules test")
"""What takes a directory of rules by itself."""

_WANTED = {
    "FILE": "name a file of messages (NDJSON, JSON or CSV), or - for standard input",
    "FILE|ID": "name a file of messages, or a signal of a state by its id, the end of it, or the number of a ticket",
    "ID": "name one of the list",
    "DIR": "name the directory to write",
    "NAME": "name a destination; alert-router destinations list shows them",
    "--for": "say how long, such as --for 2h",
    "--reason": "say why, such as --reason 'patching, CHG-1234'",
}
"""What to give where an argument is missing."""


type Commands = _SubParsersAction[Parser]


def new_parser() -> Parser:
    """The parser; what it parses has in `command` the module and the function that obey it."""
    parser = Parser(prog="alert-router", description="Routes what Microsoft Defender for Cloud exports.")
    parser.add_argument("--version", action="store_true", help="print the version, and the hash of the rules, and end")
    parser.add_argument("--rules", metavar="DIR", type=Path, dest="rules_shown", help=f"with --version: {_RULES}")
    commands: Commands = parser.add_subparsers(title="commands", metavar="COMMAND")
    _add_init(commands)
    _add_run(commands)
    _add_demo(commands)
    _add_explain(commands)
    _add_rules(commands)
    _add_attack(commands)
    _add_silences(commands)
    _add_state_report(commands)
    _add_dead_letters(commands)
    _add_quarantine(commands)
    _add_destinations(commands)
    _add_send(commands)
    _add_serve(commands)
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
    return options


def instant_in(text: str) -> datetime:
    """The instant that an ISO 8601 text names; UTC where it names no zone."""
    try:
        written = datetime.fromisoformat(text.strip())
        instant = (written if written.tzinfo else written.replace(tzinfo=UTC)).astimezone(UTC)
    except (ValueError, OverflowError):
        raise ArgumentTypeError(f"{text!r} is no time; write one such as 2026-11-24T12:00:00Z") from None
    if not 1970 <= instant.year < 9000:
        raise ArgumentTypeError(f"{text!r} is no time to route at; write one after 1970")
    return instant


def file_in(text: str) -> Path:
    """The file of that name, which is not `-`: standard output tells people what came of it."""
    if text == "-":
        raise ArgumentTypeError("'-' is no file; name one")
    return Path(text)


def directory_in(text: str) -> Path:
    """The directory of that name; an empty name, as a variable of a shell leaves it, names none."""
    if not text.strip():
        raise ArgumentTypeError(f"{text!r} is no directory; name one, such as . for this one")
    return Path(text)


def _add_run(commands: Commands) -> None:
    run = _command(commands, "run", "router.cli.run:run", "route messages from files")
    _add_stream(run, "the stream that the messages come from; without it each goes to its own")
    _add_rules_dir(run)
    _add_state(run)
    _add_now(run, "the time to decide at and to deliver at, so what is due and what is too old")
    _add_decisions(run, "write every decision there, one JSON object a line")
    run.add_argument("--dry-run", action="store_true", help="only decide: no state, no secrets, nothing sent")
    run.add_argument("files", metavar="FILE", nargs="+", help=_FILE)


def _add_init(commands: Commands) -> None:
    init = _command(
        commands, "init", "router.cli.init:init", "write rules to start from, and the workflow that checks them"
    )
    init.add_argument(
        "--from",
        metavar="URL",
        dest="origin",
        type=origin_in,
        help="where the workflow installs the program from (default: the commit that this one was installed from)",
    )
    init.add_argument(
        "directory", metavar="DIR", type=directory_in, help="the directory of a repository, made unless it is there"
    )


def _add_demo(commands: Commands) -> None:
    demo = _command(commands, "demo", "alert_router_demo:run", "route bundled samples to a SOC on loopback")
    _add_state(demo, ".state/demo")
    _add_decisions(demo, "where to write decisions (default: in the state)")


def _add_explain(commands: Commands) -> None:
    explain = _command(commands, "explain", "router.cli.explain:run", _EXPLAIN)
    _add_stream(explain, "the stream that the messages come from, or the signal is of; without it either")
    _add_rules_dir(explain)
    _add_state_or_storage(explain, default=None)
    _add_now(explain, "the time to decide at, or to tell of")
    _add_format(explain)
    explain.add_argument(
        "--notice",
        metavar="DESTINATION",
        help="print the first notice of each message to that destination, or the last that it took of a signal, instead: as "
        "text (in JSON, beside the rest)",
    )
    explain.add_argument("file", metavar="FILE|ID", help=f"a file: {_FILE}; or of a signal in a state: {_SIGNAL}")


def _add_rules(commands: Commands) -> None:
    rules = _group(commands, "rules", "check, test, list, preview and describe the rules")
    check = _command(rules, "check", "router.cli.rules:check", "report problems and warnings")
    test = _command(rules, "test", "router.cli.rules:test", "run the examples")
    for command, formats in ((check, ("github", "junit", "sarif")), (test, ("github", "junit"))):
        command.add_argument("directory", metavar="DIR", type=Path, nargs="?", default=Path("rules"), help=_RULES)
        _add_now(command)
        _add_format(command, *formats)
    check.add_argument("--strict", action="store_true", help="warnings are problems")
    listing = _command(rules, "list", "router.cli.rules_list:list_them", _LIST)
    listing.add_argument("directory", metavar="DIR", type=Path, nargs="?", default=Path("rules"), help=_RULES)
    _add_state_or_storage(listing, None)
    listing.add_argument(
        "--expiring", metavar="TIME", type=duration_in, help="those alone that end within that time, such as 30d"
    )
    listing.add_argument(
        "--unused", metavar="TIME", type=duration_in, help="those alone that held nothing for that time, such as 30d"
    )
    _add_stream(listing, "those of that stream alone")
    _add_now(listing, "the time to tell of")
    _add_format(listing)
    preview = _command(rules, "preview", "router.cli.preview:show", "say what a suppression rule would have held")
    _add_stream(preview, "the stream that the rule is for; without it the one in whose directory its file stands")
    _add_rules_dir(preview)
    _add_state_or_storage(preview)
    preview.add_argument(
        "--since", metavar="LENGTH", type=duration_in, default="30d", help="how far back to look (default: 30d)"
    )
    _add_now(preview, "the time up to which to look")
    _add_format(preview, "markdown")
    preview.add_argument(
        "--fail-on",
        metavar="SEVERITY",
        type=str.capitalize,
        choices=SEVERITIES,
        help="end with 1 if it would have held one as grave: " + ", ".join(SEVERITIES),
    )
    preview.add_argument("file", metavar="FILE", type=file_in, help=_RULE_FILE)
    schema = _command(rules, "schema", "router.cli.rules:schema", "print the JSON Schemas of the rules files")
    schema.add_argument("name", metavar="NAME", nargs="?", help="policy, suppression, owners, ...; without it all")
    schema.add_argument("--out", metavar="DIR", type=Path, help="write NAME.schema.json files there instead")


def _add_attack(commands: Commands) -> None:
    attack = _group(commands, "attack", "show what the rules make of MITRE ATT&CK")
    layer = _command(attack, "layer", "router.cli.attack:layer", _LAYER)
    _add_stream(layer, "the stream to tell of (default: cwpp)")
    _add_rules_dir(layer)
    source = _add_state_or_storage(layer)
    source.add_argument("file", metavar="FILE", type=file_in, nargs="?", help=_DECISIONS)
    since = "how far back to look, such as 30d or 12h (default: 30d; in a file, all of it)"
    layer.add_argument("--since", metavar="DURATION", type=duration_in, help=since)
    layer.add_argument("--until", metavar="ISO", type=instant_in, help="where the time to look at ends (default: now)")
    _add_now(layer, "the time to tell of: which rules are in force then")
    layer.add_argument("--out", metavar="FILE", type=file_in, help="write the layers there, for the Navigator")
    _add_format(layer)


def _add_silences(commands: Commands) -> None:
    silences = _group(commands, "silences", "hold signals back for some hours, and see what is held back so")
    add = _command(silences, "add", "router.cli.silences_add:add", _SILENCE)
    add.add_argument("--stream", choices=STREAMS, default="cwpp", help="the stream that it is for (default: cwpp)")
    add.add_argument("--type", metavar="TYPE", help="the alert type, or recommendation category; without it any")
    add.add_argument("--resource", metavar="GLOB", help=_RESOURCE)
    add.add_argument(
        "--host",
        metavar="NAME",
        action="append",
        help="a machine by its name or a glob, however alerts name it; again for another one",
    )
    add.add_argument("--entity", metavar="FIELD=VALUE", action="append", help=_ENTITY)
    add.add_argument(
        "--for", metavar="LENGTH", dest="duration", type=duration_in, help="for how long, such as 2h, 30m, 1h30m"
    )
    add.add_argument("--until", metavar="ISO", type=instant_in, help="until when, instead of --for")
    add.add_argument("--from", metavar="ISO", dest="begins", type=instant_in, help="when it begins (default: now)")
    add.add_argument("--every", metavar="WINDOW", help=_EVERY)
    add.add_argument("--reason", metavar="TEXT", required=True, help="why; people will read it")
    add.add_argument("--ticket", metavar="TICKET", help="the ticket that allows it, where the policy wants one")
    _add_author(add)
    _add_rules_dir(add)
    add.add_argument("--yes", action="store_true", help="do it without asking")
    listing = _command(silences, "list", "router.cli.silences:list_them", "list them, the soonest end first")
    listing.add_argument("--expired", action="store_true", help="those that are over, instead")
    extend = _command(
        silences, "extend", "router.cli.silences:extend", "let one end later, as far as the policy allows"
    )
    extend.add_argument(
        "--for", metavar="LENGTH", dest="duration", type=duration_in, required=True, help="by how much longer"
    )
    _add_rules_dir(extend)
    end = _command(silences, "end", "router.cli.silences:end", "end one now: what it holds and still stands comes out")
    for command in (extend, end):
        command.add_argument("id", metavar="ID", help=_ID)
        _add_author(command)
    for command in (add, listing, extend, end):
        _add_state_or_storage(command)
        _add_now(command, "the time to do it at")
        _add_format(command)


def _add_author(parser: Parser) -> None:
    help = "who does it, best by mail address (default: whom git knows, else who is logged in)"
    parser.add_argument("--author", metavar="WHO", help=help)


def _add_state_report(commands: Commands) -> None:
    state = _command(commands, "state", "router.cli.state:show", _STATE)
    _add_state_or_storage(state)
    _add_now(state, "the time to tell of: what is due then")
    _add_format(state)


def _add_dead_letters(commands: Commands) -> None:
    letters = _group(commands, "dead-letters", "see to what was given up on")
    listing = _command(letters, "list", "router.cli.dead_letters:list_them", "list them")
    show = _command(letters, "show", "router.cli.dead_letters:show", "show one whole")
    show.add_argument("id", metavar="ID", help=_ID)
    redrive = _command(
        letters,
        "redrive",
        "router.cli.dead_letters:redrive",
        _REDRIVE,
    )
    discard = _command(letters, "discard", "router.cli.dead_letters:discard", "forget them")
    for command in (listing, show):
        _add_format(command)
    for command in (redrive, discard):
        _add_now(command, "the time to do it at")
        _add_ids(command)
    for command in (listing, show, redrive, discard):
        _add_state_or_storage(command)


def _add_quarantine(commands: Commands) -> None:
    quarantine = _group(commands, "quarantine", "see to what was not understood")
    listing = _command(quarantine, "list", "router.cli.quarantine:list_it", "list it")
    show = _command(quarantine, "show", "router.cli.quarantine:show", "show one message whole")
    show.add_argument("id", metavar="ID", help=_ID)
    retake = _command(quarantine, "retake", "router.cli.quarantine:retake", _RETAKE)
    _add_stream(retake, "the stream that they come from; without it each goes to its own")
    _add_rules_dir(retake)
    _add_now(retake)
    discard = _command(quarantine, "discard", "router.cli.quarantine:discard", "forget messages")
    for command in (listing, show):
        _add_format(command)
    for command in (retake, discard):
        _add_ids(command)
    for command in (listing, show, retake, discard):
        _add_state_or_storage(command)


def _add_destinations(commands: Commands) -> None:
    group = _group(commands, "destinations", "see how destinations are, and keep one from being asked")
    listing = _command(group, "list", "router.cli.destination_list:show", "list them: held, paused, owed, dead")
    hold = _command(group, "hold", "router.cli.destinations:hold", _HOLD)
    hold.add_argument("--for", metavar="DURATION", dest="duration", type=duration_in, required=True, help=_FOR)
    hold.add_argument("--reason", metavar="TEXT", required=True, help="why, for whoever is not told meanwhile")
    release = _command(group, "release", "router.cli.destinations:release", "have one asked again that is held")
    release.add_argument("--reason", metavar="TEXT", default="released", help="why (default: released)")
    for command in (hold, release):
        command.add_argument("--author", metavar="TEXT", help=_AUTHOR)
    probe = _command(group, "probe", "router.cli.destinations:probe", _PROBE)
    for command in (listing, hold, release, probe):
        command.add_argument("--stream", choices=STREAMS, help="the stream of the destination; without it either")
        command.add_argument("--rules", metavar="DIR", type=Path, help=_RULES_THERE)
        _add_state_or_storage(command)
        _add_now(command, "the time to do it at")
    for command in (listing, hold, release):
        _add_format(command)
    for command in (hold, release, probe):
        command.add_argument("name", metavar="NAME", help="the destination, as the policy calls it")


def _add_send(commands: Commands) -> None:
    send = _command(commands, "send", "router.cli.send:send", "publish messages from files to an event hub")
    send.add_argument("--to", choices=STREAMS, required=True, help="the hub, which is called as its stream is")
    send.add_argument("files", metavar="FILE", nargs="+", help=_FILE)


def _add_serve(commands: Commands) -> None:
    serve = _command(
        commands, "serve", "router.cli.serve:serve", "read the event hubs, deliver and sweep, until told to stop"
    )
    _add_rules_dir(serve)


def _add_completion(commands: Commands) -> None:
    completion = _command(
        commands, "completion", "router.cli.completion:script", "print what completes words in a shell"
    )
    completion.add_argument("shell", choices=SHELLS, help="the shell")


_DECISIONS = "a file that run --decisions wrote, instead of a state"
_LAYER = "say what of ATT&CK nobody hears of, and make layers for the Navigator: routed, held, blind spots"
_ID = "an id from the list, or the beginning of one"
_FILE = (
    "NDJSON, JSON (also what az graph query and az rest print), or CSV if its name ends so; "
    "- is standard input, NDJSON or JSON, whose lines are taken as they come"
)
_EXPLAIN = "say every step of the decision on each signal in a file; or, of a signal in a state, its whole life"
_SIGNAL = "its id, the end of one, its key, the number of a ticket, or its resource"
_STATE = "say what is in a state, how large and how old, and what of it is forgotten next; it stays as it is"
_SILENCE = "hold back what is named until an end, after showing what that is"
_RESOURCE = "the resource: its name, its whole id, or a glob of either"
_ENTITY = (
    "what signals name, such as ip.address=10.0.0.0/24 or host.hostname=web-*; "
    "again for what else they must name, or for another value of the same field"
)
_EVERY = 'when it holds meanwhile, such as "Sat 02:00-04:00 Europe/Berlin"; without it, all the time'
_REDRIVE = "owe them again; the next run sends them, or whoever serves the account"
_HOLD = "keep one from being asked, for 4 hours at most where it is a pager, else 48"
_FOR = "how long, such as 2h, 30m or 1h30m; again, counted from the first start"
_AUTHOR = "who does it (default: git's user.email or user.name, else who is logged in)"
_PROBE = "ask one now with a delivery that it is owed, also where it is paused"
_RULES_THERE = "the rules directory (default: rules, if it is there; without rules what the state knows counts)"
_RETAKE = "read messages again, with today's code; the next run sends what is routed, or whoever serves the account"
_LIST = "list every rule, silence and shadow rule with what it held; that which ends next is first"
_RULE_FILE = "a suppression rule, or a list of them, in JSON or YAML"
_RULES = "the rules directory (default: rules)"


def _command(commands: Commands, name: str, command: str, help: str) -> Parser:
    parser = commands.add_parser(name, help=help, description=f"{help[0].upper()}{help[1:]}.")
    parser.set_defaults(command=command)
    return parser


def _group(commands: Commands, name: str, help: str) -> Commands:
    parser = commands.add_parser(name, help=help, description=f"{help[0].upper()}{help[1:]}.")
    group: Commands = parser.add_subparsers(title="commands", metavar="COMMAND", required=True)
    return group


def _add_stream(parser: Parser, help: str) -> None:
    parser.add_argument("--stream", choices=STREAMS, help=help)


def _add_rules_dir(parser: Parser) -> None:
    parser.add_argument("--rules", metavar="DIR", type=Path, default=Path("rules"), help=_RULES)


def _add_state(parser: Parser | _MutuallyExclusiveGroup, default: str | None = ".state") -> None:
    """Without a default the command itself looks at what it is asked about before it takes a state."""
    help = f"where the state is kept (default: {default or '.state, if there is one'})"
    parser.add_argument("--state", metavar="DIR", type=Path, default=default and Path(default), help=help)


def _add_state_or_storage(parser: Parser, default: str | None = ".state") -> _MutuallyExclusiveGroup:
    one = parser.add_mutually_exclusive_group()
    _add_state(one, default)
    help = "the state in the storage account that AzureWebJobsStorage names, instead of --state"
    one.add_argument("--storage", action="store_true", help=help)
    return one


def _add_now(parser: Parser, help: str = "the time to decide at") -> None:
    parser.add_argument("--now", metavar="ISO", type=instant_in, help=f"{help} (default: the clock's)")


def _add_decisions(parser: Parser, help: str) -> None:
    parser.add_argument("--decisions", metavar="FILE", type=file_in, help=help)


def _add_ids(parser: Parser) -> None:
    parser.add_argument("--all", action="store_true", help="all of them")
    parser.add_argument("ids", metavar="ID", nargs="*", help=_ID)


def _add_format(parser: Parser, *more: str) -> None:
    formats = ("text", "json", *more)
    parser.add_argument("--format", choices=formats, default="text", help="how to print (default: text)")
