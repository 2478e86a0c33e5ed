"""A webhook of OCSF findings over real HTTP, behind a gateway: each counts once, and the last state is the last."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager

from hypothesis import given, settings

from alert_router_demo.soc.accounts import SocAccount, new_account
from alert_router_demo.soc.endpoint import served
from alert_router_demo.soc.faults import Status
from alert_router_demo.soc.findings import FindingsDouble
from alert_router_demo.soc.webhook import PATH
from router.domain.conversation import DestinationKind
from router.domain.deliveries import DeliveryState, Receipt
from tests.destinations.builders import NOW, a_destination, a_huge_notice, a_notice
from tests.destinations.ocsf_schema import problems_in
from tests.examples import some_of
from tests.vendors.lives import Life, live, lives
from tests.vendors.room import TIME, Room, a_room, opened, resolved, updated

KEY, KEY_OF_GATEWAY = a_notice().key, "gateway-key"
GATEWAY = {"header": "x-api-key", "value": {"secret": "GATEWAY_KEY"}}


def secrets_of(account: SocAccount) -> dict[str, str]:
    """The secrets that a destination has."""
    return {"WEBHOOK_SECRET": account.webhook_secret, "GATEWAY_KEY": KEY_OF_GATEWAY}


@asynccontextmanager
async def a_receiver() -> AsyncIterator[tuple[FindingsDouble, Room]]:
    """A receiver, and the room that delivers to it; its clock is the room's."""
    account = new_account("cwpp")
    rooms: list[Room] = []
    receiver = FindingsDouble(account, KEY_OF_GATEWAY, lambda: (rooms[0].now if rooms else NOW).timestamp())
    async with served(receiver.application()) as url:
        kind = a_destination("webhook", url=url + PATH, body="ocsf", auth=GATEWAY)
        async with a_room(kind, secrets_of(account)) as room:
            rooms.append(room)
            yield receiver, room


def play(act: Callable[[FindingsDouble, Room], Awaitable[None]]) -> None:
    """Plays one act with a receiver of its own."""

    async def played() -> None:
        async with a_receiver() as (receiver, room):
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


def test_a_receiver_that_is_not_there_makes_a_dead_letter_and_the_end_still_comes() -> None:
    """A resolution whose opening died is told all the same, and leaves nothing open."""

    async def act(receiver: FindingsDouble, room: Room) -> None:
        receiver.faults.add(Status(404))
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


@settings(max_examples=some_of(20))
@given(life=lives())
def test_however_a_life_is_told_what_is_open_in_the_end_is_right(life: Life) -> None:
    """Turns put down in any order, lost answers, refusals: no older state is the last one."""
    account = new_account("cwpp")
    clock = [NOW.timestamp()]
    receiver = FindingsDouble(account, KEY_OF_GATEWAY, lambda: clock[0])

    def make(url: str) -> DestinationKind:
        return a_destination("webhook", url=url + PATH, body="ocsf", auth=GATEWAY)

    def later() -> None:
        clock[0] += TIME.total_seconds()

    live(receiver, make, secrets_of(account), life, later=later)
    assert receiver.open == [KEY] * life.stands
