"""What can be written behind `coverage`."""

from __future__ import annotations

from pathlib import Path

from router.cli.argument_parser import Commands, Parser, add_command, add_group
from router.cli.argument_types import file_in, seconds_in, subscription_in, workspace_in
from router.cli.shared_options import add_format, add_now, add_rules_dir, add_state

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
    check = add_command(coverage, "check", "router.cli.coverage:check", _CHECK)
    add_rules_dir(check)
    add_now(check, "the time to judge at")
    add_format(check, "github", "junit", "markdown")
    check.add_argument("--allow-unknown", action="store_true", help="what is unknown does not fail")
    _add_judged(check)
    report = add_command(coverage, "report", "router.cli.coverage:report", _REPORT)
    add_rules_dir(report)
    add_now(report, "the time to judge at")
    report.add_argument(
        "--out",
        metavar="FILE",
        type=file_in,
        default=Path("coverage.html"),
        help="write the page there, also over an older one (default: coverage.html)",
    )
    _add_judged(report)
    init = add_command(coverage, "init", "router.cli.coverage_init:init", _INIT)
    add_now(init, "the time to judge at")
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
