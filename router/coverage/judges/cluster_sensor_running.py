"""Whether the sensor runs on every node of a cluster that can have one."""

from __future__ import annotations

from collections.abc import Mapping

from router.coverage.fields import find_count, find_text, objects_at
from router.coverage.judges import CoverageCase
from router.coverage.readers.kubernetes import KubernetesFact
from router.domain.coverage import Rung, Verdict, WorkloadKind, covered, gap, unknown

RUNG = Rung.SENSOR_RUNNING
KINDS = (WorkloadKind.CLUSTER,)

_ASK = "kubectl get daemonsets,pods,nodes,namespaces,events -A -o json"
_IMAGES = "azuredefender/"


def judge(case: CoverageCase) -> Verdict | None:
    """Covered where collector and publisher are ready on every node."""
    objects = case.about(KubernetesFact)
    sensors = [one for one in objects if one.kind == "DaemonSet" and is_sensor(one.body)]
    nodes = [one for one in objects if one.kind == "Node"]
    if not objects:
        return unknown("nobody asked the cluster itself", remedy=_ASK)
    if not sensors:
        return gap("no DaemonSet of Defender is in the cluster", remedy=None)
    if not nodes:
        return unknown("nobody asked which nodes it has", remedy=_ASK)
    for sensor in sensors:
        ready = find_count(sensor.body, "status", "numberReady") or 0
        if ready < len(nodes):
            evidence = sensor.source.shows("status.numberReady", ready)
            return gap(f"{sensor.name} is ready on {ready} of {len(nodes)} nodes", evidence)
    return covered(f"the sensor is ready on all {len(nodes)} nodes")


def is_sensor(body: Mapping[str, object]) -> bool:
    """Whether a DaemonSet is one of Defender's, by its images, which do not depend on how it was deployed."""
    containers = objects_at(body, "spec", "template", "spec", "containers")
    return any(_IMAGES in (find_text(one, "image") or "") for one in containers)
