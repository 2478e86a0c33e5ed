"""Where secrets, and the ways to storage and hubs, come from."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from pathlib import Path

import pytest

from router.app.settings import HubConnection, Lack, Settings, Why
from router.domain.decisions import Outcome
from router.domain.errors import BadSetting
from router.store.retention import DAYS, Retention

RETENTION = "ALERT_ROUTER_RETENTION"


def test_a_secret_is_read_without_the_line_end_that_it_was_stored_with() -> None:
    """`echo` puts a line end into a vault, and no header may hold one."""
    assert Settings({"KEY": " value\n"}).look_up(["KEY"]).values == {"KEY": "value"}


@pytest.mark.parametrize("value", [{}, {"ONE": ""}, {"ONE": " \n"}])
def test_every_missing_secret_is_named_at_once(value: dict[str, str]) -> None:
    """Blank is missing, too; what is there is found all the same."""
    found = Settings(value | {"THREE": "x"}).look_up(["TWO", "ONE", "THREE"])
    assert found.values == {"THREE": "x"}
    assert found.lacks == (Lack("ONE", Why.MISSING), Lack("TWO", Why.MISSING))


def test_a_reference_that_leads_to_nothing_is_said_apart_from_what_is_missing() -> None:
    """Where a vault has no such secret, the platform leaves the reference; no vendor is ever sent that as a password."""
    found = Settings({"KEY": " @Microsoft.KeyVault(VaultName=v;SecretName=key)"}).look_up(["KEY", "OTHER"])
    assert found.values == {}
    assert list(map(str, found.lacks)) == ["KEY is still a reference to Key Vault", "OTHER is missing"]


def test_settings_never_show_their_values() -> None:
    """A repr may end in a log."""
    values = {"ALERT_ROUTER_STATE": "postgresql://soc:canary@pg.contoso.com/alerts", "EVENT_HUBS": "canary"}
    settings = Settings(values)
    found = settings.look_up(["EVENT_HUBS"])
    assert found.values == {"EVENT_HUBS": "canary"}
    assert "canary" not in repr(settings) + repr(settings.state) + repr(settings.hubs) + repr(found)


@pytest.mark.parametrize(
    ("written", "said"),
    [
        (
            "postgresql://soc:s3cret/@pg.contoso.com/alerts",
            "is no address of a database; write postgresql://ROLE@HOST/DATABASE",
        ),
        ("@Microsoft.KeyVault(VaultName=v;SecretName=s3cret)", "is still a reference to Key Vault"),
    ],
)
def test_a_state_that_is_no_state_is_named_without_what_the_setting_holds(written: str, said: str) -> None:
    """It may hold a password."""
    with pytest.raises(BadSetting, match=f"^ALERT_ROUTER_STATE: {said}") as refused:
        _ = Settings({"ALERT_ROUTER_STATE": written}).state
    assert "s3cret" not in str(refused.value)


def test_an_identity_may_be_named() -> None:
    """For the state, by the name that the host's storage has, and for hubs, each by itself."""
    hubs = {"EVENT_HUBS__fullyQualifiedNamespace": "n.servicebus.windows.net", "EVENT_HUBS__clientId": "two"}
    settings = Settings(hubs | {"AzureWebJobsStorage__clientId": "one"})
    assert settings.identity == "one"
    assert settings.hubs == HubConnection(namespace="n.servicebus.windows.net", client_id="two")


def test_a_connection_string_beats_an_identity() -> None:
    """Who runs a local stack means it."""
    settings = Settings({"EVENT_HUBS__fullyQualifiedNamespace": "n", "EVENT_HUBS": " way\n"})
    assert settings.hubs == HubConnection("way")


@pytest.mark.parametrize("written", ["sb://n.servicebus.windows.net/", "n.servicebus.windows.net:5671", "a b"])
def test_a_namespace_that_is_no_host_is_named(written: str) -> None:
    """A scheme before it is the usual mistake."""
    with pytest.raises(BadSetting, match=r"^EVENT_HUBS__fullyQualifiedNamespace: .* is no host name"):
        _ = Settings({"EVENT_HUBS__fullyQualifiedNamespace": written}).hubs


@pytest.mark.parametrize(
    "values",
    [
        {"EVENT_HUBS__fullyQualifiedNamespace": "n.servicebus.Example"},
        {"EVENT_HUBS": "Endpoint=sb://n.servicebus.example/;SharedAccessKeyName=k;SharedAccessKey=canary"},
    ],
)
def test_hubs_that_are_nobodys_are_never_asked(values: dict[str, str]) -> None:
    """The setting is named before anything is opened, and no key is shown."""
    settings = Settings(values)
    with pytest.raises(BadSetting, match=r"^EVENT_HUBS\S*: .*\.example") as refused:
        _ = settings.hubs
    assert "canary" not in str(refused.value)


def test_hubs_that_are_not_said_name_what_to_set() -> None:
    """One setting."""
    with pytest.raises(BadSetting, match=r"^EVENT_HUBS: is not set; set EVENT_HUBS__fullyQualifiedNamespace, or "):
        _ = Settings({}).hubs


def lease(value: str) -> timedelta | None:
    """The lease that a setting means."""
    return Settings({"ALERT_ROUTER_LEASE": value}).lease


def grace(value: str) -> timedelta | None:
    """The grace that a setting means."""
    return Settings({"ALERT_ROUTER_GRACE": value}).grace


@pytest.mark.parametrize("read", [lease, grace])
def test_times_are_in_seconds(read: Callable[[str], timedelta | None]) -> None:
    """Above 0, a fraction too, and up to a day; blank means the usual one."""
    assert read("90") == timedelta(seconds=90)
    assert read("0.5") == timedelta(seconds=0.5)
    assert read("86400") == timedelta(days=1)
    assert read(" ") is None


@pytest.mark.parametrize("read", [lease, grace])
@pytest.mark.parametrize("value", ["0", "-1", "86401", "soon", "nan", "inf", "1 minute"])
def test_what_is_no_time_is_named(read: Callable[[str], timedelta | None], value: str) -> None:
    """With the setting that says it."""
    with pytest.raises(BadSetting, match=rf"^ALERT_ROUTER_(LEASE|GRACE): '{value}' is no number of seconds"):
        read(value)


def test_files_and_rules_are_read_where_they_are_named() -> None:
    """Blank names nothing."""
    named = Settings({"ALERT_ROUTER_RULES": "/mine", "ALERT_ROUTER_CA_FILE": "/ca.pem"})
    assert (named.rules, named.ca_file) == (Path("/mine"), "/ca.pem")
    blank = Settings({"ALERT_ROUTER_RULES": "", "ALERT_ROUTER_CA_FILE": " "})
    assert (blank.rules, blank.ca_file) == (None, None)


def test_a_worker_makes_as_many_sends_at_a_time_as_a_setting_says() -> None:
    """Six at most, which is what it makes without the setting."""
    assert [Settings(given).at_a_time for given in ({}, {"ALERT_ROUTER_AT_A_TIME": " 2\n"})] == [None, 2]
    for written in ("0", "7", "-1", "2.5", "many", "٣"):
        with pytest.raises(BadSetting, match=r"^ALERT_ROUTER_AT_A_TIME: .* is no number from 1 to 6$"):
            _ = Settings({"ALERT_ROUTER_AT_A_TIME": written}).at_a_time


def test_decisions_are_kept_as_long_as_a_setting_says() -> None:
    """In days by outcome; what it does not name stays as long as ever."""
    assert [Settings(given).retention for given in ({}, {RETENTION: " "})] == [Retention()] * 2
    chosen = Settings({RETENTION: " below_floor = 30,routed=9999,\n"}).retention
    named = {Outcome.BELOW_FLOOR: timedelta(days=30), Outcome.ROUTED: timedelta(days=9999)}
    assert chosen.decisions == {**DAYS, **named}


@pytest.mark.parametrize(
    ("written", "said"),
    [
        ("30", "'30' is no outcome; one of quarantined, resolved, noted, below_floor, suppressed, routed, repeat"),
        ("Routed=30", "'Routed' is no outcome; "),
        ("routed=30,=5", "'' is no outcome; "),
        ("routed", "routed: '' is no number of days from 1 to 9999"),
        ("routed=0", "routed: '0' is no number of days from 1 to 9999"),
        ("routed=10000", "routed: '10000' is no number of days from 1 to 9999"),
        ("routed=90d", "routed: '90d' is no number of days from 1 to 9999"),
        ("routed=3\u0663", "routed: '3\u0663' is no number of days from 1 to 9999"),
        ("routed=30,noted=5,routed=60", "routed: is there twice; say its days once"),
    ],
)
def test_what_says_no_days_of_an_outcome_is_named(written: str, said: str) -> None:
    """Whoever mistypes it must not find out when the record is gone."""
    with pytest.raises(BadSetting) as error:
        _ = Settings({RETENTION: written}).retention
    assert str(error.value).startswith(f"{RETENTION}: {said}")
    assert len(str(error.value).splitlines()) == 1


@pytest.mark.parametrize(
    ("written", "found"),
    [
        ("https://management.usgovcloudapi.net", "https://management.usgovcloudapi.net"),
        ("https://Management.Azure.com/", "https://management.azure.com"),
        ("http://127.0.0.1:8080", "http://127.0.0.1:8080"),
        (" ", None),
    ],
)
def test_the_endpoints_of_azure_are_hosts(written: str, found: str | None) -> None:
    """By https, or on this machine."""
    settings = Settings({"ALERT_ROUTER_RESOURCE_MANAGER": written, "ALERT_ROUTER_LOG_ANALYTICS": written})
    assert (settings.resource_manager, settings.log_analytics) == (found, found)


@pytest.mark.parametrize(
    "written",
    [
        "management.azure.com",
        "http://management.azure.com",
        "https://a.test/x",
        "https://u@a.test",
        "https://a.example",
    ],
)
def test_no_token_goes_to_what_is_no_endpoint(written: str) -> None:
    """A mistake there is told before anything is asked."""
    with pytest.raises(BadSetting, match=r"^ALERT_ROUTER_RESOURCE_MANAGER: "):
        _ = Settings({"ALERT_ROUTER_RESOURCE_MANAGER": written}).resource_manager
