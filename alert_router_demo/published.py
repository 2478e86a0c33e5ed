"""Passes connections on to loopback: `python -m alert_router_demo.published 0.0.0.0:8026 127.0.0.1:8025`.

A console that people do not sign in to listens on loopback alone, and a container's loopback is not its host's. compose.yaml
runs this beside the demo's console, in the same network of a container, and publishes it on the host's loopback. It is for the
demo alone: a console that others should reach asks who they are (docs/console.md).
"""

from __future__ import annotations

import asyncio
import signal
import sys
from contextlib import closing, suppress
from functools import partial

from router.console.serving import read_address
from router.domain.errors import BadUsage

_PIECE = 1 << 16
"""Bytes that are passed on at a time."""


def main(arguments: list[str]) -> int:
    """Pass on until SIGTERM or SIGINT; 0 after that, 2 where an address is none or nothing can listen there."""
    try:
        listen, to = (read_address(one, is_open=True) for one in arguments)
        asyncio.run(_serve(listen, to))
    except (ValueError, BadUsage, OSError) as fault:
        sys.stderr.write(f"published: {fault}; write IP:PORT to listen at, and IP:PORT to pass on to\n")
        return 2
    return 0


async def _serve(listen: tuple[str, int], to: tuple[str, int]) -> None:
    end, loop = asyncio.Event(), asyncio.get_running_loop()
    # In a container this is process 1, which no signal ends that it does not handle.
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, end.set)
    server = await asyncio.start_server(partial(_pass_on, to), *listen)
    await end.wait()
    server.close()
    server.close_clients()


async def _pass_on(to: tuple[str, int], reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Pass on what both ends of a connection say, until one is gone or both have ended."""
    with closing(writer), suppress(OSError):
        there, back = await asyncio.open_connection(*to)
        with closing(back), suppress(ExceptionGroup):
            async with asyncio.TaskGroup() as group:
                group.create_task(_copy(reader, back))
                group.create_task(_copy(there, writer))


async def _copy(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    while piece := await reader.read(_PIECE):
        writer.write(piece)
        await writer.drain()
    writer.write_eof()


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
