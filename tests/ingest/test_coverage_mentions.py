"""Of what a message speaks, so that it was heard of."""

from __future__ import annotations

from dataclasses import replace

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from router.domain.catalogue import Catalogue
from router.domain.coverage_sources import LastHeard
from router.domain.owners import NO_OWNERS, Owner, Owners, Ownership
from router.domain.recommendations import EDR_INSTALLED
from router.domain.signals import AZURE_MONITOR, Kind, Signal, Stream
from router.ingest.coverage_mentions import LONGEST, POSTURE, last_heard_by
from router.parse import read_signals
from tests.builders import NOW, RESOURCE, SUBSCRIPTION, an_alert
from tests.coverage_messages import a_coverage_finding
from tests.parse import messages
from tests.parse.messages import a_common_alert, read_alert, read_finding

CONTAINERS, SERVERS = "e599a9fe-30e3-47c6-a173-8b4b6d9d3255", "400a6682-992c-4726-9549-629fbc3b988f"
WHOLE = f"/subscriptions/{SUBSCRIPTION}"
HERE = f"subscription:{SUBSCRIPTION}"
PLAN = f"plan:{SUBSCRIPTION}:Containers"
AKS = f"{WHOLE}/resourceGroups/rg-K8S/providers/Microsoft.ContainerService/managedClusters/Shop"
ARC = f"{WHOLE}/resourceGroups/rg-k8s/providers/Microsoft.Kubernetes/connectedClusters/edge"
EKS = (
    f"{WHOLE}/resourceGroups/rg-aws/providers/Microsoft.Security/securityConnectors/aws-prod"
    "/securityentitydata/shop-prod"
)
ARN = "arn:aws:eks:eu-west-1:123456789012:cluster/Shop-Prod"
SERVER = f"{WHOLE}/resourceGroups/rg-db/providers/Microsoft.Sql/servers/Ledger"
GKE = "//container.googleapis.com/projects/payments/zones/europe-west1-b/clusters/Ledger"


def heard(signal: Signal, owners: Owners = NO_OWNERS) -> dict[str, LastHeard]:
    """When each source was last heard of, after one message."""
    found = last_heard_by(signal, NOW, owners)
    assert len({one.source for one in found}) == len(found)
    return {one.source.id: one for one in found}


def of_finding(key: str = "any", status: str = "Unhealthy", **said: object) -> set[str]:
    """What is heard of after a recommendation."""
    return set(heard(a_coverage_finding(key, status, **said)))


def instants(one: LastHeard) -> set[str]:
    """Which of a source's instants are known."""
    names = ("posture", "snapshot", "healthy", "alert", "real_alert")
    return {name for name in names if getattr(one, name) == NOW}


def workload(id: str, *parts: str) -> set[str]:
    """A workload and parts of it, as sources."""
    return {f"workload:{id}{part}".lower() for part in ("", *parts)}


def cluster(id: str, *parts: str) -> set[str]:
    """A cluster, which is a workload, too."""
    return {f"cluster:{id.lower()}"} | workload(id, *parts)


def test_an_alert_is_heard_of_its_machine_its_subscription_and_its_owner() -> None:
    """By their names in lower case; an owner has no subscription. A sample shows that alerts come, and nothing of a sensor."""
    owners = Owners((Ownership(lambda _, group: group == "rg-web", Owner("Web-Shop")),))
    for type, known in (("VM_Test", {"alert", "real_alert"}), ("SIMULATED_VM_Test", {"alert"})):
        found = heard(an_alert(AlertType=type), owners)
        subscriptions = {name: one.subscription for name, one in found.items()}
        machine = dict.fromkeys([*workload(RESOURCE), HERE], SUBSCRIPTION)
        assert subscriptions == machine | {"owner:web-shop": None}
        assert all(instants(one) == known for one in found.values())


def test_an_alert_is_heard_of_everything_that_it_is_about(subtests: pytest.Subtests) -> None:
    """A part is about its whole; what no cloud can have is not kept."""
    for resource, sources in {
        AKS: cluster(AKS) | {HERE},
        f"{AKS}/namespaces/payments": cluster(AKS, "/namespaces/payments") | {HERE},
        ARC: cluster(ARC) | {HERE},
        EKS: cluster(EKS) | {HERE},
        ARN: cluster(ARN),
        GKE: cluster(GKE[2:]),
        f"{GKE}/k8s/a": cluster(GKE[2:], "/k8s/a"),
        f"{SERVER}/databases/books": workload(SERVER, "/databases/books") | {HERE},
        f"/subscriptions/{SUBSCRIPTION.upper()}": workload(WHOLE) | {HERE},
        "vm-1": set[str](),
        f"/subscriptions/s/{'x' * LONGEST}": {"subscription:s"},
        f"{RESOURCE}\x07": {HERE},
    }.items():
        with subtests.test(resource=resource):
            assert heard(an_alert(AzureResourceId=resource)).keys() == sources


def test_what_else_a_message_names_is_heard_of_as_the_gate_knows_it() -> None:
    """A cluster of another cloud by its own name, where the message says it, and what only the properties name."""
    entity = {"$id": "1", "Type": "amazon-resource", "AmazonResourceId": ARN}
    assert heard(an_alert(AzureResourceId=EKS, Entities=[entity])).keys() == cluster(ARN) | workload(EKS) | {HERE}
    details = {"source": "Aws", "id": EKS, "nativeResourceId": ARN}
    assert of_finding(resource=EKS, details=details) == {f"cluster:{ARN.lower()}", HERE}
    named = an_alert(AzureResourceId=AKS, ExtendedProperties={"EffectiveAzureResourceId": RESOURCE})
    assert heard(named).keys() == cluster(AKS) | workload(RESOURCE) | {HERE}


def test_what_says_nothing_of_a_sensor_is_not_heard_of_one() -> None:
    """An incident is made of alerts that come by themselves, and Azure Monitor has sensors of its own."""
    assert heard(an_alert(IsIncident=True)).keys() == {HERE}
    common = read_alert(a_common_alert())
    assert (common.product, heard(common)) == (AZURE_MONITOR, {})


def test_a_recommendation_about_a_plan_is_heard_of_the_plan_whatever_its_status() -> None:
    """A plan of one resource is none of its subscription's, nor is what a customer wrote, whatever its title."""
    for status in ("Healthy", "Unhealthy", "NotApplicable"):
        found = heard(a_coverage_finding(CONTAINERS, status, resource=WHOLE))
        assert {name: instants(one) for name, one in found.items()} == {HERE: {"posture"}, PLAN: {"posture"}}
    assert of_finding(SERVERS, resource=SERVER) == {HERE}
    title = "Microsoft Defender for Containers should be enabled"
    assert of_finding("another", title=title, resource=WHOLE, type="BuiltIn") == {HERE, PLAN}
    assert of_finding("another", title=title, resource=WHOLE, type="CustomPolicy") == {HERE}


def test_what_others_say_keeps_no_cluster_alive_and_no_posture_on() -> None:
    """Neither what one subscription says of another, nor what a customer wrote, which comes without Defender."""
    theirs = {"source": "Azure", "id": AKS.replace(SUBSCRIPTION, "99999999-9999-9999-9999-999999999999")}
    mine, native = {"source": "Azure", "id": AKS}, {"source": "Aws", "id": RESOURCE, "nativeResourceId": ARN}
    assert of_finding(resource=AKS) == {HERE, f"cluster:{AKS.lower()}"}
    for resource, details in ((AKS, theirs), (WHOLE, mine), (RESOURCE, native)):
        assert of_finding(resource=resource, details=details) == {HERE}
    assert of_finding(resource="", details=mine) == set()
    for type, names in (("CustomerManaged", {HERE}), ("BuiltIn", {HERE, f"cluster:{AKS.lower()}"})):
        found = heard(a_coverage_finding("another", "Healthy", resource=AKS, type=type, isSnapshot=True))
        assert found.keys() == names
        assert ("healthy" in instants(found[HERE])) is (type == "BuiltIn")


def test_a_row_of_a_snapshot_says_more_than_another_message() -> None:
    """That snapshots come, and that they bring Healthy rows, so that what is missing in them means something."""
    for status, snapshot, action, expected in (
        ("Healthy", True, "Write", {"posture", "snapshot", "healthy"}),
        ("Unhealthy", True, "Write", {"posture", "snapshot"}),
        ("NotApplicable", True, "Write", {"posture", "snapshot"}),
        ("Healthy", True, "Delete", {"posture", "snapshot"}),
        ("Healthy", False, "Write", {"posture"}),
    ):
        found = heard(a_coverage_finding(EDR_INSTALLED, status, resource=AKS, isSnapshot=snapshot, action=action))
        assert {name: instants(one) for name, one in found.items()} == {
            HERE: expected,
            f"cluster:{AKS.lower()}": expected,
        }


def test_every_kind_of_posture_is_heard_of_its_subscription() -> None:
    """Scores, compliance and attack paths, too; but not what the router found by itself: that something is silent."""
    findings = [
        read_finding(build())
        for build in (
            messages.an_assessment,
            messages.a_sub_assessment,
            messages.a_secure_score,
            messages.a_score_control,
            messages.a_compliance_assessment,
            messages.an_attack_path,
            messages.a_legacy_attack_path,
        )
    ]
    assert {finding.kind for finding in findings} == POSTURE
    assert {kind for kind in Kind if kind.stream is Stream.CSPM and kind is not Kind.COVERAGE} == POSTURE
    assert heard(replace(findings[0], kind=Kind.COVERAGE)) == {}
    for finding in findings:
        kinds = {one.source.kind for one in heard(finding).values()}
        assert "subscription" in kinds, finding
        assert not kinds & {"workload", "owner"}


TEXTS = (
    st.sampled_from([RESOURCE, AKS, EKS, ARN, GKE, SERVER, "", "/", "/subscriptions", "/subscriptions//x"]) | st.text()
)


@given(TEXTS, TEXTS, TEXTS)
def test_whatever_a_message_says_of_its_resource_nothing_is_raised(resource: str, other: str, name: str) -> None:
    """And what is heard of can be stored under its name."""
    extended = {"effectiveAzureResourceId": other, "resourceType": name}
    finding = {
        "id": f"{resource}/providers/Microsoft.Security/assessments/{EDR_INSTALLED}",
        "properties": {"resourceDetails": {"id": other, "source": name}, "status": {"code": name}},
        "assessmentEventDataEnrichment": {"isSnapshot": True},
    }
    alert = an_alert(AzureResourceId=resource, ExtendedProperties=extended)
    for signal in (alert, *read_signals(orjson.dumps(finding), Catalogue())):
        if isinstance(signal, Signal):
            assert all(name.isprintable() for name in heard(signal))
