"""Events as a hub's client gives them, in our words, and messages as a hub takes them: all, or an error that says how many."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from typing import Any

import pytest
from azure.eventhub.aio import EventHubProducerClient
from azure.eventhub.amqp import AmqpAnnotatedMessage
from hypothesis import given
from hypothesis import strategies as st

from router.domain.errors import BadFile, HubError
from router.domain.hubs import Span
from router.eventhubs import HubReader, publish
from router.eventhubs.events import body_of, trace_of
from tests.eventhubs.hubs import FIRST, HUB, LEFT_BEHIND, a_namespace, with_hubs
from tests.stack.event_hubs import EventHubs

pytestmark = LEFT_BEHIND

TRACE = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
OTHER = "00-1af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-00"


def test_every_kind_of_body_is_read_whole_with_the_trace_that_came_with_it() -> None:
    """Data in one section or several; text and bytes as they are; anything else as JSON. The trace has its name of today, or
    that of Azure's older clients."""
    cases: list[tuple[dict[str, Any], bytes, str | None]] = [
        ({"data_body": b"{}", "application_properties": {"traceparent": TRACE}}, b"{}", TRACE),
        ({"data_body": [b'{"tw', b'o": 2}']}, b'{"two": 2}', None),
        ({"value_body": '{"three": "\\u00e4"}'}, b'{"three": "\\u00e4"}', None),
        ({"value_body": {"four": ["a", 4, True, None]}}, b'{"four":["a",4,true,null]}', None),
        ({"value_body": b"\xff", "application_properties": {b"Diagnostic-Id": OTHER.encode(), "n": 1}}, b"\xff", OTHER),
        ({"sequence_body": [["a", 1]], "application_properties": {"Diagnostic-Id": "|4bf92f35.1."}}, b'["a",1]', None),
        ({"sequence_body": [["a"], [2]]}, b'[["a"],[2]]', None),
    ]

    async def work(hubs: EventHubs) -> None:
        before = datetime.now(UTC)
        client = EventHubProducerClient.from_connection_string(hubs.connection_string, eventhub_name=HUB)
        async with client:
            for message, _, _ in cases:
                await client.send_event(AmqpAnnotatedMessage(**message))
        events = await HubReader(a_namespace(hubs), HUB).read_events(FIRST, Span(0, len(cases) - 1), 100)
        assert [(one.sequence, one.body, one.trace) for one in events] == [
            (number, body, trace) for number, (_, body, trace) in enumerate(cases)
        ]
        assert {event.enqueued.tzinfo for event in events} == {UTC}
        assert all((event.enqueued - before).total_seconds() > -1 for event in events)

    with_hubs(work)


SIMPLE = (
    st.none() | st.booleans() | st.integers(-(2**63), 2**64 - 1) | st.floats() | st.text() | st.binary() | st.uuids()
)
VALUES = st.recursive(SIMPLE, lambda inner: st.lists(inner) | st.dictionaries(st.text() | st.binary(), inner))
"""What AMQP carries, as the client gives it: its strings come as bytes."""


@given(VALUES, st.none() | st.dictionaries(st.text() | st.binary() | st.integers(), SIMPLE | st.lists(SIMPLE)))
def test_any_value_has_bytes_that_say_it_and_no_property_is_a_trace_by_chance(
    value: Any, properties: Mapping[object, object] | None
) -> None:
    """Whoever publishes may put anything there. What has structure is JSON, and where it is too deep for that, text."""
    body = body_of(AmqpAnnotatedMessage(value_body=value))
    assert isinstance(body, bytes)
    if isinstance(value, list | Mapping):
        assert isinstance(json.loads(body), list | dict)
    assert trace_of(properties) is None
    deep: list[Any] = []
    for _ in range(400):
        deep = [deep]
    assert body_of(AmqpAnnotatedMessage(value_body=deep)) == b"[" * 401 + b"]" * 401


def test_what_only_looks_like_a_trace_is_none() -> None:
    """https://www.w3.org/TR/trace-context/ forbids version ff, zeros and capitals."""
    zeros = (f"00-{'0' * 32}-b7ad6b7169203331-01", f"00-0af7651916cd43dd8448eb211c80319c-{'0' * 16}-01")
    for text in (TRACE.upper(), TRACE[:-1], TRACE + "0", TRACE + "\n", "ff" + TRACE[2:], *zeros, ""):
        assert trace_of({"traceparent": text}) is None
        assert trace_of({"traceparent": text, "Diagnostic-Id": TRACE}) == TRACE


AT_ONCE = (0.0, 0.0)
"""No wait before a batch is sent once more, twice."""


def test_messages_of_any_size_arrive_whole_and_in_order_also_where_a_hub_is_busy() -> None:
    """In as many batches as they need: an empty one, one of about the size that a hub takes, and many between. A hub that is
    busy is asked again as often as there are waits, and one that has nothing to get is not asked."""
    sizes = [0, 1, 255, 256, 1_000_000, 65_535, 65_536, *range(1, 400_000, 9_973), 1_048_000, 7]
    bodies = [b"%d:" % place + bytes(size) for place, size in enumerate(sizes)]

    async def work(hubs: EventHubs) -> None:
        hubs.refuse_sends("com.microsoft:server-busy", len(AT_ONCE))
        assert await publish(a_namespace(hubs), HUB, iter(bodies), AT_ONCE) == len(bodies)
        assert [event.body for event in hubs.published(*FIRST)] == bodies
        assert await publish(a_namespace(hubs), "nowhere", []) == 0

    with_hubs(work)


def test_what_no_hub_takes_is_named_in_one_line_without_an_address() -> None:
    """A hub that stays busy, or would refuse the same again; a message that is too large, after those that are in the hub and
    counted; a hub that is not there, or not reached. What was read before a file broke off is no fault of the hub's."""

    async def fault_of(hubs: EventHubs, hub: str = HUB, *bodies: bytes) -> str:
        with pytest.raises(HubError) as caught:
            await publish(a_namespace(hubs), hub, bodies or [b"1"], AT_ONCE)
        return str(caught.value)

    def broken() -> Iterator[bytes]:
        yield b"1"
        raise BadFile("alerts.json: cannot be read")

    async def work(hubs: EventHubs) -> None:
        none = "messages taken before: 0"
        hubs.refuse_sends("amqp:not-allowed", 2)
        assert await fault_of(hubs) == f"hub cwpp: EventDataSendError (not-allowed); {none}"
        large = "message 3 has 1048576 bytes, more than the hub takes; leave it out; messages taken before: 2"
        assert await fault_of(hubs, HUB, b"1", b"2", bytes(1_048_576), b"4") == f"hub cwpp: {large}"
        assert [event.body for event in hubs.published(*FIRST)] == [b"1", b"2"]
        assert await fault_of(hubs, "nowhere") == f"hub nowhere: ConnectionLostError (not-found); {none}"
        with pytest.raises(BadFile):
            await publish(a_namespace(hubs), HUB, broken())
        hubs.refuse_sends("com.microsoft:server-busy", 10)
        assert await fault_of(hubs) == f"hub cwpp: EventDataSendError (server-busy); {none}"
        hubs.stop_accepting()
        assert await fault_of(hubs) == f"hub cwpp: ConnectError (socket-error); {none}"

    with_hubs(work)
