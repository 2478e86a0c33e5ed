"""What tests of the hub room share: the way to a hub on loopback, and a relay that a connection can be cut in."""

from __future__ import annotations

import asyncio
import gc
import re
import ssl
from collections.abc import AsyncIterator, Coroutine, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from typing import Any

import pytest

from router.domain.hubs import Event, Partition
from router.eventhubs import Namespace
from router.eventhubs.consumer import Rhythm
from tests.stack.event_hubs import EventHubs
from tests.waiting import PATIENCE

LEFT_BEHIND = pytest.mark.filterwarnings(
    "ignore:unclosed <StreamWriter:ResourceWarning", "ignore:loop is closed:ResourceWarning"
)
"""The client leaves connections that were cut, or never came about, to the garbage collector."""

QUICK = Rhythm(renew=0.5)
"""How often a consumer of a test renews what it owns."""

HOST = "127.0.0.1"
HUB = "cwpp"
FIRST = Partition(HUB, "0")
SECOND = Partition(HUB, "1")


def a_namespace(hubs: EventHubs, port: int | None = None) -> Namespace:
    """The way to some hubs, or to them through a relay on another port."""
    way = hubs.connection_string
    return Namespace(connection_string=way if port is None else re.sub(r":\d+;", f":{port};", way, count=1))


def fill(hubs: EventHubs, partition: Partition, count: int) -> list[bytes]:
    """Publishes so many bodies to a partition, and returns them."""
    bodies = [b"%s/%s/%d" % (partition.hub.encode(), partition.id.encode(), number) for number in range(count)]
    for body in bodies:
        hubs.append(*partition, body)
    return bodies


def numbers(events: Sequence[Event]) -> list[int]:
    """The sequence numbers of events, as they come."""
    return [event.sequence for event in events]


@dataclass(slots=True)
class Relay:
    """Passes bytes on between clients and hubs, and hangs up on everybody once hubs have said so many bytes."""

    target: int
    until: int | None = None
    cuts: int = 0
    port: int = 0
    _said: int = 0
    _writers: list[asyncio.StreamWriter] = field(default_factory=list)

    async def pass_on(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Serves one client."""
        to_hub = await asyncio.open_connection(HOST, self.target)
        self._writers += [writer, to_hub[1]]
        await asyncio.gather(self._pipe(reader, to_hub[1], is_hub=False), self._pipe(to_hub[0], writer, is_hub=True))

    async def _pipe(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, *, is_hub: bool) -> None:
        with suppress(ConnectionError):
            while data := await reader.read(4096):
                self._said += len(data) * is_hub
                if self.until is not None and self._said > self.until:
                    self.cut()
                    break
                writer.write(data)
                await writer.drain()
        writer.close()

    def cut(self) -> None:
        """Hangs up on everybody."""
        self.until, self.cuts = None, self.cuts + 1
        for writer in self._writers:
            writer.transport.abort()


@asynccontextmanager
async def relayed(
    hubs: EventHubs, tls: ssl.SSLContext | None = None, at: tuple[str, int] = (HOST, 0)
) -> AsyncIterator[Relay]:
    """A relay before some hubs, which speaks TLS to clients where a context is given."""
    relay = Relay(hubs.port)
    server = await asyncio.start_server(relay.pass_on, *at, ssl=tls)
    relay.port = server.sockets[0].getsockname()[1]
    try:
        yield relay
    finally:
        server.close()
        relay.cut()


def run[T](work: Coroutine[Any, Any, T]) -> T:
    """What comes of some work, with all gone that its clients left behind."""

    async def bounded() -> T:
        async with asyncio.timeout(PATIENCE):
            return await work

    try:
        return asyncio.run(bounded())
    finally:
        gc.collect()
