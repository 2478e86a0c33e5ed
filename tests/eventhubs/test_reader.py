"""What a hub holds, read again: what is still there, all of it, nothing else, and never for ever; events in our words, and
messages as a hub takes them: all, or an error that says how many."""

from __future__ import annotations

import asyncio
import json
import logging
import os
import re
import ssl
from collections.abc import AsyncIterator, Awaitable, Iterator, Mapping, Sequence
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from traceback import format_exception
from typing import Any, NoReturn

import pytest
import trustme
from azure.eventhub import TransportType
from azure.eventhub.aio import EventHubProducerClient
from azure.eventhub.amqp import AmqpAnnotatedMessage
from hypothesis import given
from hypothesis import strategies as st

from router.deliver.azure_transport import LoopbackCredential
from router.domain.errors import BadFile, HubError
from router.domain.hubs import Event, Extent, Partition, Span
from router.domain.proxies import parse_proxy
from router.eventhubs import HubReader, Namespace, publish
from router.eventhubs.events import body_of, trace_of
from router.eventhubs.reader import receive_events
from tests.egress import EgressProxy
from tests.eventhubs.hubs import FIRST, HUB, LEFT_BEHIND, SECOND, a_namespace, fill, run, with_hubs
from tests.stack.event_hubs import KEY, EventHubs
from tests.stack.event_hubs.websocket import websocket_served
from tests.waiting import until

pytestmark = LEFT_BEHIND

WRONG = "canary"

FOREVER = 3600.0
"""Seconds of patience where a test would not end if the reader waited for what cannot come."""


def a_reader(hubs: EventHubs, hub: str = HUB, patience: float = FOREVER) -> HubReader:
    """A reader of a hub."""
    return HubReader(a_namespace(hubs), hub, patience)


def numbers(events: Sequence[Event]) -> list[int]:
    """The sequence numbers of events, as they come."""
    return [event.sequence for event in events]


async def faults_of(*works: Awaitable[object]) -> list[str]:
    """What the HubErrors say that some works must raise, all at a time."""
    found = await asyncio.gather(*works, return_exceptions=True)
    assert [type(fault) for fault in found] == [HubError] * len(works)
    return [str(fault) for fault in found]


def test_extents_tell_the_full_from_the_emptied_and_the_never_used() -> None:
    """An emptied partition tells how far it had come; one never used begins with 0; a hub that is created anew is another."""

    async def work(hubs: EventHubs) -> None:
        async def extents() -> dict[Partition, Extent]:
            found = await a_reader(hubs).read_extents()
            answered = {partition: extent for partition, extent in found.items() if isinstance(extent, Extent)}
            assert answered.keys() == found.keys()
            return answered

        fill(hubs, FIRST, 5)
        fill(hubs, SECOND, 4)
        hubs.trim(*FIRST, 2)
        hubs.trim(*SECOND, 4)
        before, old = datetime.now(UTC), await extents()
        held = {partition: (extent.first, extent.last) for partition, extent in old.items()}
        assert held == {FIRST: (2, 4), SECOND: (4, 3), Partition(HUB, "2"): (0, -1)}
        assert all(before - timedelta(minutes=1) < extent.created < before for extent in old.values())
        hubs.ahead = timedelta(hours=1)
        hubs.recreate(HUB, 1)
        hubs.append(*FIRST, b"new")
        new = await extents()
        assert new == {FIRST: Extent(0, 0, new[FIRST].created)}
        assert new[FIRST].created > old[FIRST].created
        assert [event.body for event in await a_reader(hubs).read_events(FIRST, Span(0, 0), 100)] == [b"new"]

    with_hubs(work, 3)


def test_what_is_there_of_a_span_is_read_and_nothing_else() -> None:
    """Body, number and time are the hub's; both ends are in it, the first are given where fewer are wanted, more than a client
    holds at a time are read whole, and what was trimmed is not waited for."""

    async def work(hubs: EventHubs) -> None:
        bodies = fill(hubs, FIRST, 350)
        fill(hubs, SECOND, 10)
        hubs.trim(*FIRST, 5)
        asked = {
            (Span(7, 9), 100): [7, 8, 9],
            (Span(349, 349), 1): [349],
            (Span(9, 12), 3): [9, 10, 11],
            (Span(9, 12), 0): [],
            (Span(10, 340), 1000): list(range(10, 341)),
            (Span(2, 6), 9): [5, 6],
            (Span(0, 4), 9): [],
        }
        read = await asyncio.gather(*(a_reader(hubs).read_events(FIRST, *one) for one in asked))
        assert [numbers(events) for events in read] == list(asked.values())
        assert read[0] == [Event(one.sequence, one.enqueued, one.body) for one in hubs.published(*FIRST)[2:5]]
        assert [event.body for event in read[0]] == bodies[7:10]

    with_hubs(work, 3)


def test_events_that_are_trimmed_while_they_are_asked_for_are_let_go() -> None:
    """The hub goes on with the first event that it has. One that sends nothing is at fault, and so is one that is gone."""

    async def work(hubs: EventHubs) -> list[str]:
        async def received(first: int, last: int, patience: float = FOREVER) -> list[int]:
            namespace = a_namespace(hubs)
            async with namespace.consumer(HUB, "sweep") as client:
                return numbers(await receive_events(namespace, client, FIRST, Span(first, last), 100, patience))

        fill(hubs, FIRST, 10)
        hubs.trim(*FIRST, 5)
        waiting = asyncio.create_task(received(2, 10))
        # Without an epoch, and in a group of its own: no other reader is sent away.
        await until(lambda: hubs.readers(HUB) == [(0, "sweep", None)])
        hubs.append(*FIRST, b"late")
        assert (await waiting, await received(2, 4)) == (list(range(5, 11)), [])
        hubs.trim(*FIRST, 11)
        faults = await faults_of(received(2, 6, 0.5))
        hubs.stop_accepting()
        faults += await faults_of(received(2, 6))
        return [fault.replace(f"127.0.0.1:{hubs.port}", "HOST") for fault in faults]

    where = "hub cwpp, partition 0: HOST"
    assert with_hubs(work, 3) == [f"{where}: no answer in time", f"{where}: the connection was cut off"]


def test_a_connection_that_is_cut_in_the_middle_costs_nothing() -> None:
    """Wherever it is cut: the client connects again, and what it gets twice is given once, in order."""

    async def read_cut_after(said: int) -> None:
        async with EventHubs({HUB: 1}).running() as hubs:
            for number in range(600):
                hubs.append(*FIRST, b"%03d" % number * 50)
            hubs.bytes_left = said
            read = await a_reader(hubs).read_events(FIRST, Span(10, 590), 1000)
            assert numbers(read) == list(range(10, 591))
            assert hubs.bytes_left is None, "nothing was cut, so nothing was proven"

    async def work() -> None:
        await asyncio.gather(*map(read_cut_after, (10_000, 50_000, 90_000)))

    run(work())


def test_a_hub_that_does_not_answer_as_it_should_is_a_fault(caplog: pytest.LogCaptureFixture) -> None:
    """In one line, without a URL: it answers nothing, is not there, forbids it or cannot be reached, and where and why. One
    that reaches less far than it said before proves nothing gone. The client itself logs nothing of it."""
    caplog.set_level(logging.DEBUG)
    mute = EventHubs()

    async def work(hubs: EventHubs) -> list[str]:
        fill(hubs, FIRST, 10)
        reader = a_reader(hubs)
        wrong = Namespace(connection_string=hubs.connection_string.replace(KEY, "another"))
        unknown = Namespace(fully_qualified_namespace="hubs.invalid", identity=LoopbackCredential)
        async with await asyncio.start_server(lambda *_: None, "127.0.0.1", 0) as server:
            mute.port = server.sockets[0].getsockname()[1]
            texts = await faults_of(
                a_reader(mute, patience=0.5).read_extents(),
                a_reader(hubs, "nowhere").read_extents(),
                HubReader(wrong, HUB).read_events(FIRST, Span(0, 1), 1),
                HubReader(unknown, HUB).read_extents(),
                reader.read_events(FIRST, Span(8, 10), 100),
                reader.read_events(FIRST, Span(10, 20), 100),
            )
        texts += await faults_of(a_reader(mute).read_extents())  # Nobody listens there any more.
        hubs.stop_accepting()
        texts += await faults_of(reader.read_extents(), reader.read_events(FIRST, Span(0, 1), 1))
        places = {str(mute.port): "MUTE", str(hubs.port): "HOST"}
        return [re.sub(r"127\.0\.0\.1:(\d+)", lambda found: places[found[1]], text) for text in texts]

    assert with_hubs(work, 3) == [
        "hub cwpp: MUTE: no answer in time",
        "hub nowhere: ConnectError (not-found)",
        "hub cwpp, partition 0: AuthenticationError (client-error)",
        "hub cwpp: hubs.invalid: its name is not known",
        *["hub cwpp, partition 0: answers with less than it had"] * 2,
        "hub cwpp: MUTE: the connection was refused",
        "hub cwpp: HOST: the connection was cut off",
        "hub cwpp, partition 0: HOST: the connection was cut off",
    ]
    assert [record.name for record in caplog.records if record.name.startswith("azure")] == []
    fault = OSError("cannot connect to sb://name.servicebus.windows.net/?sig=canary\nand so on")
    found = a_namespace(mute).error_of(fault, "cwpp", "3")
    assert str(found) == f"hub cwpp, partition 3: 127.0.0.1:{mute.port}: no connection (OSError)"


def test_a_namespace_is_reached_by_identity_over_tls(tmp_path: Path) -> None:
    """As in Azure: no key, and a server whose certificate an authority vouches for that can be read."""
    authority, pem = trustme.CA(), tmp_path / "ca.pem"
    authority.cert_pem.write_to_path(str(pem))
    tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    # With TLS the client knows one port, whatever it is told, so the address is this process's own.
    host = f"127.{os.getpid() >> 16 & 127 | 1}.{os.getpid() >> 8 & 255}.{os.getpid() & 255}"
    authority.issue_cert(host).configure_cert(tls)

    async def work() -> None:
        async with EventHubs({HUB: 1}).running(5671, host, tls):
            trust = ssl.create_default_context(cafile=pem)
            ours = Namespace(fully_qualified_namespace=host, identity=LoopbackCredential, tls=trust)
            assert await publish(ours, HUB, [b"1", b"2"]) == 2
            read = await HubReader(ours, HUB).read_events(FIRST, Span(0, 1), 2)
            assert [event.body for event in read] == [b"1", b"2"]
            await ours.close()
            stranger = Namespace(fully_qualified_namespace=host, identity=LoopbackCredential)
            (said,) = await faults_of(HubReader(stranger, HUB).read_extents())
            assert said.startswith(f"hub cwpp: {host}: its certificate is not trusted (unable to get local issuer ")

    run(work())


NO_ANSWERS = {b"SSH-2.0-x\r\n": "ClientResponseError", b"": "ServerDisconnectedError"}
"""What is no HTTP, and how aiohttp calls it."""


@asynccontextmanager
async def speaking(answer: bytes, port: int, tls: ssl.SSLContext | None) -> AsyncIterator[None]:
    """Something at a port that says the same to whatever it is asked, and hangs up."""

    async def speak(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(answer)
        writer.close()

    async with await asyncio.start_server(speak, "127.0.0.1", port, ssl=tls):
        yield


def test_a_namespace_behind_a_proxy_is_reached_over_websockets() -> None:
    """One tunnel for each connection, for who knows the password; a proxy that leads nowhere is said to be at fault."""

    async def work() -> None:
        async with EventHubs({HUB: 1}).running() as hubs, websocket_served(hubs) as url:
            proxy = EgressProxy({"hubs.test": url}, "soc:p:w")
            proxy.encrypt()
            trust = ssl.create_default_context()
            proxy.authority.configure_trust(trust)

            def behind(who: str) -> Namespace:
                through = parse_proxy(proxy.url(who), "")
                return Namespace(
                    fully_qualified_namespace="hubs.test", identity=LoopbackCredential, tls=trust, proxy=through
                )

            async with proxy.running():
                ours = behind("soc:p%3Aw@")
                assert await publish(ours, HUB, [b"1", b"2"]) == 2
                read = await HubReader(ours, HUB).read_events(FIRST, Span(0, 1), 2)
                assert [event.body for event in read] == [b"1", b"2"]
                assert {*proxy.targets} == {"hubs.test:443"}
                with pytest.raises(HubError) as caught:
                    await publish(behind(f"soc:{WRONG}@"), HUB, [b"3"])
                assert str(caught.value).startswith(f"hub {HUB}: the proxy refuses our credentials (407); mend ")
                assert WRONG not in "".join(format_exception(caught.value))
                stranger = Namespace(
                    fully_qualified_namespace="hubs.test",
                    identity=LoopbackCredential,
                    proxy=parse_proxy(proxy.url(f"soc:{WRONG}@"), ""),
                )
                (said,) = await faults_of(HubReader(stranger, HUB).read_extents())
                assert said.startswith("hub cwpp: 127.0.0.1: its certificate is not trusted (unable to get ")
            (said,) = await faults_of(HubReader(behind(f"soc:{WRONG}@"), HUB).read_extents())
            away = f"the proxy is not reached: 127.0.0.1:{proxy.port}: the connection was refused"
            assert said == f"hub cwpp: {away}"
            for answer, called in NO_ANSWERS.items():
                async with speaking(answer, proxy.port, proxy.tls):
                    (said,) = await faults_of(HubReader(ours, HUB).read_extents())
                assert said == f"hub cwpp: what came through the proxy is no answer of a hub ({called})"

    run(work())
    direct = parse_proxy("http://127.0.0.1:9", "servicebus.windows.net")
    for way in ("soc.servicebus.windows.net", "127.0.0.1"):
        found = Namespace(fully_qualified_namespace=way, identity=LoopbackCredential, proxy=direct).producer(HUB)
        assert found._config.transport_type is TransportType.Amqp


def test_what_says_no_way_to_a_namespace_is_refused_before_anything_is_asked() -> None:
    """A name alone, an identity alone, and what is no connection string; no key is shown, by itself or in an error.

    An identity that the environment speaks against is a fault of the hub, when that is asked.
    """
    whole = "Endpoint=sb://127.0.0.1:1;SharedAccessKeyName=a;SharedAccessKey=canary;UseDevelopmentEmulator=true"
    assert "canary" not in repr(Namespace(connection_string=whole))
    halves = ("", "canary", "Endpoint=sb://127.0.0.1", "Endpoint=;SharedAccessKeyName=a;SharedAccessKey=b")
    for text in (*halves, whole.replace("Endpoint", "Entrance") + ";canary"):
        with pytest.raises(ValueError) as caught:
            Namespace(connection_string=text)
        assert "SharedAccessKey=canary" not in str(caught.value)
    for way in ({}, {"fully_qualified_namespace": "name"}, {"identity": LoopbackCredential}):
        with pytest.raises(ValueError, match="a namespace needs"):
            Namespace(**way)

    def unsound() -> NoReturn:
        raise ValueError("an authority without TLS")

    with pytest.raises(HubError, match="hub cwpp: no credential can be made"):
        Namespace(fully_qualified_namespace="name", identity=unsound).producer("cwpp")


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
        assert await fault_of(hubs) == f"hub cwpp: 127.0.0.1:{hubs.port}: the connection was cut off; {none}"

    with_hubs(work)
