"""ServiceNow over real HTTP: one ticket for each signal, as an incident, and as a security incident with states of its own."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

import pytest
from hypothesis import given, settings

from alert_router_demo.soc.accounts import SocAccount, new_account
from alert_router_demo.soc.endpoint import served
from alert_router_demo.soc.faults import LoseAnswer
from alert_router_demo.soc.servicenow import ServiceNowDouble
from router.domain.conversation import DestinationKind
from router.domain.deliveries import DeliveryState
from tests.destinations.builders import NOW, a_destination
from tests.examples import some_of
from tests.vendors.lives import Life, live, lives_of_alerts
from tests.vendors.room import Room, a_room, opened, resolved, updated

DRAFT, CLOSED, CANCELLED = "10", "3", "7"

type At = Callable[[str, SocAccount], DestinationKind]
"""A destination at an instance's base URL."""


def secrets_of(account: SocAccount) -> dict[str, str]:
    """The secrets that a destination has."""
    return {"SERVICENOW_PASSWORD": account.servicenow_password}


def an_incident_at(url: str, account: SocAccount) -> DestinationKind:
    """The destination that opens incidents."""
    auth = {"user": account.servicenow_user, "password": {"secret": "SERVICENOW_PASSWORD"}}
    return a_destination("servicenow", url=url, auth=auth)


def a_security_incident_at(url: str, account: SocAccount) -> DestinationKind:
    """The destination that opens security incidents."""
    auth = {"user": account.servicenow_user, "password": {"secret": "SERVICENOW_PASSWORD"}}
    return a_destination("servicenow", url=url, auth=auth, table="sn_si_incident", fields={"state": DRAFT})


def with_security_incidents(account: SocAccount) -> ServiceNowDouble:
    """An instance with Security Incident Response."""
    instance = ServiceNowDouble([account])
    instance.inactive_states = frozenset({CLOSED, CANCELLED})
    return instance


def play(act: Callable[[ServiceNowDouble, Room], Awaitable[None]]) -> None:
    """Plays one act with an instance that has security incidents, and a room that delivers to it."""

    async def played() -> None:
        account = new_account("cwpp")
        instance = with_security_incidents(account)
        async with (
            served(instance.application()) as url,
            a_room(a_security_incident_at(url, account), secrets_of(account)) as room,
        ):
            await act(instance, room)

    asyncio.run(played())


def columns_of(instance: ServiceNowDouble, *columns: str) -> list[tuple[str, ...]]:
    """Those columns of every ticket, in the order in which they were made."""
    return [tuple(ticket.fields[column] for column in columns) for ticket in instance.tickets]


def test_a_security_incident_lives_until_its_signal_is_over() -> None:
    """It is opened once though an answer is lost, gets a note, and is closed with a code and notes."""

    async def act(instance: ServiceNowDouble, room: Room) -> None:
        instance.faults.add(LoseAnswer(), method="POST")
        await room.deliver_all(opened())
        await room.deliver(updated())
        assert columns_of(instance, "state", "active", "priority") == [(DRAFT, "true", "2")]
        await room.deliver(resolved())
        assert columns_of(instance, "state", "active", "close_code") == [(CLOSED, "false", "Threat mitigated")]
        assert await room.states() == {DeliveryState.SENT: 3}

    play(act)


@pytest.mark.parametrize("state", [CLOSED, CANCELLED])
def test_what_people_ended_stays_ended(state: str) -> None:
    """A ticket that was closed or cancelled is not touched by a resolution, and an update makes a new one."""

    async def act(instance: ServiceNowDouble, room: Room) -> None:
        await room.deliver(opened())
        (ticket,) = instance.tickets
        instance.tickets.update(ticket, {"state": state, "close_code": "False positive"}, "analyst", NOW)
        await room.deliver(resolved(turn=2))
        assert columns_of(instance, "state", "close_code") == [(state, "False positive")]
        await room.deliver(opened(turn=3))
        assert columns_of(instance, "state", "active") == [(state, "false"), (DRAFT, "true")]

    play(act)


def test_a_status_goes_to_an_open_ticket_and_opens_none_where_people_closed_it() -> None:
    """Unless what it supersedes was never told: then it is told for both."""

    async def act(instance: ServiceNowDouble, room: Room) -> None:
        await room.deliver(opened())
        await room.deliver(updated(2, status_only=True))
        (ticket,) = instance.tickets
        assert len(ticket.journal) == 1
        instance.tickets.update(ticket, {"state": CLOSED, "close_code": "False positive"}, "analyst", NOW)
        await room.deliver(updated(3, status_only=True), updated(4, status_only=True))
        assert columns_of(instance, "state", "close_code") == [(CLOSED, "False positive")]
        await room.deliver(updated(5, severity="Critical"), updated(6, status_only=True))
        assert columns_of(instance, "active") == [("false",), ("true",)]

    play(act)


@pytest.mark.parametrize("lost", ["POST", "PATCH", "GET"])
@pytest.mark.parametrize("has_past", [False, True])
def test_what_was_paged_and_ended_untold_is_one_closed_ticket_whichever_answer_is_lost(
    lost: str, has_past: bool
) -> None:
    """It says that it opened and is over; a closed ticket of an earlier life is not taken for it."""

    async def act(instance: ServiceNowDouble, room: Room) -> None:
        if has_past:
            await room.deliver(opened(1))
            await room.deliver(resolved(2))
            next(iter(instance.tickets)).fields["sys_created_on"] = "2026-11-24 11:54:00"
        before = len(instance.tickets)
        instance.faults.add(LoseAnswer(), method=lost)
        await room.deliver_all(opened(3, paged=True), resolved(4, 3, paged=True))
        *_, (state, active, description) = columns_of(instance, "state", "active", "description")
        assert len(instance.tickets) == before + 1
        assert (state, active) == (CLOSED, "false")
        assert "Somebody signed in from an address that was never seen before." in description
        assert "before this could be told" in description

    play(act)


def lived(life: Life, instance: ServiceNowDouble, account: SocAccount, make: At, state: str) -> list[str]:
    """Whether each ticket is active after a life was told; people close tickets where the life says so, in that state."""

    def close() -> None:
        for ticket in instance.tickets:
            if ticket.is_active:
                instance.tickets.update(
                    ticket, {"state": state, "close_code": "Done", "close_notes": "Done."}, "analyst", NOW
                )

    live(instance, lambda url: make(url, account), secrets_of(account), life, close_by_hand=close)
    return [ticket.fields["active"] for ticket in instance.tickets]


@settings(max_examples=some_of(25))
@given(life=lives_of_alerts())
def test_however_a_life_is_told_what_is_open_in_the_end_is_right(life: Life) -> None:
    """In both tables, whatever people close: look-ups see what was inserted, so nothing is opened twice."""
    account = new_account("cwpp")
    incidents = lived(life, ServiceNowDouble([account]), account, an_incident_at, "7")
    assert incidents.count("true") == int(life.is_open)
    security = lived(life, with_security_incidents(account), account, a_security_incident_at, CLOSED)
    assert security.count("true") == int(life.is_open)
