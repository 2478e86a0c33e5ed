"""How a changed file reaches the hub, where it is chosen: a rule on Defender's table, and an action group that may send."""

from __future__ import annotations

import pytest

from tests.builders import NOW
from tests.infra.predicted import Deployment, Resource
from tests.infra.queries.shipped import QUERIES
from tests.infra.queries.tables import SCHEMA
from tests.infra.queries.workspace import answers
from tests.infra.test_roles import HUBS, given_to
from tests.infra.variants import WATCHED, deployed

RULES = "Microsoft.Insights/scheduledQueryRules"
GROUPS = "Microsoft.Insights/actionGroups"
TABLE = "MDCFileIntegrityMonitoringEvents"
NAME = "file-integrity"
OWN, ELSEWHERE = "several-subscriptions", "file-integrity-elsewhere"


def only_in(azure: Deployment, kind: str) -> list[Resource]:
    """What a deployment has and the one where nobody chose anything has not."""
    usual = {one.name for one in deployed("default").of(kind)}
    return [one for one in azure.of(kind) if one.name not in usual]


def test_each_change_is_one_alert_about_its_machine_that_people_close(subtests: pytest.Subtests) -> None:
    """Split by computer and path: an alert has nothing else of a row. The rule looks back as far as it pauses, and does not say
    that a change is over because no other came. It is made only where it is chosen."""
    assert only_in(deployed("private"), RULES) == []
    for variant in (OWN, ELSEWHERE):
        with subtests.test(variant):
            (rule,) = only_in(deployed(variant), RULES)
            (criterion,) = rule.says("criteria.allOf")
            assert (rule.name, criterion["resourceIdColumn"]) == (NAME, "AzureResourceId")
            split = [(one["name"], one["operator"], one["values"]) for one in criterion["dimensions"]]
            assert split == [("Computer", "Include", ["*"]), ("FilePath", "Include", ["*"])]
            asked = (criterion["timeAggregation"], criterion["operator"], criterion["threshold"])
            assert asked == ("Count", "GreaterThan", 0)
            assert (rule.says("enabled"), rule.says("autoMitigate")) == (True, False)
            assert rule.says("evaluationFrequency") == rule.says("windowSize")


def test_it_is_sent_into_the_hub_of_alerts_in_the_schema_that_is_read(subtests: pytest.Subtests) -> None:
    """By its own action group, whose identity has the one role that it needs on the one hub, since the hubs have no keys."""
    for variant in (OWN, ELSEWHERE):
        with subtests.test(variant):
            azure = deployed(variant)
            (rule,), (group,) = only_in(azure, RULES), only_in(azure, GROUPS)
            assert rule.says("actions.actionGroups") == [group.id]
            assert len(group.says("groupShortName")) <= 12
            (receiver,) = group.says("eventHubReceivers")
            namespace = azure.one("Microsoft.EventHub/namespaces")
            assert (receiver["eventHubNameSpace"], receiver["eventHubName"]) == (namespace.name, "cwpp")
            assert receiver["useCommonAlertSchema"] is True
            assert group.body["identity"] == {"type": receiver["managedIdentity"]} == {"type": "SystemAssigned"}
            principal = f"[reference('{group.id}', '{group.body['apiVersion']}', 'full').identity.principalId]"
            (hub,) = (one.id for one in azure.of(HUBS) if one.id.endswith("/cwpp"))
            assert given_to(azure, principal) == {("eventHubsDataSender", hub)}


def test_it_searches_the_router_s_workspace_or_the_one_that_is_named() -> None:
    """In the region of whichever it is."""
    (own,), (other,) = (only_in(deployed(variant), RULES) for variant in (OWN, ELSEWHERE))
    assert (own.says("scopes"), own.body["location"]) == ([deployed(OWN).outputs["WORKSPACE_ID"]], "westeurope")
    assert other.says("scopes") == [WATCHED]
    assert f"reference('{WATCHED}'" in other.body["location"]
    assert (own.says("severity"), other.says("severity")) == (1, 2)


def test_files_and_keys_that_changed_are_found() -> None:
    """A registry key has no path, and is told in its place. A workspace that has no such table yet has no change: Azure turns a
    rule off whose query fails for a week."""
    key = "HKEY_LOCAL_MACHINE\\S"
    row = {"TimeGenerated": NOW, "AzureResourceId": "/m/1", "Computer": "web-01"}
    found = answers(QUERIES[NAME], {TABLE: [row | {"FilePath": "/etc/passwd"}, row | {"RegistryKey": key}]}, now=NOW)
    columns = ("AzureResourceId", "Computer", "FilePath")
    assert {tuple(one[name] for name in columns) for one in found} == {
        ("/m/1", "web-01", "/etc/passwd"),
        ("/m/1", "web-01", key),
    }
    assert answers(QUERIES[NAME], {}, now=NOW, tables=SCHEMA.keys() - {TABLE}) == []
