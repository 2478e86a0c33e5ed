"""Whether a machine has the sensor: what each document proves of it, and what it does not."""

from __future__ import annotations

import shlex

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from router.coverage.verdicts import CoverageState, Verdict
from router.domain.coverage import Rung
from router.domain.recommendations import EDR_INSTALLED
from tests.coverage.builders import MACHINE, judged, resource, verdict
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

COVERED, GAP, UNKNOWN = CoverageState.COVERED, CoverageState.GAP, CoverageState.UNKNOWN
STOPPED = CoverageState.NOT_COVERABLE


def installed(*documents: object, name: str = "web-1") -> Verdict:
    """What is known of the sensor of a machine."""
    return verdict(judged(*documents), name, Rung.SENSOR_INSTALLED)


@pytest.mark.parametrize(
    ("said", "state"),
    [
        ([extension()], COVERED),
        ([extension("Provisioning succeeded")], COVERED),
        ([extension("Failed")], GAP),
        ([extension("Creating")], UNKNOWN),
        ([extension(publisher="Contoso")], UNKNOWN),
        ([extension(type="CustomScript", publisher="Microsoft.Azure.Extensions")], UNKNOWN),
        ([joined("MDE.Linux", "Succeeded")], COVERED),
        ([joined("MDE.Linux", "Failed")], GAP),
        ([joined(None, None)], UNKNOWN),
        ([{**joined(None, None), "name1": None}], UNKNOWN),
        ([machine(resources=None)], UNKNOWN),
        ([machine(resources=[extension()])], COVERED),
        ([{**machine(), "Resources": [extension("Failed")]}], GAP),
        ([machine(resources=[{"id": f"{MACHINE}/extensions/MDE.Linux"}])], UNKNOWN),
        ([machine(tags=EXCLUDED)], GAP),
        ([machine(tags={"excludemdeautoprovisioning": "TRUE"})], GAP),
        ([machine(tags={"ExcludeMdeAutoProvisioning": "false"})], UNKNOWN),
        ([machine(tags=EXCLUDED), extension()], COVERED),
        ([machine(tags=EXCLUDED), device()], COVERED),
        ([machine(power="deallocated")], STOPPED),
        ([machine(power="stopped"), extension("Failed")], STOPPED),
        ([machine(power="stopped"), machine(power="running"), extension("Failed")], GAP),
        ([machine(power="deallocated"), extension()], COVERED),
        ([assessment(EDR_INSTALLED, "Unhealthy")], GAP),
        ([assessment(EDR_INSTALLED)], UNKNOWN),
        ([machine(), joined(None, None), assessment(EDR_INSTALLED)], UNKNOWN),
        ([machine(), joined(None, None), assessment(EDR_INSTALLED), POSTURE], COVERED),
        ([machine(), assessment(EDR_INSTALLED), POSTURE], UNKNOWN),
        ([joined(None, None), assessment(EDR_INSTALLED), POSTURE], UNKNOWN),
        ([machine(), extension("Failed"), assessment(EDR_INSTALLED), POSTURE], GAP),
        ([machine(tags=EXCLUDED), joined(None, None), assessment(EDR_INSTALLED), POSTURE], GAP),
        ([machine(), joined(None, None), assessment(EDR_INSTALLED, "NotApplicable", cause="Exempt"), POSTURE], UNKNOWN),
        ([machine(), health()], COVERED),
        ([machine(), health(), device(healthStatus="Inactive")], UNKNOWN),
    ],
)
def test_what_is_known_of_the_sensor(said: list[object], state: CoverageState) -> None:
    """The extension proves it, a running sensor does; an extension that is absent proves nothing."""
    assert installed(*said).state is state


def test_the_flat_form_of_az_says_the_same() -> None:
    """`az vm extension list` lifts the properties, and calls the type typePropertiesType."""
    said = {
        "id": f"{MACHINE}/extensions/MDE.Linux",
        "name": "MDE.Linux",
        "provisioningState": "Succeeded",
        "publisher": "Microsoft.Azure.AzureDefenderForServers",
        "type": "Microsoft.Compute/virtualMachines/extensions",
        "typePropertiesType": "MDE.Linux",
    }
    assert installed([said]).state is COVERED
    assert installed([{**said, "typePropertiesType": "CustomScript"}]).state is GAP


OTHER = extension(type="AzureMonitorLinuxAgent", publisher="Microsoft.Azure.Monitor")
BESIDE = extension(of=f"{MACHINE}-2", type="AzureMonitorLinuxAgent", publisher="Microsoft.Azure.Monitor")


def rows(*some: object, total: int | None = None) -> dict[str, object]:
    """An answer of Resource Graph, which says how many rows there are."""
    return {"data": list(some), "count": len(some), "total_records": len(some) if total is None else total}


@pytest.mark.parametrize(
    ("said", "state", "words"),
    [
        ([rows(machine(), OTHER)], GAP, "none brings Defender for Endpoint: it has only AzureMonitorLinuxAgent"),
        ([machine(), rows(OTHER)], GAP, "it has only AzureMonitorLinuxAgent"),
        ([machine(), [OTHER]], GAP, "it has only AzureMonitorLinuxAgent"),
        ([rows(machine(), BESIDE)], GAP, "it has none"),
        ([machine(resources=[OTHER])], GAP, "it has only AzureMonitorLinuxAgent"),
        ([rows(machine(), OTHER, extension())], COVERED, "succeeded"),
        ([rows(machine(), OTHER), extension()], COVERED, "succeeded"),
        ([rows(machine(), OTHER), health()], COVERED, "seen to run"),
        # What was cut, one extension alone, and a query for Defender's own say nothing of what is absent.
        ([rows(machine(), OTHER, total=3)], UNKNOWN, "no list has all of its extensions"),
        ([machine(), OTHER], UNKNOWN, "no list has all of its extensions"),
        ([rows(machine(), sql_extension())], UNKNOWN, "no list has all of its extensions"),
        ([rows(machine(), extension(of=f"{MACHINE}-2"))], UNKNOWN, "nobody asked which extensions it has"),
        ([rows(machine(), extension(of=ARC, type="Monitor"))], UNKNOWN, "nobody asked which extensions it has"),
    ],
)
def test_a_machine_whose_extensions_are_all_listed_has_a_gap_without_the_sensor(
    said: list[object], state: CoverageState, words: str
) -> None:
    """It is said what is there; and Azure installs the sensor by the line that mends it."""
    found = installed(*said)
    assert (found.state, words in found.reason) == (state, True), found.reason
    if state is GAP:
        assert shlex.split(found.remedy or "")[:4] == ["az", "vm", "extension", "set"]


@pytest.mark.parametrize(
    ("power", "state"), [("VM running", GAP), ("VM deallocated", STOPPED), ("VM stopped", STOPPED), ("?", GAP)]
)
def test_az_vm_list_d_says_whether_a_machine_is_on(power: str, state: CoverageState) -> None:
    """It writes it as words, and not as the code of the instance view."""
    said = {"id": MACHINE, "name": "web-1", "type": "Microsoft.Compute/virtualMachines", "powerState": power}
    assert installed([{**said, "tags": EXCLUDED}]).state is state


def test_resource_graph_says_whether_a_machine_is_on() -> None:
    """It has the instance view under `extended`."""
    power = {"extended": {"instanceView": {"powerState": {"code": "PowerState/deallocated"}}}}
    said = {"data": [resource(MACHINE, "microsoft.compute/virtualmachines", power)], "totalRecords": 1}
    assert installed(said).state is STOPPED


@pytest.mark.parametrize(("code", "says"), [(10, "distribution is not supported"), (31, "tenant"), (199, "199")])
def test_a_failed_extension_says_what_its_code_means(code: int, says: str) -> None:
    """The code stands in what the installer said, or at the end of the status."""
    statuses = [{"code": "ProvisioningState/failed/1", "message": f"command terminated with exit status={code}"}]
    said = extension("Failed", instanceView={"statuses": statuses})
    found = installed(said)
    assert says in found.reason
    assert found.remedy == (
        "az vm extension delete --resource-group rg --vm-name web-1"
        " --subscription 11111111-1111-1111-1111-111111111111 --name MDE.Linux"
    )


def test_a_failure_in_the_instance_view_counts_before_the_state_of_the_deployment() -> None:
    """ARM may call a deployment succeeded whose handler failed."""
    view = {"statuses": [{"code": "ProvisioningState/failed/21", "message": "no"}]}
    assert installed(extension("Succeeded", instanceView=view)).state is GAP


def test_of_two_documents_that_contradict_each_other_the_worse_one_counts() -> None:
    """It is said that they do."""
    found = installed(extension("Failed"), extension("Succeeded"))
    assert found.state is GAP
    assert "contradict" in found.remarks[0]


def test_settings_that_name_another_machine_are_remarked_on() -> None:
    """A machine made from the image of another one reports as that one."""
    other = MACHINE.replace("web-1", "golden")
    assert other.lower() in installed(extension(settings={"azureResourceId": other})).remarks[0]
    assert not installed(extension(settings={"azureResourceId": MACHINE.upper()})).remarks


@pytest.mark.parametrize(("hours", "state"), [(11.9, UNKNOWN), (12.0, GAP)])
def test_a_new_machine_has_twelve_hours(hours: float, state: CoverageState) -> None:
    """Onboarding takes up to an hour, and twelve for the first subscription of a tenant."""
    said = machine(timeCreated=ago(hours=hours))
    assert installed(said, assessment(EDR_INSTALLED, "Unhealthy")).state is state


def test_a_tag_is_a_gap_of_a_new_machine_too() -> None:
    """Waiting does not mend it."""
    assert installed(machine(timeCreated=ago(hours=1), tags=EXCLUDED)).state is GAP


def test_a_tag_is_removed_by_the_remedy_whatever_stands_in_its_value() -> None:
    """Names in documents are not trusted."""
    found = installed(machine(tags={"ExcludeMdeAutoProvisioning": "true ; rm"}, resources=None))
    assert found.state is UNKNOWN
    found = installed(machine(tags={"excludeMDEautoprovisioning": "TRUE"}))
    assert found.remedy is not None and found.remedy.endswith("--tags excludeMDEautoprovisioning=TRUE")


@pytest.mark.parametrize("status", ["Connected", "Disconnected", "Expired"])
def test_an_extension_of_azure_arc_stays_where_the_machine_is_lost(status: str) -> None:
    """It is installed all the same, and a remark says that Azure Arc lost it."""
    found = installed(arc_machine(status), extension(of=ARC, type="MDE.Windows"), name="till-1")
    assert found.state is COVERED
    assert bool(found.remarks) == (status != "Connected")


def test_a_recommendation_on_a_machine_that_azure_arc_lost_proves_nothing() -> None:
    """It says what was true when Azure Arc last saw it."""
    rest = (joined(None, None, of=ARC), assessment(EDR_INSTALLED, of=ARC), POSTURE)
    assert installed(arc_machine(), *rest, name="till-1").state is COVERED
    assert installed(arc_machine("Disconnected"), *rest, name="till-1").state is UNKNOWN


def test_the_instances_of_a_uniform_scale_set_cannot_be_judged_by_extensions() -> None:
    """It is unknown, and says why; a set that does not say its mode is no better."""
    assert installed(scale_set("Uniform"), name="batch").state is UNKNOWN
    assert "uniform" in installed(scale_set("Uniform"), name="batch").reason
    assert installed(scale_set(""), name="batch").state is UNKNOWN


@pytest.mark.parametrize(("capacity", "state"), [(1, STOPPED), (2, UNKNOWN)])
def test_the_instances_of_a_flexible_scale_set_are_judged_by_themselves(capacity: int, state: CoverageState) -> None:
    """The set is none of them, once all are there."""
    one = machine(virtualMachineScaleSet={"id": SET.upper()})
    assert installed(scale_set("Flexible", capacity), one, name="batch").state is state


@pytest.mark.parametrize("is_first", [True, False])
def test_a_machine_is_called_as_arm_spells_it(is_first: bool) -> None:
    """Whichever document comes first: Resource Graph has ids in lower case."""
    said = [machine(MACHINE.replace("web-1", "Web-1")), joined(None, None)]
    (row,) = judged(*(said if is_first else reversed(said))).assessed.rows
    assert row.workload.name == "Web-1"


def test_a_row_that_merely_names_a_machine_is_no_machine() -> None:
    """A list of costs has the id of each machine in it."""
    result = judged([{"resourceId": MACHINE, "cost": 12}])
    assert not result.assessed.rows
    assert [name for name, _ in result.unused] == ["1.json"]


@settings(max_examples=some_of(100))
@given(st.text(st.characters(exclude_characters="/", exclude_categories=["Cs"]), min_size=1, max_size=12))
def test_a_name_cannot_leave_its_quotes(name: str) -> None:
    """A shell reads the name of a machine in a remedy as one word."""
    id = MACHINE.replace("web-1", f"x{name}x")
    found = verdict(judged(extension("Failed", of=id)), f"x{name}x", Rung.SENSOR_INSTALLED)
    assert f"x{name}x" in shlex.split(found.remedy or "")
