"""Alert rules are deployed as their queries were tested: on, one row enough, and told to somebody."""

from __future__ import annotations

from tests.infra.predicted import Deployment
from tests.infra.variants import WORKSPACE_GROUP, deployed

RULES = "Microsoft.Insights/scheduledQueryRules"
GROUP = "Microsoft.Insights/actionGroups"
PAGER = f"{WORKSPACE_GROUP}/providers/Microsoft.Insights/actionGroups/pager"


def test_every_alert_is_deployed_as_it_was_tested(azure: Deployment) -> None:
    """A tested query is worth nothing in a rule that is off, asks for more than a row, or tells nobody."""
    for found in (one.properties for one in azure.of(RULES)):
        (criterion,) = found["criteria"]["allOf"]
        assert found["enabled"] is True
        assert found["autoMitigate"] is True
        assert found["actions"]["actionGroups"] == [azure.one(GROUP).id]
        assert (criterion["timeAggregation"], criterion["operator"], criterion["threshold"]) == (
            "Count",
            "GreaterThan",
            0,
        )
        assert found["scopes"] == [azure.outputs["WORKSPACE_ID"]]


def test_who_is_told_hears_of_it(azure: Deployment) -> None:
    """The action group is on."""
    assert azure.one(GROUP).properties["enabled"] is True


def test_what_should_get_somebody_up_is_told_to_a_pager_that_does_not_need_the_router() -> None:
    """While the state is down the router itself pages nobody; what can wait wakes nobody."""
    azure = deployed("private")
    for rule in azure.of(RULES):
        told = [azure.one(GROUP).id, *([PAGER] if rule.properties["severity"] == 1 else [])]
        assert rule.properties["actions"]["actionGroups"] == told
    assert {one.properties["severity"] for one in azure.of(RULES)} == {1, 2, 3}


def test_only_a_size_that_lives_on_credits_is_watched_for_them(azure: Deployment) -> None:
    """Azure says of no other how many are left."""
    credits = "alert-router-database-credits"
    assert credits in {one.name for one in azure.of(RULES)}
    assert credits not in {one.name for one in deployed("private").of(RULES)}
