"""What an alert says, field by field, in each of its forms, and what one of Azure Monitor's says in the common schema."""

from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from router.domain.decisions import Code
from router.domain.evidence import Evidence
from router.domain.resources import parse_resource_id
from router.domain.severity import Severity
from router.domain.signals import Alert, Kind
from router.parse import evidence_of
from router.parse.azure_monitor import LONGEST_QUERY
from router.parse.fields import find_portal_time
from tests.parse.messages import (
    CATALOGUE,
    MACHINE,
    SUBSCRIPTION,
    WORKSPACE,
    Message,
    a_common_alert,
    a_flat_alert,
    a_metric_alert,
    a_table_row,
    an_arm_alert,
    an_old_arm_alert,
    read_alert,
    read_quarantined,
)


def flat(**changes: object) -> Alert:
    """What a flat alert is read as."""
    return read_alert(a_flat_alert(**changes))


def test_an_alert_keeps_what_it_says() -> None:
    """Times are cut to microseconds, and in UTC. A row's lists come out of strings; entities may stand under their types."""
    alert = flat()
    assert (alert.title, alert.description) == ("Something happens", "It happens on web-01.")
    assert (alert.remediation, alert.link) == (("Look at it.", "Mend it."), "https://portal.azure.com/#blade/alert")
    assert (alert.intents, alert.compromised_entity) == (("Persistence", "CredentialAccess"), "web-01")
    assert (alert.product, alert.extended) == ("Microsoft Defender for Cloud", {"User Name": "ada"})
    assert [host.text("hostname") for host in alert.entities] == ["web-01"]
    assert alert.changed == datetime(2026, 11, 16, 2, 5, 53, 702521, UTC)
    assert alert.started == datetime(2026, 11, 16, 1, 34, 18, 515715, UTC)
    assert alert.ended == datetime(2026, 11, 16, 2, 4, 18, 951182, UTC)
    alert = read_alert(a_table_row())
    assert (alert.remediation, alert.extended) == (("Stop it.", "Find out how it came."), {"User Name": "ada"})
    assert [host.text("hostname") for host in alert.entities] == ["web-01"]
    assert (alert.link, alert.intents) == ("https://portal.azure.com/#blade/alert", ("Execution",))
    entities = {"host": {"$id": "2", "HostName": "web-01", "Type": "host"}, "ip": [{"Address": "::1", "Type": "ip"}]}
    assert [entity.type for entity in read_alert(a_table_row(Entities=entities)).entities] == ["host", "ip"]


EVENING = datetime(2026, 11, 16, 2, 5, 53, tzinfo=UTC)
IMPACT = ("Execution", "Impact")
EXTENDED = {"a": "x", "b": 1, "c": True, "d": None, "e": [1, {"f": "ä"}]}
NO_TEXTS: list[tuple[object, object]] = [(None, None), ("  ", None), ([], None), (True, None)]
FIELDS: list[tuple[str, str, list[tuple[object, object]]]] = [
    # A time is UTC unless it says otherwise; what is no time is none.
    (
        "ProcessingEndTime",
        "changed",
        [
            ("2019-01-15 05:15:20", datetime(2019, 1, 15, 5, 15, 20, tzinfo=UTC)),
            ("2023-03-22 07:27:51.489644+00:00", datetime(2023, 3, 22, 7, 27, 51, 489644, UTC)),
            *(
                (same, EVENING)
                for same in ("2026-11-16T04:05:53+02:00", " 2026-11-16T02:05:53Z ", "2026-11-16 02:05:53\n")
            ),
            ("0002-01-01T00:00:00Z", datetime(2, 1, 1, tzinfo=UTC)),
            *(
                (zero, None)
                for zero in ("0001-01-01T00:00:00Z", "0001-01-01T00:00:00+14:00", "9999-12-31T23:59:59-14:00")
            ),
            *((nothing, None) for nothing in ("yesterday", "", 17, None)),
        ],
    ),
    # A severity ignores case, and one that is not known is none; what was written is kept, if it is a text.
    (
        "Severity",
        "severity",
        [("High", Severity.HIGH), ("  mEDIUM ", Severity.MEDIUM), ("Critical", Severity.CRITICAL)],
    ),
    ("Severity", "severity", [("INFORMATIONAL", Severity.INFORMATIONAL), ("High/Medium", None), ("100", None)]),
    ("Severity", "severity_written", [(text, text) for text in ("  mEDIUM ", "Unheard-of", "100")]),
    ("Severity", "severity", NO_TEXTS),
    ("Severity", "severity_written", NO_TEXTS),
    # Only Resolved and Dismissed are over.
    ("Status", "resolved", [(status, False) for status in ("New", "Active", "InProgress", None, "")]),
    ("Status", "resolved", [(status, True) for status in ("Resolved", "resolved", "Dismissed")]),
    ("Status", "status", [("InProgress", "InProgress"), ("", None), (None, None)]),
    # An incident says so as a boolean or in letters.
    ("IsIncident", "kind", [(written, Kind.INCIDENT) for written in (True, "True", "true")]),
    ("IsIncident", "kind", [(written, Kind.ALERT) for written in (False, "False", "", None, 1)]),
    # A list comes in any form; Unknown is none.
    ("Intent", "intents", [("Persistence, CredentialAccess", ("Persistence", "CredentialAccess"))]),
    ("Intent", "intents", [("Persistence,,Persistence", ("Persistence",)), (["Execution", "Impact"], IMPACT)]),
    ("Intent", "intents", [('["Execution", "Impact"]', IMPACT), *((no, ()) for no in ("Unknown", "", None, 7))]),
    ("Techniques", "techniques", [('["T1496"]', ("T1496",)), ("T1496, T1059", ("T1496", "T1059")), ("", ())]),
    ("RemediationSteps", "remediation", [(["Look.", '["Mend.", "Rest."]'], ("Look.", "Mend.", "Rest."))]),
    ("RemediationSteps", "remediation", [("ask\r\nscan", ("ask\r\nscan",)), (None, ()), ({"a": 1}, ())]),
    ("RemediationSteps", "remediation", [(["[not a list", "Look.", None, 5, ""], ("[not a list", "Look."))]),
    # Scalars stay as they are; lists and objects become JSON text, which every destination can write.
    ("ExtendedProperties", "extended", [(EXTENDED, EXTENDED | {"e": '[1,{"f":"ä"}]'})]),
]
"""Fields of a message and of an alert, with forms in which the one is written and how the other reads."""


def test_a_field_is_read_in_any_form_and_what_it_cannot_be_is_none(subtests: pytest.Subtests) -> None:
    """An alert that can be identified is never lost, however little else it says."""
    for field, name, forms in FIELDS:
        for written, value in forms:
            with subtests.test(field, written=written):
                assert getattr(flat(**{"TimeGenerated": None, field: written}), name) == value
    alert = read_alert({"SystemAlertId": "x"})
    assert (alert.id, alert.type, alert.title, alert.severity) == ("x", "", "", None)


def test_what_is_not_in_its_place_is_found_in_the_next() -> None:
    """The time of a state, else when the alert was made; the intents of old alerts; sub-techniques; the resource."""
    assert flat(ProcessingEndTime=None).changed == datetime(2026, 11, 16, 2, 5, 56, 171371, UTC)
    assert read_alert(an_old_arm_alert()).changed == datetime(2026, 11, 17, 5, 36, 12, 208988, UTC)
    old = an_old_arm_alert(reportedTimeUtc=None)
    assert read_alert(old).changed == datetime(2026, 11, 16, 19, 50, 47, 83633, UTC)
    assert read_alert(old).intents == ("LateralMovement", "Execution")
    assert flat(Intent="Unknown", ExtendedProperties={"killChainIntent": "Impact"}).intents == ("Impact",)
    assert read_alert(an_arm_alert()).techniques == ("T1059", "T1059.001")
    assert [flat().resource, flat(AzureResourceId=None).resource] == [MACHINE, MACHINE]
    assert flat(AzureResourceId=None, ResourceIdentifiers=[{"Type": "LogAnalytics"}]).resource is None
    nowhere = {"AzureResourceId": "", "ResourceIdentifiers": None}
    assert flat(**nowhere, ExtendedProperties={"EffectiveAzureResourceId": "/x"}).resource == "/x"


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
    """Nothing is guessed. The zone may stand in the names of columns; a row may come as JSON."""
    row = {f"{name} [UTC]" if "Time" in name else name: value for name, value in a_table_row().items()}
    assert read_alert(row).changed == read_alert(a_table_row()).changed is not None
    assert read_alert(row).started == read_alert(a_table_row()).started is not None
    del row["TimeGenerated [UTC]"]
    assert read_alert(row).changed == read_alert(a_table_row()).changed
    assert {text: find_portal_time(text) for text in PORTAL_TIMES} == PORTAL_TIMES
    alert = read_alert(a_table_row(ProcessingEndTime="2/25/2025, 9:19:25.391 AM", StartTime="03/04/2025, 09:19:25"))
    assert (alert.changed, alert.started) == (MORNING, None)


@given(st.integers(1_546_300_800, 2_051_222_400).map(lambda second: datetime.fromtimestamp(second, UTC)))
def test_every_time_of_the_portal_comes_back(time: datetime) -> None:
    """In 24 hours with the day or the year first, and in 12 with the month first."""
    for form in ("%d.%m.%Y, %H:%M:%S", "%Y/%m/%d, %H:%M:%S", "%m/%d/%Y, %I:%M:%S %p"):
        assert find_portal_time(time.strftime(form)) == time


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


_ARC = f"{SUBSCRIPTION}/resourceGroups/rg-arc/providers/Microsoft.HybridCompute/machines/till-7"


def _split_by(**dimensions: str) -> list[Message]:
    return [{"name": name, "value": value} for name, value in dimensions.items()]


def common(*, split: dict[str, str] | None = None, context: Message | None = None, **essentials: Any) -> Alert:
    """What an alert in the common schema is read as; `split` are the dimensions of its rule."""
    dimensions = None if split is None else _split_by(**split)
    return read_alert(a_common_alert(dimensions=dimensions, context=context, **essentials))


def evidence(alert: Alert) -> Evidence:
    """The evidence of an alert."""
    return evidence_of(alert, CATALOGUE)


def test_it_is_azure_monitor_s_and_has_the_severity_that_the_author_of_its_rule_gave() -> None:
    """Plan and sample mark are never Defender's. Sev0 and Sev1 are High; one that is not known is kept as written."""
    zeros = "/subscriptions/00000000-0000-0000-0000-000000000000/resourceGroups/sample-rg/providers/Microsoft.Compute"
    disguises: list[dict[str, Any]] = [{"alertRule": "SIMULATED_VM_Example"}, {"alertRule": "[SAMPLE ALERT] a test"}]
    disguises += [{}, {"alertRule": "Storage.Example"}, {"alertTargetIDs": [f"{zeros}/virtualMachines/sample-vm"]}]
    alerts = [common(**disguise) for disguise in disguises]
    for alert in (*alerts, read_alert(a_flat_alert() | a_common_alert())):
        assert (alert.product, alert.plan, alert.sample) == ("Azure Monitor", None, False)
    severities = {"Sev0": Severity.HIGH, "Sev1": Severity.HIGH, "Sev2": Severity.MEDIUM, "Sev3": Severity.LOW}
    severities |= {"Sev4": Severity.INFORMATIONAL, " sev4 ": Severity.INFORMATIONAL}
    for written, severity in (severities | dict.fromkeys(["Sev5", "High", None])).items():
        alert = common(severity=written)
        assert (alert.severity, alert.severity_written) == (severity, written)


def test_fired_opens_and_resolved_ends_the_same_alert() -> None:
    """Both have one id; each has the time of its own state, or that of the beginning: then the arrival orders them."""
    fired = common()
    over = common(condition="Resolved", resolvedDateTime="2026-11-18T14:30:00Z")
    assert (fired.id, fired.resolved, fired.status) == (over.id, False, "Fired")
    assert (over.resolved, over.status) == (True, "Resolved")
    assert fired.changed == fired.started == over.started == datetime(2026, 11, 18, 13, 58, 24, 371321, UTC)
    assert over.changed == over.ended == datetime(2026, 11, 18, 14, 30, tzinfo=UTC)
    assert (fired.ended, common(condition="Resolved").changed) == (None, fired.changed)


def test_where_it_is_is_never_the_workspace_that_was_searched(subtests: pytest.Subtests) -> None:
    """The resource is a target or a dimension that is a resource's id; where none is, it is unknown."""
    cases: list[tuple[dict[str, Any], dict[str, str], str | None]] = [
        ({"alertTargetIDs": [MACHINE]}, {}, MACHINE),
        ({"alertTargetIDs": MACHINE}, {}, MACHINE),
        ({"alertTargetIDs": [WORKSPACE, MACHINE]}, {}, MACHINE),
        ({"alertTargetIDs": [WORKSPACE.lower()], "configurationItems": [_ARC]}, {}, _ARC),
        ({"alertTargetIDs": [WORKSPACE]}, {"Computer": "till-7", "_ResourceId": f" {_ARC} "}, _ARC),
        ({"alertTargetIDs": [WORKSPACE]}, {"AzureResourceId": _ARC}, _ARC),
        ({"alertTargetIDs": [WORKSPACE]}, {"ResourceId": _ARC}, _ARC),
        ({"alertTargetIDs": [WORKSPACE], "configurationItems": [_ARC]}, {"_ResourceId": MACHINE}, MACHINE),
        ({"alertTargetIDs": [WORKSPACE], "configurationItems": [WORKSPACE]}, {"Computer": "till-7"}, None),
        ({"alertTargetIDs": [SUBSCRIPTION]}, {}, None),
        ({"alertTargetIDs": None, "configurationItems": None}, {}, None),
    ]
    for essentials, split, resource in cases:
        with subtests.test(essentials=essentials, split=split):
            assert common(split=split, **essentials).resource == resource


LOGGED = [
    *("Computer", "FilePath", "HostName", "ProcessCommandLine", "ProcessName", "RawData", "Resource", "SyslogMessage"),
    *("UserAgent", "Where", "Resource_Id", "ResourceIdentifier", "TargetResourceId", "_ResourceId_s"),
]


def test_a_logged_value_that_reads_like_a_resource_is_not_one(subtests: pytest.Subtests) -> None:
    """What a machine or a stranger on it wrote makes the alert of no other resource: only Azure's own columns name one."""
    for name in LOGGED:
        for true in ({}, {"_ResourceId": MACHINE}):
            split, here = {name: f"{_ARC} ", **true}, [WORKSPACE]
            row: Message = {"condition": {"allOf": [{"event": [_split_by(**split)]}]}}
            for alert in (
                common(split=split, alertTargetIDs=here),
                common(split=split, alertTargetIDs=here, configurationItems=[_ARC]),
                common(split=split | {name: f"a {_ARC}/."}, alertTargetIDs=here, configurationItems=[_ARC]),
                common(context=row, alertTargetIDs=here),
            ):
                with subtests.test(name, true=true):
                    assert alert.resource == true.get("_ResourceId")


def test_dimensions_are_evidence_and_so_are_other_columns() -> None:
    """They are known by the names of their columns. People are told the computer, else what is no id and no workspace."""
    assert common(split={"Computer": "web-01"}, configurationItems=["till-7"]).compromised_entity == "web-01"
    for items, entity in ((["web-01"], "web-01"), (["LOGS", "till-7"], "till-7"), ([MACHINE], None)):
        assert common(split={}, alertTargetIDs=[WORKSPACE], configurationItems=items).compromised_entity == entity
    alert = common()
    assert (evidence(alert).hosts, evidence(alert).files) == (("web-01",), ("/etc/passwd",))
    assert {"Computer": "web-01", "FilePath": "/etc/passwd"}.items() <= alert.extended.items()
    (file,) = alert.entities.of_type("file")
    assert (alert.compromised_entity, file.text("name"), file.text("directory")) == ("web-01", "passwd", "/etc")
    split = {
        "FileSha256": "ab" * 32,
        "requestaccountname": "CONTOSO\\ada",
        "RequestSourceIP": "192.0.2.7",
        "InitiatingProcessImageFilePath": "/usr/bin/vi",
        "_ResourceId": MACHINE,
    }
    found = evidence(common(split=split))
    assert (found.hashes, found.accounts) == (("SHA256:" + "ab" * 32,), ("CONTOSO\\ada",))
    assert (found.ips, found.processes, found.resources) == (("192.0.2.7",), ("/usr/bin/vi",), (MACHINE,))
    for path in ("/etc/passwd", "/passwd", "C:\\Windows\\hosts", "C:\\hosts", "hosts", "/etc/", "/"):
        assert evidence(common(split={"FilePath": path})).files == (path,)


def test_dimensions_are_found_wherever_they_stand() -> None:
    """In two criteria with a value each, in the row that a simple rule sends, in the context itself before 2020."""
    names = ("web-01", "web-02", "web-01")
    both = common(context={"condition": {"allOf": [{"dimensions": _split_by(Computer=name)} for name in names]}})
    assert (both.extended["Computer"], evidence(both).hosts) == ("web-01, web-02", ("web-01", "web-02"))
    row = _split_by(Computer="web-01", FilePath="/etc/shadow")
    simple = {"conditionType": "LogQueryCriteria", "condition": {"allOf": [{"dimensions": None, "event": [row]}]}}
    assert evidence(common(context=simple)).files == ("/etc/shadow",)
    link = "https://portal.azure.com/#old"
    context = {"SearchQuery": "Perf", "LinkToSearchResults": link, "Dimensions": _split_by(Computer="web-01")}
    old = common(context=context, monitoringService="Log Analytics")
    assert (evidence(old).hosts, old.link, old.extended["searchQuery"]) == (("web-01",), link, "Perf")


def test_what_was_measured_and_what_the_author_says_stands_in_its_extended_properties() -> None:
    """A custom property that bears a dimension's name does not replace what was found; a query is kept up to a bound."""
    said = {"metricName": "Percentage CPU", "metricValue": "7.727", "operator": "GreaterThan", "threshold": "25"}
    assert (said | {"monitoringService": "Platform"}).items() <= read_alert(a_metric_alert()).extended.items()
    message = a_common_alert()
    message["data"]["customProperties"] |= {"FilePath": "nothing", "team": "linux"}
    extended = read_alert(message).extended
    assert extended["runbook"] == "https://wiki.contoso.example/file-integrity"
    assert (extended["team"], extended["FilePath"]) == ("linux", "/etc/passwd")
    criterion = message["data"]["alertContext"]["condition"]["allOf"][0]
    for length, kept in ((LONGEST_QUERY, "x" * LONGEST_QUERY), (LONGEST_QUERY + 1, "x" * LONGEST_QUERY + "…")):
        criterion["searchQuery"] = "x" * length
        assert read_alert(message).extended["searchQuery"] == kept


def test_title_and_link_are_of_what_the_alert_is_about() -> None:
    """The rule, else its id, and what changed; the rows of its own dimensions, else all. What is no web page is no link."""
    message = a_common_alert(investigationLink="https://portal.azure.com/#investigate")
    criterion = message["data"]["alertContext"]["condition"]["allOf"][0]
    assert read_alert(message).link == "https://portal.azure.com#@tenant/blade/filtered"
    del criterion["linkToFilteredSearchResultsUI"]
    assert read_alert(message).link == "https://portal.azure.com#@tenant/blade/all"
    criterion["linkToSearchResultsUI"] = "javascript:alert(1)"
    assert read_alert(message).link == "https://portal.azure.com/#investigate"
    assert common().title == "file-integrity: /etc/passwd"
    contexts: list[Message] = [
        {},
        {"conditionType": "SomethingNew", "condition": 5},
        {"authorization": {}},
        {"a": [[]]},
    ]
    for context in contexts:
        alert = common(context=context)
        assert (alert.type, alert.title, alert.resource) == ("file-integrity", "file-integrity", MACHINE)
    rule = f"{SUBSCRIPTION}/resourceGroups/rg/providers/microsoft.insights/scheduledQueryRules/fim"
    assert common(alertRule=None, alertRuleId=rule).type == "fim"
    assert (common(alertRule=None).type, common(alertRule=None).title) == ("", "An Azure Monitor alert: /etc/passwd")


def test_what_cannot_be_identified_or_read_is_quarantined_and_no_key_in_its_url_is_kept() -> None:
    """Without an alertId its Fired could not be told from another's; the name of the schema alone makes no alert.

    A message in another schema says which one is read: behind the question mark of a URL may be a key.
    """
    nameless: list[object] = [None, " ", {"a": 1}]
    for id in nameless:
        refused = read_quarantined(a_common_alert(alertId=id))
        assert (refused.reason.code, refused.at_fault) == (Code.INVALID, "data.essentials.alertId")
    unsaid: list[Message] = [{}, {"data": "x"}, {"data": {"essentials": [1]}}, {"data": {"essentials": {}}}]
    for data in unsaid:
        refused = read_quarantined({"schemaId": "azureMonitorCommonAlertSchema"} | data)
        assert (refused.reason.code, refused.at_fault) == (Code.UNKNOWN_SHAPE, "data.essentials")
    refused = read_quarantined({"schemaId": "Microsoft.Insights/LogAlert", "data": {"AlertRuleName": "fim"}})
    assert refused.reason.code is Code.UNKNOWN_SHAPE
    assert all(words in refused.reason.words for words in ("Microsoft.Insights/LogAlert", "common alert schema"))
    for name in ("type", "schemaId"):
        for mark in ("?", "#", "x" * 300 + "?"):
            refused = read_quarantined({name: f"https://logic.example/s{mark}code=hunter2&sig=hunter2"})
            assert refused.reason.code is Code.UNKNOWN_SHAPE
            assert "https://logic.example/s" in refused.reason.words
            assert "hunter2" not in refused.reason.words
