"""What the router itself knows: it proves something as long as it is young, and a gap stays one."""

from __future__ import annotations

from datetime import datetime, timedelta

import pytest

from router.coverage.documents import dated
from router.coverage.expected.manifest import HEARD_WITHIN, CoverageManifest, Expectation, WorkloadSelector
from router.coverage.facts import RecommendationFact
from router.coverage.readers import read_facts
from router.coverage.stored import documents_of_state
from router.coverage.verdicts import CoverageState
from router.domain.clocks import SKEW
from router.domain.coverage import Rung, WorkloadKind
from router.domain.documents import DocumentKind, StoredDocument
from router.domain.recommendations import EDR_INSTALLED, EDR_RUNNING, SQL_PROTECTED
from router.store.documents import ReadTags, document_of_tags
from tests.coverage.builders import (
    ARC_CLUSTER,
    CLUSTER,
    MACHINE,
    NOW,
    SUBSCRIPTION,
    Json,
    cluster_extension,
    document,
    expecting,
    expecting_plans,
    judged,
    managed_cluster,
    pricing,
    verdict,
)
from tests.coverage.machine_builders import POSTURE, SQL, all_healthy, assessment, joined, machine, sql_machine
from tests.coverage.manifests import excuses, expects, manifest_of
from tests.coverage.stored_builders import heard, of_state, said

COVERED, GAP, UNKNOWN = CoverageState.COVERED, CoverageState.GAP, CoverageState.UNKNOWN

AKS_PROFILE = "56a83a6e-c417-42ec-b567-1e6fcb3d09a9"
ARC_EXTENSION = "3ef9848c-c2c8-4ff3-8b9c-4c8eb8ddfce6"
CONTAINERS = "e599a9fe-30e3-47c6-a173-8b4b6d9d3255"
OF_SUBSCRIPTION = f"/subscriptions/{SUBSCRIPTION}"

YOUNGEST, OLDEST = NOW + SKEW, NOW - HEARD_WITHIN
JUST = timedelta(microseconds=1)

AGES = [
    (YOUNGEST.isoformat(), True),
    ((YOUNGEST + JUST).isoformat(), False),
    (OLDEST.isoformat(), True),
    ((OLDEST - JUST).isoformat(), False),
    ("when the moon was full", False),
    ([], False),
    (7, False),
    ("", False),
]
"""When a message said it, and whether that is young enough: both sides of each boundary."""


@pytest.mark.parametrize(("seen", "is_young"), AGES)
def test_what_a_message_said_covers_as_long_as_it_is_young(seen: object, is_young: bool) -> None:
    """One missed snapshot, and it proves nothing: it is unknown, and how old it is says why."""
    found = verdict(judged(POSTURE, said(*all_healthy(), seen=seen)), "web-1", Rung.SENSOR_RUNNING)
    assert found.state is (COVERED if is_young else UNKNOWN)
    assert is_young or found.reason.startswith("what was last said of it is ")
    assert is_young or (found.remedy is not None and EDR_RUNNING[0] in found.remedy)


@pytest.mark.parametrize(("seen", "is_young"), AGES)
def test_a_gap_stays_a_gap_however_old(seen: object, is_young: bool) -> None:
    """What was missing is missing until something says otherwise; its evidence says when a message last said so."""
    found = verdict(
        judged(POSTURE, said(assessment(EDR_RUNNING[0], "Unhealthy"), seen=seen)), "web-1", Rung.SENSOR_RUNNING
    )
    assert found.state is GAP
    assert found.evidence[0].known_at is not None


@pytest.mark.parametrize(
    ("seen", "state"), [(OLDEST, GAP), (OLDEST - JUST, COVERED), (YOUNGEST + JUST, GAP), (NOW - JUST, GAP)]
)
def test_what_azure_answers_today_ends_what_a_message_said_before_the_last_snapshot(
    seen: datetime, state: CoverageState
) -> None:
    """A younger message may be ahead of what Azure answers; a file has no age, so that it ends nothing."""
    stored = said(*(assessment(str(one["name"]), "Unhealthy") for one in all_healthy()), seen=seen.isoformat())
    today = [dated(document(one, f"live-{number}.json"), NOW) for number, one in enumerate(all_healthy())]
    assert verdict(judged(POSTURE, stored, *today), "web-1", Rung.SENSOR_RUNNING).state is state
    assert verdict(judged(POSTURE, stored, *all_healthy()), "web-1", Rung.SENSOR_RUNNING).state is GAP


def test_one_that_is_old_among_young_ones_is_not_there() -> None:
    """All of them must be young."""
    *young, old = all_healthy()
    found = verdict(
        judged(POSTURE, [*said(*young), *said(old, seen=(OLDEST - JUST).isoformat())]), "web-1", Rung.SENSOR_RUNNING
    )
    assert (found.state, found.reason) == (UNKNOWN, "what was last said of it is 8 days old")


@pytest.mark.parametrize(("days", "is_young"), [(15, True), (16, False)])
def test_the_manifest_says_how_old_it_may_be(days: int, is_young: bool) -> None:
    """By how long it lets the source be silent; of recommendations, and of the rows that prove that they come."""
    expectation = Expectation(heard_within=timedelta(days=15), number=1)
    manifest = CoverageManifest(expectations=(expectation,), is_given=True)
    seen = (NOW - timedelta(days=days)).isoformat()
    for documents in (
        [POSTURE, said(*all_healthy(), seen=seen)],
        [heard(healthy=seen, posture=seen), said(*all_healthy())],
    ):
        result = judged(*documents, manifest=manifest)
        assert verdict(result, "web-1", Rung.SENSOR_RUNNING).state is (COVERED if is_young else UNKNOWN)
        assert result.posture[0].is_known_on is (is_young or documents[0] is POSTURE)
    assert [one.is_silent for one in result.sources] == [not is_young]


@pytest.mark.parametrize(
    ("rungs", "days", "is_excused"),
    [
        ([Rung.EXPORT], 9, True),
        ([], 9, True),
        ([Rung.PLAN], 9, False),
        ([Rung.EXPORT], 8, False),
    ],
)
def test_the_silence_of_a_subscription_is_excused_on_its_export(rungs: list[Rung], days: int, is_excused: bool) -> None:
    """By the exception that ends last, while it is silent; an exception on another rung is not about that."""
    kinds = [WorkloadKind.SUBSCRIPTION]
    short, long = (excuses(SUBSCRIPTION, kinds=kinds, rungs=rungs, ends=NOW + timedelta(days=left)) for left in (1, 30))
    ended = excuses(SUBSCRIPTION, kinds=kinds, rungs=rungs, ends=NOW)
    manifest = manifest_of(expects(SUBSCRIPTION, kinds=kinds, rungs=None), excused=[short, long, ended])
    (found,) = judged(heard(posture=(NOW - timedelta(days=days)).isoformat()), manifest=manifest).sources
    assert (found.is_silent, found.exception) == (days > 8, long.exception if is_excused else None)


def test_a_source_of_the_manifest_is_reported_though_it_was_never_heard_of() -> None:
    """Each subscription, cluster and plan of it, with how long it may be silent; without a manifest, what is judged."""
    selects = WorkloadSelector(kinds=frozenset({WorkloadKind.SUBSCRIPTION}), names=(SUBSCRIPTION,))
    expectation = Expectation(selects=selects, plans={"Containers": None}, heard_within=timedelta(days=3), number=1)
    manifest = CoverageManifest(expectations=(expectation,), is_given=True)
    other = heard(subject="22222222-2222-2222-2222-222222222222", posture=(NOW - timedelta(days=5)).isoformat())
    found = [
        (one.heard.source.id, one.is_expected, one.within, one.is_silent)
        for one in judged(other, manifest=manifest).sources
    ]
    assert found == [
        (f"subscription:{SUBSCRIPTION}", True, timedelta(days=3), True),
        ("subscription:22222222-2222-2222-2222-222222222222", False, HEARD_WITHIN, False),
        (f"plan:{SUBSCRIPTION}:Containers", True, timedelta(days=3), None),
    ]
    (cluster, *_) = [one for one in judged(other, managed_cluster()).sources if one.name == "payments"]
    assert (cluster.is_expected, cluster.heard.last) == (True, None)
    assert judged(managed_cluster(), manifest=manifest).sources == ()


@pytest.mark.parametrize(
    ("seen", "state"), [(OLDEST.isoformat(), COVERED), ((OLDEST - JUST).isoformat(), UNKNOWN)], ids=["young", "old"]
)
def test_each_judge_that_goes_by_recommendations_asks_how_old_they_are(seen: str, state: CoverageState) -> None:
    """Machines by what is installed, SQL servers on them, clusters by what is asked for, subscriptions by their plans."""
    sql = assessment("f00d", title=SQL_PROTECTED, of=SQL)
    for documents, name, rung in (
        ([machine(), joined(None, None), said(assessment(EDR_INSTALLED), seen=seen)], "web-1", Rung.SENSOR_INSTALLED),
        ([machine(), sql_machine(), said(sql, seen=seen)], "ledger", Rung.SENSOR_RUNNING),
        ([said(assessment(AKS_PROFILE, of=CLUSTER), seen=seen)], "payments", Rung.INTEGRATION),
        ([said(assessment(ARC_EXTENSION, of=ARC_CLUSTER), seen=seen)], "edge", Rung.INTEGRATION),
    ):
        assert verdict(judged(POSTURE, *documents), name, rung).state is state, rung
        assert verdict(judged(*documents), name, rung).state is UNKNOWN, rung
    manifest = expecting_plans({"Containers": None})
    plan = said(assessment(CONTAINERS, of=OF_SUBSCRIPTION), seen=seen)
    found = verdict(judged(POSTURE, plan, manifest=manifest), SUBSCRIPTION, Rung.PLAN)
    assert found.state is state
    assert state is COVERED or "what was last said of it is 8 days old" in found.remarks[0]


@pytest.mark.parametrize("cause", ["Exempt", "OffByPolicy", ""])
def test_what_does_not_apply_covers_nothing(cause: str) -> None:
    """Somebody exempted it, or switched it off."""
    one = said(assessment(AKS_PROFILE, "NotApplicable", of=CLUSTER, cause=cause))
    found = verdict(judged(POSTURE, one), "payments", Rung.INTEGRATION)
    assert (found.state, "does not apply" in found.reason) == (UNKNOWN, True)
    plan = said(assessment(CONTAINERS, "NotApplicable", of=OF_SUBSCRIPTION, cause=cause))
    manifest = expecting_plans({"Containers": None})
    healthy = said(assessment(CONTAINERS, of=OF_SUBSCRIPTION))
    for documents in ([plan], [plan, healthy], [healthy, plan]):
        assert verdict(judged(POSTURE, *documents, manifest=manifest), SUBSCRIPTION, Rung.PLAN).state is UNKNOWN


def test_what_azure_answers_counts_before_a_recommendation() -> None:
    """It lags behind: a plan that was switched on today is still recommended, and so is a profile."""
    plan = said(assessment(CONTAINERS, "Unhealthy", of=OF_SUBSCRIPTION))
    manifest = expecting_plans({"Containers": None})
    found = verdict(judged(plan, manifest=manifest), SUBSCRIPTION, Rung.PLAN)
    assert (found.state, found.evidence[0].field) == (GAP, f"{CONTAINERS} status.code")
    both = judged(plan, pricing("Containers"), manifest=manifest)
    assert verdict(both, SUBSCRIPTION, Rung.PLAN).state is COVERED
    profile = said(assessment(AKS_PROFILE, of=CLUSTER))
    dark = judged(POSTURE, profile, managed_cluster(has_sensor=False))
    assert verdict(dark, "payments", Rung.INTEGRATION).state is GAP
    pending = judged(POSTURE, said(assessment(ARC_EXTENSION, of=ARC_CLUSTER)), cluster_extension(state="Pending"))
    assert verdict(pending, "edge", Rung.INTEGRATION).state is UNKNOWN


def test_resources_that_only_the_stream_named_are_workloads() -> None:
    """As if a file had named them: a machine, a cluster, and a subscription of which a plan is recommended."""
    result = judged(
        said(assessment(EDR_INSTALLED)),
        said(assessment(AKS_PROFILE, of=CLUSTER)),
        said(assessment(CONTAINERS, of=OF_SUBSCRIPTION)),
        said(assessment("f00d", of=f"{MACHINE}-2")),
    )
    assert {row.workload.name for row in result.assessed.rows} == {"web-1", "payments", SUBSCRIPTION}


@pytest.mark.parametrize(("healthy", "is_young"), [one for one in AGES if one[0] not in ([], 7)])
def test_healthy_rows_of_a_snapshot_prove_that_recommendations_come(healthy: str, is_young: bool) -> None:
    """As long as the last one is young, and no answer calls a plan Free that costs nothing."""
    for more, expected in (
        ([], is_young),
        ([pricing("CloudPosture", "Free")], is_young),
        ([pricing("FoundationalCspm", "Free")], False),
    ):
        result = judged(heard(healthy=healthy), said(*all_healthy()), *more)
        assert result.posture[0].is_known_on is expected
        assert (verdict(result, "web-1", Rung.SENSOR_RUNNING).state is COVERED) is expected
    alone: Json = heard(snapshot=NOW.isoformat(), posture=NOW.isoformat(), alert=NOW.isoformat())
    assert not judged(alone, said(*all_healthy())).posture[0].is_known_on


def test_what_came_lately_is_a_remark_on_export_and_proves_none() -> None:
    """Neither every severity nor that it goes on."""
    source = heard(posture=(NOW - timedelta(days=3)).isoformat(), alert=(NOW + timedelta(days=3)).isoformat())
    found = verdict(judged(POSTURE, source, manifest=expecting(Rung.EXPORT)), SUBSCRIPTION, Rung.EXPORT)
    assert found.state is UNKNOWN
    assert found.remarks == ("a recommendation of it came 3 days ago, so export carried then",)


@pytest.mark.parametrize(("read", "is_young"), [(OLDEST, True), (OLDEST - JUST, False)])
def test_a_tag_that_was_read_lately_is_the_reason_of_a_gap(read: datetime, is_young: bool) -> None:
    """One that was read long ago may be gone. Tags of the state name no workload, and cover none by what they lack."""
    excluded = {
        CLUSTER.lower(): ReadTags(read, {"ms_defender_container_exclude_sensors": "true"}),
        MACHINE.lower(): ReadTags(read, {"excludemdeautoprovisioning": "True"}),
        f"{MACHINE}-2".lower(): ReadTags(read, {"excludemdeautoprovisioning": "true"}),
        ARC_CLUSTER.lower(): ReadTags(read, {"team": "edge"}),
    }
    state = list(documents_of_state("stream (.state)", [document_of_tags(SUBSCRIPTION, excluded, NOW)]))
    assert judged(*state).assessed.rows == ()
    result = judged(*state, managed_cluster(), machine(tags=None))
    for name in ("payments", "web-1"):
        found = verdict(result, name, Rung.SENSOR_INSTALLED)
        assert found.state is (GAP if is_young else UNKNOWN)
        assert not is_young or found.evidence[0].document.startswith("stream (.state) tags of /subscriptions/")
    damaged = StoredDocument(kind=DocumentKind.TAGS, id=SUBSCRIPTION, at=NOW, body=b"{}")
    assert len(judged(*documents_of_state("stream (.state)", [damaged])).unanswered) == 1


def test_a_state_is_one_document_however_many_it_holds() -> None:
    """What is damaged in it is an answer that nobody has; what is of another sort says nothing."""
    result = judged(*of_state(said(*all_healthy()), heard(), {"other": 1}, 7, [3]))
    assert result.used == ("stream (.state)",)
    assert result.unanswered == ()
    result = judged(*of_state(b"{", said(*all_healthy())))
    assert [name for name, _ in result.unanswered] == ["stream (.state)"]
    assert "one-0 is damaged" in result.unanswered[0][1]
    result = judged(*of_state())
    assert result.unused == (
        ("stream (.state)", "holds no facts of coverage yet: a router that takes recommendations in writes them"),
    )


def test_a_stored_fact_that_does_not_say_when_it_was_seen_is_old() -> None:
    """Of a file nobody knows its age either, but a file was made by whoever asks; what is stored may be of any day."""
    (_, stored) = of_state(all_healthy())
    facts = [fact for fact in read_facts(stored) if isinstance(fact, RecommendationFact)]
    assert all(fact.source.is_stale(NOW, HEARD_WITHIN) for fact in facts)
    assert verdict(judged(POSTURE, *of_state(all_healthy())), "web-1", Rung.SENSOR_RUNNING).state is UNKNOWN
    assert verdict(judged(POSTURE, all_healthy()), "web-1", Rung.SENSOR_RUNNING).state is COVERED
    for asked, state in ((NOW, COVERED), (OLDEST - JUST, UNKNOWN)):
        answer = dated(document(all_healthy()), asked)
        assert verdict(judged(POSTURE, answer), "web-1", Rung.SENSOR_RUNNING).state is state
