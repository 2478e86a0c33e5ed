"""What can be written behind `coverage` and `drill`."""

from __future__ import annotations

import re
from argparse import ArgumentTypeError
from datetime import timedelta
from pathlib import Path

from router.cli.arguments import (
    FORMATS,
    Commands,
    Parser,
    add_command,
    add_group,
    add_shared,
    add_state,
    duration_in,
    file_in,
    seconds_in,
    subscription_in,
    workspace_in,
)
from router.coverage.drill.subjects import BUNDLES

_CHECK = (
    "fail unless Defender watches every workload that is expected, as far as files, or what a router knows, prove it"
)
_REPORT = "write a page with every workload and rung, what is missing and what mends it"
_INIT = (
    "draft rules/coverage.yaml: what files, Azure, clusters or a router name is expected, with what is a gap today as "
    "exceptions to fill in"
)
_FILES = (
    "what az, az graph query, az rest or kubectl printed with -o json, or a directory of such files; - is standard input. "
    "NAME= before a file or a directory says of which cluster or machine it is, as what kubectl and mdatp print does not"
)
_STATE = (
    "judge what a router knows, too, that keeps its state there: what messages said, and drills; nothing is written to it "
    "but the tags that --live read"
)
_LIVE = "ask Azure, too, as whoever is signed in; it is never asked to change anything"
_SUBSCRIPTION = (
    "a subscription that --live asks, by its id; again for another one (default: those that the manifest names by their ids, "
    "else all that can be read)"
)
_WORKSPACE = (
    "a workspace of Log Analytics, by its id, that --live asks when each cluster's sensor last sent a row; again for "
    "another one"
)
_TIMEOUT = (
    "the seconds after which --live asks no more, and after it --context; what is not answered by then is unknown "
    "(default: 300)"
)
_KEEP_TAGS = "write the tags of all resources there, which --live asks for then, as a file that owners.yaml may name"
_CONTEXT = (
    "ask the cluster of that context of the kubeconfig, and read only; again for another one, and with * or ? for several. "
    "NAME= says what Azure calls the cluster, where its context is called otherwise"
)
_KUBECONFIG = "the kubeconfig of the contexts (default: those that KUBECONFIG lists, else ~/.kube/config)"


def add_coverage_commands(commands: Commands) -> None:
    """Adds `coverage`."""
    coverage = add_group(commands, "coverage", "say which workloads Defender would never speak of")
    check = add_command(coverage, "check", "router.coverage.commands.check:check", _CHECK)
    add_shared(check, "--rules")
    add_shared(check, "--now", help="the time to judge at (default: the clock's)")
    add_shared(check, "--format", choices=(*FORMATS, "github", "junit", "markdown"))
    check.add_argument("--allow-unknown", action="store_true", help="what is unknown does not fail")
    _add_judged(check)
    report = add_command(coverage, "report", "router.coverage.commands.check:report", _REPORT)
    add_shared(report, "--rules")
    add_shared(report, "--now", help="the time to judge at (default: the clock's)")
    report.add_argument(
        "--out",
        metavar="FILE",
        type=file_in,
        default=Path("coverage.html"),
        help="write the page there, also over an older one (default: coverage.html)",
    )
    _add_judged(report)
    init = add_command(coverage, "init", "router.coverage.commands.init:init", _INIT)
    add_shared(init, "--now", help="the time to judge at (default: the clock's)")
    init.add_argument("--out", metavar="FILE", type=file_in, help="write the draft there, unless there is a file")
    _add_judged(init)


def _add_judged(parser: Parser) -> None:
    """Adds all that may be judged: clusters, a state, Azure, and files, none of which need be there."""
    _add_contexts(parser)
    add_state(parser, None, help=_STATE)
    _add_live(parser)
    parser.add_argument("files", metavar="[NAME=]FILE", nargs="*", help=_FILES)


def _add_contexts(parser: Parser) -> None:
    """Adds `--context` and `--kubeconfig`."""
    parser.add_argument("--context", metavar="[NAME=]CONTEXT", action="append", default=[], help=_CONTEXT)
    parser.add_argument("--kubeconfig", metavar="FILE", type=file_in, help=_KUBECONFIG)


def _add_live(parser: Parser) -> None:
    """Adds `--live`, and what says what it asks."""
    parser.add_argument("--live", action="store_true", help=_LIVE)
    parser.add_argument("--subscription", metavar="ID", type=subscription_in, action="append", help=_SUBSCRIPTION)
    parser.add_argument("--workspace", metavar="ID", type=workspace_in, action="append", help=_WORKSPACE)
    parser.add_argument("--timeout", metavar="SECONDS", type=seconds_in, help=_TIMEOUT)
    parser.add_argument("--keep-tags", metavar="FILE", type=file_in, help=_KEEP_TAGS)


WITHIN, REAL_WITHIN = timedelta(minutes=15), timedelta(hours=1)
"""How long a drill waits unless more or less is asked for: samples take a few minutes, real alerts up to half an hour."""

LONGEST = timedelta(hours=4)
"""How long a drill may wait; a test alert of a machine or a cluster may take an hour."""

_DRILL = (
    "raise a test alert, follow it to the hub, the decision and every destination, and fail unless all of them took it"
)
_WITHIN = (
    "how long it may take until every destination took it, such as 20m or 90s (default: 15m, of what you raise 1h)"
)
_CLUSTER = (
    "wait for the control-plane test alert of that cluster, a real alert: its name, which is that of its context, too, unless "
    "NAME= says otherwise, or its resource id. You raise it with a line that is printed"
)
_ASKED_BY_DRILL = "have that line asked by the drill itself, a read, by the context in that kubeconfig"
_MACHINE = "wait for the test alert of that machine, which you raise with a line that is printed; a real alert"
_HEARTBEAT = "call the address in ALERT_ROUTER_DRILL_HEARTBEAT once the drill has passed, and only then"


def add_drill_command(commands: Commands) -> None:
    """Adds `drill`."""
    drill = add_command(commands, "drill", "router.coverage.commands.drill:drill", _DRILL)
    drill.add_argument(
        "--subscription", metavar="ID", type=subscription_in, help="the subscription whose samples are raised"
    )
    about = drill.add_mutually_exclusive_group(required=True)
    about.add_argument("--bundle", choices=sorted(BUNDLES), help="raise Defender's sample alerts of that bundle")
    about.add_argument("--cluster", metavar="[NAME=]CONTEXT", help=_CLUSTER)
    about.add_argument("--machine", metavar="RESOURCE_ID", help=_MACHINE)
    drill.add_argument(
        "--to",
        metavar="NAME",
        action="append",
        default=[],
        help="prove that destination; again for more (default: all to which the rules lead)",
    )
    drill.add_argument("--kubeconfig", metavar="FILE", type=file_in, help=_ASKED_BY_DRILL)
    drill.add_argument("--within", metavar="DURATION", type=within_in, help=_WITHIN)
    drill.add_argument("--heartbeat", action="store_true", help=_HEARTBEAT)
    drill.add_argument("--keep", action="store_true", help="leave the sample alerts in Defender as they are")
    add_shared(drill, "--yes", "--rules")
    add_state(drill)
    add_shared(drill, "--format")


def within_in(text: str) -> timedelta:
    """How long a drill may last, also in seconds alone; raises ArgumentTypeError for what is no such time."""
    seconds = re.fullmatch(r"(\d{1,4})s", text.strip(), re.ASCII | re.IGNORECASE)
    within = timedelta(seconds=int(seconds[1])) if seconds else duration_in(text)
    if not timedelta() < within <= LONGEST:
        raise ArgumentTypeError(f"{text!r} is no time for a drill; it lasts from a second to 4 hours")
    return within
