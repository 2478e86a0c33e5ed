"""Mail over real SMTP with STARTTLS: a signal's life is one thread, and nothing is lost on the way, nor said to a stranger."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable
from datetime import timedelta
from itertools import product

import pytest

from alert_router_demo.soc.faults import Drop, LoseAnswer, Status
from alert_router_demo.soc.mail import MailDouble
from router.destinations.email import PATIENCE
from router.domain.conversation import DestinationKind
from router.domain.deliveries import DeliveryState
from tests.deliver.mail_servers import PASSWORD, USER, a_server, at_work, authority
from tests.destinations.builders import a_destination
from tests.secrecy import found_in
from tests.vendors.room import Room, a_life, a_room, opened, resolved, updated

SECRETS = {"SMTP_PASSWORD": PASSWORD}
COMMANDS = ("CONNECT", "EHLO", "STARTTLS", "AUTH", "MAIL", "RCPT", "DATA", "MESSAGE")
TO = ("soc@soc.example", "platform@contoso.example")


def a_mailer(port: int) -> DestinationKind:
    """A destination at a server on this machine."""
    auth = {"user": USER, "password": {"secret": "SMTP_PASSWORD"}}
    return a_destination("email", host="127.0.0.1", port=port, auth=auth, to=list(TO))


def at_a_server(server: MailDouble, play: Callable[[Room], Awaitable[None]]) -> None:
    """Plays with an outbox whose mails go to a server."""

    async def played() -> None:
        async with at_work(server) as port, a_room(a_mailer(port), SECRETS, authority()[1]) as room:
            await play(room)

    asyncio.run(played())


def subjects_in(server: MailDouble) -> list[list[str]]:
    """What a mailbox shows, thread by thread."""
    return [[mail["subject"] for mail in thread] for thread in server.threads().values()]


def test_a_life_is_one_thread() -> None:
    """Opened, updated and resolved stand under one another, whoever looks; a signal that comes back is another thread.

    A mail whose answer is lost is sent again under the same id, so that a mailbox can tell.
    """
    server = a_server()
    for fault, command in ((LoseAnswer(), None), (Drop(), "RCPT"), (Status(421, body="4.3.2 shutting down"), "DATA")):
        server.faults.add(fault, method=command)

    async def play(room: Room) -> None:
        for delivery in (*a_life(), opened(4), updated(5, opening=4), resolved(6, opening=4)):
            await room.deliver_all(delivery)
        assert await room.states() == {DeliveryState.SENT: 6}

    at_a_server(server, play)
    title = "High: Suspicious sign-in to a virtual machine - vm-pay-01"
    assert subjects_in(server) == [[title, f"[Updated] {title}", f"[Resolved] {title}"]] * 2
    assert (set(server.recipients), server.accepted, server.duplicates) == ({TO}, 7, 1)
    assert set(server.in_clear) == {"EHLO [127.0.0.1]", "STARTTLS"}


def test_a_mail_waits_for_who_is_taken_later_and_then_goes_to_the_others() -> None:
    """While it waits nobody has it, so nobody gets it twice; after ten minutes the others have waited long enough."""
    server = a_server()
    server.refusals = {TO[0]: "450 4.2.0 greylisted"}

    async def play(room: Room) -> None:
        await room.deliver(opened())
        room.now += PATIENCE - timedelta(seconds=1)
        await room.deliver()
        assert (await room.states(), server.accepted) == ({DeliveryState.OWED: 1}, 0)
        await room.deliver_all()
        assert await room.states() == {DeliveryState.SENT: 1}

    at_a_server(server, play)
    assert (list(server.recipients), server.duplicates) == ([TO[1:]], 0)


def test_what_a_server_says_back_is_not_repeated(caplog: pytest.LogCaptureFixture) -> None:
    """A server that knows the password may say it at any step, in any form; nothing that we write holds it."""
    caplog.set_level(logging.DEBUG)
    server, said = a_server(), list[str]()

    async def play(room: Room) -> None:
        for command, code in product(COMMANDS, (250, 334, 421, 451, 535, 554)):
            server.faults.clear()
            body = f"{PASSWORD} {server.users} queued as {PASSWORD}"
            server.faults.add(Status(code, body=body), times=None, method=command)
            said.extend(map(repr, await room.send(opened())))

    at_a_server(server, play)
    assert len(said) == 48
    assert not found_in("\n".join([caplog.text, *said]), {PASSWORD})
