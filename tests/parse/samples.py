"""The real messages in ../shared/samples, of every kind of file that is there, and what names something in each."""

from __future__ import annotations

import csv
import json
from collections.abc import Iterator
from functools import cache
from typing import Any

from router.domain.evidence import BOILERPLATE, says_something
from router.domain.signals import Alert, Finding, Quarantined, Signal
from router.parse import read_signals
from router.rulebook import load_catalogue
from tests.parse.messages import read_one
from tests.samples import SAMPLES

NAMING = {
    "account": ("Name",),
    "azureresource": ("ResourceId",),
    "blob": ("Url",),
    "container": ("Name",),
    "dns": ("DomainName",),
    "file": ("Name", "Directory"),
    "filehash": ("Value",),
    "host": ("HostName",),
    "hostlogonsession": ("SessionId",),
    "ip": ("Address",),
    "malware": ("Name", "Category"),
    "networkconnection": ("DestinationPort", "Protocol"),
    "process": ("CommandLine", "ProcessId"),
    "registrykey": ("Hive", "Key"),
    "registryvalue": ("Name", "Value"),
    "url": ("Url",),
}
"""What people call each type of entity by that stands in the samples."""


def rest_bodies() -> Iterator[tuple[str, Any]]:
    """Each body of the REST examples, one by one, with the family of its example."""
    for path in sorted((SAMPLES / "azure-rest-api-specs").rglob("*.json")):
        for answer in json.loads(path.read_text(encoding="utf-8"))["responses"].values():
            if body := answer.get("body"):
                yield from ((path.parent.name, item) for item in body.get("value", [body]))


def read_rest_examples(family: str) -> Iterator[Alert | Finding | Quarantined]:
    """What each body of a family of the REST examples is read as."""
    return (read_one(body) for found, body in rest_bodies() if found == family)


def table_rows() -> list[dict[str, str]]:
    """The rows of an exported table of alerts."""
    with (SAMPLES / "azure-sentinel-notebooks" / "alertlist.csv").open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def stix_rows() -> list[dict[str, Any]]:
    """Rows of the same table as JSON; three are other products' own."""
    rows: list[dict[str, Any]] = json.loads((SAMPLES / "stix-shifter" / "security_alert_rows.json").read_bytes())
    return rows


def demisto_alerts() -> list[Any]:
    """Alerts of the API of 2022."""
    rows: list[Any] = json.loads((SAMPLES / "demisto-content" / "alerts_2022-01-01_api_excerpt.json").read_bytes())
    return rows


@cache
def sample_signals() -> tuple[Signal, ...]:
    """Every signal in the samples."""
    # Whose they are is another matter than what is in them.
    stix = (row | {"ProductName": "", "ProviderName": ""} for row in stix_rows())
    bodies = (*(body for _, body in rest_bodies()), *table_rows(), *stix, *demisto_alerts())
    read = (signal for body in bodies for signal in read_signals(json.dumps(body).encode(), load_catalogue()))
    return tuple(signal for signal in read if not isinstance(signal, Quarantined))


def names_in(signal: Signal) -> Iterator[tuple[str, str, str]]:
    """Each naming property of each entity that says something: type of entity, name of the property, value."""
    for entity in signal.entities:
        for name in NAMING.get(entity.type, ()):
            value = entity.text(name) or ""
            if says_something(value):
                yield entity.type, name, value


def properties_in(signal: Signal) -> Iterator[tuple[str, str]]:
    """Each extended property that is not boilerplate, with its value as a text."""
    table = load_catalogue().properties
    for name, held in signal.extended.items():
        if table.find_list(name, str(held)) != BOILERPLATE:
            yield name, str(held)
