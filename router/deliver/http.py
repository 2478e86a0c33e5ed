"""HTTP to destinations: httpx's requests and errors over aiohttp's connections.

httpx's own pool slows down as concurrency grows (https://github.com/encode/httpx/issues/3215), so its transport is
aiohttp, and its client, which adds cookies, redirects and hooks that nothing here wants, is left out. Only this module
knows that.
"""

from __future__ import annotations

import asyncio
import logging
import ssl
import zlib
from collections.abc import Callable, Mapping
from functools import lru_cache
from types import TracebackType

import aiohttp
import httpx
from httpx_aiohttp import AiohttpTransport

from router.domain.conversation import HttpAnswer, HttpRequest
from router.domain.errors import Unavailable
from router.domain.urls import is_example, never_asked

TIMEOUT = 30.0
"""Seconds for one request from its first byte to the answer's last; Standard Webhooks advises 15 to 30."""

LARGEST_ANSWER = 64 * 1024
"""Bytes of an answer that are read unless more is asked for; nothing that a destination needs to know is longer."""

# The libraries' own logs print whole URLs, and a webhook's URL may be a secret.
for _name in ("httpx", "httpcore", "aiohttp.client"):
    logging.getLogger(_name).setLevel(logging.WARNING)


class Http:
    """Sends requests, one connection pool for all destinations; follows no redirect, obeys no proxy variable, keeps no cookie.

    `headers` gives what every request bears beside its own: the trace that it goes on with. `longest` is how many bytes of an
    answer are read, and `server_name` the name in the server's certificate, where that is not its host's.
    """

    def __init__(
        self,
        tls: ssl.SSLContext,
        connections: int = 128,
        timeout: float = TIMEOUT,
        headers: Callable[[], Mapping[str, str]] = dict,
        longest: int = LARGEST_ANSWER,
        server_name: str | None = None,
    ) -> None:
        self._tls = tls
        self._headers = headers
        self._connections = connections
        self._timeout = timeout
        self._longest = longest
        self._extensions = {} if server_name is None else {"sni_hostname": server_name}

    async def __aenter__(self) -> Http:
        connector = aiohttp.TCPConnector(limit=self._connections, limit_per_host=0, ssl=self._tls)
        session = aiohttp.ClientSession(connector=connector, cookie_jar=aiohttp.DummyCookieJar(), auto_decompress=False)
        self._transport = AiohttpTransport(verify=self._tls, client=session)
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, fault: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._transport.aclose()

    async def send(self, request: HttpRequest) -> HttpAnswer:
        """The answer, whatever its status; raises Unavailable when none came in time. It names a host at most, and no URL.

        A host that ends in `.example` is never asked: whatever led to it, no name is looked up and no connection opened.
        """
        try:
            host = _parsed(request.url).host
            if is_example(host):
                raise Unavailable(never_asked(host))
            async with asyncio.timeout(self._timeout):
                return await self._exchange(request)
        except TimeoutError as fault:
            raise Unavailable(f"no answer within {self._timeout:.0f} s") from fault
        except (httpx.RequestError, httpx.InvalidURL, aiohttp.ClientError, OSError, ValueError) as fault:
            untrusted = find_untrusted(fault)
            if untrusted is not None:
                raise Unavailable(not_trusted(_parsed(request.url).host, untrusted)) from fault
            raise Unavailable(f"no answer: {_words_for(fault)}") from fault

    async def _exchange(self, request: HttpRequest) -> HttpAnswer:
        headers = {"accept-encoding": "identity", **self._headers(), **request.headers}
        url = _parsed(request.url)
        asked = httpx.Request(request.method, url, headers=headers, content=request.body, extensions=self._extensions)
        response = await self._transport.handle_async_request(asked)
        try:
            body = await _read(response, self._longest)
        finally:
            await response.aclose()
        answered = {name.decode("latin-1").lower(): value.decode("latin-1") for name, value in response.headers.raw}
        return HttpAnswer(status=response.status_code, headers=answered, body=body)


def _words_for(fault: BaseException) -> str:
    """Why no answer came: httpx's transport calls every connection that fails one that took too long."""
    cause = fault.__cause__
    match cause:
        case aiohttp.ClientConnectorDNSError():
            return "the name of its host is not known"
        case aiohttp.ClientConnectorError() if isinstance(cause.os_error, ConnectionRefusedError):
            return "the connection was refused"
        case aiohttp.ClientConnectorError():
            return f"no connection ({type(cause.os_error).__name__})"
        case _:
            return type(fault).__name__


# Parsing a URL costs as much as the rest of a request, and a destination has few of them.
_parsed = lru_cache(maxsize=256)(httpx.URL)


async def _read(response: httpx.Response, longest: int) -> bytes:
    chunks, size = [], 0
    async for chunk in response.aiter_raw():
        chunks.append(chunk)
        size += len(chunk)
        if size >= longest:
            break
    encoding = response.headers.get("content-encoding", "identity").strip().lower()
    return _unpack(b"".join(chunks)[:longest], encoding, longest)


def _unpack(body: bytes, encoding: str, longest: int) -> bytes:
    """An answer as it was before it was compressed, unasked: a few bytes may stand for very many."""
    if encoding in ("", "identity"):
        return body
    if encoding not in ("gzip", "x-gzip", "deflate"):
        raise httpx.DecodingError("compressed in a way that was not asked for")
    try:
        return zlib.decompressobj(wbits=zlib.MAX_WBITS | 32).decompress(body, longest)
    except zlib.error as fault:
        raise httpx.DecodingError("not compressed as it says") from fault


def find_untrusted(fault: BaseException | None) -> str | None:
    """What TLS has against a server's certificate, if a fault comes of that."""
    while fault is not None:
        # aiohttp's own error is one of TLS too, and has nothing of what that says.
        said: str | None = getattr(fault, "verify_message", None)
        if said is not None:
            return said
        fault = getattr(fault, "certificate_error", None) or fault.__cause__ or fault.__context__
    return None


def not_trusted(host: str, said: str) -> str:
    """What is said of a host whose certificate TLS refuses, given what it has against it."""
    return f"{host}: its certificate is not trusted ({said}); name its authority by ALERT_ROUTER_CA_FILE"
