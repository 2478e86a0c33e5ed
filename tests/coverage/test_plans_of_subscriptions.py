"""The plans of a subscription: those that the manifest names, else every plan that protects workloads; and posture."""

from __future__ import annotations

import shlex

import pytest

from router.coverage.expected.manifest import NO_MANIFEST, CoverageManifest, ExpectedExport
from router.coverage.plans.table import PROTECTING_PLANS
from router.coverage.verdicts import Verdict
from router.domain.coverage import Rung
from tests.coverage import builders as az
from tests.coverage.builders import COVERED, GAP, HUB, NOT_COVERABLE, UNKNOWN, Json, hold, judged, pricing, verdict

ALL = [pricing(one.name) for one in PROTECTING_PLANS]
VAULTS = "microsoft.keyvault/vaults"


def plans_of(*documents: object, manifest: CoverageManifest = NO_MANIFEST) -> Verdict:
    """What is known of the plans of the subscription."""
    return verdict(judged(*documents, manifest=manifest), az.SUBSCRIPTION, Rung.PLAN)


def but(*others: Json) -> list[Json]:
    """Every plan is on, but some are as given."""
    names = {one["name"] for one in others}
    return [*(one for one in ALL if one["name"] not in names), *others]


def types(*some: str) -> Json:
    """Which types of resources the subscription has, as Resource Graph answers it."""
    row = {"id": f"/subscriptions/{az.SUBSCRIPTION}", "subscriptionId": az.SUBSCRIPTION, "resourceTypes": list(some)}
    return {"data": [row], "total_records": 1, "count": 1}


def test_without_a_manifest_every_plan_that_protects_workloads_is_wanted(subtests: pytest.Subtests) -> None:
    """One that no answer names is unknown and never off; posture and what is deprecated are not wanted."""
    kubernetes = (pricing("Containers", "Free"), pricing("KubernetesService"))
    deprecated = [pricing(name, "Free", deprecated=True) for name in ("Dns", "AppServices")]
    api = [pricing("Api", resourcesCoverageStatus=f"{word}Covered") for word in ("Not", "Partially")]
    hold(
        subtests,
        lambda *plans: plans_of({"value": plans}),
        (
            COVERED,
            ALL,
            but(deprecated[0]),
            but(deprecated[1]),
            but(pricing("SomethingOfNextYear", "Free")),
            but(api[1]),
        ),
        (COVERED, but(pricing("CloudPosture", "Free"), pricing("FoundationalCspm", "Free"))),
        (COVERED, but(*kubernetes, pricing("ContainerRegistry"))),
        (GAP, but(pricing("Arm", "Free")), but(pricing("Arm", "Free"))[1:], but(api[0])),
        (UNKNOWN, ALL[1:], but(pricing("KeyVaults", "Free")), but(*kubernetes)),
    )
    assert plans_of({"value": ALL, "nextLink": "https://management.azure.com/more"}).state is UNKNOWN


def test_a_plan_that_is_free_is_a_gap_where_a_resource_needs_it(subtests: pytest.Subtests) -> None:
    """Where a list of types has none it is said, and no gap; where nobody asked for that list it is unknown."""
    server, networks = az.resource(az.SQL_SERVER, "Microsoft.Sql/servers"), types("microsoft.network/virtualnetworks")
    clusters = types("microsoft.containerservice/managedclusters")
    for plan, state, *cases in (
        ("KeyVaults", GAP, [types(VAULTS)], [types("Microsoft.KeyVault/vaults")]),
        ("KeyVaults", COVERED, [networks]),
        ("KeyVaults", UNKNOWN, [], [types()]),
        ("SqlServers", GAP, [server], [server, types("microsoft.web/sites")]),
        ("SqlServers", COVERED, [az.managed_cluster(), clusters]),
        ("SqlServers", UNKNOWN, [az.managed_cluster()]),
        ("Arm", GAP, [networks]),
    ):
        off = {"value": but(pricing(str(plan), "Free"))}
        for documents in cases:
            with subtests.test(plan=plan, documents=documents):
                found = plans_of(off, *documents)
                assert found.state is state, found.reason
                assert (f"{plan} is not on, and no resource needs that" in found.limits) is (state is COVERED)
                is_asked = (found.remedy or "").startswith("az graph query -q ") and "resourceTypes" in (
                    found.remedy or ""
                )
                assert is_asked is (state is UNKNOWN)
                assert plans_of(off, *documents, manifest=az.expecting_plans({str(plan): None})).state is GAP


def test_a_manifest_says_which_plans_are_wanted(subtests: pytest.Subtests) -> None:
    """Exactly those, each with its sub-plan; old ones that are on count as on."""

    def wanting(plan: str, sub_plan: str | None, *answer: Json) -> Verdict:
        return plans_of(list(answer), manifest=az.expecting_plans({plan: sub_plan}))

    servers = {one: pricing("VirtualMachines", subPlan=one) for one in ("P1", "P2")}
    hold(
        subtests,
        wanting,
        (COVERED, ["Containers", None, pricing("Containers"), pricing("SqlServers", "Free")]),
        (COVERED, ["KubernetesService", None, pricing("Containers")]),
        (COVERED, ["SomethingOfNextYear", None, pricing("SomethingOfNextYear")]),
        (COVERED, ["VirtualMachines", "P2", servers["P2"]], ["VirtualMachines", "P1", servers["P2"]]),
        (COVERED, ["KeyVaults", "PerKeyVault", pricing("KeyVaults", subPlan="PerTransaction")]),
        (GAP, ["containers", None, pricing("Containers", "Free")], ["VirtualMachines", "P2", servers["P1"]]),
        (GAP, ["CloudPosture", None, pricing("CloudPosture", "Free")]),
        (UNKNOWN, ["Containers", None, pricing("SqlServers")], ["VirtualMachines", "P2", pricing("VirtualMachines")]),
        (UNKNOWN, ["FoundationalCspm", None, pricing("FoundationalCspm", "Free")]),
    )


def test_an_extension_is_asked_of_the_plan_that_has_it() -> None:
    """Of those that are wanted."""
    manifest = az.expecting_plans({"Containers": None, "SqlServers": None}, "ContainerSensor")
    for is_enabled, state in (("True", COVERED), ("False", GAP), (None, UNKNOWN)):
        sensor = {"name": "ContainerSensor", "isEnabled": is_enabled}
        found = plans_of([pricing("Containers", extensions=[sensor]), pricing("SqlServers")], manifest=manifest)
        is_mended = "--extensions name=ContainerSensor isEnabled=True" in (found.remedy or "")
        assert (found.state, is_mended) == (state, state is GAP)


def test_no_remedy_proposes_what_the_api_refuses() -> None:
    """The successor is proposed in its stead, also where the manifest still names a sub-plan of before."""
    for name in ("Dns", "ContainerRegistry", "KubernetesService"):
        wanted = az.expecting_plans({name: None})
        remedy = plans_of([pricing(name, "Free", deprecated=True)], manifest=wanted).remedy or ""
        assert ("az security pricing create" in remedy, name in remedy) == (True, False)
    for plan, old, new in (("KeyVaults", "PerTransaction", "PerKeyVault"), ("Arm", "PerApiCall", "PerSubscription")):
        remedy = plans_of([pricing(plan, "Free")], manifest=az.expecting_plans({plan: old})).remedy or ""
        assert (f"--subplan {new}" in remedy, old in remedy) == (True, False)


def test_a_name_in_a_document_never_becomes_a_command() -> None:
    """Remedies are lines for a shell, and anybody may have written the documents."""
    hostile = "x; rm -rf ~ #"
    scope = (
        f"/subscriptions/{az.SUBSCRIPTION}/resourceGroups/$(id)/providers/Microsoft.Compute/virtualMachines/{hostile}"
    )
    documents = [
        pricing("VirtualMachines", "Standard", resourcesCoverageStatus="PartiallyCovered"),
        pricing("CloudPosture", "Free", scope=scope),
        pricing(hostile, "Free"),
        pricing("Containers", extensions=[{"name": hostile, "isEnabled": "False"}]),
    ]
    manifest = az.expecting_plans({hostile: hostile, "Containers": None}, hostile)
    remedies = [one.remedy for _, _, one in judged(documents, manifest=manifest).assessed.verdicts() if one.remedy]
    assert len(remedies) >= 2
    for remedy in remedies:
        words = shlex.split(remedy)
        assert not {"rm", ";", "-rf", "#"} & set(words), words
        assert "$(id)" not in remedy.replace(shlex.quote(words[5]), "")


def account(state: str | None = "Enabled", name: str = "Payments") -> Json:
    """A subscription as `az account list` prints it."""
    return {"id": az.SUBSCRIPTION, "name": name, "tenantId": "t", "isDefault": True, "state": state}


def test_a_list_of_subscriptions_names_those_of_which_nothing_else_is_known() -> None:
    """One that may not be read is missing from every other answer; what was refused does not say that all is off."""
    id = f"/subscriptions/{az.SUBSCRIPTION}"
    for document in (
        [account()],
        [{"id": id, "subscriptionId": az.SUBSCRIPTION, "displayName": "Payments"}],
        {"data": [{"id": id, "name": "Payments", "type": "microsoft.resources/subscriptions"}]},
    ):
        found = verdict(judged(document), "Payments", Rung.PLAN)
        assert (found.state, f"{id}/providers/Microsoft.Security/pricings" in (found.remedy or "")) == (UNKNOWN, True)
        for order in ((document, ALL), (ALL, document)):
            assert verdict(judged(*order), "Payments", Rung.PLAN).state is COVERED
    refused = {"error": {"code": "Subscription Not Registered", "message": "Please register to Microsoft.Security"}}
    result = judged([account()], refused)
    assert verdict(result, "Payments", Rung.PLAN).state is UNKNOWN
    assert [name for name, _ in result.unused] == ["2.json"]


def test_many_remedies_stand_one_on_a_line() -> None:
    """None of them needs another, and the API wants to be left alone between them."""
    off = {"value": [pricing(name, "Free") for name in ("SqlServers", "Arm")]}
    sql, arm = (plans_of(off, types("microsoft.sql/servers")).remedy or "").split("\n")
    assert (
        sql == f"az security pricing create -n SqlServers --tier standard --subscription {az.SUBSCRIPTION} && sleep 15"
    )
    assert arm.startswith("az security pricing create -n Arm --tier standard --subplan PerSubscription ")


def test_posture_is_known_on_where_a_plan_of_posture_is_on() -> None:
    """It fails the gate only where the manifest expects it, and is never said to be off."""
    sql, free = pricing("SqlServers"), pricing("FoundationalCspm", "Free")
    plans = {"SqlServers": None}
    for documents, is_known_on in (
        *(([sql], False), ([sql, free], False), ([sql, free, pricing("FoundationalCspm")], False)),
        *(([sql, pricing(name)], True) for name in ("FoundationalCspm", "Discovery", "CloudPosture")),
        ([sql, free, pricing("CloudPosture")], True),
    ):
        (posture,) = judged(documents).posture
        is_said_off = not is_known_on and free in documents
        assert (posture.is_known_on, "Free is what the answer says" in posture.reason) == (is_known_on, is_said_off)
        assert plans_of(documents, manifest=az.expecting_plans(plans)).state is COVERED
        asked = plans_of(documents, manifest=az.expecting_plans(plans, expects_posture=True))
        assert asked.state is (COVERED if is_known_on else UNKNOWN)


def test_a_disabled_subscription_is_not_coverable_on_any_rung(subtests: pytest.Subtests) -> None:
    """Unless a document says that it is enabled; one that is in arrears still runs. What is covered in it stays covered.

    Nobody speaks of its export who does not of that of others: only the plan is expected of each.
    """
    rungs = (Rung.PLAN, Rung.SUPPRESSION, Rung.EXPORT, Rung.PATH)
    manifest = az.expecting(*rungs, export=ExpectedExport(alerts=HUB))
    ill = (pricing("Arm", "Free"), [az.automation(hub=None)], [az.suppression_rule(state="?", expirationDateUTC=None)])
    for is_disabled, *states in (
        *((True, "Disabled"), (True, "deleted"), (True, "Disabled", None)),
        *((False, "Enabled"), (False, "Warned"), (False, "PastDue"), (False, None), (False, "Disabled", "Enabled")),
    ):
        for others in ((), ill):
            with subtests.test(states=states, others=bool(others)):
                accounts = [account(None if one is None else str(one), az.SUBSCRIPTION) for one in states]
                result = judged(*accounts, *others, manifest=manifest)
                found = {verdict(result, az.SUBSCRIPTION, rung).state is NOT_COVERABLE for rung in rungs}
                assert found == {is_disabled}
    covered = judged(account("Disabled", az.SUBSCRIPTION), [az.suppression_rule()])
    assert verdict(covered, az.SUBSCRIPTION, Rung.SUPPRESSION).state is COVERED
    assert [list(row.verdicts) for row in judged(account("Disabled")).assessed.rows] == [[Rung.PLAN]]
    id = f"/subscriptions/{az.SUBSCRIPTION}"
    arm = {"value": [{"id": id, "subscriptionId": az.SUBSCRIPTION, "displayName": "old", "state": "Disabled"}]}
    row = {"id": id, "type": "microsoft.resources/subscriptions", "name": "old", "properties": {"state": "Disabled"}}
    for document in (arm, {"data": [{**row, "subscriptionId": az.SUBSCRIPTION}]}):
        assert verdict(judged(document), "old", Rung.PLAN).state is NOT_COVERABLE
