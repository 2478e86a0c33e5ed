"""What messages say for coverage: of what they speak, and what is known of assessments in whatever order they come."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime, timedelta

import orjson
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from router.coverage.documents import read_document
from router.coverage.facts import RecommendationFact
from router.coverage.readers import facts_in
from router.domain.catalogue import Catalogue
from router.domain.coverage_sources import LastHeard
from router.domain.documents import DocumentKind, StoredDocument
from router.domain.hubs import Arrival
from router.domain.owners import NO_OWNERS, Owner, Owners, Ownership
from router.domain.recommendations import EDR_INSTALLED, EDR_RUNNING
from router.domain.signals import AZURE_MONITOR, Finding, Kind, Signal, Stream
from router.ingest.coverage_facts import (
    MOST,
    CoverageAssessment,
    assessments_in,
    document_of_assessments,
    find_assessment,
    joined,
)
from router.ingest.coverage_mentions import LONGEST, POSTURE, last_heard_by
from router.ingest.observations import Observation, in_time_order
from router.parse import read_signals
from tests.builders import NOW, RESOURCE, SUBSCRIPTION, a_finding, an_alert
from tests.coverage_messages import RETIRED_EDR, a_coverage_finding
from tests.examples import some_of
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


EDR, AGENT = EDR_INSTALLED, EDR_RUNNING[0]
MINUTE = timedelta(minutes=1)
PROVIDER = "/providers/microsoft.security/assessments"


def an_observation(finding: Finding, number: int = 1, origin: str = "hub/0") -> Observation:
    """A finding as it came from a hub, so many minutes after the first."""
    arrival = Arrival(origin, number, NOW + number * MINUTE)
    return Observation(signal=finding, arrival=arrival, source="test", body=b"")


def assessment_of(observation: Observation, now: datetime = NOW) -> CoverageAssessment:
    """What an observation says."""
    found = find_assessment(observation.signal, observation.seen_at(now), observation.came_at(now))
    assert found is not None
    return found


def document(*findings: Finding, now: datetime = NOW + timedelta(days=1)) -> StoredDocument:
    """The document after findings that came one after the other."""
    assessments = [assessment_of(an_observation(one, number)) for number, one in enumerate(findings)]
    return document_of_assessments(joined(assessments), now)


def statuses(document: StoredDocument) -> dict[str, str]:
    """What the gate reads in a document: the status of each assessment."""
    items = read_document(document.body, "state").items
    facts = [fact for item in items for fact in facts_in(item) if isinstance(fact, RecommendationFact)]
    assert len(facts) == len({fact.recommendation for fact in facts})
    return {fact.recommendation: fact.code for fact in facts}


def test_the_gate_reads_what_messages_said_as_it_reads_azures_own_answers() -> None:
    """Key, title, status with cause and words, the resource, and when a message last said so."""
    why = {"cause": "Exempt", "description": "the owner answers for it"}
    exempt = a_coverage_finding(EDR, "NotApplicable", why=why, changed=NOW)
    stored = document(a_coverage_finding(AGENT, "Healthy"), exempt)
    assert (stored.kind, stored.id) == (DocumentKind.FACT, RESOURCE.lower())
    assert stored.at == NOW + MINUTE
    assert statuses(stored) == {AGENT: "healthy", EDR: "notapplicable"}
    (item,) = (item for item in read_document(stored.body, "state").items if item.body["name"] == EDR)
    assert item.id == f"{RESOURCE.lower()}{PROVIDER}/{EDR}"
    assert item.find("status") == {"code": "NotApplicable", "statusChangeDate": NOW.isoformat()} | why
    assert item.find("resourceDetails") == {"Source": "Azure", "Id": RESOURCE}
    assert item.body["seen"] == (NOW + MINUTE).isoformat()


def test_what_is_deleted_is_known_no_more_and_an_older_message_does_not_bring_it_back() -> None:
    """The message may be taken in by another worker, or come again."""
    here = assessment_of(an_observation(a_coverage_finding(EDR, "Healthy", changed=NOW), 1))
    gone = assessment_of(an_observation(a_coverage_finding(EDR, "Unhealthy", action="Delete"), 2))
    back = assessment_of(an_observation(a_coverage_finding(EDR, "Healthy", changed=NOW - MINUTE), 3))
    assert statuses(document_of_assessments(joined([gone, here]), NOW)) == {}
    assert statuses(document_of_assessments(joined([back, here, gone]), NOW)) == {EDR: "healthy"}


def test_only_recommendations_that_count_for_coverage_are_kept() -> None:
    """A retired one still says something of its time. Nothing is built on a deprecated one, on what a customer wrote, or on
    what one subscription says of another."""
    arn, theirs = "arn:aws:eks:eu-west-1:123456789012:cluster/c", "99999999-9999-9999-9999-999999999999"
    kept = [
        a_coverage_finding(RETIRED_EDR),
        a_coverage_finding("another", type="BuiltIn"),
        a_coverage_finding(EDR, resource=arn),
    ]
    others = [
        a_coverage_finding("4fb67663-9ab9-475d-b026-8c544cced439"),  # deprecated
        a_finding("another"),
        a_coverage_finding("another"),
        *(a_coverage_finding("another", type=type) for type in ("CustomPolicy", "CustomerManaged", "VerifiedPartner")),
        a_coverage_finding(EDR, type="CustomerManaged"),
        a_coverage_finding(EDR, resource="vm-1"),
        *(
            a_coverage_finding(EDR, resource=hangs_on, details={"source": "Azure", "id": named})
            for hangs_on, named in (
                (RESOURCE, RESOURCE.replace(SUBSCRIPTION, theirs)),
                (RESOURCE, f"{RESOURCE}-2"),
                (f"/subscriptions/{SUBSCRIPTION}", RESOURCE),
                ("", RESOURCE),
                (RESOURCE, arn),
            )
        ),
    ]
    for finding in kept + others:
        one = an_observation(finding)
        assert (find_assessment(finding, one.seen_at(NOW), NOW) is not None) is (finding in kept), finding


def test_what_is_cut_of_a_long_id_is_not_what_tells_two_recommendations_apart() -> None:
    """Else the one that is healthy would take the place of the one that is not."""
    long = f"/subscriptions/{SUBSCRIPTION}/resourceGroups/{'x' * 900}"
    found = [
        assessment_of(an_observation(a_coverage_finding(key, status, resource=long, type="BuiltIn"), place))
        for place, (key, status) in enumerate([(AGENT, "Unhealthy"), (EDR, "Healthy")])
    ]
    assert statuses(document_of_assessments(joined(found), NOW)) == {AGENT: "unhealthy", EDR: "healthy"}


def test_no_clock_that_was_wrong_is_believed() -> None:
    """A hub's clock may be some minutes ahead, and is not told of later than now; what is far ahead counts for nothing."""
    ahead = document(a_coverage_finding(EDR, "Healthy"), now=NOW - MINUTE)
    (item,) = read_document(ahead.body, "state").items
    assert item.body["seen"] == (NOW - MINUTE).isoformat()
    assert len(assessments_in(ahead, NOW - timedelta(hours=12))) == 1
    assert assessments_in(ahead, NOW - timedelta(days=2)) == []


DAMAGED = [b"[1]", b"{}", b"[{}]", b'[{"id": 1}]', b'[{"id": "a", "name": "\xc3"}]']


@given(st.binary(max_size=40) | st.sampled_from(DAMAGED))
def test_a_damaged_body_says_nothing_and_is_no_fault(body: bytes) -> None:
    """It is written anew with the next message; one damaged assessment costs only itself."""
    assert assessments_in(StoredDocument(kind=DocumentKind.FACT, id="x", at=NOW, body=body), NOW) == []
    stored = document(a_coverage_finding(EDR, "Healthy"), a_coverage_finding(AGENT, "Healthy"))
    damaged = replace(stored, body=stored.body.replace(b'"arrival"', b'"o"', 1))
    assert len(assessments_in(damaged, NOW)) == 1


def test_a_resource_has_no_more_assessments_than_there_are_recommendations() -> None:
    """Who writes a title of Defender's under ever new keys fills no storage; the latest stay."""
    title = "Microsoft Defender CSPM should be enabled"
    many = [a_coverage_finding(f"key-{number}", title=title, type="BuiltIn") for number in range(MOST + 5)]
    assert statuses(document(*many)).keys() == {f"key-{number}" for number in range(5, MOST + 5)}


SAID = st.tuples(
    st.sampled_from(["Healthy", "Unhealthy", "NotApplicable"]),
    st.none() | st.integers(-5, 0),
    st.sampled_from(["Write", "Write", "Write", "Delete"]),
)
"""A status, the minute of its own time, and what was done."""


@settings(max_examples=some_of(400))
@given(st.lists(SAID, min_size=1, max_size=7), st.data())
def test_in_whatever_order_messages_are_taken_in_the_latest_one_holds(
    said: Sequence[tuple[str, int | None, str]], data: st.DataObject
) -> None:
    """As the ledger orders states: by their own times, and by arrival around a Delete and what has no time of its own."""
    times = [None if changed is None else NOW + changed * MINUTE for _, changed, _ in said]
    history = [
        an_observation(a_coverage_finding(EDR, status, action=action, changed=time), number)
        for number, ((status, _, action), time) in enumerate(zip(said, times, strict=True))
    ]
    known: StoredDocument | None = None
    for one in [*data.draw(st.permutations(history)), *data.draw(st.lists(st.sampled_from(history), max_size=3))]:
        before = assessments_in(known, NOW) if known is not None else []
        known = document_of_assessments(joined([*before, assessment_of(one)]), NOW + timedelta(hours=1))
    assert known is not None
    latest = in_time_order(history, NOW)[-1].signal
    assert isinstance(latest, Finding)
    expected = {} if latest.deleted else {EDR: (latest.status or "").lower()}
    assert statuses(known) == expected
    assert known == document_of_assessments(joined(map(assessment_of, history)), NOW + timedelta(hours=1))
