"""Serves the console: to people who signed in, or on loopback alone, with a token that each start makes anew."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from ipaddress import ip_address

from router.app.certificates import trust_for
from router.app.optional_packages import SERVE_EXTRA, SIGN_IN_CLIENTS, refuse_absent
from router.app.settings import ISSUER, Settings
from router.console.access import Access, LocalAccess, new_token
from router.console.application import Console
from router.console.rendering import Pages
from router.console.server import listening_on, read_ip_port, served
from router.console.views import new_console
from router.deliver.http import Http
from router.domain.errors import BadUsage

DEFAULT = "127.0.0.1:8025"
"""Where a console listens, unless something else is said."""

_ISSUER = 10.0
"""Seconds in which an issuer is to answer."""


@asynccontextmanager
async def console_served(console: Console, address: str, author: str, settings: Settings) -> AsyncIterator[str]:
    """Serve a console as long as the context lasts; yields the URL that opens it.

    Where the settings name an issuer, people sign in there. Else it is served on loopback alone, the URL has a token, and who
    has that is `author`. Raises BadUsage where the address is none, is open to others whom no issuer names, or is taken, and
    BadSetting where a setting is missing that a sign-in needs.
    """
    to = settings.console_sign_in
    host, port = read_address(address, is_open=to is not None)
    async with AsyncExitStack() as stack:
        listening = stack.enter_context(listening_on(address, host, port))
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
            written = f"[{host}]" if ":" in host else host
            names, url = frozenset(f"{name}:{port}" for name in (written, "localhost")), f"http://{written}:{port}/"
            cookie = f"alert-router-{port}"
            access = LocalAccess(app, pages=pages, hosts=names, token=token, cookie=cookie, author=author)
            url = f"{url}?token={token}"
        await stack.enter_async_context(served(access, listening))
        yield url


def read_address(written: str, *, is_open: bool = False) -> tuple[str, int]:
    """Return the host and port of an address, on loopback unless it may be open to others; raises BadUsage."""
    host, port = read_ip_port(written, DEFAULT)
    if not (is_open or ip_address(host).is_loopback):
        raise BadUsage(
            f"{written}: others could reach the console there, and nobody signs in; set {ISSUER}, or write {DEFAULT}"
        )
    return host, port
