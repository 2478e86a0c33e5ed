"""Bodies: one message or many, and those that are none."""

from __future__ import annotations

import pytest

from router.domain.catalogue import Catalogue
from router.domain.decisions import Code
from router.domain.signals import Alert, Finding, Quarantined
from router.parse import LARGEST_BODY, read_signals, split_body
from tests.parse.messages import a_flat_alert, an_arm_alert, an_assessment, body_of, read_alert, read_quarantined


@pytest.mark.parametrize("wrap", [lambda many: many, lambda many: {"records": many}, lambda many: {"Records": many}])
def test_each_element_is_its_own_signal(wrap: object) -> None:
    """An array and a records wrapper give one signal for each element, in order; a bad one hurts no neighbour."""
    assert callable(wrap)
    signals = read_signals(body_of(wrap([a_flat_alert(), 7, an_assessment()])), Catalogue())
    assert [type(signal) for signal in signals] == [Alert, Quarantined, Finding]
    assert signals[1] == read_quarantined(b"7")


def test_a_signal_may_have_a_field_called_records() -> None:
    """A message that is a signal by itself is never taken for a wrapper."""
    assert read_alert(a_flat_alert(Records=[])).id


@pytest.mark.parametrize(
    ("body", "code", "at_fault"),
    [
        (b"", Code.NOT_JSON, "line 1 column 1"),
        (b"   ", Code.NOT_JSON, "line 1 column 4"),
        (b'{"a": 1,\n oops}', Code.NOT_JSON, "line 2 column 2"),
        (b"{} {}", Code.NOT_JSON, "line 1 column 4"),
        (b"\xff\xfe\xfd", Code.NOT_JSON, "line 1 column 1"),
        (b"[]", Code.NOT_AN_OBJECT, None),
        (b'{"records": []}', Code.NOT_AN_OBJECT, None),
        (b"null", Code.NOT_AN_OBJECT, None),
        (b"7", Code.NOT_AN_OBJECT, None),
        (b'"text"', Code.NOT_AN_OBJECT, None),
        (b"[[]]", Code.NOT_AN_OBJECT, None),
        (b"{}", Code.UNKNOWN_SHAPE, "type"),
        (b'{"AlertType": "System", "SystemAlertId": null}', Code.INVALID, "SystemAlertId"),
        (b'{"AlertType": "System", "SystemAlertId": " "}', Code.INVALID, "SystemAlertId"),
        (b'{"AlertType": "System", "SystemAlertId": {}}', Code.INVALID, "SystemAlertId"),
        (b'{"type": "Microsoft.Security/Locations/alerts"}', Code.INVALID, "properties.systemAlertId"),
        (b'{"type": "Microsoft.Security/Locations/alerts", "id": "/"}', Code.INVALID, "properties.systemAlertId"),
        (b'{"type": "Microsoft.Security/assessments", "name": "x"}', Code.INVALID, "id"),
    ],
)
def test_what_cannot_be_identified_is_quarantined(body: bytes, code: Code, at_fault: str | None) -> None:
    """A refusal says why, names the field or the place at fault, and its body is whole."""
    refused = read_quarantined(body)
    assert (refused.reason.code, refused.at_fault) == (code, at_fault)
    assert refused.reason.words
    assert refused.body == (b"[]" if body == b"[[]]" else body)


def test_an_alert_is_identified_by_a_whole_number_too() -> None:
    """An id that arrives as a number is an id."""
    assert read_alert(a_flat_alert(SystemAlertId=2516)).id == "2516"


def test_a_body_beyond_the_limit_is_quarantined_unread() -> None:
    """The longest body is read; one byte more is not looked at."""
    body = body_of(a_flat_alert())
    assert isinstance(read_signals(body.ljust(LARGEST_BODY), Catalogue())[0], Alert)
    (refused,) = read_signals(body.ljust(LARGEST_BODY + 1), Catalogue())
    assert isinstance(refused, Quarantined)
    assert refused.reason.code is Code.TOO_LARGE


def test_a_document_splits_into_bodies() -> None:
    """The elements of an array or of records are bodies of their own; one message is a body as it stands."""
    first, second = a_flat_alert(), an_arm_alert()
    assert split_body(body_of([first, second])) == (body_of(first), body_of(second))
    assert split_body(body_of({"records": [first, 7]})) == (body_of(first), b"7")
    assert split_body(b" " + body_of(first)) == (b" " + body_of(first),)


@pytest.mark.parametrize("body", [b"[]", b'{"records": []}', b"7"])
def test_a_document_without_elements_is_not_lost(body: bytes) -> None:
    """A document with nothing in it stays one body, which reading quarantines."""
    assert split_body(body) == (body,)


@pytest.mark.parametrize("body", [b"", b"{}\n{}\n", b"<xml/>"])
def test_what_is_no_json_document_does_not_split(body: bytes) -> None:
    """Several documents in one text are not one document: the caller splits lines instead."""
    assert split_body(body) is None


def test_splitting_knows_no_limit() -> None:
    """A file may be longer than any message in it."""
    alert = a_flat_alert(Description="x" * (LARGEST_BODY // 4))
    bodies = split_body(body_of([alert] * 5))
    assert bodies is not None
    assert [len(body) for body in bodies] == [len(body_of(alert))] * 5
