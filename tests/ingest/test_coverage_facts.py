"""What is known of a resource's assessments, whatever the order in which messages about them are taken in."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime, timedelta

from hypothesis import given, settings
from hypothesis import strategies as st

from router.coverage.documents import read_document
from router.coverage.facts import RecommendationFact
from router.coverage.readers import facts_in
from router.domain.documents import DocumentKind, StoredDocument
from router.domain.hubs import Arrival
from router.domain.recommendations import EDR_INSTALLED, EDR_RUNNING
from router.domain.signals import Finding
from router.ingest.coverage_facts import (
    MOST,
    CoverageAssessment,
    assessments_in,
    document_of_assessments,
    find_assessment,
    joined,
)
from router.ingest.observations import Observation, in_time_order
from tests.builders import NOW, RESOURCE, SUBSCRIPTION, a_finding
from tests.coverage_messages import RETIRED_EDR, a_coverage_finding
from tests.examples import some_of

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
