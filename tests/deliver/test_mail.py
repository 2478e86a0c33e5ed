"""Mail over real sockets: a server has the whole mail and says so, or there is a reason; nothing goes in the clear."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import Awaitable, Callable
from typing import Any

import pytest

from alert_router_demo.soc.faults import Drop, Fault, Hang, LoseAnswer, Status
from alert_router_demo.soc.mail import MESSAGE as WHOLE
from alert_router_demo.soc.mail import MailDouble
from router.deliver.mail import CONNECTIONS, Mail
from router.domain.conversation import MailAnswer, MailReply, MailStep, SendMail
from router.domain.errors import Unauthorized, Unavailable
from tests.deliver.mail_servers import MESSAGE, PASSWORD, SENDER, USER, a_mail, a_server, at_work, authority, speaking
from tests.network import nobody_else
from tests.waiting import PATIENCE, until

TWO = ("soc@soc.example", "ada@soc.example")


def submitted(
    server: MailDouble, *, offers_tls: bool = True, trust: ssl.SSLContext | None = None, **mail: Any
) -> MailAnswer:
    """What comes of one mail to a server."""

    async def go() -> MailAnswer:
        async with at_work(server, offers_tls=offers_tls) as port:
            return await Mail(trust or authority()[1], PATIENCE, PATIENCE).submit(a_mail(port, **mail))

    return asyncio.run(go())


def answered(ask: Callable[[Mail], Awaitable[MailAnswer]], timeout: float = PATIENCE) -> MailAnswer:
    """What comes of one ask."""

    async def go() -> MailAnswer:
        return await ask(Mail(authority()[1], timeout, timeout))

    return asyncio.run(go())


@pytest.mark.parametrize("methods", [("PLAIN", "LOGIN"), ("XOAUTH2", "PLAIN"), ("LOGIN",)])
def test_a_mail_arrives_as_it_was_asked_for(methods: tuple[str, ...]) -> None:
    """Envelope and message, dots and all, by either way of signing in; the answer is the server's own words."""
    server = a_server()
    server.methods = methods
    answer = submitted(server, recipients=TWO)
    assert (answer.step, answer.reply.code, answer.refused) == (MailStep.MESSAGE, 250, {})
    assert answer.reply.text == "2.0.0 Ok: queued as 00000001"
    assert server.mails[0].as_bytes().replace(b"\n", b"\r\n") == MESSAGE
    assert list(server.recipients) == [TWO]


def test_nothing_but_the_wish_for_tls_goes_in_the_clear() -> None:
    """Not who we are, nor whom the mail is for; and the greeting names neither this machine nor anybody."""
    server = a_server()
    submitted(server)
    assert server.in_clear == ["EHLO [127.0.0.1]", "STARTTLS"]


def test_a_server_without_starttls_gets_neither_mail_nor_credentials() -> None:
    """As where somebody in between takes the offer out."""
    server = a_server()
    with pytest.raises(Unavailable, match=r"127\.0\.0\.1: offers no STARTTLS"):
        submitted(server, offers_tls=False)
    assert server.in_clear == ["EHLO [127.0.0.1]"]


@pytest.mark.parametrize("name", ["nobody", "another"])
def test_a_certificate_that_is_not_trusted_ends_it(name: str) -> None:
    """From an authority that nobody knows, or for another host: nothing is said behind it."""
    server = a_server()
    trust = ssl.create_default_context() if name == "nobody" else authority()[1]
    host = "127.0.0.1" if name == "nobody" else "127.0.0.2"
    with pytest.raises(Unavailable, match=f"{host}: its certificate is not trusted .*ALERT_ROUTER_CA_FILE"):
        submitted_to(host, server, trust)
    assert server.in_clear == ["EHLO [127.0.0.1]", "STARTTLS"]
    assert server.mails == server.recipients


def submitted_to(host: str, server: MailDouble, trust: ssl.SSLContext) -> None:
    """A mail to a server that is reached under another of this machine's addresses."""

    async def go() -> None:
        async with at_work(server) as port:
            if host == "127.0.0.1":
                await Mail(trust, PATIENCE, PATIENCE).submit(a_mail(port))
                return
            passing = await asyncio.start_server(lambda *ends: _pass_on(port, *ends), host, 0)
            async with passing:
                ask = a_mail(passing.sockets[0].getsockname()[1], host=host)
                await Mail(trust, PATIENCE, PATIENCE).submit(ask)

    asyncio.run(go())


async def _pass_on(port: int, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    far_reader, far_writer = await asyncio.open_connection("127.0.0.1", port)

    async def pump(source: asyncio.StreamReader, sink: asyncio.StreamWriter) -> None:
        while data := await source.read(65_536):
            sink.write(data)
        sink.close()

    await asyncio.gather(pump(reader, far_writer), pump(far_reader, writer), return_exceptions=True)


def test_cleartext_is_for_loopback() -> None:
    """There a mail goes without TLS where that is asked for; elsewhere nobody is asked."""
    server = a_server(asks_who=False)
    ask: dict[str, Any] = {"user": None, "password": None, "is_cleartext": True}
    assert submitted(server, offers_tls=False, **ask).reply.code == 250
    with nobody_else() as strangers, pytest.raises(Unavailable, match="cleartext is for loopback"):
        answered(lambda mail: mail.submit(a_mail(25, host="mail.soc.test", **ask)))
    assert strangers == []


def test_a_host_that_is_nobodys_is_never_asked() -> None:
    """Whatever led there."""
    with nobody_else() as strangers, pytest.raises(Unavailable, match=r"ends in \.example"):
        answered(lambda mail: mail.submit(a_mail(587, host="smtp.soc.example")))
    assert strangers == []


COMMANDS = {
    "CONNECT": MailStep.CONNECTION,
    "EHLO": MailStep.HELLO,
    "STARTTLS": MailStep.TLS,
    "AUTH": MailStep.AUTH,
    "MAIL": MailStep.SENDER,
    "RCPT": MailStep.RECIPIENTS,
    "DATA": MailStep.MESSAGE,
    WHOLE: MailStep.MESSAGE,
}


@pytest.mark.parametrize("code", [421, 451, 554])
@pytest.mark.parametrize("command", COMMANDS)
def test_a_refusal_is_an_answer_to_its_step(command: str, code: int) -> None:
    """At whatever step a server refuses, what it says comes back, and it has no mail."""
    server = a_server()
    server.faults.add(Status(code, body="4.3.2 not now"), method=command)
    answer = submitted(server)
    assert answer == MailAnswer(step=COMMANDS[command], reply=MailReply(code=code, text="4.3.2 not now"))
    assert server.accepted == 0


@pytest.mark.parametrize(("command", "fault"), [*((command, Drop()) for command in COMMANDS), (WHOLE, LoseAnswer())])
def test_a_connection_that_is_cut_is_no_answer(command: str, fault: Fault) -> None:
    """At whatever step, also where the server has the whole mail and dies before it says so."""
    server = a_server()
    server.faults.add(fault, method=command)
    with pytest.raises(Unavailable, match=r"127\.0\.0\.1: no answer"):
        submitted(server)
    assert server.accepted == isinstance(fault, LoseAnswer)


@pytest.mark.parametrize("command", COMMANDS)
def test_a_server_that_says_nothing_is_not_waited_for(command: str) -> None:
    """The whole is bounded, not each step alone."""
    server = a_server()
    server.faults.add(Hang(PATIENCE), method=command)

    async def go() -> None:
        async with at_work(server) as port:
            with pytest.raises(Unavailable, match="no answer in time"):
                await Mail(authority()[1], 1.0, 1.0).submit(a_mail(port))

    asyncio.run(go())


def test_a_server_that_takes_its_time_over_a_message_is_waited_for() -> None:
    """It looks through the mail, and would send it whether or not we wait."""
    server = a_server()
    server.faults.add(Hang(0.5), method=WHOLE)

    async def go() -> MailAnswer:
        async with at_work(server) as port:
            return await Mail(authority()[1], PATIENCE, PATIENCE).submit(a_mail(port))

    assert asyncio.run(go()).reply.code == 250


def test_a_wrong_password_is_tried_once() -> None:
    """Whoever tries it in each way that a server offers is soon locked out."""
    server = a_server()
    server.methods = ("CRAM-MD5", "PLAIN", "LOGIN")
    answer = submitted(server, password="wrong")
    assert (answer.step, answer.reply.code) == (MailStep.AUTH, 535)
    assert server.answers == {"535": 1}


@pytest.mark.parametrize("methods", [(), ("CRAM-MD5",), ("XOAUTH2",)])
def test_a_server_that_takes_no_password_is_told_none(methods: tuple[str, ...]) -> None:
    """It is about the server that the rules name, and so about every mail."""
    server = a_server()
    server.methods = methods
    with pytest.raises(Unauthorized, match="AUTH PLAIN or LOGIN"):
        submitted(server)


def test_who_is_refused_is_named_and_the_others_get_it() -> None:
    """One address that is wrong keeps a mail from nobody else."""
    server = a_server()
    server.refusals = {TWO[1]: "550 5.1.1 no such user"}
    answer = submitted(server, recipients=TWO, is_for_all=True)
    assert answer.refused == {TWO[1]: MailReply(code=550, text="5.1.1 no such user")}
    assert (answer.reply.code, list(server.recipients)) == (250, [TWO[:1]])


@pytest.mark.parametrize("is_for_all", [True, False])
def test_one_who_is_taken_later_keeps_a_mail_back_while_it_is_for_all(is_for_all: bool) -> None:
    """Else the others would have it again and again, until that one has it."""
    server = a_server()
    server.refusals = {TWO[0]: "450 4.2.0 greylisted"}
    answer = submitted(server, recipients=TWO, is_for_all=is_for_all)
    reply = MailReply(code=450, text="4.2.0 greylisted")
    if is_for_all:
        assert answer == MailAnswer(step=MailStep.RECIPIENTS, reply=reply)
    else:
        assert (answer.reply.code, answer.refused) == (250, {TWO[0]: reply})
    assert server.accepted == (not is_for_all)


def test_a_server_that_closes_is_asked_for_nobody_else() -> None:
    """421 at one recipient is about the connection, whatever would have become of the next."""
    server = a_server()
    server.faults.add(Status(421, body="4.7.0 too many"), method="RCPT")
    answer = submitted(server, recipients=TWO)
    assert answer == MailAnswer(step=MailStep.RECIPIENTS, reply=MailReply(code=421, text="4.7.0 too many"))


def test_a_mail_whose_every_recipient_is_refused_is_not_sent() -> None:
    """One who may be taken later outweighs one who never will."""
    server = a_server()
    server.refusals = {TWO[0]: "550 5.1.1 no such user", TWO[1]: "450 4.2.0 greylisted"}
    answer = submitted(server, recipients=TWO)
    assert (answer.step, answer.reply.code) == (MailStep.RECIPIENTS, 450)
    server.refusals[TWO[1]] = "550 5.1.2 no such domain"
    answer = submitted(server, recipients=TWO)
    assert (answer.step, answer.reply.text, server.accepted) == (MailStep.RECIPIENTS, "5.1.1 no such user", 0)


@pytest.mark.parametrize(
    ("replies", "again"),
    [
        ((b"220 x\r\n",), b"250-more\r\n" * 100),
        ((b"220 x\r\n",), b"2" * 1_000),
        ((b"hello\r\n",), b""),
        ((b"220 x\r\n", b"250 x\r\n" * 100), b"250 x\r\n"),
        ((b"999 x\r\n",), b""),
    ],
    ids=["no end of lines", "no end of a line", "no reply", "too many replies", "no code"],
)
def test_whatever_a_server_says_it_has_an_end(replies: tuple[bytes, ...], again: bytes) -> None:
    """Neither memory nor time without bound, and never a success."""

    async def go() -> None:
        async with speaking(replies, again) as port:
            with pytest.raises(Unavailable, match=r"127\.0\.0\.1: "):
                await Mail(authority()[1], 1.0, 1.0).submit(a_mail(port))

    asyncio.run(go())


def test_what_is_slipped_in_before_tls_is_not_taken_for_the_server() -> None:
    """Replies that somebody wrote in the clear behind the go-ahead are dropped: https://nostarttls.secvuln.info/"""

    async def go() -> None:
        slipped = b"220 go\r\n250-x\r\n250 AUTH PLAIN\r\n235 in\r\n250 ok\r\n250 ok\r\n354 go\r\n250 queued\r\n"
        async with speaking((b"220 x\r\n", b"250-x\r\n250 STARTTLS\r\n", slipped)) as port:
            with pytest.raises(Unavailable):
                await Mail(authority()[1], 1.0, 1.0).submit(a_mail(port))

    asyncio.run(go())


def test_a_line_end_in_an_address_is_no_command() -> None:
    """Addresses are checked where rules are read; here nothing is sent behind one all the same."""
    server = a_server()
    with pytest.raises(Unavailable, match="ValueError"):
        submitted(server, recipients=("soc@soc.example>\r\nRCPT TO:<eve@soc.example",))
    assert server.accepted == 0


def test_no_more_than_three_connections_are_open_at_a_time() -> None:
    """Servers refuse a fourth; the others wait, and all mails go."""
    server = a_server()

    async def go() -> None:
        mail = Mail(authority()[1], PATIENCE, PATIENCE)
        async with at_work(server) as port:
            await asyncio.gather(*(mail.submit(a_mail(port)) for _ in range(10)))

    asyncio.run(go())
    assert (server.accepted, server.busiest) == (10, CONNECTIONS)


def test_credentials_and_text_are_in_no_repr() -> None:
    """Whoever prints an ask, prints neither."""
    ask = a_mail(587)
    assert isinstance(ask, SendMail)
    assert PASSWORD not in repr(ask) and USER not in repr(ask) and "Hello" not in repr(ask)
    assert SENDER in repr(ask)


def test_a_sender_that_is_called_off_leaves_no_connection_behind() -> None:
    """As where a lease ends."""
    server = a_server()
    server.faults.add(Hang(PATIENCE), method="MAIL")

    async def go() -> None:
        async with at_work(server) as port:
            mail = Mail(authority()[1], PATIENCE, PATIENCE, connections=1)
            task = asyncio.create_task(mail.submit(a_mail(port)))
            await until(lambda: "STARTTLS" in server.in_clear)
            task.cancel()
            with pytest.raises(asyncio.CancelledError):
                await task
            server.faults.clear()
            assert (await mail.submit(a_mail(port))).reply.code == 250

    asyncio.run(go())
