"""How deliveries leave: each ends sent, owed or dead, and no destination's trouble is another's."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Callable, Coroutine, Iterator, Mapping, Sequence
from copy import replace
from datetime import datetime, timedelta
from functools import partial
from itertools import groupby
from pathlib import Path
from typing import Any, NoReturn

import pytest

from router.app.service import count_due_by_lane
from router.deliver.delivery_loop import DeliveryLoop
from router.deliver.destination import BUSY, LONGEST_REST, ROUNDS
from router.domain.conversation import AppendLines, Conversation, Result
from router.domain.decisions import Change
from router.domain.deliveries import LEASE, SUSPECT, Attempt, Claim, Delivery, DeliveryState, Pause, Receipt
from router.domain.errors import Rejected, StoreError, Unauthorized, Unavailable, Unstorable
from router.domain.rulebook import Lane
from router.store.dead_letters import list_dead_letters
from router.store.deliveries import add_deliveries
from router.store.delivery_status import list_deliveries
from router.store.destinations import PROBE, list_pauses, pause_destination
from tests.builders import NOW
from tests.deliver.engines import TICKETS, Engine, Held, InBatches, Scripted, engine_of_state, hold, sent
from tests.destinations.builders import a_notice
from tests.stack.postgres import Server, Way
from tests.store.acts import HOUR, MINUTE, SECOND
from tests.store.builders import a_delivery
from tests.store.opened import Place
from tests.store.watching import watched
from tests.store.within import within
from tests.waiting import PATIENCE, until

MOMENT = timedelta(seconds=10)
"""By no more than that what was refused comes after the probe is due."""

SENT, OWED, DEAD = DeliveryState.SENT, DeliveryState.OWED, DeliveryState.DEAD
LOOP = "router.deliver.delivery_loop"


@pytest.fixture
def engine(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Iterator[Engine]:
    """An engine with nothing owed, whose loops look again at once; over each kind of store where a test asks for `place`."""
    place: Place = request.getfixturevalue("place" if "place" in request.fixturenames else "tmp_path")
    monkeypatch.setattr(f"{LOOP}.LOOK", 0.01)
    monkeypatch.setattr(f"{LOOP}.IDLE", 0.01)
    yield from engine_of_state(place)


def go_on() -> bool:
    """Whether the end was asked for."""
    return False


def add(engine: Engine, *deliveries: Delivery) -> Coroutine[Any, Any, None]:
    """Owes deliveries."""
    return within(engine.store, add_deliveries, deliveries, engine.clock())


def paused(engine: Engine, probe: timedelta = PROBE, destination: str = TICKETS) -> None:
    """Has a destination refuse our credentials."""
    pause = Pause(stream="cwpp", destination=destination, since=NOW, probe=NOW + probe, error="401")
    engine.ask(pause_destination, pause)


def pauses(engine: Engine) -> list[str]:
    """The destinations that are paused."""
    return list(engine.ask(list_pauses, "cwpp"))


def settled(engine: Engine, state: DeliveryState = SENT) -> list[str]:
    """The keys of what was settled so, as often as it was."""
    return sorted(one.delivery.key for some in engine.settled for one in some if one.state is state)


@pytest.mark.usefixtures("place")
@pytest.mark.parametrize("kind", [Scripted, InBatches])
def test_everything_that_is_due_is_sent_once(engine: Engine, kind: type[Scripted]) -> None:
    """More than goes side by side, one by one or as many in one send as the destination takes; an update behind its opening."""
    engine.owe(*(f"k{n}" for n in range(57)))
    destination = kind(sent)
    worker = engine.worker(destination)
    assert engine.deliver(worker) == [SENT] * 57
    assert settled(engine) == sorted(f"k{n}" for n in range(57))
    assert (max(destination.sends), len(destination.sends)) == (kind.batch, -(-57 // kind.batch))
    engine.run(add(engine, a_delivery(2, Change.UPDATED, key="k0"), a_delivery(2, Change.UPDATED, key="new")))
    assert engine.deliver(worker) == [SENT] * 2
    openings = {attempt.delivery.key: attempt.opening for attempt in destination.attempts[57:]}
    assert openings == {"k0": Receipt(reference="k0"), "new": None}
    # Of many that have something behind them none is left claimed until its lease is over.
    turns = ((1, Change.OPENED), (2, Change.UPDATED))
    engine.run(add(engine, *(a_delivery(*turn, key=f"two-{n}") for n in range(60) for turn in turns)))
    assert engine.deliver(engine.worker(Scripted(sent), concurrency=60)) == [SENT] * 120


@pytest.mark.parametrize("kind", [Scripted, InBatches])
def test_what_a_destination_refuses_is_dead_and_its_neighbours_are_not(engine: Engine, kind: type[Scripted]) -> None:
    """One bad delivery costs no other, in one send or in several, and neither does a fault of ours."""

    def answer(attempt: Attempt) -> Result:
        if attempt.delivery.key == "fault":
            raise ZeroDivisionError
        return Rejected("400") if attempt.delivery.key == "bad" else Receipt()

    keys = ("k0", "bad", "fault", "k2") if kind is Scripted else ("k0", "bad", "k2")
    engine.owe(*keys)
    engine.deliver(engine.worker(kind(answer)))
    errors = [letter.error for letter in engine.ask(list_dead_letters)]
    assert (engine.states()[SENT], sorted(errors)) == (2, ["400", "internal: ZeroDivisionError"][: len(keys) - 2])


def test_lines_are_appended_to_a_file_and_its_troubles_are_retried(engine: Engine, tmp_path: Path) -> None:
    """A file that cannot be written now may be written later, and so may a pipe that nothing reads."""
    lines = tmp_path / "lines"

    class Filing(Scripted):
        def conversation_for(self, attempts: Sequence[Attempt]) -> Conversation:
            yield AppendLines(path=str(lines / attempts[0].delivery.key / "out.ndjson"), lines=b"{}\n")
            return [Receipt()]

    lines.mkdir()
    (lines / "k1").write_text("a file where a directory should be")
    (lines / "k2").mkdir()
    os.mkfifo(lines / "k2" / "out.ndjson")
    engine.owe("k0", "k1", "k2")
    engine.deliver(engine.worker(Filing(sent)))
    assert (settled(engine), settled(engine, OWED)) == (["k0"], ["k1", "k2"])
    assert (lines / "k0" / "out.ndjson").read_bytes() == b"{}\n"


def test_what_the_state_knows_beside_a_notice_is_read_anew_for_each_attempt(engine: Engine) -> None:
    """So it is never out of date."""
    answers: Iterator[Result] = iter([Receipt(reference="P1"), Unavailable("503"), Receipt()])
    kind = Scripted(lambda _: next(answers))
    loop = engine.loop({TICKETS: kind, "other": kind})
    for name in (TICKETS, "other"):
        engine.run(add(engine, replace(a_delivery(), content=a_notice(), destination=name)))
        engine.deliver(loop)
    engine.clock.now += HOUR
    engine.deliver(loop)
    told = [([one.reference for one in attempt.background.elsewhere], attempt.now) for attempt in kind.attempts]
    assert told == [([], NOW), (["P1"], NOW), (["P1"], NOW + HOUR)]


def test_what_falls_due_meanwhile_is_left_to_the_next_pass(engine: Engine) -> None:
    """A destination that keeps failing keeps nobody from the end."""

    def slow(attempt: Attempt) -> Result:
        engine.clock.now += 30 * SECOND
        return Unavailable("no answer", retry_after=1)

    engine.owe("k0", "k1", "k2")
    destination = Scripted(slow)
    engine.deliver(engine.worker(destination))
    assert [attempt.number for attempt in destination.attempts] == [1, 1, 1]


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
    assert engine.run(engine.worker(kind).deliver_on(go_on, MINUTE)) is False
    assert len(kind.attempts) == attempts


def test_what_comes_while_another_hangs_is_delivered_at_once(engine: Engine, monkeypatch: pytest.MonkeyPatch) -> None:
    """A destination that hangs keeps its own waiting, and no other's; a second call has the first one look."""
    monkeypatch.setattr(f"{LOOP}.LOOK", PATIENCE)
    hung, pager = Held(), Scripted(sent)
    engine.owe("k0")
    loop = engine.loop({TICKETS: hung, "oncall": pager})

    async def delivered() -> None:
        running = asyncio.create_task(loop.deliver_on(go_on, MINUTE))
        await until(lambda: hung.waiting == 1)
        await add(engine, replace(a_delivery(key="k1"), destination="oncall"))
        assert await loop.deliver_on(go_on, MINUTE) is False
        assert not running.done()
        await until(lambda: len(pager.attempts) == 1)
        hung.open()
        assert await running is False

    engine.run(delivered())
    assert hung.keys == ["k0"]


def test_one_that_is_always_due_keeps_no_other_from_its_retry(engine: Engine, monkeypatch: pytest.MonkeyPatch) -> None:
    """A flood of tickets goes on for as long as it takes."""
    monkeypatch.setattr(f"{LOOP}.LOOK", 0.0)
    order: list[str] = []

    def answered(attempt: Attempt) -> Result:
        order.append(attempt.delivery.destination)
        engine.clock.now += MINUTE
        return Unavailable("503") if order.count("oncall") == 1 and order[-1] == "oncall" else Receipt()

    engine.owe(*(f"k{n}" for n in range(20)))
    engine.owe("k0", destination="oncall")
    kind = Scripted(answered)
    engine.run(engine.loop({TICKETS: kind, "oncall": kind}, concurrency=1).deliver_on(go_on, MINUTE))
    assert order.count("oncall") == 2
    assert "oncall" in order[2:8]


def test_without_a_time_it_goes_on_until_the_end(engine: Engine) -> None:
    """As `serve` does, also while nothing is owed or a destination hangs; what others owe meanwhile is looked for."""
    is_over = asyncio.Event()
    answers: Iterator[Result] = iter([Unavailable("503", retry_after=3600), Receipt()])
    hung, kind = Held(), Scripted(lambda _: next(answers))
    loop = engine.loop({TICKETS: kind, "hung": hung})

    async def delivered() -> None:
        running = asyncio.create_task(loop.deliver_on(is_over.is_set))
        await until(lambda: engine.state.seen["first_due"] > 1)
        await add(engine, a_delivery(key="later"), replace(a_delivery(), destination="hung"))
        await until(lambda: hung.waiting == len(engine.settled) == 1)
        await add(engine, a_delivery(key="now"))
        await until(lambda: len(kind.attempts) == 2)
        is_over.set()
        hung.open()
        await running

    engine.run(delivered())


@pytest.mark.usefixtures("place")
def test_what_is_due_is_counted_where_it_may_be_delivered_now(engine: Engine) -> None:
    """By lane; what is paused or held waits for its own time."""
    engine.owe(*(f"k{number}" for number in range(5)), lane=Lane.PAGE)
    engine.owe("k0", "k1", destination="other")
    engine.owe("k0", destination="third")
    loops = {Lane.PAGE: engine.worker(Held()), Lane.TICKET: engine.loop({"other": Held(), "third": Held()})}

    def counted() -> Mapping[Lane, int]:
        found = count_due_by_lane("cwpp", loops, engine.store, engine.holds, engine.clock())
        return engine.run(found)  # type: ignore[no-any-return]

    assert counted() == {Lane.PAGE: 5, Lane.TICKET: 3}
    paused(engine, destination="third")
    assert counted() == {Lane.PAGE: 5, Lane.TICKET: 2}
    engine.run(hold(engine.store, NOW, destination="other"))
    engine.clock.now += MINUTE
    assert counted() == {Lane.PAGE: 5, Lane.TICKET: 0}


# Pauses.


@pytest.mark.usefixtures("place")
def test_refused_credentials_pause_the_destination_and_one_delivery_probes_it(engine: Engine) -> None:
    """Nothing else is tried while it is paused, and what waits spends no attempt; once the probe gets through all are sent."""
    answer: list[Result] = [Unauthorized("401")]
    destination = Scripted(lambda attempt: answer[0])
    worker = engine.worker(destination)
    engine.owe(*(f"k{n}" for n in range(30)))
    engine.deliver(worker)
    tried = len(destination.attempts)
    assert 1 <= tried <= 4, "no more than were under way at once"
    assert engine.states() == {OWED: 30}
    engine.clock.now += PROBE - timedelta(microseconds=1)
    assert engine.deliver(worker) == []
    engine.clock.now += timedelta(microseconds=1) + MOMENT
    assert engine.deliver(worker) == [OWED]
    assert pauses(engine) == [TICKETS]
    answer[0] = Receipt(reference="T")
    engine.clock.now += PROBE + MOMENT
    engine.deliver(worker)
    assert pauses(engine) == []
    engine.clock.now += PROBE + MOMENT
    engine.deliver(worker)
    assert engine.states() == {SENT: 30}
    assert len(destination.attempts) == tried + 1 + 30
    made = sorted((attempt.delivery.key, attempt.number) for attempt in destination.attempts)
    for _, some in groupby(made, key=lambda it: it[0]):
        assert [number for _, number in some] in ([1], [1, 2], [1, 2, 3])


def test_one_delivery_that_is_refused_for_itself_keeps_no_other_waiting_for_ever(engine: Engine) -> None:
    """Something on the way may dislike what one alert says, and answer 403 to it alone: another one probes. A look that finds
    nothing due leaves the probe to what is due next."""
    engine.owe(*(f"k{n}" for n in range(10)))
    picky = Scripted(lambda attempt: Unauthorized("403") if attempt.delivery.key == "k0" else sent(attempt))
    worker = engine.worker(picky)
    for _ in range(2):
        engine.deliver(worker)
        engine.clock.now += PROBE
    assert engine.states() == {SENT: 9, OWED: 1}
    idle = engine.worker(Scripted(sent), destination="idle")
    paused(engine, destination="idle")
    engine.clock.now += PROBE + MOMENT
    assert engine.deliver(idle) == []
    engine.owe("k1", destination="idle")
    assert engine.deliver(idle) == [SENT]


@pytest.mark.usefixtures("place")
def test_of_two_workers_one_probes(engine: Engine) -> None:
    """The probe is taken in the outbox, so that a paused destination is asked once and not by everybody."""
    engine.owe(*(f"k{n}" for n in range(10)))
    paused(engine, timedelta())
    destination = Held(Unauthorized("401"))

    async def probed() -> None:
        probing = [asyncio.create_task(engine.worker(destination).deliver_due(go_on)) for _ in range(2)]
        await until(lambda: sum(not one.done() for one in probing) == destination.waiting == 1)
        destination.open()
        await asyncio.gather(*probing)

    engine.run(probed())
    assert len(destination.keys) == 1


# How many sends go side by side.


WIDTHS = ((Unavailable("429", is_crowded=True), [4, 1]), (Receipt(reference="T1"), [1, 2, 3, 4, 4]))
"""Sends at a time to a vendor that is asked too much twice, and takes what it is sent from then on."""


def test_a_vendor_that_is_asked_too_much_gets_one_call_at_a_time(engine: Engine) -> None:
    """What it takes then makes it get one more for each round. What it refused though it was asked alone ends a pass."""
    vendor = Held()
    worker = engine.worker(vendor, concurrency=4)
    engine.owe(*(f"k{n}" for n in range(40)))

    async def delivered(widths: Sequence[int]) -> None:
        delivering = asyncio.create_task(worker.deliver_due(go_on))
        for width in widths:
            await until(partial(lambda width: vendor.waiting == width, width))
            vendor.release()
        if isinstance(vendor.answer, Receipt):
            vendor.open()
        await delivering

    for vendor.answer, widths in WIDTHS:
        engine.run(delivered(widths))
        engine.clock.now += BUSY


def test_a_vendor_that_wishes_to_be_left_alone_is_for_as_long_as_that(engine: Engine) -> None:
    """By all deliveries of a worker, which spend no attempt; but for half a minute at most, since it may have meant one."""
    for name, wish, rest in (("short", 10.0, 10 * SECOND), ("long", 3600.0, LONGEST_REST)):
        vendor = Held(Unavailable("429", retry_after=wish, is_crowded=True))
        vendor.open()
        worker = engine.worker(vendor, concurrency=1, destination=name)
        engine.owe("refused", "claimed", destination=name)
        engine.deliver(worker)
        assert len(vendor.keys) == 1
        vendor.answer = Receipt(reference="T1")
        engine.owe("other", destination=name)
        engine.clock.now += rest - SECOND
        assert engine.deliver(worker) == []
        engine.clock.now += SECOND
        engine.deliver(worker)
        assert "other" in settled(engine)
        engine.clock.now += HOUR
        engine.deliver(worker)
        some = [one.claim for those in engine.settled for one in those if one.state is SENT]
        assert sorted(one.number for one in some if one.delivery.destination == name) == [1, 1, 2]


# What may kill its worker.


def suspected(engine: Engine, **destinations: str) -> None:
    """Owes a delivery to each of some destinations, and has workers die of it."""
    for name, key in destinations.items():
        engine.owe(key, destination=name)
    for _ in range(SUSPECT):
        engine.lose(*destinations)


def test_a_suspect_is_sent_with_nothing_beside_it_in_its_process(engine: Engine) -> None:
    """It waits until what other destinations were sent is settled; meanwhile nothing further is claimed, at none of them."""
    suspected(engine, tickets="suspect")
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
    assert engine.states() == engine.states("third") == {SENT: 1}


def test_a_suspect_waits_for_what_is_claimed_ahead_of_it_and_nothing_waits_for_the_suspect(engine: Engine) -> None:
    """Where one is sent at a time, what came later would else wait for the permit of a suspect that waits for that."""
    suspected(engine, tickets="suspect")
    engine.owe("k0", "k1")
    held = Held()

    async def delivered() -> None:
        worker = engine.worker(held, concurrency=1)
        delivering = asyncio.create_task(worker.deliver_due(go_on))
        await until(lambda: held.keys == ["k0"])
        held.release()
        await until(lambda: engine.isolation.is_reserved)
        await add(engine, a_delivery(key="later"))
        worker.look_again()
        held.open()
        await delivering

    engine.run(delivered())
    assert held.keys == ["k0", "k1", "suspect", "later"]


def test_of_two_suspects_one_waits_and_is_still_suspected(engine: Engine) -> None:
    """The other was claimed at the same time, and is put back, which spends no attempt and clears nobody."""
    suspected(engine, tickets="k0", other="k1")
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
    assert (tried.keys, waits.keys, engine.states("other")) == (["k0"], [], {OWED: 1})
    engine.clock.now += BUSY
    (again,) = engine.lose("other")
    assert (again.lost, again.number) == (SUSPECT, SUSPECT + 1)


def test_a_suspect_does_not_wait_for_the_others_until_its_lease_is_over(engine: Engine) -> None:
    """Else another worker would take it for dead of one claim more, while this one has it."""
    suspected(engine, tickets="deadly")
    engine.owe("slow", destination="others")
    slow, hasty = Held(), Held()
    hasty.lease = timedelta(seconds=5)

    async def waited() -> float:
        sending = asyncio.create_task(engine.worker(slow, destination="others").deliver_due(go_on))
        await until(lambda: slow.waiting == 1)
        began = asyncio.get_running_loop().time()
        await engine.worker(hasty).deliver_due(go_on)
        ended = asyncio.get_running_loop().time()
        slow.open()
        await sending
        return ended - began

    assert engine.run(waited()) < hasty.lease.total_seconds()
    assert (hasty.keys, engine.states()) == ([], {OWED: 1})


async def claimed_late(
    engine: Engine, worker: DeliveryLoop, happens: Callable[[], object], is_ended: Callable[[], bool] = go_on
) -> None:
    """Delivers; something happens between a claim that the state made and its answer."""
    engine.state.late[TICKETS] = asyncio.Event()
    made = engine.state.made
    delivering = asyncio.create_task(worker.deliver_due(is_ended))
    await until(lambda: engine.state.made > made)
    happens()
    engine.state.late.pop(TICKETS).set()
    await delivering


def test_what_is_claimed_too_late_or_when_the_stop_came_is_put_back_and_due(engine: Engine) -> None:
    """Another worker would send it beside this one. It spends no attempt, and no worker died of it. After the stop nothing is
    claimed."""

    def goes_by() -> None:
        engine.clock.now += LEASE[Lane.TICKET] - MINUTE

    kind, stopped = Scripted(sent), asyncio.Event()
    engine.owe("k")
    worker = engine.worker(kind)
    engine.run(claimed_late(engine, worker, goes_by))
    assert (kind.attempts, engine.states()) == ([], {OWED: 1})
    engine.clock.now += BUSY
    engine.run(claimed_late(engine, worker, stopped.set, stopped.is_set))
    assert engine.deliver(worker, stopped.is_set) == []
    assert (kind.attempts, engine.states()) == ([], {OWED: 1})
    assert [(claim.number, claim.lost) for claim in engine.lose()] == [(1, 0)]


@pytest.mark.parametrize(("lasts", "claimed"), [(timedelta(), 2 * ROUNDS), (SECOND, 2)])
def test_at_the_end_what_is_on_its_way_is_finished_and_the_rest_is_due(
    engine: Engine, lasts: timedelta, claimed: int
) -> None:
    """It says that there is more to do. Of a vendor that answers at once more is claimed than is sent at a time."""
    held, is_over = Held(), asyncio.Event()
    engine.owe(*(f"k{n}" for n in range(12)))

    async def delivered() -> bool:
        running = asyncio.create_task(engine.worker(held, concurrency=2).deliver_on(is_over.is_set, MINUTE))
        await until(lambda: held.waiting == 2)
        engine.clock.now += lasts
        held.release()
        await until(lambda: len(held.keys) == 4)
        is_over.set()
        held.open()
        return await running

    assert engine.run(delivered()) is True
    assert (len(held.keys), engine.states()) == (4, {SENT: 4, OWED: 8})
    assert [(claim.number, claim.lost) for claim in engine.lose()] == [(1, 0)] * 8
    assert sum(map(len, engine.settled)) == 2 + claimed


# A state that fails.


@pytest.mark.usefixtures("place")
def test_what_the_state_did_not_take_is_written_before_anything_else(engine: Engine) -> None:
    """The fault is raised; the destination is not told again what it was told, and each is heard of once."""
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
    assert engine.states()[SENT] == tried
    engine.state.down.clear()
    engine.deliver(worker)
    assert engine.states() == {SENT: 9}
    assert len(destination.attempts) == 9
    assert settled(engine) == sorted(f"k{n}" for n in range(9))

    def last(attempt: Attempt) -> Result:
        engine.state.down.add("claim")
        return sent(attempt)

    # What was answered and what is claimed next are one transaction, and only one of them may be at fault.
    engine.owe("k0", "k1", destination="other")
    with pytest.raises(StoreError):
        engine.deliver(engine.worker(Scripted(last), concurrency=1, destination="other"))
    assert engine.states("other") == {SENT: 1, OWED: 1}


@pytest.mark.parametrize("call", ["claim", "first_due", "settle"])
def test_a_fault_of_the_state_is_raised_when_what_is_on_its_way_is_finished(engine: Engine, call: str) -> None:
    """And what the state did not take of it is written down by the next call, whatever is due then."""
    hung, kind = Held(), Scripted(sent)
    engine.owe("k0")
    loop = engine.loop({"oncall": hung, TICKETS: kind})

    async def delivered() -> None:
        await add(engine, replace(a_delivery(key="k1"), destination="oncall"))
        running = asyncio.create_task(loop.deliver_on(go_on, MINUTE))
        await until(lambda: hung.waiting == 1)
        engine.state.down.add(call)
        await add(engine, a_delivery(key="k2"))
        await until(lambda: engine.state.faults > 0 or call == "settle")
        assert not running.done()
        hung.open()
        with pytest.raises(StoreError):
            await running

    engine.run(delivered())
    engine.state.down.clear()
    engine.deliver(loop)
    assert engine.states("oncall") == {SENT: 1}
    engine.clock.now += HOUR
    engine.deliver(loop)
    assert engine.states() == {SENT: 2}
    assert (hung.keys, sorted(attempt.delivery.key for attempt in kind.attempts)) == (["k1"], ["k0", "k2"])


def test_an_answer_that_the_engine_refuses_is_left_out_and_keeps_no_other_waiting(engine: Engine) -> None:
    """What became of its delivery is kept."""

    def refuse(sql: str, values: Sequence[Any]) -> None:
        if "receipt=coalesce" in sql and any(b"k1" in value for row in values for value in row if type(value) is bytes):
            raise Unstorable("a text is too long")

    engine.faulty_store = watched(engine.store, refuse)
    engine.owe("k0", "k1", "k2")
    engine.deliver(engine.worker(Scripted(sent)))
    assert engine.states() == {SENT: 3}
    receipts = [engine.ask(list_deliveries, key)[0].receipt for key in ("k0", "k1", "k2")]
    assert receipts == [Receipt(reference="k0"), None, Receipt(reference="k2")]


def test_a_message_alone_takes_two_round_trips_and_four_rounds_of_many_one(postgres: Server, database: str) -> None:
    """What was answered, what is claimed next and what is due after it travel together."""
    counted = []
    with Way(postgres.url) as way:
        for engine in engine_of_state(way.to(database)):
            engine.faulty_store = engine.store
            loop = engine.worker(Scripted(sent), concurrency=3)
            for keys in (["warm"], ["k0"], [f"m{number}" for number in range(24)]):
                engine.owe(*keys)
                before = way.trips
                engine.deliver(loop)
                counted.append(way.trips - before)
            assert engine.states() == {SENT: 26}
    # Two more find that nothing is left to claim, and when something is.
    assert counted[1:] == [2, 24 // (3 * ROUNDS) + 2]


def broken_off(engine: Engine, worker: DeliveryLoop, is_so: Callable[[], bool]) -> None:
    """Breaks a call off once something is so, and has what was sent until then written down."""

    async def go() -> None:
        delivering = asyncio.create_task(worker.deliver_due(go_on))
        await until(is_so)
        delivering.cancel()
        await asyncio.wait([delivering])

    engine.run(go())
    engine.state.hung.clear()
    engine.run(worker.write_unwritten())


def test_what_was_sent_when_a_call_is_broken_off_is_kept(engine: Engine, monkeypatch: pytest.MonkeyPatch) -> None:
    """In the midst of its settlement, while holds are read, and before that while another one of the same pass is sent."""
    engine.owe("k0")
    engine.state.hung.add("settle")
    broken_off(engine, engine.worker(Scripted(sent)), lambda: engine.state.seen["settle"] > 0)
    assert engine.states() == {SENT: 1}
    engine.owe("k1", destination="held")
    kind, reading = Held(), asyncio.Event()

    async def hang(stream: str, now: datetime) -> NoReturn:
        reading.set()
        await asyncio.Event().wait()
        raise AssertionError

    def is_read() -> bool:
        if kind.waiting:
            patched.setattr(engine.holds, "held_in", hang)
            kind.open()
        return reading.is_set()

    with monkeypatch.context() as patched:
        broken_off(engine, engine.worker(kind, destination="held"), is_read)
    assert engine.states("held") == {SENT: 1}
    monkeypatch.setattr(f"{LOOP}.GATHER", PATIENCE)

    class HalfHeld(Held):
        async def attempt_delivery(self, claims: Sequence[Claim], beside: object = None) -> Sequence[Result]:
            is_first = claims[0].delivery.key == "k2"
            return [Receipt(reference="T1")] if is_first else await super().attempt_delivery(claims)

    engine.owe("k2", "k3", destination="half")
    half = HalfHeld()
    broken_off(engine, engine.worker(half, destination="half"), lambda: half.waiting == 1)
    assert engine.states("half") == {SENT: 1, DeliveryState.CLAIMED: 1}
