"""Events as a hub's client gives them, in our words: the whole body, whatever it was sent as."""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

import pytest
from azure.eventhub.aio import EventHubProducerClient
from azure.eventhub.amqp import AmqpAnnotatedMessage
from hypothesis import given
from hypothesis import strategies as st

from router.domain.hubs import Event, Span
from router.eventhubs import HubReader
from router.eventhubs.events import body_of, trace_of
from tests.eventhubs.hubs import FIRST, HUB, a_namespace, run
from tests.stack.event_hubs import EventHubs

TRACE = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
OTHER = "00-1af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-00"


def as_read(*messages: AmqpAnnotatedMessage) -> list[Event]:
    """What is read of some messages after they were published."""

    async def go() -> list[Event]:
        async with EventHubs({HUB: 1}).running() as hubs:
            async with EventHubProducerClient.from_connection_string(
                hubs.connection_string, eventhub_name=HUB
            ) as client:
                for message in messages:
                    await client.send_event(message)
            return list(await HubReader(a_namespace(hubs), HUB).read_events(FIRST, Span(0, len(messages) - 1), 100))

    return run(go())


def test_every_kind_of_body_is_read_whole() -> None:
    """Data in one section or several; text and bytes as they are; anything else as JSON."""
    before = datetime.now(UTC)
    events = as_read(
        AmqpAnnotatedMessage(data_body=b'{"one": 1}'),
        AmqpAnnotatedMessage(data_body=[b'{"tw', b'o": 2}']),
        AmqpAnnotatedMessage(value_body='{"three": "\\u00e4"}'),
        AmqpAnnotatedMessage(value_body={"four": ["a", 4, True, None]}),
        AmqpAnnotatedMessage(value_body=b"\xff"),
        AmqpAnnotatedMessage(sequence_body=[["a", 1]]),
        AmqpAnnotatedMessage(sequence_body=[["a"], [2]]),
    )
    assert [event.body for event in events] == [
        b'{"one": 1}',
        b'{"two": 2}',
        b'{"three": "\\u00e4"}',
        b'{"four":["a",4,true,null]}',
        b"\xff",
        b'["a",1]',
        b'[["a"],[2]]',
    ]
    assert [event.sequence for event in events] == list(range(7))
    assert {event.enqueued.tzinfo for event in events} == {UTC}
    assert all((event.enqueued - before).total_seconds() > -1 for event in events)


def test_the_trace_that_came_with_an_event_is_read() -> None:
    """By its name of today, or by that of Azure's older clients."""
    events = as_read(
        AmqpAnnotatedMessage(data_body=b"1", application_properties={"traceparent": TRACE}),
        AmqpAnnotatedMessage(data_body=b"2", application_properties={b"Diagnostic-Id": OTHER.encode(), "n": 1}),
        AmqpAnnotatedMessage(data_body=b"3", application_properties={"Diagnostic-Id": "|4bf92f3577b34da6.1."}),
        AmqpAnnotatedMessage(data_body=b"4"),
    )
    assert [event.trace for event in events] == [TRACE, OTHER, None, None]


SIMPLE = (
    st.none() | st.booleans() | st.integers(-(2**63), 2**64 - 1) | st.floats() | st.text() | st.binary() | st.uuids()
)
VALUES = st.recursive(SIMPLE, lambda inner: st.lists(inner) | st.dictionaries(st.text() | st.binary(), inner))
"""What AMQP carries, as the client gives it: its strings come as bytes."""


@given(VALUES)
def test_any_value_has_bytes_that_say_it(value: Any) -> None:
    """Reading never raises; what has structure is JSON."""
    body = body_of(AmqpAnnotatedMessage(value_body=value))
    assert isinstance(body, bytes)
    if isinstance(value, list | Mapping):
        assert isinstance(json.loads(body), list | dict)


def test_a_value_too_deep_for_json_is_kept_as_text() -> None:
    """It is no message, and nobody can say what else it is; it is kept whole."""
    value: list[Any] = []
    for _ in range(400):
        value = [value]
    assert body_of(AmqpAnnotatedMessage(value_body=value)) == b"[" * 401 + b"]" * 401


@given(st.none() | st.dictionaries(st.text() | st.binary() | st.integers(), SIMPLE | st.lists(SIMPLE)))
def test_any_properties_have_a_trace_or_none(properties: Mapping[object, object] | None) -> None:
    """Whoever publishes may put anything there."""
    assert trace_of(properties) is None


@pytest.mark.parametrize(
    "text",
    [
        TRACE.upper(),
        TRACE[:-1],
        TRACE + "0",
        TRACE + "\n",
        "ff" + TRACE[2:],
        f"00-{'0' * 32}-b7ad6b7169203331-01",
        f"00-0af7651916cd43dd8448eb211c80319c-{'0' * 16}-01",
        "",
    ],
)
def test_what_only_looks_like_a_trace_is_none(text: str) -> None:
    """https://www.w3.org/TR/trace-context/ forbids version ff, zeros and capitals."""
    assert trace_of({"traceparent": text}) is None
    assert trace_of({"traceparent": text, "Diagnostic-Id": TRACE}) == TRACE
