"""An egress proxy on loopback, which alone knows where certain hosts are; it leads there by CONNECT, and nowhere else.

Once encrypted it is asked by https; with `credentials` it wants to know who asks. A host at `http://...` it looks into, as a
company's proxy does: it answers for the host itself, by an authority of its own, and asks it in clear. To one at `https://...`
it leads, and sees nothing.
"""

from __future__ import annotations

import asyncio
import ssl
from asyncio import StreamReader, StreamWriter
from base64 import b64encode
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from urllib.parse import urlsplit

import trustme

from alert_router_demo.soc.authority import encrypt


@dataclass
class EgressProxy:
    """A proxy; `targets` are the hosts and ports that it led to, one for each time, `heads` are what asked for that."""

    hosts: Mapping[str, str]
    credentials: str | None = None
    authority: trustme.CA = field(default_factory=trustme.CA)
    tls: ssl.SSLContext | None = None
    port: int = 0
    targets: list[str] = field(default_factory=list)
    heads: list[str] = field(default_factory=list)
    _writers: set[StreamWriter] = field(default_factory=set)

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """It answers at its port, which is a free one the first time; at the end it cuts all connections."""
        server = await asyncio.start_server(self._serve, "127.0.0.1", self.port, ssl=self.tls)
        self.port = server.sockets[0].getsockname()[1]
        try:
            yield
        finally:
            server.close()
            self.cut()
            server.abort_clients()
            await server.wait_closed()

    def encrypt(self) -> None:
        """Has it asked by https, with a certificate of its own authority."""
        self.tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self.authority.issue_cert("127.0.0.1").configure_cert(self.tls)

    def url(self, who: str = "") -> str:
        """Where it is, for a user and a password with an @ behind them."""
        return f"{'https' if self.tls else 'http'}://{who}127.0.0.1:{self.port}"

    def cut(self) -> None:
        """Cuts all connections."""
        for writer in self._writers:
            writer.transport.abort()

    async def _serve(self, reader: StreamReader, writer: StreamWriter) -> None:
        self._writers.add(writer)
        with suppress(OSError, asyncio.IncompleteReadError, ValueError):
            await self._lead(reader, writer)
        self._writers.discard(writer)
        writer.transport.abort()

    async def _lead(self, reader: StreamReader, writer: StreamWriter) -> None:
        head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1")
        self.heads.append(head)
        method, target, *_ = head.split(" ")
        expected = f"Basic {b64encode((self.credentials or '').encode()).decode()}"
        if self.credentials is not None and f"Proxy-Authorization: {expected}\r\n" not in head:
            writer.write(b'HTTP/1.1 407 x\r\nProxy-Authenticate: Basic realm="x"\r\nContent-Length: 0\r\n\r\n')
            await writer.drain()
            return
        host = target.partition(":")[0]
        if method != "CONNECT" or host not in self.hosts:
            writer.write(b"HTTP/1.1 502 x\r\nContent-Length: 0\r\n\r\n")
            await writer.drain()
            return
        at = urlsplit(self.hosts[host])
        answers, there = await asyncio.open_connection(at.hostname, at.port)
        self._writers.add(there)
        try:
            self.targets.append(target)
            writer.write(b"HTTP/1.1 200 x\r\n\r\n")
            if at.scheme == "http":
                tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
                self.authority.issue_cert(host).configure_cert(tls)
                await encrypt(writer, tls)
            ways = [asyncio.create_task(_pass_on(*way)) for way in ((reader, there), (answers, writer))]
            await asyncio.wait(ways, return_when=asyncio.FIRST_COMPLETED)
            for way in ways:
                way.cancel()
        finally:
            self._writers.discard(there)
            there.transport.abort()


async def _pass_on(reader: StreamReader, writer: StreamWriter) -> None:
    with suppress(OSError):
        while data := await reader.read(1 << 16):
            writer.write(data)
            await writer.drain()
