"""What holds for every body there is, and for those that are broken or meant to break the reader."""

import json
import time
from collections.abc import Callable
from typing import Any

import msgspec
import orjson
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from router.domain.catalogue import Catalogue
from router.domain.decisions import Code
from router.domain.signals import Alert, Finding, Quarantined
from router.parse import answer_in, evidence_of, read_signals, split_body
from tests.constructed import posture
from tests.constructed.posture import a_software_update
from tests.examples import some_of
from tests.parse import messages
from tests.parse.messages import (
    CATALOGUE,
    Message,
    a_flat_alert,
    a_table_row,
    body_of,
    in_pascal_case,
    read_alert,
    read_one,
    read_quarantined,
)

_MESSAGES: tuple[Callable[[], Any], ...] = (
    messages.a_flat_alert,
    messages.a_graph_row,
    messages.an_arm_alert,
    messages.an_old_arm_alert,
    messages.a_table_row,
    messages.an_assessment,
    messages.a_sub_assessment,
    lambda: in_pascal_case(messages.a_sub_assessment()),
    messages.a_secure_score,
    messages.a_score_control,
    messages.a_compliance_assessment,
    messages.an_attack_path,
    messages.a_legacy_attack_path,
    messages.a_common_alert,
    messages.a_metric_alert,
    posture.a_software_update,
    posture.an_image_update,
    posture.a_broken_rule,
    posture.an_exposure_path,
    posture.a_compliance_category,
)
_NAMES = """
    type Type id name properties records AlertType SystemAlertId $id $ref
    Entities entities severity status metadata score TimeGenerated
    value data Data count skip_token total_records nextLink facets
    CvesDetails CveId ScannersDetails CvesIds risk level SoftwareName
    ResourceIdentifiers ExtendedProperties securityEventDataEnrichment graphComponent
    schemaId essentials alertContext alertId condition allOf dimensions event
"""
_TEXTS = [
    "Microsoft.Security/assessments",
    "Microsoft.Security/Locations/alerts",
    "azureMonitorCommonAlertSchema",
    "[",
    "{}",
    '[{"Type":"ip"}]',
    '[{"CveId":"CVE-2026-0001"}',
    "2/25/2025, 9:19:25.391 AM",
    "\ud800",
    "a\0b",
    "%s",
]
_SCALARS = st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20) | st.sampled_from(_TEXTS)
_KEYS = st.sampled_from(_NAMES.split()) | st.text(max_size=5)
JSON = st.recursive(
    _SCALARS, lambda inner: st.lists(inner, max_size=4) | st.dictionaries(_KEYS, inner, max_size=5), max_leaves=20
)


def _is_whole(signals: tuple[Alert | Finding | Quarantined, ...]) -> None:
    """Every text of a signal, and of its evidence, can be written as UTF-8."""
    assert signals
    for signal in signals:
        if isinstance(signal, Quarantined):
            f"{signal.reason} {signal.at_fault}".encode()
            assert isinstance(signal.body, bytes)
            continue
        msgspec.json.encode(
            [signal.id, signal.type, signal.title, signal.description, signal.status, signal.severity_written]
        )
        if isinstance(signal, Finding):
            msgspec.json.encode([signal.category, signal.package, signal.cves, signal.image])
            msgspec.json.encode([signal.rule, signal.risk, signal.scanner])
        msgspec.json.encode([signal.resource, signal.link, signal.remediation, signal.intents, signal.techniques])
        msgspec.json.encode([signal.extended, evidence_of(signal, CATALOGUE)])
        assert signal.id
        assert signal.changed is None or signal.changed.utcoffset() is not None


@given(body=st.binary(max_size=300))
def test_reading_is_total_on_bytes(body: bytes) -> None:
    """No body raises; each becomes at least one signal or refusal, and refuses or splits."""
    _is_whole(read_signals(body, CATALOGUE))
    assert split_body(body) is None or split_body(body)


@given(document=JSON)
@example(document={"records": [{"AlertType": None}], "AlertType": None})
def test_reading_is_total_on_documents(document: object) -> None:
    """No JSON document raises, also with NaN and lone surrogates in it; its parts read like the whole.

    A signal that holds other signals has none, and is refused whole.
    """
    body = json.dumps(document).encode()
    signals = read_signals(body, CATALOGUE)
    _is_whole(signals)
    bodies = split_body(body)
    if bodies is None:
        assert [one.reason.code for one in signals if isinstance(one, Quarantined)] == [Code.UNKNOWN_SHAPE]
    assert len(bodies or (body,)) == len(signals)


@st.composite
def mutated(draw: st.DrawFn, bodies: st.SearchStrategy[bytes]) -> Message:
    """A message after a few changes at any depth: a key gone, a value replaced, a key in another case."""
    message: Message = orjson.loads(draw(bodies))
    for _ in range(draw(st.integers(1, 4))):
        if not message:
            break
        inner: Any = message
        while isinstance(inner, dict) and inner:
            holder, name = inner, draw(st.sampled_from(sorted(inner)))
            inner = inner[name]
            if draw(st.booleans()):
                break
        change = draw(st.sampled_from(["delete", "replace", "recase"]))
        held = holder.pop(name)
        if change == "replace":
            holder[name] = draw(JSON)
        elif change == "recase":
            holder[draw(st.sampled_from([name.lower(), name.upper(), name.swapcase()]))] = held
    return message


@settings(max_examples=some_of(300))
@given(message=mutated(st.sampled_from([body_of(build()) for build in _MESSAGES])))
def test_reading_is_total_on_mutated_messages(message: Message) -> None:
    """A message with any of its parts gone, replaced or written differently is read or quarantined, never fatal."""
    _is_whole(read_signals(json.dumps(message).encode(), CATALOGUE))


_IDENTIFYING = {"systemalertid", "vendororiginalid", "alertid", "essentials"}


def _holders_in(message: Message) -> list[Message]:
    """The objects of a message that hold its fields."""
    if "schemaId" not in message:
        return [message.get("properties") or message.get("Properties") or message]
    condition = message["data"]["alertContext"]["condition"]
    return [message["data"], message["data"]["essentials"], condition, condition["allOf"][0]]


@pytest.mark.parametrize("build", _MESSAGES)
@given(data=st.data())
@settings(max_examples=some_of(40))
def test_odd_optional_fields_cost_no_message(build: Callable[[], Message], data: st.DataObject) -> None:
    """However odd its optional fields are, a message that can be identified keeps its id and is not quarantined."""
    message = orjson.loads(orjson.dumps(build()))
    before = read_one(message)
    assert not isinstance(before, Quarantined)
    fields = data.draw(st.sampled_from(_holders_in(message)))
    optional = [name for name in fields if name.lower() not in _IDENTIFYING]
    for name in data.draw(st.lists(st.sampled_from(optional), min_size=1, max_size=4, unique=True)):
        if data.draw(st.booleans()):
            del fields[name]
        else:
            fields[name] = data.draw(JSON)
    (after,) = read_signals(json.dumps(message).encode(), CATALOGUE)
    assert not isinstance(after, Quarantined)
    assert (after.kind.stream, after.id) == (before.kind.stream, before.id)


def test_what_is_no_utf_8_is_read_as_far_as_it_can_be(subtests: pytest.Subtests) -> None:
    """Other bytes become U+FFFD, a raw tab stays; a byte order mark, UTF-16 and UTF-32, as Windows writes them, are read."""
    body = body_of(a_flat_alert(Description="bad")).replace(b"bad", b"b\xff\xc3\td")
    assert read_alert(body).description == "b\ufffd\ufffd\td"
    for encoding in ("utf-8-sig", "utf-16", "utf-16-le", "utf-16-be", "utf-32"):
        with subtests.test(encoding):
            body = body_of(a_flat_alert(Description="grüße")).decode().encode(encoding)
            assert read_alert(body).description == "grüße"


def test_what_no_destination_or_database_can_write_is_replaced_everywhere() -> None:
    """Half a surrogate pair and NUL become U+FFFD, in JSON inside strings, too; a number beyond a double becomes its digits."""
    body = body_of(a_flat_alert(ConfidenceScore=0.125, ExtendedProperties={"a": 1, "b": 2, "c": 3, "d": 4}))
    body = body.replace(b"0.125", b"NaN").replace(b'"a":1', b'"a":' + b"9" * 5000).replace(b'"b":2', b'"b":1e999')
    body = body.replace(b'"c":3', b'"c":' + b"9" * 30).replace(b'"d":4', b'"d":-Infinity')
    assert read_alert(body).extended == {"a": "9" * 5000, "b": "1e999", "c": 1e30, "d": None}
    extended = r'{"\ud800k": "v\udfff", "whole": "\ud83d\ude00"}'
    body = body_of(a_table_row(ExtendedProperties=extended, DisplayName="half")).replace(b"half", rb"half \ud83d")
    alert = read_alert(body)
    assert (alert.title, alert.extended) == ("half \ufffd", {"\ufffdk": "v\ufffd", "whole": "😀"})
    orjson.dumps([alert.title, alert.extended])
    body = body_of(a_flat_alert(Description="a-b-c", ExtendedProperties=r'{"k": "v\u0000"}'))
    for nul in (rb"\u0000", b"\x00"):
        alert = read_alert(body.replace(b"a-b-c", b"a" + nul + rb"\\u0000\\" + nul))
        assert (alert.description, alert.extended) == ("a\ufffd\\u0000\\\ufffd", {"k": "v\ufffd"})


def _nested(depth: int, around: bytes = b"1") -> bytes:
    return b"[" * depth + around + b"]" * depth


def test_nesting_beyond_the_limit_is_quarantined_and_within_it_costs_nothing(subtests: pytest.Subtests) -> None:
    """At 1,024 levels, in an envelope, too. Deep entities and properties come out as text; a deep element is kept whole."""
    for depth in (1_025, 10_000, 300_000):
        with subtests.test(depth=depth):
            body = body_of(a_flat_alert(Extra=5)).replace(b'"Extra":5', b'"Extra":' + _nested(depth))
            envelope = b'{"value":' + _nested(depth) + b"}"
            for refused in (read_quarantined(body), read_quarantined(envelope)):
                assert (refused.reason.code, refused.reason.words) == (Code.NOT_JSON, "nested too deeply")
                assert refused.body in (body, envelope)
            assert answer_in(envelope) is None
    assert answer_in(b'{"value":' + _nested(1_000) + b"}") is not None
    for depth in (200, 1_000):
        body = body_of(a_flat_alert(Entities=0, ExtendedProperties={"a": "deep"}))
        body = body.replace(b'"Entities":0', b'"Entities":' + _nested(depth, b'{"Type":"ip","Address":"::1"}'))
        alert = read_alert(body.replace(b'"deep"', _nested(depth)))
        assert [entity.text("address") for entity in alert.entities] == ["::1"]
        assert alert.extended == {"a": _nested(depth).decode()}
        assert read_quarantined(b"[" + _nested(depth) + b"]").body == _nested(depth)


def test_deep_strings_and_references_in_a_circle_stop_no_reading() -> None:
    """Deep nesting inside a string makes it no JSON; a process may be its own parent, and references may dangle."""
    row = a_table_row(Entities=_nested(50_000).decode(), ExtendedProperties="{" * 50_000, RemediationSteps="[" * 50_000)
    alert = read_alert(row)
    assert (list(alert.entities), alert.extended, alert.remediation) == ([], {}, ())
    entities = [
        {"$id": "1", "Type": "process", "CommandLine": "a", "ParentProcess": {"$ref": "2"}, "ImageFile": {"$ref": "1"}},
        {"$id": "2", "Type": "process", "CommandLine": "b", "ParentProcess": {"$ref": "1"}},
        {"$ref": "9"},
        {"$id": "2", "Type": "account", "Name": {"$ref": "2"}},
    ]
    assert evidence_of(read_alert(a_flat_alert(Entities=entities)), Catalogue()).processes == ("a", "b")


def _alert_with(**changes: object) -> bytes:
    return body_of(a_flat_alert(**changes))


def _property(value: object) -> bytes:
    return _alert_with(ExtendedProperties={"Machines": value})


def _update(**additional: object) -> bytes:
    return body_of(a_software_update(additional=additional))


def _html(text: str) -> bytes:
    properties = {"metadata": {"remediationDescription": text}}
    return body_of({"id": "/x", "type": "Microsoft.Security/assessments", "properties": properties})


def _scanners(count: int) -> dict[str, object]:
    return {f"{n}": {"CvesIds": [f"CVE-2026-{n:05}"]} for n in range(count)}


_GROWING: dict[str, Callable[[int], bytes]] = {
    "opening brackets": lambda size: b"[" * size,
    "opening braces in a string": lambda size: body_of(a_table_row(ExtendedProperties='{"a":' * size)),
    "backslashes without an end": lambda size: b'{"SystemAlertId":"' + b"\\\\" * size,
    "digits": lambda size: b'{"a":' + b"9" * size + b"}",
    "a fraction": lambda size: b'{"a":NaN,"b":0.' + b"9" * size + b"}",
    "line breaks": lambda size: _html("<br " * size),
    "commas": lambda size: _alert_with(Intent="a," * size),
    "elements": lambda size: b"[" + b"0," * (size // 10) + b"0]",
    "references": lambda size: _alert_with(Entities=[{"$id": "1", "$ref": "1", "Type": "ip"}] * (size // 20)),
    "slashes": lambda size: body_of({"type": None, "id": "/providers" * size}),
    "a list of CVEs that is cut": lambda size: _update(CvesDetails='[{"CveId" :' * (size // 11)),
    "CVEs of one letter": lambda size: _update(CvesDetails="a, " * (size // 3)),
    "CVEs in a list": lambda size: _update(CvesDetails=[[]] * (size // 3)),
    "scanners": lambda size: _update(ScannersDetails=_scanners(size // 5)),
    "brackets in a product": lambda size: _alert_with(ProductName="(" * size + "(a" * size),
    "blanks in a time": lambda size: _alert_with(ProcessingEndTime="2/2/2025" + " " * size),
    "blanks behind a time": lambda size: _alert_with(ProcessingEndTime=f"2/2/2025, 9:19:25{' ' * size}x"),
    "a list in a property": lambda size: _property(f"[{'[1],' * (size // 4)}0]"),
    "brackets in a property": lambda size: _property("[" * size),
    "commas in a property": lambda size: _property("a," * size),
    "properties": lambda size: _alert_with(
        ExtendedProperties={f"Machine {'s' * number}": "x" for number in range(int(size**0.5))}
    ),
    "lists in texts": lambda size: _alert_with(RemediationSteps=["[" * 100] * (size // 100)),
}


def _seconds(body: bytes) -> float:
    start = time.thread_time()
    for signal in read_signals(body, Catalogue()):
        if not isinstance(signal, Quarantined):
            evidence_of(signal, CATALOGUE)
    return time.thread_time() - start


def test_time_grows_with_length_and_no_faster(subtests: pytest.Subtests) -> None:
    """Eight times the body takes about eight times as long: never sixty-four times, as anything quadratic would."""
    size = 25_000
    for name, grow in _GROWING.items():
        with subtests.test(name):
            small = min(_seconds(grow(size)) for _ in range(3))
            # Once is enough where it is fast; what a busy machine made slow is tried again.
            assert any(_seconds(grow(8 * size)) < max(32 * small, 0.1) for _ in range(3))
