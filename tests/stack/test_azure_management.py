"""The double of Azure answers in the recorded shapes."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest

from router.coverage.asking.arm import QUERIES, SUBSCRIPTIONS, GraphQuery
from router.domain.conversation import HttpRequest
from tests.samples import SAMPLES
from tests.stack.azure_management.estate import Row, healthy_estate, subscription_id
from tests.stack.azure_management.management import AzureManagement

FIRST = subscription_id(0)

UNRECORDED = {".properties.powerState was never recorded", ".properties.addonProfiles.azurepolicy was never recorded"}
"""What the samples of clusters are too old for, or were made without: https://learn.microsoft.com/rest/api/aks/managed-clusters"""

HOST = "https://management.azure.com"
GRAPH = f"{HOST}/providers/Microsoft.ResourceGraph/resources?api-version=2022-10-01"


def graph(query: str) -> HttpRequest:
    """A query of one row a page."""
    body = {"query": query, "subscriptions": [FIRST], "options": {"$top": 1}}
    return HttpRequest(method="POST", url=GRAPH, body=json.dumps(body).encode())


def rows_of(query: GraphQuery) -> list[Row]:
    """The rows that the double has for a query."""
    azure = AzureManagement(healthy_estate())
    body = {"query": query.text, "subscriptions": [FIRST], "options": {"$top": 1000}}
    answer = azure.answer(HttpRequest(method="POST", url=GRAPH, body=json.dumps(body).encode()))
    return list(json.loads(answer.body)["data"])


def listed(name: str) -> Row:
    """What the double answers for a list of Defender's."""
    url = f"{HOST}/subscriptions/{FIRST}/providers/Microsoft.Security/{name}?api-version=1"
    return dict(json.loads(AzureManagement(healthy_estate()).answer(HttpRequest(method="GET", url=url)).body))


def shape_of(values: list[Any]) -> Any:
    """The keys, and the types of what is behind them, of several values together."""
    objects = [one for one in values if isinstance(one, Mapping)]
    members = [member for one in values if isinstance(one, list) for member in one]
    names = {name for one in objects for name in one}
    return {
        "types": {_type_of(one) for one in values if one is not None},
        "fields": {name: shape_of([one[name] for one in objects if name in one]) for name in names},
        "members": shape_of(members) if members else None,
    }


def _type_of(value: object) -> str:
    return "object" if isinstance(value, Mapping) else type(value).__name__


def strange(shape: Any, known: Any, path: str = "") -> Iterator[str]:
    """What a shape has that the known one does not. A list or an object that is empty there may hold anything."""
    if not shape["types"] <= known["types"]:
        yield f"{path or 'it'} is {shape['types']} and was recorded as {known['types']}"
    for name, inner in shape["fields"].items():
        if name in known["fields"]:
            yield from strange(inner, known["fields"][name], f"{path}.{name}")
        elif known["fields"] or not known["types"]:
            yield f"{path}.{name} was never recorded"
    if shape["members"] is not None and known["members"] is not None:
        yield from strange(shape["members"], known["members"], f"{path}[]")


def recorded(*patterns: str) -> list[Any]:
    """The answers in samples: the bodies of recordings and of examples, or what the file itself is."""
    found: list[Any] = []
    for pattern in patterns:
        paths = sorted(SAMPLES.glob(pattern))
        assert paths, pattern
        for path in paths:
            found += _bodies_in(path)
    return found


def _bodies_in(path: Path) -> list[Any]:
    value = json.loads(path.read_text(encoding="utf-8"))
    if isinstance(value, list):
        return [one["body"] for one in value if "body" in one]
    if "responses" in value:
        return [value["responses"]["200"]["body"]]
    return [value]


def members(bodies: list[Any]) -> list[Any]:
    """The rows of lists, and what is no list as the one row that it is."""
    return [row for body in bodies for row in body.get("value", body.get("data", [body]))]


@pytest.mark.shared
@pytest.mark.parametrize(
    ("name", "samples"),
    [
        ("pricings", ("coverage/arm/pricings.list.subscription*", "coverage/azure-cli/recording.pricings.list*")),
        ("settings", ("coverage/arm/settings.list*",)),
        ("automations", ("coverage/arm/automations.Get*", "coverage/constructed/arm/automation*")),
        (
            "alertsSuppressionRules",
            ("azure-rest-api-specs/preview/2019-01-01-preview/examples/AlertsSuppressionRules/Get*Rules_example.json",),
        ),
    ],
)
def test_lists_have_the_recorded_shapes(name: str, samples: tuple[str, ...]) -> None:
    """Every key that the double writes is one that Azure writes, with a value of the same type."""
    answer = listed(name)
    assert answer.keys() == {"value"}
    known = shape_of(members(recorded(*samples)))
    assert list(strange(shape_of(answer["value"]), known)) == []


@pytest.mark.shared
def test_an_answer_of_resource_graph_has_the_recorded_shape() -> None:
    """A page and its headers, as the specification and a recording of the real service have them."""
    answer = AzureManagement(healthy_estate()).answer(graph(QUERIES[0].text))
    body = json.loads(answer.body)
    (known,) = recorded("coverage/arg/resources.first-page*")
    assert body.keys() == known.keys()
    for name in body.keys() - {"data"}:
        assert type(body[name]) is type(known[name]), name
    recording = json.loads(next(SAMPLES.glob("coverage/cloud-custodian/ResourceGraphSource*vm*")).read_text())
    headers = next(one["headers"] for one in recording if one["method"] == "POST")
    assert {name for name in answer.headers if name.startswith("x-ms-")} <= headers.keys()
    assert [len(answer.headers["x-ms-user-quota-resets-after"])] == [len(headers["x-ms-user-quota-resets-after"][0])]


@pytest.mark.shared
@pytest.mark.parametrize(
    ("title", "type", "samples"),
    [
        (
            "recommendations",
            "microsoft.security/assessments",
            (
                "coverage/cloud-custodian/DefenderTest.test_azure_defender_assessments.json",
                "coverage/arm/assessments*",
                # The query puts the assessment's type at the top, which is its metadata's.
                "azure-rest-api-specs/stable/2021-06-01/examples/AssessmentsMetadata/Get*_subscription_example.json",
            ),
        ),
        ("extensions of machines", "extensions", ("coverage/constructed/arg/mde-extensions.json",)),
        ("clusters", "managedclusters", ("coverage/arm/managedClusters.create*", "coverage/cloud-custodian/AksTest*")),
    ],
)
def test_rows_of_resource_graph_have_the_recorded_shapes(title: str, type: str, samples: tuple[str, ...]) -> None:
    """What a query puts at the top comes from the properties that Resource Manager writes."""
    (query,) = [one for one in QUERIES if one.title == title]
    rows = [row for row in rows_of(query) if type in row["type"]]
    assert rows
    bodies = members(recorded(*samples))
    known = shape_of([{**body, **body["properties"]} for body in bodies])
    assert set(strange(shape_of(rows), known)) <= UNRECORDED


def test_every_query_that_is_asked_is_known() -> None:
    """Another one is refused, so that nobody takes its silence for an answer."""
    for query in (*QUERIES, SUBSCRIPTIONS):
        assert AzureManagement(healthy_estate()).answer(graph(query.text)).status == 200, query.title
    for unknown in (
        "resources | summarize count()",
        "alertsmanagementresources | project id",
        "resources | where a > 1",
    ):
        assert AzureManagement(healthy_estate()).answer(graph(unknown)).status == 400
