"""What the code or host.json calls by a name is there, what the code reads is set, and the worker collects nothing else."""

import json
import re
import subprocess
import sys
from collections.abc import Mapping
from functools import cache
from typing import Any

import pytest
from azure_functions_runtime.utils import constants as runtime  # type: ignore[import-untyped]  # It has no types.

import function_app
from router.app.rules import load_rules, specs_of
from router.app.settings import HUBS, ISSUER, STATE, STORAGE, Settings, now
from router.destinations.config import settings_in
from router.destinations.log_analytics import ALERTS, log_tables
from router.domain.errors import BadSetting
from router.domain.proxies import NO_PROXY
from router.domain.signals import Stream
from router.eventhubs import consumer, reader
from router.store.conninfo import PostgresqlAddress
from tests.builders import RULES
from tests.docs.pages import page, spans
from tests.infra.predicted import ROOT, SECRETS, Deployment, deployed
from tests.waiting import PATIENCE


@cache
def bindings() -> Mapping[str, list[dict[str, Any]]]:
    """What calls each function, first, and what else it is bound to, as Microsoft's library declares it to the host."""
    functions = [(one, one.get_trigger()) for one in function_app.app.get_functions()]
    return {
        str(one.get_function_name()): [trigger.get_dict_repr(), *(each.get_dict_repr() for each in one.get_bindings())]
        for one, trigger in functions
        if trigger
    }


def triggers() -> Mapping[str, dict[str, Any]]:
    """What calls each function, by its name."""
    return {name: bound[0] for name, bound in bindings().items()}


ACCOUNT = "Microsoft.Storage/storageAccounts"
HUB = "Microsoft.EventHub/namespaces/eventhubs"
APP = "Microsoft.Web/sites"
ROWS = "Microsoft.Insights/dataCollectionRules"


def last(azure: Deployment, kind: str) -> set[str]:
    """The names of the resources of a type, without those of their parents."""
    return {one.name.rpartition("/")[2] for one in azure.of(kind)}


def test_storage_has_the_queues_that_functions_use_and_the_package(azure: Deployment) -> None:
    """Each queue that functions put wake-ups into and triggers read, with its poison queue. The host makes its own containers;
    the state is in a database; the app is deployed to the one container that is made for it."""
    read = {one["queueName"] for one in triggers().values() if "queueName" in one}
    assert read == {one["queueName"] for bound in bindings().values() for one in bound if one["type"] == "queue"}
    assert last(azure, f"{ACCOUNT}/queueServices/queues") == read | {f"{queue}-poison" for queue in read}
    (container,) = azure.of(f"{ACCOUNT}/blobServices/containers")
    assert (container.name.rpartition("/")[2], container.says("publicAccess")) == ("deployments", "None")
    assert not [one.kind for one in azure.resources if "/tableServices" in one.kind]
    storage = azure.one(APP).says("functionAppConfig.deployment.storage.value")
    assert azure.asks(ACCOUNT, "primaryEndpoints.blob") in storage
    assert "deployments'" in storage


def test_every_stream_has_its_hub_and_every_reader_of_it_a_consumer_group(azure: Deployment) -> None:
    """Old messages go by age. Functions, sweep and serve read; two that shared a group would steal each other's messages."""
    hubs = {one["eventHubName"] for one in triggers().values() if "eventHubName" in one}
    assert hubs == {stream.value for stream in Stream} == last(azure, HUB)
    kept = [one.says("retentionDescription") for one in azure.of(HUB)]
    assert {(one["cleanupPolicy"], one["retentionTimeInHours"]) for one in kept} == {("Delete", 168)}
    functions = {(one["eventHubName"], one["consumerGroup"]) for one in triggers().values() if "consumerGroup" in one}
    readers = functions | {(stream.value, group) for stream in Stream for group in (reader.GROUP, consumer.GROUP)}
    assert len(readers) == len(functions) + 4
    assert {tuple(one.name.split("/")[1:]) for one in azure.of(f"{HUB}/consumergroups")} == readers


def test_what_nobody_signs_in_for_has_a_key_of_its_own() -> None:
    """Azure opens an excluded path to everybody. The health page is one, since what asks it has no account."""
    excluded = deployed("file-integrity-elsewhere").one(f"{APP}/config").says("globalValidation.excludedPaths")
    levels = {f"/api/{one['route']}": str(one["authLevel"]).lower() for one in triggers().values() if "route" in one}
    assert {path: levels[path].rpartition(".")[2] for path in excluded} == {"/api/health": "function"}


def test_host_json_names_nothing_that_would_have_to_be_made() -> None:
    """No hub, queue, connection or container. Of each execution it says only what is wrong: a line for each begin and end, at a
    million messages a day, is tens of gigabytes a month that nobody reads."""
    written = (ROOT / "host.json").read_text()
    assert not re.search(r"connection|queueName|hubName|container|%\w+%", written, re.IGNORECASE)
    said = json.loads(written)
    assert (said["telemetryMode"], said["logging"]["logLevel"]["Function"]) == ("OpenTelemetry", "Warning")


def test_what_is_always_ready_is_a_function_and_the_user_s_choice(subtests: pytest.Subtests) -> None:
    """A name that no function has would be paid for and wait for nothing. Flex Consumption refuses one instance where the plan
    is zone-redundant; more are left as they were asked for."""
    for variant, instances in (
        ("default", [1, 1]),
        ("several-subscriptions", []),
        ("private", [2, 2]),
        ("file-integrity-elsewhere", [3, 3]),
    ):
        with subtests.test(variant):
            ready = deployed(variant).one(APP).says("functionAppConfig.scaleAndConcurrency.alwaysReady")
            assert [one["instanceCount"] for one in ready] == instances
            names = ["take_cwpp", "deliver_cwpp_page"][: len(ready)]
            assert {one["name"] for one in ready} == {f"function:{name}" for name in names}
            assert set(names) <= triggers().keys()


def test_rows_of_every_table_have_a_way_in_for_each_stream(azure: Deployment) -> None:
    """Every stream of rows that a destination may send is declared with the columns of its table, and flows somewhere."""
    rules = azure.of(ROWS)
    assert {one.name.rpartition("-")[2] for one in rules} == {stream.value for stream in Stream}
    for rule in rules:
        declared = {name: columns_in(one["columns"]) for name, one in rule.says("streamDeclarations").items()}
        assert declared == {f"Custom-{table.name}": dict(table.columns) for table in log_tables().values()}
        assert {stream for flow in rule.says("dataFlows") for stream in flow["streams"]} == declared.keys()
        assert len(rule.says("dataFlows")) <= 10  # the most that Azure takes


def columns_in(said: list[dict[str, str]]) -> dict[str, str]:
    """The types of columns by name."""
    return {column["name"]: column["type"] for column in said}


def test_every_row_ends_in_a_table_that_is_there(subtests: pytest.Subtests) -> None:
    """With Sentinel alerts end in its table; without it in one of the same columns, which is made."""
    for name, sentinel in (("private", True), ("default", False)):
        with subtests.test(name):
            azure = deployed(name)
            tables = azure.of("Microsoft.OperationalInsights/workspaces/tables")
            made = {one.name.rpartition("/")[2]: columns_in(one.says("schema.columns")) for one in tables}
            there = {f"Custom-{name}" for name in made} | ({f"Microsoft-{ALERTS}"} if sentinel else set())
            for rule in azure.of(ROWS):
                assert {flow["outputStream"] for flow in rule.says("dataFlows")} == there
            assert azure.outputs["ALERTS_TABLE"] == (ALERTS if sentinel else "DefenderAlerts_CL")
            assert sentinel or made["DefenderAlerts_CL"] == dict(log_tables()[ALERTS].columns)
            assert bool(azure.of("Microsoft.SecurityInsights/onboardingStates")) is sentinel


def test_every_column_has_a_name_that_azure_takes() -> None:
    """https://learn.microsoft.com/azure/azure-monitor/logs/create-custom-table: reserved names, letters first, 45 at most."""
    reserved = {"_ResourceId", "id", "_SubscriptionId", "TenantId", "Type", "UniqueId", "Title"}
    for table in log_tables().values():
        assert not reserved & table.columns.keys()
        assert all(re.fullmatch(r"[A-Za-z]\w{0,44}", name) for name in table.columns)


IDENTITY = "Microsoft.ManagedIdentity/userAssignedIdentities"
DATABASE = "Microsoft.DBforPostgreSQL/flexibleServers"

OF_THE_HOST = {
    *(f"{STORAGE}__{service}ServiceUri" for service in ("blob", "queue")),
    # https://learn.microsoft.com/azure/azure-functions/functions-reference#configure-an-identity-based-connection
    f"{STORAGE}__credential",
    f"{HUBS}__credential",
    # https://learn.microsoft.com/azure/azure-functions/functions-app-settings
    "APPLICATIONINSIGHTS_CONNECTION_STRING",
    "APPLICATIONINSIGHTS_AUTHENTICATION_STRING",
}
"""What Microsoft's host reads, and we do not."""

OF_THE_RULES = {
    name
    for book in load_rules(RULES, list(Stream), now()).books.values()
    for spec in specs_of(book)
    for name in settings_in(spec.config)
}
"""What the starter's rules call {setting: NAME}."""

OF_THE_WORKER = {runtime.PYTHON_APPLICATIONINSIGHTS_ENABLE_TELEMETRY, "OTEL_PYTHON_DISABLED_INSTRUMENTATIONS"}
"""What Microsoft's worker for Python reads, or what it sets telemetry up with."""


class Asked(dict[str, str]):
    """An environment that remembers what it was asked for."""

    def __init__(self) -> None:
        super().__init__()
        self.names: set[str] = set()

    def get(self, name: str, default: str = "") -> str:  # type: ignore[override]
        """Nothing is set."""
        self.names.add(name)
        return default


def read_by_code() -> set[str]:
    """Every setting that the router looks for, those of the secrets left out."""
    asked = Asked()
    settings = Settings(asked)
    for name in (name for name, member in vars(Settings).items() if isinstance(member, property)):
        try:
            getattr(settings, name)
        except BadSetting:
            continue
    return asked.names | {STORAGE, NO_PROXY}  # The host reads the one for itself, and the other counts beside a proxy.


NOT_OF_APPS = {"KUBECONFIG", "ALERT_ROUTER_DRILL_HEARTBEAT", ISSUER, "FUNCTIONS_WORKER_RUNTIME", "WEBSITE_INSTANCE_ID"}
"""What commands read that no app ever runs, and what Functions sets itself: by it a drill knows that it must not run there."""


def test_what_the_code_reads_is_set_and_the_reverse(azure: Deployment) -> None:
    """Whoever adds a setting adds it to infra/, or says on paper that it has a default. A setting that is set and not read is a
    promise that is not kept. What Flex Consumption refuses is left out:
    https://learn.microsoft.com/azure/azure-functions/functions-app-settings#flex-consumption-plan-considerations"""
    given = azure.settings.keys()
    rows = page("docs/operations.md").table("App settings", "setting")
    may_be_left_out = [row["setting"] for row in rows if row["needed"] in ("no", "local stack only")]
    read_by_apps = read_by_code() - NOT_OF_APPS
    assert read_by_apps - given == {name for cell in may_be_left_out for name in spans(cell)}
    assert given - read_by_code() == OF_THE_HOST | OF_THE_WORKER | OF_THE_RULES | SECRETS
    refused = (
        r"FUNCTIONS_(WORKER_RUNTIME|EXTENSION_VERSION)|SCM_DO_BUILD_DURING_DEPLOYMENT|ENABLE_ORYX_BUILD|WEBSITE_.*"
    )
    assert not [name for name in given if re.fullmatch(refused, name)]


def test_the_deployed_settings_are_ones_that_the_router_can_start_with(azure: Deployment) -> None:
    """The state, hubs and identity are found by them, and so is every secret once it is in the vault."""
    identity, server = (azure.one(kind) for kind in (IDENTITY, DATABASE))
    host = azure.asks(DATABASE, "fullyQualifiedDomainName")
    deployed = azure.settings
    assert deployed[STATE] == (
        f"[format('postgresql://{{0}}@{{1}}:5432/{{2}}', '{identity.name}', {host}, '{azure.outputs['DATABASE_NAME']}')]"
    )
    deployed[STATE] = f"postgresql://{identity.name}@{server.name}.postgres.database.azure.com:5432/router"
    settings = Settings(deployed)
    assert isinstance(settings.state, PostgresqlAddress)
    assert (settings.state.role, settings.state.database) == (identity.name, "router")
    assert settings.state.token_scope is not None  # no password stands there, so that a token is one
    assert settings.hubs.namespace == azure.outputs["EVENT_HUBS_NAMESPACE"]
    known = f"[{azure.asks(IDENTITY, 'clientId')}]"
    assert settings.identity == settings.hubs.client_id == known


def test_the_connections_of_the_triggers_are_set(azure: Deployment) -> None:
    """A trigger finds its hub or its queue by the setting that it names."""
    connections = {one["connection"] for one in triggers().values() if "connection" in one}
    assert connections == {STORAGE, HUBS}
    for connection in connections:
        found = {name.removeprefix(f"{connection}__") for name in azure.settings if name.startswith(connection)}
        assert {"credential", "clientId"} < found


def test_rows_go_where_the_rule_of_their_stream_takes_them(azure: Deployment) -> None:
    """Each stream has its own endpoint and rule, as the outputs say them too, and nobody writes them into rules."""
    for stream in ("cwpp", "cspm"):
        (rule,) = (one for one in azure.of(ROWS) if one.name.endswith(f"-{stream}"))
        held = {"ENDPOINT": "endpoints.logsIngestion", "RULE": "immutableId"}
        for what, name in held.items():
            setting = azure.settings[f"{stream.upper()}_LOGS_{what}"]
            assert setting == f"[reference('{rule.id}', '{rule.body['apiVersion']}').{name}]"
    assert azure.outputs.keys() >= OF_THE_RULES


def test_every_secret_is_a_reference_that_the_vault_can_hold(azure: Deployment) -> None:
    """Each secret is looked up in the vault under its own name, and no value stands in a deployment."""
    references = {name: azure.settings[name] for name in SECRETS}
    vault = azure.one("Microsoft.KeyVault/vaults").name
    held = {name: name.lower().replace("_", "-") for name in SECRETS}
    assert references == {
        name: f"@Microsoft.KeyVault(VaultName={vault};SecretName={there})" for name, there in held.items()
    }
    assert len(set(held.values())) == len(SECRETS)
    assert all(there.replace("-", "").isalnum() for there in held.values())


NOWHERE = (
    "InstrumentationKey=00000000-0000-0000-0000-000000000001;"
    "IngestionEndpoint=http://127.0.0.1:9/;LiveEndpoint=http://127.0.0.1:9/"
)

# The worker's own start, then requests as destinations and Azure are sent them, to a port where nobody listens.
PROBE = """
import asyncio, os, sys
import function_app
from azure_functions_runtime.otel import initialize_azure_monitor, otel_manager
initialize_azure_monitor()
assert otel_manager.get_azure_monitor_available()

import httpx, requests
from azure.core import PipelineClient
from azure.core.pipeline.policies import DistributedTracingPolicy
from azure.core.rest import HttpRequest
from opentelemetry import metrics, trace
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

assert isinstance(metrics.get_meter_provider(), MeterProvider), "the router's metrics go nowhere"
spans = InMemorySpanExporter()
trace.get_tracer_provider().add_span_processor(SimpleSpanProcessor(spans))

def attempt(send):
    try:
        send()
    except Exception:
        pass

URL = "http://127.0.0.1:9/services/SECRET?filter=SECRET"
attempt(lambda: httpx.post(URL))
attempt(lambda: requests.post(URL))
azure = PipelineClient("http://127.0.0.1:9", policies=[DistributedTracingPolicy()])
attempt(lambda: azure.send_request(HttpRequest("GET", "http://127.0.0.1:9/SECRET")))
with trace.get_tracer("alert_router").start_as_current_span("ours"):
    pass
print("\\n".join(sorted(span.name for span in spans.get_finished_spans())))
sys.stdout.flush()
os._exit(0)  # nobody takes what is collected, so that an orderly end would wait
"""


def spans_of(**settings: str) -> list[str]:
    """The names of the spans that a worker collects with some app settings."""
    # By itself it keeps a few spans a second, and tells Microsoft of itself.
    given = {"OTEL_TRACES_SAMPLER": "always_on", "APPLICATIONINSIGHTS_CONNECTION_STRING": NOWHERE, **settings}
    given |= dict.fromkeys(
        ("APPLICATIONINSIGHTS_STATSBEAT_DISABLED_ALL", "APPLICATIONINSIGHTS_CONTROLPLANE_DISABLED"), "true"
    )
    program = [sys.executable, "-c", PROBE]
    done = subprocess.run(program, cwd=ROOT, env=given, capture_output=True, text=True, timeout=PATIENCE)
    assert done.returncode == 0, done.stderr
    return done.stdout.split("\n")[:-1]


def test_no_request_is_told_but_by_the_router_itself(azure: Deployment) -> None:
    """The address of a webhook may be a secret, and a path of Azure's may name a resource: neither stands in any span. A new
    version of Microsoft's distribution that brings another instrumentation is seen here; without the setting requests would be
    told."""
    setting = azure.settings["OTEL_PYTHON_DISABLED_INSTRUMENTATIONS"]
    # Here, since to import it takes every worker that collects tests a second.
    from azure.monitor.opentelemetry._constants import _FULLY_SUPPORTED_INSTRUMENTED_LIBRARIES as INSTRUMENTED

    assert set(setting.split(",")) == set(INSTRUMENTED)
    assert spans_of(OTEL_PYTHON_DISABLED_INSTRUMENTATIONS=setting) == ["ours"]
    assert len(spans_of()) > 1
