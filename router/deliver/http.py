"""HTTP to destinations: httpx's requests and answers over aiohttp's connections. Only this module knows that.

httpx's own pool slows down as concurrency grows (https://github.com/encode/httpx/issues/3215), and its client adds cookies,
redirects and hooks that nothing here wants. What each transport costs: docs/benchmarks.md.
"""

from __future__ import annotations

import asyncio
import ssl
import zlib
from collections.abc import Callable, Mapping
from functools import lru_cache
from typing import Any, cast

import aiohttp
import httpx
import yarl

from router.domain.conversation import HttpAnswer, HttpRequest
from router.domain.errors import Unavailable
from router.domain.proxies import UNREACHED, Proxy, refusal_of
from router.domain.unreached import find_untrusted, not_trusted, why_unreached
from router.domain.urls import is_example, never_asked

TIMEOUT = 30.0
"""Seconds for one request from its first byte to the answer's last; Standard Webhooks advises 15 to 30."""

LARGEST_ANSWER = 64 * 1024
"""Bytes of an answer that are read unless more is asked for; nothing that a destination needs to know is longer."""


class Http:
    """Sends requests, one connection pool for all destinations; follows no redirect, obeys no proxy variable, keeps no cookie.

    `headers` gives what every request bears beside its own: the trace that it goes on with. `longest` is how many bytes of an
    answer are read. Through a `proxy` go requests for hosts beyond this machine; `tls` verifies it, too.
    """

    def __init__(
        self,
        tls: ssl.SSLContext,
        proxy: Proxy | None,
        timeout: float = TIMEOUT,
        headers: Callable[[], Mapping[str, str]] = dict,
        longest: int = LARGEST_ANSWER,
    ) -> None:
        self._tls = tls
        self._proxy = proxy
        self._headers = headers
        self._timeout = timeout
        self._longest = longest

    async def __aenter__(self) -> Http:
        self._transport = _AiohttpTransport(self._tls, self._proxy, self._longest)
        return self

    async def __aexit__(self, *fault: object) -> None:
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
                asked = fault.host if isinstance(fault, aiohttp.ClientConnectorError) else _parsed(request.url).host
                raise Unavailable(not_trusted(asked, untrusted)) from fault
            raise Unavailable(f"no answer: {_words_for(fault)}") from fault

    async def _exchange(self, request: HttpRequest) -> HttpAnswer:
        asked = httpx.Request(
            request.method,
            _parsed(request.url),
            headers={"accept-encoding": "identity", **self._headers(), **request.headers},
            stream=httpx.ByteStream(request.body),
        )
        response = await self._transport.handle_async_request(asked)
        headers = {name.decode("latin-1").lower(): value.decode("latin-1") for name, value in response.headers.raw}
        encoding = headers.get("content-encoding", "identity").strip().lower()
        body = _unpack(_bytes_in(response.stream), encoding, self._longest)
        return HttpAnswer(status=response.status_code, headers=headers, body=body)


class _AiohttpTransport(httpx.AsyncBaseTransport):
    """aiohttp's connections; `longest` is how many bytes of an answer are read, which it leaves as they came.

    Raises aiohttp's own errors, which say why there is no answer.
    """

    def __init__(self, tls: ssl.SSLContext, proxy: Proxy | None, longest: int) -> None:
        self._proxy = proxy
        self._session = aiohttp.ClientSession(
            connector=aiohttp.TCPConnector(limit=128, ssl=tls),
            cookie_jar=aiohttp.DummyCookieJar(),
            auto_decompress=False,
            timeout=aiohttp.ClientTimeout(),
        )
        self._longest = longest

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        body = _bytes_in(request.stream)
        chunks, left = [], self._longest
        async with self._session.request(
            request.method,
            yarl.URL(str(request.url), encoded=True),  # Its signature may be of the URL as it is written.
            headers=request.headers.multi_items(),
            data=aiohttp.BytesPayload(body) if body else None,
            allow_redirects=False,
            **(way_to(request.url.host, self._proxy) if self._proxy is not None else {}),
        ) as answer:
            while left > 0 and (chunk := await answer.content.readany()):
                chunks.append(chunk[:left])
                left -= len(chunk)
        return httpx.Response(answer.status, headers=answer.raw_headers, stream=httpx.ByteStream(b"".join(chunks)))

    async def aclose(self) -> None:
        await self._session.close()


def way_to(host: str, proxy: Proxy) -> dict[str, Any]:
    """What aiohttp is told of the way to a host. In the proxy's URL the password would come with aiohttp's errors."""
    return {"proxy": proxy.url, "proxy_headers": proxy.headers} if proxy.leads_to(host) else {}


def _bytes_in(stream: httpx.SyncByteStream | httpx.AsyncByteStream) -> bytes:
    """What a stream holds: all of it is at hand, and to wait for it, as httpx's readers do, is 8 % of what a request costs."""
    return b"".join(cast(httpx.SyncByteStream, stream))


def _words_for(fault: BaseException) -> str:
    match fault:
        case aiohttp.ClientHttpProxyError():
            return refusal_of(fault.status)
        case aiohttp.ClientProxyConnectionError():
            return f"{UNREACHED}: {why_unreached(f'{fault.host}:{fault.port}', fault.os_error)}"
        case aiohttp.ClientConnectorError():
            return why_unreached(fault.host, fault.os_error)
        case _:
            return type(fault).__name__


# Parsing a URL costs as much as the rest of a request, and a destination has few of them.
_parsed = lru_cache(maxsize=256)(httpx.URL)


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
