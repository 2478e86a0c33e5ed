"""What must be there first is there first, and what one parent refuses at the same time comes one by one."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any

import pytest

from tests.infra.predicted import Deployment
from tests.infra.variants import EVERY, TEMPLATE, deployed, nested

type Template = Mapping[str, Any]

ONE_AT_A_TIME = (
    "Microsoft.EventHub/namespaces/eventhubs",
    "Microsoft.EventHub/namespaces/eventhubs/consumergroups",
    "Microsoft.Storage/storageAccounts/blobServices/containers",
    "Microsoft.Storage/storageAccounts/queueServices/queues",
    "Microsoft.Storage/storageAccounts/tableServices/tables",
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
    """Everything that a module waits for, directly or not."""
    waits: set[str] = set()
    ahead = set(modules()[name].get("dependsOn", ()))
    while ahead:
        waits |= ahead
        ahead = {one for found in ahead & modules().keys() for one in modules()[found].get("dependsOn", ())} - waits
    return waits


@pytest.mark.parametrize(
    ("first", "then"),
    [
        ("logAnalytics", "logTables"),
        ("sentinelOn", "logTables"),
        ("logTables", "logRules"),  # Azure refuses a rule whose table it does not know
        ("logTables", "alerts"),
        ("logRules", "roles"),
        ("roles", "functionApp"),  # it reads storage and secrets as soon as it is there
        ("privateEndpoints", "functionApp"),
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
    """A name or an id that only a deployment knows is left out of what-if; only the cloud's own suffix is looked up."""
    unnamed = [one for one in deployed(variant).resources if "reference(" in f"{one.id} {one.name}"]
    assert unnamed == []


def test_nothing_is_looked_up_that_is_only_being_made() -> None:
    """Azure would ask for it before it is there: only a workspace that somebody names is there already."""
    looked_up = {name: one.get("condition") for name, one in TEMPLATE["resources"].items() if one.get("existing")}
    assert looked_up == {"workspace": "[not(variables('ownWorkspace'))]"}


def test_modules_are_not_named() -> None:
    """Fixed names of deployments collide where two run at once."""
    for name, module in modules().items():
        assert re.search(r"uniqueString\('\w+', deployment\(\)\.name\)", module["name"]), name


def test_a_rule_that_resolves_by_itself_is_asked_at_least_every_six_hours(azure: Deployment) -> None:
    """Azure refuses less often together with autoMitigate."""
    for one in azure.of("Microsoft.Insights/scheduledQueryRules"):
        assert re.fullmatch(r"PT(\d+M|[1-6]H)", one.properties["evaluationFrequency"]), one.name
