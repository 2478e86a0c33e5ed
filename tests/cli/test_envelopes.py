"""What `az` and REST print is read: each element is a message, and a part of an answer is said to be one."""

from __future__ import annotations

import json
from collections.abc import Callable
from contextlib import ExitStack
from typing import Any

import orjson
import pytest

from router.cli.incoming import Incoming, open_files
from router.ingest.messages import Message
from router.parse import LARGEST_BODY, MOST_ELEMENTS
from tests.cli.house import House, column, ndjson
from tests.parse.messages import a_flat_alert, a_graph_row, an_arm_alert
from tests.samples import SAMPLES

type Printed = Callable[[object], bytes]

FORMS: dict[str, Printed] = {
    "pretty": lambda document: orjson.dumps(document, option=orjson.OPT_INDENT_2),
    "in one line": orjson.dumps,
    "as PowerShell on Windows redirects it": lambda document: json.dumps(document, indent=2).encode("utf-16"),
}


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


def piped(*chunks: bytes) -> list[Message]:
    """The messages of standard input."""
    with ExitStack() as stack:
        incoming = Incoming(stack)
        return [one for chunk in chunks for one in incoming.feed(chunk)] + list(incoming.end())


def read_from(*names: str) -> list[Message]:
    """The messages of files."""
    with open_files(names) as files:
        return [message for file in files for message in file.messages()]


@pytest.mark.parametrize(
    ("answer", "form"),
    [
        ("az graph query", "pretty"),
        ("az rest", "in one line"),
        ("az graph query", "as PowerShell on Windows redirects it"),
    ],
)
def test_an_answer_is_its_elements(house: House, answer: str, form: str) -> None:
    """Each has its place; what is no message is quarantined by itself; the same again is all repeats, from a pipe, too."""
    some = (a_graph_row(), 7, an_arm_alert())
    text = FORMS[form](queried(*some) if answer == "az graph query" else listed(*some))
    house.writes("alerts.json", text)
    decisions = house.routes("alerts.json")
    assert column(decisions, "source") == ["alerts.json:1", "alerts.json:2", "alerts.json:3"]
    assert column(decisions, "outcome") == ["routed", "quarantined", "routed"]
    sent = len(house.lines("people.ndjson"))
    assert column(house.routes("alerts.json"), "outcome") == ["repeat", "quarantined", "repeat"]
    assert len(house.lines("people.ndjson")) == sent
    (kept,) = json.loads(house.says("quarantine", "list", "--format", "json").out)
    assert kept["source"] == "alerts.json:2"
    explained = json.loads(house.says("explain", "--format", "json", "alerts.json").out)
    assert column([one["decision"] for one in explained], "id") == column(decisions, "id")
    messages = piped(text[:9], text[9:])
    assert [message.body for message in messages] == [message.body for message in read_from("alerts.json")]
    assert len({message.arrival.key for message in messages}) == 3
    assert piped(text) == messages


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
    assert [message.source for message in piped(lines)] == ["-:1[1]", "-:1[2]", "-:2", "-:3[1]"]


def test_an_answer_without_elements_is_no_message(house: House) -> None:
    """Nothing is still active: nothing is quarantined, and nothing would be sent."""
    for answer in (queried(), listed(), queried() | {"skip_token": ""}):
        house.writes("alerts.json", orjson.dumps(answer, option=orjson.OPT_INDENT_2))
        assert read_from("alerts.json") == []
        assert piped(orjson.dumps(answer)) == piped((house.directory / "alerts.json").read_bytes()) == []
    assert house.routes("alerts.json") == []
    assert len(piped(orjson.dumps(listed(*range(MOST_ELEMENTS + 1))))) == MOST_ELEMENTS + 1


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
    piped(ndjson(queried(1, token="\x1b[31mey"), listed(2, nextLink="https://example.org/\x1b[31m"), listed(3)))
    first, second = capsys.readouterr().err.splitlines()
    assert first.startswith("-:1: is a part of the answer")
    assert second.startswith("-:2: is a part of the answer")
    assert "\x1b" not in first + second


def test_what_stands_behind_a_long_list_is_not_lost(house: House) -> None:
    """A document that only begins as an answer keeps what an answer does not have, as a message that nobody understands.

    Its beginning is on record, and no more of it is in memory.
    """
    document = {"value": ["x" * LARGEST_BODY, 1], "nextLink": None, "category": {"a": [1, "]}"]}}
    house.writes("alerts.json", orjson.dumps(document))
    *elements, beside = read_from("alerts.json")
    assert [message.source for message in elements] == ["alerts.json:1", "alerts.json:2"]
    assert json.loads(beside.body) == document | {"value": []}
    assert beside.source == "alerts.json"
    assert len({message.arrival.key for message in (*elements, beside)}) == 3
    seconds = [b'"value":[{"a":1}]', b'"data":[{"a":1}]', b'"records":[{"a":1}]', b'"a":{"a":1}']
    for first, second in zip((b"value", b"value", b"data", b"records"), seconds, strict=True):
        house.writes("alerts.json", b'{"%s":["%s"],%s}' % (first, b"x" * LARGEST_BODY, second))
        assert read_from("alerts.json")[-1].body == b'{"%s":[],%s}' % (first, second)
    more = b",".join(b'"%d":"%s"' % (number, b"y" * size) for number, size in enumerate((3 * LARGEST_BODY, 999_999, 9)))
    house.writes("alerts.json", b'{"value":["%s"],%s}' % (b"x" * LARGEST_BODY, more))
    *_, beside = read_from("alerts.json")
    assert 60 * 1024 < len(beside.body) < 70 * 1024
    assert column(house.routes("--dry-run", "alerts.json"), "outcome") == ["quarantined", "quarantined"]


def test_an_alert_that_was_asked_for_and_comes_by_the_export_pages_once(house: House) -> None:
    """In either order: it is the same signal; said again it is a repeat, and changed since an update under the same key."""
    asked = orjson.dumps(queried(a_graph_row()), option=orjson.OPT_INDENT_2)
    graver = a_flat_alert(Severity="Critical", Status="InProgress", ProcessingEndTime="2026-11-17T02:05:53Z")
    names = [house.writes("asked.json", asked), house.writes("exported.ndjson", ndjson(a_flat_alert()))]
    house.writes("changed.ndjson", ndjson(graver))
    house.writes("asked-again.json", asked + b"\n")
    for number, order in enumerate((names, names[::-1])):
        said = [*order, "changed.ndjson", "asked-again.json"]
        (outcomes,) = zip(
            *(column(house.routes("--state", f"state-{number}", name), "outcome") for name in said), strict=True
        )
        assert outcomes == ("routed", "repeat", "routed", "repeat")
        told = house.lines("people.ndjson")[2 * number :]
        assert column(told, "change") == ["opened", "updated"]
        assert len(set(column(told, "key"))) == 1


@pytest.mark.shared
def test_the_lists_of_the_rest_examples_are_read(house: House) -> None:
    """What Microsoft's examples say that a list of alerts is answered with, as `az rest` prints it, is its alerts."""
    expected: list[str] = []
    names: list[str] = []
    for path in sorted((SAMPLES / "azure-rest-api-specs").rglob("Get*Alerts*.json")):
        body = json.loads(path.read_bytes())["responses"]["200"]["body"]
        if path.parent.name == "Alerts" and "value" in body:
            names.append(house.writes(f"{len(names)}.json", orjson.dumps(body, option=orjson.OPT_INDENT_2)))
            expected += [f"{names[-1]}:{place}" for place in range(1, len(body["value"]) + 1)]
    decisions = house.routes("--dry-run", *names)
    assert column(decisions, "source") == expected
    assert len(names) > 10
    assert set(column(decisions, "kind")) == {"alert", "incident"}


@pytest.mark.shared
def test_a_page_of_resource_graph_is_read(house: House) -> None:
    """Its first page of three of 386 resources, none of which is a message: each is quarantined by itself, and a part it is."""
    path = SAMPLES / "coverage" / "arg" / "resources.first-page.2022-10-01.azure-rest-api-specs.json"
    body = json.loads(path.read_bytes())["responses"]["200"]["body"]
    house.writes("alerts.json", orjson.dumps(body, option=orjson.OPT_INDENT_2))
    said = house.says("run", "--dry-run", "--decisions", "decisions.ndjson", "alerts.json")
    assert said.err.splitlines() == [ADVICE["skip_token"]]
    decisions = house.lines("decisions.ndjson")
    assert column(decisions, "source") == ["alerts.json:1", "alerts.json:2", "alerts.json:3"]
    assert set(column(decisions, "outcome")) == {"quarantined"}
