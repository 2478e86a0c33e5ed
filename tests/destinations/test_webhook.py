"""The webhook: signed as Standard Webhooks says, held against its own library."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta, timezone
from itertools import product
from typing import Any

import orjson
import pytest
from pydantic import ValidationError
from standardwebhooks import Webhook, WebhookVerificationError

from router.destinations.webhook import BODY_LIMIT
from router.destinations.wording.facts import EVIDENCE
from router.domain.conversation import AccessToken, HttpRequest
from router.domain.deliveries import Attempt
from router.domain.errors import Unauthorized
from router.domain.evidence import Evidence
from tests.destinations.builders import a_destination, a_huge_notice, a_notice, a_secret, an_attempt
from tests.destinations.conversations import converse, replied
from tests.destinations.ocsf_schema import problems_in

NEW, OLD = "WEBHOOK_SECRET_NEXT", "WEBHOOK_SECRET"
BOTH = [{"secret": NEW}, {"secret": OLD}]


def message_of(attempt: Attempt, **config: Any) -> HttpRequest:
    """The request that an attempt makes."""
    kind = a_destination("webhook", **config)
    asks, _ = converse(kind, [attempt], lambda ask: "token" if isinstance(ask, AccessToken) else replied(204))
    assert isinstance(asks[-1], HttpRequest)
    return asks[-1]


def right_now(attempt: Attempt, zone: timezone = UTC) -> Attempt:
    """The attempt made now, since the library refuses old timestamps."""
    return Attempt(delivery=attempt.delivery, number=1, now=datetime.now(zone), secrets=attempt.secrets)


@pytest.mark.parametrize("body", ["own", "ocsf"])
def test_the_librarys_receiver_verifies_it(body: str) -> None:
    """A receiver with the same secret accepts the message, wherever the router's clock hangs, and none that was changed.

    With two secrets named, a receiver may hold either. An OCSF finding goes as a CloudEvent whose id is the webhook-id.
    """
    config: dict[str, Any] = {"body": "ocsf"} if body == "ocsf" else {}
    for hours, name in product((0, -7), (OLD, NEW)):
        attempt = right_now(an_attempt(secrets=[NEW, OLD]), timezone(timedelta(hours=hours)))
        request = message_of(attempt, secret=BOTH, **config)
        verified = Webhook(a_secret(name)).verify(request.body, dict(request.headers))
        assert verified == orjson.loads(request.body)
        with pytest.raises(WebhookVerificationError):
            Webhook(a_secret(name)).verify(request.body + b" ", dict(request.headers))
        if config:
            assert request.headers["content-type"] == "application/cloudevents+json"
            assert verified["id"] == request.headers["webhook-id"]
            assert problems_in(verified["data"]) == []
    request = message_of(right_now(an_attempt(secrets=[OLD])), **config)
    Webhook(a_secret(OLD)).verify(request.body, dict(request.headers))


def test_the_id_stays_over_attempts() -> None:
    """The webhook-id is the delivery's key at every attempt; the timestamp is the attempt's."""
    first = an_attempt(secrets=[OLD])
    second = Attempt(delivery=first.delivery, number=2, now=first.now + timedelta(hours=1), secrets=first.secrets)
    one, two = message_of(first).headers, message_of(second).headers
    assert one["webhook-id"] == two["webhook-id"] == first.delivery.id
    assert int(two["webhook-timestamp"]) - int(one["webhook-timestamp"]) == 3600


def test_a_secret_that_is_none_pauses_the_destination() -> None:
    """A secret of the wrong form is named, not shown."""
    for secret in ("whsec_", "whsec_canary%", "a canary!"):
        attempt = replace(an_attempt(), secrets={OLD: secret})
        asks, (result,) = converse(a_destination("webhook"), [attempt], lambda ask: None)
        assert (asks, type(result)) == ([], Unauthorized)
        assert OLD in str(result) and "canary" not in str(result)


def test_a_finding_keeps_its_times_and_its_key_however_much_is_cut() -> None:
    """Times with microseconds are longer than what the last cut leaves of a text, which takes six bytes a character here."""
    long, at = "\x01" * 5_000, "2026-11-24T12:00:00.123456Z"
    names = (
        "title", "description", "id", "type", "link", "reason", "plan", "status", "measure", "cause", "rulebook", "product",
        "compromised_entity",
    )  # fmt: skip
    told: dict[str, Any] = dict.fromkeys(names, long) | dict.fromkeys(("changed", "started", "ended"), at)
    evidence = Evidence(**dict.fromkeys(EVIDENCE, (long,) * 20))
    extended = {f"{number}{long}": long for number in range(50)}
    for kind in ("alert", "vulnerability", "recommendation"):
        notice = a_notice(**told, kind=kind, remediation=(long,) * 20, evidence=evidence, extended=extended)
        attempt = an_attempt(notice, secrets=[OLD])
        request = message_of(attempt, body="ocsf")
        message = orjson.loads(request.body)
        assert len(request.body) <= BODY_LIMIT
        assert (message["id"], message["data"]["time"]) == (attempt.delivery.id, 1_795_521_600_123)
        assert message["data"]["metadata"]["correlation_uid"] == message["subject"] == a_notice().key
        assert message["data"]["resources"][0]["uid"] == a_notice().resource
        assert problems_in(message["data"]) == []
    data = orjson.loads(message_of(an_attempt(a_huge_notice(), secrets=[OLD])).body)["data"]
    for name in ("key", "id", "resource", "severity", "type"):
        assert data[name] == getattr(a_huge_notice(), name)
    assert data["evidence"]["hosts"][-1].endswith("more]")


HEADER = {"header": "X-Api-Key", "value": {"secret": "GATEWAY_KEY"}}


def test_a_gateway_is_told_who_we_are() -> None:
    """Beside the signature stands what the gateway asks for, and nothing else changes; it may want a client's token."""
    key = a_secret("GATEWAY_KEY")
    client = {"client_id": "us", "client_secret": {"secret": "GATEWAY_KEY"}, "token_url": "https://example.com/token"}
    attempt = an_attempt(secrets=[OLD, "GATEWAY_KEY"])
    plain = message_of(attempt)
    auths: list[tuple[dict[str, Any], str, str]] = [
        (HEADER, "x-api-key", key),
        ({**HEADER, "header": "Authorization"}, "authorization", key),
        ({"bearer": {"secret": "GATEWAY_KEY"}}, "authorization", f"Bearer {key}"),
        (client, "authorization", "Bearer token"),
    ]
    for auth, header, expected in auths:
        told = message_of(attempt, auth=auth)
        assert told.headers == {**plain.headers, header: expected}
        assert told.body == plain.body
        assert expected not in repr(told)


def test_a_header_that_cannot_be_sent_pauses_the_destination() -> None:
    """A secret that is missing, or that could smuggle another header in, is named and not shown."""
    for value in ("canary\r\nx: y", "canary\u00e9", None):
        secrets = {OLD: a_secret(OLD)} | ({"GATEWAY_KEY": value} if value else {})
        attempt = replace(an_attempt(), secrets=secrets)
        asks, (result,) = converse(a_destination("webhook", auth=HEADER), [attempt], lambda ask: None)
        assert (asks, type(result)) == ([], Unauthorized)
        assert "GATEWAY_KEY" in str(result) and "canary" not in str(result)


def test_a_header_of_the_routers_own_is_a_problem() -> None:
    """A policy cannot replace what the router sets itself, nor name what is no header, nor write a value out."""
    for header in ("Content-Type", "webhook-signature", "Host", "traceparent", "x key", "x:", ""):
        with pytest.raises(ValidationError, match=r"header|match pattern"):
            a_destination("webhook", auth=HEADER | {"header": header})
    with pytest.raises(ValidationError, match="never written") as refused:
        a_destination("webhook", auth=HEADER | {"value": "hunter2"})
    (problem,) = refused.value.errors()
    assert [step for step in problem["loc"] if step in ("auth", *HEADER)] == ["auth", "value"]
    assert "hunter2" not in str(refused.value)
