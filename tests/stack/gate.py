"""A gate before services of a SOC, that a test can close: what they are asked waits there, or their answers do.

`gate = Gate(soc.pagerduty)`, `order = gate.hold(to("pagerduty"))`, `await order.met()`, `order.end()`.
"""

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from concurrent.futures import Future
from dataclasses import dataclass, field
from functools import partial

from aiohttp import web

from alert_router_demo.soc.endpoint import Endpoint, Handler
from tests.waiting import PATIENCE


@dataclass(frozen=True, slots=True)
class Seen:
    """One request: whom it is for, and what it says; the path holds the query, too."""

    service: str
    path: str
    headers: Mapping[str, str] = field(repr=False)
    body: bytes = field(repr=False)


type Matching = Callable[[Seen], bool]


def to(service: str, words: str = "") -> Matching:
    """Requests for a service whose path or body mentions some words."""
    return lambda seen: seen.service == service and (words in seen.path or words.encode() in seen.body)


@dataclass(eq=False)
class Order:
    """An order to a gate, which holds back some requests, or their answers, until it ends; from any thread."""

    matching: Matching
    callback: Callable[[], object] = lambda: None
    is_after: bool = False
    count: int = 0
    ended: Future[None] = field(default_factory=Future)
    _met: Future[None] = field(default_factory=Future)

    async def met(self) -> None:
        """Returns once a request has met the order; raises TimeoutError."""
        await asyncio.wait_for(asyncio.shield(asyncio.wrap_future(self._met)), PATIENCE)

    def end(self) -> None:
        """Withdraws the order: what it held back goes on, unless its caller is gone."""
        if not self.ended.done():
            self.ended.set_result(None)

    async def meet(
        self, request: web.Request, answered: Callable[[], Awaitable[web.StreamResponse]]
    ) -> web.StreamResponse:
        """The answer to a request, to which is done what was ordered."""
        self.count += 1
        if not self._met.done():
            self._met.set_result(None)
        self.callback()
        answer = await answered() if self.is_after else None
        await asyncio.shield(asyncio.wrap_future(self.ended))
        # The socket of a caller that was killed is closed, but the loop may not have looked at it yet.
        await asyncio.sleep(0)
        is_gone = request.transport is None or request.transport.is_closing()
        return answer or (web.Response() if is_gone else await answered())


class Gate:
    """Stands before services, as long as they are there; its methods may be called from any thread.

    A request meets the first order that is for it, in the order in which they were given, and no other.
    """

    def __init__(self, *services: Endpoint) -> None:
        self.seen: list[Seen] = []
        self._orders: list[Order] = []
        for service in services:
            # Where a double plays its faults is where a request is whole, and nothing has come of it yet.
            service.play = partial(self._pass, service.name, service.play)  # type: ignore[method-assign]  # What it replaces is called by it.

    def hold(
        self, matching: Matching, callback: Callable[[], object] = lambda: None, *, is_after: bool = False
    ) -> Order:
        """Hands requests on, or their answers, only when the order ends; no request whose caller is gone by then."""
        self._orders.append(Order(matching, callback, is_after))
        return self._orders[-1]

    async def _pass(
        self,
        service: str,
        play: Callable[[web.Request, Handler], Awaitable[web.StreamResponse]],
        request: web.Request,
        handler: Handler,
    ) -> web.StreamResponse:
        seen = Seen(service, request.raw_path, request.headers, await request.read())
        self.seen.append(seen)
        answered = partial(play, request, handler)
        order = next((one for one in self._orders if not one.ended.done() and one.matching(seen)), None)
        return await (answered() if order is None else order.meet(request, answered))
