"""A receiver that answers 204 to whatever is posted and counts: cheap, so that what is measured is who sends.

`python -m benchmarks.sink` prints its port. `GET /` answers with the number of posts so far.
"""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from http.client import HTTPConnection
from subprocess import PIPE, Popen
from time import monotonic, sleep

ACCEPTED = b"HTTP/1.1 204 No Content\r\n\r\n"


class Counter(asyncio.Protocol):
    """One connection; all connections count together."""

    posts = 0

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Starts with nothing received."""
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport
        self._received = bytearray()

    def data_received(self, data: bytes) -> None:
        """Answers every request that is complete."""
        self._received += data
        while (head := self._received.find(b"\r\n\r\n")) >= 0:
            end = head + 4 + _length_in(bytes(self._received[:head]))
            if len(self._received) < end:
                return
            is_post = self._received.startswith(b"POST")
            del self._received[:end]
            Counter.posts += is_post
            self._transport.write(ACCEPTED if is_post else _count())


def _length_in(head: bytes) -> int:
    _, found, rest = head.lower().partition(b"\r\ncontent-length:")
    return int(rest.partition(b"\r\n")[0]) if found else 0


def _count() -> bytes:
    body = str(Counter.posts).encode()
    return b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%s" % (len(body), body)


async def _serve() -> None:
    server = await asyncio.get_running_loop().create_server(Counter, "127.0.0.1", 0, backlog=512)
    print(server.sockets[0].getsockname()[1], flush=True)
    # Its input ends with the process that started it.
    await asyncio.to_thread(sys.stdin.read)


@dataclass(frozen=True, slots=True)
class Sink:
    """A running receiver, as those who send to it and those who ask it see it."""

    port: int

    @property
    def url(self) -> str:
        """Where to post."""
        return f"http://127.0.0.1:{self.port}/hook"

    def count(self) -> int:
        """How many posts came so far."""
        connection = HTTPConnection("127.0.0.1", self.port, timeout=30)
        connection.request("GET", "/")
        count = int(connection.getresponse().read())
        connection.close()
        return count

    def wait_for(self, count: int, patience: float) -> int:
        """Waits until so many posts came or `patience` seconds are over; returns how many did."""
        deadline = monotonic() + patience
        while (seen := self.count()) < count and monotonic() < deadline:
            sleep(0.02)
        return seen


@contextmanager
def running_sink() -> Iterator[Sink]:
    """A receiver in a process of its own, as long as the context lasts."""
    with Popen([sys.executable, "-m", "benchmarks.sink"], stdin=PIPE, stdout=PIPE, text=True) as process:
        assert process.stdout is not None
        try:
            yield Sink(int(process.stdout.readline()))
        finally:
            process.terminate()


if __name__ == "__main__":
    asyncio.run(_serve())
