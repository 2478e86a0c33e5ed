"""A way to storage on which answers get lost: what was asked for is done, and nobody hears of it."""

from __future__ import annotations

import asyncio
import re
from asyncio import StreamReader, StreamWriter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass

from router.store.azure import Address

_TABLES = re.compile(r"TableEndpoint=http://127\.0\.0\.1:(\d+)")


@dataclass
class Way:
    """A way to the tables of an account.

    After so many transactions as `spare` says the answers of the next ones get lost: of so many as `lose` says.
    """

    address: Address
    lose: int = 0
    spare: int = 0


@dataclass
class _Connection:
    way: Way
    loses: bool = False

    async def ask(self, reader: StreamReader, writer: StreamWriter) -> None:
        while piece := await reader.read(65536):
            if b"/$batch" in piece and self.way.spare:
                self.way.spare -= 1
            elif b"/$batch" in piece and self.way.lose:
                self.way.lose -= 1
                self.loses = True
            writer.write(piece)
        writer.close()

    async def answer(self, reader: StreamReader, writer: StreamWriter) -> None:
        while (piece := await reader.read(65536)) and not self.loses:
            writer.write(piece)
        writer.close()


@asynccontextmanager
async def lossy(address: Address) -> AsyncIterator[Way]:
    """A way to an account, as long as the context lasts."""
    connection = address.connection_string or ""
    (port,) = _TABLES.findall(connection)

    async def connect(reader: StreamReader, writer: StreamWriter) -> None:
        there_reader, there_writer = await asyncio.open_connection("127.0.0.1", int(port))
        one = _Connection(way)
        await asyncio.gather(one.ask(reader, there_writer), one.answer(there_reader, writer))

    async with await asyncio.start_server(connect, "127.0.0.1", 0) as server:
        here = server.sockets[0].getsockname()[1]
        way = Way(Address(connection_string=connection.replace(f":{port}/", f":{here}/")))
        yield way
