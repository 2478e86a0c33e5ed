"""Event Management: how loud an event is, what it says, and what an instance's answers mean."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import orjson

from router.destinations.servicenow_events import INFO_LIMIT, additional_info_of
from router.domain.conversation import HttpRequest
from router.domain.decisions import Change
from router.domain.deliveries import Attempt, Receipt
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


def test_severity_says_how_loud() -> None:
    """Each severity has its own; what is not known is as loud as Critical, and an update is as loud as an opening."""
    expected = {"Critical": "1", "High": "2", "Medium": "3", "Low": "4", "Informational": "5", None: "1"}
    for change in (Change.OPENED, Change.UPDATED):
        assert {one: event_of(a_notice(severity=one), change)["severity"] for one in expected} == expected


def test_a_mere_status_is_no_event() -> None:
    """Nothing says whether people closed the alert, and an event would open it again."""
    note = replace(attempted(change=Change.UPDATED), is_note=True)
    asks, results = converse(a_destination("servicenow_events"), [note], lambda ask: TAKEN)
    assert (asks, results) == ([], [Receipt(reference="only the status changed, no event")])


def test_what_ended_untold_is_an_event_and_its_clear() -> None:
    """A clear of what was never raised makes no alert."""
    attempt = replace(attempted(change=Change.RESOLVED), is_untold=True, since=NOW)
    (ask,), _ = converse(a_destination("servicenow_events"), [attempt], lambda ask: TAKEN)
    assert isinstance(ask, HttpRequest)
    raised, cleared = orjson.loads(ask.body)["records"]
    assert (raised["severity"], {**raised, "severity": "0"}) == ("2", cleared)
    assert "before this could be told" in cleared["description"]


def test_an_event_says_what_is_known() -> None:
    """The source is what the policy says; the time is when the state held, else when it began, else when it is sent, in GMT."""
    assert event_of(source="Defender")["source"] == "Defender"
    event = event_of(a_finding(resource=None, compromised_entity=None, subscription=None))
    assert ("resource" in event, event["event_class"]) == (False, "cspm")
    times: dict[str, dict[str, Any]] = {
        "2026-11-24 12:00:00": {"changed": "2026-11-24T13:00:00.5+01:00"},
        "2026-11-24 11:58:00": {"changed": None},
        "2026-11-24 12:00:30": {"changed": None, "started": None},
    }
    assert [event_of(a_notice(**notice))["time_of_event"] for notice in times.values()] == list(times)


def test_additional_information_holds_texts_and_names_what_has_no_room() -> None:
    """The ids are whole."""
    info = orjson.loads(additional_info_of(a_notice(sample=True)))
    assert all(isinstance(value, str) for value in info.values())
    assert info["sample"] == "true"
    info = orjson.loads(event_of(a_huge_notice())["additional_info"])
    assert (info["defender_id"], info["resource_id"]) == (a_notice().id, a_notice().resource)
    assert info["hosts"].endswith("[cut]")
    names = ("id", "resource", "plan", "severity_written", "reason", "status")
    text = additional_info_of(a_huge_notice(**dict.fromkeys(names, "\x01" * 1000)))
    assert len(text) <= INFO_LIMIT
    assert {"resource_id", "plan", "reason"} <= set(orjson.loads(text)["cut"].split(", "))
