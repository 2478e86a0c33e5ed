"""One resource and its subscription as they truly are, and every answer on plans that may be asked about them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from hypothesis import strategies as st

from router.coverage.expected.manifest import NO_MANIFEST
from tests.coverage import builders as az
from tests.coverage.builders import CLUSTER, COSMOS_DB, MACHINE, STORAGE, SUBSCRIPTION, Json, expecting_plans, pricing

PLANS = {MACHINE: "VirtualMachines", CLUSTER: "Containers", az.REGISTRY: "Containers", az.SQL_SERVER: "SqlServers"}
PLANS |= {COSMOS_DB: "CosmosDbs", STORAGE: "StorageAccounts"}
CAN_DIFFER = (MACHINE, CLUSTER, az.REGISTRY)
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
        plan, tier, scope = PLANS[self.id], self.tier, f"/subscriptions/{SUBSCRIPTION}"
        names = ("AgentlessVmScanning", "OnUploadMalwareScanning")
        extensions = [{"name": name, "isEnabled": str(self.scanning)} for name in names]
        said: dict[str, Any] = {"subPlan": self.sub_plan if tier == "Standard" else None, "extensions": extensions}
        flat = {"id": f"{scope}/providers/Microsoft.Security/pricings/{plan}", "name": plan, "pricingTier": tier}
        found: dict[str, object] = {
            "named": pricing("CloudPosture", scope=self.id),
            "rest": {"value": [pricing(plan, tier, resourcesCoverageStatus=self._coverage(), **said)]},
            "az": [{**flat, **said}],
            "2018": [flat],
            "row": [{"name": plan, "subscriptionId": SUBSCRIPTION, "tier": tier}],
            "others": {"value": [pricing("Api", "Free"), pricing("CloudPosture", "Standard")]},
            "account": [{"id": SUBSCRIPTION, "name": "Payments", "tenantId": "t", "isDefault": True}],
        }
        if self.deprecated:
            found["old"] = [pricing(name, deprecated=True) for name in ("KubernetesService", "ContainerRegistry")]
        is_on = (self.own or tier) == "Standard"
        if self.id in CAN_DIFFER:
            found["own"] = self._own_plan(plan, extensions)
        elif self.id == STORAGE:
            switches = {"isEnabled": is_on, "overrideSubscriptionLevelSettings": self.own is not None}
            found["own"] = az.setting(STORAGE, "defenderForStorageSettings", **switches)
        elif self.id == COSMOS_DB:
            found["own"] = az.setting(COSMOS_DB, "advancedThreatProtectionSettings", isEnabled=is_on)
        return found

    def _own_plan(self, plan: str, extensions: list[dict[str, str]]) -> Json:
        if self.own is not None:
            return pricing(plan, self.own, scope=self.id, inherited="False", subPlan="P1")
        said: dict[str, Any] = {"inherited": "True", "subPlan": self.sub_plan, "extensions": extensions}
        return pricing(plan, self.tier, scope=self.id, **said)

    def _coverage(self) -> str:
        on = [(self.own or self.tier) == "Standard", (self.tier == "Standard") is not self.others]
        return "FullyCovered" if all(on) else "PartiallyCovered" if any(on) else "NotCovered"


@st.composite
def estates(draw: st.DrawFn) -> Estate:
    """An estate, of which no two answers contradict each other."""
    id = draw(st.sampled_from(list(PLANS)))
    differs = id != az.SQL_SERVER
    return Estate(
        id=id,
        tier=draw(st.sampled_from(["Standard", "Standard", "Free"])),
        sub_plan=draw(st.sampled_from(SUB_PLANS[PLANS[id]])) if PLANS[id] in SUB_PLANS else None,
        scanning=draw(st.booleans()),
        own=draw(st.sampled_from([None, "Standard", "Free"])) if differs else None,
        others=draw(st.booleans()) if differs else False,
        deprecated=draw(st.booleans()),
    )
