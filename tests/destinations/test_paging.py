"""PagerDuty and JSM Operations: who is paged, by which key, how loud, what fits, and what an answer means."""

from collections.abc import Callable
from typing import Any, NamedTuple

import orjson
import pytest

from router.destinations.jsm_ops import MESSAGE_LIMIT
from router.domain.conversation import Ask, HttpAnswer, HttpRequest, Result
from router.domain.decisions import Change
from router.domain.deliveries import Attempt, Background, Receipt
from router.domain.errors import Rejected, Unauthorized, Unavailable
from router.domain.evidence import Evidence
from router.domain.owners import Owner
from tests.destinations.builders import a_destination, a_notice, a_secret, an_attempt
from tests.destinations.conversations import Respond, converse, payload_of, replied
from tests.destinations.goldens import asks_of

TEAM = "PAYMENTS_KEY"
OF_THE_TEAM = a_notice(owner=Owner(pager=TEAM))
INVALID = {"status": "invalid event", "message": "Event object is invalid"}
REFUSED = {**INVALID, "errors": ["Invalid routing key"]}


class Pager(NamedTuple):
    """A kind that pages: `own` is the secret of the destination's own key, `handle` what a receipt calls the key.

    `of_the_key` is how the vendor refuses a key, `of_the_content` how what is sent by it.
    """

    kind: str
    own: str
    handle: str
    key_of: Callable[[HttpRequest], str]
    accepted: HttpAnswer
    of_the_key: tuple[HttpAnswer, ...]
    of_the_content: tuple[HttpAnswer, ...]
    not_accepted: tuple[HttpAnswer, ...]

    def converse(self, attempt: Attempt, respond: Respond | None = None) -> tuple[list[HttpRequest], Result]:
        """The requests that an attempt makes, and its result; all are accepted where nothing else is said."""
        asks, (result,) = converse(a_destination(self.kind), [attempt], respond or (lambda ask: self.accepted))
        return [ask for ask in asks if isinstance(ask, HttpRequest)], result

    def attempt(self, *args: Any, secrets: tuple[str, ...] = (TEAM,), by: str | None = None, **more: Any) -> Attempt:
        """An attempt at which both keys have a value; `by` is the key by which the opening went."""
        opening = Receipt(handles={self.handle: by}) if by else None
        return an_attempt(*args, secrets=[self.own, *secrets], opening=opening, **more)

    def knowing(self, *names: str, otherwise: HttpAnswer | None = None) -> Respond:
        """A vendor that knows some keys, and answers so to any other."""
        known = {a_secret(name) for name in names}

        def respond(ask: Ask) -> HttpAnswer:
            assert isinstance(ask, HttpRequest)
            return self.accepted if self.key_of(ask) in known else otherwise or self.of_the_key[0]

        return respond


PAGERS = (
    Pager(
        "pagerduty", "PAGERDUTY_ROUTING_KEY", "routing_key", lambda ask: str(orjson.loads(ask.body)["routing_key"]),
        replied(202),
        # https://github.com/blockpane/tenderduty/issues/10, https://github.com/envato/pagerduty/issues/70
        (
            replied(400, REFUSED),
            replied(400, {**INVALID, "errors": ["'payload.class' is too long", "'routing_key' cannot contain x."]}),
            replied(400, {**INVALID, "errors": ["Length of 'routing_key' is incorrect (should be 32 characters)"]}),
            replied(401), replied(403, "a firewall's page for people"), replied(404),
        ),
        tuple(replied(400, {**INVALID, "errors": [one]}) for one in (
            "'payload.summary' is missing or blank", "'payload.custom_details.routing_key' is too long",
            "'payload.summary' may not quote a routing key",
            "Length of 'dedup_key' is incorrect (should be at most 255 characters)",
        )),
        (replied(200, "a page for people"), replied(200, {"status": "invalid event"}), replied(204)),
    ),
    Pager(
        "jsm_ops", "JSM_OPS_KEY", "key", lambda ask: ask.headers["authorization"].removeprefix("GenieKey "),
        replied(202, {"result": "Request will be processed", "took": 0.1, "requestId": "r-1"}),
        # https://docs.opsgenie.com/docs/response, https://github.com/falcosecurity/falcosidekick/issues/719
        (
            replied(401, {"message": "Could not authenticate"}), replied(402, {"message": "Your plan does not allow it"}),
            replied(403, {"message": "To perform this action, use an API key from an API integration."}),
            replied(422, {"message": "Key format is not valid!"}), replied(404, {"message": "Not found"}),
        ),
        tuple(replied(422, {"message": one}) for one in (
            "Request body is not processable", "Message must not hold a key", "keys is no field",
        )),
        (replied(200, "a page for people"), replied(200, {"result": "?"}), replied(204), replied(200, ["?"])),
    ),
)  # fmt: skip
pagers = pytest.mark.parametrize("pager", PAGERS, ids=lambda pager: pager.kind)


def sent(kind: str, **notice: Any) -> dict[str, Any]:
    """What an opening sends of a notice."""
    pager = next(one for one in PAGERS if one.kind == kind)
    (request,), _ = pager.converse(pager.attempt(a_notice(**notice)))
    return dict(orjson.loads(request.body))


type Word = Callable[[Any], object]
LOUD: dict[str, tuple[str, dict[str, Any], Word, list[object]]] = {
    "pagerduty": ("pagerduty", {}, lambda one: one["payload"]["severity"], ["critical", "error", "warning", "info", "info"]),
    "jsm_ops": ("jsm_ops", {}, lambda one: one["priority"], ["P1", "P2", "P3", "P4", "P5"]),
    "jira": (
        "jira", {}, lambda one: one["fields"]["priority"]["name"], ["Highest", "High", "Medium", "Low", "Lowest"],
    ),
    "security incidents": (
        "servicenow", {"table": "sn_si_incident"}, lambda one: one["priority"], ["1", "2", "3", "4", "5"],
    ),
    "incidents": (
        "servicenow", {}, lambda one: (one["impact"], one["urgency"]),
        [("1", "1"), ("1", "2"), ("2", "2"), ("2", "3"), ("3", "3")],
    ),
    "servicenow_events": ("servicenow_events", {}, lambda one: one["records"][0]["severity"], ["1", "2", "3", "4", "5"]),
    "teams": (
        "teams", {}, lambda one: one["attachments"][0]["content"]["body"][0]["color"],
        ["Attention", "Attention", "Warning", "Accent", "Accent"],
    ),
    "log_analytics": (
        "log_analytics", {}, lambda one: one[0]["EventSeverity"], ["High", "High", "Medium", "Low", "Informational"],
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", LOUD)
def test_severity_says_how_loud(name: str) -> None:
    """Each severity has its own; what is not known is as loud as Critical."""
    kind, config, word, words = LOUD[name]
    severities = ("Critical", "High", "Medium", "Low", "Informational", None)
    told = [asks_of(kind, a_notice(severity=one), **config)[-1] for one in severities]
    assert [word(orjson.loads(payload_of(ask))) for ask in told] == [*words, words[0]]


@pagers
def test_an_owner_with_a_pager_is_paged(pager: Pager) -> None:
    """By the owner's own key, which the receipt names; where its secret has no value the destination's own key is paged."""
    for secrets, name in (((TEAM,), TEAM), ((), pager.own)):
        (request,), result = pager.converse(pager.attempt(OF_THE_TEAM, secrets=secrets))
        assert pager.key_of(request) == a_secret(name)
        assert isinstance(result, Receipt)
        assert (result.reference, result.handles[pager.handle]) == (a_notice().key, name)
        assert "refused_key" not in result.handles


@pagers
def test_what_follows_goes_by_the_key_that_took_it_last_and_a_resolution_by_all(pager: Pager) -> None:
    """Though the resource changed hands; where an update went by the destination's own key, the page is open under both."""
    own, last = pager.own, Background(handles={pager.handle: pager.own})
    for change, background, keys in (
        (Change.UPDATED, Background(), [TEAM]),
        (Change.RESOLVED, Background(), [TEAM]),
        (Change.UPDATED, last, [own]),
        (Change.RESOLVED, last, [own, TEAM]),
    ):
        attempt = pager.attempt(a_notice(owner=None), change, by=TEAM, background=background)
        asks, result = pager.converse(attempt)
        assert list(dict.fromkeys(map(pager.key_of, asks))) == [a_secret(name) for name in keys], (change, keys)
        assert isinstance(result, Receipt) and result.handles[pager.handle] == keys[0]


@pagers
def test_a_page_opened_by_a_key_that_is_gone_or_refused_troubles_no_other_page(pager: Pager) -> None:
    """It stays open there, since no other key closes it: its resolution is a dead letter that names the key."""
    for secrets, asked in (((), 0), ((TEAM,), 1)):
        attempt = pager.attempt(None, Change.RESOLVED, by=TEAM, secrets=secrets)
        asks, result = pager.converse(attempt, pager.knowing(pager.own))
        assert (len(asks), isinstance(result, Rejected)) == (asked, True)
        assert TEAM in str(result)


@pagers
def test_a_refused_key_pauses_the_destination_if_it_is_its_own(pager: Pager) -> None:
    """Then nobody can be paged, whoever the owner is; the text has the vendor's words and names the secret."""
    for answer in pager.of_the_key:
        for attempt, asked in ((pager.attempt(), 1), (pager.attempt(OF_THE_TEAM), 2)):
            asks, result = pager.converse(attempt, lambda ask, answer=answer: answer)  # type: ignore[misc]
            if answer.status != 404:
                assert (len(asks), type(result)) == (asked, Unauthorized)
                assert str(result).endswith(f"check the secret {pager.own}")
    _, result = PAGERS[0].converse(PAGERS[0].attempt(), PAGERS[0].knowing())
    assert str(result) == (
        "pagerduty: answered 400 (Event object is invalid; Invalid routing key); check the secret PAGERDUTY_ROUTING_KEY"
    )


@pagers
@pytest.mark.parametrize("change", [Change.OPENED, Change.UPDATED])
def test_a_page_goes_by_the_destinations_own_key_where_an_owners_is_refused(pager: Pager, change: Change) -> None:
    """The same under the same key, at once; the receipt names the key that took it, and the one that did not."""
    for answer in pager.of_the_key:
        attempt = pager.attempt(OF_THE_TEAM, change, by=TEAM if change is Change.UPDATED else None)
        (first, second, *_), result = pager.converse(attempt, pager.knowing(pager.own, otherwise=answer))
        assert list(map(pager.key_of, (first, second))) == [a_secret(TEAM), a_secret(pager.own)]
        bodies = [orjson.loads(one.body) | {"routing_key": ""} for one in (first, second)]
        assert (first.url, bodies[0]) == (second.url, bodies[1])
        assert isinstance(result, Receipt)
        handles = {pager.handle: pager.own, "refused_key": TEAM}
        assert result.handles.items() >= handles.items()


@pagers
def test_a_refusal_of_the_content_is_none_of_a_key(pager: Pager) -> None:
    """It is a dead letter at once, with the vendor's words, and nothing is said of the key."""
    for answer in (*pager.of_the_content, replied(410, {"message": "Opsgenie has ended"})):
        asks, result = pager.converse(pager.attempt(OF_THE_TEAM), pager.knowing(pager.own, otherwise=answer))
        assert (len(asks), type(result)) == (1, Rejected)
        assert TEAM not in str(result)
        assert pager.converse(pager.attempt(), lambda ask, answer=answer: answer)[1].status == answer.status  # type: ignore[misc,union-attr]


@pagers
def test_only_what_was_accepted_is_a_page(pager: Pager) -> None:
    """Whatever stands in between may answer 200; nobody was paged, so it is tried again."""
    for answer in pager.not_accepted:
        _, result = pager.converse(pager.attempt(), lambda ask, answer=answer: answer)  # type: ignore[misc]
        assert isinstance(result, Unavailable), answer


def test_an_acceptance_without_an_id_of_the_vendor_is_one() -> None:
    """Somebody was paged all the same; a receipt is shown to people, and holds no more of the vendor's than a few letters."""
    pager = PAGERS[1]
    for said in (None, {"requestId": f"{a_secret(pager.own)} and more"}):
        _, result = pager.converse(pager.attempt(), lambda ask, said=said: replied(202, said))  # type: ignore[misc]
        assert result == Receipt(reference=a_notice().key, handles={"key": pager.own})


def test_opsgenie_is_the_same_by_another_address() -> None:
    """The same request goes to /v2/alerts of the account's region."""
    kind = a_destination("jsm_ops", url="https://api.eu.opsgenie.com/")
    asks, _ = converse(kind, [PAGERS[1].attempt()], lambda ask: PAGERS[1].accepted)
    assert isinstance(asks[0], HttpRequest) and asks[0].url == "https://api.eu.opsgenie.com/v2/alerts"


def test_a_summary_names_the_subject() -> None:
    """Behind the title and before the location: where a login came from, and whose; none that is not known, or too long."""
    lists = Evidence(locations=("198.51.100.23: Utrecht, Netherlands",), ips=("198.51.100.23",), accounts=("sa",))
    for evidence, subject in ((lists, ": 198.51.100.23: Utrecht, Netherlands, sa"), (Evidence(), "")):
        summary = sent("pagerduty", title="Log on from an unusual location", evidence=evidence)["payload"]["summary"]
        assert summary == f"High: Log on from an unusual location{subject} - vm-pay-01"
    here = sent("pagerduty", title="Log on", evidence=Evidence(accounts=("vm-pay-01",)))["payload"]["summary"]
    assert here == "High: Log on - vm-pay-01"
    room = MESSAGE_LIMIT - len("High: : sa - vm-pay-01")
    for title, named in (("t" * room, ": sa"), ("t" * (room + 1), "")):
        message = sent("jsm_ops", title=title, evidence=Evidence(accounts=("sa",)))["message"]
        assert message == f"High: {title}{named} - vm-pay-01"


def test_a_property_that_holds_a_list_is_told_whole() -> None:
    """Every item of JSON in a property, as a list; a property that says one thing is a text."""
    extended = {"CVSS": '{"2.0": 7.5, "3.0": 9.8}', "attempts": "42"}
    event = sent("pagerduty", extended=extended, unlisted=("attempts", "CVSS"), cvss="9.8")
    details = event["payload"]["custom_details"]
    assert (details["attempts"], details["CVSS (property)"]) == ("42", ["2.0: 7.5", "3.0: 9.8"])


def test_responders_are_filled_in() -> None:
    """By id, or at Opsgenie by name, where a user's is its username; one that comes out empty is left out.

    Without `responders` the integration's own team answers.
    """
    first = {"type": "team", "id": "4513b7ea-3b91-438f-b7e4-e3e54af9147c"}
    by_owner, user = {"type": "team", "name": "{owner.group}"}, {"type": "user", "name": "oncall@example.com"}
    kind = a_destination("jsm_ops", responders=[first, by_owner, user])
    last = {"type": "user", "username": "oncall@example.com"}
    for owner, named in (
        (a_notice().owner, [first, {"type": "team", "name": "payments-platform"}, last]),
        (None, [first, last]),
    ):
        asks, _ = converse(kind, [PAGERS[1].attempt(a_notice(owner=owner))], lambda ask: PAGERS[1].accepted)
        assert isinstance(asks[0], HttpRequest)
        assert orjson.loads(asks[0].body)["responders"] == named
    assert "responders" not in sent("jsm_ops")
