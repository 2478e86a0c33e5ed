"""The loopback SOC as a process of its own: `python -m alert_router_demo.soc`."""

import argparse
import asyncio
import os
import signal
import sys
from dataclasses import asdict
from pathlib import Path

import orjson

from alert_router_demo.soc.running import Soc


def main(arguments: list[str] | None = None) -> int:
    """Serves until SIGTERM, SIGINT or the time given is over; 0, or 2 where the port file cannot be written."""
    parser = argparse.ArgumentParser(prog="python -m alert_router_demo.soc", description="Serves a SOC on loopback.")
    parser.add_argument("--port-file", type=Path, help="where to write addresses and secrets (JSON); else to stdout")
    parser.add_argument("--lag", type=float, default=0.0, help="seconds before a new ticket is found by look-ups")
    parser.add_argument("--for", dest="seconds", type=float, default=600.0, help="seconds to serve (default: 600)")
    options = parser.parse_args(arguments)
    try:
        asyncio.run(_serve(options.port_file, options.lag, options.seconds))
    except OSError as refused:
        sys.stderr.write(f"{options.port_file or 'the loopback SOC'}: {refused.strerror or refused}\n")
        return 2
    return 0


async def _serve(port_file: Path | None, lag: float, seconds: float) -> None:
    end = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, end.set)
    async with Soc.running(lag=lag) as soc:
        _announce(soc, port_file)
        try:
            async with asyncio.timeout(seconds):
                await end.wait()
        except TimeoutError:
            return


def _announce(soc: Soc, port_file: Path | None) -> None:
    card = {
        "addresses": {name: str(value) for name, value in asdict(soc.addresses).items()},
        "accounts": {name: asdict(account) for name, account in soc.accounts.items()},
    }
    text = orjson.dumps(card, option=orjson.OPT_INDENT_2) + b"\n"
    if port_file is None:
        sys.stdout.buffer.write(text)
        sys.stdout.flush()
        return
    # Renamed into place, so that whoever waits for the file never reads half of it.
    partial = port_file.with_name(port_file.name + ".partial")
    descriptor = os.open(partial, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(descriptor, "wb") as file:
        file.write(text)
    partial.replace(port_file)


if __name__ == "__main__":
    sys.exit(main())
