"""Servers over bare sockets, for what no library of servers would do."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field


@dataclass
class Answering:
    """A server that answers every request alike; `requests` are what came, heads and bodies as they were.

    In the body of an answer `#` stands for how many requests came.
    """

    status: int
    headers: dict[str, str]
    body: bytes
    url: str = ""
    requests: list[bytes] = field(default_factory=list)

    async def answer(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Takes one request and answers it."""
        head = await reader.readuntil(b"\r\n\r\n")
        lines = head.lower().split(b"\r\n")
        length = next((int(line[15:]) for line in lines if line.startswith(b"content-length:")), 0)
        self.requests.append(head + await reader.readexactly(length))
        body = self.body.replace(b"#", b"%d" % len(self.requests))
        headers = {"Content-Length": str(len(body)), "Connection": "close"} | self.headers
        answer = [f"HTTP/1.1 {self.status} x", *(f"{name}: {value}" for name, value in headers.items()), "", ""]
        with suppress(ConnectionError):
            writer.write("\r\n".join(answer).encode() + body)
            await writer.drain()
        writer.close()


@asynccontextmanager
async def answering(status: int = 200, body: bytes = b"", /, **headers: str) -> AsyncIterator[Answering]:
    """A server on loopback that answers so."""
    server = Answering(status, headers, body)
    listening = await asyncio.start_server(server.answer, "127.0.0.1", 0)
    async with listening:
        server.url = f"http://127.0.0.1:{listening.sockets[0].getsockname()[1]}"
        yield server


@asynccontextmanager
async def flooding(beginning: bytes, again: bytes | None) -> AsyncIterator[str]:
    """A server on loopback that answers a request with some bytes, and then with others without end; gives its URL.

    With no others it says nothing more, and with None it closes the connection.
    """

    async def flood(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        with suppress(ConnectionError):
            writer.write(beginning)
            while again:
                writer.write(again)
                await writer.drain()
            if again is not None:
                await reader.read()
        writer.close()

    listening = await asyncio.start_server(flood, "127.0.0.1", 0)
    async with listening:
        yield f"http://127.0.0.1:{listening.sockets[0].getsockname()[1]}"
        listening.close_clients()
