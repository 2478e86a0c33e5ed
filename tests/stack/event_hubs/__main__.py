"""Event Hubs on loopback as a process of its own: `python -m tests.stack.event_hubs --hub cwpp=2 --hub cspm=2`."""

from __future__ import annotations

import argparse
import asyncio
import json
import signal
import sys
from pathlib import Path

from tests.stack.event_hubs.server import GROUPS, HUBS, EventHubs


def main(arguments: list[str] | None = None) -> int:
    """Serves until SIGTERM, SIGINT or the time given is over; 0, or 2 where it cannot."""
    parser = argparse.ArgumentParser(
        prog="python -m tests.stack.event_hubs", description="Serves Event Hubs on loopback."
    )
    parser.add_argument(
        "--hub", dest="hubs", action="append", type=_hub, help="NAME=PARTITIONS (default: cwpp=2, cspm=2)"
    )
    parser.add_argument(
        "--group", dest="groups", action="append", help=f"a consumer group (default: {', '.join(GROUPS)})"
    )
    parser.add_argument("--port", type=int, default=0, help="where to listen (default: a free port)")
    parser.add_argument(
        "--port-file", type=Path, help="where to write port and connection string (JSON); else to stdout"
    )
    parser.add_argument("--for", dest="seconds", type=float, default=600.0, help="seconds to serve (default: 600)")
    options = parser.parse_args(arguments)
    hubs = EventHubs(dict(options.hubs or HUBS), groups=options.groups or GROUPS)
    try:
        asyncio.run(_serve(hubs, options.port, options.port_file, options.seconds))
    except OSError as refused:
        sys.stderr.write(f"the loopback Event Hubs: {refused}\n")
        return 2
    return 0


def _hub(text: str) -> tuple[str, int]:
    name, _, partitions = text.partition("=")
    if not name or not partitions.isdecimal() or not int(partitions):
        raise argparse.ArgumentTypeError(f"{text!r} is not NAME=PARTITIONS")
    return name, int(partitions)


async def _serve(hubs: EventHubs, port: int, port_file: Path | None, seconds: float) -> None:
    end = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, end.set)
    async with hubs.running(port):
        _announce(hubs, port_file)
        try:
            async with asyncio.timeout(seconds):
                await end.wait()
        except TimeoutError:
            return


def _announce(hubs: EventHubs, port_file: Path | None) -> None:
    text = json.dumps({"port": hubs.port, "connection_string": hubs.connection_string}) + "\n"
    if port_file is None:
        sys.stdout.write(text)
        sys.stdout.flush()
        return
    # Renamed into place, so that whoever waits for the file never reads half of it.
    partial = port_file.with_name(port_file.name + ".partial")
    partial.write_text(text, encoding="utf-8")
    partial.replace(port_file)


if __name__ == "__main__":
    sys.exit(main())
