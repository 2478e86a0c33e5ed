"""Files become messages: by line, by row, by place, or whole."""

import csv
import io
import json
import os
import subprocess
import sys
from collections.abc import Sequence
from hashlib import blake2b
from itertools import pairwise
from pathlib import Path

import orjson
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from router.cli.csv_messages import MOST_CELLS
from router.cli.incoming import open_files
from router.cli.splitting import Elements, Lines, Text, cut
from router.domain.errors import BadFile
from router.ingest.messages import Message
from router.parse import LARGEST_BODY
from tests.cli.house import House, column, ndjson
from tests.leash import leashed
from tests.parse.messages import a_flat_alert, a_table_row
from tests.peaks import peak_of

ROWS = [a_table_row(SystemAlertId=f"row-{number}", VendorOriginalId=f"row-{number}") for number in (1, 2)]


def read(*names: str) -> list[Message]:
    """The messages of some files."""
    with open_files(names) as files:
        return [message for file in files for message in file.messages()]


def sources(*names: str) -> list[str]:
    """How they are called."""
    return [message.source for message in read(*names)]


def bodies(*names: str) -> list[bytes]:
    """What they say."""
    return [message.body for message in read(*names)]


def as_csv(rows: Sequence[dict[str, object]], first: Sequence[str] = ()) -> str:
    """Rows as Log Analytics exports them, with the columns of the first one, and others before them."""
    text = io.StringIO()
    names = [*first, *rows[0]]
    writer = csv.DictWriter(text, names)
    writer.writeheader()
    writer.writerows(
        {name: value if isinstance(value, str) else orjson.dumps(value).decode() for name, value in row.items()}
        for row in rows
    )
    return text.getvalue()


def test_lines_and_elements_are_messages(house: House) -> None:
    """NDJSON is one message a line, whatever else the file is called; blank lines count and say nothing.

    What Unicode calls a line end is text like any other. An array, or `records`, is one message for each element, called by
    its place from 1; an object is called as its file. An empty file holds none.
    """
    for name in ("alerts.ndjson", "alerts.jsonl", "ALERTS.NDJSON", "alerts.json", "alerts", "alerts.txt"):
        house.writes(name, b'{"a":1}\n\n  \r\n{"a":2}\r\n{"a":3}')
        assert sources(name) == [f"{name}:1", f"{name}:4", f"{name}:5"]
        assert bodies(name) == [b'{"a":1}', b'{"a":2}', b'{"a":3}']
    text = '{"a":"one\u2028two\x85three\x0bfour"}'
    assert bodies(house.writes("alerts.ndjson", f"{text}\n")) == [text.encode()]
    for document, elements in (([{"a": 1}, 2], 2), ({"records": [{"a": 1}, 2]}, 2), ([{"a": 1}], 1)):
        house.writes("alerts.json", orjson.dumps(document))
        assert sources("alerts.json") == [f"alerts.json:{place}" for place in range(1, elements + 1)]
        assert bodies("alerts.json") == [b'{"a":1}', b"2"][:elements]
    assert sources(house.writes("alert.json", orjson.dumps(a_flat_alert(), option=orjson.OPT_INDENT_2))) == [
        "alert.json"
    ]
    for name in ("empty.ndjson", "empty.json", "empty.csv"):
        assert sources(house.writes(name, b"")) == []


def cut_anywhere(data: st.DataObject, text: bytes) -> list[bytes]:
    """A text as it may come in, a part at a time."""
    places = sorted(data.draw(st.lists(st.integers(0, len(text)), max_size=6)))
    return [text[start:end] for start, end in pairwise([0, *places, len(text)])]


@settings(deadline=None)
@given(lines=st.lists(st.binary(max_size=20).filter(lambda line: b"\n" not in line), max_size=8), data=st.data())
def test_no_line_is_lost(lines: list[bytes], data: st.DataObject) -> None:
    """Every line that holds anything is a message, under its own number, wherever the text is cut as it comes in."""
    kept = [(number, line.rstrip(b"\r\n")) for number, line in enumerate(lines, 1) if line.strip()]
    pieces = cut(cut_anywhere(data, b"\n".join(lines)), Lines())
    assert [(piece.number, piece.body) for piece in pieces] == kept


JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-9, 9) | st.text('a"\\[]{},\n', max_size=4),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text('"\\]}', max_size=2), inner, max_size=3),
    max_leaves=8,
)


@settings(deadline=None)
@given(values=st.lists(JSON, max_size=5), indent=st.sampled_from([None, 2]), data=st.data())
def test_an_array_is_cut_where_its_elements_end(values: list[object], indent: int | None, data: st.DataObject) -> None:
    """Brackets, commas and quotes inside elements do not, wherever the text is cut as it comes in."""
    text = json.dumps(values, indent=indent).encode()
    more = data.draw(st.sampled_from([b"", b', "more": [1, {"a": "]}"}]']))
    wrapped = text[1:] + (more + b"}" if (is_wrapped := data.draw(st.booleans())) else b"") + b"\n?"
    *pieces, after = cut(cut_anywhere(data, wrapped), Elements(wrapped=is_wrapped))
    assert [(piece.number, json.loads(piece.body)) for piece in pieces] == list(enumerate(values, 1))
    assert after.body == b"?"


@settings(deadline=None)
@given(text=st.text(st.characters(codec="utf-8", exclude_characters="\0\ufeff"), max_size=12), data=st.data())
def test_a_text_is_the_same_in_every_encoding_that_it_names(text: str, data: st.DataObject) -> None:
    """Also where characters are cut in two as they come in."""
    codec = data.draw(st.sampled_from(MARKED))
    reader = Text()
    parts = [reader.feed(part) for part in cut_anywhere(data, encoded(text, codec))]
    assert b"".join([*parts, reader.feed(b"", is_last=True)]) == text.encode()


MARKED = ["utf-8-sig", "utf-16-le", "utf-16-be", "utf-32-le", "utf-32-be"]


def encoded(text: str, codec: str) -> bytes:
    """A text in an encoding, with the mark that names it."""
    return (text if codec == "utf-8-sig" else f"\ufeff{text}").encode(codec)


def test_a_byte_order_mark_says_how_a_file_is_read(house: House) -> None:
    """As redirected output on Windows has it: NDJSON, CSV and documents in UTF-8, UTF-16 and UTF-32 are read."""
    documents = {
        "alerts.ndjson": ndjson(a_flat_alert(AlertDisplayName="\u4e2d"), b"", a_flat_alert()).decode(),
        "alerts.csv": as_csv(ROWS),
        "alert.json": orjson.dumps(a_flat_alert(), option=orjson.OPT_INDENT_2).decode(),
    }
    for name, text in documents.items():
        plain = read(house.writes(name, text))
        for codec in MARKED:
            house.writes(name, encoded(text.replace("\n", "\r\n") if name == "alerts.ndjson" else text, codec))
            assert [(one.source, one.body) for one in read(name)] == [(one.source, one.body) for one in plain]


LONG = b"x" * (LARGEST_BODY + 1)


TOO_LONG = [
    ("a.ndjson", b"{}\n" + LONG + b"\r\n[]\n", ["a.ndjson:1", "a.ndjson:2", "a.ndjson:3"], 1),
    ("a.log", LONG[1:] + b"\n" + LONG + b"\n{}", ["a.log:1", "a.log:2", "a.log:3"], 1),
    ("a.csv", b"SystemAlertId\n1\n" + LONG + b"\n2\n", ["a.csv:2", "a.csv:3", "a.csv:4"], 1),
    ("a.csv", b'SystemAlertId\n1\n"' + LONG + b'\n2\n"\n3\n', ["a.csv:2", "a.csv:3", "a.csv:4", "a.csv:5"], 1),
    ("a.json", b'[1, {"a": "' + LONG + b'"}, 2]', ["a.json:1", "a.json:2", "a.json:3"], 1),
    ("a.json", b'{"a": "' + LONG + b'"}', ["a.json"], 0),
]


def test_what_is_too_long_is_cut_and_its_file_goes_on(house: House) -> None:
    """Of a line, a row, an element or a document beyond the limit the beginning, the length and the digest are kept."""
    for name, text, sources, which in TOO_LONG:
        messages = read(house.writes(name, text))
        assert [message.source for message in messages] == sources
        assert [place for place, message in enumerate(messages) if message.cut] == [which]
        cut = messages[which]
        assert cut.cut is not None
        assert cut.cut.size >= len(LONG)
        assert 64 * 1024 - 1 <= len(cut.body) <= 64 * 1024


def test_what_is_too_long_is_quarantined_and_not_retaken_for_a_message(house: House) -> None:
    """The reason says how long it is and what its digest is; its beginning is no message, though it may look like one."""
    line = orjson.dumps(a_flat_alert()) + b" " * LARGEST_BODY + b"and more"
    house.writes("alerts.ndjson", ndjson(line, a_flat_alert()))
    decisions = house.routes("alerts.ndjson")
    digest = blake2b(line, digest_size=16).hexdigest()
    assert column(decisions, "outcome") == ["quarantined", "routed"]
    assert decisions[0]["reason"] == (
        f"too_large: {len(line)} bytes, which is more than {LARGEST_BODY}; BLAKE2b {digest}, kept are the first 65536"
    )
    assert "stays, only its beginning is kept" in house.says("quarantine", "retake", "--all").out


@pytest.mark.parametrize(
    ("name", "opens"), [("a.ndjson", b""), ("a.csv", b"["), ("a.json", b""), ("a.json", b"["), ("a", b'{"a": "')]
)
def test_memory_does_not_grow_with_what_is_too_long(house: House, name: str, opens: bytes) -> None:
    """Reading a line, or a document without an end, takes no more of it at three times the length."""

    def read() -> None:
        with open_files([name]) as (file,):
            assert sum(message.cut is not None for message in file.messages()) == 1

    peaks = []
    for size in (6, 18):
        house.writes(name, (b"SystemAlertId\n" if name.endswith("csv") else b"") + opens)
        os.truncate(name, size * 1024 * 1024)
        peaks.append(peak_of(read))
    assert peaks[1] < 1.2 * peaks[0]


@pytest.mark.parametrize("row", [b'"' + b"x\n" * 50_000, b"," * 100_000])
def test_a_row_takes_no_more_memory_for_what_it_is_made_of(house: House, row: bytes) -> None:
    """Many short lines behind a quote that is never closed, and many cells, are a few times their length."""
    house.writes("alerts.csv", b"SystemAlertId\none," + row)
    # Some of it is taken whatever the row is.
    assert peak_of(lambda: read("alerts.csv")) < 12 * len(row) + 1_200_000
    first = read("alerts.csv")[0]
    assert (first.source, first.body[:4]) == ("alerts.csv:2", b"one,")


def test_a_row_of_more_cells_than_any_table_has_is_kept_as_it_stands(house: House) -> None:
    """It is quarantined under the number of its line, and its neighbours are read."""
    for beyond, outcome in ((0, "routed"), (1, "quarantined")):
        text = as_csv(ROWS).splitlines(keepends=True)
        many = MOST_CELLS - len(ROWS[0]) + beyond
        text[1] = text[1].rstrip() + "," * many + "\r\n"
        decisions = house.routes("--dry-run", house.writes("alerts.csv", "".join(text)))
        assert column(decisions, "outcome") == [outcome, "routed"]
        assert column(decisions, "source") == ["alerts.csv:2", "alerts.csv:3"]
        assert bodies("alerts.csv")[0].endswith(b"," * many if beyond else b"}")


@pytest.mark.parametrize(
    ("opens", "indent", "between", "close"),
    [
        (b' {"count": "[3",\n "records": [\n', orjson.OPT_INDENT_2, b"\n,", b"]}"),
        (b'{"count": 25, "data": [', 0, b",", b'], "skip_token": null}'),
    ],
)
def test_an_array_of_any_length_is_read_element_by_element(
    house: House, opens: bytes, indent: int, between: bytes, close: bytes
) -> None:
    """A document far longer than a body may be is as many messages; one that is broken, or cut, costs itself only."""
    some = [a_flat_alert(SystemAlertId=f"al-{n}", Description="x" * 199_999) for n in range(25)]
    alerts = [orjson.dumps(one, option=indent) for one in some]
    alerts[3] = b'{"SystemAlertId": nothing}'
    assert sum(map(len, alerts)) > 1.1 * LARGEST_BODY
    for last, end in ((alerts[-1], close), (alerts[-1][:99_999], b"")):
        alerts[-1] = last
        messages = read(house.writes("alerts.json", opens + between.join(alerts) + end))
        assert [message.source for message in messages] == [f"alerts.json:{place}" for place in range(1, 26)]
        assert [message.body for message in messages] == alerts


NESTED = st.recursive(
    st.sampled_from([b"1", b'""', b'"],"', rb'"\\"', rb'"\"]"', b'"x', b"]", b","]),
    lambda inner: st.tuples(st.integers(1, 200), st.lists(inner, min_size=1, max_size=4)).map(
        lambda nest: b'[{"a":' * nest[0] + b",".join(nest[1]) + b"}]" * nest[0]
    ),
    max_leaves=8,
)
"""Elements that nest deep, with brackets and quotes in their texts; some are no JSON."""


@settings(deadline=None)
@given(nested=NESTED, data=st.data())
def test_an_element_ends_where_it_is_closed_however_deep_it_goes(nested: bytes, data: st.DataObject) -> None:
    """What is cut where it may, a part at a time, is what is cut a byte at a time."""
    text = nested + b',"next",[2]]after'
    one_by_one = list(cut([text[at : at + 1] for at in range(len(text))], Elements(wrapped=False)))
    assert list(cut(cut_anywhere(data, text), Elements(wrapped=False))) == one_by_one
    assert list(cut([text], Elements(wrapped=False))) == one_by_one


@pytest.mark.parametrize("opens", [b"[", b'[{"a":', b'["\\"[",{}, ['])
def test_what_only_opens_is_not_looked_at_bracket_by_bracket(opens: bytes) -> None:
    """Millions of openings, which no parser would follow, are passed over as fast as they are copied."""
    text = opens * (250_000 // len(opens))
    steps = 0

    def count(*_: object) -> None:
        nonlocal steps
        steps += 1

    sys.setprofile(count)
    try:
        (piece,) = cut([text[at : at + 65_536] for at in range(0, len(text), 65_536)], Elements(wrapped=False))
    finally:
        sys.setprofile(None)
    assert piece.body == text
    assert steps < len(text) / 50


def test_a_row_is_a_message(house: House) -> None:
    """A row becomes an object of its columns, as texts; a column without a name, such as an index, is left out.

    It is an alert, although its Type says SecurityAlert and not Microsoft.Security; without a header the table is refused.
    """
    house.writes("alerts.csv", as_csv(ROWS, first=[""]))
    document = orjson.loads(bodies("alerts.csv")[0])
    assert list(document) == list(ROWS[0])
    assert set(map(type, document.values())) == {str}
    house.writes("alerts.csv", as_csv([row | {"Type": "SecurityAlert"} for row in ROWS]))
    assert column(house.routes("--dry-run", "alerts.csv"), "kind") == ["alert", "alert"]
    house.writes("alerts.csv", "High,New,web-01\n")
    assert house.says("run", "alerts.csv").complaint.startswith("alerts.csv:1: names no column of SecurityAlert")


def test_a_row_may_be_long_short_or_strange(house: House) -> None:
    """A cell of a megabyte is read; cells without a column are kept under their place; a row is called by its first line.

    A quote in the wrong place costs its own row only; one that is never closed swallows rows, which are kept as they stand.
    """
    long = f"SystemAlertId,Entities\none,{'x' * 1_000_000}\ntwo\nthree,,more\n".encode() + b"four,\xff\n"
    documents = [orjson.loads(body) for body in bodies(house.writes("alerts.csv", long))]
    assert len(documents[0]["Entities"]) == 1_000_000
    assert documents[1:3] == [{"SystemAlertId": "two"}, {"SystemAlertId": "three", "Entities": "", "column 3": "more"}]
    assert documents[3] == {"SystemAlertId": "four", "Entities": "\ufffd"}
    house.writes("alerts.csv", 'SystemAlertId,Description\none,"a\nb"\n\ntwo,"c\r\nd"\nthree,e\n')
    assert sources("alerts.csv") == ["alerts.csv:2", "alerts.csv:5", "alerts.csv:7"]
    assert orjson.loads(bodies("alerts.csv")[1]) == {"SystemAlertId": "two", "Description": "c\r\nd"}
    house.writes("alerts.csv", 'SystemAlertId,Description\none,"broken"x\ntwo,fine\n')
    assert (len(bodies("alerts.csv")), orjson.loads(bodies("alerts.csv")[1])["SystemAlertId"]) == (2, "two")
    house.writes("alerts.csv", 'SystemAlertId,Description\none,fine\ntwo,"never closed\nthree,lost?\nfour,lost?\n')
    assert bodies("alerts.csv")[1:] == [b'two,"never closed\nthree,lost?\nfour,lost?']
    decisions = house.routes("--dry-run", "alerts.csv")
    assert column(decisions, "source") == ["alerts.csv:2", "alerts.csv:3"]
    assert column(decisions, "outcome") == ["routed", "quarantined"]


def test_the_same_bytes_are_the_same_messages(house: House) -> None:
    """A message is known by its file's content and its place in it, whatever the file is called, but for how it is read."""
    house.writes("a.ndjson", ndjson(a_flat_alert(), a_flat_alert()))
    house.writes("b.ndjson", ndjson(a_flat_alert(), a_flat_alert()))
    house.writes("c.ndjson", ndjson(a_flat_alert(), a_flat_alert(Severity="Low")))
    with open_files(["a.ndjson", "b.ndjson", "c.ndjson"]) as files:
        a, b, c = ([message.arrival.key for message in file.messages()] for file in files)
    assert a == b
    assert not {*a} & {*c}
    assert len({*a}) == 2
    assert set(column(house.routes(house.writes("alerts.txt", as_csv(ROWS))), "outcome")) == {"quarantined"}
    assert column(house.routes(house.writes("alerts.csv", as_csv(ROWS))), "outcome") == ["routed", "routed"]


def test_what_can_be_read_only_once_is_read(house: House) -> None:
    """A named pipe works as well as a file, under its suffix."""
    os.mkfifo("alerts.csv")
    writing = f"open('alerts.csv', 'w').write({as_csv(ROWS)!r})"
    with subprocess.Popen([sys.executable, "-c", writing], preexec_fn=leashed):
        assert column(house.routes("--dry-run", "alerts.csv"), "id") == ["row-1", "row-2"]


def test_a_file_that_cannot_be_read_stops_everything(house: House) -> None:
    """Nothing of any file is taken in where one of them cannot be read; one that is gone when it is read is a bad one, too."""
    house.writes("alerts.ndjson", ndjson(a_flat_alert()))
    for name in ("missing.ndjson", "rules", "nul\0.json", "rules/attack.yaml/alerts.json"):
        assert house.says("run", "alerts.ndjson", name).complaint.startswith(f"{name.split(chr(0))[0]}")
    assert not (house.directory / ".state").exists()
    with open_files(["alerts.ndjson"]) as (file,), pytest.raises(BadFile, match=r"alerts\.ndjson: cannot be read"):
        (house.directory / "alerts.ndjson").unlink()
        list(file.messages())
    # File systems allow names that no text can hold; what is written of them is near enough.
    Path(odd := os.fsdecode(b"caf\xe9.ndjson")).write_bytes(ndjson(a_flat_alert()))
    assert column(house.routes(odd), "source") == ["caf\ufffd.ndjson:1"]


NAMES = ("TimeGenerated", "ProcessingEndTime", "StartTime", "EndTime")
ISO = "2026-11-20T00:00:00Z"


def exported(*times: str, zone: str = " [UTC]") -> str:
    """Alerts as the portal exports them, each at a time, with the zone in the names of the columns."""
    rows = []
    for number, time in enumerate(times):
        row = a_table_row(VendorOriginalId=f"row-{number}") | dict.fromkeys(NAMES, time)
        rows.append({f"{name}{zone}" if name in NAMES else name: held for name, held in row.items()})
    return as_csv(rows)


UNREADABLE = (
    "11/25/2026 10:19 AM", "when?", "2026-25-11, 10:19:25", "31/31/2026, 10:19:25", "1764065965", "25/11/26, 10:19:25",
    "2026-11-25T10:19:25 pm", "2026. 11. 25. AM 10:19:25", "25/11/2026, 10:19:25", "x\n" * 10_000,
)  # fmt: skip


def test_a_time_that_cannot_be_read_refuses_its_file(
    house: House, subtests: pytest.Subtests, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Without its time an old state could come after a new one, and page. `run`, `send` and `explain` say the same.

    The portal writes the viewer's zone into the column's name, and not which one it is.
    """
    monkeypatch.setenv("EVENT_HUBS", "Endpoint=sb://localhost;SharedAccessKeyName=made;SharedAccessKey=up")
    for text in UNREADABLE:
        with subtests.test(text=text[:30]):
            house.writes("alerts.csv", exported(ISO, text))
            shown = repr(text if len(text) < 80 else f"{text[:80]}...")
            begins = f"alerts.csv:3: the column 'TimeGenerated [UTC]' has {shown}, which is no time"
            for command in (("run",), ("explain",), ("send", "--to", "cwpp")):
                assert house.says(*command, "alerts.csv").complaint.startswith(begins)
            assert not (house.directory / ".state").exists()
    for zone in (" [Local Time]", " [UTC+01:00]", " [Berlin]", "[Local Time]", " (local)"):
        house.writes("alerts.csv", exported("11/25/2026, 10:19:25.391 AM", zone=zone))
        complaint = house.says("run", "alerts.csv").complaint
        assert complaint.startswith(f"alerts.csv:2: the column 'TimeGenerated{zone}' has '11/25/2026, 10:19:25.391 AM'")
        assert "in UTC" in complaint


def test_what_is_no_time_of_the_alert_may_hold_anything(house: House) -> None:
    """Only the times that tell which state is the newer, and when it happened, must be read; they may be empty or never set."""
    row: dict[str, object] = {"SystemAlertId": "1", "AlertType": "VM_X", "TimeGenerated": ISO}
    times = ("", " ", "0001-01-01T00:00:00Z", f" {ISO} ", "2026-11-16 07:27:56.188461+00:00")
    others = [{name: "x"} for name in ("Timezone", "Runtime", "Description", "LastSeenTime")]
    for more in (*others, *({"StartTime [UTC]": time} for time in times)):
        house.writes("alerts.csv", as_csv([row | more]))
        assert house.says("run", "--dry-run", "alerts.csv").code == 0, more


def test_states_of_a_portal_export_are_put_in_order(house: House) -> None:
    """The portal writes the newest first, and the alert is resolved all the same."""
    row = {f"{name} [UTC]" if "Time" in name else name: held for name, held in a_table_row().items()}
    times = {f"{name} [UTC]": "" for name in ("StartTime", "EndTime") if f"{name} [UTC]" in row}
    both = (
        ("2/25/2025, 10:19:25.391 AM", "2/25/2025, 9:19:25.391 AM"),
        ("25.11.2026, 10:19:25,391", "25.11.2026, 09:19:25,391"),
    )
    for at in both:
        states = [
            row | times | {"ProcessingEndTime [UTC]": time, "TimeGenerated [UTC]": time, "Status": status}
            for time, status in zip(at, ("Resolved", "New"), strict=True)
        ]
        house.routes("--now", "2026-11-26T12:00:00Z", "--state", at[0][:2], house.writes("alerts.csv", as_csv(states)))
    assert [line["change"] for line in house.lines("everything.ndjson")] == ["opened", "resolved"] * 2
