"""What runs once a day runs again once the clock is right."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from datetime import datetime, timedelta

import pytest

from router.app.maintenance import Sweeper
from router.deliver import HoldReader
from router.deliver.destination_holds import hold_destination
from router.domain.catalogue import Catalogue
from router.domain.coverage_manifest import NO_MANIFEST
from router.domain.deliveries import Backlog, Recipient
from router.domain.destination_holds import DestinationHold
from router.domain.destination_readiness import Lack, Unready, Why
from router.domain.errors import StoreError
from router.domain.hubs import Event, Partition
from router.domain.lane_limits import LONGEST
from router.domain.notices import ANNOUNCEMENT, Notice
from router.domain.retention import Retention
from router.domain.rulebook import Lane
from router.domain.signals import Stream
from router.ingest.event_intake import EventIntake
from router.ingest.gaps import GapFiller
from router.ingest.intake import Intake
from router.ingest.silent_sources import SilentSources, SourceReport
from router.store.deliveries import add_deliveries
from router.store.partitions import find_last_sweep
from tests.builders import NOW, a_message, a_rule, a_rulebook, alert_body, an_ip
from tests.constructed.weeks import row_of
from tests.hubs import Shelf
from tests.store.acts import decisions_between, letters_in
from tests.store.builders import a_delivery
from tests.store.opened import Place, open_store
from tests.store.within import claim_in, within

DAY = timedelta(days=1)


def test_what_is_due_where_nobody_can_be_asked_lives_as_long_as_anywhere(place: Place) -> None:
    """Each sweep leaves it owed, and at the end of its life makes it a dead letter that says why."""
    lacking = Unready(stream="cwpp", destination="tickets", lane=Lane.PAGE, lacks=(Lack("KEY", Why.MISSING),))
    end = NOW + LONGEST[Lane.PAGE]

    async def swept() -> None:
        store = open_store(place)
        book = a_rulebook()
        intake = Intake(store, {Stream.CWPP: book}, Catalogue(), Stream.CWPP)
        gap_filler = GapFiller(Shelf(), store, EventIntake(intake, store, "sweep"))
        sweeper = Sweeper(
            store,
            book,
            intake,
            gap_filler,
            named=["tickets"],
            rules=(),
            retention=Retention(),
            unready=[lacking],
        )
        await within(store, add_deliveries, [a_delivery(lane=Lane.PAGE)], NOW)
        for now in (NOW + timedelta(hours=1), end - timedelta(microseconds=1)):
            found, _ = await sweeper.sweep(now)
            assert found.backlog["tickets"] == Backlog(Lane.PAGE, NOW, 0)
        found, _ = await sweeper.sweep(end)
        assert found.backlog["tickets"] == Backlog(Lane.PAGE, None, 1)
        (letter,) = await letters_in(store)
        assert (letter.error, letter.attempts, letter.born) == ("never tried: KEY is missing", 0, NOW)
        await store.close()

    asyncio.run(swept())


def test_a_sweep_ends_what_two_snapshots_came_without(place: Place) -> None:
    """As far as its hub is taken in; it says how many findings that were, and puts them on record."""

    async def swept() -> list[tuple[int, list[str]]]:
        store = open_store(place)
        book, shelf = a_rulebook(stream=Stream.CSPM), Shelf(name="cspm")
        intake = Intake(store, {Stream.CSPM: book}, Catalogue(), Stream.CSPM)
        gap_filler = GapFiller(shelf, store, EventIntake(intake, store, "sweep"))
        sweeper = Sweeper(store, book, intake, gap_filler, named=["tickets"], rules=(), retention=Retention())
        found = []
        for number, names in enumerate(("abcd", "abc", "abc")):
            at = NOW + number * timedelta(days=7)
            events = shelf.events[Partition("cspm", "0")]
            events += [Event(len(events) + n, at, row_of(name)) for n, name in enumerate(names)]
            for hours in (1, 26):
                swept, entries = await sweeper.sweep(at + timedelta(hours=hours))
                found.append((swept.ended, [entry.outcome for entry in entries if entry.outcome == "resolved"]))
        await store.close()
        return found

    assert asyncio.run(swept()) == [(0, [])] * 5 + [(1, ["resolved"])]


def test_a_sweep_forgets_a_little_and_the_next_ones_go_on(place: Place) -> None:
    """Until nothing is old enough any more; then nobody asks for an hour."""

    async def swept() -> list[int]:
        store = open_store(place)
        book = a_rulebook()
        intake = Intake(store, {Stream.CWPP: book}, Catalogue(), Stream.CWPP)
        gap_filler = GapFiller(Shelf(), store, EventIntake(intake, store, "sweep"))
        sweeper = Sweeper(store, book, intake, gap_filler, named=["tickets"], rules=(), retention=Retention())
        messages = [a_message(alert_body(f"alert-{n}", Severity="Low"), place=n, at=NOW) for n in range(30)]
        await intake.ingest(messages, NOW)
        left = []
        # What a clock shows is confirmed an hour later.
        await sweeper.sweep(NOW + timedelta(days=14))
        for minutes in range(60, 63):
            await sweeper.sweep(NOW + timedelta(days=14, minutes=minutes))
            left.append(len(await within(store, decisions_between, NOW, NOW + timedelta(hours=1), 100)))
        await intake.ingest([a_message(alert_body("old", Severity="Low"), place=99, at=NOW)], NOW)
        for minutes in (90, 130):
            await sweeper.sweep(NOW + timedelta(days=14, minutes=minutes))
            left.append(len(await within(store, decisions_between, NOW, NOW + timedelta(hours=1), 100)))
        await store.close()
        return left

    assert asyncio.run(swept()) == [0, 0, 0, 1, 0]


def test_a_fault_of_ours_in_one_step_keeps_no_other_from_being_done(place: Place) -> None:
    """What a rule held comes out, and old decisions go; the sweep says at its end what failed, and is not called done."""

    class Broken(SilentSources):
        """A look with a fault."""

        async def look(self, until: datetime | None, now: datetime) -> SourceReport:
            raise ZeroDivisionError

    async def swept() -> tuple[list[str], datetime | None]:
        store, at = open_store(place), NOW + 14 * DAY
        book = a_rulebook(a_rule("scanner", expires=at))
        intake = Intake(store, {Stream.CWPP: book}, Catalogue(), Stream.CWPP)
        gap_filler = GapFiller(Shelf(), store, EventIntake(intake, store, "sweep"))
        broken = Broken(intake, store, NO_MANIFEST)
        sweeper = Sweeper(
            store, book, intake, gap_filler, named=["tickets"], rules=(), retention=Retention(), sources=broken
        )
        alerts = alert_body(Entities=[an_ip("10.20.0.5")]), alert_body("low", Severity="Low")
        await intake.ingest([a_message(body, at=NOW, place=n) for n, body in enumerate(alerts)], NOW)
        for hours in (0, 1):
            with pytest.raises(StoreError, match="ZeroDivisionError"):
                await sweeper.sweep(at + hours * DAY / 24)
        left = await within(store, decisions_between, NOW, at + DAY, 100)
        end = await within(store, find_last_sweep, "cwpp")
        await store.close()
        return [one.outcome for one in left], end

    assert asyncio.run(swept()) == (["routed", "suppressed"], None)


def test_a_sweep_gives_up_on_nothing_that_is_held(place: Place) -> None:
    """Neither where a setting lacks, nor where the policy forgot a name."""
    lacking = Unready(stream="cwpp", destination="tickets", lane=Lane.PAGE, lacks=(Lack("KEY", Why.MISSING),))
    hours = timedelta(hours=1)

    async def swept() -> None:
        store = open_store(place)
        book = a_rulebook()
        intake = Intake(store, {Stream.CWPP: book}, Catalogue(), Stream.CWPP)
        gap_filler = GapFiller(Shelf(), store, EventIntake(intake, store, "sweep"))

        def sweeper(*named: str, unready: tuple[Unready, ...] = ()) -> Sweeper:
            return Sweeper(
                store,
                book,
                intake,
                gap_filler,
                named=named,
                rules=(),
                retention=Retention(),
                unready=unready,
                holds=HoldReader(store),
            )

        await within(store, add_deliveries, [a_delivery(lane=Lane.PAGE)], NOW)
        since, until = NOW + 3 * hours, NOW + 7 * hours
        wanted = DestinationHold(
            stream="cwpp", destination="tickets", lane=Lane.PAGE, author="a", reason="b", since=since, until=until
        )
        await hold_destination(store, wanted, since)
        for now in (since, NOW + LONGEST[Lane.PAGE], until - timedelta(microseconds=1)):
            for one in (sweeper("tickets"), sweeper("tickets", unready=(lacking,)), sweeper("others")):
                found, _ = await one.sweep(now)
                assert found.backlog["tickets"] == Backlog(Lane.PAGE, NOW, 0)
                assert found.held == {"tickets": wanted}
        found, _ = await sweeper("tickets").sweep(until)
        assert found.held == {}
        await store.close()

    asyncio.run(swept())


def test_people_hear_what_a_rule_held_before_the_sweep_that_releases_it(place: Place) -> None:
    """At its end what it held comes out, and then nobody knows any more that the rule had held it."""

    async def swept() -> tuple[int, list[str]]:
        store = open_store(place)
        book = replace(a_rulebook(a_rule("scanner", expires=NOW + DAY)), notify=("tickets",))
        intake = Intake(store, {Stream.CWPP: book}, Catalogue(), Stream.CWPP)
        gap_filler = GapFiller(Shelf(), store, EventIntake(intake, store, "sweep"))
        sweeper = Sweeper(store, book, intake, gap_filler, named=["tickets"], rules=(), retention=Retention())
        await intake.ingest([a_message(alert_body(Entities=[an_ip("10.20.0.5")]), at=NOW)], NOW)
        found, _ = await sweeper.sweep(NOW + DAY)
        claims = await claim_in(store, Recipient("cwpp", Lane.TICKET, "tickets"), NOW + DAY, NOW + 2 * DAY, 10)
        notices = [claim.delivery.content for claim in claims]
        await store.close()
        return found.released, [
            one.description for one in notices if isinstance(one, Notice) and one.kind == ANNOUNCEMENT
        ]

    released, (told,) = asyncio.run(swept())
    assert released == 1
    assert "1 signal that it holds still stands" in told
