"""A connection: from bytes to what the client says on which channel, and back.

A link goes one of two ways: what a client sends is counted, credited and answered; what it gets waits for credit. The nodes
`$cbs`, which takes tokens, and `$management`, which tells about hubs and partitions, are asked by messages:
https://learn.microsoft.com/azure/event-hubs/event-hubs-amqp-protocol-guide
"""

from __future__ import annotations

import asyncio
import hmac
import re
import socket
import struct
import time
from base64 import b64encode
from collections import deque
from collections.abc import Callable
from datetime import UTC, datetime
from functools import partial
from typing import TYPE_CHECKING, Any, cast
from urllib.parse import unquote_plus

from azure.eventhub._pyamqp._decode import decode_frame

from tests.stack.event_hubs.amqp import (
    ACCEPTED,
    AMQP_HEADER,
    HEAD,
    LARGEST_FRAME,
    REJECTED,
    SASL_HEADER,
    Refused,
    Said,
    Section,
    described,
    frame,
    messages_in,
    no_entity,
    sections,
    text,
    timestamp,
)

if TYPE_CHECKING:
    from tests.stack.event_hubs.hubs import EventHubs, Hub

_NO_LINGERING = struct.pack("ii", 1, 0)
_SCHEME_AND_HOST = re.compile(r"^\w+://[^/]*")

LARGEST_MESSAGE = 1024 * 1024
"""Bytes, as Event Hubs' standard tier announces on its links: https://learn.microsoft.com/azure/event-hubs/event-hubs-quotas"""

WINDOW = 0x7FFFFFFF
"""Transfers: sessions are never held back, links are."""

_CREDIT = 1000  # messages that a client may be ahead
_OVERHEAD = 128  # bytes that a transfer takes of a frame beside its payload, generously

CBS, MANAGEMENT = "$cbs", "$management"

_NEVER = datetime(1, 1, 1, tzinfo=UTC)
"""What the service gives where there is no time."""

_STATUSES = {"amqp:unauthorized-access": 401, "amqp:not-found": 404}


class Connection(asyncio.Protocol):
    """The service's end of a connection. It has no task of its own: everything happens as bytes arrive or events do."""

    def __init__(self, namespace: EventHubs, connections: set[Connection]) -> None:
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
            self.namespace.refused.append(time.monotonic())
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
        if self.namespace.is_mute:
            return
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
        if self._transport.is_closing() or self.namespace.is_mute:
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
                if (condition := self._namespace.refuses_readers) is not None:
                    self._namespace.refused.append(time.monotonic())
                    raise Refused(condition, "This refusal was ordered by a test.")
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
        self._namespace.publish(hub, partition, messages_in(message, format))


class Link:
    """One end of a link; `count` is how many messages have passed."""

    def __init__(self, session: Session, handle: int) -> None:
        self.session, self.handle, self.count = session, handle, 0

    def dismiss(self, refusal: Refused) -> None:
        """Ends the link, and says why."""
        self.session.leave(self)
        self.over()
        self.session.say(Said.DETACH, self.handle, True, refusal.error)

    def over(self) -> None:
        """Lets go of what the link held; called once, however it ended."""


class Inbound(Link):
    """A link on which the client sends, and something takes each message; Refused rejects it."""

    def __init__(self, session: Session, handle: int, take: Callable[[bytes, int], None]) -> None:
        super().__init__(session, handle)
        self._take = take
        self._credit = 0
        self._first: list[Any] = []
        self._message = bytearray()

    def replenish(self) -> None:
        """Lets the client send on before it runs out of credit."""
        if self._credit <= _CREDIT // 2:
            self._credit = _CREDIT
            windows = self.session.next_incoming, WINDOW, self.session.next_outgoing, WINDOW
            self.session.say(Said.FLOW, *windows, self.handle, self.count, _CREDIT, None, False, False, None)

    def receive(self, transfer: list[Any]) -> None:
        """Takes a message when its last part is there, and says what became of it."""
        self._first = self._first or transfer
        self._message += transfer[-1]
        if transfer[5]:
            return
        (_, id, _, format, settled, *_), message = self._first, bytes(self._message)
        self._first, self._message = [], bytearray()
        self.count += 1
        self._credit -= 1
        outcome: tuple[int, list[Any]] = (ACCEPTED, [])
        try:
            self._take(message, format or 0)
        except Refused as refusal:
            outcome = (REJECTED, [refusal.error])
        if not settled:
            self.session.say(Said.DISPOSITION, True, id, id, True, outcome, None)
        self.replenish()


class Outbound(Link):
    """A link on which the client receives the messages that are there for it."""

    def __init__(self, session: Session, handle: int) -> None:
        super().__init__(session, handle)
        self.waiting: deque[bytes] = deque()
        self._credit = 0

    def allow(self, flow: list[Any]) -> None:
        """Takes the credit that the client gives."""
        self._credit = (flow[5] or 0) + flow[6] - self.count
        self.pump()

    def pump(self) -> None:
        """Sends what there is, as far as the client lets it, in as many frames as it takes."""
        room = LARGEST_FRAME - _OVERHEAD
        while self._credit > 0 and (message := self.next_message()) is not None:
            id, tag = self.session.next_outgoing, self.count.to_bytes(4)
            for at in range(0, len(message), room):
                fields = self.handle, id, tag, 0, True, at + room < len(message)
                self.session.say(Said.TRANSFER, *fields, *[None] * 5, payload=message[at : at + room])
                self.session.next_outgoing += 1
            self.count += 1
            self._credit -= 1

    def next_message(self) -> bytes | None:
        """The next message to send, if there is one; it counts as sent."""
        return self.waiting.popleft() if self.waiting else None


class Reader(Outbound):
    """Reads one partition for one consumer group, from the position that its filter means."""

    def __init__(
        self,
        session: Session,
        handle: int,
        hub: Hub,
        partition: int,
        group: str,
        epoch: int | None,
        selector: str | None,
    ) -> None:
        super().__init__(session, handle)
        self.partition, self.group, self.epoch = partition, group, epoch
        self.rank = -1 if epoch is None else epoch
        self._hub, self._log = hub, hub.partitions[partition]
        self._position = self._log.seek(selector)
        hub.seat(self)

    def over(self) -> None:
        """Leaves its seat."""
        self._hub.readers.remove(self)

    def next_message(self) -> bytes | None:
        """The first event at or after the position, which moves behind it."""
        found = self._log.events_from(self._position)
        if not found:
            return None
        self._position = found[0].sequence + 1
        self._log.sent += 1
        return found[0].wire


def answered(node: str, message: bytes, namespace: EventHubs) -> bytes:
    """The message that answers the question in a message, whether or not it is refused."""
    parts = {part: value for part, value, _ in sections(message)}
    asked = {text(name): text(value) for name, value in parts[Section.APPLICATION_PROPERTIES].items()}
    value: dict[str, Any] | None = None
    try:
        if node == MANAGEMENT:
            value = _description(asked, namespace)
        elif asked["type"] == "servicebus.windows.net:sastoken":
            _check(text(parts[Section.VALUE]), namespace.key)
        about = {"status-code": 202 if value is None else 200, "status-description": "OK"}
    except Refused as refusal:
        status = _STATUSES.get(refusal.condition, 400)
        about = {"status-code": status, "status-description": refusal.description, "error-condition": refusal.condition}
    id, nothing = parts[Section.PROPERTIES][0], [None] * 5
    answer = described(Section.PROPERTIES, [*nothing, id, *nothing, None, None])
    return answer + described(Section.APPLICATION_PROPERTIES, about) + described(Section.VALUE, value)


def _check(token: str, key: str) -> None:
    """Raises Refused for a signature that does not hold. A JWT is taken at its word: nobody here could have issued it.

    https://learn.microsoft.com/azure/event-hubs/authenticate-shared-access-signature
    """
    parts = dict(part.partition("=")[::2] for part in token.removeprefix("SharedAccessSignature ").split("&"))
    right = b64encode(hmac.digest(key.encode(), f"{parts['sr']}\n{parts['se']}".encode(), "sha256"))
    if not hmac.compare_digest(right, unquote_plus(parts["sig"]).encode()):
        raise Refused("amqp:unauthorized-access", "InvalidSignature: The token has an invalid signature.")


def _description(asked: dict[str, Any], namespace: EventHubs) -> dict[str, Any]:
    hub = namespace.hub(asked["name"])
    about: dict[str, Any] = {"name": hub.name, "type": asked["type"]}
    if asked["type"] == "com.microsoft:eventhub":
        ids = [str(id) for id in range(len(hub.partitions))]
        return about | {"created_at": timestamp(hub.created), "partition_count": len(ids), "partition_ids": ids}
    partition = hub.partitions[int(asked["partition"])]
    partition.asked += 1
    last = partition.last
    return about | {
        "partition": asked["partition"],
        "begin_sequence_number": partition.begin,
        "last_enqueued_sequence_number": partition.last_sequence,
        "last_enqueued_offset": str(last.offset if last else -1),
        "last_enqueued_time_utc": timestamp(last.enqueued if last else _NEVER),
        "is_partition_empty": not partition.events,
    }
