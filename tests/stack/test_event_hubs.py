"""The loopback Event Hubs, as the unmodified azure-eventhub client finds them over real sockets."""

from __future__ import annotations

import asyncio
import json
import signal
import subprocess
import sys
from collections.abc import Callable, Coroutine, Iterator
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import azure.eventhub
import pytest
from azure.eventhub import EventData
from azure.eventhub.aio import EventHubConsumerClient, EventHubProducerClient
from azure.eventhub.exceptions import (
    AuthenticationError,
    ConnectError,
    ConnectionLostError,
    EventDataSendError,
    EventHubError,
)

from tests.leash import leashed
from tests.stack.event_hubs import KEY, EventHubs, event_hubs_in_thread
from tests.stack.event_hubs.amqp.refused import Refused
from tests.stack.event_hubs.checkpoints import Checkpoints
from tests.waiting import PATIENCE, until, wait_until

ROOT = Path(__file__).parents[2]
BALANCING = 0.2  # seconds between two looks at who reads what
BEGINNING = "-1"


@pytest.fixture(autouse=True)
def nothing_goes_wrong_unseen(caplog: pytest.LogCaptureFixture) -> Iterator[None]:
    """What an event loop can only log, such as an exception that nobody awaits, fails the test."""
    yield
    assert [record.getMessage() for record in caplog.get_records("call") if record.name == "asyncio"] == []


class Inbox:
    """A consumer at work, and what it was given: events, errors, and the partitions that it reads now."""

    def __init__(self, client: EventHubConsumerClient, options: dict[str, Any]) -> None:
        self.events: list[EventData] = []
        self.errors: list[str] = []
        self.latest: list[Any] = []
        self.partitions: set[str] = set()
        self._client = client
        self._task = asyncio.create_task(
            client.receive(
                self._on_event,
                on_error=self._on_error,
                on_partition_initialize=self._on_partition_initialize,
                on_partition_close=self._on_partition_close,
                **options,
            )
        )

    async def _on_event(self, context: Any, event: EventData | None) -> None:
        assert event is not None
        self.events.append(event)
        self.latest.append(context.last_enqueued_event_properties)
        await context.update_checkpoint(event)

    async def _on_error(self, context: Any, error: Exception) -> None:
        self.errors.append(str(error))

    async def _on_partition_initialize(self, context: Any) -> None:
        self.partitions.add(context.partition_id)

    async def _on_partition_close(self, context: Any, reason: object) -> None:
        self.partitions.discard(context.partition_id)

    @property
    def bodies(self) -> list[str]:
        return [event.body_as_str() for event in self.events]

    async def until(self, condition: Callable[[], bool]) -> None:
        """Waits for something to come true."""
        try:
            await until(condition)
        except TimeoutError:
            pytest.fail(f"it never came true, with {len(self.events)} events and the errors {self.errors[:3]}")

    async def holds(self, *bodies: str) -> None:
        """Waits for these events, and for no others."""
        await self.until(lambda: len(self.events) >= len(bodies))
        assert self.bodies == list(bodies)

    async def fails(self, words: str) -> None:
        """Waits for an error that says so."""
        await self.until(lambda: any(words in error for error in self.errors))

    async def close(self) -> None:
        """Ends the consumer. The client would sleep a second while its partitions close; a second cancel ends that."""
        self._task.cancel()
        await self.until(lambda: not self.partitions)
        self._task.cancel()
        await asyncio.wait([self._task])
        await self._client.close()


class HubRig:
    """Event hubs, and the clients that a test brings to them."""

    def __init__(self, hubs: EventHubs) -> None:
        self.hubs = hubs
        self._inboxes: list[Inbox] = []

    def producer(self, hub: str = "cwpp", *, key: str = KEY, retries: int = 0) -> EventHubProducerClient:
        """A client that publishes."""
        connection = self.hubs.connection_string.replace(KEY, key)
        return EventHubProducerClient.from_connection_string(
            connection, eventhub_name=hub, retry_total=retries, retry_backoff_factor=0.1
        )

    def read(
        self,
        partition: str | None = "0",
        position: Any = BEGINNING,
        *,
        hub: str = "cwpp",
        group: str = "$Default",
        store: Checkpoints | None = None,
        retries: int = 0,
        **options: Any,
    ) -> Inbox:
        """A client that reads from one partition, or from all."""
        client = EventHubConsumerClient.from_connection_string(
            self.hubs.connection_string,
            group,
            eventhub_name=hub,
            checkpoint_store=store,
            retry_total=retries,
            retry_backoff_factor=0.1,
            load_balancing_interval=BALANCING,
            partition_ownership_expiration_interval=30 * BALANCING,
        )
        inbox = Inbox(client, {"partition_id": partition, "starting_position": position} | options)
        self._inboxes.append(inbox)
        return inbox

    async def refusal(self, node: str) -> tuple[str, str]:
        """Waits until a link to a node is refused, and says why; the client keeps most of this to itself."""
        await until(lambda: any(refused.node == node for refused in self.hubs.refused_links()))
        refused = next(refused for refused in self.hubs.refused_links() if refused.node == node)
        return refused.condition, refused.description

    async def close(self) -> None:
        """Ends all consumers."""
        await asyncio.gather(*(inbox.close() for inbox in self._inboxes))


def run(test: Callable[[HubRig], Coroutine[Any, Any, None]]) -> None:
    """Runs a test beside event hubs that serve in the same loop."""

    async def beside() -> None:
        async with EventHubs().running() as hubs:
            rig = HubRig(hubs)
            try:
                await test(rig)
            finally:
                await rig.close()

    asyncio.run(beside())


# What is published arrives.


def test_batches_of_every_size_arrive_whole_and_in_order() -> None:
    """One event, two, hundreds, and as many as a batch holds: none is lost, doubled or moved."""

    async def test(rig: HubRig) -> None:
        sent: list[str] = []
        async with rig.producer() as producer:
            for most in (1, 2, 500, sys.maxsize):
                batch = await producer.create_batch(partition_id="0")
                with suppress(ValueError):  # which says that it is full
                    while len(batch) < most:
                        body = f"{len(sent)} {'x' * 1500}"
                        batch.add(EventData(body))
                        sent.append(body)
                await producer.send_batch(batch)
        assert len(sent) > 1000
        inbox = rig.read()
        await inbox.holds(*sent)
        assert [event.sequence_number for event in inbox.events] == list(range(len(sent)))

    run(test)


def test_an_event_of_many_frames_arrives_whole_and_one_above_the_limit_not_at_all() -> None:
    """The limit of 1 MiB is announced, and the client heeds it."""

    async def test(rig: HubRig) -> None:
        inbox = rig.read()
        async with rig.producer() as producer:
            await producer.send_event(EventData("z" * 1_000_000), partition_id="0")
            with pytest.raises(EventDataSendError, match="exceeds"):
                await producer.send_event(EventData("z" * 1_050_000), partition_id="0")
        await inbox.holds("z" * 1_000_000)
        assert rig.hubs.last_sequence("cwpp", 0) == 0

    run(test)


def test_what_a_publisher_says_about_an_event_reaches_its_reader() -> None:
    """Properties, content type and annotations come through; where and when is the hub's to say."""

    async def test(rig: HubRig) -> None:
        event = EventData("body")
        event.properties = {"tenant": "one", "number": 7}
        event.content_type, event.correlation_id = "application/json", "c-1"
        event.raw_amqp_message.annotations = {b"x-mine": 1, b"x-opt-sequence-number": 99}
        async with rig.producer() as producer:
            await producer.send_event(event, partition_key="key")
        inbox = rig.read(None)
        await inbox.holds("body")
        (received,) = inbox.events
        assert received.properties == {b"tenant": b"one", b"number": 7}
        assert (received.content_type, received.correlation_id) == ("application/json", "c-1")
        assert received.system_properties[b"x-mine"] == 1
        assert (received.sequence_number, received.offset, received.partition_key) == (0, "0", b"key")
        (kept,) = rig.hubs.published("cwpp", 0) + rig.hubs.published("cwpp", 1)
        assert kept == (0, received.enqueued_time, b"body")

    run(test)


def test_a_key_keeps_its_partition_and_events_without_one_take_turns() -> None:
    """Who wants order gives a key; all else is spread."""

    async def test(rig: HubRig) -> None:
        async with rig.producer() as producer:
            for key in ["one", "two", "three", "four"] * 2:
                await producer.send_batch([EventData(key)], partition_key=key)
            keyed = [[event.body for event in rig.hubs.published("cwpp", id)] for id in (0, 1)]
            for _ in range(4):
                await producer.send_event(EventData("any"))
        assert all(bodies and bodies[: len(bodies) // 2] * 2 == bodies for bodies in keyed)
        assert [len(rig.hubs.published("cwpp", id)) - len(keyed[id]) for id in (0, 1)] == [2, 2]

    run(test)


def test_a_reader_may_be_told_with_each_event_how_far_its_partition_has_come() -> None:
    """Only one that asks is told."""

    async def test(rig: HubRig) -> None:
        rig.hubs.append("cwpp", 0, b"first")
        rig.hubs.append("cwpp", 0, b"last")
        curious, plain = rig.read(track_last_enqueued_event_properties=True), rig.read()
        await curious.holds("first", "last")
        await plain.holds("first", "last")
        last = rig.hubs.published("cwpp", 0)[-1]
        assert [(one["sequence_number"], one["enqueued_time"]) for one in curious.latest] == [(1, last.enqueued)] * 2
        assert plain.latest == [None, None]

    run(test)


# Where a reader begins.


def test_a_reader_begins_where_it_wants() -> None:
    """By offset, sequence number or time, with the event at that place or without; from the beginning; with what is new."""

    async def test(rig: HubRig) -> None:
        noon = datetime(2026, 11, 24, 12, tzinfo=UTC)
        for number in range(4):
            rig.hubs.append("cwpp", 0, str(number).encode(), noon + timedelta(seconds=number))
        async with rig.producer() as producer:
            offset = (await producer.get_partition_properties("0"))["last_enqueued_offset"]
        inboxes = [
            (rig.read(position=position, starting_position_inclusive=inclusive, group=group), expected)
            for group, position, inclusive, expected in (
                ("$Default", BEGINNING, False, "01234"),
                ("$Default", offset, True, "34"),
                ("$Default", offset, False, "4"),
                ("$Default", "@latest", False, "4"),
                ("take", 1, True, "1234"),
                ("take", 1, False, "234"),
                ("take", 3, False, "4"),
                ("sweep", noon + timedelta(seconds=2), True, "234"),
                ("sweep", noon + timedelta(seconds=2), False, "34"),
                ("sweep", noon + timedelta(seconds=3), False, "4"),
            )
        ]
        await until(lambda: len(rig.hubs.readers("cwpp")) == len(inboxes))
        rig.hubs.append("cwpp", 0, b"4", noon + timedelta(seconds=4))
        for inbox, expected in inboxes:
            await inbox.holds(*expected)

    run(test)


def test_a_reader_that_begins_beyond_the_end_is_refused() -> None:
    """As the service does, though the client does not pass it on: the last event is the last place to begin after."""

    async def test(rig: HubRig) -> None:
        rig.hubs.append("cwpp", 0, b"only")
        inboxes = rig.read(position=1), rig.read(position="1", group="take")
        assert await rig.refusal("cwpp/consumergroups/$default/partitions/0") == (
            "com.microsoft:argument-error",
            "The supplied sequence number '1' is invalid. The last sequence number in the system is '0'",
        )
        assert await rig.refusal("cwpp/consumergroups/take/partitions/0") == (
            "com.microsoft:argument-error",
            "The supplied offset '1' is invalid. The last offset in the system is '0'",
        )
        assert [inbox.errors for inbox in inboxes] == [[], []]

    run(test)


@pytest.mark.soak  # Of the double; tests/eventhubs asks the same of the router.
def test_a_consumer_resumes_behind_its_checkpoint() -> None:
    """What was checkpointed is not given again, what came meanwhile is."""

    async def test(rig: HubRig) -> None:
        store = Checkpoints()
        rig.hubs.append("cwpp", 0, b"before")
        inbox = rig.read(None, store=store)
        await inbox.until(lambda: bool(store.checkpoints))
        await inbox.close()
        rig.hubs.append("cwpp", 0, b"meanwhile")
        rig.hubs.append("cwpp", 1, b"elsewhere")
        resumed = rig.read(None, store=store)
        await resumed.until(lambda: len(resumed.events) >= 2)
        assert sorted(resumed.bodies) == ["elsewhere", "meanwhile"]

    run(test)


# Who may read.


@pytest.mark.soak  # Of the double; tests/eventhubs asks the same of the router.
def test_consumers_share_the_partitions_between_them() -> None:
    """A second consumer takes its half, and takes over all when the first one ends."""

    async def test(rig: HubRig) -> None:
        store = Checkpoints()
        first = rig.read(None, store=store)
        await first.until(lambda: first.partitions == {"0", "1"})
        second = rig.read(None, store=store)
        await second.until(lambda: len(second.partitions) == 1 and first.partitions == {"0", "1"} - second.partitions)
        for partition in (0, 1):
            rig.hubs.append("cwpp", partition, str(partition).encode())
        await first.until(lambda: set(first.bodies) == first.partitions)
        await second.until(lambda: set(second.bodies) == second.partitions)
        await first.close()
        await second.until(lambda: second.partitions == {"0", "1"})

    run(test)


@pytest.mark.soak  # Of the double; tests/eventhubs asks the same of the router.
def test_a_reader_with_an_epoch_takes_the_place_of_those_that_it_outranks() -> None:
    """None, a lower one or the same gives way; none or a lower one may not come back as long as the higher one reads."""

    async def test(rig: HubRig) -> None:
        plain, low, same = rig.read("0"), rig.read("1", owner_level=1), rig.read(hub="cspm", owner_level=0)
        await plain.until(lambda: len(rig.hubs.readers("cwpp") + rig.hubs.readers("cspm")) == 3)
        high = rig.read("0", owner_level=2), rig.read("1", owner_level=2)
        rig.read(hub="cspm", owner_level=0)
        took = "New receiver 'nil' with higher epoch of '{}' is created hence current receiver 'nil' with epoch '{}'"
        await plain.fails(took.format(2, "nil"))
        await low.fails(took.format(2, 1))
        await same.fails(took.format(0, 0))
        await plain.fails("At least one receiver for the endpoint is created with epoch of '2', and so non-epoch")
        await low.fails("Receiver 'nil' with a higher epoch '2' already exists. Receiver 'nil' with epoch 1 cannot")
        assert sorted(rig.hubs.readers("cwpp")) == [(0, "$default", 2), (1, "$default", 2)]
        for partition, inbox in enumerate(high):
            rig.hubs.append("cwpp", partition, str(partition).encode())
            await inbox.holds(str(partition))
        assert plain.events + low.events == []

    run(test)


@pytest.mark.soak  # Of the double; tests/eventhubs asks the same of the router.
def test_groups_and_partitions_do_not_stand_in_each_others_way() -> None:
    """Epochs count within one group and one partition, and so do the five readers that may go without."""

    async def test(rig: HubRig) -> None:
        five = [rig.read() for _ in range(5)]
        others = [rig.read("1", owner_level=1), rig.read(group="take", owner_level=1), rig.read(hub="cspm")]
        await five[0].until(lambda: len(rig.hubs.readers("cwpp")) == 7)
        rig.read()
        condition, description = await rig.refusal("cwpp/consumergroups/$default/partitions/0")
        assert condition == "amqp:resource-limit-exceeded"
        assert "allowed receivers per partition in a consumer group which is 5" in description
        assert not [error for inbox in (*five, *others) for error in inbox.errors]

    run(test)


# What hubs tell.


def test_a_hub_tells_about_itself_and_its_partitions() -> None:
    """Before any event, with some, after retention took a part of them, and after it took all."""

    async def test(rig: HubRig) -> None:
        async with rig.producer() as producer:

            async def properties_of(partition: str) -> list[Any]:
                properties = await producer.get_partition_properties(partition)
                assert (properties.pop("eventhub_name"), properties.pop("id")) == ("cwpp", partition)
                return [properties[name] for name in sorted(properties)]

            about = await producer.get_eventhub_properties()
            assert (about["eventhub_name"], about["partition_ids"]) == ("cwpp", ["0", "1"])
            assert abs(about["created_at"] - datetime.now(UTC)) < timedelta(minutes=1)
            assert await properties_of("1") == [0, True, "-1", -1, datetime.min.replace(tzinfo=UTC)]
            for body in (b"one", b"two", b"three"):
                rig.hubs.append("cwpp", 0, body)
            last = rig.hubs.published("cwpp", 0)[-1].enqueued
            begin, is_empty, offset, *latest = await properties_of("0")
            assert [begin, is_empty, *latest] == [0, False, 2, last]
            assert int(offset) > 0
            rig.hubs.trim("cwpp", 0, before_sequence=2)
            assert await properties_of("0") == [2, False, offset, 2, last]
            rig.hubs.trim("cwpp", 0, before_sequence=3)
            assert await properties_of("0") == [3, True, offset, 2, last]

    run(test)


def test_what_is_not_there_is_not_found() -> None:
    """A hub, a consumer group, a partition; each is said to be at fault, where the client lets it through."""

    async def test(rig: HubRig) -> None:
        rig.read(group="nobody")
        async with rig.producer("nowhere") as producer:
            with pytest.raises(ConnectError, match="404"):
                await producer.get_eventhub_properties()
            with pytest.raises(ConnectionLostError, match="The messaging entity 'nowhere' could not be found"):
                await producer.create_batch()
        async with rig.producer() as producer:
            with pytest.raises(ConnectError, match="400"):
                await producer.get_partition_properties("2")
        assert await rig.refusal("cwpp/consumergroups/nobody/partitions/0") == (
            "amqp:not-found",
            "The messaging entity 'cwpp/consumergroups/nobody' could not be found.",
        )
        for wrong in ("2", "-1", "x", 2):
            with pytest.raises(Refused, match="It should be between 0 and 1"):
                rig.hubs.append("cwpp", wrong, b"lost")

    run(test)


def test_a_wrong_key_lets_nobody_in() -> None:
    """The signature of a token is checked."""

    async def test(rig: HubRig) -> None:
        async with rig.producer(key="another") as producer:
            with pytest.raises(AuthenticationError):
                await producer.send_event(EventData("lost"))
        assert rig.hubs.last_sequence("cwpp", 0) == rig.hubs.last_sequence("cwpp", 1) == -1

    run(test)


# What happens to hubs.


def test_retention_takes_the_oldest_events_and_readers_go_on_with_what_is_left() -> None:
    """Whoever was positioned before is given the oldest that is there, and sequence numbers go on."""

    async def test(rig: HubRig) -> None:
        for number in range(4):
            rig.hubs.append("cwpp", 0, str(number).encode())
        rig.hubs.trim("cwpp", 0, before_sequence=2)
        late, middle = rig.read(), rig.read(position=0)
        await late.holds("2", "3")
        await middle.holds("2", "3")
        rig.hubs.trim("cwpp", 0, before_sequence=4)
        assert rig.hubs.append("cwpp", 0, b"4") == 4
        await late.holds("2", "3", "4")

    run(test)


@pytest.mark.soak  # Of the double; tests/eventhubs asks the same of the router.
def test_a_recreated_hub_begins_anew_and_does_not_know_old_checkpoints() -> None:
    """It has another birthday, and refuses a consumer that would go on behind the old hub's events."""

    async def test(rig: HubRig) -> None:
        store = Checkpoints()
        for body in (b"old", b"older"):
            rig.hubs.append("cwpp", 0, body)
        reader = rig.read(store=store)
        await reader.until(lambda: len(reader.events) == 2)
        async with rig.producer(retries=3) as producer:
            await producer.send_event(EventData("there"), partition_id="1")
            born = (await producer.get_eventhub_properties())["created_at"]
            rig.hubs.recreate("cwpp", partitions=3)
            about = await producer.get_eventhub_properties()
            assert about["created_at"] > born
            assert about["partition_ids"] == ["0", "1", "2"]
            await reader.fails("could not be found")
            condition, description = await rig.refusal("cwpp/consumergroups/$default/partitions/0")
            assert condition == "com.microsoft:argument-error"
            assert "The last offset in the system is '-1'" in description
            await producer.send_event(EventData("new"), partition_id="1")
        assert [event[::2] for event in rig.hubs.published("cwpp", 1)] == [(0, b"new")]
        assert rig.hubs.append("cwpp", 0, b"first") == 0

    run(test)


@pytest.mark.soak  # Of the double; tests/eventhubs asks the same of the router.
def test_a_hub_may_get_more_partitions() -> None:
    """They are empty, and those that were there keep their events and their readers."""

    async def test(rig: HubRig) -> None:
        rig.hubs.append("cwpp", 0, b"kept")
        reader = rig.read()
        await reader.holds("kept")
        rig.hubs.add_partitions("cwpp", 2)
        async with rig.producer() as producer:
            assert await producer.get_partition_ids() == ["0", "1", "2", "3"]
            await producer.send_event(EventData("new"), partition_id="3")
        assert [len(rig.hubs.published("cwpp", id)) for id in range(4)] == [1, 0, 0, 1]
        rig.hubs.append("cwpp", 0, b"more")
        await reader.holds("kept", "more")

    run(test)


def test_sequence_numbers_may_be_left_out_and_time_may_be_off() -> None:
    """A reader meets a gap that is no loss, and events from another time."""

    async def test(rig: HubRig) -> None:
        rig.hubs.append("cwpp", 0, b"before")
        rig.hubs.skip_sequences("cwpp", 0, 5)
        rig.hubs.shift_clock(timedelta(days=-2))
        rig.hubs.append("cwpp", 0, b"after")
        reader = rig.read(position=0)
        await reader.holds("after")
        assert reader.events[0].sequence_number == 6
        ages = [datetime.now(UTC) - event.enqueued for event in rig.hubs.published("cwpp", 0)]
        assert [age.days for age in ages] == [0, 2]

    run(test)


def test_events_outlive_a_run() -> None:
    """Event hubs that were stopped have all their events when they are started again, on a port of the caller's choice."""
    hubs = EventHubs()
    ports = []

    async def test() -> None:
        async with hubs.running(hubs.port):
            ports.append(hubs.port)
            async with HubRig(hubs).producer() as producer:
                properties = await producer.get_partition_properties("0")
                assert properties["last_enqueued_sequence_number"] == hubs.last_sequence("cwpp", 0)

    for body in (b"before", b"between"):
        hubs.append("cwpp", 0, body)
        asyncio.run(test())
    assert ports[0] == ports[1] != 0
    assert [event.body for event in hubs.published("cwpp", 0)] == [b"before", b"between"]


# Trouble.


@pytest.mark.soak  # Of the double; tests/eventhubs asks the same of the router.
def test_clients_come_back_after_their_connections_were_cut() -> None:
    """A consumer reads on behind the last event it was given, a publisher publishes on."""

    async def test(rig: HubRig) -> None:
        reader = rig.read(retries=3)
        async with rig.producer(retries=3) as producer:
            await producer.send_event(EventData("before"), partition_id="0")
            await reader.holds("before")
            rig.hubs.drop_connections()
            for number in range(9):  # while nobody has noticed yet
                rig.hubs.append("cwpp", 0, str(number).encode())
            await producer.send_event(EventData("after"), partition_id="0")
        await reader.holds("before", *"012345678", "after")

    run(test)


@pytest.mark.soak  # Of the double; tests/eventhubs asks the same of the router.
def test_a_service_that_cannot_be_reached_fails_its_clients_until_it_can() -> None:
    """Who tries in vain is told so, and the next try works."""

    async def test(rig: HubRig) -> None:
        async with rig.producer() as producer:
            await producer.send_event(EventData("before"), partition_id="0")
            rig.hubs.stop_accepting()
            for _ in range(2):
                with pytest.raises(EventHubError):
                    await producer.send_event(EventData("lost"), partition_id="0")
            rig.hubs.resume_accepting()
            await producer.send_event(EventData("after"), partition_id="0")
        assert [event.body for event in rig.hubs.published("cwpp", 0)] == [b"before", b"after"]

    run(test)


def test_a_send_may_be_refused_as_often_as_was_ordered() -> None:
    """The publisher learns the condition, and nothing is published; but for its first send, the client itself tries twice."""

    async def test(rig: HubRig) -> None:
        async with rig.producer() as producer:
            for times in (1, 2):
                rig.hubs.refuse_sends("com.microsoft:server-busy", times)
                with pytest.raises(EventDataSendError, match="server-busy"):
                    await producer.send_event(EventData("lost"), partition_id="0")
            rig.hubs.refuse_sends("com.microsoft:server-busy")
            await producer.send_event(EventData("there"), partition_id="0")
        assert [event.body for event in rig.hubs.published("cwpp", 0)] == [b"there"]

    run(test)


def test_the_service_ends_though_clients_are_still_there() -> None:
    """Nobody waits for anybody, and nobody is left behind."""

    async def test() -> None:
        async with EventHubs().running() as hubs:
            rig = HubRig(hubs)
            reader = rig.read()
            await reader.until(lambda: len(hubs.readers("cwpp")) == 1)
        assert hubs.readers("cwpp") == []
        await rig.close()

    asyncio.run(test())


# Elsewhere than in a test's own loop.


def test_the_synchronous_client_works_with_event_hubs_in_a_thread() -> None:
    """And a test without a loop publishes and looks as one with a loop does, also when it is all over."""
    with event_hubs_in_thread() as hubs:
        connection = hubs.connection_string
        with azure.eventhub.EventHubProducerClient.from_connection_string(
            connection, eventhub_name="cspm", retry_backoff_factor=0.1
        ) as producer:
            batch = producer.create_batch(partition_id="1")
            batch.add(EventData("one"))
            batch.add(EventData("two"))
            producer.send_batch(batch)
            producer.send_event(EventData("three"), partition_id="1")
            assert producer.get_partition_properties("1")["last_enqueued_sequence_number"] == 2
        assert hubs.append("cspm", 1, b"four") == 3
        received: list[str] = []
        consumer = azure.eventhub.EventHubConsumerClient.from_connection_string(
            connection, "$Default", eventhub_name="cspm", load_balancing_interval=BALANCING
        )

        def take(_: object, events: list[EventData]) -> None:
            received.extend(event.body_as_str() for event in events)
            if len(received) >= 4:
                consumer.close()

        consumer.receive_batch(take, partition_id="1", starting_position=BEGINNING, max_wait_time=1)
        assert received == ["one", "two", "three", "four"]
    assert [event.body for event in hubs.published("cspm", 1)] == [b"one", b"two", b"three", b"four"]


def test_event_hubs_in_a_thread_that_cannot_start_say_so() -> None:
    """A port that is taken is an error of the caller's."""
    with event_hubs_in_thread() as hubs, pytest.raises(OSError, match="in use"), event_hubs_in_thread(port=hubs.port):
        pytest.fail("it runs")


def test_event_hubs_run_as_a_process_of_their_own(tmp_path: Path) -> None:
    """They say where they are in a file, serve what was asked for, and end when told."""
    card = tmp_path / "card.json"
    command = [
        sys.executable,
        "-m",
        "tests.stack.event_hubs",
        "--hub",
        "alerts=3",
        "--port-file",
        str(card),
    ]
    with subprocess.Popen(command, cwd=ROOT, preexec_fn=leashed) as process:
        try:
            wait_until(card.exists, goes_on=lambda: process.poll() is None)
            connection = json.loads(card.read_text())["connection_string"]
            client = azure.eventhub.EventHubProducerClient.from_connection_string(connection, eventhub_name="alerts")
            with client as producer:
                assert producer.get_partition_ids() == ["0", "1", "2"]
        finally:
            process.send_signal(signal.SIGTERM)
        assert process.wait(PATIENCE) == 0


@pytest.mark.parametrize("wrong", ["alerts", "alerts=0", "=2", "alerts=x"])
def test_a_hub_that_cannot_be_is_refused_on_the_command_line(wrong: str) -> None:
    """A hub has a name and at least one partition."""
    command = [sys.executable, "-m", "tests.stack.event_hubs", "--hub", wrong]
    ended = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=PATIENCE)
    assert ended.returncode == 2
    assert f"{wrong!r} is not NAME=PARTITIONS" in ended.stderr
