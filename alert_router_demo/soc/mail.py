"""A double of a mail server that passes mail on: STARTTLS, then who it is, then the mail, which stays here.

https://www.rfc-editor.org/rfc/rfc6409 (submission), https://www.rfc-editor.org/rfc/rfc5321 (commands and replies)

Faults are played on the whole message, or on the command that an order names as its method: CONNECT, EHLO, STARTTLS, AUTH,
MAIL, RCPT, DATA. The code of a `Status` is the reply's, its body the words beside.
"""

import asyncio
import base64
import ssl
from collections import Counter, deque
from collections.abc import AsyncIterator, Callable, Coroutine, Mapping
from contextlib import asynccontextmanager, suppress
from email import message_from_bytes, policy
from email.message import EmailMessage
from functools import partial
from typing import Any, cast

from alert_router_demo.soc.authority import encrypt
from alert_router_demo.soc.endpoint import DROPPED, Double
from alert_router_demo.soc.faults import Drop, Fault, Hang, LoseAnswer, Status

LINE_LIMIT = 998  # octets of a line without its end: https://www.rfc-editor.org/rfc/rfc5322#section-2.1.1
SIZE_LIMIT = 10 * 1024 * 1024  # octets of a message
MESSAGE = "MESSAGE"


class MailDouble(Double):
    """A mail server that takes mail of its users, or of everybody where it has none.

    Attributes:
        refusals: the reply to each recipient whom it does not take, such as `550 5.1.1 no such user`.
        methods: how a user may sign in.
        in_clear: the commands that came without TLS.
        mails: the newest `keep` mails, as they arrived.
        accepted: how many mails it took.
        copies: how often it took each `Message-ID`.
        busiest: how many connections were open at a time at most.
    """

    name = "email"
    holds = "mails"

    def __init__(self, users: Mapping[str, str], *, keep: int = 10_000) -> None:
        super().__init__()
        self.users = dict(users)
        self.refusals: dict[str, str] = {}
        self.methods: tuple[str, ...] = ("PLAIN", "LOGIN")
        self.in_clear: list[str] = []
        self.mails: deque[EmailMessage] = deque(maxlen=keep)
        self.recipients: deque[tuple[str, ...]] = deque(maxlen=keep)
        self.accepted = 0
        self.copies: Counter[str] = Counter()
        self.open = self.busiest = 0

    @property
    def duplicates(self) -> int:
        """Gives how many mails came under a `Message-ID` that it had before."""
        return self.accepted - len(self.copies)

    def count(self) -> int:
        """Gives how many mails it took."""
        return self.accepted

    def threads(self) -> dict[str, list[dict[str, str]]]:
        """Gives the mails as a mailbox shows them: each under the first that it refers to, a copy only once."""
        found: dict[str, dict[str, dict[str, str]]] = {}
        for mail in list(self.mails):
            own = str(mail["Message-ID"])
            first = str(mail.get("References", own)).split()[0]
            text = cast(EmailMessage, mail.get_body(("plain",))).get_content()
            shown = {"from": str(mail["From"]), "to": str(mail["To"]), "subject": str(mail["Subject"]), "text": text}
            found.setdefault(first, {}).setdefault(own, shown)
        return {first: list(mails.values()) for first, mails in found.items()}

    def accept(self, raw: bytes, recipients: tuple[str, ...]) -> str:
        """Takes a mail; gives the reply."""
        mail = message_from_bytes(raw, policy=policy.default)
        lacks = [name for name in ("From", "To", "Date", "Subject", "Message-ID") if len(mail.get_all(name, [])) != 1]
        is_long = any(len(line) > LINE_LIMIT for line in raw.split(b"\r\n"))
        if lacks or is_long or not raw.isascii() or any(part.defects for part in mail.walk()):
            return f"554 5.6.0 the mail is not well formed {' '.join(lacks)}"
        self.mails.append(mail)
        self.recipients.append(recipients)
        self.accepted += 1
        self.copies[str(mail["Message-ID"])] += 1
        return f"250 2.0.0 Ok: queued as {self.accepted:08X}"


class _HungUp(Exception):
    """The connection is over."""


class _Session:
    """One connection."""

    def __init__(
        self, server: MailDouble, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, tls: ssl.SSLContext | None
    ) -> None:
        self._server, self._reader, self._writer, self._tls = server, reader, writer, tls
        self._is_encrypted = False
        self._is_known = False
        self._is_begun = False
        self._recipients: list[str] = []

    async def serve(self) -> None:
        """Answers until somebody hangs up."""
        await self._answer("CONNECT", self._greet)
        while True:
            line = (await self._reader.readuntil(b"\r\n"))[:-2].decode("ascii", "replace")
            verb, _, rest = line.partition(" ")
            verb = verb.upper()
            if not self._is_encrypted:
                self._server.in_clear.append(line)
            await self._answer(verb, partial(self._done, verb, rest))

    async def _answer(self, name: str, behave: Callable[[], Coroutine[Any, Any, str]]) -> None:
        """Plays the fault that was ordered for a command, or behaves."""
        faults = self._server.faults
        fault: Fault | None = faults.take(name) if name == MESSAGE else faults.take_named(name)
        match fault:
            case Status(code=code, body=body):
                await self._say(f"{code} {body or 'ordered'}")
            case Drop():
                self._cut()
            case LoseAnswer():
                await behave()
                self._cut()
            case Hang(seconds=seconds):
                await asyncio.sleep(seconds)
                await self._say(await behave())
            case None:
                await self._say(await behave())

    async def _say(self, reply: str) -> None:
        if not reply:
            return
        code = reply[:3]
        if code >= "400":
            self._server.answers[code] += 1
        self._writer.write(reply.encode() + b"\r\n")
        await self._writer.drain()
        if code in ("221", "421"):
            raise _HungUp

    def _cut(self) -> None:
        self._server.answers[DROPPED] += 1
        self._writer.transport.abort()
        raise _HungUp

    async def _greet(self) -> str:
        return "220 smtp.soc.example ESMTP"

    async def _done(self, verb: str, rest: str) -> str:
        match verb:
            case "EHLO":
                return self._extensions()
            case "STARTTLS" if self._tls is not None and not self._is_encrypted:
                return await self._encrypted()
            case "AUTH":
                return await self._signed_in(rest)
            case "MAIL" | "RCPT" | "DATA" if self._server.users and not self._is_known:
                return "530 5.7.0 Authentication required"
            case "MAIL":
                return self._begun(rest)
            case "RCPT":
                return self._addressed(_address_in(rest))
            case "DATA" if self._recipients:
                return await self._received()
            case "RSET" | "NOOP":
                return "250 2.0.0 Ok"
            case "QUIT":
                return "221 2.0.0 Bye"
        return "503 5.5.1 not now, or not at all"

    def _extensions(self) -> str:
        can_sign_in = self._is_encrypted or self._tls is None
        offered = [f"SIZE {SIZE_LIMIT}"]
        offered += ["STARTTLS"] if self._tls is not None and not self._is_encrypted else []
        offered += [f"AUTH {' '.join(self._server.methods)}"] if self._server.users and can_sign_in else []
        lines = ["smtp.soc.example", *offered, "ENHANCEDSTATUSCODES"]
        return "\r\n".join([*(f"250-{line}" for line in lines[:-1]), f"250 {lines[-1]}"])

    async def _encrypted(self) -> str:
        await self._say("220 2.0.0 Ready to start TLS")
        await encrypt(self._writer, cast(ssl.SSLContext, self._tls))
        self._is_encrypted = True
        return ""

    async def _signed_in(self, rest: str) -> str:
        if self._tls is not None and not self._is_encrypted:
            return "538 5.7.11 Encryption required"
        method, _, first = rest.partition(" ")
        if method.upper() == "PLAIN":
            _, user, password = base64.b64decode(first).decode().split("\0")
        else:
            user = base64.b64decode(first).decode()
            await self._say("334 UGFzc3dvcmQ6")
            password = base64.b64decode((await self._reader.readuntil(b"\r\n")).strip()).decode()
        self._is_known = self._server.users.get(user) == password
        return "235 2.7.0 Authentication successful" if self._is_known else "535 5.7.8 Authentication failed"

    def _begun(self, rest: str) -> str:
        size = next((int(part[5:]) for part in rest.upper().split() if part.startswith("SIZE=")), 0)
        if size > SIZE_LIMIT:
            return "552 5.3.4 Message too big"
        self._recipients = []
        return "250 2.1.0 Ok"

    def _addressed(self, recipient: str) -> str:
        if recipient in self._server.refusals:
            return self._server.refusals[recipient]
        self._recipients.append(recipient)
        return "250 2.1.5 Ok"

    async def _received(self) -> str:
        await self._say("354 End data with <CR><LF>.<CR><LF>")
        raw = (await self._reader.readuntil(b"\r\n.\r\n"))[:-3].replace(b"\r\n..", b"\r\n.")
        await self._answer(MESSAGE, partial(self._taken, raw))
        return ""

    async def _taken(self, raw: bytes) -> str:
        reply = self._server.accept(raw, tuple(self._recipients))
        if reply.startswith("250"):
            self._server.answers["250"] += 1
        return reply


def _address_in(rest: str) -> str:
    return rest.partition("<")[2].partition(">")[0]


@asynccontextmanager
async def mail_served(server: MailDouble, tls: ssl.SSLContext | None) -> AsyncIterator[str]:
    """Serves a mail server on a free port of 127.0.0.1 and gives its address; without `tls` it offers no STARTTLS."""

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        server.open += 1
        server.busiest = max(server.busiest, server.open)
        try:
            with suppress(_HungUp, OSError, asyncio.IncompleteReadError, asyncio.LimitOverrunError):
                await _Session(server, reader, writer, tls).serve()
        finally:
            server.open -= 1
            writer.close()

    listening = await asyncio.start_server(serve, "127.0.0.1", 0, limit=SIZE_LIMIT)
    async with listening:
        yield f"smtp://127.0.0.1:{listening.sockets[0].getsockname()[1]}"
        listening.close_clients()
