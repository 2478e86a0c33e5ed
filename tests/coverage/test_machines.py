"""Whether the sensor of a machine, and that of SQL Server on it, is there and runs: what each document proves of it."""

from __future__ import annotations

import shlex
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from router.coverage.verdicts import Verdict
from router.domain.coverage import Rung
from router.domain.errors import BadUsage
from router.domain.recommendations import EDR_INSTALLED, EDR_RUNNING, SQL_PROTECTED
from tests.coverage import builders as az
from tests.coverage.builders import COVERED, GAP, MACHINE, NOT_COVERABLE, UNKNOWN, Row, hold, judged, pricing, verdict
from tests.coverage.machine_builders import (
    ARC,
    ARC_SQL,
    EXCLUDED,
    POSTURE,
    SET,
    SQL,
    ago,
    all_healthy,
    arc_machine,
    arc_sql,
    assessment,
    device,
    extension,
    health,
    joined,
    machine,
    scale_set,
    sql_extension,
    sql_machine,
)
from tests.examples import some_of

HEALTHY, UNHEALTHY = assessment(EDR_INSTALLED), assessment(EDR_INSTALLED, "Unhealthy")
MONITOR = {"type": "AzureMonitorLinuxAgent", "publisher": "Microsoft.Azure.Monitor"}
OTHER, BESIDE = extension(**MONITOR), extension(of=f"{MACHINE}-2", **MONITOR)


def installed(*documents: object, name: str = "web-1") -> Verdict:
    """What is known of the sensor of a machine."""
    return verdict(judged(*documents), name, Rung.SENSOR_INSTALLED)


def test_what_is_known_of_the_sensor(subtests: pytest.Subtests) -> None:
    """The extension proves it, a running sensor does; an extension that is absent proves nothing.

    Of two documents that contradict each other the worse one counts; a deployment that succeeded is none of its handler.
    """
    bare, absent, tagged = machine(), joined(None, None), machine(tags=EXCLUDED)
    exempt = assessment(EDR_INSTALLED, "NotApplicable", cause="Exempt")
    handler = {"statuses": [{"code": "ProvisioningState/failed/21", "message": "no"}]}
    flat = {
        "id": f"{MACHINE}/extensions/MDE.Linux",
        "name": "MDE.Linux",
        "provisioningState": "Succeeded",
        "publisher": "Microsoft.Azure.AzureDefenderForServers",
        "typePropertiesType": "MDE.Linux",
        "type": "Microsoft.Compute/virtualMachines/extensions",
    }
    hold(
        subtests,
        installed,
        (COVERED, [extension()], [extension("Provisioning succeeded")], [joined("MDE.Linux", "Succeeded")], [[flat]]),
        (COVERED, [machine(resources=[extension()])], [machine(power="deallocated"), extension()], [bare, health()]),
        (COVERED, [tagged, extension()], [tagged, device()], [bare, absent, HEALTHY, POSTURE]),
        (GAP, [extension("Failed")], [joined("MDE.Linux", "Failed")], [{**bare, "Resources": [extension("Failed")]}]),
        (GAP, [extension("Succeeded", instanceView=handler)], [[{**flat, "typePropertiesType": "CustomScript"}]]),
        (GAP, [tagged], [machine(tags={"excludemdeautoprovisioning": "TRUE"})], [UNHEALTHY]),
        (GAP, [machine(power="stopped"), machine(power="running"), extension("Failed")]),
        (GAP, [bare, extension("Failed"), HEALTHY, POSTURE], [tagged, absent, HEALTHY, POSTURE]),
        (UNKNOWN, [extension("Creating")], [extension(publisher="Contoso")], [absent], [{**absent, "name1": None}]),
        (UNKNOWN, [extension(type="CustomScript", publisher="Microsoft.Azure.Extensions")], [machine(resources=None)]),
        (UNKNOWN, [machine(resources=[{"id": f"{MACHINE}/extensions/MDE.Linux"}])]),
        (UNKNOWN, [machine(tags={"ExcludeMdeAutoProvisioning": "false"})], [HEALTHY], [bare, absent, HEALTHY]),
        (UNKNOWN, [bare, HEALTHY, POSTURE], [absent, HEALTHY, POSTURE], [bare, absent, exempt, POSTURE]),
        (UNKNOWN, [bare, health(), device(healthStatus="Inactive")]),
        (NOT_COVERABLE, [machine(power="deallocated")], [machine(power="stopped"), extension("Failed")]),
    )
    found = installed(extension("Failed"), extension("Succeeded"))
    assert (found.state, "contradict" in found.remarks[0]) == (GAP, True)


def rows(*some: object, total: int | None = None) -> dict[str, object]:
    """An answer of Resource Graph, which says how many rows there are."""
    return {"data": list(some), "count": len(some), "total_records": len(some) if total is None else total}


def test_a_machine_whose_extensions_are_all_listed_has_a_gap_without_the_sensor(subtests: pytest.Subtests) -> None:
    """It is said what is there; and Azure installs the sensor by the line that mends it."""
    only = "none brings Defender for Endpoint: it has only AzureMonitorLinuxAgent"
    cut, unasked = "no list has all of its extensions", "nobody asked which extensions it has"
    cases: list[Row] = [
        (GAP, only, [rows(machine(), OTHER)], [machine(), rows(OTHER)], [machine(), [OTHER]]),
        (GAP, only, [machine(resources=[OTHER])]),
        (GAP, "it has none", [rows(machine(), BESIDE)]),
        (COVERED, "succeeded", [rows(machine(), OTHER, extension())], [rows(machine(), OTHER), extension()]),
        (COVERED, "seen to run", [rows(machine(), OTHER), health()]),
        # What was cut, one extension alone, and a query for Defender's own say nothing of what is absent.
        (UNKNOWN, cut, [rows(machine(), OTHER, total=3)], [machine(), OTHER], [rows(machine(), sql_extension())]),
        (UNKNOWN, unasked, [rows(machine(), extension(of=f"{MACHINE}-2"))]),
        (UNKNOWN, unasked, [rows(machine(), extension(of=ARC, type="Monitor"))]),
    ]
    for state, words, *some in cases:
        for said in some:
            with subtests.test(said=said):
                found = installed(*said)
                assert (found.state, words in found.reason) == (state, True), found.reason
                assert state is not GAP or (found.remedy or "").startswith("az vm extension set ")


def test_azure_says_in_several_places_whether_a_machine_is_on(subtests: pytest.Subtests) -> None:
    """`az vm list -d` writes it as words; Resource Graph has the instance view under `extended`."""
    said = {"id": MACHINE, "name": "web-1", "type": "Microsoft.Compute/virtualMachines", "tags": EXCLUDED}
    power = {"extended": {"instanceView": {"powerState": {"code": "PowerState/deallocated"}}}}
    row = az.resource(MACHINE, "microsoft.compute/virtualmachines", power)
    hold(
        subtests,
        installed,
        (GAP, *([[{**said, "powerState": words}]] for words in ("VM running", "?"))),
        (NOT_COVERABLE, *([[{**said, "powerState": words}]] for words in ("VM deallocated", "VM stopped"))),
        (NOT_COVERABLE, [{"data": [row], "totalRecords": 1}]),
    )


def test_a_failed_extension_says_what_its_code_means() -> None:
    """The code stands in what the installer said, or at the end of the status."""
    for code, says in ((10, "distribution is not supported"), (31, "tenant"), (199, "199")):
        statuses = [{"code": "ProvisioningState/failed/1", "message": f"command terminated with exit status={code}"}]
        found = installed(extension("Failed", instanceView={"statuses": statuses}))
        assert says in found.reason
        assert found.remedy == (
            "az vm extension delete --resource-group rg --vm-name web-1"
            " --subscription 11111111-1111-1111-1111-111111111111 --name MDE.Linux"
        )


def test_settings_that_name_another_machine_are_remarked_on() -> None:
    """A machine made from the image of another one reports as that one."""
    other = MACHINE.replace("web-1", "golden")
    assert other.lower() in installed(extension(settings={"azureResourceId": other})).remarks[0]
    assert not installed(extension(settings={"azureResourceId": MACHINE.upper()})).remarks


def test_a_new_machine_has_twelve_hours(subtests: pytest.Subtests) -> None:
    """Onboarding takes up to an hour, and twelve for the first subscription of a tenant. A tag is no matter of waiting."""
    young, old = ([machine(timeCreated=ago(hours=hours)), UNHEALTHY] for hours in (11.9, 12))
    hold(subtests, installed, (UNKNOWN, young), (GAP, old, [machine(timeCreated=ago(hours=1), tags=EXCLUDED)]))


def test_a_tag_is_removed_by_the_remedy_whatever_stands_in_its_value() -> None:
    """Names in documents are not trusted."""
    assert installed(machine(tags={"ExcludeMdeAutoProvisioning": "true ; rm"}, resources=None)).state is UNKNOWN
    found = installed(machine(tags={"excludeMDEautoprovisioning": "TRUE"}))
    assert (found.remedy or "").endswith("--tags excludeMDEautoprovisioning=TRUE")


def test_of_a_machine_that_azure_arc_lost_only_what_is_installed_is_known() -> None:
    """The extension stays, and a remark says that Azure Arc lost it; a recommendation says what was true once."""
    rest = (joined(None, None, of=ARC), assessment(EDR_INSTALLED, of=ARC), POSTURE)
    for status in ("Connected", "Disconnected", "Expired"):
        is_there = status == "Connected"
        found = installed(arc_machine(status), extension(of=ARC, type="MDE.Windows"), name="till-1")
        assert (found.state, bool(found.remarks)) == (COVERED, not is_there)
        assert installed(arc_machine(status), *rest, name="till-1").state is (COVERED if is_there else UNKNOWN)


def test_a_scale_set_cannot_be_judged_by_extensions() -> None:
    """That of a uniform one says why; a set that does not say its mode is no better; a flexible one is its machines."""
    uniform = installed(scale_set("Uniform"), name="batch")
    assert (uniform.state, "uniform" in uniform.reason) == (UNKNOWN, True)
    assert installed(scale_set(""), name="batch").state is UNKNOWN
    one = machine(virtualMachineScaleSet={"id": SET.upper()})
    assert installed(scale_set("Flexible", 1), one, name="batch").state is NOT_COVERABLE
    assert installed(scale_set("Flexible", 2), one, name="batch").state is UNKNOWN


def test_a_machine_is_called_as_arm_spells_it_and_a_list_of_costs_names_none() -> None:
    """Whichever document comes first: Resource Graph has ids in lower case."""
    said = [machine(MACHINE.replace("web-1", "Web-1")), joined(None, None)]
    for documents in (said, said[::-1]):
        assert [row.workload.name for row in judged(*documents).assessed.rows] == ["Web-1"]
    result = judged([{"resourceId": MACHINE, "cost": 12}])
    assert (result.assessed.rows, [name for name, _ in result.unused]) == ((), ["1.json"])


@settings(max_examples=some_of(100))
@given(st.text(st.characters(exclude_characters="/", exclude_categories=["Cs"]), min_size=1, max_size=12))
def test_a_name_cannot_leave_its_quotes(name: str) -> None:
    """A shell reads the name of a machine in a remedy as one word."""
    found = installed(extension("Failed", of=MACHINE.replace("web-1", f"x{name}x")), name=f"x{name}x")
    assert f"x{name}x" in shlex.split(found.remedy or "")


NAMESAKE = MACHINE.replace("/rg/", "/other/")


def running(*documents: object, name: str = "web-1") -> Verdict:
    """What is known of whether the sensor of a machine runs."""
    return verdict(judged(*documents), name, Rung.SENSOR_RUNNING)


def on_machine(*documents: object, **fields: Any) -> Verdict:
    """The same of a machine that Azure names."""
    return running(machine(**fields), *documents)


def two_of_three(code: str, cause: str = "") -> list[object]:
    """The recommendations, of which the last one says something else."""
    return [*all_healthy()[:-1], assessment(EDR_RUNNING[-1], code, cause=cause)]


def test_what_is_known_of_whether_it_runs(subtests: pytest.Subtests) -> None:
    """Its own words prove it; recommendations do where all are healthy and posture is known to be on.

    A clock may be a day ahead; a device that reported later than that would cover the machine for years.
    """
    inactive, other = device(healthStatus="Inactive"), "dc5357d0-3858-4d17-a1a3-072840bff5be"
    words = az.document({"healthy": "true", "licensed": "True", "org_id": "a"}, "h.json", "web-1")
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
        (UNKNOWN, [device(lastSeen=None)], [device(lastSeen="yesterday")], [device(None)], [device(NAMESAKE)]),
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
    both = [machine(), machine(NAMESAKE.replace("web-1", "web-2"))]
    for name in ("web-1", "WEB-1", "rg/web-1", MACHINE, None, "web-3"):
        result = judged(both, health(name))
        is_known = name not in (None, "web-3")
        assert verdict(result, "web-1", Rung.SENSOR_RUNNING).state is (COVERED if is_known else UNKNOWN)
        assert verdict(result, "web-2", Rung.SENSOR_RUNNING).state is UNKNOWN
        assert [name for name, _ in result.unused] == ([] if is_known else ["health.json"])
    said = az.document([{"healthy": True, "licensed": True}], "my health.json")
    assert [name for name, _ in judged([machine()], said).unused] == ["my health.json"]


def test_a_name_of_two_machines_is_refused() -> None:
    """It would cover one of them by the other; nor does a document that calls one otherwise hand its name to its namesake."""
    for more in ([], [{**machine(), "name": "web-1-renamed"}]):
        with pytest.raises(BadUsage, match=r"web-1: is the name of several machines"):
            judged([machine(), machine(NAMESAKE), *more], health())


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


KEY = "f00d"


def sql_installed(*documents: object) -> Verdict:
    """Whether the SQL Server of a machine has its sensor."""
    return verdict(judged(sql_machine(), *documents), "ledger", Rung.SENSOR_INSTALLED)


def sql_running(*documents: object) -> Verdict:
    """Whether that sensor runs."""
    return verdict(judged(sql_machine(), *documents), "ledger", Rung.SENSOR_RUNNING)


def of_arc(*documents: object) -> Verdict:
    """Whether the sensor of a SQL Server runs that Azure Arc found."""
    return verdict(judged(*documents), "till-1_TILL", Rung.SENSOR_RUNNING)


def test_the_extension_of_its_machine_says_whether_the_sensor_is_there(subtests: pytest.Subtests) -> None:
    """Neither the plan nor Defender for Endpoint does."""
    endpoint = extension(type="MDE.Windows")
    hold(
        subtests,
        sql_installed,
        (COVERED, [sql_extension()], [machine(resources=[sql_extension()])]),
        (GAP, [sql_extension("Failed")], [sql_extension("Failed"), sql_extension()], [machine(resources=[endpoint])]),
        (UNKNOWN, [pricing("SqlServerVirtualMachines")], [sql_extension("Creating")], [endpoint]),
        (UNKNOWN, [machine(resources=None, timeCreated=ago(hours=1))]),
        (UNKNOWN, [sql_extension(of=MACHINE.replace("web-1", "web-2"))]),
        (NOT_COVERABLE, [machine(power="deallocated")]),
    )


def test_the_recommendation_says_whether_it_is_protected(subtests: pytest.Subtests) -> None:
    """Its key is documented nowhere, so that its title counts; on the SQL Server or on its machine."""
    unhealthy = assessment(KEY, "Unhealthy", title=SQL_PROTECTED)
    exempt = assessment(KEY, "NotApplicable", title=SQL_PROTECTED, cause="Exempt")
    other = assessment("08d649c8-5458-46dd-a13c-e1c5c7b1687c", of=SQL)
    hold(
        subtests,
        sql_running,
        (COVERED, [assessment(KEY, title=SQL_PROTECTED, of=SQL), POSTURE]),
        (COVERED, [assessment(KEY, title=f"{SQL_PROTECTED} (Preview)"), POSTURE]),
        (GAP, [unhealthy]),
        (UNKNOWN, [], [sql_extension()], [assessment(KEY, title=SQL_PROTECTED)], [exempt, POSTURE], [other, POSTURE]),
        (NOT_COVERABLE, [machine(power="stopped"), unhealthy]),
    )


def test_azure_arc_says_whether_it_is_protected(subtests: pytest.Subtests) -> None:
    """Its word counts for a day, as in Microsoft's own policy, and before the recommendation, which follows it later.

    A recommendation counts only while Azure Arc reaches the machine. A clock may be a day ahead.
    """
    said = assessment(KEY, title=SQL_PROTECTED, of=ARC_SQL), POSTURE

    def seen(**span: float) -> list[object]:
        return [arc_sql("Protected", at=ago(**span))]

    hold(
        subtests,
        of_arc,
        (COVERED, seen(days=1), seen(hours=-23), [arc_sql(), arc_machine(), *said]),
        (GAP, [arc_sql("Unprotected", at=ago(hours=1))], [arc_sql("Unprotected"), arc_machine(), *said]),
        (UNKNOWN, seen(days=1, seconds=1), seen(hours=-25), [arc_sql("Protected")], [arc_sql()]),
        (UNKNOWN, [arc_sql("Unknown", at=ago(hours=1))]),
        (UNKNOWN, *([arc_sql(), arc_machine(status), *said] for status in ("Disconnected", "Expired"))),
    )


def test_what_azure_arc_sees_protected_has_its_sensor() -> None:
    """Nobody need list the extensions then. Extensions of Azure Arc have a command of their own."""
    protected = judged(arc_sql("Protected", at=ago(hours=1)))
    assert verdict(protected, "till-1_TILL", Rung.SENSOR_INSTALLED).state is COVERED
    failed = judged(arc_sql(), sql_extension("Failed", of=ARC))
    remedy = verdict(failed, "till-1_TILL", Rung.SENSOR_INSTALLED).remedy or ""
    assert remedy.startswith("az connectedmachine extension delete")
