"""What can be written behind the commands about rules: `init`, `rules`, `attack`, `silences`."""

from __future__ import annotations

from pathlib import Path

from router.cli.arguments import (
    FORMATS,
    ID_HELP,
    RULES_HELP,
    STREAMS,
    Commands,
    add_command,
    add_group,
    add_shared,
    add_state,
    add_state_if_there,
    directory_in,
    duration_in,
    file_in,
    instant_in,
    origin_in,
)

SEVERITIES = ("Informational", "Low", "Medium", "High", "Critical")

_LIST = "list every rule, silence and shadow rule with what it held; that which ends next is first"
_RULE_FILE = "a suppression rule, or a list of them, in JSON or YAML"
_DECISIONS = "a file that run --decisions wrote, instead of a state"
_LAYER = "say what of ATT&CK nobody hears of, and make a layer for the Navigator"
_SILENCE = "hold back what is named until an end, after showing what that is"
_RESOURCE = "the resource: its name, its whole id, or a glob of either"
_ENTITY = (
    "what signals name, such as ip.address=10.0.0.0/24 or host.hostname=web-*; "
    "again for what else they must name, or for another value of the same field"
)
_EVERY = 'when it holds meanwhile, such as "Sat 02:00-04:00 Europe/Berlin"; without it, all the time'


def add_init_command(commands: Commands) -> None:
    """Adds `init`."""
    init = add_command(
        commands, "init", "router.cli.init:init", "write rules to start from, and the workflow that checks them"
    )
    init.add_argument(
        "--from",
        metavar="URL",
        dest="origin",
        type=origin_in,
        help="where the workflow installs the program from (default: a variable of the repository)",
    )
    init.add_argument(
        "directory", metavar="DIR", type=directory_in, help="the directory of a repository, made unless it is there"
    )


def add_rules_commands(commands: Commands) -> None:
    """Adds `rules`."""
    rules = add_group(commands, "rules", "check, test, list, preview and describe the rules")
    check = add_command(rules, "check", "router.cli.rules:check", "report problems and warnings")
    test = add_command(rules, "test", "router.cli.rules:test", "run the examples")
    for command in (check, test):
        command.add_argument("directory", metavar="DIR", type=Path, nargs="?", default=Path("rules"), help=RULES_HELP)
        add_shared(command, "--now")
        add_shared(command, "--format", choices=(*FORMATS, "github", "junit"))
    check.add_argument("--strict", action="store_true", help="warnings are problems")
    listing = add_command(rules, "list", "router.cli.rules_list:list_them", _LIST)
    listing.add_argument("directory", metavar="DIR", type=Path, nargs="?", default=Path("rules"), help=RULES_HELP)
    add_state_if_there(listing)
    listing.add_argument("--name", metavar="NAME", help="that rule or shadow rule alone, or the silence of that id")
    listing.add_argument(
        "--expiring", metavar="DURATION", type=duration_in, help="those alone that end within that time, such as 30d"
    )
    listing.add_argument(
        "--unused",
        metavar="DURATION",
        type=duration_in,
        help="those alone that held nothing for that time, such as 30d",
    )
    add_shared(listing, "--stream", help="those of that stream alone")
    add_shared(listing, "--now", help="the time to tell of (default: the clock's)")
    add_shared(listing, "--format")
    preview = add_command(rules, "preview", "router.cli.preview:show", "say what a suppression rule would have held")
    add_shared(
        preview,
        "--stream",
        help="the stream that the rule is for; without it the one in whose directory its file stands",
    )
    add_shared(preview, "--rules")
    add_state(preview)
    preview.add_argument(
        "--since", metavar="DURATION", type=duration_in, default="30d", help="how far back to look (default: 30d)"
    )
    add_shared(preview, "--now", help="the time up to which to look (default: the clock's)")
    add_shared(preview, "--format")
    preview.add_argument(
        "--fail-on",
        metavar="SEVERITY",
        type=str.capitalize,
        choices=SEVERITIES,
        help="end with 1 if it would have held one as grave: " + ", ".join(SEVERITIES),
    )
    preview.add_argument("file", metavar="FILE", type=file_in, help=_RULE_FILE)
    schema = add_command(rules, "schema", "router.cli.rules:schema", "print the JSON Schemas of the rules files")
    schema.add_argument("name", metavar="NAME", nargs="?", help="policy, suppression, owners, ...; without it all")
    schema.add_argument("--out", metavar="DIR", type=Path, help="write NAME.schema.json files there instead")


def add_attack_commands(commands: Commands) -> None:
    """Adds `attack`."""
    attack = add_group(commands, "attack", "show what the rules make of MITRE ATT&CK")
    layer = add_command(attack, "layer", "router.cli.attack:layer", _LAYER)
    add_shared(layer, "--stream", help="the stream to tell of (default: cwpp)")
    add_shared(layer, "--rules")
    source = layer.add_mutually_exclusive_group()
    add_state(source)
    source.add_argument("file", metavar="FILE", type=file_in, nargs="?", help=_DECISIONS)
    since = "how far back to look, such as 30d or 12h (default: 30d; in a file, all of it)"
    layer.add_argument("--since", metavar="DURATION", type=duration_in, help=since)
    layer.add_argument("--until", metavar="ISO", type=instant_in, help="where the time to look at ends (default: now)")
    add_shared(layer, "--now", help="the time to tell of: which rules are in force then (default: the clock's)")
    layer.add_argument("--out", metavar="FILE", type=file_in, help="write the layer there, for the Navigator")
    add_shared(layer, "--format")


def add_silences_commands(commands: Commands) -> None:
    """Adds `silences`."""
    silences = add_group(commands, "silences", "hold signals back for some hours, and see what is held back so")
    add = add_command(silences, "add", "router.cli.silences_add:add", _SILENCE)
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
        "--for", metavar="DURATION", dest="duration", type=duration_in, help="for how long, such as 2h, 30m, 1h30m"
    )
    add.add_argument("--until", metavar="ISO", type=instant_in, help="until when, instead of --for")
    add.add_argument("--from", metavar="ISO", dest="begins", type=instant_in, help="when it begins (default: now)")
    add.add_argument("--every", metavar="WINDOW", help=_EVERY)
    add.add_argument("--reason", metavar="TEXT", required=True, help="why; people will read it")
    add.add_argument("--ticket", metavar="TICKET", help="the ticket that allows it, where the policy wants one")
    add_shared(add, "--author", "--rules", "--yes")
    listing = add_command(silences, "list", "router.cli.silences:list_them", "list them, the soonest end first")
    listing.add_argument("--expired", action="store_true", help="those that are over, instead")
    extend = add_command(
        silences, "extend", "router.cli.silences:extend", "let one end later, as far as the policy allows"
    )
    extend.add_argument(
        "--for", metavar="DURATION", dest="duration", type=duration_in, required=True, help="by how much longer"
    )
    add_shared(extend, "--rules")
    end = add_command(
        silences, "end", "router.cli.silences:end", "end one now: what it holds and still stands comes out"
    )
    for command in (extend, end):
        command.add_argument("id", metavar="ID", help=ID_HELP)
        add_shared(command, "--author")
    for command in (add, listing, extend, end):
        add_state(command)
        add_shared(command, "--now", help="the time to do it at (default: the clock's)")
        add_shared(command, "--format")
