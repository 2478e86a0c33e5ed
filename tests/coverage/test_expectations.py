"""What the manifest expects is judged, what it names and nobody has is unknown, and what it does not expect is said."""

from __future__ import annotations

from collections.abc import Sequence

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from router.coverage.expected.loading import find_overlaps
from router.coverage.expected.manifest import (
    DEFAULT_RUNGS,
    Expectation,
    SelectorIndex,
    WorkloadSelector,
    is_called,
    named_workload,
)
from router.coverage.judges import judged_rungs
from router.coverage.verdicts import CoverageState, Workload
from router.domain.coverage import Rung, WorkloadKind
from tests.coverage.builders import (
    CLUSTER,
    SUBSCRIPTION,
    Json,
    document,
    judged,
    kubectl,
    managed_cluster,
    nodes,
    pricing,
    sensor,
    verdict,
)
from tests.coverage.manifests import cluster_id, expects, manifest_of
from tests.examples import some_of

OTHER = "22222222-2222-2222-2222-222222222222"


def test_of_several_entries_that_fit_the_first_counts() -> None:
    """The second one would expect nothing that is judged here."""
    entries = expects("pay*"), expects("*", rungs=(), number=2)
    result = judged(managed_cluster(), managed_cluster(cluster_id("lending")), manifest=manifest_of(*entries))
    assert {row.workload.name: set(row.verdicts) for row in result.assessed.rows} == {
        "payments": {Rung.SENSOR_RUNNING},
        "lending": set(),
    }


@pytest.mark.parametrize("name", ["payments", "PAYMENTS", "pay*", CLUSTER, CLUSTER.upper(), "*/managedClusters/pay*"])
def test_a_name_is_a_name_or_an_id_in_any_case(name: str) -> None:
    """Whether it has a wildcard or not."""
    result = judged(managed_cluster(), manifest=manifest_of(expects(name)))
    assert [row.workload.name for row in result.assessed.rows] == ["payments"]
    assert result.assessed.unmatched == ()


@pytest.mark.parametrize("given", ["payments", CLUSTER])
def test_a_cluster_of_which_kubectl_alone_speaks_is_found_by_its_name_in_the_manifest(given: str) -> None:
    """The manifest may name it by its id, and the file by its name, or the reverse."""
    files = document(kubectl(*sensor(), *nodes()), "dump.json", "payments")
    result = judged(files, manifest=manifest_of(expects(given)))
    assert verdict(result, "payments", Rung.SENSOR_RUNNING).state is CoverageState.COVERED
    assert len(result.assessed.rows) == 1


def test_a_cluster_of_which_kubectl_alone_speaks_is_in_the_subscription_that_the_manifest_names() -> None:
    """Kubectl says none, so it would fit no entry."""
    files = document(kubectl(*sensor(), *nodes()), "dump.json", "payments")
    result = judged(files, manifest=manifest_of(expects("payments", subscriptions=[SUBSCRIPTION.upper()])))
    assert verdict(result, "payments", Rung.SENSOR_RUNNING).state is CoverageState.COVERED
    assert result.assessed.rows[0].workload.subscription == SUBSCRIPTION


@pytest.mark.parametrize("name", ["lending", cluster_id("lending")])
def test_a_named_workload_that_no_document_names_is_unknown(name: str) -> None:
    """A subscription that cannot be read is simply missing from what Azure answers."""
    result = judged(managed_cluster(), manifest=manifest_of(expects(name), expects("*", number=2)))
    found = verdict(result, "lending", Rung.SENSOR_RUNNING)
    assert (found.state, found.reason) == (CoverageState.UNKNOWN, "no document names it")
    assert found.remedy is not None
    assert "az graph query" in found.remedy
    assert name in found.remedy


def test_without_rungs_those_up_to_the_sensor_are_expected_of_what_is_missing() -> None:
    """Every rung that its kind has and that is expected by default is unknown."""
    result = judged(manifest=manifest_of(expects("lending", rungs=None)))
    (row,) = result.assessed.rows
    assert set(row.verdicts) == DEFAULT_RUNGS.intersection(judged_rungs(WorkloadKind.CLUSTER))
    assert {one.state for one in row.verdicts.values()} == {CoverageState.UNKNOWN}


def test_a_name_in_another_subscription_is_another_workload() -> None:
    """The cluster of that name in a subscription does not stand for the one in another."""
    entries = expects("payments", subscriptions=[OTHER]), expects("payments", subscriptions=[SUBSCRIPTION], number=2)
    result = judged(managed_cluster(), manifest=manifest_of(*entries))
    states = {row.workload.subscription: row.verdicts[Rung.SENSOR_RUNNING].reason for row in result.assessed.rows}
    assert states == {SUBSCRIPTION: "nobody asked the cluster itself", OTHER: "no document names it"}


@pytest.mark.parametrize(
    ("others", "why"),
    [
        ([managed_cluster(cluster_id("payments", OTHER))], "any of"),
        ([managed_cluster(cluster_id("lending", OTHER))], "one that is gone"),
        ([pricing("Containers", scope=f"/subscriptions/{OTHER}")], "one that is gone"),
        ([{"cluster": {"name": "x", "arn": "arn:aws:eks:eu-west-1:123456789012:cluster/x"}}], "one that is gone"),
        ([managed_cluster(CLUSTER.replace("/rg/", "/other/"))], "any of"),
    ],
)
def test_a_bare_name_that_may_be_two_is_known_of_none(others: list[Json], why: str) -> None:
    """A cluster of that name that somebody made elsewhere does not stand for one that is gone."""
    result = judged(managed_cluster(), *others, manifest=manifest_of(expects("Payments"), expects("*", number=2)))
    (row,) = [row for row in result.assessed.rows if row.workload.subject == "payments"]
    found = row.verdicts[Rung.SENSOR_RUNNING]
    assert found.state is CoverageState.UNKNOWN
    assert why in found.reason
    assert CLUSTER in found.reason
    assert "write the id of the one meant" in found.reason
    sure = judged(managed_cluster(), *others, manifest=manifest_of(expects(CLUSTER)))
    assert [row.workload.id for row in sure.assessed.rows] == [CLUSTER]


def test_a_subscription_that_is_called_as_the_id_of_another_is_not_that_one() -> None:
    """People choose display names."""
    row = {"id": f"/subscriptions/{OTHER}", "name": SUBSCRIPTION, "type": "microsoft.resources/subscriptions"}
    entry = expects(SUBSCRIPTION, kinds=[WorkloadKind.SUBSCRIPTION], rungs=[Rung.PLAN])
    rows = judged([row], manifest=manifest_of(entry)).assessed.rows
    found = {one.workload.subject: one.verdicts[Rung.PLAN].reason for one in rows}
    assert found[f"/subscriptions/{SUBSCRIPTION}"] == "no document names it"


def test_globs_that_fit_nothing_are_said_with_their_entries() -> None:
    """Nobody knows whether what they mean is covered."""
    entries = expects("pay*", "lend*"), expects("x*", kinds=(), number=2), expects("jump", kinds=(), number=3)
    result = judged(managed_cluster(), manifest=manifest_of(*entries))
    assert result.assessed.unmatched == ((1, "lend*"), (2, "x*"), (3, "jump"))
    assert result.assessed.missed == result.assessed.unmatched


def test_a_kind_of_which_there_is_none_is_said() -> None:
    """Somebody expects machines, and no file names any."""
    result = judged(managed_cluster(), manifest=manifest_of(expects(kinds=[WorkloadKind.MACHINE]), expects(number=2)))
    assert result.assessed.unmatched == ((1, "*"),)
    assert result.assessed.missed == ()


def test_what_no_entry_fits_is_said_and_not_judged() -> None:
    """A cluster that somebody made yesterday is no gap, and no secret either."""
    result = judged(managed_cluster(), manifest=manifest_of(expects("lend*")))
    assert result.assessed.rows == ()
    assert [workload.name for workload in result.assessed.unlisted] == ["payments"]


def test_a_subscription_is_found_by_its_id_whatever_people_call_it() -> None:
    """Its name changes; its id does not."""
    called = Workload(
        kind=WorkloadKind.SUBSCRIPTION,
        name="Contoso Production",
        id=f"/subscriptions/{SUBSCRIPTION}",
        subscription=SUBSCRIPTION,
        subject=f"/subscriptions/{SUBSCRIPTION}",
    )
    for name in ("contoso production", SUBSCRIPTION.upper(), f"/subscriptions/{SUBSCRIPTION}", "1111*"):
        assert is_called(called, name)
    absent = named_workload(WorkloadKind.SUBSCRIPTION, SUBSCRIPTION.upper())
    assert (absent.key, absent.subscription) == (called.key, SUBSCRIPTION)


NAMES = st.sampled_from(["payments", "pay-1", "lending", "Lending", cluster_id("lending"), "p", "ſ", "K"])
GLOBS = st.one_of(NAMES, st.sampled_from(["*", "pay*", "*ing", "pay??", "*/managedClusters/*", "?", "l*g"]))
SUBSCRIPTIONS = st.sampled_from([("*",), (SUBSCRIPTION,), (OTHER,), ("1*",), ("1*", OTHER)])
KINDS = st.frozensets(st.sampled_from([WorkloadKind.CLUSTER, WorkloadKind.MACHINE]))
RUNGS = st.sampled_from([None, (Rung.SENSOR_RUNNING,), (Rung.PLAN, Rung.SENSOR_RUNNING)])


@st.composite
def entries(draw: st.DrawFn) -> tuple[Expectation, ...]:
    """Entries of a manifest, of which some fit what others fit."""
    parts = st.tuples(st.lists(GLOBS, min_size=1, max_size=2), KINDS, SUBSCRIPTIONS, RUNGS)
    return tuple(
        expects(*names, kinds=kinds, subscriptions=subscriptions, rungs=rungs, number=number)
        for number, (names, kinds, subscriptions, rungs) in enumerate(draw(st.lists(parts, min_size=1, max_size=5)), 1)
    )


CLUSTERS = st.lists(
    st.tuples(st.sampled_from(["payments", "pay-1", "lending", "LENDING"]), st.sampled_from([SUBSCRIPTION, OTHER])),
    max_size=4,
    unique=True,
)


@settings(max_examples=some_of(200), deadline=None)
@given(entries=entries(), clusters=CLUSTERS)
def test_an_entry_below_one_that_covers_it_changes_nothing(
    entries: Sequence[Expectation], clusters: Sequence[tuple[str, str]]
) -> None:
    """So `rules check` is right to call it never reached."""
    covered = {int(str(doubt.path[1])) + 1 for doubt in find_overlaps(manifest_of(*entries))}
    documents = [managed_cluster(cluster_id(name, subscription)) for name, subscription in clusters]
    whole = judged(*documents, manifest=manifest_of(*entries)).assessed
    rest = judged(*documents, manifest=manifest_of(*(one for one in entries if one.number not in covered))).assessed
    assert whole.rows == rest.rows
    assert whole.unlisted == rest.unlisted
    assert [one for one in whole.unmatched if one[0] not in covered] == list(rest.unmatched)


def fits(selects: WorkloadSelector, workload: Workload) -> bool:
    """Whether a selector fits a workload, asked without an index."""
    return selects.fits_without_name(workload) and any(is_called(workload, name) for name in selects.names)


@settings(max_examples=some_of(200), deadline=None)
@given(entries=entries(), name=NAMES, subscription=st.sampled_from([None, SUBSCRIPTION, OTHER]))
def test_the_index_finds_what_each_selector_says_itself(
    entries: Sequence[Expectation], name: str, subscription: str | None
) -> None:
    """It only asks fewer of them."""
    workload = named_workload(WorkloadKind.CLUSTER, name, subscription)
    fitting = [position for position, entry in enumerate(entries) if fits(entry.selects, workload)]
    assert SelectorIndex(entry.selects for entry in entries).positions(workload) == fitting
