"""Everything that the code or host.json calls by a name is there."""

from __future__ import annotations

import json
import re

from router.destinations.log_analytics import ALERTS, log_tables
from router.domain.signals import Stream
from router.eventhubs import consumer, reader
from tests.infra.functions import triggers, wake_ups
from tests.infra.predicted import Deployment
from tests.infra.variants import ROOT, deployed

STORAGE = "Microsoft.Storage/storageAccounts"
HUBS = "Microsoft.EventHub/namespaces/eventhubs"
DEPLOYMENTS = "deployments"


def last(azure: Deployment, kind: str) -> set[str]:
    """The names of the resources of a type, without those of their parents."""
    return {one.name.rpartition("/")[2] for one in azure.of(kind)}


def test_every_queue_is_there_with_its_poison_queue(azure: Deployment) -> None:
    """Those that functions put wake-ups into, those that triggers read, and no other."""
    read = {one["queueName"] for one in triggers().values() if "queueName" in one}
    assert read == wake_ups()
    assert last(azure, f"{STORAGE}/queueServices/queues") == read | {f"{queue}-poison" for queue in read}


def test_the_account_holds_the_package_and_nothing_of_the_router_s(azure: Deployment) -> None:
    """The host makes containers of its own; the state is in a database."""
    (container,) = azure.of(f"{STORAGE}/blobServices/containers")
    assert (container.name.rpartition("/")[2], container.properties["publicAccess"]) == (DEPLOYMENTS, "None")
    assert not [one.kind for one in azure.resources if "/tableServices" in one.kind]


def test_the_package_lies_in_a_container_that_is_there(azure: Deployment) -> None:
    """The app is deployed to the container that is made for it, and read by its own identity."""
    storage = azure.one("Microsoft.Web/sites").properties["functionAppConfig"]["deployment"]["storage"]
    assert azure.asks(STORAGE, "primaryEndpoints.blob") in storage["value"]
    assert f"{DEPLOYMENTS}'" in storage["value"]
    assert storage["authentication"]["type"] == "UserAssignedIdentity"


def test_every_stream_has_its_hub(azure: Deployment) -> None:
    """Those that triggers read are those of the streams, and old messages go by age."""
    hubs = {one["eventHubName"] for one in triggers().values() if "eventHubName" in one}
    assert hubs == {stream.value for stream in Stream} == last(azure, HUBS)
    kept = [one.properties["retentionDescription"] for one in azure.of(HUBS)]
    assert {(one["cleanupPolicy"], one["retentionTimeInHours"]) for one in kept} == {("Delete", 168)}


def test_every_reader_of_a_hub_has_a_consumer_group_of_its_own(azure: Deployment) -> None:
    """The functions, the sweep and serve; two that shared one would steal each other's partitions."""
    of_functions = {
        (one["eventHubName"], one["consumerGroup"]) for one in triggers().values() if "consumerGroup" in one
    }
    readers = of_functions | {(stream.value, group) for stream in Stream for group in (reader.GROUP, consumer.GROUP)}
    assert len(readers) == len(of_functions) + 4
    assert {tuple(one.name.split("/")[1:]) for one in azure.of(f"{HUBS}/consumergroups")} == readers


def test_what_host_json_needs_is_not_named_elsewhere() -> None:
    """host.json names no hub, queue, connection or container, so that nothing of it has to be made."""
    written = (ROOT / "host.json").read_text()
    assert not re.search(r"connection|queueName|hubName|container|%\w+%", written, re.IGNORECASE)
    assert json.loads(written)["telemetryMode"] == "OpenTelemetry"


def test_the_host_says_of_each_execution_only_what_is_wrong() -> None:
    """A line for each begin and end, at a million messages a day, is tens of gigabytes a month that nobody reads."""
    levels = json.loads((ROOT / "host.json").read_text())["logging"]["logLevel"]
    assert levels["Function"] == "Warning"


def test_every_function_that_is_always_ready_exists() -> None:
    """A name that no function has would be paid for and wait for nothing."""
    ready = always_ready(deployed("default"))
    assert ready == {"function:take_cwpp": 1, "function:deliver_cwpp_page": 1}
    assert {name.removeprefix("function:") for name in ready} <= triggers().keys()


def test_what_is_always_ready_can_be_turned_off() -> None:
    """Then nothing waits, and nothing is paid for; also where the plan is zone-redundant."""
    assert always_ready(deployed("several-subscriptions")) == {}


def test_zones_take_two_instances_of_what_is_always_ready() -> None:
    """Flex Consumption refuses one where the plan is zone-redundant; more are left as they were asked for."""
    assert set(always_ready(deployed("private")).values()) == {2}
    assert set(always_ready(deployed("file-integrity-elsewhere")).values()) == {3}


def always_ready(azure: Deployment) -> dict[str, int]:
    """Instances that are always ready, by what for."""
    scale = azure.one("Microsoft.Web/sites").properties["functionAppConfig"]["scaleAndConcurrency"]
    return {one["name"]: one["instanceCount"] for one in scale["alwaysReady"]}


def test_rows_of_every_table_have_a_way_in_for_each_stream(azure: Deployment) -> None:
    """Every stream of rows that a destination may send is declared with the columns of its table, and flows somewhere."""
    rules = azure.of("Microsoft.Insights/dataCollectionRules")
    assert {one.name.rpartition("-")[2] for one in rules} == {stream.value for stream in Stream}
    for rule in rules:
        declared = {
            name: {column["name"]: column["type"] for column in one["columns"]}
            for name, one in rule.properties["streamDeclarations"].items()
        }
        assert declared == {f"Custom-{table.name}": dict(table.columns) for table in log_tables().values()}
        assert {stream for flow in rule.properties["dataFlows"] for stream in flow["streams"]} == declared.keys()
        assert len(rule.properties["dataFlows"]) <= 10  # the most that Azure takes


def test_every_row_ends_in_a_table_that_is_there() -> None:
    """With Sentinel alerts end in its table; without it in one of the same columns, which is made."""
    for name, sentinel in (("private", True), ("default", False)):
        azure = deployed(name)
        made = {
            one.name.rpartition("/")[2]: {
                column["name"]: column["type"] for column in one.properties["schema"]["columns"]
            }
            for one in azure.of("Microsoft.OperationalInsights/workspaces/tables")
        }
        there = {f"Custom-{name}" for name in made} | ({f"Microsoft-{ALERTS}"} if sentinel else set())
        for rule in azure.of("Microsoft.Insights/dataCollectionRules"):
            assert {flow["outputStream"] for flow in rule.properties["dataFlows"]} == there
        assert azure.outputs["ALERTS_TABLE"] == (ALERTS if sentinel else "DefenderAlerts_CL")
        assert sentinel or made["DefenderAlerts_CL"] == dict(log_tables()[ALERTS].columns)
        assert bool(azure.of("Microsoft.SecurityInsights/onboardingStates")) is sentinel


def test_every_column_has_a_name_that_azure_takes() -> None:
    """https://learn.microsoft.com/azure/azure-monitor/logs/create-custom-table: reserved names, letters first, 45 at most."""
    reserved = {"_ResourceId", "id", "_SubscriptionId", "TenantId", "Type", "UniqueId", "Title"}
    for table in log_tables().values():
        assert not reserved & table.columns.keys()
        assert all(re.fullmatch(r"[A-Za-z]\w{0,44}", name) for name in table.columns)
