"""An API server on loopback, by HTTPS with an authority of its own."""

from __future__ import annotations

import base64
import ssl
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

import trustme
from aiohttp import web

from alert_router_demo.soc.endpoint import served
from router.domain.conversation import HttpRequest
from tests.stack.kubernetes_api.answers import ClusterApi, refusal

TOKEN = "canary-token"
"""Who bears it may read everything."""


@dataclass
class ApiServer:
    """An API server, and what it was asked.

    Attributes:
        api: what it answers to whom it knows.
        authority: who vouches for it.
        url: its address.
        instead: what it answers instead, by the number of the request, from 0; None to answer as it should.
        requests: the requests that came.
    """

    api: ClusterApi
    authority: trustme.CA
    url: str = ""
    instead: Callable[[int, web.Request], web.StreamResponse | None] = lambda number, request: None
    requests: list[web.Request] = field(default_factory=list)

    def kubeconfig(self, user: object = None, *, context: str = "payments", **cluster: object) -> dict[str, Any]:
        """A kubeconfig for it."""
        trust = {"certificate-authority-data": base64.b64encode(self.authority.cert_pem.bytes()).decode()}
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
        self.requests.append(request)
        other = self.instead(len(self.requests) - 1, request)
        if other is not None:
            return other
        answer = refusal(401, "Unauthorized", "Unauthorized")
        if request.headers.get("authorization") == f"Bearer {TOKEN}":
            answer = self.api.answer(HttpRequest(method=request.method, url=str(request.rel_url)))
        return web.Response(status=answer.status, headers=answer.headers, body=answer.body)


@asynccontextmanager
async def serving(
    api: ClusterApi, *, authority: trustme.CA, names: tuple[str, ...] = ("127.0.0.1",)
) -> AsyncIterator[ApiServer]:
    """An API server on loopback, for which an authority vouches under those names."""
    server, tls = ApiServer(api, authority), ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert(*names).configure_cert(tls)
    application = web.Application()
    application.router.add_route("*", "/{path:.*}", server.handle)
    async with served(application, tls) as server.url:
        yield server
