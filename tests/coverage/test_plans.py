"""The plan of one workload, on at its subscription and not off at the workload; the plans of a subscription, and posture."""

import json
import re
import shlex
from collections.abc import Mapping
from functools import partial

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from router.coverage.expected.manifest import NO_MANIFEST, CoverageManifest, ExpectedExport
from router.coverage.plans.table import PROTECTING_PLANS
from router.coverage.verdicts import Verdict
from router.domain.coverage import Rung, WorkloadKind
from tests.coverage import builders as az
from tests.coverage.builders import COVERED, GAP, MACHINE, NOT_COVERABLE, UNKNOWN, Hold, Json, judged, pricing, verdict
from tests.coverage.worlds import MANIFESTS, Estate, estates
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


def test_a_resource_has_the_plan_that_its_subscription_has_unless_it_differs(hold: Hold) -> None:
    """That it does not differ must be seen, too. An account's own switch counts where the subscription's plan is off."""
    full, off, some = pricing(SERVERS, **FULL), pricing(SERVERS, "Free"), pricing(SERVERS, **PARTIAL)
    elsewhere = pricing(SERVERS, scope="/subscriptions/22222222-2222-2222-2222-222222222222", **FULL)
    mine, not_mine = own(MACHINE, SERVERS), own(MACHINE, SERVERS, "Free")
    inherited = own(MACHINE, SERVERS, inherited="True")
    in_capitals = pricing(SERVERS, "STANDARD", resourcesCoverageStatus="fullycovered")
    hold(
        partial(plan_of, MACHINE),
        (COVERED, [full], [in_capitals], [some, mine], [off, own(MACHINE, SERVERS, subPlan="P1")], [inherited]),
        (COVERED, [own(MACHINE, "CloudPosture", "Free"), full]),
        (GAP, [off], [pricing(SERVERS, **NONE)], [some, not_mine], [full, not_mine], [off, inherited]),
        (UNKNOWN, [], [pricing(CONTAINERS, **FULL)], [pricing(SERVERS)], [some], [elsewhere]),
        (UNKNOWN, [pricing(SERVERS, "Premium", **FULL)], [pricing(SERVERS, "Free", **PARTIAL)]),
    )
    assert az.SUBSCRIPTION in (plan_of(MACHINE, elsewhere).remedy or "")
    free, old = pricing(CONTAINERS, "Free"), pricing("KubernetesService")
    hold(
        partial(plan_of, az.CLUSTER),
        (COVERED, [pricing(CONTAINERS, **FULL)], [free, own(az.CLUSTER, CONTAINERS)]),
        (COVERED, [free, pricing("KubernetesService", **FULL)]),
        (COVERED, [free, old, own(az.CLUSTER, CONTAINERS, "Free", inherited="True")]),
        (GAP, [pricing(CONTAINERS, **FULL), own(az.CLUSTER, CONTAINERS, "Free", inherited="False")]),
        (GAP, [free, old, own(az.CLUSTER, CONTAINERS, "Free", inherited="False")]),
        (GAP, [free, pricing("ContainerRegistry", **FULL)]),
        (UNKNOWN, [pricing(CONTAINERS)], [free, old]),
    )
    namespace = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "kube-system"}}
    unnamed = partial(az.known, of="(unnamed cluster)", on=Rung.PLAN)
    hold(unnamed, (UNKNOWN, "", "az aks list -o json", [namespace, pricing(CONTAINERS, **FULL)]))
    registry = [free, pricing("ContainerRegistry", **FULL)]
    hold(partial(plan_of, az.REGISTRY), (COVERED, registry), (UNKNOWN, [pricing(CONTAINERS, **PARTIAL)]))
    hold(
        partial(plan_of, az.SQL_SERVER),
        (COVERED, [pricing("SqlServers")], [pricing("SqlServers", **PARTIAL)]),
        (GAP, [pricing("SqlServers", "Free")]),
        (UNKNOWN, [pricing("SqlServerVirtualMachines")]),
    )
    cosmos, free = pricing("CosmosDbs"), pricing("CosmosDbs", "Free")
    on, off = switch(az.COSMOS_DB, isEnabled=True), switch(az.COSMOS_DB, isEnabled=False)
    hold(
        partial(plan_of, az.COSMOS_DB),
        (COVERED, [pricing("CosmosDbs", **FULL)], [cosmos, on], [free, on]),
        (GAP, [cosmos, off], [free, off]),
        (UNKNOWN, [cosmos], [cosmos, switch(az.COSMOS_DB)]),
    )


def test_a_storage_account_that_overrides_its_subscription_is_judged_by_itself(hold: Hold) -> None:
    """Override and not on is a gap under a plan that is on; the classic switch proves nothing of the new plan."""
    classic, full = pricing("StorageAccounts", subPlan="PerTransaction"), pricing("StorageAccounts", **FULL)
    free, (on, off) = pricing("StorageAccounts", "Free"), [switch(az.STORAGE, isEnabled=one) for one in (True, False)]
    hold(
        partial(plan_of, az.STORAGE),
        (COVERED, [V2, storage(True, False)], [V2, storage(True, True)], [free, storage(True, True)], [classic, on]),
        (GAP, [V2, storage(False, True)], [full, storage(False, True)], [free, storage(True, False)], [classic, off]),
        (GAP, [V2, storage(True, False), storage(False, True)], [classic, on, storage(False, True)]),
        (UNKNOWN, [V2], [V2, storage(False, False)], [V2, storage(None, True)], [full, storage(False, False)]),
        (UNKNOWN, [V2, on]),
    )
    remark = "only resourcesCoverageStatus says that the account itself is on"
    counted = pricing("StorageAccounts", subPlan="DefenderForStorageV2", **FULL)
    for documents, is_said in (([counted], True), ([counted, storage(True, False)], False)):
        assert (remark in str(plan_of(az.STORAGE, *documents).remarks)) is is_said


def test_p1_where_p2_is_needed_is_not_covered_by_plan(hold: Hold) -> None:
    """A sub-plan that no answer says is unknown. A covered machine says what its sub-plan leaves out; P2 leaves nothing out."""
    p1, p2 = (pricing(SERVERS, subPlan=one, **FULL) for one in ("P1", "p2"))
    gaps = [[p1], [pricing(SERVERS, subPlan="P1", **PARTIAL)], [p2, own(MACHINE, SERVERS, subPlan="P1")]]
    gaps += [[pricing(SERVERS, subPlan="P2", **FULL), pricing(SERVERS, subPlan="P1")]]

    def judge(*documents: Json) -> Verdict:
        return plan_of(MACHINE, *documents, manifest=az.expecting_plans({"virtualmachines": "P2"}))

    unsaid, leaves_out = pricing(SERVERS, **FULL), "VirtualMachines is P1, which leaves out "
    hold(judge, (COVERED, [p2]), (GAP, leaves_out, *gaps), (GAP, "just-in-time access", *gaps))
    hold(judge, (UNKNOWN, [unsaid], [pricing(SERVERS, subPlan="P3", **FULL)]))
    assert all("--subplan P2" in (judge(*documents).remedy or "") for documents in gaps)
    found = verdict(judged(own(MACHINE, "CloudPosture"), [p2], [pricing(SERVERS, subPlan="P1")]), "web-1", Rung.PLAN)
    assert {("2.json [0]", "p2"), ("3.json [0]", "P1")} <= {(one.document, one.value) for one in found.evidence}
    for document, says in ((p1, True), (p2, False), (unsaid, True)):
        found = plan_of(MACHINE, document)
        assert (found.state, "file integrity monitoring" in str(found.remarks)) == (COVERED, says)


def test_an_extension_that_is_expected_must_be_seen_on(hold: Hold) -> None:
    """One that failed looks as if it were on; one that any answer calls off is off. It is asked of the plan that has it."""
    expected, sensor = az.expecting_plans(None, SCANNING), az.expecting_plans(None, "ContainerSensor")
    on, off = ({"name": SCANNING, "isEnabled": one} for one in ("True", "False"))

    def scanned(*extensions: object) -> Verdict:
        documents = [pricing(SERVERS, extensions=[one], **FULL) for one in extensions]
        assert plan_of(MACHINE, *documents).state is COVERED
        return plan_of(MACHINE, *documents, manifest=expected)

    succeeded, failed = ({**on, "operationStatus": {"code": one}} for one in ("Succeeded", "Failed"))
    other = {"name": "FileIntegrityMonitoring", "isEnabled": "True"}
    hold(
        scanned,
        (COVERED, [on], [{**on, "isEnabled": "true"}], [succeeded]),
        (GAP, [off], [failed], [on, off], [off, on]),
        (UNKNOWN, [{**on, "isEnabled": None}], [other]),
    )
    assert plan_of(MACHINE, pricing(SERVERS, **FULL), manifest=sensor).state is COVERED
    assert plan_of(az.CLUSTER, pricing(CONTAINERS, **FULL), manifest=sensor).state is UNKNOWN

    def sensing(is_enabled: str | None) -> Verdict:
        sensor = pricing("Containers", extensions=[az.extension_of_plan("ContainerSensor", enabled=is_enabled)])
        manifest = az.expecting_plans({"Containers": None, "SqlServers": None}, "ContainerSensor")
        return plans_of([sensor, pricing("SqlServers")], manifest=manifest)

    mend = "az security pricing create -n Containers --tier standard --extensions name=ContainerSensor isEnabled=True "
    hold(sensing, (COVERED, ["True"]), (GAP, "", mend, ["False"]), (UNKNOWN, "", "az rest --method get ", [None]))


def test_an_extension_that_is_expected_leaves_out_what_has_a_tag(hold: Hold) -> None:
    """So the tags of the resource must be known."""
    tags = {"ExclusionTags": '[{"Key":"Scan","Value":"no"}]'}
    extension = {"name": "ContainerSensor", "isEnabled": "True", "additionalExtensionProperties": tags}
    plan = pricing(CONTAINERS, extensions=[extension], **FULL)

    def tagged(**fields: object) -> list[Json]:
        return [{**az.managed_cluster(), **fields}, plan]

    some = tagged(tags={"scan": "yes"}), tagged(tags={}), tagged(tags=None)
    hold(
        partial(plan_of, az.CLUSTER, manifest=az.expecting_plans(None, "ContainerSensor")),
        (GAP, tagged(tags={"scan": "NO"})),
        (COVERED, *some),
        (UNKNOWN, tagged()),
    )
    hold(partial(plan_of, az.CLUSTER), (COVERED, tagged(tags={"scan": "NO"}), *some, tagged()))


def test_a_plan_that_is_on_at_no_resource_is_mended_at_the_resource(hold: Hold) -> None:
    """Where one of its kind can be switched off by itself. What an answer says besides is remarked."""
    rest = "az rest --method"
    hold(
        plan_of,
        (GAP, "", f"{rest} delete --url '{MACHINE}/", [MACHINE, pricing(SERVERS, **NONE)]),
        (GAP, "", f"{rest} put --url '{az.STORAGE}/", [az.STORAGE, pricing("StorageAccounts", **NONE)]),
    )
    found = plan_of(az.SQL_SERVER, pricing("SqlServers", **NONE))
    assert (found.state, found.remedy) == (GAP, None)
    tags = '[{"Key":"scan","Value":"no"},{"key":"lab","value":"yes"}]'
    extensions = [
        {"name": SCANNING, "isEnabled": "True", "additionalExtensionProperties": {"exclusionTags": tags}},
        {"name": "FileIntegrityMonitoring", "isEnabled": "False"},
    ]
    found = plan_of(MACHINE, pricing(SERVERS, freeTrialRemainingTime="P29DT23H", extensions=extensions, **FULL))
    assert all(word in str(found.remarks) for word in ("P29DT23H", "scan=no or lab=yes", "FileIntegrityMonitoring"))


@given(estates(), st.data(), st.sampled_from(MANIFESTS))
@settings(max_examples=some_of(100))
def test_what_is_covered_is_on(estate: Estate, data: st.DataObject, manifest: CoverageManifest) -> None:
    """By an oracle that knows the estate and not its documents, whatever part of the answers is given."""
    documents = estate.documents()
    some = data.draw(st.sets(st.sampled_from(sorted(documents))))
    is_on = (estate.own or estate.tier) == "Standard"
    is_old = estate.deprecated and estate.id in (az.CLUSTER, az.REGISTRY) and estate.own is None
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


ALL = [pricing(one.name) for one in PROTECTING_PLANS]
VAULTS = "microsoft.keyvault/vaults"

plans_of = partial(az.known, of=az.SUBSCRIPTION, on=Rung.PLAN)


def but(*others: Json) -> list[Json]:
    """Every plan is on, but some are as given."""
    names = {one["name"] for one in others}
    return [*(one for one in ALL if one["name"] not in names), *others]


def test_without_a_manifest_every_plan_that_protects_workloads_is_wanted(hold: Hold) -> None:
    """One that no answer names is unknown and never off; posture and what is deprecated are not wanted."""
    kubernetes = (pricing("Containers", "Free"), pricing("KubernetesService"))
    deprecated = [pricing(name, "Free", deprecated=True) for name in ("Dns", "AppServices")]
    api = [pricing("Api", resourcesCoverageStatus=f"{word}Covered") for word in ("Not", "Partially")]
    hold(
        lambda *plans: plans_of({"value": plans}),
        (COVERED, ALL, but(deprecated[0]), but(deprecated[1]), but(pricing("SomethingOfNextYear", "Free"))),
        (COVERED, but(api[1])),
        (COVERED, but(pricing("CloudPosture", "Free"), pricing("FoundationalCspm", "Free"))),
        (COVERED, but(*kubernetes, pricing("ContainerRegistry"))),
        (GAP, but(pricing("Arm", "Free")), but(pricing("Arm", "Free"))[1:], but(api[0])),
        (UNKNOWN, ALL[1:], but(pricing("KeyVaults", "Free")), but(*kubernetes)),
    )
    assert plans_of({"value": ALL, "nextLink": "https://management.azure.com/more"}).state is UNKNOWN


def test_a_plan_that_is_free_is_a_gap_where_a_resource_needs_it(subtests: pytest.Subtests) -> None:
    """Where a list of types has none it is said, and no gap; where nobody asked for that list it is unknown."""
    server, networks = (
        az.resource(az.SQL_SERVER, "Microsoft.Sql/servers"),
        az.types("microsoft.network/virtualnetworks"),
    )
    clusters = az.types("microsoft.containerservice/managedclusters")
    for plan, state, *cases in (
        ("KeyVaults", GAP, [az.types(VAULTS)], [az.types("Microsoft.KeyVault/vaults")]),
        ("KeyVaults", COVERED, [networks]),
        ("KeyVaults", UNKNOWN, [], [az.types()]),
        ("SqlServers", GAP, [server], [server, az.types("microsoft.web/sites")]),
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
                is_asked = re.match("az graph query -q .*resourceTypes", found.remedy or "") is not None
                assert is_asked is (state is UNKNOWN)
                assert plans_of(off, *documents, manifest=az.expecting_plans({str(plan): None})).state is GAP


def test_a_manifest_says_which_plans_are_wanted(hold: Hold) -> None:
    """Exactly those, each with its sub-plan; old ones that are on count as on."""

    def wanting(plan: str, sub_plan: str | None, *answer: Json) -> Verdict:
        return plans_of(list(answer), manifest=az.expecting_plans({plan: sub_plan}))

    servers = {one: pricing("VirtualMachines", subPlan=one) for one in ("P1", "P2")}
    hold(
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


def test_remedies_stand_one_on_a_line_and_none_proposes_what_the_api_refuses() -> None:
    """The API wants to be left alone between them. A successor is proposed, also where the manifest names a plan of before."""
    off = {"value": [pricing(name, "Free") for name in ("SqlServers", "Arm")]}
    sql, arm = (plans_of(off, az.types("microsoft.sql/servers")).remedy or "").split("\n")
    create = "az security pricing create -n"
    assert sql == f"{create} SqlServers --tier standard --subscription {az.SUBSCRIPTION} && sleep 15"
    assert arm.startswith(f"{create} Arm --tier standard --subplan PerSubscription ")
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
    """Unless a document calls it enabled, or it is in arrears. What is covered in it stays covered."""
    rungs = (Rung.PLAN, Rung.SUPPRESSION, Rung.EXPORT, Rung.PATH)
    manifest = az.expecting(*rungs, export=ExpectedExport(alerts=az.HUB))
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
