"""An alert that comes again: what a pager and a ticket destination hear of any history of it, from whatever source."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, NamedTuple

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from router.domain.catalogue import Catalogue
from router.domain.ledger import Arrival
from router.domain.notices import RecordEntry
from router.domain.rulebook import By, Grouping, Rulebook
from router.domain.signals import Stream
from router.ingest.intake import Intake, Message
from router.store.store import Store
from tests.builders import NOW, a_destination, a_message, a_route, a_rule, a_rulebook, alert_body, an_ip
from tests.examples import some_of
from tests.ingest.again import LANES, Promise, Said, Soc, a_book
from tests.store.opened import Place, open_store

MINUTE = timedelta(minutes=1)
STANDING, OVER = ["New", "Active", "InProgress"], ["Resolved", "Dismissed"]
SEVERITIES = st.sampled_from(["Medium", "High", "High"])


@st.composite
def histories(draw: st.DrawFn) -> list[Said]:
    """Minute by minute, each with one state in which the alert stands, one in which it is over, or both at once."""
    said: list[Said] = []
    for minute in range(draw(st.integers(1, 4))):
        standing = Said(draw(st.sampled_from(STANDING)), minute, draw(SEVERITIES))
        over = Said(draw(st.sampled_from(OVER)), minute, standing.severity)
        said += draw(st.sampled_from([[standing], [over], [standing, over]]))
    return said


class Come(NamedTuple):
    """How the messages of a history come in: which, from where, any of them often."""

    which: int
    source: str


COMING = st.lists(st.builds(Come, st.integers(0, 7), st.sampled_from(["hub/0", "hub/1", "file"])), max_size=8)
UNTIMED = st.lists(
    st.builds(Said, st.sampled_from(STANDING + OVER), st.sampled_from([None, 1, 2, 3]), SEVERITIES), max_size=8
)
ALIKE = Grouping((By.ALERT_TYPE, By.RESOURCE), timedelta(days=1))
GROUPINGS = st.sampled_from([None, "alone", "beside another"])
"""Where destinations are not grouped, where the alert is a group by itself, and where its group has another alert."""


def arrive(history: Sequence[Said], coming: Sequence[Come]) -> list[tuple[Said, Message]]:
    """The messages of a history as they come in; at the end all of them come from a hub, and then all from files."""
    all = [*coming, *(Come(which, source) for source in ("hub/0", "file") for which in range(len(history)))]
    found = []
    for number, one in enumerate(all):
        which = one.which % len(history)
        place, origin = which + 1, one.source
        arrival = Arrival(origin, place, NOW + place * MINUTE) if origin != "file" else Arrival(f"file-{number}", 1)
        found.append((history[which], Message(history[which].body(), f"{origin}:{place}", arrival)))
    return found


async def keeps_its_promise(store: Store, arrived: Sequence[tuple[Said, Message]], grouped: str | None) -> None:
    soc, promise = Soc(store, a_book(None if grouped is None else ALIKE)), Promise()
    if grouped == "beside another":
        await soc.take(Message(alert_body("another"), "another", Arrival("another", 1)))
        soc.heard = {name: [] for name in LANES}
    for said, message in arrived:
        await soc.take(message)
        promise.come(said)
    promised = promise.beside_another() if grouped == "beside another" else promise.heard
    assert {name: soc.heard[name] for name in promised} == promised


async def in_a_directory(arrived: Sequence[tuple[Said, Message]], grouped: str | None) -> None:
    """In a store that is in a directory."""
    with TemporaryDirectory() as directory:
        store = open_store(Path(directory))
        try:
            await keeps_its_promise(store, arrived, grouped)
        finally:
            await store.close()


type Build = Callable[[Rulebook], Soc]


@pytest.fixture
def build(place: Place) -> Iterator[Build]:
    """Builds a SOC under a rulebook over a store in a directory."""
    store = open_store(place)
    yield lambda book: Soc(store, book)
    asyncio.run(store.close())


def take(soc: Soc, *bodies: bytes) -> list[RecordEntry]:
    """Takes in messages, each later than those before."""

    async def taken() -> list[RecordEntry]:
        return [await soc.take(a_message(body)) for body in bodies]

    return asyncio.run(taken())


def test_a_mere_status_is_on_record_as_an_update_that_no_pager_heard(build: Build) -> None:
    """It is routed as before; of the destinations where it is open, those are named that are told."""
    soc = build(a_book())
    _, entry = take(soc, alert_body(), alert_body(Status="InProgress"))
    assert (entry.outcome, entry.notice, entry.destinations) == ("routed", "updated", ("sentinel", "tickets"))
    assert entry.steps[-2:] == ("ledger.open", "ledger.status")
    assert soc.heard == {"oncall": ["opened"], "tickets": ["opened", "note"], "sentinel": ["opened", "updated"]}


def test_a_mere_status_that_only_pagers_would_hear_of_is_told_to_nobody(build: Build) -> None:
    """The alert is open at the pager all the same: its end gets there."""
    soc = build(a_book(routes=[a_route("page", "oncall")], always=[]))
    _, entry, _ = take(soc, alert_body(), alert_body(Status="InProgress"), alert_body(Status="Dismissed"))
    assert (entry.outcome, entry.notice, entry.destinations) == ("routed", None, ())
    assert soc.heard == {"oncall": ["opened", "resolved"], "tickets": [], "sentinel": []}


@pytest.mark.parametrize("group", [None, ALIKE])
def test_rules_that_page_what_was_no_page_before_still_page_it(build: Build, group: Grouping | None) -> None:
    """A status is enough for that, and the ticket that is open gets its note."""
    soc = build(a_book(group, routes=[a_route("all", "tickets")]))
    take(soc, alert_body())
    soc.book = a_book(group)
    (entry,) = take(soc, alert_body(Status="InProgress"))
    assert (entry.notice, entry.destinations) == ("opened", ("oncall", "sentinel", "tickets"))
    assert soc.heard["oncall"] == ["opened"]
    assert soc.heard["tickets"] == ["opened", "note"]


def test_a_place_that_the_policy_no_longer_names_hears_of_no_mere_status(build: Build) -> None:
    """It may be a pager, and somebody may redrive the dead letter when it is named again; the end is owed there."""
    soc = build(a_book())
    take(soc, alert_body())
    soc.book = a_book(routes=[a_route("all", "tickets")], destinations=[a_destination("tickets")], always=[])
    take(soc, alert_body(Status="InProgress"), alert_body(Status="Resolved"))
    assert soc.heard["oncall"] == ["opened", "resolved"]


def test_what_a_rule_held_is_told_to_pagers_when_it_comes_out(build: Build) -> None:
    """What changed while it was held, nobody knows."""
    held: dict[str, Any] = {"Entities": [an_ip("10.20.0.5")]}
    soc = build(a_book())
    take(soc, alert_body(**held))
    soc.book = replace(a_book(), suppressions=a_rulebook(a_rule()).suppressions)
    take(soc, alert_body(Status="InProgress", Severity="Medium", **held))
    soc.book = a_book()
    take(soc, alert_body(Status="New", Severity="Medium", **held))
    assert soc.heard["oncall"] == ["opened", "updated"]


def test_a_group_that_somebody_joins_tells_more_than_a_status(build: Build) -> None:
    """One message says a status of one member, another one is news: the ticket's note may open a new one."""
    soc = build(a_book(ALIKE))
    take(soc, alert_body("a"))

    async def at_once() -> None:
        messages = [a_message(alert_body("a", Status="InProgress")), a_message(alert_body("b"))]
        await Intake(soc.store, {Stream.CWPP: soc.book}, Catalogue()).ingest(messages, NOW)
        await soc.take(a_message(alert_body("a", Status="InProgress")))

    asyncio.run(at_once())
    assert soc.heard["tickets"] == ["opened", "updated"]
    assert soc.heard["oncall"] == ["opened", "updated"]


@settings(max_examples=some_of(60), deadline=None)
@given(histories(), COMING, GROUPINGS)
def test_in_any_order_from_any_source_an_alert_is_told_once_for_each_time_it_began_to_stand(
    history: list[Said], coming: list[Come], grouped: str | None
) -> None:
    """However often its messages come: a status tells pagers nothing and tickets a note; an older copy tells nobody."""
    asyncio.run(in_a_directory(arrive(history, coming), grouped))


@settings(max_examples=some_of(40), deadline=None)
@given(UNTIMED, GROUPINGS)
def test_what_has_no_time_of_its_own_counts_when_it_comes(said: list[Said], grouped: str | None) -> None:
    """Of one partition: nothing that changed is silenced for the lack of a time."""
    arrived = [(one, a_message(one.body(), place=place)) for place, one in enumerate(said, 1)]
    asyncio.run(in_a_directory(arrived, grouped))
