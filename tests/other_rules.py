"""Rules of other people: three valid sets that have nothing in common with the starter's."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import yaml

from router.rulebook import load_catalogue
from tests.docs.rules_on_paper import PAGES_OF_DESTINATIONS, fragments

SUPPRESSIONS = 3_000
ROUTES = 200


def write_tiny(rules: Path) -> None:
    """One file that everything goes into, and nothing about posture: the least that is valid."""
    _write(rules / "cwpp/policy.yaml", _policy("cwpp", {"all": {"kind": "file", "path": "all.ndjson"}}, ["all"]))


def write_alerts_alone(rules: Path) -> None:
    """A SOC that is paged and writes tickets, with an example and owners, and no posture."""
    pager = {"kind": "pagerduty", "routing_key": {"secret": "NIGHT_SHIFT_KEY"}}
    tickets = {"kind": "webhook", "url": "https://tickets.contoso.example/in", "secret": {"secret": "TICKETS_SECRET"}}
    policy = _policy("cwpp", {"night": pager, "tickets": tickets}, ["tickets"])
    routes = [{"name": "all", "when": {"at_least": "High"}, "to": ["night"]}]
    _write(rules / "cwpp/policy.yaml", policy | {"routes": routes})
    _write(rules / "owners.yaml", {"owners": [{"subscription": "*", "group": "everybody"}]})
    message = {"SystemAlertId": "1", "AlertType": "SQL.DB_BruteForce", "Severity": "High", "Status": "New"}
    example = {"name": "high", "now": NOW, "message": message, "expect": {"outcome": "routed", "routes": ["all"]}}
    _write(rules / "cwpp/examples/all.yaml", [example])


def write_large(rules: Path) -> None:
    """Thousands of suppression rules, hundreds of routes and owners, and destinations of every kind, in both streams."""
    types = sorted(load_catalogue().types)
    for stream in ("cwpp", "cspm"):
        destinations = {
            f"{name}-{number}": destination
            for number, fragment in enumerate(fragments(*PAGES_OF_DESTINATIONS))
            if fragment.label.endswith(f"rules/{stream}/policy.yaml")
            for name, destination in yaml.safe_load(fragment.text).get("destinations", {}).items()
        } | {"archive": {"kind": "file", "path": f"{stream}.ndjson"}}
        routes = [
            {"name": f"route-{number}", "when": {"at_least": "Medium", "subscription": _id(number)}, "to": [name]}
            for number, name in zip(range(ROUTES), list(destinations) * ROUTES, strict=False)
        ]
        policy = _policy(stream, destinations, ["archive"])
        _write(rules / stream / "policy.yaml", policy | {"routes": routes, "floor": {"default": "Low"}})
    for number in range(SUPPRESSIONS):
        _write(rules / f"cwpp/suppressions/rule-{number}.json", _suppression(types[number % len(types)], number))
    owners = [{"subscription": _id(number), "group": f"team-{number}"} for number in range(ROUTES)]
    _write(rules / "owners.yaml", {"owners": owners, "subscriptions": {_id(1): {"name": "One", "environment": "test"}}})


OTHER_RULES: Mapping[str, Callable[[Path], None]] = {
    "tiny": write_tiny,
    "large": write_large,
    "alone": write_alerts_alone,
}
"""What writes each set into an empty directory."""

NOW = datetime(2026, 11, 24, 12, 0, tzinfo=UTC)


def _policy(stream: str, destinations: Mapping[str, Any], otherwise: list[str]) -> dict[str, Any]:
    return {"stream": stream, "destinations": dict(destinations), "otherwise": otherwise}


def _suppression(type: str, number: int) -> Any:
    ends = datetime.now(UTC) + timedelta(days=30 + number % 100)
    address = {"field": "entities.ip.address", "in": [f"10.{number >> 8}.{number & 255}.1"]}
    said = {"alertType": type, "state": "Enabled", "reason": "Noise", "suppressionAlertsScope": {"allOf": [address]}}
    comment = f"Scanner {number}, owner secops@contoso.example"
    return {"properties": said | {"expirationDateUtc": f"{ends:%Y-%m-%dT%H:%M:%SZ}", "comment": comment}}


def _id(number: int) -> str:
    return f"00000000-0000-4000-8000-{number:012}"


def _write(path: Path, said: Any) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(said, indent=2) if path.suffix == ".json" else yaml.safe_dump(said, sort_keys=False))
