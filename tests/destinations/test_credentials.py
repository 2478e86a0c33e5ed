"""Who we are, to a vendor: tokens of a client, and addresses that are secrets."""

from __future__ import annotations

from dataclasses import replace

import pytest

from router.destinations.config import SecretName
from router.destinations.requests import secret_url
from router.domain.conversation import AccessToken, Ask, HttpRequest
from router.domain.deliveries import Attempt, Receipt
from router.domain.errors import Unauthorized
from tests.destinations.builders import NOW, a_delivery, a_destination, a_secret, an_attempt
from tests.destinations.conversations import Answer, converse, replied

CLIENT = {"client_id": "us", "client_secret": {"secret": "SN_SECRET"}, "token_url": "https://example.com/token"}
FOUND = {"result": [{"sys_id": "1", "number": "INC1", "correlation_id": a_delivery().key, "active": "true"}]}


def ask_as_a_client(*answers: Answer) -> tuple[list[Ask], list[object]]:
    """What ServiceNow is asked as a client, with answers to each ask but the token's."""
    waiting, tokens = list(answers), iter(["first", "second", "third"])
    destination = a_destination("servicenow", auth=CLIENT)
    attempt = an_attempt(secrets=["SN_SECRET"])
    asks, results = converse(
        destination, [attempt], lambda ask: next(tokens) if isinstance(ask, AccessToken) else waiting.pop(0)
    )
    return asks, list(results)


def test_a_client_asks_for_a_token_and_bears_it() -> None:
    """The secret goes to the token's address alone."""
    asks, results = ask_as_a_client(replied(200, FOUND))
    token, request = asks
    assert token == AccessToken(url="https://example.com/token", client_id="us", client_secret=a_secret("SN_SECRET"))
    assert isinstance(request, HttpRequest)
    assert request.headers["authorization"] == "Bearer first"
    assert [type(result) for result in results] == [Receipt]
    assert a_secret("SN_SECRET") not in repr(asks)


def test_a_token_that_was_taken_back_is_replaced_once() -> None:
    """A vendor may do so before it expires; a second refusal pauses the destination."""
    asks, results = ask_as_a_client(replied(401), replied(200, FOUND))
    assert [one.refused for one in asks if isinstance(one, AccessToken)] == [None, "first"]
    assert [type(result) for result in results] == [Receipt]
    asks, results = ask_as_a_client(replied(401), replied(401))
    assert [type(result) for result in results] == [Unauthorized]


def test_a_token_that_is_said_back_is_not_repeated() -> None:
    """It is a secret as well, though no setting holds it."""
    _, results = ask_as_a_client(replied(403, {"error": {"message": "the token first lacks a scope"}}))
    assert "lacks a scope" in str(results[0])
    assert "first" not in str(results[0])


@pytest.mark.parametrize("value", ["k\u2013ey", "a\nb", "\udcff"])
def test_a_token_that_cannot_stand_in_a_header_pauses_the_destination(value: str) -> None:
    """Somebody can mend it, and nothing is lost meanwhile."""
    attempt = replace(an_attempt_with(value), secrets={"SN_TOKEN": value})
    destination = a_destination("servicenow", auth={"bearer": {"secret": "SN_TOKEN"}})
    asks, results = converse(destination, [attempt], lambda ask: None)
    assert (asks, [type(result) for result in results]) == ([], [Unauthorized])
    assert value not in str(results[0])


def test_a_client_without_a_secret_asks_nothing() -> None:
    """The error names the app setting."""
    asks, results = converse(a_destination("servicenow", auth=CLIENT), [an_attempt(secrets=())], lambda ask: None)
    assert asks == []
    assert "SN_SECRET" in str(results[0])


def an_attempt_with(value: str) -> Attempt:
    """An attempt at which the secret HOOK has a value."""
    return Attempt(delivery=a_delivery(), number=1, now=NOW, secrets={"HOOK": value})


@pytest.mark.parametrize(
    "value",
    ["https://hooks.example.com/a/b?sig=c", "https://HOOKS.example.com:443/a/b", "https://hooks.example.com"],
)
def test_a_secret_address_at_its_origin_is_used_as_it_is(value: str) -> None:
    """Path and query are the vendor's."""
    assert secret_url(SecretName(secret="HOOK"), "https://hooks.example.com", an_attempt_with(value), "chat") == value


@pytest.mark.parametrize(
    "value",
    [
        "https://hooks.example.com.evil.com/a",
        "https://evil.com/hooks.example.com",
        "https://hooks.example.com@evil.com/a",
        "https://evil.com\\@hooks.example.com/a",
        "https://user:pw@hooks.example.com/a",
        "http://hooks.example.com/a",
        "https://hooks.example.com:8443/a",
        "https://hooks.example.com/a b",
        "https://hooks.example.com/a#b",
        "https://[hooks",
        "hooks.example.com/a",
    ],
)
def test_a_secret_address_elsewhere_is_refused_and_not_repeated(value: str) -> None:
    """Nothing is asked of a host that the rules do not name."""
    with pytest.raises(Unauthorized) as refused:
        secret_url(SecretName(secret="HOOK"), "https://hooks.example.com", an_attempt_with(value), "chat")
    assert "HOOK holds no address at https://hooks.example.com" in str(refused.value)
    assert value not in str(refused.value)
