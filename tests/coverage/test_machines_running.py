"""Whether the sensor of a machine runs: by its own words, else by all recommendations on it."""

from __future__ import annotations

import pytest

from router.coverage.gate import GateResult
from router.coverage.verdicts import CoverageState, Verdict
from router.domain.coverage import Rung
from router.domain.errors import BadUsage
from router.domain.recommendations import EDR_RUNNING
from tests.coverage.builders import MACHINE, document, judged, pricing, verdict
from tests.coverage.machine_builders import (
    ARC,
    EXCLUDED,
    POSTURE,
    SET,
    ago,
    all_healthy,
    arc_machine,
    assessment,
    device,
    extension,
    health,
    machine,
    scale_set,
)

COVERED, GAP, UNKNOWN = CoverageState.COVERED, CoverageState.GAP, CoverageState.UNKNOWN
STOPPED = CoverageState.NOT_COVERABLE
OTHER = MACHINE.replace("/rg/", "/other/")


def running(*documents: object, name: str = "web-1") -> Verdict:
    """What is known of whether the sensor of a machine runs."""
    return verdict(judged(*documents), name, Rung.SENSOR_RUNNING)


def two_of_three(code: str, cause: str = "") -> list[object]:
    """The recommendations, of which the last one says something else."""
    return [*all_healthy()[:-1], assessment(EDR_RUNNING[-1], code, cause=cause)]


@pytest.mark.parametrize(
    ("said", "state"),
    [
        ([machine(), extension()], UNKNOWN),
        ([machine(), health()], COVERED),
        ([machine(), health(healthy=False)], GAP),
        ([machine(), health(licensed=False)], GAP),
        ([machine(), health(licensed=None)], UNKNOWN),
        ([machine(), health(None)], UNKNOWN),
        ([machine(), document({"healthy": "true", "licensed": "True", "org_id": "a"}, "h.json", "web-1")], COVERED),
        ([machine(), {"value": [device()]}], COVERED),
        ([machine(), {"value": [device(onboardingStatus="CanBeOnboarded")]}], GAP),
        ([machine(), {"value": [device(healthStatus="Inactive")]}], GAP),
        ([machine(), device(healthStatus="NoSensorData")], GAP),
        ([machine(), device(seen=ago(days=7))], COVERED),
        ([machine(), device(seen=ago(days=7, seconds=1))], UNKNOWN),
        ([machine(), {"value": [device(onboardingStatus=None)]}], UNKNOWN),
        ([machine(), {"value": [device(healthStatus=None)]}], UNKNOWN),
        ([machine(), device(lastSeen=None)], UNKNOWN),
        ([machine(), device(lastSeen="yesterday")], UNKNOWN),
        ([machine(), device(None)], UNKNOWN),
        ([machine(), device(OTHER)], UNKNOWN),
        ([machine(), device(seen=ago(days=90), healthStatus="Inactive"), device()], COVERED),
        ([machine(), device(), device(healthStatus="Inactive")], GAP),
        ([machine(), health(), device(healthStatus="Inactive")], GAP),
        ([machine(tags=EXCLUDED)], GAP),
        ([machine(tags=EXCLUDED), health()], COVERED),
        ([machine(tags=EXCLUDED), *all_healthy(), POSTURE], COVERED),
        ([machine(power="deallocated")], STOPPED),
        ([machine(power="deallocated"), device(healthStatus="Inactive")], STOPPED),
        ([machine(power="deallocated"), device(), device(healthStatus="Inactive")], STOPPED),
        ([machine(power="deallocated"), health(healthy=False)], GAP),
        ([machine(power="deallocated"), device()], COVERED),
        ([machine(), *all_healthy(), POSTURE], COVERED),
        ([machine(), *all_healthy(), pricing("CloudPosture")], COVERED),
        ([machine(), *all_healthy()], UNKNOWN),
        ([machine(), *all_healthy(), pricing("FoundationalCspm", "Free")], UNKNOWN),
        ([machine(), *all_healthy()[:-1], POSTURE], UNKNOWN),
        ([machine(), *two_of_three("Unhealthy"), POSTURE], GAP),
        ([machine(), *two_of_three("NotApplicable", "Exempt"), POSTURE], UNKNOWN),
        ([machine(), *two_of_three("NotApplicable", "OffByPolicy"), POSTURE], UNKNOWN),
        ([machine(), *two_of_three("Unhealthy"), health()], COVERED),
        ([machine(timeCreated=ago(hours=1)), *two_of_three("Unhealthy"), POSTURE], UNKNOWN),
        ([machine(), assessment("dc5357d0-3858-4d17-a1a3-072840bff5be"), POSTURE], UNKNOWN),
        ([machine(), assessment("dc5357d0-3858-4d17-a1a3-072840bff5be", "Unhealthy"), POSTURE], UNKNOWN),
    ],
)
def test_what_is_known_of_whether_it_runs(said: list[object], state: CoverageState) -> None:
    """Its own words prove it; recommendations do where all are healthy and posture is known to be on."""
    assert running(*said).state is state


@pytest.mark.parametrize(
    ("status", "state", "recommended"),
    [
        ("Connected", UNKNOWN, COVERED),
        ("Disconnected", UNKNOWN, UNKNOWN),
        ("Error", UNKNOWN, UNKNOWN),
        ("Expired", GAP, GAP),
    ],
)
def test_recommendations_on_a_machine_that_azure_arc_lost_prove_nothing(
    status: str, state: CoverageState, recommended: CoverageState
) -> None:
    """One that is disconnected may be off; one that has expired must be connected anew. Its own words count all the same."""
    assert running(arc_machine(status), name="till-1").state is state
    assert running(arc_machine(status), *all_healthy(ARC), POSTURE, name="till-1").state is recommended
    assert running(arc_machine(status), device(ARC), name="till-1").state is COVERED


def test_a_machine_of_azure_arc_of_which_nobody_said_whether_it_is_in_reach_is_unknown() -> None:
    """A row of Resource Graph may leave its status out."""
    assert running(extension(of=ARC), *all_healthy(ARC), POSTURE, name="till-1").state is UNKNOWN


@pytest.mark.parametrize("given", ["web-1", "WEB-1", "rg/web-1", MACHINE])
def test_a_name_before_the_file_says_which_machine_it_is_of(given: str) -> None:
    """Its name, its group and its name, or its id, in any case."""
    result = _two_machines(health(given), OTHER.replace("web-1", "web-2"))
    assert verdict(result, "web-1", Rung.SENSOR_RUNNING).state is COVERED
    assert verdict(result, "web-2", Rung.SENSOR_RUNNING).state is UNKNOWN


@pytest.mark.parametrize("given", [None, "web-3"])
def test_health_of_no_known_machine_covers_none(given: str | None) -> None:
    """It is said of which file that is so."""
    result = _two_machines(health(given), OTHER.replace("web-1", "web-2"))
    for name in ("web-1", "web-2"):
        assert verdict(result, name, Rung.SENSOR_RUNNING).state is UNKNOWN
    assert [name for name, _ in result.unused] == ["health.json"]


def test_a_file_of_no_known_machine_is_named_as_it_is_written() -> None:
    """Also where a blank is in its name: what stands behind the blank is no position in the file."""
    said = document([{"healthy": True, "licensed": True}], "my health.json")
    assert [name for name, _ in judged([machine()], said).unused] == ["my health.json"]


def test_a_name_of_two_machines_is_refused() -> None:
    """It would cover one of them by the other."""
    with pytest.raises(BadUsage, match=r"web-1: is the name of several machines"):
        _two_machines(health(), OTHER)


def test_a_name_that_one_document_alone_gives_a_machine_counts_beside_its_others() -> None:
    """Another document that calls it otherwise does not hand its old name over to its namesake."""
    renamed = {**machine(), "name": "web-1-renamed"}
    with pytest.raises(BadUsage, match=r"web-1: is the name of several machines"):
        judged([machine(), machine(OTHER), renamed], health("web-1"))


def _two_machines(said: object, other: str) -> GateResult:
    return judged([machine(), machine(other)], said)


@pytest.mark.parametrize(
    ("devices", "state"),
    [
        ([device(f"{SET}/virtualMachines/0"), device(f"{SET}/virtualMachines/1")], COVERED),
        ([device(f"{SET}/virtualMachines/0"), device(f"{SET}/virtualMachines/0")], UNKNOWN),
        ([device(f"{SET}/virtualMachines/0"), device(f"{SET}/virtualMachines/1", healthStatus="Inactive")], UNKNOWN),
        ([device(f"{SET}-2/virtualMachines/0"), device(f"{SET}/virtualMachines/1")], UNKNOWN),
    ],
)
def test_a_uniform_scale_set_is_covered_where_as_many_instances_run_as_it_is_to_have(
    devices: list[object], state: CoverageState
) -> None:
    """Defender for Endpoint names each by its own id; those that are gone count for nothing."""
    assert running(scale_set("Uniform", capacity=2), devices, name="batch").state is state


@pytest.mark.parametrize("capacity", [None, 0])
def test_a_uniform_scale_set_of_no_known_size_is_unknown(capacity: int | None) -> None:
    """What is running may be the smaller part."""
    said = (scale_set("Uniform", capacity), device(f"{SET}/virtualMachines/0"))
    assert running(*said, name="batch").state is UNKNOWN


def test_what_contradicts_is_said() -> None:
    """The sensor calls itself healthy, and Defender for Endpoint does not hear it."""
    found = running(machine(), health(), device(healthStatus="Inactive"))
    assert "contradict" in found.remarks[0]


def test_what_the_sensor_finds_wrong_is_said() -> None:
    """And an antivirus that is passive is a remark, since the sensor runs beside another one so."""
    assert "no_license" in running(machine(), health(healthy=False, healthIssues=["no_license"])).reason
    found = running(machine(), health(realTimeProtectionEnabled={"value": False}))
    assert found.state is COVERED and "real time" in found.remarks[0]


@pytest.mark.parametrize(("ahead", "state"), [(23, COVERED), (25, UNKNOWN), (24 * 365 * 50, UNKNOWN)])
def test_a_device_that_reported_in_time_to_come_proves_nothing(ahead: int, state: CoverageState) -> None:
    """A clock may be a day ahead; one that is wrong would cover the machine for years."""
    assert running(machine(), device(seen=ago(hours=-ahead))).state is state
