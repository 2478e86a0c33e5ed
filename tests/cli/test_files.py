"""Files become messages: by line, by row, by place, or whole."""

from __future__ import annotations

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
from router.parse import LARGEST_BODY
from tests.cli.house import House, column, ndjson
from tests.leash import leashed
from tests.parse.messages import a_flat_alert, a_table_row
from tests.peaks import peak_of

ROWS = [a_table_row(SystemAlertId=f"row-{number}", VendorOriginalId=f"row-{number}") for number in (1, 2)]


def sources(*names: str) -> list[str]:
    """How the messages of some files are called."""
    with open_files(names) as files:
        return [message.source for file in files for message in file.messages()]


def bodies(*names: str) -> list[bytes]:
    """The messages of some files."""
    with open_files(names) as files:
        return [message.body for file in files for message in file.messages()]


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


@pytest.mark.parametrize(
    "name", ["alerts.ndjson", "alerts.jsonl", "ALERTS.NDJSON", "alerts.json", "alerts", "alerts.txt"]
)
def test_lines_are_messages(house: House, name: str) -> None:
    """NDJSON is one message a line, whatever else the file is called; blank lines count and say nothing."""
    house.writes(name, b'{"a":1}\n\n  \r\n{"a":2}\r\n{"a":3}')
    assert sources(name) == [f"{name}:1", f"{name}:4", f"{name}:5"]
    assert bodies(name) == [b'{"a":1}', b'{"a":2}', b'{"a":3}']


def test_only_a_line_feed_ends_a_line(house: House) -> None:
    """What Unicode calls a line end is text like any other."""
    text = '{"a":"one\u2028two\x85three\x0bfour"}'
    house.writes("alerts.ndjson", f"{text}\n")
    assert bodies("alerts.ndjson") == [text.encode()]


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


@pytest.mark.parametrize("codec", MARKED)
def test_a_byte_order_mark_says_how_a_file_is_read(house: House, codec: str) -> None:
    """As redirected output on Windows has it: NDJSON, CSV and documents in UTF-8, UTF-16 and UTF-32 are read."""
    alerts = ndjson(a_flat_alert(AlertDisplayName="\u4e2d"), b"", a_flat_alert()).decode()
    house.writes("alerts.ndjson", encoded(alerts.replace("\n", "\r\n"), codec))
    house.writes("alerts.log", encoded(alerts, codec))
    house.writes("alerts.csv", encoded(as_csv(ROWS), codec))
    house.writes("alert.json", encoded(orjson.dumps(a_flat_alert(), option=orjson.OPT_INDENT_2).decode(), codec))
    decisions = house.routes("--dry-run", "alerts.ndjson", "alerts.log", "alerts.csv", "alert.json")
    assert column(decisions, "outcome") == ["routed"] * 7
    assert column(decisions, "source") == [
        "alerts.ndjson:1", "alerts.ndjson:3", "alerts.log:1", "alerts.log:3", "alerts.csv:2", "alerts.csv:3", "alert.json",
    ]  # fmt: skip
    assert decisions[0]["title"] == "\u4e2d"


LONG = b"x" * (LARGEST_BODY + 1)


@pytest.mark.parametrize(
    ("name", "text", "sources", "which"),
    [
        ("a.ndjson", b"{}\n" + LONG + b"\r\n[]\n", ["a.ndjson:1", "a.ndjson:2", "a.ndjson:3"], 1),
        ("a.log", LONG[1:] + b"\n" + LONG + b"\n{}", ["a.log:1", "a.log:2", "a.log:3"], 1),
        ("a.log", b"{}\n" + LONG + b"\n{}", ["a.log:1", "a.log:2", "a.log:3"], 1),
        ("a.csv", b"SystemAlertId\n1\n" + LONG + b"\n2\n", ["a.csv:2", "a.csv:3", "a.csv:4"], 1),
        ("a.csv", b'SystemAlertId\n1\n"' + LONG + b'\n2\n"\n3\n', ["a.csv:2", "a.csv:3", "a.csv:4", "a.csv:5"], 1),
        ("a.json", b'[1, {"a": "' + LONG + b'"}, 2]', ["a.json:1", "a.json:2", "a.json:3"], 1),
        ("a.json", b'{"a": "' + LONG + b'"}', ["a.json"], 0),
    ],
)  # fmt: skip
def test_what_is_too_long_is_cut_and_its_file_goes_on(
    house: House, name: str, text: bytes, sources: list[str], which: int
) -> None:
    """Of a line, a row, an element or a document beyond the limit the beginning, the length and the digest are kept."""
    house.writes(name, text)
    with open_files([name]) as (file,):
        messages = list(file.messages())
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


# Each reader, and each beginning where a document's reader goes by it.
@pytest.mark.parametrize(
    ("name", "opens"),
    [
        ("alerts.ndjson", b""),
        ("alerts.csv", b"["),
        ("alerts.json", b""),
        ("alerts.json", b"["),
        ("alerts.json", b'{"a": "'),
        ("alerts", b'{"a": "'),
    ],
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


@pytest.mark.parametrize("row", [b'"' + b"x\n" * 100_000, b"," * 200_000])
def test_a_row_takes_no_more_memory_for_what_it_is_made_of(house: House, row: bytes) -> None:
    """Many short lines behind a quote that is never closed, and many cells, are a few times their length."""
    house.writes("alerts.csv", b"SystemAlertId\none," + row)

    def read() -> None:
        with open_files(["alerts.csv"]) as (file,):
            first = next(file.messages())
        assert first.source == "alerts.csv:2"
        assert first.body.startswith(b"one,")

    assert peak_of(read) < 12 * len(row)


@pytest.mark.parametrize(("beyond", "outcome"), [(0, "routed"), (1, "quarantined")])
def test_a_row_of_more_cells_than_any_table_has_is_kept_as_it_stands(house: House, beyond: int, outcome: str) -> None:
    """It is quarantined under the number of its line, and its neighbours are read."""
    text = as_csv(ROWS).splitlines(keepends=True)
    many = MOST_CELLS - len(ROWS[0]) + beyond
    text[1] = text[1].rstrip() + "," * many + "\r\n"
    house.writes("alerts.csv", "".join(text))
    decisions = house.routes("--dry-run", "alerts.csv")
    assert column(decisions, "outcome") == [outcome, "routed"]
    assert column(decisions, "source") == ["alerts.csv:2", "alerts.csv:3"]
    assert bodies("alerts.csv")[0].endswith(b"," * many if beyond else b"}")


@pytest.mark.parametrize("opens", [b"[", b' {"count": "[3",\n "records": [\n'])
@pytest.mark.parametrize("indent", [0, orjson.OPT_INDENT_2])
@pytest.mark.parametrize("between", [b",\n", b"\n,"])
def test_an_array_of_any_length_is_read_element_by_element(
    house: House, opens: bytes, indent: int, between: bytes
) -> None:
    """A document far longer than a body may be is as many messages; one that is broken costs itself only."""
    close = b"]}" if b"{" in opens else b"]"
    alerts = [
        orjson.dumps(a_flat_alert(SystemAlertId=f"al-{n}", Description="x" * 99_999), option=indent) for n in range(60)
    ]
    alerts[3] = b'{"SystemAlertId": nothing}'
    house.writes("alerts.json", opens + between.join(alerts) + close)
    assert sources("alerts.json") == [f"alerts.json:{place}" for place in range(1, 61)]
    assert bodies("alerts.json") == alerts


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
    text = opens * (1_000_000 // len(opens))
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


@pytest.mark.parametrize("wrapped", [lambda items: items, lambda items: {"records": items}])
def test_the_elements_of_a_document_are_messages(house: House, wrapped: object) -> None:
    """An array, or `records`, is one message for each element, called by its place from 1."""
    house.writes("alerts.json", orjson.dumps(wrapped([{"a": 1}, 2])))  # type: ignore[operator]
    assert sources("alerts.json") == ["alerts.json:1", "alerts.json:2"]
    assert bodies("alerts.json") == [b'{"a":1}', b"2"]


def test_one_object_is_one_message(house: House) -> None:
    """A document that is one object, over however many lines, is called as its file is."""
    house.writes("alert.json", orjson.dumps(a_flat_alert(), option=orjson.OPT_INDENT_2))
    assert sources("alert.json") == ["alert.json"]


def test_one_element_is_not_one_object(house: House) -> None:
    """A list of one keeps its place."""
    house.writes("alerts.json", b'[{"a":1}]')
    assert sources("alerts.json") == ["alerts.json:1"]


@pytest.mark.parametrize("name", ["alerts.ndjson", "alerts.json", "alerts.csv"])
def test_an_empty_file_holds_no_message(house: House, name: str) -> None:
    """Nothing in, nothing out."""
    house.writes(name, b"")
    assert sources(name) == []


def test_a_row_is_a_message(house: House) -> None:
    """A row becomes an object of its columns, as texts; a column without a name, such as an index, is left out."""
    house.writes("alerts.csv", as_csv(ROWS, first=[""]))
    document = orjson.loads(bodies("alerts.csv")[0])
    assert list(document) == list(ROWS[0])
    assert set(map(type, document.values())) == {str}


def test_a_row_is_called_by_the_line_it_starts_on(house: House) -> None:
    """Cells with line ends in them do not confuse the count, nor do blank lines."""
    house.writes("alerts.csv", 'SystemAlertId,Description\none,"a\nb"\n\ntwo,"c\r\nd"\nthree,e\n')
    assert sources("alerts.csv") == ["alerts.csv:2", "alerts.csv:5", "alerts.csv:7"]
    assert orjson.loads(bodies("alerts.csv")[1]) == {"SystemAlertId": "two", "Description": "c\r\nd"}


def test_a_row_may_be_long_short_or_strange(house: House) -> None:
    """A cell of a megabyte is read, and cells without a column are kept under their place."""
    house.writes(
        "alerts.csv", f"SystemAlertId,Entities\none,{'x' * 1_000_000}\ntwo\nthree,,more\n".encode() + b"four,\xff\n"
    )
    documents = [orjson.loads(body) for body in bodies("alerts.csv")]
    assert len(documents[0]["Entities"]) == 1_000_000
    assert documents[1:3] == [{"SystemAlertId": "two"}, {"SystemAlertId": "three", "Entities": "", "column 3": "more"}]
    assert documents[3] == {"SystemAlertId": "four", "Entities": "\ufffd"}


def test_the_columns_of_a_row_beat_its_type(house: House) -> None:
    """A row of SecurityAlert is an alert, although its Type says SecurityAlert and not Microsoft.Security."""
    house.writes("alerts.csv", as_csv([row | {"Type": "SecurityAlert"} for row in ROWS]))
    assert column(house.routes("--dry-run", "alerts.csv"), "kind") == ["alert", "alert"]


def test_a_table_without_its_header_is_refused(house: House) -> None:
    """A first row that names no column of the table would be a message lost."""
    house.writes("alerts.csv", "High,New,web-01\n")
    assert house.says("run", "alerts.csv").complaint.startswith("alerts.csv:1: names no column of SecurityAlert")


def test_the_same_bytes_are_the_same_messages(house: House) -> None:
    """A message is known by its file's content and its place in it, whatever the file is called."""
    house.writes("a.ndjson", ndjson(a_flat_alert(), a_flat_alert()))
    house.writes("b.ndjson", ndjson(a_flat_alert(), a_flat_alert()))
    house.writes("c.ndjson", ndjson(a_flat_alert(), a_flat_alert(Severity="Low")))
    with open_files(["a.ndjson", "b.ndjson", "c.ndjson"]) as files:
        a, b, c = ([message.arrival.key for message in file.messages()] for file in files)
    assert a == b
    assert not {*a} & {*c}
    assert len({*a}) == 2


def test_what_can_be_read_only_once_is_read(house: House) -> None:
    """A named pipe works as well as a file, under its suffix."""
    os.mkfifo("alerts.csv")
    writing = f"open('alerts.csv', 'w').write({as_csv(ROWS)!r})"
    with subprocess.Popen([sys.executable, "-c", writing], preexec_fn=leashed):
        assert column(house.routes("--dry-run", "alerts.csv"), "id") == ["row-1", "row-2"]


def test_a_name_that_is_no_text_can_be_put_on_record(house: House) -> None:
    """File systems allow names that no text can hold; what is written of them is near enough."""
    name = os.fsdecode(b"caf\xe9.ndjson")
    Path(name).write_bytes(ndjson(a_flat_alert()))
    assert column(house.routes(name), "source") == ["caf\ufffd.ndjson:1"]


@pytest.mark.parametrize("name", ["missing.ndjson", "rules", "nul\0.json", "rules/attack.yaml/alerts.json"])
def test_a_file_that_cannot_be_read_stops_everything(house: House, name: str) -> None:
    """Nothing of any file is taken in where one of them cannot be read."""
    house.writes("alerts.ndjson", ndjson(a_flat_alert()))
    assert house.says("run", "alerts.ndjson", name).complaint.startswith(f"{name.split(chr(0))[0]}")
    assert not (house.directory / ".state").exists()


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read everything")
def test_a_file_that_may_not_be_read_is_named(house: House) -> None:
    """Permission denied is a person's to mend."""
    house.writes("alerts.ndjson", b"")
    (house.directory / "alerts.ndjson").chmod(0)
    assert house.says("run", "alerts.ndjson").complaint == "alerts.ndjson: cannot be read: Permission denied"


def test_a_file_that_goes_meanwhile_is_named(house: House) -> None:
    """A file that was there when it was opened and is gone when it is read is a bad file too."""
    name = house.writes("alerts.ndjson", ndjson(a_flat_alert()))
    with open_files([name]) as (file,), pytest.raises(BadFile, match=r"alerts\.ndjson: cannot be read"):
        (house.directory / name).unlink()
        list(file.messages())


def test_what_lies_between_quotes_that_do_not_match_is_kept_as_one_message(house: House) -> None:
    """A quote that is never closed swallows rows; they are quarantined as they stand, and the rows before are read."""
    house.writes("alerts.csv", 'SystemAlertId,Description\none,fine\ntwo,"never closed\nthree,lost?\nfour,lost?\n')
    assert sources("alerts.csv") == ["alerts.csv:2", "alerts.csv:3"]
    assert bodies("alerts.csv")[1] == b'two,"never closed\nthree,lost?\nfour,lost?'
    assert column(house.routes("--dry-run", "alerts.csv"), "outcome") == ["routed", "quarantined"]


def test_rows_after_a_broken_one_are_read(house: House) -> None:
    """A quote in the wrong place costs its own row only."""
    house.writes("alerts.csv", 'SystemAlertId,Description\none,"broken"x\ntwo,fine\n')
    assert sources("alerts.csv") == ["alerts.csv:2", "alerts.csv:3"]
    assert orjson.loads(bodies("alerts.csv")[1])["SystemAlertId"] == "two"


def test_the_same_bytes_read_as_another_form_are_other_messages(house: House) -> None:
    """What was quarantined as lines of text is routed as rows of a table, and both are on record."""
    text = as_csv(ROWS)
    house.writes("alerts.txt", text)
    house.writes("alerts.csv", text)
    assert set(column(house.routes("alerts.txt"), "outcome")) == {"quarantined"}
    assert column(house.routes("alerts.csv"), "outcome") == ["routed", "routed"]
