"""An exception excuses a gap, or what is unknown, until its end, and changes nothing else."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from datetime import timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from router.coverage.expected.manifest import Excuse
from router.coverage.gate import GateResult
from router.coverage.verdicts import CoverageState, Verdict
from router.domain.coverage import Rung, WorkloadKind
from tests.coverage.builders import (
    CLUSTER,
    NOW,
    document,
    judged,
    kubectl,
    managed_cluster,
    node,
    nodes,
    pricing,
    sensor,
    verdict,
)
from tests.coverage.manifests import cluster_id, excuses, expects, manifest_of
from tests.examples import some_of

SECOND = timedelta(seconds=1)


def dark(*, excused: Iterable[Excuse] = (), later: timedelta = timedelta(0)) -> GateResult:
    """A dark cluster, a healthy one, one that nobody asked, and one that only the manifest names."""
    return judged(
        document(kubectl(*sensor(ready=0), *nodes()), "dark.json", "dark"),
        document(kubectl(*sensor(), *nodes()), "healthy.json", "healthy"),
        document(kubectl(*sensor(), node("windows", system="windows")), "windows.json", "windows"),
        managed_cluster(),
        manifest=manifest_of(expects("*", "missing"), excused=excused),
        now=NOW + later,
    )


def running(result: GateResult, name: str) -> Verdict:
    """Whether the sensor runs on a cluster."""
    return verdict(result, name, Rung.SENSOR_RUNNING)


def test_what_is_excused_says_who_answers_for_it_and_what_it_was() -> None:
    """The reason, the evidence and the remedy stay, so that nobody has to ask again."""
    before, after = running(dark(), "dark"), running(dark(excused=[excuses("dark")]), "dark")
    assert after.state is CoverageState.EXCUSED
    assert after.exception == excuses("dark").exception
    assert (after.excused, replace(after, state=before.state, exception=None, excused=None)) == (
        CoverageState.GAP,
        before,
    )


@pytest.mark.parametrize("later", [-SECOND, timedelta(0), SECOND])
def test_it_is_excused_until_the_end_and_not_at_it(later: timedelta) -> None:
    """Both sides of the instant."""
    result = dark(excused=[excuses("dark", ends=NOW)], later=later)
    assert running(result, "dark").state is (CoverageState.EXCUSED if later < timedelta(0) else CoverageState.GAP)


def test_what_is_unknown_or_missing_can_be_excused_and_what_is_covered_cannot() -> None:
    """Nobody answers for what is there."""
    result = dark(excused=[excuses()])
    states = {row.workload.name: row.verdicts[Rung.SENSOR_RUNNING].state for row in result.assessed.rows}
    excused = {name for name, state in states.items() if state is CoverageState.EXCUSED}
    assert {"dark", "payments", "missing"} <= excused
    assert states["healthy"] is running(dark(), "healthy").state is CoverageState.COVERED


@pytest.mark.parametrize(
    "excuse",
    [
        excuses("healthy"),
        excuses("dark", kinds=[WorkloadKind.MACHINE]),
        excuses("dark", rungs=[Rung.PLAN]),
    ],
)
def test_an_exception_for_something_else_excuses_nothing(excuse: Excuse) -> None:
    """Another workload, another kind, another rung."""
    assert running(dark(excused=[excuse]), "dark").state is CoverageState.GAP


def test_an_exception_may_name_an_id() -> None:
    """Two clusters of one name are told apart by it."""
    other = managed_cluster(cluster_id("payments", "22222222-2222-2222-2222-222222222222"))
    result = judged(managed_cluster(), other, manifest=manifest_of(expects(), excused=[excuses(CLUSTER.upper())]))
    states = {row.workload.id: row.verdicts[Rung.SENSOR_RUNNING].state for row in result.assessed.rows}
    assert [id for id, state in states.items() if state is CoverageState.EXCUSED] == [CLUSTER]


def test_an_exception_for_a_bare_name_excuses_no_namesake() -> None:
    """Nor does it where the one that it means may be gone from another subscription."""
    there = managed_cluster(cluster_id("payments", "22222222-2222-2222-2222-222222222222"))
    for some in ([managed_cluster(), there], [pricing("Containers"), there]):
        result = judged(*some, manifest=manifest_of(expects(), excused=[excuses("payments")]))
        assert {row.verdicts[Rung.SENSOR_RUNNING].state for row in result.assessed.rows} == {CoverageState.UNKNOWN}


def test_of_several_exceptions_the_one_that_ends_last_is_said() -> None:
    """Until then nobody need do anything."""
    ends = [NOW + timedelta(days=days) for days in (1, 3, 2)]
    some = [excuses("dark", ends=end, owner=str(end)) for end in ends]
    found = running(dark(excused=some), "dark").exception
    assert found is not None
    assert found.ends == max(ends)


EXCEPTIONS = st.lists(
    st.builds(
        excuses,
        st.sampled_from(["*", "dark", "d*", "healthy", "missing", "payments", CLUSTER, "nothing"]),
        kinds=st.frozensets(st.sampled_from([WorkloadKind.CLUSTER, WorkloadKind.MACHINE])),
        rungs=st.frozensets(st.sampled_from([Rung.PLAN, Rung.SENSOR_RUNNING])),
        ends=st.integers(-3, 3).map(lambda hours: NOW + timedelta(hours=hours)),
    ),
    max_size=4,
)
HOURS = st.integers(-4, 4)


@settings(max_examples=some_of(60), deadline=None)
@given(some=EXCEPTIONS, hours=HOURS)
def test_an_exception_changes_nothing_but_the_state_of_what_it_excuses(some: list[Excuse], hours: int) -> None:
    """And that only from gap or unknown to excused, while it has not ended."""
    later = timedelta(hours=hours)
    with_them, without = dark(excused=some, later=later), dark(later=later)
    assert with_them.assessed.unlisted == without.assessed.unlisted
    assert with_them.assessed.unmatched == without.assessed.unmatched
    verdicts = _verdicts(without)
    for key, after in _verdicts(with_them).items():
        before = verdicts.pop(key)
        if after.state is CoverageState.EXCUSED:
            assert before.state in (CoverageState.GAP, CoverageState.UNKNOWN)
            assert after.exception in [one.exception for one in some]
            assert after.exception is not None
            assert after.exception.ends > NOW + later
            after = replace(after, state=before.state, exception=None, excused=None)
        assert after == before
    assert verdicts == {}


@settings(max_examples=some_of(40), deadline=None)
@given(some=EXCEPTIONS)
def test_after_the_last_end_everything_is_as_without_exceptions(some: list[Excuse]) -> None:
    """An exception that nobody renews is gone by itself."""
    later = max((one.exception.ends - NOW for one in some), default=timedelta(0))
    assert dark(excused=some, later=later) == dark(later=later)


def _verdicts(result: GateResult) -> dict[tuple[str, Rung], Verdict]:
    return {(workload.subject, rung): one for workload, rung, one in result.assessed.verdicts()}
