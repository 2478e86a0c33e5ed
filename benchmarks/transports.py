"""What one POST of 2.2 KB costs the client on loopback, 16 side by side, by what carries it: `python -m benchmarks.transports`.

Each sends the headers of a signed webhook, follows no redirect and reads the answer. httpx-aiohttp and pyreqwest are measured
where they are installed: the router does not need them. The least of twelve rounds counts: a busy machine only adds.
"""

from __future__ import annotations

import asyncio
import ssl
import sys
from collections import defaultdict
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager, contextmanager
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from subprocess import PIPE, Popen
from tempfile import TemporaryDirectory
from time import process_time
from typing import Any

import aiohttp
import httpx
import trustme

from benchmarks.sink import Counter
from benchmarks.table import drawn
from router.deliver.http import Http
from router.domain.conversation import HttpRequest

BODY = b'{"type":"alert.opened","data":"' + b"x" * 2_200 + b'"}'
HEADERS = {
    "content-type": "application/json",
    "webhook-id": "5f0c1c6c9b0c4c1f8a6b7d3e2f1a0b9c",
    "webhook-timestamp": "1795000000",
    "webhook-signature": "v1,K5oZfzN95Z9UVu1EsfQmfVNQhnkZ2pj9o9NDN/H/pI4=",
    "accept-encoding": "identity",
}
AT_ONCE, EACH, ROUNDS = 16, 320, 12

type Post = Callable[[str], Awaitable[int]]
"""Posts to a URL, and returns the status of the answer once that was read."""

type Client = Callable[[ssl.SSLContext, bytes], AbstractAsyncContextManager[Post]]
"""Opens a client that trusts one authority, given as OpenSSL has it and as PEM."""


@asynccontextmanager
async def router_http(trust: ssl.SSLContext, authority: bytes) -> AsyncIterator[Post]:
    """`router.deliver.http`: httpx's requests over aiohttp."""
    async with Http(trust, None) as http:

        async def post(url: str) -> int:
            return (await http.send(HttpRequest(method="POST", url=url, headers=HEADERS, body=BODY))).status

        yield post


@asynccontextmanager
async def aiohttp_alone(trust: ssl.SSLContext, authority: bytes) -> AsyncIterator[Post]:
    """aiohttp with nothing above it."""
    async with aiohttp.ClientSession(connector=aiohttp.TCPConnector(ssl=trust)) as session:

        async def post(url: str) -> int:
            async with session.post(url, data=BODY, headers=HEADERS, allow_redirects=False) as answer:
                await answer.read()
                return answer.status

        yield post


@asynccontextmanager
async def pyreqwest_alone(trust: ssl.SSLContext, authority: bytes) -> AsyncIterator[Post]:
    """pyreqwest with nothing above it; its TLS is rustls."""
    async with _reqwest(authority) as client:

        async def post(url: str) -> int:
            answer = await client.post(url).headers(HEADERS).body_bytes(BODY).build().send()
            return int(answer.status)

        yield post


@asynccontextmanager
async def httpx_own(trust: ssl.SSLContext, authority: bytes) -> AsyncIterator[Post]:
    """httpx over its own transport."""
    async with httpx.AsyncHTTPTransport(verify=trust, trust_env=False) as transport:
        yield _under_httpx(transport)


@asynccontextmanager
async def httpx_over_aiohttp(trust: ssl.SSLContext, authority: bytes) -> AsyncIterator[Post]:
    """httpx over httpx-aiohttp's transport."""
    session = aiohttp.ClientSession(connector=aiohttp.TCPConnector(ssl=trust), auto_decompress=False)
    async with import_module("httpx_aiohttp").AiohttpTransport(verify=trust, client=session) as transport:
        yield _under_httpx(transport)


@asynccontextmanager
async def httpx_over_pyreqwest(trust: ssl.SSLContext, authority: bytes) -> AsyncIterator[Post]:
    """httpx over pyreqwest's transport."""
    transports = import_module("pyreqwest.compatibility.httpx")
    async with transports.HttpxTransport(_reqwest(authority)) as transport:
        yield _under_httpx(transport)


def _reqwest(authority: bytes) -> Any:
    builder = import_module("pyreqwest.client").ClientBuilder().follow_redirects(False).no_proxy()
    return builder.add_root_certificate_pem(authority).build()


def _under_httpx(transport: httpx.AsyncBaseTransport) -> Post:
    async def post(url: str) -> int:
        answer = await transport.handle_async_request(httpx.Request("POST", url, headers=HEADERS, content=BODY))
        await answer.aread()
        await answer.aclose()
        return answer.status_code

    return post


CLIENTS: dict[str, tuple[Client, str]] = {
    "the router: httpx over aiohttp": (router_http, "router"),
    "aiohttp": (aiohttp_alone, "aiohttp"),
    "pyreqwest": (pyreqwest_alone, "pyreqwest"),
    "httpx over its own transport": (httpx_own, "httpx"),
    "httpx over httpx-aiohttp": (httpx_over_aiohttp, "httpx_aiohttp"),
    "httpx over pyreqwest": (httpx_over_pyreqwest, "pyreqwest"),
}
"""By name, each with the package that it needs."""


async def _cost(client: Client, url: str, trust: ssl.SSLContext, authority: bytes) -> float:
    """CPU seconds of this process a POST, once the connections are open."""
    async with client(trust, authority) as post:

        async def some(count: int) -> None:
            for _ in range(count):
                assert await post(url) == 204

        await asyncio.gather(*(some(5) for _ in range(AT_ONCE)))
        before = process_time()
        await asyncio.gather(*(some(EACH // AT_ONCE) for _ in range(AT_ONCE)))
        return (process_time() - before) / EACH


@contextmanager
def _serving(certificate: Path | None) -> Iterator[str]:
    """A server in a process of its own, over TLS where there is a certificate; gives its URL."""
    command = [sys.executable, "-m", "benchmarks.transports", "serve", *([str(certificate)] if certificate else [])]
    with Popen(command, stdout=PIPE, text=True) as server:
        assert server.stdout is not None
        try:
            yield f"{'https' if certificate else 'http'}://localhost:{int(server.stdout.readline())}/hook"
        finally:
            server.terminate()


async def _serve(certificate: str | None) -> None:
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH) if certificate else None
    if context is not None and certificate is not None:
        context.load_cert_chain(certificate)
    server = await asyncio.get_running_loop().create_server(Counter, "127.0.0.1", 0, backlog=512, ssl=context)
    print(server.sockets[0].getsockname()[1], flush=True)
    await server.serve_forever()


def main() -> None:
    """Measures the clients in turns, and prints a table."""
    authority = trustme.CA()
    pem = authority.cert_pem.bytes()
    trust = ssl.create_default_context(cadata=pem.decode())
    clients = {name: client for name, (client, package) in CLIENTS.items() if find_spec(package) is not None}
    seen: dict[tuple[str, bool], list[float]] = defaultdict(list)
    with TemporaryDirectory() as directory:
        file = Path(directory) / "certificate.pem"
        file.write_bytes(authority.issue_cert("localhost").private_key_and_cert_chain_pem.bytes())
        for is_secure in (False, True):
            with _serving(file if is_secure else None) as url:
                for _ in range(ROUNDS):
                    for name, client in clients.items():
                        seen[name, is_secure].append(asyncio.run(_cost(client, url, trust, pem)))
    rows = [(name, *(f"{1e6 * min(seen[name, tls]):,.0f} us" for tls in (False, True))) for name in clients]
    print(drawn([("CPU of the client a POST", "HTTP", "HTTPS"), *rows]))


if __name__ == "__main__":
    if sys.argv[1:2] == ["serve"]:
        asyncio.run(_serve(sys.argv[2] if sys.argv[2:] else None))
    else:
        main()
