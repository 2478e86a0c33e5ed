"""The webhook: signed as Standard Webhooks says, held against its own library."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone
from typing import Any

import orjson
import pytest
from standardwebhooks import Webhook, WebhookVerificationError

from router.destinations.webhook import BODY_LIMIT
from router.domain.asks import HttpRequest
from router.domain.decisions import Change
from router.domain.errors import Rejected, Unauthorized
from router.domain.notices import Attempt
from tests.destinations.builders import a_destination, a_huge_notice, a_notice, a_secret, an_attempt
from tests.destinations.conversations import converse, replied

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


def test_a_receiver_that_is_gone_is_final() -> None:
    """410 Gone ends the delivery."""
    _, results = converse(a_destination("webhook"), [an_attempt(secrets=[OLD])], lambda ask: replied(410))
    assert isinstance(results[0], Rejected)
