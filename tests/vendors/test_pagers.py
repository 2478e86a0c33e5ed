"""PagerDuty over real sockets: one page for each signal, whoever's key is right, and whatever is lost."""

from __future__ import annotations

import secrets
from collections import Counter
from collections.abc import Mapping
from datetime import timedelta
from itertools import count

from hypothesis import given, settings
from hypothesis import strategies as st

from alert_router_demo.soc.accounts import new_account
from alert_router_demo.soc.pagerduty import PagerDutyDouble
from router.domain.conversation import DestinationKind
from router.domain.decisions import Change
from router.domain.owners import Owner
from tests.destinations.builders import a_destination, a_notice
from tests.examples import some_of
from tests.vendors.lives import Life, Step, Vendor, lives, tell
from tests.vendors.room import Room, one_room_at, play

OWN, TEAM = "PAGERDUTY_ROUTING_KEY", "PAYMENTS_ROUTING_KEY"


class Pagers:
    """The stream's pager and that of a team, whose key is right or wrong."""

    def __init__(self) -> None:
        self._stream, self._team = new_account("stream"), new_account("team")
        self.double = PagerDutyDouble([self._stream, self._team])
        self.secrets = {OWN: self._stream.routing_key}
        self.set_key(is_right=True)

    def set_key(self, *, is_right: bool) -> None:
        """Sets the team's key; one that is wrong has the form of one."""
        self.secrets[TEAM] = self._team.routing_key if is_right else secrets.token_hex(16)

    def make(self, url: str) -> tuple[DestinationKind, Mapping[str, str]]:
        """The destination of the stream's pager."""
        return a_destination("pagerduty", url=url), self.secrets

    def open(self, key: str = a_notice().key) -> Counter[str]:
        """How many pages of a signal are open, by whose they are."""
        pages = (page for page in self.double.pages if page.dedup_key == key)
        return Counter(page.account for page in pages if page.status == "triggered")

    async def tell(self, room: Room, life: Life, step: Step, key: str = a_notice().key) -> None:
        """Delivers the turns of a step of a signal that the team owns."""
        vendor = Vendor(self.double, self.make, lambda key: 0)
        await tell(room, vendor, step, life.deliveries(key=key, owner=Owner(group="Payments", pager=TEAM)))


def test_no_page_is_lost_while_a_teams_key_is_right_and_wrong_in_turns() -> None:
    """A signal that stands is open, once at each pager at most; and nothing else, but what a refused key has kept open.

    That is told by a dead letter. The stream's pager is never paused for it.
    """
    pagers, numbers = Pagers(), map("{:032x}".format, count(1))
    with one_room_at(pagers.double, pagers.make) as (room, run):

        @settings(max_examples=some_of(50))
        @given(life=lives(), keys=st.lists(st.booleans(), min_size=4, max_size=4))
        def is_right(life: Life, keys: list[bool]) -> None:
            key = next(numbers)

            async def lived() -> None:
                told = 0
                for step, is_right in zip(life.steps, keys, strict=False):
                    pagers.set_key(is_right=is_right)
                    await pagers.tell(room, life, step, key)
                    told += len(step.turns)
                    stands = life.changes[told - 1] is not Change.RESOLVED
                    open = pagers.open(key)
                    assert set(open.values()) <= {1}
                    assert open.total() >= stands
                    letters = [one for one in await room.dead() if one.delivery and one.delivery.key == key]
                    assert stands or (open["stream"] == 0 and open["team"] <= len(letters))
                    for one in letters:
                        assert one.delivery and one.delivery.change is Change.RESOLVED and TEAM in one.error
                    assert not await room.is_paused()

            run(lived())

        is_right()


def test_a_page_whose_key_is_refused_at_its_end_is_closed_by_its_dead_letter_once_the_key_is_right() -> None:
    """An update went by the stream's pager meanwhile; that page is closed at once, and closed it stays."""
    pagers = Pagers()
    life = Life([Change.OPENED, Change.UPDATED, Change.RESOLVED], [Step([turn]) for turn in range(3)])

    async def act(room: Room) -> None:
        for step, is_right, open in (
            (0, True, {"team": 1}),
            (1, False, {"team": 1, "stream": 1}),
            (2, False, {"team": 1}),
        ):
            pagers.set_key(is_right=is_right)
            await pagers.tell(room, life, life.steps[step])
            assert pagers.open() == open
        pagers.set_key(is_right=True)
        await room.redrive()
        await room.deliver_all()
        assert (pagers.open(), await room.dead()) == ({}, [])

    play(pagers.double, pagers.make, act)


def test_the_health_page_names_the_owner_whose_key_is_refused_until_it_is_taken_again() -> None:
    """For a week at most after the last page that it was refused for: a team that is paged no more may have set it anew."""
    pagers = Pagers()
    life = Life([Change.OPENED, Change.RESOLVED] * 3, [Step([turn]) for turn in range(6)])
    refused = (
        f"cwpp there: refuses {TEAM}, the pager key of Payments, and is paged by its own key instead, "
        "since 2026-11-24T12:00:30Z"
    )

    async def act(room: Room) -> None:
        pagers.set_key(is_right=False)
        await pagers.tell(room, life, life.steps[0])
        assert await room.complaints() == [refused]
        room.now += timedelta(days=7)
        assert await room.complaints() == []
        await pagers.tell(room, life, life.steps[1])
        await pagers.tell(room, life, life.steps[2])
        assert await room.complaints() == [refused]
        pagers.set_key(is_right=True)
        await pagers.tell(room, life, life.steps[3])
        assert await room.complaints() == [refused]
        await pagers.tell(room, life, life.steps[4])
        assert await room.complaints() == []

    play(pagers.double, pagers.make, act)
