"""Whether the sensor of a machine runs: by its own words, else by all recommendations on it."""

from __future__ import annotations

import pytest

from router.coverage.verdicts import Verdict
from router.domain.coverage import Rung
from router.domain.errors import BadUsage
from router.domain.recommendations import EDR_RUNNING
from tests.coverage.builders import (
    COVERED,
    GAP,
    MACHINE,
    NOT_COVERABLE,
    UNKNOWN,
    document,
    hold,
    judged,
    pricing,
    verdict,
)
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

OTHER = MACHINE.replace("/rg/", "/other/")


def running(*documents: object, name: str = "web-1") -> Verdict:
    """What is known of whether the sensor of a machine runs."""
    return verdict(judged(*documents), name, Rung.SENSOR_RUNNING)


def on_machine(*documents: object, **fields: object) -> Verdict:
    """The same of a machine that Azure names."""
    return running(machine(**fields), *documents)  # type: ignore[arg-type]


def two_of_three(code: str, cause: str = "") -> list[object]:
    """The recommendations, of which the last one says something else."""
    return [*all_healthy()[:-1], assessment(EDR_RUNNING[-1], code, cause=cause)]


def test_what_is_known_of_whether_it_runs(subtests: pytest.Subtests) -> None:
    """Its own words prove it; recommendations do where all are healthy and posture is known to be on.

    A clock may be a day ahead; a device that reported later than that would cover the machine for years.
    """
    inactive, other = device(healthStatus="Inactive"), "dc5357d0-3858-4d17-a1a3-072840bff5be"
    words = document({"healthy": "true", "licensed": "True", "org_id": "a"}, "h.json", "web-1")
    hold(
        subtests,
        on_machine,
        (
            COVERED,
            [health()],
            [words],
            [{"value": [device()]}],
            [device(seen=ago(days=7))],
            [*two_of_three("Unhealthy"), health()],
        ),
        (COVERED, [device(seen=ago(days=90), healthStatus="Inactive"), device()], [device(seen=ago(hours=-23))]),
        (COVERED, [*all_healthy(), POSTURE], [*all_healthy(), pricing("CloudPosture")]),
        (
            GAP,
            [health(healthy=False)],
            [health(licensed=False)],
            [{"value": [device(onboardingStatus="CanBeOnboarded")]}],
        ),
        (
            GAP,
            [{"value": [inactive]}],
            [device(healthStatus="NoSensorData")],
            [device(), inactive],
            [health(), inactive],
        ),
        (GAP, [*two_of_three("Unhealthy"), POSTURE]),
        (UNKNOWN, [extension()], [health(licensed=None)], [health(None)], [device(seen=ago(days=7, seconds=1))]),
        (UNKNOWN, [{"value": [device(onboardingStatus=None)]}], [{"value": [device(healthStatus=None)]}]),
        (UNKNOWN, [device(lastSeen=None)], [device(lastSeen="yesterday")], [device(None)], [device(OTHER)]),
        (UNKNOWN, [device(seen=ago(hours=-25))], [device(seen=ago(days=-18000))]),
        (UNKNOWN, all_healthy(), [*all_healthy(), pricing("FoundationalCspm", "Free")], [*all_healthy()[:-1], POSTURE]),
        (UNKNOWN, [*two_of_three("NotApplicable", "Exempt"), POSTURE]),
        (UNKNOWN, [*two_of_three("NotApplicable", "OffByPolicy"), POSTURE]),
        (UNKNOWN, [assessment(other), POSTURE], [assessment(other, "Unhealthy"), POSTURE]),
    )
    off, tagged = machine(power="deallocated"), machine(tags=EXCLUDED)
    hold(
        subtests,
        running,
        (COVERED, [tagged, health()], [tagged, *all_healthy(), POSTURE], [off, device()]),
        (GAP, [tagged], [off, health(healthy=False)]),
        (NOT_COVERABLE, [off], [off, inactive], [off, device(), inactive]),
        (UNKNOWN, [machine(timeCreated=ago(hours=1)), *two_of_three("Unhealthy"), POSTURE]),
    )


def test_recommendations_on_a_machine_that_azure_arc_lost_prove_nothing() -> None:
    """One that is disconnected may be off; one that has expired must be connected anew. Its own words count all the same.

    Where nobody said whether it is in reach, as a row of Resource Graph may leave it out, they prove nothing either.
    """
    recommended = (*all_healthy(ARC), POSTURE)
    for status, *states in (
        *(("Connected", UNKNOWN, COVERED), ("Disconnected", UNKNOWN, UNKNOWN), ("Error", UNKNOWN, UNKNOWN)),
        ("Expired", GAP, GAP),
    ):
        found = [running(arc_machine(status), *some, name="till-1").state for some in ((), recommended, (device(ARC),))]
        assert found == [*states, COVERED], status
    assert running(extension(of=ARC), *recommended, name="till-1").state is UNKNOWN


def test_a_name_before_the_file_says_which_machine_it_is_of() -> None:
    """Its name, its group and its name, or its id, in any case; of no known machine the file is named as it is written."""
    both = [machine(), machine(OTHER.replace("web-1", "web-2"))]
    for given in ("web-1", "WEB-1", "rg/web-1", MACHINE, None, "web-3"):
        result = judged(both, health(given))
        is_known = given not in (None, "web-3")
        assert verdict(result, "web-1", Rung.SENSOR_RUNNING).state is (COVERED if is_known else UNKNOWN)
        assert verdict(result, "web-2", Rung.SENSOR_RUNNING).state is UNKNOWN
        assert [name for name, _ in result.unused] == ([] if is_known else ["health.json"])
    said = document([{"healthy": True, "licensed": True}], "my health.json")
    assert [name for name, _ in judged([machine()], said).unused] == ["my health.json"]


def test_a_name_of_two_machines_is_refused() -> None:
    """It would cover one of them by the other; nor does a document that calls one otherwise hand its name to its namesake."""
    for more in ([], [{**machine(), "name": "web-1-renamed"}]):
        with pytest.raises(BadUsage, match=r"web-1: is the name of several machines"):
            judged([machine(), machine(OTHER), *more], health())


def test_a_uniform_scale_set_is_covered_where_as_many_instances_run_as_it_is_to_have(subtests: pytest.Subtests) -> None:
    """Defender for Endpoint names each by its own id; those that are gone count for nothing."""

    def of_set(capacity: int | None, *devices: object) -> Verdict:
        return running(scale_set("Uniform", capacity), list(devices), name="batch")

    first, second = device(f"{SET}/virtualMachines/0"), device(f"{SET}/virtualMachines/1")
    inactive = device(f"{SET}/virtualMachines/1", healthStatus="Inactive")
    hold(
        subtests,
        of_set,
        (COVERED, [2, first, second]),
        (UNKNOWN, [2, first, first], [2, first, inactive], [2, device(f"{SET}-2/virtualMachines/0"), second]),
        (UNKNOWN, [None, first], [0, first]),
    )


def test_what_contradicts_and_what_the_sensor_finds_wrong_is_said() -> None:
    """An antivirus that is passive is a remark, since the sensor runs beside another one so."""
    assert "contradict" in on_machine(health(), device(healthStatus="Inactive")).remarks[0]
    assert "no_license" in on_machine(health(healthy=False, healthIssues=["no_license"])).reason
    found = on_machine(health(realTimeProtectionEnabled={"value": False}))
    assert (found.state, "real time" in found.remarks[0]) == (COVERED, True)
