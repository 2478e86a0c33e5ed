"""OCSF findings over real HTTP, to a receiver behind a gateway: each counts once, and the last state is the last."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from alert_router_demo.soc.accounts import new_account
from alert_router_demo.soc.endpoint import served
from alert_router_demo.soc.faults import Drop, Fault, LoseAnswer, Status
from alert_router_demo.soc.findings import FindingsDouble
from alert_router_demo.soc.webhook import PATH
from router.domain.deliveries import DeliveryState
from router.domain.notices import Receipt
from tests.destinations.builders import NOW, a_destination, a_huge_notice, a_notice
from tests.destinations.ocsf_schema import problems_in
from tests.vendors.acts_sn import TURNS, Room, Turn, a_room, batches_of, opened, resolved, updated

KEY = a_notice().key
FAULTS: tuple[Fault, ...] = (LoseAnswer(), Drop(), Status(503), Status(429, retry_after="5"))


@asynccontextmanager
async def a_receiver(key: str = "gateway-key") -> AsyncIterator[tuple[FindingsDouble, Room]]:
    """A receiver, and the room that delivers to it with that key; its clock is the room's."""
    account = new_account("cwpp")
    rooms: list[Room] = []
    receiver = FindingsDouble(account, "gateway-key", lambda: (rooms[0].now if rooms else NOW).timestamp())
    auth = {"header": "x-api-key", "value": {"secret": "GATEWAY_KEY"}}
    secrets = {"WEBHOOK_SECRET": account.webhook_secret, "GATEWAY_KEY": key}
    async with served(receiver.application()) as url:
        kind = a_destination("webhook", url=url + PATH, body="ocsf", auth=auth)
        async with a_room(kind, secrets) as room:
            rooms.append(room)
            yield receiver, room


def play(act: Callable[[FindingsDouble, Room], Awaitable[None]], **how: str) -> None:
    """Plays one act with a receiver of its own."""

    async def played() -> None:
        async with a_receiver(**how) as (receiver, room):
            await act(receiver, room)

    asyncio.run(played())


def test_a_signal_is_a_finding_from_its_opening_to_its_end() -> None:
    """Created, updated and closed under one subject."""

    async def act(receiver: FindingsDouble, room: Room) -> None:
        await room.deliver(opened())
        await room.deliver(updated(severity="Critical"))
        assert receiver.findings[KEY]["severity_id"] == 5
        await room.deliver(resolved())
        assert receiver.open == []
        assert await room.states() == {DeliveryState.SENT: 3}
        assert problems_in(receiver.findings[KEY]) == []

    play(act)


def test_what_is_sent_twice_is_known_by_its_id() -> None:
    """Two workers at the same time, and one again, send one id; the receiver can tell."""

    async def act(receiver: FindingsDouble, room: Room) -> None:
        told = [*await room.send(opened(), opened()), *await room.send(opened())]
        assert told == [Receipt(reference=opened().id)] * 3
        assert receiver.seen == {opened().id: 3}
        assert receiver.open == [KEY]

    play(act)


def test_a_key_that_the_gateway_refuses_pauses_the_destination() -> None:
    """Nothing is a dead letter for it."""

    async def act(receiver: FindingsDouble, room: Room) -> None:
        await room.deliver(opened())
        assert await room.is_paused()
        assert await room.states() == {DeliveryState.OWED: 1}

    play(act, key="another-key")


@pytest.mark.parametrize("status", [404, 410, 415])
def test_a_receiver_that_is_not_there_makes_a_dead_letter_and_the_end_still_comes(status: int) -> None:
    """A resolution whose opening died is told all the same, and leaves nothing open."""

    async def act(receiver: FindingsDouble, room: Room) -> None:
        receiver.faults.add(Status(status))
        await room.deliver(opened())
        assert len(await room.dead()) == 1
        await room.deliver_all(resolved(turn=2))
        assert receiver.open == []

    play(act)


def test_a_huge_alert_is_taken() -> None:
    """It is below the receiver's limit, and still a finding."""

    async def act(receiver: FindingsDouble, room: Room) -> None:
        huge = a_huge_notice()
        names = ("title", "description", "remediation", "evidence", "extended")
        await room.deliver(opened(**{name: getattr(huge, name) for name in names}))
        assert await room.states() == {DeliveryState.SENT: 1}
        assert problems_in(receiver.findings[KEY]) == []

    play(act)


@settings(max_examples=20)
@given(batches=batches_of(TURNS), faults=st.lists(st.sampled_from(FAULTS), max_size=4))
def test_in_the_end_what_is_open_is_right(batches: list[list[Turn]], faults: list[Fault]) -> None:
    """Whichever turns come together, in whatever order, and whatever is lost, no older state is the last one."""
    is_open = max((turn for batch in batches for turn in batch), key=lambda turn: turn.delivery.turn).is_open

    async def act(receiver: FindingsDouble, room: Room) -> None:
        for fault in faults:
            receiver.faults.add(fault)
        for batch in batches:
            await room.deliver(*(turn.delivery for turn in batch))
        await room.deliver_all()
        assert receiver.open == [KEY] * is_open

    play(act)
