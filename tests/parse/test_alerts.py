"""What an alert says, field by field, in each of its forms."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from router.domain.resources import parse_resource_id
from router.domain.severity import Severity
from router.domain.signals import Kind
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


def test_a_flat_alert_keeps_what_it_says() -> None:
    """A flat alert's fields reach the signal as they are written."""
    alert = read_alert(a_flat_alert())
    assert alert.title == "Something happens"
    assert alert.description == "It happens on web-01."
    assert alert.remediation == ("Look at it.", "Mend it.")
    assert alert.link == "https://portal.azure.com/#blade/alert"
    assert alert.intents == ("Persistence", "CredentialAccess")
    assert alert.compromised_entity == "web-01"
    assert alert.product == "Microsoft Defender for Cloud"
    assert alert.extended == {"User Name": "ada"}
    assert [host.text("HostName") for host in alert.entities] == ["web-01"]


def test_the_times_of_an_alert_are_in_utc() -> None:
    """Seven fractional digits are cut to microseconds, and every time is in UTC."""
    alert = read_alert(a_flat_alert())
    assert alert.changed == datetime(2026, 11, 16, 2, 5, 53, 702521, UTC)
    assert alert.started == datetime(2026, 11, 16, 1, 34, 18, 515715, UTC)
    assert alert.ended == datetime(2026, 11, 16, 2, 4, 18, 951182, UTC)


@pytest.mark.parametrize(
    ("written", "expected"),
    [
        ("2019-01-15 05:15:20", datetime(2019, 1, 15, 5, 15, 20, tzinfo=UTC)),
        ("2023-03-22 07:27:51.489644+00:00", datetime(2023, 3, 22, 7, 27, 51, 489644, UTC)),
        ("2026-11-16T02:05:53+02:00", datetime(2026, 11, 16, 0, 5, 53, tzinfo=UTC)),
        (" 2026-11-16T02:05:53Z ", datetime(2026, 11, 16, 2, 5, 53, tzinfo=UTC)),
        ("2026-11-16 02:05:53\n", datetime(2026, 11, 16, 2, 5, 53, tzinfo=UTC)),
        ("0001-01-01T00:00:00Z", None),
        ("0001-01-01T00:00:00+14:00", None),
        ("9999-12-31T23:59:59-14:00", None),
        ("0002-01-01T00:00:00Z", datetime(2, 1, 1, tzinfo=UTC)),
        ("yesterday", None),
        ("", None),
        (17, None),
        (None, None),
    ],
)
def test_a_time_without_a_zone_is_utc_and_nonsense_is_none(written: object, expected: datetime | None) -> None:
    """A time is UTC unless it says otherwise; what is no time is no time, and the alert is still read."""
    assert read_alert(a_flat_alert(ProcessingEndTime=written, TimeGenerated=None)).changed == expected


def test_the_time_of_a_state_falls_back_to_when_the_alert_was_made() -> None:
    """Where an alert does not say when it was processed, the next best time orders its states."""
    assert read_alert(a_flat_alert(ProcessingEndTime=None)).changed == datetime(2026, 11, 16, 2, 5, 56, 171371, UTC)
    assert read_alert(an_old_arm_alert()).changed == datetime(2026, 11, 17, 5, 36, 12, 208988, UTC)
    old = an_old_arm_alert(reportedTimeUtc=None)
    assert read_alert(old).changed == datetime(2026, 11, 16, 19, 50, 47, 83633, UTC)


@pytest.mark.parametrize(
    ("written", "expected"),
    [
        ("High", Severity.HIGH),
        ("  mEDIUM ", Severity.MEDIUM),
        ("INFORMATIONAL", Severity.INFORMATIONAL),
        ("Critical", Severity.CRITICAL),
        ("Unheard-of", None),
        ("High/Medium", None),
        ("100", None),
    ],
)
def test_a_severity_ignores_case_and_an_unknown_one_is_none(written: str, expected: Severity | None) -> None:
    """A severity is known whatever its case; an unknown one is None, and what was written is kept."""
    alert = read_alert(a_flat_alert(Severity=written))
    assert (alert.severity, alert.severity_written) == (expected, written)


@pytest.mark.parametrize("missing", [None, "", "  ", [], {}, True])
def test_a_missing_severity_is_none(missing: object) -> None:
    """An alert without a usable severity is read all the same."""
    alert = read_alert(a_flat_alert(Severity=missing))
    assert (alert.severity, alert.severity_written) == (None, None)


@pytest.mark.parametrize(
    ("status", "resolved"),
    [
        ("New", False),
        ("Active", False),
        ("InProgress", False),
        ("Resolved", True),
        ("resolved", True),
        ("Dismissed", True),
        (None, False),
        ("", False),
    ],
)
def test_only_resolved_and_dismissed_alerts_are_over(status: str | None, resolved: bool) -> None:
    """Resolved and Dismissed end an alert; every other status, and none, lets it stand."""
    alert = read_alert(a_flat_alert(Status=status))
    assert (alert.status, alert.resolved) == (status or None, resolved)


@pytest.mark.parametrize(
    ("written", "kind"),
    [(True, Kind.INCIDENT), ("True", Kind.INCIDENT), ("true", Kind.INCIDENT)]
    + [(value, Kind.ALERT) for value in (False, "False", "", None, 1)],
)
def test_an_incident_says_so_as_a_boolean_or_in_letters(written: object, kind: Kind) -> None:
    """IsIncident true or "True" makes an incident, and nothing else does."""
    assert read_alert(a_flat_alert(IsIncident=written)).kind is kind


NO_SUBSCRIPTION = "/subscriptions/00000000-0000-0000-0000-000000000000/resourceGroups"


@pytest.mark.parametrize(
    "mark",
    [
        {"AlertType": "SIMULATED_VM_Example"},
        {"AlertDisplayName": "[SAMPLE ALERT] Something happens"},
        {"AzureResourceId": f"{NO_SUBSCRIPTION}/Sample-RG/providers/Microsoft.Compute/virtualMachines/Sample-VM"},
        {"AzureResourceId": f"{NO_SUBSCRIPTION.upper()}/SAMPLE-RG/PROVIDERS/MICROSOFT.KEYVAULT/VAULTS/SAMPLE-KV"},
    ],
)
def test_any_one_mark_of_defenders_tells_a_sample_alert(mark: dict[str, object]) -> None:
    """A sample alert is known by any one of the marks that only Defender sets, since none of them is always there."""
    assert read_alert(a_flat_alert(**mark)).sample is True


@pytest.mark.parametrize(
    "resemblance",
    [
        {},
        {"AlertDisplayName": "Sample taken"},
        {"AlertDisplayName": " [SAMPLE ALERT] Something happens"},
        {"AlertDisplayName": "User [SAMPLE ALERT] signed in"},
        {"AlertType": "VM_SIMULATED_x"},
        {"AzureResourceId": f"{NO_SUBSCRIPTION}/rg/providers/Microsoft.Compute/virtualMachines/Sample-vm"},
        {"AzureResourceId": f"{NO_SUBSCRIPTION}/Sample-RG/providers/Microsoft.Compute/virtualMachines/web"},
        {
            "AzureResourceId": "/subscriptions/1/resourceGroups/Sample-RG/providers/Microsoft.Compute/virtualMachines/Sample-VM"
        },
    ],
)
def test_an_alert_without_a_mark_is_no_sample(resemblance: dict[str, object]) -> None:
    """A real alert is never taken for a sample because it resembles one."""
    assert read_alert(a_flat_alert(**resemblance)).sample is False


CHOSEN = st.sampled_from(
    ["Sample-web-01", "Sample-VM", "Sample-RG", "SIMULATED_x", "[SAMPLE ALERT] x", "THIS IS A SAMPLE ALERT: x"]
) | st.text(max_size=20)


@settings(deadline=None)
@given(chosen=CHOSEN, place=st.sampled_from(["virtualMachines", "machines"]))
def test_nothing_that_somebody_on_a_host_can_choose_makes_a_sample(chosen: str, place: str) -> None:
    """Names of hosts, machines, groups, processes and files, and any description, leave a real alert a real one."""
    resource = f"{SUBSCRIPTION}/resourceGroups/{chosen}/providers/Microsoft.Compute/{place}/{chosen}"
    entities = [{"Type": "host", "HostName": chosen, "AzureID": resource}, {"Type": "process", "CommandLine": chosen}]
    alert = a_flat_alert(
        CompromisedEntity=chosen,
        Description=chosen,
        AzureResourceId=resource,
        AlertDisplayName=f"Suspicious process {chosen} executed",
        Entities=entities,
        ExtendedProperties={"Compromised Host": chosen, "EffectiveAzureResourceId": resource, "AlertType": chosen},
    )
    assert read_alert(alert).sample is False


def test_the_plan_is_told_by_the_component_else_by_the_type() -> None:
    """The component names the plan, on top or among the extended properties; else the alert type tells."""
    assert read_alert(a_flat_alert(ProductComponentName="Storage Accounts")).plan == "StorageAccounts"
    tucked_away = {"ProductComponentName": "Storage Accounts"}
    assert read_alert(a_flat_alert(ProductComponentName="", ExtendedProperties=tucked_away)).plan == "StorageAccounts"
    assert read_alert(a_flat_alert(ProductComponentName=None, AlertType="KV_Example")).plan == "KeyVaults"
    assert read_alert(a_flat_alert(ProductComponentName=None, AlertType="Unheard_of")).plan is None


@pytest.mark.parametrize(
    ("written", "intents"),
    [
        ("Persistence", ("Persistence",)),
        ("Persistence, CredentialAccess", ("Persistence", "CredentialAccess")),
        ("Persistence,,Persistence", ("Persistence",)),
        (["Execution", "Impact"], ("Execution", "Impact")),
        ('["Execution", "Impact"]', ("Execution", "Impact")),
        ("Unknown", ()),
        ("", ()),
        (None, ()),
        (7, ()),
    ],
)
def test_intents_are_a_list_in_any_form(written: object, intents: tuple[str, ...]) -> None:
    """Intents come out of a comma list, a list, or a list in a string; Unknown is none."""
    assert read_alert(a_flat_alert(Intent=written)).intents == intents


def test_old_alerts_tell_their_intents_among_the_extended_properties() -> None:
    """killChainIntent is where old ARM alerts name their tactics."""
    assert read_alert(an_old_arm_alert()).intents == ("LateralMovement", "Execution")
    assert read_alert(a_flat_alert(Intent="Unknown", ExtendedProperties={"killChainIntent": "Impact"})).intents == (
        "Impact",
    )


def test_techniques_and_sub_techniques_are_techniques() -> None:
    """Techniques come out of lists and out of a row's string."""
    assert read_alert(an_arm_alert()).techniques == ("T1059", "T1059.001")
    assert read_alert(a_table_row()).techniques == ("T1496",)
    assert read_alert(a_table_row(Techniques="T1496, T1059")).techniques == ("T1496", "T1059")
    assert read_alert(a_table_row(Techniques="")).techniques == ()


@pytest.mark.parametrize(
    ("changes", "resource"),
    [
        ({}, MACHINE),
        ({"AzureResourceId": None}, MACHINE),
        ({"AzureResourceId": None, "ResourceIdentifiers": [{"Type": "LogAnalytics"}]}, None),
        (
            {
                "AzureResourceId": "",
                "ResourceIdentifiers": None,
                "ExtendedProperties": {"EffectiveAzureResourceId": "/x"},
            },
            "/x",
        ),
    ],
)
def test_the_resource_is_found_wherever_it_stands(changes: dict[str, object], resource: str | None) -> None:
    """The resource is on top, else among the identifiers, else among the extended properties."""
    assert read_alert(a_flat_alert(**changes)).resource == resource


@pytest.mark.parametrize(
    "alert",
    [
        a_flat_alert(AzureResourceId=f" {MACHINE}\t", AlertType=" VM_Example ", SystemAlertId=" s1 "),
        a_flat_alert(
            AzureResourceId=None, ResourceIdentifiers=[{"AzureResourceId": f"{MACHINE} "}], SystemAlertId="s1"
        ),
        a_flat_alert(
            AzureResourceId=None,
            ResourceIdentifiers=None,
            ExtendedProperties={"EffectiveAzureResourceId": f"\n{MACHINE}"},
            SystemAlertId="s1",
        ),
        a_table_row(ResourceId=f" {MACHINE}", VendorOriginalId="s1 ", ProductComponentName=" VirtualMachines "),
        an_arm_alert(
            resourceIdentifiers=[{"azureResourceId": f" {MACHINE} "}],
            systemAlertId="s1 ",
            alertType=" VM_Example",
            productComponentName="virtualMachines ",
        ),
    ],
)
def test_what_is_compared_has_no_blanks_at_its_ends(alert: Message) -> None:
    """An id, a type, a plan and a resource are the same with blanks around them: subscription and owner are known by them."""
    read = read_alert(alert)
    assert (read.id, read.type, read.plan) == ("s1", "VM_Example", "VirtualMachines")
    assert parse_resource_id(read.resource).resource_group == "rg-web"


def test_a_table_row_holds_json_inside_strings() -> None:
    """A row's lists and objects are unpacked from their strings."""
    alert = read_alert(a_table_row())
    assert alert.remediation == ("Stop it.", "Find out how it came.")
    assert alert.extended == {"User Name": "ada"}
    assert [host.text("HostName") for host in alert.entities] == ["web-01"]
    assert alert.link == "https://portal.azure.com/#blade/alert"
    assert alert.intents == ("Execution",)


def test_a_table_row_may_sort_its_entities_by_type() -> None:
    """Entities that stand under their types count like listed ones."""
    entities = {"host": {"$id": "2", "HostName": "web-01", "Type": "host"}, "ip": [{"Address": "::1", "Type": "ip"}]}
    assert [entity.type for entity in read_alert(a_table_row(Entities=entities)).entities] == ["host", "ip"]


def test_the_portal_writes_the_zone_into_the_names_of_columns() -> None:
    """A row exported from the portal has its zone in the names of its time columns."""
    row = {f"{name} [UTC]" if "Time" in name else name: value for name, value in a_table_row().items()}
    assert read_alert(row).changed == read_alert(a_table_row()).changed is not None
    assert read_alert(row).started == read_alert(a_table_row()).started is not None
    del row["TimeGenerated [UTC]"]
    assert read_alert(row).changed == read_alert(a_table_row()).changed


@pytest.mark.parametrize(
    ("written", "steps"),
    [
        (["Look.", '["Mend.", "Rest."]'], ("Look.", "Mend.", "Rest.")),
        ("Look.", ("Look.",)),
        ("ask\r\nscan", ("ask\r\nscan",)),
        (["[not a list", "Look.", None, 5, ""], ("[not a list", "Look.")),
        (None, ()),
        ({"a": 1}, ()),
    ],
)
def test_remediation_steps_are_texts_in_any_form(written: object, steps: tuple[str, ...]) -> None:
    """Steps come out of a list, of lists inside its texts, and of one text."""
    assert read_alert(a_flat_alert(RemediationSteps=written)).remediation == steps


def test_extended_properties_are_plain_values() -> None:
    """Scalars stay as they are; lists and objects become JSON text, which every destination can write."""
    extended = {"a": "x", "b": 1, "c": True, "d": None, "e": [1, {"f": "ä"}]}
    assert read_alert(a_flat_alert(ExtendedProperties=extended)).extended == extended | {"e": '[1,{"f":"ä"}]'}


def test_an_alert_without_a_type_is_still_routed() -> None:
    """An alert that can be identified is never lost, however little else it says."""
    alert = read_alert({"SystemAlertId": "x"})
    assert (alert.id, alert.type, alert.title, alert.severity) == ("x", "", "", None)
