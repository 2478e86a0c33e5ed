"""Nothing that names anything in a real message is lost on the way to people."""

from __future__ import annotations

import csv
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from router.domain.entities import Entity
from router.domain.evidence import Evidence
from router.domain.properties import BOILERPLATE, items_in, says_something, unlisted_in
from router.domain.signals import Quarantined, Signal
from router.parse import evidence_of, read_signals
from router.rulebook import load_catalogue

_SAMPLES = Path(__file__).parents[3] / "shared" / "samples"

needs_samples = pytest.mark.skipif(not _SAMPLES.is_dir(), reason="../shared/samples is absent")

_NAMING = {
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


def _bodies() -> Iterator[Any]:
    for path in sorted((_SAMPLES / "azure-rest-api-specs").rglob("*.json")):
        for answer in json.loads(path.read_text(encoding="utf-8"))["responses"].values():
            if body := answer.get("body"):
                yield from body.get("value", [body])
    with (_SAMPLES / "azure-sentinel-notebooks" / "alertlist.csv").open(encoding="utf-8", newline="") as file:
        yield from csv.DictReader(file)
    rows = json.loads((_SAMPLES / "stix-shifter" / "security_alert_rows.json").read_text(encoding="utf-8"))
    # Three are other products' own, which is a matter of whose they are and not of what is in them.
    yield from (row | {"ProductName": "", "ProviderName": ""} for row in rows)
    excerpt = _SAMPLES / "demisto-content" / "alerts_2022-01-01_api_excerpt.json"
    yield from json.loads(excerpt.read_text(encoding="utf-8"))


def _signals() -> list[Signal]:
    read = (signal for body in _bodies() for signal in read_signals(json.dumps(body).encode(), load_catalogue()))
    return [signal for signal in read if not isinstance(signal, Quarantined)]


def _lost_of(signal: Signal) -> Iterator[tuple[str, str, str]]:
    """What names anything in a signal and stands nowhere, with where it came from."""
    catalogue = load_catalogue()
    evidence = evidence_of(signal, catalogue)
    extended = {name: str(value) for name, value in signal.extended.items()}
    unlisted = unlisted_in(extended, catalogue.properties, evidence)
    texts = [text for name in Evidence.__dataclass_fields__ for text in getattr(evidence, name)]
    told = "\n".join(texts).casefold()
    for entity in signal.entities:
        for name in _NAMING.get(entity.type, ()):
            value = entity.text(name) or ""
            if says_something(value) and value.strip().casefold() not in told:
                yield entity.type, name, value
    for name, value in extended.items():
        if name in unlisted or catalogue.properties.find_list(name, value) == BOILERPLATE:
            continue
        for item in items_in(value):
            if item.casefold() not in told and not all(part.strip().casefold() in told for part in item.split(",")):
                yield "property", name, item


@pytest.mark.shared
@needs_samples
def test_every_value_that_names_something_is_evidence_or_stands_behind_its_own_name() -> None:
    """Each naming property of each entity, and each extended property that is not boilerplate, of all real messages."""
    signals = _signals()
    assert len(signals) > 300
    assert sorted({lost for signal in signals for lost in _lost_of(signal)}) == []


@pytest.mark.shared
@needs_samples
def test_the_names_of_every_entity_in_the_samples_are_known_here() -> None:
    """A type that is new in the samples needs a row above, unless nothing of it is a name."""
    entities: list[Entity] = [entity for signal in _signals() for entity in signal.entities]
    assert {entity.type for entity in entities} - _NAMING.keys() == set()


@pytest.mark.shared
@needs_samples
def test_boilerplate_is_rare() -> None:
    """What is left out are a few names, most of which the notice says elsewhere."""
    table = load_catalogue().properties
    left_out = {
        name
        for signal in _signals()
        for name, value in signal.extended.items()
        if table.find_list(name, str(value)) == BOILERPLATE
    }
    assert left_out == {
        "alert Id",
        "Alert generation status",
        "assessedResourceType",
        "investigation steps",
        "killChainIntent",
        "OccuringDatacenter",
        "ProcessedBySentinel",
        "ReportingSystem",
        "resourceType",
        "ServiceId",
    }
