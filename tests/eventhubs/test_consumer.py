"""A hub read as it fills: nothing is passed over, whatever happens while it is taken in."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime

import pytest

from router.app.connections import SharedPartitions
from router.domain.errors import HubError, RouterError, StoreError
from router.domain.hubs import Event, Partition, Span
from router.eventhubs.checkpoints import Checkpoints
from router.eventhubs.consumer import FIRST_WAIT, MOST, Consumer
from router.store.partitions import Taken, begin_epoch, list_claims, lock_partition, read_taken, take
from router.store.store import Store
from tests.eventhubs.hubs import FIRST, HUB, LEFT_BEHIND, SECOND, a_namespace, fill, run
from tests.stack.event_hubs import EventHubs
from tests.stack.event_hubs.amqp import Section, described
from tests.store import acts
from tests.store.opened import open_store
from tests.store.within import within
from tests.waiting import until

pytestmark = LEFT_BEHIND

type Hook = Callable[[Partition, Sequence[Event]], Awaitable[None]]
"""What else a take does before it has taken."""


@dataclass(slots=True)
class Inbox:
    """What a consumer was given: every try, what was taken of it, and the troubles that it reported."""

    store: Store
    hook: Hook | None
    stop: asyncio.Event = field(default_factory=asyncio.Event)
    consumer: Consumer = field(init=False)
    running: asyncio.Future[None] = field(init=False)
    tries: list[tuple[Partition, list[int]]] = field(default_factory=list)
    taken: dict[Partition, list[int]] = field(default_factory=dict)
    bodies: list[bytes] = field(default_factory=list)
    troubles: list[str] = field(default_factory=list)

    async def ingest(self, partition: Partition, events: Sequence[Event]) -> None:
        """Takes a batch and writes down that it did, unless the hook raises."""
        numbers = [event.sequence for event in events]
        self.tries.append((partition, numbers))
        if self.hook is not None:
            await self.hook(partition, events)
        self.taken.setdefault(partition, []).extend(numbers)
        self.bodies += [event.body for event in events]
        span, at = Span(numbers[0], numbers[-1]), events[-1].enqueued
        async with self.store.transaction() as tx:
            known = await lock_partition(tx, partition)
            taken = await read_taken(tx, known.epoch)
            if taken and span.first <= taken[-1].span.last and at > taken[-1].enqueued:
                known, _ = await begin_epoch(tx, known, at)
                taken = []
            await take(tx, known.epoch, taken, Taken(span, at, at, at))

    def report(self, trouble: RouterError) -> None:
        """Remembers a trouble."""
        self.troubles.append(f"{type(trouble).__name__} {trouble}")


@dataclass(slots=True)
class ConsumerRig:
    """A hub, and a database in which consumers claim its partitions."""

    hubs: EventHubs
    store: Store

    @asynccontextmanager
    async def consuming(self, hook: Hook | None = None, watch: float = 60.0) -> AsyncIterator[Inbox]:
        """A consumer at work, which is stopped and has ended when the context does."""
        inbox = Inbox(self.store, hook)
        inbox.consumer = Consumer(a_namespace(self.hubs), HUB, SharedPartitions(self.store), inbox.report, 0.5, watch)
        inbox.running = asyncio.create_task(inbox.consumer.consume_events(inbox.ingest, inbox.stop))
        try:
            yield inbox
        finally:
            inbox.stop.set()
            await inbox.running

    async def positions(self) -> dict[Partition, int]:
        """The number up to which each partition is taken in."""
        claims = await within(self.store, list_claims, HUB)
        return {one.partition: one.sequence for one in claims if one.sequence is not None}

    async def is_shared(self) -> bool:
        """Whether two read partitions of the hub, and not one alone."""
        owners = {one.owner for one in await within(self.store, list_claims, HUB)}
        return len(owners) == len(self.hubs.readers(HUB)) == 2


def with_rig(database: str, work: Callable[[ConsumerRig], Awaitable[None]], *groups: str) -> None:
    """Does some work beside a hub of two partitions and a database in which nothing is claimed."""

    async def beside() -> None:
        store = open_store(database)
        try:
            await store.upgrade()
            async with EventHubs({HUB: 2}, groups=groups or ("serve",)).running() as hubs:
                await work(ConsumerRig(hubs, store))
        finally:
            await store.close()

    run(beside())


WATCHFUL = 0.3
"""Seconds between two looks whether what a hub holds arrives."""


def test_a_hub_is_taken_from_its_start_in_order_and_then_from_where_it_was_left(postgresql: str) -> None:
    """In batches of at most a hundred. A batch that storage or a hub kept from being taken is tried again, in its place;
    the other partition goes on meanwhile. A defect ends the consumer, and who is stopped does not wait for storage; what
    was not taken comes again."""

    async def work(rig: ConsumerRig) -> None:
        fill(rig.hubs, FIRST, 250)
        fill(rig.hubs, SECOND, 150)
        faults = [HubError("gone"), StoreError("down")]

        async def fail(partition: Partition, events: Sequence[Event]) -> None:
            raise StoreError("down")

        async def fail_twice(partition: Partition, events: Sequence[Event]) -> None:
            if partition == FIRST and faults:
                raise faults.pop()

        async def break_down(partition: Partition, events: Sequence[Event]) -> None:
            raise ZeroDivisionError

        async with rig.consuming(fail) as before:
            await until(lambda: bool(before.troubles))
        with pytest.raises(ZeroDivisionError):
            async with rig.consuming(break_down) as broken:
                await until(broken.running.done)
        assert (before.taken, broken.troubles, await rig.positions()) == ({}, [], {})
        async with rig.consuming(fail_twice) as inbox:
            await until(lambda: len(inbox.taken.get(SECOND, [])) == 150)
            assert FIRST not in inbox.taken
            await until(lambda: len(inbox.bodies) == 400)
        assert inbox.taken == {FIRST: list(range(250)), SECOND: list(range(150))}
        # How much of a partition comes at once is the hub's to say.
        first, second, third, *_ = (numbers for partition, numbers in inbox.tries if partition == FIRST)
        assert first == second == third
        assert max(len(numbers) for _, numbers in inbox.tries) <= MOST
        assert inbox.troubles == ["StoreError down", "HubError gone"]
        assert await rig.positions() == {FIRST: 249, SECOND: 149}
        rig.hubs.append(*SECOND, b"later")
        async with rig.consuming() as after:
            await until(lambda: bool(after.bodies))
        assert (after.taken, after.bodies, after.troubles) == ({SECOND: [150]}, [b"later"], [])

    with_rig(postgresql, work)


def test_a_batch_in_hand_is_taken_and_then_checkpointed_before_a_consumer_stops(postgresql: str) -> None:
    """No checkpoint while it is in hand, however long. What is read again meanwhile is not begun, nor what follows, whether
    the connection was cut or the receiving began anew; that the rest waits is no trouble."""

    async def work(rig: ConsumerRig) -> None:
        fill(rig.hubs, FIRST, 150)
        free = asyncio.Event()

        async def wait(partition: Partition, events: Sequence[Event]) -> None:
            if partition == FIRST:
                await free.wait()

        async def is_done_beside() -> bool:
            return SECOND in await rig.positions()

        async with rig.consuming(wait, WATCHFUL) as inbox:
            await until(lambda: bool(inbox.tries))
            rig.hubs.drop_connections()
            # Whoever looks twice, and sees that nothing was taken meanwhile, would begin anew.
            looks = rig.hubs.asked(*FIRST) + 4
            await until(lambda: rig.hubs.asked(*FIRST) >= looks)
            assert not any("do not arrive" in trouble for trouble in inbox.troubles)
            rig.hubs.add_partitions(HUB, 1)
            await until(lambda: any("other partitions" in trouble for trouble in inbox.troubles))
            # It receives anew: what came once comes again, and then what is beside it.
            await until(lambda: rig.hubs.sent(*FIRST) >= 250)
            fill(rig.hubs, SECOND, 1)
            await until(is_done_beside)
            inbox.stop.set()
            # It goes on with its partitions, so that no other process has them yet.
            looks = rig.hubs.asked(*FIRST) + 2
            await until(lambda: inbox.running.done() or rig.hubs.asked(*FIRST) >= looks)
            assert not inbox.running.done()
            assert (inbox.taken, await rig.positions()) == ({SECOND: [0]}, {SECOND: 0})
            free.set()
        in_hand = list(range(len(inbox.tries[0][1])))
        assert inbox.tries == [(FIRST, in_hand), (SECOND, [0])]
        assert inbox.taken == {FIRST: in_hand, SECOND: [0]}
        assert await rig.positions() == {FIRST: in_hand[-1], SECOND: 0}

    with_rig(postgresql, work)


def test_a_partition_that_another_takes_over_in_the_midst_of_a_batch_is_taken_whole_by_both(postgresql: str) -> None:
    """Who has a batch in hand takes it to its end, and nothing after it; who took the partition over begins with that batch.
    From then on each has something to do, and all is checkpointed, also by who came late."""

    async def work(rig: ConsumerRig) -> None:
        free = asyncio.Event()

        async def wait(partition: Partition, events: Sequence[Event]) -> None:
            await free.wait()

        for partition in (FIRST, SECOND):
            fill(rig.hubs, partition, 150)
        async with rig.consuming(wait) as one:
            await until(lambda: {partition for partition, _ in one.tries} == {FIRST, SECOND})
            in_hand = dict(one.tries)
            async with rig.consuming() as other:
                await until(lambda: len(other.bodies) == 150)
                (stolen,) = other.taken
                assert (other.taken[stolen], one.taken) == (list(range(150)), {})
                free.set()
                await until(lambda: stolen in one.taken)
                for partition in (FIRST, SECOND):
                    fill(rig.hubs, partition, 5)

                async def is_all_taken() -> bool:
                    return await rig.positions() == {FIRST: 154, SECOND: 154}

                await until(is_all_taken)
        (kept,) = {FIRST, SECOND} - {stolen}
        assert one.taken == {stolen: in_hand[stolen], kept: list(range(155))}
        assert other.taken == {stolen: list(range(155))}
        assert one.troubles == other.troubles == []

    with_rig(postgresql, work)


def test_what_the_client_does_not_notice_of_a_hub_is_noticed(postgresql: str) -> None:
    """That it was created anew: it is read from its start. That partitions were added, which the client asks for once."""

    async def work(rig: ConsumerRig) -> None:
        fill(rig.hubs, FIRST, 10)
        third = Partition(HUB, "2")
        async with rig.consuming(watch=WATCHFUL) as inbox:
            await until(lambda: len(inbox.bodies) == 10)
            rig.hubs.recreate(HUB, 2)
            bodies = fill(rig.hubs, FIRST, 3)
            await until(lambda: len(inbox.bodies) == 13)
            assert (inbox.bodies[10:], await rig.positions()) == (bodies, {FIRST: 2})
            assert "HubError hub cwpp, partition 0: was created anew; reading it from its start" in inbox.troubles
            rig.hubs.add_partitions(HUB, 1)
            fill(rig.hubs, third, 3)
            await until(lambda: third in inbox.taken)
            assert "HubError hub cwpp: has other partitions than before; reading those" in inbox.troubles
        assert all(trouble.startswith("HubError hub cwpp") for trouble in inbox.troubles)

    with_rig(postgresql, work)


def test_a_hub_that_refuses_is_asked_again_after_ever_longer_waits(postgresql: str) -> None:
    """Without a wait it would take a core. Why is reported, and is its trouble; once it answers it is read on."""

    async def work(rig: ConsumerRig) -> None:
        tries = 4
        async with rig.consuming() as inbox:
            assert inbox.consumer.trouble is None
            await asyncio.sleep(0)
            assert str(inbox.consumer.trouble) == "hub cwpp: did not answer yet"
            await until(lambda: len(rig.hubs.readers(HUB)) == 2 and inbox.consumer.trouble is None)
            rig.hubs.stop_accepting()
            await until(lambda: len(rig.hubs.refused) >= 2 * tries)
            first, *_, last = rig.hubs.refused[: 2 * tries]
            # No partition can have had so many tries in less, since each wait is at least half of what it may be.
            assert last - first >= sum(FIRST_WAIT * 2**number / 2 for number in range(tries - 1))
            why = f"hub cwpp: 127.0.0.1:{rig.hubs.port}: the connection was cut off"
            assert str(inbox.consumer.trouble) == why
            rig.hubs.resume_accepting()
            fill(rig.hubs, FIRST, 2)
            await until(lambda: FIRST in inbox.taken)
        assert inbox.taken == {FIRST: [0, 1]}
        assert set(inbox.troubles) == {f"HubError {why}"}

    with_rig(postgresql, work)


def test_what_is_not_received_is_reported(postgresql: str) -> None:
    """Events that the hub holds and does not send, which are received anew; and why nobody may read, who then waits."""

    async def withheld(rig: ConsumerRig) -> None:
        async with rig.consuming(watch=WATCHFUL) as inbox:
            fill(rig.hubs, FIRST, 1)
            await until(lambda: bool(inbox.bodies))
            rig.hubs.hub(HUB).partitions[0].append(described(Section.DATA, b"late"), datetime.now(UTC))
            await until(lambda: b"late" in inbox.bodies)
        assert inbox.troubles == [
            "HubError hub cwpp, partition 0: holds events that do not arrive; receiving them anew"
        ]

    async def refused(rig: ConsumerRig) -> None:
        fill(rig.hubs, FIRST, 2)
        async with rig.consuming(watch=WATCHFUL) as inbox:
            await until(lambda: rig.hubs.asked(*FIRST) >= 3)
        assert (set(inbox.troubles), inbox.tries) == ({"HubError hub cwpp: AMQPLinkError (amqp:not-found)"}, [])

    with_rig(postgresql, withheld)
    with_rig(postgresql, refused, "sweep")


def test_who_reads_through_the_same_group_with_another_state_is_reported(postgresql: str, sqlite: Store) -> None:
    """By both, as each takes the partitions from the other. That another process of the same state takes one is no trouble."""

    async def work(rig: ConsumerRig) -> None:
        async with rig.consuming() as one, ConsumerRig(rig.hubs, sqlite).consuming() as stranger:
            await until(lambda: bool(one.troubles and stranger.troubles))
        words = "another reads by consumer group serve; if that goes on, with another state"
        said = {
            f"HubError hub cwpp, partition {id}: ConnectionLostError (link:stolen): {words}"
            for _, id in (FIRST, SECOND)
        }
        assert said >= {*one.troubles, *stranger.troubles}
        async with rig.consuming() as one:
            await until(lambda: len(rig.hubs.readers(HUB)) == 2)
            async with rig.consuming() as other:
                await until(rig.is_shared)
        assert one.troubles == other.troubles == []

    with_rig(postgresql, work)


WHERE = ("soc.servicebus.windows.net", HUB, "serve")
ASKED = {"fully_qualified_namespace": WHERE[0], "eventhub_name": HUB, "consumer_group": "serve", "partition_id": "0"}


def test_a_claim_is_as_old_as_it_was_seen_unchanged(sqlite: Store) -> None:
    """By the clock of the process that looks, whatever that of the one that claims says."""
    now = 1000.0
    claimer = Checkpoints(SharedPartitions(sqlite), lambda: 5.0)
    other = Checkpoints(SharedPartitions(sqlite), lambda: now)
    claim = list(acts.run(claimer.claim_ownership([ASKED | {"owner_id": "claimer"}])))
    assert [one["last_modified_time"] for one in acts.run(other.list_ownership(*WHERE))] == [1000.0]
    now = 1060.0
    (seen,) = acts.run(other.list_ownership(*WHERE))
    assert (seen["last_modified_time"], seen["owner_id"]) == (1000.0, "claimer")
    acts.run(claimer.claim_ownership(claim))
    assert [one["last_modified_time"] for one in acts.run(other.list_ownership(*WHERE))] == [1060.0]
    assert list(acts.run(other.claim_ownership([seen | {"owner_id": "other"}]))) == []
