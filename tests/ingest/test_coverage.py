"""What messages say for coverage: of what they speak, and what is known of assessments in whatever order they come."""

from collections.abc import Sequence
from copy import replace
from datetime import datetime, timedelta
from functools import partial

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
from router.domain.signals import Finding, Kind, Signal, Stream
from router.ingest.coverage_facts import (
    MOST,
    CoverageAssessment,
    assessments_in,
    document_of_assessments,
    find_assessment,
    joined,
)
from router.ingest.coverage_mentions import LONGEST, POSTURE, last_heard_by
from router.ingest.observations import Observation, in_time_order, keys_of
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
OF_AKS = f"cluster:{AKS.lower()}"
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


def workload(id: str, *parts: str) -> set[str]:
    """A workload and parts of it, as sources."""
    return {f"workload:{id}{part}".lower() for part in ("", *parts)}


def cluster(id: str, *parts: str) -> set[str]:
    """A cluster, which is a workload, too."""
    return {f"cluster:{id.lower()}"} | workload(id, *parts)


IN_AWS = {"$id": "1", "Type": "amazon-resource", "AmazonResourceId": ARN}
ENABLED = "Microsoft Defender for Containers should be enabled"
MINE, NATIVE = {"source": "Azure", "id": AKS}, {"source": "Aws", "id": RESOURCE, "nativeResourceId": ARN}
THEIRS = {"source": "Azure", "id": AKS.replace(SUBSCRIPTION, "99999999-9999-9999-9999-999999999999")}
ABOUT: list[tuple[Signal, set[str]]] = [
    # An alert is about its resource and the whole of it; what no cloud can have is not kept.
    (an_alert(AzureResourceId=AKS), cluster(AKS) | {HERE}),
    (an_alert(AzureResourceId=f"{AKS}/namespaces/payments"), cluster(AKS, "/namespaces/payments") | {HERE}),
    (an_alert(AzureResourceId=ARC), cluster(ARC) | {HERE}),
    (an_alert(AzureResourceId=EKS), cluster(EKS) | {HERE}),
    (an_alert(AzureResourceId=ARN), cluster(ARN)),
    (an_alert(AzureResourceId=GKE), cluster(GKE[2:])),
    (an_alert(AzureResourceId=f"{GKE}/k8s/a"), cluster(GKE[2:], "/k8s/a")),
    (an_alert(AzureResourceId=f"{SERVER}/databases/books"), workload(SERVER, "/databases/books") | {HERE}),
    (an_alert(AzureResourceId=f"/subscriptions/{SUBSCRIPTION.upper()}"), workload(WHOLE) | {HERE}),
    (an_alert(AzureResourceId="vm-1"), set()),
    (an_alert(AzureResourceId=f"/subscriptions/s/{'x' * LONGEST}"), {"subscription:s"}),
    (an_alert(AzureResourceId=f"{RESOURCE}\x07"), {HERE}),
    # A cluster of another cloud has its own name, where the message says it; some name a place only in a property.
    (an_alert(AzureResourceId=EKS, Entities=[IN_AWS]), cluster(ARN) | workload(EKS) | {HERE}),
    (a_coverage_finding("any", resource=EKS, details=NATIVE | {"id": EKS}), {f"cluster:{ARN.lower()}", HERE}),
    (
        an_alert(AzureResourceId=AKS, ExtendedProperties={"EffectiveAzureResourceId": RESOURCE}),
        cluster(AKS) | workload(RESOURCE) | {HERE},
    ),
    # An incident is made of alerts that come by themselves, and Azure Monitor has sensors of its own.
    (an_alert(IsIncident=True), {HERE}),
    (read_alert(a_common_alert()), set()),
    # A plan of one resource is none of its subscription's, nor is what a customer wrote, whatever its title.
    (a_coverage_finding(CONTAINERS, resource=WHOLE), {HERE, PLAN}),
    (a_coverage_finding(SERVERS, resource=SERVER), {HERE}),
    (a_coverage_finding("another", title=ENABLED, resource=WHOLE, type="BuiltIn"), {HERE, PLAN}),
    (a_coverage_finding("another", title=ENABLED, resource=WHOLE, type="CustomPolicy"), {HERE}),
    # What a customer wrote, or one subscription says of another, keeps no cluster alive.
    (a_coverage_finding("any", resource=AKS), {HERE, OF_AKS}),
    (a_coverage_finding("another", resource=AKS, type="BuiltIn"), {HERE, OF_AKS}),
    (a_coverage_finding("another", resource=AKS, type="CustomerManaged"), {HERE}),
    (a_coverage_finding("any", resource=AKS, details=THEIRS), {HERE}),
    (a_coverage_finding("any", resource=WHOLE, details=MINE), {HERE}),
    (a_coverage_finding("any", resource=RESOURCE, details=NATIVE), {HERE}),
    (a_coverage_finding("any", resource="", details=MINE), set()),
]
"""Messages, and the sources that are heard of in them."""


def test_a_message_is_heard_of_what_it_is_about_and_of_nothing_else(subtests: pytest.Subtests) -> None:
    """By their names in lower case; an owner has no subscription."""
    for signal, sources in ABOUT:
        with subtests.test(resource=signal.resource, title=signal.title):
            assert heard(signal).keys() == sources
    owners = Owners((Ownership(lambda _, group: group == "rg-web", Owner("Web-Shop")),))
    subscriptions = {name: one.subscription for name, one in heard(an_alert(), owners).items()}
    assert subscriptions == dict.fromkeys([*workload(RESOURCE), HERE], SUBSCRIPTION) | {"owner:web-shop": None}


IN_SNAPSHOT = partial(a_coverage_finding, EDR_INSTALLED, resource=AKS, isSnapshot=True)
KNOWN: list[tuple[Signal, set[str]]] = [
    # A sample shows that alerts come, and nothing of a sensor.
    (an_alert(), {"alert", "real_alert"}),
    (an_alert(AlertType="SIMULATED_VM_Test"), {"alert"}),
    *((a_coverage_finding(CONTAINERS, status, resource=WHOLE), {"posture"}) for status in ("Healthy", "Unhealthy")),
    (a_coverage_finding(EDR_INSTALLED, "Healthy", resource=AKS), {"posture"}),
    # That snapshots come, and that they bring Healthy rows, so that what is missing in them means something.
    (IN_SNAPSHOT(status="Healthy"), {"posture", "snapshot", "healthy"}),
    (IN_SNAPSHOT(), {"posture", "snapshot"}),
    (IN_SNAPSHOT(status="NotApplicable"), {"posture", "snapshot"}),
    (IN_SNAPSHOT(status="Healthy", action="Delete"), {"posture", "snapshot"}),
    # What a customer wrote comes without Defender.
    (IN_SNAPSHOT(status="Healthy", type="CustomerManaged"), {"posture", "snapshot"}),
]
"""Messages, and which instants they tell of all that they are about."""


def test_what_is_known_after_a_message_depends_on_what_it_says(subtests: pytest.Subtests) -> None:
    """Only a real alert shows that a sensor works, and only a Healthy row of a snapshot that those come."""
    names = ("posture", "snapshot", "healthy", "alert", "real_alert")
    for signal, known in KNOWN:
        with subtests.test(title=signal.title, known=known):
            found = heard(signal).values()
            assert found
            assert [{name for name in names if getattr(one, name) == NOW} for one in found] == [known] * len(found)


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
    return Observation(signal=finding, keys=keys_of(finding), arrival=arrival, source="test", body=b"")


def assessment_of(observation: Observation, now: datetime = NOW) -> CoverageAssessment:
    """What an observation says."""
    found = find_assessment(observation, now)
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
        assert (find_assessment(one, NOW) is not None) is (finding in kept), finding


def test_an_older_message_brings_back_nothing_that_was_deleted_and_no_wrong_clock_is_believed() -> None:
    """It may come again, or to another worker. A hub's clock is minutes ahead at most, and never told of as later than now."""
    here = assessment_of(an_observation(a_coverage_finding(EDR, "Healthy", changed=NOW), 1))
    gone = assessment_of(an_observation(a_coverage_finding(EDR, "Unhealthy", action="Delete"), 2))
    back = assessment_of(an_observation(a_coverage_finding(EDR, "Healthy", changed=NOW - MINUTE), 3))
    assert statuses(document_of_assessments(joined([gone, here]), NOW)) == {}
    assert statuses(document_of_assessments(joined([back, here, gone]), NOW)) == {EDR: "healthy"}
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


def test_two_recommendations_of_a_long_id_are_told_apart_and_only_so_many_are_kept() -> None:
    """Else a healthy one would take another's place. A title of Defender's under ever new keys fills no storage."""
    long = f"/subscriptions/{SUBSCRIPTION}/resourceGroups/{'x' * 900}"
    found = [
        assessment_of(an_observation(a_coverage_finding(key, status, resource=long, type="BuiltIn"), place))
        for place, (key, status) in enumerate([(AGENT, "Unhealthy"), (EDR, "Healthy")])
    ]
    assert statuses(document_of_assessments(joined(found), NOW)) == {AGENT: "unhealthy", EDR: "healthy"}
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
