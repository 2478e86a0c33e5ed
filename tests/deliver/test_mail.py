"""Mail over real sockets: a server has the whole mail and says so, or there is a reason; nothing goes in the clear."""

import asyncio
import ssl
from collections.abc import Awaitable, Callable, Mapping, Sequence
from datetime import timedelta
from typing import Any, cast

import pytest
import trustme
from hypothesis import given
from hypothesis import strategies as st

from alert_router_demo.soc.faults import Drop, Fault, Hang, LoseAnswer, Status
from alert_router_demo.soc.mail import MESSAGE as WHOLE
from alert_router_demo.soc.mail import MailDouble
from router.deliver.background import LONGEST_READ
from router.deliver.mail import CONNECTIONS, Mail, Patience
from router.deliver.sender import SHARE_OF_LEASE, ConversationRunner, Sender
from router.domain.conversation import Conversation, MailAnswer, MailReply, MailStep, Result
from router.domain.deliveries import LEASE, Attempt, Claim, Receipt
from router.domain.errors import Unauthorized, Unavailable
from router.domain.rulebook import Lane
from router.telemetry import Telemetry
from tests.builders import NOW
from tests.deliver.engines import Clock, Scripted, sent
from tests.deliver.mail_servers import MESSAGE, PASSWORD, SENDER, USER, a_mail, a_server, at_work, authority, speaking
from tests.network import nobody_else
from tests.store.builders import a_delivery
from tests.waiting import PATIENCE, until

TWO = ("soc@soc.example", "ada@soc.example")


def with_mail[T](server: MailDouble, act: Callable[[Mail, int], Awaitable[T]], **more: Any) -> T:
    """What an act brings beside a server at work, to whose port it may submit mails."""
    trust, offers_tls = more.pop("trust", authority()[1]), more.pop("offers_tls", True)
    tls, connections = more.pop("tls", None), more.pop("connections", CONNECTIONS)
    patience = Patience(**{"timeout": PATIENCE, "acceptance": PATIENCE} | more)

    async def go() -> T:
        async with at_work(server, offers_tls=offers_tls, tls=tls) as port:
            return await act(Mail(trust, patience, connections), port)

    return asyncio.run(go())


def submitted(server: MailDouble, *, patience: Mapping[str, Any] | None = None, **mail: Any) -> MailAnswer:
    """What comes of one mail to a server."""
    return with_mail(server, lambda sender, port: sender.submit(a_mail(port, **mail)), **patience or {})


async def together(*acts: Awaitable[None]) -> None:
    """Does it all at once: most of it waits for what hangs."""
    await asyncio.gather(*acts)


def test_a_mail_arrives_as_it_was_asked_for() -> None:
    """Envelope and message, dots and all, by either way of signing in; nothing but the wish for TLS goes in the clear. Where
    somebody takes the offer of TLS out, neither mail nor credentials go."""
    for methods in (("PLAIN", "LOGIN"), ("XOAUTH2", "PLAIN"), ("LOGIN",)):
        server = a_server()
        server.methods = methods
        said = MailReply(code=250, text="2.0.0 Ok: queued as 00000001")
        assert submitted(server, recipients=TWO) == MailAnswer(step=MailStep.MESSAGE, reply=said, refused={})
        assert server.mails[0].as_bytes().replace(b"\n", b"\r\n") == MESSAGE
        assert list(server.recipients) == [TWO]
        assert server.in_clear == ["EHLO [127.0.0.1]", "STARTTLS"]
    server = a_server()
    with pytest.raises(Unavailable, match=r"127\.0\.0\.1: offers no STARTTLS"):
        submitted(server, patience={"offers_tls": False})
    assert server.in_clear == ["EHLO [127.0.0.1]"]


def test_a_certificate_that_is_not_trusted_ends_it() -> None:
    """From an authority that nobody knows, or for another host: nothing is said behind it."""
    for host in ("127.0.0.1", "mail.soc.test"):
        server, ca = a_server(), trustme.CA()
        tls, trust = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER), ssl.create_default_context()
        ca.issue_cert(host).configure_cert(tls)
        if host != "127.0.0.1":
            ca.configure_trust(trust)
        with pytest.raises(Unavailable, match=r"127.0.0.1: its certificate is not trusted .*ALERT_ROUTER_CA_FILE"):
            submitted(server, patience={"tls": tls, "trust": trust})
        assert server.in_clear == ["EHLO [127.0.0.1]", "STARTTLS"]
        assert server.mails == server.recipients


def test_cleartext_is_for_loopback_and_a_host_that_is_nobodys_is_never_asked() -> None:
    """On loopback a mail goes without TLS where that is asked for; elsewhere no connection is opened."""
    server, in_clear = a_server(asks_who=False), {"user": None, "password": None, "is_cleartext": True}
    assert submitted(server, patience={"offers_tls": False}, **in_clear).reply.code == 250
    for host, more, why in (
        ("mail.soc.test", in_clear, "cleartext is for loopback"),
        ("smtp.soc.example", {}, r"ends in \.example"),
    ):
        with nobody_else() as strangers, pytest.raises(Unavailable, match=why):
            asyncio.run(Mail(authority()[1]).submit(a_mail(587, host=host, **more)))
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


def test_a_refusal_is_an_answer_to_its_step() -> None:
    """At whatever step a server refuses, what it says comes back, and it has no mail."""

    async def refused(command: str, code: int) -> None:
        server = a_server()
        server.faults.add(Status(code, body="4.3.2 not now"), method=command)
        async with at_work(server) as port:
            asked = a_mail(port, recipients=TWO if code == 421 else TWO[:1])
            answer = await Mail(authority()[1], Patience(PATIENCE, PATIENCE, PATIENCE)).submit(asked)
        assert answer == MailAnswer(step=COMMANDS[command], reply=MailReply(code=code, text="4.3.2 not now"))
        assert server.accepted == 0

    asyncio.run(together(*(refused(command, code) for command in COMMANDS for code in (421, 451, 554))))


CUTS: list[tuple[str, Fault, str]] = [
    *((command, Drop(), "no answer") for command in COMMANDS),
    (WHOLE, LoseAnswer(), "no answer"),
    *((command, Hang(PATIENCE), "no answer in time") for command in COMMANDS),
]


def test_a_connection_that_is_cut_or_hangs_is_no_answer() -> None:
    """At whatever step, also where the server has the whole mail and dies before it says so; the whole is bounded. A server
    that takes its time over a message is waited for: it would send it whether or not we wait."""

    async def cut(command: str, fault: Fault, why: str) -> None:
        server, bound = a_server(), 1.0 if isinstance(fault, Hang) else PATIENCE
        server.faults.add(fault, method=command)
        async with at_work(server) as port:
            with pytest.raises(Unavailable, match=rf"127\.0\.0\.1: {why}"):
                await Mail(authority()[1], Patience(PATIENCE, bound, bound)).submit(a_mail(port))
        assert server.accepted == isinstance(fault, LoseAnswer), command

    asyncio.run(together(*(cut(*one) for one in CUTS)))
    server = a_server()
    server.faults.add(Hang(0.5), method=WHOLE)
    assert submitted(server).reply.code == 250


def test_a_wrong_password_is_tried_once_and_a_server_that_takes_none_is_told_none() -> None:
    """Whoever tries it in each way that a server offers is soon locked out; what a server offers is about every mail."""
    server = a_server()
    server.methods = ("CRAM-MD5", "PLAIN", "LOGIN")
    answer = submitted(server, password="wrong")
    assert (answer.step, answer.reply.code, server.answers) == (MailStep.AUTH, 535, {"535": 1})
    for methods in ((), ("CRAM-MD5",), ("XOAUTH2",)):
        server = a_server()
        server.methods = methods
        with pytest.raises(Unauthorized, match="AUTH PLAIN or LOGIN"):
            submitted(server)


NEVER, LATER = "550 5.1.1 no such user", "450 4.2.0 greylisted"


REFUSALS: Sequence[tuple[dict[str, str], bool, tuple[str, ...], str | None]] = (
    ({TWO[1]: NEVER}, True, TWO[:1], None),
    # Else the others would have it again and again, until that one has it.
    ({TWO[0]: LATER}, True, (), LATER),
    ({TWO[0]: LATER}, False, TWO[1:], None),
    # One who may be taken later outweighs one who never will.
    ({TWO[0]: NEVER, TWO[1]: LATER}, False, (), LATER),
    ({TWO[0]: NEVER, TWO[1]: "550 5.1.2 no such domain"}, False, (), NEVER),
)
"""Who is refused, whether a mail is for all, who got it, and the reply that counts where that is none."""


def test_who_is_refused_is_named_and_the_others_get_it() -> None:
    """One address that is wrong keeps a mail from nobody else; one who is taken later does while the mail is for all."""
    for refusals, is_for_all, got_it, reply in REFUSALS:
        server = a_server()
        server.refusals = refusals
        answer = submitted(server, recipients=TWO, is_for_all=is_for_all)
        assert list(server.recipients) == ([got_it] if got_it else [])
        assert f"{answer.reply.code} {answer.reply.text}" == (reply or "250 2.0.0 Ok: queued as 00000001")
        assert answer.step is (MailStep.RECIPIENTS if reply else MailStep.MESSAGE)
        named = {who: f"{said.code} {said.text}" for who, said in answer.refused.items()}
        assert named == ({} if reply else refusals)


SLIPPED = b"220 go\r\n250-x\r\n250 AUTH PLAIN\r\n235 in\r\n250 ok\r\n250 ok\r\n354 go\r\n250 queued\r\n"
"""Replies in the clear behind the go-ahead for TLS, which are dropped: https://nostarttls.secvuln.info/"""


SPOKEN: dict[str, tuple[tuple[bytes, ...], bytes]] = {
    "no end of lines": ((b"220 x\r\n",), b"250-more\r\n" * 100),
    "no end of a line": ((b"220 x\r\n",), b"2" * 1_000),
    "no reply": ((b"hello\r\n",), b""),
    "too many replies": ((b"220 x\r\n", b"250 x\r\n" * 100), b"250 x\r\n"),
    "no code": ((b"999 x\r\n",), b""),
    "slipped in before TLS": ((b"220 x\r\n", b"250-x\r\n250 STARTTLS\r\n", SLIPPED), b""),
}


def test_whatever_a_server_says_it_has_an_end(subtests: pytest.Subtests) -> None:
    """Neither memory nor time without bound, and never a success. A line's end in an address is no command either."""

    async def go(replies: tuple[bytes, ...], again: bytes) -> None:
        async with speaking(replies, again) as port:
            with pytest.raises(Unavailable, match=r"127\.0\.0\.1: "):
                await Mail(authority()[1], Patience(1.0, 1.0, 1.0)).submit(a_mail(port))

    for name, spoken in SPOKEN.items():
        with subtests.test(name):
            asyncio.run(go(*spoken))
    server = a_server()
    with pytest.raises(Unavailable, match="ValueError"):
        submitted(server, recipients=("soc@soc.example>\r\nRCPT TO:<eve@soc.example",))
    assert server.accepted == 0


def test_credentials_and_text_are_in_no_repr() -> None:
    """Whoever prints an ask, prints neither."""
    shown = repr(a_mail(587))
    assert [word in shown for word in (SENDER, PASSWORD, USER, "Hello")] == [True, False, False, False]


# How long a mail waits: it is never broken off where the server may have it.


def test_whoever_waits_too_long_for_a_connection_sends_nothing_and_comes_again() -> None:
    """A server that takes its time has three of sixteen; the others go once it has connections, and it gets none twice."""
    server, held = a_server(), 1.0
    server.faults.add(Hang(held), times=CONNECTIONS, method=WHOLE)

    async def go(mail: Mail, port: int) -> list[list[MailAnswer | BaseException]]:
        owed = [a_mail(port, message=MESSAGE.replace(b"<1@", b"<%d@" % number)) for number in range(16)]
        rounds = []
        while owed:
            rounds.append(await asyncio.gather(*map(mail.submit, owed), return_exceptions=True))
            owed = [ask for ask, answer in zip(owed, rounds[-1], strict=True) if not isinstance(answer, MailAnswer)]
        return rounds

    first, *_ = with_mail(server, go, wait=held / 5)
    refused = [answer for answer in first if isinstance(answer, Unavailable)]
    assert (len(first), len(refused)) == (16, 13)
    assert {str(answer) for answer in refused} == {"127.0.0.1: nothing sent: other mails took its connections for 0 s"}
    assert all(answer.is_crowded for answer in refused)
    assert (server.accepted, server.duplicates, server.busiest) == (16, 0, CONNECTIONS)


@pytest.mark.parametrize("step", ["MAIL", WHOLE])
def test_one_that_gave_up_or_is_called_off_takes_no_connection_from_the_others(step: str) -> None:
    """As where a lease ends; nor is one opened for who waits."""
    server = a_server()
    server.faults.add(Hang(PATIENCE), method=step)

    async def go(mail: Mail, port: int) -> int:
        first = asyncio.create_task(mail.submit(a_mail(port)))
        await until(lambda: "STARTTLS" in server.in_clear)
        with pytest.raises(Unavailable, match="nothing sent"):
            await mail.submit(a_mail(port))
        assert server.busiest == 1
        first.cancel()
        with pytest.raises(asyncio.CancelledError):
            await first
        server.faults.clear()
        return (await mail.submit(a_mail(port))).reply.code

    assert with_mail(server, go, connections=1, wait=0.1) == 250


def test_a_mail_ends_by_itself_before_its_sender_breaks_it_off() -> None:
    """However many are sent at once to a server that never answers a message: none hears of the end of the lease. One is not
    begun when its time is over: it would be broken off in the midst, and the server might have it."""
    server = a_server()
    server.faults.add(Hang(PATIENCE), times=None, method=WHOLE)
    claim = Claim(delivery=a_delivery(), id="1", number=1, born=NOW)

    async def go(mail: Mail, port: int) -> list[Sequence[Result]]:
        with pytest.raises(Unavailable, match="nothing sent: there is no time left"):
            await mail.submit(a_mail(port), asyncio.get_running_loop().time())
        assert (server.accepted, server.in_clear) == (0, [])

        class Mailing(Scripted):
            def conversation_for(self, attempts: Sequence[Attempt]) -> Conversation:
                yield a_mail(port)
                return [Receipt() for _ in attempts]

        unasked = cast(Any, None)
        answers = ConversationRunner(unasked, unasked, unasked, Mail(authority()[1]))
        sender = Sender(Mailing(sent), answers.converse, {}, Clock(), timedelta(seconds=3), Telemetry().delivering)
        return await asyncio.gather(*(sender.attempt_delivery([claim], {}) for _ in range(16)))

    assert {str(result) for (result,) in with_mail(server, go)} == {
        "127.0.0.1: no answer in time",
        "127.0.0.1: nothing sent: other mails took its connections for 1 s",
    }


@given(st.floats(-10, 1_000), st.tuples(*[st.floats(0.1, 300)] * 4).map(lambda parts: Patience(*parts)))
def test_the_parts_of_a_submission_end_within_what_is_left(left: float, patience: Patience) -> None:
    """Whenever it begins; and none is shorter than it need be."""
    within = patience.within(left)
    assert sum(within) <= max(0.0, left) * 0.95
    assert all(0 <= part <= whole for part, whole in zip(within, patience, strict=True))
    if sum(patience) <= left * 0.85:
        assert within == patience


def test_a_ticket_s_lease_has_room_for_the_longest_wait_and_the_slowest_answer() -> None:
    """Behind the slowest look at what is known beside it, too; and most of it is not spent waiting for a connection."""
    left = LEASE[Lane.TICKET].total_seconds() * SHARE_OF_LEASE - LONGEST_READ.total_seconds()
    patience = Patience()
    assert patience.within(left) == patience
    assert patience.wait < (patience.timeout + patience.acceptance) / 2
