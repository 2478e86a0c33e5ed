"""How deliveries leave: each ends sent, owed or dead, and what cannot be tried costs no attempt."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator, Sequence
from dataclasses import replace
from datetime import timedelta

import pytest

from router.deliver import DeliveryLoop
from router.deliver.destination import BUSY, LONGEST_REST
from router.domain.conversation import Conversation, Result
from router.domain.decisions import Change
from router.domain.deliveries import SUSPECT, Attempt, Claim, DeliveryState, Pause, Receipt
from router.domain.errors import Rejected, StoreError, Unauthorized, Unavailable
from router.domain.lane_limits import LEASE
from router.domain.pauses import PROBE
from router.domain.rulebook import Lane
from router.store.dead_letters import list_dead_letters
from router.store.deliveries import add_deliveries
from router.store.destinations import list_pauses, pause_destination
from tests.builders import NOW
from tests.deliver.engines import TICKETS, Engine, engine_of_state
from tests.deliver.scripted import Held, InBatches, Scripted, sent
from tests.destinations.builders import a_notice
from tests.store.builders import a_delivery
from tests.store.opened import Place
from tests.store.within import within
from tests.waiting import PATIENCE, until

SECOND = timedelta(seconds=1)
HOUR = timedelta(hours=1)
MOMENT = timedelta(seconds=10)
"""By no more than that what was refused comes after the probe is due."""


@pytest.fixture
def engine(place: Place) -> Iterator[Engine]:
    """An engine with nothing owed."""
    yield from engine_of_state(place)


def go_on() -> bool:
    """Whether the end was asked for."""
    return False


def a_refusal(wish: float | None = None) -> Unavailable:
    """What a vendor says that is asked too much."""
    return Unavailable("answered 429", retry_after=wish, is_crowded=True)


@pytest.mark.parametrize("kind", [Scripted, InBatches])
def test_everything_that_is_due_is_sent_once(engine: Engine, kind: type[Scripted]) -> None:
    """More deliveries than go side by side, one by one or in batches."""
    engine.owe(*(f"k{n}" for n in range(57)))
    destination = kind(sent)
    worker = engine.worker(destination)
    assert engine.deliver(worker) == [DeliveryState.SENT] * 57
    assert sorted(attempt.delivery.key for attempt in destination.attempts) == sorted(f"k{n}" for n in range(57))
    assert engine.states() == {DeliveryState.SENT: 57}
    assert engine.deliver(worker) == []


def test_a_failed_delivery_is_due_again_and_costs_the_others_nothing(engine: Engine) -> None:
    """Its next attempt is its second, and before it is due it is not tried."""

    def once(attempt: Attempt) -> Result:
        failed = attempt.delivery.key == "k3" and attempt.number == 1
        return Unavailable("503", retry_after=60) if failed else Receipt()

    engine.owe(*(f"k{n}" for n in range(5)))
    destination = Scripted(once)
    worker = engine.worker(destination)
    engine.deliver(worker)
    assert engine.states() == {DeliveryState.SENT: 4, DeliveryState.OWED: 1}
    engine.clock.now += 59 * SECOND
    assert engine.deliver(worker) == []
    engine.clock.now += SECOND
    assert engine.deliver(worker) == [DeliveryState.SENT]
    assert [attempt.number for attempt in destination.attempts] == [1] * 5 + [2]


def test_what_a_destination_refuses_is_dead_and_its_neighbours_are_not(engine: Engine) -> None:
    """One bad delivery costs no other, and neither does a fault of ours."""

    def answer(attempt: Attempt) -> Result:
        if attempt.delivery.key == "k2":
            raise ZeroDivisionError
        return Rejected("400") if attempt.delivery.key == "k1" else Receipt()

    engine.owe("k0", "k1", "k2", "k3")
    engine.deliver(engine.worker(Scripted(answer)))
    assert engine.states() == {DeliveryState.SENT: 2, DeliveryState.DEAD: 2}
    letters = engine.run(within(engine.store, list_dead_letters))
    assert sorted(letter.error for letter in letters) == ["400", "internal: ZeroDivisionError"]


def test_in_a_batch_each_delivery_has_its_own_result(engine: Engine) -> None:
    """One bad row does not cost its neighbours."""
    engine.owe(*(f"k{n}" for n in range(10)), lane=Lane.ROWS)
    kind = InBatches(lambda attempt: Rejected("400") if attempt.delivery.key == "k4" else Receipt())
    engine.deliver(engine.worker(kind, lane=Lane.ROWS))
    assert engine.states() == {DeliveryState.SENT: 9, DeliveryState.DEAD: 1}


def test_rows_leave_many_in_one_send(engine: Engine) -> None:
    """As many as their destination takes at a time."""
    batches: list[int] = []

    class Counted(InBatches):
        def conversation_for(self, attempts: Sequence[Attempt]) -> Conversation:
            batches.append(len(attempts))
            return super().conversation_for(attempts)

    engine.owe(*(f"k{n}" for n in range(200)), lane=Lane.ROWS)
    engine.deliver(engine.worker(Counted(sent), lane=Lane.ROWS))
    assert engine.states() == {DeliveryState.SENT: 200}
    assert max(batches) == InBatches.batch
    assert len(batches) == 200 / InBatches.batch


def test_an_update_is_given_the_receipt_of_its_opening(engine: Engine) -> None:
    """So a ticket is updated by its own number, in the order in which things happened."""
    engine.run(within(engine.store, add_deliveries, [a_delivery(), a_delivery(2, Change.UPDATED)], NOW))
    destination = Scripted(sent)
    worker = engine.worker(destination)
    engine.deliver(worker)
    assert [(attempt.delivery.turn, attempt.opening) for attempt in destination.attempts] == [
        (1, None), (2, Receipt(reference="k")),
    ]  # fmt: skip


def test_what_the_state_knows_beside_a_notice_is_read_anew_for_each_attempt(engine: Engine) -> None:
    """So it is never out of date."""
    answers: Iterator[Result] = iter([Receipt(reference="P1"), Unavailable("503"), Receipt()])
    kind = Scripted(lambda _: next(answers))
    loop = engine.loop({TICKETS: kind, "other": kind})
    for name in (TICKETS, "other"):
        owed = replace(a_delivery(), content=a_notice(), destination=name)
        engine.run(within(engine.store, add_deliveries, [owed], NOW))
        engine.deliver(loop)
    engine.clock.now += HOUR
    engine.deliver(loop)
    assert [[one.reference for one in attempt.background.elsewhere] for attempt in kind.attempts] == [
        [],
        ["P1"],
        ["P1"],
    ]
    assert [attempt.now for attempt in kind.attempts] == [NOW, NOW, NOW + HOUR]


@pytest.mark.parametrize("lane", [Lane.TICKET, Lane.ROWS])
def test_what_falls_due_meanwhile_is_left_to_the_next_pass(engine: Engine, lane: Lane) -> None:
    """A destination that keeps failing keeps nobody from the end."""

    def slow(attempt: Attempt) -> Result:
        engine.clock.now += 30 * SECOND
        return Unavailable("no answer", retry_after=1)

    engine.owe("k0", "k1", "k2", lane=lane)
    destination = Scripted(slow)
    engine.deliver(engine.worker(destination, lane=lane))
    assert len(destination.attempts) == 3
    assert {attempt.number for attempt in destination.attempts} == {1}


# Pauses.


def test_refused_credentials_pause_the_destination_and_one_delivery_probes_it(engine: Engine) -> None:
    """While it is paused nobody is tried; when the probe is due one is; once that gets through all are."""
    answer: list[Result] = [Unauthorized("401")]
    destination = Scripted(lambda attempt: answer[0])
    worker = engine.worker(destination)
    engine.owe(*(f"k{n}" for n in range(30)))
    engine.deliver(worker)
    tried = len(destination.attempts)
    assert 1 <= tried <= 4, "no more than were under way at once"
    assert engine.states() == {DeliveryState.OWED: 30}
    engine.clock.now += PROBE - timedelta(microseconds=1)
    assert engine.deliver(worker) == []
    engine.clock.now += timedelta(microseconds=1) + MOMENT
    assert engine.deliver(worker) == [DeliveryState.OWED]
    assert list(engine.run(within(engine.store, list_pauses, "cwpp"))) == [TICKETS]
    answer[0] = Receipt(reference="T")
    engine.clock.now += PROBE + MOMENT
    engine.deliver(worker)
    assert engine.run(within(engine.store, list_pauses, "cwpp")) == {}
    engine.clock.now += HOUR
    engine.deliver(worker)
    assert engine.states() == {DeliveryState.SENT: 30}
    assert len(destination.attempts) == tried + 1 + 30


def test_what_a_pause_keeps_waiting_spends_no_attempt(engine: Engine) -> None:
    """Also what was claimed when the refusal came: it is put back until the probe."""
    engine.owe(*(f"k{n}" for n in range(30)))
    engine.deliver(engine.worker(Scripted(lambda _: Unauthorized("401")), concurrency=1))
    engine.clock.now += PROBE + MOMENT
    destination = Scripted(sent)
    worker = engine.worker(destination)
    for _ in range(2):
        engine.deliver(worker)
        engine.clock.now += HOUR
    assert engine.states() == {DeliveryState.SENT: 30}
    assert sorted(attempt.number for attempt in destination.attempts) == [1] * 29 + [2]


def test_one_delivery_that_is_refused_for_itself_keeps_no_other_waiting_for_ever(engine: Engine) -> None:
    """Something on the way may dislike what one alert says, and answer 403 to it alone: another one probes."""
    engine.owe(*(f"k{n}" for n in range(10)))
    picky = Scripted(lambda attempt: Unauthorized("403") if attempt.delivery.key == "k0" else sent(attempt))
    worker = engine.worker(picky)
    for _ in range(2):
        engine.deliver(worker)
        engine.clock.now += PROBE
    assert engine.states() == {DeliveryState.SENT: 9, DeliveryState.OWED: 1}


def test_a_probe_that_neither_got_through_nor_was_refused_is_the_only_one(engine: Engine) -> None:
    """A paused destination that answers 503 to its probe stays paused: the rest waits for the next probe."""
    engine.owe(*(f"k{n}" for n in range(10)))
    engine.deliver(engine.worker(Scripted(lambda _: Unauthorized("401"))))
    engine.clock.now += PROBE + MOMENT
    busy = Scripted(lambda _: Unavailable("503"))
    engine.deliver(engine.worker(busy))
    assert len(busy.attempts) == 1
    assert list(engine.run(within(engine.store, list_pauses, "cwpp"))) == [TICKETS]


def test_of_two_workers_one_probes(engine: Engine) -> None:
    """The probe is taken in the outbox, so that a paused destination is asked once and not by everybody."""
    engine.owe(*(f"k{n}" for n in range(10)))
    pause = Pause(stream="cwpp", destination=TICKETS, since=NOW, probe=NOW, error="401")
    engine.run(within(engine.store, pause_destination, pause))
    destination = Held(Unauthorized("401"))

    async def probed() -> None:
        workers = [engine.worker(destination) for _ in range(2)]
        probing = [asyncio.create_task(one.deliver_due(go_on)) for one in workers]
        await until(lambda: sum(not one.done() for one in probing) == destination.waiting == 1)
        destination.open()
        await asyncio.gather(*probing)

    engine.run(probed())
    assert len(destination.keys) == 1


def test_where_nothing_is_due_the_probe_is_left_to_what_is_due_next(engine: Engine) -> None:
    """A look that finds nothing must not cost a paused destination its probe."""
    answer: list[Result] = [Receipt(reference="T")]
    worker = engine.worker(Scripted(lambda attempt: answer[0]))
    pause = Pause(stream="cwpp", destination=TICKETS, since=NOW, probe=NOW + PROBE, error="401")
    engine.run(within(engine.store, pause_destination, pause))
    engine.clock.now += PROBE + MOMENT
    assert engine.deliver(worker) == []
    engine.owe("k1")
    assert engine.deliver(worker) == [DeliveryState.SENT]


def test_what_was_read_of_pauses_by_a_clock_ahead_is_read_again(engine: Engine) -> None:
    """A clock that is set back must not make old news fresh for as long as it was ahead."""
    destination = Scripted(sent)
    worker = engine.worker(destination)
    engine.owe("k0")
    engine.clock.now += timedelta(days=400)
    engine.deliver(worker)
    engine.clock.now = NOW
    engine.owe("k1")
    paused = Pause(stream="cwpp", destination=TICKETS, since=NOW, probe=NOW + PROBE, error="401")
    engine.run(within(engine.store, pause_destination, paused))
    assert engine.deliver(worker) == []
    assert len(destination.attempts) == 1


# How many sends go side by side.


WIDTHS = [4, 1, 1, 2, 3, 4, 4]
"""Sends at a time to a vendor that is asked too much twice, and takes what it is sent from then on."""


def test_a_vendor_that_is_asked_too_much_gets_one_call_at_a_time(engine: Engine) -> None:
    """What it takes then makes it get more again, one more for each round; each worker finds that out for itself, which costs
    the state nothing. What it refused again although it was asked alone ends a pass: the rest comes a little later."""
    vendor = Held()
    assert engine.run(_widths_at(engine, vendor, engine.worker(vendor, concurrency=4))) == WIDTHS


async def _widths_at(engine: Engine, vendor: Held, worker: DeliveryLoop) -> list[int]:
    await within(engine.store, add_deliveries, [a_delivery(key=f"k{n}") for n in range(40)], engine.clock())
    widths = []
    for answer, rounds in ((a_refusal(), WIDTHS[:2]), (Receipt(reference="T1"), WIDTHS[2:])):
        vendor.answer = answer
        delivering = asyncio.create_task(worker.deliver_due(go_on))
        for width in rounds:
            await until(lambda width=width: vendor.waiting == width)  # type: ignore[misc]
            widths.append(vendor.waiting)
            vendor.release()
        if answer == Receipt(reference="T1"):
            vendor.open()
        await until(delivering.done)
        await delivering
        engine.clock.now += BUSY
    return widths


@pytest.mark.parametrize(("wish", "rest"), [(10.0, 10 * SECOND), (3600.0, LONGEST_REST)])
def test_a_vendor_that_wishes_to_be_left_alone_is_for_as_long_as_that(
    engine: Engine, wish: float, rest: timedelta
) -> None:
    """By all deliveries of a worker, which spend no attempt; but for no longer than half a minute, whatever it wishes, since
    it may have meant one delivery. After that it is asked again."""
    vendor = Held(a_refusal(wish))
    vendor.open()
    worker = engine.worker(vendor, concurrency=1)
    engine.owe("refused")
    engine.deliver(worker)
    vendor.answer = Receipt(reference="T1")
    engine.owe("other")
    engine.clock.now += rest - SECOND
    assert engine.deliver(worker) == []
    assert vendor.keys == ["refused"]
    engine.clock.now += SECOND
    engine.deliver(worker)
    assert "other" in vendor.keys
    (settled,) = [(claim, one) for some in engine.settled for claim, one in some if claim.delivery.key == "other"]
    assert (settled[0].number, settled[1].state) == (1, DeliveryState.SENT)


def test_what_is_claimed_when_a_vendor_wishes_to_be_left_alone_is_put_back_until_then(engine: Engine) -> None:
    """It was not sent and spends no attempt; what keeps it waiting is on record."""
    refusing = Scripted(lambda _: a_refusal(10.0))
    engine.owe(*(f"k{n}" for n in range(10)))
    engine.deliver(engine.worker(refusing, concurrency=1))
    assert len(refusing.attempts) == 1
    engine.clock.now += HOUR
    taking = Scripted(sent)
    engine.deliver(engine.worker(taking))
    assert sorted(attempt.number for attempt in taking.attempts) == [1] * 9 + [2]


# What may kill its worker.


def test_a_delivery_that_kills_its_worker_is_dead_after_as_many_claims(engine: Engine) -> None:
    """A claim that nobody settles is lost with its lease; what lost too many is tried alone once more, then given up on."""
    engine.owe("k")
    lost = [claim.lost for _ in range(SUSPECT + 1) for claim in engine.lose()]
    assert lost == list(range(SUSPECT + 1))
    destination = Scripted(sent)
    assert engine.deliver(engine.worker(destination)) == []
    assert (destination.attempts, engine.states()) == ([], {DeliveryState.DEAD: 1})


def test_a_suspect_is_sent_with_nothing_beside_it_in_its_process(engine: Engine) -> None:
    """It waits until what other destinations were sent is settled; meanwhile nothing further is claimed, at none of them."""
    engine.owe("suspect")
    for _ in range(SUSPECT):
        engine.lose()
    engine.owe("beside", destination="other")
    engine.owe("later", destination="third")
    other, third, deadly = Held(), Held(), Held()
    third.open()

    async def delivered() -> None:
        first = asyncio.create_task(engine.worker(other, destination="other").deliver_due(go_on))
        await until(lambda: other.waiting == 1)
        alone = asyncio.create_task(engine.worker(deadly).deliver_due(go_on))
        await until(lambda: engine.isolation.is_reserved)
        after = asyncio.create_task(engine.worker(third, destination="third").deliver_due(go_on))
        assert (deadly.keys, third.keys) == ([], [])
        other.open()
        await until(lambda: deadly.waiting == 1)
        assert (other.waiting, third.keys) == (0, [])
        deadly.open()
        await asyncio.gather(first, alone, after)

    engine.run(delivered())
    assert engine.states() == {DeliveryState.SENT: 1}
    assert (third.keys, engine.states("third")) == (["later"], {DeliveryState.SENT: 1})


def test_of_two_suspects_one_waits_and_is_still_suspected(engine: Engine) -> None:
    """One at a time is tried. The other was claimed at the same time: nothing is tried before it is put back, which spends no
    attempt and clears nobody."""
    engine.owe("k0")
    engine.owe("k1", destination="other")
    for _ in range(SUSPECT):
        engine.lose(TICKETS, "other")
    tried, waits = Held(), Held()
    tried.open()
    waits.open()

    async def delivered() -> None:
        engine.state.late["other"] = asyncio.Event()
        waiting = asyncio.create_task(engine.worker(waits, destination="other").deliver_due(go_on))
        await until(lambda: engine.state.made == 1)
        trying = asyncio.create_task(engine.worker(tried).deliver_due(go_on))
        await until(lambda: engine.isolation.is_reserved)
        assert tried.keys == []
        engine.state.late.pop("other").set()
        await asyncio.gather(trying, waiting)

    engine.run(delivered())
    assert sorted(claim.delivery.key for some in engine.settled for claim, _ in some) == ["k0", "k1"]
    assert (tried.keys, waits.keys, engine.states("other")) == (["k0"], [], {DeliveryState.OWED: 1})
    engine.clock.now += BUSY
    (again,) = engine.lose("other")
    assert (again.lost, again.number) == (SUSPECT, SUSPECT + 1)


# The end of a process.


def test_a_suspect_does_not_wait_for_the_others_until_its_lease_is_over(engine: Engine) -> None:
    """Else another worker would take it for dead of one claim more, while this one has it."""
    engine.owe("deadly")
    for _ in range(SUSPECT):
        engine.lose()
    engine.owe("slow", destination="others")
    slow, hasty = Held(), Held()
    hasty.lease = timedelta(seconds=5)
    others = engine.worker(slow, destination="others")

    async def waited() -> float:
        sending = asyncio.create_task(others.deliver_due(go_on))
        await until(lambda: slow.waiting == 1)
        began = asyncio.get_running_loop().time()
        await engine.worker(hasty).deliver_due(go_on)
        ended = asyncio.get_running_loop().time()
        slow.open()
        await sending
        return ended - began

    assert engine.run(waited()) < hasty.lease.total_seconds()
    assert (hasty.keys, engine.states()) == ([], {DeliveryState.OWED: 1})


def test_at_the_stop_nothing_is_claimed(engine: Engine) -> None:
    """Another worker, or the next run, takes it a little later."""
    destination = Scripted(sent)
    engine.owe("k")
    assert engine.deliver(engine.worker(destination), lambda: True) == []
    assert (destination.attempts, engine.states()) == ([], {DeliveryState.OWED: 1})


@pytest.mark.parametrize("lane", [Lane.TICKET, Lane.ROWS])
def test_what_was_claimed_when_the_stop_came_is_put_back_and_due(engine: Engine, lane: Lane) -> None:
    """It was not sent and spends no attempt; no lease has to run out, and no worker died of it."""
    engine.state.late[TICKETS] = asyncio.Event()
    destination = Scripted(sent)
    engine.owe("k", lane=lane)
    stopped = asyncio.Event()

    async def delivered() -> None:
        delivering = asyncio.create_task(engine.worker(destination, lane=lane).deliver_due(stopped.is_set))
        await until(lambda: engine.state.made == 1)
        stopped.set()
        engine.state.late.pop(TICKETS).set()
        await delivering

    engine.run(delivered())
    assert (destination.attempts, engine.states()) == ([], {DeliveryState.OWED: 1})
    (claim,) = engine.lose()
    assert (claim.number, claim.lost) == (1, 0)


def test_what_is_on_its_way_when_the_stop_comes_is_settled(engine: Engine) -> None:
    """What was acknowledged is never sent again, and what waited behind it is put back."""
    stopped = asyncio.Event()
    destination = Held()
    engine.owe(*(f"k{n}" for n in range(5)))

    async def delivered() -> None:
        delivering = asyncio.create_task(engine.worker(destination, concurrency=2).deliver_due(stopped.is_set))
        await until(lambda: destination.waiting == 2)
        stopped.set()
        destination.open()
        await delivering

    engine.run(delivered())
    assert engine.states() == {DeliveryState.SENT: 2, DeliveryState.OWED: 3}
    assert len(destination.keys) == 2


# Storage that fails.


def test_what_storage_did_not_take_is_written_before_anything_else(engine: Engine) -> None:
    """Who asked is told that storage failed; the destination is not told again what it was told, and each is heard of once."""
    destination = Scripted(sent)
    engine.owe(*(f"k{n}" for n in range(9)))
    worker = engine.worker(destination)
    engine.state.down.add("settle")
    with pytest.raises(StoreError):
        engine.deliver(worker)
    tried = len(destination.attempts)
    assert (tried > 0, engine.settled) == (True, [])
    engine.state.down.add("claim")
    # Its lease is over: whoever claims would send it again.
    engine.clock.now += 2 * LEASE[Lane.TICKET]
    engine.state.down.remove("settle")
    with pytest.raises(StoreError):
        engine.deliver(worker)
    assert engine.states()[DeliveryState.SENT] == tried
    engine.state.down.clear()
    engine.deliver(worker)
    assert engine.states() == {DeliveryState.SENT: 9}
    assert sorted(attempt.delivery.key for attempt in destination.attempts) == sorted(f"k{n}" for n in range(9))
    sent_once = [
        claim.delivery.key for some in engine.settled for claim, one in some if one.state is DeliveryState.SENT
    ]
    assert sorted(sent_once) == sorted(f"k{n}" for n in range(9))


def test_what_is_on_its_way_when_storage_fails_is_finished_and_kept(engine: Engine) -> None:
    """Storage that comes back at the end of the process takes it."""
    destination = Held()
    engine.owe(*(f"k{n}" for n in range(4)))
    worker = engine.worker(destination, concurrency=2)

    async def delivered() -> None:
        delivering = asyncio.create_task(worker.deliver_due(go_on))
        await until(lambda: destination.waiting == 2)
        engine.state.down.add("settle")
        destination.release()
        await until(lambda: engine.state.faults > 0)
        destination.open()
        with pytest.raises(StoreError):
            await delivering

    engine.run(delivered())
    engine.state.down.clear()
    engine.run(worker.write_unwritten())
    assert engine.states()[DeliveryState.SENT] == len(destination.keys) == len(set(destination.keys))


def test_what_was_sent_when_a_call_is_broken_off_is_kept(engine: Engine) -> None:
    """In the midst of its settlement, as a stop does that storage keeps waiting for too long."""
    engine.owe("k0")
    worker = engine.worker(Scripted(sent))
    settling = asyncio.Event()

    async def hang(*_: object) -> None:
        settling.set()
        await asyncio.Event().wait()

    async def broken_off() -> None:
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr("router.deliver.delivery_loop.settle_claims", hang)
            delivering = asyncio.create_task(worker.deliver_due(go_on))
            await settling.wait()
            delivering.cancel()
            await asyncio.wait([delivering])
        await worker.write_unwritten()

    engine.run(broken_off())
    assert engine.states() == {DeliveryState.SENT: 1}


def test_what_waits_to_be_settled_when_a_call_is_broken_off_is_kept(
    engine: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One delivery was answered and another one of the same pass was not."""
    monkeypatch.setattr("router.deliver.delivery_loop.GATHER", PATIENCE)
    held = Held()

    class HalfHeld(Held):
        async def attempt_delivery(self, claims: Sequence[Claim], beside: object = None) -> Sequence[Result]:
            if claims[0].delivery.key == "k0":
                return [Receipt(reference="T1")]
            return await held.attempt_delivery(claims)

    engine.owe("k0", "k1")
    worker = engine.worker(HalfHeld())

    async def broken_off() -> None:
        delivering = asyncio.create_task(worker.deliver_due(go_on))
        await until(lambda: held.waiting == 1)
        delivering.cancel()
        await asyncio.wait([delivering])
        await worker.write_unwritten()

    engine.run(broken_off())
    assert engine.states() == {DeliveryState.SENT: 1, DeliveryState.CLAIMED: 1}


@pytest.mark.parametrize("call", ["claim", "pauses", "settle", "pause"])
def test_a_fault_of_storage_reaches_who_asked(engine: Engine, call: str) -> None:
    """So it is delivered later, and a run says so."""
    engine.owe("k")
    engine.state.down.add(call)
    with pytest.raises(StoreError):
        engine.deliver(engine.worker(Scripted(lambda _: Unauthorized("401"))))
