"""Answers of Azure's: `az graph query`, Resource Graph and REST lists are envelopes, told by their shape."""

from __future__ import annotations

import json

import pytest

from router.domain.decisions import Code
from router.domain.keys import signal_key
from router.domain.signals import Alert, Finding, Quarantined
from router.parse import LARGEST_BODY, Continuation, answer_in, read_signals, split_body
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


def enveloped(envelope: Message, *elements: object, **members: object) -> Message:
    """An envelope with elements in it."""
    return {
        name: list(elements) if held == [] and name != "facets" else held for name, held in envelope.items()
    } | members


@pytest.mark.parametrize("envelope", ENVELOPES.values(), ids=ENVELOPES.keys())
def test_each_element_of_an_answer_is_its_own_signal(envelope: Message) -> None:
    """One that is no message is quarantined by itself, and hurts no neighbour."""
    body = body_of(enveloped(envelope, a_graph_row(), 7, an_assessment()))
    signals = read_signals(body, CATALOGUE)
    assert [type(signal) for signal in signals] == [Alert, Quarantined, Finding]
    assert signals[1] == read_quarantined(b"7")
    answer = answer_in(body)
    assert answer is not None
    assert (answer.bodies, answer.continuation) == (split_body(body), None)


@pytest.mark.parametrize(
    "message",
    [
        a_flat_alert(data=[{"a": 1}], value=[1]),
        an_arm_alert() | {"value": [[an_arm_alert()]]},
        an_assessment() | {"data": []},
        an_attack_path() | {"value": [], "nextLink": "x"},
    ],
    ids=["flat alert", "ARM alert", "assessment", "attack path"],
)
def test_a_signal_may_have_a_field_of_that_name(message: Message) -> None:
    """A message that is a signal by itself is never taken for an envelope."""
    assert not isinstance(read_one(message), Quarantined)
    assert split_body(body_of(message)) == (body_of(message),)
    assert answer_in(body_of(message)) is None


@pytest.mark.parametrize(
    "document",
    [
        {"schemaId": "azureMonitorCommonAlertSchema", "data": {"essentials": {}, "alertContext": None}},
        {"id": "1", "topic": "/x", "eventType": "Microsoft.Test", "data": {"a": [1]}, "dataVersion": "1"},
        {"id": "1", "subject": "x", "data": [a_flat_alert()]},
        {"specversion": "1.0", "type": "t", "source": "/x", "data": [1]},
        {"category": "Security", "value": [1]},
        {"value": [1], "data": [2]},
        {"value": [1], "Value": [2]},
        {"value": [1], "count": {"a": 1}},
        {"value": {"a": 1}},
        {"totalRecords": 1, "count": 1, "data": {"columns": [], "rows": [[1]]}, "facets": [], "resultTruncated": "true"},
        {"data": None},
        {"nextLink": "x"},
    ],
    ids=lambda document: ",".join(document),
)  # fmt: skip
def test_what_holds_anything_else_is_no_envelope(document: Message) -> None:
    """It is kept whole, since of an envelope only the elements are read."""
    refused = read_quarantined(document)
    assert (refused.reason.code, refused.body) == (Code.UNKNOWN_SHAPE, body_of(document))
    assert answer_in(body_of(document)) is None


_A, _B = json.dumps(a_flat_alert()), json.dumps(an_assessment())


@pytest.mark.parametrize(
    "other", [f'"NAME": [{_A}]', '"NAME": []', '"NAME": null', f'"records": [{_A}]', f'"value": [{_A}]']
)
@pytest.mark.parametrize("name", ["records", "Records", "RECORDS", "value", "Value", "data", "r\\u0065cords"])
@pytest.mark.parametrize("is_first", [True, False])
def test_an_envelope_that_holds_its_list_twice_is_quarantined_whole(name: str, other: str, is_first: bool) -> None:
    """A parser keeps the last of two members of one name, so that the messages in the first would be gone."""
    members = [f'"{name}": [{_A}, {_B}]', other.replace("NAME", name)]
    body = ("{" + ", ".join(members if is_first else members[::-1]) + "}").encode()
    (refused,) = read_signals(body, CATALOGUE)
    assert isinstance(refused, Quarantined)
    assert refused.body == body
    assert answer_in(body) is None


@pytest.mark.parametrize(
    "beside",
    [
        {"alert": a_flat_alert()},
        {"items": [a_flat_alert()]},
        {"facets": [a_flat_alert()]},
        {"text": json.dumps(a_flat_alert())},
        {"text": json.dumps([a_flat_alert()])},
        a_flat_alert(),
        an_arm_alert(),
    ],
)
def test_records_beside_what_may_be_a_message_are_quarantined_whole(beside: Message) -> None:
    """Else either the records or what stands beside them would be gone. A number or a name beside them is neither."""
    document = {"records": [a_flat_alert(), an_assessment()]}
    refused = read_quarantined(document | beside)
    assert refused.body == body_of(document | beside)
    assert len(read_signals(body_of(document | {"count": 2, "time": "[now", "n": None}), CATALOGUE)) == 2


@pytest.mark.parametrize("envelope", ENVELOPES.values(), ids=ENVELOPES.keys())
def test_an_answer_may_be_empty(envelope: Message) -> None:
    """Who asked knows that there is nothing; what comes by a hub is a message, and never none."""
    answer = answer_in(body_of(envelope))
    assert answer is not None
    assert answer.bodies == ()
    (refused,) = read_signals(body_of(envelope), CATALOGUE)
    assert isinstance(refused, Quarantined)
    assert refused.reason.code is Code.NOT_AN_OBJECT


@pytest.mark.parametrize(
    ("members", "rest"),
    [
        ({"count": 1, "data": [1], "skip_token": "x", "total_records": 1}, Continuation.TOKEN),
        ({"totalRecords": 3, "count": 1, "resultTruncated": "false", "$skipToken": "x", "data": [1]}, Continuation.TOKEN),
        ({"resultTruncated": "true", "$skipToken": "x", "data": [1]}, Continuation.TOKEN),
        ({"SkipToken": "x", "Data": [1]}, Continuation.TOKEN),
        ({"value": [1], "nextLink": "https://management.azure.com/x"}, Continuation.LINK),
        ({"value": [1], "@odata.nextLink": "https://management.azure.com/x"}, Continuation.LINK),
        ({"totalRecords": 1, "count": 1, "resultTruncated": "true", "data": [1]}, Continuation.CUT),
        ({"count": 1, "data": [1], "skip_token": None, "total_records": 2}, Continuation.CUT),
        ({"count": 1, "data": [1], "skip_token": "", "total_records": 1}, None),
        ({"value": [1], "nextLink": ""}, None),
        ({"count": "1", "data": [1], "total_records": "many"}, None),
    ],
)  # fmt: skip
def test_an_answer_says_that_it_is_only_a_part(members: Message, rest: Continuation | None) -> None:
    """By its token, by its link, or by a count that does not reach its total."""
    answer = answer_in(body_of(members))
    assert answer is not None
    assert answer.continuation is rest


@pytest.mark.parametrize(
    "body", [b"", b"[1]", b'{"records": [1]}', b'{"value": [1]', b"{}", b"7", b'{"value": [1]} {}']
)
def test_what_is_no_answer_of_azure_s_is_none(body: bytes) -> None:
    """Arrays and records are documents of messages, as before."""
    assert answer_in(body) is None


@pytest.mark.parametrize(("depth", "is_read"), [(1_000, True), (1_025, False), (300_000, False)])
def test_hostile_nesting_is_refused_in_an_envelope_too(depth: int, is_read: bool) -> None:
    """As it is outside of one."""
    body = b'{"value":' + b"[" * depth + b"]" * depth + b"}"
    assert (answer_in(body) is not None) is is_read
    signals = read_signals(body, CATALOGUE)
    assert len(signals) == 1
    assert isinstance(signals[0], Quarantined)


def test_an_envelope_beyond_the_limit_is_quarantined_unread() -> None:
    """By a hub, an envelope has the limits of every body."""
    (refused,) = read_signals(body_of({"value": [a_flat_alert()]}).ljust(LARGEST_BODY + 1), CATALOGUE)
    assert isinstance(refused, Quarantined)
    assert refused.reason.code is Code.TOO_LARGE
    (many,) = read_signals(json.dumps({"value": [0] * 1_001}).encode(), CATALOGUE)
    assert isinstance(many, Quarantined)
    assert many.reason.code is Code.TOO_LARGE


def test_an_alert_is_the_same_signal_however_it_was_asked_for() -> None:
    """By the hub, from Resource Graph, over REST, or flattened by `az security alert list`."""
    flat = a_flat_alert()
    name = str(flat["SystemAlertId"])
    rest = an_arm_alert(systemAlertId=name) | {"name": name}
    flattened = {key: held for key, held in rest.items() if key != "properties"} | rest["properties"]
    unnamed = a_graph_row(SystemAlertId=None)
    forms = [read_alert(form) for form in (flat, a_graph_row(), unnamed, rest, flattened)]
    assert {signal_key("cwpp", form.kind, form.id) for form in forms} == {signal_key("cwpp", "alert", name)}
