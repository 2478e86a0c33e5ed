"""The plans of a subscription: those that the manifest names, else every plan that protects workloads."""

from __future__ import annotations

import shlex

import pytest

from router.coverage.expected.manifest import NO_MANIFEST, CoverageManifest
from router.coverage.plans.table import PROTECTING_PLANS
from router.coverage.verdicts import CoverageState, Verdict
from router.domain.coverage import Rung
from tests.coverage.builders import (
    SQL_SERVER,
    SUBSCRIPTION,
    Json,
    expecting_plans,
    judged,
    managed_cluster,
    pricing,
    resource,
    verdict,
)

COVERED, GAP, UNKNOWN = CoverageState.COVERED, CoverageState.GAP, CoverageState.UNKNOWN
ALL = [pricing(one.name) for one in PROTECTING_PLANS]


def plans_of(*documents: object, manifest: CoverageManifest = NO_MANIFEST) -> Verdict:
    """What is known of the plans of the subscription."""
    return verdict(judged(*documents, manifest=manifest), SUBSCRIPTION, Rung.PLAN)


def but(*others: Json) -> list[Json]:
    """Every plan is on, but some are as given."""
    names = {one["name"] for one in others}
    return [*(one for one in ALL if one["name"] not in names), *others]


@pytest.mark.parametrize(
    ("document", "state"),
    [
        ({"value": ALL}, COVERED),
        ({"value": ALL, "nextLink": "https://management.azure.com/more"}, UNKNOWN),
        ({"value": ALL[1:]}, UNKNOWN),
        ({"value": but(pricing("Arm", "Free"))}, GAP),
        ({"value": but(pricing("Arm", "Free"))[1:]}, GAP),
        ({"value": but(pricing("KeyVaults", "Free"))}, UNKNOWN),
        ({"value": but(pricing("Dns", "Free", deprecated=True))}, COVERED),
        ({"value": but(pricing("AppServices", "Free", deprecated=True))}, COVERED),
        ({"value": but(pricing("CloudPosture", "Free"), pricing("FoundationalCspm", "Free"))}, COVERED),
        ({"value": but(pricing("SomethingOfNextYear", "Free"))}, COVERED),
        ({"value": but(pricing("Api", resourcesCoverageStatus="NotCovered"))}, GAP),
        ({"value": but(pricing("Api", resourcesCoverageStatus="PartiallyCovered"))}, COVERED),
        ({"value": but(pricing("Containers", "Free"), pricing("KubernetesService"))}, UNKNOWN),
        (
            {"value": but(pricing("Containers", "Free"), pricing("KubernetesService"), pricing("ContainerRegistry"))},
            COVERED,
        ),
    ],
)
def test_without_a_manifest_every_plan_that_protects_workloads_is_wanted(document: Json, state: CoverageState) -> None:
    """One that no answer names is unknown and never off; posture and what is deprecated are not wanted."""
    assert plans_of(document).state is state


VAULTS = "microsoft.keyvault/vaults"


def types(*some: str) -> Json:
    """Which types of resources the subscription has, as Resource Graph answers it."""
    row = {"id": f"/subscriptions/{SUBSCRIPTION}", "subscriptionId": SUBSCRIPTION, "resourceTypes": list(some)}
    return {"data": [row], "total_records": 1, "count": 1}


@pytest.mark.parametrize(
    ("plan", "documents", "state"),
    [
        ("KeyVaults", [], UNKNOWN),
        ("KeyVaults", [types(VAULTS)], GAP),
        ("KeyVaults", [types("Microsoft.KeyVault/vaults")], GAP),
        ("KeyVaults", [types("microsoft.network/virtualnetworks")], COVERED),
        ("KeyVaults", [types()], UNKNOWN),
        ("SqlServers", [resource(SQL_SERVER, "Microsoft.Sql/servers")], GAP),
        ("SqlServers", [resource(SQL_SERVER, "Microsoft.Sql/servers"), types("microsoft.web/sites")], GAP),
        ("SqlServers", [managed_cluster()], UNKNOWN),
        ("SqlServers", [managed_cluster(), types("microsoft.containerservice/managedclusters")], COVERED),
        ("Arm", [types("microsoft.network/virtualnetworks")], GAP),
    ],
)
def test_a_plan_that_is_free_is_a_gap_where_a_resource_needs_it(
    plan: str, documents: list[Json], state: CoverageState
) -> None:
    """Where a list of types has none it is said, and no gap; where nobody asked for that list it is unknown."""
    off = {"value": but(pricing(plan, "Free"))}
    found = plans_of(off, *documents)
    assert found.state is state, found.reason
    assert (f"{plan} is not on, and no resource needs that" in found.limits) is (state is COVERED)
    if state is UNKNOWN:
        assert (found.remedy or "").startswith("az graph query -q ")
        assert "resourceTypes" in (found.remedy or "")
    assert plans_of(off, *documents, manifest=expecting_plans({plan: None})).state is GAP


@pytest.mark.parametrize(
    ("wanted", "document", "state"),
    [
        ({"Containers": None}, [pricing("Containers"), pricing("SqlServers", "Free")], COVERED),
        ({"containers": None}, [pricing("Containers", "Free")], GAP),
        ({"Containers": None}, [pricing("SqlServers")], UNKNOWN),
        ({"KubernetesService": None}, [pricing("Containers")], COVERED),
        ({"VirtualMachines": "P2"}, [pricing("VirtualMachines", subPlan="P2")], COVERED),
        ({"VirtualMachines": "P2"}, [pricing("VirtualMachines", subPlan="P1")], GAP),
        ({"VirtualMachines": "P2"}, [pricing("VirtualMachines")], UNKNOWN),
        ({"VirtualMachines": "P1"}, [pricing("VirtualMachines", subPlan="P2")], COVERED),
        ({"KeyVaults": "PerKeyVault"}, [pricing("KeyVaults", subPlan="PerTransaction")], COVERED),
        ({"CloudPosture": None}, [pricing("CloudPosture", "Free")], GAP),
        ({"FoundationalCspm": None}, [pricing("FoundationalCspm", "Free")], UNKNOWN),
        ({"SomethingOfNextYear": None}, [pricing("SomethingOfNextYear")], COVERED),
    ],
)
def test_a_manifest_says_which_plans_are_wanted(
    wanted: dict[str, str | None], document: list[Json], state: CoverageState
) -> None:
    """Exactly those, each with its sub-plan; old ones that are on count as on."""
    assert plans_of(document, manifest=expecting_plans(wanted)).state is state


@pytest.mark.parametrize(("is_enabled", "state"), [("True", COVERED), ("False", GAP), (None, UNKNOWN)])
def test_an_extension_is_asked_of_the_plan_that_has_it(is_enabled: str | None, state: CoverageState) -> None:
    """Of those that are wanted."""
    sensor = {"name": "ContainerSensor", "isEnabled": is_enabled}
    manifest = expecting_plans({"Containers": None, "SqlServers": None}, "ContainerSensor")
    found = plans_of([pricing("Containers", extensions=[sensor]), pricing("SqlServers")], manifest=manifest)
    assert found.state is state
    if state is GAP:
        assert "--extensions name=ContainerSensor isEnabled=True" in (found.remedy or "")


@pytest.mark.parametrize("wanted", [{"Dns": None}, {"ContainerRegistry": None}, {"KubernetesService": None}])
def test_no_remedy_proposes_a_plan_that_the_api_refuses(wanted: dict[str, str | None]) -> None:
    """The successor is proposed in its stead."""
    name = next(iter(wanted))
    remedy = plans_of([pricing(name, "Free", deprecated=True)], manifest=expecting_plans(wanted)).remedy or ""
    assert "az security pricing create" in remedy
    assert name not in remedy


@pytest.mark.parametrize(
    ("plan", "old", "new"), [("KeyVaults", "PerTransaction", "PerKeyVault"), ("Arm", "PerApiCall", "PerSubscription")]
)
def test_no_remedy_proposes_a_sub_plan_that_the_api_refuses(plan: str, old: str, new: str) -> None:
    """Not even where the manifest still names it."""
    remedy = plans_of([pricing(plan, "Free")], manifest=expecting_plans({plan: old})).remedy or ""
    assert f"--subplan {new}" in remedy
    assert old not in remedy


def test_a_name_in_a_document_never_becomes_a_command() -> None:
    """Remedies are lines for a shell, and anybody may have written the documents."""
    hostile = "x; rm -rf ~ #"
    scope = f"/subscriptions/{SUBSCRIPTION}/resourceGroups/$(id)/providers/Microsoft.Compute/virtualMachines/{hostile}"
    documents = [
        pricing("VirtualMachines", "Standard", resourcesCoverageStatus="PartiallyCovered"),
        pricing("CloudPosture", "Free", scope=scope),
        pricing(hostile, "Free"),
        pricing("Containers", extensions=[{"name": hostile, "isEnabled": "False"}]),
    ]
    manifest = expecting_plans({hostile: hostile, "Containers": None}, hostile)
    remedies = [one.remedy for _, _, one in judged(documents, manifest=manifest).assessed.verdicts() if one.remedy]
    assert len(remedies) >= 2
    for remedy in remedies:
        words = shlex.split(remedy)
        assert not {"rm", ";", "-rf", "#"} & set(words), words
        assert "$(id)" not in remedy.replace(shlex.quote(words[5]), "")


def test_a_list_of_subscriptions_names_those_of_which_nothing_else_is_known() -> None:
    """One that may not be read is missing from every other answer."""
    for document in (
        [{"id": SUBSCRIPTION, "name": "Payments", "tenantId": "t", "isDefault": True, "state": "Enabled"}],
        [{"id": f"/subscriptions/{SUBSCRIPTION}", "subscriptionId": SUBSCRIPTION, "displayName": "Payments"}],
        {
            "data": [
                {
                    "id": f"/subscriptions/{SUBSCRIPTION}",
                    "name": "Payments",
                    "type": "microsoft.resources/subscriptions",
                }
            ]
        },
    ):
        found = verdict(judged(document), "Payments", Rung.PLAN)
        assert found.state is UNKNOWN
        assert f"/subscriptions/{SUBSCRIPTION}/providers/Microsoft.Security/pricings" in (found.remedy or "")
        for order in ((document, ALL), (ALL, document)):
            assert verdict(judged(*order), "Payments", Rung.PLAN).state is COVERED


def test_an_answer_that_was_refused_says_nothing_of_the_plans() -> None:
    """A subscription that never registered Microsoft.Security is not one in which all is off."""
    accounts = [{"id": SUBSCRIPTION, "name": "Payments", "tenantId": "t", "isDefault": True}]
    refused = {"error": {"code": "Subscription Not Registered", "message": "Please register to Microsoft.Security"}}
    result = judged(accounts, refused)
    assert verdict(result, "Payments", Rung.PLAN).state is UNKNOWN
    assert [name for name, _ in result.unused] == ["2.json"]


def test_many_remedies_stand_one_on_a_line() -> None:
    """None of them needs another, and the API wants to be left alone between them."""
    found = verdict(
        judged({"value": [pricing(name, "Free") for name in ("SqlServers", "Arm")]}, types("microsoft.sql/servers")),
        SUBSCRIPTION,
        Rung.PLAN,
    )
    sql, arm = (found.remedy or "").split("\n")
    assert sql == f"az security pricing create -n SqlServers --tier standard --subscription {SUBSCRIPTION} && sleep 15"
    assert arm.startswith("az security pricing create -n Arm --tier standard --subplan PerSubscription ")
