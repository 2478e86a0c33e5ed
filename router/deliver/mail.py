"""Mail to a server that passes it on: SMTP submission over STARTTLS, with aiosmtplib.

One connection for each mail. The destination reads what a server answers. This module hands a mail and the credentials to no
other server, waits for none too long, and begins a mail only while there is time for the slowest answer: one that is broken off
between the message and its answer may go twice.

https://www.rfc-editor.org/rfc/rfc6409 (submission), https://www.rfc-editor.org/rfc/rfc3207 (STARTTLS)
"""

from __future__ import annotations

import asyncio
import math
import ssl
from collections import defaultdict
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from typing import NamedTuple, cast

from aiosmtplib import SMTP, SMTPException, SMTPResponseException

from router.domain.conversation import MailAnswer, MailReply, MailStep, SendMail
from router.domain.errors import Unauthorized, Unavailable
from router.domain.unreached import find_untrusted, not_trusted
from router.domain.urls import is_example, is_loopback, never_asked

CONNECTIONS = 3
"""At a time to one server. Exchange Online refuses a fourth:
https://learn.microsoft.com/exchange/troubleshoot/send-emails/smtp-submission-improvements"""

NAME = "[127.0.0.1]"
"""The name that we give: it is not looked up, and says nothing of the machine."""

_CLOSING = 421
_READABLE = range(200, 600)
_USED = 0.9
"""The share that a submission uses of the time it has."""


class Patience(NamedTuple):
    """Seconds that each part of a submission may take, in their order.

    Attributes:
        wait: for one of a server's connections. Nothing is sent by then, so it may as well come again.
        timeout: from the look-up of a server's name until it is ready for the message.
        acceptance: for the message and the answer to it. A server that looks through mails takes its time, and one that we do
            not wait for sends the mail all the same: https://www.rfc-editor.org/rfc/rfc5321#section-4.5.3.2.6
        goodbye: for the end of a connection, when the mail is accepted already.
    """

    wait: float = 60.0
    timeout: float = 30.0
    acceptance: float = 120.0
    goodbye: float = 1.0

    def within(self, left: float) -> Patience:
        """The same where all of it ends well before the seconds that are left are over; else every part is shorter."""
        share = max(0.0, min(1.0, left * _USED / sum(self)))
        return Patience(*(share * seconds for seconds in self))


_PATIENCE = Patience()


class Mail:
    """Submits mails; obeys no proxy variable."""

    def __init__(self, tls: ssl.SSLContext, patience: Patience = _PATIENCE, connections: int = CONNECTIONS) -> None:
        self._tls = tls
        self._patience = patience
        self._free = defaultdict[tuple[str, int], asyncio.Semaphore](lambda: asyncio.Semaphore(connections))

    async def submit(self, mail: SendMail, ends: float = math.inf) -> MailAnswer:
        """What the server said last, whatever it is; raises Unavailable when nothing came in time, or not over TLS.

        It is over by `ends`, in the loop's time. Where the server's connections are taken for too long for that, nothing is
        sent. Where the server had the message and said nothing in time, it may have taken it all the same.

        Raises Unauthorized where the server offers no way to say who we are. Errors name the host at most. A host that ends
        in `.example` is never asked: no name is looked up there and no connection opened.
        """
        if is_example(mail.host):
            raise Unavailable(never_asked(mail.host))
        if mail.is_cleartext and not is_loopback(mail.host):
            raise Unavailable(f"{mail.host}: is asked over STARTTLS only; cleartext is for loopback")
        patience = self._patience.within(ends - asyncio.get_running_loop().time())
        async with self._turn_at(mail, patience.wait):
            client = SMTP(
                hostname=mail.host,
                port=mail.port,
                local_hostname=NAME,
                timeout=None,
                start_tls=False,
                tls_context=self._tls,
            )
            try:
                answer = await _submit_in_time(client, mail, patience, ends)
                # Whatever the server says to our goodbye, the mail is where it is.
                with suppress(SMTPException, OSError):
                    async with asyncio.timeout(patience.goodbye):
                        await client.quit()
                return answer
            finally:
                _hang_up(client)

    @asynccontextmanager
    async def _turn_at(self, mail: SendMail, wait: float) -> AsyncIterator[None]:
        """A context with one of the server's connections; raises Unavailable where none came free in time."""
        free = self._free[mail.host, mail.port]
        try:
            async with asyncio.timeout(wait):
                await free.acquire()
        except TimeoutError as fault:
            taken = f"{mail.host}: nothing sent: other mails took its connections for {wait:.0f} s"
            raise Unavailable(taken, is_crowded=True) from fault
        try:
            yield
        finally:
            free.release()


async def _submit_in_time(client: SMTP, mail: SendMail, patience: Patience, ends: float) -> MailAnswer:
    now = asyncio.get_running_loop().time()
    # When the message must go at last: then there is just time for the slowest answer.
    latest = ends - patience.acceptance - patience.goodbye
    if now >= latest:
        raise Unavailable(f"{mail.host}: nothing sent: there is no time left for it")
    try:
        async with asyncio.timeout_at(min(now + patience.timeout, latest)):
            refusal = await _offer(client, mail)
        if isinstance(refusal, MailAnswer):
            return refusal
        async with asyncio.timeout(patience.acceptance):
            return await _hand_over(client, mail, refusal)
    except TimeoutError as fault:
        raise Unavailable(f"{mail.host}: no answer in time") from fault
    except (SMTPException, OSError, ValueError) as fault:
        untrusted = find_untrusted(fault)
        if untrusted is not None:
            raise Unavailable(not_trusted(mail.host, untrusted)) from fault
        raise Unavailable(f"{mail.host}: no answer: {type(fault).__name__}") from fault


type _Refused = dict[str, MailReply]
"""The recipients that a server did not take, and what it said of each."""


async def _offer(client: SMTP, mail: SendMail) -> MailAnswer | _Refused:
    """What a server has against a mail before it sees it: a refusal of all of it, or of these recipients alone."""
    step = MailStep.CONNECTION
    try:
        await client.connect()
        step = MailStep.HELLO
        await client.ehlo()
        if not mail.is_cleartext:
            step = MailStep.TLS
            if not client.supports_extension("starttls"):
                raise Unavailable(f"{mail.host}: offers no STARTTLS, and neither mail nor credentials go without it")
            await client.starttls(server_hostname=mail.host)
            step = MailStep.HELLO
            await client.ehlo()
        step = MailStep.AUTH
        await _sign_in(client, mail)
        step = MailStep.SENDER
        size = [f"SIZE={len(mail.message)}"] if client.supports_extension("size") else []
        await client.mail(mail.sender, options=size)
    except SMTPResponseException as refusal:
        return MailAnswer(step=step, reply=_reply_in(refusal))
    refused: _Refused = {}
    for recipient in mail.recipients:
        try:
            await client.rcpt(recipient)
        except SMTPResponseException as refusal:
            refused[recipient] = reply = _reply_in(refusal)
            if reply.code == _CLOSING:
                return MailAnswer(step=MailStep.RECIPIENTS, reply=reply)
    # All of it is refused where all recipients are, or one who may be taken later of a mail that is for all.
    later = [reply for reply in refused.values() if reply.code < 500]
    if (later and mail.is_for_all) or len(refused) == len(set(mail.recipients)):
        return MailAnswer(step=MailStep.RECIPIENTS, reply=[*later, *refused.values()][0])
    return refused


async def _sign_in(client: SMTP, mail: SendMail) -> None:
    """Sign in once: a password that is tried in three ways is soon locked out."""
    if mail.user is None or mail.password is None:
        return
    if "plain" in client.server_auth_methods:
        await client.auth_plain(mail.user, mail.password)
    elif "login" in client.server_auth_methods:
        await client.auth_login(mail.user, mail.password)
    else:
        raise Unauthorized(f"{mail.host}: takes no user and password (AUTH PLAIN or LOGIN); name a server that does")


async def _hand_over(client: SMTP, mail: SendMail, refused: _Refused) -> MailAnswer:
    """What a server says of the message."""
    try:
        said = await client.data(mail.message)
    except SMTPResponseException as refusal:
        return MailAnswer(step=MailStep.MESSAGE, reply=_reply_in(refusal))
    return MailAnswer(step=MailStep.MESSAGE, reply=MailReply(code=said.code, text=said.message), refused=refused)


def _reply_in(refusal: SMTPResponseException) -> MailReply:
    """What a server said; raises what was caught where that was no reply."""
    if refusal.code not in _READABLE:
        raise refusal
    return MailReply(code=refusal.code, text=refusal.message)


def _hang_up(client: SMTP) -> None:
    """Lets go of a connection at once, also of one whose other end says nothing any more."""
    transport = client.transport
    client.close()
    if transport is not None:
        cast(asyncio.Transport, transport).abort()
