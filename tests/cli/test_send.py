"""`send`: what files hold is published to the hub of a stream, message by message, and nothing is claimed that was not."""

from __future__ import annotations

import gc
from collections.abc import Iterator

import pytest

from tests.accept.messages import a_flat_alert, a_table_row
from tests.cli.house import House, ndjson
from tests.cli.test_files import as_csv
from tests.stack.event_hubs import EventHubs, event_hubs_in_thread

pytestmark = pytest.mark.filterwarnings(
    "ignore:unclosed <StreamWriter:ResourceWarning", "ignore:loop is closed:ResourceWarning"
)


@pytest.fixture
def hubs(monkeypatch: pytest.MonkeyPatch) -> Iterator[EventHubs]:
    """A namespace of event hubs that the settings name."""
    with event_hubs_in_thread({"cwpp": 1, "cspm": 1}) as hubs:
        monkeypatch.setenv("EVENT_HUBS", hubs.connection_string)
        yield hubs
    gc.collect()  # The client forgets connections that were cut, and is forgiven here and not in the next test.


def arrived(hubs: EventHubs, hub: str = "cwpp") -> list[bytes]:
    """The bodies in a hub."""
    return [event.body for event in hubs.published(hub, 0)]


def test_messages_are_published_as_they_stand_in_their_files(house: House, hubs: EventHubs) -> None:
    """Lines, also those that nobody understands, members of an array, and rows; the other hub gets nothing."""
    house.writes("lines.ndjson", ndjson(a_flat_alert(SystemAlertId="1"), b"{?", a_flat_alert(SystemAlertId="2")))
    house.writes("array.json", b'[{"a":1},\n {"b":2}]')
    house.writes("rows.csv", as_csv([a_table_row(SystemAlertId="3")]))
    said = house.says("send", "--to", "cwpp", "lines.ndjson", "array.json", "rows.csv")
    assert (said.code, said.out, said.err) == (0, "sent to cwpp: 6\n", "")
    bodies = arrived(hubs)
    assert b"".join(body + b"\n" for body in bodies[:3]) == (house.directory / "lines.ndjson").read_bytes()
    assert bodies[3:5] == [b'{"a":1}', b'{"b":2}']
    assert b'"SystemAlertId":"3"' in bodies[5]
    assert arrived(hubs, "cspm") == []


def test_each_stream_has_its_hub(house: House, hubs: EventHubs) -> None:
    """What is sent to posture's is not in runtime's."""
    house.writes("lines.ndjson", b"1\n2\n")
    assert house.says("send", "lines.ndjson", "--to", "cspm").code == 0
    assert (arrived(hubs), arrived(hubs, "cspm")) == ([], [b"1", b"2"])


def test_a_hub_that_does_not_take_all_fails_the_command(house: House, hubs: EventHubs) -> None:
    """With exit code 1, and what it took."""
    house.writes("lines.ndjson", b"1\n" + b"2" * 1_048_576 + b"\n3\n")
    said = house.says("send", "--to", "cwpp", "lines.ndjson")
    assert (said.code, said.out) == (1, "")
    assert said.err == (
        "hub cwpp: message 2 has 1048576 bytes, more than the hub takes; leave it out; messages taken before: 1\n"
    )
    assert arrived(hubs) == [b"1"]


def test_a_hub_that_cannot_be_reached_fails_the_command(house: House, hubs: EventHubs) -> None:
    """With exit code 1, in one line without an address."""
    hubs.stop_accepting()
    house.writes("lines.ndjson", b"1\n")
    said = house.says("send", "--to", "cwpp", "lines.ndjson")
    assert (said.code, said.out) == (1, "")
    assert said.err == "hub cwpp: ConnectError (socket-error); messages taken before: 0\n"


def test_nothing_is_sent_where_a_file_cannot_be_read(house: House, hubs: EventHubs) -> None:
    """The others are left alone too, so that a second try does not send them twice."""
    house.writes("lines.ndjson", b"1\n")
    said = house.says("send", "--to", "cwpp", "lines.ndjson", "missing.ndjson")
    assert said.complaint == "missing.ndjson: cannot be read: No such file or directory"
    assert arrived(hubs) == []


@pytest.mark.parametrize("setting", [None, "nonsense"])
def test_a_namespace_that_is_not_set_is_a_mistake_of_whoever_calls(
    house: House, monkeypatch: pytest.MonkeyPatch, setting: str | None
) -> None:
    """The setting is named, and its value is not shown."""
    monkeypatch.delenv("EVENT_HUBS", raising=False)
    monkeypatch.delenv("EVENT_HUBS__fullyQualifiedNamespace", raising=False)
    if setting is not None:
        monkeypatch.setenv("EVENT_HUBS", setting)
    house.writes("lines.ndjson", b"1\n")
    complaint = house.says("send", "--to", "cwpp", "lines.ndjson").complaint
    assert complaint.startswith("EVENT_HUBS: ")
    assert "nonsense" not in complaint


@pytest.mark.parametrize("arguments", [["lines.ndjson"], ["--to", "cwpp"], ["--to", "alerts", "lines.ndjson"]])
def test_what_is_to_go_where_must_be_said(house: House, arguments: list[str]) -> None:
    """Usage is a mistake before anything is read."""
    house.writes("lines.ndjson", b"1\n")
    assert "see alert-router send --help" in house.says("send", *arguments).complaint
