"""The webhook: signed as Standard Webhooks says, held against its own library."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone
from typing import Any

import orjson
import pytest
from pydantic import ValidationError
from standardwebhooks import Webhook, WebhookVerificationError

from router.destinations.webhook import BODY_LIMIT, WebhookConfig
from router.destinations.wording.facts import EVIDENCE
from router.domain.conversation import AccessToken, HttpRequest
from router.domain.decisions import Change
from router.domain.deliveries import Attempt, Receipt
from router.domain.errors import Unauthorized
from router.domain.evidence import Evidence
from tests.destinations.builders import a_destination, a_huge_notice, a_notice, a_secret, an_attempt
from tests.destinations.conversations import converse, replied
from tests.destinations.ocsf_schema import problems_in

NEW, OLD = "WEBHOOK_SECRET_NEXT", "WEBHOOK_SECRET"
BOTH = [{"secret": NEW}, {"secret": OLD}]


def message_of(attempt: Attempt, **config: Any) -> HttpRequest:
    """The request that an attempt makes."""
    asks, _ = converse(a_destination("webhook", **config), [attempt], lambda ask: replied(204))
    assert isinstance(asks[0], HttpRequest)
    return asks[0]


def right_now(attempt: Attempt, zone: timezone = UTC) -> Attempt:
    """The attempt made now, since the library refuses old timestamps."""
    return Attempt(delivery=attempt.delivery, number=1, now=datetime.now(zone), secrets=attempt.secrets)


@pytest.mark.parametrize("hours", [0, -7])
def test_the_librarys_receiver_verifies_it(hours: int) -> None:
    """A receiver with the same secret accepts the message, wherever the router's clock hangs."""
    request = message_of(right_now(an_attempt(secrets=[OLD]), timezone(timedelta(hours=hours))))
    verified = Webhook(a_secret(OLD)).verify(request.body, dict(request.headers))
    assert verified == orjson.loads(request.body)


def test_a_changed_body_is_not_verified() -> None:
    """A message that was changed on its way is refused."""
    request = message_of(right_now(an_attempt(secrets=[OLD])))
    with pytest.raises(WebhookVerificationError):
        Webhook(a_secret(OLD)).verify(request.body + b" ", dict(request.headers))


@pytest.mark.parametrize("name", [NEW, OLD])
def test_while_a_secret_changes_both_verify(name: str) -> None:
    """With two secrets named, a receiver may hold either."""
    request = message_of(right_now(an_attempt(secrets=[NEW, OLD])), secret=BOTH)
    Webhook(a_secret(name)).verify(request.body, dict(request.headers))


def test_the_id_stays_over_attempts() -> None:
    """The webhook-id is the delivery's key at every attempt; the timestamp is the attempt's."""
    first = an_attempt(secrets=[OLD])
    second = Attempt(delivery=first.delivery, number=2, now=first.now + timedelta(hours=1), secrets=first.secrets)
    one, two = message_of(first).headers, message_of(second).headers
    assert one["webhook-id"] == two["webhook-id"] == first.delivery.id
    assert int(two["webhook-timestamp"]) - int(one["webhook-timestamp"]) == 3600


def test_the_message_says_what_happened() -> None:
    """The type names the kind and the change; the timestamp is the event's."""
    message = orjson.loads(message_of(an_attempt(change=Change.RESOLVED, secrets=[OLD])).body)
    assert message["type"] == "alert.resolved"
    assert message["timestamp"] == a_notice().changed


def test_a_huge_notice_stays_below_20_kb_and_keeps_its_identity() -> None:
    """What no longer fits is cut; key, id and resource are whole."""
    request = message_of(an_attempt(a_huge_notice(), secrets=[OLD]))
    data = orjson.loads(request.body)["data"]
    assert len(request.body) <= 20_000
    assert [data[name] for name in ("key", "id", "resource", "severity", "type")] == [
        getattr(a_huge_notice(), name) for name in ("key", "id", "resource", "severity", "type")
    ]
    assert data["evidence"]["hosts"][-1].endswith("more]")


@pytest.mark.parametrize("over", [0, 1])
def test_a_body_at_the_limit_is_whole(over: int) -> None:
    """A body of 20,000 bytes is sent as it is; one more, and something is cut."""
    rest = len(message_of(an_attempt(a_notice(description=""), secrets=[OLD])).body)
    body = message_of(an_attempt(a_notice(description="d" * (BODY_LIMIT - rest + over)), secrets=[OLD])).body
    assert (b"[cut]" in body) == bool(over)
    assert len(body) <= BODY_LIMIT


@pytest.mark.parametrize("secret", ["whsec_", "whsec_canary%", "a canary!"])
def test_a_secret_that_is_none_pauses_the_destination(secret: str) -> None:
    """A secret of the wrong form is named, not shown."""
    attempt = an_attempt(secrets=[])
    attempt = Attempt(delivery=attempt.delivery, number=1, now=attempt.now, secrets={OLD: secret})
    asks, results = converse(a_destination("webhook"), [attempt], lambda ask: None)
    assert asks == []
    assert isinstance(results[0], Unauthorized)
    assert OLD in str(results[0])
    assert "canary" not in str(results[0])


def test_a_finding_is_signed_like_any_message() -> None:
    """An OCSF finding goes as a CloudEvent whose id is the webhook-id, and the library's receiver verifies it."""
    request = message_of(right_now(an_attempt(secrets=[OLD])), body="ocsf")
    message = Webhook(a_secret(OLD)).verify(request.body, dict(request.headers))
    assert request.headers["content-type"] == "application/cloudevents+json"
    assert message["id"] == request.headers["webhook-id"]
    assert problems_in(message["data"]) == []


@pytest.mark.parametrize("kind", ["alert", "vulnerability", "recommendation"])
def test_a_finding_keeps_its_times_however_much_is_cut(kind: str) -> None:
    """Times with microseconds are longer than what the last cut leaves of a text."""
    text, at = "\x01" * 5_000, "2026-11-24T12:00:00.123456Z"
    evidence = Evidence(**dict.fromkeys(EVIDENCE, (text,) * 20))
    told = {"title": text, "description": text, "remediation": (text,) * 20, "reason": text, "compromised_entity": text}
    extended = {f"key-{number}": text for number in range(40)}
    notice = a_notice(kind=kind, changed=at, started=at, ended=at, evidence=evidence, extended=extended, **told)
    finding = orjson.loads(message_of(an_attempt(notice, secrets=[OLD]), body="ocsf").body)["data"]
    assert finding["time"] == 1_795_521_600_123


@pytest.mark.parametrize("kind", ["alert", "vulnerability", "recommendation"])
def test_a_huge_finding_stays_below_20_kb_and_is_one(kind: str) -> None:
    """What no longer fits is cut with a mark, within the form; the key and the resource are whole."""
    request = message_of(an_attempt(a_huge_notice(kind=kind), secrets=[OLD]), body="ocsf")
    message = orjson.loads(request.body)
    assert len(request.body) <= BODY_LIMIT
    assert b"[cut]" in request.body
    assert problems_in(message["data"]) == []
    assert message["subject"] == message["data"]["metadata"]["correlation_uid"] == a_notice().key
    assert message["data"]["resources"][0]["uid"] == a_notice().resource


@pytest.mark.parametrize("over", [0, 1])
def test_a_finding_at_the_limit_is_whole(over: int) -> None:
    """A body of 20,000 bytes is sent as it is; one more, and something is cut."""
    rest = len(message_of(an_attempt(a_notice(description="d"), secrets=[OLD]), body="ocsf").body) - 1
    notice = a_notice(description="d" * (BODY_LIMIT - rest + over))
    body = message_of(an_attempt(notice, secrets=[OLD]), body="ocsf").body
    assert (b"[cut]" in body) == bool(over)
    assert len(body) <= BODY_LIMIT


@pytest.mark.parametrize("name", ["key", "id"])
def test_a_finding_cut_to_the_bone_keeps_its_key(name: str) -> None:
    """Where every text takes six bytes a character, the signal key is whole, and so is the delivery's."""
    long = "\x01" * 5_000
    names = ("title", "id", "type", "link", "reason", "plan", "status", "measure", "cause", "rulebook", "product")
    evidence = Evidence(**dict.fromkeys(Evidence.__dataclass_fields__, (long,)))
    extended = {f"{number}{long}": long for number in range(50)}
    notice = a_notice(**dict.fromkeys(names, long), evidence=evidence, extended=extended)
    attempt = an_attempt(notice, secrets=[OLD])
    request = message_of(attempt, body="ocsf")
    message = orjson.loads(request.body)
    assert len(request.body) <= BODY_LIMIT
    told = {"key": message["data"]["metadata"]["correlation_uid"], "id": message["id"]}
    assert told[name] == {"key": a_notice().key, "id": attempt.delivery.id}[name]


HEADER = {"header": "X-Api-Key", "value": {"secret": "GATEWAY_KEY"}}


@pytest.mark.parametrize(
    ("auth", "header", "expected"),
    [
        (HEADER, "x-api-key", a_secret("GATEWAY_KEY")),
        ({"header": "Authorization", "value": {"secret": "GATEWAY_KEY"}}, "authorization", a_secret("GATEWAY_KEY")),
        ({"bearer": {"secret": "GATEWAY_KEY"}}, "authorization", f"Bearer {a_secret('GATEWAY_KEY')}"),
    ],
)
def test_a_gateway_is_told_who_we_are(auth: dict[str, Any], header: str, expected: str) -> None:
    """Beside the signature stands what the gateway asks for, and nothing else changes."""
    attempt = an_attempt(secrets=[OLD, "GATEWAY_KEY"])
    plain, told = message_of(attempt), message_of(attempt, auth=auth)
    assert told.headers == {**plain.headers, header: expected}
    assert told.body == plain.body
    assert expected not in repr(told)


def test_a_gateway_may_want_a_clients_token() -> None:
    """OAuth 2.0 client credentials work as they do with any vendor."""
    client = {"client_id": "us", "client_secret": {"secret": "GATEWAY_KEY"}, "token_url": "https://example.com/token"}
    asks, results = converse(
        a_destination("webhook", auth=client),
        [an_attempt(secrets=[OLD, "GATEWAY_KEY"])],
        lambda ask: "token" if isinstance(ask, AccessToken) else replied(204),
    )
    assert isinstance(asks[1], HttpRequest)
    assert asks[1].headers["authorization"] == "Bearer token"
    assert results == [Receipt(reference=an_attempt().delivery.id)]


@pytest.mark.parametrize("value", ["canary\r\nx: y", "canary\u00e9", None])
def test_a_header_that_cannot_be_sent_pauses_the_destination(value: str | None) -> None:
    """A secret that is missing, or that could smuggle another header in, is named and not shown."""
    secrets = {OLD: a_secret(OLD)} | ({"GATEWAY_KEY": value} if value else {})
    attempt = Attempt(delivery=an_attempt().delivery, number=1, now=an_attempt().now, secrets=secrets)
    asks, results = converse(a_destination("webhook", auth=HEADER), [attempt], lambda ask: None)
    assert asks == []
    assert isinstance(results[0], Unauthorized)
    assert "GATEWAY_KEY" in str(results[0])
    assert "canary" not in str(results[0])


@pytest.mark.parametrize("header", ["Content-Type", "webhook-signature", "Host", "traceparent", "x key", "x:", ""])
def test_a_header_of_the_routers_own_is_a_problem(header: str) -> None:
    """A policy cannot replace what the router sets itself, nor name what is no header."""
    example = WebhookConfig.model_json_schema()["examples"][0]
    with pytest.raises(ValidationError, match=r"header|match pattern"):
        WebhookConfig.model_validate(example | {"auth": HEADER | {"header": header}})


def test_a_header_written_out_is_a_problem_at_its_own_place() -> None:
    """The problem is found where the value stands, and does not repeat it."""
    example = WebhookConfig.model_json_schema()["examples"][0]
    with pytest.raises(ValidationError, match="never written") as refused:
        WebhookConfig.model_validate(example | {"auth": HEADER | {"value": "hunter2"}})
    (problem,) = refused.value.errors()
    assert [step for step in problem["loc"] if step in ("auth", *HEADER)] == ["auth", "value"]
    assert "hunter2" not in str(refused.value)
