"""What the router itself knows: it proves something as long as it is young, and a gap stays one."""

from datetime import datetime, timedelta
from functools import partial

import pytest

from router.coverage.documents import dated
from router.coverage.expected.manifest import HEARD_WITHIN, CoverageManifest, Expectation, WorkloadSelector
from router.coverage.stored import documents_of_state
from router.domain.clocks import SKEW
from router.domain.coverage import Rung, WorkloadKind
from router.domain.documents import DocumentKind, StoredDocument
from router.domain.recommendations import EDR_INSTALLED, EDR_RUNNING, SQL_PROTECTED
from router.store.documents import ReadTags, document_of_tags
from tests.coverage import builders as az
from tests.coverage.builders import COVERED, GAP, NOW, SUBSCRIPTION, UNKNOWN, excuses, expects, judged, manifest_of
from tests.coverage.machine_builders import POSTURE, SQL, all_healthy, assessment, joined, machine, sql_machine
from tests.coverage.stored_builders import heard, of_state, said

AKS_PROFILE, ARC_EXTENSION = "56a83a6e-c417-42ec-b567-1e6fcb3d09a9", "3ef9848c-c2c8-4ff3-8b9c-4c8eb8ddfce6"
CONTAINERS, OF_SUBSCRIPTION = "e599a9fe-30e3-47c6-a173-8b4b6d9d3255", f"/subscriptions/{SUBSCRIPTION}"
YOUNGEST, OLDEST, JUST = NOW + SKEW, NOW - HEARD_WITHIN, timedelta(microseconds=1)

running = partial(az.known, of="web-1", on=Rung.SENSOR_RUNNING)
plans = partial(az.known, of=SUBSCRIPTION, on=Rung.PLAN, manifest=az.expecting_plans({"Containers": None}))
integration = partial(az.known, POSTURE, on=Rung.INTEGRATION)


def test_what_a_message_said_covers_as_long_as_it_is_young_and_a_gap_stays_one(subtests: pytest.Subtests) -> None:
    """All must be young, and healthy rows that prove that recommendations come; else it is unknown, with its age."""
    young = [one.isoformat() for one in (YOUNGEST, OLDEST)]
    old = [one.isoformat() for one in (YOUNGEST + JUST, OLDEST - JUST)]
    ages: dict[str, bool] = dict.fromkeys(young, True) | dict.fromkeys([*old, "when the moon was full", ""], False)
    for seen, is_young in (*ages.items(), ([], False), (7, False)):
        with subtests.test(seen=seen):
            found = running(POSTURE, said(*all_healthy(), seen=seen))
            assert found.state is (COVERED if is_young else UNKNOWN)
            assert is_young or found.reason.startswith("what was last said of it is ")
            assert is_young or EDR_RUNNING[0] in (found.remedy or "")
            gap = running(POSTURE, said(assessment(EDR_RUNNING[0], "Unhealthy"), seen=seen))
            assert (gap.state, gap.evidence[0].known_at is None) == (GAP, False)
    *most, one = all_healthy()
    found = running(POSTURE, [*said(*most), *said(one, seen=old[1])])
    assert (found.state, found.reason) == (UNKNOWN, "what was last said of it is 8 days old")
    for seen, is_young in ages.items():
        for more, expected in (
            *(([], is_young), ([az.pricing("CloudPosture", "Free")], is_young)),
            ([az.pricing("FoundationalCspm", "Free")], False),
        ):
            result = judged(heard(healthy=seen), said(*all_healthy()), *more)
            state = az.verdict(result, "web-1", Rung.SENSOR_RUNNING).state
            assert (result.posture[0].is_known_on, state is COVERED) == (expected, expected), seen
    alone: az.Json = heard(snapshot=NOW.isoformat(), posture=NOW.isoformat(), alert=NOW.isoformat())
    assert not judged(alone, said(*all_healthy())).posture[0].is_known_on


def test_what_azure_answers_counts_before_a_recommendation() -> None:
    """It ends what was said before the last snapshot. One that does not apply covers nothing: somebody exempted it."""
    today = [dated(az.document(one, f"live-{number}.json"), NOW) for number, one in enumerate(all_healthy())]
    for seen, state in ((OLDEST, GAP), (OLDEST - JUST, COVERED), (YOUNGEST + JUST, GAP), (NOW - JUST, GAP)):
        stored = said(*(assessment(str(one["name"]), "Unhealthy") for one in all_healthy()), seen=seen.isoformat())
        assert running(POSTURE, stored, *today).state is state
        assert running(POSTURE, stored, *all_healthy()).state is GAP
    plan = said(assessment(CONTAINERS, "Unhealthy", of=OF_SUBSCRIPTION))
    found = plans(plan)
    assert (found.state, found.evidence[0].field) == (GAP, f"{CONTAINERS} status.code")
    assert plans(plan, az.pricing("Containers")).state is COVERED
    profile, arc = said(assessment(AKS_PROFILE, of=az.CLUSTER)), said(assessment(ARC_EXTENSION, of=az.ARC_CLUSTER))
    assert integration(profile, az.managed_cluster(has_sensor=False), of="payments").state is GAP
    assert integration(arc, az.cluster_extension(state="Pending"), of="edge").state is UNKNOWN
    healthy = said(assessment(CONTAINERS, of=OF_SUBSCRIPTION))
    for cause in ("Exempt", "OffByPolicy", ""):
        profile = said(assessment(AKS_PROFILE, "NotApplicable", of=az.CLUSTER, cause=cause))
        found = integration(profile, of="payments")
        assert (found.state, "does not apply" in found.reason) == (UNKNOWN, True)
        plan = said(assessment(CONTAINERS, "NotApplicable", of=OF_SUBSCRIPTION, cause=cause))
        assert {plans(POSTURE, *some).state for some in ([plan], [plan, healthy], [healthy, plan])} == {UNKNOWN}


def test_the_manifest_says_how_old_it_may_be_and_which_sources_there_are() -> None:
    """By how long it lets a source be silent; one never heard of is reported. Without a manifest, what is judged is."""
    expectation = Expectation(heard_within=timedelta(days=15), number=1)
    manifest = CoverageManifest(expectations=(expectation,), is_given=True)
    for days, is_young in ((15, True), (16, False)):
        seen = (NOW - timedelta(days=days)).isoformat()
        told = [POSTURE, said(*all_healthy(), seen=seen)]
        came = [heard(healthy=seen, posture=seen), said(*all_healthy())]
        for documents in (told, came):
            assert running(*documents, manifest=manifest).state is (COVERED if is_young else UNKNOWN)
        assert judged(*told, manifest=manifest).posture[0].is_known_on
        result = judged(*came, manifest=manifest)
        assert (result.posture[0].is_known_on, [one.is_silent for one in result.sources]) == (is_young, [not is_young])
    selects = WorkloadSelector(kinds=frozenset({WorkloadKind.SUBSCRIPTION}), names=(SUBSCRIPTION,))
    expectation = Expectation(selects=selects, plans={"Containers": None}, heard_within=timedelta(days=3), number=1)
    manifest = CoverageManifest(expectations=(expectation,), is_given=True)
    other = heard(subject="22222222-2222-2222-2222-222222222222", posture=(NOW - timedelta(days=5)).isoformat())
    found = judged(other, manifest=manifest).sources
    assert [(one.heard.source.id, one.is_expected, one.within, one.is_silent) for one in found] == [
        (f"subscription:{SUBSCRIPTION}", True, timedelta(days=3), True),
        ("subscription:22222222-2222-2222-2222-222222222222", False, HEARD_WITHIN, False),
        (f"plan:{SUBSCRIPTION}:Containers", True, timedelta(days=3), None),
    ]
    (cluster, *_) = [one for one in judged(other, az.managed_cluster()).sources if one.name == "payments"]
    assert (cluster.is_expected, cluster.heard.last) == (True, None)
    assert judged(az.managed_cluster(), manifest=manifest).sources == ()


def test_each_judge_that_goes_by_recommendations_asks_how_old_they_are() -> None:
    """Machines, SQL servers on them, clusters and plans. What only the stream named is a workload as any other."""
    sql = assessment("f00d", title=SQL_PROTECTED, of=SQL)
    for seen, state in ((OLDEST.isoformat(), COVERED), ((OLDEST - JUST).isoformat(), UNKNOWN)):
        for documents, name, rung in (
            (
                [machine(), joined(None, None), said(assessment(EDR_INSTALLED), seen=seen)],
                "web-1",
                Rung.SENSOR_INSTALLED,
            ),
            ([machine(), sql_machine(), said(sql, seen=seen)], "ledger", Rung.SENSOR_RUNNING),
            ([said(assessment(AKS_PROFILE, of=az.CLUSTER), seen=seen)], "payments", Rung.INTEGRATION),
            ([said(assessment(ARC_EXTENSION, of=az.ARC_CLUSTER), seen=seen)], "edge", Rung.INTEGRATION),
        ):
            found = [az.verdict(judged(*some, *documents), name, rung).state for some in ((POSTURE,), ())]
            assert found == [state, UNKNOWN], rung
        plan = plans(POSTURE, said(assessment(CONTAINERS, of=OF_SUBSCRIPTION), seen=seen))
        assert plan.state is state
        assert state is COVERED or "what was last said of it is 8 days old" in plan.remarks[0]
    named = [
        assessment(EDR_INSTALLED),
        assessment(AKS_PROFILE, of=az.CLUSTER),
        assessment(CONTAINERS, of=OF_SUBSCRIPTION),
    ]
    result = judged(*map(said, named), said(assessment("f00d", of=f"{az.MACHINE}-2")))
    assert {row.workload.name for row in result.assessed.rows} == {"web-1", "payments", SUBSCRIPTION}


def test_what_came_lately_is_a_remark_on_export_and_silence_is_excused_on_it() -> None:
    """It proves neither every severity nor that it goes on. The exception on export that ends last counts in a silence."""
    source = heard(posture=(NOW - timedelta(days=3)).isoformat(), alert=(NOW + timedelta(days=3)).isoformat())
    export = az.known(POSTURE, source, of=SUBSCRIPTION, on=Rung.EXPORT, manifest=az.expecting(Rung.EXPORT))
    said = ("a recommendation of it came 3 days ago, so export carried then",)
    assert (export.state, export.remarks) == (UNKNOWN, said)
    kinds = [WorkloadKind.SUBSCRIPTION]
    on_export, on_plan = [Rung.EXPORT], [Rung.PLAN]
    for rungs, days, is_excused in ((on_export, 9, True), ([], 9, True), (on_plan, 9, False), (on_export, 8, False)):
        ended, short, long = (
            excuses(SUBSCRIPTION, kinds=kinds, rungs=rungs, ends=NOW + timedelta(days=left)) for left in (0, 1, 30)
        )
        manifest = manifest_of(expects(SUBSCRIPTION, kinds=kinds, rungs=None), excused=[short, long, ended])
        (found,) = judged(heard(posture=(NOW - timedelta(days=days)).isoformat()), manifest=manifest).sources
        assert (found.is_silent, found.exception) == (days > 8, long.exception if is_excused else None)


def _tags(read: datetime) -> StoredDocument:
    excluded = {"excludemdeautoprovisioning": "true"}
    tags = {
        az.CLUSTER.lower(): ReadTags(read, {"ms_defender_container_exclude_sensors": "true"}),
        az.MACHINE.lower(): ReadTags(read, excluded),
        f"{az.MACHINE}-2".lower(): ReadTags(read, excluded),
        az.ARC_CLUSTER.lower(): ReadTags(read, {"team": "edge"}),
    }
    return document_of_tags(SUBSCRIPTION, tags, NOW)


def test_a_tag_that_was_read_lately_is_the_reason_of_a_gap() -> None:
    """One that was read long ago may be gone. Tags of the state name no workload, and cover none by what they lack."""
    for read, state in ((OLDEST, GAP), (OLDEST - JUST, UNKNOWN)):
        documents = list(documents_of_state("stream (.state)", [_tags(read)]))
        assert judged(*documents).assessed.rows == ()
        result = judged(*documents, az.managed_cluster(), machine(tags=None))
        for name in ("payments", "web-1"):
            found = az.verdict(result, name, Rung.SENSOR_INSTALLED)
            assert found.state is state
            assert state is UNKNOWN or found.evidence[0].document.startswith("stream (.state) tags of /subscriptions/")
    damaged = StoredDocument(kind=DocumentKind.TAGS, id=SUBSCRIPTION, at=NOW, body=b"{}")
    assert len(judged(*documents_of_state("stream (.state)", [damaged])).unanswered) == 1


def test_a_state_is_one_document_however_many_it_holds() -> None:
    """What is damaged in it is not answered. A fact that does not say when it was seen is old; a file was made by who asks."""
    result = judged(*of_state(said(*all_healthy()), heard(), {"other": 1}, 7, [3]))
    assert (result.used, result.unanswered) == (("stream (.state)",), ())
    ((name, reason),) = judged(*of_state(b"{", said(*all_healthy()))).unanswered
    assert (name, "one-0 is damaged" in reason) == ("stream (.state)", True)
    empty = "holds no facts of coverage yet: a router that takes recommendations in writes them"
    assert judged(*of_state()).unused == (("stream (.state)", empty),)
    assert running(POSTURE, *of_state(all_healthy())).state is UNKNOWN
    assert running(POSTURE, all_healthy()).state is COVERED
    for asked, state in ((NOW, COVERED), (OLDEST - JUST, UNKNOWN)):
        assert running(POSTURE, dated(az.document(all_healthy()), asked)).state is state
