"""Real messages that nobody here wrote, of which nothing is lost, what names something in each, and the demo's messages."""

import csv
import json
from collections import Counter
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

import pytest

from router.decide.notice import unlisted_in
from router.domain.decisions import Code
from router.domain.evidence import BOILERPLATE, Evidence, items_in, says_something
from router.domain.signals import Alert, Finding, Quarantined, Signal
from router.parse import evidence_of, read_signals
from router.rulebook import load_catalogue
from tests.parse.messages import CATALOGUE, body_of, read_alert, read_one
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


_DEMO = Path(__file__).parents[2] / "alert_router_demo" / "samples"


def _kind_of(message: object) -> str:
    signal = read_one(message)
    if isinstance(signal, Quarantined):
        return str(signal.reason.code)
    evidence_of(signal, CATALOGUE)
    return signal.kind


@pytest.mark.shared
def test_each_rest_example_is_what_it_is() -> None:
    """Every body of Microsoft's REST examples becomes its kind; what Defender does not export is quarantined."""
    assert Counter((family, _kind_of(body)) for family, body in rest_bodies()) == {
        ("Alerts", "alert"): 20,
        ("Alerts", "incident"): 32,
        ("AlertsSuppressionRules", "unknown_shape"): 5,
        ("Assessments", "recommendation"): 18,
        ("AssessmentsMetadata", "unknown_shape"): 24,
        ("Automations", "unknown_shape"): 21,
        ("RegulatoryCompliance", "compliance"): 13,
        ("SubAssessments", "vulnerability"): 4,
        ("secureScoreControlDefinitions", "unknown_shape"): 10,
        ("secureScores", "secure_score"): 4,
        ("secureScores", "secure_score_control"): 72,
    }


@pytest.mark.shared
def test_each_row_of_an_exported_table_is_an_alert_or_another_products() -> None:
    """Of 189 rows of a SecurityAlert export 153 are Defender's and 36 a Sentinel rule's; the table says no product of any.

    Defender's are alerts, each under its own id, and their entities are read. `Detection` is Defender's, and so are the alerts
    of its demo and of the partners in it.
    """
    rows = table_rows()
    assert "ProductName" not in rows[0]
    assert Counter((row["ProviderName"], row["VendorName"], _kind_of(row)) for row in rows) == {
        ("Detection", "Microsoft", "alert"): 138,
        ("InternalDemo", "Microsoft", "alert"): 13,
        ("InternalDemo", "F5 WAF", "alert"): 1,
        ("InternalDemo", "Deep Security Agent", "alert"): 1,
        ("CustomAlertRule", "Alert Rule", "unknown_shape"): 36,
    }
    alerts = [read_alert(row) for row in rows if row["ProviderName"] != "CustomAlertRule"]
    assert len(alerts) == len({alert.id for alert in alerts}) == 153
    severities = Counter(alert.severity_written for alert in alerts)
    assert severities == {"High": 90, "Medium": 44, "Low": 12, "Informational": 7}
    assert all(alert.severity and alert.changed and alert.started and alert.title for alert in alerts)
    assert sum(bool(alert.entities) for alert in alerts) == 152
    assert sum(bool(evidence_of(alert, CATALOGUE).processes) for alert in alerts) > 100


@pytest.mark.shared
def test_each_stix_shifter_row_is_an_alert_or_another_products() -> None:
    """Rows with nested and bare references are alerts under Defender's own id; three are of Sentinel and Defender for Endpoint.

    What those three hold is read as well once they say nothing of a product.
    """
    rows = stix_rows()
    assert [_kind_of(row) for row in rows] == ["alert", "unknown_shape", "unknown_shape", "alert", "unknown_shape"]
    alerts = [read_alert(row | {"ProductName": "", "ProviderName": ""}) for row in rows]
    assert [alert.id for alert in alerts] == [row["VendorOriginalId"] for row in rows]
    assert [alert.sample for alert in alerts] == [True, False, False, True, False]
    assert [alert.severity_written for alert in alerts] == ["High", "Informational", "Medium", "100", "Medium"]
    first, second, *_ = (evidence_of(alert, CATALOGUE) for alert in alerts)
    assert first.files == ("c:\\temp\\sample.exe", "https://Sample-Storage.blob.core.windows.net/Sample/Sample-Name")
    sample = "c:\\temp\\sample.exe: .\\sample.exe -t 4 (0x1640), by Sample-VM\\Sample-account"
    assert first.processes == (sample, "process 0x1020")
    assert any("MD5:911d039e71583a07320b32bde22f8e22" in hash for hash in second.hashes)


@pytest.mark.shared
def test_each_demisto_alert_is_a_sample_alert() -> None:
    """An array of ARM alerts of 2022 becomes its alerts, all of them samples."""
    alerts = read_signals(body_of(demisto_alerts()), CATALOGUE)
    assert [(type(alert), getattr(alert, "sample", None)) for alert in alerts] == [(Alert, True)] * 3


@pytest.mark.shared
def test_how_many_real_alerts_have_their_plan_from_their_resource() -> None:
    """173 of 210 are of no known type, and each has it from its resource. 39 more rows, on no resource, are other products'."""
    catalogue = load_catalogue()
    files = {
        "REST": [body for _, body in rest_bodies()],
        "table": table_rows(),
        "demisto": demisto_alerts(),
        "stix": stix_rows(),
    }
    signals = [(name, one) for name, many in files.items() for one in read_signals(body_of(many), catalogue)]
    alerts = [(name, one) for name, one in signals if isinstance(one, Alert)]
    assert Counter(name for name, _ in alerts) == {"REST": 52, "table": 189 - 36, "demisto": 3, "stix": 5 - 3}
    unknown = [(name, one.plan) for name, one in alerts if catalogue.find_plan(None, one.type) is None]
    found = {("REST", "VirtualMachines"): 20, ("table", "VirtualMachines"): 152, ("table", "SqlServers"): 1}
    assert Counter(unknown) == found


def _lost_of(signal: Signal) -> Iterator[tuple[str, str, str]]:
    """What names anything in a signal and stands nowhere, with where it came from."""
    catalogue = load_catalogue()
    evidence = evidence_of(signal, catalogue)
    extended = {name: str(value) for name, value in signal.extended.items()}
    unlisted = unlisted_in(extended, catalogue.properties, evidence)
    texts = [text for name in Evidence.__struct_fields__ for text in getattr(evidence, name)]
    told = "\n".join(texts).casefold()
    for type, name, value in names_in(signal):
        if value.strip().casefold() not in told:
            yield type, name, value
    for name, value in properties_in(signal):
        for item in items_in(value) if name not in unlisted else ():
            if item.casefold() not in told and not all(part.strip().casefold() in told for part in item.split(",")):
                yield "property", name, item


@pytest.mark.shared
def test_every_value_that_names_something_is_evidence_or_stands_behind_its_own_name() -> None:
    """Each naming property of each entity, and each extended property that is not boilerplate, of all real messages.

    A type of entity that is new in the samples needs a row in NAMING, unless nothing of it is a name.
    """
    signals = sample_signals()
    assert len(signals) > 300
    assert {entity.type for signal in signals for entity in signal.entities} <= NAMING.keys()
    assert sorted({lost for signal in signals for lost in _lost_of(signal)}) == []


@pytest.mark.shared
def test_boilerplate_is_rare() -> None:
    """What is left out are a few names, most of which the notice says elsewhere."""
    find_list = load_catalogue().properties.find_list
    extended = {(name, str(value)) for signal in sample_signals() for name, value in signal.extended.items()}
    assert sorted({name for name, value in extended if find_list(name, value) == BOILERPLATE}) == [
        "Alert generation status",
        "OccuringDatacenter",
        "ProcessedBySentinel",
        "ReportingSystem",
        "ServiceId",
        "alert Id",
        "assessedResourceType",
        "investigation steps",
        "killChainIntent",
        "resourceType",
    ]


def test_the_messages_of_the_demo_are_read_on_their_stream() -> None:
    """Every bundled message is a signal of the stream that its file is named after, but for three made not to be."""
    for stream, reasons in {"cwpp": [Code.NOT_JSON, Code.INVALID, Code.UNKNOWN_SHAPE], "cspm": []}.items():
        lines = (_DEMO / f"{stream}.ndjson").read_bytes().split(b"\n")
        signals = [read_one(line) for line in lines if line.strip()]
        assert [one.reason.code for one in signals if isinstance(one, Quarantined)] == reasons
        assert {str(one.stream) for one in signals if not isinstance(one, Quarantined)} == {stream}
