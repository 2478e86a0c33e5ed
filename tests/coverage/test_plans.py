"""The plan of one workload: on at its subscription, and not switched off at the workload itself."""

from __future__ import annotations

import json
from collections.abc import Mapping

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from router.coverage.expected.manifest import NO_MANIFEST, CoverageManifest
from router.coverage.verdicts import Verdict
from router.domain.coverage import Rung, WorkloadKind
from tests.coverage import builders as az
from tests.coverage.builders import CLUSTER, COVERED, GAP, MACHINE, UNKNOWN, Json, hold, judged, pricing, verdict
from tests.coverage.estates import MANIFESTS, Estate, estates
from tests.examples import some_of

FULL, PARTIAL, NONE = ({"resourcesCoverageStatus": f"{word}Covered"} for word in ("Fully", "Partially", "Not"))
SERVERS, CONTAINERS, SCANNING = "VirtualMachines", "Containers", "AgentlessVmScanning"
V2 = pricing("StorageAccounts", subPlan="DefenderForStorageV2")


def plan_of(id: str, *documents: Json, manifest: CoverageManifest = NO_MANIFEST) -> Verdict:
    """What is known of the plan of a resource, which one more document names that says nothing of that plan."""
    named = pricing("CloudPosture", "Free", scope=id)
    result = judged(named, {"value": list(documents)}, manifest=manifest)
    return verdict(result, id.rpartition("/")[2], Rung.PLAN)


def own(id: str, plan: str, tier: str = "Standard", **properties: object) -> Json:
    """The plan of a resource itself."""
    return pricing(plan, tier, scope=id, **properties)


def switch(id: str, **properties: object) -> Json:
    """The classic switch of an account, as `az security atp storage show` prints it."""
    return az.setting(id, "advancedThreatProtectionSettings", **properties)


def storage(is_enabled: bool | None, override: bool | None) -> Json:
    """What a storage account says of itself."""
    switches = {"isEnabled": is_enabled, "overrideSubscriptionLevelSettings": override}
    return az.setting(az.STORAGE, "defenderForStorageSettings", **switches)


def test_a_resource_has_the_plan_that_its_subscription_has_unless_it_differs(subtests: pytest.Subtests) -> None:
    """Where it can differ, that it does not must be seen, too. Another subscription's plan covers nothing here.

    An account's own switch counts where the subscription's plan is off, both ways.
    """
    full, off, partial = pricing(SERVERS, **FULL), pricing(SERVERS, "Free"), pricing(SERVERS, **PARTIAL)
    elsewhere = pricing(SERVERS, scope="/subscriptions/22222222-2222-2222-2222-222222222222", **FULL)
    mine, not_mine, inherited = (
        own(MACHINE, SERVERS),
        own(MACHINE, SERVERS, "Free"),
        own(MACHINE, SERVERS, inherited="True"),
    )
    in_capitals = pricing(SERVERS, "STANDARD", resourcesCoverageStatus="fullycovered")
    hold(
        subtests,
        lambda *documents: plan_of(MACHINE, *documents),
        (COVERED, [full], [in_capitals], [partial, mine], [off, own(MACHINE, SERVERS, subPlan="P1")], [inherited]),
        (COVERED, [own(MACHINE, "CloudPosture", "Free"), full]),
        (GAP, [off], [pricing(SERVERS, **NONE)], [partial, not_mine], [full, not_mine], [off, inherited]),
        (UNKNOWN, [], [pricing(CONTAINERS, **FULL)], [pricing(SERVERS)], [partial], [elsewhere]),
        (UNKNOWN, [pricing(SERVERS, "Premium", **FULL)], [pricing(SERVERS, "Free", **PARTIAL)]),
    )
    assert az.SUBSCRIPTION in (plan_of(MACHINE, elsewhere).remedy or "")
    free, old = pricing(CONTAINERS, "Free"), pricing("KubernetesService")
    hold(
        subtests,
        lambda *documents: plan_of(CLUSTER, *documents),
        (COVERED, [pricing(CONTAINERS, **FULL)], [free, own(CLUSTER, CONTAINERS)]),
        (COVERED, [free, pricing("KubernetesService", **FULL)]),
        (COVERED, [free, old, own(CLUSTER, CONTAINERS, "Free", inherited="True")]),
        (GAP, [pricing(CONTAINERS, **FULL), own(CLUSTER, CONTAINERS, "Free", inherited="False")]),
        (GAP, [free, old, own(CLUSTER, CONTAINERS, "Free", inherited="False")]),
        (GAP, [free, pricing("ContainerRegistry", **FULL)]),
        (UNKNOWN, [pricing(CONTAINERS)], [free, old]),
    )
    registry = [free, pricing("ContainerRegistry", **FULL)]
    hold(
        subtests,
        lambda *some: plan_of(az.REGISTRY, *some),
        (COVERED, registry),
        (UNKNOWN, [pricing(CONTAINERS, **PARTIAL)]),
    )
    hold(
        subtests,
        lambda *documents: plan_of(az.SQL_SERVER, *documents),
        (COVERED, [pricing("SqlServers")], [pricing("SqlServers", **PARTIAL)]),
        (GAP, [pricing("SqlServers", "Free")]),
        (UNKNOWN, [pricing("SqlServerVirtualMachines")]),
    )
    cosmos, free = pricing("CosmosDbs"), pricing("CosmosDbs", "Free")
    on, off = switch(az.COSMOS_DB, isEnabled=True), switch(az.COSMOS_DB, isEnabled=False)
    hold(
        subtests,
        lambda *documents: plan_of(az.COSMOS_DB, *documents),
        (COVERED, [pricing("CosmosDbs", **FULL)], [cosmos, on], [free, on]),
        (GAP, [cosmos, off], [free, off]),
        (UNKNOWN, [cosmos], [cosmos, switch(az.COSMOS_DB)]),
    )


def test_a_storage_account_that_overrides_its_subscription_is_judged_by_itself(subtests: pytest.Subtests) -> None:
    """Override and not on is a gap under a plan that is on; the classic switch proves nothing of the new plan."""
    classic, full = pricing("StorageAccounts", subPlan="PerTransaction"), pricing("StorageAccounts", **FULL)
    free, on, off = (
        pricing("StorageAccounts", "Free"),
        switch(az.STORAGE, isEnabled=True),
        switch(az.STORAGE, isEnabled=False),
    )
    hold(
        subtests,
        lambda *documents: plan_of(az.STORAGE, *documents),
        (COVERED, [V2, storage(True, False)], [V2, storage(True, True)], [free, storage(True, True)], [classic, on]),
        (GAP, [V2, storage(False, True)], [full, storage(False, True)], [free, storage(True, False)], [classic, off]),
        (GAP, [V2, storage(True, False), storage(False, True)], [classic, on, storage(False, True)]),
        (
            UNKNOWN,
            [V2],
            [V2, storage(False, False)],
            [V2, storage(None, True)],
            [full, storage(False, False)],
            [V2, on],
        ),
    )
    remark = "only resourcesCoverageStatus says that the account itself is on"
    counted = pricing("StorageAccounts", subPlan="DefenderForStorageV2", **FULL)
    for documents, is_said in (([counted], True), ([counted, storage(True, False)], False)):
        assert (remark in str(plan_of(az.STORAGE, *documents).remarks)) is is_said


def test_p1_where_p2_is_needed_is_not_covered_by_plan(subtests: pytest.Subtests) -> None:
    """A sub-plan that no answer says is unknown. A covered machine says what its sub-plan leaves out; P2 leaves nothing out."""
    p1, p2 = (pricing(SERVERS, subPlan=one, **FULL) for one in ("P1", "p2"))
    gaps = [[p1], [pricing(SERVERS, subPlan="P1", **PARTIAL)], [p2, own(MACHINE, SERVERS, subPlan="P1")]]
    gaps += [[pricing(SERVERS, subPlan="P2", **FULL), pricing(SERVERS, subPlan="P1")]]

    def judge(*documents: Json) -> Verdict:
        return plan_of(MACHINE, *documents, manifest=az.expecting_plans({"virtualmachines": "P2"}))

    unsaid = pricing(SERVERS, **FULL)
    hold(subtests, judge, (COVERED, [p2]), (GAP, *gaps), (UNKNOWN, [unsaid], [pricing(SERVERS, subPlan="P3", **FULL)]))
    for found in (judge(*documents) for documents in gaps):
        assert found.reason.startswith("VirtualMachines is P1, which leaves out ")
        assert "just-in-time access" in found.reason
        assert "--subplan P2" in (found.remedy or "")
    for document, says in ((p1, True), (p2, False), (unsaid, True)):
        found = plan_of(MACHINE, document)
        assert (found.state, "file integrity monitoring" in str(found.remarks)) == (COVERED, says)


def test_an_extension_that_is_expected_must_be_seen_on() -> None:
    """One that failed looks as if it were on; only the answer to PUT tells. One that any answer calls off is off.

    An extension of another plan is not asked of this one: a manifest may name those of several for all workloads.
    """
    expected = az.expecting_plans(None, SCANNING)
    on, off = ({"name": SCANNING, "isEnabled": one} for one in ("True", "False"))
    for extension, state in (
        *((on, COVERED), ({**on, "isEnabled": "true"}, COVERED), (off, GAP), ({**on, "isEnabled": None}, UNKNOWN)),
        *(({**on, "operationStatus": {"code": code}}, one) for code, one in (("Succeeded", COVERED), ("Failed", GAP))),
        ({"name": "FileIntegrityMonitoring", "isEnabled": "True"}, UNKNOWN),
    ):
        document = pricing(SERVERS, subPlan="P2", extensions=[extension], **FULL)
        assert plan_of(MACHINE, document, manifest=expected).state is state, extension
        assert plan_of(MACHINE, document).state is COVERED
    both = [pricing(SERVERS, extensions=[one], **FULL) for one in (on, off)]
    assert {plan_of(MACHINE, *documents, manifest=expected).state for documents in (both, both[::-1])} == {GAP}
    sensor = az.expecting_plans(None, "ContainerSensor")
    assert plan_of(MACHINE, pricing(SERVERS, **FULL), manifest=sensor).state is COVERED
    assert plan_of(CLUSTER, pricing(CONTAINERS, **FULL), manifest=sensor).state is UNKNOWN


def test_an_extension_that_is_expected_leaves_out_what_has_a_tag() -> None:
    """So the tags of the resource must be known."""
    tags = {"ExclusionTags": '[{"Key":"Scan","Value":"no"}]'}
    extension = {"name": "ContainerSensor", "isEnabled": "True", "additionalExtensionProperties": tags}
    plan = pricing(CONTAINERS, extensions=[extension], **FULL)
    for fields, state in (
        *(({"tags": {"scan": "NO"}}, GAP), ({"tags": {"scan": "yes"}}, COVERED), ({"tags": {}}, COVERED)),
        *(({"tags": None}, COVERED), ({}, UNKNOWN)),
    ):
        cluster = {**az.managed_cluster(), **fields}
        assert plan_of(CLUSTER, cluster, plan, manifest=az.expecting_plans(None, "ContainerSensor")).state is state
        assert plan_of(CLUSTER, cluster, plan).state is COVERED


def test_two_answers_that_differ_are_taken_at_their_worst() -> None:
    """The evidence shows what both say."""
    assert plan_of(az.SQL_SERVER, pricing("SqlServers"), pricing("SqlServers", "Free")).state is GAP
    p2, p1 = pricing(SERVERS, subPlan="P2", **FULL), pricing(SERVERS, subPlan="P1")
    found = verdict(judged(own(MACHINE, "CloudPosture"), [p2], [p1]), "web-1", Rung.PLAN)
    assert {("2.json [0]", "P2"), ("3.json [0]", "P1")} <= {(one.document, one.value) for one in found.evidence}


def test_what_an_answer_says_besides_is_remarked() -> None:
    """Free trial, tags that an extension leaves out, extensions that are off."""
    tags = '[{"Key":"scan","Value":"no"},{"key":"lab","value":"yes"}]'
    extensions = [
        {"name": SCANNING, "isEnabled": "True", "additionalExtensionProperties": {"exclusionTags": tags}},
        {"name": "FileIntegrityMonitoring", "isEnabled": "False"},
    ]
    found = plan_of(MACHINE, pricing(SERVERS, freeTrialRemainingTime="P29DT23H", extensions=extensions, **FULL))
    assert all(word in str(found.remarks) for word in ("P29DT23H", "scan=no or lab=yes", "FileIntegrityMonitoring"))


def test_a_cluster_of_which_only_kubectl_speaks_is_in_no_known_subscription() -> None:
    """What Azure bills for it cannot be known."""
    namespace = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "kube-system"}}
    found = verdict(judged(namespace, pricing(CONTAINERS, **FULL)), "(unnamed cluster)", Rung.PLAN)
    assert (found.state, found.remedy) == (UNKNOWN, "az aks list -o json")


def test_a_plan_that_is_on_at_no_resource_is_mended_at_the_resource() -> None:
    """Where one of its kind can be switched off by itself."""
    for id, plan, method in (
        (MACHINE, SERVERS, "delete"),
        (az.STORAGE, "StorageAccounts", "put"),
        (az.SQL_SERVER, "SqlServers", None),
    ):
        found = plan_of(id, pricing(plan, **NONE))
        assert (found.state, found.remedy is None) == (GAP, method is None)
        assert method is None or (found.remedy or "").startswith(f"az rest --method {method} --url '{id}/")


@given(estates(), st.data(), st.sampled_from(MANIFESTS))
@settings(max_examples=some_of(100))
def test_what_is_covered_is_on(estate: Estate, data: st.DataObject, manifest: CoverageManifest) -> None:
    """Whatever part of the answers is given, no plan is said to be on for a resource for which it is not.

    By an oracle that knows the estate and not its documents.
    """
    documents = estate.documents()
    some = data.draw(st.sets(st.sampled_from(sorted(documents))))
    is_on = (estate.own or estate.tier) == "Standard"
    is_old = estate.deprecated and estate.id in (CLUSTER, az.REGISTRY) and estate.own is None
    result = judged(*(documents[name] for name in sorted(some)), manifest=manifest)
    for workload, rung, found in result.assessed.verdicts():
        if rung is Rung.PLAN and found.state is COVERED and workload.subject == estate.id.lower():
            assert workload.kind is not WorkloadKind.SUBSCRIPTION
            assert is_on or is_old


def _flat(row: Json) -> Json:
    properties = row["properties"]
    assert isinstance(properties, Mapping)
    return {"id": row["id"], "name": row["name"], "type": row["type"], **properties}


def test_every_form_of_an_answer_says_plan_sub_plan_and_extensions(subtests: pytest.Subtests) -> None:
    """Flat, ARM's, rows of Resource Graph; a table of Resource Graph writes what is nested as text."""
    p2 = pricing(SERVERS, subPlan="P2")
    id, row = p2["id"], {**p2, "type": "microsoft.security/pricings", "tenantId": "t"}
    for name, form in {
        "ARM, one": p2,
        "ARM, list": {"value": [p2]},
        "az security pricing show": _flat(p2),
        "az security pricing list": {"value": [_flat(p2)]},
        "az, only the list": [_flat(p2)],
        "Resource Graph": {"data": [row], "count": 1},
        "Resource Graph, id and properties": {"data": [{"id": id, "properties": p2["properties"]}]},
        "PowerShell": {"Id": id, "Name": SERVERS, "PricingTier": "Standard", "SubPlan": "P2"},
    }.items():
        with subtests.test(name):
            found = judged(form, manifest=az.expecting_plans({SERVERS: "P2"}))
            assert verdict(found, az.SUBSCRIPTION, Rung.PLAN).state is COVERED
    expected = az.expecting_plans({"StorageAccounts": None}, "OnUploadMalwareScanning")
    for key in ("capGBPerMonthPerStorageAccount", "CapGBPerMonthPerStorageAccount"):
        said = [{"name": "OnUploadMalwareScanning", "isEnabled": "True", "additionalExtensionProperties": {key: "10"}}]
        for value in (said, json.dumps(said)):
            found = judged([pricing("StorageAccounts", extensions=value)], manifest=expected)
            assert verdict(found, az.SUBSCRIPTION, Rung.PLAN).state is COVERED


def test_what_only_resembles_a_plan_is_none() -> None:
    """It names no subscription and no plan."""
    row = {"subscriptionId": az.SUBSCRIPTION, "tier": "Standard"}
    operators = (
        f"/subscriptions/{az.SUBSCRIPTION}/providers/Microsoft.Security/pricings/{SERVERS}/securityOperators/one"
    )
    for other in (
        *({"name": SERVERS, "subPlan": "P2", **row}, {"name": "standard-plan", **row}),
        {"name": CONTAINERS, "type": "microsoft.network/publicipaddresses", **row},
        {"id": operators, "type": "Microsoft.Security/pricings/securityOperators"},
    ):
        result = judged([other])
        assert (result.assessed.rows, [name for name, _ in result.unused]) == ((), ["1.json"])
