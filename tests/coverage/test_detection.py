"""What proves for a time that something is watched: a real alert about it, a drill on the path, a row of a cluster's sensor."""

import shlex
from datetime import timedelta
from functools import partial
from typing import Any

import pytest

from router.cli.parser import new_parser
from router.coverage.judges.alerts import LATELY
from router.coverage.verdicts import Verdict
from router.domain.clocks import SKEW
from router.domain.coverage import Rung
from router.domain.coverage_sources import CoverageSourceKind
from tests.coverage import builders as az
from tests.coverage.builders import CLUSTER, COVERED, SUBSCRIPTION, UNKNOWN, alert, judged, last_row, managed_cluster
from tests.coverage.machine_builders import SQL, ago, machine, sql_machine
from tests.coverage.stored_builders import drill, heard, of_state

SERVER = f"/subscriptions/{SUBSCRIPTION}/resourceGroups/rg/providers/Microsoft.Sql/servers/shop"
STORAGE = f"/subscriptions/{SUBSCRIPTION}/resourceGroups/rg/providers/Microsoft.Storage/storageAccounts/files"
SHOP, ACCOUNT = az.resource(SERVER, "Microsoft.Sql/servers"), az.resource(STORAGE, "Microsoft.Storage/storageAccounts")
EVERYTHING: list[object] = [managed_cluster(), SHOP, ACCOUNT, machine(), sql_machine()]
DETECTION, PATH = az.expecting(Rung.DETECTION), az.expecting(Rung.PATH)


def of_server(*alerts: az.Json) -> Verdict:
    """What is known of the detection on the server."""
    return az.verdict(judged([SHOP], list(alerts)), "shop", Rung.DETECTION)


def expected_of(name: str, *documents: object) -> Verdict:
    """The same of what is called so, where a manifest expects it."""
    return az.known(*EVERYTHING, *documents, of=name, on=Rung.DETECTION, manifest=DETECTION)


def has_detection(*documents: object) -> bool:
    """Whether anything is said of detection where nothing expects it."""
    return any(rung is Rung.DETECTION for _, rung, _ in judged(*documents).assessed.verdicts())


def real(about: str = SERVER, **fields: Any) -> az.Json:
    """A real alert about the server."""
    return alert(about, **{"type": "SQL.DB_X", **fields})


def test_a_real_alert_about_the_workload_covers_in_every_form(hold: az.Hold) -> None:
    """REST of today and of 2015, and `az`; its age is said. Both sides of ninety days, and of a clock that is ahead."""
    flat = {key: value for key, value in real().items() if key != "properties"} | dict(real()["properties"])  # type: ignore[call-overload]
    of_2015: dict[str, Any] = {"associatedResource": SERVER, "detectedTimeUtc": "2026-11-23T10:00:00Z"}
    about = f"{SERVER}/databases/orders"
    hold(
        of_server,
        (COVERED, "about it 2 days ago", [real()], [real(SERVER.upper())], [real(about)], [flat]),
        (COVERED, "about it 2 days ago", [alert(SERVER, resourceIdentifiers=[], startTimeUtc=None, **of_2015)]),
        (COVERED, "90 days ago", [real(startTimeUtc="2026-08-27T12:00:00Z")]),
        (UNKNOWN, "90 days ago: too long ago", [real(startTimeUtc="2026-08-27T11:59:59Z")]),
        (COVERED, "less than a day ago", *([real(startTimeUtc=f"2026-11-{day}T12:00:00Z")] for day in (25, 26))),
        (UNKNOWN, "of a time to come", [real(startTimeUtc="2026-11-26T12:00:01Z")]),
        (UNKNOWN, "does not say when", [real(startTimeUtc="yesterday")], [real(startTimeUtc=None)]),
    )


def test_what_is_no_real_alert_about_it_proves_no_sensor() -> None:
    """Of another subscription, vendor or product, an incident, a rule of Sentinel's; nor does a sample, nor a path."""
    elsewhere = {**real(), "id": str(alert()["id"]).replace("1111", "9999")}
    named = (
        {"providerName": "ASI Scheduled Alerts"},
        {"productName": "Azure Sentinel"},
        {"providerName": "CustomAlertRule"},
    )
    for one in (elsewhere, *(real(**fields) for fields in named)):
        assert expected_of("shop", [one]).state is UNKNOWN
    about = ("/subscriptions/s/resourceGroups/rg/providers/Microsoft.Sql/servers/shop", az.MACHINE, f"{SERVER}-2")
    other = real(productName="Microsoft Defender for Identity")
    assert not any(has_detection([SHOP], [one]) for one in (*map(real, about), real(isIncident=True), other))
    assert has_detection([SHOP], [alert(SERVER)])
    called = {"alertDisplayName": "[SAMPLE ALERT] Brute force"}, {"description": "THIS IS A SAMPLE ALERT: brute force"}
    for sign in ({"type": "SIMULATED_SQL.DB_X"}, {"isSample": "True"}, *called):
        found = of_server(real(**sign))
        assert (found.state, "proves the path of alerts, and no sensor" in found.reason) == (UNKNOWN, True)
    assert not has_detection([SHOP], heard(CoverageSourceKind.WORKLOAD, SERVER, alert=ago(hours=1)))
    found = az.verdict(judged([az.pricing("Dns")], [real(**called[0])], manifest=PATH), SUBSCRIPTION, Rung.PATH)
    assert (found.state, (found.remedy or "").startswith("alert-router drill --subscription ")) == (UNKNOWN, True)


ABOUT = {"payments": CLUSTER, "shop": SERVER, "files": STORAGE, "web-1": az.MACHINE, "ledger": SQL}
PROVE = {
    **dict.fromkeys(("K8S.NODE_EICAR", "K8S.Node_EICAR"), "payments"),
    "SQL.DB_BruteForce": "shop",
    "VM_Eicar": "web-1",
    "SQL.VM_BruteForce": "ledger",
    "Storage.Blob_X": "files",
}
PROVE_NOTHING = {
    "K8S_ExposedDashboard": "payments",
    "SQL_Incoming_BF_OneToOne": "ledger",
    "VM_SuspiciousActivity": "ledger",
    **dict.fromkeys(("ARM_VMAccessUnusualConfigReset", "AzureDNS_ThreatIntelSuspectDomain"), "web-1"),
    **dict.fromkeys(("RDP_Incoming_BF_OneToOne", "SQL.VM_X", "K8S.NODE_X", "SQL.DB_X", "VM_AgentlessMalware"), "web-1"),
}
"""Types of alerts, each with what it is about: from the sensor that watches that, or from somewhere else."""


def test_an_alert_proves_what_it_comes_of(subtests: pytest.Subtests) -> None:
    """One given, or the last that was heard of, while it is young; those of Azure's network or its scans prove no sensor."""
    for type, name in (PROVE | PROVE_NOTHING).items():
        with subtests.test(type, name=name):
            given = expected_of(name, [alert(ABOUT[name], type=type)])
            assert (given.state is COVERED) is (type in PROVE)
            assert type in PROVE or "comes of no sensor on it" in given.reason or name == "payments"
            kind = CoverageSourceKind.CLUSTER if name == "payments" else CoverageSourceKind.WORKLOAD
            for days, is_recent in ((1, True), (91, False), (-1, False)):
                when = {"alert": ago(days=days), "real_alert": ago(days=days)}
                bare = heard(kind, ABOUT[name], **when)
                one = {**bare, "by_watcher": [{"at": ago(days=days), "type": type}]}
                is_proved = type in PROVE and is_recent
                assert (has_detection(*EVERYTHING, one), has_detection(*EVERYTHING, bare)) == (is_proved, False)
                assert expected_of(name, one).state is (COVERED if is_proved else UNKNOWN)
                assert expected_of(name, bare).state is UNKNOWN


def test_an_alert_of_the_audit_log_proves_no_sensor_on_a_node_and_takes_nothing_from_what_one_proved(
    hold: az.Hold,
) -> None:
    """The verdict names both sorts, and the remedy raises a real one; to raise the other makes nothing dark."""
    of_log, both = (
        [alert(CLUSTER, type=type) for type in ("K8S_ExposedDashboard", "K8S.NODE_EICAR")[:n]] for n in (1, 2)
    )
    hold(
        partial(expected_of, "payments"),
        (UNKNOWN, "K8S_ExposedDashboard", [of_log]),
        (UNKNOWN, "K8S.NODE_", [of_log]),
        (COVERED, [both]),
        (UNKNOWN, []),
    )
    assert all("simulation.py" in (expected_of("payments", *some).remedy or "") for some in ([], [of_log]))
    assert expected_of("shop").state is UNKNOWN
    for id, name, mine, other in (
        (CLUSTER, "payments", "K8S.NODE_EICAR", "K8S_ExposedDashboard"),
        (az.MACHINE, "web-1", "VM_Eicar", "Network_OutboundToBlackListedIP"),
    ):
        alerts = [{"at": ago(days=3), "type": mine}, {"at": ago(hours=1), "type": other}]
        one = heard(CoverageSourceKind.WORKLOAD, id, real_alert=ago(hours=1), by_watcher=alerts)
        later = {**one, "by_watcher": alerts[1:]}
        hold(partial(expected_of, name), (COVERED, mine, [one]), (UNKNOWN, other, [later]))


def test_remedies_name_a_subscription_by_its_id() -> None:
    """Whatever people call it: no API takes that name."""
    account = [{"id": SUBSCRIPTION, "name": "Payments", "tenantId": "t", "isDefault": True}]
    for rung in (Rung.PATH, Rung.EXPORT, Rung.SUPPRESSION, Rung.DETECTION, Rung.PLAN):
        remedy = az.verdict(judged(account, manifest=az.expecting(rung)), "Payments", rung).remedy or ""
        assert (SUBSCRIPTION in remedy, "Payments" in remedy) == (True, False), rung


AGAIN = f"alert-router drill --subscription {SUBSCRIPTION} --"
JUST = timedelta(microseconds=1)

path = partial(az.known, az.pricing("Containers"), of=SUBSCRIPTION, on=Rung.PATH, manifest=PATH)


def test_a_drill_that_passed_proves_the_path_for_a_time(hold: az.Hold) -> None:
    """Keys are rotated meanwhile. It passes where each destination took a notice; what contradicts itself proves nothing."""
    took, took_not = {"name": "pager", "verdict": "passed"}, {"name": "siem", "verdict": "not proven"}
    doubtful = [[], None, [{"name": "pager"}], [took, took_not], [{**took, "verdict": "failed"}]]
    old = [str(end) for end in (az.NOW + SKEW + JUST, az.NOW - LATELY - JUST, "yesterday", "")]
    unknown = [
        *(drill(ended=end) for end in (*old, [])),
        *(drill(word) for word in ("not proven", "PASSED?", "maybe", "covered")),
        *(drill(destinations=some) for some in doubtful),
        *(drill(failed_hop="hub"), drill(subscription="22222222-2222-2222-2222-222222222222")),
    ]
    left_out = [drill(left_out=some) for some in (["oncall", "rows"], "oncall")]
    upper = drill(subscription=f"/subscriptions/{SUBSCRIPTION.upper()}")
    ends = [str(end) for end in (az.NOW + SKEW, az.NOW - LATELY)]
    passed = [drill(), *(drill(ended=end) for end in ends), drill("Passed", failed_hop=None)]
    hold(path, (COVERED, *([one] for one in (*passed, *left_out, upper))), (UNKNOWN, *([one] for one in unknown)))
    assert {path(one).remedy for one in unknown[:-1]} == {f"{AGAIN}bundle VirtualMachines"}
    assert path(drill()).remedy is None
    assert ", without oncall, rows" in path(left_out[0]).reason
    assert path(*of_state(drill())).state is COVERED, "it is read from a state as from a file"
    assert az.verdict(judged(az.pricing("Containers"), drill()), SUBSCRIPTION, Rung.PATH).state is COVERED
    assert [rung for _, rung, _ in judged(az.pricing("Containers")).assessed.verdicts()] == [Rung.PLAN]


def test_a_drill_that_failed_is_a_gap_that_names_the_hop_and_is_proposed_again_as_it_was(hold: az.Hold) -> None:
    """However long ago; one of a cluster or machine is its own. Of one bundle the last counts, of several the worst."""
    vaults = path(drill("failed", bundle="KeyVaults", ended=ago(days=90)))
    in_cluster = path(drill("failed", bundle=None, plan="Containers", cluster="aks-1"))
    at_machine = path(drill("failed", bundle=None, plan="VirtualMachines", machine="/m"))
    assert vaults.reason == (
        "the drill of KeyVaults failed 90 days ago: nothing came to the hub within 15 minutes "
        "(raised 2.5 s, nothing came over the hop hub)"
    )
    for found, what in ((vaults, "bundle KeyVaults"), (in_cluster, "cluster aks-1"), (at_machine, "machine /m")):
        assert (found.state, found.remedy) == (az.GAP, f"{AGAIN}{what}")
        assert new_parser().parse_args(shlex.split(f"{AGAIN}{what}")[1:]).subscription == SUBSCRIPTION
    failed = drill("failed", ended=ago(days=2))
    apart = [drill("failed", cluster="aks-1"), drill(ended=az.NOW.isoformat())]
    earlier = ([drill(ended=ago(days=days)), failed] for days in (2, 3))
    gaps = [*earlier, [drill(bundle="KeyVaults"), failed], apart]
    hold(path, (COVERED, [drill(), failed]), (az.GAP, *gaps))
    hold(path, (COVERED, "VirtualMachines proved nothing", [drill(bundle="KeyVaults"), drill("not proven")]))


running = partial(az.known, of="payments", on=Rung.SENSOR_RUNNING)


def test_a_cluster_that_nobody_asked_says_when_its_sensor_last_sent_a_row(hold: az.Hold) -> None:
    """It stays unknown: other nodes may be dark. Of several workspaces the last row counts, unless it is of a time to come."""
    cluster, rest = managed_cluster(), ", and says nothing of its other nodes"
    last, ask = "nobody asked the cluster itself; the last row of its sensor is", running(managed_cluster()).remedy
    some = [last_row(CLUSTER, days=3), last_row(CLUSTER, hours=5), last_row(CLUSTER, days=-2)]
    hold(
        running,
        (UNKNOWN, f"{last} 2 hours old{rest}", ask, [cluster, [last_row(CLUSTER, hours=2)]]),
        (UNKNOWN, f"{last} 1 day old{rest}", ask, [cluster, [last_row(CLUSTER, hours=24)]]),
        (UNKNOWN, f"{last} 1 day old", ask, [cluster, [last_row(CLUSTER, hours=24, seconds=1)]]),
        (UNKNOWN, f"{last} 9 days old", ask, [cluster, [last_row(CLUSTER.upper(), days=9)]]),
        (UNKNOWN, f"{last} 5 hours old", ask, [cluster, some]),
    )
    evidence = running(cluster, az.document(some[:1], "rows")).evidence
    assert evidence[-1].document == "rows [0]"
    gke = "//container.googleapis.com/projects/shop-prod/locations/europe-west1/clusters/carts"
    eks = "arn:aws:eks:eu-west-1:123456789012:cluster/checkout"
    for id, of, name in ((eks, az.eks_cluster(), "checkout"), (gke, az.gke_cluster(), "carts")):
        assert "is 2 hours old" in running(of, [last_row(id, hours=2)], of=name).reason


def test_what_kubectl_says_counts_before_a_row(hold: az.Hold) -> None:
    """A row mends no other node. A tag alone is no gap where rows came today; one without a time or a cluster says nothing."""
    cluster, at = managed_cluster(), {"AzureResourceId": CLUSTER}
    lit, dark = (az.document(az.kubectl(*az.sensor(ready=ready), *az.nodes()), given="payments") for ready in (3, 0))
    tagged = managed_cluster(tags={"ms_defender_container_exclude_sensors": "true"})
    hold(
        running,
        (COVERED, [cluster, lit, [last_row(CLUSTER, days=9)]]),
        (az.GAP, "the last row of its sensor is 1 hour old", [cluster, dark, [last_row(CLUSTER, hours=1)]]),
        (az.GAP, [tagged], [tagged, [last_row(CLUSTER, hours=25)]]),
        (UNKNOWN, [tagged, [last_row(CLUSTER, hours=1)]]),
    )
    whens = [{**at, "last": "yesterday"}, {**at, "last": None}, at, {**at, "last": 5}]
    for row in (*whens, *({"AzureResourceId": id, "last": ago(hours=1)} for id in ("", [CLUSTER]))):
        assert running(cluster, [row]).reason == "nobody asked the cluster itself"
