"""Who we are to a vendor and where it is, what its answers mean, and what is said of them, without a secret."""

import html
import json
import math
import re
import time
from base64 import b64encode, urlsafe_b64encode
from collections.abc import Callable, Mapping
from copy import replace
from datetime import timedelta
from itertools import product
from pathlib import Path
from typing import Any
from urllib.parse import quote, quote_plus

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import TypeAdapter, ValidationError

from router.destinations import discover
from router.destinations.config import (
    Auth,
    BasicAuth,
    BearerAuth,
    ClientCredentials,
    HttpsUrl,
    Origin,
    SecretName,
    hosts_in,
    settings_in,
    with_setting,
)
from router.destinations.requests import EXCERPT, error_for, excerpt_of, secret_url
from router.domain.conversation import AccessToken, Ask, HttpAnswer, HttpRequest, MailStep, retry_after_in
from router.domain.deliveries import Attempt, Receipt
from router.domain.errors import Rejected, Unauthorized, Unavailable
from router.rulebook.validation_messages import complaints_of
from tests.destinations import goldens
from tests.destinations.builders import (
    NOW,
    a_delivery,
    a_destination,
    a_secret,
    an_attempt,
    examples_of,
    secret_names_in,
)
from tests.destinations.conversations import Answer, converse, in_turn, mail_answered, replied

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


def test_a_setting_stands_for_a_part_of_a_config() -> None:
    """In its own place alone; what it holds is checked as what is written."""
    asked = {"endpoint": {"setting": "LOGS"}, "rule": {"setting": "RULE"}}
    config = discover()["log_analytics"].Config.model_validate(examples_of("log_analytics")[0] | asked)
    assert settings_in(config) == {"LOGS", "RULE"}
    known = with_setting(config, "LOGS", "https://logs.example.com")
    assert (settings_in(known), hosts_in(known)) == ({"RULE"}, {"logs.example.com"})
    with pytest.raises(ValidationError):
        with_setting(config, "LOGS", "http://logs.example.com")


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


WAITS = {
    "0": 0.0, "120": 120.0, "1.5": 1.5, "Tue, 24 Nov 2026 12:01:30 GMT": 60.0, "Tue, 24 Nov 2026 11:00:00 GMT": 0.0,
    "Tue, 24 Nov 2026 05:01:30 -0700": 60.0, "999999999": 999_999_999.0, "9" * 400: None, "-5": None,
    "Mon, 01 Jan 99999999999999999999 00:00:00 GMT": None, "Tue, 24 Nov 2026 12:01:30 +99999999999999": None,
    "soon": None, "": None,
}  # fmt: skip


@given(st.text(max_size=60))
def test_retry_after_is_seconds_from_now(written: str) -> None:
    """Both forms of Retry-After are understood, bounded, and nonsense is no wish; none whatever makes trouble."""
    waits = {
        one: retry_after_in(HttpAnswer(status=503, headers={"retry-after": one}), NOW) for one in (written, *WAITS)
    }
    seconds = waits.pop(written) if written not in WAITS else None
    assert waits == WAITS
    assert seconds is None or 0 <= seconds < math.inf
    assert seconds is None or NOW + timedelta(seconds=seconds) >= NOW


@given(st.integers(100, 599), st.binary(max_size=400))
def test_an_error_is_one_bounded_line(status: int, body: bytes) -> None:
    """Whatever a vendor answers, the error is one line that starts with the kind."""
    error = error_for(HttpAnswer(status=status, body=body), "webhook", an_attempt())
    if 200 <= status < 300:
        assert error is None
    else:
        assert str(error).startswith(f"webhook: answered {status}")
        assert len(str(error).splitlines()) == 1
        assert len(str(error)) < EXCERPT + 150


SAID = {
    b'{"message": "Slow down"}': " (Slow down)", b'{"error": {"code": "X", "message": "Too big"}}': " (Too big)",
    b'{"errors": ["one", "two"]}': " (one; two)", b"plain\n words": " (plain words)", b"<html>people only</html>": "",
    b'{"code": 7, "reason": "no such field"}': ' ({"code": 7, "reason": "no such field"})',
    b'{"ok": false, "token": "hUnter2Canary"}': ' ({"ok": false, "token": "[masked]"})', b"{}": "", b"[]": "", b"": "",
    b'"see /hook?token=abc&x=1 please"': " (see /hook please)",
    b'"Authorization: Bearer abc.def refused"': " (Authorization: Bearer *** refused)",
    # Errors stand in lists and logs, and a vendor may say back what it was sent of a notice.
    b'"bad field: ran tool --password hUnter2Canary -v"': " (bad field: ran tool --password [masked] -v)",
}  # fmt: skip


def test_the_vendors_own_words_are_told() -> None:
    """The message inside an error is told, without pages for people, URL queries and credentials; 5xx waits as it wishes."""
    for body, said in SAID.items():
        error = error_for(HttpAnswer(status=503, body=body, headers={"retry-after": "7"}), "webhook", an_attempt())
        assert str(error) == f"webhook: answered 503{said}"
        assert isinstance(error, Unavailable) and error.retry_after == 7


def test_a_secret_is_not_told_in_pieces() -> None:
    """A secret at the edge of the excerpt is gone before the excerpt is cut."""
    body = ("x" * (EXCERPT - 20) + a_secret("SECRET")).encode()
    text = str(error_for(HttpAnswer(status=500, body=body), "webhook", an_attempt()))
    assert a_secret("SECRET")[:12] not in text


PASSWORD = "pa55/word & <more>?"
SHOWN = [
    quote(PASSWORD, safe=""),
    quote(PASSWORD, safe="").lower(),
    quote(quote(PASSWORD, safe=""), safe=""),
    quote_plus(PASSWORD),
    html.escape(PASSWORD),
    html.escape(html.escape(PASSWORD)),
    "".join(f"&#{ord(one)};" for one in PASSWORD),
    "".join(f"&#x{ord(one):02X};" for one in PASSWORD),
    PASSWORD.replace("/", r"\/").replace("&", r"\u0026"),
    json.dumps(json.dumps(PASSWORD.replace("/", r"\/"))),
    "".join(rf"\u{ord(one):04X}" for one in PASSWORD),
    "".join(rf"\\u{ord(one):04x}" for one in PASSWORD),
    "".join(rf"\x{ord(one):02x}" for one in PASSWORD),
    "".join(rf"%u{ord(one):04X}" for one in PASSWORD),
    "".join(rf"\{ord(one):03o}" for one in PASSWORD),
    PASSWORD.encode().hex(),
    PASSWORD.encode().hex(":").upper(),
    ", ".join(f"0x{one:02X}" for one in PASSWORD.encode()),
    PASSWORD.upper(),
    quote(b64encode(PASSWORD.encode()).decode(), safe=""),
    *(b64encode(f"{user}:{PASSWORD}".encode()).decode() for user in ("", "a", "ab", "abc")),
    urlsafe_b64encode(f"ab:{PASSWORD}".encode()).decode(),
]


def said_of(shown: str, secret: str) -> str:
    """What is told of an answer that shows something, to who knows a secret."""
    attempt = replace(an_attempt(), secrets={"SECRET": secret})
    return str(error_for(HttpAnswer(status=500, body=f"saw {shown} here".encode()), "webhook", attempt))


def test_a_secret_is_not_told_in_other_letters() -> None:
    """A vendor may quote what it was sent as it came over the wire; at most the ends that it shares with others are left.

    A path or a signature out of a secret address is not told either.
    """
    for shown in SHOWN:
        text = said_of(shown, PASSWORD)
        assert "***" in text, shown
        told = text.split("saw ", 1)[1].replace("***", " ")
        assert all(shown[start : start + 10] not in told for start in range(len(shown) - 10))
    path = "/workflows/0/paths/invoke?api-version=1&sig=ab%2BcdEFGHijklMNOPqrst"
    for shown in (
        f"POST {path}",
        path,
        "wrong signature ab%2BcdEFGHijklMNOPqrst",
        "wrong signature ab+cdEFGHijklMNOPqrst",
    ):
        assert "EFGH" not in said_of(shown, f"https://example.com:443{path}")


_SIGNS = st.text("ab\\/%&=+ ;u0025\u20ac\U0001f600\ud800", min_size=6)
_ENCODERS: tuple[Callable[[str], str], ...] = (
    lambda text: quote(text, safe="", errors="replace"),
    lambda text: quote_plus(text, errors="replace"),
    html.escape,
    lambda text: json.dumps(text)[1:-1],
    lambda text: "".join(rf"\u{ord(one):04x}" if ord(one) < 1 << 16 else one for one in text),
)


@given(
    (_SIGNS | st.text(min_size=1, max_size=30)).map(lambda text: f"s{text}s"),
    st.lists(st.sampled_from(_ENCODERS), max_size=2),
)
def test_any_secret_is_found_in_any_letters(secret: str, encoders: list[Callable[[str], str]]) -> None:
    """Whatever an app setting holds, and however often a vendor escapes it."""
    shown = secret
    for encode in encoders:
        shown = encode(shown)
    attempt = replace(an_attempt(), secrets={"S": secret})
    assert excerpt_of(f"<{shown}>", attempt) == "<***>"


def test_words_of_any_length_are_looked_through_in_no_time() -> None:
    """Whoever answers decides what stands there, and every lane of the process waits meanwhile."""
    began = time.thread_time()
    error_for(HttpAnswer(status=500, body=b"?" * 65_000), "webhook", an_attempt())
    error_for(HttpAnswer(status=500, body=b"?a" * 32_000), "webhook", an_attempt())
    assert time.thread_time() - began < 2


ANSWERS: dict[str, list[dict[str, Any]]] = {}
for _line in Path(__file__).with_name("answers.ndjson").read_text(encoding="utf-8").splitlines():
    ANSWERS.setdefault(json.loads(_line)["kind"], []).append(json.loads(_line))


@pytest.mark.parametrize("kind", ANSWERS)
def test_an_answer_is_about_us_or_about_this_delivery(kind: str) -> None:
    """What no delivery would get past pauses the destination, for somebody to mend it; what is wrong with this one is dead.

    A vendor's own trouble, and what is no answer of its, is tried again later; under a success an error is none.
    """
    secrets = list(secret_names_in(examples_of(kind)[0]))
    for one in ANSWERS[kind]:
        body = orjson.dumps(one["body"]) if "body" in one else one["text"].encode()
        if "step" in one:
            answer: Answer = mail_answered(MailStep(one["step"]), one["code"], one["text"])
            beginning = f"{kind}: answered {one['code']} to the {one['step']}"
        else:
            answer, beginning = HttpAnswer(status=one["status"], body=body), f"{kind}: answered {one['status']}"
        before = goldens.answers_of(kind, "opened")[: one.get("ask", 0)]
        _, (result,) = converse(a_destination(kind), [an_attempt(secrets=secrets)], in_turn(*before, *[answer] * 3))
        assert type(result).__name__ == one["means"], (one, result)
        assert isinstance(result, Receipt) or str(result).startswith(beginning)
        assert one.get("says", "") in str(result)
        assert not isinstance(result, Rejected) or result.status == one.get("code", one.get("status"))
