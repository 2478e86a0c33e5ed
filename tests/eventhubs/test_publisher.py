"""Messages published to a hub: all of them, or an error that says how many."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterator

import pytest

from router.domain.errors import BadFile, HubError
from router.eventhubs import publish
from tests.eventhubs.hubs import HUB, LEFT_BEHIND, a_namespace, run
from tests.stack.event_hubs import EventHubs

pytestmark = LEFT_BEHIND

AT_ONCE = (0.0, 0.0)
"""No wait before a batch is sent once more, twice."""


def sending(work: Callable[[EventHubs], Awaitable[None]], partitions: int = 1) -> None:
    """Does some work with hubs."""

    async def with_hubs() -> None:
        async with EventHubs({HUB: partitions}).running() as hubs:
            await work(hubs)

    run(with_hubs())


def arrived(hubs: EventHubs) -> list[bytes]:
    """The bodies in the first partition."""
    return [event.body for event in hubs.published(HUB, 0)]


def test_messages_of_any_size_arrive_whole_and_in_order() -> None:
    """In as many batches as they need: an empty one, one of about the size that a hub takes, and many between."""
    sizes = [0, 1, 255, 256, 1_000_000, 65_535, 65_536, *range(1, 400_000, 9_973), 1_048_000, 7]
    bodies = [b"%d:" % place + bytes(size) for place, size in enumerate(sizes)]

    async def work(hubs: EventHubs) -> None:
        assert await publish(a_namespace(hubs), HUB, iter(bodies)) == len(bodies)
        assert arrived(hubs) == bodies

    sending(work)


def test_a_hub_that_is_busy_is_asked_again_and_one_that_has_nothing_to_get_is_not_asked() -> None:
    """As often as there are waits; no message comes twice or out of order."""

    async def work(hubs: EventHubs) -> None:
        hubs.refuse_sends("com.microsoft:server-busy", len(AT_ONCE))
        assert await publish(a_namespace(hubs), HUB, [b"1", b"2"], AT_ONCE) == 2
        assert arrived(hubs) == [b"1", b"2"]
        assert await publish(a_namespace(hubs), "nowhere", []) == 0

    sending(work)


async def fault_of(hubs: EventHubs, hub: str = HUB, *bodies: bytes) -> str:
    """What is said of bodies that a hub does not take."""
    with pytest.raises(HubError) as caught:
        await publish(a_namespace(hubs), hub, bodies or [b"1"], AT_ONCE)
    return str(caught.value)


@pytest.mark.parametrize(("condition", "times"), [("com.microsoft:server-busy", 10), ("amqp:not-allowed", 2)])
def test_a_hub_that_refuses_for_good_is_a_fault(condition: str, times: int) -> None:
    """One that stays busy, and one that would refuse the same again."""

    async def work(hubs: EventHubs) -> None:
        hubs.refuse_sends(condition, times)
        called = condition.partition(":")[2]
        assert await fault_of(hubs) == f"hub cwpp: EventDataSendError ({called}); messages taken before: 0"
        assert arrived(hubs) == []

    sending(work)


def test_what_no_hub_takes_is_named_in_one_line_without_an_address() -> None:
    """A message that is too large, after those that are in the hub and counted; a hub that is not there, or not reached."""

    async def work(hubs: EventHubs) -> None:
        large = "message 3 has 1048576 bytes, more than the hub takes; leave it out; messages taken before: 2"
        assert await fault_of(hubs, HUB, b"1", b"2", bytes(1_048_576), b"4") == f"hub cwpp: {large}"
        assert arrived(hubs) == [b"1", b"2"]
        none = "messages taken before: 0"
        assert await fault_of(hubs, "nowhere") == f"hub nowhere: ConnectionLostError (not-found); {none}"
        hubs.stop_accepting()
        assert await fault_of(hubs) == f"hub cwpp: ConnectError (socket-error); {none}"

    sending(work)


def test_a_file_that_breaks_off_is_its_own_fault() -> None:
    """What was read before it broke off is no reason to call the hub at fault."""

    def bodies() -> Iterator[bytes]:
        yield b"1"
        raise BadFile("alerts.json: cannot be read")

    async def work(hubs: EventHubs) -> None:
        with pytest.raises(BadFile):
            await publish(a_namespace(hubs), HUB, bodies())

    sending(work)
