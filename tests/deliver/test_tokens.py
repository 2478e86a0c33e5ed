"""Access tokens: fetched once, kept as long as they live, and never shown."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import Awaitable, Callable
from typing import Any
from urllib.parse import parse_qs

import orjson
import pytest

from router.deliver.http import Http
from router.deliver.tokens import Tokens
from router.domain.conversation import AccessToken
from router.domain.errors import DeliveryError, Unauthorized, Unavailable
from tests.builders import NOW
from tests.deliver.sockets import Answering, answering

SECRET = "hunter2&more"
FORM = {"grant_type": ["client_credentials"], "client_id": ["us"], "client_secret": [SECRET]}


class Room:
    """An authorization server, and one who wants its tokens; `seconds` pass when a test says so."""

    def __init__(self, issuer: Answering, http: Http) -> None:
        self.issuer = issuer
        self.seconds = 0.0
        self._tokens = Tokens(http, lambda: self.seconds, lambda: NOW)

    def find(self, **changes: Any) -> Awaitable[str]:
        """A token for one client."""
        wanted = {"url": self.issuer.url, "client_id": "us", "client_secret": SECRET}
        return self._tokens.find(AccessToken(**wanted | changes))


def beside_issuer(
    act: Callable[[Room], Awaitable[None]], body: object = None, status: int = 200, **headers: str
) -> None:
    """Runs an act beside an authorization server that numbers its tokens, or answers something else."""

    async def go() -> None:
        answer = orjson.dumps({"access_token": "token-#", "expires_in": 3600} if body is None else body)
        async with answering(status, answer, **headers) as issuer, Http(ssl.create_default_context()) as http:
            await act(Room(issuer, http))

    asyncio.run(go())


def test_a_token_is_fetched_once_for_all_who_want_it_and_replaced_once_when_it_was_refused() -> None:
    """Also for those who want it at the same time; another scope is another token, and a secret may have any letters."""

    async def act(room: Room) -> None:
        assert await asyncio.gather(*(room.find() for _ in range(5))) == ["token-1"] * 5
        assert await room.find(scope="write") == "token-2"
        forms = [parse_qs(one.partition(b"\r\n\r\n")[2].decode()) for one in room.issuer.requests]
        assert forms == [FORM, FORM | {"scope": ["write"]}]
        assert await asyncio.gather(*(room.find(refused="token-1") for _ in range(3))) == ["token-3"] * 3
        assert await room.find(client_secret="\udcff\u2013") == "token-4"

    beside_issuer(act)


@pytest.mark.parametrize(("expires", "lives"), [(3600, 3540), ("100", 50), (None, 240), ("x", 240), ("NaN", 240)])
def test_a_token_is_kept_until_shortly_before_it_expires(expires: object, lives: float) -> None:
    """A minute before, or half its life where that is longer; where nothing is said, five minutes are assumed."""

    async def act(room: Room) -> None:
        found = []
        for room.seconds in (0.0, lives - 1, lives):
            found.append(await room.find())
        assert found == ["token-1", "token-1", "token-2"]

    beside_issuer(act, {"access_token": "token-#"} | ({"expires_in": expires} if expires else {}))


def test_a_refusal_is_heard_by_all_who_wait_and_asked_for_once() -> None:
    """Sixteen deliveries with a wrong secret must not lock the client out."""

    async def act(room: Room) -> None:
        heard = await asyncio.gather(*(room.find() for _ in range(16)), return_exceptions=True)
        assert {type(one) for one in heard} == {Unauthorized}
        assert len(room.issuer.requests) == 1

    beside_issuer(act, status=401)


def test_who_is_called_off_keeps_nobody_from_the_token() -> None:
    """The one who began to fetch it may be cancelled."""

    async def act(room: Room) -> None:
        first, second = (asyncio.ensure_future(room.find()) for _ in range(2))
        await asyncio.sleep(0)
        first.cancel()
        assert await second == await room.find() == "token-1"

    beside_issuer(act)


@pytest.mark.parametrize(
    ("status", "body", "expected"),
    [
        (400, {"error": "invalid_client", "error_description": SECRET}, Unauthorized),
        (401, {"error": SECRET}, Unauthorized),
        (302, {}, Unauthorized),
        (429, {}, Unavailable),
        (503, {}, Unavailable),
        (200, [], Unavailable),
        (200, {"access_token": "two\nlines"}, Unavailable),
    ],
)
def test_where_there_is_no_token_the_error_says_whether_to_try_again(
    status: int, body: object, expected: type[DeliveryError]
) -> None:
    """It names the address, and neither the secret nor the server's words; the next one asks anew, when that wishes."""

    async def act(room: Room) -> None:
        for _ in range(2):
            with pytest.raises(expected) as refused:
                await room.find()
            assert str(refused.value).startswith(room.issuer.url)
            assert SECRET not in str(refused.value)
            if isinstance(refused.value, Unavailable):
                assert refused.value.retry_after == (90 if status != 200 else None)
        assert len(room.issuer.requests) == 2

    beside_issuer(act, body, status, **{"Retry-After": "90"})
