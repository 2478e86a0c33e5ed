"""What a sweep does each minute, and leaves undone for good reasons."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import datetime, timedelta
from functools import partial
from typing import Any

import pytest

from router.app.destination_readiness import Unready
from router.app.maintenance import Sweeper
from router.app.settings import Lack, Why
from router.coverage.expected.manifest import NO_MANIFEST
from router.coverage.expected.silence import look_at
from router.deliver.destination_holds import HoldReader, hold_destination
from router.domain.catalogue import Catalogue
from router.domain.deliveries import LONGEST_LIFE, Backlog
from router.domain.destination_holds import DestinationHold
from router.domain.errors import StoreError
from router.domain.notices import ANNOUNCEMENT, Notice
from router.domain.rulebook import Lane, Rulebook
from router.ingest.event_intake import EventIntake
from router.ingest.gaps import GapFiller
from router.ingest.intake import Intake
from router.ingest.silent_sources import SilentSources, SourceReport
from router.store.partitions import find_last_sweep
from router.store.retention import Retention
from tests.builders import NOW, a_message, a_rule, a_rulebook, alert_body, an_ip
from tests.hubs import Shelf
from tests.store.acts import owe, run
from tests.store.builders import a_delivery
from tests.store.life import Life
from tests.store.opened import Store
from tests.store.within import within

DAY = timedelta(days=1)
HOUR = timedelta(hours=1)
HELD: dict[str, Any] = {"Entities": [an_ip("10.20.0.5")]}
LACKING = Unready(stream="cwpp", destination="tickets", lane=Lane.PAGE, lacks=(Lack("KEY", Why.MISSING),))


def a_sweeper(
    store: Store,
    book: Rulebook,
    *named: str,
    sources: Callable[[Intake, Store], SilentSources] | None = None,
    **more: Any,
) -> Sweeper:
    """A sweeper of a stream, which knows destinations by their names."""
    intake = Intake(store, {book.stream: book}, Catalogue(), book.stream)
    gap_filler = GapFiller(Shelf(), store, EventIntake(intake, store, "sweep"))
    more |= {"sources": sources(intake, store)} if sources is not None else {}
    return Sweeper(store, book, intake, gap_filler, named=named, retention=Retention(), **more)


def test_a_sweep_gives_up_on_nothing_that_is_held(store: Store) -> None:
    """Neither where a setting lacks, nor where the policy forgot a name."""
    book, holds = a_rulebook(), HoldReader(store)
    owe(store, a_delivery(lane=Lane.PAGE))
    since, until = NOW + 3 * HOUR, NOW + 7 * HOUR
    hold = DestinationHold(
        stream="cwpp", destination="tickets", lane=Lane.PAGE, author="a", reason="b", since=since, until=until
    )
    run(hold_destination(store, hold, since))
    for now in (since, NOW + LONGEST_LIFE[Lane.PAGE], until - timedelta(microseconds=1)):
        for name, unready in (("tickets", ()), ("tickets", [LACKING]), ("others", ())):
            found, _ = run(a_sweeper(store, book, name, unready=unready, holds=holds).sweep(now))
            assert (found.backlog["tickets"], found.held) == (Backlog(Lane.PAGE, NOW, 0, 1, NOW), {"tickets": hold})
    assert run(a_sweeper(store, book, "tickets", holds=holds).sweep(until))[0].held == {}


def test_a_sweep_forgets_a_little_and_the_next_ones_go_on(store: Store) -> None:
    """Until nothing is old enough any more; then it asks for nothing for an hour."""
    life, sweeper = Life(store), a_sweeper(store, a_rulebook(), "tickets")
    life.ingest(*(a_message(alert_body(f"alert-{n}", Severity="Low"), at=NOW) for n in range(30)))
    left = []
    # What a clock shows is confirmed an hour later.
    for minutes in (0, 60, 61, 62, 90, 130):
        if minutes == 90:
            life.now = NOW
            life.alert("old", Severity="Low")
        run(sweeper.sweep(NOW + 14 * DAY + minutes * HOUR / 60))
        left.append(len(life.decisions("alert-1") + life.decisions("old")))
    assert left == [1, 0, 0, 0, 1, 0]


def test_a_fault_of_ours_in_one_step_keeps_no_other_from_being_done(store: Store) -> None:
    """What a rule held comes out, and old decisions go; the sweep says at its end what failed, and is not called done."""

    class Broken(SilentSources):
        """A look with a fault."""

        def __init__(self, intake: Intake, store: Store) -> None:
            super().__init__(intake, store, partial(look_at, NO_MANIFEST), is_expected=False)

        async def look(self, until: datetime | None, now: datetime) -> SourceReport:
            raise ZeroDivisionError

    at = NOW + 14 * DAY
    life = Life(store, a_rulebook(a_rule("scanner", expires=at)))
    life.alert(**HELD), life.alert("low", Severity="Low")
    sweeper = a_sweeper(store, life.book, "tickets", sources=Broken)
    for hours in (0, 1):
        with pytest.raises(StoreError, match="ZeroDivisionError"):
            run(sweeper.sweep(at + hours * HOUR))
    assert (life.decisions(), life.decisions("low")) == (["routed", "suppressed"], [])
    assert run(within(store, find_last_sweep, "cwpp")) is None


def test_people_hear_what_a_rule_held_before_the_sweep_that_releases_it(store: Store) -> None:
    """At its end what it held comes out, and then it is not known any more that the rule had held it."""
    life = Life(store, replace(a_rulebook(a_rule("scanner", expires=NOW + DAY)), notify=("tickets",)))
    life.alert(**HELD)
    life.now += DAY
    assert run(a_sweeper(store, life.book, "tickets").sweep(life.now))[0].released == 1
    contents = [claim.delivery.content for claim in life.owed("tickets")]
    (told,) = [one for one in contents if isinstance(one, Notice) and one.kind == ANNOUNCEMENT]
    assert "1 signal that it holds still stands" in told.description
