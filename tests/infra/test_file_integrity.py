"""How a changed file reaches the hub, where it is chosen: a rule on Defender's table, and an action group that may send."""

from __future__ import annotations

import pytest

from tests.builders import NOW
from tests.infra.predicted import Deployment
from tests.infra.queries.shipped import QUERIES
from tests.infra.queries.tables import SCHEMA
from tests.infra.queries.workspace import answers
from tests.infra.test_roles import HUBS, given_to
from tests.infra.variants import WATCHED, deployed

RULES = "Microsoft.Insights/scheduledQueryRules"
GROUPS = "Microsoft.Insights/actionGroups"
TABLE = "MDCFileIntegrityMonitoringEvents"
NAME = "file-integrity"
OWN = "several-subscriptions"
CHOSEN = (OWN, "file-integrity-elsewhere")


@pytest.fixture(params=CHOSEN)
def chosen(request: pytest.FixtureRequest) -> Deployment:
    """A deployment that has it."""
    return deployed(request.param)


def only_in(azure: Deployment, kind: str) -> set[str]:
    """The names of what a deployment has and the one where nobody chose anything has not."""
    return {one.name for one in azure.of(kind)} - {one.name for one in deployed("default").of(kind)}


def test_it_is_made_only_where_it_is_chosen() -> None:
    """Defender for Servers may be on without it, and whoever watches files may not want alerts of them."""
    assert only_in(deployed("private"), RULES) == set()
    for name in CHOSEN:
        assert only_in(deployed(name), RULES) == {NAME}


def test_each_change_is_an_alert_about_its_machine(chosen: Deployment) -> None:
    """Split by computer and path, since an alert has nothing else of a row; about the machine and not the workspace."""
    (rule,) = (one.properties for one in chosen.of(RULES) if one.name == NAME)
    (criterion,) = rule["criteria"]["allOf"]
    assert criterion["resourceIdColumn"] == "AzureResourceId"
    assert [(one["name"], one["operator"], one["values"]) for one in criterion["dimensions"]] == [
        ("Computer", "Include", ["*"]),
        ("FilePath", "Include", ["*"]),
    ]
    assert (criterion["timeAggregation"], criterion["operator"], criterion["threshold"]) == ("Count", "GreaterThan", 0)
    assert rule["enabled"] is True


def test_each_change_is_found_once_and_closed_by_people(chosen: Deployment) -> None:
    """The rule looks back as far as it pauses, and does not say that a change is over because no other came."""
    (rule,) = (one.properties for one in chosen.of(RULES) if one.name == NAME)
    assert rule["evaluationFrequency"] == rule["windowSize"]
    assert rule["autoMitigate"] is False


def test_it_is_sent_into_the_hub_of_alerts_in_the_schema_that_is_read(chosen: Deployment) -> None:
    """By its own action group, with an identity, since the hubs have no keys."""
    (rule,) = (one for one in chosen.of(RULES) if one.name == NAME)
    (name,) = only_in(chosen, GROUPS)
    (group,) = (one for one in chosen.of(GROUPS) if one.name == name)
    assert rule.properties["actions"]["actionGroups"] == [group.id]
    assert len(group.properties["groupShortName"]) <= 12
    (receiver,) = group.properties["eventHubReceivers"]
    namespace = chosen.one("Microsoft.EventHub/namespaces")
    assert (receiver["eventHubNameSpace"], receiver["eventHubName"]) == (namespace.name, "cwpp")
    assert receiver["useCommonAlertSchema"] is True
    assert group.body["identity"] == {"type": receiver["managedIdentity"]} == {"type": "SystemAssigned"}


def test_the_group_may_send_into_that_hub_and_do_nothing_else(chosen: Deployment) -> None:
    """The one role that it needs, on the one hub."""
    (group,) = (one for one in chosen.of(GROUPS) if one.name in only_in(chosen, GROUPS))
    principal = f"[reference('{group.id}', '{group.body['apiVersion']}', 'full').identity.principalId]"
    (hub,) = (one.id for one in chosen.of(HUBS) if one.id.endswith("/cwpp"))
    assert given_to(chosen, principal) == {("eventHubsDataSender", hub)}


def test_it_searches_the_router_s_workspace_or_the_one_that_is_named() -> None:
    """In the region of whichever it is."""
    own, other = (next(one for one in deployed(name).of(RULES) if one.name == NAME) for name in CHOSEN)
    assert own.properties["scopes"] == [deployed(OWN).outputs["WORKSPACE_ID"]]
    assert other.properties["scopes"] == [WATCHED]
    assert own.body["location"] == "westeurope"
    assert f"reference('{WATCHED}'" in other.body["location"]
    assert (own.properties["severity"], other.properties["severity"]) == (1, 2)


def test_files_and_keys_that_changed_are_found() -> None:
    """A registry key has no path, and is told in its place; each row has what the rule splits by."""
    file = {"TimeGenerated": NOW, "AzureResourceId": "/m/1", "Computer": "web-01", "FilePath": "/etc/passwd"}
    key = {
        "TimeGenerated": NOW,
        "AzureResourceId": "/m/2",
        "Computer": "web-02",
        "RegistryKey": "HKEY_LOCAL_MACHINE\\S",
    }
    found = answers(QUERIES[NAME], {TABLE: [file, key]}, now=NOW)
    assert {(row["AzureResourceId"], row["Computer"], row["FilePath"]) for row in found} == {
        ("/m/1", "web-01", "/etc/passwd"),
        ("/m/2", "web-02", "HKEY_LOCAL_MACHINE\\S"),
    }


def test_a_workspace_that_has_no_such_table_yet_has_no_change() -> None:
    """Azure turns a rule off whose query fails for a week."""
    assert answers(QUERIES[NAME], {}, now=NOW, tables=SCHEMA.keys() - {TABLE}) == []
