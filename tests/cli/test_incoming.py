"""What is piped is read as it comes, and what `az` and REST print is its elements, from a pipe or a file; `send` publishes it.

A line is a message, known by what it says and how often it was said before; a part of an answer is said to be one.
"""

from __future__ import annotations

import asyncio
import gc
import json
import os
import signal
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack
from functools import partial
from pathlib import Path
from typing import Any, BinaryIO

import orjson
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from router.cli.incoming import BATCH, WAIT, Incoming, Stdin
from router.cli.stopping import Stop
from router.ingest.messages import Message
from router.parse import LARGEST_BODY, MOST_ELEMENTS
from tests.cli.house import House, Said, column, ndjson, routing
from tests.cli.test_files import MARKED, as_csv, cut_anywhere, encoded, read
from tests.cli.virtual_time import clock, run_at_once
from tests.parse.messages import a_flat_alert, a_graph_row, a_table_row, an_arm_alert
from tests.peaks import peak_of
from tests.samples import SAMPLES
from tests.stack.event_hubs import EventHubs, event_hubs_in_thread
from tests.waiting import wait_until


def messages_in(*chunks: bytes) -> list[Message]:
    """What comes in, read to its end."""
    with ExitStack() as stack:
        incoming = Incoming(stack)
        return [one for chunk in chunks for one in incoming.feed(chunk)] + list(incoming.end())


def piped(house: House, text: bytes, *options: str) -> list[dict[str, object]]:
    """The decisions of a run that is piped a text; it must end well."""
    with routing(*_command(*options)) as run:
        _, err = run.communicate(text.decode(errors="surrogateescape"))
    assert (run.returncode, err) == (0, "")
    return house.lines("decisions.ndjson")


LINES = st.lists(st.sampled_from([b'{"a":1}', b'{"a":2}', b"?", b"", b"  ", b'{"a":1}\r']), max_size=8)


@settings(deadline=None)
@given(lines=LINES, data=st.data())
def test_a_line_is_known_by_what_it_says_and_how_often_it_was_said(lines: list[bytes], data: st.DataObject) -> None:
    """Wherever the input is cut as it comes in; blank lines and carriage returns say nothing."""
    text = b"\n".join(lines)
    messages = messages_in(*cut_anywhere(data, text))
    said = [line.rstrip(b"\r") for line in lines if line.strip()]
    assert [message.body for message in messages] == said
    places = [message.arrival.place for message in messages]
    assert places == [said[:number].count(line) for number, line in enumerate(said)]
    assert len({message.arrival.key for message in messages}) == len(messages)
    assert len({message.arrival.origin for message in messages}) == len(set(said))


def test_half_a_line_is_a_line_and_a_document_is_known_as_its_file_is(house: House) -> None:
    """Who wrote it closed the pipe in the middle; nothing of it is lost. A line is the same one in every encoding.

    Pretty-printed JSON, one message or many, and an export in one line, however long: the same as from a file.
    """
    assert [message.body for message in messages_in(b'{"a":1}\n{"a"', b":")] == [b'{"a":1}', b'{"a":']
    text = '{"a":"\u4e2d"}\n{"a":1}\n'
    for codec in MARKED:
        assert messages_in(encoded(text, codec)) == messages_in(text.encode())
    few = orjson.dumps([a_flat_alert(), a_flat_alert(SystemAlertId="b")], option=orjson.OPT_INDENT_2)
    many = orjson.dumps([a_flat_alert(SystemAlertId=f"al-{n}", Description="x" * 199_999) for n in range(25)])
    for document in (few, few.replace(b"  ", b"\t"), many):
        known = [(message.arrival, message.body) for message in read(house.writes("alerts.json", document))]
        assert [(one.arrival, one.body) for one in messages_in(document[:7], document[7:])] == known


def test_a_broken_first_line_keeps_nothing_back_for_ever() -> None:
    """Whatever it begins like: what comes after it are messages at the latest when the input ends."""
    for line in (b'{"a": 1, "b', b'{"a": "x", ', b"[1, 2", b"{", b'{"a":1}}'):
        messages = messages_in(line + b"\n", ndjson({"a": 1}, {"b": 2}))
        assert [message.body for message in messages][-2:] == [b'{"a":1}', b'{"b":2}']


def test_a_line_may_hold_more_messages_than_a_body_may_or_be_too_long() -> None:
    """Who pipes one long array gets them all, each as the reader would call it; a shorter one is left to the reader.

    One that is too long is cut, known by the digest of all of it, and what comes after it is read.
    """
    many = orjson.dumps({"records": list(range(MOST_ELEMENTS + 1))})
    messages = messages_in(many + b"\n", b"[1,2]\n")
    assert [message.arrival.part for message in messages] == [*range(1, MOST_ELEMENTS + 2), 0]
    assert messages[-2].source == f"-:1[{MOST_ELEMENTS + 1}]"
    line = b"x" * LARGEST_BODY
    longer, other = messages_in(line + b"y\n" + line + b"z\n")
    assert longer.cut is not None
    assert longer.arrival.origin == f"stdin-{longer.cut.digest}"
    assert longer.arrival != other.arrival


def test_memory_does_not_grow_with_the_input() -> None:
    """Neither with a line that does not end, nor with the number of different lines."""

    def take_in(chunk_of: Callable[[int], bytes], count: int) -> None:
        with ExitStack() as stack:
            incoming = Incoming(stack)
            for chunk in map(chunk_of, range(count)):
                for _ in incoming.feed(chunk):
                    pass
            list(incoming.end())

    for chunk_of, few in ((lambda _: b"x" * 65536, 100), (lambda number: b"%d\n" % number, 1_000)):
        assert peak_of(partial(take_in, chunk_of, 4 * few)) < 1.2 * peak_of(partial(take_in, chunk_of, few))


class Pipe:
    """A pipe that is read as standard input is."""

    def __init__(self, stack: ExitStack) -> None:
        read, write = os.pipe()
        stack.callback(os.close, read)
        self._write: BinaryIO = stack.enter_context(os.fdopen(write, "wb", buffering=0))
        self.stdin = Stdin(read, Incoming(stack))
        self.write, self.close = self._write.write, self._write.close


def sizes(batches: Sequence[Sequence[Message]]) -> list[int]:
    return [len(batch) for batch in batches]


def test_a_batch_is_decided_a_second_after_its_first_line_or_as_soon_as_it_is_full() -> None:
    """The pipe stays open, and whoever writes to it does not wait; what is left goes when the input ends."""

    async def follow(pipe: Pipe) -> None:
        batches = pipe.stdin.batches(Stop())
        for count in (1, 3):
            began = clock()
            pipe.write(b'{"a":1}\n' * count + b'{"half":')
            assert len(await anext(batches)) == count
            assert clock() - began == pytest.approx(WAIT)
            pipe.write(b"1}\n")
            assert sizes([await anext(batches)]) == [1]
        began = clock()
        pipe.write(b"{}\n" * (2 * BATCH + 1))
        assert sizes([await anext(batches), await anext(batches)]) == [BATCH, BATCH]
        pipe.close()
        assert sizes([batch async for batch in batches]) == [1]
        assert clock() == began

    with ExitStack() as stack:
        run_at_once(follow(Pipe(stack)))


def test_a_stop_decides_the_lines_that_were_read() -> None:
    """Whoever wrote them has them no more. The half line that was under way is none yet, and nothing more is waited for."""

    async def follow(pipe: Pipe) -> None:
        with Stop.heeded() as stop:
            batches = pipe.stdin.batches(stop)
            pipe.write(b"{}\n{}\n{")
            batch = asyncio.ensure_future(anext(batches))
            await asyncio.sleep(WAIT / 2)
            os.kill(os.getpid(), signal.SIGTERM)
            assert len(await batch) == 2
            assert [batch async for batch in batches] == []
            assert clock() < WAIT

    with ExitStack() as stack:
        run_at_once(follow(Pipe(stack)))


def test_explain_and_dry_run_read_it_too(house: House) -> None:
    """As `run` does; what is redirected from a disk is always ready."""
    assert column(piped(house, ndjson(a_flat_alert(), b"?"), "--dry-run"), "source") == ["-:1", "-:2"]
    text = encoded(ndjson(a_flat_alert()).decode(), "utf-16-le")
    out, _ = routing("explain", "--format", "json", "-").communicate(text.decode(errors="surrogateescape"))
    assert column([one["decision"] for one in orjson.loads(out)], "source") == ["-:1"]

    async def sizes_in(stdin: Stdin) -> list[int]:
        return sizes([batch async for batch in stdin.batches(Stop())])

    with ExitStack() as stack, Path(house.writes("a.ndjson", ndjson(a_flat_alert()))).open("rb") as file:
        assert asyncio.run(sizes_in(Stdin(file.fileno(), Incoming(stack)))) == [1]


def test_what_comes_in_is_decided_and_sent_while_more_is_waited_for(house: House) -> None:
    """The pipe is open until its first line was decided, and reached the destination."""
    with routing(*_command()) as process:
        assert process.stdin is not None
        for number in (1, 2):
            process.stdin.write(ndjson(a_flat_alert(SystemAlertId=f"al-{number}")).decode())
            process.stdin.flush()
            awaited = ("decisions.ndjson", "people.ndjson", "everything.ndjson")
            wait_until(
                lambda: all(len(house.lines(name)) >= number for name in awaited),  # noqa: B023  It is asked at once.
                goes_on=lambda: process.poll() is None,
            )
        process.stdin.close()
        assert process.wait() == 0
    assert column(house.lines("decisions.ndjson"), "source") == ["-:1", "-:2"]


def _command(*options: str) -> list[str]:
    return ["run", "--decisions", "decisions.ndjson", *options, "-"]


def queried(*rows: object, token: str | None = None, total: int | None = None) -> dict[str, object]:
    """What `az graph query` prints."""
    total = len(rows) if total is None else total
    return {"count": len(rows), "data": list(rows), "skip_token": token, "total_records": total}


def listed(*rows: object, **members: object) -> dict[str, object]:
    """What `az rest` prints of a list."""
    return {**members, "value": list(rows)}


def rows(count: int) -> list[dict[str, Any]]:
    """So many alerts of Resource Graph."""
    return [a_graph_row(SystemAlertId=f"al-{number}") for number in range(1, count + 1)]


def test_an_answer_is_its_elements(house: House) -> None:
    """Each has its place; what is no message is quarantined by itself; the same again is all repeats, from a pipe, too.

    So it is pretty-printed, in one line, or as PowerShell on Windows redirects it.
    """
    some = (a_graph_row(), 7, an_arm_alert())
    house.writes("alerts.json", orjson.dumps(queried(*some), option=orjson.OPT_INDENT_2))
    decisions = house.routes("alerts.json")
    assert column(decisions, "source") == ["alerts.json:1", "alerts.json:2", "alerts.json:3"]
    assert column(decisions, "outcome") == ["routed", "quarantined", "routed"]
    assert column(house.routes("alerts.json"), "outcome") == ["repeat", "quarantined", "repeat"]
    (kept,) = json.loads(house.says("quarantine", "list", "--format", "json").out)
    assert kept["source"] == "alerts.json:2"
    for text in (
        (house.directory / "alerts.json").read_bytes(),
        orjson.dumps(listed(*some)),
        json.dumps(queried(*some), indent=2).encode("utf-16"),
    ):
        house.writes("alerts.json", text)
        messages = messages_in(text[:9], text[9:])
        assert [message.body for message in messages] == [message.body for message in read("alerts.json")]
        assert [orjson.loads(message.body) for message in messages] == [*some]
        assert len({message.arrival.key for message in messages}) == 3
        assert messages_in(text) == messages


def test_answers_may_be_lines_of_a_file(house: House) -> None:
    """A page a line, with alerts between them: whoever reads the lines one by one names the same messages."""
    lines = ndjson(queried(*rows(2)), a_flat_alert(), listed(*rows(1)), queried())
    house.writes("pages.ndjson", lines)
    decisions = house.routes("pages.ndjson")
    assert column(decisions, "source") == [
        "pages.ndjson:1[1]",
        "pages.ndjson:1[2]",
        "pages.ndjson:2",
        "pages.ndjson:3[1]",
    ]
    assert column(decisions, "outcome") == ["routed", "routed", "routed", "repeat"]
    assert [message.source for message in messages_in(lines)] == ["-:1[1]", "-:1[2]", "-:2", "-:3[1]"]


def test_an_answer_without_elements_is_no_message(house: House) -> None:
    """Nothing is still active: nothing is quarantined, and nothing would be sent."""
    for answer in (queried(), listed(), queried() | {"skip_token": ""}):
        house.writes("alerts.json", orjson.dumps(answer, option=orjson.OPT_INDENT_2))
        assert read("alerts.json") == []
        assert messages_in(orjson.dumps(answer)) == messages_in((house.directory / "alerts.json").read_bytes()) == []
    assert house.routes("alerts.json") == []
    assert len(messages_in(orjson.dumps(listed(*range(MOST_ELEMENTS + 1))))) == MOST_ELEMENTS + 1


def test_an_alert_that_was_asked_for_and_comes_by_the_export_pages_once(house: House) -> None:
    """In either order: it is the same signal; said again it is a repeat, and changed since an update under the same key."""
    asked, graver = orjson.dumps(queried(a_graph_row())), {"Severity": "Critical", "Status": "InProgress"}
    told = [asked, ndjson(a_flat_alert())]
    later = ndjson(a_flat_alert(ProcessingEndTime="2026-11-17T02:05:53Z", **graver)), asked + b"\n"
    for number, order in enumerate((told, told[::-1])):
        outcomes = []
        for one in (*order, *later):
            outcomes += house.routes("--state", f"state-{number}", house.writes("a.json", one))
        assert column(outcomes, "outcome") == ["routed", "repeat", "routed", "repeat"]
        told_people = house.lines("people.ndjson")[2 * number :]
        assert column(told_people, "change") == ["opened", "updated"]
        assert len(set(column(told_people, "key"))) == 1


def test_the_same_input_again_is_all_repeats(house: House) -> None:
    """Also what was taken in before as the first lines of a longer one, and equal lines among them."""
    opened = a_flat_alert(Status="New")
    lines = [opened, a_flat_alert(Status="Resolved"), opened, b"?"]
    assert column(piped(house, ndjson(*lines)), "outcome") == ["routed", "resolved", "repeat", "quarantined"]
    again = piped(house, ndjson(*lines, a_flat_alert(SystemAlertId="new")))
    assert column(again, "outcome") == ["repeat", "repeat", "repeat", "quarantined", "routed"]
    assert column(house.lines("people.ndjson"), "change") == ["opened", "resolved", "opened"]


ADVICE = {
    "skip_token": "alerts.json: is a part of the answer; for the next give `az graph query` its skip_token with --skip-token",
    "nextLink": "alerts.json: is a part of the answer; for the next give `az rest --url` its nextLink",
    "total_records": "alerts.json: holds fewer records than its query found, and no skip_token: either pages came before it, "
    "or ask with id among the columns and --first 1000",
}  # fmt: skip


def test_a_part_of_an_answer_is_said_to_be_one(house: House, subtests: pytest.Subtests) -> None:
    """In one line on standard error, with how to get the rest, also where the answer is longer than a body may be."""
    total: dict[str, object] = {"count": 2}
    for before, after, advice in (
        ({}, {"skip_token": "ey==", "total_records": 2_300}, "skip_token"),
        ({"$skipToken": "ey==", "totalRecords": 2_300}, {}, "skip_token"),
        ({}, {"nextLink": "https://management.azure.com/x?$skiptoken=y"}, "nextLink"),
        (total, {"skip_token": None, "total_records": 3}, "total_records"),
        (total, {"skip_token": None, "total_records": 2}, None),
    ):
        for is_long in (False, True):
            with subtests.test(advice, before=before, is_long=is_long):
                some = [row | {"tags": {"x": "y" * (LARGEST_BODY // 2) * is_long}} for row in rows(2)]
                document: dict[str, object] = {**before, "data": some, **after}
                house.writes("alerts.json", orjson.dumps(document, option=orjson.OPT_INDENT_2))
                said = house.says("run", "--dry-run", "--decisions", "decisions.ndjson", "alerts.json")
                assert said.code == 0
                assert said.err.splitlines() == ([ADVICE[advice]] if advice else [])
                assert column(house.lines("decisions.ndjson"), "id") == ["al-1", "al-2"]


def test_a_part_is_said_of_lines_too(capsys: pytest.CaptureFixture[str]) -> None:
    """Each page by its line, and what a token says is not repeated."""
    messages_in(ndjson(queried(1, token="\x1b[31mey"), listed(2, nextLink="https://example.org/\x1b[31m"), listed(3)))
    first, second = capsys.readouterr().err.splitlines()
    assert (first[:28], second[:28], "\x1b" in first + second) == (
        "-:1: is a part of the answer",
        "-:2: is a part of the answer",
        False,
    )


def test_what_stands_behind_a_long_list_is_not_lost(house: House) -> None:
    """A document that only begins as an answer keeps what an answer does not have, as a message that nobody understands.

    Its beginning is on record, and no more of it is in memory.
    """
    document = {"value": ["x" * LARGEST_BODY, 1], "nextLink": None, "category": {"a": [1, "]}"]}}
    house.writes("alerts.json", orjson.dumps(document))
    *elements, beside = read("alerts.json")
    assert [message.source for message in elements] == ["alerts.json:1", "alerts.json:2"]
    assert json.loads(beside.body) == document | {"value": []}
    assert beside.source == "alerts.json"
    assert len({message.arrival.key for message in (*elements, beside)}) == 3
    seconds = [b'"value":[{"a":1}]', b'"data":[{"a":1}]', b'"records":[{"a":1}]', b'"a":{"a":1}']
    for first, second in zip((b"value", b"value", b"data", b"records"), seconds, strict=True):
        house.writes("alerts.json", b'{"%s":["%s"],%s}' % (first, b"x" * LARGEST_BODY, second))
        assert read("alerts.json")[-1].body == b'{"%s":[],%s}' % (first, second)
    more = b",".join(b'"%d":"%s"' % (number, b"y" * size) for number, size in enumerate((3 * LARGEST_BODY, 999_999, 9)))
    house.writes("alerts.json", b'{"value":["%s"],%s}' % (b"x" * LARGEST_BODY, more))
    *_, beside = read("alerts.json")
    assert 60 * 1024 < len(beside.body) < 70 * 1024
    assert column(house.routes("--dry-run", "alerts.json"), "outcome") == ["quarantined", "quarantined"]


@pytest.mark.shared
def test_the_lists_of_the_rest_examples_and_a_page_of_resource_graph_are_read(house: House) -> None:
    """What Microsoft's examples say that a list of alerts is answered with, as `az rest` prints it, is its alerts.

    Of the first page of three of 386 resources, none of which is a message, each is quarantined by itself, and a part it is.
    """
    expected: list[str] = []
    names: list[str] = []
    for path in sorted((SAMPLES / "azure-rest-api-specs").rglob("Get*Alerts*.json")):
        body = json.loads(path.read_bytes())["responses"]["200"]["body"]
        if path.parent.name == "Alerts" and "value" in body:
            names.append(house.writes(f"{len(names)}.json", orjson.dumps(body, option=orjson.OPT_INDENT_2)))
            expected += [f"{names[-1]}:{place}" for place in range(1, len(body["value"]) + 1)]
    decisions = house.routes("--dry-run", *names)
    assert (column(decisions, "source"), len(names) > 10) == (expected, True)
    assert set(column(decisions, "kind")) == {"alert", "incident"}
    path = SAMPLES / "coverage" / "arg" / "resources.first-page.2022-10-01.azure-rest-api-specs.json"
    body = json.loads(path.read_bytes())["responses"]["200"]["body"]
    house.writes("alerts.json", orjson.dumps(body, option=orjson.OPT_INDENT_2))
    said = house.says("run", "--dry-run", "--decisions", "decisions.ndjson", "alerts.json")
    assert said.err.splitlines() == [ADVICE["skip_token"]]
    assert column(house.lines("decisions.ndjson"), "outcome") == ["quarantined"] * 3


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
    """Also of an answer that is longer than an event may be, and as it comes out of `az`; an empty one sends nothing.

    A reader of the hub finds the same signals as `run` does in the file.
    """
    some = [row | {"tags": {"x": "y" * 99_999}} for row in rows(20)]
    house.writes("standing.json", orjson.dumps(queried(*some, token="ey==")))
    said = house.says("send", "--to", "cwpp", "standing.json")
    assert (said.code, said.out) == (0, "sent to cwpp: 20\n")
    assert "is a part of the answer" in said.err
    house.writes("taken.ndjson", ndjson(*arrived(hubs)))
    ids = column(house.routes("--dry-run", "standing.json"), "id")
    assert column(house.routes("--dry-run", "taken.ndjson"), "id") == ids
    with routing("send", "--to", "cwpp", "-") as piped:
        assert piped.communicate(json.dumps(queried(*rows(3)), indent=2)) == ("sent to cwpp: 3\n", "")
    assert len(arrived(hubs)) == 23
    house.writes("standing.json", orjson.dumps(queried(), option=orjson.OPT_INDENT_2))
    assert house.says("send", "--to", "cwpp", "standing.json") == Said(0, "sent to cwpp: 0\n", "")


def test_a_hub_that_does_not_take_all_fails_the_command(house: House, hubs: EventHubs) -> None:
    """With exit code 1, and what it took; or in one line with host and cause where it cannot be reached.

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
    host = f"127.0.0.1:{hubs.port}"
    unreached = f"hub cwpp: {host}: the connection was cut off; messages taken before: 0\n"
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
