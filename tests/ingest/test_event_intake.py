"""Each event of a hub is taken in once, whatever dies meanwhile; a gap is found, and only what nobody can read is lost."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import count

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from router.domain.catalogue import Catalogue
from router.domain.errors import StoreError
from router.domain.hubs import Event, Extent, HubEpoch, Partition, Span
from router.domain.notices import RecordEntry
from router.domain.signals import Stream
from router.ingest.event_intake import DEADLY, EventIntake, cut_events
from router.ingest.gaps import GRACE, READ, GapFiller, GapReport, find_taken_until
from router.ingest.intake import Ingested, Intake, Message
from router.store import partitions
from router.store.decisions import find_outcomes
from router.store.partitions import HubPartition, Taken, Try, read_losses
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
    said = [(f"cwpp:0:1:{n}", "routed", f"cwpp/0:{n}") for n in (1, 2)]
    assert [(entry.key, entry.outcome, entry.source) for entry in entries] == said
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
    """Numbers that begin again are not taken for those before, whichever process was there. What is redelivered begins none."""
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


BEFORE = NOW - timedelta(minutes=30)
HOUR = timedelta(hours=1)
SECONDS = timedelta(seconds=30)


@dataclass
class Watch:
    """A store, which takes events of a hub in, and sweeps over a shelf."""

    store: Store

    def ingest(self, events: Sequence[Event], at: datetime = BEFORE, hub: str = "cwpp") -> None:
        """The trigger takes events in."""
        run(self._event_intake("trigger").ingest_events(Partition(hub, "0"), events, at))

    def sweep(self, shelf: Shelf, now: datetime = NOW) -> GapReport:
        return run(GapFiller(shelf, self.store, self._event_intake("sweep")).fill_gaps(now))

    def losses(self) -> list[Span]:
        return [loss.span for loss in run(within(self.store, read_losses, "cwpp"))]

    def on_record(self, shelf: Shelf) -> int:
        """How many events of the shelf have an outcome."""
        keys = [f"{p.hub}:{p.id}:1:{e.sequence}" for p, events in shelf.events.items() for e in events]
        return len(run(within(self.store, find_outcomes, keys)))

    def _event_intake(self, process: str) -> EventIntake:
        intake = Intake(self.store, {Stream.CWPP: a_rulebook()}, Catalogue(), Stream.CWPP)
        return EventIntake(intake, self.store, process)


@pytest.fixture
def watch(sqlite: Store) -> Watch:
    """A watch over an empty store."""
    return Watch(sqlite)


def taken(report: GapReport, prefix: str = "cwpp:0:1:") -> list[int]:
    """The numbers that a sweep took in."""
    assert all(entry.key.startswith(prefix) for entry in report.entries)
    return [int(entry.key.removeprefix(prefix)) for entry in report.entries]


def test_gaps_are_taken_in_again_and_those_that_are_near_are_read_together(watch: Watch) -> None:
    """A batch whose worker died is read again from the hub; what lies between is read too, and not taken in once more."""
    shelf = Shelf()
    events = shelf.publish(READ + 20)
    for first, last in ((0, 3), (5, 8), (10, READ + 15)):
        watch.ingest(events[first:last])
    report = watch.sweep(shelf)
    assert taken(report) == [3, 4, 8, 9, *range(READ + 15, READ + 20)]
    assert shelf.reads == [Span(3, 9), Span(READ + 15, READ + 19)]
    assert (report.losses, watch.losses(), report.lag) == ([], [], {"0": 0})
    assert report.taken_until["0"] == NOW - timedelta(minutes=5)


def test_what_is_young_is_left_to_what_reads_the_hub_and_hides_no_gap(watch: Watch) -> None:
    """The rest of a backlog that is read is a lag and no gap; what the reader passed over longer ago than the grace is one."""
    shelf = Shelf()
    events = shelf.publish(12)
    watch.ingest(events[:2])
    watch.ingest(events[3:5], at=NOW - GRACE + SECONDS)
    report = watch.sweep(shelf)
    assert (taken(report), report.lag) == ([], {"0": 7})
    watch.ingest(events[5:7], at=NOW + SECONDS)
    report = watch.sweep(shelf, NOW + SECONDS)
    assert (taken(report), report.lag) == ([2], {"0": 5})
    assert taken(watch.sweep(shelf, NOW + GRACE + SECONDS)) == [*range(7, 12)]
    now = NOW + 3 * GRACE
    shelf.publish(1, at=now - GRACE + SECONDS)
    assert (taken(watch.sweep(shelf, now)), taken(watch.sweep(shelf, now + SECONDS))) == ([], [12])


def test_what_was_taken_in_by_a_wrong_clock_hides_no_gap(watch: Watch) -> None:
    """What is missing before it is found, and so is what comes after it, an event that the hub dates wrong among them."""
    shelf, wrong = Shelf(), NOW + timedelta(days=400)
    events = [*shelf.publish(5), *shelf.publish(1, at=wrong)]
    watch.ingest(events[:2], at=wrong)
    watch.ingest(events[4:5], at=wrong)
    assert taken(watch.sweep(shelf)) == [2, 3, 5]
    assert watch.sweep(shelf).lag == {"0": 0}


def test_a_first_start_raises_no_alarm_and_skips_nothing(watch: Watch) -> None:
    """What the hub held before the first start is taken in; what it had forgotten by then, and partitions that are added later,
    are no loss."""
    shelf = Shelf(partitions=2)
    shelf.publish(10)
    shelf.trim(7)
    watch.ingest(shelf.events[PLACE][2:])
    report = watch.sweep(shelf)
    assert (taken(report), report.losses, report.warnings, report.lag) == ([7, 8], [], [], {"0": 0, "1": 0})
    shelf.events[Partition("cwpp", "2")] = []
    assert watch.sweep(shelf).losses == []
    shelf.publish(1, partition=2)
    assert taken(watch.sweep(shelf), "cwpp:2:1:") == [0]


def test_what_the_hub_holds_no_longer_is_lost_and_said_once(watch: Watch) -> None:
    """What retention took, also before any sweep, and numbers that the hub never gave. What comes late all the same, from a
    reader that had it in hand, is taken in."""
    shelf = Shelf()
    watch.ingest(shelf.publish(2))
    watch.ingest(shelf.publish(4)[2:])
    shelf.trim(4)
    assert [loss.span for loss in watch.sweep(shelf).losses] == [Span(2, 3)]
    events = shelf.publish(7)
    shelf.trim(9)
    shelf.publish(1, skip=3)
    report = watch.sweep(shelf)
    assert [loss.span for loss in report.losses] == [Span(6, 8), Span(13, 15)]
    assert (taken(report), report.lag) == ([9, 10, 11, 12, 16], {"0": 0})
    assert (watch.sweep(shelf).losses, watch.losses()) == ([], [Span(2, 3), Span(6, 8), Span(13, 15)])
    watch.ingest(events[:3], at=NOW)
    assert len(run(within(watch.store, find_outcomes, [f"cwpp:0:1:{n}" for n in range(17)]))) == 12


def test_a_hub_or_a_partition_that_cannot_be_read_is_no_loss(watch: Watch) -> None:
    """Nothing is declared lost, a warning says so, the other partitions are filled, and the next sweep goes on."""
    shelf = Shelf(partitions=2)
    shelf.publish(1, partition=1)
    shelf.silent = {"0"}
    shelf.publish(READ + 150)
    shelf.is_away = True
    report = watch.sweep(shelf)
    assert (len(report.entries), report.losses, report.warnings) == (0, [], ["hub cwpp: no answer"])
    assert report.find_taken_until() is None
    shelf.is_away = False
    report = watch.sweep(shelf)
    assert (taken(report, "cwpp:1:1:"), report.losses, len(report.warnings)) == ([0], [], 1)
    assert report.find_taken_until() is None
    shelf.silent, shelf.breaks_at = set(), 3
    report = watch.sweep(shelf, NOW + GRACE)
    assert (len(report.entries), report.losses, len(report.warnings)) == (READ, [], 1)
    shelf.breaks_at = None
    report = watch.sweep(shelf, NOW + 2 * GRACE)
    assert (len(report.entries), report.losses, watch.on_record(shelf)) == (150, [], READ + 151)


@pytest.mark.parametrize("is_damaged", [False, True])
@pytest.mark.parametrize("is_seen_first", [False, True])
def test_a_hub_created_anew_begins_a_new_epoch_and_says_what_went_with_the_old_one(
    watch: Watch, is_seen_first: bool, is_damaged: bool
) -> None:
    """Numbers begin again without an alarm; what was known to be missing of the old hub is lost, and nothing of the new one,
    whether the trigger saw that first, by a number that was passed, or took some in after the old one's last number. Where
    the old one began may be damaged."""
    old = Shelf()
    watch.ingest(old.publish(2))
    watch.sweep(old)
    watch.ingest(old.publish(4)[2:])
    if is_damaged:
        run(changed(watch.store, "UPDATE partitions SET begins=2147483647"))
    new = Shelf(created=NOW - timedelta(minutes=5))
    fresh = new.publish(9, at=NOW - timedelta(minutes=4))
    for some in (fresh[:1],) if is_seen_first else (fresh[6:7], fresh[8:]):
        watch.ingest(some, at=NOW - timedelta(minutes=3))
    report = watch.sweep(new)
    assert watch.losses() == [Span(2, 3)]
    assert (len(report.losses), len(report.warnings)) == ((0, 0) if is_seen_first else (1, 1))
    assert taken(report, "cwpp:0:2:") == [*range(is_seen_first, 9)]
    again = watch.sweep(new, NOW + GRACE)
    assert (again.warnings, again.losses, again.entries) == ([], [], [])


@settings(max_examples=some_of(30), suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    st.uuids(),
    st.lists(st.tuples(st.integers(0, 29), st.integers(1, 8)), max_size=8),
    st.lists(st.integers(1, 6), max_size=4),
)
def test_whatever_was_taken_and_wherever_sweeps_break_off_every_event_gets_its_outcome(
    watch: Watch, hub: object, batches: Sequence[tuple[int, int]], breaks: Sequence[int]
) -> None:
    """Batches in any order, overlapping, and sweeps that die half-way: in the end nothing is missing and nothing is lost."""
    shelf = Shelf(name=str(hub))
    events = shelf.publish(30, at=LONG_AGO)
    for first, length in batches:
        watch.ingest(events[first : first + length], hub=shelf.name)
    now = NOW
    for shelf.breaks_at in (*breaks, None):
        shelf.reads = []
        assert watch.sweep(shelf, now).losses == []
        now += GRACE
    assert watch.on_record(shelf) == 30
    assert watch.sweep(shelf, now).entries == []


def ranges(*some: tuple[int, int, int]) -> list[Taken]:
    """What was taken in of numbers that the hub got up to so many hours ago."""
    return [Taken(Span(first, last), NOW - hours * HOUR, NOW, NOW) for first, last, hours in some]


def test_a_partition_is_taken_in_up_to_what_comes_before_the_first_gap() -> None:
    """Or up to now, where nothing is missing; what is lost is no gap; the first event of all may be of any time."""
    whole, two = ranges((0, 12, 1)), ranges((8, 10, 3), (12, 12, 1))
    cases: list[tuple[int, list[Taken], list[Span], int, datetime | None]] = [
        (0, whole, [], 12, NOW),
        (0, whole, [], 13, NOW - HOUR),
        (8, two, [], 12, NOW - 3 * HOUR),
        (8, two, [Span(11, 11)], 12, NOW),
        (8, ranges((9, 12, 3)), [], 12, None),
        (0, [], [], -1, NOW),
    ]
    for begins, some, lost, last, until in cases:
        known, done = HubPartition(HubEpoch(PLACE, 1), NOW, begins), [*(one.span for one in some), *lost]
        assert find_taken_until(known, some, done, Extent(0, last, NOW), NOW) == until
