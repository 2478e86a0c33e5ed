"""PagerDuty: who is paged, under which key, and how loud."""

from __future__ import annotations

from typing import Any

import orjson
import pytest

from router.destinations.pagerduty import EVENT_LIMIT, SUMMARY_LIMIT
from router.domain.conversation import Ask, HttpRequest
from router.domain.decisions import Change
from router.domain.deliveries import Attempt, Background, Receipt
from router.domain.errors import Rejected, Unauthorized, Unavailable
from router.domain.evidence import Evidence
from router.domain.owners import Owner
from tests.destinations.builders import a_destination, a_huge_notice, a_notice, a_secret, an_attempt
from tests.destinations.conversations import Answer, Respond, converse, replied

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


def test_a_summary_names_the_subject() -> None:
    """Behind the title and before the location: where a login came from, and whose it was; not where nothing is known."""
    lists = Evidence(locations=("198.51.100.23: Utrecht, Netherlands",), ips=("198.51.100.23",), accounts=("sa",))
    for evidence, subject in ((lists, ": 198.51.100.23: Utrecht, Netherlands, sa"), (Evidence(), "")):
        notice = a_notice(title="Log on from an unusual location", evidence=evidence)
        summary = event_of(an_attempt(notice, secrets=[DEFAULT]))["payload"]["summary"]
        assert summary == f"High: Log on from an unusual location{subject} - vm-pay-01"


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


INVALID = {"status": "invalid event", "message": "Event object is invalid"}
OF_THE_KEY = [
    (400, {**INVALID, "errors": ["Invalid routing key"]}),
    (
        400,
        {
            **INVALID,
            "errors": ["'payload.class' is too long", "'routing_key' cannot contain non-alphanumeric characters."],
        },
    ),
    (400, {**INVALID, "errors": ["Length of 'routing_key' is incorrect (should be 32 characters)"]}),
    (401, None),
    (403, "a firewall's page for people"),
    (404, None),
]
"""How a key is refused: https://github.com/blockpane/tenderduty/issues/10, https://github.com/envato/pagerduty/issues/70"""


def knowing(*names: str, status: int = 400, body: object = OF_THE_KEY[0][1]) -> Respond:
    """A vendor that knows some keys, and answers so to any other."""
    known = {a_secret(name) for name in names}

    def respond(ask: Ask) -> Answer:
        return replied(202) if orjson.loads(_body(ask))["routing_key"] in known else replied(status, body)

    return respond


@pytest.mark.parametrize(("status", "body"), OF_THE_KEY)
@pytest.mark.parametrize("change", [Change.OPENED, Change.UPDATED])
def test_a_page_goes_by_the_destinations_own_key_where_an_owners_is_refused(
    change: Change, status: int, body: object
) -> None:
    """The same trigger under the same dedup key, at once; the receipt names the key that took it, and the one that did not."""
    opening = Receipt(handles={"routing_key": TEAM}) if change is Change.UPDATED else None
    attempt = an_attempt(a_notice(owner=Owner(pager=TEAM)), change, secrets=[DEFAULT, TEAM], opening=opening)
    respond = knowing(DEFAULT, status=status, body=body)
    asks, results = converse(a_destination("pagerduty"), [attempt], respond)
    first, second = [orjson.loads(_body(ask)) for ask in asks]
    assert [first.pop("routing_key"), second.pop("routing_key")] == [a_secret(TEAM), a_secret(DEFAULT)]
    assert first == second
    assert results == [Receipt(reference=a_notice().key, handles={"routing_key": DEFAULT, "refused_key": TEAM})]


@pytest.mark.parametrize(
    "errors",
    [
        ["'payload.summary' is missing or blank"],
        ["'payload.custom_details.routing_key' is too long"],
        ["'payload.summary' may not quote a routing key"],
        ["Length of 'dedup_key' is incorrect (should be at most 255 characters)"],
    ],
)
def test_a_refusal_of_the_content_is_none_of_an_owners_key(errors: list[str]) -> None:
    """It is a dead letter at once, and nothing is said of the key."""
    attempt = an_attempt(a_notice(owner=Owner(pager=TEAM)), secrets=[DEFAULT, TEAM])
    respond = knowing(DEFAULT, body={**INVALID, "errors": errors})
    asks, results = converse(a_destination("pagerduty"), [attempt], respond)
    assert len(asks) == 1
    assert isinstance(results[0], Rejected)
    assert TEAM not in str(results[0])


def test_where_the_destinations_own_key_is_refused_too_it_pauses() -> None:
    """Then nobody can be paged, whoever the owner is; the text names the destination's key."""
    attempt = an_attempt(a_notice(owner=Owner(pager=TEAM)), secrets=[DEFAULT, TEAM])
    asks, results = converse(a_destination("pagerduty"), [attempt], knowing())
    assert len(asks) == 2
    assert isinstance(results[0], Unauthorized)
    assert str(results[0]).endswith(f"check the secret {DEFAULT}")


def test_a_resolution_closes_nothing_by_another_key() -> None:
    """A page whose key is refused by now stays open there: its resolution is a dead letter that names the key."""
    opening = Receipt(handles={"routing_key": TEAM})
    attempt = an_attempt(change=Change.RESOLVED, opening=opening, secrets=[DEFAULT, TEAM])
    asks, results = converse(a_destination("pagerduty"), [attempt], knowing(DEFAULT))
    assert len(asks) == 1
    assert isinstance(results[0], Rejected)
    assert TEAM in str(results[0])


def test_what_follows_goes_by_the_key_that_took_it_last_and_a_resolution_by_both() -> None:
    """An update went by the destination's key since the owner's was refused: the page is open under both."""
    opening, background = Receipt(handles={"routing_key": TEAM}), Background(handles={"routing_key": DEFAULT})
    keys = {}
    for change in (Change.UPDATED, Change.RESOLVED):
        attempt = an_attempt(change=change, opening=opening, background=background, secrets=[DEFAULT, TEAM])
        asks, results = converse(a_destination("pagerduty"), [attempt], knowing(DEFAULT, TEAM))
        assert results == [Receipt(reference=a_notice().key, handles={"routing_key": DEFAULT})]
        keys[change] = [orjson.loads(_body(ask))["routing_key"] for ask in asks]
    assert keys == {Change.UPDATED: [a_secret(DEFAULT)], Change.RESOLVED: [a_secret(DEFAULT), a_secret(TEAM)]}


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
