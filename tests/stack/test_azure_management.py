"""The double of Azure answers in the recorded shapes."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import Any

import pytest

from router.coverage.asking.arm import QUERIES, SUBSCRIPTIONS
from router.domain.conversation import HttpAnswer, HttpRequest
from tests.samples import SAMPLES
from tests.stack.azure_management.estate import healthy_estate, subscription_id
from tests.stack.azure_management.management import AzureManagement

FIRST = subscription_id(0)
HOST = "https://management.azure.com"

UNRECORDED = {f"it[].properties.{name}" for name in ("powerState", "powerState.code")} | {
    f"it[].properties.addonProfiles.azurepolicy{more}" for more in ("", ".enabled")
}
"""What the samples of clusters are too old for, or were made without: https://learn.microsoft.com/rest/api/aks/managed-clusters"""


def asked(url: str, body: object = None) -> HttpAnswer:
    """The double's answer."""
    data = b"" if body is None else json.dumps(body).encode()
    method = "GET" if body is None else "POST"
    return AzureManagement(healthy_estate()).answer(HttpRequest(method=method, url=HOST + url, body=data))


def graph(query: str, most: int = 1) -> HttpAnswer:
    """The first page of a query's answer."""
    url = "/providers/Microsoft.ResourceGraph/resources?api-version=2022-10-01"
    return asked(url, {"query": query, "subscriptions": [FIRST], "options": {"$top": most}})


def shape_of(value: Any, path: str = "it") -> Iterator[tuple[str, str]]:
    """Each path into a value, and the type of what is there; None may stand for anything."""
    if isinstance(value, Mapping):
        yield path, "object"
        for name, inner in value.items():
            yield from shape_of(inner, f"{path}.{name}")
    elif isinstance(value, list):
        yield path, "list"
        for member in value:
            yield from shape_of(member, f"{path}[]")
    elif value is not None:
        yield path, type(value).__name__


def strange(rows: list[Any], recorded: Iterator[Any]) -> set[str]:
    """The paths in rows that were never recorded, or as another type. What was recorded as empty may hold anything."""
    known = set(shape_of(list(recorded)))
    parents = {path[: max(path.rfind("."), path.rfind("["))] for path, _ in known}
    empty = tuple(path for path, kind in known if kind in ("object", "list") and path not in parents)
    return {path for path, _ in set(shape_of(rows)) - known if not path.startswith(empty)}


def members(*patterns: str) -> Iterator[Any]:
    """The rows of lists in samples, which are recordings, examples or bodies; what is no list is the one row that it is."""
    for pattern in patterns:
        paths = list(SAMPLES.glob(pattern))
        assert paths, pattern
        for value in (json.loads(path.read_text()) for path in paths):
            answers = value if isinstance(value, list) else [value.get("responses", {}).get("200", {"body": value})]
            for body in (one["body"] for one in answers if "body" in one):
                yield from body.get("value", body.get("data", [body]))


LISTS = {
    "pricings": ("coverage/arm/pricings.list.subscription*", "coverage/azure-cli/recording.pricings.list*"),
    "settings": ("coverage/arm/settings.list*",),
    "automations": ("coverage/arm/automations.Get*", "coverage/constructed/arm/automation*"),
    "alertsSuppressionRules": (
        "azure-rest-api-specs/preview/2019-01-01-preview/examples/AlertsSuppressionRules/Get*Rules_example.json",
    ),
}
ROWS = (
    (
        "recommendations",
        "microsoft.security/assessments",
        "coverage/cloud-custodian/DefenderTest.test_azure_defender_assessments.json",
        "coverage/arm/assessments*",
        # The query puts the assessment's type at the top, which is its metadata's.
        "azure-rest-api-specs/stable/2021-06-01/examples/AssessmentsMetadata/Get*_subscription_example.json",
    ),
    ("extensions of machines", "extensions", "coverage/constructed/arg/mde-extensions.json"),
    ("clusters", "managedclusters", "coverage/arm/managedClusters.create*", "coverage/cloud-custodian/AksTest*"),
)


@pytest.mark.shared
def test_lists_and_rows_have_the_recorded_shapes(subtests: pytest.Subtests) -> None:
    """Every key that the double writes is one that Azure writes, with a value of the same type. What a query puts at the top
    comes from the properties that Resource Manager writes."""
    for name, samples in LISTS.items():
        with subtests.test(name):
            answer = asked(f"/subscriptions/{FIRST}/providers/Microsoft.Security/{name}?api-version=1")
            (rows,) = json.loads(answer.body).values()
            assert strange(rows, members(*samples)) == set()
    for title, kind, *patterns in ROWS:
        with subtests.test(title):
            (query,) = [one for one in QUERIES if one.title == title]
            rows = [row for row in json.loads(graph(query.text, 1000).body)["data"] if kind in row["type"]]
            assert rows
            assert strange(rows, ({**body, **body["properties"]} for body in members(*patterns))) <= UNRECORDED


@pytest.mark.shared
def test_an_answer_of_resource_graph_has_the_recorded_shape() -> None:
    """A page and its headers, as the specification and a recording of the real service have them."""
    answer = graph(QUERIES[0].text)
    body = json.loads(answer.body)
    (sample,) = SAMPLES.glob("coverage/arg/resources.first-page*")
    known = json.loads(sample.read_text())["responses"]["200"]["body"]
    assert {name: type(body[name]) for name in body} == {name: type(known[name]) for name in known}
    recording = json.loads(next(SAMPLES.glob("coverage/cloud-custodian/ResourceGraphSource*vm*")).read_text())
    headers = next(one["headers"] for one in recording if one["method"] == "POST")
    assert {name for name in answer.headers if name.startswith("x-ms-")} <= headers.keys()
    assert [len(answer.headers["x-ms-user-quota-resets-after"])] == [len(headers["x-ms-user-quota-resets-after"][0])]


def test_every_query_that_is_asked_is_known_and_another_is_refused() -> None:
    """So that its silence is never taken for an answer."""
    for query in (*QUERIES, SUBSCRIPTIONS):
        assert graph(query.text).status == 200, query.title
    for unknown in (
        "resources | summarize count()",
        "alertsmanagementresources | project id",
        "resources | where a > 1",
    ):
        assert graph(unknown).status == 400
