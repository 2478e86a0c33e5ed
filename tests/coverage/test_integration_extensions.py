"""Whether the extension of a plan that a registry or a storage account needs is on: that the plan is on says nothing of it."""

from __future__ import annotations

import pytest

from router.domain.coverage import CoverageState, Rung
from router.domain.coverage_manifest import CoverageManifest, Expectation
from tests.coverage.builders import SUBSCRIPTION, Json, extension_of_plan, judged, pricing, resource, verdict

COVERED, GAP, UNKNOWN = CoverageState.COVERED, CoverageState.GAP, CoverageState.UNKNOWN

GROUP = f"/subscriptions/{SUBSCRIPTION}/resourceGroups/rg/providers"
REGISTRY_ID = f"{GROUP}/Microsoft.ContainerRegistry/registries/images"
REGISTRY = resource(REGISTRY_ID, "Microsoft.ContainerRegistry/registries")
ACCOUNT = resource(f"{GROUP}/Microsoft.Storage/storageAccounts/files", "Microsoft.Storage/storageAccounts")
SCANS = "ContainerRegistriesVulnerabilityAssessments"
MALWARE, DISCOVERY = "OnUploadMalwareScanning", "SensitiveDataDiscovery"


def containers(tier: str = "Standard", *, enabled: object = "True", **others: str) -> Json:
    """The plan Containers with the extension that scans registries."""
    return pricing("Containers", tier, extensions=[extension_of_plan(SCANS, enabled=enabled)], **others)


@pytest.mark.parametrize(
    ("documents", "state"),
    [
        ((containers(),), COVERED),
        ((containers(enabled="true"),), COVERED),
        ((containers(enabled="False"),), GAP),
        ((containers("Free"),), GAP),
        ((containers("Free", enabled="False"),), GAP),
        ((containers(enabled=None),), UNKNOWN),
        ((pricing("Containers"),), UNKNOWN),
        ((), UNKNOWN),
        ((pricing("CloudPosture", extensions=[extension_of_plan(SCANS)]),), UNKNOWN),
        ((containers("Free"), containers(scope=REGISTRY_ID)), COVERED),
        ((containers(), containers("Free", scope=REGISTRY_ID)), COVERED),
        ((containers(), containers(enabled="False")), GAP),
        ((containers(), containers("Free")), GAP),
    ],
)
def test_the_images_of_a_registry_are_scanned_where_plan_and_extension_are_on(
    documents: tuple[Json, ...], state: CoverageState
) -> None:
    """At the subscription, or at the registry itself; of two answers to one question the worse one counts."""
    assert verdict(judged(REGISTRY, *documents), "images", Rung.INTEGRATION).state is state


def test_the_remedies_of_a_registry_ask_and_mend() -> None:
    """Both by a path that begins with /."""
    unknown = verdict(judged(REGISTRY), "images", Rung.INTEGRATION)
    path = f"/subscriptions/{SUBSCRIPTION}/providers/Microsoft.Security/pricings/Containers?api-version=2024-01-01"
    assert unknown.remedy == f"az rest --method get --url '{path}'"
    gap = verdict(judged(REGISTRY, containers(enabled="False")), "images", Rung.INTEGRATION)
    assert (gap.remedy or "").startswith(f"az rest --method put --url '{path}' --body ")
    assert SCANS in (gap.remedy or "")


def test_a_plan_that_is_off_at_the_registry_is_a_remark() -> None:
    """The rung plan judges it."""
    found = verdict(judged(REGISTRY, containers(), containers("Free", scope=REGISTRY_ID)), "images", Rung.INTEGRATION)
    assert found.remarks == ("the plan Containers says otherwise at the resource itself: see the rung plan",)


def expecting(*extensions: str, rungs: frozenset[Rung] | None = None) -> CoverageManifest:
    """A manifest that expects those extensions of every plan."""
    return CoverageManifest(expectations=(Expectation(extensions=frozenset(extensions), rungs=rungs),), is_given=True)


@pytest.mark.parametrize("manifest", [expecting(), expecting(SCANS), expecting(rungs=frozenset({Rung.INTEGRATION}))])
def test_a_storage_account_of_which_nothing_more_is_expected_does_not_have_the_rung(manifest: CoverageManifest) -> None:
    """It is not unknown: there is nothing that could be known."""
    (row,) = judged(ACCOUNT, manifest=manifest).assessed.rows
    assert Rung.INTEGRATION not in row.verdicts


@pytest.mark.parametrize(
    ("malware", "discovery", "state"),
    [
        ("True", "True", COVERED),
        ("True", "False", GAP),
        ("False", None, GAP),
        ("True", None, UNKNOWN),
    ],
)
def test_a_storage_account_is_as_good_as_the_worst_extension_that_is_expected(
    malware: str | None, discovery: str | None, state: CoverageState
) -> None:
    """Names are compared in any case."""
    extensions = [extension_of_plan(MALWARE, enabled=malware), extension_of_plan(DISCOVERY, enabled=discovery)]
    plan = pricing("StorageAccounts", subPlan="DefenderForStorageV2", extensions=extensions)
    result = judged(ACCOUNT, plan, manifest=expecting(MALWARE.lower(), DISCOVERY))
    assert verdict(result, "files", Rung.INTEGRATION).state is state


def test_only_the_extension_that_is_expected_counts() -> None:
    """The other one may be off."""
    extensions = [extension_of_plan(MALWARE), extension_of_plan(DISCOVERY, enabled="False")]
    result = judged(ACCOUNT, pricing("StorageAccounts", extensions=extensions), manifest=expecting(MALWARE))
    assert verdict(result, "files", Rung.INTEGRATION).state is COVERED
