"""The queries of the Prometheus rules and of the Grafana dashboard, and what they mention."""

import json
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, NamedTuple

import yaml

ROOT = Path(__file__).parents[2]
RULES = ROOT / "infra/prometheus/alerts.yaml"
DASHBOARD = ROOT / "infra/grafana/alert-router.json"

TARGET = {"job", "namespace", "instance"}
"""Labels that a scrape itself adds."""

_SELECTOR = re.compile(r"\b((?:alert_router|process)_\w+)(?:\{([^}]*)\})?")
_MATCHER = re.compile(r'(\w+)\s*(?:=~|!=|!~|=)\s*"([^"]*)"')
_GROUPING = re.compile(r"\b(?:by|on|without|ignoring)\s*\(([^)]*)\)")
_SHOWN = re.compile(r"\{\{\s*(?:\$labels\.)?(\w+)[^}]*\}\}")


class Query(NamedTuple):
    """A query, and the texts in which its labels are shown."""

    where: str
    expression: str
    texts: tuple[str, ...]

    def series(self) -> Mapping[str, list[tuple[str, str]]]:
        """What it selects: the names of its series, and the label and value of each matcher."""
        found: dict[str, list[tuple[str, str]]] = {}
        for name, matchers in _SELECTOR.findall(self.expression):
            pairs = [(label, value) for label, values in _MATCHER.findall(matchers) for value in values.split("|")]
            found.setdefault(name, []).extend(pairs)
        return found

    def labels(self) -> set[str]:
        """The labels by which it groups, and those that its texts show."""
        grouped = (label for group in _GROUPING.findall(self.expression) for label in re.findall(r"\w+", group))
        return {*grouped, *(label for text in self.texts for label in _SHOWN.findall(text))} - {"value"}

    def to_ask(self) -> str:
        """The query as Prometheus is asked, with Grafana's variables filled in."""
        return self.expression.replace("$job", ".*").replace("$__rate_interval", "1m")


def alerts() -> Iterator[Query]:
    """The query of each alert."""
    for group in yaml.safe_load(RULES.read_text())["groups"]:
        for rule in group["rules"]:
            yield Query(rule["alert"], rule["expr"], tuple(rule["annotations"].values()))


def panels() -> Iterator[Query]:
    """The queries of each panel."""
    board: dict[str, Any] = json.loads(DASHBOARD.read_text())
    for panel in board["panels"]:
        for target in panel.get("targets", ()):
            yield Query(panel["title"], target["expr"], (target["legendFormat"],))
