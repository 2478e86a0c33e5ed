"""Nobody but this machine is asked: a seam below every client, at the interpreter's own look-ups and connections."""

import socket
import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from ipaddress import ip_address

_NAMED = {"socket.getaddrinfo": 0, "socket.gethostbyname": 0, "socket.gethostbyaddr": 0}
_CONNECTED = {"socket.connect": 1, "socket.sendto": 1, "socket.sendmsg": 1}

_listening: list[list[str]] = []


@contextmanager
def nobody_else() -> Iterator[list[str]]:
    """A context in which only this machine can be asked; gives the hosts that somebody tried to ask all the same."""
    if not _is_set():
        sys.addaudithook(_heed)
    strangers: list[str] = []
    _listening.append(strangers)
    try:
        yield strangers
    finally:
        _listening.remove(strangers)


def _is_set(set: list[bool] = []) -> bool:  # noqa: B006  A hook stays for as long as the process does.
    was, set[:] = bool(set), [True]
    return was


def _heed(event: str, arguments: tuple[object, ...]) -> None:
    """https://docs.python.org/3/library/audit_events.html"""
    if not _listening:
        return
    host: object = None
    if event in _NAMED:
        host = arguments[_NAMED[event]]
    elif event in _CONNECTED:
        address = arguments[_CONNECTED[event]]
        host = address[0] if isinstance(address, tuple) else None  # a path is a socket of this machine
    if isinstance(host, bytes):
        host = host.decode("ascii", "replace")
    if isinstance(host, str) and not _is_here(host):
        for strangers in _listening:
            strangers.append(host)
        raise OSError(f"{host}: nobody but this machine may be asked here")


def _is_here(host: str) -> bool:
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host in ("localhost", "")


def free_ports(count: int) -> list[int]:
    """Ports of this machine that were free just now."""
    with ExitStack() as held:
        sockets = [held.enter_context(socket.create_server(("127.0.0.1", 0))) for _ in range(count)]
        return [one.getsockname()[1] for one in sockets]
