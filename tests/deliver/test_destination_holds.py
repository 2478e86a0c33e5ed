"""A destination that a person holds is not asked until that ends, and what it is owed then is tried before it may die."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import replace
from datetime import datetime, timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from router.deliver import HoldReader
from router.deliver.destination_holds import FRESH, release_destination
from router.domain.catalogue import Catalogue
from router.domain.changes import ChangeAction, read_changes
from router.domain.decisions import Change
from router.domain.deliveries import DeadLetter, DeliveryState
from router.domain.destination_holds import DestinationHold
from router.domain.documents import DocumentKind
from router.domain.errors import BadUsage, StoreError, Unauthorized, Unavailable
from router.domain.lane_limits import LONGEST, LONGEST_HOLD
from router.domain.rulebook import Lane, Limit
from router.domain.signals import Stream
from router.ingest.intake import Intake
from router.store.dead_letters import list_dead_letters
from router.store.deliveries import add_deliveries
from router.store.destinations import list_pauses
from router.store.documents import list_documents
from router.store.store import Store
from tests.builders import NOW, a_message, alert_body
from tests.deliver.engines import MOST, TICKETS, Engine, Rounds, engine_of_state, from_file, hold, owe
from tests.deliver.scripted import Clock, Held, InBatches, Scripted, sent
from tests.grouping.test_grouping import a_grouping_book
from tests.store.builders import a_delivery
from tests.store.opened import Place
from tests.store.watching import watched
from tests.store.within import within
from tests.waiting import until

SECOND = timedelta(seconds=1)
HOUR = timedelta(hours=1)


@pytest.fixture
def engine(place: Place) -> Iterator[Engine]:
    """An engine with nothing owed."""
    yield from engine_of_state(place)


async def release(store: Store, now: datetime, destination: str = TICKETS) -> DestinationHold | None:
    """Has a person release it."""
    return await release_destination(store, "cwpp", destination, author="ben", reason="it is there", now=now)


@pytest.mark.parametrize(("kind", "lane"), [(Scripted, Lane.TICKET), (InBatches, Lane.ROWS)])
def test_a_held_destination_is_not_asked_and_one_that_is_released_is(
    engine: Engine, kind: type[Scripted], lane: Lane
) -> None:
    """In every lane; the record's second home is a destination of rows. Holding spends no attempt."""
    engine.owe(*(f"k{n}" for n in range(5)), lane=lane)
    destination = kind(sent)
    worker = engine.worker(destination, lane=lane)
    engine.run(hold(engine.store, NOW, lane=lane))
    assert engine.deliver(worker) == []
    assert destination.attempts == []
    engine.run(release(engine.store, NOW + SECOND))
    engine.clock.now += FRESH + SECOND
    assert engine.deliver(worker) == [DeliveryState.SENT] * 5
    assert {attempt.number for attempt in destination.attempts} == {1}


def test_a_hold_ends_when_it_says(engine: Engine) -> None:
    """To the microsecond, and nobody need read it again for that."""
    engine.owe("k0")
    worker = engine.worker(Scripted(sent))
    engine.run(hold(engine.store, NOW))
    engine.clock.now = NOW + 2 * HOUR - timedelta(microseconds=1)
    assert engine.deliver(worker) == []
    engine.clock.now = NOW + 2 * HOUR
    assert engine.deliver(worker) == [DeliveryState.SENT]


def test_a_pager_that_was_held_as_a_ticket_queue_is_held_for_four_hours(engine: Engine) -> None:
    """The lane counts in which it is delivered to now: the rules may have changed since, or were others where it was held."""
    engine.owe("k0", lane=Lane.PAGE)
    engine.holds = HoldReader(engine.store, {("cwpp", TICKETS): Lane.PAGE})
    worker = engine.worker(Scripted(sent), lane=Lane.PAGE)
    engine.run(hold(engine.store, NOW, hours=48, lane=Lane.TICKET))
    engine.clock.now = NOW + 4 * HOUR - timedelta(microseconds=1)
    assert engine.deliver(worker) == []
    engine.clock.now = NOW + 4 * HOUR
    assert engine.deliver(worker) == [DeliveryState.SENT]


def test_a_hold_keeps_no_other_destination_from_being_asked(engine: Engine) -> None:
    """Of either stream: it names both."""
    engine.owe("k0", destination="oncall")
    engine.run(hold(engine.store, NOW))
    worker = engine.worker(Scripted(sent), destination="oncall")
    assert engine.deliver(worker) == [DeliveryState.SENT]
    assert set(engine.run(engine.holds.held_in("cwpp", NOW))) == {TICKETS}
    assert engine.run(engine.holds.held_in("cspm", NOW)) == {}


def test_what_is_in_flight_is_finished_and_what_is_claimed_behind_it_is_put_back(engine: Engine) -> None:
    """A hold touches no send that has begun; the others are owed as if nobody had claimed them."""
    engine.owe(*(f"k{n}" for n in range(6)))
    destination = Held()
    worker = engine.worker(destination, concurrency=2)

    async def delivered() -> None:
        working = asyncio.create_task(worker.deliver_due(lambda: False))
        await until(lambda: destination.waiting == 2)
        await hold(engine.store, NOW)
        engine.clock.now += FRESH + SECOND
        destination.open()
        await working

    engine.run(delivered())
    assert len(destination.keys) == 2
    assert engine.states() == {DeliveryState.SENT: 2, DeliveryState.OWED: 4}
    engine.run(release(engine.store, engine.clock()))
    engine.clock.now += FRESH + SECOND
    later = Scripted(sent)
    engine.deliver(engine.worker(later))
    assert engine.states() == {DeliveryState.SENT: 6}
    assert {attempt.number for attempt in later.attempts} == {1}


class Counted:
    """How often the holds of a store are listed; it can be down."""

    def __init__(self, store: Store) -> None:
        self.store = watched(store, self._look)
        self.listed = 0
        self.is_down = False

    def _look(self, sql: str, values: Sequence[object]) -> None:
        self.listed += 1
        if self.is_down:
            raise StoreError("storage is down")


def test_holds_are_read_at_most_every_fifteen_seconds_however_many_ask(engine: Engine) -> None:
    """All workers of a process ask one reader; where the clock was set back or stands still, they look again as well."""
    documents = Counted(engine.store)
    passed = 0.0
    reader = HoldReader(documents.store, ticks=lambda: passed)

    async def asked(now: datetime) -> int:
        before = documents.listed
        await asyncio.gather(*(reader.held_in(stream, now) for stream in ["cwpp", "cspm"] * 20))
        return documents.listed - before

    times = [NOW, NOW, NOW + FRESH, NOW + FRESH + SECOND, NOW + FRESH]
    assert [engine.run(asked(time)) for time in times] == [1, 0, 0, 1, 1]
    found = []
    for seconds in (15, 1, 15, 15.1):
        passed += seconds
        found.append(engine.run(asked(times[-1])))
    assert found == [0, 1, 0, 1]


def test_where_holds_cannot_be_read_nobody_is_asked(engine: Engine) -> None:
    """What a person holds is not asked because storage was down for a moment."""
    engine.owe("k0", "k1")
    documents = Counted(engine.store)
    documents.is_down = True
    engine.holds = HoldReader(documents.store)
    destination = Scripted(sent)
    worker = engine.worker(destination)
    with pytest.raises(StoreError):
        engine.deliver(worker)
    assert destination.attempts == []
    documents.is_down = False
    assert engine.deliver(worker) == [DeliveryState.SENT] * 2


def test_a_paused_destination_is_not_probed_while_it_is_held(engine: Engine) -> None:
    """Its pause is as it was when it is released, and is probed then."""
    engine.owe("k0")
    engine.deliver(engine.worker(Scripted(lambda _: Unauthorized("401"))))
    (pause,) = engine.run(within(engine.store, list_pauses, "cwpp")).values()
    engine.clock.now += FRESH + SECOND
    engine.run(hold(engine.store, engine.clock()))
    engine.clock.now += HOUR
    worker = engine.worker(destination := Scripted(sent))
    engine.deliver(worker)
    assert destination.attempts == []
    assert engine.run(within(engine.store, list_pauses, "cwpp")) == {TICKETS: pause}
    engine.run(release(engine.store, engine.clock()))
    engine.clock.now += FRESH + SECOND
    assert engine.deliver(worker) == [DeliveryState.SENT]
    assert engine.run(within(engine.store, list_pauses, "cwpp")) == {}


def test_on_release_each_signals_deliveries_go_in_the_order_of_its_turns_or_are_superseded(engine: Engine) -> None:
    """What opened and ended while it was held is told to nobody; what was told of before hears of both in their order."""
    engine.owe("k0")
    engine.deliver(engine.worker(Scripted(sent)))
    engine.clock.now += SECOND
    engine.run(hold(engine.store, engine.clock()))
    later = [
        replace(a_delivery(key="k0", turn=2, change=Change.UPDATED), opened=1),
        replace(a_delivery(key="k0", turn=3, change=Change.RESOLVED), opened=1),
        a_delivery(key="k1"),
        replace(a_delivery(key="k1", turn=2, change=Change.RESOLVED), opened=1),
    ]
    engine.run(within(engine.store, add_deliveries, later, engine.clock()))
    engine.clock.now += 3 * HOUR
    worker = engine.worker(destination := Scripted(sent))
    for _ in range(4):
        engine.deliver(worker)
    told = [(attempt.delivery.key, attempt.delivery.turn) for attempt in destination.attempts]
    assert told == sorted(told)
    assert {key for key, _ in told} == {"k0"}
    assert told[-1] == ("k0", 3)
    assert DeliveryState.OWED not in engine.states()


def test_groups_and_limits_go_on_while_their_destination_is_held(engine: Engine) -> None:
    """What has no room opens when there is some, held or not; what ended meanwhile is told to nobody; then each comes once."""
    intake = Intake(engine.store, {Stream.CWPP: a_grouping_book(None, Limit(1, HOUR / 6))}, Catalogue())

    async def take(id: str, minute: int, status: str = "New") -> None:
        message = a_message(alert_body(id, AlertDisplayName=id, Status=status))
        await intake.ingest([message], NOW + minute * HOUR / 60)

    async def passed() -> None:
        await hold(engine.store, NOW)
        await take("A", 0)
        await take("B", 1)
        await take("A", 2, "Dismissed")
        for minute in (3, 10, 30):
            await intake.admit_waiting(Stream.CWPP, NOW + minute * HOUR / 60)
        await take("C", 40)

    engine.run(passed())
    worker = engine.worker(destination := Scripted(sent))
    engine.clock.now = NOW + HOUR
    assert engine.deliver(worker) == []
    engine.clock.now = NOW + 2 * HOUR
    for _ in range(3):
        engine.deliver(worker)
    told = [attempt.delivery for attempt in destination.attempts]
    assert sorted((one.content.title or "", one.change) for one in told) == [("B", Change.OPENED), ("C", Change.OPENED)]
    assert DeliveryState.OWED not in engine.states()


def test_every_hold_and_every_release_is_on_record(engine: Engine) -> None:
    """Who, what, when, why and until when, in the order of time; a release of what is not held changes nothing."""
    store = engine.store
    assert engine.run(release(store, NOW)) is None
    engine.run(hold(store, NOW))
    engine.run(hold(store, NOW + HOUR))
    engine.run(release(store, NOW + 2 * HOUR))
    assert engine.run(release(store, NOW + 2 * HOUR)) is None
    engine.run(hold(store, NOW + 3 * HOUR))
    changes, undecodable = read_changes(engine.run(within(store, list_documents, DocumentKind.CHANGE)))
    assert [(one.action, one.author, one.at, one.until) for one in changes] == [
        (ChangeAction.ADDED, "ana", NOW, NOW + 2 * HOUR),
        (ChangeAction.EXTENDED, "ana", NOW + HOUR, NOW + 3 * HOUR),
        (ChangeAction.RELEASED, "ben", NOW + 2 * HOUR, NOW + 2 * HOUR),
        (ChangeAction.ADDED, "ana", NOW + 3 * HOUR, NOW + 5 * HOUR),
    ]
    assert undecodable == 0
    assert {(one.id, one.reason) for one in changes} == {
        ("cwpp/tickets", "it is moved"),
        ("cwpp/tickets", "it is there"),
    }


LANES = st.sampled_from([Lane.PAGE, Lane.TICKET])
STEPS = st.lists(
    st.tuples(st.sampled_from(["owe", "hold", "release", "look"]), st.sampled_from([0.1, 0.9, 1, 3.5, 5, 47])),
    min_size=2,
    max_size=14,
)
"""What happens, and how many hours pass before it."""


class NeverAnswers(Scripted):
    """A destination that answers nobody."""

    def __init__(self, lane: Lane) -> None:
        super().__init__(lambda _: Unavailable("no answer"))
        self.lane = lane  # type: ignore[misc]


async def _nothing_dies_while_held(engine: Rounds, lane: Lane, steps: Sequence[tuple[str, float]]) -> None:
    clock, tried = Clock(), dict[str, list[datetime]]()
    born, held_at = dict[str, datetime](), dict[str, datetime]()

    async def looked() -> None:
        before = await dead_in(engine)
        kind = NeverAnswers(lane)
        await engine.round(kind, clock)
        if await HoldReader(engine.store).held_in("cwpp", clock()):
            assert kind.attempts == []
            assert await dead_in(engine) == before
            held_at.update(dict.fromkeys(born.keys() - before, clock()))
        for attempt in kind.attempts:
            tried.setdefault(attempt.delivery.key, []).append(attempt.now)

    for what, hours in [*steps, *[("look", 80)] * 3]:
        clock.now += hours * HOUR
        if what == "owe" and len(born) < MOST:
            (owed,) = await owe(engine, lane, [f"k{len(born)}"], clock())
            born[owed.key] = clock()
        elif what == "hold":
            with suppress(BadUsage):
                await hold(engine.store, clock(), lane=lane, hours=LONGEST_HOLD[lane] / HOUR)
        elif what == "release":
            await release(engine.store, clock())
        await looked()
    assert await dead_in(engine) == set(born) == set(tried)
    for key, times in tried.items():
        assert [time - born[key] >= LONGEST[lane] for time in times] == [False] * (len(times) - 1) + [True]
        assert times[-1] > held_at.get(key, born[key] - SECOND)


async def dead_in(engine: Rounds) -> set[str]:
    """The signals of the dead letters."""
    return {
        letter.delivery.key
        for letter in await within(engine.store, list_dead_letters)
        if isinstance(letter, DeadLetter)
    }


@settings(max_examples=25, deadline=None)
@given(LANES, STEPS)
def test_nothing_dies_of_age_while_it_is_held(lane: Lane, steps: list[tuple[str, float]]) -> None:
    """Whenever it was born, however often its destination is held: each has a try after that, and dies of that at most."""

    async def played() -> None:
        async with from_file() as engine:
            await _nothing_dies_while_held(engine, lane, steps)

    asyncio.run(played())
