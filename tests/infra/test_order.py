"""What must be there first is there first, and what one parent refuses at the same time comes one by one."""

import re
from collections.abc import Mapping, Sequence
from typing import Any

import pytest

from tests.infra.predicted import EVERY, TEMPLATE, deployed

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


def before(name: str) -> set[str]:
    """Everything that a module waits for, directly or not. Through one that may be left out Azure waits for nothing."""
    waits: set[str] = set()
    ahead = set(modules()[name].get("dependsOn", ()))
    while ahead:
        waits |= ahead
        always = {name for name in ahead & modules().keys() if "condition" not in modules()[name]}
        ahead = {one for found in always for one in modules()[found].get("dependsOn", ())} - waits
    return waits


FIRST = {
    # Azure refuses a rule whose table it does not know.
    "logAnalytics": ("logTables", "fileIntegrityAlerts"),
    "sentinelOn": ("logTables",),
    "logTables": ("logRules", "alerts"),
    "logRules": ("roles",),
    # The app reads storage and secrets, and signs in to its state, as soon as it is there.
    "roles": ("functionApp",),
    "privateEndpoints": ("functionApp",),
    # What was only just made cannot be reached by who makes roles; and then one change at a time.
    "database": ("databaseAdministrator",),
    "databaseAdministrator": ("functionApp", "privateEndpoints", "diagnostics"),
    # Its rule names the app's subnet.
    "privateNetwork": ("eventHubs",),
    "eventHubs": ("fileIntegrityAlerts",),
    "functionApp": ("package", "diagnostics"),
    "defender": ("export", "exportElsewhere"),
}
"""Modules, and what waits for each: Azure makes everything at once that does not wait."""

INSIDE = {
    "eventHubs": {"network": "streams", "cwppReaders": "cspmReaders"},
    "storage": {"deployments": "queueService", "wakeUps": "poison"},
    "database": {"database": "azure"},
}
"""Changes to one namespace, account or server, which refuses one while another is at work on it: the first and the second."""


def test_what_must_be_there_first_is_waited_for(subtests: pytest.Subtests) -> None:
    """Also through what always is there in between."""
    for first, several in FIRST.items():
        for then in several:
            with subtests.test(first, then=then):
                assert first in before(then)
    for module, pairs in INSIDE.items():
        resources = modules()[module]["properties"]["template"]["resources"]
        for first, then in pairs.items():
            with subtests.test(module, first=first, then=then):
                assert first in resources[then]["dependsOn"]


def given(module: str) -> Mapping[str, str]:
    """The expressions of main.bicep that a module gets as parameters."""
    found = modules()[module]["properties"].get("parameters", {})
    values = {name: one["value"] for name, one in found.items() if isinstance(one, dict) and "value" in one}
    return {name: value for name, value in values.items() if isinstance(value, str)}


def made_in(module: str) -> Sequence[Template]:
    """The resources that a module makes or looks up."""
    # A newer kind of template has its resources by name.
    resources = modules()[module]["properties"]["template"]["resources"]
    return list(resources.values()) if isinstance(resources, dict) else resources


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


def test_whatever_a_module_takes_to_be_there_is_made_before(subtests: pytest.Subtests) -> None:
    """By its name, where the module looks it up, or by its id."""
    for module in modules():
        with subtests.test(module):
            by_name = {makers()[name] for name in looked_up_in(module) & makers().keys()}
            by_id = {BY_ID[value] for value in given(module).values() if value in BY_ID}
            assert (by_name | by_id) - {module} <= before(module)
    # It looks at something: each service is made by a module, and looked up by others.
    services = {"identity", "privateNetwork", "eventHubs", "storage", "database", "keyVault", "functionApp"}
    assert services <= set(makers().values())
    assert len(looked_up_in("roles")) == 6


def test_what_one_parent_refuses_at_once_comes_one_by_one(subtests: pytest.Subtests) -> None:
    """Each loop is serial, and a second loop waits for the first."""
    every = [one for module in modules() for one in made_in(module)]
    for kind in ONE_AT_A_TIME:
        with subtests.test(kind):
            loops = {one["copy"]["name"]: one for one in every if one["type"] == kind and not one.get("existing")}
            assert {(one["copy"]["mode"], one["copy"]["batchSize"]) for one in loops.values()} == {("serial", 1)}
            assert sum(not loops.keys() - {name} & set(one.get("dependsOn", ())) for name, one in loops.items()) == 1


def test_a_preview_can_name_everything(subtests: pytest.Subtests) -> None:
    """A name or an id that only a deployment knows is left out of what-if, and only the router's role in its state has one:
    Azure wants it named after the principal. And nothing is made twice: two modules would undo each other's work."""
    for variant in EVERY:
        with subtests.test(variant):
            made = deployed(variant).resources
            unnamed = [one.kind for one in made if "reference(" in f"{one.id} {one.name}"]
            assert unnamed == ["Microsoft.DBforPostgreSQL/flexibleServers/administrators"]
            assert len({one.id for one in made}) == len(made)


def test_nothing_is_looked_up_that_is_only_being_made() -> None:
    """Azure would ask for it before it is there: only a workspace that somebody names is there already."""
    looked_up = {name: one.get("condition") for name, one in TEMPLATE["resources"].items() if one.get("existing")}
    assert looked_up == {
        "workspace": "[not(variables('ownWorkspace'))]",
        "watched": "[and(parameters('fileIntegrity'), not(empty(variables('watchedWorkspaceId'))))]",
    }
    # Fixed names of deployments collide where two run at once.
    for name, module in modules().items():
        assert re.search(r"uniqueString\('\w+', deployment\(\)\.name\)", module["name"]), name
