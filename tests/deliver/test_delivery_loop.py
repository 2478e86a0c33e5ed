"""The loop over a lane: it delivers what is due and what falls due soon, and one destination's trouble is no other's."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from router.deliver import DeliveryLoop, count_due_by_lane
from router.domain.conversation import Result
from router.domain.decisions import Change
from router.domain.deliveries import Attempt, Delivery, DeliveryState, Pause, Receipt
from router.domain.errors import StoreError, Unavailable, Unstorable
from router.domain.pauses import PROBE
from router.domain.rulebook import Lane
from router.store.deliveries import add_deliveries
from router.store.delivery_status import count_deliveries, count_due, list_deliveries
from router.store.destinations import pause_destination, resume_destination
from tests.builders import NOW
from tests.deliver.engines import TICKETS, Engine, engine_of_state
from tests.deliver.scripted import Held, Scripted, sent
from tests.deliver.test_destination_holds import hold
from tests.stack.postgres import Server, Way
from tests.store.builders import a_delivery
from tests.store.opened import Place
from tests.store.watching import watched
from tests.store.within import within
from tests.waiting import PATIENCE, until

SECOND = timedelta(seconds=1)
MINUTE = timedelta(minutes=1)
HOUR = timedelta(hours=1)


@pytest.fixture
def engine(place: Place, monkeypatch: pytest.MonkeyPatch) -> Iterator[Engine]:
    """An engine with nothing owed, whose loops look again at once."""
    monkeypatch.setattr("router.deliver.delivery_loop.LOOK", 0.01)
    monkeypatch.setattr("router.deliver.delivery_loop.IDLE", 0.01)
    yield from engine_of_state(place)


def loop_over(engine: Engine, **kinds: Any) -> DeliveryLoop:
    """A loop over some destinations."""
    return engine.loop(kinds)


def never() -> bool:
    """Whether the end was asked for."""
    return False


def test_what_is_due_at_any_destination_is_delivered(engine: Engine) -> None:
    """Turn after turn, until nothing is due."""
    engine.owe("k0", "k1")
    engine.owe("k0", destination="oncall")
    update = a_delivery(2, Change.UPDATED, key="k0")
    engine.run(within(engine.store, add_deliveries, [update], NOW))
    tickets, pager = Scripted(sent), Scripted(sent)
    loop = loop_over(engine, tickets=tickets, oncall=pager)
    engine.run(loop.deliver_due(never))
    assert engine.states() == {DeliveryState.SENT: 3}
    assert engine.states("oncall") == {DeliveryState.SENT: 1}


def test_a_destination_that_keeps_failing_keeps_what_runs_once_from_no_end(engine: Engine) -> None:
    """What falls due meanwhile is left to the next run."""

    def slow(attempt: Attempt) -> Result:
        engine.clock.now += 30 * SECOND
        return Unavailable("no answer", retry_after=1)

    engine.owe("k0", "k1")
    kind = Scripted(slow)
    engine.run(loop_over(engine, tickets=kind).deliver_due(never))
    assert [attempt.number for attempt in kind.attempts] == [1, 1]


@pytest.mark.parametrize(("wait", "attempts"), [(59.0, 2), (62.0, 1)])
def test_what_falls_due_soon_is_waited_for_and_nothing_else(engine: Engine, wait: float, attempts: int) -> None:
    """The loop ends when nothing is due within the time that it was given."""

    def once(attempt: Attempt) -> Result:
        if attempt.number > 1:
            return Receipt()
        if attempts > 1:
            later()
        return Unavailable("503", retry_after=wait)

    def later() -> None:
        """Time goes on while the loop waits."""
        engine.clock.now += 10 * SECOND
        if len(kind.attempts) < attempts:
            asyncio.get_running_loop().call_later(0.05, later)

    engine.owe("k0")
    kind = Scripted(once)
    assert engine.run(loop_over(engine, tickets=kind).deliver_on(never, MINUTE)) is False
    assert len(kind.attempts) == attempts


def test_what_comes_while_it_waits_or_another_hangs_is_delivered_at_once(
    engine: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A destination that hangs keeps its own waiting, and no other's; a second call has the first one look."""
    monkeypatch.setattr("router.deliver.delivery_loop.LOOK", PATIENCE)
    hung, pager = Held(), Scripted(sent)
    engine.owe("k0")
    loop = loop_over(engine, tickets=hung, oncall=pager)

    async def delivered() -> None:
        running = asyncio.create_task(loop.deliver_on(never, MINUTE))
        await until(lambda: hung.waiting == 1)
        await within(engine.store, add_deliveries, [oncall("k1")], NOW)
        assert await loop.deliver_on(never, MINUTE) is False
        assert not running.done()
        await until(lambda: len(pager.attempts) == 1)
        hung.open()
        assert await running is False

    engine.run(delivered())
    assert hung.keys == ["k0"]


def oncall(key: str) -> Delivery:
    """An opening that is owed to the pager."""
    return replace(a_delivery(key=key), destination="oncall")


def test_at_the_end_what_is_on_its_way_is_finished_and_the_rest_is_due(engine: Engine) -> None:
    """It says that there is more to do."""
    held, is_over = Held(), asyncio.Event()
    engine.owe("k0", "k1", "k2")
    loop = engine.worker(held, concurrency=1)

    async def delivered() -> bool:
        running = asyncio.create_task(loop.deliver_on(is_over.is_set, MINUTE))
        await until(lambda: held.waiting == 1)
        is_over.set()
        held.open()
        return await running

    assert engine.run(delivered()) is True
    assert engine.states() == {DeliveryState.SENT: 1, DeliveryState.OWED: 2}
    assert [(claim.number, claim.lost) for claim in engine.lose()] == [(1, 0)] * 2


def test_without_a_time_it_goes_on_until_the_end(engine: Engine) -> None:
    """As `serve` does, also while nothing is owed."""
    is_over = asyncio.Event()
    kind = Scripted(sent)
    loop = loop_over(engine, tickets=kind)

    async def delivered() -> None:
        running = asyncio.create_task(loop.deliver_on(is_over.is_set))
        await until(lambda: engine.state.seen["first_due"] > 1)
        await within(engine.store, add_deliveries, [a_delivery()], NOW)
        await until(lambda: len(kind.attempts) == 1)
        is_over.set()
        await running

    engine.run(delivered())


@pytest.mark.parametrize("call", ["claim", "first_due", "settle"])
def test_a_fault_of_the_state_is_raised_when_what_is_on_its_way_is_finished(engine: Engine, call: str) -> None:
    """And what the state did not take of it is written down by the next call, whatever is due then."""
    hung, kind = Held(), Scripted(sent)
    engine.owe("k0")
    loop = loop_over(engine, oncall=hung, tickets=kind)

    async def delivered() -> None:
        await within(engine.store, add_deliveries, [oncall("k1")], NOW)
        running = asyncio.create_task(loop.deliver_on(never, MINUTE))
        await until(lambda: hung.waiting == 1)
        engine.state.down.add(call)
        await within(engine.store, add_deliveries, [a_delivery(key="k2")], NOW)
        await until(lambda: engine.state.faults > 0 or call == "settle")
        assert not running.done()
        hung.open()
        with pytest.raises(StoreError):
            await running
        engine.state.down.clear()
        await loop.deliver_due(never)
        assert ("oncall", DeliveryState.SENT) in await within(engine.store, count_deliveries, "cwpp")
        engine.clock.now += HOUR
        await loop.deliver_due(never)

    engine.run(delivered())
    assert engine.states() == {DeliveryState.SENT: 2}
    assert engine.states("oncall") == {DeliveryState.SENT: 1}
    assert (hung.keys, sorted(attempt.delivery.key for attempt in kind.attempts)) == (["k1"], ["k0", "k2"])


def test_what_was_answered_is_written_down_though_nothing_can_be_claimed(engine: Engine) -> None:
    """Both are one transaction, and only one of them may be at fault."""

    def last(attempt: Attempt) -> Result:
        engine.state.down.add("claim")
        return sent(attempt)

    engine.owe("k0", "k1")
    with pytest.raises(StoreError):
        engine.run(engine.worker(Scripted(last), concurrency=1).deliver_due(never))
    assert engine.states() == {DeliveryState.SENT: 1, DeliveryState.OWED: 1}


def test_an_answer_that_the_engine_refuses_is_left_out_and_keeps_no_other_waiting(engine: Engine) -> None:
    """What became of its delivery is kept."""

    def refuse(sql: str, values: Sequence[Any]) -> None:
        if "receipt=coalesce" in sql and any(b"k1" in value for row in values for value in row if type(value) is bytes):
            raise Unstorable("a text is too long")

    engine.faulty_store = watched(engine.store, refuse)
    engine.owe("k0", "k1", "k2")
    engine.run(engine.worker(Scripted(sent)).deliver_due(never))
    assert engine.states() == {DeliveryState.SENT: 3}
    receipts = [engine.run(within(engine.store, list_deliveries, key))[0].receipt for key in ("k0", "k1", "k2")]
    assert receipts == [Receipt(reference="k0"), None, Receipt(reference="k2")]


def test_a_message_alone_takes_two_round_trips_and_each_round_of_many_one(postgres: Server, database: str) -> None:
    """What was answered, what is claimed next and what is due after it travel together."""
    counted = []
    with Way(postgres.url) as way:
        for engine in engine_of_state(way.to(database)):
            engine.faulty_store = engine.store
            loop = engine.worker(Scripted(sent), concurrency=3)
            for keys in (["warm"], ["k0"], [f"m{number}" for number in range(12)]):
                engine.owe(*keys)
                before = way.trips
                engine.run(loop.deliver_due(never))
                counted.append(way.trips - before)
            assert engine.states() == {DeliveryState.SENT: 14}
    # Two more find that nothing is left to claim, and when something is.
    assert counted[1:] == [2, 12 // 3 + 2]


def test_what_is_paused_held_or_rests_is_not_asked_before_that_is_over(engine: Engine) -> None:
    """Nor does it keep the loop going, unless that is over soon."""
    engine.owe("k0")
    kind = Scripted(sent)
    loop = loop_over(engine, tickets=kind)
    pause = Pause(stream="cwpp", destination=TICKETS, since=NOW, probe=NOW + PROBE, error="401")
    engine.run(within(engine.store, pause_destination, pause))
    assert engine.run(loop.deliver_on(never, MINUTE)) is False
    engine.run(within(engine.store, resume_destination, "cwpp", TICKETS))
    engine.clock.now += MINUTE
    engine.run(hold(engine.store, engine.clock()))
    assert engine.run(loop.deliver_on(never, MINUTE)) is False
    assert kind.attempts == []
    engine.clock.now += 2 * HOUR
    engine.run(loop.deliver_on(never, MINUTE))
    assert len(kind.attempts) == 1


def test_what_is_due_is_counted_where_it_may_be_delivered_now(engine: Engine) -> None:
    """By lane, and of a destination no more than is asked for; what is paused or held waits for its own time."""
    engine.owe(*(f"k{number}" for number in range(5)), lane=Lane.PAGE)
    engine.owe("k0", "k1", destination="other")
    engine.owe("k0", destination="third")
    page = loop_over(engine, tickets=Scripted(sent))
    ticket = loop_over(engine, other=Scripted(sent), third=Scripted(sent))
    loops = {Lane.PAGE: page, Lane.TICKET: ticket}

    def counted() -> Mapping[Lane, int]:
        due: Mapping[Lane, int] = engine.run(
            count_due_by_lane("cwpp", loops, engine.store, engine.holds, engine.clock())
        )
        return due

    assert counted() == {Lane.PAGE: 5, Lane.TICKET: 3}
    pause = Pause(stream="cwpp", destination="third", since=NOW, probe=NOW + PROBE, error="401")
    engine.run(within(engine.store, pause_destination, pause))
    assert counted() == {Lane.PAGE: 5, Lane.TICKET: 2}
    engine.run(hold(engine.store, NOW, destination="other"))
    engine.clock.now += MINUTE
    assert counted() == {Lane.PAGE: 5, Lane.TICKET: 0}
    engine.clock.now = NOW - SECOND
    assert engine.run(within(engine.store, count_due, "cwpp", [TICKETS], engine.clock(), 10)) == {}
    assert engine.run(within(engine.store, count_due, "cwpp", [TICKETS], NOW, 3)) == {TICKETS: 3}
