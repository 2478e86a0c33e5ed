"""Alert rules are deployed as their queries were tested: on, one row enough, and told to somebody."""

from __future__ import annotations

from tests.infra.predicted import Deployment

RULES = "Microsoft.Insights/scheduledQueryRules"
GROUP = "Microsoft.Insights/actionGroups"


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
