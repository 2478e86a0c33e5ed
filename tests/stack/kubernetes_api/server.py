"""An API server on loopback: HTTP, or HTTPS with an authority of its own, which may want a client certificate."""

from __future__ import annotations

import asyncio
import base64
import ssl
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

import trustme
from aiohttp import web

from router.domain.conversation import HttpAnswer, HttpRequest
from tests.stack.kubernetes_api.answers import ClusterApi, refusal

TOKEN = "canary-token"
"""Who bears it may read everything."""


@dataclass
class ApiServer:
    """An API server, and what it was asked.

    Attributes:
        api: what it answers to whom it knows.
        url: its address.
        authority: who vouches for it; None where it is asked without TLS.
        tokens: the tokens that it knows.
        instead: what it answers instead, by the number of the request, from 0; None to answer as it should.
        is_silent: whether it answers nothing at all.
        requests: the requests that came.
    """

    api: ClusterApi
    url: str = ""
    authority: trustme.CA | None = None
    tokens: set[str] = field(default_factory=lambda: {TOKEN})
    instead: Callable[[int, web.Request], web.StreamResponse | None] = lambda number, request: None
    is_silent: bool = False
    requests: list[web.Request] = field(default_factory=list)

    def kubeconfig(self, user: object = None, *, context: str = "payments", **cluster: object) -> dict[str, Any]:
        """A kubeconfig for it."""
        trust: dict[str, object] = {}
        if self.authority is not None:
            trust["certificate-authority-data"] = base64.b64encode(self.authority.cert_pem.bytes()).decode()
        return {
            "apiVersion": "v1",
            "kind": "Config",
            "current-context": context,
            "clusters": [{"name": context, "cluster": {"server": self.url, **trust, **cluster}}],
            "users": [{"name": context, "user": {"token": TOKEN} if user is None else user}],
            "contexts": [{"name": context, "context": {"cluster": context, "user": context}}],
        }

    async def handle(self, request: web.Request) -> web.StreamResponse:
        """Answers a request."""
        number = len(self.requests)
        self.requests.append(request)
        if self.is_silent:
            await asyncio.Event().wait()
        other = self.instead(number, request)
        if other is not None:
            return other
        answer = self._answer(request)
        return web.Response(status=answer.status, headers=answer.headers, body=answer.body)

    def _answer(self, request: web.Request) -> HttpAnswer:
        scheme, _, token = request.headers.get("authorization", "").partition(" ")
        transport = request.transport
        peer = transport.get_extra_info("peercert") if transport is not None else None
        if not peer and not (scheme in ("Bearer", "Basic") and token in self.tokens):
            return refusal(401, "Unauthorized", "Unauthorized")
        return self.api.answer(HttpRequest(method=request.method, url=str(request.rel_url)))


@asynccontextmanager
async def serving(
    api: ClusterApi,
    *,
    authority: trustme.CA | None = None,
    names: tuple[str, ...] = ("127.0.0.1",),
    tls: ssl.SSLContext | None = None,
) -> AsyncIterator[ApiServer]:
    """An API server on loopback, with TLS where an authority vouches for it under those names, or `tls` is another's."""
    server = ApiServer(api, authority=authority)
    tls = tls or _tls(authority, names)
    application = web.Application()
    application.router.add_route("*", "/{path:.*}", server.handle)
    runner = web.AppRunner(application, access_log=None, shutdown_timeout=0.1, handler_cancellation=True)
    await runner.setup()
    try:
        await web.TCPSite(runner, "127.0.0.1", 0, ssl_context=tls).start()
        server.url = f"http{'s' if tls is not None else ''}://127.0.0.1:{runner.addresses[0][1]}"
        yield server
    finally:
        await runner.cleanup()


def _tls(authority: trustme.CA | None, names: tuple[str, ...]) -> ssl.SSLContext | None:
    if authority is None:
        return None
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert(*names).configure_cert(context)
    authority.configure_trust(context)
    context.verify_mode = ssl.CERT_OPTIONAL
    return context
