"""Whether the pods that do a work are ready, such as answering a webhook. One ready pod is enough for that. Pure.

They are found by what they are, and their Deployment by the labels that it gives to its pods: each way to install them has its
own names. A Deployment's status leaves out what is 0, and is stale where it was observed before the last change:
https://kubernetes.io/docs/reference/kubernetes-api/workload-resources/deployment-v1/#DeploymentStatus
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from router.coverage.admission.cluster_objects import ClusterObjects, ObjectCopies, labels_of
from router.coverage.admission.effects import listed
from router.coverage.fields import find, find_count, find_text, objects_at
from router.coverage.kubernetes import nodes
from router.coverage.kubernetes.asks import ASK_CLUSTER
from router.coverage.readers.kubernetes import KubernetesFact
from router.coverage.remedies import command_line
from router.coverage.verdicts import CoverageEvidence, Verdict, covered, gap, unknown

_MANY_RESTARTS = 5
_OVER = ("Succeeded", "Failed")
"""The phases of pods that ended, such as evicted ones, which stay listed and say nothing of those that run."""

type IsMeant = Callable[[str, Mapping[str, str]], bool]
"""Whether a pod is meant, by its name and its labels; of a pod that is not there yet, by an empty name."""


@dataclass(frozen=True, slots=True)
class Controller:
    """The pods that do a work.

    Attributes:
        is_there: whether any of them, or what makes them, was seen.
        verdict: whether they are ready.
    """

    is_there: bool
    verdict: Verdict


def controller_of(objects: ClusterObjects, what: str, namespace: str, is_meant: IsMeant) -> Controller:
    """The pods in a namespace that do a work, and whether one is ready; `what` they are called where none is seen."""
    pods = [
        one
        for one in objects.find("Pod")
        if one.namespace == namespace
        if any(is_meant(one.name, labels_of(copy)) for copy in one.copies)
        if not all(_is_over(copy) for copy in one.copies)
    ]
    deployments = [
        one
        for one in objects.find("Deployment")
        if one.namespace == namespace
        if any(
            is_meant("", nodes.labels_of(copy.body, "spec", "template", "metadata", "labels")) for copy in one.copies
        )
    ]
    # Of an older one beside it, which was scaled down, one ready replica of the other is enough.
    deployment = max(deployments, key=lambda one: _rank_of_replicas(one.worst(_rank_of_replicas)), default=None)
    return Controller(bool(pods or deployments), _verdict(objects, what, namespace, pods, deployment))


def _verdict(
    objects: ClusterObjects, what: str, namespace: str, pods: Sequence[ObjectCopies], deployment: ObjectCopies | None
) -> Verdict:
    kind, name = ("deployment", deployment.name) if deployment is not None else _owner_of(pods)
    title = name or what
    mend = command_line("kubectl", "rollout", "restart", f"{kind}/{name}", "-n", namespace) if name else None
    ready = [one for one in pods if is_ready(one.worst(is_ready))]
    stated = None if deployment is None else _ready_replicas(deployment.worst(_rank_of_replicas))
    remarks = _remarks(pods, deployment)
    if bool(ready) != bool(stated) and pods and stated is not None:
        remarks += (f"the pods and the Deployment of {title} contradict each other: the worse one counts",)
    if pods and not ready:
        reason = f"no pod of {title} is ready: {listed([_state_of(one) for one in pods])}"
        return gap(reason, *_pod_evidence(pods), remedy=mend, remarks=remarks)
    if deployment is not None and stated == 0:
        evidence = _deployment_evidence(deployment)
        return gap(f"no replica of {title} is ready", evidence, remedy=mend, remarks=remarks)
    if ready:
        return covered(f"{len(ready)} of {len(pods)} pods of {title} are ready", *_pod_evidence(ready), remarks=remarks)
    if deployment is not None and stated:
        reason = f"{stated} replicas of {title} are ready" if stated > 1 else f"1 replica of {title} is ready"
        return covered(reason, _deployment_evidence(deployment), remarks=remarks)
    asked = ("Pod", "Deployment") if deployment is None else ("Pod",)
    if objects.were_asked(namespace, *asked):
        return gap(f"no pod of {title} is in namespace {namespace}", remarks=remarks)
    if deployment is not None:
        reason = f"the Deployment {title} says nothing of pods that are ready, or says it of an older version of itself"
        return unknown(reason, _deployment_evidence(deployment), remedy=ASK_CLUSTER, remarks=remarks)
    return unknown(f"nobody asked for the pods of {title}", remedy=ASK_CLUSTER, remarks=remarks)


def _owner_of(pods: Sequence[ObjectCopies]) -> tuple[str, str]:
    """What made pods, as kubectl calls it; two empty texts where no pod says it."""
    for pod in (copy for one in pods for copy in one.copies):
        for owner in objects_at(pod.body, "metadata", "ownerReferences"):
            kind, name = (find_text(owner, "kind") or "").lower(), find_text(owner, "name") or ""
            if kind == "replicaset":  # A Deployment makes it, and adds a hash to its own name.
                return "deployment", name.rpartition("-")[0] or name
            if kind and name:
                return kind, name
    return "", ""


def _is_over(pod: KubernetesFact) -> bool:
    return (
        find_text(pod.body, "status", "phase") in _OVER or find(pod.body, "metadata", "deletionTimestamp") is not None
    )


def is_ready(pod: KubernetesFact) -> bool:
    """Whether a pod runs, stays and is ready."""
    return not _is_over(pod) and nodes.condition_of(pod.body, "Ready") is True


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
    worst = pod.worst(is_ready)
    containers = objects_at(worst.body, "status", "containerStatuses")
    waits = next((reason for one in containers if (reason := find_text(one, "state", "waiting", "reason"))), None)
    said = [waits or find_text(worst.body, "status", "phase") or "not ready"]
    if restarts := _restarts(worst):
        said.append(f"{restarts} restarts")
    return f"{pod.name} ({', '.join(said)})"


def _restarts(pod: KubernetesFact) -> int:
    return sum(find_count(one, "restartCount") or 0 for one in objects_at(pod.body, "status", "containerStatuses"))


def _remarks(pods: Sequence[ObjectCopies], deployment: ObjectCopies | None) -> tuple[str, ...]:
    found: list[str] = []
    for one in pods:
        pod = one.worst(is_ready)
        found += one.contradiction(is_ready)
        if (restarts := _restarts(pod)) >= _MANY_RESTARTS and is_ready(pod):
            found.append(f"{one.name} is ready, and was restarted {restarts} times")
    if deployment is not None:
        found += deployment.contradiction(_rank_of_replicas)
    return tuple(found)


def _pod_evidence(pods: Sequence[ObjectCopies]) -> tuple[CoverageEvidence, ...]:
    worst = [one.worst(is_ready) for one in pods]
    return tuple(one.source.shows("status.conditions[Ready]", is_ready(one)) for one in worst)


def _deployment_evidence(deployment: ObjectCopies) -> CoverageEvidence:
    worst = deployment.worst(_rank_of_replicas)
    return worst.source.shows("status.readyReplicas", find_count(worst.body, "status", "readyReplicas"))
