"""Azure Monitor's alerts in the common alert schema: whose they are, where, when, and what they say."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest

from router.domain.decisions import Code
from router.domain.severity import Severity
from router.parse import evidence_of
from router.parse.azure_monitor import LONGEST_QUERY
from tests.parse.messages import (
    CATALOGUE,
    MACHINE,
    SUBSCRIPTION,
    WORKSPACE,
    Message,
    a_common_alert,
    a_flat_alert,
    a_metric_alert,
    read_alert,
    read_quarantined,
)

_ARC = f"{SUBSCRIPTION}/resourceGroups/rg-arc/providers/Microsoft.HybridCompute/machines/till-7"


def _split_by(**dimensions: str) -> list[Message]:
    return [{"name": name, "value": value} for name, value in dimensions.items()]


def test_it_is_azure_monitor_s_and_never_defender_s() -> None:
    """Product, plan and sample mark say that Defender has nothing to do with it, whatever the rule is called."""
    alert = read_alert(a_common_alert())
    assert (alert.product, alert.plan, alert.sample) == ("Azure Monitor", None, False)
    zeros = "/subscriptions/00000000-0000-0000-0000-000000000000/resourceGroups/sample-rg/providers/Microsoft.Compute"
    for disguise in (
        {"alertRule": "SIMULATED_VM_Example"},
        {"alertRule": "[SAMPLE ALERT] a test"},
        {"alertRule": "Storage.Example"},
        {"alertTargetIDs": [f"{zeros}/virtualMachines/sample-vm"]},
    ):
        alert = read_alert(a_common_alert(**disguise))
        assert (alert.product, alert.plan, alert.sample) == ("Azure Monitor", None, False)


def test_what_defender_s_alerts_have_beside_it_changes_nothing() -> None:
    """A message that says that it is in the common alert schema is read as one, whatever else stands in it."""
    assert read_alert(a_flat_alert() | a_common_alert()).product == "Azure Monitor"


@pytest.mark.parametrize(
    ("written", "severity"),
    [
        ("Sev0", Severity.HIGH),
        ("Sev1", Severity.HIGH),
        ("Sev2", Severity.MEDIUM),
        ("Sev3", Severity.LOW),
        ("Sev4", Severity.INFORMATIONAL),
        (" sev4 ", Severity.INFORMATIONAL),
        ("Sev5", None),
        ("High", None),
        (None, None),
    ],
)
def test_the_author_s_severity_becomes_one_of_ours(written: str | None, severity: Severity | None) -> None:
    """Sev0 and Sev1 are High, down to Sev4, Informational; one that is not known is None, and kept as written."""
    alert = read_alert(a_common_alert(severity=written))
    assert (alert.severity, alert.severity_written) == (severity, written)


def test_fired_opens_and_resolved_ends_the_same_alert() -> None:
    """Both have one id; each has the time of its own state."""
    fired = read_alert(a_common_alert())
    over = read_alert(a_common_alert(condition="Resolved", resolvedDateTime="2026-11-18T14:30:00Z"))
    assert (fired.id, fired.resolved, fired.status) == (over.id, False, "Fired")
    assert (over.resolved, over.status) == (True, "Resolved")
    assert fired.changed == fired.started == over.started == datetime(2026, 11, 18, 13, 58, 24, 371321, UTC)
    assert over.changed == over.ended == datetime(2026, 11, 18, 14, 30, tzinfo=UTC)
    assert fired.ended is None


def test_an_end_without_a_time_has_the_time_of_the_beginning() -> None:
    """A log search alert may be resolved without saying when: equal times leave the order to the arrival."""
    assert read_alert(a_common_alert(condition="Resolved")).changed == read_alert(a_common_alert()).changed


@pytest.mark.parametrize(
    ("essentials", "dimensions", "resource"),
    [
        ({"alertTargetIDs": [MACHINE]}, [], MACHINE),
        ({"alertTargetIDs": MACHINE}, [], MACHINE),
        ({"alertTargetIDs": [WORKSPACE, MACHINE]}, [], MACHINE),
        ({"alertTargetIDs": [WORKSPACE.lower()], "configurationItems": [_ARC]}, [], _ARC),
        ({"alertTargetIDs": [WORKSPACE]}, _split_by(Computer="till-7", _ResourceId=f" {_ARC} "), _ARC),
        ({"alertTargetIDs": [WORKSPACE]}, _split_by(AzureResourceId=_ARC), _ARC),
        ({"alertTargetIDs": [WORKSPACE]}, _split_by(ResourceId=_ARC), _ARC),
        ({"alertTargetIDs": [WORKSPACE], "configurationItems": [_ARC]}, _split_by(_ResourceId=MACHINE), MACHINE),
        ({"alertTargetIDs": [WORKSPACE], "configurationItems": [WORKSPACE]}, _split_by(Computer="till-7"), None),
        ({"alertTargetIDs": [SUBSCRIPTION]}, [], None),
        ({"alertTargetIDs": None, "configurationItems": None}, [], None),
    ],
)
def test_where_it_is_is_never_the_workspace_that_was_searched(
    essentials: dict[str, Any], dimensions: list[Message], resource: str | None
) -> None:
    """The resource is a target or a dimension that is a resource's id; where none is, it is unknown."""
    assert read_alert(a_common_alert(dimensions=dimensions, **essentials)).resource == resource


@pytest.mark.parametrize("true", [{}, {"_ResourceId": MACHINE}])
@pytest.mark.parametrize(
    "name",
    [
        "Computer",
        "FilePath",
        "HostName",
        "ProcessCommandLine",
        "ProcessName",
        "RawData",
        "Resource",
        "SyslogMessage",
        "UserAgent",
        "Where",
        "Resource_Id",
        "ResourceIdentifier",
        "TargetResourceId",
        "_ResourceId_s",
    ],
)
def test_a_logged_value_that_reads_like_a_resource_is_not_one(name: str, true: dict[str, str]) -> None:
    """What a machine or a stranger on it wrote makes the alert of no other resource: only Azure's own columns name one."""
    split = _split_by(**{name: f"{_ARC} "}, **true)
    row = {"event": [[{"name": one["name"], "value": one["value"]} for one in split]]}
    for message in (
        a_common_alert(dimensions=split, alertTargetIDs=[WORKSPACE]),
        a_common_alert(dimensions=split, alertTargetIDs=[WORKSPACE], configurationItems=[_ARC]),
        a_common_alert(
            dimensions=_split_by(**{name: f"a {_ARC}/."}, **true), alertTargetIDs=[WORKSPACE], configurationItems=[_ARC]
        ),
        a_common_alert(context={"condition": {"allOf": [row]}}, alertTargetIDs=[WORKSPACE]),
    ):
        assert read_alert(message).resource == true.get("_ResourceId")


@pytest.mark.parametrize(
    ("essentials", "dimensions", "entity"),
    [
        ({"configurationItems": ["till-7"]}, _split_by(Computer="web-01"), "web-01"),
        ({"configurationItems": ["web-01"]}, [], "web-01"),
        ({"configurationItems": ["till-7", "web-01"], "alertTargetIDs": [WORKSPACE]}, [], "till-7"),
        ({"configurationItems": ["LOGS", "till-7"], "alertTargetIDs": [WORKSPACE]}, [], "till-7"),
        ({"configurationItems": [MACHINE]}, [], None),
    ],
)
def test_people_are_told_the_computer(
    essentials: dict[str, Any], dimensions: list[Message], entity: str | None
) -> None:
    """Else what the alert itself names that is no id and not the workspace that was searched."""
    assert read_alert(a_common_alert(dimensions=dimensions, **essentials)).compromised_entity == entity


def test_dimensions_are_evidence() -> None:
    """The computer and the file that the rule is split by are what a responder sees, and what rules can match."""
    alert = read_alert(a_common_alert())
    assert (evidence_of(alert, CATALOGUE).hosts, evidence_of(alert, CATALOGUE).files) == (("web-01",), ("/etc/passwd",))
    assert {"Computer": "web-01", "FilePath": "/etc/passwd"}.items() <= alert.extended.items()
    assert alert.compromised_entity == "web-01"
    (file,) = alert.entities.of_type("file")
    assert (file.text("Name"), file.text("Directory")) == ("passwd", "/etc")


def test_other_columns_of_the_table_are_evidence_too() -> None:
    """Hashes, accounts, addresses and processes are found by the names of their columns, whatever their case."""
    split = {
        "FileSha256": "ab" * 32,
        "requestaccountname": "CONTOSO\\ada",
        "RequestSourceIP": "192.0.2.7",
        "InitiatingProcessImageFilePath": "/usr/bin/vi",
        "_ResourceId": MACHINE,
    }
    evidence = evidence_of(read_alert(a_common_alert(dimensions=_split_by(**split))), CATALOGUE)
    assert (evidence.hashes, evidence.accounts) == (("SHA256:" + "ab" * 32,), ("CONTOSO\\ada",))
    assert (evidence.ips, evidence.processes, evidence.resources) == (("192.0.2.7",), ("/usr/bin/vi",), (MACHINE,))


@pytest.mark.parametrize(
    ("path", "shown"),
    [
        ("/etc/passwd", "/etc/passwd"),
        ("/passwd", "/passwd"),
        ("C:\\Windows\\hosts", "C:\\Windows\\hosts"),
        ("C:\\hosts", "C:\\hosts"),
        ("hosts", "hosts"),
        ("/etc/", "/etc/"),
        ("/", "/"),
    ],
)
def test_a_path_comes_out_as_it_came_in(path: str, shown: str) -> None:
    """A file's directory and name together are the path again."""
    assert evidence_of(read_alert(a_common_alert(dimensions=_split_by(FilePath=path))), CATALOGUE).files == (shown,)


def test_a_metric_alert_says_which_metric() -> None:
    """What was measured, against what, stands in its extended properties."""
    alert = read_alert(a_metric_alert())
    said = {"metricName": "Percentage CPU", "metricValue": "7.727", "operator": "GreaterThan", "threshold": "25"}
    assert said.items() <= alert.extended.items()
    assert alert.extended["monitoringService"] == "Platform"


def test_the_author_s_own_properties_are_kept_and_take_no_dimension_s_place() -> None:
    """Custom properties of the rule are told; one that bears a dimension's name does not replace what was found."""
    message = a_common_alert()
    message["data"]["customProperties"] |= {"FilePath": "nothing", "team": "linux"}
    alert = read_alert(message)
    assert alert.extended["runbook"] == "https://wiki.contoso.example/file-integrity"
    assert (alert.extended["team"], alert.extended["FilePath"]) == ("linux", "/etc/passwd")


def test_a_dimension_of_two_values_has_both() -> None:
    """Two criteria may name one dimension, each with a value of its own."""
    message = a_common_alert()
    condition = message["data"]["alertContext"]["condition"]
    condition["allOf"] = [{"dimensions": _split_by(Computer=name)} for name in ("web-01", "web-02", "web-01")]
    alert = read_alert(message)
    assert (alert.extended["Computer"], evidence_of(alert, CATALOGUE).hosts) == ("web-01, web-02", ("web-01", "web-02"))


def test_the_query_is_bounded() -> None:
    """A query of any length is kept up to a bound."""
    message = a_common_alert()
    criterion = message["data"]["alertContext"]["condition"]["allOf"][0]
    for length, kept in ((LONGEST_QUERY, "x" * LONGEST_QUERY), (LONGEST_QUERY + 1, "x" * LONGEST_QUERY + "…")):
        criterion["searchQuery"] = "x" * length
        assert read_alert(message).extended["searchQuery"] == kept


def test_the_link_is_to_what_the_alert_is_about() -> None:
    """The link leads to the rows of the alert's own dimensions, else to all; what is no web page is no link."""
    message = a_common_alert(investigationLink="https://portal.azure.com/#investigate")
    criterion = message["data"]["alertContext"]["condition"]["allOf"][0]
    assert read_alert(message).link == "https://portal.azure.com#@tenant/blade/filtered"
    del criterion["linkToFilteredSearchResultsUI"]
    assert read_alert(message).link == "https://portal.azure.com#@tenant/blade/all"
    criterion["linkToSearchResultsUI"] = "javascript:alert(1)"
    assert read_alert(message).link == "https://portal.azure.com/#investigate"


def test_a_simple_rule_s_row_is_read() -> None:
    """A simple log search rule sends the row itself instead of dimensions."""
    row = _split_by(Computer="web-01", FilePath="/etc/shadow")
    context = {"conditionType": "LogQueryCriteria", "condition": {"allOf": [{"dimensions": None, "event": [row]}]}}
    assert evidence_of(read_alert(a_common_alert(context=context)), CATALOGUE).files == ("/etc/shadow",)


def test_rules_of_before_2020_are_read() -> None:
    """Their dimensions, query and link stand in the context itself."""
    context = {
        "SearchQuery": "Perf",
        "LinkToSearchResults": "https://portal.azure.com/#old",
        "Dimensions": _split_by(Computer="web-01"),
    }
    alert = read_alert(a_common_alert(context=context, monitoringService="Log Analytics"))
    assert (evidence_of(alert, CATALOGUE).hosts, alert.link) == (("web-01",), "https://portal.azure.com/#old")
    assert alert.extended["searchQuery"] == "Perf"


@pytest.mark.parametrize(
    "context", [{"conditionType": "SomethingNew", "condition": 5}, {"authorization": {}}, {"a": [[]]}]
)
def test_a_condition_of_another_kind_is_read_as_far_as_it_goes(context: Message) -> None:
    """What the essentials say is enough."""
    alert = read_alert(a_common_alert(context=context))
    assert (alert.type, alert.title, alert.resource) == ("file-integrity", "file-integrity", MACHINE)


def test_a_rule_without_a_name_is_known_by_its_id() -> None:
    """Where the rule's name is missing its id has it; where both are, the alert still has a title."""
    rule = f"{SUBSCRIPTION}/resourceGroups/rg/providers/microsoft.insights/scheduledQueryRules/fim"
    assert read_alert(a_common_alert(alertRule=None, alertRuleId=rule)).type == "fim"
    alert = read_alert(a_common_alert(alertRule=None))
    assert (alert.type, alert.title) == ("", "An Azure Monitor alert: /etc/passwd")


def test_the_title_names_what_changed() -> None:
    """Two alerts of one rule on one machine are told apart in a list; one that names no file is called by its rule."""
    assert read_alert(a_common_alert()).title == "file-integrity: /etc/passwd"
    assert read_alert(a_common_alert(context={})).title == "file-integrity"


@pytest.mark.parametrize("id", [None, " ", {"a": 1}])
def test_one_that_nothing_identifies_is_quarantined(id: object) -> None:
    """Without an alertId nobody could tell its Fired from another's."""
    refused = read_quarantined(a_common_alert(alertId=id))
    assert (refused.reason.code, refused.at_fault) == (Code.INVALID, "data.essentials.alertId")


@pytest.mark.parametrize("data", [{}, {"data": "x"}, {"data": {"essentials": [1]}}, {"data": {"essentials": {}}}])
def test_one_without_essentials_is_quarantined(data: Message) -> None:
    """The name of the schema alone makes no alert."""
    refused = read_quarantined({"schemaId": "azureMonitorCommonAlertSchema"} | data)
    assert (refused.reason.code, refused.at_fault) == (Code.UNKNOWN_SHAPE, "data.essentials")


def test_a_message_in_another_schema_says_which_is_read() -> None:
    """An action group that is not told to use the common alert schema sends what nobody here reads, and that is said."""
    refused = read_quarantined({"schemaId": "Microsoft.Insights/LogAlert", "data": {"AlertRuleName": "fim"}})
    assert refused.reason.code is Code.UNKNOWN_SHAPE
    assert "Microsoft.Insights/LogAlert" in refused.reason.words
    assert "common alert schema" in refused.reason.words


@pytest.mark.parametrize("name", ["type", "schemaId"])
@pytest.mark.parametrize("mark", ["?", "#", "x" * 300 + "?"])
def test_the_reason_keeps_no_query_of_a_url(name: str, mark: str) -> None:
    """A foreign type or schema may be a URL, and what stands behind its question mark may be a key."""
    refused = read_quarantined({name: f"https://logic.example/s{mark}code=hunter2&sig=hunter2"})
    assert refused.reason.code is Code.UNKNOWN_SHAPE
    assert "https://logic.example/s" in refused.reason.words
    assert "hunter2" not in refused.reason.words
