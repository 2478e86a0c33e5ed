"""Where secrets, and the ways to state, storage and hubs, come from; and the app in Azure, which reads two hubs in any case."""

import asyncio
import shutil
import ssl
from collections.abc import Mapping
from datetime import timedelta
from pathlib import Path

import pytest
import trustme
from aiohttp import web

from alert_router_demo.soc.endpoint import served
from router.app.certificates import authorities_for
from router.app.connections import connector_for
from router.app.optional_packages import refuse_absent
from router.app.rules import load_rules_of_hubs, new_intake, secret_names_of
from router.app.settings import HubConnection, Lack, Settings, SignIn, Why
from router.coverage.expected.manifest import NO_MANIFEST
from router.domain.decisions import Outcome
from router.domain.errors import BadFile, BadPolicy, BadSetting, BadUsage, StoreError
from router.domain.proxies import Proxy
from router.domain.signals import Stream
from router.store.conninfo import parse_address
from router.store.retention import DAYS, Retention
from tests.builders import NOW, RULES, a_message, alert_body, finding_body
from tests.store.acts import run
from tests.store.opened import Store

RETENTION, LEASE, GRACE = "ALERT_ROUTER_RETENTION", "ALERT_ROUTER_LEASE", "ALERT_ROUTER_GRACE"
NAMESPACE, HUBS = "EVENT_HUBS__fullyQualifiedNamespace", "EVENT_HUBS"
CONSOLE = "ALERT_ROUTER_CONSOLE_URL"
PROXY, NO_PROXY = "ALERT_ROUTER_PROXY", "ALERT_ROUTER_NO_PROXY"
ISSUER, CLIENT, ROLES = (f"ALERT_ROUTER_CONSOLE_{name}" for name in ("ISSUER", "CLIENT_ID", "ROLES"))
CLIENT_SECRET = "ALERT_ROUTER_CONSOLE_CLIENT_SECRET"
SIGN_IN = {CONSOLE: "https://soc.test/", ISSUER: "https://login.test/t/v2.0", CLIENT: "c", ROLES: "Reader=x"}
MANAGEMENT, LOGS = "ALERT_ROUTER_RESOURCE_MANAGER", "ALERT_ROUTER_LOG_ANALYTICS"
KEPT = {Outcome.BELOW_FLOOR: timedelta(days=30), Outcome.ROUTED: timedelta(days=9999)}

READ: tuple[tuple[str, Mapping[str, str], str, object], ...] = (
    ("a lease in seconds", {LEASE: "90"}, "lease", timedelta(seconds=90)),
    ("a fraction of a second", {LEASE: "0.5"}, "lease", timedelta(seconds=0.5)),
    ("a lease of a day", {LEASE: "86400"}, "lease", timedelta(days=1)),
    ("blank is the usual lease", {LEASE: " "}, "lease", None),
    ("a grace in seconds", {GRACE: "90"}, "grace", timedelta(seconds=90)),
    *(
        (f"the console at {written}", {CONSOLE: written}, "console_url", found)
        for written, found in (
            ("https://Alerts.contoso.com/console/", "https://Alerts.contoso.com/console"),
            ("http://127.0.0.1:8025", "http://127.0.0.1:8025"),
            (" ", None),
        )
    ),
    ("no issuer signs anybody in", {**SIGN_IN, ISSUER: " "}, "console_sign_in", None),
    *(
        (
            f"people sign in, and the console's secret is {secret!r}",
            {**SIGN_IN, CLIENT_SECRET: secret},
            "console_sign_in",
            SignIn(
                url="https://soc.test", issuer=SIGN_IN[ISSUER], client_id="c", client_secret=known, roles="Reader=x"
            ),
        )
        for secret, known in (("s3cret", "s3cret"), (" ", None))
    ),
    ("where the rules are", {"ALERT_ROUTER_RULES": "/mine"}, "rules", Path("/mine")),
    ("blank names no rules", {"ALERT_ROUTER_RULES": ""}, "rules", None),
    ("authorities in a file", {"ALERT_ROUTER_CA_FILE": "/ca.pem"}, "ca_file", "/ca.pem"),
    ("blank names no authorities", {"ALERT_ROUTER_CA_FILE": " "}, "ca_file", None),
    (
        "no proxy without a setting, whatever the system's variables say",
        {"HTTPS_PROXY": "http://p:1", NO_PROXY: "a"},
        "proxy",
        None,
    ),
    *(
        (f"a proxy at {written}", {PROXY: written, NO_PROXY: direct}, "proxy", Proxy(url, who, hosts))
        for written, direct, url, who, hosts in (
            ("http://proxy.contoso.com:3128/", " ", "http://proxy.contoso.com:3128", "", ()),
            (
                "https://a:b%40@[fd00::1]:65535",
                ".Contoso.com , 10.0.0.7",
                "https://[fd00::1]:65535",
                "a:b%40",
                ("contoso.com", "10.0.0.7"),
            ),
            ("http://a:@:b@p:1", "", "http://p:1", "a:@:b", ()),
        )
    ),
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
    *(({PROXY: written}, "proxy", f"{PROXY}: is no address of a proxy; write http://HOST:PORT, or https, ")
      for written in ("proxy.contoso.com:3128", "http://proxy.contoso.com", "socks5://p:1080", "http://p:0", "http://p:65536", "http://:1",
                      "http://:s3cret@p:1", "http://u%3A:s3cret@p:1", "http://u:s3cret/x@p:1", "http://u:s3cret@p:1/x",
                      "http://u:s3cret%C3%BC@p:1", "http://u:s3cret@p:1?x", "http://u:s3 cret@p:1", "s3cret")),
    ({PROXY: "@Microsoft.KeyVault(s3cret)"}, "proxy", f"{PROXY}: is still a reference to Key Vault, "),
    ({PROXY: "http://u:s3cret@proxy.example:1"}, "proxy", f"{PROXY}: 'proxy.example' ends in .example, "),
    *(({PROXY: "http://p:1", NO_PROXY: f"a.test,{host}"}, "proxy", f"{NO_PROXY}: {host!r} is no host, ")
      for host in ("*.contoso.com", "10.0.0.0/8", "https://a.test", "a.test:443")),
    *(({CONSOLE: written}, "console_url", f"{CONSOLE}: ")
      for written in ("alerts.contoso.com", "http://alerts.contoso.com", "ftp://localhost", "https://soc:s3cret@a.test",
                      "https://a.example", "https://a.test/?token=s3cret", "https://a.test/#s3cret")),
    *(({**SIGN_IN, name: written}, "console_sign_in", f"{name}: {said}")
      for name, written, said in (
          *((name, "", "is not set; who signs in at ALERT_ROUTER_CONSOLE_ISSUER ") for name in (CONSOLE, CLIENT, ROLES)),
          *((ISSUER, f"http{rest}", "") for rest in ("://login.test", "s://u:s3cret@login.test", "s://login.test/?s3cret=1")),
          (CONSOLE, "https://soc.test/console", "has a path; "),
          (CLIENT_SECRET, "@Microsoft.KeyVault(s3cret)", "is still a reference to Key Vault, "),
      )),
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
    # Where a vault has no such secret, the platform leaves the reference; no vendor is ever sent that as a password.
    found = Settings({"KEY": " @Microsoft.KeyVault(VaultName=v;SecretName=key)"}).look_up(["KEY", "OTHER"])
    assert found.values == {}
    assert list(map(str, found.lacks)) == ["KEY is still a reference to Key Vault", "OTHER is missing"]


def test_settings_never_show_their_values() -> None:
    """A repr may end in a log."""
    settings = Settings(
        {STATE: "postgresql://soc:canary@pg.contoso.com/alerts", HUBS: "canary", PROXY: "http://soc:canary@p:1"}
    )
    found = settings.look_up([HUBS])
    assert found.values == {HUBS: "canary"}
    assert "canary" not in repr(settings) + repr(settings.state) + repr(settings.hubs) + repr(settings.proxy) + repr(
        found
    )


AZURE = parse_address("postgresql://soc@soc.postgres.database.azure.com/alerts")


def test_what_libpq_reads_of_the_environment_counts_for_nothing(
    postgresql: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """Neither another server, nor a service, nor what a session would set."""
    (tmp_path / "service").write_text("[elsewhere]\nhost=192.0.2.1\n")
    for name, value in {
        "PGSERVICE": "elsewhere",
        "PGSERVICEFILE": str(tmp_path / "service"),
        "PGHOSTADDR": "192.0.2.1",
        "PGSSLMODE": "verify-full",
        "PGOPTIONS": "-c lock_timeout=1",
        "PGTZ": "nowhere",
        "PGAPPNAME": "psql",
        "PGCONNECT_TIMEOUT": "soon",
        "PGTARGETSESSIONATTRS": "standby",
    }.items():
        monkeypatch.setenv(name, value)

    async def asked() -> object:
        connection = await connector_for(parse_address(postgresql), Settings({})).connect()
        async with connection:
            answer = await connection.execute(
                "SELECT current_setting('application_name'), current_setting('lock_timeout'), "
                "current_setting('TimeZone') <> 'nowhere', coalesce(current_setting('transaction_timeout', true), '2min')"
            )
            return await answer.fetchone()

    assert asyncio.run(asked()) == ("alert-router", "30s", True, "2min")


def test_a_server_elsewhere_is_verified_by_the_systems_authorities_and_those_of_a_setting(tmp_path: Path) -> None:
    """Both in one file, whether the setting is there for another server or for this one."""
    trustme.CA().cert_pem.write_to_path(str(tmp_path / "ours.pem"))
    system = ssl.create_default_context(cafile=authorities_for(Settings({}))).cert_store_stats()["x509_ca"]
    both = authorities_for(Settings({"ALERT_ROUTER_CA_FILE": str(tmp_path / "ours.pem")}))
    assert ssl.create_default_context(cafile=both).cert_store_stats()["x509_ca"] == system + 1
    with pytest.raises(BadFile, match=r"gone\.pem: ALERT_ROUTER_CA_FILE names no readable file"):
        connector_for(AZURE, Settings({"ALERT_ROUTER_CA_FILE": "gone.pem"}))


def test_the_password_at_azures_servers_is_a_token_of_the_identity(monkeypatch: pytest.MonkeyPatch) -> None:
    """For that service, asked anew each time; where there is none, one line says so."""
    asked = []

    async def give(request: web.Request) -> web.Response:
        asked.append((request.query["resource"], request.query["client_id"]))
        if len(asked) > 2:
            return web.json_response({"error": "s3cret"}, status=400)
        return web.json_response(
            {"access_token": f"token-{len(asked)}", "expires_on": 1, "resource": "", "token_type": ""}
        )

    async def tokens() -> tuple[str, str, str]:
        application = web.Application()
        application.router.add_get("/token", give)
        async with served(application) as address:
            monkeypatch.setenv("IDENTITY_ENDPOINT", f"{address}/token")
            monkeypatch.setenv("IDENTITY_HEADER", "header")
            connector = connector_for(AZURE, Settings({"AzureWebJobsStorage__clientId": "the-router"}))
            assert connector.token is not None
            first, second = await connector.token(), await connector.token()
            with pytest.raises(StoreError) as refused:
                await connector.token()
            return first, second, str(refused.value)

    first, second, refused = asyncio.run(tokens())
    assert (first, second) == ("token-1", "token-2")
    assert set(asked) == {("https://ossrdbms-aad.database.windows.net", "the-router")}
    assert refused.startswith(f"{AZURE.name}: nobody is signed in to Azure, whose token would be the password (")
    assert "s3cret" not in refused


def test_what_is_not_installed_is_said_with_what_to_install() -> None:
    """By the extra that brings it."""
    with pytest.raises(
        BadUsage, match=r'^postgresql: is not installed; install "alert-router\[postgresql\] @ .*", which a state'
    ):
        refuse_absent(("router.no_such_module",), "a state in PostgreSQL", "postgresql")


def rules_without(directory: Path, stream: Stream) -> Path:
    """The starter's rules, but for those of a stream."""
    shutil.copytree(RULES, directory, ignore=shutil.ignore_patterns(stream.value))
    return directory


def test_posture_without_rules_is_recorded_and_told_to_nobody(tmp_path: Path, sqlite: Store) -> None:
    """Alerts go where their rules say, and findings end on record like any other message: none is lost or quarantined."""
    rules = load_rules_of_hubs(rules_without(tmp_path / "rules", Stream.CSPM), NOW)
    assert secret_names_of(rules.books.values()) == {"PAGERDUTY_ROUTING_KEY", "SERVICENOW_PASSWORD"}
    (alert,) = run(new_intake(sqlite, rules, Stream.CWPP).ingest([a_message(alert_body())], NOW))
    assert "oncall" in alert.destinations
    (finding,) = run(new_intake(sqlite, rules, Stream.CSPM).ingest([a_message(finding_body())], NOW))
    assert (finding.outcome, finding.destinations) == (Outcome.ROUTED, ())
    assert [str(one).partition("; ")[0] for one in rules.problems] == [
        f"{tmp_path.as_posix()}/rules/cspm: is missing, so posture is recorded and told to nobody"
    ]


def test_a_policy_that_is_missing_stops_the_app(tmp_path: Path) -> None:
    """Alerts that nobody is told of are never what was meant, and a folder for posture without its policy is a mistake: one
    line says which file is missing."""
    for stream in Stream:
        rules = rules_without(tmp_path / stream, stream)
        if stream is Stream.CSPM:
            (rules / "cspm").mkdir()
        with pytest.raises(BadPolicy, match=rf"^\S+/{stream}/policy\.yaml: is missing; add it$"):
            load_rules_of_hubs(rules, NOW)
    # Nor does posture go untold where its folder is something else.
    (rules / "cspm").rmdir()
    for is_link in (False, True):
        if is_link:
            (rules / "cspm").symlink_to("nowhere")
        else:
            (rules / "cspm").touch()
        with pytest.raises(BadPolicy, match=r"/cspm/policy\.yaml: "):
            load_rules_of_hubs(rules, NOW)
        (rules / "cspm").unlink()


def test_the_manifest_of_coverage_is_read_with_the_rules(tmp_path: Path) -> None:
    """One that has a problem stops nothing but itself; without a file nothing is expected."""
    rules = tmp_path / "rules"
    shutil.copytree(RULES, rules)
    assert load_rules_of_hubs(rules, NOW).manifest == NO_MANIFEST
    (rules / "coverage.yaml").write_text("heard_within: 9d\nexpect: [{kind: cluster, name: aks-a}]")
    loaded = load_rules_of_hubs(rules, NOW)
    assert loaded.manifest is not None
    assert [entry.heard_within.days for entry in loaded.manifest.expectations] == [9]
    assert loaded.problems == ()
    (rules / "coverage.yaml").write_text("heard_within: soon")
    broken = load_rules_of_hubs(rules, NOW)
    assert broken.manifest is None
    assert broken.books.keys() == set(Stream)
    assert [one.code for one in broken.problems] == ["invalid"]
