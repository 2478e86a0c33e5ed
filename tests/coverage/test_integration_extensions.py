"""Whether the extension of a plan that a registry or a storage account needs is on: that the plan is on says nothing of it."""

from __future__ import annotations

import pytest

from router.coverage.expected.manifest import CoverageManifest, Expectation
from router.coverage.verdicts import CoverageState
from router.domain.coverage import Rung
from tests.coverage.builders import SUBSCRIPTION, Json, extension_of_plan, judged, pricing, resource, setting, verdict

COVERED, GAP, UNKNOWN = CoverageState.COVERED, CoverageState.GAP, CoverageState.UNKNOWN

GROUP = f"/subscriptions/{SUBSCRIPTION}/resourceGroups/rg/providers"
REGISTRY_ID = f"{GROUP}/Microsoft.ContainerRegistry/registries/images"
REGISTRY = resource(REGISTRY_ID, "Microsoft.ContainerRegistry/registries")
ACCOUNT_ID = f"{GROUP}/Microsoft.Storage/storageAccounts/files"
ACCOUNT = resource(ACCOUNT_ID, "Microsoft.Storage/storageAccounts")
SCANS = "ContainerRegistriesVulnerabilityAssessments"
MALWARE, DISCOVERY = "OnUploadMalwareScanning", "SensitiveDataDiscovery"


def containers(
    tier: str = "Standard", *, enabled: object = "True", failed: bool = False, scope: str | None = None
) -> Json:
    """The plan Containers with the extension that scans registries, at the subscription or at the registry itself."""
    extension = dict(extension_of_plan(SCANS, enabled=enabled))
    if failed:
        extension["operationStatus"] = {"code": "Failed", "message": "no role"}
    if scope is not None:
        return pricing("Containers", tier, scope=scope, extensions=[extension])
    coverage = "FullyCovered" if tier == "Standard" else "NotCovered"
    return pricing("Containers", tier, extensions=[extension], resourcesCoverageStatus=coverage)


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
        ((pricing("CloudPosture", scope=REGISTRY_ID, extensions=[extension_of_plan(SCANS)]),), UNKNOWN),
        ((containers("Free"), containers(scope=REGISTRY_ID)), COVERED),
        ((containers(), containers("Free", scope=REGISTRY_ID)), GAP),
        ((containers(), containers(enabled="False", scope=REGISTRY_ID)), GAP),
        ((containers(), containers(scope=REGISTRY_ID)), COVERED),
        ((containers(failed=True),), GAP),
        ((containers(), containers(failed=True)), GAP),
        ((pricing("Containers", extensions=[extension_of_plan(SCANS)]),), UNKNOWN),
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
    path = f"/subscriptions/{SUBSCRIPTION}/providers/Microsoft.Security/pricings?api-version=2024-01-01"
    assert unknown.remedy == f"az rest --method get --url '{path}'"
    gap = verdict(judged(REGISTRY, containers(enabled="False")), "images", Rung.INTEGRATION)
    assert gap.remedy == (
        f"az security pricing create -n Containers --tier standard --extensions name={SCANS} isEnabled=True "
        f"--subscription {SUBSCRIPTION}"
    )


def test_why_an_extension_failed_is_said() -> None:
    """Only the answer to the request that switched it on says it; later ones call it on."""
    found = verdict(judged(REGISTRY, containers(failed=True), containers()), "images", Rung.INTEGRATION)
    assert found.reason == f"extension {SCANS} failed to be switched on: no role, so nobody scans its images"


def storage_plan(*extensions: Json) -> Json:
    """The plan of storage, on at every account."""
    fields = {"subPlan": "DefenderForStorageV2", "resourcesCoverageStatus": "FullyCovered"}
    return pricing("StorageAccounts", extensions=list(extensions), **fields)


def test_an_account_that_scans_nothing_by_its_own_setting_is_a_gap() -> None:
    """Whatever its subscription has."""
    malware = {"onUpload": {"isEnabled": False}}
    own = setting(
        ACCOUNT_ID,
        "defenderForStorageSettings",
        isEnabled=True,
        overrideSubscriptionLevelSettings=True,
        malwareScanning=malware,
    )
    result = judged(ACCOUNT, storage_plan(extension_of_plan(MALWARE)), own, manifest=expecting(MALWARE))
    assert verdict(result, "files", Rung.INTEGRATION).state is GAP


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
    plan = storage_plan(*extensions)
    result = judged(ACCOUNT, plan, manifest=expecting(MALWARE.lower(), DISCOVERY))
    assert verdict(result, "files", Rung.INTEGRATION).state is state


def test_only_the_extension_that_is_expected_counts() -> None:
    """The other one may be off."""
    extensions = [extension_of_plan(MALWARE), extension_of_plan(DISCOVERY, enabled="False")]
    result = judged(ACCOUNT, storage_plan(*extensions), manifest=expecting(MALWARE))
    assert verdict(result, "files", Rung.INTEGRATION).state is COVERED
