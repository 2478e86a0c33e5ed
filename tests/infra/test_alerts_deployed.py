"""Alert rules are deployed as their queries were tested: on, asked as often, and told to somebody."""

from __future__ import annotations

from tests.infra.deployment import Deployment
from tests.infra.queries.shipped import alert_rules, duration

RULES = "Microsoft.Insights/scheduledQueryRules"
GROUP = "Microsoft.Insights/actionGroups"


def test_every_alert_is_deployed_as_it_was_tested(azure: Deployment) -> None:
    """A tested query is worth nothing in a rule that is off, asks another window, or tells nobody."""
    shipped = alert_rules()
    made = {one.name.removeprefix("alert-router-"): one.properties for one in azure.of(RULES)}
    assert made.keys() == shipped.keys()
    for name, found in made.items():
        (criterion,) = found["criteria"]["allOf"]
        assert found["enabled"] is True
        assert found["autoMitigate"] is True
        assert found["actions"]["actionGroups"] == [azure.one(GROUP).id]
        assert (criterion["timeAggregation"], criterion["operator"], criterion["threshold"]) == (
            "Count",
            "GreaterThan",
            0,
        )
        assert (duration(found["evaluationFrequency"]), duration(found["windowSize"])) == (
            shipped[name].every,
            shipped[name].window,
        )
        assert "{eventHubNamespaceId}" not in criterion["query"]


def test_who_is_told_hears_of_it(azure: Deployment) -> None:
    """The action group is on."""
    assert azure.one(GROUP).properties["enabled"] is True
