"""A connection: from bytes to what the client says on which channel, and back."""

from __future__ import annotations

import asyncio
import re
import socket
import struct
from collections.abc import Callable
from functools import partial
from typing import Any, cast

from azure.eventhub._pyamqp._decode import decode_frame

from tests.stack.event_hubs.amqp import (
    AMQP_HEADER,
    HEAD,
    LARGEST_FRAME,
    SASL_HEADER,
    Refused,
    Said,
    described,
    frame,
    text,
)
from tests.stack.event_hubs.asked import CBS, MANAGEMENT, answered
from tests.stack.event_hubs.hubs import Namespace, messages_in, no_entity
from tests.stack.event_hubs.links import LARGEST_MESSAGE, WINDOW, Inbound, Link, Outbound, Reader

_NO_LINGERING = struct.pack("ii", 1, 0)
_SCHEME_AND_HOST = re.compile(r"^\w+://[^/]*")


class Connection(asyncio.Protocol):
    """The service's end of a connection. It has no task of its own: everything happens as bytes arrive or events do."""

    def __init__(self, namespace: Namespace, connections: set[Connection]) -> None:
        self.namespace = namespace
        self._connections = connections
        self._buffer = bytearray()
        self._sessions: dict[int, Session] = {}
        self._heartbeat: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Begins, unless the service is to be unreachable."""
        self._transport = cast(asyncio.Transport, transport)
        self._connections.add(self)
        if not self.namespace.is_reachable:
            self.abort()

    def connection_lost(self, fault: Exception | None) -> None:
        """Lets go of everything."""
        self._connections.discard(self)
        if self._heartbeat is not None:
            self._heartbeat.cancel()
        for session in self._sessions.values():
            session.over()

    def data_received(self, data: bytes) -> None:
        """Does what the client says."""
        self._buffer += data
        while len(self._buffer) >= HEAD.size and not self._transport.is_closing():
            if self._buffer.startswith(b"AMQP"):
                self._greet(self._take(HEAD.size))
                continue
            size, offset, _, channel = HEAD.unpack_from(self._buffer)
            if len(self._buffer) < size:
                return
            if body := self._take(size)[offset * 4 :]:
                self._hear(channel, *decode_frame(memoryview(body)))

    def say(self, what: Said, *fields: object, channel: int = 0, payload: bytes = b"") -> None:
        """Sends a performative; every field is to be given, since pyamqp 5.15.1 looks for them by place."""
        kind = int(what >= Said.SASL_MECHANISMS)
        self._write(frame(described(what, list(fields)) + payload, channel, kind))

    def hang_up(self) -> None:
        """Ends the connection once everything is said."""
        self._transport.close()

    def abort(self) -> None:
        """Ends the connection at once, with a reset: pyamqp 5.15.1 forgets to close one that merely ends during sign-in."""
        self._transport.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _NO_LINGERING)
        self._transport.abort()

    def _take(self, size: int) -> bytes:
        taken = bytes(self._buffer[:size])
        del self._buffer[:size]
        return taken

    def _greet(self, header: bytes) -> None:
        """Agrees on the protocol, and offers ways to sign in before it."""
        self._write(header if header == SASL_HEADER else AMQP_HEADER)
        if header == SASL_HEADER:
            self.say(Said.SASL_MECHANISMS, ["ANONYMOUS", "EXTERNAL", "MSSBCBS"])

    def _hear(self, channel: int, what: int, fields: list[Any]) -> None:
        session = self._sessions.get(channel)
        if what == Said.SASL_INIT:
            self.say(Said.SASL_OUTCOME, 0, None)
        elif what == Said.OPEN:
            self.say(Said.OPEN, "loopback", None, LARGEST_FRAME, 1023, *[None] * 6)
            if fields[4]:
                self._beat(fields[4] / 1000 / 2)
        elif what == Said.BEGIN:
            self._sessions[channel] = Session(self, channel, fields)
        elif what == Said.CLOSE:
            self.say(Said.CLOSE, None)
            self.hang_up()
        elif session is not None and what == Said.END:
            self._sessions.pop(channel).over()
            self.say(Said.END, None, channel=channel)
        elif session is not None:  # pyamqp detaches from $cbs after it has ended the session.
            session.hear(what, fields)

    def _beat(self, seconds: float) -> None:
        """Sends an empty frame now and again, so that the client does not take silence for an end."""
        self._write(frame(b""))
        self._heartbeat = asyncio.get_running_loop().call_later(seconds, self._beat, seconds)

    def _write(self, data: bytes) -> None:
        """Sends bytes, unless the connection is over: events may still come to readers that have not been told."""
        if self._transport.is_closing():
            return
        left = self.namespace.bytes_left
        self._transport.write(data[:left])
        if left is not None:
            self.namespace.bytes_left = left - len(data) if len(data) < left else None
            if self.namespace.bytes_left is None:
                for connection in list(self._connections):
                    connection.abort()


class Session:
    """The links that a client has begun on one channel."""

    def __init__(self, connection: Connection, channel: int, begin: list[Any]) -> None:
        self.say: Callable[..., None] = partial(connection.say, channel=channel)
        self.hang_up = connection.hang_up
        self.next_incoming, self.next_outgoing = int(begin[1]), 0
        self._namespace = connection.namespace
        self._links: dict[int, Link] = {}
        self._replies: dict[str, Outbound] = {}
        self.say(Said.BEGIN, channel, 0, WINDOW, WINDOW, 255, None, None, None)

    def hear(self, what: int, fields: list[Any]) -> None:
        """Does what the client says; what it says to a link that is gone, or was refused, is passed over."""
        link = self._links.get(fields[4] if what == Said.FLOW else fields[0])
        if what == Said.ATTACH:
            self._attach(fields)
        elif what == Said.FLOW and isinstance(link, Outbound):
            link.allow(fields)
        elif what == Said.TRANSFER:
            self.next_incoming += 1
            if isinstance(link, Inbound):
                link.receive(fields)
        elif what == Said.DETACH and link is not None:
            self.leave(link)
            link.over()
            self.say(Said.DETACH, link.handle, bool(fields[1]), None)

    def leave(self, link: Link) -> None:
        """Forgets a link."""
        del self._links[link.handle]

    def over(self) -> None:
        """Lets go of every link."""
        while self._links:
            self._links.popitem()[1].over()

    def _attach(self, fields: list[Any]) -> None:
        """Begins a link, or one with no node at its ends that is detached with the reason, as the service does.

        https://github.com/Azure/azure-sdk-for-net/issues/4276
        """
        name, handle, receives, sends, settles, source, target, *_, properties = fields
        address = _SCHEME_AND_HOST.sub("", text((source if receives else target)[0] or "")).strip("/").lower()
        refusal = None
        try:
            link = self._links[handle] = self._link(handle, address, receives, source, properties or {})
        except Refused as refused:
            refusal, source, target = refused, None, None
        ends = None if source is None else (0x28, source), None if target is None else (0x29, target)
        count = 0 if receives else None
        fields = [text(name), handle, not receives, 1 if receives else sends, settles, *ends, None, False, count]
        self.say(Said.ATTACH, *fields, LARGEST_MESSAGE, None, None, None)
        if refusal is not None:
            self.say(Said.DETACH, handle, True, refusal.error)
        elif isinstance(link, Inbound):
            link.replenish()

    def _link(self, handle: int, node: str, receives: bool, source: Any, properties: dict[bytes, Any]) -> Link:
        """The link to a node; raises Refused."""
        if node in (CBS, MANAGEMENT):
            if receives:
                self._replies[node] = Outbound(self, handle)
                return self._replies[node]
            return Inbound(self, handle, partial(self._answer, node))
        name, *path = node.split("/")
        hub = self._namespace.hub(name)
        match path:
            case ["consumergroups", group, "partitions", id]:
                filters = list((source[7] or {}).values())
                selector = text(filters[0]) if filters else None
                return Reader(self, handle, hub, int(id), group, properties.get(b"com.microsoft:epoch"), selector)
            case []:
                return Inbound(self, handle, partial(self._publish, name, None))
            case ["partitions", id]:
                return Inbound(self, handle, partial(self._publish, name, int(id)))
        raise no_entity(node)

    def _answer(self, node: str, message: bytes, _format: int) -> None:
        replies = self._replies[node]
        replies.waiting.append(answered(node, message, self._namespace))
        replies.pump()

    def _publish(self, name: str, id: int | None, message: bytes, format: int) -> None:
        """Publishes a message, or all messages of a batch; raises the refusal that was ordered, if any."""
        if self._namespace.refusals_ordered:
            raise self._namespace.refusals_ordered.popleft()
        hub = self._namespace.hub(name)
        partition = hub.next_partition() if id is None else hub.partitions[id]
        self._namespace.publish(hub, partition, list(messages_in(message, format)), self._namespace.now())
