"""Whether the pods behind a webhook are ready. One ready pod is enough for a webhook to answer. Pure.

A Deployment's status leaves out what is 0, and is stale where it was observed before the last change:
https://kubernetes.io/docs/reference/kubernetes-api/workload-resources/deployment-v1/#DeploymentStatus
"""

from __future__ import annotations

import shlex
from collections.abc import Mapping
from dataclasses import dataclass

from router.coverage.admission.cluster_objects import ClusterObjects, ObjectCopies
from router.coverage.admission.effects import listed
from router.coverage.fields import find, find_count, find_text, objects_at
from router.coverage.kubernetes.asks import ASK_CLUSTER
from router.coverage.readers.kubernetes import KubernetesFact
from router.domain.coverage import CoverageEvidence, Verdict, covered, gap, unknown

_MANY_RESTARTS = 5
_OVER = ("Succeeded", "Failed")
"""The phases of pods that ended, such as evicted ones, which stay listed and say nothing of those that run."""


@dataclass(frozen=True, slots=True)
class Controller:
    """The pods that answer for a webhook, or that audit beside it.

    Attributes:
        name: the name of their Deployment, with which their own names begin.
        pods: the pods that have not ended.
        deployment: their Deployment; None where it was not seen.
        verdict: whether they are ready.
    """

    name: str
    pods: tuple[ObjectCopies, ...]
    deployment: ObjectCopies | None
    verdict: Verdict

    @property
    def is_there(self) -> bool:
        """Whether anything of it was seen."""
        return bool(self.pods) or self.deployment is not None


def controller_of(objects: ClusterObjects, name: str, namespace: str) -> Controller:
    """The controller of that name in a namespace, and whether it is ready."""
    pods = tuple(
        one
        for one in objects.find("Pod")
        if one.name.startswith(f"{name}-") and one.namespace == namespace
        if not all(_is_over(copy) for copy in one.copies)
    )
    deployment = next(
        (one for one in objects.find("Deployment") if one.name == name and one.namespace == namespace), None
    )
    return Controller(name, pods, deployment, _verdict(objects, name, namespace, pods, deployment))


def _verdict(
    objects: ClusterObjects, name: str, namespace: str, pods: tuple[ObjectCopies, ...], deployment: ObjectCopies | None
) -> Verdict:
    mend = f"kubectl rollout restart {shlex.quote(f'deployment/{name}')} -n {shlex.quote(namespace)}"
    ready = [one for one in pods if _is_ready(one.worst(_is_ready))]
    stated = None if deployment is None else _ready_replicas(deployment.worst(_rank_of_replicas))
    remarks = _remarks(pods, deployment)
    if bool(ready) != bool(stated) and pods and stated is not None:
        remarks += (f"the pods and the Deployment of {name} contradict each other: the worse one counts",)
    if pods and not ready:
        reason = f"no pod of {name} is ready: {listed([_state_of(one) for one in pods])}"
        return gap(reason, *_pod_evidence(pods), remedy=mend, remarks=remarks)
    if deployment is not None and stated == 0:
        evidence = _deployment_evidence(deployment)
        return gap(f"no replica of {name} is ready", evidence, remedy=mend, remarks=remarks)
    if ready:
        return covered(f"{len(ready)} of {len(pods)} pods of {name} are ready", *_pod_evidence(ready), remarks=remarks)
    if deployment is not None and stated:
        reason = f"{stated} replicas of {name} are ready" if stated > 1 else f"1 replica of {name} is ready"
        return covered(reason, _deployment_evidence(deployment), remarks=remarks)
    asked = ("Pod", "Deployment") if deployment is None else ("Pod",)
    if objects.were_asked(namespace, *asked):
        return gap(f"no pod of {name} is in namespace {namespace}", remarks=remarks)
    if deployment is not None:
        reason = f"the Deployment {name} says nothing of pods that are ready, or says it of an older version of itself"
        return unknown(reason, _deployment_evidence(deployment), remedy=ASK_CLUSTER, remarks=remarks)
    return unknown(f"nobody asked for the pods of {name}", remedy=ASK_CLUSTER, remarks=remarks)


def _is_over(pod: KubernetesFact) -> bool:
    return (
        find_text(pod.body, "status", "phase") in _OVER or find(pod.body, "metadata", "deletionTimestamp") is not None
    )


def _is_ready(pod: KubernetesFact) -> bool:
    if _is_over(pod):
        return False
    conditions = {
        find_text(one, "type"): find_text(one, "status") for one in objects_at(pod.body, "status", "conditions")
    }
    return (conditions.get("Ready") or "").lower() == "true"


def _ready_replicas(deployment: KubernetesFact) -> int | None:
    """How many replicas are ready; None where the Deployment does not say it of its current version."""
    status = find(deployment.body, "status")
    if not isinstance(status, Mapping) or not status:
        return None
    if find_count(deployment.body, "spec", "replicas") == 0:
        return 0
    wanted, observed = find_count(deployment.body, "metadata", "generation"), find_count(status, "observedGeneration")
    if wanted is not None and (observed is None or observed < wanted):
        return None
    return find_count(status, "readyReplicas") or 0


def _rank_of_replicas(deployment: KubernetesFact) -> int:
    """How much a Deployment shows: 0 that none is ready, 1 nothing, 2 that one is."""
    ready = _ready_replicas(deployment)
    return 1 if ready is None else 2 if ready else 0


def _state_of(pod: ObjectCopies) -> str:
    """A pod that is not ready, with what Kubernetes waits for and how often it began anew."""
    worst = pod.worst(_is_ready)
    containers = objects_at(worst.body, "status", "containerStatuses")
    waits = next((reason for one in containers if (reason := find_text(one, "state", "waiting", "reason"))), None)
    said = [waits or find_text(worst.body, "status", "phase") or "not ready"]
    if restarts := _restarts(worst):
        said.append(f"{restarts} restarts")
    return f"{pod.name} ({', '.join(said)})"


def _restarts(pod: KubernetesFact) -> int:
    return sum(find_count(one, "restartCount") or 0 for one in objects_at(pod.body, "status", "containerStatuses"))


def _remarks(pods: tuple[ObjectCopies, ...], deployment: ObjectCopies | None) -> tuple[str, ...]:
    found: list[str] = []
    for one in pods:
        pod = one.worst(_is_ready)
        found += one.contradiction(_is_ready)
        if (restarts := _restarts(pod)) >= _MANY_RESTARTS and _is_ready(pod):
            found.append(f"{one.name} is ready, and was restarted {restarts} times")
    if deployment is not None:
        found += deployment.contradiction(_rank_of_replicas)
    return tuple(found)


def _pod_evidence(pods: tuple[ObjectCopies, ...] | list[ObjectCopies]) -> tuple[CoverageEvidence, ...]:
    worst = [one.worst(_is_ready) for one in pods]
    return tuple(one.source.shows("status.conditions[Ready]", _is_ready(one)) for one in worst)


def _deployment_evidence(deployment: ObjectCopies) -> CoverageEvidence:
    worst = deployment.worst(_rank_of_replicas)
    return worst.source.shows("status.readyReplicas", find_count(worst.body, "status", "readyReplicas"))
