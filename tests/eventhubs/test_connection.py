"""How a namespace is reached, and what may be seen of that."""

from __future__ import annotations

import logging
import os
import ssl
from pathlib import Path

import pytest
import trustme

from router.deliver.azure_transport import LoopbackCredential
from router.domain.errors import BadFile
from router.domain.hubs import Span
from router.eventhubs import HubReader, Namespace, publish
from router.eventhubs.connection import hub_error
from tests.eventhubs.hubs import FIRST, HUB, LEFT_BEHIND, a_namespace, relayed, run
from tests.stack.event_hubs import KEY, EventHubs

pytestmark = LEFT_BEHIND

LOCAL = "Endpoint=sb://127.0.0.1:1;SharedAccessKeyName=name;SharedAccessKey=canary;UseDevelopmentEmulator=true"


def test_a_namespace_is_reached_by_identity_over_tls(tmp_path: Path) -> None:
    """As in Azure: no key, and a server whose certificate somebody vouches for."""
    authority = trustme.CA()
    authority.cert_pem.write_to_path(str(tmp_path / "ca.pem"))
    tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    # With TLS the client knows one port, whatever it is told, so the address is this process's own.
    host = f"127.{os.getpid() >> 16 & 127 | 1}.{os.getpid() >> 8 & 255}.{os.getpid() & 255}"
    authority.issue_cert(host).configure_cert(tls)

    async def work() -> None:
        async with EventHubs({HUB: 1}).running() as hubs, relayed(hubs, tls, (host, 5671)):
            namespace = Namespace(
                fully_qualified_namespace=host,
                credential=LoopbackCredential(),
                ca_file=str(tmp_path / "ca.pem"),
            )
            assert await publish(namespace, HUB, [b"1", b"2"]) == 2
            read = await HubReader(namespace, HUB).read_events(FIRST, Span(0, 1), 2)
            assert [event.body for event in read] == [b"1", b"2"]
            await namespace.close()

    run(work())


def test_what_says_no_way_to_a_namespace_is_refused_before_anything_is_asked() -> None:
    """A name alone, a credential alone, and what is no connection string; no key is shown, by itself or in an error."""
    assert "canary" not in repr(Namespace(connection_string=LOCAL))
    halves = ("", "canary", "Endpoint=sb://127.0.0.1", "Endpoint=;SharedAccessKeyName=a;SharedAccessKey=b")
    for text in (*halves, LOCAL.replace("Endpoint", "Entrance") + ";canary"):
        with pytest.raises(ValueError) as caught:
            Namespace(connection_string=text)
        assert "SharedAccessKey=canary" not in str(caught.value)
    for way in ({}, {"fully_qualified_namespace": "name"}, {"credential": LoopbackCredential()}):
        with pytest.raises(ValueError, match="a namespace needs"):
            Namespace(**way)


def test_authorities_that_cannot_be_read_are_named(tmp_path: Path) -> None:
    """Before anything is sent to a server that nobody vouches for."""
    (tmp_path / "ca.pem").write_text("no certificate")
    for name in ("ca.pem", "missing.pem"):
        with pytest.raises(BadFile, match=f"{name}: is no readable file of certificates"):
            Namespace(connection_string=LOCAL, ca_file=str(tmp_path / name))


def test_a_fault_is_one_line_without_an_address() -> None:
    """The client's words hold URLs; ours hold what it calls the fault."""
    fault = OSError("cannot connect to sb://name.servicebus.windows.net/?sig=canary\nand so on")
    assert str(hub_error(fault, "cwpp", "3")) == "hub cwpp, partition 3: OSError"
    assert str(hub_error(TimeoutError("canary"), "cspm")) == "hub cspm: no answer in time"


def test_the_client_says_nothing_by_itself(caplog: pytest.LogCaptureFixture) -> None:
    """What fails is told once, by who asked for it; the client would tell it with whole addresses and keys."""
    caplog.set_level(logging.DEBUG)

    async def work() -> None:
        async with EventHubs({HUB: 1}).running() as hubs:
            await publish(a_namespace(hubs), HUB, [b"1"])
            hubs.stop_accepting()
            with pytest.raises(Exception, match="socket-error"):
                await HubReader(a_namespace(hubs), HUB).read_extents()

    run(work())
    assert [record.name for record in caplog.records if record.name.startswith("azure")] == []
    assert KEY not in caplog.text
