"""Access tokens: fetched once, kept as long as they live, and never shown."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import Awaitable, Callable
from datetime import timedelta
from email.utils import format_datetime
from typing import Any
from urllib.parse import parse_qs

import pytest
from aiohttp import web

from alert_router_demo.soc.endpoint import json_answer, served
from router.deliver.http import Http
from router.deliver.tokens import Tokens
from router.domain.conversation import AccessToken
from router.domain.errors import DeliveryError, Unauthorized, Unavailable
from tests.builders import NOW

SECRET = "hunter2&more"


class Issuer:
    """An authorization server that counts what it was asked for."""

    def __init__(self) -> None:
        self.forms: list[dict[str, list[str]]] = []
        self.status = 200
        self.wish: dict[str, str] = {}
        self.body: Any = {"token_type": "Bearer", "expires_in": 3600}

    async def issue(self, request: web.Request) -> web.Response:
        self.forms.append(parse_qs(await request.text()))
        token = {"access_token": f"token-{len(self.forms)}"} if self.status == 200 else {}
        answer = json_answer(self.body | token if isinstance(self.body, dict) else self.body, self.status)
        answer.headers.update(self.wish)
        return answer


class Clock:
    """Seconds that pass when a test says so."""

    now = 0.0

    def __call__(self) -> float:
        return self.now


def issuing(act: Callable[[Issuer, Tokens, str, Clock], Awaitable[None]]) -> None:
    """Runs an act beside an authorization server on loopback."""

    async def run() -> None:
        issuer, clock, application = Issuer(), Clock(), web.Application()
        application.router.add_post("/token", issuer.issue)
        async with served(application) as address, Http(ssl.create_default_context()) as http:
            await act(issuer, Tokens(http, clock, lambda: NOW), f"{address}/token", clock)

    asyncio.run(run())


def wanted(url: str, **changes: Any) -> AccessToken:
    """A token for one client."""
    return AccessToken(**{"url": url, "client_id": "us", "client_secret": SECRET} | changes)


def test_a_token_is_fetched_once_for_all_who_want_it() -> None:
    """Also for those who want it at the same time; another scope is another token."""

    async def act(issuer: Issuer, tokens: Tokens, url: str, clock: Clock) -> None:
        assert await asyncio.gather(*(tokens.find(wanted(url)) for _ in range(5))) == ["token-1"] * 5
        assert await tokens.find(wanted(url, scope="write")) == "token-2"
        assert issuer.forms == [
            {"grant_type": ["client_credentials"], "client_id": ["us"], "client_secret": [SECRET]},
            {"grant_type": ["client_credentials"], "client_id": ["us"], "client_secret": [SECRET], "scope": ["write"]},
        ]

    issuing(act)


@pytest.mark.parametrize(
    ("body", "lives"),
    [
        ({"expires_in": 3600}, 3540),
        ({"expires_in": "100"}, 50),
        ({}, 240),
        ({"expires_in": "x"}, 240),
        ({"expires_in": "NaN"}, 240),
    ],
)
def test_a_token_is_kept_until_shortly_before_it_expires(body: dict[str, Any], lives: float) -> None:
    """A minute before, or half its life where that is longer; where nothing is said, five minutes are assumed."""

    async def act(issuer: Issuer, tokens: Tokens, url: str, clock: Clock) -> None:
        issuer.body = body
        await tokens.find(wanted(url))
        clock.now = lives - 1
        assert await tokens.find(wanted(url)) == "token-1"
        clock.now = lives
        assert await tokens.find(wanted(url)) == "token-2"

    issuing(act)


def test_a_token_that_was_refused_is_replaced_once_for_all() -> None:
    """Whoever held the old one gets the new one, and does not fetch yet another."""

    async def act(issuer: Issuer, tokens: Tokens, url: str, clock: Clock) -> None:
        old = await tokens.find(wanted(url))
        again = await asyncio.gather(*(tokens.find(wanted(url, refused=old)) for _ in range(3)))
        assert again == ["token-2"] * 3

    issuing(act)


def test_a_refusal_is_heard_by_all_who_wait_and_asked_for_once() -> None:
    """Sixteen deliveries with a wrong secret must not lock the client out."""

    async def act(issuer: Issuer, tokens: Tokens, url: str, clock: Clock) -> None:
        issuer.status = 401
        heard = await asyncio.gather(*(tokens.find(wanted(url)) for _ in range(16)), return_exceptions=True)
        assert {type(one) for one in heard} == {Unauthorized}
        assert len(issuer.forms) == 1

    issuing(act)


@pytest.mark.parametrize("wish", ["90", format_datetime(NOW + timedelta(seconds=90), usegmt=True)])
def test_the_servers_own_wish_is_heard(wish: str) -> None:
    """Given as seconds or as a date."""

    async def act(issuer: Issuer, tokens: Tokens, url: str, clock: Clock) -> None:
        issuer.status, issuer.wish = 503, {"Retry-After": wish}
        with pytest.raises(Unavailable) as caught:
            await tokens.find(wanted(url))
        assert caught.value.retry_after == 90

    issuing(act)


def test_a_secret_of_any_letters_is_sent() -> None:
    """Whether the client knows it by them is for the server to say."""

    async def act(issuer: Issuer, tokens: Tokens, url: str, clock: Clock) -> None:
        assert await tokens.find(wanted(url, client_secret="\udcff\u2013")) == "token-1"

    issuing(act)


def test_who_is_called_off_keeps_nobody_from_the_token() -> None:
    """The one who began to fetch it may be cancelled."""

    async def act(issuer: Issuer, tokens: Tokens, url: str, clock: Clock) -> None:
        first = asyncio.create_task(tokens.find(wanted(url)))
        await asyncio.sleep(0)
        second = asyncio.create_task(tokens.find(wanted(url)))
        await asyncio.sleep(0)
        first.cancel()
        assert await second == "token-1"
        assert await tokens.find(wanted(url)) == "token-1"

    issuing(act)


@pytest.mark.parametrize(
    ("status", "body", "expected"),
    [
        (400, {"error": "invalid_client", "error_description": SECRET}, Unauthorized),
        (401, {"error": SECRET}, Unauthorized),
        (302, {}, Unauthorized),
        (429, {}, Unavailable),
        (503, {}, Unavailable),
        (200, [], Unavailable),
    ],
)
def test_where_there_is_no_token_the_error_says_whether_to_try_again(
    status: int, body: object, expected: type[DeliveryError]
) -> None:
    """It names the address, and neither the secret nor the server's words; the next one asks anew."""

    async def act(issuer: Issuer, tokens: Tokens, url: str, clock: Clock) -> None:
        issuer.status, issuer.body = status, body
        for _ in range(2):
            with pytest.raises(expected) as refused:
                await tokens.find(wanted(url))
            assert str(refused.value).startswith(url)
            assert SECRET not in str(refused.value)
        assert len(issuer.forms) == 2

    issuing(act)
