"""How long a mail waits for a connection and for an answer: it is never broken off where the server may have it."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from datetime import timedelta
from typing import Any, cast

import pytest
from hypothesis import given
from hypothesis import strategies as st

from alert_router_demo.soc.faults import Hang
from alert_router_demo.soc.mail import MESSAGE as WHOLE
from router.deliver import ConversationRunner, Sender
from router.deliver.background import LONGEST_READ
from router.deliver.mail import CONNECTIONS, Mail, Patience
from router.deliver.sender import SHARE_OF_LEASE
from router.domain.conversation import Conversation, MailAnswer, Result, SendMail
from router.domain.deliveries import Attempt, Claim, Receipt
from router.domain.errors import Unavailable
from router.domain.lane_limits import LEASE
from router.domain.rulebook import Lane
from router.telemetry import Telemetry
from tests.builders import NOW
from tests.deliver.mail_servers import MESSAGE, a_mail, a_server, at_work, authority
from tests.deliver.scripted import Clock, Scripted, sent
from tests.store.builders import a_delivery
from tests.waiting import PATIENCE, until


def mails(port: int, count: int) -> list[SendMail]:
    """Mails to one server, each of which it knows from the others."""
    return [a_mail(port, message=MESSAGE.replace(b"<1@", b"<%d@" % number)) for number in range(count)]


def test_whoever_waits_too_long_for_a_connection_sends_nothing_and_comes_again() -> None:
    """A server that takes its time has three of sixteen; the others go once it has connections, and it gets none twice."""
    server, held = a_server(), 1.0
    server.faults.add(Hang(held), times=CONNECTIONS, method=WHOLE)

    async def go() -> list[list[MailAnswer | BaseException]]:
        rounds = []
        async with at_work(server) as port:
            owed, mail = mails(port, 16), Mail(authority()[1], PATIENCE, PATIENCE, wait=held / 5)
            while owed:
                rounds.append(await asyncio.gather(*map(mail.submit, owed), return_exceptions=True))
                owed = [ask for ask, answer in zip(owed, rounds[-1], strict=True) if not isinstance(answer, MailAnswer)]
        return rounds

    first, *later = asyncio.run(go())
    refused = [answer for answer in first if isinstance(answer, Unavailable)]
    assert (len(first), len(refused)) == (16, 13)
    assert {str(answer) for answer in refused} == {"127.0.0.1: nothing sent: other mails took its connections for 0 s"}
    assert all(answer.is_crowded for answer in refused)
    assert later, "they came again"
    assert (server.accepted, server.duplicates) == (16, 0)


def test_one_that_gave_up_waiting_takes_no_connection_from_the_others() -> None:
    """Nor is one opened for it."""
    server = a_server()
    server.faults.add(Hang(PATIENCE), method=WHOLE)

    async def go() -> None:
        async with at_work(server) as port:
            mail = Mail(authority()[1], PATIENCE, PATIENCE, connections=1, wait=0.1)
            first = asyncio.create_task(mail.submit(a_mail(port)))
            await until(lambda: "STARTTLS" in server.in_clear)
            with pytest.raises(Unavailable, match="nothing sent"):
                await mail.submit(a_mail(port))
            assert server.busiest == 1
            first.cancel()
            await asyncio.gather(first, return_exceptions=True)
            assert (await mail.submit(a_mail(port))).reply.code == 250

    asyncio.run(go())


def test_a_mail_is_not_begun_when_its_time_is_over() -> None:
    """It would be broken off in the midst, and the server might have it."""
    server = a_server()

    async def go() -> None:
        async with at_work(server) as port:
            with pytest.raises(Unavailable, match="nothing sent: there is no time left"):
                await Mail(authority()[1]).submit(a_mail(port), asyncio.get_running_loop().time())

    asyncio.run(go())
    assert (server.accepted, server.in_clear) == (0, [])


class Mailing(Scripted):
    """A destination that asks for a mail to the server at some port."""

    def __init__(self, port: int) -> None:
        super().__init__(sent)
        self._port = port

    def conversation_for(self, attempts: Sequence[Attempt]) -> Conversation:
        yield a_mail(self._port)
        return [Receipt() for _ in attempts]


def test_a_mail_ends_by_itself_before_its_sender_breaks_it_off() -> None:
    """However many are sent at once to a server that never answers a message: none hears of the end of the lease."""
    server = a_server()
    server.faults.add(Hang(PATIENCE), times=None, method=WHOLE)
    claim = Claim(delivery=a_delivery(), id="1", number=1, born=NOW)

    async def go() -> list[Sequence[Result]]:
        async with at_work(server) as port:
            unasked = cast(Any, None)
            answers = ConversationRunner(unasked, unasked, unasked, Mail(authority()[1]))
            sender = Sender(Mailing(port), answers, {}, Clock(), timedelta(seconds=3), Telemetry().delivering)
            return await asyncio.gather(*(sender.attempt_delivery([claim], {}) for _ in range(16)))

    said = {str(result) for (result,) in asyncio.run(go())}
    assert said == {
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
