"""Mail servers on loopback: the SOC's double with a certificate that is trusted or not, and some that no double would be."""

import asyncio
import ssl
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager, suppress
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from alert_router_demo.soc.authority import new_authority
from alert_router_demo.soc.mail import MailDouble, mail_served
from router.domain.conversation import SendMail

USER, PASSWORD = "cwpp-router", "Canary-of-a-password-0123456789"
SENDER = "alert-router@soc.example"
MESSAGE = (
    b"Date: Tue, 24 Nov 2026 12:00:30 +0000\r\nFrom: alert-router@soc.example\r\nTo: soc@soc.example\r\n"
    b"Subject: High\r\nMessage-ID: <1@soc.example>\r\n\r\nHello\r\n.\r\n..two\r\n"
)


@cache
def authority() -> tuple[ssl.SSLContext, ssl.SSLContext]:
    """The server's side of TLS, and a client's that trusts it."""
    with TemporaryDirectory() as directory:
        certificate, tls = new_authority(Path(directory))
        return tls, ssl.create_default_context(cafile=str(certificate))


def a_server(*, asks_who: bool = True) -> MailDouble:
    """A mail server that knows one user, or takes mail of everybody."""
    return MailDouble({USER: PASSWORD} if asks_who else {})


@asynccontextmanager
async def at_work(
    server: MailDouble, *, offers_tls: bool = True, tls: ssl.SSLContext | None = None
) -> AsyncIterator[int]:
    """Serves it, with a certificate that is trusted or another one; gives its port."""
    async with mail_served(server, (tls or authority()[0]) if offers_tls else None) as address:
        yield int(address.rpartition(":")[2])


def a_mail(port: int, **changes: Any) -> SendMail:
    """A mail to the server at a port of this machine, with who we are."""
    values: dict[str, Any] = {
        "host": "127.0.0.1",
        "port": port,
        "user": USER,
        "password": PASSWORD,
        "sender": SENDER,
        "recipients": ("soc@soc.example",),
        "message": MESSAGE,
    }
    return SendMail(**values | changes)


@asynccontextmanager
async def speaking(replies: Sequence[bytes], again: bytes = b"") -> AsyncIterator[int]:
    """A server that gives these replies, one to each line that comes, and then others without end; gives its port."""

    async def speak(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with suppress(ConnectionError):
            for reply in replies:
                writer.write(reply)
                await writer.drain()
                if not await reader.readline():
                    break
            while again:
                writer.write(again)
                await writer.drain()
                await asyncio.sleep(0)  # who reads is in the same loop
            await reader.read()
        writer.close()

    listening = await asyncio.start_server(speak, "127.0.0.1", 0)
    async with listening:
        yield listening.sockets[0].getsockname()[1]
        listening.close_clients()
