"""Whether a machine has the sensor: what each document proves of it, and what it does not."""

from __future__ import annotations

import shlex

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from router.coverage.verdicts import Verdict
from router.domain.coverage import Rung
from router.domain.recommendations import EDR_INSTALLED
from tests.coverage.builders import COVERED, GAP, MACHINE, NOT_COVERABLE, UNKNOWN, Row, hold, judged, resource, verdict
from tests.coverage.machine_builders import (
    ARC,
    EXCLUDED,
    POSTURE,
    SET,
    ago,
    arc_machine,
    assessment,
    device,
    extension,
    health,
    joined,
    machine,
    scale_set,
    sql_extension,
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
    row = resource(MACHINE, "microsoft.compute/virtualmachines", power)
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
