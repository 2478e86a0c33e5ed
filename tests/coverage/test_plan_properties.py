"""What holds of plans in every history: nothing taken away covers, nothing unrelated changes anything, no input raises."""

from __future__ import annotations

import json
from dataclasses import dataclass, replace

from hypothesis import given, settings
from hypothesis import strategies as st

from router.domain.coverage import CoverageState, Rung, WorkloadKind
from router.domain.coverage_manifest import NO_MANIFEST, CoverageManifest
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
    pricing,
    setting,
)
from tests.examples import some_of

PLANS = {
    MACHINE: "VirtualMachines",
    CLUSTER: "Containers",
    REGISTRY: "Containers",
    SQL_SERVER: "SqlServers",
    COSMOS_DB: "CosmosDbs",
    STORAGE: "StorageAccounts",
}
CAN_DIFFER = (MACHINE, CLUSTER, REGISTRY)
SUB_PLANS = {"VirtualMachines": ["P1", "P2"], "StorageAccounts": ["DefenderForStorageV2", "PerTransaction"]}
MANIFESTS = [
    NO_MANIFEST,
    expecting_plans({"VirtualMachines": "P2", "Containers": None, "StorageAccounts": "DefenderForStorageV2"}),
    expecting_plans(None, "AgentlessVmScanning", "OnUploadMalwareScanning"),
    expecting_plans({"SqlServers": None}, expects_posture=True),
]


@dataclass(frozen=True)
class Estate:
    """How one resource and its subscription truly are.

    Attributes:
        id: the resource.
        tier: the tier of its plan at the subscription.
        sub_plan: the sub-plan there, where the plan has some.
        scanning: whether the extensions are on there.
        own: the tier of the resource itself; None where it has its subscription's.
        others: whether some other resource differs.
        deprecated: whether the deprecated plans are on.
    """

    id: str
    tier: str
    sub_plan: str | None
    scanning: bool
    own: str | None
    others: bool
    deprecated: bool

    def documents(self) -> dict[str, object]:
        """All that may be asked about it, each answer by what it is called."""
        scope = f"/subscriptions/{SUBSCRIPTION}"
        plan = PLANS[self.id]
        names = ("AgentlessVmScanning", "OnUploadMalwareScanning")
        sub_plan = self.sub_plan if self.tier == "Standard" else None
        extensions = [{"name": name, "isEnabled": str(self.scanning)} for name in names]
        named = pricing("CloudPosture", scope=self.id)
        rest = pricing(
            plan, self.tier, resourcesCoverageStatus=self._coverage(), extensions=extensions, subPlan=sub_plan
        )
        flat = {"id": f"{scope}/providers/Microsoft.Security/pricings/{plan}", "name": plan, "pricingTier": self.tier}
        found: dict[str, object] = {
            "named": named,
            "rest": {"value": [rest]},
            "az": [{**flat, "subPlan": sub_plan, "extensions": extensions}],
            "2018": [flat],
            "row": [{"name": plan, "subscriptionId": SUBSCRIPTION, "tier": self.tier}],
            "others": {"value": [pricing("Api", "Free"), pricing("CloudPosture", "Standard")]},
            "account": [{"id": SUBSCRIPTION, "name": "Payments", "tenantId": "t", "isDefault": True}],
        }
        if self.deprecated:
            found["old"] = [
                pricing("KubernetesService", deprecated=True),
                pricing("ContainerRegistry", deprecated=True),
            ]
        if self.id in CAN_DIFFER:
            found["own"] = self._own_plan(plan, extensions)
        elif self.id == STORAGE:
            found["own"] = setting(
                STORAGE,
                "defenderForStorageSettings",
                isEnabled=self._is_on(),
                overrideSubscriptionLevelSettings=self.own is not None,
            )
        elif self.id == COSMOS_DB:
            found["own"] = setting(COSMOS_DB, "advancedThreatProtectionSettings", isEnabled=self._is_on())
        return found

    def _own_plan(self, plan: str, extensions: list[dict[str, str]]) -> Json:
        if self.own is None:
            return pricing(
                plan, self.tier, scope=self.id, inherited="True", subPlan=self.sub_plan, extensions=extensions
            )
        return pricing(plan, self.own, scope=self.id, inherited="False", subPlan="P1")

    def _is_on(self) -> bool:
        return (self.own or self.tier) == "Standard"

    def _coverage(self) -> str:
        on = [(self.own or self.tier) == "Standard", (self.tier == "Standard") is not self.others]
        return "FullyCovered" if all(on) else "PartiallyCovered" if any(on) else "NotCovered"


@st.composite
def estates(draw: st.DrawFn) -> Estate:
    """An estate, of which no two answers contradict each other."""
    id = draw(st.sampled_from(list(PLANS)))
    differs = id != SQL_SERVER
    return Estate(
        id=id,
        tier=draw(st.sampled_from(["Standard", "Standard", "Free"])),
        sub_plan=draw(st.sampled_from(SUB_PLANS[PLANS[id]])) if PLANS[id] in SUB_PLANS else None,
        scanning=draw(st.booleans()),
        own=draw(st.sampled_from([None, "Standard", "Free"])) if differs else None,
        others=draw(st.booleans()) if differs else False,
        deprecated=draw(st.booleans()),
    )


def states(documents: list[object], manifest: CoverageManifest) -> dict[tuple[WorkloadKind, str], CoverageState]:
    """What is known of the plan of each workload."""
    found = judged(*documents, manifest=manifest).assessed.verdicts()
    return {workload.key: verdict.state for workload, rung, verdict in found if rung is Rung.PLAN}


@given(estates(), st.data(), st.sampled_from(MANIFESTS))
@settings(max_examples=some_of(200))
def test_taking_a_document_away_covers_nothing(estate: Estate, data: st.DataObject, manifest: CoverageManifest) -> None:
    """What is covered without a document is covered with it, too."""
    documents = estate.documents()
    given_ = data.draw(st.sets(st.sampled_from(sorted(documents)), min_size=1))
    left_out = data.draw(st.sampled_from(sorted(given_)))
    before = states([documents[name] for name in sorted(given_)], manifest)
    after = states([documents[name] for name in sorted(given_ - {left_out})], manifest)
    for workload, state in after.items():
        assert state is not CoverageState.COVERED or before[workload] is CoverageState.COVERED, (workload, left_out)


@given(estates(), st.data(), st.sampled_from(MANIFESTS))
@settings(max_examples=some_of(100))
def test_what_is_covered_is_on(estate: Estate, data: st.DataObject, manifest: CoverageManifest) -> None:
    """Whatever part of the answers is given, no plan is said to be on for a resource for which it is not."""
    documents = estate.documents()
    some = data.draw(st.sets(st.sampled_from(sorted(documents))))
    found = states([documents[name] for name in sorted(some)], manifest)
    is_on = (estate.own or estate.tier) == "Standard"
    is_old = estate.deprecated and estate.id in (CLUSTER, REGISTRY) and estate.own is None
    for (kind, subject), state in found.items():
        if state is CoverageState.COVERED and subject == estate.id.lower():
            assert kind is not WorkloadKind.SUBSCRIPTION
            assert is_on or is_old


OTHER = "22222222-2222-2222-2222-222222222222"
UNRELATED: list[object] = [
    {"value": [pricing("VirtualMachines", "Free", scope=f"/subscriptions/{OTHER}")]},
    pricing("VirtualMachines", "Free", scope=MACHINE.replace("web-1", "web-2")),
    [{"name": "lab", "id": f"/subscriptions/{OTHER}/resourceGroups/lab", "tags": {}}],
    {"greeting": "hello"},
    [],
    setting(STORAGE.replace("uploads", "others"), "defenderForStorageSettings", isEnabled=False),
]


@given(estates(), st.sampled_from(UNRELATED), st.sampled_from(MANIFESTS))
@settings(max_examples=some_of(100))
def test_a_document_about_something_else_changes_nothing(
    estate: Estate, unrelated: object, manifest: CoverageManifest
) -> None:
    """Neither more nor less is known of what the others name."""
    documents = list(estate.documents().values())
    before, after = states(documents, manifest), states([*documents, unrelated], manifest)
    assert {workload: after[workload] for workload in before} == before


JUNK = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5) | st.just('[{"Key":1}]'),
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(st.text(max_size=3), inner, max_size=2),
    max_leaves=4,
)


def mutated(value: object, draw: st.DrawFn) -> object:
    """The value, in which one part became something else."""
    if not isinstance(value, dict | list) or not value or draw(st.integers(0, 5)) == 0:
        return draw(JUNK)
    if isinstance(value, list):
        at = draw(st.integers(0, len(value) - 1))
        return [*value[:at], mutated(value[at], draw), *value[at + 1 :]]
    key = draw(st.sampled_from(sorted(value)))
    return {**value, key: mutated(value[key], draw)}


@given(estates(), st.data(), st.sampled_from(MANIFESTS))
@settings(max_examples=some_of(300))
def test_no_document_raises(estate: Estate, data: st.DataObject, manifest: CoverageManifest) -> None:
    """Whatever stands where something else was expected."""
    documents = replace(estate, deprecated=True).documents()
    name = data.draw(st.sampled_from(sorted(documents)))
    documents[name] = data.draw(st.composite(lambda draw: mutated(json.loads(json.dumps(documents[name])), draw))())
    judged(*documents.values(), manifest=manifest)
