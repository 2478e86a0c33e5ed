"""Bodies that are broken, or meant to break the reader."""

from __future__ import annotations

import time
from collections.abc import Callable

import orjson
import pytest

from router.domain.catalogue import Catalogue
from router.domain.decisions import Code
from router.domain.signals import Quarantined
from router.parse import evidence_of, read_signals
from router.parse.bodies import MOST_ELEMENTS
from tests.constructed.posture import a_software_update
from tests.parse.messages import CATALOGUE, a_flat_alert, a_table_row, body_of, read_alert, read_quarantined


def test_not_a_number_costs_no_alert() -> None:
    """An alert with NaN in it is read; the number is simply not known."""
    body = body_of(a_flat_alert(ConfidenceScore=0.125)).replace(b"0.125", b"NaN")
    assert read_alert(body).title == "Something happens"
    extended = body_of(a_flat_alert(ExtendedProperties={"a": 0.125})).replace(b"0.125", b"-Infinity")
    assert read_alert(extended).extended == {"a": None}


def test_huge_numbers_are_kept_as_they_can_be() -> None:
    """A number beyond a double becomes its digits; one beyond 64 bits a double."""
    body = body_of(a_flat_alert(ExtendedProperties={"a": 1, "b": 2, "c": 3}))
    body = body.replace(b'"a":1', b'"a":' + b"9" * 5000).replace(b'"b":2', b'"b":1e999')
    body = body.replace(b'"c":3', b'"c":' + b"9" * 30)
    assert read_alert(body).extended == {"a": "9" * 5000, "b": "1e999", "c": 1e30}


def test_lone_surrogates_are_replaced_everywhere() -> None:
    """Half a surrogate pair becomes U+FFFD, in keys, texts and JSON inside strings; whole pairs stay."""
    extended = r'{"\ud800k": "v\udfff", "whole": "\ud83d\ude00"}'
    body = body_of(a_table_row(ExtendedProperties=extended, DisplayName="half")).replace(b"half", rb"half \ud83d")
    alert = read_alert(body)
    assert alert.title == "half \ufffd"
    assert alert.extended == {"\ufffdk": "v\ufffd", "whole": "😀"}
    orjson.dumps([alert.title, alert.extended])


def test_invalid_utf_8_costs_only_the_bytes() -> None:
    """Bytes that are no UTF-8 become U+FFFD, and the alert is read."""
    body = body_of(a_flat_alert(Description="bad")).replace(b"bad", b"b\xff\xc3d")
    assert read_alert(body).description == "b\ufffd\ufffdd"


@pytest.mark.parametrize("encoding", ["utf-8-sig", "utf-16", "utf-16-le", "utf-16-be", "utf-32"])
def test_other_encodings_of_unicode_are_told(encoding: str) -> None:
    """A byte order mark, UTF-16 and UTF-32 are read: redirected output on Windows has them."""
    body = body_of(a_flat_alert(Description="grüße")).decode().encode(encoding)
    assert read_alert(body).description == "grüße"


def test_control_characters_stand_as_they_are() -> None:
    """A raw tab inside a text is tolerated."""
    body = body_of(a_flat_alert(Description="a-b")).replace(b"a-b", b"a\tb")
    assert read_alert(body).description == "a\tb"


@pytest.mark.parametrize("nul", [rb"\u0000", b"\x00"])
def test_nul_is_replaced_everywhere(nul: bytes) -> None:
    """No text of PostgreSQL's holds it: also in JSON inside strings; a backslash before it stays what it is."""
    body = body_of(a_flat_alert(Description="a-b-c", ExtendedProperties=r'{"k": "v\u0000"}'))
    alert = read_alert(body.replace(b"a-b-c", b"a" + nul + rb"\\u0000\\" + nul))
    assert alert.description == "a\ufffd\\u0000\\\ufffd"
    assert alert.extended == {"k": "v\ufffd"}


def _nested(depth: int, around: bytes = b"1") -> bytes:
    return b"[" * depth + around + b"]" * depth


@pytest.mark.parametrize("depth", [1_025, 5_000, 10_000, 300_000])
def test_nesting_beyond_the_limit_is_quarantined(depth: int) -> None:
    """A body nested deeper than 1,024 levels is quarantined, however deep it goes."""
    body = body_of(a_flat_alert(Extra=5)).replace(b'"Extra":5', b'"Extra":' + _nested(depth))
    refused = read_quarantined(body)
    assert (refused.reason.code, refused.reason.words) == (Code.NOT_JSON, "nested too deeply")
    assert refused.body == body


@pytest.mark.parametrize("depth", [200, 1_000])
def test_nesting_within_the_limit_costs_nothing(depth: int) -> None:
    """Deep entities and properties are read, and come out as text that can be written again."""
    body = body_of(a_flat_alert(Entities=0, ExtendedProperties={"a": "deep"}))
    body = body.replace(b'"Entities":0', b'"Entities":' + _nested(depth, b'{"Type":"ip","Address":"::1"}'))
    alert = read_alert(body.replace(b'"deep"', _nested(depth)))
    assert [entity.text("Address") for entity in alert.entities] == ["::1"]
    assert alert.extended == {"a": _nested(depth).decode()}


def test_a_deep_element_that_is_refused_keeps_its_body() -> None:
    """An element that is nested deeper than orjson writes is still kept whole."""
    (refused,) = read_signals(b"[" + _nested(1_000) + b"]", Catalogue())
    assert isinstance(refused, Quarantined)
    assert refused.body == _nested(1_000)


def test_json_inside_strings_is_unpacked_only_so_far() -> None:
    """Deep nesting inside a string makes it no JSON, and costs nothing else."""
    row = a_table_row(Entities=_nested(50_000).decode(), ExtendedProperties="{" * 50_000, RemediationSteps="[" * 50_000)
    alert = read_alert(row)
    assert (list(alert.entities), alert.extended, alert.remediation) == ([], {}, ())


def test_references_in_a_circle_end() -> None:
    """A process that is its own parent, and references that dangle, stop neither reading nor evidence."""
    entities = [
        {"$id": "1", "Type": "process", "CommandLine": "a", "ParentProcess": {"$ref": "2"}, "ImageFile": {"$ref": "1"}},
        {"$id": "2", "Type": "process", "CommandLine": "b", "ParentProcess": {"$ref": "1"}},
        {"$ref": "9"},
        {"$id": "2", "Type": "account", "Name": {"$ref": "2"}},
    ]
    assert evidence_of(read_alert(a_flat_alert(Entities=entities)), Catalogue()).processes == ("a", "b")


def test_a_text_of_a_megabyte_is_read() -> None:
    """A very long text is kept as it is."""
    assert read_alert(a_flat_alert(Description="x" * 1_000_000)).description == "x" * 1_000_000


def _backslashes(size: int) -> bytes:
    return b'{"SystemAlertId":"' + b"\\\\" * size


_GROWING: dict[str, Callable[[int], bytes]] = {
    "opening brackets": lambda size: b"[" * size,
    "opening braces in a string": lambda size: body_of(a_table_row(ExtendedProperties='{"a":' * size)),
    "backslashes without an end": _backslashes,
    "digits": lambda size: b'{"a":' + b"9" * size + b"}",
    "a fraction": lambda size: b'{"a":NaN,"b":0.' + b"9" * size + b"}",
    "line breaks": lambda size: body_of(an_html("<br " * size)),
    "commas": lambda size: body_of(a_flat_alert(Intent="a," * size)),
    "elements": lambda size: b"[" + b"0," * (size // 10) + b"0]",
    "references": lambda size: body_of(a_flat_alert(Entities=[{"$id": "1", "$ref": "1", "Type": "ip"}] * (size // 20))),
    "slashes": lambda size: body_of({"type": None, "id": "/providers" * size}),
    "a list of CVEs that is cut": lambda size: body_of(
        a_software_update(additional={"CvesDetails": '[{"CveId" :' * (size // 11)})
    ),
    "CVEs of one letter": lambda size: body_of(a_software_update(additional={"CvesDetails": "a, " * (size // 3)})),
    "CVEs in a list": lambda size: body_of(a_software_update(additional={"CvesDetails": [[]] * (size // 3)})),
    "scanners": lambda size: body_of(
        a_software_update(
            additional={"ScannersDetails": {f"{n}": {"CvesIds": [f"CVE-2026-{n:05}"]} for n in range(size // 5)}}
        )
    ),
    "brackets in a product": lambda size: body_of(a_flat_alert(ProductName="(" * size + "(a" * size)),
    "blanks in a time": lambda size: body_of(a_flat_alert(ProcessingEndTime="2/2/2025" + " " * size)),
    "blanks behind a time": lambda size: body_of(a_flat_alert(ProcessingEndTime=f"2/2/2025, 9:19:25{' ' * size}x")),
    "a list in a property": lambda size: body_of(
        a_flat_alert(ExtendedProperties={"Machines": f"[{'[1],' * (size // 4)}0]"})
    ),
    "brackets in a property": lambda size: body_of(a_flat_alert(ExtendedProperties={"Machines": "[" * size})),
    "commas in a property": lambda size: body_of(a_flat_alert(ExtendedProperties={"Machines": "a," * size})),
    "properties": lambda size: body_of(
        a_flat_alert(ExtendedProperties={f"Machine {'s' * number}": "x" for number in range(int(size**0.5))})
    ),
    "lists in texts": lambda size: body_of(a_flat_alert(RemediationSteps=["[" * 100] * (size // 100))),
}


def an_html(text: str) -> dict[str, object]:
    """An assessment with a remediation of that text."""
    return {
        "id": "/x",
        "type": "Microsoft.Security/assessments",
        "properties": {"metadata": {"remediationDescription": text}},
    }


def _seconds(body: bytes) -> float:
    start = time.thread_time()
    for signal in read_signals(body, Catalogue()):
        if not isinstance(signal, Quarantined):
            evidence_of(signal, CATALOGUE)
    return time.thread_time() - start


@pytest.mark.parametrize("grow", _GROWING.values(), ids=_GROWING.keys())
def test_time_grows_with_length_and_no_faster(grow: Callable[[int], bytes]) -> None:
    """Eight times the body takes about eight times as long: never sixty-four times, as anything quadratic would."""
    size = 25_000
    small = min(_seconds(grow(size)) for _ in range(3))
    large = min(_seconds(grow(8 * size)) for _ in range(3))
    assert large < max(32 * small, 0.1)


@pytest.mark.parametrize(("count", "is_taken"), [(MOST_ELEMENTS, True), (MOST_ELEMENTS + 1, False)])
def test_an_array_of_countless_small_things_is_parked_whole(count: int, is_taken: bool) -> None:
    """Each element would cost what a message costs, so a body of a megabyte could take all the memory there is."""
    body = b"[" + b",".join([b"0"] * count) + b"]"
    found = read_signals(body, Catalogue())
    assert len(found) == (count if is_taken else 1)
    (first, *_) = found
    assert isinstance(first, Quarantined)
    assert (first.reason.code == Code.TOO_LARGE) is not is_taken
    assert (first.body == body) is not is_taken
