"""Every document of `kubectl` among the samples is read as a careful person reads it."""

from __future__ import annotations

import pytest

from router.coverage.documents import CoverageDocument, read_document
from router.domain.coverage import CoverageState, Rung, Verdict
from tests.coverage.builders import judged
from tests.parse.samples import SAMPLES, needs_samples

COVERED, GAP, UNKNOWN = CoverageState.COVERED, CoverageState.GAP, CoverageState.UNKNOWN

_DIRECTORY = SAMPLES / "coverage" / "constructed" / "kubectl"

_LINUX, _MIXED = "nodes.linux-three", "nodes.mixed"
_EVENTS, _NAMESPACE = "events.failed-create.pod-security", "namespace.kube-system.pod-security-baseline"
_PODS = "pods.defender.one-crashing"
_NO_TOLERATION = "node aks-gpu-0-vmss000000: it does not tolerate the taint sku=gpu:NoSchedule"

ROWS = [
    (("ds.kube-system.absent", _LINUX), GAP, GAP, "whose list is empty"),
    (("ds.kube-system.covered", _LINUX), COVERED, COVERED, "ready on all 3 nodes"),
    (
        ("ds.kube-system.dark-pod-security", _LINUX),
        COVERED,
        GAP,
        "collector-ds in kube-system is ready on 0 of 3 nodes",
    ),
    (("ds.kube-system.desired-zero", _LINUX), COVERED, GAP, "its nodeSelector asks for agentpool=retired"),
    (("ds.kube-system.one-not-ready", _LINUX), COVERED, GAP, "publisher-ds in kube-system is ready on 2 of 3 nodes"),
    (("ds.kube-system.stale-status", _LINUX), COVERED, UNKNOWN, "status is of generation 3, its specification of 4"),
    (("ds.mdc.helm-covered", _LINUX), COVERED, COVERED, "collector and publisher in mdc are ready on all 3 nodes"),
    (("ds.kube-system.absent", _MIXED), GAP, GAP, "whose list is empty"),
    (("ds.kube-system.covered", _MIXED), COVERED, GAP, _NO_TOLERATION),
    (
        ("ds.kube-system.dark-pod-security", _MIXED),
        COVERED,
        GAP,
        "collector-ds in kube-system is ready on 0 of 4 nodes",
    ),
    (("ds.kube-system.desired-zero", _MIXED), COVERED, GAP, "its nodeSelector asks for agentpool=retired"),
    (("ds.kube-system.one-not-ready", _MIXED), COVERED, GAP, _NO_TOLERATION),
    (("ds.kube-system.stale-status", _MIXED), COVERED, GAP, _NO_TOLERATION),
    (("ds.mdc.helm-covered", _MIXED), COVERED, GAP, _NO_TOLERATION),
    (("ds.kube-system.covered",), COVERED, UNKNOWN, "nobody asked which nodes the cluster has"),
    (("ds.kube-system.dark-pod-security",), COVERED, GAP, "ready on 0 of the 3 nodes that it chooses"),
    (("ds.kube-system.desired-zero",), COVERED, UNKNOWN, "nobody asked which nodes the cluster has"),
    ((_LINUX,), UNKNOWN, UNKNOWN, "nobody asked which DaemonSets the cluster has"),
    (
        ("ds.kube-system.dark-pod-security", _LINUX, _EVENTS),
        COVERED,
        GAP,
        "Pod Security refuses its pods at level baseline",
    ),
    (
        ("ds.kube-system.dark-pod-security", _LINUX, _NAMESPACE),
        COVERED,
        GAP,
        "Pod Security refuses its pods at level baseline, by the label pod-security.kubernetes.io/enforce=baseline of the "
        "namespace kube-system",
    ),
    (("ds.kube-system.covered", _LINUX, _EVENTS, _NAMESPACE), COVERED, COVERED, "ready on all 3 nodes"),
    (
        ("ds.kube-system.one-not-ready", _LINUX, _PODS),
        COVERED,
        GAP,
        "node aks-nodepool1-0-vmss000001: pod microsoft-defender-collector-ds-bqs96 is CrashLoopBackOff after 57 restarts",
    ),
    (("ds.kube-system.covered", _LINUX, _PODS), COVERED, GAP, "is CrashLoopBackOff after 57 restarts"),
    (
        ("ds.kube-system.dark-pod-security", "ds.mdc.helm-covered", _LINUX),
        COVERED,
        COVERED,
        "in mdc are ready on all 3",
    ),
]


@pytest.mark.shared
@needs_samples
@pytest.mark.parametrize(
    ("names", "installed", "running", "reason"),
    ROWS,
    ids=lambda value: "+".join(value) if isinstance(value, tuple) else None,
)
def test_a_sample_is_read_as_a_careful_person_reads_it(
    names: tuple[str, ...], installed: CoverageState, running: CoverageState, reason: str
) -> None:
    """Files without a name are of the one cluster of the call."""
    verdicts = _verdicts(*names)
    assert verdicts[Rung.SENSOR_INSTALLED].state is installed
    assert verdicts[Rung.SENSOR_RUNNING].state is running
    assert reason in verdicts[Rung.SENSOR_RUNNING].reason


@pytest.mark.shared
@needs_samples
def test_each_sample_of_kubectl_is_in_the_table() -> None:
    """One that is added must be read, too."""
    assert {path.stem for path in _DIRECTORY.glob("*.json")} == {name for names, *_ in ROWS for name in names}


@pytest.mark.shared
@needs_samples
def test_the_nodes_of_a_mixed_cluster_are_counted_by_what_is_known_of_them() -> None:
    """The Windows node and the virtual one cannot have a sensor, the tainted one has none, and the silent one does not tell."""
    verdict = _verdicts("ds.kube-system.covered", _MIXED)[Rung.SENSOR_RUNNING]
    assert verdict.counts == {
        CoverageState.COVERED: 2,
        CoverageState.GAP: 1,
        CoverageState.NOT_COVERABLE: 2,
        CoverageState.UNKNOWN: 1,
    }
    assert "not coverable: node akswin000000 is a Windows node" in verdict.remarks
    assert "not coverable: node virtual-node-aci-linux is a virtual node" in verdict.remarks
    assert "node aks-nodepool1-0-vmss000002 is NotReady" in verdict.remarks


def _verdicts(*names: str) -> dict[Rung, Verdict]:
    return {rung: verdict for _, rung, verdict in judged(*map(_sample, names)).assessed.verdicts()}


def _sample(name: str) -> CoverageDocument:
    path = _DIRECTORY / f"{name}.json"
    return read_document(path.read_bytes(), path.name)
