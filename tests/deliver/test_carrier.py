"""How deliveries leave behind queues: a pointer is a hint, and what cannot be tried just now costs no attempt."""

from __future__ import annotations

import asyncio
import ssl
import time
from collections.abc import Callable, Iterator, Sequence
from datetime import timedelta
from typing import cast

import pytest

from router.app.clock import now
from router.deliver import Answers, Carrier, Sending
from router.deliver.carrier import BUSY, LONGEST_ALONE, Carried
from router.deliver.http import Http
from router.deliver.logs import Logs
from router.deliver.tokens import Tokens
from router.domain.asks import Result
from router.domain.deliveries import SUSPECT, Claim, DeliveryState, Pause, Pointer
from router.domain.errors import Rejected, Unauthorized, Unavailable
from router.domain.lanes import LEASE
from router.domain.notices import Attempt, Receipt
from router.domain.pauses import PROBE
from router.domain.rulebook import Lane
from router.store.azure import Account, Address, AzureStore
from router.store.azure.outbox.places import place_of
from router.telemetry import Telemetry
from tests.builders import NOW
from tests.deliver.test_deliverer import Clock, InBatches, Scripted, sent
from tests.stack.azurite import Azurite
from tests.store.builders import a_delivery
from tests.waiting import until

HOUR = timedelta(hours=1)


class Post:
    """A store in Azurite, a scripted destination called `tickets`, and the pointers to what is owed there."""

    def __init__(self, run: Callable[..., object], store: AzureStore) -> None:
        self.run: Callable[..., object] = run
        self.store = store
        self.clock = Clock()
        self.alone = asyncio.Lock()

    def carrier(
        self,
        kind: Scripted,
        slots: int = 4,
        lane: Lane = Lane.TICKET,
        sending: Sending | None = None,
        is_stopped: Callable[[], bool] = lambda: False,
    ) -> Carrier:
        http = Http(ssl.create_default_context())
        answers = Answers(
            http, Logs(http, lambda endpoint: pytest.fail(endpoint), now), Tokens(http, time.monotonic, now)
        )
        sending = sending or Sending(kind, answers, {}, self.clock, LEASE[lane], Telemetry().delivering)
        return Carrier(
            "cwpp",
            "tickets",
            sending,
            outbox=self.store.outbox,
            clock=self.clock,
            slots=slots,
            alone=self.alone,
            is_stopped=is_stopped,
        )

    def owe(self, *keys: str, lane: Lane = Lane.TICKET) -> None:
        self.run(self.store.outbox.add([a_delivery(key=key, lane=lane) for key in keys], self.clock()))

    def pointers(self, lane: Lane = Lane.TICKET) -> list[Pointer]:
        """Every pointer that shows in the queue now; each is taken out of it."""

        async def taken() -> list[Pointer]:
            queue, found = self.store.outbox.queue("cwpp", lane), []
            while messages := await queue.receive(32, timedelta(minutes=10)):
                for text, handle in messages:
                    found.append(self.store.outbox.pointer("cwpp", lane, text))
                    await queue.delete(handle)
            return [pointer for pointer in found if pointer is not None]

        return self.run(taken())  # type: ignore[return-value]

    def hidden(self, lane: Lane = Lane.TICKET) -> int:
        """How many pointers are in the queue, those that do not show yet among them."""
        return self.run(self.store.outbox.queue("cwpp", lane).length())  # type: ignore[return-value]

    def carry(self, carrier: Carrier, *pointers: Pointer) -> Carried:
        """Carries pointers, all at once."""

        async def carried() -> Carried:
            done = await asyncio.gather(*map(carrier.carry, pointers))
            return [one for each in done for one in each]

        return self.run(carried())  # type: ignore[return-value]

    def claim(self, pointer: Pointer) -> Sequence[Claim]:
        """Claims what a pointer points at, as a worker does that dies of it."""
        end = self.clock() + LEASE[Lane.TICKET]
        return self.run(self.store.outbox.claim(pointer, self.clock(), end, 1))  # type: ignore[return-value]

    def states(self) -> dict[DeliveryState, int]:
        async def counted() -> dict[DeliveryState, int]:
            return {state: count for (_, state), count in (await self.store.outbox.counts("cwpp")).items()}

        return self.run(counted())  # type: ignore[return-value]


@pytest.fixture
def post(azurite: Azurite) -> Iterator[Post]:
    """A post with nothing owed."""

    async def opened() -> AzureStore:
        store = AzureStore(Account(Address(azurite.new_account())))
        await store.prepare()
        return store

    with asyncio.Runner() as runner:
        store = runner.run(opened())
        yield Post(runner.run, store)
        runner.run(store.close())


def told(carried: Carried) -> list[DeliveryState]:
    return [settlement.state for _, settlement in carried]


def test_what_a_pointer_points_at_is_sent_once(post: Post) -> None:
    """A second pointer, a late one, and one to what is done do nothing."""
    kind = Scripted(sent)
    carrier = post.carrier(kind)
    post.owe("k")
    (pointer,) = post.pointers()
    assert told(post.carry(carrier, pointer, pointer)) == [DeliveryState.SENT]
    assert post.carry(carrier, pointer) == []
    assert (len(kind.attempts), post.states()) == (1, {DeliveryState.SENT: 1})


def test_a_delivery_that_is_owed_again_is_tried_when_it_is_due(post: Post) -> None:
    """Before that a pointer does nothing, and spends no attempt."""
    answers: list[Result] = [Unavailable("busy", retry_after=60.0), Receipt(reference="T1")]
    kind = Scripted(lambda attempt: answers[attempt.number - 1])
    carrier = post.carrier(kind)
    post.owe("k")
    (pointer,) = post.pointers()
    assert told(post.carry(carrier, pointer)) == [DeliveryState.OWED]
    assert post.carry(carrier, pointer) == []
    post.clock.now += timedelta(minutes=1)
    assert told(post.carry(carrier, pointer)) == [DeliveryState.SENT]
    assert [attempt.number for attempt in kind.attempts] == [1, 2]


def test_a_destination_that_hangs_keeps_its_share_of_the_slots_and_the_rest_costs_no_attempt(post: Post) -> None:
    """What finds no slot is pointed at again a little later, still owed and untried."""
    released = asyncio.Event()

    class Hanging:
        """What sends, but for the answer."""

        batch, lease = 1, LEASE[Lane.TICKET]

        async def send(self, claims: Sequence[Claim]) -> Sequence[Result]:
            await released.wait()
            return [Receipt()] * len(claims)

    carrier = post.carrier(Scripted(sent), slots=2, sending=cast(Sending, Hanging()))
    post.owe(*(f"k{n}" for n in range(5)))

    async def carried() -> Carried:
        hung = [asyncio.create_task(carrier.carry(pointer)) for pointer in pointers]
        await until(lambda: sum(one.done() for one in hung) == 3)
        assert [one.result() for one in hung if one.done()] == [[]] * 3
        released.set()
        return [one for each in await asyncio.gather(*hung) for one in each]

    pointers = post.pointers()
    assert [claim.number for claim, _ in post.run(carried())] == [1, 1]  # type: ignore[attr-defined]
    assert post.states() == {DeliveryState.SENT: 2, DeliveryState.OWED: 3}


MOMENT = timedelta(seconds=10)
"""By no more than that what was refused comes after the probe is due."""


def test_refused_credentials_pause_the_destination_and_one_delivery_probes_it(post: Post) -> None:
    """While it is paused nobody is tried; when the probe is due exactly one is; once it gets through all are."""
    answer: list[Result] = [Unauthorized("401")]
    kind = Scripted(lambda attempt: answer[0])
    carrier = post.carrier(kind)
    post.owe("k0", "k1", "k2")
    pointers = post.pointers()
    post.carry(carrier, pointers[0])
    assert post.carry(carrier, *pointers) == []
    post.clock.now += PROBE + MOMENT
    post.carry(carrier, *pointers)
    assert len(kind.attempts) == 2
    answer[0] = Receipt(reference="T")
    post.clock.now += PROBE + MOMENT
    post.carry(carrier, *pointers)
    assert len(kind.attempts) == 3
    post.clock.now += HOUR
    post.carry(carrier, *pointers)
    assert post.states() == {DeliveryState.SENT: 3}


def test_a_pointer_with_nothing_to_probe_with_leaves_the_probe_to_the_next(post: Post) -> None:
    """A stale pointer must not cost a paused destination its probe."""
    answer: list[Result] = [Receipt(reference="T")]
    kind = Scripted(lambda attempt: answer[0])
    carrier = post.carrier(kind)
    post.owe("k0")
    (stale,) = post.pointers()
    post.carry(carrier, stale)
    answer[0] = Unauthorized("401")
    post.owe("k1")
    (other,) = post.pointers()
    post.carry(carrier, other)
    answer[0] = Receipt(reference="T")
    post.clock.now += PROBE + MOMENT
    assert post.carry(carrier, stale) == []
    assert told(post.carry(carrier, other)) == [DeliveryState.SENT]


def test_what_was_read_of_pauses_by_a_clock_ahead_is_read_again(post: Post) -> None:
    """A clock that is set back must not make old news fresh for as long as it was ahead."""
    kind = Scripted(sent)
    carrier = post.carrier(kind)
    post.owe("k0", "k1")
    first, second = post.pointers()
    post.clock.now += timedelta(days=400)
    post.carry(carrier, first)
    post.clock.now = NOW
    paused = Pause(stream="cwpp", destination="tickets", since=NOW, probe=NOW + PROBE, error="401")
    post.run(post.store.outbox.pause(paused))
    assert post.carry(carrier, second) == []
    assert len(kind.attempts) == 1


def test_in_the_rows_lane_one_pointer_carries_all_that_is_due_there_in_batches(post: Post) -> None:
    """Rows leave many in one send."""
    batches: list[int] = []

    class Counted(InBatches):
        def conversation_for(self, attempts: Sequence[Attempt]):  # type: ignore[no-untyped-def]
            batches.append(len(attempts))
            return super().conversation_for(attempts)

    carrier = post.carrier(Counted(sent), lane=Lane.ROWS)
    keys = [f"k{n}" for n in range(200)]
    post.owe(*keys, lane=Lane.ROWS)
    pointers = post.pointers(Lane.ROWS)
    assert len(pointers) <= 8
    for pointer in pointers:
        post.carry(carrier, pointer)
    assert post.states() == {DeliveryState.SENT: 200}
    assert max(batches) == InBatches.batch
    assert len(batches) < 40


def test_what_a_destination_refuses_is_dead_and_its_neighbours_are_not(post: Post) -> None:
    """One bad delivery costs no other."""
    carrier = post.carrier(Scripted(lambda attempt: Rejected("400") if attempt.delivery.key == "k1" else Receipt()))
    post.owe("k0", "k1", "k2")
    post.carry(carrier, *post.pointers())
    assert post.states() == {DeliveryState.SENT: 2, DeliveryState.DEAD: 1}


def test_a_delivery_that_kills_its_worker_is_dead_after_as_many_claims(post: Post) -> None:
    """A claim that nobody settles is lost with its lease; what lost too many is tried alone once more, then given up on."""
    post.owe("k")
    (pointer,) = post.pointers()
    lost: list[int] = []
    for _ in range(SUSPECT + 1):
        lost += [claim.lost for claim in post.claim(pointer)]
        post.clock.now += LEASE[Lane.TICKET]
    assert lost == list(range(SUSPECT + 1))
    kind = Scripted(sent)
    assert post.carry(post.carrier(kind), pointer) == []
    assert (kind.attempts, post.states()) == ([], {DeliveryState.DEAD: 1})


def test_of_two_suspects_one_waits_and_is_still_suspected(post: Post) -> None:
    """What may kill is tried with no other such delivery beside it; waiting for that spends no attempt and clears nobody."""
    post.owe("k0", "k1")
    pointers = post.pointers()
    for _ in range(SUSPECT):
        for pointer in pointers:
            post.claim(pointer)
        post.clock.now += LEASE[Lane.TICKET]
    kind = Scripted(sent)
    carrier = post.carrier(kind)
    post.run(post.alone.acquire())
    assert told(post.carry(carrier, pointers[0])) == [DeliveryState.OWED]
    post.alone.release()
    post.clock.now += BUSY
    (again,) = post.claim(pointers[0])
    assert (again.lost, kind.attempts) == (SUSPECT, [])


class Crowded:
    """A vendor that is asked too much, as long as it is busy; it answers when it is let go."""

    lease, batch = LEASE[Lane.TICKET], 1

    def __init__(self, wish: float | None = None) -> None:
        self.wish = wish
        self.is_busy = True
        self.answering = asyncio.Event()
        self.calls = self.waiting = 0

    async def send(self, claims: Sequence[Claim]) -> Sequence[Result]:
        self.calls += 1
        self.waiting += 1
        await self.answering.wait()
        self.waiting -= 1
        refusal = Unavailable("429", retry_after=self.wish, is_crowded=True)
        return [refusal if self.is_busy else Receipt(reference="T1") for _ in claims]


def test_a_vendor_that_is_asked_too_much_gets_one_call_at_a_time_from_each_worker(post: Post) -> None:
    """That costs storage nothing, and each worker finds it out for itself; what it takes then makes them ask it more again."""
    vendor = Crowded()
    workers = [post.carrier(Scripted(sent), slots=4, sending=cast(Sending, vendor)) for _ in range(3)]

    async def asked(pointers: Sequence[Pointer]) -> int:
        vendor.answering.clear()
        carrying = [asyncio.create_task(workers[n % 3].carry(pointer)) for n, pointer in enumerate(pointers)]
        # Whoever does not wait for the vendor has found no slot.
        await until(lambda: sum(not one.done() for one in carrying) == vendor.waiting)
        at_a_time = vendor.waiting
        vendor.answering.set()
        await asyncio.gather(*carrying)
        return at_a_time

    def ask(first: int) -> int:
        """How many calls the vendor gets at a time when each worker has five pointers to something new."""
        keys = [f"k{first + number}" for number in range(15)]
        post.owe(*keys)
        signals = {place_of(a_delivery(key=key)).signal for key in keys}
        return post.run(asked([one for one in post.pointers() if str(one.place).split(":")[1] in signals]))  # type: ignore[return-value]

    assert [ask(0), ask(100)] == [12, 3]
    vendor.is_busy = False
    assert [ask(200), ask(300), ask(400), ask(500), ask(600)] == [3, 6, 9, 12, 12]


@pytest.mark.parametrize(("wish", "alone"), [(10.0, 10.0), (3600.0, LONGEST_ALONE)])
def test_a_vendor_that_wishes_to_be_left_alone_is_for_as_long_as_that(post: Post, wish: float, alone: float) -> None:
    """By all deliveries of a worker, which spend no attempt; but for no longer than half a minute, whatever it wishes, since
    it may have meant one delivery. After that it is asked again."""
    vendor = Crowded(wish)
    vendor.answering.set()
    carrier = post.carrier(Scripted(sent), sending=cast(Sending, vendor))
    post.owe("refused", "other")
    refused, other = post.pointers()
    post.carry(carrier, refused)
    vendor.is_busy = False
    post.clock.now += timedelta(seconds=alone - 1)
    before = post.hidden()
    assert post.carry(carrier, other) == []
    assert (vendor.calls, post.hidden()) == (1, before + 1)
    post.clock.now += timedelta(seconds=1)
    (delivered,) = post.carry(carrier, other)
    assert (delivered[0].number, delivered[1].state) == (1, DeliveryState.SENT)


def test_at_the_stop_a_pointer_is_put_off_and_nothing_is_claimed(post: Post) -> None:
    """Another worker takes it a little later."""
    kind = Scripted(sent)
    post.owe("k")
    (pointer,) = post.pointers()
    assert post.carry(post.carrier(kind, is_stopped=lambda: True), pointer) == []
    assert (kind.attempts, post.states()) == ([], {DeliveryState.OWED: 1})
    assert post.hidden() == 1


@pytest.mark.parametrize("lane", [Lane.TICKET, Lane.ROWS])
def test_what_was_claimed_when_the_stop_came_is_put_back_and_pointed_at(post: Post, lane: Lane) -> None:
    """It was not sent and spends no attempt; no lease has to run out, and no worker died of it."""
    kind, asked = Scripted(sent), iter([False, True, True])
    post.owe("k", lane=lane)
    (pointer,) = post.pointers(lane)
    told_of = post.carry(post.carrier(kind, lane=lane, is_stopped=lambda: next(asked)), pointer)
    assert (told(told_of), kind.attempts) == ([DeliveryState.OWED], [])
    (again,) = post.pointers(lane)
    (claim,) = post.claim(again)
    assert (claim.number, claim.lost) == (1, 0)


def test_what_is_on_its_way_when_the_stop_comes_is_settled(post: Post) -> None:
    """What was acknowledged is never sent again."""
    asked: list[bool] = []

    def answer(attempt: Attempt) -> Result:
        asked.append(True)
        return Receipt(reference="T1")

    post.owe("k")
    (pointer,) = post.pointers()
    carrier = post.carrier(Scripted(answer), is_stopped=lambda: bool(asked))
    assert told(post.carry(carrier, pointer)) == [DeliveryState.SENT]
    assert post.states() == {DeliveryState.SENT: 1}
