"""Security Incident Response over real HTTP: the same tickets in another table, with states of its own."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager

import pytest

from alert_router_demo.soc.accounts import new_account
from alert_router_demo.soc.endpoint import served
from alert_router_demo.soc.faults import LoseAnswer
from alert_router_demo.soc.servicenow import ServiceNowDouble
from router.domain.deliveries import DeliveryState
from tests.destinations.builders import NOW, a_destination
from tests.vendors.acts_sn import Room, a_room, opened, resolved, updated

DRAFT, CLOSED, CANCELLED = "10", "3", "7"


@asynccontextmanager
async def an_instance() -> AsyncIterator[tuple[ServiceNowDouble, Room]]:
    """An instance with Security Incident Response, and the room that delivers to it."""
    account = new_account("cwpp")
    instance = ServiceNowDouble([account])
    instance.inactive_states = frozenset({CLOSED, CANCELLED})
    auth = {"user": account.servicenow_user, "password": {"secret": "SERVICENOW_PASSWORD"}}
    async with served(instance.application()) as url:
        kind = a_destination("servicenow", url=url, auth=auth, table="sn_si_incident", fields={"state": DRAFT})
        async with a_room(kind, {"SERVICENOW_PASSWORD": account.servicenow_password}) as room:
            yield instance, room


def play(act: Callable[[ServiceNowDouble, Room], Awaitable[None]]) -> None:
    """Plays one act at a desk of its own."""

    async def played() -> None:
        async with an_instance() as (instance, room):
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
