"""Workers that are at the same deliveries at the same time, or lose their line: each delivery is told in order, once."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from functools import partial
from itertools import pairwise

import pytest

from router.domain.decisions import Change
from router.domain.deliveries import Claim, Delivery, DeliveryState, Settlement
from router.domain.errors import StoreError
from router.domain.rulebook import Lane
from router.store.claims import Recipient, claim_due, decide_depending, settle_claims
from router.store.dead_letters import Redrive, discard, redrive
from router.store.deliveries import add_deliveries
from tests.builders import NOW
from tests.stack.postgres import Server, Way
from tests.store.acts import LEASE, claim, owe, run, settle, states
from tests.store.builders import OPENING, a_delivery
from tests.store.opened import Store, changed, open_store
from tests.store.within import claim_in, within

ROUNDS = 10
TICKETS = Recipient("cwpp", Lane.TICKET, "tickets")
LIFE = ((1, Change.OPENED), (2, Change.UPDATED), (3, Change.RESOLVED))


def some_lives(many: int, turns: int = 3) -> list[Delivery]:
    """The first deliveries of each of so many signals."""
    return [a_delivery(turn, change, key=f"k{key:02}") for key in range(many) for turn, change in LIFE[:turns]]


def settlement(claim: Claim, state: DeliveryState = DeliveryState.SENT) -> Settlement:
    """What a worker writes down of a claim."""
    due = NOW if state is DeliveryState.OWED else None
    return Settlement(claim=claim, state=state, at=NOW, due=due)


def test_of_several_workers_that_claim_at_once_each_delivery_is_one_workers(store: Store, twin: Store) -> None:
    """None is claimed twice, none is left, and no later turn is claimed beside the first."""
    owe(store, *some_lives(100, 2))

    async def raced() -> list[Sequence[Claim]]:
        workers = (store, twin, store, twin)
        return list(await asyncio.gather(*(claim_in(one, TICKETS, NOW, NOW + LEASE, 30) for one in workers)))

    claimed = [(one.delivery.key, one.delivery.turn) for claims in run(raced()) for one in claims]
    assert sorted(claimed) == [(one.key, 1) for one in some_lives(100, 1)]


def test_what_is_acknowledged_while_its_next_step_is_decided_is_not_sent_again(store: Store, twin: Store) -> None:
    """Another worker had claimed it for too long; what waits behind it is claimed in its place."""
    owe(store, *some_lives(1, 2))
    (slow,) = claim(store)
    now, until = NOW + LEASE, NOW + 2 * LEASE
    found = run(within(twin, claim_due, {TICKETS: 1}, now, until))
    settle(store, slow, DeliveryState.SENT)
    (next,) = run(within(twin, decide_depending, found.depending, now, until))
    assert next.delivery.turn == 2
    assert states(store) == {DeliveryState.SENT: 1, DeliveryState.CLAIMED: 1}


def test_a_dead_letter_that_two_people_redrive_is_owed_once(store: Store, twin: Store) -> None:
    """The second is told that it is dead no more."""
    owe(store, OPENING)
    settle(store, claim(store)[0], DeliveryState.DEAD, error="400")

    async def raced() -> list[Redrive]:
        return list(await asyncio.gather(*(within(one, redrive, OPENING.id, NOW) for one in (store, twin))))

    assert sorted(run(raced())) == [Redrive.OWED, Redrive.UNKNOWN]
    assert not run(within(twin, discard, OPENING.id, NOW))
    assert len(claim(store)) == 1


def test_all_turns_of_all_signals_are_told_in_order_by_the_worker_that_is_free(store: Store, twin: Store) -> None:
    """Turns are added while workers settle; each fails the first time. An update may be skipped that another one follows."""
    sent: list[tuple[str, int]] = []

    async def work(worker: Store) -> None:
        """Claims and settles until a number of times nothing is due."""
        idle = 0
        while idle < ROUNDS:
            claims = await claim_in(worker, TICKETS, NOW, NOW + LEASE, 2)
            sent.extend((one.delivery.key, one.delivery.turn) for one in claims if one.number > 1)
            ends = [settlement(one, DeliveryState.OWED if one.number == 1 else DeliveryState.SENT) for one in claims]
            await within(worker, settle_claims, ends)
            idle = 0 if claims else idle + 1

    async def add_turns() -> None:
        for turn, change in enumerate((Change.OPENED, Change.UPDATED, Change.UPDATED), 1):
            await within(store, add_deliveries, [a_delivery(turn, change, key=f"k{key}") for key in range(6)], NOW)

    async def raced() -> None:
        await asyncio.gather(add_turns(), *(work(one) for one in (store, twin, store)))
        # What was owed after the others had stopped to ask.
        await work(store)

    run(raced())
    assert states(store).keys() <= {DeliveryState.SENT, DeliveryState.SKIPPED}
    by_signal = [[turn for key, turn in sent if key == f"k{number}"] for number in range(6)]
    assert all(turns in ([1, 2, 3], [1, 3]) for turns in by_signal), by_signal


# Round trips.

NEVER = 10**9
"""A round trip that nothing has."""


def trips(way: Way, store: Store, deliveries: list[Delivery], state: DeliveryState) -> list[int]:
    """The round trips to owe, to claim and to settle deliveries."""
    counted = [way.trips]
    owe(store, *deliveries)
    counted.append(way.trips)
    claims = claim(store, limit=len(deliveries))
    counted.append(way.trips)
    run(within(store, settle_claims, [settlement(one, state) for one in claims]))
    return [after - before for before, after in pairwise([*counted, way.trips])]


@pytest.mark.parametrize("state", [DeliveryState.SENT, DeliveryState.OWED])
@pytest.mark.parametrize("turns", [1, 3])
def test_a_hundred_deliveries_take_as_many_round_trips_as_two(
    postgres: Server, database: str, turns: int, state: DeliveryState
) -> None:
    """Each step is a handful of statements, its beginning and its end among them."""
    with Way(postgres.url) as way:
        store = open_store(way.to(database))
        trips(way, store, [OPENING], DeliveryState.SENT)
        few = trips(way, store, some_lives(2, turns), state)
        run(changed(store, "DELETE FROM deliveries"))
        many = trips(way, store, some_lives(100, turns), state)
        assert few == many
        assert max(many) <= 6, many
        run(store.close())


@pytest.mark.parametrize("is_after", [False, True])
def test_at_whatever_round_trip_the_line_is_cut_each_delivery_is_sent_once_it_can_be(
    postgres: Server, database: str, is_after: bool
) -> None:
    """A claim whose answer is lost ends with its lease; a result that may be written down is written down again."""
    owed = some_lives(3, 1)

    def cut[T](act: Callable[[], T], trip: int) -> T | None:
        """What an act brings while the line is cut at one of its round trips; None where that ends it."""
        way.cut_at(trip, is_after=is_after)
        try:
            return act()
        except StoreError:
            return None
        finally:
            way.cut_at(NEVER, is_after=is_after)

    with Way(postgres.url) as way:
        store = open_store(way.to(database))
        for trip in range(1, 4):
            run(changed(store, "DELETE FROM deliveries"))
            cut(partial(owe, store, *owed), trip)
            owe(store, *owed)
            claims = cut(partial(claim, store, limit=3), trip) or ()
            claims = [*claims, *claim(store, limit=3), *claim(store, limit=3, after=LEASE)]
            assert {one.delivery.key for one in claims} == {one.key for one in owed}
            write = partial(within, store, settle_claims, [settlement(one) for one in claims])
            cut(lambda write=write: run(write()), trip)  # type: ignore[misc]
            run(write())
            assert states(store) == {DeliveryState.SENT: 3}
            assert claim(store, limit=3, after=LEASE) == []
        run(store.close())
