"""What an alert says, field by field, in each of its forms."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from router.domain.resources import parse_resource_id
from router.domain.severity import Severity
from router.domain.signals import Alert, Kind
from router.parse.fields import find_portal_time
from tests.parse.messages import (
    MACHINE,
    SUBSCRIPTION,
    Message,
    a_flat_alert,
    a_table_row,
    an_arm_alert,
    an_old_arm_alert,
    read_alert,
)


def flat(**changes: object) -> Alert:
    """What a flat alert is read as."""
    return read_alert(a_flat_alert(**changes))


def test_an_alert_keeps_what_it_says() -> None:
    """Seven fractional digits of its times are cut to microseconds, and every time is in UTC."""
    alert = flat()
    assert (alert.title, alert.description) == ("Something happens", "It happens on web-01.")
    assert (alert.remediation, alert.link) == (("Look at it.", "Mend it."), "https://portal.azure.com/#blade/alert")
    assert (alert.intents, alert.compromised_entity) == (("Persistence", "CredentialAccess"), "web-01")
    assert (alert.product, alert.extended) == ("Microsoft Defender for Cloud", {"User Name": "ada"})
    assert [host.text("HostName") for host in alert.entities] == ["web-01"]
    assert alert.changed == datetime(2026, 11, 16, 2, 5, 53, 702521, UTC)
    assert alert.started == datetime(2026, 11, 16, 1, 34, 18, 515715, UTC)
    assert alert.ended == datetime(2026, 11, 16, 2, 4, 18, 951182, UTC)


def test_a_table_row_keeps_what_it_says() -> None:
    """Its lists and objects are unpacked from their strings; entities may stand under their types."""
    alert = read_alert(a_table_row())
    assert (alert.remediation, alert.extended) == (("Stop it.", "Find out how it came."), {"User Name": "ada"})
    assert [host.text("HostName") for host in alert.entities] == ["web-01"]
    assert (alert.link, alert.intents) == ("https://portal.azure.com/#blade/alert", ("Execution",))
    entities = {"host": {"$id": "2", "HostName": "web-01", "Type": "host"}, "ip": [{"Address": "::1", "Type": "ip"}]}
    assert [entity.type for entity in read_alert(a_table_row(Entities=entities)).entities] == ["host", "ip"]


def test_an_alert_without_a_type_is_still_routed() -> None:
    """An alert that can be identified is never lost, however little else it says."""
    alert = read_alert({"SystemAlertId": "x"})
    assert (alert.id, alert.type, alert.title, alert.severity) == ("x", "", "", None)


def test_a_time_without_a_zone_is_utc_and_nonsense_is_none() -> None:
    """A time is UTC unless it says otherwise; what is no time is no time, and the alert is still read."""
    evening = datetime(2026, 11, 16, 2, 5, 53, tzinfo=UTC)
    written: dict[object, datetime | None] = {
        "2019-01-15 05:15:20": datetime(2019, 1, 15, 5, 15, 20, tzinfo=UTC),
        "2023-03-22 07:27:51.489644+00:00": datetime(2023, 3, 22, 7, 27, 51, 489644, UTC),
        "2026-11-16T04:05:53+02:00": evening,
        " 2026-11-16T02:05:53Z ": evening,
        "2026-11-16 02:05:53\n": evening,
        "0002-01-01T00:00:00Z": datetime(2, 1, 1, tzinfo=UTC),
        **dict.fromkeys(["0001-01-01T00:00:00Z", "0001-01-01T00:00:00+14:00", "9999-12-31T23:59:59-14:00"]),
        **dict.fromkeys(["yesterday", "", 17, None]),
    }
    assert {time: flat(ProcessingEndTime=time, TimeGenerated=None).changed for time in written} == written


def test_the_time_of_a_state_falls_back_to_when_the_alert_was_made() -> None:
    """Where an alert does not say when it was processed, the next best time orders its states."""
    assert flat(ProcessingEndTime=None).changed == datetime(2026, 11, 16, 2, 5, 56, 171371, UTC)
    assert read_alert(an_old_arm_alert()).changed == datetime(2026, 11, 17, 5, 36, 12, 208988, UTC)
    old = an_old_arm_alert(reportedTimeUtc=None)
    assert read_alert(old).changed == datetime(2026, 11, 16, 19, 50, 47, 83633, UTC)


def test_the_portal_writes_the_zone_into_the_names_of_columns() -> None:
    """A row exported from the portal has its zone in the names of its time columns."""
    row = {f"{name} [UTC]" if "Time" in name else name: value for name, value in a_table_row().items()}
    assert read_alert(row).changed == read_alert(a_table_row()).changed is not None
    assert read_alert(row).started == read_alert(a_table_row()).started is not None
    del row["TimeGenerated [UTC]"]
    assert read_alert(row).changed == read_alert(a_table_row()).changed


MORNING = datetime(2025, 2, 25, 9, 19, 25, 391000, UTC)
PORTAL_TIMES: dict[str, datetime | None] = {
    "2/25/2025, 9:19:25.391 AM": MORNING,
    "2/25/2025, 9:19:25.391\u202fAM": MORNING,
    "02/25/2025 9:19:25.3910000 AM": MORNING,
    "2/25/2025, 12:00:00 AM": datetime(2025, 2, 25, tzinfo=UTC),
    "2/25/2025, 12:00:00 PM": datetime(2025, 2, 25, 12, tzinfo=UTC),
    "2/25/2025, 11:59:59 PM": datetime(2025, 2, 25, 23, 59, 59, tzinfo=UTC),
    "25.02.2025, 09:19:25,391": MORNING,
    "25.2.2025 09:19:25.391": MORNING,
    "04.03.2025, 09:19:25": datetime(2025, 3, 4, 9, 19, 25, tzinfo=UTC),
    "2025-02-25, 9:19:25.391 a.m.": MORNING,
    "2025/02/25, 09:19:25.391": MORNING,
    "2025-03-04, 9:19:25 p.\u00a0m.": datetime(2025, 3, 4, 21, 19, 25, tzinfo=UTC),
    **dict.fromkeys(["25/02/2025, 09:19:25.391", "25-02-2025, 09:19:25.391", "03/04/2025, 09:19:25"]),
    **dict.fromkeys(["3/4/2025, 9:19:25 am", "3/4/2025, 9:19:25 a.\u00a0m.", "03-04-2025, 09:19:25 AM"]),
    **dict.fromkeys(["02.25.2025, 09:19:25", "2025-25-02, 09:19:25", "2025/02-25, 09:19:25", "2/25-2025, 9:19:25 AM"]),
    **dict.fromkeys(["2/25/2025, 9:19 AM", "13/13/2025, 9:19:25 AM", "2/30/2025, 9:19:25 AM"]),
    **dict.fromkeys(["2/25/2025, 13:19:25 PM", "2/25/2025, 0:19:25 AM", "2/25/2025", "2/25/0000, 9:19:25 AM"]),
}
"""Times as Azure's portal writes them into CSV exports; None where it does not say which number is the month."""


def test_times_of_the_portal_are_read_whose_form_says_which_number_is_the_month() -> None:
    """Nothing is guessed; also where a row comes as JSON."""
    assert {text: find_portal_time(text) for text in PORTAL_TIMES} == PORTAL_TIMES
    alert = read_alert(a_table_row(ProcessingEndTime="2/25/2025, 9:19:25.391 AM", StartTime="03/04/2025, 09:19:25"))
    assert (alert.changed, alert.started) == (MORNING, None)


@given(st.integers(1_546_300_800, 2_051_222_400).map(lambda second: datetime.fromtimestamp(second, UTC)))
def test_every_time_of_the_portal_comes_back(time: datetime) -> None:
    """In 24 hours with the day or the year first, and in 12 with the month first."""
    for form in ("%d.%m.%Y, %H:%M:%S", "%Y/%m/%d, %H:%M:%S", "%m/%d/%Y, %I:%M:%S %p"):
        assert find_portal_time(time.strftime(form)) == time


def test_a_severity_ignores_case_and_an_unknown_one_is_none() -> None:
    """What was written is kept, if it is a text; an alert without a usable severity is read all the same."""
    known = {"High": Severity.HIGH, "  mEDIUM ": Severity.MEDIUM, "INFORMATIONAL": Severity.INFORMATIONAL}
    written = known | {"Critical": Severity.CRITICAL} | dict.fromkeys(["Unheard-of", "High/Medium", "100"])
    for text, severity in written.items():
        alert = flat(Severity=text)
        assert (alert.severity, alert.severity_written) == (severity, text)
    nothings: tuple[object, ...] = (None, "", "  ", [], {}, True)
    for nothing in nothings:
        assert (flat(Severity=nothing).severity, flat(Severity=nothing).severity_written) == (None, None), nothing


def test_only_resolved_and_dismissed_alerts_are_over() -> None:
    """Every other status, and none, lets an alert stand."""
    statuses = dict.fromkeys(["New", "Active", "InProgress", None, ""], False)
    statuses |= dict.fromkeys(["Resolved", "resolved", "Dismissed"], True)
    assert {status: flat(Status=status).resolved for status in statuses} == statuses
    assert [flat(Status=status).status for status in ("InProgress", "", None)] == ["InProgress", None, None]


def test_an_incident_says_so_as_a_boolean_or_in_letters() -> None:
    """IsIncident true or "True" makes an incident, and nothing else does."""
    assert {flat(IsIncident=written).kind for written in (True, "True", "true")} == {Kind.INCIDENT}
    assert {flat(IsIncident=written).kind for written in (False, "False", "", None, 1)} == {Kind.ALERT}


ZEROS = "/subscriptions/00000000-0000-0000-0000-000000000000/resourceGroups"
VMS = "providers/Microsoft.Compute/virtualMachines"


def test_any_one_mark_of_defenders_tells_a_sample_alert_and_no_resemblance_does(subtests: pytest.Subtests) -> None:
    """None of the marks is always there, and only Defender sets them."""
    marks = [
        {"AlertType": "SIMULATED_VM_Example"},
        {"AlertDisplayName": "[SAMPLE ALERT] Something happens"},
        {"AzureResourceId": f"{ZEROS}/Sample-RG/{VMS}/Sample-VM"},
        {"AzureResourceId": f"{ZEROS.upper()}/SAMPLE-RG/PROVIDERS/MICROSOFT.KEYVAULT/VAULTS/SAMPLE-KV"},
    ]
    resemblances: list[dict[str, str]] = [
        {},
        {"AlertDisplayName": "Sample taken"},
        {"AlertDisplayName": " [SAMPLE ALERT] Something happens"},
        {"AlertDisplayName": "User [SAMPLE ALERT] signed in"},
        {"AlertType": "VM_SIMULATED_x"},
        {"AzureResourceId": f"{ZEROS}/rg/{VMS}/Sample-vm"},
        {"AzureResourceId": f"{ZEROS}/Sample-RG/{VMS}/web"},
        {"AzureResourceId": f"/subscriptions/1/resourceGroups/Sample-RG/{VMS}/Sample-VM"},
    ]
    for said in marks + resemblances:
        with subtests.test(said=said):
            assert flat(**said).sample is (said in marks)


CHOSEN = st.sampled_from(
    ["Sample-web-01", "Sample-VM", "Sample-RG", "SIMULATED_x", "[SAMPLE ALERT] x", "THIS IS A SAMPLE ALERT: x"]
) | st.text(max_size=20)


@given(chosen=CHOSEN, place=st.sampled_from(["virtualMachines", "machines"]))
def test_nothing_that_somebody_on_a_host_can_choose_makes_a_sample(chosen: str, place: str) -> None:
    """Names of hosts, machines, groups, processes and files, and any description, leave a real alert a real one."""
    resource = f"{SUBSCRIPTION}/resourceGroups/{chosen}/providers/Microsoft.Compute/{place}/{chosen}"
    entities = [{"Type": "host", "HostName": chosen, "AzureID": resource}, {"Type": "process", "CommandLine": chosen}]
    alert = flat(
        CompromisedEntity=chosen,
        Description=chosen,
        AzureResourceId=resource,
        AlertDisplayName=f"Suspicious process {chosen} executed",
        Entities=entities,
        ExtendedProperties={"Compromised Host": chosen, "EffectiveAzureResourceId": resource, "AlertType": chosen},
    )
    assert alert.sample is False


def test_intents_are_a_list_in_any_form() -> None:
    """Out of a comma list, a list, or a list in a string; old alerts name them elsewhere; Unknown is none."""
    impact = ("Execution", "Impact")
    for written, intents in (
        ("Persistence", ("Persistence",)),
        ("Persistence, CredentialAccess", ("Persistence", "CredentialAccess")),
        ("Persistence,,Persistence", ("Persistence",)),
        (["Execution", "Impact"], impact),
        ('["Execution", "Impact"]', impact),
        *((nothing, ()) for nothing in ("Unknown", "", None, 7)),
    ):
        assert flat(Intent=written).intents == intents, written
    assert read_alert(an_old_arm_alert()).intents == ("LateralMovement", "Execution")
    assert flat(Intent="Unknown", ExtendedProperties={"killChainIntent": "Impact"}).intents == ("Impact",)


def test_techniques_and_sub_techniques_are_techniques() -> None:
    """Techniques come out of lists and out of a row's string."""
    assert read_alert(an_arm_alert()).techniques == ("T1059", "T1059.001")
    techniques = {'["T1496"]': ("T1496",), "T1496, T1059": ("T1496", "T1059"), "": ()}
    assert {text: read_alert(a_table_row(Techniques=text)).techniques for text in techniques} == techniques


def test_the_resource_is_found_wherever_it_stands() -> None:
    """The resource is on top, else among the identifiers, else among the extended properties."""
    nowhere = {"AzureResourceId": "", "ResourceIdentifiers": None}
    assert [flat().resource, flat(AzureResourceId=None).resource] == [MACHINE, MACHINE]
    assert flat(AzureResourceId=None, ResourceIdentifiers=[{"Type": "LogAnalytics"}]).resource is None
    assert flat(**nowhere, ExtendedProperties={"EffectiveAzureResourceId": "/x"}).resource == "/x"


def test_what_is_compared_has_no_blanks_at_its_ends() -> None:
    """An id, a type, a plan and a resource are the same with blanks around them: subscription and owner are known by them."""
    nowhere: Message = {"AzureResourceId": None, "ResourceIdentifiers": None, "SystemAlertId": "s1"}
    extended = {"EffectiveAzureResourceId": f"\n{MACHINE}"}
    for message in (
        a_flat_alert(AzureResourceId=f" {MACHINE}\t", AlertType=" VM_Example ", SystemAlertId=" s1 "),
        a_flat_alert(**nowhere | {"ResourceIdentifiers": [{"AzureResourceId": f"{MACHINE} "}]}),
        a_flat_alert(**nowhere, ExtendedProperties=extended),
        a_table_row(ResourceId=f" {MACHINE}", VendorOriginalId="s1 ", ProductComponentName=" VirtualMachines "),
        an_arm_alert(
            resourceIdentifiers=[{"azureResourceId": f" {MACHINE} "}],
            systemAlertId="s1 ",
            alertType=" VM_Example",
            productComponentName="virtualMachines ",
        ),
    ):
        read = read_alert(message)
        assert (read.id, read.type, read.plan) == ("s1", "VM_Example", "VirtualMachines")
        assert parse_resource_id(read.resource).resource_group == "rg-web"


def test_remediation_steps_are_texts_in_any_form() -> None:
    """Steps come out of a list, of lists inside its texts, and of one text."""
    for written, steps in (
        (["Look.", '["Mend.", "Rest."]'], ("Look.", "Mend.", "Rest.")),
        ("Look.", ("Look.",)),
        ("ask\r\nscan", ("ask\r\nscan",)),
        (["[not a list", "Look.", None, 5, ""], ("[not a list", "Look.")),
        (None, ()),
        ({"a": 1}, ()),
    ):
        assert flat(RemediationSteps=written).remediation == steps, written


def test_extended_properties_are_plain_values() -> None:
    """Scalars stay as they are; lists and objects become JSON text, which every destination can write."""
    extended = {"a": "x", "b": 1, "c": True, "d": None, "e": [1, {"f": "ä"}]}
    assert flat(ExtendedProperties=extended).extended == extended | {"e": '[1,{"f":"ä"}]'}
