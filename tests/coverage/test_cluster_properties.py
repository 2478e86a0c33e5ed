"""What holds for the sensor of every cluster, whatever was given of it."""

from __future__ import annotations

import json
from collections.abc import Iterable

from hypothesis import given, settings
from hypothesis import strategies as st

from router.domain.coverage import CoverageState, Rung, Verdict
from router.domain.errors import BadUsage
from tests.coverage.builders import Json, daemon_set, document, judged, kubectl, managed_cluster, verdict
from tests.coverage.kubernetes_builders import pod
from tests.coverage.worlds import COVERABLE, ClusterWorld, cluster_worlds
from tests.examples import some_of

COVERED = CoverageState.COVERED
BOTH = (Rung.SENSOR_INSTALLED, Rung.SENSOR_RUNNING)

_UNRELATED: list[object] = [
    {"hello": ["world"]},
    [],
    {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "x", "namespace": "kube-system"}},
    kubectl(pod("node-0", "web", namespace="shop", is_ready=False)),
    kubectl(pod("node-9", "web", is_ready=False)),
    {"apiVersion": "v1", "kind": "PodList", "items": []},
    daemon_set("kube-proxy", image="proxy", ready=0),
    {"apiVersion": "metrics.k8s.io/v1beta1", "kind": "NodeMetrics", "metadata": {"name": "node-0"}},
]


def _judge(documents: Iterable[tuple[str, object]]) -> dict[Rung, Verdict]:
    named = [document(value, f"{name}.json", "payments") for name, value in documents]
    result = judged(managed_cluster(), *named)
    return {rung: verdict(result, "payments", rung) for rung in BOTH}


@settings(max_examples=some_of(300))
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


@settings(max_examples=some_of(300))
@given(cluster_worlds(), st.data())
def test_to_take_documents_away_covers_nothing(world: ClusterWorld, data: st.DataObject) -> None:
    """Any of them; without pods the counts of a status may prove less, and never more."""
    names = list(world.documents)
    removed = set(data.draw(st.lists(st.sampled_from(names), min_size=1)))
    before = _judge(world.documents.items())
    after = _judge((name, one) for name, one in world.documents.items() if name not in removed)
    for rung in BOTH:
        assert after[rung].state is not COVERED or before[rung].state is COVERED, (removed, after[rung].reason)


@settings(max_examples=some_of(100))
@given(cluster_worlds(), st.sampled_from(_UNRELATED), st.integers(0, 5))
def test_an_unrelated_document_changes_nothing(world: ClusterWorld, other: object, where: int) -> None:
    """Wherever it stands among the others."""
    documents = list(world.documents.items())
    more = [*documents[:where], ("other", other), *documents[where:]]
    assert _judge(more) == _judge(documents)


@settings(max_examples=some_of(100))
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


@settings(max_examples=some_of(300))
@given(cluster_worlds(), st.data())
def test_nothing_in_a_document_makes_it_fail(world: ClusterWorld, data: st.DataObject) -> None:
    """Values of any type in any field, and fields that are not there."""
    documents: list[tuple[str, object]] = list(world.documents.items())
    number = data.draw(st.integers(0, len(documents) - 1))
    name, body = documents[number]
    documents[number] = (name, _damaged(json.loads(json.dumps(body)), data))
    try:
        _judge(documents)
    except BadUsage:
        assert "uid" in json.dumps(documents)


_JUNK = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(-3, 10**30),
    st.floats(allow_nan=False),
    st.text(max_size=8),
    st.sampled_from(["", "True", "5.4", "١.٢", "-", "Exists", "Ready", "baseline", "v0.9"]),
    st.lists(st.none() | st.text(max_size=3), max_size=2),
    st.dictionaries(st.text(max_size=3), st.none() | st.text(max_size=3) | st.lists(st.integers()), max_size=2),
)


def _damaged(body: object, data: st.DataObject) -> object:
    """The same with something else, or nothing, in up to three of its fields."""
    for _ in range(data.draw(st.integers(1, 3))):
        parent, key = _some_field(body, data)
        if isinstance(parent, dict) and data.draw(st.booleans()):
            parent.pop(key, None)
        elif parent is not None:
            parent[key] = data.draw(_JUNK)  # type: ignore[index]
    return body


def _some_field(body: object, data: st.DataObject) -> tuple[object, object]:
    parent, key = None, None
    while isinstance(body, dict | list) and body:
        keys = sorted(body) if isinstance(body, dict) else range(len(body))
        parent, key = body, data.draw(st.sampled_from(keys))
        body = body[key]
        if data.draw(st.integers(0, 5)) == 0:
            break
    return parent, key


def _items(body: Json) -> list[Json]:
    items = body["items"]
    assert isinstance(items, list)
    return items
