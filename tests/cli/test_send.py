"""`send`: what files hold is published to the hub of a stream, message by message, and nothing is claimed that was not."""

from __future__ import annotations

import gc
import json
from collections.abc import Iterator

import orjson
import pytest

from tests.cli.house import House, Said, column, ndjson, routing
from tests.cli.test_envelopes import listed, queried, rows
from tests.cli.test_files import as_csv
from tests.parse.messages import a_flat_alert, a_sub_assessment, a_table_row, an_assessment
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
    """Lines, also those that nobody understands, members of an array, and rows; each stream has its hub."""
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
    assert house.says("send", house.writes("lines.ndjson", b"1\n2\n"), "--to", "cspm").code == 0
    assert (len(arrived(hubs)), arrived(hubs, "cspm")) == (6, [b"1", b"2"])


def test_each_element_of_an_answer_is_an_event(house: House, hubs: EventHubs) -> None:
    """Also of an answer that is longer than an event may be, and as it comes out of `az`; an empty one sends nothing."""
    some = [row | {"tags": {"x": "y" * 99_999}} for row in rows(20)]
    house.writes("standing.json", orjson.dumps(queried(*some, token="ey==")))
    said = house.says("send", "--to", "cwpp", "standing.json")
    assert (said.code, said.out) == (0, "sent to cwpp: 20\n")
    assert "is a part of the answer" in said.err
    assert [json.loads(body)["name"] for body in arrived(hubs)] == [row["name"] for row in some]
    with routing("send", "--to", "cwpp", "-") as piped:
        assert piped.communicate(json.dumps(queried(*rows(3)), indent=2)) == ("sent to cwpp: 3\n", "")
    assert len(arrived(hubs)) == 23
    house.writes("standing.json", orjson.dumps(queried(), option=orjson.OPT_INDENT_2))
    assert house.says("send", "--to", "cwpp", "standing.json") == Said(0, "sent to cwpp: 0\n", "")


def test_what_was_sent_is_what_was_read(house: House, hubs: EventHubs) -> None:
    """A reader of the hub finds the same signals as `run` does in the file, and posture goes to its own hub."""
    house.writes("posture.json", orjson.dumps(listed(an_assessment(), a_sub_assessment())))
    assert house.says("send", "--to", "cspm", "posture.json").out == "sent to cspm: 2\n"
    house.writes("taken.ndjson", ndjson(*arrived(hubs, "cspm")))
    ids = column(house.routes("--dry-run", "posture.json"), "id")
    assert column(house.routes("--dry-run", "taken.ndjson"), "id") == ids
    assert arrived(hubs) == []


def test_a_hub_that_does_not_take_all_fails_the_command(house: House, hubs: EventHubs) -> None:
    """With exit code 1, and what it took; or in one line without an address where it cannot be reached.

    Nothing is sent where a file cannot be read, so that a second try does not send the others twice.
    """
    house.writes("lines.ndjson", b"1\n" + b"2" * 1_048_576 + b"\n3\n")
    send = ("send", "--to", "cwpp", "lines.ndjson")
    missing = house.says(*send, "missing.ndjson").complaint
    assert missing == "missing.ndjson: cannot be read: No such file or directory"
    assert arrived(hubs) == []
    assert house.says(*send) == Said(
        1,
        "",
        "hub cwpp: message 2 has 1048576 bytes, more than the hub takes; leave it out; messages taken before: 1\n",
    )
    assert arrived(hubs) == [b"1"]
    hubs.stop_accepting()
    house.writes("lines.ndjson", b"1\n")
    unreached = "hub cwpp: ConnectError (socket-error); messages taken before: 0\n"
    assert house.says(*send) == Said(1, "", unreached)


def test_a_namespace_that_is_not_set_is_a_mistake_of_whoever_calls(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The setting is named, and its value is not shown; usage is a mistake before anything is read."""
    house.writes("lines.ndjson", b"1\n")
    for arguments in (["lines.ndjson"], ["--to", "cwpp"], ["--to", "alerts", "lines.ndjson"]):
        assert "see alert-router send --help" in house.says("send", *arguments).complaint
    assert house.says("send", "--to", "cwpp", "lines.ndjson").complaint.startswith("EVENT_HUBS: ")
    monkeypatch.setenv("EVENT_HUBS", "nonsense")
    complaint = house.says("send", "--to", "cwpp", "lines.ndjson").complaint
    assert complaint.startswith("EVENT_HUBS: ")
    assert "nonsense" not in complaint
