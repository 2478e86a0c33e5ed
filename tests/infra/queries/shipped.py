"""The queries that infra/ ships, as its files have them, and the alert rules and the page that it makes of them."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from tests.infra.predicted import INFRA, deployed

QUERIES: Mapping[str, str] = {path.stem: path.read_text("utf-8") for path in sorted((INFRA / "queries").glob("*.kql"))}
NAMESPACE = deployed("default").one("Microsoft.EventHub/namespaces").id
DATABASE = deployed("default").one("Microsoft.DBforPostgreSQL/flexibleServers").id

_ISO = {"PT{}M": "minutes", "PT{}H": "hours", "P{}D": "days"}
_TILE = re.compile(r"'type', 3, 'name', '([^']+)'.*?'query', '((?:[^']|'')*)'", re.DOTALL)
"""A tile in the expression that makes the page, which Azure evaluates."""


@dataclass(frozen=True, slots=True)
class AlertRule:
    """An alert rule as it is deployed."""

    name: str
    said: str
    query: str
    severity: int
    every: timedelta
    window: timedelta
    dimensions: tuple[str, ...]


def alert_rules(variant: str = "default") -> Mapping[str, AlertRule]:
    """Every rule of a deployment by its name."""
    made = deployed(variant).of("Microsoft.Insights/scheduledQueryRules")
    rules = [_rule(one.name.removeprefix("alert-router-"), one.properties) for one in made]
    return {rule.name: rule for rule in rules}


def tile_queries() -> list[tuple[str, str]]:
    """What each tile of the deployed page asks, with its name."""
    (page,) = deployed("default").of("Microsoft.Insights/workbooks")
    found = _TILE.findall(page.properties["serializedData"])
    return [(name, query.replace("''", "'")) for name, query in found]


def tiles() -> Mapping[str, Any]:
    """How each tile of the workbook looks, by its name."""
    return {tile["name"]: tile["look"] for tile in _page()["tiles"]}


def parameters() -> list[str]:
    """The names of the workbook's parameters."""
    return [parameter["name"] for parameter in _page()["time"]["content"]["parameters"]]


def _page() -> Any:
    return json.loads((INFRA / "workbook.json").read_text("utf-8"))


def _rule(name: str, said: Mapping[str, Any]) -> AlertRule:
    (criterion,) = said["criteria"]["allOf"]
    return AlertRule(
        name=name,
        said=said["description"],
        query=criterion["query"],
        severity=said["severity"],
        every=duration(said["evaluationFrequency"]),
        window=duration(said["windowSize"]),
        dimensions=tuple(one["name"] for one in criterion["dimensions"]),
    )


def duration(iso: str) -> timedelta:
    """A length of time as Bicep has it."""
    number = "".join(letter for letter in iso if letter.isdigit())
    return timedelta(**{_ISO[iso.replace(number, "{}")]: int(number)})
