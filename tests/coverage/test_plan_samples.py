"""Every public document about plans, as a careful person reads it: one row each."""

from __future__ import annotations

from pathlib import Path

import pytest

from router.coverage.documents import read_document
from router.coverage.gate import GateResult, judge_documents
from router.domain.coverage import CoverageState, Rung
from router.domain.coverage_manifest import NO_MANIFEST
from tests.coverage.builders import NOW

_SAMPLES = Path(__file__).parents[3] / "shared" / "samples" / "coverage"

pytestmark = [
    pytest.mark.shared,
    pytest.mark.skipif(not _SAMPLES.is_dir(), reason="../shared/samples is absent"),
]

COVERED, GAP, UNKNOWN = CoverageState.COVERED, CoverageState.GAP, CoverageState.UNKNOWN

ROWS = [
    ("arm/pricings.list.subscription.2026-07-01*", "20ff7fc3", GAP, "AppServices is Free"),
    # The example names two subscriptions in one list; of this one it says neither VirtualMachines nor SqlServers.
    ("arm/pricings.list.subscription.2026-07-01*", "d34fd44c", UNKNOWN, "VirtualMachines, SqlServers"),
    ("arm/pricings.list.resource-vm.2026-07-01*", "VM-1 20ff7fc3", COVERED, "on at the resource itself"),
    ("arm/pricings.list.resource-vm.2026-07-01*", "VM-1 d34fd44c", UNKNOWN, "nobody asked"),
    ("arm/pricings.put.resource-aks.Containers*", "demo-aks-cluster", COVERED, "on at the resource itself"),
    ("arm/pricings.get.CloudPosture.managed-by-m365*", "20ff7fc3", UNKNOWN, "no answer says"),
    ("arm/pricings.put.CloudPosture.partial-success*", "20ff7fc3", UNKNOWN, "no answer says"),
    ("arm/sql.server.advancedThreatProtectionSettings*", "threatprotection-6440", UNKNOWN, "nobody asked"),
    ("azure-cli/az-security-pricing-list*", "00000000", GAP, "Containers, SqlServers"),
    ("azure-cli/recording.pricings.list*", "00000000", GAP, "Containers, SqlServers"),
    ("azure-cli/recording.pricings.put-then-get*", "00000000", UNKNOWN, "no answer says"),
    # Containers is Free, and both plans that it replaced are on; newer plans were not listed in 2018.
    (
        "cloud-custodian/DefenderTest.test_azure_defender_pricing*",
        "ea42f556",
        GAP,
        "OpenSourceRelationalDatabases is Free",
    ),
    ("cloud-custodian/MySQLSecurityAlertPolicies*", "344-mysql-server-green", UNKNOWN, "nobody asked"),
    ("cloud-custodian/SqlServerSecurityAlertPolicies*", "server-016cisads", UNKNOWN, "nobody asked"),
]


def _judge(pattern: str) -> GateResult:
    (path,) = _SAMPLES.glob(pattern)
    return judge_documents([read_document(path.read_bytes(), path.name)], NO_MANIFEST, NOW)


@pytest.mark.parametrize(("pattern", "words", "state", "reason"), ROWS)
def test_a_public_document_is_read_as_a_careful_person_reads_it(
    pattern: str, words: str, state: CoverageState, reason: str
) -> None:
    """What each proves of the plan, and what it does not."""
    found = [
        verdict
        for workload, rung, verdict in _judge(pattern).assessed.verdicts()
        if rung is Rung.PLAN and all(word in f"{workload.name} {workload.subject}" for word in words.split())
    ]
    assert [(one.state, reason in one.reason) for one in found] == [(state, True)], found


@pytest.mark.parametrize(
    ("pattern", "known_on"),
    [
        ("arm/pricings.list.subscription.2026-07-01*", {"20ff7fc3": False, "d34fd44c": True}),
        ("arm/pricings.get.CloudPosture.managed-by-m365*", {"20ff7fc3": True}),
        ("azure-cli/recording.pricings.list*", {"00000000": True}),
        ("cloud-custodian/DefenderTest.test_azure_defender_pricing*", {"ea42f556": False}),
    ],
)
def test_posture_is_known_on_where_a_public_document_proves_it(pattern: str, known_on: dict[str, bool]) -> None:
    """Before 2023 no answer names a plan of posture."""
    assert {one.subscription[:8]: one.is_known_on for one in _judge(pattern).posture} == known_on


def test_a_failed_extension_of_a_public_document_is_remarked() -> None:
    """It says of itself that it is on."""
    (row,) = _judge("arm/pricings.put.CloudPosture.partial-success*").assessed.rows
    remarks = row.verdicts[Rung.PLAN].remarks
    assert sum("failed to be switched on" in one for one in remarks) == 3
