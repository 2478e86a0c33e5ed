"""Workers that are at the same deliveries at the same time: whatever they do to one another, each is told in order, once."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

import pytest

from router.domain.decisions import Change
from router.domain.deliveries import Claim, Delivery, DeliveryState, Pointer, Redrive, Settlement
from router.domain.rulebook import Lane
from router.store.azure import Account, Address, AzureStore
from tests.builders import NOW
from tests.store.acts import LEASE, claim, owe, run, settle, states
from tests.store.builders import OPENING, a_delivery
from tests.store.pointing import follow, take, taken


@pytest.fixture
def twin(azure: AzureStore, address: Address) -> Iterator[AzureStore]:
    """The same store as another process has it."""

    async def opened() -> AzureStore:
        return AzureStore(Account(address))

    store = run(opened())
    yield store
    run(store.close())


def followed_at_once(stores: Sequence[AzureStore], pointers: Sequence[Pointer]) -> list[Delivery]:
    """What all of several workers claim that follow all of some pointers at the same time."""

    async def raced() -> list[Sequence[Claim]]:
        claims = (one.outbox.claim(pointer, NOW, NOW + LEASE, 100) for pointer in pointers for one in stores)
        return list(await asyncio.gather(*claims))

    return [one.delivery for claims in run(raced()) for one in claims]


ROUNDS = range(10)


def test_of_several_workers_that_follow_pointers_to_one_delivery_one_claims_it(
    azure: AzureStore, twin: AzureStore
) -> None:
    """The others go away empty-handed."""
    for place in ROUNDS:
        delivery = a_delivery(key=str(place))
        owe(azure, delivery)
        assert followed_at_once((azure, twin, azure, twin), taken(azure)) == [delivery]


def test_two_workers_in_one_shard_share_its_rows(azure: AzureStore, twin: AzureStore) -> None:
    """No row is claimed twice, and none is left."""
    owed = [a_delivery(key=f"k{number}", lane=Lane.ROWS) for number in range(100)]
    owe(azure, *owed)
    claimed = followed_at_once((azure, twin), taken(azure, Lane.ROWS))
    assert sorted(one.key for one in claimed) == sorted(one.key for one in owed)


def test_a_later_turn_is_not_claimed_beside_an_earlier_one(azure: AzureStore, twin: AzureStore) -> None:
    """Whoever follows its pointer, and whenever."""
    for place in ROUNDS:
        opening, update = (a_delivery(key=str(place)), a_delivery(2, Change.UPDATED, key=str(place)))
        owe(azure, opening, update)
        assert followed_at_once((azure, twin), taken(azure)) == [opening]


def test_a_dead_letter_that_two_people_redrive_is_owed_once(azure: AzureStore, twin: AzureStore) -> None:
    """The second is told that it is dead no more."""
    owe(azure, OPENING)
    settle(azure, claim(azure)[0], DeliveryState.DEAD, error="400")
    assert len(run(twin.outbox.dead())) == 1

    async def raced() -> list[Redrive]:
        return list(await asyncio.gather(*(one.outbox.redrive(OPENING.id, NOW) for one in (azure, twin))))

    assert sorted(run(raced())) == [Redrive.OWED, Redrive.UNKNOWN]
    assert not run(twin.outbox.discard(OPENING.id, NOW))
    assert len(claim(azure)) == 1


@dataclass
class Worker:
    """Follows pointers as long as there are any; everything fails the first time that somebody tries it."""

    store: AzureStore
    sent: list[tuple[str, int]] = field(default_factory=list)

    async def work(self) -> None:
        """Asks the queue for more a number of times."""
        for _ in ROUNDS:
            for pointer in await take(self.store.outbox):
                claims = await self.store.outbox.claim(pointer, NOW, NOW + LEASE, 1)
                await self.store.outbox.settle([self._send(one) for one in claims])

    def _send(self, claim: Claim) -> Settlement:
        if claim.number == 1:
            return Settlement(
                delivery=claim.delivery, claim=claim.id, state=DeliveryState.OWED, at=NOW, due=NOW, error="503"
            )
        self.sent.append((claim.delivery.key, claim.delivery.turn))
        return Settlement(delivery=claim.delivery, claim=claim.id, state=DeliveryState.SENT, at=NOW)


def test_all_turns_of_all_signals_are_told_in_order_by_whoever_is_free(azure: AzureStore, twin: AzureStore) -> None:
    """Turns are added while workers settle; each pointer that comes too early is made up for by another.

    An update may be skipped that another one follows.
    """
    signals = [f"k{number}" for number in range(6)]
    sent: list[tuple[str, int]] = []
    workers = [Worker(store, sent) for store in (azure, twin, azure)]

    async def raced() -> None:
        await asyncio.gather(add_turns(azure, signals), *(worker.work() for worker in workers))
        # What was pointed at after the others had stopped to ask.
        await workers[0].work()

    run(raced())
    assert states(azure).keys() <= {DeliveryState.SENT, DeliveryState.SKIPPED}
    by_signal = {key: [turn for one, turn in sent if one == key] for key in signals}
    assert all(turns in ([1, 2, 3], [1, 3]) for turns in by_signal.values()), by_signal


async def add_turns(store: AzureStore, signals: Sequence[str]) -> None:
    """Owes three turns of each signal, one after the other."""
    for turn, change in enumerate((Change.OPENED, Change.UPDATED, Change.UPDATED), 1):
        await store.outbox.put_in_outbox([a_delivery(turn, change, key=key) for key in signals], NOW)


def test_a_delivery_that_is_added_while_the_one_before_it_is_settled_is_pointed_at(azure: AzureStore) -> None:
    """Its own pointer may be followed before the other is settled: then the settlement points at it."""
    for place in ROUNDS:
        key = str(place)
        owe(azure, a_delivery(key=key))
        (opening,) = follow(azure, taken(azure)[0])
        sent = Settlement(delivery=opening.delivery, claim=opening.id, state=DeliveryState.SENT, at=NOW)
        update = a_delivery(2, Change.UPDATED, key=key)
        assert run(added_while_settled(azure, update, sent)) == [update]


async def added_while_settled(store: AzureStore, update: Delivery, settlement: Settlement) -> list[Delivery]:
    """What is claimed by who follows every pointer, meanwhile and afterwards."""
    found: list[Delivery] = []

    async def follow_all() -> None:
        for pointer in await take(store.outbox):
            found.extend(one.delivery for one in await store.outbox.claim(pointer, NOW, NOW + LEASE, 1))

    await asyncio.gather(
        store.outbox.put_in_outbox([update], NOW), store.outbox.settle([settlement]), follow_all(), follow_all()
    )
    await follow_all()
    return found
