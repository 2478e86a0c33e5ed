"""Every shape in which Defender says something, or Azure Monitor, and what it becomes."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from router.domain.decisions import Code
from router.domain.signals import Alert, Finding, Quarantined
from tests.parse.messages import (
    ASSESSMENT,
    ASSESSMENT_KEY,
    COMMON_ALERT,
    MACHINE,
    SUBSCRIPTION,
    Message,
    a_common_alert,
    a_compliance_assessment,
    a_flat_alert,
    a_legacy_attack_path,
    a_metric_alert,
    a_score_control,
    a_secure_score,
    a_sub_assessment,
    a_table_row,
    an_arm_alert,
    an_assessment,
    an_attack_path,
    an_old_arm_alert,
    body_of,
    in_pascal_case,
    read_one,
    read_quarantined,
)

_ALERT = "2516000000000000000_aaaaaaaa-0000-4000-8000-00000000000"
_OLD_ALERT = "2516000000000000000_AAAAAAAA-0000-4000-8000-000000000003"
_SECURITY = f"{SUBSCRIPTION}/providers/microsoft.security"
_PCI = f"{_SECURITY}/regulatorycompliancestandards/pci"
_CONTROL = f"{_PCI}/regulatorycompliancecontrols/1.1"
_COMPLIANT = f"{_CONTROL}/regulatorycomplianceassessments/dddd"
_VULNERABILITY = f"vulnerability {ASSESSMENT.lower()}/subassessments/99 CVE-2026-0001"
_MIXED: Message = {
    "resourceDetails": {"Source": "Azure", "Id": MACHINE},
    "Status": {"Code": "Healthy", "severity": "high "},
}


def _without(message: Message, *names: str) -> Message:
    return {name: value for name, value in message.items() if name not in names}


def _graph_row() -> Message:
    """As Azure Resource Graph gives an alert: no type, no systemAlertId, lists as JSON strings."""
    row = _without(an_arm_alert(remediationSteps='["Close it."]'), "type")
    return row | {"properties": _without(row["properties"], "systemAlertId")}


def _rest_compliance(type: str, path: str) -> Message:
    return {
        "id": f"{SUBSCRIPTION}/providers/Microsoft.Security/regulatoryComplianceStandards/{path}",
        "name": path.rpartition("/")[2],
        "type": f"Microsoft.Security/{type}",
        "properties": {"state": "Passed"},
    }


_REST = "PCI/regulatoryComplianceControls/1.1"
_SHAPES: dict[str, tuple[object, str]] = {
    "flat alert": (a_flat_alert(), f"alert {_ALERT}1 VM_Example High New stands {MACHINE}"),
    "flat incident": (a_flat_alert(IsIncident=True), f"incident {_ALERT}1 VM_Example High New stands {MACHINE}"),
    "ARM alert of 2022": (an_arm_alert(), f"alert {_ALERT}2 Storage.Example Medium Active stands {MACHINE}"),
    "ARM alert of 2015 to 2019": (
        an_old_arm_alert(),
        f"alert {_OLD_ALERT} ThreatIntelligence High Dismissed over {MACHINE}",
    ),
    "Resource Graph row": (_graph_row(), f"alert {_ALERT}2 Storage.Example Medium Active stands {MACHINE}"),
    "Resource Graph row without an id": (
        _without(_graph_row(), "id"),
        f"alert {_ALERT}2 Storage.Example Medium Active stands {MACHINE}",
    ),
    "Resource Graph row without a name": (
        _without(_graph_row(), "name"),
        f"alert {_ALERT}2 Storage.Example Medium Active stands {MACHINE}",
    ),
    "table row": (a_table_row(), f"alert {_ALERT}4 VM_Example High New stands {MACHINE}"),
    "incident's row": (a_table_row(IsIncident="True"), f"incident {_ALERT}4 VM_Example High New stands {MACHINE}"),
    "row of another type": (a_table_row(Type="Detection"), f"alert {_ALERT}4 VM_Example High New stands {MACHINE}"),
    "table row without Defender's id": (
        a_table_row(VendorOriginalId=""),
        f"alert bbbbbbbb-0000-4000-8000-000000000004 VM_Example High New stands {MACHINE}",
    ),
    "ARM document that carries columns too": (
        a_flat_alert() | an_arm_alert(),
        f"alert {_ALERT}2 Storage.Example Medium Active stands {MACHINE}",
    ),
    "log search alert": (a_common_alert(), f"alert {COMMON_ALERT} file-integrity High Fired stands {MACHINE}"),
    "metric alert": (a_metric_alert(), f"alert {COMMON_ALERT} cpu Low Resolved over {MACHINE}"),
    "assessment": (
        an_assessment(),
        f"recommendation {ASSESSMENT.lower()} {ASSESSMENT_KEY} Medium Unhealthy stands {MACHINE}",
    ),
    "assessment without a type": (
        _without(an_assessment(), "type"),
        f"recommendation {ASSESSMENT.lower()} {ASSESSMENT_KEY} Medium Unhealthy stands {MACHINE}",
    ),
    "sub-assessment": (a_sub_assessment(), f"{_VULNERABILITY} High Unhealthy stands {MACHINE}"),
    "with $type": (in_pascal_case(a_sub_assessment()), f"{_VULNERABILITY} High Unhealthy stands {MACHINE}"),
    "in mixed case": (a_sub_assessment(**_MIXED), f"{_VULNERABILITY} High Healthy over {MACHINE}"),
    "secure score": (
        a_secure_score(),
        f"secure_score {_SECURITY}/securescores/ascscore ascScore - - stands {SUBSCRIPTION}",
    ),
    "secure score control": (
        a_score_control(),
        f"secure_score_control {_SECURITY}/securescores/ascscore/securescorecontrols/mfa mfa - - stands {SUBSCRIPTION}",
    ),
    "compliance": (a_compliance_assessment(), f"compliance {_COMPLIANT} dddd - Failed stands {SUBSCRIPTION}"),
    "compliance assessment of the REST API": (
        _rest_compliance("regulatoryComplianceAssessment", f"{_REST}/regulatoryComplianceAssessments/dddd"),
        f"compliance {_COMPLIANT} dddd - Passed stands {SUBSCRIPTION}",
    ),
    "compliance control of the REST API": (
        _rest_compliance("regulatoryComplianceControl", _REST),
        f"compliance {_CONTROL} 1.1 - Passed stands {SUBSCRIPTION}",
    ),
    "compliance standard of the REST API": (
        _rest_compliance("regulatoryComplianceStandard", "PCI"),
        f"compliance {_PCI} PCI - Passed stands {SUBSCRIPTION}",
    ),
    "attack path of Exposure Management": (
        an_attack_path(),
        f"attack_path {_SECURITY}/attackpaths/eeee ExposedClusterToDatabase Critical - stands {MACHINE}-db",
    ),
    "attack path of Defender CSPM": (
        a_legacy_attack_path(),
        f"attack_path {_SECURITY}/attackpaths/eeee ExposedMachineToStore High - stands {MACHINE}-store",
    ),
}
"""Messages, and the kind, id, type, severity, status and resource of what they become; - is none."""


def _summary(signal: Alert | Finding | Quarantined) -> str:
    assert not isinstance(signal, Quarantined), signal
    severity = signal.severity.label if signal.severity is not None else "-"
    state = "over" if signal.resolved else "stands"
    return f"{signal.kind} {signal.id} {signal.type} {severity} {signal.status or '-'} {state} {signal.resource}"


def _rekeyed(value: Any, change: Callable[[str], str]) -> Any:
    if isinstance(value, dict):
        return {name if name.startswith("$") else change(name): _rekeyed(held, change) for name, held in value.items()}
    return [_rekeyed(item, change) for item in value] if isinstance(value, list) else value


def test_each_shape_becomes_its_signal_in_whatever_case_its_keys_are(subtests: pytest.Subtests) -> None:
    """Each becomes a signal of its kind, under its own id."""
    for name, (message, expected) in _SHAPES.items():
        for change in (str, str.lower, str.upper, str.swapcase):
            with subtests.test(name, keys=change.__name__):
                assert _summary(read_one(_rekeyed(message, change))) == expected


def test_what_defender_does_not_export_is_of_unknown_shape(subtests: pytest.Subtests) -> None:
    """Another ARM document is quarantined, and the refusal names its type."""
    for type in ("automations", "assessmentMetadata", "pricings", "securescorecontroldefinitions"):
        with subtests.test(type):
            id = f"{SUBSCRIPTION}/providers/Microsoft.Security/{type}/x"
            message = {"id": id, "name": "x", "type": f"Microsoft.Security/{type}", "properties": {}}
            refused = read_quarantined(message)
            assert (refused.reason.code, refused.at_fault) == (Code.UNKNOWN_SHAPE, "type")
            assert f"Microsoft.Security/{type}" in refused.reason.words


def test_what_is_neither_alert_nor_finding_is_quarantined_whole(subtests: pytest.Subtests) -> None:
    """Also what has an alert's properties under another type, and a suppression rule, which names a type of alert."""
    rule: Message = {
        "name": "quiet",
        "properties": {"alertType": "VM_Example", "state": "Enabled", "reason": "Noise"},
    }
    for message in (
        {},
        {"category": "Security", "resourceId": MACHINE},
        {"type": None},
        {"records": 5},
        an_arm_alert() | {"id": "/providers/Other.Product/entities/x", "type": "Other.Product/entities"},
        rule,
        rule | {"type": "Microsoft.Security/alertsSuppressionRules"},
    ):
        with subtests.test(message=message):
            refused = read_quarantined(message)
            assert (refused.reason.code, refused.body) == (Code.UNKNOWN_SHAPE, body_of(message))
