"""The traps in "as many are ready as are desired", and documents that contradict each other."""

from __future__ import annotations

from collections.abc import Mapping

import pytest

from router.coverage.verdicts import CoverageState
from tests.coverage.builders import Json, kubectl, node, nodes, sensor
from tests.coverage.cluster_traps import COVERED, GAP, OLD, THREE, TRAPS, UNKNOWN, Trap
from tests.coverage.kubernetes_builders import collector, pod, pods, publisher, running, running_in, silent_node, taint


@pytest.mark.parametrize("trap", TRAPS, ids=lambda trap: trap.title)
def test_each_trap_is_seen(trap: Trap) -> None:
    """The verdict, and what it says."""
    found = running(*trap.objects)
    assert found.state is trap.state, found.reason
    assert any(trap.said in text for text in (found.reason, *found.remarks)), (found.reason, found.remarks)
    assert (found.remedy is not None) is (trap.state in (GAP, UNKNOWN))
    assert found.evidence or trap.state is UNKNOWN


def test_two_documents_that_contradict_each_other_are_worth_the_worse_one() -> None:
    """In either order; of DaemonSets, of nodes and of pods."""
    tainted = [*nodes(2), node("node-2", taints=[taint("sku", "gpu")])]
    crashing = [pod("node-2", waiting="CrashLoopBackOff")]
    for healthy, ill in ((sensor(), sensor(ready=1)), (nodes(), tainted), (pods(THREE), crashing)):
        for documents in ((healthy, ill), (ill, healthy)):
            found = running_in(kubectl(*sensor(), *nodes()), *(kubectl(*one) for one in documents))
            assert found.state is GAP
            assert any("say different things of" in remark for remark in found.remarks)


def test_a_node_that_one_document_calls_coverable_is_to_have_a_sensor() -> None:
    """Two nodes of one name, or one that was made anew: the worse one counts."""
    listed = kubectl(*sensor(desired=2, ready=2), *nodes(2))
    windows, linux = kubectl(node("node-2", system="windows")), kubectl(node("node-2"))
    assert running_in(listed, windows).state is COVERED
    for documents in ((windows, linux), (linux, windows)):
        assert running_in(listed, *documents).state is GAP


@pytest.mark.parametrize(
    ("objects", "counts"),
    [
        ([*sensor(), *nodes()], {COVERED: 3}),
        ([*sensor(ready=2), *nodes()], {COVERED: 2, GAP: 1}),
        ([collector(ready=2), publisher(ready=1), *nodes()], {COVERED: 1, GAP: 2}),
        ([collector(), *nodes()], {GAP: 3}),
        ([*sensor(ready=0), *nodes()], {GAP: 3}),
        ([*sensor(ready=2), *nodes(2)], {UNKNOWN: 2}),
        ([*sensor(ready=4, desired=4), *nodes(), OLD], {COVERED: 3, CoverageState.NOT_COVERABLE: 1}),
        ([*sensor(), *nodes(), OLD], {COVERED: 3, CoverageState.NOT_COVERABLE: 1}),
        ([*sensor(), *nodes(2), silent_node("node-2")], {COVERED: 2, UNKNOWN: 1}),
        (sensor(), None),
    ],
)
def test_nodes_are_counted_by_what_is_known_of_them(
    objects: list[Json], counts: Mapping[CoverageState, int] | None
) -> None:
    """Where nothing says on which nodes pods are ready, as many are covered as the status counts."""
    assert running(*objects).counts == counts


def test_a_list_of_another_kind_of_nodes_is_not_whole() -> None:
    """One node by its name, as `kubectl get node NAME` prints it, does not say that there are no others."""
    assert running_in(kubectl(*sensor(ready=1, desired=1)), nodes(1)[0]).state is UNKNOWN
    assert running_in(kubectl(*sensor(ready=1, desired=1)), kubectl(*nodes(1))).state is COVERED


def test_a_typed_list_is_read_as_any_other() -> None:
    """Its items do not say their kind."""
    bare = [{name: value for name, value in one.items() if name not in ("apiVersion", "kind")} for one in sensor()]
    listed = {"apiVersion": "apps/v1", "kind": "DaemonSetList", "metadata": {}, "items": bare}
    assert running_in(listed, kubectl(*nodes())).state is COVERED


def test_how_an_answer_is_given_is_said_where_one_is_asked_for() -> None:
    """And nowhere else."""
    for objects, state in (([*sensor(), *nodes()], COVERED), ([*sensor(ready=0), *nodes()], GAP), (sensor(), UNKNOWN)):
        found = running(*objects)
        assert found.state is state
        assert ("give payments=payments.json" in found.remarks) is (state is UNKNOWN)
