"""Access tokens by OAuth 2.0 client credentials: fetched when first wanted, and used until shortly before they expire."""

from __future__ import annotations

import asyncio
import math
from collections.abc import Callable
from datetime import datetime
from typing import TYPE_CHECKING
from urllib.parse import urlencode

import orjson

from router.domain.conversation import AccessToken, HttpAnswer, HttpRequest, retry_after_in
from router.domain.errors import Unauthorized, Unavailable
from router.domain.values import Value, repr_without

if TYPE_CHECKING:
    from router.deliver.http import Http

EARLY = 60.0
"""Seconds before its end from which on a token is not used any more."""

UNSAID = 300.0
"""Seconds for which a token is used whose answer does not say how long it lives."""

_FORM = {"content-type": "application/x-www-form-urlencoded", "accept": "application/json"}
_LATER = frozenset({408, 425, 429})

type _Client = tuple[str, str, str, str | None]


class _Token(Value):
    value: str
    until: float

    __repr__ = repr_without("value")


class Tokens:
    """The tokens of every client; of those who want one at the same time one fetches it, and all hear what came of that.

    `seconds` counts from anywhere and never goes back; `clock` tells the time.
    """

    def __init__(self, http: Http, seconds: Callable[[], float], clock: Callable[[], datetime]) -> None:
        self._http = http
        self._seconds = seconds
        self._clock = clock
        self._fetches: dict[_Client, asyncio.Task[_Token]] = {}

    async def find(self, wanted: AccessToken) -> str:
        """Return the token; raises Unauthorized where the client is refused, and Unavailable where no token came."""
        client = (wanted.url, wanted.client_id, wanted.client_secret, wanted.scope)
        fetch = self._fetches.get(client)
        if fetch is None or self._is_used_up(fetch, wanted.refused):
            fetch = self._fetches[client] = asyncio.create_task(self._fetch(wanted))
            # asyncio logs a fault at which nothing looks, as where all who waited were called off.
            fetch.add_done_callback(lambda done: done.cancelled() or done.exception())
        # Who waits may be called off, and the others still want it.
        return (await asyncio.shield(fetch)).value

    def _is_used_up(self, fetch: asyncio.Task[_Token], refused: str | None) -> bool:
        if not fetch.done():
            return False
        if fetch.cancelled() or fetch.exception() is not None:
            return True
        token = fetch.result()
        return token.value == refused or self._seconds() >= token.until

    async def _fetch(self, wanted: AccessToken) -> _Token:
        form = {
            "grant_type": "client_credentials",
            "client_id": wanted.client_id,
            "client_secret": wanted.client_secret,
        }
        body = urlencode(form | ({"scope": wanted.scope} if wanted.scope else {}), errors="replace").encode()
        began = self._seconds()
        answer = await self._http.send(HttpRequest(method="POST", url=wanted.url, headers=_FORM, body=body))
        if answer.status in _LATER or answer.status >= 500:
            raise Unavailable(
                f"{wanted.url}: answered {answer.status} instead of a token",
                retry_after=retry_after_in(answer, self._clock()),
            )
        if answer.status != 200:
            raise Unauthorized(f"{wanted.url}: answered {answer.status} instead of a token; check the client's secret")
        value, lives = _read(answer, wanted.url)
        return _Token(value, began + max(lives - EARLY, lives / 2))


def _read(answer: HttpAnswer, url: str) -> tuple[str, float]:
    """The token and the seconds that it lives: https://www.rfc-editor.org/rfc/rfc6749#section-5.1"""
    try:
        told = orjson.loads(answer.body)
    except orjson.JSONDecodeError:
        told = None
    told = told if isinstance(told, dict) else {}
    value, lives = told.get("access_token"), told.get("expires_in")
    if not isinstance(value, str) or not (value.isascii() and value.isprintable()) or not value:
        raise Unavailable(f"{url}: answered 200 without a token")
    try:
        seconds = float(lives) if lives is not None else UNSAID
    except (TypeError, ValueError):
        seconds = UNSAID
    return value, max(seconds, 0.0) if math.isfinite(seconds) else UNSAID
