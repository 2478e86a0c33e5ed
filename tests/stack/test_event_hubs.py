"""The loopback Event Hubs: what Microsoft's client, or Azure, relies on and tests/eventhubs does not ask of it anyway."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from azure.eventhub import EventData
from azure.eventhub.aio import EventHubConsumerClient

from tests.stack.event_hubs import EventHubs
from tests.waiting import until

BEGINNING = "-1"


class Inbox:
    """A consumer at work, and the events and errors that it was given."""

    def __init__(self, client: EventHubConsumerClient, options: dict[str, Any]) -> None:
        self.bodies: list[str] = []
        self.errors: list[str] = []
        self._client = client
        self._partitions: set[str] = set()
        self._task = asyncio.create_task(
            client.receive(
                self._on_event,
                on_error=self._on_error,
                on_partition_initialize=self._on_begin,
                on_partition_close=self._on_close,
                **options,
            )
        )

    async def _on_event(self, context: Any, event: EventData | None) -> None:
        assert event is not None
        self.bodies.append(event.body_as_str())

    async def _on_error(self, context: Any, error: Exception) -> None:
        self.errors.append(str(error))

    async def _on_begin(self, context: Any) -> None:
        self._partitions.add(context.partition_id)

    async def _on_close(self, context: Any, reason: object) -> None:
        self._partitions.discard(context.partition_id)

    async def fails(self, words: str) -> None:
        """Waits for an error that says so."""
        await until(lambda: any(words in error for error in self.errors))

    async def close(self) -> None:
        """Ends the consumer. The client would sleep a second while its partitions close; a second cancel ends that."""
        self._task.cancel()
        await until(lambda: not self._partitions)
        self._task.cancel()
        await asyncio.wait([self._task])
        await self._client.close()


class HubRig:
    """Event hubs, and the readers that a test brings to them."""

    def __init__(self, hubs: EventHubs) -> None:
        self.hubs = hubs
        self.inboxes: list[Inbox] = []

    def read(
        self, partition: str = "0", position: Any = BEGINNING, *, group: str = "$Default", **options: Any
    ) -> Inbox:
        """A client that reads from one partition."""
        client = EventHubConsumerClient.from_connection_string(
            self.hubs.connection_string,
            group,
            eventhub_name="cwpp",
            retry_total=0,
            retry_backoff_factor=0.1,
            load_balancing_interval=0.2,
        )
        self.inboxes.append(Inbox(client, {"partition_id": partition, "starting_position": position} | options))
        return self.inboxes[-1]

    async def refusal(self, group: str = "$default") -> tuple[str, str]:
        """Why a link to partition 0 was refused; the client keeps most of this to itself."""
        node = f"cwpp/consumergroups/{group}/partitions/0"
        await until(lambda: any(refused.node == node for refused in self.hubs.refused_links()))
        refused = next(refused for refused in self.hubs.refused_links() if refused.node == node)
        return refused.condition, refused.description


def run(test: Callable[[HubRig], Coroutine[Any, Any, None]]) -> None:
    """Runs a test beside event hubs that serve in the same loop."""

    async def beside() -> None:
        async with EventHubs().running() as hubs:
            rig = HubRig(hubs)
            try:
                await test(rig)
            finally:
                await asyncio.gather(*(inbox.close() for inbox in rig.inboxes))

    asyncio.run(beside())


def test_a_reader_begins_where_it_wants() -> None:
    """By offset, sequence number or time, with the event at that place or without; from the beginning; with what is new."""

    async def test(rig: HubRig) -> None:
        noon = datetime(2026, 11, 24, 12, tzinfo=UTC)
        for number in range(4):
            rig.hubs.append("cwpp", 0, str(number).encode(), noon + timedelta(seconds=number))
        inboxes = [
            (rig.read(position=position, starting_position_inclusive=inclusive, group=group), expected)
            for group, position, inclusive, expected in (
                ("$Default", BEGINNING, False, "01234"),
                ("$Default", "@latest", False, "4"),
                ("take", 1, True, "1234"),
                ("take", 1, False, "234"),
                ("take", 3, False, "4"),
                ("sweep", noon + timedelta(seconds=2), True, "234"),
                ("sweep", noon + timedelta(seconds=2), False, "34"),
            )
        ]
        await until(lambda: len(rig.hubs.readers("cwpp")) == len(inboxes))
        rig.hubs.append("cwpp", 0, b"4", noon + timedelta(seconds=4))
        for inbox, expected in inboxes:
            await until(lambda inbox=inbox, expected=expected: len(inbox.bodies) >= len(expected))  # type: ignore[misc]
            assert inbox.bodies == list(expected)

    run(test)


def test_a_reader_that_begins_beyond_the_end_is_refused() -> None:
    """As the service does, though the client does not pass it on: so a hub that was created anew refuses old checkpoints."""

    async def test(rig: HubRig) -> None:
        rig.hubs.append("cwpp", 0, b"only")
        inboxes = rig.read(position=1), rig.read(position="1", group="take")
        for group, what in (("$default", "sequence number"), ("take", "offset")):
            said = f"The supplied {what} '1' is invalid. The last {what} in the system is '0'"
            assert await rig.refusal(group) == ("com.microsoft:argument-error", said)
        assert [inbox.errors for inbox in inboxes] == [[], []]

    run(test)


@pytest.mark.soak
def test_a_reader_with_an_epoch_takes_the_place_of_those_that_it_outranks_and_five_may_go_without() -> None:
    """None or a lower one gives way, and may not come back; epochs count within one group and one partition."""

    async def test(rig: HubRig) -> None:
        plain, low, other = rig.read(), rig.read("1", owner_level=1), rig.read(group="take")
        await until(lambda: len(rig.hubs.readers("cwpp")) == 3)
        for partition in "01":
            rig.read(partition, owner_level=2)
        took = "New receiver 'nil' with higher epoch of '2' is created hence current receiver 'nil' with epoch"
        await plain.fails(f"{took} 'nil'")
        await low.fails(f"{took} '1'")
        await plain.fails("At least one receiver for the endpoint is created with epoch of '2', and so non-epoch")
        await low.fails("Receiver 'nil' with a higher epoch '2' already exists. Receiver 'nil' with epoch 1 cannot")
        assert sorted(rig.hubs.readers("cwpp"))[::2] == [(0, "$default", 2), (1, "$default", 2)]
        for _ in range(5):
            rig.read(group="take")
        condition, description = await rig.refusal("take")
        assert condition == "amqp:resource-limit-exceeded"
        assert "allowed receivers per partition in a consumer group which is 5" in description
        assert other.errors == []

    run(test)
