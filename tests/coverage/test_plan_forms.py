"""The forms in which people have pricings: flat, ARM's, rows of Resource Graph, projections."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping

import pytest

from router.coverage.verdicts import CoverageState
from router.domain.coverage import Rung
from tests.coverage.builders import SUBSCRIPTION, Json, document, expecting_plans, judged, pricing, verdict

P2 = pricing("VirtualMachines", subPlan="P2")
NEEDS_P2 = expecting_plans({"VirtualMachines": "P2"})


def _flat(row: Json) -> Json:
    properties = row["properties"]
    assert isinstance(properties, Mapping)
    return {"id": row["id"], "name": row["name"], "type": row["type"], **properties}


def _columns(**row: object) -> Json:
    return {
        "totalRecords": 1,
        "data": {"columns": [{"name": name} for name in row], "rows": [list(row.values())]},
        "resultTruncated": "false",
    }


FORMS: dict[str, Callable[[], object]] = {
    "ARM, one": lambda: P2,
    "ARM, list": lambda: {"value": [P2]},
    "az security pricing show": lambda: _flat(P2),
    "az security pricing list": lambda: {"value": [_flat(P2)]},
    "az, only the list": lambda: [_flat(P2)],
    "Resource Graph": lambda: {"data": [{**P2, "type": "microsoft.security/pricings", "tenantId": "t"}], "count": 1},
    "Resource Graph, id and properties": lambda: {"data": [{"id": P2["id"], "properties": P2["properties"]}]},
    "projection": lambda: {"data": [{"id": P2["id"], "name": "VirtualMachines", "tier": "Standard", "subPlan": "P2"}]},
    "projection without id": lambda: [
        {"name": "VirtualMachines", "subscriptionId": SUBSCRIPTION.upper(), "tier": "Standard", "subPlan": "P2"}
    ],
    "projection, own columns": lambda: _columns(
        name="VirtualMachines", subscriptionId=SUBSCRIPTION, properties_pricingTier="Standard", properties_subPlan="P2"
    ),
    "projection under other names": lambda: _columns(
        plan="virtualmachines", subscriptionId=SUBSCRIPTION, tier="Standard", sub="P2"
    ),
    "projection, the name before the file says the subscription": lambda: document(
        [{"name": "VirtualMachines", "tier": "Standard", "sub": "P2"}], given=SUBSCRIPTION
    ),
    "PowerShell": lambda: {"Id": P2["id"], "Name": "VirtualMachines", "PricingTier": "Standard", "SubPlan": "P2"},
    "recorded": lambda: [{"request": {"method": "GET"}, "response": {"status": 200, "body": P2}}],
    "specified": lambda: {"parameters": {}, "responses": {"200": {"body": {"value": [P2]}}}},
}


@pytest.mark.parametrize("form", FORMS.values(), ids=FORMS)
def test_every_form_says_plan_and_sub_plan(form: Callable[[], object]) -> None:
    """The same is known of each."""
    found = verdict(judged(form(), manifest=NEEDS_P2), SUBSCRIPTION, Rung.PLAN)
    assert found.state is CoverageState.COVERED


def test_a_query_that_asks_for_the_sub_plan_in_the_other_form_gets_none() -> None:
    """`sub:properties.subPlan` is always null in what `az` prints, so it is unknown."""
    row = {"name": "VirtualMachines", "subscriptionId": SUBSCRIPTION, "tier": "Standard", "sub": None}
    assert verdict(judged([row], manifest=NEEDS_P2), SUBSCRIPTION, Rung.PLAN).state is CoverageState.UNKNOWN
    assert verdict(
        judged([row], manifest=expecting_plans({"VirtualMachines": None})), SUBSCRIPTION, Rung.PLAN
    ).state is (CoverageState.COVERED)


def test_rows_that_do_not_say_their_subscription_are_not_used() -> None:
    """It is said why, and how to name them."""
    result = judged([{"name": "VirtualMachines", "tier": "Standard"}])
    assert not result.assessed.rows
    assert [(name, "SUBSCRIPTION_ID=FILE" in reason) for name, reason in result.unused] == [("1.json", True)]


@pytest.mark.parametrize(
    "other",
    [
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
