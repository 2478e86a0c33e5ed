"""The pieces of configs: addresses and secrets."""

from __future__ import annotations

import pytest
from pydantic import TypeAdapter, ValidationError

from router.destinations import discover
from router.destinations.config import Auth, BasicAuth, BearerAuth, ClientCredentials, HttpsUrl, Origin, SecretName
from router.rulebook.validation_messages import complaints_of

urls = TypeAdapter[str](HttpsUrl)
auths = TypeAdapter[BearerAuth | BasicAuth | ClientCredentials](Auth)


@pytest.mark.parametrize(
    ("written", "read"),
    [
        ("https://EXAMPLE.com/Path/", "https://example.com/Path/"),
        ("https://example.com:443", "https://example.com"),
        ("https://example.com:8443/x", "https://example.com:8443/x"),
        ("http://localhost:8080", "http://localhost:8080"),
        ("http://127.0.0.1:8080", "http://127.0.0.1:8080"),
        ("http://127.9.9.9", "http://127.9.9.9"),
        ("http://[::1]:80/x", "http://[::1]:80/x"),
    ],
)
def test_an_address_is_https_or_loopback(written: str, read: str) -> None:
    """Https goes anywhere, http to this machine; equal places are written alike."""
    assert urls.validate_python(written) == read


@pytest.mark.parametrize(
    "written",
    [
        "http://example.com",
        "http://128.0.0.1",
        "http://127.0.0.1.example.com",
        "http://localhost.example.com",
        "http://169.254.169.254/metadata",
        "ftp://example.com",
        "https://",
        "https://user:password@example.com",
        "https://@example.com",
        "https://example.com?sig=abc",
        "https://example.com#x",
        "https://example.com:99999",
        "https://example.com/a b",
        "https://exam\nple.com",
        "https://ex\u00e4mple.com",
        "https://[::1",
        "https://[hunter2]/hook",
        "https://a..b/hook",
        f"https://{'a' * 64}.example.com",
        "https://-a.example.com",
        "example.com",
        "",
    ],
)
def test_any_other_address_is_a_problem(written: str) -> None:
    """No plain http to another machine, no user, no query, nothing that a parser might read differently."""
    with pytest.raises(ValidationError) as refused:
        urls.validate_python(written)
    assert "hunter2" not in refused.value.errors(include_input=False)[0]["msg"]


@pytest.mark.parametrize("name", ["A", "PAGERDUTY_ROUTING_KEY", "KEY2"])
def test_a_secret_is_a_name(name: str) -> None:
    """A secret is named as app settings are."""
    assert SecretName(secret=name).secret == name


@pytest.mark.parametrize("name", ["", "key", "2KEY", "MY-KEY", "KEY\n", "_KEY"])
def test_what_is_no_name_may_be_a_secret(name: str) -> None:
    """What does not look like a name is refused."""
    with pytest.raises(ValidationError):
        SecretName(secret=name)


OAUTH = {"client_id": "us", "client_secret": {"secret": "S"}, "token_url": "https://example.com/token"}


@pytest.mark.parametrize("written", ["https://example.com/path", "https://example.com?x=1", "http://example.com"])
def test_an_origin_is_a_host_alone(written: str) -> None:
    """The path of a secret address is part of the secret."""
    with pytest.raises(ValidationError):
        TypeAdapter[str](Origin).validate_python(written)
    assert TypeAdapter[str](Origin).validate_python("https://EXAMPLE.com/") == "https://example.com"


def test_auth_is_a_token_a_user_or_a_client() -> None:
    """The form is told by its keys, and a problem speaks of that form alone."""
    assert isinstance(auths.validate_python({"bearer": {"secret": "TOKEN"}}), BearerAuth)
    assert isinstance(auths.validate_python({"user": "u", "password": {"secret": "P"}}), BasicAuth)
    assert isinstance(auths.validate_python({"user": {"secret": "U"}, "password": {"secret": "P"}}), BasicAuth)
    assert isinstance(auths.validate_python(OAUTH), ClientCredentials)
    assert isinstance(auths.validate_python(ClientCredentials.model_validate(OAUTH)), ClientCredentials)
    with pytest.raises(ValidationError) as refused:
        auths.validate_python({"bearer": "hunter2"})
    assert refused.value.error_count() == 1


@pytest.mark.parametrize(
    ("written", "key"),
    [
        ({"user": "router", "password": "hunter2"}, "password"),
        ({"user": {"secret": "NAME"}, "password": "hunter2"}, "password"),
        ({"bearer": "hunter2"}, "bearer"),
        ({"client_id": "x", "client_secret": "hunter2", "token_url": "https://soc.example"}, "client_secret"),
    ],
)
def test_a_secret_that_is_written_out_is_blamed_at_its_own_key(written: dict[str, object], key: str) -> None:
    """What a form is called within is no key of it, so no other key is blamed."""
    config = discover()["servicenow"].Config
    asked = {"kind": "servicenow", "url": "https://soc.example", "auth": written}
    assert [complaint.path for complaint in complaints_of(config, asked)] == [("auth", key)]


def test_a_value_of_another_kind_is_told_in_the_words_of_rules() -> None:
    """Not in those of Python, which has tuples."""
    written = {"kind": "email", "host": "soc.example", "from": "a@soc.example", "to": "b@soc.example", "port": "abc"}
    complaints = complaints_of(discover()["email"].Config, written)
    assert {(complaint.path, complaint.message) for complaint in complaints} == {
        (("to",), "must be a list; put it in [ ]"),
        (("port",), "must be a whole number"),
    }
