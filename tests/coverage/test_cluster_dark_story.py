"""The dark cluster: every toggle is green, and no collector was ever made. The gate sees it, says why, and sees it mended."""

from __future__ import annotations

from router.coverage.gate import GateResult
from router.coverage.verdicts import CoverageState
from router.domain.coverage import Rung
from tests.coverage.builders import (
    CLUSTER,
    IN_PAYMENTS,
    Json,
    document,
    judged,
    kubectl,
    managed_cluster,
    nodes,
    sensor,
    verdict,
)
from tests.coverage.kubernetes_builders import collector, failed_create, namespace, publisher, running

LENDING = CLUSTER.replace("payments", "lending")
REFUSED = [collector(ready=0, current=0), publisher(), *nodes(), failed_create(), namespace(enforce="baseline")]
MENDED = [*sensor(), *nodes(), failed_create(), namespace(enforce="privileged")]


def test_the_dark_cluster_is_seen_and_its_reason_is_said() -> None:
    """Its profile asks for the sensor, the sensor was deployed, and its neighbour is healthy."""
    result = _gate(REFUSED)
    assert verdict(result, "payments", Rung.SENSOR_INSTALLED).state is CoverageState.COVERED
    found = verdict(result, "payments", Rung.SENSOR_RUNNING)
    assert found.state is CoverageState.GAP
    assert found.reason == (
        "DaemonSet microsoft-defender-collector-ds in kube-system is ready on 0 of 3 nodes that can have it: Pod Security "
        "refuses its pods at level baseline, by the label pod-security.kubernetes.io/enforce=baseline of the namespace "
        "kube-system"
    )
    label = "pod-security.kubernetes.io/enforce=privileged"
    assert found.remedy == f"kubectl label namespace kube-system {label} --overwrite {IN_PAYMENTS}"
    assert found.counts == {CoverageState.GAP: 3}
    assert verdict(result, "lending", Rung.SENSOR_RUNNING).state is CoverageState.COVERED


def test_what_both_parts_lack_alike_is_said_once() -> None:
    """One label keeps both out."""
    parts = collector(ready=0, current=0), publisher(ready=1, current=1)
    found = running(*parts, *nodes(), namespace(enforce="baseline"))
    assert "is ready on 0 of 3 nodes that can have it: Pod Security refuses its pods" in found.reason
    assert found.reason.endswith(
        "; DaemonSet microsoft-defender-publisher-ds in kube-system is ready on 1 of 3 nodes that can have it, "
        "for the same reason"
    )
    assert found.reason.count("Pod Security") == 1


def test_it_passes_when_mended() -> None:
    """The event of the last hour is still there, and decides nothing."""
    found = verdict(_gate(MENDED), "payments", Rung.SENSOR_RUNNING)
    assert found.state is CoverageState.COVERED
    assert found.remedy is None


def _gate(objects: list[Json]) -> GateResult:
    return judged(
        managed_cluster(),
        managed_cluster(LENDING),
        document(kubectl(*objects), "payments.json", "payments"),
        document(kubectl(*sensor(), *nodes()), "lending.json", "lending"),
    )
