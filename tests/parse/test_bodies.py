"""Bodies: one message or many, answers of Azure's, which are envelopes told by their shape, and those that are none."""

from __future__ import annotations

import json

import pytest

from router.domain.catalogue import Catalogue
from router.domain.decisions import Code
from router.domain.keys import signal_key
from router.domain.signals import Alert, Finding, Quarantined
from router.parse import LARGEST_BODY, MOST_ELEMENTS, Answer, Continuation, answer_in, read_signals, split_body
from tests.parse.messages import (
    CATALOGUE,
    Message,
    a_flat_alert,
    a_graph_row,
    an_arm_alert,
    an_assessment,
    an_attack_path,
    body_of,
    read_alert,
    read_one,
    read_quarantined,
)

ENVELOPES: dict[str, Message] = {
    "az graph query": {"count": 1, "data": [], "skip_token": None, "total_records": 1},
    "Resource Graph": {"totalRecords": 1, "count": 1, "data": [], "facets": [], "resultTruncated": "false"},
    "Search-AzGraph": {"SkipToken": None, "Data": []},
    "a REST list": {"value": []},
    "a REST list that ends": {"value": [], "nextLink": None},
    "an OData list": {"@odata.context": "x", "@odata.count": 1, "value": []},
}


def enveloped(envelope: Message, *elements: object) -> Message:
    """An envelope with elements in it."""
    return {name: list(elements) if held == [] and name != "facets" else held for name, held in envelope.items()}


def test_each_element_is_its_own_signal(subtests: pytest.Subtests) -> None:
    """Of an array, a records wrapper and an answer, in order; what is no message is quarantined, and hurts no neighbour."""
    elements = [a_graph_row(), 7, an_assessment()]
    documents: dict[str, object] = {name: enveloped(envelope, *elements) for name, envelope in ENVELOPES.items()}
    documents |= {"array": elements, "records": {"records": elements}, "Records": {"Records": elements}}
    for name, document in documents.items():
        with subtests.test(name):
            body = body_of(document)
            signals = read_signals(body, CATALOGUE)
            assert [type(signal) for signal in signals] == [Alert, Quarantined, Finding]
            assert signals[1] == read_quarantined(b"7")
            assert split_body(body) == tuple(map(body_of, elements))
            assert answer_in(body) == (Answer(tuple(map(body_of, elements)), None) if name in ENVELOPES else None)


def test_a_signal_may_have_a_field_that_envelopes_have(subtests: pytest.Subtests) -> None:
    """A message that is a signal by itself is never taken for many."""
    for name, message in {
        "flat alert": a_flat_alert(data=[{"a": 1}], value=[1]),
        "flat alert with records": a_flat_alert(Records=[]),
        "ARM alert": an_arm_alert() | {"value": [[an_arm_alert()]]},
        "assessment": an_assessment() | {"data": []},
        "attack path": an_attack_path() | {"value": [], "nextLink": "x"},
    }.items():
        with subtests.test(name):
            assert not isinstance(read_one(message), Quarantined)
            assert split_body(b" " + body_of(message)) == (b" " + body_of(message),)
            assert answer_in(body_of(message)) is None


_UNREADABLE: list[tuple[bytes, Code, str | None]] = [
    (b"", Code.NOT_JSON, "line 1 column 1"),
    (b"   ", Code.NOT_JSON, "line 1 column 4"),
    (b'{"a": 1,\n oops}', Code.NOT_JSON, "line 2 column 2"),
    (b"{} {}", Code.NOT_JSON, "line 1 column 4"),
    (b"\xff\xfe\xfd", Code.NOT_JSON, "line 1 column 1"),
    *((body, Code.NOT_AN_OBJECT, None) for body in (b"[]", b'{"records": []}', b"null", b"7", b'"text"', b"[[]]")),
    (b"{}", Code.UNKNOWN_SHAPE, "type"),
    (b'{"AlertType": "System", "SystemAlertId": null}', Code.INVALID, "SystemAlertId"),
    (b'{"AlertType": "System", "SystemAlertId": " "}', Code.INVALID, "SystemAlertId"),
    (b'{"AlertType": "System", "SystemAlertId": {}}', Code.INVALID, "SystemAlertId"),
    (b'{"type": "Microsoft.Security/Locations/alerts"}', Code.INVALID, "properties.systemAlertId"),
    (b'{"type": "Microsoft.Security/Locations/alerts", "id": "/"}', Code.INVALID, "properties.systemAlertId"),
    (b'{"type": "Microsoft.Security/assessments", "name": "x"}', Code.INVALID, "id"),
]


def test_what_cannot_be_identified_is_quarantined(subtests: pytest.Subtests) -> None:
    """A refusal says why, names the field or the place at fault, and its body is whole."""
    for body, code, at_fault in _UNREADABLE:
        with subtests.test(body=body):
            refused = read_quarantined(body)
            assert (refused.reason.code, refused.at_fault) == (code, at_fault)
            assert refused.reason.words
            assert refused.body == (b"[]" if body == b"[[]]" else body)
    assert read_alert(a_flat_alert(SystemAlertId=2516)).id == "2516"


def test_a_body_beyond_a_limit_is_quarantined_unread() -> None:
    """The longest body is read, and one of the most elements; one more costs no more than a look, so it is parked whole."""
    body = body_of(a_flat_alert())
    assert isinstance(read_signals(body.ljust(LARGEST_BODY), Catalogue())[0], Alert)
    zeros = [b"[" + b",".join([b"0"] * count) + b"]" for count in (MOST_ELEMENTS, MOST_ELEMENTS + 1)]
    first, *_ = found = read_signals(zeros[0], Catalogue())
    assert isinstance(first, Quarantined)
    assert (len(found), first.body, first.reason.code) == (MOST_ELEMENTS, b"0", Code.NOT_AN_OBJECT)
    enveloped = b'{"value":' + zeros[1] + b"}"
    for beyond in (body.ljust(LARGEST_BODY + 1), enveloped.ljust(LARGEST_BODY + 1), zeros[1], enveloped):
        refused = read_quarantined(beyond)
        assert (refused.reason.code, refused.body) == (Code.TOO_LARGE, beyond)


def test_splitting_loses_nothing_and_knows_no_limit() -> None:
    """What has no element stays one body; what is no JSON document does not split; a file may be as long as it likes."""
    for body in (b"[]", b'{"records": []}', b"7"):
        assert split_body(body) == (body,)
    for body in (b"", b"{}\n{}\n", b"<xml/>"):
        assert split_body(body) is None
    alert = a_flat_alert(Description="x" * (LARGEST_BODY // 4))
    assert split_body(body_of([alert] * 5)) == (body_of(alert),) * 5


def test_what_holds_anything_else_is_no_envelope(subtests: pytest.Subtests) -> None:
    """It is kept whole, since of an envelope only the elements are read."""
    table = {"columns": [], "rows": [[1]]}
    for document in (
        {"schemaId": "azureMonitorCommonAlertSchema", "data": {"essentials": {}, "alertContext": None}},
        {"id": "1", "topic": "/x", "eventType": "Microsoft.Test", "data": {"a": [1]}, "dataVersion": "1"},
        {"id": "1", "subject": "x", "data": [a_flat_alert()]},
        {"specversion": "1.0", "type": "t", "source": "/x", "data": [1]},
        {"category": "Security", "value": [1]},
        {"value": [1], "data": [2]},
        {"value": [1], "Value": [2]},
        {"value": [1], "count": {"a": 1}},
        {"value": {"a": 1}},
        {"totalRecords": 1, "count": 1, "data": table, "facets": [], "resultTruncated": "true"},
        {"data": None},
        {"nextLink": "x"},
    ):
        with subtests.test(document=document):
            refused = read_quarantined(document)
            assert (refused.reason.code, refused.body) == (Code.UNKNOWN_SHAPE, body_of(document))
            assert answer_in(body_of(document)) is None


def test_what_may_hold_messages_twice_is_quarantined_whole(subtests: pytest.Subtests) -> None:
    """A parser keeps the last of two members of one name, and only one of two lists would be read: the rest would be gone."""
    alert, finding = json.dumps(a_flat_alert()), json.dumps(an_assessment())
    for name in ("records", "Records", "RECORDS", "value", "Value", "data", "r\\u0065cords"):
        for other in (
            f'"NAME": [{alert}]',
            '"NAME": []',
            '"NAME": null',
            f'"records": [{alert}]',
            f'"value": [{alert}]',
        ):
            members = [f'"{name}": [{alert}, {finding}]', other.replace("NAME", name)]
            for body in ("{" + ", ".join(members) + "}", "{" + ", ".join(members[::-1]) + "}"):
                with subtests.test(name, other=other[:12]):
                    assert read_quarantined(body.encode()).body == body.encode()
                    assert answer_in(body.encode()) is None
    document: Message = {"records": [a_flat_alert(), an_assessment()]}
    beside: list[Message] = [{name: [a_flat_alert()]} for name in ("items", "facets")]
    beside += [{"text": text} for text in (alert, f"[{alert}]")]
    for more in (*beside, {"alert": a_flat_alert()}, a_flat_alert(), an_arm_alert()):
        with subtests.test("beside records", more=list(more)):
            assert read_quarantined(document | more).body == body_of(document | more)
    assert len(read_signals(body_of(document | {"count": 2, "time": "[now", "n": None}), CATALOGUE)) == 2


def test_an_answer_may_be_empty(subtests: pytest.Subtests) -> None:
    """Who asked knows that there is nothing; what comes by a hub is a message, and never none."""
    for name, envelope in ENVELOPES.items():
        with subtests.test(name):
            answer = answer_in(body_of(envelope))
            assert answer is not None
            assert answer.bodies == ()
            assert read_quarantined(envelope).reason.code is Code.NOT_AN_OBJECT


def test_an_answer_says_that_it_is_only_a_part(subtests: pytest.Subtests) -> None:
    """By its token, by its link, or by a count that does not reach its total."""
    whole, link = {"count": 1, "data": [1], "total_records": 1}, "https://management.azure.com/x"
    for members, rest in (
        (whole | {"skip_token": "x"}, Continuation.TOKEN),
        ({"totalRecords": 3, "resultTruncated": "false", "$skipToken": "x", "data": [1]}, Continuation.TOKEN),
        ({"resultTruncated": "true", "$skipToken": "x", "data": [1]}, Continuation.TOKEN),
        ({"SkipToken": "x", "Data": [1]}, Continuation.TOKEN),
        ({"value": [1], "nextLink": link}, Continuation.LINK),
        ({"value": [1], "@odata.nextLink": link}, Continuation.LINK),
        ({"totalRecords": 1, "count": 1, "resultTruncated": "true", "data": [1]}, Continuation.CUT),
        (whole | {"skip_token": None, "total_records": 2}, Continuation.CUT),
        (whole | {"skip_token": ""}, None),
        ({"value": [1], "nextLink": ""}, None),
        ({"count": "1", "data": [1], "total_records": "many"}, None),
    ):
        with subtests.test(members=members):
            answer = answer_in(body_of(members))
            assert answer is not None
            assert answer.continuation is rest
    for body in (b"", b"[1]", b'{"records": [1]}', b'{"value": [1]', b"{}", b"7", b'{"value": [1]} {}'):
        assert answer_in(body) is None, body


def test_an_alert_is_the_same_signal_however_it_was_asked_for() -> None:
    """By the hub, from Resource Graph, over REST, or flattened by `az security alert list`."""
    flat = a_flat_alert()
    name = str(flat["SystemAlertId"])
    rest = an_arm_alert(systemAlertId=name) | {"name": name}
    flattened = {key: held for key, held in rest.items() if key != "properties"} | rest["properties"]
    unnamed = a_graph_row(SystemAlertId=None)
    forms = [read_alert(form) for form in (flat, a_graph_row(), unnamed, rest, flattened)]
    assert {signal_key("cwpp", form.kind, form.id) for form in forms} == {signal_key("cwpp", "alert", name)}
