"""What holds for the sensor of every cluster, whatever was given of it."""

from __future__ import annotations

from collections.abc import Iterable

from hypothesis import given, settings
from hypothesis import strategies as st

from router.coverage.verdicts import CoverageState, Verdict
from router.domain.coverage import Rung
from tests.coverage.builders import Json, document, judged, kubectl, managed_cluster, verdict
from tests.coverage.worlds import COVERABLE, ClusterWorld, cluster_worlds
from tests.examples import some_of

COVERED = CoverageState.COVERED
BOTH = (Rung.SENSOR_INSTALLED, Rung.SENSOR_RUNNING)


def _judge(documents: Iterable[tuple[str, object]]) -> dict[Rung, Verdict]:
    named = [document(value, f"{name}.json", "payments") for name, value in documents]
    result = judged(managed_cluster(), *named)
    return {rung: verdict(result, "payments", rung) for rung in BOTH}


@settings(max_examples=some_of(150))
@given(cluster_worlds())
def test_a_cluster_is_covered_exactly_if_its_sensor_is_ready_on_each_node_that_can_have_it(world: ClusterWorld) -> None:
    """By an oracle that knows the cluster itself, and not what is printed of it."""
    found = _judge(world.documents.items())[Rung.SENSOR_RUNNING]
    assert (found.state is COVERED) is world.is_covered, found.reason
    if not set(world.kinds).intersection(COVERABLE):
        assert found.state in (CoverageState.NOT_COVERABLE, CoverageState.UNKNOWN)
    elif not world.is_covered:
        assert found.state is CoverageState.GAP
        assert found.remedy
    if found.counts:
        assert sum(found.counts.values()) == len(world.kinds)
        assert found.counts.get(COVERED, 0) >= (
            len([k for k in world.kinds if k in COVERABLE]) if world.is_covered else 0
        )


@settings(max_examples=some_of(50))
@given(cluster_worlds(), st.data())
def test_in_whatever_order_and_files_the_objects_are_given_they_say_the_same(
    world: ClusterWorld, data: st.DataObject
) -> None:
    """One list of everything, as `kubectl get a,b,c -A` prints it, or a file for each sort of object."""
    documents = data.draw(st.permutations(list(world.documents.items())))
    everything = [one for _, body in documents for one in _items(body)]
    apart, together = _judge(documents), _judge([("all", kubectl(*everything))])
    for rung in BOTH:
        assert together[rung].state is apart[rung].state
        assert together[rung].counts == apart[rung].counts


def _items(body: Json) -> list[Json]:
    items = body["items"]
    assert isinstance(items, list)
    return items
