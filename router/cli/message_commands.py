"""What can be written behind the commands that messages go through: `run`, `demo`, `explain`, `send`, `serve`."""

from __future__ import annotations

from pathlib import Path

from router.cli.argument_parser import Commands, add_command
from router.cli.shared_options import (
    DEFAULT_STATE,
    FILE_HELP,
    STREAMS,
    add_decisions,
    add_format,
    add_now,
    add_rules_dir,
    add_state,
    add_state_if_there,
    add_stream,
)

_EXPLAIN = "say every step of the decision on each signal in a file; or, of a signal in a state, its whole life"
_DEMO_STATE = "the directory where the state is kept (default: .state/demo)"
_SIGNAL = "its id, the end of one, its key, the number of a ticket, or its resource"


def add_run_command(commands: Commands) -> None:
    """Adds `run`."""
    run = add_command(commands, "run", "router.cli.run:run", "route messages from files")
    add_stream(run, "the stream that the messages come from; without it each goes to its own")
    add_rules_dir(run)
    add_state(run)
    add_now(run, "the time to decide at and to deliver at, so what is due and what is too old")
    add_decisions(run, "write every decision there, one JSON object a line")
    run.add_argument("--dry-run", action="store_true", help="only decide: no state, no secrets, nothing sent")
    run.add_argument("files", metavar="FILE", nargs="+", help=FILE_HELP)


def add_demo_command(commands: Commands) -> None:
    """Adds `demo`."""
    demo = add_command(commands, "demo", "alert_router_demo.story:run", "route bundled samples to a SOC on loopback")
    # It is the same wherever it is tried: no setting says where its state is.
    demo.add_argument("--state", metavar="DIR", type=Path, default=DEFAULT_STATE / "demo", help=_DEMO_STATE)
    add_decisions(demo, "where to write decisions (default: in the state)")


def add_explain_command(commands: Commands) -> None:
    """Adds `explain`."""
    explain = add_command(commands, "explain", "router.cli.explain:run", _EXPLAIN)
    add_stream(explain, "the stream that the messages come from, or the signal is of; without it either")
    add_rules_dir(explain)
    add_state_if_there(explain)
    add_now(explain, "the time to decide at, or to tell of")
    add_format(explain)
    explain.add_argument(
        "--notice",
        metavar="DESTINATION",
        help="print the first notice of each message to that destination, or the last that it took of a signal, instead: as "
        "text (in JSON, beside the rest)",
    )
    explain.add_argument("file", metavar="FILE|ID", help=f"a file: {FILE_HELP}; or of a signal in a state: {_SIGNAL}")


def add_send_command(commands: Commands) -> None:
    """Adds `send`."""
    send = add_command(commands, "send", "router.cli.send:send", "publish messages from files to an event hub")
    send.add_argument("--to", choices=STREAMS, required=True, help="the hub, which is called as its stream is")
    send.add_argument("files", metavar="FILE", nargs="+", help=FILE_HELP)


def add_serve_command(commands: Commands) -> None:
    """Adds `serve`."""
    serve = add_command(
        commands, "serve", "router.cli.serve:serve", "read the event hubs, deliver and sweep, until told to stop"
    )
    add_rules_dir(serve)
    add_state(serve)
