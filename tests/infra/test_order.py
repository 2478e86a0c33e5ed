"""What must be there first is there first, and what one parent refuses at the same time comes one by one."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import pytest

from tests.infra.predicted import Deployment
from tests.infra.variants import EVERY, TEMPLATE, deployed, nested

type Template = Mapping[str, Any]

ONE_AT_A_TIME = (
    "Microsoft.EventHub/namespaces/eventhubs",
    "Microsoft.EventHub/namespaces/eventhubs/consumergroups",
    "Microsoft.Storage/storageAccounts/queueServices/queues",
    "Microsoft.OperationalInsights/workspaces/tables",
    "Microsoft.Network/privateEndpoints",
)
"""Types of which several are made in one namespace, account, workspace or subnet."""


def modules() -> Mapping[str, Template]:
    """The modules of main.bicep by their names there."""
    return {
        name: one for name, one in TEMPLATE["resources"].items() if one["type"] == "Microsoft.Resources/deployments"
    }


def every_resource() -> Iterator[Template]:
    """Each resource of each module."""
    for module in modules().values():
        yield from nested(module["properties"]["template"])


def before(name: str) -> set[str]:
    """Everything that a module waits for, directly or not. Through one that may be left out Azure waits for nothing."""
    waits: set[str] = set()
    ahead = set(modules()[name].get("dependsOn", ()))
    while ahead:
        waits |= ahead
        always = {name for name in ahead & modules().keys() if "condition" not in modules()[name]}
        ahead = {one for found in always for one in modules()[found].get("dependsOn", ())} - waits
    return waits


@pytest.mark.parametrize(
    ("first", "then"),
    [
        ("logAnalytics", "logTables"),
        ("sentinelOn", "logTables"),
        ("logTables", "logRules"),  # Azure refuses a rule whose table it does not know
        ("logTables", "alerts"),
        ("logAnalytics", "fileIntegrityAlerts"),
        ("eventHubs", "fileIntegrityAlerts"),
        ("logRules", "roles"),
        ("roles", "functionApp"),  # it reads storage and secrets as soon as it is there
        ("privateEndpoints", "functionApp"),
        ("databaseAdministrator", "functionApp"),  # it signs in to its state as soon as it is there
        ("database", "databaseAdministrator"),  # what was only just made cannot be reached by who makes roles
        ("databaseAdministrator", "privateEndpoints"),  # one change at a time
        ("databaseAdministrator", "diagnostics"),
        ("privateNetwork", "eventHubs"),  # its rule names the app's subnet
        ("functionApp", "package"),
        ("functionApp", "diagnostics"),
        ("defender", "export"),
        ("defender", "exportElsewhere"),
    ],
)
def test_what_must_be_there_first_is_waited_for(first: str, then: str) -> None:
    """Azure makes everything at once that does not wait."""
    assert first in before(then)


def given(module: str) -> Mapping[str, str]:
    """The expressions of main.bicep that a module gets as parameters."""
    found = modules()[module]["properties"].get("parameters", {})
    values = {name: one["value"] for name, one in found.items() if isinstance(one, dict) and "value" in one}
    return {name: value for name, value in values.items() if isinstance(value, str)}


def made_in(module: str) -> Sequence[Template]:
    """The resources that a module makes or looks up."""
    return nested(modules()[module]["properties"]["template"])


def makers() -> Mapping[str, str]:
    """Which module makes the resource that has a name, by the expression of the name in main.bicep."""
    return {
        value: module
        for module in modules()
        for parameter, value in given(module).items()
        for one in made_in(module)
        if not one.get("existing") and one["name"] == f"[parameters('{parameter}')]"
    }


def looked_up_in(module: str) -> set[str]:
    """The names, as expressions of main.bicep, of what a module takes to be there."""
    # A module without types of its own compiles to a form that only names what is looked up where something stands on it.
    names = " ".join(one["name"] if one.get("existing") else one.get("scope", "") for one in made_in(module))
    return {value for parameter, value in given(module).items() if f"parameters('{parameter}')" in names}


BY_ID = {
    "[variables('ids').workspace]": "logAnalytics",
    "[variables('appSubnetId')]": "privateNetwork",
    "[variables('cwppHubId')]": "eventHubs",
    "[variables('cspmHubId')]": "eventHubs",
}
"""What makes a resource that others are told of by its id, and that must be there when they are made."""


@pytest.mark.parametrize("module", modules())
def test_whatever_a_module_takes_to_be_there_is_made_before(module: str) -> None:
    """By its name, where the module looks it up, or by its id."""
    by_name = {makers()[name] for name in looked_up_in(module) & makers().keys()}
    by_id = {BY_ID[value] for value in given(module).values() if value in BY_ID}
    assert (by_name | by_id) - {module} <= before(module)


def test_the_names_that_are_looked_up_are_found() -> None:
    """The test above looks at something: each service is made by a module, and looked up by others."""
    assert {"identity", "privateNetwork", "eventHubs", "storage", "database", "keyVault", "functionApp"} <= set(
        makers().values()
    )
    assert len(looked_up_in("roles")) == 6


@pytest.mark.parametrize(
    ("module", "first", "then"),
    [
        ("eventHubs", "network", "streams"),
        ("eventHubs", "cwppReaders", "cspmReaders"),
        ("storage", "deployments", "queueService"),
        ("storage", "wakeUps", "poison"),
        ("database", "database", "azure"),
    ],
)
def test_changes_to_one_parent_wait_for_each_other(module: str, first: str, then: str) -> None:
    """A namespace or an account refuses a change while another is at work on it."""
    resources = modules()[module]["properties"]["template"]["resources"]
    assert first in resources[then]["dependsOn"]


@pytest.mark.parametrize("kind", ONE_AT_A_TIME)
def test_what_one_parent_refuses_at_once_comes_one_by_one(kind: str) -> None:
    """Each loop is serial, and a second loop waits for the first."""
    loops = [one for one in every_resource() if one["type"] == kind and not one.get("existing")]
    assert loops
    for one in loops:
        assert (one["copy"]["mode"], one["copy"]["batchSize"]) == ("serial", 1)
    assert (
        sum(not waits_for(one, {other["copy"]["name"] for other in loops} - {one["copy"]["name"]}) for one in loops)
        == 1
    )


def waits_for(one: Template, others: set[str]) -> bool:
    """Whether a resource waits for one of others."""
    return bool(set(one.get("dependsOn", ())) & others)


@pytest.mark.parametrize("variant", EVERY)
def test_a_preview_can_name_everything(variant: str) -> None:
    """A name or an id that only a deployment knows is left out of what-if, and only the router's role in its state has one:
    Azure wants it named after the principal."""
    unnamed = [one.kind for one in deployed(variant).resources if "reference(" in f"{one.id} {one.name}"]
    assert unnamed == ["Microsoft.DBforPostgreSQL/flexibleServers/administrators"]


def test_nothing_is_looked_up_that_is_only_being_made() -> None:
    """Azure would ask for it before it is there: only a workspace that somebody names is there already."""
    looked_up = {name: one.get("condition") for name, one in TEMPLATE["resources"].items() if one.get("existing")}
    assert looked_up == {
        "workspace": "[not(variables('ownWorkspace'))]",
        "watched": "[and(parameters('fileIntegrity'), not(empty(variables('watchedWorkspaceId'))))]",
    }


def test_modules_are_not_named() -> None:
    """Fixed names of deployments collide where two run at once."""
    for name, module in modules().items():
        assert re.search(r"uniqueString\('\w+', deployment\(\)\.name\)", module["name"]), name


def test_a_rule_that_resolves_by_itself_is_asked_at_least_every_six_hours(azure: Deployment) -> None:
    """Azure refuses less often together with autoMitigate."""
    for one in azure.of("Microsoft.Insights/scheduledQueryRules"):
        assert re.fullmatch(r"PT(\d+M|[1-6]H)", one.properties["evaluationFrequency"]), one.name
