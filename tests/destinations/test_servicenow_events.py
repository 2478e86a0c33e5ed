"""Event Management: how loud an event is, what it says, and what an instance's answers mean."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import orjson
import pytest

from router.destinations.servicenow_events import INFO_LIMIT, NAME_LIMIT, TEXT_LIMIT, VALUE_LIMIT, additional_info_of
from router.domain.conversation import HttpAnswer, HttpRequest
from router.domain.decisions import Change
from router.domain.deliveries import Attempt, Receipt
from router.domain.errors import DeliveryError, Rejected, Unauthorized, Unavailable
from router.domain.notices import Notice
from tests.destinations.builders import NOW, a_destination, a_finding, a_huge_notice, a_notice, an_attempt
from tests.destinations.conversations import converse, replied

TAKEN = replied(200, {"result": {"Default Bulk Endpoint": "1 events were inserted"}})


def event_of(notice: Notice | None = None, change: Change = Change.OPENED, **config: Any) -> dict[str, str]:
    """The event that a notice is sent as."""
    asks, _ = converse(a_destination("servicenow_events", **config), [attempted(notice, change)], lambda ask: TAKEN)
    assert isinstance(asks[0], HttpRequest)
    (event,) = orjson.loads(asks[0].body)["records"]
    return dict(event)


def attempted(notice: Notice | None = None, change: Change = Change.OPENED) -> Attempt:
    """An attempt with the password at hand."""
    return an_attempt(notice, change, secrets=["SERVICENOW_PASSWORD"])


def answered(answer: HttpAnswer) -> object:
    """What an answer means for an opening."""
    _, results = converse(a_destination("servicenow_events"), [attempted()], lambda ask: answer)
    return results[0]


@pytest.mark.parametrize(
    ("severity", "expected"),
    [("Critical", "1"), ("High", "2"), ("Medium", "3"), ("Low", "4"), ("Informational", "5"), (None, "1")],
)
def test_severity_says_how_loud(severity: str | None, expected: str) -> None:
    """Each severity has its own; what is not known is as loud as Critical."""
    assert event_of(a_notice(severity=severity))["severity"] == expected
    assert event_of(a_notice(severity=severity), Change.UPDATED)["severity"] == expected


def test_a_mere_status_is_no_event() -> None:
    """Nothing says whether people closed the alert, and an event would open it again."""
    note = replace(attempted(change=Change.UPDATED), is_note=True)
    asks, results = converse(a_destination("servicenow_events"), [note], lambda ask: TAKEN)
    assert (asks, results) == ([], [Receipt(reference="only the status changed, no event")])


def test_a_resolution_is_a_clear_under_the_same_key() -> None:
    """Severity 0 closes the alert that the opening made; what it was before stands beside."""
    event = event_of(change=Change.RESOLVED)
    assert (event["severity"], event["message_key"]) == ("0", a_notice().key)
    assert orjson.loads(event["additional_info"])["severity"] == "High"


def test_what_ended_untold_is_an_event_and_its_clear() -> None:
    """A clear of what was never raised makes no alert."""
    attempt = replace(attempted(change=Change.RESOLVED), is_untold=True, since=NOW)
    (ask,), _ = converse(a_destination("servicenow_events"), [attempt], lambda ask: TAKEN)
    assert isinstance(ask, HttpRequest)
    raised, cleared = orjson.loads(ask.body)["records"]
    assert (raised["severity"], cleared["severity"]) == ("2", "0")
    assert {**raised, "severity": "0"} == cleared
    assert "before this could be told" in cleared["description"]


def test_an_event_says_what_is_where() -> None:
    """Node, resource and type are what event rules bind to; the source is what the policy says."""
    event = event_of(source="Defender")
    names = ("source", "node", "resource", "type", "metric_name")
    assert [event[name] for name in names] == [
        "Defender", "vm-pay-01", "vm-pay-01", "VM_SuspiciousLogin", "Suspicious sign-in to a virtual machine",
    ]  # fmt: skip
    assert event["time_of_event"] == "2026-11-24 12:00:00"


@pytest.mark.parametrize(
    ("times", "expected"),
    [
        ({"changed": "2026-11-24T13:00:00.5+01:00"}, "2026-11-24 12:00:00"),
        ({"changed": None}, "2026-11-24 11:58:00"),
        ({"changed": None, "started": None}, "2026-11-24 12:00:30"),
    ],
)
def test_the_time_is_in_gmt(times: dict[str, Any], expected: str) -> None:
    """The time is when the state held, else when it began, else when it is sent."""
    assert event_of(a_notice(**times))["time_of_event"] == expected


def test_a_finding_is_an_event_too() -> None:
    """What is not known of it is left out."""
    event = event_of(a_finding(resource=None, compromised_entity=None, subscription=None))
    assert "resource" not in event
    assert event["event_class"] == "cspm"


@pytest.mark.parametrize("over", [0, 1])
def test_names_fit_their_columns(over: int) -> None:
    """A type of 100 characters is whole; one more, and it is cut with a mark."""
    event = event_of(a_notice(type="T" * (NAME_LIMIT + over)))
    assert len(event["type"]) == NAME_LIMIT
    assert event["type"].endswith("[cut]") == bool(over)


def test_a_huge_alert_fits() -> None:
    """Every column keeps to its length, what has no room is named, and the ids are whole."""
    event = event_of(a_huge_notice())
    info = orjson.loads(event["additional_info"])
    assert len(event["description"]) <= TEXT_LIMIT
    assert "[cut]" in event["description"]
    assert len(event["additional_info"]) <= INFO_LIMIT
    assert (info["defender_id"], info["resource_id"]) == (a_notice().id, a_notice().resource)
    assert info["hosts"].endswith("[cut]")


@pytest.mark.parametrize("over", [0, 1])
def test_additional_information_is_texts_that_fit(over: int) -> None:
    """A value of 500 characters is whole; one more, and it is cut with a mark. There are no values but texts."""
    info = orjson.loads(additional_info_of(a_notice(reason="r" * (VALUE_LIMIT + over), sample=True)))
    assert info["reason"].endswith("[cut]") == bool(over)
    assert all(isinstance(value, str) for value in info.values())
    assert info["sample"] == "true"


def test_what_has_no_room_is_named() -> None:
    """However much each value takes in JSON, the whole stays within its limit and says what is missing."""
    notice = a_huge_notice(
        **dict.fromkeys(("id", "resource", "plan", "severity_written", "reason", "status"), "\x01" * 1000)
    )
    text = additional_info_of(notice)
    assert len(text) <= INFO_LIMIT
    assert {"resource_id", "plan", "reason"} <= set(orjson.loads(text)["cut"].split(", "))


def test_an_event_that_was_taken_leaves_its_key() -> None:
    """The reference is the message key, and the link leads to its alerts."""
    result = answered(TAKEN)
    assert isinstance(result, Receipt)
    assert result.reference == a_notice().key
    assert result.link == (
        f"https://servicenow.example/nav_to.do?uri=em_alert_list.do%3Fsysparm_query%3Dmessage_key%3D{a_notice().key}"
    )


@pytest.mark.parametrize(
    ("answer", "expected", "says"),
    [
        (replied(404), Unauthorized, "check that Event Management is active"),
        (
            replied(400, {"error": {"message": "Requested URI does not represent any resource"}, "status": "failure"}),
            Unauthorized,
            "check that Event Management is active",
        ),
        (replied(400, {"error": {"message": "Exception while reading request"}}), Rejected, "Exception while reading"),
        (replied(410), Rejected, "answered 410"),
        (replied(403, {"error": {"message": "User Not Authorized"}}), Unauthorized, "what they may do"),
        (replied(403, {"error": {"detail": "Data Policy Exception: mandatory"}}), Rejected, "Data Policy"),
        (replied(200, {"error": {"message": "No"}, "status": "failure"}), Rejected, "around an error (No)"),
        (replied(200, {"error": {"message": "Transaction cancelled"}}), Unavailable, "around an error"),
        (replied(200, {"result": {"Default Bulk Endpoint": "0 events were inserted"}}), Unavailable, "no event"),
        (HttpAnswer(status=200, body=b"<html>Hibernating</html>"), Unavailable, "is the instance awake?"),
        (replied(204), Unavailable, "is the instance awake?"),
    ],
)
def test_an_answer_is_taken_for_what_it_is(answer: HttpAnswer, expected: type[DeliveryError], says: str) -> None:
    """Only an event that was inserted is delivered, and what would stop every event pauses the destination."""
    result = answered(answer)
    assert type(result) is expected
    assert says in str(result)


def test_ten_events_are_not_none() -> None:
    """A count that ends in 0 is a count."""
    assert isinstance(answered(replied(200, {"result": {"x": "10 events were inserted"}})), Receipt)
