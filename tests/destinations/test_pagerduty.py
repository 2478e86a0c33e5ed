"""PagerDuty: who is paged, under which key, and how loud."""

from __future__ import annotations

from typing import Any

import orjson
import pytest

from router.destinations.pagerduty import EVENT_LIMIT, SUMMARY_LIMIT
from router.domain.conversation import Ask, HttpRequest
from router.domain.decisions import Change
from router.domain.deliveries import Attempt, Receipt
from router.domain.errors import Rejected, Unauthorized, Unavailable
from router.domain.owners import Owner
from tests.destinations.builders import a_destination, a_huge_notice, a_notice, a_secret, an_attempt
from tests.destinations.conversations import converse, replied

DEFAULT, TEAM = "PAGERDUTY_ROUTING_KEY", "PAYMENTS_ROUTING_KEY"


def event_of(attempt: Attempt) -> dict[str, Any]:
    """The event that an attempt sends."""
    asks, _ = converse(a_destination("pagerduty"), [attempt], lambda ask: replied(202))
    return dict(orjson.loads(_body(asks[0])))


def _body(ask: Ask) -> bytes:
    assert isinstance(ask, HttpRequest)
    return ask.body


@pytest.mark.parametrize(
    ("severity", "expected"),
    [
        ("Critical", "critical"),
        ("High", "error"),
        ("Medium", "warning"),
        ("Low", "info"),
        ("Informational", "info"),
        (None, "critical"),
    ],
)
def test_severity_says_how_loud(severity: str | None, expected: str) -> None:
    """Each severity has its own at PagerDuty; what is not known is as loud as Critical."""
    assert event_of(an_attempt(a_notice(severity=severity), secrets=[DEFAULT]))["payload"]["severity"] == expected


def test_an_owner_with_a_pager_is_paged() -> None:
    """The owner's own routing key is used where its secret has a value, and the receipt remembers its name."""
    notice = a_notice(owner=Owner(pager=TEAM))
    attempt = an_attempt(notice, secrets=[DEFAULT, TEAM])
    _, results = converse(a_destination("pagerduty"), [attempt], lambda ask: replied(202))
    assert event_of(attempt)["routing_key"] == a_secret(TEAM)
    assert results == [Receipt(reference=notice.key, handles={"routing_key": TEAM})]


def test_an_owner_whose_pager_has_no_value_does_not_silence_the_page() -> None:
    """Where the owner's secret has no value, the destination's own key is paged."""
    assert event_of(an_attempt(a_notice(owner=Owner(pager=TEAM)), secrets=[DEFAULT]))["routing_key"] == a_secret(
        DEFAULT
    )


@pytest.mark.parametrize("change", [Change.UPDATED, Change.RESOLVED])
def test_what_follows_goes_to_the_key_that_opened(change: Change) -> None:
    """An update or a resolution goes to the opening's key, though the resource changed hands: PagerDuty drops others."""
    opening = Receipt(handles={"routing_key": TEAM})
    attempt = an_attempt(a_notice(owner=Owner(pager=None)), change, secrets=[DEFAULT, TEAM], opening=opening)
    assert event_of(attempt)["routing_key"] == a_secret(TEAM)


def test_a_resolution_is_a_resolve_and_nothing_more() -> None:
    """A resolve carries the key it resolves."""
    event = event_of(an_attempt(change=Change.RESOLVED, secrets=[DEFAULT]))
    assert event == {"routing_key": a_secret(DEFAULT), "event_action": "resolve", "dedup_key": a_notice().key}


@pytest.mark.parametrize("over", [0, 1])
def test_a_summary_fits(over: int) -> None:
    """A summary of 1,024 characters is whole; one more and it is cut with a mark."""
    title = "t" * (SUMMARY_LIMIT - len("High:  - vm-pay-01") + over)
    summary = event_of(an_attempt(a_notice(title=title), secrets=[DEFAULT]))["payload"]["summary"]
    assert len(summary) == SUMMARY_LIMIT
    assert summary.endswith("[cut] - vm-pay-01") == bool(over)


def test_a_property_that_holds_a_list_is_told_whole() -> None:
    """Every item of JSON in a property, as a list; a property that says one thing is a text."""
    extended = {"CVSS": '{"2.0": 7.5, "3.0": 9.8}', "attempts": "42"}
    notice = a_notice(extended=extended, unlisted=("attempts", "CVSS"), cvss="9.8")
    details = event_of(an_attempt(notice, secrets=[DEFAULT]))["payload"]["custom_details"]
    assert details["attempts"] == "42"
    assert details["CVSS (property)"] == ["2.0: 7.5", "3.0: 9.8"]


def test_an_event_is_below_512_kb() -> None:
    """A huge alert is one event, with its summary, severity and keys whole."""
    asks, _ = converse(
        a_destination("pagerduty"), [an_attempt(a_huge_notice(), secrets=[DEFAULT])], lambda ask: replied(202)
    )
    event = orjson.loads(_body(asks[0]))
    assert len(_body(asks[0])) <= EVENT_LIMIT
    assert event["routing_key"] == a_secret(DEFAULT)
    assert event["payload"]["severity"] == "error"
    assert event["payload"]["custom_details"]["hosts"][-1].endswith("more]")


def test_a_refused_routing_key_pauses_the_destination() -> None:
    """A 400 about the destination's own key means that nobody can be paged, so it pauses and is reported."""
    said = {"status": "invalid event", "message": "Event object is invalid", "errors": ["Invalid routing key"]}
    _, results = converse(a_destination("pagerduty"), [an_attempt(secrets=[DEFAULT])], lambda ask: replied(400, said))
    assert isinstance(results[0], Unauthorized)
    assert str(results[0]) == (
        "pagerduty: answered 400 (Event object is invalid; Invalid routing key); check the secret PAGERDUTY_ROUTING_KEY"
    )


def test_a_refused_key_of_one_owner_is_its_own_trouble() -> None:
    """A 400 about an owner's key fails that page alone."""
    attempt = an_attempt(a_notice(owner=Owner(pager=TEAM)), secrets=[DEFAULT, TEAM])
    _, results = converse(a_destination("pagerduty"), [attempt], lambda ask: replied(400, "Invalid routing key"))
    assert isinstance(results[0], Rejected)
    assert TEAM in str(results[0])


@pytest.mark.parametrize(
    ("status", "body"), [(200, "a page for people"), (200, {"status": "invalid event"}), (204, None)]
)
def test_only_an_accepted_event_is_a_page(status: int, body: object) -> None:
    """Whatever stands in between may answer 200; nobody was paged, so it is tried again."""
    attempt = an_attempt(secrets=[DEFAULT])
    _, results = converse(a_destination("pagerduty"), [attempt], lambda ask: replied(status, body))
    assert isinstance(results[0], Unavailable)


def test_a_page_opened_with_a_key_that_is_gone_troubles_no_other_page() -> None:
    """Its resolution is a dead letter that names the key; the destination is not paused for it."""
    opening = Receipt(reference="k", handles={"routing_key": TEAM})
    attempt = an_attempt(change=Change.RESOLVED, opening=opening, secrets=[DEFAULT])
    asks, results = converse(a_destination("pagerduty"), [attempt], lambda ask: replied(202))
    assert asks == []
    assert isinstance(results[0], Rejected)
    assert TEAM in str(results[0])
