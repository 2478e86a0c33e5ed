"""Who may use a console on this machine: who has its token, and only from the console's own pages."""

from __future__ import annotations

import secrets
from collections.abc import Collection
from hmac import compare_digest

from starlette.datastructures import MutableHeaders
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from router.console.rendering import STATIC, Pages

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

_SAFE = frozenset({"GET", "HEAD"})
_OWN = frozenset({"same-origin", "none"})
"""What a browser says of a request that one of this origin's pages, or the person itself, makes:
https://www.w3.org/TR/fetch-metadata/#sec-fetch-site-header"""


def new_token() -> str:
    """Return what opens a console: too long to guess, and another one each time."""
    return secrets.token_urlsafe(32)


class LocalAccess:
    """Lets a browser in that has the token of a console on this machine.

    The token comes in a URL once, is exchanged for a cookie, and leaves the address. Pages of other sites can neither read the
    console under a name of their own, since only its own names are answered, nor post to it.
    """

    def __init__(self, app: ASGIApp, *, pages: Pages, hosts: Collection[str], token: str, cookie: str) -> None:
        self._app, self._pages, self._hosts, self._token, self._cookie = app, pages, hosts, token, cookie
        self._session = new_token()

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

        request = Request(scope, receive)
        answer = self._refused(request) or self._exchanged(request) or self._unknown(request) or self._app
        await answer(scope, receive, send_with_headers)

    def _refused(self, request: Request) -> Response | None:
        if request.headers.get("host") not in self._hosts:
            return self._pages.error(request, 421, "This console is not known by that name.")
        if request.method in _SAFE:
            return None
        site = request.headers.get("sec-fetch-site")
        is_own = site in _OWN if site is not None else request.headers.get("origin") == f"http://{request.url.netloc}"
        return None if is_own else self._pages.error(request, 403, "Only pages of this console may change anything.")

    def _exchanged(self, request: Request) -> Response | None:
        """Give the cookie for a token in a URL, and go on without the token."""
        given = request.query_params.get("token")
        if given is None or request.method not in _SAFE:
            return None
        if not compare_digest(given.encode(), self._token.encode()):
            return self._pages.error(request, 401, "That token is not this console's: each start makes another one.")
        answer = RedirectResponse(self._pages.path(request.url.path, request.query_params, token=None), 303)
        answer.set_cookie(self._cookie, self._session, httponly=True, samesite="strict")
        return answer

    def _unknown(self, request: Request) -> Response | None:
        given = request.cookies.get(self._cookie, "")
        if compare_digest(given.encode(), self._session.encode()) or request.url.path.startswith(STATIC):
            return None
        words = "Open the console by the URL that the program printed when it started."
        return self._pages.error(request, 401, words, again=request.method in _SAFE)
