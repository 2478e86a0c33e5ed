"""The pods of DaemonSets: on which nodes they are, and whether they are ready.

https://kubernetes.io/docs/concepts/workloads/pods/pod-lifecycle/
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

from router.coverage.facts import Source
from router.coverage.fields import find, find_count, find_text, find_truth, objects_at
from router.coverage.kubernetes.daemon_sets import SensorDaemonSet
from router.coverage.kubernetes.nodes import find_condition, labels_at
from router.coverage.readers.kubernetes import KubernetesFact

MANY_RESTARTS = 10
"""From how many restarts on they are spoken of, though the pod is ready now."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Pod:
    """A pod, as one document says it; empty texts and None are what the document does not say.

    Attributes:
        is_of_others: whether something else made it, such as a ReplicaSet, whatever its labels are.
        node: the node that it is on, or is to go to; empty where the document does not say it.
        is_ready: whether it runs and all its containers are ready.
        trouble: why it is not ready, as `CrashLoopBackOff`; empty where it is ready.
        shortage: what keeps it off every node that it may go to, as `Insufficient cpu`; empty where it is on one.
        container: the container that is not ready; empty where none is at fault.
    """

    namespace: str
    name: str
    owner: str
    owner_uid: str | None
    is_of_others: bool
    labels: Mapping[str, str]
    node: str
    is_ready: bool
    is_terminating: bool
    trouble: str
    message: str
    shortage: str
    container: str
    restarts: int
    source: Source = field(compare=False)

    @property
    def key(self) -> tuple[str, str]:
        """What tells it from every other pod of its cluster."""
        return self.namespace, self.name

    @property
    def serves(self) -> bool:
        """Whether it is ready and stays."""
        return self.is_ready and not self.is_terminating

    def was_made_by(self, daemon_set: SensorDaemonSet) -> bool:
        """Whether a DaemonSet made it; one of that name which was deleted since has another uid."""
        if self.namespace != daemon_set.namespace or self.is_of_others:
            return False
        if self.owner:
            is_same = not self.owner_uid or not daemon_set.uid or self.owner_uid == daemon_set.uid
            return self.owner == daemon_set.name and is_same
        selector = daemon_set.selector
        return bool(selector) and all(self.labels.get(label) == value for label, value in selector.items())


def read_pod(fact: KubernetesFact) -> Pod:
    """The pod that a document describes."""
    owners = objects_at(fact.body, "metadata", "ownerReferences")
    owner = next((one for one in owners if find_text(one, "kind") == "DaemonSet"), None)
    containers = list(_containers(fact.body))
    trouble, container = _trouble(fact.body, containers)
    return Pod(
        namespace=fact.namespace,
        name=fact.name,
        owner=find_text(owner, "name") or "",
        owner_uid=find_text(owner, "uid"),
        is_of_others=owner is None and any(find_text(one, "kind") for one in owners),
        labels=labels_at(fact.body, "metadata", "labels"),
        node=find_text(fact.body, "spec", "nodeName") or _wanted_node(fact.body),
        is_ready=not trouble,
        is_terminating=find_text(fact.body, "metadata", "deletionTimestamp") is not None,
        trouble=trouble,
        message=_message(fact.body, containers) if trouble else "",
        shortage=_shortage_in(fact.body) if trouble else "",
        container=container,
        restarts=sum(find_count(one, "restartCount") or 0 for one in containers),
        source=fact.source,
    )


def _containers(body: Mapping[str, object]) -> Iterator[Mapping[str, object]]:
    for name in ("initContainerStatuses", "containerStatuses"):
        yield from objects_at(body, "status", name)


def _trouble(body: Mapping[str, object], containers: list[Mapping[str, object]]) -> tuple[str, str]:
    """Why a pod is not ready, and which container is at fault; two empty texts where it is ready."""
    for one in containers:
        waiting = find(one, "state", "waiting")
        if isinstance(waiting, Mapping):
            return find_text(waiting, "reason") or "waits", find_text(one, "name") or ""
    phase = (find_text(body, "status", "phase") or "").lower()
    if phase in ("failed", "succeeded"):
        return find_text(body, "status", "reason") or phase.capitalize(), ""
    for one in objects_at(body, "status", "containerStatuses"):
        if find_truth(one, "ready") is False:
            return _ended(one) or "not Ready", find_text(one, "name") or ""
    if find_condition(body, "Ready") is not True:
        return _unscheduled(body) or find_text(body, "status", "reason") or "not Ready", ""
    return "", ""


_LONGEST = 300


def _message(body: Mapping[str, object], containers: list[Mapping[str, object]]) -> str:
    """What the scheduler or the kubelet says of a pod that is not ready; empty where neither says anything."""
    conditions = [one for one in objects_at(body, "status", "conditions") if find_text(one, "type") == "PodScheduled"]
    said = [
        *(find_text(one, "state", "waiting", "message") for one in containers),
        *(find_text(one, "message") for one in conditions if str(find(one, "status")).lower() != "true"),
        find_text(body, "status", "message"),
    ]
    text = " ".join(next(filter(None, said), "").split())
    return text if len(text) <= _LONGEST else f"{text[:_LONGEST].rstrip()}…"


_REASONS = re.compile(r"nodes are available: (.*?)\.(?:\s|$)")


def _shortage_in(body: Mapping[str, object]) -> str:
    """What the scheduler says of the nodes that a pod may go to: of the others it says that its affinity is not for them."""
    for one in objects_at(body, "status", "conditions"):
        if find_text(one, "type") == "PodScheduled" and str(find(one, "status")).lower() != "true":
            message = " ".join((find_text(one, "message") or "").split())
            listed = _REASONS.search(message)
            if listed is None:
                return message[:_LONGEST]
            reasons = [re.sub(r"^\d+ ", "", part) for part in listed[1].split(", ")]
            return ", ".join([part for part in reasons if "affinity" not in part.lower()] or reasons)
    return ""


def _ended(container: Mapping[str, object]) -> str | None:
    """Why a container has ended; None where it runs."""
    return find_text(container, "state", "terminated", "reason")


def _unscheduled(body: Mapping[str, object]) -> str | None:
    """Why a pod is on no node; None where it is on one."""
    for one in objects_at(body, "status", "conditions"):
        if find_text(one, "type") == "PodScheduled" and str(find(one, "status")).lower() != "true":
            return find_text(one, "reason")
    return None


def _wanted_node(body: Mapping[str, object]) -> str:
    """The node that the controller of DaemonSets meant a pod for, which waits to be scheduled; empty where it says none."""
    required = find(body, "spec", "affinity", "nodeAffinity", "requiredDuringSchedulingIgnoredDuringExecution")
    for term in objects_at(required, "nodeSelectorTerms"):
        for one in objects_at(term, "matchFields"):
            values = find(one, "values")
            if find_text(one, "key") == "metadata.name" and isinstance(values, list) and len(values) == 1:
                return str(values[0])
    return ""
