"""Serves the console on loopback, with a token that each start makes anew."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from ipaddress import ip_address

import uvicorn

from router.console.access import LocalAccess, new_token
from router.console.application import Console, new_console
from router.console.rendering import Pages
from router.console.views import ACTIONS, VIEWS
from router.domain.errors import BadUsage

DEFAULT = "127.0.0.1:8025"
"""Where a console listens, unless something else is said."""

_GRACE = 2
"""Seconds that an answer under way is waited for at the end."""


class _Server(uvicorn.Server):
    """A server whose process heeds signals itself."""

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield


@asynccontextmanager
async def console_served(console: Console, address: str, author: str) -> AsyncIterator[str]:
    """Serve a console as long as the context lasts; yields the URL that opens it, with its token, for `author`.

    Raises BadUsage where the address is none, is not on loopback, or is taken.
    """
    host, port = read_address(address)
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    # Of a socket that names no protocol asyncio does not know that it is TCP: answers would wait 40 ms for each other.
    with socket.socket(family, socket.SOCK_STREAM, socket.IPPROTO_TCP) as listening:
        listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            listening.bind((host, port))
            # Before the URL is known: who follows it at once is not refused.
            listening.listen()
        except OSError as fault:
            raise BadUsage(f"{address}: nothing can listen there ({fault.strerror}); name another port") from fault
        port = listening.getsockname()[1]
        written = f"[{host}]" if family == socket.AF_INET6 else host
        pages, token = Pages(console.store.now), new_token()
        app = LocalAccess(
            new_console(console, VIEWS, ACTIONS, pages),
            pages=pages,
            hosts=frozenset(f"{name}:{port}" for name in (written, "localhost")),
            token=token,
            cookie=f"alert-router-{port}",
            author=author,
        )
        config = uvicorn.Config(
            app,
            http="h11",
            ws="none",
            lifespan="off",
            log_config=None,
            access_log=False,
            server_header=False,
            proxy_headers=False,
            timeout_graceful_shutdown=_GRACE,
        )
        server = _Server(config)
        serving = asyncio.create_task(server.serve(sockets=[listening]))
        try:
            yield f"http://{written}:{port}/?token={token}"
        finally:
            server.should_exit = True
            await serving


def read_address(written: str) -> tuple[str, int]:
    """Return the host and port of an address on loopback; raises BadUsage."""
    host, colon, port = written.rpartition(":")
    host = host.strip("[]")
    if not (colon and host and port.isascii() and port.isdecimal() and int(port) < 65_536):
        raise BadUsage(f"{written}: is no address; write HOST:PORT, such as {DEFAULT}")
    try:
        is_here = host == "localhost" or ip_address(host).is_loopback
    except ValueError:
        is_here = False
    if not is_here:
        raise BadUsage(f"{written}: others could reach the console there, where nobody signs in; write {DEFAULT}")
    return "127.0.0.1" if host == "localhost" else host, int(port)
