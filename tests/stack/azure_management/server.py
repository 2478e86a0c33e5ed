"""The double behind a port of 127.0.0.1, in a thread that ends with it."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager

from aiohttp import web

from alert_router_demo.soc.endpoint import served
from router.domain.conversation import HttpRequest
from router.domain.errors import Unavailable
from tests.stack.azure_management.management import AzureManagement
from tests.stack.event_hubs.threads import in_thread
from tests.waiting import PATIENCE


@contextmanager
def serving(azure: AzureManagement) -> Iterator[str]:
    """The URL at which it answers, as long as the context lasts."""

    async def answer(request: web.Request) -> web.Response:
        headers = {name.lower(): value for name, value in request.headers.items()}
        asked = f"http://{request.host}{request.raw_path}"
        body = await request.read()
        try:
            found = azure.answer(HttpRequest(method=request.method, url=asked, headers=headers, body=body))
        except Unavailable:
            await asyncio.sleep(PATIENCE)  # Nothing comes, until the client has gone or the double ends.
            return web.Response(status=503)
        return web.Response(status=found.status, headers=found.headers, body=found.body)

    application = web.Application()
    application.router.add_route("*", "/{path:.*}", answer)
    with in_thread(served(application), "azure") as url:
        yield url
