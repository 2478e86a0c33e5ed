"""A connection: from bytes to what the client says on which channel, and back.

https://docs.oasis-open.org/amqp/core/v1.0/os/amqp-core-transport-v1.0-os.html
"""

from __future__ import annotations

import asyncio
import socket
import struct
from typing import cast

from tests.stack.event_hubs.amqp import outgoing
from tests.stack.event_hubs.amqp.frames import (
    AMQP_HEADER,
    LARGEST_FRAME,
    SASL_HEADER,
    SMALLEST_FRAME,
    Frame,
    FrameReader,
    Kind,
    frame,
)
from tests.stack.event_hubs.amqp.incoming import Begin, Close, End, Open, Said, SaslInit, read
from tests.stack.event_hubs.amqp.refused import Refused
from tests.stack.event_hubs.claims import Claims
from tests.stack.event_hubs.namespace import Namespace
from tests.stack.event_hubs.sessions import Session

_NO_LINGERING = struct.pack("ii", 1, 0)


class Connection(asyncio.Protocol):
    """The service's end of a connection. It has no task of its own: everything happens as bytes arrive or events do."""

    def __init__(self, namespace: Namespace, connections: set[Connection]) -> None:
        self.namespace = namespace
        self.claims = Claims(namespace.keys)
        self.largest_frame = LARGEST_FRAME
        self.is_paused = False
        self._connections = connections
        self._frames = FrameReader()
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

    def pause_writing(self) -> None:
        """Holds messages back until the client has read some."""
        self.is_paused = True

    def resume_writing(self) -> None:
        """Sends on."""
        self.is_paused = False
        for session in list(self._sessions.values()):
            session.pump()

    def data_received(self, data: bytes) -> None:
        """Does what the client says; nonsense ends the connection, with the reason."""
        try:
            for received in self._frames.feed(data):
                if self._transport.is_closing():
                    return
                self._receive(received)
        except Refused as refusal:
            self.say(outgoing.close(refusal))
            self.hang_up()

    def say(self, performative: bytes, payload: bytes = b"", channel: int = 0) -> None:
        """Sends a frame."""
        self._write(frame(performative + payload, channel))

    def hang_up(self) -> None:
        """Ends the connection once everything is said."""
        self._transport.close()

    def abort(self) -> None:
        """Ends the connection at once, with a reset: pyamqp 5.15.1 forgets to close one that merely ends during sign-in."""
        self._transport.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _NO_LINGERING)
        self._transport.abort()

    def _receive(self, received: Frame) -> None:
        if received.kind == Kind.HEADER:
            self._greet(received.body)
        elif received.body:
            self._hear(*read(received.body), received.channel)

    def _greet(self, header: bytes) -> None:
        """Agrees on the protocol, and offers ways to sign in before it."""
        if header not in (AMQP_HEADER, SASL_HEADER):
            self._write(AMQP_HEADER)
            self.hang_up()
            return
        self._write(header)
        if header == SASL_HEADER:
            self._write(frame(outgoing.sasl_mechanisms(), kind=Kind.SASL))

    def _hear(self, said: Said, payload: bytes, channel: int) -> None:
        match said:
            case SaslInit():
                self._write(frame(outgoing.sasl_outcome(), kind=Kind.SASL))
            case Open():
                self._open(said)
            case Begin() if channel in self._sessions:
                raise Refused("amqp:illegal-state", f"The channel {channel} belongs to another session.")
            case Begin():
                self._sessions[channel] = Session(self, channel, said)
            case Close():
                self.say(outgoing.close())
                self.hang_up()
            case _:
                self._hear_in_session(said, payload, channel)

    def _hear_in_session(self, said: Said, payload: bytes, channel: int) -> None:
        session = self._sessions.get(channel)
        if session is None:
            return  # pyamqp detaches from $cbs after it has ended the session
        if isinstance(said, End):
            del self._sessions[channel]
            session.over()
            self.say(outgoing.end(), channel=channel)
        else:
            session.hear(said, payload)

    def _open(self, said: Open) -> None:
        wanted = LARGEST_FRAME if said.max_frame_size is None else said.max_frame_size
        self.largest_frame = max(SMALLEST_FRAME, min(wanted, LARGEST_FRAME))
        self.say(outgoing.open(LARGEST_FRAME))
        if said.idle_timeout:
            self._beat(said.idle_timeout / 1000 / 2)

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
