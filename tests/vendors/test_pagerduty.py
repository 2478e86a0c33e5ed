"""PagerDuty over real HTTP: one page for each signal, however its life is told."""

from __future__ import annotations

import asyncio
import secrets
from collections import Counter
from datetime import timedelta

from hypothesis import given, settings
from hypothesis import strategies as st

from alert_router_demo.soc.accounts import new_account
from alert_router_demo.soc.endpoint import served
from alert_router_demo.soc.pagerduty import PagerDutyDouble
from router.domain.conversation import DestinationKind
from router.domain.decisions import Change
from router.domain.owners import Owner
from tests.destinations.builders import a_destination, a_notice
from tests.examples import some_of
from tests.vendors.lives import Life, Step, live, lives
from tests.vendors.room import Room, a_room


@settings(max_examples=some_of(25))
@given(life=lives())
def test_at_most_one_page_is_open_and_only_while_its_signal_stands(life: Life) -> None:
    """Turns put down in any order, lost answers, refusals: events of one key fold, and what is over is resolved."""
    account = new_account("cwpp")
    vendor = PagerDutyDouble([account])

    def make(url: str) -> DestinationKind:
        return a_destination("pagerduty", url=url)

    live(vendor, make, {"PAGERDUTY_ROUTING_KEY": account.routing_key}, life)
    assert [page.dedup_key for page in vendor.pages if page.status == "triggered"] == [a_notice().key] * life.stands


WEEK = timedelta(days=7)
OWN, TEAM = "PAGERDUTY_ROUTING_KEY", "PAYMENTS_ROUTING_KEY"


class Pagers:
    """The stream's pager and that of a team, whose key is right or wrong."""

    def __init__(self) -> None:
        self._stream, self._team = new_account("stream"), new_account("team")
        self.vendor = PagerDutyDouble([self._stream, self._team])
        self.secrets = {OWN: self._stream.routing_key}
        self.set_key(is_right=True)

    def set_key(self, *, is_right: bool) -> None:
        """Sets the team's key; one that is wrong has the form of one."""
        self.secrets[TEAM] = self._team.routing_key if is_right else secrets.token_hex(16)

    @property
    def open(self) -> Counter[str]:
        """How many pages are open, by whose they are."""
        return Counter(page.account for page in self.vendor.pages if page.status == "triggered")

    async def tell(self, room: Room, life: Life, step: Step) -> None:
        """Delivers the turns of a step."""
        deliveries = life.deliveries(owner=Owner(group="Payments", pager=TEAM))
        for fault in step.faults:
            self.vendor.faults.add(fault)
        await room.deliver_all(*(deliveries[turn] for turn in step.turns))
        self.vendor.faults.clear()


@settings(max_examples=some_of(50))
@given(life=lives(), keys=st.lists(st.booleans(), min_size=4, max_size=4))
def test_no_page_is_lost_while_a_teams_key_is_right_and_wrong_in_turns(life: Life, keys: list[bool]) -> None:
    """A signal that stands is open, once at each pager at most; and nothing else, but what a refused key has kept open.

    That is told by a dead letter. The stream's pager is never paused for it.
    """
    pagers = Pagers()

    async def lived() -> None:
        async with (
            served(pagers.vendor.application()) as url,
            a_room(a_destination("pagerduty", url=url), pagers.secrets) as room,
        ):
            told = 0
            for step, is_right in zip(life.steps, keys, strict=False):
                pagers.set_key(is_right=is_right)
                await pagers.tell(room, life, step)
                told += len(step.turns)
                stands = life.changes[told - 1] is not Change.RESOLVED
                assert set(pagers.open.values()) <= {1}
                assert pagers.open.total() >= stands
                letters = await room.dead()
                assert stands or pagers.open["stream"] == 0
                assert stands or pagers.open["team"] <= len(letters)
                assert all(letter.delivery.change is Change.RESOLVED and TEAM in letter.error for letter in letters)  # type: ignore[union-attr]
                assert not await room.is_paused()

    asyncio.run(lived())


def test_a_page_whose_key_is_refused_at_its_end_is_closed_by_its_dead_letter_once_the_key_is_right() -> None:
    """An update went by the stream's pager meanwhile; that page is closed at once, and closed it stays."""
    pagers = Pagers()
    life = Life([Change.OPENED, Change.UPDATED, Change.RESOLVED], [Step([turn], [], False) for turn in range(3)])

    async def lived() -> None:
        async with (
            served(pagers.vendor.application()) as url,
            a_room(a_destination("pagerduty", url=url), pagers.secrets) as room,
        ):
            await pagers.tell(room, life, life.steps[0])
            assert pagers.open == {"team": 1}
            pagers.set_key(is_right=False)
            await pagers.tell(room, life, life.steps[1])
            assert pagers.open == {"team": 1, "stream": 1}
            await pagers.tell(room, life, life.steps[2])
            assert pagers.open == {"team": 1}
            pagers.set_key(is_right=True)
            await room.redrive()
            await room.deliver_all()
            assert pagers.open == {}
            assert await room.dead() == []

    asyncio.run(lived())


def test_the_health_page_names_the_owner_whose_key_is_refused_until_it_is_taken_again() -> None:
    """For a week at most after the last page that it was refused for: a team that is paged no more may have set it anew."""
    pagers = Pagers()
    life = Life([Change.OPENED, Change.RESOLVED] * 3, [Step([turn], [], False) for turn in range(6)])

    async def lived() -> None:
        async with (
            served(pagers.vendor.application()) as url,
            a_room(a_destination("pagerduty", url=url), pagers.secrets) as room,
        ):
            pagers.set_key(is_right=False)
            await pagers.tell(room, life, life.steps[0])
            refused = (
                f"cwpp there: refuses {TEAM}, the pager key of Payments, and is paged by its own key instead, "
                "since 2026-11-24T12:00:30Z"
            )
            assert await room.complaints() == [refused]
            room.now += WEEK
            assert await room.complaints() == []
            await pagers.tell(room, life, life.steps[1])
            await pagers.tell(room, life, life.steps[2])
            assert await room.complaints() == [refused]
            pagers.set_key(is_right=True)
            await pagers.tell(room, life, life.steps[3])
            assert await room.complaints() == [refused]
            await pagers.tell(room, life, life.steps[4])
            assert await room.complaints() == []

    asyncio.run(lived())
