"""Event Management over real HTTP: one alert for each signal, whatever is lost, sent twice or done by hand."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import NamedTuple

import orjson
import pytest
from hypothesis import given, settings

from alert_router_demo.soc.accounts import SocAccount, new_account
from alert_router_demo.soc.endpoint import served
from alert_router_demo.soc.faults import Status
from alert_router_demo.soc.servicenow_events import EventAlert, EventManagementDouble
from router.domain.conversation import DestinationKind
from router.domain.deliveries import DeliveryState, Receipt
from tests.destinations.builders import a_destination, a_huge_notice, a_notice
from tests.examples import some_of
from tests.vendors.lives import Life, live, lives_of_alerts
from tests.vendors.room import Room, a_room, opened, resolved, updated

KEY = a_notice().key


def auth_of(account: SocAccount) -> dict[str, object]:
    """How a destination says who it is."""
    return {"user": account.servicenow_user, "password": {"secret": "SERVICENOW_PASSWORD"}}


def secrets_of(account: SocAccount) -> dict[str, str]:
    """The secrets that it has for that."""
    return {"SERVICENOW_PASSWORD": account.servicenow_password}


class Scene(NamedTuple):
    """An instance, the room that delivers to it, and how time passes there."""

    instance: EventManagementDouble
    room: Room
    wait: Callable[[float], None]

    @property
    def open(self) -> list[EventAlert]:
        """The signal's alerts that are open."""
        return self.instance.open_alerts(KEY)


@asynccontextmanager
async def a_scene() -> AsyncIterator[Scene]:
    """A scene in which nothing has happened."""
    time = [0.0]
    account = new_account("cwpp")
    instance = EventManagementDouble([account], clock=lambda: time[0])

    def wait(seconds: float) -> None:
        time[0] += seconds

    async with (
        served(instance.application()) as url,
        a_room(a_destination("servicenow_events", url=url, auth=auth_of(account)), secrets_of(account)) as room,
    ):
        yield Scene(instance, room, wait)


def play(act: Callable[[Scene], Awaitable[None]]) -> None:
    """Plays one act on a scene of its own."""

    async def played() -> None:
        async with a_scene() as scene:
            await act(scene)

    asyncio.run(played())


def test_a_signal_is_one_alert_from_its_opening_to_its_end() -> None:
    """It is opened, updated in place, and closed by a Clear under the same key."""

    async def act(scene: Scene) -> None:
        await scene.room.deliver(opened())
        await scene.room.deliver(updated(severity="Critical"))
        assert [(alert.severity, alert.state) for alert in scene.open] == [("1", "Open")]
        await scene.room.deliver(resolved())
        assert [(alert.state, len(alert.events)) for alert in scene.instance.alerts] == [("Closed", 3)]
        assert await scene.room.states() == {DeliveryState.SENT: 3}

    play(act)


def test_what_is_sent_twice_is_one_alert() -> None:
    """Two workers that send the same delivery at the same time, and one that sends it again, make one alert."""

    async def act(scene: Scene) -> None:
        first = await scene.room.send(opened(), opened())
        again = await scene.room.send(opened())
        assert [type(result) for result in first + again] == [Receipt] * 3
        assert len(scene.instance.events) == 3
        assert [(alert.state, len(alert.events)) for alert in scene.instance.alerts] == [("Open", 3)]

    play(act)


def test_a_resolution_whose_opening_died_leaves_nothing_open() -> None:
    """A Clear that finds no alert makes none."""

    async def act(scene: Scene) -> None:
        scene.instance.faults.add(Status(400))
        await scene.room.deliver(opened())
        assert len(await scene.room.dead()) == 1
        await scene.room.deliver_all(resolved(turn=2))
        assert scene.instance.alerts == []

    play(act)


@pytest.mark.parametrize(("waited", "states"), [(3600.0, ["Reopen"]), (3601.0, ["Closed", "Open"])])
def test_an_update_after_somebody_closed_the_alert_is_seen(waited: float, states: list[str]) -> None:
    """The alert is opened again within the active interval; after it there is a new one. Never are two open."""

    async def act(scene: Scene) -> None:
        await scene.room.deliver(opened())
        scene.instance.close(KEY)
        scene.wait(waited)
        await scene.room.deliver(updated())
        assert [alert.state for alert in scene.instance.alerts] == states

    play(act)


def test_a_status_opens_no_alert_that_people_closed() -> None:
    """No event is sent for it, and its delivery is done."""

    async def act(scene: Scene) -> None:
        await scene.room.deliver(opened())
        scene.instance.close(KEY)
        await scene.room.deliver(updated(status_only=True))
        assert [alert.state for alert in scene.instance.alerts] == ["Closed"]
        assert await scene.room.states() == {DeliveryState.SENT: 2}

    play(act)


def test_alerts_made_late_are_the_same_alerts() -> None:
    """A success means that the event was taken; however late the job runs, what is over is closed."""

    async def act(scene: Scene) -> None:
        scene.instance.is_prompt = False
        await scene.room.deliver(opened())
        await scene.room.deliver(resolved(turn=2))
        assert scene.instance.alerts == []
        scene.instance.run_job()
        assert scene.open == []

    play(act)


def test_nothing_is_cut_behind_our_back() -> None:
    """A huge alert fits every column, and its additional information is still JSON of texts."""

    async def act(scene: Scene) -> None:
        huge = a_huge_notice()
        names = ("title", "description", "remediation", "evidence", "extended")
        await scene.room.deliver(opened(type="T" * 500, **{name: getattr(huge, name) for name in names}))
        assert not scene.instance.cut
        assert "additional_content" not in orjson.loads(scene.instance.events[0]["additional_info"])

    play(act)


@settings(max_examples=some_of(20))
@given(life=lives_of_alerts())
def test_however_a_life_is_told_what_is_open_in_the_end_is_right(life: Life) -> None:
    """Turns put down in any order, lost answers, refusals, people who close: at most one alert, open if it stands."""
    account = new_account("cwpp")
    instance = EventManagementDouble([account])

    def make(url: str) -> DestinationKind:
        return a_destination("servicenow_events", url=url, auth=auth_of(account))

    live(instance, make, secrets_of(account), life, close_by_hand=lambda: instance.close(KEY))
    assert len(instance.open_alerts(KEY)) == int(life.is_open)
