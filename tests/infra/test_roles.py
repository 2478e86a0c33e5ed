"""Every role that is needed is given, on the narrowest scope, and no other; and how a changed file reaches the hub."""

import ast
import json

import pytest

from tests.builders import NOW
from tests.infra.predicted import DEFENDER, INFRA, OPERATORS, ROOT, SENDER, WATCHED, Deployment, Resource, deployed
from tests.infra.queries.workspace import QUERIES, SCHEMA, answers

ROLES = json.loads((INFRA / "roles.json").read_text())
NAMES = {there: name for name, there in ROLES.items()}
ACCOUNT = "Microsoft.Storage/storageAccounts"
HUBS = "Microsoft.EventHub/namespaces/eventhubs"
NAMESPACE = "Microsoft.EventHub/namespaces"
IDENTITY = "Microsoft.ManagedIdentity/userAssignedIdentities"
ASSIGNMENTS = "Microsoft.Authorization/roleAssignments"

NEEDS = {
    "EventHubConsumerClient": ("eventHubsDataReceiver", NAMESPACE),
    "LogsIngestionClient": ("monitoringMetricsPublisher", "Microsoft.Insights/dataCollectionRules"),
}
"""The role that each client of Azure's needs, and on every resource of which type."""

OF_PEOPLE = {"EventHubProducerClient": ("eventHubsDataSender", HUBS)}
"""The same for what only a person at a command line does: `alert-router send`."""

OF_THE_PLATFORM = {
    ("storageBlobDataOwner", ACCOUNT),  # the host's own state, the checkpoints of its triggers, the package
    ("storageQueueDataContributor", ACCOUNT),  # the triggers and outputs of queues
    ("keyVaultSecretsUser", "Microsoft.KeyVault/vaults"),  # the app settings that are references
    ("monitoringMetricsPublisher", "Microsoft.Insights/components"),  # telemetry of the host and the worker
}
"""What no call of the code needs, and the platform does for the app."""

type Given = set[tuple[str, str]]
"""Roles and the ids of what they are on."""


def clients() -> set[str]:
    """Every client of Azure's that the code imports."""
    return {
        alias.name
        for path in (ROOT / "router").rglob("*.py")
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("azure.")
        for alias in node.names
        if alias.name.endswith("Client")
    }


def given_to(azure: Deployment, principal: str) -> Given:
    """The roles of somebody."""
    return {
        (NAMES[one.says("roleDefinitionId").rpartition("/")[2]], str(one.scope))
        for one in azure.of(ASSIGNMENTS)
        if str(one.says("principalId")) == principal
    }


def on_each(azure: Deployment, needs: set[tuple[str, str]]) -> Given:
    """Roles on every resource of a type."""
    return {(role, one.id) for role, kind in needs for one in azure.of(kind)}


def router(azure: Deployment) -> str:
    """The router's principal."""
    return f"[{azure.asks(IDENTITY, 'principalId')}]"


def test_the_router_has_the_roles_that_it_needs_and_no_other(azure: Deployment) -> None:
    """On the namespace, each rule, the one account, the one vault: never on a group or a subscription. Whoever adds a client of
    another service says here which role that takes."""
    assert clients() == NEEDS.keys() | OF_PEOPLE.keys()
    assert given_to(azure, router(azure)) == on_each(azure, {*NEEDS.values(), *OF_THE_PLATFORM})
    # Each stands on a resource of the router's own, none on the group of them all.
    own = {one.id for one in azure.resources} - {azure.one("Microsoft.Resources/resourceGroups").id}
    assert all(one.scope in own for one in azure.of(ASSIGNMENTS))


def test_the_router_alone_has_a_role_in_its_state_and_no_password_is_one(azure: Deployment) -> None:
    """Azure makes it of the identity, by whose name the app signs in; nobody was asked."""
    assert azure.one("Microsoft.DBforPostgreSQL/flexibleServers").says("authConfig") == {
        "activeDirectoryAuth": "Enabled",
        "passwordAuth": "Disabled",
        "tenantId": azure.outputs["AZURE_TENANT_ID"],
    }
    role = azure.one("Microsoft.DBforPostgreSQL/flexibleServers/administrators")
    assert router(azure)[1:-1] in role.name
    assert (role.says("principalName"), role.says("principalType")) == (azure.one(IDENTITY).name, "ServicePrincipal")


def test_the_app_acts_as_the_identity_that_has_the_roles(azure: Deployment) -> None:
    """The same one for the code, the host, the references and the package."""
    identity, app = azure.one(IDENTITY).id, azure.one("Microsoft.Web/sites")
    assert app.body["identity"] == {"type": "UserAssigned", "userAssignedIdentities": {identity: {}}}
    assert app.says("keyVaultReferenceIdentity") == identity
    storage = app.says("functionAppConfig.deployment.storage.authentication")
    assert storage == {"type": "UserAssignedIdentity", "userAssignedIdentityResourceId": identity}


def test_defender_may_send_into_both_hubs_and_nobody_else_has_a_role_unless_named(azure: Deployment) -> None:
    """It is let in by its identity, since the hubs have no keys; whoever deploys gets no role over data by that."""
    assert given_to(azure, DEFENDER) == on_each(azure, {("eventHubsDataSender", HUBS)})
    assert {str(one.says("principalId")) for one in azure.of(ASSIGNMENTS)} == {router(azure), DEFENDER}


def test_operators_and_senders_get_what_their_commands_need() -> None:
    """Operators look after secrets; senders publish; neither may do the other's. What is owed is in the database, whose roles
    are its own. The variant names one of them twice, in capitals and with blanks: who is named twice gets a role once."""
    azure = deployed("private")
    people = [one.says("principalId") for one in azure.of(ASSIGNMENTS) if one.says("principalId") in OPERATORS]
    assert sorted(people) == sorted(OPERATORS)
    for operator in OPERATORS:
        assert given_to(azure, operator) == on_each(azure, {("keyVaultSecretsOfficer", "Microsoft.KeyVault/vaults")})
    assert given_to(azure, SENDER) == on_each(azure, set(OF_PEOPLE.values()))


RULES = "Microsoft.Insights/scheduledQueryRules"
GROUPS = "Microsoft.Insights/actionGroups"
TABLE = "MDCFileIntegrityMonitoringEvents"
NAME = "file-integrity"
OWN, ELSEWHERE = "several-subscriptions", "file-integrity-elsewhere"


def only_in(azure: Deployment, kind: str) -> list[Resource]:
    """What a deployment has and the one where nobody chose anything has not."""
    usual = {one.name for one in deployed("default").of(kind)}
    return [one for one in azure.of(kind) if one.name not in usual]


def test_each_change_is_one_alert_about_its_machine_that_people_close(subtests: pytest.Subtests) -> None:
    """Split by computer and path: an alert has nothing else of a row. The rule looks back as far as it pauses, and does not say
    that a change is over because no other came. It is made only where it is chosen."""
    assert only_in(deployed("private"), RULES) == []
    for variant in (OWN, ELSEWHERE):
        with subtests.test(variant):
            (rule,) = only_in(deployed(variant), RULES)
            (criterion,) = rule.says("criteria.allOf")
            assert (rule.name, criterion["resourceIdColumn"]) == (NAME, "AzureResourceId")
            split = [(one["name"], one["operator"], one["values"]) for one in criterion["dimensions"]]
            assert split == [("Computer", "Include", ["*"]), ("FilePath", "Include", ["*"])]
            asked = (criterion["timeAggregation"], criterion["operator"], criterion["threshold"])
            assert asked == ("Count", "GreaterThan", 0)
            assert (rule.says("enabled"), rule.says("autoMitigate")) == (True, False)
            assert rule.says("evaluationFrequency") == rule.says("windowSize")


def test_it_is_sent_into_the_hub_of_alerts_in_the_schema_that_is_read(subtests: pytest.Subtests) -> None:
    """By its own action group, whose identity has the one role that it needs on the one hub, since the hubs have no keys."""
    for variant in (OWN, ELSEWHERE):
        with subtests.test(variant):
            azure = deployed(variant)
            (rule,), (group,) = only_in(azure, RULES), only_in(azure, GROUPS)
            assert rule.says("actions.actionGroups") == [group.id]
            assert len(group.says("groupShortName")) <= 12
            (receiver,) = group.says("eventHubReceivers")
            namespace = azure.one("Microsoft.EventHub/namespaces")
            assert (receiver["eventHubNameSpace"], receiver["eventHubName"]) == (namespace.name, "cwpp")
            assert receiver["useCommonAlertSchema"] is True
            assert group.body["identity"] == {"type": receiver["managedIdentity"]} == {"type": "SystemAssigned"}
            principal = f"[reference('{group.id}', '{group.body['apiVersion']}', 'full').identity.principalId]"
            (hub,) = (one.id for one in azure.of(HUBS) if one.id.endswith("/cwpp"))
            assert given_to(azure, principal) == {("eventHubsDataSender", hub)}


def test_it_searches_the_router_s_workspace_or_the_one_that_is_named() -> None:
    """In the region of whichever it is."""
    (own,), (other,) = (only_in(deployed(variant), RULES) for variant in (OWN, ELSEWHERE))
    assert (own.says("scopes"), own.body["location"]) == ([deployed(OWN).outputs["WORKSPACE_ID"]], "westeurope")
    assert other.says("scopes") == [WATCHED]
    assert f"reference('{WATCHED}'" in other.body["location"]
    assert (own.says("severity"), other.says("severity")) == (1, 2)


def test_files_and_keys_that_changed_are_found() -> None:
    """A registry key has no path, and is told in its place. A workspace that has no such table yet has no change: Azure turns a
    rule off whose query fails for a week."""
    key = "HKEY_LOCAL_MACHINE\\S"
    row = {"TimeGenerated": NOW, "AzureResourceId": "/m/1", "Computer": "web-01"}
    found = answers(QUERIES[NAME], {TABLE: [row | {"FilePath": "/etc/passwd"}, row | {"RegistryKey": key}]}, now=NOW)
    columns = ("AzureResourceId", "Computer", "FilePath")
    assert {tuple(one[name] for name in columns) for one in found} == {
        ("/m/1", "web-01", "/etc/passwd"),
        ("/m/1", "web-01", key),
    }
    assert answers(QUERIES[NAME], {}, now=NOW, tables=SCHEMA.keys() - {TABLE}) == []
