"""Spans of a hub that are read again: what is still there, all of it, nothing else, and never for ever."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from datetime import UTC, datetime, timedelta

from azure.eventhub import EventData
from azure.eventhub.aio import EventHubConsumerClient, PartitionContext

from router.domain.errors import HubError
from router.domain.hubs import Event, Extent, Partition, Span
from router.eventhubs import HubReader, Namespace
from router.eventhubs.reader import receive_events
from tests.eventhubs.hubs import FIRST, HOST, HUB, LEFT_BEHIND, SECOND, a_namespace, fill, numbers, relayed, run
from tests.stack.event_hubs import KEY, EventHubs
from tests.waiting import until

pytestmark = LEFT_BEHIND

FOREVER = 3600.0
"""Seconds of patience where a test would not end if the reader waited for what cannot come."""


def with_reader[T](work: Callable[[EventHubs, HubReader], Awaitable[T]], patience: float = FOREVER) -> T:
    """What comes of some work with hubs and a reader of one of them."""

    async def with_hubs() -> T:
        async with EventHubs({HUB: 3}).running() as hubs:
            return await work(hubs, HubReader(a_namespace(hubs), HUB, patience))

    return run(with_hubs())


async def extents_of(reader: HubReader) -> dict[Partition, Extent]:
    """What a hub says of its partitions, all of which have to answer."""
    extents = await reader.read_extents()
    answered = {partition: extent for partition, extent in extents.items() if isinstance(extent, Extent)}
    assert answered.keys() == extents.keys()
    return answered


def test_extents_tell_the_full_from_the_emptied_and_the_never_used() -> None:
    """An emptied partition tells how far it had come; one never used begins with 0; a hub that is created anew is another."""

    async def work(hubs: EventHubs, reader: HubReader) -> None:
        fill(hubs, FIRST, 5)
        fill(hubs, SECOND, 4)
        hubs.trim(*FIRST, 2)
        hubs.trim(*SECOND, 4)
        before, extents = datetime.now(UTC), await extents_of(reader)
        assert {partition: (extent.first, extent.last) for partition, extent in extents.items()} == {
            FIRST: (2, 4),
            SECOND: (4, 3),
            Partition(HUB, "2"): (0, -1),
        }
        assert {extent.created.tzinfo for extent in extents.values()} == {UTC}
        assert all(before - timedelta(minutes=1) < extent.created < before for extent in extents.values())
        hubs.shift_clock(timedelta(hours=1))
        hubs.recreate(HUB, 1)
        hubs.append(*FIRST, b"new")
        anew = await extents_of(reader)
        assert anew == {FIRST: Extent(0, 0, anew[FIRST].created)}
        assert anew[FIRST].created > extents[FIRST].created
        assert [event.body for event in await reader.read_events(FIRST, Span(0, 0), 100)] == [b"new"]

    with_reader(work)


def test_what_is_there_of_a_span_is_read_and_nothing_else() -> None:
    """Body, number and time are the hub's; both ends are in it, the first are given where fewer are wanted, more than a client
    holds at a time are read whole, and what was trimmed is not waited for."""

    async def work(hubs: EventHubs, reader: HubReader) -> None:
        bodies = fill(hubs, FIRST, 350)
        fill(hubs, SECOND, 10)
        hubs.trim(*FIRST, 5)
        asked = [(Span(7, 9), 100), (Span(349, 349), 1), (Span(9, 12), 3), (Span(9, 12), 0), (Span(10, 340), 1000)]
        read = await asyncio.gather(
            *(reader.read_events(FIRST, *one) for one in [*asked, (Span(2, 6), 9), (Span(0, 4), 9)])
        )
        found = [[7, 8, 9], [349], [9, 10, 11], [], list(range(10, 341)), [5, 6], []]
        assert [numbers(events) for events in read] == found
        assert read[0] == [Event(one.sequence, one.enqueued, one.body) for one in hubs.published(*FIRST)[2:5]]
        assert [event.body for event in read[0]] == bodies[7:10]

    with_reader(work)


def received(hubs: EventHubs, span: Span, patience: float = FOREVER) -> Awaitable[Sequence[Event]]:
    """What is received of a span that was said to be there."""

    async def receive() -> Sequence[Event]:
        async with a_namespace(hubs).consumer(HUB, "sweep") as client:
            return await receive_events(client, FIRST, span, 100, patience)

    return receive()


def test_events_that_are_trimmed_while_they_are_asked_for_are_let_go() -> None:
    """The hub goes on with the first event that it has. One that sends nothing is at fault, and so is one that is gone."""

    async def work(hubs: EventHubs, reader: HubReader) -> list[str]:
        fill(hubs, FIRST, 10)
        hubs.trim(*FIRST, 5)
        some, none = await asyncio.gather(received(hubs, Span(2, 6)), received(hubs, Span(2, 4)))
        assert (numbers(some), none) == ([5, 6], [])
        hubs.trim(*FIRST, 10)
        faults = await faults_of(received(hubs, Span(2, 6), 0.5))
        hubs.stop_accepting()
        return [*faults, *await faults_of(received(hubs, Span(2, 6)))]

    where = "hub cwpp, partition 0"
    assert with_reader(work) == [f"{where}: no answer in time", f"{where}: ConnectError (socket-error)"]


def test_whoever_else_reads_is_not_sent_away() -> None:
    """Functions read with an epoch, through another consumer group; the sweep reads beside them."""

    async def work(hubs: EventHubs, reader: HubReader) -> None:
        seen: list[int | None] = []

        async def on_event(context: PartitionContext, event: EventData | None) -> None:
            assert event is not None
            seen.append(event.sequence_number)

        fill(hubs, FIRST, 3)
        async with EventHubConsumerClient.from_connection_string(
            hubs.connection_string, "take", eventhub_name=HUB, retry_total=0
        ) as other:
            receiving = asyncio.create_task(
                other.receive(on_event, partition_id="0", owner_level=7, starting_position="-1")
            )
            await until(lambda: len(seen) == 3)
            assert numbers(await reader.read_events(FIRST, Span(0, 2), 100)) == [0, 1, 2]
            hubs.append(*FIRST, b"later")
            await until(lambda: len(seen) == 4)
            receiving.cancel()
        # It would have begun anew, and seen all of them again, had it been sent away.
        assert seen == [0, 1, 2, 3]

    with_reader(work)


def test_a_connection_that_is_cut_in_the_middle_costs_nothing() -> None:
    """Wherever it is cut: the client connects again, and what it gets twice is given once, in order."""

    async def read_cut_after(said: int, hubs: EventHubs) -> None:
        async with relayed(hubs) as relay:
            relay.until = said
            reader = HubReader(a_namespace(hubs, relay.port), HUB)
            assert numbers(await reader.read_events(FIRST, Span(10, 590), 1000)) == list(range(10, 591))
            assert relay.cuts == 1

    async def work(hubs: EventHubs, reader: HubReader) -> None:
        for number in range(600):
            hubs.append(*FIRST, b"%03d" % number * 50)
        await asyncio.gather(*(read_cut_after(said, hubs) for said in (10_000, 50_000, 90_000)))

    with_reader(work)


def test_a_hub_that_does_not_answer_as_it_should_is_a_fault() -> None:
    """In one line, without an address: it answers nothing, is not there, forbids it or cannot be reached. One that reaches
    less far than it said before proves nothing gone."""

    async def work(hubs: EventHubs, reader: HubReader) -> list[str]:
        fill(hubs, FIRST, 10)
        wrong = Namespace(connection_string=hubs.connection_string.replace(KEY, "another"))
        unknown, forbidden = HubReader(a_namespace(hubs), "nowhere"), HubReader(wrong, HUB)
        async with await asyncio.start_server(lambda *_: None, HOST, 0) as server:
            mute = HubReader(a_namespace(EventHubs(), server.sockets[0].getsockname()[1]), HUB, 0.5)
            texts = await faults_of(
                mute.read_extents(),
                unknown.read_extents(),
                forbidden.read_events(FIRST, Span(0, 1), 1),
                reader.read_events(FIRST, Span(8, 10), 100),
                reader.read_events(FIRST, Span(10, 20), 100),
            )
        hubs.stop_accepting()
        return [*texts, *await faults_of(reader.read_extents(), reader.read_events(FIRST, Span(0, 1), 1))]

    assert with_reader(work) == [
        "hub cwpp: no answer in time",
        "hub nowhere: ConnectError (not-found)",
        "hub cwpp, partition 0: AuthenticationError (client-error)",
        *["hub cwpp, partition 0: answers with less than it had"] * 2,
        "hub cwpp: ConnectError (socket-error)",
        "hub cwpp, partition 0: ConnectError (socket-error)",
    ]


async def faults_of(*works: Awaitable[object]) -> list[str]:
    """What the HubErrors say that some works must raise, all at a time."""
    found = await asyncio.gather(*works, return_exceptions=True)
    assert [type(fault) for fault in found] == [HubError] * len(works)
    return [str(fault) for fault in found]
