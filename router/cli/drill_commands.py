"""What can be written behind `drill`."""

from __future__ import annotations

import re
from argparse import ArgumentTypeError
from datetime import timedelta

from router.cli.argument_parser import Commands, add_command
from router.cli.argument_types import file_in, subscription_in
from router.cli.durations import duration_in
from router.cli.shared_options import add_format, add_rules_dir, add_state, add_yes
from router.coverage.drill.subjects import BUNDLES

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
_KUBECONFIG = "have that line asked by the drill itself, a read, by the context in that kubeconfig"
_MACHINE = "wait for the test alert of that machine, which you raise with a line that is printed; a real alert"
_HEARTBEAT = "call the address in ALERT_ROUTER_DRILL_HEARTBEAT once the drill has passed, and only then"


def add_drill_command(commands: Commands) -> None:
    """Adds `drill`."""
    drill = add_command(commands, "drill", "router.cli.drill:drill", _DRILL)
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
    drill.add_argument("--kubeconfig", metavar="FILE", type=file_in, help=_KUBECONFIG)
    drill.add_argument("--within", metavar="DURATION", type=within_in, help=_WITHIN)
    drill.add_argument("--heartbeat", action="store_true", help=_HEARTBEAT)
    drill.add_argument("--keep", action="store_true", help="leave the sample alerts in Defender as they are")
    add_yes(drill)
    add_rules_dir(drill)
    add_state(drill)
    add_format(drill)


def within_in(text: str) -> timedelta:
    """How long a drill may last, also in seconds alone; raises ArgumentTypeError for what is no such time."""
    seconds = re.fullmatch(r"(\d{1,4})s", text.strip(), re.ASCII | re.IGNORECASE)
    within = timedelta(seconds=int(seconds[1])) if seconds else duration_in(text)
    if not timedelta() < within <= LONGEST:
        raise ArgumentTypeError(f"{text!r} is no time for a drill; it lasts from a second to 4 hours")
    return within
