"""The queries and alert rules that infra/ ships, as its files have them."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any

INFRA = Path(__file__).parents[3] / "infra"
QUERIES: Mapping[str, str] = {path.stem: path.read_text("utf-8") for path in sorted((INFRA / "queries").glob("*.kql"))}
NAMESPACE = "/subscriptions/1/resourceGroups/rg-router/providers/Microsoft.EventHub/namespaces/router"

_ISO = {"PT{}M": "minutes", "PT{}H": "hours", "P{}D": "days"}
_RULE = re.compile(r"\n  \{\n(.*?)\n  \}", re.DOTALL)
_PAIR = re.compile(r"^    (\w+): (?:loadTextContent\()?'?([^')\n]*?)'?\)?(?: //.*)?$", re.MULTILINE)
_DIMENSIONS = {
    "byStream": ("Stream",),
    "byDestination": ("Stream", "Destination"),
    "byRule": ("Stream", "Rule"),
    "[]": (),
}


@dataclass(frozen=True, slots=True)
class AlertRule:
    """An alert rule of infra/alerts.bicep."""

    name: str
    file: str
    severity: int
    every: timedelta
    window: timedelta
    dimensions: tuple[str, ...]

    @property
    def query(self) -> str:
        """The query as it is deployed."""
        return (INFRA / self.file).read_text("utf-8").replace("{eventHubNamespaceId}", NAMESPACE)


def alert_rules() -> Mapping[str, AlertRule]:
    """Every rule by its name."""
    bicep = (INFRA / "alerts.bicep").read_text("utf-8")
    listed = bicep.partition("var rules = [")[2].partition("\n]\n")[0]
    rules = [_rule(dict(_PAIR.findall(written))) for written in _RULE.findall(listed)]
    return {rule.name: rule for rule in rules}


def tiles() -> Mapping[str, Any]:
    """How each tile of the workbook looks, by its name."""
    return {tile["name"]: tile["look"] for tile in _page()["tiles"]}


def parameters() -> list[str]:
    """The names of the workbook's parameters."""
    return [parameter["name"] for parameter in _page()["time"]["content"]["parameters"]]


def _page() -> Any:
    return json.loads((INFRA / "workbook.json").read_text("utf-8"))


def _rule(said: Mapping[str, str]) -> AlertRule:
    return AlertRule(
        name=said["name"],
        file=said["query"],
        severity=int(said["severity"]),
        every=duration(said["every"]),
        window=duration(said["window"]),
        dimensions=_DIMENSIONS[said["dimensions"]],
    )


def duration(iso: str) -> timedelta:
    """A length of time as Bicep has it."""
    number = "".join(letter for letter in iso if letter.isdigit())
    return timedelta(**{_ISO[iso.replace(number, "{}")]: int(number)})
