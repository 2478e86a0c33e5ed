"""What coverage.yaml means: what it expects is judged, what it names and nobody has is unknown, an exception excuses."""

from collections.abc import Iterable, Sequence
from copy import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

from hypothesis import given, settings
from hypothesis import strategies as st

from router.coverage.expected.loading import CoverageFile, find_overlaps, read_coverage
from router.coverage.expected.manifest import (
    DEFAULT_RUNGS,
    NO_MANIFEST,
    CoverageManifest,
    Excuse,
    Expectation,
    ExpectedExport,
    SelectorIndex,
    WorkloadSelector,
    is_called,
    named_workload,
)
from router.coverage.gate import GateResult
from router.coverage.judges import judged_rungs
from router.coverage.verdicts import CoverageException, CoverageState, Verdict, Workload
from router.domain.coverage import Rung, WorkloadKind
from router.domain.severity import Severity
from tests.coverage import builders as az
from tests.coverage.builders import CLUSTER, SUBSCRIPTION, cluster_id, excuses, expects, managed_cluster, manifest_of
from tests.examples import some_of
from tests.rulebook.builders import NOW, a_sound_rulebook

HUB = "/subscriptions/S/resourceGroups/rg/providers/Microsoft.EventHub/namespaces/ns/eventhubs/cwpp"


def written(directory: Path, text: str, now: datetime = NOW) -> CoverageFile:
    """What a coverage.yaml of that text says."""
    (directory / "coverage.yaml").write_text(text, encoding="utf-8")
    return read_coverage(directory, now)


def manifest(directory: Path, text: str) -> CoverageManifest:
    """The manifest of a text without a problem."""
    found = written(directory, text)
    assert found.manifest is not None, list(map(str, found.problems))
    return found.manifest


def test_without_a_file_whatever_is_there_is_expected_and_an_exception_ends_within_a_year(tmp_path: Path) -> None:
    """It takes no expectation away. A date is its first instant. A problem stops the manifest; half of one would pass much."""
    assert read_coverage(tmp_path, NOW) == CoverageFile(manifest=NO_MANIFEST)
    found = manifest(tmp_path, "exceptions:\n  - {name: a, owner: b, reason: c, ends: 2027-01-31}")
    assert (found.expectations, found.is_given, NO_MANIFEST.is_given) == (NO_MANIFEST.expectations, True, False)
    assert [one.exception.ends for one in found.excuses] == [datetime(2027, 1, 31, tzinfo=UTC)]
    assert written(tmp_path, "expect: [{kind: cluster, rungs: [path]}]").manifest is None
    year = timedelta(days=366).total_seconds()
    for after, codes in ((0, ["ended"]), (1, []), (year, []), (year + 1, ["end-too-far"])):
        ends = (NOW + timedelta(seconds=after)).isoformat()
        file = written(tmp_path, f"exceptions: [{{owner: b, reason: c, ends: {ends}}}]")
        assert [problem.code for problem in file.problems] == codes
        assert file.manifest is not None or codes == ["end-too-far"]


def test_every_key_has_its_meaning(tmp_path: Path) -> None:
    """A whole manifest, with all that may stand in it. A source may be silent as its entry says, else the top, else 8 days."""
    found = manifest(
        tmp_path,
        f"""
$schema: ../.schemas/coverage.schema.json
export: {{alerts: {HUB}, posture: {HUB}-posture, severities: [High, Medium]}}
posture: true
expect:
  - kind: [cluster, machine]
    name: ["aks-*", "web-?"]
    subscription: "11111111-*"
    rungs: [plan, sensor-running]
    plans: {{Containers: any, virtualmachines: p2}}
    extensions: [containersensor, Another]
  - {{kind: machine, name: /subscriptions/S/x/}}
exceptions:
  - {{kind: cluster, name: aks-lab, rungs: plan, owner: a@b.example, reason: rebuilt, ends: "2027-01-31T10:00:00+02:00"}}
""",
    )
    first, second = found.expectations
    kinds = frozenset({WorkloadKind.CLUSTER, WorkloadKind.MACHINE})
    assert first == Expectation(
        selects=WorkloadSelector(kinds=kinds, names=("aks-*", "web-?"), subscriptions=("11111111-*",)),
        rungs=frozenset({Rung.PLAN, Rung.SENSOR_RUNNING}),
        plans={"Containers": None, "VirtualMachines": "P2"},
        extensions=frozenset({"ContainerSensor", "Another"}),
        number=1,
    )
    assert second.selects.names == ("/subscriptions/S/x",), "Azure writes ids without a slash at the end"
    (excuse,) = found.excuses
    excused = CoverageException(owner="a@b.example", reason="rebuilt", ends=datetime(2027, 1, 31, 8, tzinfo=UTC))
    assert (excuse.exception, excuse.rungs, excuse.number) == (excused, frozenset({Rung.PLAN}), 1)
    severities = frozenset({Severity.HIGH, Severity.MEDIUM})
    assert found.export == ExpectedExport(alerts=HUB, posture=f"{HUB}-posture", severities=severities)
    assert found.expects_posture
    entries = "expect:\n  - {kind: cluster, heard_within: 36h}\n  - {kind: subscription}\n"

    def within(text: str) -> list[timedelta]:
        return [one.heard_within for one in manifest(tmp_path, text).expectations]

    assert within(entries) == [timedelta(hours=36), timedelta(days=8)]
    assert within(f"heard_within: 30d\n{entries}") == [timedelta(hours=36), timedelta(days=30)]
    assert within("heard_within: 30d") == [timedelta(days=30)]
    assert within("posture: true") == [timedelta(days=8)]


def test_a_manifest_is_no_part_of_the_rules_of_a_stream(tmp_path: Path) -> None:
    """What is expected of Defender changes no decision, so the hash of the rules stays, whatever stands there."""
    before = a_sound_rulebook(tmp_path).hash
    assert a_sound_rulebook(tmp_path, {"coverage.yaml": "expect: [{kind: cluster}]"}).hash == before
    assert a_sound_rulebook(tmp_path, {"coverage.yaml": "expect: {"}).hash == before


def test_a_manifest_that_is_a_directory_is_a_problem(tmp_path: Path) -> None:
    """Nobody may take it for a manifest that is not there."""
    (tmp_path / "coverage.yaml").mkdir()
    found = read_coverage(tmp_path, NOW)
    assert found.manifest is None
    assert [problem.code for problem in found.problems] == ["unreadable"]


OTHER = "22222222-2222-2222-2222-222222222222"
EXCUSED = CoverageState.EXCUSED


def running(result: GateResult, name: str = "payments") -> Verdict:
    """Whether the sensor runs on a cluster."""
    return az.verdict(result, name, Rung.SENSOR_RUNNING)


def expected(*documents: object, entries: Sequence[Expectation], excused: Iterable[Excuse] = ()) -> GateResult:
    """What comes of documents where a manifest has those entries."""
    return az.judged(*documents, manifest=manifest_of(*entries, excused=excused))


def test_of_several_entries_that_fit_the_first_counts_and_what_fits_nothing_is_said() -> None:
    """What no entry fits is not judged, and no secret either; nor is a pattern or a kind that fits nothing."""
    entries = expects("pay*"), expects("*", rungs=(), number=2)
    result = expected(managed_cluster(), managed_cluster(cluster_id("lending")), entries=entries)
    rungs = {row.workload.name: set(row.verdicts) for row in result.assessed.rows}
    assert rungs == {"payments": {Rung.SENSOR_RUNNING}, "lending": set()}
    result = expected(managed_cluster(), entries=[expects("lend*")])
    assert (result.assessed.rows, [one.name for one in result.assessed.unlisted]) == ((), ["payments"])
    some = expects("pay*", "lend*"), expects("x*", kinds=(), number=2), expects("jump", kinds=(), number=3)
    found = expected(managed_cluster(), entries=some).assessed
    assert found.unmatched == found.missed == ((1, "lend*"), (2, "x*"), (3, "jump"))
    found = expected(managed_cluster(), entries=[expects(kinds=[WorkloadKind.MACHINE]), expects(number=2)]).assessed
    assert (found.unmatched, found.missed) == (((1, "*"),), ())


def test_a_name_is_a_name_or_an_id_in_any_case() -> None:
    """With a wildcard or not, also where kubectl alone speaks of it; a subscription's id stays whatever people call it."""
    for name in ("payments", "PAYMENTS", "pay*", CLUSTER, CLUSTER.upper(), "*/managedClusters/pay*"):
        result = expected(managed_cluster(), entries=[expects(name)])
        assert ([row.workload.name for row in result.assessed.rows], result.assessed.unmatched) == (["payments"], ())
    files = az.document(az.kubectl(*az.sensor(), *az.nodes()), "dump.json", "payments")
    for entry in (expects("payments"), expects(CLUSTER), expects("payments", subscriptions=[SUBSCRIPTION.upper()])):
        result = expected(files, entries=[entry])
        assert (running(result).state, len(result.assessed.rows)) == (az.COVERED, 1)
    assert result.assessed.rows[0].workload.subscription == SUBSCRIPTION
    id = f"/subscriptions/{SUBSCRIPTION}"
    kind = WorkloadKind.SUBSCRIPTION
    called = Workload(kind=kind, name="Contoso Production", id=id, subscription=SUBSCRIPTION, subject=id)
    assert all(is_called(called, name) for name in ("contoso production", SUBSCRIPTION.upper(), id, "1111*"))
    absent = named_workload(kind, SUBSCRIPTION.upper())
    assert (absent.key, absent.subscription) == (called.key, SUBSCRIPTION)


def test_a_named_workload_that_no_document_names_is_unknown() -> None:
    """On all its rungs: what cannot be read is missing from what Azure answers. A namesake elsewhere is another workload."""
    for name in ("lending", cluster_id("lending")):
        found = running(expected(managed_cluster(), entries=[expects(name), expects("*", number=2)]), "lending")
        assert (found.state, found.reason) == (az.UNKNOWN, "no document names it")
        assert all(word in (found.remedy or "") for word in ("az graph query", name))
    (row,) = expected(entries=[expects("lending", rungs=None)]).assessed.rows
    assert set(row.verdicts) == DEFAULT_RUNGS.intersection(judged_rungs(WorkloadKind.CLUSTER))
    assert {one.state for one in row.verdicts.values()} == {az.UNKNOWN}
    entries = expects("payments", subscriptions=[OTHER]), expects("payments", subscriptions=[SUBSCRIPTION], number=2)
    result = expected(managed_cluster(), entries=entries)
    states = {row.workload.subscription: row.verdicts[Rung.SENSOR_RUNNING].reason for row in result.assessed.rows}
    assert states == {SUBSCRIPTION: "nobody asked the cluster itself", OTHER: "no document names it"}
    named = {"id": f"/subscriptions/{OTHER}", "name": SUBSCRIPTION, "type": "microsoft.resources/subscriptions"}
    entry = expects(SUBSCRIPTION, kinds=[WorkloadKind.SUBSCRIPTION], rungs=[Rung.PLAN])
    rows = expected([named], entries=[entry]).assessed.rows
    reasons = {one.workload.subject: one.verdicts[Rung.PLAN].reason for one in rows}
    assert reasons[f"/subscriptions/{SUBSCRIPTION}"] == "no document names it"


def test_a_bare_name_that_may_be_two_is_known_of_none() -> None:
    """A namesake that somebody made elsewhere stands for none that is gone, and no exception excuses it."""
    gone = "one that is gone"
    for other, why in (
        (managed_cluster(cluster_id("payments", OTHER)), "any of"),
        (managed_cluster(CLUSTER.replace("/rg/", "/other/")), "any of"),
        (managed_cluster(cluster_id("lending", OTHER)), gone),
        (az.pricing("Containers", scope=f"/subscriptions/{OTHER}"), gone),
        ({"cluster": {"name": "x", "arn": "arn:aws:eks:eu-west-1:123456789012:cluster/x"}}, gone),
    ):
        result = expected(managed_cluster(), other, entries=[expects("Payments"), expects("*", number=2)])
        (row,) = [row for row in result.assessed.rows if row.workload.subject == "payments"]
        found = row.verdicts[Rung.SENSOR_RUNNING]
        assert found.state is az.UNKNOWN
        assert all(words in found.reason for words in (why, CLUSTER, "write the id of the one meant"))
        sure = expected(managed_cluster(), other, entries=[expects(CLUSTER)])
        assert [row.workload.id for row in sure.assessed.rows] == [CLUSTER]
    there = managed_cluster(cluster_id("payments", OTHER))
    result = expected(managed_cluster(), there, entries=[expects()], excused=[excuses(CLUSTER.upper())])
    states = {row.workload.id: row.verdicts[Rung.SENSOR_RUNNING].state for row in result.assessed.rows}
    assert [id for id, state in states.items() if state is EXCUSED] == [CLUSTER]
    for some in ([managed_cluster(), there], [az.pricing("Containers"), there]):
        result = expected(*some, entries=[expects()], excused=[excuses("payments")])
        assert {row.verdicts[Rung.SENSOR_RUNNING].state for row in result.assessed.rows} == {az.UNKNOWN}


NAMES = st.sampled_from(["payments", "pay-1", "lending", "Lending", cluster_id("lending"), "p", "ſ", "K"])
GLOBS = st.one_of(NAMES, st.sampled_from(["*", "pay*", "*ing", "pay??", "*/managedClusters/*", "?", "l*g"]))
SUBSCRIPTIONS = st.sampled_from([("*",), (SUBSCRIPTION,), (OTHER,), ("1*",), ("1*", OTHER)])
KINDS = st.frozensets(st.sampled_from([WorkloadKind.CLUSTER, WorkloadKind.MACHINE]))
RUNGS = st.sampled_from([None, (Rung.SENSOR_RUNNING,), (Rung.PLAN, Rung.SENSOR_RUNNING)])
PARTS = st.tuples(st.lists(GLOBS, min_size=1, max_size=2), KINDS, SUBSCRIPTIONS, RUNGS)
ENTRIES = st.lists(PARTS, min_size=1, max_size=5).map(
    lambda parts: [
        expects(*names, kinds=kinds, subscriptions=subscriptions, rungs=rungs, number=number)
        for number, (names, kinds, subscriptions, rungs) in enumerate(parts, 1)
    ]
)
"""Entries of a manifest, of which some fit what others fit."""

ONE_CLUSTER = st.tuples(
    st.sampled_from(["payments", "pay-1", "lending", "LENDING"]), st.sampled_from([SUBSCRIPTION, OTHER])
)


@settings(max_examples=some_of(200), deadline=None)
@given(entries=ENTRIES, clusters=st.lists(ONE_CLUSTER, max_size=4, unique=True))
def test_an_entry_below_one_that_covers_it_changes_nothing(
    entries: Sequence[Expectation], clusters: Sequence[tuple[str, str]]
) -> None:
    """So `rules check` is right to call it never reached."""
    covered = {int(str(doubt.path[1])) + 1 for doubt in find_overlaps(manifest_of(*entries))}
    documents = [managed_cluster(cluster_id(name, subscription)) for name, subscription in clusters]
    whole = expected(*documents, entries=entries).assessed
    rest = expected(*documents, entries=[one for one in entries if one.number not in covered]).assessed
    assert (whole.rows, whole.unlisted) == (rest.rows, rest.unlisted)
    assert [one for one in whole.unmatched if one[0] not in covered] == list(rest.unmatched)


def fits(selects: WorkloadSelector, workload: Workload) -> bool:
    """Whether a selector fits a workload, asked without an index."""
    return selects.fits_without_name(workload) and any(is_called(workload, name) for name in selects.names)


@settings(max_examples=some_of(200), deadline=None)
@given(entries=ENTRIES, name=NAMES, subscription=st.sampled_from([None, SUBSCRIPTION, OTHER]))
def test_the_index_finds_what_each_selector_says_itself(
    entries: Sequence[Expectation], name: str, subscription: str | None
) -> None:
    """It only asks fewer of them."""
    workload = named_workload(WorkloadKind.CLUSTER, name, subscription)
    fitting = [position for position, entry in enumerate(entries) if fits(entry.selects, workload)]
    assert SelectorIndex(entry.selects for entry in entries).positions(workload) == fitting


def dark(*excused: Excuse, later: timedelta = timedelta(0)) -> GateResult:
    """A dark cluster, a healthy one, one that nobody asked, and one that only the manifest names."""
    return az.judged(
        az.document(az.kubectl(*az.sensor(ready=0), *az.nodes()), "dark.json", "dark"),
        az.document(az.kubectl(*az.sensor(), *az.nodes()), "healthy.json", "healthy"),
        az.document(az.kubectl(*az.sensor(), az.node("windows", system="windows")), "windows.json", "windows"),
        managed_cluster(),
        manifest=manifest_of(expects("*", "missing"), excused=excused),
        now=az.NOW + later,
    )


def test_what_is_excused_says_who_answers_for_it_and_until_when() -> None:
    """Reason, evidence and remedy stay; of several exceptions the last end is said. Nothing else is excused, nor after it."""
    before, after = running(dark(), "dark"), running(dark(excuses("dark")), "dark")
    assert (after.state, after.exception, after.excused) == (EXCUSED, excuses("dark").exception, az.GAP)
    assert replace(after, state=before.state, exception=None, excused=None) == before
    result = dark(excuses())
    assert {running(result, name).state for name in ("dark", "payments", "missing")} == {EXCUSED}
    assert running(result, "healthy").state is az.COVERED
    ends = [az.NOW + timedelta(days=days) for days in (1, 3, 2)]
    found = running(dark(*(excuses("dark", ends=end, owner=str(end)) for end in ends)), "dark").exception
    assert found is not None and found.ends == max(ends)
    for later, state in ((-1, EXCUSED), (0, az.GAP), (1, az.GAP)):
        result = dark(excuses("dark", ends=az.NOW), later=timedelta(seconds=later))
        assert running(result, "dark").state is state
    others = excuses("healthy"), excuses("dark", kinds=[WorkloadKind.MACHINE]), excuses("dark", rungs=[Rung.PLAN])
    assert {running(dark(excuse), "dark").state for excuse in others} == {az.GAP}


EXCEPTIONS = st.lists(
    st.builds(
        excuses,
        st.sampled_from(["*", "dark", "d*", "healthy", "missing", "payments", CLUSTER, "nothing"]),
        kinds=KINDS,
        rungs=st.frozensets(st.sampled_from([Rung.PLAN, Rung.SENSOR_RUNNING])),
        ends=st.integers(-3, 3).map(lambda hours: az.NOW + timedelta(hours=hours)),
    ),
    max_size=4,
)


@settings(max_examples=some_of(60), deadline=None)
@given(some=EXCEPTIONS, hours=st.integers(-4, 4))
def test_an_exception_changes_nothing_but_the_state_of_what_it_excuses(some: list[Excuse], hours: int) -> None:
    """And that only from gap or unknown to excused, while it has not ended."""
    later = timedelta(hours=hours)
    with_them, without = dark(*some, later=later), dark(later=later)
    assert with_them.assessed.unlisted == without.assessed.unlisted
    assert with_them.assessed.unmatched == without.assessed.unmatched
    for (*cell, before), (*same, after) in zip(without.assessed.verdicts(), with_them.assessed.verdicts(), strict=True):
        assert cell == same
        if after.state is EXCUSED:
            assert before.state in (az.GAP, az.UNKNOWN)
            assert after.exception in [one.exception for one in some]
            assert after.exception is not None and after.exception.ends > az.NOW + later
            after = replace(after, state=before.state, exception=None, excused=None)
        assert after == before
    over = max((one.exception.ends - az.NOW for one in some), default=timedelta(0))
    assert dark(*some, later=over) == dark(later=over), "after the last end everything is as without exceptions"
