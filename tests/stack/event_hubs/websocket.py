"""The websockets of a namespace, over which AMQP goes as it is: one connection for each.

https://learn.microsoft.com/azure/event-hubs/event-hubs-amqp-protocol-guide
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from aiohttp import WSMsgType, web

from alert_router_demo.soc.endpoint import served
from tests.stack.event_hubs.hubs import HOST, EventHubs


@asynccontextmanager
async def websocket_served(hubs: EventHubs) -> AsyncIterator[str]:
    """The URL under which hubs that run answer websockets, in clear."""

    async def bridge(request: web.Request) -> web.WebSocketResponse:
        socket = web.WebSocketResponse(protocols=["AMQPWSB10"])
        await socket.prepare(request)
        reader, writer = await asyncio.open_connection(HOST, hubs.port)

        async def answer() -> None:
            while data := await reader.read(1 << 16):
                await socket.send_bytes(data)
            await socket.close()

        answering = asyncio.create_task(answer())
        async for message in socket:
            if message.type == WSMsgType.BINARY:
                writer.write(message.data)
        answering.cancel()
        writer.transport.abort()
        return socket

    application = web.Application()
    application.router.add_get("/$servicebus/websocket", bridge)
    async with served(application) as url:
        yield url
