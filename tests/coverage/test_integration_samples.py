"""The rung integration in documents that nobody here wrote, as a careful person reads them."""

from __future__ import annotations

import pytest

from router.coverage.documents import CoverageDocument, read_document
from router.coverage.facts import SettingFact
from router.coverage.readers import facts_of
from router.domain.coverage import CoverageState, Rung
from tests.coverage.builders import judged, managed_cluster, verdict
from tests.parse.samples import SAMPLES, needs_samples

pytestmark = [pytest.mark.shared, needs_samples]

COVERED, GAP, UNKNOWN = CoverageState.COVERED, CoverageState.GAP, CoverageState.UNKNOWN


def sample(name: str, given: str | None = None) -> CoverageDocument:
    """A sample of coverage."""
    return read_document((SAMPLES / "coverage" / name).read_bytes(), name, given)


@pytest.mark.parametrize(
    ("file", "workload", "state", "reason"),
    [
        (
            "arm/managedClusters.create.defender.2025-05-01.azure-rest-api-specs.json",
            "clustername1",
            COVERED,
            "asks for",
        ),
        ("azure-cli/recording.managedClusters.put.azureDefender-legacy.2022-04-01.json", None, COVERED, "asks for"),
        ("cloud-custodian/AksTest.test_find_aks_by_name.json", "cctestaks", GAP, "does not ask"),
        ("arm/k8s-extension.azuredefender.cli-output.azure-docs.json", "myCluster", GAP, "its state is pending"),
        ("arm/k8s-extension.azurepolicy.cli-output.azure-docs.json", "my-test-cluster", UNKNOWN, "no document says"),
    ],
)
def test_what_each_sample_says_of_a_cluster(file: str, workload: str | None, state: CoverageState, reason: str) -> None:
    """One row for each."""
    (row,) = judged(sample(file)).assessed.rows
    assert workload in (None, row.workload.name)
    verdict = row.verdicts[Rung.INTEGRATION]
    assert verdict.state is state
    assert reason in verdict.reason


@pytest.mark.parametrize("file", ["ds.mdc.helm-covered.json", "ds.kube-system.covered.json"])
def test_a_sensor_covers_a_cluster_whose_profile_is_off(file: str) -> None:
    """As Helm deploys it."""
    found = verdict(
        judged(managed_cluster(has_sensor=False), sample(f"constructed/kubectl/{file}")), "payments", Rung.INTEGRATION
    )
    assert found.state is COVERED
    assert found.remarks


_2026 = {
    "WDATP": False,
    "WDATP_EXCLUDE_LINUX_PUBLIC_PREVIEW": False,
    "WDATP_UNIFIED_SOLUTION": False,
    "SENTINEL": False,
}


@pytest.mark.parametrize(
    ("file", "expected"),
    [
        ("arm/settings.list.2022-05-01.azure-rest-api-specs-2026.json", _2026),
        ("azure-cli/az-security-setting-list.rendered.json", _2026),
        (
            "arm/settings.list.2022-05-01.azure-rest-api-specs-2022.json",
            {
                "MCAS": True,
                "WDATP": False,
                "WDATP_EXCLUDE_LINUX_PUBLIC_PREVIEW": False,
                "WDATP_VNEXT": False,
                "SENTINEL": False,
            },
        ),
        ("cloud-custodian/DefenderTest.test_azure_defender_setting.json", {"MCAS": True, "WDATP": True}),
    ],
)
def test_what_each_sample_says_of_settings(file: str, expected: dict[str, bool]) -> None:
    """Old and new, in the forms of REST and of `az`."""
    facts = list(facts_of(sample(file)))
    assert {one.name: one.is_enabled for one in facts if isinstance(one, SettingFact)} == expected
