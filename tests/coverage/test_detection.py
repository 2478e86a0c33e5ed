"""Only a real alert about a workload itself, of what watches it, proves that it is watched; none proves nothing."""

from __future__ import annotations

import pytest

from router.coverage.expected.manifest import NO_MANIFEST, Expectation
from router.coverage.facts import CoverageCase, Facts
from router.coverage.judges.alerts import judge_detection
from router.coverage.readers import read_facts
from router.coverage.verdicts import CoverageState, Verdict, Workload
from router.domain.coverage import Rung, WorkloadKind
from router.domain.coverage_sources import CoverageSourceKind
from tests.coverage.builders import (
    CLUSTER,
    MACHINE,
    NOW,
    SUBSCRIPTION,
    Json,
    alert,
    document,
    expecting,
    judged,
    managed_cluster,
    pricing,
    resource,
    verdict,
)
from tests.coverage.machine_builders import ago, machine
from tests.coverage.stored_builders import heard

SERVER = f"/subscriptions/{SUBSCRIPTION}/resourceGroups/rg/providers/Microsoft.Sql/servers/shop"
SHOP = resource(SERVER, "Microsoft.Sql/servers")


def of_server(*alerts: Json) -> Verdict:
    """What is known of the detection on the server."""
    return verdict(judged([SHOP], list(alerts)), "shop", Rung.DETECTION)


def of_cluster(*alerts: Json) -> Verdict:
    """What is known of the detection on the cluster."""
    return verdict(judged([managed_cluster()], list(alerts)), "payments", Rung.DETECTION)


AZ = {key: value for key, value in alert(SERVER, type="SQL.DB_X").items() if key != "properties"} | dict(
    alert(SERVER, type="SQL.DB_X")["properties"]  # type: ignore[call-overload]
)
OLD = alert(
    SERVER, resourceIdentifiers=[], associatedResource=SERVER, startTimeUtc=None, detectedTimeUtc="2026-11-23T10:00:00Z"
)


@pytest.mark.parametrize(
    "one",
    [
        alert(SERVER, type="SQL.DB_X"),
        alert(SERVER.upper(), type="SQL.DB_X"),
        alert(f"{SERVER}/databases/orders", type="SQL.DB_X"),
        AZ,
        OLD,
    ],
)
def test_a_real_alert_about_the_workload_covers_in_every_form(one: Json) -> None:
    """REST of today and of 2015, and `az`; its age is said."""
    found = of_server(one)
    assert found.state is CoverageState.COVERED
    assert found.reason.endswith("about it 2 days ago")


@pytest.mark.parametrize(
    "one",
    [
        {**alert(SERVER, type="SQL.DB_X"), "id": str(alert()["id"]).replace("1111", "9999")},
        alert(SERVER, type="SQL.DB_X", providerName="ASI Scheduled Alerts"),
        alert(SERVER, type="SQL.DB_X", productName="Azure Sentinel"),
        alert(SERVER, type="SQL.DB_X", providerName="CustomAlertRule"),
    ],
)
def test_what_somebody_else_wrote_proves_no_sensor(one: Json) -> None:
    """Of another subscription, by a rule of Sentinel's, or by another vendor: each may name any resource."""
    found = judged([SHOP], [one], manifest=expecting(Rung.DETECTION))
    assert verdict(found, "shop", Rung.DETECTION).state is CoverageState.UNKNOWN


@pytest.mark.parametrize(
    "sign",
    [
        {"type": "SIMULATED_SQL.DB_X"},
        {"alertDisplayName": "[SAMPLE ALERT] Brute force"},
        {"description": "THIS IS A SAMPLE ALERT: brute force"},
        {"isSample": "True"},
    ],
)
def test_a_sample_alert_proves_no_sensor(sign: dict[str, str]) -> None:
    """It is about a resource that is made up, whatever it is called."""
    found = of_server(alert(SERVER, **sign))
    assert found.state is CoverageState.UNKNOWN
    assert "proves the path of alerts, and no sensor" in found.reason


@pytest.mark.parametrize(
    ("time", "state", "words"),
    [
        ("2026-08-27T12:00:00Z", CoverageState.COVERED, "90 days ago"),
        ("2026-08-27T11:59:59Z", CoverageState.UNKNOWN, "90 days ago: too long ago"),
        ("2026-11-25T12:00:00Z", CoverageState.COVERED, "less than a day ago"),
        ("2026-11-26T12:00:00Z", CoverageState.COVERED, "less than a day ago"),
        ("2026-11-26T12:00:01Z", CoverageState.UNKNOWN, "of a time to come"),
        ("yesterday", CoverageState.UNKNOWN, "does not say when"),
        (None, CoverageState.UNKNOWN, "does not say when"),
    ],
)
def test_an_alert_must_be_younger_than_ninety_days(time: str | None, state: CoverageState, words: str) -> None:
    """Both sides of each boundary."""
    found = of_server(alert(SERVER, type="SQL.DB_X", startTimeUtc=time))
    assert found.state is state
    assert words in found.reason


def test_an_alert_of_the_audit_log_proves_no_sensor_on_a_node() -> None:
    """The verdict names both sorts; a sensor's own alert proves it, in either case that is documented."""
    found = of_cluster(alert(CLUSTER, type="K8S_ExposedDashboard"))
    assert found.state is CoverageState.UNKNOWN
    assert "K8S_ExposedDashboard" in found.reason
    assert "K8S.NODE_" in found.reason
    assert "simulation.py" in (found.remedy or "")
    for type in ("K8S.NODE_EICAR", "K8S.Node_EICAR"):
        assert of_cluster(alert(CLUSTER, type=type), alert(CLUSTER, type="K8S_X")).state is CoverageState.COVERED


@pytest.mark.parametrize(
    ("one", "is_spoken_of"),
    [
        (alert("/subscriptions/s/resourceGroups/rg/providers/Microsoft.Sql/servers/shop"), False),
        (alert(MACHINE), False),
        (alert(f"{SERVER}-2"), False),
        (alert(SERVER, isIncident=True), False),
        (alert(SERVER, productName="Microsoft Defender for Identity"), False),
        (alert(SERVER), True),
    ],
)
def test_an_alert_about_another_resource_says_nothing(one: Json, is_spoken_of: bool) -> None:
    """Nor does an incident, which is made of alerts about others, or an alert of another product."""
    found = [rung for _, rung, _ in judged([SHOP], [one]).assessed.verdicts() if rung is Rung.DETECTION]
    assert bool(found) is is_spoken_of


@pytest.mark.parametrize(
    ("kind", "type", "proves"),
    [
        (WorkloadKind.MACHINE, "VM_SuspiciousActivity", True),
        (WorkloadKind.MACHINE, "ARM_VMAccessUnusualConfigReset", False),
        (WorkloadKind.MACHINE, "AzureDNS_ThreatIntelSuspectDomain", False),
        (WorkloadKind.MACHINE, "RDP_Incoming_BF_OneToOne", False),
        (WorkloadKind.MACHINE, "SQL.VM_BruteForce", False),
        (WorkloadKind.SQL_ON_MACHINE, "SQL.VM_BruteForce", True),
        (WorkloadKind.SQL_ON_MACHINE, "SQL_Incoming_BF_OneToOne", False),
        (WorkloadKind.SQL_ON_MACHINE, "VM_SuspiciousActivity", False),
        (WorkloadKind.STORAGE_ACCOUNT, "Storage.Blob_X", True),
    ],
)
def test_an_alert_proves_what_it_comes_of(kind: WorkloadKind, type: str, proves: bool) -> None:
    """Azure raises alerts about machines from its network and management plane, too, where no sensor is."""
    workload = Workload(kind=kind, name="web-1", id=MACHINE, subscription=SUBSCRIPTION, subject=MACHINE.lower())
    facts = Facts.of(read_facts(document([alert(type=type)])))
    case = CoverageCase(workload=workload, expectation=Expectation(), manifest=NO_MANIFEST, facts=facts, now=NOW)
    found = judge_detection(case)
    assert found is not None
    assert (found.state is CoverageState.COVERED) is proves
    assert proves or found.reason.endswith("2 days ago, comes of no sensor on it")


def test_no_alert_proves_nothing() -> None:
    """Where the manifest expects detection, it is unknown, and the remedy raises a real one."""
    found = judged([SHOP, managed_cluster()], manifest=expecting(Rung.DETECTION))
    for name in ("shop", "payments"):
        assert verdict(found, name, Rung.DETECTION).state is CoverageState.UNKNOWN
    assert "simulation.py" in (verdict(found, "payments", Rung.DETECTION).remedy or "")


HEARD = {
    "K8S.NODE_EICAR": (CLUSTER, "payments", True),
    "K8S_ExposedDashboard": (CLUSTER, "payments", False),
    "SQL.DB_BruteForce": (SERVER, "shop", True),
    "VM_Eicar": (MACHINE, "web-1", True),
    "ARM_Suspicious": (MACHINE, "web-1", False),
}


@pytest.mark.parametrize("type", ["K8S_ExposedDashboard", "K8S.NODE_EICAR", "SQL.DB_BruteForce", "VM_AgentlessMalware"])
def test_what_watches_something_else_on_a_machine_proves_no_sensor_of_its_own(type: str) -> None:
    """Those of a cluster whose node it is, of a server on it, and of Azure that scans its disk."""
    one = heard(
        CoverageSourceKind.WORKLOAD, MACHINE, real_alert=ago(days=1), by_watcher=[{"at": ago(days=1), "type": type}]
    )
    found = verdict(judged(machine(), one, manifest=expecting(Rung.DETECTION)), "web-1", Rung.DETECTION)
    assert found.state is CoverageState.UNKNOWN


@pytest.mark.parametrize("type", HEARD)
@pytest.mark.parametrize(("days", "is_recent"), [(1, True), (91, False), (-1, False)])
def test_the_last_real_alert_that_the_router_heard_of_proves_by_its_type(type: str, days: int, is_recent: bool) -> None:
    """As an alert does that was given; one of unknown type, of another part of Azure, or too old makes nothing unknown."""
    id, name, proves = HEARD[type]
    resources: list[object] = [managed_cluster(), SHOP, machine()]
    source = {"subject": id, "alert": ago(days=days), "real_alert": ago(days=days)}
    heard_of = heard(CoverageSourceKind.CLUSTER if id == CLUSTER else CoverageSourceKind.WORKLOAD, **source)
    for one, is_covered in (
        ({**heard_of, "by_watcher": [{"at": ago(days=days), "type": type}]}, proves and is_recent),
        (heard_of, False),
    ):
        found = judged(*resources, one)
        shown = [
            v for workload, rung, v in found.assessed.verdicts() if workload.name == name and rung is Rung.DETECTION
        ]
        assert [v.state for v in shown] == ([CoverageState.COVERED] if is_covered else [])
        asked = verdict(judged(*resources, one, manifest=expecting(Rung.DETECTION)), name, Rung.DETECTION)
        assert asked.state is (CoverageState.COVERED if is_covered else CoverageState.UNKNOWN)


def test_an_alert_that_comes_after_one_of_the_sensor_takes_nothing_from_what_that_proved() -> None:
    """Whoever can have an alert raised of the audit log, or of Azure's network, makes no cluster and no machine dark."""
    for id, name, known, sensor, other in (
        (CLUSTER, "payments", managed_cluster(), "K8S.NODE_EICAR", "K8S_ExposedDashboard"),
        (MACHINE, "web-1", machine(), "VM_Eicar", "Network_OutboundToBlackListedIP"),
    ):
        alerts = [{"at": ago(days=3), "type": sensor}, {"at": ago(hours=1), "type": other}]
        one = heard(CoverageSourceKind.WORKLOAD, id, real_alert=ago(hours=1), by_watcher=alerts)
        found = verdict(judged(known, one, manifest=expecting(Rung.DETECTION)), name, Rung.DETECTION)
        assert (found.state, sensor in found.reason) == (CoverageState.COVERED, True)
        alone = {**one, "by_watcher": alerts[1:]}
        dark = verdict(judged(known, alone, manifest=expecting(Rung.DETECTION)), name, Rung.DETECTION)
        assert (dark.state, other in dark.reason) == (CoverageState.UNKNOWN, True)


def test_a_sample_that_the_router_heard_of_proves_nothing() -> None:
    """Only its last alert that was none counts."""
    sample = heard(CoverageSourceKind.WORKLOAD, SERVER, alert=ago(hours=1))
    assert not [rung for _, rung, _ in judged([SHOP], sample).assessed.verdicts() if rung is Rung.DETECTION]


def test_the_path_is_unknown_until_a_drill_passed() -> None:
    """No sample alert that is given proves it; only a manifest expects it."""
    alerts = [alert(SERVER, alertDisplayName="[SAMPLE ALERT] X")]
    found = verdict(judged([pricing("Dns")], alerts, manifest=expecting(Rung.PATH)), SUBSCRIPTION, Rung.PATH)
    assert found.state is CoverageState.UNKNOWN
    assert (found.remedy or "").startswith("alert-router drill --subscription ")
    assert not [rung for _, rung, _ in judged([pricing("Dns")], alerts).assessed.verdicts() if rung is Rung.PATH]


@pytest.mark.parametrize("rung", [Rung.PATH, Rung.EXPORT, Rung.SUPPRESSION, Rung.DETECTION, Rung.PLAN])
def test_remedies_name_a_subscription_by_its_id(rung: Rung) -> None:
    """Whatever people call it: no API takes that name."""
    account = [{"id": SUBSCRIPTION, "name": "Payments", "tenantId": "t", "isDefault": True}]
    remedy = verdict(judged(account, manifest=expecting(rung)), "Payments", rung).remedy or ""
    assert SUBSCRIPTION in remedy
    assert "Payments" not in remedy
