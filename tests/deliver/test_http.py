"""HTTP to destinations over real sockets: whatever a server does, there is an answer or a reason to try again."""

from __future__ import annotations

import asyncio
import gzip
import socket
import ssl
from collections.abc import Awaitable, Callable
from contextlib import suppress

import pytest
from aiohttp import web

from router.deliver.http import LARGEST_ANSWER, Http
from router.domain.conversation import HttpAnswer, HttpRequest
from router.domain.errors import Unavailable
from tests.deliver.sockets import answering, flooding
from tests.network import nobody_else
from tests.waiting import PATIENCE

type Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


def ask(
    handler: Handler, *, body: bytes = b"{}", timeout: float = PATIENCE, longest: int = LARGEST_ANSWER
) -> HttpAnswer:
    """What a server that answers so gets out of one request."""
    return asyncio.run(_ask(handler, body, timeout, longest))


async def _ask(handler: Handler, body: bytes, timeout: float, longest: int) -> HttpAnswer:
    application = web.Application()
    application.router.add_route("*", "/{path:.*}", handler)
    runner = web.AppRunner(application, access_log=None, shutdown_timeout=0.1)
    await runner.setup()
    try:
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        port = runner.addresses[0][1]
        async with Http(ssl.create_default_context(), timeout=timeout, longest=longest) as http:
            return await http.send(
                HttpRequest(
                    method="POST",
                    url=f"http://127.0.0.1:{port}/hook?sig=canary",
                    headers={"content-type": "application/json", "x-test": "yes"},
                    body=body,
                )
            )
    finally:
        await runner.cleanup()


def test_a_request_arrives_as_it_was_asked_for() -> None:
    """Method, headers and body; the answer's header names come in lower case."""

    async def echo(request: web.Request) -> web.Response:
        assert request.method == "POST"
        assert request.headers["X-Test"] == "yes"
        assert request.content_length == 4
        return web.Response(status=201, body=await request.read(), headers={"X-Answer": "Yes"})

    answer = ask(echo, body=b"1234")
    assert (answer.status, answer.body, answer.headers["x-answer"]) == (201, b"1234", "Yes")


def test_a_compressed_answer_is_read() -> None:
    """Vendors compress what they answer."""

    async def compressed(_: web.Request) -> web.Response:
        return web.Response(body=gzip.compress(b'{"result": []}'), headers={"Content-Encoding": "gzip"})

    assert ask(compressed).body == b'{"result": []}'


def test_an_answer_that_would_become_too_long_is_cut() -> None:
    """A few bytes of gzip may stand for more than the machine has."""

    async def bomb(_: web.Request) -> web.Response:
        return web.Response(body=gzip.compress(b"0" * 10_000_000), headers={"Content-Encoding": "gzip"})

    async def double(_: web.Request) -> web.Response:
        body = gzip.compress(gzip.compress(b"0" * 10_000_000))
        return web.Response(body=body, headers={"Content-Encoding": "gzip, gzip"})

    assert len(ask(bomb).body) == LARGEST_ANSWER
    assert len(ask(bomb, longest=LARGEST_ANSWER * 2).body) == LARGEST_ANSWER * 2
    with pytest.raises(Unavailable, match="DecodingError"):
        ask(double)


def test_an_answer_that_is_wrongly_said_to_be_compressed_is_tried_again() -> None:
    """What cannot be read is no answer."""

    async def wrong(_: web.Request) -> web.Response:
        return web.Response(body=b"plain", headers={"Content-Encoding": "gzip"})

    with pytest.raises(Unavailable):
        ask(wrong)


def test_a_header_that_cannot_be_sent_is_tried_again() -> None:
    """Nobody refused anything: a secret with a line's end in it is mended, and what is owed goes out."""

    async def go() -> None:
        async with answering() as server, Http(ssl.create_default_context()) as http:
            with pytest.raises(Unavailable, match="ValueError"):
                await http.send(HttpRequest(method="POST", url=server.url, headers={"x-key": "canary\n"}, body=b""))
            assert server.requests == []

    asyncio.run(go())


def test_a_redirect_is_an_answer_and_is_not_followed() -> None:
    """Requests go only where the rules say."""

    async def redirect(request: web.Request) -> web.Response:
        assert request.path == "/hook"
        return web.Response(status=302, headers={"Location": "/elsewhere"})

    assert ask(redirect).status == 302


def test_no_cookie_is_kept() -> None:
    """Each request stands alone."""

    async def cookies(request: web.Request) -> web.Response:
        assert not request.cookies
        response = web.Response()
        response.set_cookie("session", "1")
        return response

    assert ask(cookies).status == 200


def test_of_a_long_answer_only_the_beginning_is_read() -> None:
    """An answer without end costs neither memory nor time."""

    async def endless(request: web.Request) -> web.StreamResponse:
        response = web.StreamResponse()
        await response.prepare(request)
        with suppress(ConnectionError):
            for _ in range(100):
                await response.write(b"x" * LARGEST_ANSWER)
        return response

    assert len(ask(endless).body) == LARGEST_ANSWER


@pytest.mark.parametrize(
    ("beginning", "again"),
    [
        (b"", b"HTTP/1.1 100 Continue\r\n\r\n" * 100),
        (b"", b"HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n" * 100),
        (b"HTTP/1.1 200 OK\r\n", b"X-More: y\r\n" * 100),
        (b"HTTP/1.1 200 OK\r\nX-Long: ", b"y" * 1000),
    ],
)
def test_an_answer_that_never_comes_to_its_body_ends(beginning: bytes, again: bytes) -> None:
    """`100 Continue` or hints without end, headers without end, one header without end."""

    async def flooded() -> None:
        async with flooding(beginning, again) as url, Http(ssl.create_default_context(), timeout=0.3) as http:
            with pytest.raises(Unavailable):
                await http.send(HttpRequest(method="POST", url=url, body=b"{}"))

    asyncio.run(flooded())


async def _hangs(_: web.Request) -> web.Response:
    await asyncio.Event().wait()
    return web.Response()


async def _trickles(request: web.Request) -> web.StreamResponse:
    response = web.StreamResponse()
    await response.prepare(request)
    with suppress(ConnectionError):
        while True:
            await response.write(b"x")
            await asyncio.sleep(0.1)
    return response


async def _drops(request: web.Request) -> web.Response:
    assert request.transport is not None
    request.transport.close()
    return web.Response()


@pytest.mark.parametrize("handler", [_hangs, _trickles, _drops])
def test_a_server_that_does_not_answer_is_unavailable_and_its_url_is_not_told(handler: Handler) -> None:
    """One that hangs, one that answers for ever, one that closes the connection."""
    with pytest.raises(Unavailable) as caught:
        ask(handler, timeout=0.3)
    assert "canary" not in str(caught.value)
    assert "hook" not in str(caught.value)


@pytest.mark.parametrize("host", ["soc.example", "SOC.Example", "soc.example.", "soc.example:8443"])
def test_a_host_that_is_nobodys_is_never_asked(host: str) -> None:
    """Neither looked up nor connected to; the delivery is told so, by the host alone."""

    async def asked() -> None:
        async with Http(ssl.create_default_context()) as http:
            await http.send(HttpRequest(method="POST", url=f"https://{host}/hook/canary", headers={}, body=b""))

    with nobody_else() as strangers, pytest.raises(Unavailable, match=r"ends in \.example") as refused:
        asyncio.run(asked())
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

    async def asked() -> HttpAnswer:
        async with Http(ssl.create_default_context(), timeout=PATIENCE) as http:
            return await http.send(HttpRequest(method="GET", url=f"http://{host}:{port}/"))

    with pytest.raises(Unavailable) as caught:
        asyncio.run(asked())
    assert str(caught.value) == said
