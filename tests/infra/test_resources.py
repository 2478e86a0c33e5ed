"""Everything that the code or host.json calls by a name is there."""

from __future__ import annotations

import json
import re

import pytest

from router.destinations.log_analytics import ALERTS, log_tables
from router.domain.signals import Stream
from router.eventhubs import consumer, reader
from tests.infra.functions import triggers, wake_ups
from tests.infra.predicted import Deployment
from tests.infra.variants import ROOT, deployed

STORAGE = "Microsoft.Storage/storageAccounts"
HUBS = "Microsoft.EventHub/namespaces/eventhubs"
APP = "Microsoft.Web/sites"
ROWS = "Microsoft.Insights/dataCollectionRules"


def last(azure: Deployment, kind: str) -> set[str]:
    """The names of the resources of a type, without those of their parents."""
    return {one.name.rpartition("/")[2] for one in azure.of(kind)}


def test_storage_has_the_queues_that_functions_use_and_the_package(azure: Deployment) -> None:
    """Each queue that functions put wake-ups into and triggers read, with its poison queue. The host makes its own containers;
    the state is in a database; the app is deployed to the one container that is made for it."""
    read = {one["queueName"] for one in triggers().values() if "queueName" in one}
    assert read == wake_ups()
    assert last(azure, f"{STORAGE}/queueServices/queues") == read | {f"{queue}-poison" for queue in read}
    (container,) = azure.of(f"{STORAGE}/blobServices/containers")
    assert (container.name.rpartition("/")[2], container.says("publicAccess")) == ("deployments", "None")
    assert not [one.kind for one in azure.resources if "/tableServices" in one.kind]
    storage = azure.one(APP).says("functionAppConfig.deployment.storage.value")
    assert azure.asks(STORAGE, "primaryEndpoints.blob") in storage
    assert "deployments'" in storage


def test_every_stream_has_its_hub_and_every_reader_of_it_a_consumer_group(azure: Deployment) -> None:
    """Old messages go by age. The functions, the sweep and serve read; two that shared a group would steal each other's
    partitions."""
    hubs = {one["eventHubName"] for one in triggers().values() if "eventHubName" in one}
    assert hubs == {stream.value for stream in Stream} == last(azure, HUBS)
    kept = [one.says("retentionDescription") for one in azure.of(HUBS)]
    assert {(one["cleanupPolicy"], one["retentionTimeInHours"]) for one in kept} == {("Delete", 168)}
    functions = {(one["eventHubName"], one["consumerGroup"]) for one in triggers().values() if "consumerGroup" in one}
    readers = functions | {(stream.value, group) for stream in Stream for group in (reader.GROUP, consumer.GROUP)}
    assert len(readers) == len(functions) + 4
    assert {tuple(one.name.split("/")[1:]) for one in azure.of(f"{HUBS}/consumergroups")} == readers


def test_host_json_names_nothing_that_would_have_to_be_made() -> None:
    """No hub, queue, connection or container. Of each execution it says only what is wrong: a line for each begin and end, at a
    million messages a day, is tens of gigabytes a month that nobody reads."""
    written = (ROOT / "host.json").read_text()
    assert not re.search(r"connection|queueName|hubName|container|%\w+%", written, re.IGNORECASE)
    said = json.loads(written)
    assert (said["telemetryMode"], said["logging"]["logLevel"]["Function"]) == ("OpenTelemetry", "Warning")


def test_what_is_always_ready_is_a_function_and_the_user_s_choice(subtests: pytest.Subtests) -> None:
    """A name that no function has would be paid for and wait for nothing. Flex Consumption refuses one instance where the plan
    is zone-redundant; more are left as they were asked for."""
    for variant, instances in (
        ("default", [1, 1]),
        ("several-subscriptions", []),
        ("private", [2, 2]),
        ("file-integrity-elsewhere", [3, 3]),
    ):
        with subtests.test(variant):
            ready = deployed(variant).one(APP).says("functionAppConfig.scaleAndConcurrency.alwaysReady")
            assert [one["instanceCount"] for one in ready] == instances
            names = ["take_cwpp", "deliver_cwpp_page"][: len(ready)]
            assert {one["name"] for one in ready} == {f"function:{name}" for name in names}
            assert set(names) <= triggers().keys()


def test_rows_of_every_table_have_a_way_in_for_each_stream(azure: Deployment) -> None:
    """Every stream of rows that a destination may send is declared with the columns of its table, and flows somewhere."""
    rules = azure.of(ROWS)
    assert {one.name.rpartition("-")[2] for one in rules} == {stream.value for stream in Stream}
    for rule in rules:
        declared = {name: columns_in(one["columns"]) for name, one in rule.says("streamDeclarations").items()}
        assert declared == {f"Custom-{table.name}": dict(table.columns) for table in log_tables().values()}
        assert {stream for flow in rule.says("dataFlows") for stream in flow["streams"]} == declared.keys()
        assert len(rule.says("dataFlows")) <= 10  # the most that Azure takes


def columns_in(said: list[dict[str, str]]) -> dict[str, str]:
    """The types of columns by name."""
    return {column["name"]: column["type"] for column in said}


def test_every_row_ends_in_a_table_that_is_there(subtests: pytest.Subtests) -> None:
    """With Sentinel alerts end in its table; without it in one of the same columns, which is made."""
    for name, sentinel in (("private", True), ("default", False)):
        with subtests.test(name):
            azure = deployed(name)
            tables = azure.of("Microsoft.OperationalInsights/workspaces/tables")
            made = {one.name.rpartition("/")[2]: columns_in(one.says("schema.columns")) for one in tables}
            there = {f"Custom-{name}" for name in made} | ({f"Microsoft-{ALERTS}"} if sentinel else set())
            for rule in azure.of(ROWS):
                assert {flow["outputStream"] for flow in rule.says("dataFlows")} == there
            assert azure.outputs["ALERTS_TABLE"] == (ALERTS if sentinel else "DefenderAlerts_CL")
            assert sentinel or made["DefenderAlerts_CL"] == dict(log_tables()[ALERTS].columns)
            assert bool(azure.of("Microsoft.SecurityInsights/onboardingStates")) is sentinel


def test_every_column_has_a_name_that_azure_takes() -> None:
    """https://learn.microsoft.com/azure/azure-monitor/logs/create-custom-table: reserved names, letters first, 45 at most."""
    reserved = {"_ResourceId", "id", "_SubscriptionId", "TenantId", "Type", "UniqueId", "Title"}
    for table in log_tables().values():
        assert not reserved & table.columns.keys()
        assert all(re.fullmatch(r"[A-Za-z]\w{0,44}", name) for name in table.columns)
