"""HTTP to destinations over real sockets: whatever a server does, there is an answer or a reason to try again."""

from __future__ import annotations

import asyncio
import gzip
import socket
import ssl

import pytest

from router.deliver.http import LARGEST_ANSWER, Http
from router.domain.conversation import HttpAnswer, HttpRequest
from router.domain.errors import Unavailable
from tests.deliver.sockets import answering, flooding
from tests.network import nobody_else
from tests.waiting import PATIENCE

SECRET = "hook?sig=canary"


async def post(url: str, *, timeout: float = PATIENCE, longest: int = LARGEST_ANSWER, **headers: str) -> HttpAnswer:
    """What comes of one request whose URL is a secret."""
    async with Http(ssl.create_default_context(), timeout=timeout, longest=longest) as http:
        return await http.send(HttpRequest(method="POST", url=f"{url}/{SECRET}", headers=headers, body=b"1234"))


def ask(body: bytes, encoding: str = "gzip", longest: int = LARGEST_ANSWER) -> HttpAnswer:
    """What a server that answers so gets out of one request."""

    async def go() -> HttpAnswer:
        async with answering(200, body, **{"Content-Encoding": encoding}) as server:
            return await post(server.url, longest=longest)

    return asyncio.run(go())


def test_a_request_arrives_as_it_was_asked_for_and_stands_alone() -> None:
    """Method, headers and body; the answer's header names come in lower case, and no cookie is kept."""

    async def go() -> None:
        async with answering(201, b"yes", **{"X-Answer": "Yes", "Set-Cookie": "session=1"}) as server:
            async with Http(ssl.create_default_context()) as http:
                request = HttpRequest(method="PUT", url=server.url, headers={"x-test": "yes"}, body=b"1234")
                answers = [await http.send(request) for _ in range(2)]
            assert {(one.status, one.body, one.headers["x-answer"]) for one in answers} == {(201, b"yes", "Yes")}
        for head, _, body in (one.lower().partition(b"\r\n\r\n") for one in server.requests):
            assert (head[:3], b"x-test: yes" in head, b"cookie" in head, body) == (b"put", True, False, b"1234")

    asyncio.run(go())


def test_a_compressed_answer_is_read_and_one_that_would_become_too_long_is_cut() -> None:
    """Vendors compress what they answer; a few bytes of gzip may stand for more than the machine has."""
    assert ask(gzip.compress(b'{"result": []}')).body == b'{"result": []}'
    bomb = gzip.compress(b"0" * 10_000_000)
    for longest in (LARGEST_ANSWER, LARGEST_ANSWER * 2):
        assert len(ask(bomb, longest=longest).body) == longest
    for body, encoding in ((gzip.compress(bomb), "gzip, gzip"), (b"plain", "gzip")):
        with pytest.raises(Unavailable, match="DecodingError"):
            ask(body, encoding)


def test_a_header_that_cannot_be_sent_is_tried_again() -> None:
    """Nobody refused anything: a secret with a line's end in it is mended, and what is owed goes out."""

    async def go() -> None:
        async with answering() as server:
            with pytest.raises(Unavailable, match="ValueError"):
                await post(server.url, key="canary\n")
            assert server.requests == []

    asyncio.run(go())


def test_a_redirect_is_an_answer_and_is_not_followed() -> None:
    """Requests go only where the rules say."""

    async def go() -> None:
        async with answering() as elsewhere, answering(302, Location=f"{elsewhere.url}/there") as server:
            assert (await post(server.url)).status == 302
            assert elsewhere.requests == []

    asyncio.run(go())


def test_of_a_long_answer_only_the_beginning_is_read() -> None:
    """An answer without end costs neither memory nor time."""

    async def go() -> None:
        async with flooding(b"HTTP/1.1 200 OK\r\n\r\n", b"x" * LARGEST_ANSWER) as url:
            assert len((await post(url)).body) == LARGEST_ANSWER

    asyncio.run(go())


@pytest.mark.parametrize(
    ("beginning", "again"),
    [
        (b"", b"HTTP/1.1 100 Continue\r\n\r\n" * 100),
        (b"", b"HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n" * 100),
        (b"HTTP/1.1 200 OK\r\n", b"X-More: y\r\n" * 100),
        (b"HTTP/1.1 200 OK\r\nX-Long: ", b"y" * 1000),
        (b"", b""),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nx", b""),
        (b"", None),
    ],
)
def test_an_answer_that_never_comes_to_its_end_is_none_and_its_url_is_not_told(
    beginning: bytes, again: bytes | None
) -> None:
    """Hints, headers or one header without end; a server that hangs, in the midst or not, or closes the connection."""

    async def go() -> None:
        async with flooding(beginning, again) as url:
            with pytest.raises(Unavailable) as caught:
                await post(url, timeout=0.3)
            assert "canary" not in str(caught.value) and "hook" not in str(caught.value)

    asyncio.run(go())


@pytest.mark.parametrize("host", ["soc.example", "SOC.Example", "soc.example.", "soc.example:8443"])
def test_a_host_that_is_nobodys_is_never_asked(host: str) -> None:
    """Neither looked up nor connected to; the delivery is told so, by the host alone."""
    with nobody_else() as strangers, pytest.raises(Unavailable, match=r"ends in \.example") as refused:
        asyncio.run(post(f"https://{host}"))
    assert strangers == []
    assert "canary" not in str(refused.value)


@pytest.mark.parametrize(
    ("host", "said"),
    [
        ("127.0.0.1", "no answer: the connection was refused"),
        ("a.invalid", "no answer: the name of its host is not known"),
    ],
)
def test_why_there_is_no_connection_is_said(host: str, said: str) -> None:
    """It did not take too long, as the transport calls it."""
    with socket.create_server(("127.0.0.1", 0)) as closed:
        port = closed.getsockname()[1]
    with pytest.raises(Unavailable) as caught:
        asyncio.run(post(f"http://{host}:{port}"))
    assert str(caught.value) == said
