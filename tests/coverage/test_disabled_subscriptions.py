"""A subscription that is disabled: nothing in it runs, so nothing in it can be covered."""

from __future__ import annotations

import pytest

from router.coverage.expected.manifest import ExpectedExport
from router.coverage.verdicts import CoverageState
from router.domain.coverage import Rung
from tests.coverage.builders import HUB, SUBSCRIPTION, Json, automation, expecting, judged, pricing, suppression_rule
from tests.coverage.builders import verdict as verdict_on

EVERY = expecting(Rung.PLAN, Rung.SUPPRESSION, Rung.EXPORT, Rung.PATH, export=ExpectedExport(alerts=HUB))
RUNGS = (Rung.PLAN, Rung.SUPPRESSION, Rung.EXPORT, Rung.PATH)


def account(state: str | None) -> Json:
    """A subscription as `az account list` prints it."""
    return {"id": SUBSCRIPTION, "name": SUBSCRIPTION, "tenantId": "t", "isDefault": True, "state": state}


@pytest.mark.parametrize("rung", RUNGS)
@pytest.mark.parametrize(
    "others",
    [(), (pricing("Arm", "Free"), [automation(hub=None)], [suppression_rule(state="?", expirationDateUTC=None)])],
)
@pytest.mark.parametrize(
    ("states", "is_disabled"),
    [
        (["Disabled"], True),
        (["deleted"], True),
        (["Enabled"], False),
        (["Warned"], False),
        (["PastDue"], False),
        ([None], False),
        (["Disabled", "Enabled"], False),
        (["Disabled", None], True),
    ],
)
def test_a_disabled_subscription_is_not_coverable_on_any_rung(
    rung: Rung, others: tuple[object, ...], states: list[str | None], is_disabled: bool
) -> None:
    """Unless a document says that it is enabled; one that is in arrears still runs."""
    found = verdict_on(judged(*map(account, states), *others, manifest=EVERY), SUBSCRIPTION, rung)
    assert (found.state is CoverageState.NOT_COVERABLE) is is_disabled


def test_what_is_covered_in_it_stays_covered() -> None:
    """Nothing that is taken away covers anything: neither the word that it is disabled."""
    found = verdict_on(judged(account("Disabled"), [suppression_rule()]), SUBSCRIPTION, Rung.SUPPRESSION)
    assert found.state is CoverageState.COVERED


def test_a_list_of_arm_and_a_row_of_resource_graph_say_it_too() -> None:
    """Each in its own place."""
    id = f"/subscriptions/{SUBSCRIPTION}"
    arm = {"value": [{"id": id, "subscriptionId": SUBSCRIPTION, "displayName": "old", "state": "Disabled"}]}
    row = {"id": id, "type": "microsoft.resources/subscriptions", "name": "old", "properties": {"state": "Disabled"}}
    for document in (arm, {"data": [{**row, "subscriptionId": SUBSCRIPTION}]}):
        assert verdict_on(judged(document), "old", Rung.PLAN).state is CoverageState.NOT_COVERABLE


def test_nobody_speaks_of_the_export_of_a_disabled_subscription_who_does_not_of_others() -> None:
    """Only the plan is expected of each."""
    (row,) = judged(account("Disabled")).assessed.rows
    assert list(row.verdicts) == [Rung.PLAN]
