"""The forms in which people have pricings: flat, ARM's, rows of Resource Graph."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping

import pytest

from router.coverage.verdicts import CoverageState
from router.domain.coverage import Rung
from tests.coverage.builders import SUBSCRIPTION, Json, expecting_plans, judged, pricing, verdict

P2 = pricing("VirtualMachines", subPlan="P2")
NEEDS_P2 = expecting_plans({"VirtualMachines": "P2"})


def _flat(row: Json) -> Json:
    properties = row["properties"]
    assert isinstance(properties, Mapping)
    return {"id": row["id"], "name": row["name"], "type": row["type"], **properties}


FORMS: dict[str, Callable[[], object]] = {
    "ARM, one": lambda: P2,
    "ARM, list": lambda: {"value": [P2]},
    "az security pricing show": lambda: _flat(P2),
    "az security pricing list": lambda: {"value": [_flat(P2)]},
    "az, only the list": lambda: [_flat(P2)],
    "Resource Graph": lambda: {"data": [{**P2, "type": "microsoft.security/pricings", "tenantId": "t"}], "count": 1},
    "Resource Graph, id and properties": lambda: {"data": [{"id": P2["id"], "properties": P2["properties"]}]},
    "PowerShell": lambda: {"Id": P2["id"], "Name": "VirtualMachines", "PricingTier": "Standard", "SubPlan": "P2"},
}


@pytest.mark.parametrize("form", FORMS.values(), ids=FORMS)
def test_every_form_says_plan_and_sub_plan(form: Callable[[], object]) -> None:
    """The same is known of each."""
    found = verdict(judged(form(), manifest=NEEDS_P2), SUBSCRIPTION, Rung.PLAN)
    assert found.state is CoverageState.COVERED


@pytest.mark.parametrize(
    "other",
    [
        {"name": "VirtualMachines", "subscriptionId": SUBSCRIPTION, "tier": "Standard", "subPlan": "P2"},
        {
            "name": "Containers",
            "type": "microsoft.network/publicipaddresses",
            "subscriptionId": SUBSCRIPTION,
            "tier": "Standard",
        },
        {"id": f"{P2['id']}/securityOperators/one", "type": "Microsoft.Security/pricings/securityOperators"},
        {"name": "standard-plan", "subscriptionId": SUBSCRIPTION, "tier": "Standard"},
    ],
)
def test_what_only_resembles_a_plan_is_none(other: Json) -> None:
    """It names no subscription and no plan."""
    result = judged([other])
    assert not result.assessed.rows
    assert [name for name, _ in result.unused] == ["1.json"]


@pytest.mark.parametrize("key", ["capGBPerMonthPerStorageAccount", "CapGBPerMonthPerStorageAccount"])
@pytest.mark.parametrize("written", [list, str])
def test_extensions_may_be_a_list_or_json_in_a_text(key: str, written: type) -> None:
    """A table of Resource Graph writes what is nested as text."""
    extension = (
        f'[{{"name":"OnUploadMalwareScanning","isEnabled":"True","additionalExtensionProperties":{{"{key}":"10"}}}}]'
    )
    value = extension if written is str else json.loads(extension)
    found = judged(
        [pricing("StorageAccounts", extensions=value)],
        manifest=expecting_plans({"StorageAccounts": None}, "OnUploadMalwareScanning"),
    )
    assert verdict(found, SUBSCRIPTION, Rung.PLAN).state is CoverageState.COVERED
