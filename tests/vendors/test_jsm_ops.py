"""JSM Operations over real sockets: an alert's life, deduplication, and what an acceptance is worth."""

from __future__ import annotations

import asyncio

import pytest
from hypothesis import given, settings

from alert_router_demo.soc.faults import LoseAnswer, Status
from alert_router_demo.soc.jsm_ops import PATHS, JsmOpsDouble
from router.domain.conversation import DestinationKind
from router.domain.decisions import Change
from router.domain.deliveries import Receipt
from router.domain.errors import Unavailable
from tests.destinations.builders import a_destination, a_huge_notice, a_notice
from tests.examples import some_of
from tests.vendors.lives import Life, live, lives
from tests.vendors.talks import Line, on_the_line

KEY, TEAM = "8d0a1c5e-key", "77b1f0c2-team"
SECRETS = {"JSM_OPS_KEY": KEY, "PAYMENTS_OPS_KEY": TEAM}


def make(url: str) -> DestinationKind:
    """The destination at a double."""
    return a_destination("jsm_ops", url=url)


def an_account(*, is_slow: bool = False) -> JsmOpsDouble:
    """An account that knows both keys."""
    return JsmOpsDouble([KEY, TEAM], is_slow=is_slow)


@pytest.mark.parametrize("path", PATHS)
def test_an_alert_lives_as_its_signal(path: str) -> None:
    """Opened, counted and annotated while it stands, closed when it is over: at JSM and at Opsgenie."""
    vendor = an_account()

    async def talk(line: Line) -> None:
        opening = await line.tell()
        assert isinstance(opening, Receipt)
        assert [(alert.alias, alert.priority) for alert in vendor.open] == [(a_notice().key, "P2")]
        assert isinstance(await line.tell(Change.UPDATED, opening=opening, status="Active"), Receipt)
        (alert,) = vendor.open
        assert (alert.count, alert.pages) == (2, 1)
        assert "Status: Active" in alert.notes[0]
        assert isinstance(await line.tell(Change.RESOLVED, opening=opening), Receipt)
        assert vendor.open == []
        assert len(vendor.alerts) == 1

    on_the_line(vendor, make, SECRETS, talk, path)


def test_the_vendor_takes_the_longest_alert() -> None:
    """What was cut is within every limit that the vendor checks."""
    vendor = an_account()

    async def talk(line: Line) -> None:
        huge = a_huge_notice()
        texts = {name: getattr(huge, name) for name in ("title", "description", "remediation", "evidence", "extended")}
        assert isinstance(await line.tell(**texts), Receipt)
        assert isinstance(await line.tell(Change.UPDATED, **texts), Receipt)

    on_the_line(vendor, make, SECRETS, talk)
    assert len(vendor.alerts) == 1


def test_a_delivery_that_is_sent_twice_makes_one_alert() -> None:
    """One after the other, or both at once: the server folds them by alias, and people are called once."""
    vendor = an_account()

    async def talk(line: Line) -> None:
        await line.tell()
        await asyncio.gather(line.tell(), line.tell())

    on_the_line(vendor, make, SECRETS, talk)
    assert [(alert.count, alert.pages) for alert in vendor.alerts] == [(3, 1)]


def test_an_update_whose_note_was_lost_is_told_again() -> None:
    """A note has no key, so it may stand there twice; it is never missing."""
    vendor = an_account()

    async def talk(line: Line) -> None:
        opening = await line.tell()
        vendor.faults.add(Status(202, body={"requestId": "made by the fault"}))
        vendor.faults.add(LoseAnswer())
        assert isinstance(await line.tell(Change.UPDATED, opening=opening), Unavailable)
        assert isinstance(await line.tell(Change.UPDATED, opening=opening, number=2), Receipt)

    on_the_line(vendor, make, SECRETS, talk)
    assert [len(alert.notes) for alert in vendor.alerts] == [2]


def test_an_update_of_an_alert_that_never_came_to_be_opens_it() -> None:
    """An opening may be accepted and then fail at the vendor, which nobody tells; what follows makes up for it."""
    vendor = an_account(is_slow=True)

    async def talk(line: Line) -> None:
        opening = await line.tell()
        vendor.waiting.clear()
        await line.tell(Change.UPDATED, opening=opening, status="Active")
        vendor.process_waiting()

    on_the_line(vendor, make, SECRETS, talk)
    assert "Status: Active" in vendor.open[0].body["description"]


def test_what_is_carried_out_late_ends_right() -> None:
    """Opened, updated and resolved within one delay of the vendor's: nothing is open."""
    vendor = an_account(is_slow=True)

    async def talk(line: Line) -> None:
        opening = await line.tell()
        await line.tell(Change.UPDATED, opening=opening)
        await line.tell(Change.RESOLVED, opening=opening)
        vendor.process_waiting()

    on_the_line(vendor, make, SECRETS, talk)
    assert [(alert.count, alert.is_open) for alert in vendor.alerts] == [(2, False)]


def test_a_resolution_whose_opening_died_closes_what_it_left() -> None:
    """Without a receipt the alias is enough, and where there is nothing to close the delivery is done as well."""
    vendor = an_account()

    async def talk(line: Line) -> None:
        assert isinstance(await line.tell(Change.RESOLVED), Receipt)
        vendor.faults.add(LoseAnswer())
        await line.tell()
        assert len(vendor.open) == 1
        assert isinstance(await line.tell(Change.RESOLVED), Receipt)

    on_the_line(vendor, make, SECRETS, talk)
    assert vendor.open == []
    assert [success for success, _ in vendor.outcomes.values()] == [False, True, True]


@given(life=lives())
@settings(max_examples=some_of(25))
def test_however_a_life_is_told_what_is_open_in_the_end_is_right(life: Life) -> None:
    """Turns put down in any order, lost answers, refusals, people who close: at most one alert, open if it stands."""
    vendor = JsmOpsDouble([KEY])
    live(vendor, make, SECRETS, life, close_by_hand=vendor.close_by_hand)
    assert len(vendor.open) == int(life.is_open)
