"""The plan of one workload: on at its subscription, and not switched off at the workload itself."""

from __future__ import annotations

import pytest

from router.coverage.expected.manifest import NO_MANIFEST, CoverageManifest
from router.coverage.verdicts import CoverageState, Verdict
from router.domain.coverage import Rung
from tests.coverage.builders import (
    CLUSTER,
    COSMOS_DB,
    MACHINE,
    REGISTRY,
    SQL_SERVER,
    STORAGE,
    SUBSCRIPTION,
    Json,
    expecting_plans,
    judged,
    managed_cluster,
    pricing,
    setting,
    verdict,
)

COVERED, GAP, UNKNOWN = CoverageState.COVERED, CoverageState.GAP, CoverageState.UNKNOWN
FULL = {"resourcesCoverageStatus": "FullyCovered"}
PARTIAL = {"resourcesCoverageStatus": "PartiallyCovered"}


def named(id: str) -> Json:
    """A document that names a resource, and says nothing of the plan that protects it."""
    return pricing("CloudPosture", "Free", scope=id)


def plan_of(id: str, *documents: Json, manifest: CoverageManifest = NO_MANIFEST) -> Verdict:
    """What is known of the plan of a resource."""
    result = judged(named(id), {"value": list(documents)}, manifest=manifest)
    return verdict(result, id.rpartition("/")[2], Rung.PLAN)


def own(id: str, plan: str, tier: str = "Standard", **properties: object) -> Json:
    """The plan of a resource itself."""
    return pricing(plan, tier, scope=id, **properties)


OLD = [pricing("Containers", "Free"), pricing("KubernetesService")]


@pytest.mark.parametrize(
    ("id", "documents", "state"),
    [
        (MACHINE, [], UNKNOWN),
        (MACHINE, [pricing("Containers", **FULL)], UNKNOWN),
        (MACHINE, [pricing("VirtualMachines", "Free")], GAP),
        (MACHINE, [pricing("VirtualMachines")], UNKNOWN),
        (MACHINE, [pricing("VirtualMachines", "Premium", **FULL)], UNKNOWN),
        (MACHINE, [pricing("VirtualMachines", **PARTIAL)], UNKNOWN),
        (MACHINE, [pricing("VirtualMachines", resourcesCoverageStatus="NotCovered")], GAP),
        (MACHINE, [pricing("VirtualMachines", **FULL)], COVERED),
        (MACHINE, [pricing("VirtualMachines", "STANDARD", resourcesCoverageStatus="fullycovered")], COVERED),
        (MACHINE, [pricing("VirtualMachines", **PARTIAL), own(MACHINE, "VirtualMachines")], COVERED),
        (MACHINE, [pricing("VirtualMachines", **PARTIAL), own(MACHINE, "VirtualMachines", "Free")], GAP),
        (MACHINE, [pricing("VirtualMachines", **FULL), own(MACHINE, "VirtualMachines", "Free")], GAP),
        (MACHINE, [pricing("VirtualMachines", "Free"), own(MACHINE, "VirtualMachines", subPlan="P1")], COVERED),
        (MACHINE, [pricing("VirtualMachines", "Free"), own(MACHINE, "VirtualMachines", inherited="True")], GAP),
        (MACHINE, [pricing("VirtualMachines", "Free", **PARTIAL)], UNKNOWN),
        (MACHINE, [own(MACHINE, "VirtualMachines", inherited="True")], COVERED),
        (MACHINE, [own(MACHINE, "CloudPosture", "Free"), pricing("VirtualMachines", **FULL)], COVERED),
        (CLUSTER, [pricing("Containers")], UNKNOWN),
        (CLUSTER, [pricing("Containers", **FULL)], COVERED),
        (CLUSTER, [pricing("Containers", "Free"), own(CLUSTER, "Containers")], COVERED),
        (CLUSTER, [pricing("Containers", **FULL), own(CLUSTER, "Containers", "Free", inherited="False")], GAP),
        (CLUSTER, [pricing("Containers", "Free"), pricing("KubernetesService", **FULL)], COVERED),
        (CLUSTER, [pricing("Containers", "Free"), pricing("KubernetesService")], UNKNOWN),
        (CLUSTER, [*OLD, own(CLUSTER, "Containers", "Free", inherited="True")], COVERED),
        (CLUSTER, [*OLD, own(CLUSTER, "Containers", "Free", inherited="False")], GAP),
        (CLUSTER, [pricing("Containers", "Free"), pricing("ContainerRegistry", **FULL)], GAP),
        (REGISTRY, [pricing("Containers", "Free"), pricing("ContainerRegistry", **FULL)], COVERED),
        (REGISTRY, [pricing("Containers", **PARTIAL)], UNKNOWN),
        (SQL_SERVER, [pricing("SqlServers")], COVERED),
        (SQL_SERVER, [pricing("SqlServers", **PARTIAL)], COVERED),
        (SQL_SERVER, [pricing("SqlServers", "Free")], GAP),
        (SQL_SERVER, [pricing("SqlServerVirtualMachines")], UNKNOWN),
        (COSMOS_DB, [pricing("CosmosDbs")], UNKNOWN),
        (COSMOS_DB, [pricing("CosmosDbs", **FULL)], COVERED),
        (
            COSMOS_DB,
            [pricing("CosmosDbs"), setting(COSMOS_DB, "advancedThreatProtectionSettings", isEnabled=True)],
            COVERED,
        ),
        (
            COSMOS_DB,
            [pricing("CosmosDbs"), setting(COSMOS_DB, "advancedThreatProtectionSettings", isEnabled=False)],
            GAP,
        ),
        (COSMOS_DB, [pricing("CosmosDbs"), setting(COSMOS_DB, "advancedThreatProtectionSettings")], UNKNOWN),
    ],
)
def test_a_resource_has_the_plan_that_its_subscription_has_unless_it_differs(
    id: str, documents: list[Json], state: CoverageState
) -> None:
    """Where it can differ, that it does not must be seen, too."""
    assert plan_of(id, *documents).state is state


V2 = pricing("StorageAccounts", subPlan="DefenderForStorageV2")
CLASSIC = pricing("StorageAccounts", subPlan="PerTransaction")


def storage(is_enabled: bool | None, override: bool | None) -> Json:
    """What a storage account says of itself."""
    return setting(
        STORAGE, "defenderForStorageSettings", isEnabled=is_enabled, overrideSubscriptionLevelSettings=override
    )


def atp(is_enabled: bool) -> Json:
    """What `az security atp storage show` prints."""
    return setting(STORAGE, "advancedThreatProtectionSettings", isEnabled=is_enabled)


@pytest.mark.parametrize(
    ("documents", "state"),
    [
        ([V2], UNKNOWN),
        ([V2, storage(True, False)], COVERED),
        ([V2, storage(True, True)], COVERED),
        ([V2, storage(False, True)], GAP),
        ([V2, storage(False, False)], UNKNOWN),
        ([V2, storage(None, True)], UNKNOWN),
        ([pricing("StorageAccounts", **FULL), storage(False, True)], GAP),
        ([pricing("StorageAccounts", **FULL), storage(False, False)], UNKNOWN),
        ([pricing("StorageAccounts", "Free"), storage(True, True)], COVERED),
        ([pricing("StorageAccounts", "Free"), storage(True, False)], GAP),
        ([V2, storage(True, False), storage(False, True)], GAP),
        ([V2, atp(True)], UNKNOWN),
        ([CLASSIC, atp(True)], COVERED),
        ([CLASSIC, atp(False)], GAP),
        ([CLASSIC, atp(True), storage(False, True)], GAP),
    ],
)
def test_a_storage_account_that_overrides_its_subscription_is_judged_by_itself(
    documents: list[Json], state: CoverageState
) -> None:
    """Override and not on is a gap under a plan that is on; the classic switch proves nothing of the new plan."""
    assert plan_of(STORAGE, *documents).state is state


@pytest.mark.parametrize(
    ("documents", "state"),
    [
        ([pricing("VirtualMachines", subPlan="P2", **FULL)], COVERED),
        ([pricing("VirtualMachines", subPlan="P1", **FULL)], GAP),
        ([pricing("VirtualMachines", subPlan="P1", **PARTIAL)], GAP),
        ([pricing("VirtualMachines", **FULL)], UNKNOWN),
        ([pricing("VirtualMachines", subPlan="P3", **FULL)], UNKNOWN),
        ([pricing("VirtualMachines", subPlan="p2", **FULL), own(MACHINE, "VirtualMachines", subPlan="P1")], GAP),
        ([pricing("VirtualMachines", subPlan="P2", **FULL), pricing("VirtualMachines", subPlan="P1")], GAP),
    ],
)
def test_p1_where_p2_is_needed_is_not_covered_by_plan(documents: list[Json], state: CoverageState) -> None:
    """A sub-plan that no answer says is unknown."""
    found = plan_of(MACHINE, *documents, manifest=expecting_plans({"virtualmachines": "P2"}))
    assert found.state is state
    if state is GAP:
        assert found.reason.startswith("VirtualMachines is P1, which leaves out ")
        assert "just-in-time access" in found.reason
        assert "--subplan P2" in (found.remedy or "")


def test_a_covered_machine_says_what_its_sub_plan_leaves_out() -> None:
    """So does one of which the sub-plan is not known; P2 leaves nothing out."""
    for sub_plan, says in (("P1", True), ("P2", False), (None, True)):
        found = plan_of(MACHINE, pricing("VirtualMachines", subPlan=sub_plan, **FULL))
        assert found.state is COVERED
        assert any("file integrity monitoring" in one for one in found.remarks) is says


SCANNING = "AgentlessVmScanning"


@pytest.mark.parametrize(
    ("extension", "state"),
    [
        ({"name": SCANNING, "isEnabled": "True"}, COVERED),
        ({"name": SCANNING, "isEnabled": "true"}, COVERED),
        ({"name": SCANNING, "isEnabled": "False"}, GAP),
        ({"name": SCANNING, "isEnabled": "True", "operationStatus": {"code": "Succeeded"}}, COVERED),
        ({"name": SCANNING, "isEnabled": "True", "operationStatus": {"code": "Failed"}}, GAP),
        ({"name": SCANNING, "isEnabled": None}, UNKNOWN),
        ({"name": "FileIntegrityMonitoring", "isEnabled": "True"}, UNKNOWN),
    ],
)
def test_an_extension_that_is_expected_must_be_seen_on(extension: Json, state: CoverageState) -> None:
    """One that failed looks as if it were on; only the answer to PUT tells."""
    document = pricing("VirtualMachines", subPlan="P2", extensions=[extension], **FULL)
    assert plan_of(MACHINE, document, manifest=expecting_plans(None, SCANNING)).state is state
    assert plan_of(MACHINE, document).state is COVERED


def test_an_extension_that_one_answer_calls_off_is_off() -> None:
    """Whatever another one says, and in whichever order."""
    on, off = (
        pricing("VirtualMachines", extensions=[{"name": SCANNING, "isEnabled": said}], **FULL)
        for said in ("True", "False")
    )
    for documents in ((on, off), (off, on)):
        assert plan_of(MACHINE, *documents, manifest=expecting_plans(None, SCANNING)).state is GAP


@pytest.mark.parametrize(
    ("fields", "state"),
    [
        ({"tags": {"scan": "NO"}}, GAP),
        ({"tags": {"scan": "yes"}}, COVERED),
        ({"tags": {}}, COVERED),
        ({"tags": None}, COVERED),
        ({}, UNKNOWN),
    ],
)
def test_an_extension_that_is_expected_leaves_out_what_has_a_tag(fields: Json, state: CoverageState) -> None:
    """So the tags of the resource must be known."""
    extension = {
        "name": "ContainerSensor",
        "isEnabled": "True",
        "additionalExtensionProperties": {"ExclusionTags": '[{"Key":"Scan","Value":"no"}]'},
    }
    plan = pricing("Containers", extensions=[extension], **FULL)
    cluster = {**managed_cluster(), **fields}
    assert plan_of(CLUSTER, cluster, plan, manifest=expecting_plans(None, "ContainerSensor")).state is state
    assert plan_of(CLUSTER, cluster, plan).state is COVERED


def test_an_extension_of_another_plan_is_not_asked_of_this_one() -> None:
    """A manifest may name those of several plans for all workloads."""
    manifest = expecting_plans(None, "ContainerSensor")
    assert plan_of(MACHINE, pricing("VirtualMachines", **FULL), manifest=manifest).state is COVERED
    assert plan_of(CLUSTER, pricing("Containers", **FULL), manifest=manifest).state is UNKNOWN


def test_two_answers_that_differ_are_taken_at_their_worst() -> None:
    """The evidence shows what both say."""
    found = judged(named(SQL_SERVER), [pricing("SqlServers")], [pricing("SqlServers", "Free")])
    assert verdict(found, "ledger", Rung.PLAN).state is GAP
    found = judged(
        named(MACHINE),
        [pricing("VirtualMachines", subPlan="P2", **FULL)],
        [pricing("VirtualMachines", subPlan="P1")],
    )
    shown = {(one.document, one.value) for one in verdict(found, "web-1", Rung.PLAN).evidence}
    assert {("2.json [0]", "P2"), ("3.json [0]", "P1")} <= shown


def test_what_an_answer_says_besides_is_remarked() -> None:
    """Free trial, tags that an extension leaves out, extensions that are off."""
    tags = '[{"Key":"scan","Value":"no"},{"key":"lab","value":"yes"}]'
    extensions = [
        {"name": SCANNING, "isEnabled": "True", "additionalExtensionProperties": {"exclusionTags": tags}},
        {"name": "FileIntegrityMonitoring", "isEnabled": "False"},
    ]
    remarks = plan_of(
        MACHINE,
        pricing(
            "VirtualMachines",
            subPlan="P2",
            freeTrialRemainingTime="P29DT23H",
            extensions=extensions,
            **FULL,
        ),
    ).remarks
    for words in ("P29DT23H", "scan=no or lab=yes", "FileIntegrityMonitoring"):
        assert any(words in one for one in remarks), words


def test_a_cluster_of_which_only_kubectl_speaks_is_in_no_known_subscription() -> None:
    """What Azure bills for it cannot be known."""
    namespace = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "kube-system"}}
    found = verdict(judged(namespace, pricing("Containers", **FULL)), "(unnamed cluster)", Rung.PLAN)
    assert (found.state, found.remedy) == (UNKNOWN, "az aks list -o json")


@pytest.mark.parametrize(
    ("id", "plan", "method"),
    [(MACHINE, "VirtualMachines", "delete"), (STORAGE, "StorageAccounts", "put"), (SQL_SERVER, "SqlServers", None)],
)
def test_a_plan_that_is_on_at_no_resource_is_mended_at_the_resource(id: str, plan: str, method: str | None) -> None:
    """Where one of its kind can be switched off by itself."""
    found = plan_of(id, pricing(plan, resourcesCoverageStatus="NotCovered"))
    assert found.state is GAP
    assert (found.remedy or "").startswith(f"az rest --method {method} --url '{id}/" if method else "")
    assert (found.remedy is None) is (method is None)


def test_an_account_of_which_only_the_count_of_its_subscription_speaks_can_be_asked() -> None:
    """Its own settings are no part of what was given."""
    remark = "only resourcesCoverageStatus says that the account itself is on"
    counted = pricing("StorageAccounts", subPlan="DefenderForStorageV2", **FULL)
    for documents, is_said in (([counted], True), ([counted, storage(True, False)], False)):
        assert any(remark in one for one in plan_of(STORAGE, *documents).remarks) is is_said


def test_the_switch_of_an_account_of_cosmos_db_is_its_own() -> None:
    """It counts where the subscription's plan is off, both ways."""
    for is_on, state in ((True, COVERED), (False, GAP)):
        switch = setting(COSMOS_DB, "advancedThreatProtectionSettings", isEnabled=is_on)
        assert plan_of(COSMOS_DB, pricing("CosmosDbs", "Free"), switch).state is state


def test_a_subscription_counts_for_its_own_resources_only() -> None:
    """Another subscription's plan covers nothing here."""
    other = pricing("VirtualMachines", scope="/subscriptions/22222222-2222-2222-2222-222222222222", **FULL)
    assert plan_of(MACHINE, other).state is UNKNOWN
    assert SUBSCRIPTION in (plan_of(MACHINE, other).remedy or "")
