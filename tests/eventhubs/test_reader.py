"""Spans of a hub that are read again: what is still there, all of it, nothing else, and never for ever."""

from __future__ import annotations

import asyncio
import logging
import os
import ssl
from collections.abc import Awaitable, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
import trustme

from router.deliver.azure_transport import LoopbackCredential
from router.domain.errors import BadFile, HubError
from router.domain.hubs import Event, Extent, Partition, Span
from router.eventhubs import HubReader, Namespace, publish
from router.eventhubs.connection import hub_error
from router.eventhubs.reader import receive_events
from tests.eventhubs.hubs import FIRST, HUB, LEFT_BEHIND, SECOND, a_namespace, fill, run, with_hubs
from tests.stack.event_hubs import KEY, EventHubs
from tests.waiting import until

pytestmark = LEFT_BEHIND

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
        hubs.shift_clock(timedelta(hours=1))
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
            async with a_namespace(hubs).consumer(HUB, "sweep") as client:
                return numbers(await receive_events(client, FIRST, Span(first, last), 100, patience))

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
        return [*faults, *await faults_of(received(2, 6))]

    where = "hub cwpp, partition 0"
    assert with_hubs(work, 3) == [f"{where}: no answer in time", f"{where}: ConnectError (socket-error)"]


def test_a_connection_that_is_cut_in_the_middle_costs_nothing() -> None:
    """Wherever it is cut: the client connects again, and what it gets twice is given once, in order."""

    async def read_cut_after(said: int) -> None:
        async with EventHubs({HUB: 1}).running() as hubs:
            for number in range(600):
                hubs.append(*FIRST, b"%03d" % number * 50)
            hubs.drop_connections_after(said)
            read = await a_reader(hubs).read_events(FIRST, Span(10, 590), 1000)
            assert numbers(read) == list(range(10, 591))
            assert not hubs.is_to_drop_connections, "nothing was cut, so nothing was proven"

    async def work() -> None:
        await asyncio.gather(*map(read_cut_after, (10_000, 50_000, 90_000)))

    run(work())


def test_a_hub_that_does_not_answer_as_it_should_is_a_fault(caplog: pytest.LogCaptureFixture) -> None:
    """In one line, without an address: it answers nothing, is not there, forbids it or cannot be reached. One that reaches
    less far than it said before proves nothing gone. The client itself logs nothing of it."""
    caplog.set_level(logging.DEBUG)
    mute = EventHubs()

    async def work(hubs: EventHubs) -> list[str]:
        fill(hubs, FIRST, 10)
        reader = a_reader(hubs)
        wrong = Namespace(connection_string=hubs.connection_string.replace(KEY, "another"))
        async with await asyncio.start_server(lambda *_: None, "127.0.0.1", 0) as server:
            mute.port = server.sockets[0].getsockname()[1]
            texts = await faults_of(
                a_reader(mute, patience=0.5).read_extents(),
                a_reader(hubs, "nowhere").read_extents(),
                HubReader(wrong, HUB).read_events(FIRST, Span(0, 1), 1),
                reader.read_events(FIRST, Span(8, 10), 100),
                reader.read_events(FIRST, Span(10, 20), 100),
            )
        hubs.stop_accepting()
        return [*texts, *await faults_of(reader.read_extents(), reader.read_events(FIRST, Span(0, 1), 1))]

    assert with_hubs(work, 3) == [
        "hub cwpp: no answer in time",
        "hub nowhere: ConnectError (not-found)",
        "hub cwpp, partition 0: AuthenticationError (client-error)",
        *["hub cwpp, partition 0: answers with less than it had"] * 2,
        "hub cwpp: ConnectError (socket-error)",
        "hub cwpp, partition 0: ConnectError (socket-error)",
    ]
    assert [record.name for record in caplog.records if record.name.startswith("azure")] == []
    fault = OSError("cannot connect to sb://name.servicebus.windows.net/?sig=canary\nand so on")
    assert str(hub_error(fault, "cwpp", "3")) == "hub cwpp, partition 3: OSError"


def test_a_namespace_is_reached_by_identity_over_tls(tmp_path: Path) -> None:
    """As in Azure: no key, and a server whose certificate an authority vouches for that can be read."""
    authority, pem = trustme.CA(), tmp_path / "ca.pem"
    authority.cert_pem.write_to_path(str(pem))
    tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    # With TLS the client knows one port, whatever it is told, so the address is this process's own.
    host = f"127.{os.getpid() >> 16 & 127 | 1}.{os.getpid() >> 8 & 255}.{os.getpid() & 255}"
    authority.issue_cert(host).configure_cert(tls)

    def namespace(name: str) -> Namespace:
        credential, file = LoopbackCredential(), str(tmp_path / name)
        return Namespace(fully_qualified_namespace=host, credential=credential, ca_file=file)

    async def work() -> None:
        async with EventHubs({HUB: 1}).running(5671, host, tls):
            ours = namespace("ca.pem")
            assert await publish(ours, HUB, [b"1", b"2"]) == 2
            read = await HubReader(ours, HUB).read_events(FIRST, Span(0, 1), 2)
            assert [event.body for event in read] == [b"1", b"2"]
            await ours.close()

    run(work())
    (tmp_path / "none.pem").write_text("no certificate")
    for name in ("none.pem", "missing.pem"):
        with pytest.raises(BadFile, match=f"{name}: is no readable file of certificates"):
            namespace(name)


def test_what_says_no_way_to_a_namespace_is_refused_before_anything_is_asked() -> None:
    """A name alone, a credential alone, and what is no connection string; no key is shown, by itself or in an error."""
    whole = "Endpoint=sb://127.0.0.1:1;SharedAccessKeyName=a;SharedAccessKey=canary;UseDevelopmentEmulator=true"
    assert "canary" not in repr(Namespace(connection_string=whole))
    halves = ("", "canary", "Endpoint=sb://127.0.0.1", "Endpoint=;SharedAccessKeyName=a;SharedAccessKey=b")
    for text in (*halves, whole.replace("Endpoint", "Entrance") + ";canary"):
        with pytest.raises(ValueError) as caught:
            Namespace(connection_string=text)
        assert "SharedAccessKey=canary" not in str(caught.value)
    for way in ({}, {"fully_qualified_namespace": "name"}, {"credential": LoopbackCredential()}):
        with pytest.raises(ValueError, match="a namespace needs"):
            Namespace(**way)
