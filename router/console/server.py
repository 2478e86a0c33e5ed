"""An HTTP server beside the router's loops, which none of its clients holds up."""

from __future__ import annotations

import asyncio
import logging
import socket
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager, suppress
from ipaddress import ip_address
from typing import TYPE_CHECKING

import h11
import uvicorn
from starlette.requests import ClientDisconnect
from uvicorn.protocols.http.h11_impl import H11Protocol

from router.domain.errors import BadUsage

if TYPE_CHECKING:
    from starlette.types import ASGIApp, Receive, Scope, Send

_GRACE = 2
"""Seconds that an answer under way is waited for at the end."""

_SILENCE = 20
"""Seconds that a client may say nothing between two requests."""


class Hasty(H11Protocol):
    """Ends a connection on which something takes too long: a request's head as long as a silence may, the rest `patience`.

    At most so many are connected. For one more the one makes room that has not begun anything for longest, so that who holds
    connections keeps no other out.
    """

    patience = 60.0
    most = 256
    _timer: asyncio.TimerHandle | None = None
    _begun = 0.0

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]  # as uvicorn's own has it
        super().connection_made(transport)
        self._wait()
        if len(self.connections) > self.most:
            others = (one for one in self.connections if isinstance(one, Hasty) and not one.transport.is_closing())
            min(others, key=lambda one: one._begun).transport.abort()

    def data_received(self, data: bytes) -> None:
        before = self.cycle
        super().data_received(data)
        if self.cycle is not before:
            self._wait()

    def send_400_response(self, msg: str) -> None:
        """Answer what is no HTTP, unless an answer has begun; what still works on its request has nobody left to answer."""
        if self.cycle is not None and not self.cycle.response_complete:
            self.cycle.disconnected = True
            self.cycle.message_event.set()
        if self.conn.our_state in (h11.IDLE, h11.SEND_RESPONSE):
            super().send_400_response(msg)
        else:
            self.transport.close()

    def on_response_complete(self) -> None:
        super().on_response_complete()
        self._wait()

    def connection_lost(self, exc: Exception | None) -> None:
        super().connection_lost(exc)
        if self._timer is not None:
            self._timer.cancel()

    def _wait(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
        self._begun = self.loop.time()
        is_asked = self.cycle is not None and not self.cycle.response_complete
        self._timer = self.loop.call_later(self.patience if is_asked else self.timeout_keep_alive, self.transport.abort)


class _Server(uvicorn.Server):
    """A server whose process heeds signals itself."""

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield


@contextmanager
def listening_on(address: str, host: str, port: int) -> Iterator[socket.socket]:
    """A socket that listens as long as the context lasts; raises BadUsage, which names the address as it was written."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    # Of a socket that names no protocol asyncio does not know that it is TCP: answers would wait 40 ms for each other.
    with socket.socket(family, socket.SOCK_STREAM, socket.IPPROTO_TCP) as listening:
        listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            listening.bind((host, port))
            # Before the address is known: who follows it at once is not refused.
            listening.listen()
        except OSError as fault:
            raise BadUsage(f"{address}: nothing can listen there ({fault.strerror}); name another port") from fault
        yield listening


@asynccontextmanager
async def served(app: ASGIApp, listening: socket.socket) -> AsyncIterator[None]:
    """Serve an application on a socket as long as the context lasts.

    What a stranger sends leaves no line in the log: only what the application itself gets wrong does.
    """

    async def answer(scope: Scope, receive: Receive, send: Send) -> None:
        with suppress(ClientDisconnect):
            await app(scope, receive, send)

    config = uvicorn.Config(
        answer,
        http=Hasty,
        ws="none",
        lifespan="off",
        log_config=None,
        log_level=logging.ERROR,  # Its warnings tell of requests alone.
        access_log=False,
        server_header=False,
        proxy_headers=False,
        timeout_keep_alive=_SILENCE,
        timeout_graceful_shutdown=_GRACE,
    )
    server = _Server(config)
    serving = asyncio.create_task(server.serve(sockets=[listening]))
    try:
        yield
    finally:
        server.should_exit = True
        await serving


def read_ip_port(written: str, example: str) -> tuple[str, int]:
    """Return the host and port of an address; raises BadUsage, with an example."""
    host, colon, port = written.rpartition(":")
    host = "127.0.0.1" if host == "localhost" else host.strip("[]")
    try:
        ip_address(host)
    except ValueError:
        colon = ""
    if not (colon and port.isascii() and port.isdecimal() and int(port) < 65_536):
        raise BadUsage(f"{written}: is no address; write IP:PORT, such as {example}")
    return host, int(port)
