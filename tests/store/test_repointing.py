"""What the sweep does for deliveries: what nobody points at is pointed at again, also what the platform gave up on."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta

import pytest

from router.domain.deliveries import Backlog, DeliveryState, Pause
from router.domain.rulebook import Lane
from router.store.azure import Account, Address, AzureStore
from router.store.azure.bodies import Bodies
from router.store.azure.damaged_rows import RowQuarantine
from router.store.azure.outbox.deliveries import Deliveries
from router.store.azure.outbox.locations import location_of, text_to
from router.store.azure.outbox.pauses import Pauses
from router.store.azure.outbox.pointers import Pointers
from router.store.azure.outbox.queues import MOST_RECEIVED, AzureQueue
from router.store.azure.outbox.registry import Registry
from router.store.azure.outbox.sweeping import GRACE, Sweeping
from router.store.azure.tables import Table
from tests.builders import NOW
from tests.store.acts import DAY, LEASE, owe, run, settle
from tests.store.builders import OPENING, UPDATE, a_delivery
from tests.store.pointing import follow, taken

LATER = NOW + GRACE
PAUSE = Pause(stream="cwpp", destination="tickets", since=NOW, probe=NOW + LEASE, error="401")
INSTANT = timedelta(microseconds=1)


@pytest.fixture
def account(azure: AzureStore, address: Address) -> Iterator[Account]:
    """The account that the store is in, for who looks inside."""

    async def opened() -> Account:
        return Account(address)

    account = run(opened())
    yield account
    run(account.close())


def test_what_has_been_due_for_a_while_is_pointed_at_again(azure: AzureStore) -> None:
    """A worker died between writing a delivery and pointing at it. Until then its own pointer is waited for."""
    owe(azure, OPENING)
    taken(azure)
    assert run(azure.outbox.repoint("cwpp", LATER - INSTANT)) == 0
    assert run(azure.outbox.repoint("cspm", LATER)) == 0
    assert run(azure.outbox.repoint("cwpp", LATER)) == 1
    (pointer,) = taken(azure)
    assert [one.delivery for one in follow(azure, pointer)] == [OPENING]


def test_what_a_worker_has_in_hand_is_pointed_at_when_its_lease_is_over(azure: AzureStore) -> None:
    """It died between the claim and the send, and its message with it."""
    owe(azure, OPENING)
    follow(azure, taken(azure)[0])
    assert run(azure.outbox.repoint("cwpp", NOW + LEASE - INSTANT)) == 0
    assert run(azure.outbox.repoint("cwpp", NOW + LEASE)) == 1
    assert [one.lost for one in follow(azure, taken(azure)[0], after=LEASE)] == [1]


def test_what_is_not_due_or_done_is_not_pointed_at(azure: AzureStore) -> None:
    """The pointer of what is put off hides in the queue."""
    owe(azure, OPENING, a_delivery(key="done"))
    for pointer in taken(azure):
        (one,) = follow(azure, pointer)
        is_put_off = one.delivery == OPENING
        state, due = (DeliveryState.OWED, NOW + DAY) if is_put_off else (DeliveryState.SENT, None)
        settle(azure, one, state, due=due)
    assert run(azure.outbox.repoint("cwpp", NOW + DAY)) == 0


def test_of_each_signal_the_first_turn_is_pointed_at_and_of_rows_the_shard(azure: AzureStore) -> None:
    """The others wait for it, and one pointer leads to all rows of a shard."""
    owe(azure, OPENING, UPDATE)
    rows = [a_delivery(key=f"k{number}", lane=Lane.ROWS) for number in range(20)]
    owed = [replace(one, destination="sentinel") for one in rows]
    owe(azure, *owed)
    taken(azure)
    taken(azure, Lane.ROWS)
    shards = {location_of(one).shard for one in owed}
    assert run(azure.outbox.repoint("cwpp", LATER)) == 1 + len(shards)
    assert [one.delivery for pointer in taken(azure) for one in follow(azure, pointer)] == [OPENING]
    assert sorted(int(str(pointer.location)) for pointer in taken(azure, Lane.ROWS)) == sorted(
        one.number for one in shards
    )


def test_a_paused_destination_is_left_alone_until_its_probe_is_overdue(azure: AzureStore) -> None:
    """Its pointers wait for the probe. If they are lost, somebody must probe all the same."""
    owe(azure, OPENING)
    taken(azure)
    run(azure.outbox.pause(PAUSE))
    assert run(azure.outbox.repoint("cwpp", NOW + LEASE + GRACE - INSTANT)) == 0
    assert run(azure.outbox.repoint("cwpp", NOW + LEASE + GRACE)) == 1


def test_a_queue_that_is_full_gets_no_further_pointers(azure: AzureStore, account: Account) -> None:
    """Those that it has are to be seen to first; more of them would only add to the load."""
    table = Table(account.tables.get_table_client("deliveries"))
    bodies = Bodies(account.blobs.get_container_client("bodies"))
    aside = RowQuarantine(azure.quarantine, lambda: NOW)
    deliveries = Deliveries(table, bodies, aside)
    pointers = Pointers(account.queues, "", clock=lambda: NOW)
    sweeping = Sweeping(deliveries, Registry(table), pointers, Pauses(table, aside), full=3)
    owe(azure, OPENING, a_delivery(key="other"))
    assert run(sweeping.repoint("cwpp", LATER)) == 2
    assert run(sweeping.repoint("cwpp", LATER)) == 0
    assert len(taken(azure)) == 4


def test_what_the_platform_gave_up_on_comes_back_into_its_queue(azure: AzureStore, account: Account) -> None:
    """It keeps a poison message for a week only, and nobody else looks there."""
    poison = account.queues.get_queue_client("cwpp-ticket-poison")
    texts = [text_to(location_of(a_delivery(key=str(number)))) for number in range(MOST_RECEIVED + 1)]

    async def give_up() -> None:
        await asyncio.gather(*map(poison.send_message, [*texts, "what is no pointer"]))

    run(give_up())
    assert run(azure.outbox.repoint("cwpp", NOW)) == len(texts) + 1
    queue = azure.outbox.queue("cwpp", Lane.TICKET)
    found = [text for _ in range(2) for text, _ in run(queue.receive(MOST_RECEIVED, LEASE))]
    assert sorted(found) == sorted([*texts, "what is no pointer"])
    assert run(AzureQueue(poison).length()) == 0


def test_a_destination_that_changed_its_lane_is_known_by_the_present_one(azure: AzureStore) -> None:
    """However long ago the earlier one was."""
    run(azure.outbox.put_in_outbox([a_delivery(key="new", lane=Lane.ROWS)], LATER))
    owe(azure, OPENING)
    assert run(azure.outbox.backlog("cwpp")) == {"tickets": Backlog(Lane.ROWS, NOW, 0)}
