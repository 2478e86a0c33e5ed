"""What must be on beside the plan: the extensions that registries and storage accounts need, the settings of machines."""

from __future__ import annotations

from itertools import combinations, permutations

import pytest

from router.coverage.expected.manifest import CoverageManifest, Expectation
from router.coverage.verdicts import Verdict
from router.domain.coverage import Rung
from tests.coverage import builders as az

GROUP = f"/subscriptions/{az.SUBSCRIPTION}/resourceGroups/rg/providers"
REGISTRY_ID = f"{GROUP}/Microsoft.ContainerRegistry/registries/images"
REGISTRY = az.resource(REGISTRY_ID, "Microsoft.ContainerRegistry/registries")
ACCOUNT_ID = f"{GROUP}/Microsoft.Storage/storageAccounts/files"
ACCOUNT = az.resource(ACCOUNT_ID, "Microsoft.Storage/storageAccounts")
SCANS = "ContainerRegistriesVulnerabilityAssessments"
MALWARE, DISCOVERY = "OnUploadMalwareScanning", "SensitiveDataDiscovery"

WITHOUT_LINUX = "WDATP_EXCLUDE_LINUX_PUBLIC_PREVIEW"
PLAN = az.pricing("VirtualMachines", subPlan="P2")
ON, OFF = az.security_setting(), az.security_setting(enabled=False)


def containers(
    tier: str = "Standard", *, enabled: object = "True", failed: bool = False, scope: str | None = None
) -> az.Json:
    """The plan Containers with the extension that scans registries, at the subscription or at the registry itself."""
    extension = dict(az.extension_of_plan(SCANS, enabled=enabled))
    if failed:
        extension["operationStatus"] = {"code": "Failed", "message": "no role"}
    if scope is not None:
        return az.pricing("Containers", tier, scope=scope, extensions=[extension])
    coverage = "FullyCovered" if tier == "Standard" else "NotCovered"
    return az.pricing("Containers", tier, extensions=[extension], resourcesCoverageStatus=coverage)


def registry(*documents: az.Json) -> Verdict:
    """What is known of the registry."""
    return az.verdict(az.judged(REGISTRY, *documents), "images", Rung.INTEGRATION)


def test_the_images_of_a_registry_are_scanned_where_plan_and_extension_are_on(subtests: pytest.Subtests) -> None:
    """At the subscription, or at the registry itself; of two answers to one question the worse one counts."""
    scans = [az.extension_of_plan(SCANS)]
    az.hold(
        subtests,
        registry,
        (az.COVERED, [containers()], [containers(enabled="true")], [containers(), containers(scope=REGISTRY_ID)]),
        (az.COVERED, [containers("Free"), containers(scope=REGISTRY_ID)]),
        (az.GAP, [containers(enabled="False")], [containers("Free")], [containers("Free", enabled="False")]),
        (az.GAP, [containers(), containers("Free", scope=REGISTRY_ID)], [containers(), containers(enabled="False")]),
        (az.GAP, [containers(), containers(enabled="False", scope=REGISTRY_ID)], [containers(), containers("Free")]),
        (az.GAP, [containers(failed=True)], [containers(), containers(failed=True)]),
        (
            az.UNKNOWN,
            [],
            [containers(enabled=None)],
            [az.pricing("Containers")],
            [az.pricing("Containers", extensions=scans)],
        ),
        (az.UNKNOWN, [az.pricing("CloudPosture", extensions=scans)]),
        (az.UNKNOWN, [az.pricing("CloudPosture", scope=REGISTRY_ID, extensions=scans)]),
    )


def test_the_remedies_of_a_registry_ask_and_mend() -> None:
    """Only the answer to the request that switched the extension on says why it failed; later ones call it on."""
    path = f"/subscriptions/{az.SUBSCRIPTION}/providers/Microsoft.Security/pricings?api-version=2024-01-01"
    assert registry().remedy == f"az rest --method get --url '{path}'"
    assert registry(containers(enabled="False")).remedy == (
        f"az security pricing create -n Containers --tier standard --extensions name={SCANS} isEnabled=True "
        f"--subscription {az.SUBSCRIPTION}"
    )
    failed = registry(containers(failed=True), containers())
    assert failed.reason == f"extension {SCANS} failed to be switched on: no role, so nobody scans its images"


def expecting(*extensions: str, rungs: frozenset[Rung] | None = None) -> CoverageManifest:
    """A manifest that expects those extensions of every plan."""
    return CoverageManifest(expectations=(Expectation(extensions=frozenset(extensions), rungs=rungs),), is_given=True)


def test_a_storage_account_of_which_nothing_more_is_expected_does_not_have_the_rung() -> None:
    """It is not unknown: there is nothing that could be known."""
    for manifest in (expecting(), expecting(SCANS), expecting(rungs=frozenset({Rung.INTEGRATION}))):
        (row,) = az.judged(ACCOUNT, manifest=manifest).assessed.rows
        assert Rung.INTEGRATION not in row.verdicts


def test_a_storage_account_is_as_good_as_the_worst_extension_that_is_expected() -> None:
    """Names are compared in any case; another extension may be off; what scans nothing by its own setting is a gap."""

    def account(manifest: CoverageManifest, malware: object, discovery: object, *own: az.Json) -> Verdict:
        extensions = [
            az.extension_of_plan(MALWARE, enabled=malware),
            az.extension_of_plan(DISCOVERY, enabled=discovery),
        ]
        fields = {"subPlan": "DefenderForStorageV2", "resourcesCoverageStatus": "FullyCovered"}
        plan = az.pricing("StorageAccounts", extensions=extensions, **fields)
        return az.verdict(az.judged(ACCOUNT, plan, *own, manifest=manifest), "files", Rung.INTEGRATION)

    both = expecting(MALWARE.lower(), DISCOVERY)
    for malware, discovery, state in (
        *(("True", "True", az.COVERED), ("True", "False", az.GAP), ("False", None, az.GAP), ("True", None, az.UNKNOWN)),
    ):
        assert account(both, malware, discovery).state is state
    assert account(expecting(MALWARE), "True", "False").state is az.COVERED
    switches = {"isEnabled": True, "overrideSubscriptionLevelSettings": True}
    own = az.setting(
        ACCOUNT_ID, "defenderForStorageSettings", **switches, malwareScanning={"onUpload": {"isEnabled": False}}
    )
    assert account(expecting(MALWARE), "True", None, own).state is az.GAP


def machine(*documents: object, system: str | None = "windows", tags: dict[str, str] | None = None) -> Verdict:
    """What is known of a machine of that system."""
    disk = {"storageProfile": {"osDisk": {"osType": system}}} if system else {}
    one = az.resource(az.MACHINE, "Microsoft.Compute/virtualMachines", disk, tags=tags or {})
    return az.verdict(az.judged(one, *documents), "web-1", Rung.INTEGRATION)


def settings(*names: str, **others: bool) -> list[az.Json]:
    """A whole list of settings: those that are on, and others."""
    return [*map(az.security_setting, names), *(az.security_setting(name, enabled=on) for name, on in others.items())]


def test_a_machine_needs_the_integration_and_the_plan() -> None:
    """Without the plan nothing is deployed. Its own plan is enough, and no verdict rests on direct onboarding.

    Of two answers the worse one counts, whichever comes first.
    """
    found = machine(ON, PLAN)
    assert (found.state, [one.field for one in found.evidence]) == (
        az.COVERED,
        ["properties.enabled", "properties.pricingTier"],
    )
    free, own = az.pricing("VirtualMachines", "Free"), az.pricing("VirtualMachines", scope=az.MACHINE)
    without = machine(ON, free)
    said = "WDATP is on, but the plan VirtualMachines is off, so nothing is deployed"
    assert (without.state, without.reason, "--tier standard --subplan P2" in (without.remedy or "")) == (
        az.GAP,
        said,
        True,
    )
    onboarding = [{"name": "MdeDesignatedSubscription", "isEnabled": "False"}]
    assert machine(ON, free, own).state is az.COVERED
    assert machine(ON, az.pricing("VirtualMachines", extensions=onboarding)).state is az.COVERED
    assert {machine(*documents).state for documents in permutations((ON, OFF, PLAN))} == {az.GAP}


def test_an_integration_that_is_off_is_a_gap_and_what_was_not_asked_is_unknown() -> None:
    """Whichever form the setting comes in; the remedy puts it on, or asks, in a line whose url is relative."""
    url = f"/subscriptions/{az.SUBSCRIPTION}/providers/Microsoft.Security/"
    put = """--body '{"kind": "DataExportSettings", "properties": {"enabled": true}}'"""
    for off in (OFF, az.security_setting(enabled="False"), [{**ON, "properties": None, "enabled": False}]):
        found = machine(off, PLAN)
        line = f"az rest --method put --url '{url}settings/WDATP?api-version=2022-05-01' {put}"
        assert (found.state, found.remedy) == (az.GAP, line)
    for documents in ((), (PLAN,), (ON,), (*settings("MCAS", "WDATP_VNEXT"), PLAN)):
        found = machine(*documents)
        assert (found.state, f"az rest --method get --url '{url}" in (found.remedy or "")) == (az.UNKNOWN, True)


def test_linux_is_covered_only_where_it_is_known_not_to_be_left_out() -> None:
    """By the setting, or by a whole list of a version of the API that lists such settings; older versions never name it."""
    left_out, taken_in = (settings("WDATP", **{WITHOUT_LINUX: one}) for one in (True, False))
    listed = settings("WDATP", "WDATP_UNIFIED_SOLUTION")
    for said, linux, windows, nobody_knows in (
        (left_out, az.GAP, az.COVERED, az.UNKNOWN),
        (taken_in, az.COVERED, az.COVERED, az.COVERED),
        (ON, az.UNKNOWN, az.COVERED, az.UNKNOWN),
        (settings("MCAS", "WDATP"), az.UNKNOWN, az.COVERED, az.UNKNOWN),
        (listed, az.COVERED, az.COVERED, az.COVERED),
        ({"value": listed, "nextLink": "/more"}, az.UNKNOWN, az.COVERED, az.UNKNOWN),
    ):
        found = [machine(said, PLAN, system=one).state for one in ("linux", "windows", None)]
        assert found == [linux, windows, nobody_knows], said


def test_removing_an_answer_never_covers_a_machine() -> None:
    """Of all sets of answers, each against the same without one of them."""
    own = az.pricing("VirtualMachines", scope=az.MACHINE)
    refused = {"error": {"code": "SubscriptionNotRegistered", "message": "none"}}
    answers: tuple[object, ...] = (ON, settings("WDATP", "WDATP_UNIFIED_SOLUTION"), PLAN, own, refused)
    answers += (az.security_setting(WITHOUT_LINUX, enabled=False), az.security_setting("MCAS"))
    every = [chosen for many in range(len(answers) + 1) for chosen in combinations(range(len(answers)), many)]
    for system in ("linux", None):
        covered = {some: machine(*(answers[one] for one in some), system=system).state is az.COVERED for some in every}
        assert True in covered.values()
        for some in (one for one, is_covered in covered.items() if not is_covered):
            assert not any(covered[tuple(one for one in some if one != removed)] for removed in some), some


def test_what_keeps_the_sensor_off_though_all_is_on_is_a_remark() -> None:
    """The rungs above say whether it is there."""
    found = machine(
        settings("WDATP", WDATP_UNIFIED_SOLUTION=False),
        PLAN,
        az.pricing("VirtualMachines", "Free", scope=az.MACHINE),
        tags={"excludeMDEAutoProvisioning": "True"},
    )
    assert found.state is az.COVERED
    assert found.remarks == (
        "WDATP_UNIFIED_SOLUTION is off, so Windows Server 2012 R2 and 2016 may have no sensor",
        "its tag excludeMDEAutoProvisioning keeps Defender for Endpoint off it",
        "the plan VirtualMachines is off at the machine itself: see the rung plan",
    )
