"""A destination that a person holds is not asked until that ends; what it is owed then is tried before it may die."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator, Sequence
from datetime import datetime, timedelta

import pytest

from router.deliver.destination_holds import FRESH, ChangeAction, HoldReader, read_changes, release_destination
from router.domain.deliveries import DeliveryState
from router.domain.destination_holds import DestinationHold
from router.domain.documents import DocumentKind
from router.domain.errors import StoreError, Unauthorized
from router.domain.rulebook import Lane
from router.store.destinations import list_pauses
from router.store.documents import list_documents
from router.store.store import Store
from tests.builders import NOW
from tests.deliver.engines import TICKETS, Engine, Held, InBatches, Scripted, engine_of_state, hold, sent
from tests.store.opened import Place
from tests.store.watching import watched
from tests.store.within import within
from tests.waiting import until

SECOND = timedelta(seconds=1)
HOUR = timedelta(hours=1)
INSTANT = timedelta(microseconds=1)


@pytest.fixture
def engine(place: Place) -> Iterator[Engine]:
    """An engine with nothing owed."""
    yield from engine_of_state(place)


async def release(store: Store, now: datetime) -> DestinationHold | None:
    """Has a person release `tickets`."""
    return await release_destination(store, "cwpp", TICKETS, author="ben", reason="it is there", now=now)


@pytest.mark.parametrize(("kind", "lane"), [(Scripted, Lane.TICKET), (InBatches, Lane.ROWS)])
def test_a_held_destination_is_not_asked_and_one_that_is_released_is(
    engine: Engine, kind: type[Scripted], lane: Lane
) -> None:
    """In every lane, and no other destination. Holding spends no attempt."""
    engine.owe(*(f"k{n}" for n in range(5)), lane=lane)
    engine.owe("k0", destination="oncall")
    destination = kind(sent)
    worker = engine.worker(destination, lane=lane)
    engine.run(hold(engine.store, NOW, lane=lane))
    assert engine.deliver(worker) == []
    assert engine.deliver(engine.worker(Scripted(sent), destination="oncall")) == [DeliveryState.SENT]
    assert set(engine.run(engine.holds.held_in("cwpp", NOW))) == {TICKETS}
    assert engine.run(engine.holds.held_in("cspm", NOW)) == {}
    engine.run(release(engine.store, NOW + SECOND))
    engine.clock.now += FRESH + SECOND
    assert engine.deliver(worker) == [DeliveryState.SENT] * 5
    assert [attempt.number for attempt in destination.attempts] == [1] * 5


@pytest.mark.parametrize(("lane", "hours", "ends"), [(Lane.TICKET, 2, 2), (Lane.PAGE, 48, 4)])
def test_a_hold_ends_when_it_says_or_its_lane_does(engine: Engine, lane: Lane, hours: int, ends: int) -> None:
    """To the microsecond. The lane counts in which it is delivered to now: it may have been another one where it was held."""
    engine.owe("k0", lane=lane)
    engine.holds = HoldReader(engine.store, {("cwpp", TICKETS): lane})
    worker = engine.worker(Scripted(sent), lane=lane)
    engine.run(hold(engine.store, NOW, hours=hours, lane=Lane.TICKET))
    engine.clock.now = NOW + ends * HOUR - INSTANT
    assert engine.deliver(worker) == []
    engine.clock.now += INSTANT
    assert engine.deliver(worker) == [DeliveryState.SENT]


def test_what_is_in_flight_is_finished_and_what_is_claimed_behind_it_is_put_back(engine: Engine) -> None:
    """A hold touches no send that has begun; the others are owed as if nobody had claimed them."""
    engine.owe(*(f"k{n}" for n in range(6)))
    destination = Held()

    async def delivered() -> None:
        working = asyncio.create_task(engine.worker(destination, concurrency=2).deliver_due(lambda: False))
        await until(lambda: destination.waiting == 2)
        await hold(engine.store, NOW)
        engine.clock.now += FRESH + SECOND
        destination.open()
        await working

    engine.run(delivered())
    assert engine.states() == {DeliveryState.SENT: 2, DeliveryState.OWED: 4}
    engine.run(release(engine.store, engine.clock()))
    engine.clock.now += FRESH + SECOND
    later = Scripted(sent)
    engine.deliver(engine.worker(later))
    assert [attempt.number for attempt in later.attempts] == [1] * 4


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
    engine.owe("k0")
    documents = Counted(engine.store)
    documents.is_down = True
    engine.holds = HoldReader(documents.store)
    destination = Scripted(sent)
    worker = engine.worker(destination)
    with pytest.raises(StoreError):
        engine.deliver(worker)
    assert destination.attempts == []
    documents.is_down = False
    assert engine.deliver(worker) == [DeliveryState.SENT]


def test_a_paused_destination_is_not_probed_while_it_is_held(engine: Engine) -> None:
    """Its pause is as it was when it is released, and is probed then."""
    engine.owe("k0")
    engine.deliver(engine.worker(Scripted(lambda _: Unauthorized("401"))))
    pauses = engine.run(within(engine.store, list_pauses, "cwpp"))
    engine.clock.now += FRESH + SECOND
    engine.run(hold(engine.store, engine.clock()))
    engine.clock.now += HOUR
    worker = engine.worker(Scripted(sent))
    assert engine.deliver(worker) == []
    assert engine.run(within(engine.store, list_pauses, "cwpp")) == pauses != {}
    engine.run(release(engine.store, engine.clock()))
    engine.clock.now += FRESH + SECOND
    assert engine.deliver(worker) == [DeliveryState.SENT]
    assert engine.run(within(engine.store, list_pauses, "cwpp")) == {}


def test_every_hold_and_every_release_is_on_record(engine: Engine) -> None:
    """Who, what, when, why and until when, in the order of time; a release of what is not held changes nothing."""
    store, hours = engine.store, [NOW + number * HOUR for number in range(6)]
    assert engine.run(release(store, NOW)) is None
    engine.run(hold(store, NOW))
    engine.run(hold(store, hours[1]))
    engine.run(release(store, hours[2]))
    assert engine.run(release(store, hours[2])) is None
    engine.run(hold(store, hours[3]))
    changes, undecodable = read_changes(engine.run(within(store, list_documents, DocumentKind.CHANGE)))
    assert [(one.action, one.author, one.reason, one.at, one.until) for one in changes] == [
        (ChangeAction.ADDED, "ana", "it is moved", NOW, hours[2]),
        (ChangeAction.EXTENDED, "ana", "it is moved", hours[1], hours[3]),
        (ChangeAction.RELEASED, "ben", "it is there", hours[2], hours[2]),
        (ChangeAction.ADDED, "ana", "it is moved", hours[3], hours[5]),
    ]
    assert ({one.id for one in changes}, undecodable) == ({"cwpp/tickets"}, 0)
