"""A gate on loopback, between the router and what it calls, that a test can close.

`order = gate.hold(to("pagerduty"))`, `await order.met()`, `order.end()`.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Mapping
from concurrent.futures import Future
from contextlib import AsyncExitStack, asynccontextmanager, contextmanager
from dataclasses import dataclass, field
from functools import partial

from aiohttp import ClientConnectionError, ClientSession, TCPConnector, web
from yarl import URL

from alert_router_demo.soc.endpoint import served
from tests.stack.event_hubs.threads import Home, at_home, in_thread
from tests.waiting import PATIENCE

_OWN = {"connection", "keep-alive", "transfer-encoding", "content-length"}
"""Headers that belong to one connection, and the length, which is reckoned anew."""

_ADDED = ("User-Agent", "Accept", "Accept-Encoding", "Content-Type")
"""What a client of aiohttp would add by itself."""


@dataclass(frozen=True, slots=True)
class Seen:
    """One request: whom it is for, and what it says; the path holds the query, too."""

    service: str
    path: str
    headers: Mapping[str, str] = field(repr=False)
    body: bytes = field(repr=False)


type Matching = Callable[[Seen], bool]
type Forward = Callable[[], Awaitable[web.Response | None]]
"""Hands a request on and gives the answer, if its caller is still there to want one."""


def everything(_: Seen) -> bool:
    """Any request."""
    return True


def to(service: str, words: str = "") -> Matching:
    """Requests for a service whose path or body mentions some words."""
    return lambda seen: seen.service == service and (words in seen.path or words.encode() in seen.body)


@dataclass(eq=False)
class Order:
    """An order to a gate, which holds back some requests, or their answers, until it ends; from any thread."""

    home: Home | None
    matching: Matching
    callback: Callable[[], object] = lambda: None
    is_after: bool = False
    count: int = 0
    ended: asyncio.Event = field(default_factory=asyncio.Event)
    _met: Future[None] = field(default_factory=Future)

    async def met(self) -> None:
        """Returns once a request has met the order; raises TimeoutError."""
        await asyncio.wait_for(asyncio.shield(asyncio.wrap_future(self._met)), PATIENCE)

    @at_home
    def end(self) -> None:
        """Withdraws the order: what it held back goes on, unless its caller is gone."""
        self.ended.set()

    async def meet(self, forward: Forward) -> web.Response | None:
        """Does to a request what was ordered."""
        self.count += 1
        if not self._met.done():
            self._met.set_result(None)
        self.callback()
        answer = await forward() if self.is_after else None
        await self.ended.wait()
        return answer if self.is_after else await forward()


class Gate:
    """Stands before services; `addresses` are where it answers for each. Its methods may be called from any thread.

    A request meets the first order that is for it, in the order in which they were given, and no other.
    """

    def __init__(self, services: Mapping[str, str]) -> None:
        self.home: Home | None = None
        self.addresses: dict[str, str] = {}
        self.seen: list[Seen] = []
        self._services = services
        self._orders: list[Order] = []
        self._session: ClientSession | None = None

    @asynccontextmanager
    async def running(self) -> AsyncIterator[Gate]:
        """Serves in this event loop; what is held back in the end is cut off."""
        async with AsyncExitStack() as held:
            session = ClientSession(connector=TCPConnector(limit=0), auto_decompress=False)
            self._session = await held.enter_async_context(session)
            for service, address in self._services.items():
                application = web.Application(client_max_size=64 * 1024 * 1024)
                application.router.add_route("*", "/{path:.*}", partial(self._answer, service, URL(address)))
                self.addresses[service] = await held.enter_async_context(served(application))
            self.home = Home.here()
            yield self

    def hold(self, matching: Matching, callback: Callable[[], object] = lambda: None) -> Order:
        """Hands requests on only when the order ends, and never if their caller is gone by then."""
        return self._ordered(Order(self.home, matching, callback))

    def withhold(self, matching: Matching) -> Order:
        """Hands requests on, but not their answers before the order ends."""
        return self._ordered(Order(self.home, matching, is_after=True))

    @at_home
    def _ordered(self, order: Order) -> Order:
        self._orders.append(order)
        return order

    async def _answer(self, service: str, address: URL, request: web.Request) -> web.StreamResponse:
        seen = Seen(service, request.raw_path, request.headers, await request.read())
        self.seen.append(seen)
        forward = partial(self._forward, address, request, seen.body)
        orders = (order for order in self._orders if not order.ended.is_set() and order.matching(seen))
        order = next(orders, None)
        answer = await (forward() if order is None else order.meet(forward))
        if answer is None and request.transport is not None:
            request.transport.abort()
        return answer or web.Response()

    async def _forward(self, address: URL, request: web.Request, body: bytes) -> web.Response | None:
        # The socket of one that was killed is closed, but the loop may not have looked at it yet.
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
                return web.Response(status=answer.status, headers=dict(given), body=await answer.read())
        except ClientConnectionError:
            return None


@contextmanager
def gate_in_thread(services: Mapping[str, str]) -> Iterator[Gate]:
    """Runs a gate before services, which are given by their names and base URLs, from a thread of its own."""
    with in_thread(Gate(services).running(), "gate") as gate:
        yield gate
