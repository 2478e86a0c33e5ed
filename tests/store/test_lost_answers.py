"""What becomes of a change that was made and whose answer got lost: the client makes it again, over what is there no more."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import replace

from router.domain.deliveries import Claim, Delivery, DeliveryState, Pointer, Settlement
from router.store.azure import Account, Address, AzureStore
from tests.builders import NOW
from tests.store.acts import LEASE, claim, owe, run, states
from tests.store.builders import OPENING, UPDATE, a_delivery, an_entry, noise
from tests.store.lossy import Way, lossy
from tests.store.pointing import follow, taken


@asynccontextmanager
async def store_by(way: Way) -> AsyncIterator[AzureStore]:
    """A store at the end of a way."""
    store = AzureStore(Account(way.address))
    try:
        yield store
    finally:
        await store.close()


async def claimed(address: Address, pointer: Pointer, *, lose: int) -> Sequence[Claim]:
    """What a worker claims to whom so many answers get lost."""
    async with lossy(address) as way, store_by(way) as store:
        way.lose = lose
        return await store.outbox.claim(pointer, NOW, NOW + LEASE, 1)


async def sent(address: Address, pointer: Pointer, *, lose: int) -> None:
    """Sends what a pointer points at; the worker hears nothing of what it put on record then."""
    async with lossy(address) as way, store_by(way) as store:
        (one,) = await store.outbox.claim(pointer, NOW, NOW + LEASE, 1)
        way.lose = lose
        await store.outbox.settle([Settlement(delivery=one.delivery, claim=one.id, state=DeliveryState.SENT, at=NOW)])


async def added(address: Address, first: Delivery, second: Delivery, *, lose: int) -> None:
    """Owes two deliveries; of the second the worker does not hear that it was written."""
    async with lossy(address) as way, store_by(way) as store:
        await store.outbox.put_in_outbox([first], NOW)
        way.lose = lose
        await store.outbox.put_in_outbox([second], NOW)


def test_a_claim_whose_answer_got_lost_is_the_workers_that_made_it(azure: AzureStore, address: Address) -> None:
    """Else the delivery would wait until the lease ends, and count as lost."""
    owe(azure, OPENING)
    (pointer,) = taken(azure)
    assert [one.number for one in run(claimed(address, pointer, lose=1))] == [1]
    assert follow(azure, pointer) == []


def test_what_waits_behind_a_settlement_whose_answer_got_lost_is_pointed_at(
    azure: AzureStore, address: Address
) -> None:
    """It is on record, and the worker finds it there."""
    owe(azure, OPENING)
    (pointer,) = taken(azure)
    owe(azure, UPDATE)
    taken(azure)
    run(sent(address, pointer, lose=1))
    assert states(azure) == {DeliveryState.SENT: 1, DeliveryState.OWED: 1}
    assert [one.delivery for one in follow(azure, taken(azure)[0])] == [UPDATE]


def test_a_delivery_whose_answer_got_lost_keeps_what_lies_outside_its_row(azure: AzureStore, address: Address) -> None:
    """To its writer it looks as if somebody else had written it before."""
    big = replace(a_delivery(key="big"), content=an_entry(title=noise(100_000).hex()))
    run(added(address, OPENING, big, lose=1))
    assert big in [one.delivery for one in claim(azure)]
    assert len(taken(azure)) == 2
