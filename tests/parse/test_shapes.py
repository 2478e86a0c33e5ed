"""Every shape in which Defender says something, or Azure Monitor, and what it becomes."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from router.domain.decisions import Code
from router.domain.severity import Severity
from router.domain.signals import Alert, Finding, Kind, Quarantined
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

_HIGH, _MEDIUM, _CRITICAL = Severity.HIGH, Severity.MEDIUM, Severity.CRITICAL
_ALERT = "2516000000000000000_aaaaaaaa-0000-4000-8000-00000000000"
_SECURITY = f"{SUBSCRIPTION}/providers/microsoft.security"
_PCI = f"{_SECURITY}/regulatorycompliancestandards/pci"


def _without(message: Message, *names: str) -> Message:
    return {name: value for name, value in message.items() if name not in names}


def _graph_row() -> Message:
    """As Azure Resource Graph gives an alert: no type, no systemAlertId, lists as JSON strings."""
    row = _without(an_arm_alert(remediationSteps='["Close it."]'), "type")
    return row | {"properties": _without(row["properties"], "systemAlertId")}


def _rest_compliance(type: str, path: str, **counts: int) -> Message:
    return {
        "id": f"{SUBSCRIPTION}/providers/Microsoft.Security/regulatoryComplianceStandards/{path}",
        "name": path.rpartition("/")[2],
        "type": f"Microsoft.Security/{type}",
        "properties": {"state": "Passed", **counts},
    }


# name: message; kind, id, type, severity, status, resolved, resource
_SHAPES: dict[str, tuple[object, tuple[object, ...]]] = {
    "flat alert": (a_flat_alert(), (Kind.ALERT, f"{_ALERT}1", "VM_Example", _HIGH, "New", False, MACHINE)),
    "flat incident": (
        a_flat_alert(IsIncident=True),
        (Kind.INCIDENT, f"{_ALERT}1", "VM_Example", _HIGH, "New", False, MACHINE),
    ),
    "ARM alert of 2022": (
        an_arm_alert(),
        (Kind.ALERT, f"{_ALERT}2", "Storage.Example", _MEDIUM, "Active", False, MACHINE),
    ),
    "ARM alert of 2015 to 2019": (
        an_old_arm_alert(),
        (
            Kind.ALERT,
            "2516000000000000000_AAAAAAAA-0000-4000-8000-000000000003",
            "ThreatIntelligence",
            _HIGH,
            "Dismissed",
            True,
            MACHINE,
        ),
    ),
    "Resource Graph row": (
        _graph_row(),
        (Kind.ALERT, f"{_ALERT}2", "Storage.Example", _MEDIUM, "Active", False, MACHINE),
    ),
    "Resource Graph row without an id": (
        _without(_graph_row(), "id"),
        (Kind.ALERT, f"{_ALERT}2", "Storage.Example", _MEDIUM, "Active", False, MACHINE),
    ),
    "Resource Graph row without a name": (
        _without(_graph_row(), "name"),
        (Kind.ALERT, f"{_ALERT}2", "Storage.Example", _MEDIUM, "Active", False, MACHINE),
    ),
    "table row": (a_table_row(), (Kind.ALERT, f"{_ALERT}4", "VM_Example", _HIGH, "New", False, MACHINE)),
    "table row of an incident": (
        a_table_row(IsIncident="True"),
        (Kind.INCIDENT, f"{_ALERT}4", "VM_Example", _HIGH, "New", False, MACHINE),
    ),
    "table row of another type": (
        a_table_row(Type="Detection"),
        (Kind.ALERT, f"{_ALERT}4", "VM_Example", _HIGH, "New", False, MACHINE),
    ),
    "table row without Defender's id": (
        a_table_row(VendorOriginalId=""),
        (Kind.ALERT, "bbbbbbbb-0000-4000-8000-000000000004", "VM_Example", _HIGH, "New", False, MACHINE),
    ),
    "ARM document that carries columns too": (
        a_flat_alert() | an_arm_alert(),
        (Kind.ALERT, f"{_ALERT}2", "Storage.Example", _MEDIUM, "Active", False, MACHINE),
    ),
    "Azure Monitor's log search alert": (
        a_common_alert(),
        (Kind.ALERT, COMMON_ALERT, "file-integrity", _HIGH, "Fired", False, MACHINE),
    ),
    "Azure Monitor's metric alert": (
        a_metric_alert(),
        (Kind.ALERT, COMMON_ALERT, "cpu", Severity.LOW, "Resolved", True, MACHINE),
    ),
    "assessment": (
        an_assessment(),
        (Kind.RECOMMENDATION, ASSESSMENT.lower(), ASSESSMENT_KEY, _MEDIUM, "Unhealthy", False, MACHINE),
    ),
    "assessment without a type": (
        _without(an_assessment(), "type"),
        (Kind.RECOMMENDATION, ASSESSMENT.lower(), ASSESSMENT_KEY, _MEDIUM, "Unhealthy", False, MACHINE),
    ),
    "sub-assessment": (
        a_sub_assessment(),
        (
            Kind.VULNERABILITY,
            f"{ASSESSMENT}/subassessments/99".lower(),
            "CVE-2026-0001",
            _HIGH,
            "Unhealthy",
            False,
            MACHINE,
        ),
    ),
    "sub-assessment with $type": (
        in_pascal_case(a_sub_assessment()),
        (
            Kind.VULNERABILITY,
            f"{ASSESSMENT}/subassessments/99".lower(),
            "CVE-2026-0001",
            _HIGH,
            "Unhealthy",
            False,
            MACHINE,
        ),
    ),
    "sub-assessment in mixed case": (
        a_sub_assessment(
            resourceDetails={"Source": "Azure", "Id": MACHINE}, Status={"Code": "Healthy", "severity": "high "}
        ),
        (
            Kind.VULNERABILITY,
            f"{ASSESSMENT}/subassessments/99".lower(),
            "CVE-2026-0001",
            _HIGH,
            "Healthy",
            True,
            MACHINE,
        ),
    ),
    "secure score": (
        a_secure_score(),
        (Kind.SECURE_SCORE, f"{_SECURITY}/securescores/ascscore", "ascScore", None, None, False, SUBSCRIPTION),
    ),
    "secure score control": (
        a_score_control(),
        (
            Kind.SECURE_SCORE_CONTROL,
            f"{_SECURITY}/securescores/ascscore/securescorecontrols/mfa",
            "mfa",
            None,
            None,
            False,
            SUBSCRIPTION,
        ),
    ),
    "compliance event": (
        a_compliance_assessment(),
        (
            Kind.COMPLIANCE,
            f"{_PCI}/regulatorycompliancecontrols/1.1/regulatorycomplianceassessments/dddd",
            "dddd",
            None,
            "Failed",
            False,
            SUBSCRIPTION,
        ),
    ),
    "compliance assessment of the REST API": (
        _rest_compliance(
            "regulatoryComplianceAssessment",
            "PCI/regulatoryComplianceControls/1.1/regulatoryComplianceAssessments/dddd",
        ),
        (
            Kind.COMPLIANCE,
            f"{_PCI}/regulatorycompliancecontrols/1.1/regulatorycomplianceassessments/dddd",
            "dddd",
            None,
            "Passed",
            False,
            SUBSCRIPTION,
        ),
    ),
    "compliance control of the REST API": (
        _rest_compliance("regulatoryComplianceControl", "PCI/regulatoryComplianceControls/1.1"),
        (Kind.COMPLIANCE, f"{_PCI}/regulatorycompliancecontrols/1.1", "1.1", None, "Passed", False, SUBSCRIPTION),
    ),
    "compliance standard of the REST API": (
        _rest_compliance("regulatoryComplianceStandard", "PCI"),
        (Kind.COMPLIANCE, _PCI, "PCI", None, "Passed", False, SUBSCRIPTION),
    ),
    "attack path of Exposure Management": (
        an_attack_path(),
        (
            Kind.ATTACK_PATH,
            f"{_SECURITY}/attackpaths/eeee",
            "ExposedClusterToDatabase",
            _CRITICAL,
            None,
            False,
            f"{MACHINE}-db",
        ),
    ),
    "attack path of Defender CSPM": (
        a_legacy_attack_path(),
        (
            Kind.ATTACK_PATH,
            f"{_SECURITY}/attackpaths/eeee",
            "ExposedMachineToStore",
            _HIGH,
            None,
            False,
            f"{MACHINE}-store",
        ),
    ),
}


def _summary(signal: Alert | Finding | Quarantined) -> tuple[object, ...]:
    assert not isinstance(signal, Quarantined), signal
    return (signal.kind, signal.id, signal.type, signal.severity, signal.status, signal.resolved, signal.resource)


@pytest.mark.parametrize(("message", "expected"), _SHAPES.values(), ids=_SHAPES.keys())
def test_each_shape_becomes_its_signal(message: object, expected: tuple[object, ...]) -> None:
    """Each of Defender's shapes becomes a signal of its kind, under its own id."""
    assert _summary(read_one(message)) == expected


def _rekeyed(value: Any, change: Callable[[str], str]) -> Any:
    if isinstance(value, dict):
        return {name if name.startswith("$") else change(name): _rekeyed(held, change) for name, held in value.items()}
    return [_rekeyed(item, change) for item in value] if isinstance(value, list) else value


@pytest.mark.parametrize("change", [str.lower, str.upper, str.swapcase])
@pytest.mark.parametrize(("message", "expected"), _SHAPES.values(), ids=_SHAPES.keys())
def test_the_case_of_keys_never_matters(
    message: object, expected: tuple[object, ...], change: Callable[[str], str]
) -> None:
    """A message says the same in whatever case its keys are written."""
    assert _summary(read_one(_rekeyed(message, change))) == expected


@pytest.mark.parametrize(
    "type",
    [
        "Microsoft.Security/automations",
        "Microsoft.Security/assessmentMetadata",
        "Microsoft.Security/pricings",
        "microsoft.security/securescorecontroldefinitions",
    ],
)
def test_what_defender_does_not_export_is_of_unknown_shape(type: str) -> None:
    """Another ARM document is quarantined, and the refusal names its type."""
    refused = read_quarantined(
        {"id": f"{SUBSCRIPTION}/providers/{type}/x", "name": "x", "type": type, "properties": {}}
    )
    assert refused.reason.code is Code.UNKNOWN_SHAPE
    assert refused.at_fault == "type"
    assert type in refused.reason.words


def test_another_product_s_document_is_no_alert() -> None:
    """A document whose type says that it is something else is not taken for an alert by its properties."""
    entity = an_arm_alert() | {"id": "/providers/Other.Product/entities/x", "type": "Other.Product/entities"}
    assert read_quarantined(entity).reason.code is Code.UNKNOWN_SHAPE


def test_a_suppression_rule_is_no_alert() -> None:
    """A suppression rule names an alert type as an alert does, and is still no alert."""
    properties = {"alertType": "VM_Example", "state": "Enabled", "reason": "Noise"}
    for rule in (
        {"type": "Microsoft.Security/alertsSuppressionRules", "name": "quiet", "properties": properties},
        {"name": "quiet", "properties": properties},
    ):
        assert read_quarantined(rule).reason.code is Code.UNKNOWN_SHAPE


@pytest.mark.parametrize(
    "message", [{}, {"category": "Security", "resourceId": MACHINE}, {"type": None}, {"records": 5}]
)
def test_an_object_without_a_known_shape_is_quarantined_whole(message: Message) -> None:
    """What is neither alert nor finding keeps its whole body in quarantine."""
    refused = read_quarantined(message)
    assert refused.reason.code is Code.UNKNOWN_SHAPE
    assert refused.body == body_of(message)
