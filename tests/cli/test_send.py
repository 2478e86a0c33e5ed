"""`send`: what files hold is published to the hub of a stream, message by message, and nothing is claimed that was not."""

from __future__ import annotations

import gc
import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import orjson
import pytest

from tests.cli.house import House, Said, column, ndjson
from tests.cli.test_envelopes import listed, queried, rows
from tests.cli.test_files import as_csv
from tests.parse.messages import a_flat_alert, a_sub_assessment, a_table_row, an_assessment
from tests.stack.event_hubs import EventHubs, event_hubs_in_thread
from tests.waiting import PATIENCE

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


@pytest.mark.parametrize("name", ["standing.json", "standing.ndjson"])
def test_each_element_is_an_event(house: House, hubs: EventHubs, name: str) -> None:
    """Also of an answer that is longer than an event may be, and in one line."""
    some = [row | {"tags": {"x": "y" * 99_999}} for row in rows(20)]
    house.writes(name, orjson.dumps(queried(*some, token="ey==")))
    said = house.says("send", "--to", "cwpp", name)
    assert (said.code, said.out) == (0, "sent to cwpp: 20\n")
    assert "is a part of the answer" in said.err
    assert [json.loads(body)["name"] for body in arrived(hubs)] == [row["name"] for row in some]


def test_an_answer_is_sent_from_standard_input(house: House, hubs: EventHubs) -> None:
    """As it comes out of `az`."""
    command = [sys.executable, "-m", "router", "send", "--to", "cwpp", "-"]
    text = orjson.dumps(queried(*rows(3)), option=orjson.OPT_INDENT_2)
    environment = os.environ | {"PYTHONPATH": str(Path(__file__).parents[2])}
    done = subprocess.run(command, input=text, capture_output=True, timeout=PATIENCE, env=environment)
    assert (done.returncode, done.stdout) == (0, b"sent to cwpp: 3\n"), done.stderr
    assert len(arrived(hubs)) == 3


def test_an_empty_answer_sends_nothing(house: House, hubs: EventHubs) -> None:
    """Who has no alert from before needs not know."""
    house.writes("standing.json", orjson.dumps(queried(), option=orjson.OPT_INDENT_2))
    assert house.says("send", "--to", "cwpp", "standing.json") == Said(0, "sent to cwpp: 0\n", "")
    assert arrived(hubs) == []


def test_what_was_sent_is_what_was_read(house: House, hubs: EventHubs) -> None:
    """A reader of the hub finds the same signals as `run` does in the file, and posture goes to its own hub."""
    house.writes("posture.json", orjson.dumps(listed(an_assessment(), a_sub_assessment())))
    assert house.says("send", "--to", "cspm", "posture.json").out == "sent to cspm: 2\n"
    house.writes("taken.ndjson", ndjson(*arrived(hubs, "cspm")))
    ids = column(house.routes("--dry-run", "posture.json"), "id")
    assert column(house.routes("--dry-run", "taken.ndjson"), "id") == ids
    assert arrived(hubs) == []


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
