"""The pieces of configs: addresses and secrets; and who we are to a vendor: tokens of a client, addresses that are secrets."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import replace
from itertools import product
from typing import Any

import pytest
from pydantic import TypeAdapter, ValidationError

from router.destinations import discover
from router.destinations.config import Auth, BasicAuth, BearerAuth, ClientCredentials, HttpsUrl, Origin, SecretName
from router.destinations.requests import secret_url
from router.domain.conversation import AccessToken, Ask, HttpRequest
from router.domain.deliveries import Attempt, Receipt
from router.domain.errors import Unauthorized
from router.rulebook.validation_messages import complaints_of
from tests.destinations.builders import a_delivery, a_destination, a_secret, an_attempt, examples_of
from tests.destinations.conversations import Answer, converse, replied

urls, origins = TypeAdapter[str](HttpsUrl), TypeAdapter[str](Origin)
auths = TypeAdapter[BearerAuth | BasicAuth | ClientCredentials](Auth)

ADDRESSES = {
    "https://EXAMPLE.com/Path/": "https://example.com/Path/", "https://example.com:443": "https://example.com",
    "https://example.com:8443/x": "https://example.com:8443/x", "http://localhost:8080": "http://localhost:8080",
    "http://127.0.0.1:8080": "http://127.0.0.1:8080", "http://127.9.9.9": "http://127.9.9.9",
    "http://[::1]:80/x": "http://[::1]:80/x",
}  # fmt: skip
"""Addresses as they are written, and as they are read: equal places are written alike."""

NO_ADDRESSES = (
    "http://example.com", "http://128.0.0.1", "http://127.0.0.1.example.com", "http://localhost.example.com",
    "http://169.254.169.254/metadata", "ftp://example.com", "https://", "https://user:password@example.com",
    "https://@example.com", "https://example.com?sig=abc", "https://example.com#x", "https://example.com:99999",
    "https://example.com/a b", "https://exam\nple.com", "https://ex\u00e4mple.com", "https://[::1",
    "https://[hunter2]/hook", "https://a..b/hook", f"https://{'a' * 64}.example.com", "https://-a.example.com",
    "example.com", "",
)  # fmt: skip


def test_an_address_is_https_or_loopback() -> None:
    """Https goes anywhere, http to this machine; no user, no query, nothing that a parser might read differently.

    An origin is a host alone: the path of a secret address is part of the secret.
    """
    assert {written: urls.validate_python(written) for written in ADDRESSES} == ADDRESSES
    for written in NO_ADDRESSES:
        with pytest.raises(ValidationError) as refused:
            urls.validate_python(written)
        assert "hunter2" not in refused.value.errors(include_input=False)[0]["msg"]
    assert origins.validate_python("https://EXAMPLE.com/") == "https://example.com"
    for written in ("https://example.com/path", "https://example.com?x=1", "http://example.com"):
        with pytest.raises(ValidationError):
            origins.validate_python(written)


def test_a_secret_is_a_name() -> None:
    """A secret is named as app settings are; what does not look like a name is refused."""
    for name in ("A", "PAGERDUTY_ROUTING_KEY", "KEY2"):
        assert SecretName(secret=name).secret == name
    for name in ("", "key", "2KEY", "MY-KEY", "KEY\n", "_KEY"):
        with pytest.raises(ValidationError):
            SecretName(secret=name)


CLIENT = {"client_id": "us", "client_secret": {"secret": "SN_SECRET"}, "token_url": "https://example.com/token"}
FOUND = {"result": [{"sys_id": "1", "number": "INC1", "correlation_id": a_delivery().key, "active": "true"}]}


def test_auth_is_a_token_a_user_or_a_client() -> None:
    """The form is told by its keys, and a problem speaks of that form alone."""
    assert isinstance(auths.validate_python({"bearer": {"secret": "TOKEN"}}), BearerAuth)
    assert isinstance(auths.validate_python({"user": "u", "password": {"secret": "P"}}), BasicAuth)
    assert isinstance(auths.validate_python({"user": {"secret": "U"}, "password": {"secret": "P"}}), BasicAuth)
    assert isinstance(auths.validate_python(CLIENT), ClientCredentials)
    assert isinstance(auths.validate_python(ClientCredentials.model_validate(CLIENT)), ClientCredentials)
    with pytest.raises(ValidationError) as refused:
        auths.validate_python({"bearer": "hunter2"})
    assert refused.value.error_count() == 1


HEADER = {"header": "X-Api-Key", "value": {"secret": "GATEWAY_KEY"}}


def test_a_secret_that_is_written_out_is_blamed_at_its_own_key() -> None:
    """What a form is called within is no key of it, so no other key is blamed."""
    forms: list[tuple[str, Mapping[str, object], str]] = [
        ("servicenow", {"user": "router", "password": "hunter2"}, "password"),
        ("servicenow", {"user": {"secret": "NAME"}, "password": "hunter2"}, "password"),
        ("servicenow", {"bearer": "hunter2"}, "bearer"),
        ("servicenow", CLIENT | {"client_secret": "hunter2"}, "client_secret"),
        ("webhook", HEADER | {"value": "hunter2"}, "value"),
    ]
    for kind, auth, key in forms:
        found = complaints_of(discover()[kind].Config, examples_of(kind)[0] | {"auth": dict(auth)})
        assert [complaint.path for complaint in found] == [("auth", key)]


NO_SERVER = {
    "tls": ("none", "ssl"),
    "host": ("smtp.soc.example:587", "https://smtp.soc.example", "smtp.soc.example\n", "smtp..example", ""),
    "port": (0, 65_536),
    "to": (
        [], ["soc@soc.example"] * 51, "soc@soc.example", *([one] for one in (
            "SOC <soc@soc.example>", "soc@soc.example, eve@soc.example", "soc@soc.example\r\nBcc: eve@soc.example",
            "{owner.email}", "soc", "söc@soc.example", "soc@söc.example", "a@b@soc.example", ".soc@soc.example",
            "soc@soc..example",
        )),
    ),
    "from": ('"x"@soc.example', "soc@soc.example\n"),
    "auth": ({"bearer": {"secret": "TOKEN"}}, {"user": "us", "password": "hunter2"}),
}  # fmt: skip
"""Nothing that a parser of mail might read differently; cleartext to another machine; a secret that is none."""

MISTAKES: dict[str, list[tuple[dict[str, Any], str]]] = {
    "jira": [
        ({"fields": {"customfield_1": {"value": "{owner.salary}"}}}, "customfield_1: {owner.salary} is no placeholder"),
        ({"fields": {"customfield_1": ["{severity"]}}, "a brace stands alone"),
        *(({"fields": {name: ["x"]}}, "the router needs this field") for name in ("labels", "project", "issuetype")),
        ({"fields": {"Due Date": "x"}}, "match pattern"),
        ({"labels": ["{nobody}"]}, "is no placeholder"),
        ({"project": 'SEC" OR 1=1'}, "match pattern"),
        ({"priorities": {"Severe": "High"}}, "Input should be"),
    ],
    "servicenow": [
        ({"fields": {"u_x": "{owner.salary}"}}, "u_x: {owner.salary} is no placeholder"),
        ({"fields": {"u_x": "{severity"}}, "a brace stands alone"),
        *(
            ({"fields": {name: "1"}}, "the router needs this column")
            for name in ("correlation_id", "sys_id", "number", "active")
        ),
        ({"fields": {"U X": "1"}}, "match pattern"),
        # What a table has of its own hides no mistake.
        *(
            ({"table": table, "resolve": resolve}, "resolve")
            for table, resolve in product(("incident", "sn_si_incident"), ("6", ["6"], {"secret": "X"}))
        ),
    ],
    "jsm_ops": [
        ({"responders": [{"type": "team"}]}, "give one of them"),
        ({"responders": [{"type": "team", "id": "1", "name": "x"}]}, "give one of them"),
        ({"responders": [{"type": "team", "name": "{owner.salary}"}]}, "is no placeholder"),
        ({"responders": [{"type": "robot", "id": "1"}]}, "Input should be"),
    ],
    "webhook": [
        # A policy cannot replace what the router sets itself, nor name what is no header.
        *(
            ({"auth": HEADER | {"header": header}}, "header")
            for header in ("Content-Type", "webhook-signature", "Host", "traceparent", "x key", "x:", "")
        ),
        ({"auth": HEADER | {"value": "hunter2"}}, "never written"),
    ],
    # The whole address is a secret, so it is named and not written; an origin has no path.
    "slack": [
        ({"url": "https://hooks.slack.com/services/hunter2"}, "url"), ({"origin": "https://soc.example/hunter2"}, "origin"),
    ],
    "email": [({name: value}, name) for name, values in NO_SERVER.items() for value in values],
}  # fmt: skip


@pytest.mark.parametrize("kind", MISTAKES)
def test_a_mistake_in_a_config_is_a_problem(kind: str) -> None:
    """It is found when the policy is read, and a secret that stands in it is not repeated."""
    for config, problem in MISTAKES[kind]:
        with pytest.raises(ValidationError, match=re.escape(problem)) as refused:
            a_destination(kind, **config)
        assert "hunter2" not in str(refused.value), config


def test_a_value_of_another_kind_is_told_in_the_words_of_rules() -> None:
    """Not in those of Python, which has tuples."""
    written = {"kind": "email", "host": "soc.example", "from": "a@soc.example", "to": "b@soc.example", "port": "abc"}
    complaints = complaints_of(discover()["email"].Config, written)
    assert {(complaint.path, complaint.message) for complaint in complaints} == {
        (("to",), "must be a list; put it in [ ]"),
        (("port",), "must be a whole number"),
    }


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
    """The secret goes to the token's address alone; a token that was taken back is replaced once.

    A second refusal pauses the destination, as does a client without a secret, which is named.
    """
    (token, request), (result,) = ask_as_a_client(replied(200, FOUND))
    assert token == AccessToken(url="https://example.com/token", client_id="us", client_secret=a_secret("SN_SECRET"))
    assert isinstance(request, HttpRequest) and isinstance(result, Receipt)
    assert request.headers["authorization"] == "Bearer first"
    assert a_secret("SN_SECRET") not in repr((token, request))
    asks, (result,) = ask_as_a_client(replied(401), replied(200, FOUND))
    assert [one.refused for one in asks if isinstance(one, AccessToken)] == [None, "first"]
    assert isinstance(result, Receipt)
    assert isinstance(ask_as_a_client(replied(401), replied(401))[1][0], Unauthorized)
    # A token is a secret as well, though no setting holds it.
    _, (result,) = ask_as_a_client(replied(403, {"error": {"message": "the token first lacks a scope"}}))
    assert "lacks a scope" in str(result) and "first" not in str(result)
    asks, (result,) = converse(a_destination("servicenow", auth=CLIENT), [an_attempt(secrets=())], lambda ask: None)
    assert (asks, "SN_SECRET" in str(result)) == ([], True)


def knowing(**secrets: str) -> Attempt:
    """An attempt at which secrets have a value."""
    return replace(an_attempt(), secrets=secrets)


def test_a_token_that_cannot_stand_in_a_header_pauses_the_destination() -> None:
    """Somebody can mend it, and nothing is lost meanwhile."""
    destination = a_destination("servicenow", auth={"bearer": {"secret": "SN_TOKEN"}})
    for value in ("k\u2013ey", "a\nb", "\udcff"):
        asks, (result,) = converse(destination, [knowing(SN_TOKEN=value)], lambda ask: None)
        assert (asks, type(result), value in str(result)) == ([], Unauthorized, False)


ELSEWHERE = (
    "https://hooks.example.com.evil.com/a", "https://evil.com/hooks.example.com", "https://hooks.example.com@evil.com/a",
    "https://evil.com\\@hooks.example.com/a", "https://user:pw@hooks.example.com/a", "http://hooks.example.com/a",
    "https://hooks.example.com:8443/a", "https://hooks.example.com/a b", "https://hooks.example.com/a#b",
    "https://[hooks", "hooks.example.com/a",
)  # fmt: skip


def test_a_secret_address_is_used_as_it_is_at_its_origin_alone() -> None:
    """Path and query are the vendor's; nothing is asked of a host that the rules do not name, and the address not repeated."""
    hook, origin = SecretName(secret="HOOK"), "https://hooks.example.com"
    for value in (f"{origin}/a/b?sig=c", "https://HOOKS.example.com:443/a/b", origin):
        assert secret_url(hook, origin, knowing(HOOK=value), "chat") == value
    for value in ELSEWHERE:
        with pytest.raises(Unauthorized) as refused:
            secret_url(hook, origin, knowing(HOOK=value), "chat")
        assert "HOOK holds no address at https://hooks.example.com" in str(refused.value)
        assert value not in str(refused.value)
