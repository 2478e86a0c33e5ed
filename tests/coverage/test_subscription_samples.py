"""What a careful person reads in real exports, suppression rules and alerts, one row each."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import pytest

from router.coverage.documents import read_document
from router.coverage.readers import facts_of
from router.coverage.readers.alerts import AlertFact
from router.domain.coverage import CoverageState, Rung
from router.domain.coverage_manifest import NO_MANIFEST, ExpectedExport
from router.domain.severity import Severity
from tests.coverage.builders import NOW, expecting, judged

SAMPLES = Path(__file__).parents[3] / "shared" / "samples"
pytestmark = [
    pytest.mark.shared,
    pytest.mark.skipif(not SAMPLES.is_dir(), reason="needs the real documents in ../shared/samples"),
]

PREVIEW = "azure-rest-api-specs/preview"
RULES = f"{PREVIEW}/2019-01-01-preview/examples/AlertsSuppressionRules"
HUB = (
    "/subscriptions/22222222-2222-2222-2222-222222222222/resourceGroups/rg-router"
    "/providers/Microsoft.EventHub/namespaces/evhns-router/eventhubs/cwpp"
)
LOUD = frozenset({Severity.HIGH, Severity.MEDIUM, Severity.LOW})
ASKED = datetime(2022, 4, 10, 12, tzinfo=UTC)
"""A day on which those who recorded the rules had asked for them."""

GAP, UNKNOWN, COVERED = CoverageState.GAP, CoverageState.UNKNOWN, CoverageState.COVERED


def read(name: str) -> object:
    """A sample."""
    path = SAMPLES / name
    return read_document(path.read_bytes(), path.name)


@pytest.mark.parametrize(
    ("name", "rung", "now", "state", "words"),
    [
        ("coverage/arm/automations.GetAutomationsSubscription_*", Rung.EXPORT, NOW, GAP, "leads to no event hub"),
        ("coverage/arm/automations.PutAutomationAllAssessments_*", Rung.EXPORT, NOW, GAP, "leads to no event hub"),
        ("coverage/arm/automations.PutDisableAutomation_*", Rung.EXPORT, NOW, GAP, "leads to no event hub"),
        ("coverage/arm/automations.ValidateAutomation_*", Rung.EXPORT, NOW, None, ""),
        ("coverage/constructed/arm/automation.eventhub.trusted.json", Rung.EXPORT, NOW, UNKNOWN, "export.alerts"),
        ("rules/defender_rules_list_azure_cli_*", Rung.SUPPRESSION, ASKED, GAP, "TalSuppressionRule"),
        ("rules/defender_rules_list_azure_cli_*", Rung.SUPPRESSION, NOW, COVERED, "is in force"),
        ("rules/defender_rules_list_azure_powershell_*", Rung.SUPPRESSION, ASKED, GAP, "Powershell-UT-RuleName"),
        ("rules/defender_rules_list_azure_powershell_*", Rung.SUPPRESSION, NOW, GAP, "SDK_Test1"),
        ("rules/defender_rule_put_without_expiry_*", Rung.SUPPRESSION, NOW, UNKNOWN, "no document lists all"),
        ("rules/defender_rule_binary_drift_*", Rung.SUPPRESSION, NOW, None, ""),
        (f"{RULES}/GetAlertsSuppressionRules_example.json", Rung.SUPPRESSION, NOW, COVERED, "is in force"),
        (f"{RULES}/GetAlertsSuppressionRule_example.json", Rung.SUPPRESSION, NOW, UNKNOWN, "no document lists all"),
        (f"{RULES}/DeleteAlertsSuppressionRule_example.json", Rung.SUPPRESSION, NOW, None, ""),
    ],
)
def test_a_sample_is_read_as_a_careful_person_reads_it(
    name: str, rung: Rung, now: datetime, state: CoverageState | None, words: str
) -> None:
    """Where nothing in it speaks of the rung, there is no verdict."""
    (path,) = SAMPLES.glob(name)
    found = judged(read(str(path.relative_to(SAMPLES))), manifest=NO_MANIFEST, now=now)
    verdicts = [verdict for _, at, verdict in found.assessed.verdicts() if at is rung]
    assert [verdict.state for verdict in verdicts] == ([] if state is None else [state])
    assert all(words in verdict.reason for verdict in verdicts)


@pytest.mark.parametrize(
    ("export", "state", "words"),
    [
        (ExpectedExport(alerts=HUB.upper(), severities=LOUD), COVERED, "alerts are exported to our hub"),
        (ExpectedExport(alerts=HUB), GAP, "severity Informational are not exported"),
        (ExpectedExport(alerts=f"{HUB}2"), GAP, f"points elsewhere, to {HUB}"),
        (ExpectedExport(posture=HUB), GAP, "exports no assessments"),
    ],
)
def test_the_export_of_microsofts_policy_leaves_informational_out(
    export: ExpectedExport, state: CoverageState, words: str
) -> None:
    """And posture."""
    one = read("coverage/constructed/arm/automation.eventhub.trusted.json")
    found = judged(one, manifest=expecting(Rung.EXPORT, export=export))
    ((_, _, verdict),) = found.assessed.verdicts()
    assert verdict.state is state
    assert words in verdict.reason


@pytest.mark.parametrize(
    ("name", "samples"),
    [
        ("demisto-content/alerts_2022-01-01_api_excerpt.json", {True}),
        ("stix-shifter/security_alert_rows.json", {True}),
        ("azure-rest-api-specs/stable/2019-01-01/examples/Alerts/GetAlertsSubscription_example.json", {False}),
        ("azure-rest-api-specs/preview/2015-06-01-preview/examples/Alerts/GetAlertsSubscription_example.json", {False}),
        ("coverage/arm/alerts.simulate.request.2022-01-01.from-typespec.json", set()),
    ],
)
def test_which_alerts_are_samples(name: str, samples: set[bool]) -> None:
    """A request to make some is no alert."""
    document = read_document((SAMPLES / name).read_bytes(), name)
    alerts = [fact for fact in facts_of(document) if isinstance(fact, AlertFact)]
    assert {fact.is_sample for fact in alerts} == samples
    assert all(fact.time is not None and fact.type for fact in alerts)
