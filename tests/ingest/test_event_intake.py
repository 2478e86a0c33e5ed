"""Each event of a hub is taken in once, whatever dies meanwhile, and what kills its worker costs no other event anything."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from contextlib import suppress
from datetime import datetime, timedelta
from itertools import count

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from router.domain.catalogue import Catalogue
from router.domain.errors import StoreError
from router.domain.hubs import Event, HubEpoch, Partition, Span
from router.domain.notices import RecordEntry
from router.domain.signals import Stream
from router.ingest.event_intake import DEADLY, EventIntake, cut_events
from router.ingest.intake import Ingested, Intake, Message
from router.store import partitions
from router.store.partitions import Try
from router.store.quarantine import list_quarantined
from router.store.store import Store, Transaction
from tests.builders import NOW, a_destination, a_route, a_rulebook, alert_body
from tests.examples import some_of
from tests.hubs import LONG_AGO, Shelf
from tests.store.acts import run
from tests.store.deadly import Deadly
from tests.store.opened import changed
from tests.store.within import within

PLACE = Partition("cwpp", "0")
BOOK = a_rulebook(routes=[a_route("all", "tickets")], destinations=[a_destination("tickets")])
SHARED = settings(max_examples=some_of(40), suppress_health_check=[HealthCheck.function_scoped_fixture])
_IDS = count()


def an_event_intake(store: Store, process: str = "this") -> EventIntake:
    return EventIntake(Intake(store, {Stream.CWPP: BOOK}, Catalogue(), Stream.CWPP), store, process)


def ingest(event_intake: EventIntake, events: Sequence[Event], place: Partition = PLACE) -> list[RecordEntry]:
    return run(event_intake.ingest_events(place, events, NOW))


def some_events(place: Partition, number: int) -> list[Event]:
    """Events of a partition, each an alert of its own."""
    return [Event(n, LONG_AGO, alert_body(f"{place.id}-{n}")) for n in range(number)]


def an_unused_partition() -> Partition:
    """A partition that no other example has."""
    return Partition("cwpp", f"p{next(_IDS)}")


def spans_taken(store: Store, place: Partition = PLACE, epoch: int = 1) -> list[Span]:
    return [one.span for one in run(within(store, partitions.read_taken, HubEpoch(place, epoch)))]


def tries(store: Store, place: Partition) -> list[Try]:
    """Every try that is open."""
    return run(within(store, partitions.find_other_tries, Try(place, Span(0, 10**9), "nothing")))


def outcomes(store: Store, place: Partition) -> dict[int, str]:
    """What became of each event, by its number: all decisions on record of a partition's first epoch."""

    async def read() -> dict[int, str]:
        async with store.session() as tx:
            rows = await tx.fetch("SELECT COALESCE(message, key) AS message, outcome FROM decisions")
        found = [(row.text("message").rpartition(":"), row.text("outcome")) for row in rows]
        mine = [(int(number), outcome) for (origin, _, number), outcome in found if origin == f"cwpp:{place.id}:1"]
        assert len(mine) == len(dict(mine))
        return dict(mine)

    return run(read())


def deliveries(store: Store) -> int:
    """How many tickets are owed."""

    async def read() -> int:
        async with store.session() as tx:
            return int(await tx.value("SELECT count(*) FROM deliveries WHERE destination='tickets'"))

    return run(read())


def test_a_batch_that_comes_again_is_dropped_as_far_as_it_was_taken_in(sqlite: Store) -> None:
    """By the same process or another. Numbers that were left out are not taken in, and no try is left."""
    shelf = Shelf()
    events = [*shelf.publish(6), *shelf.publish(1, skip=4)]
    entries = ingest(an_event_intake(sqlite), events[1:3])
    assert [(entry.key, entry.outcome, entry.source) for entry in entries] == [
        (f"cwpp:0:1:{n}", "routed", f"cwpp/0:{n}") for n in (1, 2)
    ]
    for process, some, numbers in (("other", events[2:5], (3, 4)), ("this", events, (0, 5, 10)), ("this", events, ())):
        entries = ingest(an_event_intake(sqlite, process), some)
        assert [entry.key for entry in entries] == [f"cwpp:0:1:{n}" for n in numbers]
    assert (spans_taken(sqlite), tries(sqlite, PLACE)) == ([Span(0, 5), Span(10, 10)], [])


@SHARED
@given(st.data())
def test_each_event_has_one_outcome_whichever_workers_die_between_any_two_statements(
    store: Store, data: st.DataObject
) -> None:
    """Batches overlap and come in any order; as few die as are an accident, before a statement or commit is done or after."""
    place, before = an_unused_partition(), deliveries(store)
    events = some_events(place, 12)
    deaths = data.draw(st.lists(st.tuples(st.integers(1, 40), st.booleans()), min_size=1, max_size=DEADLY - 1))
    for number, (dies_at, is_done) in enumerate([(10**9, False), *deaths, (10**9, False)]):
        first, length = data.draw(st.tuples(st.integers(0, 11), st.integers(1, 6)))
        worker = Deadly(store, dies_at, is_done)
        try:
            ingest(an_event_intake(worker, f"worker-{number}"), events[first : first + length], place)
        except StoreError:
            assert worker.died
    known = {n for span in spans_taken(store, place) for n in range(span.first, span.last + 1)}
    assert outcomes(store, place) == dict.fromkeys(known, "routed")
    ingest(an_event_intake(store, "last"), events, place)
    assert outcomes(store, place) == dict.fromkeys(range(12), "routed")
    assert (deliveries(store) - before, spans_taken(store, place), tries(store, place)) == (12, [Span(0, 11)], [])


@SHARED
@given(st.lists(st.lists(st.tuples(st.integers(0, 19), st.integers(1, 12)), max_size=4), min_size=2, max_size=4))
def test_owners_of_one_partition_at_once_take_each_event_in_once(
    store: Store, twin: Store, shares: Sequence[Sequence[tuple[int, int]]]
) -> None:
    """Two to four processes that read the same partition, on two connections; none quarantines what another one tries."""
    place, before = an_unused_partition(), deliveries(store)
    events = some_events(place, 20)

    async def own(number: int, batches: Sequence[tuple[int, int]]) -> None:
        event_intake = an_event_intake((store, twin)[number % 2], f"owner-{number}")
        for first, length in (*batches, (0, 20)):
            await event_intake.ingest_events(place, events[first : first + length], NOW)

    async def all_own() -> None:
        await asyncio.gather(*(own(number, batches) for number, batches in enumerate(shares)))

    run(all_own())
    assert outcomes(store, place) == dict.fromkeys(range(20), "routed")
    assert (deliveries(store) - before, spans_taken(store, place), tries(store, place)) == (20, [Span(0, 19)], [])


class Mortal(Intake):
    """The intake of a process that dies of the messages of some numbers."""

    def __init__(self, store: Store, poison: frozenset[int], process: str) -> None:
        self._body, self._poison, self._process = Deadly(store, 10**9, False), poison, process
        super().__init__(self._body, {Stream.CWPP: BOOK}, Catalogue(), Stream.CWPP)

    async def survives(self, place: Partition, events: Sequence[Event]) -> bool:
        """Ingests events; returns whether the process survives that."""
        with suppress(StoreError):
            await EventIntake(self, self._body, self._process).ingest_events(place, events, NOW)
        return not self._body.died

    async def ingest_in(self, tx: Transaction, messages: Sequence[Message], now: datetime) -> Ingested:
        if self._poison.intersection(message.arrival.place for message in messages):
            self._body.died = True
        return await super().ingest_in(tx, messages, now)


def until_taken(store: Store, place: Partition, events: Sequence[Event], poison: frozenset[int], size: int) -> int:
    """Brings batches of some size, as often as they need, always to a new process; returns how many died."""
    deaths = 0
    for first in range(0, len(events), size):
        while not run(Mortal(store, poison, f"p{deaths}").survives(place, events[first : first + size])):
            deaths += 1
            assert deaths < 100
    return deaths


def test_a_batch_that_kills_is_tried_in_halves_down_to_one_which_is_quarantined(sqlite: Store) -> None:
    """Unread and whole, after so many deaths; its neighbours are taken in."""
    for number, (size, deaths) in enumerate([(1, DEADLY), (2, DEADLY), (20, 5), (100, 7)]):
        place = an_unused_partition()
        events = some_events(place, 100)
        assert until_taken(sqlite, place, events, frozenset({41}), size) == deaths
        assert outcomes(sqlite, place) == {n: "quarantined" if n == 41 else "routed" for n in range(100)}
        kept = [
            one.quarantined for one in run(within(sqlite, list_quarantined)) if one.quarantined.body == events[41].body
        ]
        assert [one.reason.code for one in kept] == ["internal"], number
        assert (spans_taken(sqlite, place), tries(sqlite, place)) == ([Span(0, 99)], [])


@SHARED
@given(
    st.sets(st.integers(0, 39), max_size=3),
    st.lists(st.tuples(st.integers(0, 39), st.integers(1, 40)), max_size=12),
    st.integers(1, 40),
)
def test_only_poison_is_quarantined_however_batches_overlap(
    store: Store, poison: set[int], batches: Sequence[tuple[int, int]], size: int
) -> None:
    """Several of them in one batch, or in batches that begin anywhere."""
    place = an_unused_partition()
    events = some_events(place, 40)
    for number, (first, length) in enumerate(batches):
        run(Mortal(store, frozenset(poison), f"q{number}").survives(place, events[first : first + length]))
    until_taken(store, place, events, frozenset(poison), size)
    assert outcomes(store, place) == {n: "quarantined" if n in poison else "routed" for n in range(40)}
    assert tries(store, place) == []


def test_processes_that_die_of_something_else_cost_no_event_its_outcome(sqlite: Store) -> None:
    """A try that failed without a death counts for nothing, and two deaths are an accident."""
    place = an_unused_partition()
    (event,) = some_events(place, 1)
    for number in range(2 * DEADLY):
        with pytest.raises(StoreError):
            ingest(
                EventIntake(_Down(sqlite, {Stream.CWPP: BOOK}, Catalogue()), sqlite, f"lives-{number}"), [event], place
            )
    assert tries(sqlite, place) == []
    for number in range(DEADLY - 1):
        assert not run(Mortal(sqlite, frozenset({0}), f"dies-{number}").survives(place, [event]))
    assert [entry.outcome for entry in ingest(an_event_intake(sqlite), [event], place)] == ["routed"]


class _Down(Intake):
    async def ingest_in(self, tx: Transaction, messages: Sequence[Message], now: datetime) -> Ingested:
        raise StoreError("down")


@given(
    st.lists(st.integers(0, 60), max_size=40), st.lists(st.tuples(st.integers(0, 60), st.integers(0, 40)), max_size=4)
)
def test_events_are_cut_at_gaps_and_to_half_of_what_was_deadly(
    numbers: Sequence[int], deadly: Sequence[tuple[int, int]]
) -> None:
    """In order, each once; what no process died of is not cut."""
    spans = [Span(first, first + length) for first, length in deadly]
    batches = [[event.sequence for event in some] for some in cut_events([Event(n, NOW, b"") for n in numbers], spans)]
    assert [n for some in batches for n in some] == sorted(set(numbers))
    for some in batches:
        assert some == list(range(some[0], some[-1] + 1))
        sizes = [span.last - span.first + 1 for span in spans if span.first <= some[-1] and some[0] <= span.last]
        assert len(some) <= max(1, min(sizes, default=2 * len(some)) // 2)


def test_a_range_that_says_too_much_drops_no_event(sqlite: Store) -> None:
    """The hub got what comes now later than the last of that range: its numbers begin again, as far as can be known."""
    shelf = Shelf()
    ingest(an_event_intake(sqlite), shelf.publish(3))
    run(changed(sqlite, "UPDATE taken SET last=1000000000000"))
    events = shelf.publish(3, at=LONG_AGO + timedelta(minutes=1))
    assert [entry.outcome for entry in ingest(an_event_intake(sqlite), events)] == ["routed"] * 3


def test_a_hub_that_was_created_anew_begins_a_new_epoch(sqlite: Store) -> None:
    """Numbers that begin again are not mistaken for those of the hub before, whichever process was there then.

    What is redelivered was enqueued when it was enqueued, and begins none.
    """
    old, new = Shelf(), Shelf(created=NOW)
    events = old.publish(5)
    ingest(an_event_intake(sqlite), events)
    assert ingest(an_event_intake(sqlite), events[:1]) == []
    run(within(sqlite, partitions.begin_try, Try(PLACE, Span(0, 0), "died of the old hub's event")))
    later = LONG_AGO + timedelta(minutes=1)
    for number, process in enumerate(("this", "other", "this")):
        entries = ingest(an_event_intake(sqlite, process), new.publish(1, at=later))
        assert [(entry.key, entry.outcome) for entry in entries] == [(f"cwpp:0:2:{number}", "routed")]
    assert (spans_taken(sqlite, epoch=2), tries(sqlite, PLACE)) == ([Span(0, 2)], [])
