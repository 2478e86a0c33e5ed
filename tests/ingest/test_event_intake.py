"""Each event of a hub is taken in once, whatever dies meanwhile."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator, Sequence
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from router.domain.catalogue import Catalogue
from router.domain.errors import StoreError
from router.domain.journal import Event, HubEpoch, InFlightMarker, Partition, Span
from router.domain.notices import RecordEntry
from router.domain.ports.ingest import Journal
from router.domain.signals import Stream
from router.ingest.event_intake import EventIntake
from router.ingest.intake import Intake
from router.store.quarantine import list_quarantined
from tests.builders import NOW, a_rulebook
from tests.hubs import LONG_AGO, Shelf
from tests.stack.postgres import Server, Way
from tests.store.opened import Place, Store, open_store
from tests.store.within import within

PLACE = Partition("cwpp", "0")
EPOCH = HubEpoch(PLACE, 1)


@pytest.fixture
def store(place: Place) -> Iterator[Store]:
    """An empty store."""
    store = open_store(place)
    yield store
    asyncio.run(store.close())


def an_event_intake(store: Store, process: str = "this") -> EventIntake:
    return EventIntake(Intake(store, {Stream.CWPP: a_rulebook()}, Catalogue(), Stream.CWPP), store.journal, process)


def ingest(event_intake: EventIntake, events: Sequence[Event]) -> list[RecordEntry]:
    return asyncio.run(event_intake.ingest_events(PLACE, events, NOW))


def spans_taken(store: Store, epoch: HubEpoch = EPOCH) -> list[Span]:
    return [one.span for one in asyncio.run(store.journal.read_taken(epoch, -1))]


def died(store: Store, process: str, first: int, last: int, *, alone: bool = False) -> None:
    """Another process places markers on numbers and is never heard of again."""
    asyncio.run(store.journal.place_markers([InFlightMarker(EPOCH, Span(first, last), process, alone)]))


def markers(store: Store) -> list[InFlightMarker]:
    """Every marker that is left."""
    probe = InFlightMarker(EPOCH, Span(0, 10**9), "probe")
    found = [marker for marker in asyncio.run(store.journal.place_markers([probe])) if marker != probe]
    asyncio.run(store.journal.finish_markers([probe], []))
    return found


def test_what_is_taken_in_is_on_record_and_in_the_journal_and_no_marker_is_left(store: Store) -> None:
    """A batch is one span of the journal, and each message is known by hub, epoch, partition and sequence number."""
    entries = ingest(an_event_intake(store), Shelf().publish(3))
    assert [(entry.key, entry.outcome, entry.source) for entry in entries] == [
        (f"cwpp:0:1:{n}", "routed", f"cwpp/0:{n}") for n in range(3)
    ]
    assert (spans_taken(store), markers(store)) == ([Span(0, 2)], [])


def test_a_batch_that_comes_again_tells_nobody_anew(store: Store) -> None:
    """Redelivered whole or in part, by the same process or another, every message keeps its one outcome."""
    events = Shelf().publish(5)
    ingest(an_event_intake(store), events)
    again = ingest(an_event_intake(store, "another"), events[2:]) + ingest(an_event_intake(store), events)
    assert {entry.outcome for entry in again} == {"repeat"}
    outcomes = asyncio.run(store.record.find_outcomes([f"cwpp:0:1:{n}" for n in range(5)]))
    assert {outcome.value for outcome in outcomes.values()} == {"routed"}


def test_a_batch_with_a_gap_is_two_spans(store: Store) -> None:
    """The journal says what was taken, not what lies between."""
    ingest(an_event_intake(store), [*Shelf().publish(2), replace(Shelf().publish(1)[0], sequence=7)])
    assert spans_taken(store) == [Span(0, 1), Span(7, 7)]


class Watched:
    """A journal that remembers which markers were made."""

    def __init__(self, journal: Journal) -> None:
        self._journal = journal
        self.placed: list[InFlightMarker] = []

    def __getattr__(self, name: str) -> Any:
        return getattr(self._journal, name)

    async def place_markers(self, markers: Sequence[InFlightMarker]) -> Sequence[InFlightMarker]:
        self.placed.extend(markers)
        return await self._journal.place_markers(markers)


@pytest.mark.parametrize(("dead", "singly"), [(2, False), (3, True)])
def test_what_three_processes_did_not_survive_is_taken_alone(store: Store, dead: int, singly: bool) -> None:
    """Two deaths are an accident. After three, each event is tried with nothing beside it, under a marker that says so."""
    for number in range(dead):
        died(store, f"dead-{number}", 0, 2)
    journal = Watched(store.journal)
    event_intake = EventIntake(Intake(store, {Stream.CWPP: a_rulebook()}, Catalogue(), Stream.CWPP), journal, "this")
    entries = ingest(event_intake, Shelf().publish(3))
    assert [entry.outcome for entry in entries] == ["routed"] * 3
    assert [marker.span for marker in journal.placed if marker.alone] == (
        [Span(n, n) for n in range(3)] if singly else []
    )
    assert (spans_taken(store), markers(store)) == ([Span(0, 2)], [])


def test_what_killed_its_process_alone_is_quarantined_unread_and_its_neighbours_are_taken(store: Store) -> None:
    """A message that kills costs nobody else anything, and is kept whole."""
    events = Shelf().publish(3)
    for process in ("one", "another", "a-third"):
        died(store, process, 0, 2)
    for process in ("one", "another"):
        died(store, process, 1, 1, alone=True)
    entries = ingest(an_event_intake(store), events)
    assert [entry.outcome for entry in entries] == ["routed", "quarantined", "routed"]
    (kept,) = asyncio.run(within(store, list_quarantined))
    assert kept.quarantined.body == events[1].body
    assert kept.quarantined.reason.code == "internal"


def test_marks_of_a_process_that_lives_do_not_count_against_an_event(store: Store) -> None:
    """A storage outage that one living process tries again and again is nobody's death."""
    for _ in range(5):
        died(store, "this", 0, 0, alone=True)
    assert [entry.outcome for entry in ingest(an_event_intake(store), Shelf().publish(1))] == ["routed"]


@pytest.mark.parametrize("trip", range(3, 22, 3))
def test_a_process_that_lost_its_state_and_is_at_work_again_died_of_nothing(
    database: str, postgres: Server, trip: int
) -> None:
    """It lost it at some round trip, and could not say so; with the next events that it takes in it does."""
    with Way(postgres.url) as way:
        store = open_store(way.to(database))
        event_intake = an_event_intake(store, "alive")

        def lose() -> None:
            way.server = postgres.url.replace("%2F", "%2Fgone")
            way.cut()

        way.cut_at(trip, is_after=False, happens=lose)
        with pytest.raises(StoreError):
            while True:
                ingest(event_intake, Shelf().publish(3))
        way.server = postgres.url
        asyncio.run(event_intake.ingest_events(Partition("cwpp", "1"), Shelf().publish(1), NOW))
        assert markers(store) == []
        asyncio.run(store.close())


def test_a_hub_that_was_created_anew_begins_a_new_epoch(store: Store) -> None:
    """Numbers that begin again are not mistaken for those of the hub before, whoever was there then."""
    old, new = Shelf(), Shelf(created=NOW)
    ingest(an_event_intake(store), old.publish(5))
    first, second = an_event_intake(store), an_event_intake(store, "another")
    later = LONG_AGO + timedelta(minutes=1)
    assert [entry.key for entry in ingest(first, new.publish(1, at=later))] == ["cwpp:0:2:0"]
    assert [entry.key for entry in ingest(second, new.publish(1, at=later))] == ["cwpp:0:2:1"]
    entries = ingest(first, new.publish(1, at=later))
    assert [(entry.key, entry.outcome) for entry in entries] == [("cwpp:0:2:2", "routed")]


def test_an_old_event_that_comes_again_late_is_no_new_epoch(store: Store) -> None:
    """What is redelivered was enqueued when it was enqueued."""
    events = Shelf().publish(5)
    event_intake = an_event_intake(store)
    ingest(event_intake, events)
    assert [entry.key for entry in ingest(event_intake, events[:1])] == ["cwpp:0:1:0"]
