"""A way to a server of PostgreSQL on which round trips are counted, the line is cut, and TLS is spoken.

https://www.postgresql.org/docs/current/protocol-message-formats.html
"""

from __future__ import annotations

import socket
import ssl
import struct
import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack, suppress
from typing import Self
from urllib.parse import parse_qs, urlsplit, urlunsplit

_SSL_REQUEST, _GSS_REQUEST = 80877103, 80877104
_HEAD = struct.Struct("!ci")
_LENGTH = struct.Struct("!i")
_ASKING = (b"Q", b"S")
"""Messages after which a client waits for an answer: a simple query, and the end of a row of others."""

_PIECE = 65536


class Way:
    """A way to the server of a URL, through a port of 127.0.0.1; its methods may be called from any thread.

    Args:
        tls: with which nobody comes in but by TLS, as at a server in Azure.

    Attributes:
        server: where it leads whoever comes from now on.
        trips: how many round trips went by.
        refused_plain: how many clients came without TLS, where TLS is asked for.
    """

    def __init__(self, server: str, tls: ssl.SSLContext | None = None) -> None:
        self.trips = 0
        self.refused_plain = 0
        self.server = server
        self._tls = tls
        self._lock = threading.Lock()
        self._open: set[socket.socket] = set()
        self._at: int | None = None
        self._is_after = False
        self._happens: Callable[[], object] = self.cut
        self._listener = socket.create_server(("127.0.0.1", 0))
        self._threads = [threading.Thread(target=self._accept, daemon=True)]
        self._threads[0].start()

    def to(self, url: str, host: str = "127.0.0.1") -> str:
        """Gives the URL of a database of the server by this way."""
        parts = urlsplit(url)
        role = parts.netloc.rpartition("@")[0]
        return urlunsplit(parts._replace(netloc=f"{role}@{host}:{self._listener.getsockname()[1]}", query=""))

    def cut(self) -> None:
        """Cuts all lines that are open now: neither side says anything to the other any more."""
        with self._lock:
            cut, self._open = self._open, set()
        for one in cut:
            with suppress(OSError):
                one.shutdown(socket.SHUT_RDWR)

    def cut_at(self, trip: int, *, is_after: bool, happens: Callable[[], object] | None = None) -> None:
        """Counts anew, and cuts all lines at a round trip: before the server hears of it, or before its answer is heard.

        `happens` is done in place of the cut. A trip of 0 never comes.
        """
        with self._lock:
            self.trips = 0
            self._at, self._is_after, self._happens = trip, is_after, happens or self.cut

    def close(self) -> None:
        """Cuts all lines, and takes no others."""
        with suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._threads[0].join()
        self._listener.close()
        self.cut()
        while self._threads:
            self._threads.pop().join()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_fault: object) -> None:
        self.close()

    def _accept(self) -> None:
        while True:
            try:
                client, _ = self._listener.accept()
            except OSError:
                return
            with self._lock:
                self._open.add(client)
            line = threading.Thread(target=self._serve, args=(client,), daemon=True)
            self._threads.append(line)
            line.start()

    def _serve(self, plain: socket.socket) -> None:
        """Brings one client to the server, until either hangs up."""
        with suppress(OSError), ExitStack() as held:
            # What it begins with is not looked at further: no message type stands before it.
            client, first = self._greeted(held.enter_context(plain), held)
            server = held.enter_context(_connected(self.server))
            with self._lock:
                self._open |= {client, server}
            server.sendall(first)
            mute = threading.Event()  # The next answer is the one before which something happens.
            back = threading.Thread(target=self._bring_back, args=(client, server, mute), daemon=True)
            back.start()
            self._bring(client, server, mute)
            back.join()
            with self._lock:
                self._open -= {plain, client, server}

    def _bring(self, client: socket.socket, server: socket.socket, mute: threading.Event) -> None:
        """Brings what a client says to the server."""
        with suppress(OSError):
            for piece, trips in _messages(client):
                with self._lock:
                    before, self.trips = self.trips, self.trips + trips
                    is_now = self._at is not None and before < self._at <= self.trips
                if is_now and self._is_after:
                    mute.set()
                elif is_now:
                    self._happens()
                server.sendall(piece)
        _end(server)

    def _bring_back(self, client: socket.socket, server: socket.socket, mute: threading.Event) -> None:
        """Brings what the server says to a client."""
        with suppress(OSError):
            while piece := server.recv(_PIECE):
                if mute.is_set():
                    mute.clear()
                    self._happens()
                client.sendall(piece)
        _end(client)

    def _greeted(self, client: socket.socket, held: ExitStack) -> tuple[socket.socket, bytes]:
        """A client that has said who it is, in TLS where TLS is asked for, and what it said."""
        is_secure = False
        while True:
            first = _exactly(client, _LENGTH.size)
            first += _exactly(client, _LENGTH.unpack(first)[0] - len(first))
            (asked,) = _LENGTH.unpack_from(first, _LENGTH.size)
            if asked == _SSL_REQUEST and self._tls is not None:
                client.sendall(b"S")
                client, is_secure = held.enter_context(self._tls.wrap_socket(client, server_side=True)), True
            elif asked in (_SSL_REQUEST, _GSS_REQUEST):
                client.sendall(b"N")
            elif self._tls is not None and not is_secure:
                self.refused_plain += 1
                raise ConnectionRefusedError
            else:
                return client, first


def _messages(client: socket.socket) -> Iterator[tuple[bytes, int]]:
    """What a client says, in whole messages, and how many round trips each piece of it is."""
    kept = b""
    while piece := client.recv(_PIECE):
        kept += piece
        end = trips = 0
        while len(kept) - end >= _HEAD.size:
            kind, length = _HEAD.unpack_from(kept, end)
            if len(kept) - end < 1 + length:
                break
            end += 1 + length
            trips += kind in _ASKING
        if end:
            yield kept[:end], trips
            kept = kept[end:]


def _exactly(client: socket.socket, size: int) -> bytes:
    got = b""
    while len(got) < size:
        if not (piece := client.recv(size - len(got))):
            raise ConnectionResetError
        got += piece
    return got


def _connected(server: str) -> socket.socket:
    """A connection to the server of a URL."""
    parts = urlsplit(server)
    port = parts.port or 5432
    if directory := parse_qs(parts.query).get("host"):
        line = socket.socket(socket.AF_UNIX)
        line.connect(f"{directory[0]}/.s.PGSQL.{port}")
        return line
    return socket.create_connection((parts.hostname or "127.0.0.1", port))


def _end(line: socket.socket) -> None:
    with suppress(OSError):
        line.shutdown(socket.SHUT_RDWR)
