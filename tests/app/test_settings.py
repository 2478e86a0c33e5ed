"""Where secrets, and the ways to storage and hubs, come from."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta
from pathlib import Path

import pytest

from router.app.settings import HubConnection, Lack, Settings, Why
from router.domain.decisions import Outcome
from router.domain.errors import BadSetting
from router.store.retention import DAYS, Retention

RETENTION, LEASE, GRACE = "ALERT_ROUTER_RETENTION", "ALERT_ROUTER_LEASE", "ALERT_ROUTER_GRACE"
NAMESPACE, HUBS = "EVENT_HUBS__fullyQualifiedNamespace", "EVENT_HUBS"
MANAGEMENT, LOGS = "ALERT_ROUTER_RESOURCE_MANAGER", "ALERT_ROUTER_LOG_ANALYTICS"
KEPT = {Outcome.BELOW_FLOOR: timedelta(days=30), Outcome.ROUTED: timedelta(days=9999)}

READ: tuple[tuple[str, Mapping[str, str], str, object], ...] = (
    ("a lease in seconds", {LEASE: "90"}, "lease", timedelta(seconds=90)),
    ("a fraction of a second", {LEASE: "0.5"}, "lease", timedelta(seconds=0.5)),
    ("a lease of a day", {LEASE: "86400"}, "lease", timedelta(days=1)),
    ("blank is the usual lease", {LEASE: " "}, "lease", None),
    ("a grace in seconds", {GRACE: "90"}, "grace", timedelta(seconds=90)),
    ("a grace of a day", {GRACE: "86400"}, "grace", timedelta(days=1)),
    ("blank is the usual grace", {GRACE: " "}, "grace", None),
    ("where the rules are", {"ALERT_ROUTER_RULES": "/mine"}, "rules", Path("/mine")),
    ("blank names no rules", {"ALERT_ROUTER_RULES": ""}, "rules", None),
    ("authorities in a file", {"ALERT_ROUTER_CA_FILE": "/ca.pem"}, "ca_file", "/ca.pem"),
    ("blank names no authorities", {"ALERT_ROUTER_CA_FILE": " "}, "ca_file", None),
    ("six sends at a time, the most, without a setting", {}, "at_a_time", None),
    ("fewer sends at a time", {"ALERT_ROUTER_AT_A_TIME": " 2\n"}, "at_a_time", 2),
    ("the identity of the host's storage", {"AzureWebJobsStorage__clientId": "one"}, "identity", "one"),
    (
        "an identity for hubs by itself",
        {NAMESPACE: "n.servicebus.windows.net", "EVENT_HUBS__clientId": "two", "AzureWebJobsStorage__clientId": "one"},
        "hubs",
        HubConnection(namespace="n.servicebus.windows.net", client_id="two"),
    ),
    ("a connection string beats an identity", {NAMESPACE: "n", HUBS: " way\n"}, "hubs", HubConnection("way")),
    ("decisions stay as long as ever", {}, "retention", Retention()),
    ("blank says nothing of decisions", {RETENTION: " "}, "retention", Retention()),
    (
        "days by outcome",
        {RETENTION: " below_floor = 30,routed=9999,\n"},
        "retention",
        Retention(decisions={**DAYS, **KEPT}),
    ),
    *(
        (f"{name} {written}", {name: written}, attribute, found)
        for name, attribute in ((MANAGEMENT, "resource_manager"), (LOGS, "log_analytics"))
        for written, found in (
            ("https://management.usgovcloudapi.net", "https://management.usgovcloudapi.net"),
            ("https://Management.Azure.com/", "https://management.azure.com"),
            ("http://127.0.0.1:8080", "http://127.0.0.1:8080"),
            (" ", None),
        )
    ),
)

STATE = "ALERT_ROUTER_STATE"
NO_DAYS = "is no number of days from 1 to 9999"
REFUSED: tuple[tuple[Mapping[str, str], str, str], ...] = (
    ({STATE: "postgresql://soc:s3cret/@pg.contoso.com/alerts"}, "state",
     f"{STATE}: is no address of a database; write postgresql://ROLE@HOST/DATABASE"),
    ({STATE: "@Microsoft.KeyVault(VaultName=v;SecretName=s3cret)"}, "state", f"{STATE}: is still a reference to Key Vault"),
    ({}, "hubs", f"EVENT_HUBS: is not set; set {NAMESPACE}, or "),
    ({NAMESPACE: "n.servicebus.Example"}, "hubs", f"{NAMESPACE}: 'n.servicebus.Example' ends in .example, "),
    ({HUBS: "Endpoint=sb://n.servicebus.example/;SharedAccessKeyName=k;SharedAccessKey=s3cret"}, "hubs",
     f"{HUBS}: 'n.servicebus.example' ends in .example, "),
    *(({NAMESPACE: host}, "hubs", f"{NAMESPACE}: {host!r} is no host name")
      for host in ("sb://n.servicebus.windows.net/", "n.servicebus.windows.net:5671", "a b")),
    *(({name: written}, read, f"{name}: {written!r} is no number of seconds")
      for name, read in ((LEASE, "lease"), (GRACE, "grace"))
      for written in ("0", "-1", "86401", "soon", "nan", "inf", "1 minute")),
    *(({"ALERT_ROUTER_AT_A_TIME": written}, "at_a_time", f"ALERT_ROUTER_AT_A_TIME: {written!r} is no number from 1 to 6")
      for written in ("0", "7", "-1", "2.5", "many", "\u0663")),
    *(({MANAGEMENT: written}, "resource_manager", f"{MANAGEMENT}: ")
      for written in ("management.azure.com", "http://management.azure.com", "https://a.test/x", "https://u@a.test",
                      "https://a.example")),
    *(({RETENTION: written}, "retention", f"{RETENTION}: {said}")
      for written, said in (
          ("30", "'30' is no outcome; one of quarantined, resolved, noted, below_floor, suppressed, routed, repeat"),
          ("Routed=30", "'Routed' is no outcome; "),
          ("routed=30,=5", "'' is no outcome; "),
          ("routed", f"routed: '' {NO_DAYS}"),
          *((f"routed={days}", f"routed: {days!r} {NO_DAYS}") for days in ("0", "10000", "90d", "3\u0663")),
          ("routed=30,noted=5,routed=60", "routed: is there twice; say its days once"),
      )),
)  # fmt: skip


def test_a_setting_is_read(subtests: pytest.Subtests) -> None:
    """Both sides of each bound; blank says nothing."""
    for name, values, attribute, expected in READ:
        with subtests.test(name):
            assert getattr(Settings(values), attribute) == expected


def test_a_setting_that_holds_nonsense_is_named_in_one_line_and_no_secret_is_shown(subtests: pytest.Subtests) -> None:
    """Before anything is opened or asked: a mistake is not found out when the record is gone, or a token with a stranger."""
    for values, attribute, said in REFUSED:
        with subtests.test(said, values=values):
            with pytest.raises(BadSetting) as refused:
                getattr(Settings(values), attribute)
            assert str(refused.value).startswith(said)
            assert len(str(refused.value).splitlines()) == 1
            assert "s3cret" not in str(refused.value)


def test_every_missing_secret_is_named_at_once() -> None:
    """Blank is missing, too; what is there is found all the same, without the line end that `echo` put into the vault."""
    for values in ({}, {"ONE": ""}, {"ONE": " \n"}):
        found = Settings({**values, "THREE": " x\n"}).look_up(["TWO", "ONE", "THREE"])
        assert found.values == {"THREE": "x"}
        assert found.lacks == (Lack("ONE", Why.MISSING), Lack("TWO", Why.MISSING))


def test_a_reference_that_leads_to_nothing_is_said_apart_from_what_is_missing() -> None:
    """Where a vault has no such secret, the platform leaves the reference; no vendor is ever sent that as a password."""
    found = Settings({"KEY": " @Microsoft.KeyVault(VaultName=v;SecretName=key)"}).look_up(["KEY", "OTHER"])
    assert found.values == {}
    assert list(map(str, found.lacks)) == ["KEY is still a reference to Key Vault", "OTHER is missing"]


def test_settings_never_show_their_values() -> None:
    """A repr may end in a log."""
    settings = Settings({STATE: "postgresql://soc:canary@pg.contoso.com/alerts", HUBS: "canary"})
    found = settings.look_up([HUBS])
    assert found.values == {HUBS: "canary"}
    assert "canary" not in repr(settings) + repr(settings.state) + repr(settings.hubs) + repr(found)
