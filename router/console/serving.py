"""Serves the console: to people who signed in, or on loopback alone, with a token that each start makes anew."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import AsyncIterator, Iterator
from contextlib import AsyncExitStack, asynccontextmanager, contextmanager
from ipaddress import ip_address

import uvicorn
from uvicorn.protocols.http.h11_impl import H11Protocol

from router.app.certificates import trust_for
from router.app.optional_packages import SERVE_EXTRA, SIGN_IN_CLIENTS, refuse_absent
from router.app.settings import ISSUER, Settings
from router.console.access import Access, LocalAccess, new_token
from router.console.application import Console
from router.console.rendering import Pages
from router.console.views import new_console
from router.deliver.http import Http
from router.domain.errors import BadUsage

DEFAULT = "127.0.0.1:8025"
"""Where a console listens, unless something else is said."""

_GRACE = 2
"""Seconds that an answer under way is waited for at the end."""

_CONNECTIONS = 256
"""How many browsers may be connected at a time; who comes then is told to come again."""

_SILENCE = 20
"""Seconds that a browser may say nothing between two requests."""

_ISSUER = 10.0
"""Seconds in which an issuer is to answer."""


class Hasty(H11Protocol):
    """Ends a connection on which something takes too long: a request's head as long as a silence may, the rest `patience`."""

    patience = 60.0
    _timer: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]  # as uvicorn's own has it
        super().connection_made(transport)
        self._wait()

    def data_received(self, data: bytes) -> None:
        before = self.cycle
        super().data_received(data)
        if self.cycle is not before:
            self._wait()

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
        is_asked = self.cycle is not None and not self.cycle.response_complete
        self._timer = self.loop.call_later(self.patience if is_asked else self.timeout_keep_alive, self.transport.abort)


class _Server(uvicorn.Server):
    """A server whose process heeds signals itself."""

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield


@asynccontextmanager
async def console_served(console: Console, address: str, author: str, settings: Settings) -> AsyncIterator[str]:
    """Serve a console as long as the context lasts; yields the URL that opens it.

    Where the settings name an issuer, people sign in there. Else it is served on loopback alone, the URL has a token, and who
    has that is `author`. Raises BadUsage where the address is none, is open to others whom no issuer names, or is taken, and
    BadSetting where a setting is missing that a sign-in needs.
    """
    to = settings.console_sign_in
    host, port = read_address(address, is_open=to is not None)
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    async with AsyncExitStack() as stack:
        # Of a socket that names no protocol asyncio does not know that it is TCP: answers would wait 40 ms for each other.
        listening = stack.enter_context(socket.socket(family, socket.SOCK_STREAM, socket.IPPROTO_TCP))
        listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            listening.bind((host, port))
            # Before the URL is known: who follows it at once is not refused.
            listening.listen()
        except OSError as fault:
            raise BadUsage(f"{address}: nothing can listen there ({fault.strerror}); name another port") from fault
        pages = Pages(console.store.now)
        app = new_console(console, pages)
        access: Access
        if to is not None:
            refuse_absent(SIGN_IN_CLIENTS, "a console that people sign in to", SERVE_EXTRA)
            from router.console.sessions import SignedIn  # for what is not installed with every console

            http = await stack.enter_async_context(Http(trust_for(settings), settings.proxy, timeout=_ISSUER))
            access, url = SignedIn(app, pages=pages, store=console.store, to=to, http=http), f"{to.url}/"
        else:
            port, token = listening.getsockname()[1], new_token()
            written = f"[{host}]" if family == socket.AF_INET6 else host
            names, url = frozenset(f"{name}:{port}" for name in (written, "localhost")), f"http://{written}:{port}/"
            cookie = f"alert-router-{port}"
            access = LocalAccess(app, pages=pages, hosts=names, token=token, cookie=cookie, author=author)
            url = f"{url}?token={token}"
        config = uvicorn.Config(
            access,
            http=Hasty,
            ws="none",
            lifespan="off",
            log_config=None,
            access_log=False,
            server_header=False,
            proxy_headers=False,
            limit_concurrency=_CONNECTIONS,
            timeout_keep_alive=_SILENCE,
            timeout_graceful_shutdown=_GRACE,
        )
        server = _Server(config)
        serving = asyncio.create_task(server.serve(sockets=[listening]))
        try:
            yield url
        finally:
            server.should_exit = True
            await serving


def read_address(written: str, *, is_open: bool = False) -> tuple[str, int]:
    """Return the host and port of an address, on loopback unless it may be open to others; raises BadUsage."""
    host, colon, port = written.rpartition(":")
    host = "127.0.0.1" if host == "localhost" else host.strip("[]")
    try:
        found = ip_address(host)
    except ValueError:
        found = None
    if found is None or not (colon and port.isascii() and port.isdecimal() and int(port) < 65_536):
        raise BadUsage(f"{written}: is no address; write IP:PORT, such as {DEFAULT}")
    if not (is_open or found.is_loopback):
        raise BadUsage(
            f"{written}: others could reach the console there, and nobody signs in; set {ISSUER}, or write {DEFAULT}"
        )
    return host, int(port)
