"""A way to storage on which one write is the last that a worker makes, or on which somebody comes in between."""

from __future__ import annotations

import asyncio
import re
from asyncio import StreamReader, StreamWriter, Task
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine, Iterator
from contextlib import asynccontextmanager, closing, suppress
from dataclasses import dataclass, field
from functools import partial
from itertools import count, islice

import pytest

from router.store.azure import Account, Address, AzureStore

_TABLES = re.compile(r"TableEndpoint=http://127\.0\.0\.1:(\d+)")
_READ = re.compile(rb"GET ")
_WRITE = re.compile(rb"(POST|PUT|MERGE|PATCH|DELETE) ")


@dataclass
class Way:
    """A way to the tables of an account.

    Attributes:
        address: the account at its end.
        at: the write, counted from 1, at which something happens; None for none.
        is_after: whether it happens after the write was made, before its answer is heard.
        happens: what happens.
        writes: how many writes went by.
        reads: how many reads did.
    """

    address: Address
    at: int | None = None
    is_after: bool = False
    happens: Callable[[], Awaitable[None]] | None = None
    writes: int = 0
    reads: int = 0
    waiting: set[object] = field(default_factory=set)

    @property
    def has_happened(self) -> bool:
        """Whether it came to that write."""
        return self.at is not None and self.writes >= self.at

    async def go_by(self, connection: object, piece: bytes) -> None:
        """A piece of a request goes by."""
        self.reads += _READ.match(piece) is not None
        if not _WRITE.match(piece):
            return
        self.writes += 1
        if self.writes == self.at and self.is_after:
            self.waiting.add(connection)
        elif self.writes == self.at and self.happens is not None:
            await self.happens()

    async def come_back(self, connection: object, piece: bytes) -> None:
        """An answer comes back."""
        if connection in self.waiting and self.happens is not None:
            self.waiting.discard(connection)
            await self.happens()


async def pump(reader: StreamReader, writer: StreamWriter, look: Callable[[bytes], Awaitable[None]]) -> None:
    """Passes on what comes, after a look at it, until nothing more comes."""
    with suppress(ConnectionError):
        while piece := await reader.read(1 << 20):
            await look(piece)
            writer.write(piece)
    writer.close()


@asynccontextmanager
async def way_to(address: Address) -> AsyncIterator[Way]:
    """A way to an account, as long as the context lasts."""
    connection = address.connection_string or ""
    (port,) = _TABLES.findall(connection)

    connections: set[Task[object]] = set()

    async def connect(reader: StreamReader, writer: StreamWriter) -> None:
        with closing(writer):
            there_reader, there_writer = await asyncio.open_connection("127.0.0.1", int(port))
            with closing(there_writer):
                key = object()
                async with asyncio.TaskGroup() as both:
                    both.create_task(pump(reader, there_writer, partial(way.go_by, key)))
                    both.create_task(pump(there_reader, writer, partial(way.come_back, key)))

    def connected(reader: StreamReader, writer: StreamWriter) -> None:
        connections.add(asyncio.ensure_future(connect(reader, writer)))

    server = await asyncio.start_server(connected, "127.0.0.1", 0)
    here = server.sockets[0].getsockname()[1]
    way = Way(Address(connection_string=connection.replace(f":{port}/", f":{here}/")))
    try:
        yield way
    finally:
        server.close()
        # A task that is cancelled before its first step would leave its connection open.
        await asyncio.sleep(0)
        for one in connections:
            one.cancel()
        await asyncio.gather(*connections, return_exceptions=True)


type Work = Callable[[AzureStore], Coroutine[object, object, object]]
"""What a worker does with a store."""


async def dies(address: Address, work: Work, at: int, *, is_after: bool) -> bool:
    """Whether a worker died at a write, before it or after it, which did its work otherwise."""
    async with way_to(address) as way:
        store = AzureStore(Account(way.address))
        task: Task[object] = asyncio.create_task(work(store))

        async def die() -> None:
            task.cancel()
            # Whatever it had on its way is not heard of any more.
            await asyncio.sleep(0)

        way.at, way.is_after, way.happens = at, is_after, die
        with suppress(asyncio.CancelledError):
            await task
        await store.close()
        return way.has_happened


async def meets(address: Address, work: Work, at: int, other: Callable[[], Awaitable[None]]) -> bool:
    """Whether somebody did something just before a write of a worker, who did its work all the same."""
    async with way_to(address) as way:
        store = AzureStore(Account(way.address))
        way.at, way.happens = at, other
        try:
            await work(store)
        finally:
            await store.close()
        return way.has_happened


def deaths(every: int) -> Iterator[tuple[int, bool]]:
    """Every so manieth of all writes, before it and after it."""
    return islice(((at, is_after) for at in count(1) for is_after in (False, True)), 0, None, every)


EVERY = pytest.mark.parametrize("every", [13, pytest.param(1, marks=pytest.mark.soak)])
"""Which writes a test tries: some of them, or in `make soak` each. An odd number has them tried before and after by turns."""
