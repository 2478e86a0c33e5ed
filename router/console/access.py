"""Who is let into the console, and what every answer says to their browser."""

from __future__ import annotations

import secrets
from abc import ABC, abstractmethod
from collections.abc import Collection
from hmac import compare_digest

from starlette.datastructures import MutableHeaders
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from router.console.rendering import STATIC, Pages
from router.console.roles import Role, Visitor

HEADERS = {
    "content-security-policy": (
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; "
        "form-action 'self'; frame-ancestors 'none'; base-uri 'none'"
    ),
    "cross-origin-opener-policy": "same-origin",
    "referrer-policy": "same-origin",
    "x-content-type-options": "nosniff",
}
"""What every answer says to a browser: nothing of it is run, framed or told elsewhere."""

SAFE = frozenset({"GET", "HEAD"})
"""The methods that change nothing."""
_OWN = frozenset({"same-origin", "none"})
"""What a browser says of a request that one of this origin's pages, or the person itself, makes:
https://www.w3.org/TR/fetch-metadata/#sec-fetch-site-header"""


def new_token() -> str:
    """Return what opens a console: too long to guess, and another one each time."""
    return secrets.token_urlsafe(32)


class Access(ABC):
    """Lets people in, from the console's own pages only.

    Pages of other sites can neither read the console under a name of their own, since only its own names are answered, nor post
    to it.

    Attributes:
        scheme: how browsers reach the console, http or https.
        hosts: the names, with their ports, by which they do.
    """

    def __init__(self, app: ASGIApp, *, pages: Pages, scheme: str, hosts: Collection[str]) -> None:
        self._app, self._pages, self._scheme, self._hosts = app, pages, scheme, hosts

    @abstractmethod
    async def visitor(self, request: Request) -> Visitor | Response:
        """Return who makes a request, or the answer to who is not let in."""

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a request, or have the application answer it."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return

        async def send_with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                headers.update(HEADERS)
                headers.setdefault("cache-control", "no-store")
            await send(message)

        answer = await self._answer(Request(scope, receive))
        await (answer or self._app)(scope, receive, send_with_headers)

    async def _answer(self, request: Request) -> Response | None:
        """Return the answer to who is not let in; None lets them in."""
        if (refused := self._refused(request)) is not None:
            return refused
        if request.url.path.startswith(STATIC):
            return None
        found = await self.visitor(request)
        if isinstance(found, Response):
            return found
        request.state.visitor = found
        return None

    def _refused(self, request: Request) -> Response | None:
        if (host := request.headers.get("host")) not in self._hosts:
            return self._pages.error(request, 421, "This console is not known by that name.")
        if request.method in SAFE:
            return None
        site = request.headers.get("sec-fetch-site")
        is_own = site in _OWN if site is not None else request.headers.get("origin") == f"{self._scheme}://{host}"
        return None if is_own else self._pages.error(request, 403, "Only pages of this console may change anything.")


class LocalAccess(Access):
    """Lets a browser in that has the token of a console on this machine, whose user may do everything.

    The token comes in a URL once, is exchanged for a cookie, and leaves the address.
    """

    def __init__(
        self, app: ASGIApp, *, pages: Pages, hosts: Collection[str], token: str, cookie: str, author: str
    ) -> None:
        super().__init__(app, pages=pages, scheme="http", hosts=hosts)
        self._token, self._cookie, self._session = token, cookie, new_token()
        self._visitor = Visitor(author, Role.ADMIN)

    async def visitor(self, request: Request) -> Visitor | Response:
        """Return this machine's user, where the browser has the cookie, or brings the token for it."""
        given = request.query_params.get("token")
        if given is not None and request.method in SAFE:
            return self._exchanged(request, given)
        cookie = request.cookies.get(self._cookie, "")
        if compare_digest(cookie.encode(), self._session.encode()):
            return self._visitor
        words = "Open the console by the URL that the program printed when it started."
        return self._pages.error(request, 401, words, again=request.method in SAFE)

    def _exchanged(self, request: Request, given: str) -> Response:
        """Give the cookie for a token in a URL, and go on without the token."""
        if not compare_digest(given.encode(), self._token.encode()):
            return self._pages.error(request, 401, "That token is not this console's: each start makes another one.")
        answer = RedirectResponse(self._pages.path(request.url.path, request.query_params, token=None), 303)
        answer.set_cookie(self._cookie, self._session, httponly=True, samesite="strict")
        return answer
