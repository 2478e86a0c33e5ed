"""Azure Monitor's alerts in the common alert schema: whose they are, where, when, and what they say."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest

from router.domain.decisions import Code
from router.domain.evidence import Evidence
from router.domain.severity import Severity
from router.domain.signals import Alert
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


def common(*, split: dict[str, str] | None = None, context: Message | None = None, **essentials: Any) -> Alert:
    """What an alert in the common schema is read as; `split` are the dimensions of its rule."""
    dimensions = None if split is None else _split_by(**split)
    return read_alert(a_common_alert(dimensions=dimensions, context=context, **essentials))


def evidence(alert: Alert) -> Evidence:
    """The evidence of an alert."""
    return evidence_of(alert, CATALOGUE)


def test_it_is_azure_monitor_s_and_never_defender_s() -> None:
    """Product, plan and sample mark say so, whatever the rule is called, and whatever else stands in the message."""
    zeros = "/subscriptions/00000000-0000-0000-0000-000000000000/resourceGroups/sample-rg/providers/Microsoft.Compute"
    disguises: list[dict[str, Any]] = [{"alertRule": "SIMULATED_VM_Example"}, {"alertRule": "[SAMPLE ALERT] a test"}]
    disguises += [{}, {"alertRule": "Storage.Example"}, {"alertTargetIDs": [f"{zeros}/virtualMachines/sample-vm"]}]
    alerts = [common(**disguise) for disguise in disguises]
    for alert in (*alerts, read_alert(a_flat_alert() | a_common_alert())):
        assert (alert.product, alert.plan, alert.sample) == ("Azure Monitor", None, False)


def test_the_author_s_severity_becomes_one_of_ours() -> None:
    """Sev0 and Sev1 are High, down to Sev4, Informational; one that is not known is None, and kept as written."""
    severities = {"Sev0": Severity.HIGH, "Sev1": Severity.HIGH, "Sev2": Severity.MEDIUM, "Sev3": Severity.LOW}
    severities |= {"Sev4": Severity.INFORMATIONAL, " sev4 ": Severity.INFORMATIONAL}
    for written, severity in (severities | dict.fromkeys(["Sev5", "High", None])).items():
        alert = common(severity=written)
        assert (alert.severity, alert.severity_written) == (severity, written)


def test_fired_opens_and_resolved_ends_the_same_alert() -> None:
    """Both have one id; each has the time of its own state, or that of the beginning: then the arrival orders them."""
    fired = common()
    over = common(condition="Resolved", resolvedDateTime="2026-11-18T14:30:00Z")
    assert (fired.id, fired.resolved, fired.status) == (over.id, False, "Fired")
    assert (over.resolved, over.status) == (True, "Resolved")
    assert fired.changed == fired.started == over.started == datetime(2026, 11, 18, 13, 58, 24, 371321, UTC)
    assert over.changed == over.ended == datetime(2026, 11, 18, 14, 30, tzinfo=UTC)
    assert (fired.ended, common(condition="Resolved").changed) == (None, fired.changed)


def test_where_it_is_is_never_the_workspace_that_was_searched(subtests: pytest.Subtests) -> None:
    """The resource is a target or a dimension that is a resource's id; where none is, it is unknown."""
    cases: list[tuple[dict[str, Any], dict[str, str], str | None]] = [
        ({"alertTargetIDs": [MACHINE]}, {}, MACHINE),
        ({"alertTargetIDs": MACHINE}, {}, MACHINE),
        ({"alertTargetIDs": [WORKSPACE, MACHINE]}, {}, MACHINE),
        ({"alertTargetIDs": [WORKSPACE.lower()], "configurationItems": [_ARC]}, {}, _ARC),
        ({"alertTargetIDs": [WORKSPACE]}, {"Computer": "till-7", "_ResourceId": f" {_ARC} "}, _ARC),
        ({"alertTargetIDs": [WORKSPACE]}, {"AzureResourceId": _ARC}, _ARC),
        ({"alertTargetIDs": [WORKSPACE]}, {"ResourceId": _ARC}, _ARC),
        ({"alertTargetIDs": [WORKSPACE], "configurationItems": [_ARC]}, {"_ResourceId": MACHINE}, MACHINE),
        ({"alertTargetIDs": [WORKSPACE], "configurationItems": [WORKSPACE]}, {"Computer": "till-7"}, None),
        ({"alertTargetIDs": [SUBSCRIPTION]}, {}, None),
        ({"alertTargetIDs": None, "configurationItems": None}, {}, None),
    ]
    for essentials, split, resource in cases:
        with subtests.test(essentials=essentials, split=split):
            assert common(split=split, **essentials).resource == resource


LOGGED = [
    *("Computer", "FilePath", "HostName", "ProcessCommandLine", "ProcessName", "RawData", "Resource", "SyslogMessage"),
    *("UserAgent", "Where", "Resource_Id", "ResourceIdentifier", "TargetResourceId", "_ResourceId_s"),
]


def test_a_logged_value_that_reads_like_a_resource_is_not_one(subtests: pytest.Subtests) -> None:
    """What a machine or a stranger on it wrote makes the alert of no other resource: only Azure's own columns name one."""
    for name in LOGGED:
        for true in ({}, {"_ResourceId": MACHINE}):
            split, here = {name: f"{_ARC} ", **true}, [WORKSPACE]
            row: Message = {"condition": {"allOf": [{"event": [_split_by(**split)]}]}}
            for alert in (
                common(split=split, alertTargetIDs=here),
                common(split=split, alertTargetIDs=here, configurationItems=[_ARC]),
                common(split=split | {name: f"a {_ARC}/."}, alertTargetIDs=here, configurationItems=[_ARC]),
                common(context=row, alertTargetIDs=here),
            ):
                with subtests.test(name, true=true):
                    assert alert.resource == true.get("_ResourceId")


def test_people_are_told_the_computer() -> None:
    """Else what the alert itself names that is no id and not the workspace that was searched."""
    assert common(split={"Computer": "web-01"}, configurationItems=["till-7"]).compromised_entity == "web-01"
    for items, entity in ((["web-01"], "web-01"), (["LOGS", "till-7"], "till-7"), ([MACHINE], None)):
        assert common(split={}, alertTargetIDs=[WORKSPACE], configurationItems=items).compromised_entity == entity


def test_dimensions_are_evidence_and_so_are_other_columns() -> None:
    """Computer, file, hashes, accounts, addresses and processes are found by the names of their columns in any case."""
    alert = common()
    assert (evidence(alert).hosts, evidence(alert).files) == (("web-01",), ("/etc/passwd",))
    assert {"Computer": "web-01", "FilePath": "/etc/passwd"}.items() <= alert.extended.items()
    (file,) = alert.entities.of_type("file")
    assert (alert.compromised_entity, file.text("Name"), file.text("Directory")) == ("web-01", "passwd", "/etc")
    split = {
        "FileSha256": "ab" * 32,
        "requestaccountname": "CONTOSO\\ada",
        "RequestSourceIP": "192.0.2.7",
        "InitiatingProcessImageFilePath": "/usr/bin/vi",
        "_ResourceId": MACHINE,
    }
    found = evidence(common(split=split))
    assert (found.hashes, found.accounts) == (("SHA256:" + "ab" * 32,), ("CONTOSO\\ada",))
    assert (found.ips, found.processes, found.resources) == (("192.0.2.7",), ("/usr/bin/vi",), (MACHINE,))
    for path in ("/etc/passwd", "/passwd", "C:\\Windows\\hosts", "C:\\hosts", "hosts", "/etc/", "/"):
        assert evidence(common(split={"FilePath": path})).files == (path,)


def test_dimensions_are_found_wherever_they_stand() -> None:
    """In two criteria with a value each, in the row that a simple rule sends, in the context itself before 2020."""
    names = ("web-01", "web-02", "web-01")
    both = common(context={"condition": {"allOf": [{"dimensions": _split_by(Computer=name)} for name in names]}})
    assert (both.extended["Computer"], evidence(both).hosts) == ("web-01, web-02", ("web-01", "web-02"))
    row = _split_by(Computer="web-01", FilePath="/etc/shadow")
    simple = {"conditionType": "LogQueryCriteria", "condition": {"allOf": [{"dimensions": None, "event": [row]}]}}
    assert evidence(common(context=simple)).files == ("/etc/shadow",)
    link = "https://portal.azure.com/#old"
    context = {"SearchQuery": "Perf", "LinkToSearchResults": link, "Dimensions": _split_by(Computer="web-01")}
    old = common(context=context, monitoringService="Log Analytics")
    assert (evidence(old).hosts, old.link, old.extended["searchQuery"]) == (("web-01",), link, "Perf")


def test_what_was_measured_and_what_the_author_says_stands_in_its_extended_properties() -> None:
    """A custom property that bears a dimension's name does not replace what was found; a query is kept up to a bound."""
    said = {"metricName": "Percentage CPU", "metricValue": "7.727", "operator": "GreaterThan", "threshold": "25"}
    assert (said | {"monitoringService": "Platform"}).items() <= read_alert(a_metric_alert()).extended.items()
    message = a_common_alert()
    message["data"]["customProperties"] |= {"FilePath": "nothing", "team": "linux"}
    extended = read_alert(message).extended
    assert extended["runbook"] == "https://wiki.contoso.example/file-integrity"
    assert (extended["team"], extended["FilePath"]) == ("linux", "/etc/passwd")
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


def test_the_title_names_the_rule_and_what_changed() -> None:
    """Two alerts of one rule on one machine are told apart in a list; a rule without a name is known by its id."""
    assert common().title == "file-integrity: /etc/passwd"
    contexts: list[Message] = [
        {},
        {"conditionType": "SomethingNew", "condition": 5},
        {"authorization": {}},
        {"a": [[]]},
    ]
    for context in contexts:
        alert = common(context=context)
        assert (alert.type, alert.title, alert.resource) == ("file-integrity", "file-integrity", MACHINE)
    rule = f"{SUBSCRIPTION}/resourceGroups/rg/providers/microsoft.insights/scheduledQueryRules/fim"
    assert common(alertRule=None, alertRuleId=rule).type == "fim"
    assert (common(alertRule=None).type, common(alertRule=None).title) == ("", "An Azure Monitor alert: /etc/passwd")


def test_what_cannot_be_identified_or_read_is_quarantined() -> None:
    """Without an alertId its Fired could not be told from another's; the name of the schema alone makes no alert.

    A message in another schema says which one is read.
    """
    nameless: list[object] = [None, " ", {"a": 1}]
    for id in nameless:
        refused = read_quarantined(a_common_alert(alertId=id))
        assert (refused.reason.code, refused.at_fault) == (Code.INVALID, "data.essentials.alertId")
    unsaid: list[Message] = [{}, {"data": "x"}, {"data": {"essentials": [1]}}, {"data": {"essentials": {}}}]
    for data in unsaid:
        refused = read_quarantined({"schemaId": "azureMonitorCommonAlertSchema"} | data)
        assert (refused.reason.code, refused.at_fault) == (Code.UNKNOWN_SHAPE, "data.essentials")
    refused = read_quarantined({"schemaId": "Microsoft.Insights/LogAlert", "data": {"AlertRuleName": "fim"}})
    assert refused.reason.code is Code.UNKNOWN_SHAPE
    assert all(words in refused.reason.words for words in ("Microsoft.Insights/LogAlert", "common alert schema"))


def test_the_reason_keeps_no_query_of_a_url() -> None:
    """A foreign type or schema may be a URL, and what stands behind its question mark may be a key."""
    for name in ("type", "schemaId"):
        for mark in ("?", "#", "x" * 300 + "?"):
            refused = read_quarantined({name: f"https://logic.example/s{mark}code=hunter2&sig=hunter2"})
            assert refused.reason.code is Code.UNKNOWN_SHAPE
            assert "https://logic.example/s" in refused.reason.words
            assert "hunter2" not in refused.reason.words
