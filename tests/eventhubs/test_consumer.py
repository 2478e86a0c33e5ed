"""A hub read as it fills: nothing is passed over, whatever happens while it is taken in."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence

import pytest

from router.domain.errors import HubError, StoreError
from router.domain.hubs import Event, Partition
from router.eventhubs.consumer import MOST, Rhythm
from tests.eventhubs.consuming import ConsumerRig, Inbox, a_rig
from tests.eventhubs.hubs import FIRST, HUB, LEFT_BEHIND, SECOND, fill, run
from tests.stack.event_hubs import EventHubs
from tests.waiting import until

pytestmark = LEFT_BEHIND

WATCHFUL = Rhythm(renew=0.5, watch=0.3)


def consuming(postgresql: str, work: Callable[[ConsumerRig], Awaitable[None]], hubs: EventHubs | None = None) -> None:
    """Does some work where consumers can."""

    async def at_a_rig() -> None:
        async with a_rig(postgresql, hubs) as rig:
            await work(rig)

    run(at_a_rig())


def test_a_hub_is_taken_from_its_start_in_order_and_then_from_where_it_was_left(postgresql: str) -> None:
    """In batches of at most a hundred; what was taken once does not come again, what came meanwhile does."""

    async def work(rig: ConsumerRig) -> None:
        fill(rig.hubs, FIRST, 250)
        fill(rig.hubs, SECOND, 30)
        before, after = Inbox(), Inbox()
        async with rig.consuming(before):
            await until(lambda: len(before.bodies) == 280)
        assert before.taken == {FIRST: list(range(250)), SECOND: list(range(30))}
        assert max(len(numbers) for _, numbers in before.tries) <= MOST
        assert await rig.positions() == {FIRST: 249, SECOND: 29}
        rig.hubs.append(*SECOND, b"later")
        async with rig.consuming(after):
            await until(lambda: bool(after.bodies))
        assert (after.taken, after.bodies) == ({SECOND: [30]}, [b"later"])
        assert before.troubles == after.troubles == []

    consuming(postgresql, work)


def test_a_batch_in_hand_is_taken_and_then_checkpointed_before_a_consumer_stops(postgresql: str) -> None:
    """No checkpoint while it is in hand, however long. What is read again meanwhile is not begun, nor what follows."""

    async def work(rig: ConsumerRig) -> None:
        fill(rig.hubs, FIRST, 150)
        free = asyncio.Event()

        async def wait(partition: Partition, events: Sequence[Event]) -> None:
            if partition == FIRST:
                await free.wait()

        async def is_done_beside() -> bool:
            return SECOND in await rig.positions()

        inbox = Inbox(wait)
        async with rig.consuming(inbox, WATCHFUL) as stop:
            await until(lambda: bool(inbox.tries))
            rig.hubs.add_partitions(HUB, 1)
            await until(lambda: bool(inbox.troubles))
            # It receives anew: what came once comes again, and then what is beside it.
            await until(lambda: rig.hubs.sent(*FIRST) >= 250)
            fill(rig.hubs, SECOND, 1)
            await until(is_done_beside)
            stop.set()
            assert (inbox.taken, await rig.positions()) == ({SECOND: [0]}, {SECOND: 0})
            free.set()
        # How much of a partition comes at once is the hub's to say.
        in_hand = list(range(len(inbox.tries[0][1])))
        assert inbox.tries == [(FIRST, in_hand), (SECOND, [0])]
        assert inbox.taken == {FIRST: in_hand, SECOND: [0]}
        assert await rig.positions() == {FIRST: in_hand[-1], SECOND: 0}

    consuming(postgresql, work)


def test_a_batch_that_could_not_be_taken_is_tried_again_before_any_other(postgresql: str) -> None:
    """Whether storage or a hub was at fault: the same batch, in its place. The other partition goes on meanwhile."""

    async def work(rig: ConsumerRig) -> None:
        fill(rig.hubs, FIRST, 150)
        fill(rig.hubs, SECOND, 150)
        faults = [HubError("gone"), StoreError("down")]

        async def fail_twice(partition: Partition, events: Sequence[Event]) -> None:
            if partition == FIRST and faults:
                raise faults.pop()

        inbox = Inbox(fail_twice)
        async with rig.consuming(inbox):
            await until(lambda: len(inbox.taken.get(SECOND, [])) == 150)
            assert FIRST not in inbox.taken
            await until(lambda: len(inbox.bodies) == 300)
        assert inbox.taken == {FIRST: list(range(150)), SECOND: list(range(150))}
        tries = [numbers for partition, numbers in inbox.tries if partition == FIRST]
        # How much of a partition comes at once is the hub's to say.
        first, second, third, *rest = tries
        assert first == second == third
        assert [number for some in (first, *rest) for number in some] == list(range(150))
        assert inbox.troubles == ["StoreError down", "HubError gone"]

    consuming(postgresql, work)


def test_nothing_overtakes_a_batch_that_is_long_in_hand(postgresql: str) -> None:
    """Not even after the connection was cut; that the rest waits is no trouble."""

    async def work(rig: ConsumerRig) -> None:
        fill(rig.hubs, FIRST, 250)

        async def take_long(partition: Partition, events: Sequence[Event]) -> None:
            if len(inbox.tries) == 1:
                rig.hubs.drop_connections()
                # Whoever looks twice, and sees that nothing was taken meanwhile, would begin anew.
                looks = rig.hubs.asked(*FIRST) + 4
                await until(lambda: rig.hubs.asked(*FIRST) >= looks)
                assert len(inbox.tries) == 1

        inbox = Inbox(take_long)
        async with rig.consuming(inbox, WATCHFUL):
            await until(lambda: len(set(inbox.taken.get(FIRST, []))) == 250)
        # What the client held when it was cut off comes twice.
        assert list(dict.fromkeys(inbox.taken[FIRST])) == list(range(250))
        assert [trouble for trouble in inbox.troubles if "do not arrive" in trouble] == []

    consuming(postgresql, work)


def test_a_consumer_that_is_stopped_does_not_wait_for_storage_to_come_back(postgresql: str) -> None:
    """What it could not take comes again; nothing after it was taken in its place."""

    async def work(rig: ConsumerRig) -> None:
        fill(rig.hubs, FIRST, 150)

        async def fail(partition: Partition, events: Sequence[Event]) -> None:
            raise StoreError("down")

        before, after = Inbox(fail), Inbox()
        async with rig.consuming(before):
            await until(lambda: bool(before.troubles))
        assert (before.taken, await rig.positions()) == ({}, {})
        async with rig.consuming(after):
            await until(lambda: len(after.bodies) == 150)
        assert after.taken == {FIRST: list(range(150))}

    consuming(postgresql, work)


def test_a_fault_that_is_nobodys_trouble_ends_the_consumer_and_passes_nothing_over(postgresql: str) -> None:
    """A defect is not tried again and again; what was in hand comes to the next."""

    async def work(rig: ConsumerRig) -> None:
        fill(rig.hubs, FIRST, 3)

        async def break_down(partition: Partition, events: Sequence[Event]) -> None:
            raise ZeroDivisionError

        before, after = Inbox(break_down), Inbox()
        with pytest.raises(ZeroDivisionError):
            await rig.consumer(before).consume_events(before.ingest, asyncio.Event())
        assert (len(before.tries), await rig.positions()) == (1, {})
        async with rig.consuming(after):
            await until(lambda: len(after.bodies) == 3)

    consuming(postgresql, work)


def test_a_partition_that_another_consumer_takes_over_in_the_midst_of_a_batch_is_taken_whole_by_both(
    postgresql: str,
) -> None:
    """Who has a batch in hand takes it to its end, and nothing after it; who took the partition over begins with that batch.
    From then on each has something to do, and all is checkpointed, also by who came late."""

    async def work(rig: ConsumerRig) -> None:
        free = asyncio.Event()

        async def wait(partition: Partition, events: Sequence[Event]) -> None:
            await free.wait()

        one, other = Inbox(wait), Inbox()
        for partition in (FIRST, SECOND):
            fill(rig.hubs, partition, 150)
        async with rig.consuming(one):
            await until(lambda: {partition for partition, _ in one.tries} == {FIRST, SECOND})
            in_hand = dict(one.tries)
            async with rig.consuming(other):
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

    consuming(postgresql, work)


def test_a_hub_that_was_created_anew_is_read_from_its_start(postgresql: str) -> None:
    """Its checkpoints are another hub's; the trouble is told once for each partition."""

    async def work(rig: ConsumerRig) -> None:
        fill(rig.hubs, FIRST, 10)
        inbox = Inbox()
        async with rig.consuming(inbox, WATCHFUL):
            await until(lambda: len(inbox.bodies) == 10)
            rig.hubs.recreate(HUB, 2)
            bodies = fill(rig.hubs, FIRST, 3)
            await until(lambda: len(inbox.bodies) == 13)
        assert inbox.bodies[10:] == bodies
        assert await rig.positions() == {FIRST: 2}
        assert "HubError hub cwpp, partition 0: was created anew; reading it from its start" in inbox.troubles

    consuming(postgresql, work)


def test_partitions_that_were_added_are_read(postgresql: str) -> None:
    """The client asks once which there are."""

    async def work(rig: ConsumerRig) -> None:
        fill(rig.hubs, FIRST, 1)
        inbox = Inbox()
        async with rig.consuming(inbox, WATCHFUL):
            await until(lambda: bool(inbox.bodies))
            rig.hubs.add_partitions(HUB, 1)
            third = Partition(HUB, "2")
            fill(rig.hubs, third, 3)
            await until(lambda: third in inbox.taken)
        assert "HubError hub cwpp: has other partitions than before; reading those" in inbox.troubles

    consuming(postgresql, work)


def test_a_consumer_outlasts_a_hub_that_cannot_be_reached(postgresql: str) -> None:
    """It says so, and goes on where it was."""

    async def work(rig: ConsumerRig) -> None:
        fill(rig.hubs, FIRST, 2)
        inbox = Inbox()
        async with rig.consuming(inbox, WATCHFUL):
            await until(lambda: len(inbox.bodies) == 2)
            rig.hubs.stop_accepting()
            await until(lambda: any("ConnectError (socket-error)" in trouble for trouble in inbox.troubles))
            rig.hubs.resume_accepting()
            fill(rig.hubs, FIRST, 2)
            await until(lambda: len(set(inbox.taken[FIRST])) == 4)
        assert all(trouble.startswith("HubError hub cwpp") for trouble in inbox.troubles)

    consuming(postgresql, work)


def test_events_that_do_not_arrive_are_told_of(postgresql: str) -> None:
    """As without the consumer group, of which the client says nothing."""

    async def work(rig: ConsumerRig) -> None:
        fill(rig.hubs, FIRST, 2)
        inbox = Inbox()
        async with rig.consuming(inbox, WATCHFUL):
            await until(lambda: bool(inbox.troubles))
        assert (
            inbox.troubles[0] == "HubError hub cwpp, partition 0: holds events that do not arrive; receiving them anew"
        )
        assert inbox.tries == []

    consuming(postgresql, work, EventHubs({HUB: 2}, groups=["sweep"]))
