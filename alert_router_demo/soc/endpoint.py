"""What vendor doubles share: each counts what it is asked and plays its faults; an API over HTTP is served on loopback."""

import asyncio
import ssl
from abc import ABC, abstractmethod
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable
from contextlib import asynccontextmanager
from http.client import responses
from typing import Any, ClassVar

import orjson
from aiohttp import web

from alert_router_demo.soc.faults import Drop, FaultScript, Hang, LoseAnswer, Status

READ_LIMIT = 8 * 1024 * 1024  # bytes of an uncompressed body; above every vendor's own limit, which its double checks
DROPPED = "dropped"

type Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


class RefusedRequest(Exception):
    """Ends a request.

    Attributes:
        status: the status to answer.
        body: the body to answer, as JSON.
    """

    def __init__(self, status: int, body: Any) -> None:
        super().__init__(status)
        self.status, self.body = status, body


class Double(ABC):
    """One vendor's double.

    Attributes:
        name: the vendor's name.
        holds: what it holds, in one word.
        faults: the faults that it plays.
        answers: how many requests it answered, by status, and how many it dropped.
    """

    name: ClassVar[str]
    holds: ClassVar[str]

    def __init__(self) -> None:
        self.faults = FaultScript()
        self.answers: Counter[str] = Counter()

    @abstractmethod
    def count(self) -> int:
        """Gives how many of the things that it holds it received."""


class Endpoint(Double):
    """One vendor's HTTP API."""

    @abstractmethod
    def routes(self) -> Iterable[web.RouteDef]:
        """Gives the vendor's paths."""

    @abstractmethod
    def error_body(self, status: int, message: str) -> Any:
        """Gives an error as this vendor writes it."""

    def application(self) -> web.Application:
        """Gives the endpoint as an aiohttp application."""
        application = web.Application(client_max_size=READ_LIMIT, middlewares=[self._middleware])
        application.add_routes(self.routes())
        return application

    def error(self, status: int, message: str, headers: dict[str, str] | None = None) -> web.Response:
        """Gives the vendor's error as an answer."""
        return json_answer(self.error_body(status, message), status, headers)

    @web.middleware
    async def _middleware(self, request: web.Request, handler: Handler) -> web.StreamResponse:
        # Read before anything is played, so that the effect of a request never depends on its caller's patience.
        try:
            await request.read()
        except ConnectionResetError:
            answer: web.StreamResponse = web.Response()
        except web.RequestPayloadError as broken:
            answer = self.error(400, str(broken))
        except web.HTTPException as refused:
            answer = self.error(refused.status, refused.reason)
        else:
            answer = await self.play(request, handler)
        if request.transport is None or request.transport.is_closing():
            self.answers[DROPPED] += 1
        else:
            self.answers[str(answer.status)] += 1
        return answer

    async def play(self, request: web.Request, handler: Handler) -> web.StreamResponse:
        """Gives the answer to a request that is whole, or the fault that was ordered for it."""
        match self.faults.take(request.method):
            case None:
                return await self._behave(request, handler)
            case Status() as status:
                return self._faulty(status)
            case Hang(seconds=seconds):
                await asyncio.sleep(seconds)
                return await self._behave(request, handler)
            case Drop():
                return _cut(request)
            case LoseAnswer():
                await self._behave(request, handler)
                return _cut(request)

    async def _behave(self, request: web.Request, handler: Handler) -> web.StreamResponse:
        try:
            return await handler(request)
        except RefusedRequest as refused:
            return json_answer(refused.body, refused.status)
        except web.HTTPException as refused:
            return self.error(refused.status, refused.reason)

    def _faulty(self, fault: Status) -> web.Response:
        headers = dict(fault.headers)
        if fault.retry_after is not None:
            headers["Retry-After"] = fault.retry_after
        body = fault.body
        if body is None and fault.code < 400:
            return web.Response(status=fault.code, headers=headers)
        if body is None:
            body = self.error_body(fault.code, responses.get(fault.code, "Error"))
        return json_answer(body, fault.code, headers)


def _cut(request: web.Request) -> web.StreamResponse:
    if request.transport is not None:
        request.transport.abort()
    return web.Response()


def json_answer(body: Any, status: int = 200, headers: dict[str, str] | None = None) -> web.Response:
    """Gives `body` as a JSON answer."""
    return web.Response(
        body=orjson.dumps(body), status=status, headers=headers, content_type="application/json", charset="utf-8"
    )


@asynccontextmanager
async def served(application: web.Application, tls: ssl.SSLContext | None = None) -> AsyncIterator[str]:
    """Serves an application on a free port of 127.0.0.1 and gives its base URL, without a slash at the end."""
    # A request that hangs on purpose must not hold up the end.
    runner = web.AppRunner(application, access_log=None, handle_signals=False, shutdown_timeout=0.2)
    await runner.setup()
    try:
        await web.TCPSite(runner, "127.0.0.1", 0, ssl_context=tls, backlog=1024).start()
        port = runner.addresses[0][1]
        yield f"{'https' if tls else 'http'}://127.0.0.1:{port}"
    finally:
        await runner.cleanup()
        # A TLS connection says goodbye after it was closed, and needs a loop to say it in.
        await asyncio.sleep(0.05 if tls else 0)
