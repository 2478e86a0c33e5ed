"""The gate: a reverse proxy in front of some services, which does as it is told to some of their requests."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Iterator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager, contextmanager
from functools import partial

from aiohttp import ClientConnectionError, ClientSession, TCPConnector, web
from yarl import URL

from alert_router_demo.soc.endpoint import served
from tests.stack.event_hubs.threads import Home, at_home, in_thread
from tests.stack.gate.orders import Answer, Order, Trouble, call, delay, hold, withhold
from tests.stack.gate.requests import Matching, Seen, everything

_OWN = {"connection", "keep-alive", "transfer-encoding", "content-length"}
"""Headers that belong to one connection, and the length, which is reckoned anew."""

_ADDED = ("User-Agent", "Accept", "Accept-Encoding", "Content-Type")
"""What a client of aiohttp would add by itself."""

_LONGEST_BODY = 64 * 1024 * 1024


class Gate:
    """Stands before services; `addresses` are where it answers for each. Its methods may be called from any thread.

    A request meets the first order that is for it, in the order in which they were given, and no other.
    """

    def __init__(self, services: Mapping[str, str]) -> None:
        self.home: Home | None = None
        self.addresses: dict[str, str] = {}
        self._services = services
        self._orders: list[Order] = []
        self._session: ClientSession | None = None

    @asynccontextmanager
    async def running(self) -> AsyncIterator[Gate]:
        """Serves in this event loop; what is held back in the end is cut off."""
        async with AsyncExitStack() as held:
            connector = TCPConnector(limit=0)
            self._session = await held.enter_async_context(ClientSession(connector=connector, auto_decompress=False))
            for service, address in self._services.items():
                application = web.Application(client_max_size=_LONGEST_BODY)
                application.router.add_route("*", "/{path:.*}", partial(self._answer, service, URL(address)))
                self.addresses[service] = await held.enter_async_context(served(application))
            self.home = Home.here()
            yield self

    def hold(self, matching: Matching) -> Order:
        """Hands requests on only when the order ends, and never if their caller is gone by then."""
        return self._ordered(matching, hold)

    def withhold(self, matching: Matching) -> Order:
        """Hands requests on, but not their answers before the order ends."""
        return self._ordered(matching, withhold)

    def delay(self, matching: Matching, seconds: float) -> Order:
        """Hands requests on after so many seconds."""
        return self._ordered(matching, delay(seconds))

    def on(self, matching: Matching, callback: Callable[[], object]) -> Order:
        """Calls back in the gate's thread when a request comes, and then holds it."""
        return self._ordered(matching, call(callback))

    def watch(self, matching: Matching = everything) -> list[Seen]:
        """Gives a list that further requests are added to as they come."""
        seen: list[Seen] = []

        def is_wanted(one: Seen) -> bool:
            if matching(one):
                seen.append(one)
            return False

        self._ordered(is_wanted, hold)
        return seen

    @at_home
    def _ordered(self, matching: Matching, trouble: Trouble) -> Order:
        assert self.home is not None, "The gate is not running."
        order = Order(matching, trouble, self.home)
        self._orders.append(order)
        return order

    async def _answer(self, service: str, address: URL, request: web.Request) -> web.StreamResponse:
        body = await request.read()
        seen = Seen(service, request.method, request.raw_path, request.headers, body)
        forward = partial(self._forward, address, request, body)
        order = next((order for order in self._orders if order.is_for(seen)), None)
        answer = await (forward() if order is None else order.meet(seen, forward))
        if answer is None:
            if request.transport is not None:
                request.transport.abort()
            return web.Response()
        return web.Response(status=answer.status, headers=answer.headers, body=answer.body)

    async def _forward(self, address: URL, request: web.Request, body: bytes) -> Answer | None:
        # Whoever was killed is gone, but the loop may not have looked at the socket yet.
        await asyncio.sleep(0)
        assert self._session is not None
        if request.transport is None or request.transport.is_closing():
            return None
        url = address.join(URL(request.raw_path, encoded=True))
        headers = [(name, value) for name, value in request.headers.items() if name.lower() not in _OWN]
        try:
            async with self._session.request(
                request.method, url, headers=headers, data=body, skip_auto_headers=_ADDED, allow_redirects=False
            ) as answer:
                given = [(name, value) for name, value in answer.headers.items() if name.lower() not in _OWN]
                return Answer(answer.status, given, await answer.read())
        except ClientConnectionError:
            return None


@contextmanager
def gate_in_thread(services: Mapping[str, str]) -> Iterator[Gate]:
    """Runs a gate before services, which are given by their names and base URLs, from a thread of its own."""
    with in_thread(Gate(services).running(), "gate") as gate:
        yield gate
