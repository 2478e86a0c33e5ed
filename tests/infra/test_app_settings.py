"""What the code reads of its environment is what infra/ sets, and the reverse."""

from __future__ import annotations

import re

from azure_functions_runtime.utils import constants as runtime  # type: ignore[import-untyped]

from router.app.rules import load_rules, specs_of
from router.app.settings import HUBS, STATE, STORAGE, Settings, now
from router.destinations.config import settings_in
from router.domain.errors import BadSetting
from router.domain.signals import Stream
from router.store.conninfo import PostgresqlAddress
from tests.builders import RULES
from tests.docs.pages import page, spans
from tests.infra.functions import triggers
from tests.infra.predicted import Deployment
from tests.infra.variants import SECRETS

ROWS = "Microsoft.Insights/dataCollectionRules"
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
    return asked.names | {STORAGE}  # The host reads it for itself.


def settings_of(azure: Deployment) -> dict[str, str]:
    """The app settings that are deployed."""
    app = azure.one("Microsoft.Web/sites")
    return {one["name"]: str(one["value"]) for one in app.properties["siteConfig"]["appSettings"]}


def optional() -> set[str]:
    """The settings that docs/operations.md says may be left out."""
    rows = page("docs/operations.md").table("App settings", "setting")
    return {name for row in rows if row["needed"] in ("no", "local stack only") for name in spans(row["setting"])}


OF_COMMANDS = {"KUBECONFIG", "ALERT_ROUTER_DRILL_HEARTBEAT"}
"""What only commands read that no app ever runs."""

SAID_BY_THE_HOST = {"FUNCTIONS_WORKER_RUNTIME", "WEBSITE_INSTANCE_ID"}
"""What Functions sets itself: by it a drill knows that it must not run there."""


def test_what_the_code_reads_is_set_and_the_reverse(azure: Deployment) -> None:
    """Whoever adds a setting adds it to infra/, or says on paper that it has a default. A setting that is set and not read is a
    promise that is not kept. What Flex Consumption refuses is left out:
    https://learn.microsoft.com/azure/azure-functions/functions-app-settings#flex-consumption-plan-considerations"""
    given = settings_of(azure).keys()
    assert read_by_code() - OF_COMMANDS - SAID_BY_THE_HOST - given == optional()
    assert given - read_by_code() == OF_THE_HOST | OF_THE_WORKER | OF_THE_RULES | SECRETS
    refused = (
        r"FUNCTIONS_(WORKER_RUNTIME|EXTENSION_VERSION)|SCM_DO_BUILD_DURING_DEPLOYMENT|ENABLE_ORYX_BUILD|WEBSITE_.*"
    )
    assert not [name for name in given if re.fullmatch(refused, name)]


def test_the_deployed_settings_are_ones_that_the_router_can_start_with(azure: Deployment) -> None:
    """The state, hubs and identity are found by them, and so is every secret once it is in the vault."""
    identity, server = (azure.one(kind) for kind in (IDENTITY, DATABASE))
    host = azure.asks(DATABASE, "fullyQualifiedDomainName")
    deployed = settings_of(azure)
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
        found = {name.removeprefix(f"{connection}__") for name in settings_of(azure) if name.startswith(connection)}
        assert {"credential", "clientId"} < found


def test_rows_go_where_the_rule_of_their_stream_takes_them(azure: Deployment) -> None:
    """Each stream has its own endpoint and rule, as the outputs say them too, and nobody writes them into rules."""
    for stream in ("cwpp", "cspm"):
        (rule,) = (one for one in azure.of(ROWS) if one.name.endswith(f"-{stream}"))
        held = {"ENDPOINT": "endpoints.logsIngestion", "RULE": "immutableId"}
        for what, name in held.items():
            setting = settings_of(azure)[f"{stream.upper()}_LOGS_{what}"]
            assert setting == f"[reference('{rule.id}', '{rule.body['apiVersion']}').{name}]"
    assert azure.outputs.keys() >= OF_THE_RULES


def test_every_secret_is_a_reference_that_the_vault_can_hold(azure: Deployment) -> None:
    """Each secret is looked up in the vault under its own name, and no value stands in a deployment."""
    references = {name: settings_of(azure)[name] for name in SECRETS}
    vault = azure.one("Microsoft.KeyVault/vaults").name
    held = {name: name.lower().replace("_", "-") for name in SECRETS}
    assert references == {
        name: f"@Microsoft.KeyVault(VaultName={vault};SecretName={there})" for name, there in held.items()
    }
    assert len(set(held.values())) == len(SECRETS)
    assert all(there.replace("-", "").isalnum() for there in held.values())
