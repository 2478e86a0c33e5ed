"""Real messages that nobody here wrote, and the messages of the demo."""

from __future__ import annotations

import csv
import json
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from router.domain.decisions import Code
from router.domain.signals import Alert, Finding, Quarantined
from router.parse import evidence_of, read_signals
from tests.parse.messages import CATALOGUE, read_alert, read_one
from tests.samples import SAMPLES

_DEMO = Path(__file__).parents[2] / "alert_router_demo" / "samples"


def _kind_of(message: object) -> str:
    signal = read_one(message)
    if isinstance(signal, Quarantined):
        return str(signal.reason.code)
    evidence_of(signal, CATALOGUE)
    return signal.kind


def rest_bodies() -> Iterator[tuple[str, Any]]:
    """Each body of the REST examples, one by one, with the family of its example."""
    for path in sorted((SAMPLES / "azure-rest-api-specs").rglob("*.json")):
        for answer in json.loads(path.read_text(encoding="utf-8"))["responses"].values():
            body = answer.get("body")
            if body is not None:
                yield from ((path.parent.name, item) for item in body.get("value", [body]))


def read_rest_examples(family: str) -> Iterator[Alert | Finding | Quarantined]:
    """What each body of a family of the REST examples is read as."""
    return (read_one(body) for found, body in rest_bodies() if found == family)


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
    with (SAMPLES / "azure-sentinel-notebooks" / "alertlist.csv").open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
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
    assert Counter(alert.severity_written for alert in alerts) == {
        "High": 90,
        "Medium": 44,
        "Low": 12,
        "Informational": 7,
    }
    assert all(alert.severity and alert.changed and alert.started and alert.title for alert in alerts)
    assert sum(bool(alert.entities) for alert in alerts) == 152
    assert sum(bool(evidence_of(alert, CATALOGUE).processes) for alert in alerts) > 100


@pytest.mark.shared
def test_each_stix_shifter_row_is_an_alert_or_another_products() -> None:
    """Rows with nested and bare references are alerts under Defender's own id; three are of Sentinel and Defender for Endpoint.

    What those three hold is read as well once they say nothing of a product.
    """
    rows = json.loads((SAMPLES / "stix-shifter" / "security_alert_rows.json").read_text(encoding="utf-8"))
    assert [_kind_of(row) for row in rows] == ["alert", "unknown_shape", "unknown_shape", "alert", "unknown_shape"]
    alerts = [read_alert(row | {"ProductName": "", "ProviderName": ""}) for row in rows]
    assert [alert.id for alert in alerts] == [row["VendorOriginalId"] for row in rows]
    assert [alert.sample for alert in alerts] == [True, False, False, True, False]
    assert [alert.severity_written for alert in alerts] == ["High", "Informational", "Medium", "100", "Medium"]
    assert evidence_of(alerts[0], CATALOGUE).files == (
        "c:\\temp\\sample.exe",
        "https://Sample-Storage.blob.core.windows.net/Sample/Sample-Name",
    )
    assert evidence_of(alerts[0], CATALOGUE).processes == (
        "c:\\temp\\sample.exe: .\\sample.exe -t 4 (0x1640), by Sample-VM\\Sample-account",
        "process 0x1020",
    )
    assert any("MD5:911d039e71583a07320b32bde22f8e22" in hash for hash in evidence_of(alerts[1], CATALOGUE).hashes)


@pytest.mark.shared
def test_each_demisto_alert_is_a_sample_alert() -> None:
    """An array of ARM alerts of 2022 becomes its alerts, all of them samples."""
    alerts = read_signals((SAMPLES / "demisto-content" / "alerts_2022-01-01_api_excerpt.json").read_bytes(), CATALOGUE)
    assert [(type(alert), getattr(alert, "sample", None)) for alert in alerts] == [(Alert, True)] * 3


def test_the_messages_of_the_demo_are_read_on_their_stream() -> None:
    """Every bundled message is a signal of the stream that its file is named after, but for three made not to be."""
    signals = {stream: _demo_signals(stream) for stream in ("cwpp", "cspm")}
    refused = [signal for signal in signals["cwpp"] if isinstance(signal, Quarantined)]
    assert [signal.reason.code for signal in refused] == [Code.NOT_JSON, Code.INVALID, Code.UNKNOWN_SHAPE]
    assert refused[1].at_fault == "SystemAlertId"
    for stream, every in signals.items():
        assert {str(signal.stream) for signal in every if not isinstance(signal, Quarantined)} == {stream}
    assert not any(isinstance(signal, Quarantined) for signal in signals["cspm"])


def _demo_signals(stream: str) -> list[Alert | Finding | Quarantined]:
    lines = (_DEMO / f"{stream}.ndjson").read_bytes().split(b"\n")
    return [read_one(line) for line in lines if line.strip()]
