"""JSM Operations: who is paged, by which key, how loud, and what an acceptance means."""

from __future__ import annotations

from typing import Any

import orjson
import pytest
from pydantic import ValidationError

from router.destinations.jsm_ops import (
    DESCRIPTION_LIMIT,
    DETAILS_LIMIT,
    ENTITY_LIMIT,
    MESSAGE_LIMIT,
    TAG_LIMIT,
    TAGS_LIMIT,
    JsmOpsConfig,
)
from router.domain.conversation import Ask, HttpRequest
from router.domain.decisions import Change
from router.domain.deliveries import Attempt, Receipt
from router.domain.errors import Rejected, Unauthorized, Unavailable
from router.domain.notices import Notice, Tactic
from router.domain.owners import Owner
from tests.destinations.builders import a_destination, a_huge_notice, a_notice, a_secret, an_attempt
from tests.destinations.conversations import Answer, Respond, converse, replied

DEFAULT, TEAM = "JSM_OPS_KEY", "PAYMENTS_OPS_KEY"
ACCEPTED = replied(202, {"result": "Request will be processed", "took": 0.1, "requestId": "r-1"})


def asked_by(attempt: Attempt, **config: Any) -> list[HttpRequest]:
    """The requests that an attempt makes where all are accepted."""
    asks, results = converse(a_destination("jsm_ops", **config), [attempt], lambda ask: ACCEPTED)
    assert [type(result) for result in results] == [Receipt]
    return [_request(ask) for ask in asks]


def _request(ask: Ask) -> HttpRequest:
    assert isinstance(ask, HttpRequest)
    return ask


def alert_of(notice: Notice | None = None, **config: Any) -> dict[str, Any]:
    """The alert that an opening creates."""
    (request,) = asked_by(an_attempt(notice, secrets=[DEFAULT]), **config)
    return dict(orjson.loads(request.body))


@pytest.mark.parametrize(
    ("severity", "expected"),
    [("Critical", "P1"), ("High", "P2"), ("Medium", "P3"), ("Low", "P4"), ("Informational", "P5"), (None, "P1")],
)
def test_severity_says_how_loud(severity: str | None, expected: str) -> None:
    """Each severity has a priority of its own; what is not known is as loud as Critical."""
    assert alert_of(a_notice(severity=severity))["priority"] == expected


def test_an_opening_is_one_creation_under_the_signal_key() -> None:
    """The alias is what the server deduplicates by; the receipt keeps the id of the request that was accepted."""
    attempt = an_attempt(secrets=[DEFAULT])
    asks, results = converse(a_destination("jsm_ops"), [attempt], lambda ask: ACCEPTED)
    assert [_request(ask).url for ask in asks] == ["https://api.atlassian.com/jsm/ops/integration/v2/alerts"]
    assert orjson.loads(_request(asks[0]).body)["alias"] == a_notice().key
    assert results == [Receipt(reference=a_notice().key, handles={"key": DEFAULT, "request": "r-1"})]


def test_an_update_creates_again_and_then_notes() -> None:
    """An open alert counts the creation and gets the note; one that was closed, or never was, is opened with all of it."""
    create, note = asked_by(an_attempt(a_notice(turn=2, status="Active"), Change.UPDATED, secrets=[DEFAULT]))
    assert orjson.loads(create.body)["alias"] == a_notice().key
    assert "Status: Active" in orjson.loads(create.body)["description"]
    assert note.url.endswith(f"/v2/alerts/{a_notice().key}/notes?identifierType=alias")
    assert "Status: Active" in orjson.loads(note.body)["note"]


def test_a_resolution_closes_by_alias() -> None:
    """A close names the alert by the signal key and says why."""
    (close,) = asked_by(an_attempt(change=Change.RESOLVED, secrets=[DEFAULT]))
    assert close.url.endswith(f"/v2/alerts/{a_notice().key}/close?identifierType=alias")
    assert orjson.loads(close.body) == {
        "note": "Microsoft Defender for Cloud reports that this is over.",
        "source": "Microsoft Defender for Cloud",
    }


def test_opsgenie_is_the_same_by_another_address() -> None:
    """The same request goes to /v2/alerts of the account's region."""
    (request,) = asked_by(an_attempt(secrets=[DEFAULT]), url="https://api.eu.opsgenie.com/")
    assert request.url == "https://api.eu.opsgenie.com/v2/alerts"


def test_an_owner_with_a_pager_is_paged() -> None:
    """The owner's own key is used where its secret has a value, and the receipt remembers its name."""
    attempt = an_attempt(a_notice(owner=Owner(pager=TEAM)), secrets=[DEFAULT, TEAM])
    asks, results = converse(a_destination("jsm_ops"), [attempt], lambda ask: ACCEPTED)
    assert _request(asks[0]).headers["authorization"] == f"GenieKey {a_secret(TEAM)}"
    assert isinstance(results[0], Receipt)
    assert results[0].handles["key"] == TEAM


def test_an_owner_whose_pager_has_no_value_does_not_silence_the_page() -> None:
    """Where the owner's secret has no value, the destination's own key is paged."""
    (request,) = asked_by(an_attempt(a_notice(owner=Owner(pager=TEAM)), secrets=[DEFAULT]))
    assert request.headers["authorization"] == f"GenieKey {a_secret(DEFAULT)}"


@pytest.mark.parametrize("change", [Change.UPDATED, Change.RESOLVED])
def test_what_follows_goes_by_the_key_that_opened(change: Change) -> None:
    """An update or a resolution goes by the opening's key, though the resource changed hands."""
    opening = Receipt(handles={"key": TEAM})
    for request in asked_by(an_attempt(a_notice(owner=None), change, secrets=[DEFAULT, TEAM], opening=opening)):
        assert request.headers["authorization"] == f"GenieKey {a_secret(TEAM)}"


def test_an_alert_opened_by_a_key_that_is_gone_troubles_no_other_page() -> None:
    """Its resolution is a dead letter that names the key; the destination is not paused for it."""
    attempt = an_attempt(change=Change.RESOLVED, opening=Receipt(handles={"key": TEAM}), secrets=[DEFAULT])
    asks, results = converse(a_destination("jsm_ops"), [attempt], lambda ask: ACCEPTED)
    assert asks == []
    assert isinstance(results[0], Rejected)
    assert TEAM in str(results[0])


OF_THE_KEY = [
    (401, "Could not authenticate"),
    (402, "Your plan does not allow it"),
    (403, "To perform this action, use an API key from an API integration."),
    (422, "Key format is not valid!"),
]
"""How a key is refused: https://docs.opsgenie.com/docs/response, https://github.com/falcosecurity/falcosidekick/issues/719"""


@pytest.mark.parametrize(("status", "message"), OF_THE_KEY)
def test_a_refused_key_pauses_the_destination_if_it_is_its_own(status: int, message: str) -> None:
    """The text names the secret. 402 says that the plan lacks it."""
    said = replied(status, {"message": message, "took": 0.1, "requestId": "r"})
    _, results = converse(a_destination("jsm_ops"), [an_attempt(secrets=[DEFAULT])], lambda ask: said)
    assert isinstance(results[0], Unauthorized)
    assert message in str(results[0])
    assert f"check the secret {DEFAULT}" in str(results[0])


@pytest.mark.parametrize(("status", "message"), [*OF_THE_KEY, (404, "Not found")])
@pytest.mark.parametrize("change", [Change.OPENED, Change.UPDATED])
def test_a_page_goes_by_the_destinations_own_key_where_an_owners_is_refused(
    change: Change, status: int, message: str
) -> None:
    """Under the same alias, at once; the receipt names the key that took it, and the one that did not."""
    opening = Receipt(handles={"key": TEAM}) if change is Change.UPDATED else None
    attempt = an_attempt(a_notice(owner=Owner(pager=TEAM)), change, secrets=[DEFAULT, TEAM], opening=opening)
    asks, results = converse(
        a_destination("jsm_ops"), [attempt], knowing(DEFAULT, replied(status, {"message": message}))
    )
    first, second, *_ = map(_request, asks)
    assert (first.url, first.body) == (second.url, second.body)
    assert results == [
        Receipt(reference=a_notice().key, handles={"key": DEFAULT, "request": "r-1", "refused_key": TEAM})
    ]


@pytest.mark.parametrize(
    "message", ["Request body is not processable", "Message must not hold a key", "keys is no field"]
)
def test_a_refusal_of_the_content_is_none_of_an_owners_key(message: str) -> None:
    """It is a dead letter at once, and nothing is said of the key."""
    attempt = an_attempt(a_notice(owner=Owner(pager=TEAM)), secrets=[DEFAULT, TEAM])
    asks, results = converse(a_destination("jsm_ops"), [attempt], knowing(DEFAULT, replied(422, {"message": message})))
    assert len(asks) == 1
    assert isinstance(results[0], Rejected)
    assert TEAM not in str(results[0])


def test_a_resolution_closes_nothing_by_another_key() -> None:
    """An alert whose key is refused by now stays open there: its resolution is a dead letter that names the key."""
    attempt = an_attempt(change=Change.RESOLVED, opening=Receipt(handles={"key": TEAM}), secrets=[DEFAULT, TEAM])
    asks, results = converse(a_destination("jsm_ops"), [attempt], knowing(DEFAULT, replied(401)))
    assert len(asks) == 1
    assert isinstance(results[0], Rejected)
    assert TEAM in str(results[0])


def knowing(name: str, otherwise: Answer) -> Respond:
    """A vendor that knows one key, and answers so to any other."""
    known = f"GenieKey {a_secret(name)}"
    return lambda ask: ACCEPTED if _request(ask).headers["authorization"] == known else otherwise


@pytest.mark.parametrize(
    ("status", "body"), [(200, "a page for people"), (200, {"result": "?"}), (204, None), (200, ["?"])]
)
def test_only_an_acceptance_counts(status: int, body: object) -> None:
    """Whatever stands in between may answer 200; nobody was paged, so it is tried again."""
    _, results = converse(a_destination("jsm_ops"), [an_attempt(secrets=[DEFAULT])], lambda ask: replied(status, body))
    assert isinstance(results[0], Unavailable)


def test_an_acceptance_without_an_id_is_one() -> None:
    """A 202 whose body cannot be read has paged somebody all the same."""
    _, results = converse(a_destination("jsm_ops"), [an_attempt(secrets=[DEFAULT])], lambda ask: replied(202))
    assert results == [Receipt(reference=a_notice().key, handles={"key": DEFAULT})]


@pytest.mark.parametrize("status", [400, 404, 410, 422])
def test_what_the_vendor_does_not_take_is_a_dead_letter(status: int) -> None:
    """A request that is wrong, an address that is gone and an Opsgenie that has ended are final, with their words."""
    said = {"message": "Request body is not processable", "errors": {"message": "Message can not be empty."}}
    _, results = converse(a_destination("jsm_ops"), [an_attempt(secrets=[DEFAULT])], lambda ask: replied(status, said))
    assert isinstance(results[0], Rejected)
    assert results[0].status == status
    assert "not processable" in str(results[0])


@pytest.mark.parametrize("over", [0, 1])
def test_a_message_fits(over: int) -> None:
    """A message of 130 characters is whole; one more and it is cut with a mark."""
    title = "t" * (MESSAGE_LIMIT - len("High:  - vm-pay-01") + over)
    message = alert_of(a_notice(title=title))["message"]
    assert len(message) == MESSAGE_LIMIT
    assert message.endswith("[cut] - vm-pay-01") == bool(over)


@pytest.mark.parametrize("over", [0, 1])
def test_an_entity_fits(over: int) -> None:
    """A place of 512 characters is whole; one more and it is cut with a mark."""
    entity = alert_of(a_notice(resource="h" * (ENTITY_LIMIT + over)))["entity"]
    assert len(entity) == ENTITY_LIMIT
    assert entity.endswith("[cut]") == bool(over)


@pytest.mark.parametrize("over", [0, 1])
def test_a_description_fits(over: int) -> None:
    """A description of 15,000 characters is whole; one more and it is cut with a mark."""
    taken = len(alert_of(a_notice(description="d"))["description"]) - 1
    description = alert_of(a_notice(description="d" * (DESCRIPTION_LIMIT - taken + over)))["description"]
    assert len(description) == DESCRIPTION_LIMIT
    assert ("[cut]" in description) == bool(over)


@pytest.mark.parametrize("over", [0, 1])
def test_details_fit(over: int) -> None:
    """Details of 8,000 characters, names and values together, are whole; one more and the longest is cut."""
    taken = _characters(alert_of(a_notice(extended={"k": "x"}, unlisted=("k",)))["details"])
    details = alert_of(a_notice(extended={"k": "x" * (DETAILS_LIMIT - taken + 1 + over)}, unlisted=("k",)))["details"]
    assert _characters(details) <= DETAILS_LIMIT
    assert (_characters(details) == DETAILS_LIMIT) == (not over)
    assert details["k"].endswith("[cut]") == bool(over)
    assert details["severity"] == "High"


def _characters(details: dict[str, str]) -> int:
    return sum(len(name) + len(value) for name, value in details.items())


@pytest.mark.parametrize("over", [0, 1])
def test_tags_fit(over: int) -> None:
    """Twenty tags are whole; of more the first nineteen stay, and one says how many are left out."""
    techniques = tuple(f"T{number}" for number in range(TAGS_LIMIT - 4 + over))
    tags = alert_of(a_notice(techniques=techniques))["tags"]
    assert len(tags) == TAGS_LIMIT
    assert (tags[-1] == "… [2 more]") == bool(over)


@pytest.mark.parametrize("over", [0, 1])
def test_a_tag_fits(over: int) -> None:
    """A tag of 50 characters is whole; one more and it is cut with a mark."""
    tags = alert_of(a_notice(tactics=(Tactic("TA0000", "t" * (TAG_LIMIT + over)),)))["tags"]
    assert len(tags[3]) == TAG_LIMIT
    assert tags[3].endswith("[cut]") == bool(over)


@pytest.mark.parametrize("change", [Change.OPENED, Change.UPDATED])
def test_a_huge_alert_fits_whole(change: Change) -> None:
    """Everything that is too long is cut at once, in the alert and in the note, and every detail is a text."""
    create, *note = asked_by(an_attempt(a_huge_notice(), change, secrets=[DEFAULT]))
    alert = orjson.loads(create.body)
    assert len(alert["message"]) == MESSAGE_LIMIT
    assert len(alert["description"]) <= DESCRIPTION_LIMIT
    assert _characters(alert["details"]) <= DETAILS_LIMIT
    assert all(isinstance(value, str) for value in alert["details"].values())
    assert all(len(orjson.loads(one.body)["note"]) <= DESCRIPTION_LIMIT for one in note)


def test_responders_are_named_only_where_the_policy_names_them() -> None:
    """Without `responders` the integration's own team answers."""
    assert "responders" not in alert_of()


def test_responders_are_filled_in() -> None:
    """By id, or at Opsgenie by name, where a user's is its username; one that comes out empty is left out."""
    responders = [
        {"type": "team", "id": "4513b7ea-3b91-438f-b7e4-e3e54af9147c"},
        {"type": "team", "name": "{owner.group}"},
        {"type": "user", "name": "oncall@example.com"},
    ]
    first, last = {"type": "team", "id": "4513b7ea-3b91-438f-b7e4-e3e54af9147c"}, "oncall@example.com"
    named = alert_of(responders=responders)["responders"]
    assert named == [first, {"type": "team", "name": "payments-platform"}, {"type": "user", "username": last}]
    unnamed = alert_of(a_notice(owner=None), responders=responders)["responders"]
    assert unnamed == [first, {"type": "user", "username": last}]


@pytest.mark.parametrize(
    ("responder", "problem"),
    [
        ({"type": "team"}, "give one of them"),
        ({"type": "team", "id": "1", "name": "x"}, "give one of them"),
        ({"type": "team", "name": "{owner.salary}"}, "is no placeholder"),
        ({"type": "robot", "id": "1"}, "Input should be"),
    ],
)
def test_responders_with_a_mistake_are_a_problem(responder: dict[str, str], problem: str) -> None:
    """What is wrong with one is found when the policy is read."""
    with pytest.raises(ValidationError, match=problem):
        JsmOpsConfig.model_validate({"kind": "jsm_ops", "key": {"secret": "K"}, "responders": [responder]})


def test_what_is_no_id_of_a_request_is_not_kept() -> None:
    """A receipt is shown to people, and holds what the vendor says of itself in few letters."""
    attempt = an_attempt(secrets=["JSM_OPS_KEY"])
    said = {"requestId": f"{a_secret('JSM_OPS_KEY')} and more"}
    _, results = converse(a_destination("jsm_ops"), [attempt], lambda ask: replied(202, said))
    assert isinstance(results[0], Receipt)
    assert "request" not in results[0].handles
