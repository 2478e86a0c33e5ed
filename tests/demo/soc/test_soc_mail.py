"""The mail server's double keeps to what mail servers do, as the standard library's own client meets it."""

from __future__ import annotations

import asyncio
import smtplib
import ssl
from collections.abc import Callable
from email.message import EmailMessage

import pytest

from alert_router_demo.soc import Soc, Status
from alert_router_demo.soc.mail import MailDouble, mail_served


def a_message(number: int = 1, reply_to: int | None = None) -> EmailMessage:
    """A mail with what every mail has."""
    message = EmailMessage()
    message["From"], message["To"] = "router@soc.example", "soc@soc.example"
    message["Date"], message["Subject"] = "Tue, 24 Nov 2026 12:00:30 +0000", f"Mail {number}"
    message["Message-ID"] = f"<{number}@soc.example>"
    if reply_to is not None:
        message["References"] = f"<{reply_to}@soc.example>"
    message.set_content(".\r\nHello")
    message.add_alternative("<p>Hello", subtype="html")
    return message


def asked(server: MailDouble, ask: Callable[[smtplib.SMTP], None], *, tls: ssl.SSLContext | None = None) -> None:
    """Speaks with a server."""

    def speak(port: int) -> None:
        with smtplib.SMTP("127.0.0.1", port, local_hostname="test") as client:
            ask(client)

    async def spoken() -> None:
        async with mail_served(server, tls) as address:
            await asyncio.to_thread(speak, int(address.rpartition(":")[2]))

    asyncio.run(spoken())


def test_it_takes_mail_of_its_users_over_tls(soc: Soc) -> None:
    """Neither before TLS nor before it knows who asks, and shows threads without a secret."""
    account, address = soc.accounts["cwpp"], soc.addresses.email or ""
    with smtplib.SMTP("127.0.0.1", int(address.rpartition(":")[2]), local_hostname="test") as client:
        client.ehlo()
        assert client.has_extn("starttls") and not client.has_extn("auth")
        assert client.docmd("AUTH PLAIN", "AGEAYg==")[0] == 538
        client.starttls(context=ssl.create_default_context(cafile=str(soc.addresses.ca)))
        assert client.docmd("MAIL FROM:<router@soc.example>")[0] == 530
        with pytest.raises(smtplib.SMTPAuthenticationError):
            client.login(account.mail_user, "wrong")
        client.login(account.mail_user, account.mail_password)
        client.send_message(a_message(1))
        client.send_message(a_message(2, reply_to=1))
        client.send_message(a_message(2, reply_to=1))
    assert soc.counts()["received"]["mails"] == 3
    assert soc.counts()["duplicates"]["mails"] == 1
    shown = soc.state()["mails"]
    assert [mail["subject"] for mail in shown["<1@soc.example>"]] == ["Mail 1", "Mail 2"]
    assert account.mail_password not in repr(soc.state())


def test_it_refuses_whom_it_does_not_know_and_what_is_no_mail() -> None:
    """One recipient or all; a message without what every mail has; one that is too large before it is sent."""
    server = MailDouble({})
    server.refusals = {"nobody@soc.example": "550 5.1.1 no such user"}

    def ask(client: smtplib.SMTP) -> None:
        to = ["soc@soc.example", "nobody@soc.example"]
        assert client.sendmail("a@soc.example", to, a_message().as_bytes()) == {to[1]: (550, b"5.1.1 no such user")}
        with pytest.raises(smtplib.SMTPRecipientsRefused):
            client.sendmail("a@soc.example", to[1:], a_message().as_bytes())
        with pytest.raises(smtplib.SMTPDataError, match="554"):
            client.sendmail("a@soc.example", to[:1], b"Subject: x\r\n\r\nx")
        assert client.docmd("MAIL FROM:<a@soc.example> SIZE=99999999")[0] == 552
        assert client.docmd("VRFY", "soc")[0] == 503

    asked(server, ask)
    assert (server.accepted, list(server.recipients)) == (1, [("soc@soc.example",)])
    assert server.answers == {"250": 1, "550": 2, "554": 1, "552": 1, "503": 1}


def test_trouble_is_played_on_the_command_that_is_named_or_on_the_message() -> None:
    """An order that names no command is about the whole mail."""
    server = MailDouble({})
    server.faults.add(Status(451, body="4.3.0 later"))
    server.faults.add(Status(450, body="4.2.0 greylisted"), method="RCPT")

    def ask(client: smtplib.SMTP) -> None:
        with pytest.raises(smtplib.SMTPRecipientsRefused):
            client.send_message(a_message())
        with pytest.raises(smtplib.SMTPDataError, match="451"):
            client.send_message(a_message())
        client.send_message(a_message())

    asked(server, ask)
    assert server.accepted == 1
