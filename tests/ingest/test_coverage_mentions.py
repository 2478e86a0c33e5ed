"""Of what a message speaks, so that it was heard of."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import orjson
import pytest
from hypothesis import given, settings
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
from tests.examples import some_of
from tests.parse.messages import (
    a_common_alert,
    a_compliance_assessment,
    a_legacy_attack_path,
    a_score_control,
    a_secure_score,
    a_sub_assessment,
    an_assessment,
    an_attack_path,
    read_alert,
    read_finding,
)

MACHINE = f"workload:{RESOURCE.lower()}"
EDR, CONTAINERS = EDR_INSTALLED, "e599a9fe-30e3-47c6-a173-8b4b6d9d3255"
HERE = f"subscription:{SUBSCRIPTION}"
AKS = f"/subscriptions/{SUBSCRIPTION}/resourceGroups/rg-K8S/providers/Microsoft.ContainerService/managedClusters/Shop"
ARC = f"/subscriptions/{SUBSCRIPTION}/resourceGroups/rg-k8s/providers/Microsoft.Kubernetes/connectedClusters/edge"
CONNECTOR = (
    f"/subscriptions/{SUBSCRIPTION}/resourceGroups/rg-aws/providers/Microsoft.Security/securityConnectors/aws-prod"
)
EKS = f"{CONNECTOR}/securityentitydata/shop-prod"
ARN = "arn:aws:eks:eu-west-1:123456789012:cluster/Shop-Prod"
SERVER = f"/subscriptions/{SUBSCRIPTION}/resourceGroups/rg-db/providers/Microsoft.Sql/servers/Ledger"
GKE = "//container.googleapis.com/projects/payments/zones/europe-west1-b/clusters/Ledger"


def heard(signal: Signal, owners: Owners = NO_OWNERS) -> dict[str, LastHeard]:
    """When each source was last heard of, after one message."""
    found = last_heard_by(signal, NOW, owners)
    assert len({one.source for one in found}) == len(found)
    return {one.source.id: one for one in found}


def instants(one: LastHeard) -> set[str]:
    """Which of a source's instants are known."""
    names = ("posture", "snapshot", "healthy", "alert", "real_alert")
    return {name for name in names if getattr(one, name) == NOW}


def test_an_alert_is_heard_of_its_machine_its_subscription_and_its_owner() -> None:
    """By their names in lower case; an owner has no subscription."""
    owners = Owners((Ownership(lambda _, group: group == "rg-web", Owner("Web-Shop")),))
    found = heard(an_alert(), owners)
    assert found.keys() == {MACHINE, HERE, "owner:web-shop"}
    assert all(instants(one) == {"alert", "real_alert"} for one in found.values())
    assert found[MACHINE].subscription == SUBSCRIPTION
    assert found["owner:web-shop"].subscription is None


@pytest.mark.parametrize(
    ("resource", "sources"),
    [
        (AKS, {f"cluster:{AKS.lower()}", f"workload:{AKS.lower()}", HERE}),
        (
            f"{AKS}/namespaces/payments",
            {f"cluster:{AKS.lower()}", f"workload:{AKS.lower()}", f"workload:{AKS.lower()}/namespaces/payments", HERE},
        ),
        (ARC, {f"cluster:{ARC.lower()}", f"workload:{ARC.lower()}", HERE}),
        (EKS, {f"cluster:{EKS.lower()}", f"workload:{EKS.lower()}", HERE}),
        (ARN, {f"cluster:{ARN.lower()}", f"workload:{ARN.lower()}"}),
        (GKE, {f"cluster:{GKE[2:].lower()}", f"workload:{GKE[2:].lower()}"}),
        (
            f"{GKE}/k8s/a",
            {f"cluster:{GKE[2:].lower()}", f"workload:{GKE[2:].lower()}", f"workload:{GKE[2:].lower()}/k8s/a"},
        ),
        (f"{SERVER}/databases/books", {f"workload:{SERVER.lower()}", f"workload:{SERVER.lower()}/databases/books", HERE}),
        (f"/subscriptions/{SUBSCRIPTION.upper()}", {f"workload:/subscriptions/{SUBSCRIPTION}", HERE}),
        ("vm-1", set()),
        (f"/subscriptions/s/{'x' * LONGEST}", {"subscription:s"}),
        (f"{RESOURCE}\x07", {HERE}),
    ],
)  # fmt: skip
def test_an_alert_is_heard_of_everything_that_it_is_about(resource: str, sources: set[str]) -> None:
    """A part is about its whole; what no cloud can have is not kept."""
    assert heard(an_alert(AzureResourceId=resource)).keys() == sources


def test_a_cluster_of_another_cloud_is_known_by_its_own_name_where_the_message_says_it() -> None:
    """The gate knows it so; its connector's subscription is heard of, too."""
    entity = {"$id": "1", "Type": "amazon-resource", "AmazonResourceId": ARN}
    found = heard(an_alert(AzureResourceId=EKS, Entities=[entity]))
    assert found.keys() == {f"cluster:{ARN.lower()}", f"workload:{ARN.lower()}", f"workload:{EKS.lower()}", HERE}
    details = {"source": "Aws", "id": EKS, "nativeResourceId": ARN}
    found = heard(a_coverage_finding("any", resource=EKS, details=details))
    assert found.keys() == {f"cluster:{ARN.lower()}", HERE}


def test_a_resource_that_only_the_properties_name_is_heard_of() -> None:
    """Beside the one that the alert gives as its own."""
    found = heard(an_alert(AzureResourceId=AKS, ExtendedProperties={"EffectiveAzureResourceId": RESOURCE}))
    assert found.keys() == {f"cluster:{AKS.lower()}", f"workload:{AKS.lower()}", MACHINE, HERE}


def test_a_sample_is_an_alert_and_no_real_one() -> None:
    """It shows that alerts come, and nothing of a sensor."""
    found = heard(an_alert(AlertType="SIMULATED_VM_Test"))
    assert {name for one in found.values() for name in instants(one)} == {"alert"}


def test_what_says_nothing_of_a_sensor_is_not_heard_of_one() -> None:
    """An incident is made of alerts that come by themselves, and Azure Monitor has sensors of its own."""
    assert heard(an_alert(IsIncident=True)).keys() == {HERE}
    common = read_alert(a_common_alert())
    assert common.product == AZURE_MONITOR
    assert heard(common) == {}


def test_a_recommendation_about_a_plan_is_heard_of_the_plan_whatever_its_status() -> None:
    """And a plan of one resource is none of its subscription's."""
    subscription = f"/subscriptions/{SUBSCRIPTION}"
    for status in ("Healthy", "Unhealthy", "NotApplicable"):
        found = heard(a_coverage_finding(CONTAINERS, status, resource=subscription))
        assert found.keys() == {HERE, f"plan:{SUBSCRIPTION}:Containers"}
        assert {frozenset(instants(one)) for one in found.values()} == {frozenset({"posture"})}
    assert heard(a_coverage_finding("400a6682-992c-4726-9549-629fbc3b988f", resource=SERVER)).keys() == {HERE}


def test_a_recommendation_that_a_customer_wrote_is_heard_of_no_plan_whatever_its_title() -> None:
    """Its subscription speaks."""
    for type, plans in (("BuiltIn", {f"plan:{SUBSCRIPTION}:Containers"}), ("CustomPolicy", set())):
        finding = a_coverage_finding(
            "another",
            title="Microsoft Defender for Containers should be enabled",
            resource=f"/subscriptions/{SUBSCRIPTION}",
            type=type,
        )
        assert heard(finding).keys() == {HERE, *plans}


def test_what_one_subscription_says_of_another_is_heard_of_itself_alone() -> None:
    """Else a cluster that is dark would be kept alive by whoever may write assessments somewhere else."""
    theirs = {"source": "Azure", "id": AKS.replace(SUBSCRIPTION, "99999999-9999-9999-9999-999999999999")}
    assert heard(a_coverage_finding(resource=AKS)).keys() == {HERE, f"cluster:{AKS.lower()}"}
    assert heard(a_coverage_finding(resource=AKS, details=theirs)).keys() == {HERE}
    mine, native = {"source": "Azure", "id": AKS}, {"source": "Aws", "id": RESOURCE, "nativeResourceId": ARN}
    assert heard(a_coverage_finding(resource=f"/subscriptions/{SUBSCRIPTION}", details=mine)).keys() == {HERE}
    assert heard(a_coverage_finding(resource=RESOURCE, details=native)).keys() == {HERE}
    assert heard(a_coverage_finding(resource="", details=mine)) == {}


def test_what_others_wrote_keeps_no_cluster_alive_and_no_posture_on() -> None:
    """A customer's own assessment comes without Defender."""
    for type, names in (("CustomerManaged", {HERE}), ("BuiltIn", {HERE, f"cluster:{AKS.lower()}"})):
        found = heard(a_coverage_finding("another", "Healthy", resource=AKS, type=type, isSnapshot=True))
        assert found.keys() == names
        assert ("healthy" in instants(found[HERE])) is (type == "BuiltIn")


@pytest.mark.parametrize(
    ("status", "snapshot", "action", "expected"),
    [
        ("Healthy", True, "Write", {"posture", "snapshot", "healthy"}),
        ("Unhealthy", True, "Write", {"posture", "snapshot"}),
        ("NotApplicable", True, "Write", {"posture", "snapshot"}),
        ("Healthy", True, "Delete", {"posture", "snapshot"}),
        ("Healthy", False, "Write", {"posture"}),
    ],
)
def test_a_row_of_a_snapshot_says_more_than_another_message(
    status: str, snapshot: bool, action: str, expected: set[str]
) -> None:
    """That snapshots come, and that they bring Healthy rows, so that what is missing in them means something."""
    found = heard(a_coverage_finding(EDR, status, resource=AKS, isSnapshot=snapshot, action=action))
    assert found.keys() == {HERE, f"cluster:{AKS.lower()}"}
    assert all(instants(one) == expected for one in found.values())


def test_every_kind_of_posture_is_heard_of_its_subscription() -> None:
    """Scores, compliance and attack paths, too; but not what the router found by itself: that something is silent."""
    findings = [
        read_finding(message)
        for message in (
            an_assessment(), a_sub_assessment(), a_secure_score(), a_score_control(), a_compliance_assessment(),
            an_attack_path(), a_legacy_attack_path(),
        )
    ]  # fmt: skip
    assert {finding.kind for finding in findings} == POSTURE
    assert {kind for kind in Kind if kind.stream is Stream.CSPM and kind is not Kind.COVERAGE} == POSTURE
    silent = replace(findings[0], kind=Kind.COVERAGE)
    assert last_heard_by(silent, NOW, NO_OWNERS) == []
    for finding in findings:
        kinds = {one.source.kind for one in last_heard_by(finding, NOW, NO_OWNERS)}
        assert "subscription" in kinds, finding
        assert not kinds & {"workload", "owner"}


TEXTS = (
    st.sampled_from([RESOURCE, AKS, EKS, ARN, GKE, SERVER, "", "/", "/subscriptions", "/subscriptions//x"]) | st.text()
)


@settings(max_examples=some_of(100))
@given(TEXTS, TEXTS, TEXTS)
def test_whatever_a_message_says_of_its_resource_nothing_is_raised(resource: str, other: str, name: str) -> None:
    """And what is heard of can be stored under its name."""
    for signal in (
        an_alert(AzureResourceId=resource, ExtendedProperties={"effectiveAzureResourceId": other, "resourceType": name}),
        *read_signals(
            orjson.dumps(
                {
                    "id": f"{resource}/providers/Microsoft.Security/assessments/{EDR}",
                    "properties": {"resourceDetails": {"id": other, "source": name}, "status": {"code": name}},
                    "assessmentEventDataEnrichment": {"isSnapshot": True},
                }
            ),
            Catalogue(),
        ),
    ):  # fmt: skip
        if isinstance(signal, Signal):
            assert all(one.source.id.isprintable() for one in last_heard_by(signal, NOW + timedelta(), NO_OWNERS))
