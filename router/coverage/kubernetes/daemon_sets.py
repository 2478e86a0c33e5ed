"""Defender's DaemonSets among all of a cluster's, what their status says, and their pods.

They have other names and namespaces for each way in which they are deployed, so their images are asked first: in every registry
that mirrors Microsoft's they lie under `azuredefender/`.
https://learn.microsoft.com/azure/defender-for-cloud/defender-for-containers-architecture
https://kubernetes.io/docs/concepts/workloads/pods/pod-lifecycle/
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from enum import StrEnum

from router.coverage.facts import Source
from router.coverage.fields import find, find_count, find_text, find_truth, objects_at
from router.coverage.kubernetes.nodes import find_condition
from router.coverage.readers.kubernetes import KubernetesFact, labels_at
from router.coverage.verdicts import CoverageEvidence


class SensorPart(StrEnum):
    """What a sensor is made of.

    Attributes:
        COLLECTOR: sees what happens on the node.
        PUBLISHER: sends it to Defender; without it nothing arrives.
    """

    COLLECTOR = "collector"
    PUBLISHER = "publisher"


@dataclass(frozen=True, slots=True, kw_only=True)
class SensorDaemonSet:
    """A DaemonSet of Defender's, as one document says it; None is what the document does not say.

    Attributes:
        parts: which parts of the sensor its pods are; none for what only accompanies it.
        is_managed: whether AKS undoes what others change in it.
        observed: the generation that its status speaks of.
        desired: on how many nodes it is to run; on `current` of those it has a pod, and on `ready` one that is ready.
        stranger: its image where none is of Defender, so that it may be none of Defender's; else empty.
    """

    namespace: str
    name: str
    uid: str | None
    parts: frozenset[SensorPart]
    selector: Mapping[str, str]
    template: Mapping[str, object]
    is_managed: bool
    is_terminating: bool
    generation: int | None
    observed: int | None
    desired: int | None
    current: int | None
    ready: int | None
    stranger: str
    source: Source = field(compare=False)

    @property
    def key(self) -> tuple[str, str]:
        """What tells it from every other DaemonSet of its cluster."""
        return self.namespace, self.name

    def owns(self, namespace: str, owner: str, uid: str | None) -> bool:
        """Whether it is an owner of that name; one of it that was deleted since has another uid."""
        return self.key == (namespace, owner) and (not uid or not self.uid or uid == self.uid)

    @property
    def title(self) -> str:
        """What it is called where it is spoken of."""
        return f"DaemonSet {self.name} in {self.namespace or 'no namespace'}"

    @property
    def is_stale(self) -> bool:
        """Whether its status speaks of an older specification, since its controller has not come to the new one yet."""
        return self.generation is not None and (self.observed or 0) < self.generation

    @property
    def counts(self) -> tuple[int, int] | None:
        """On how many nodes it is to run, and on how many it is ready; None where the status does not tell."""
        if self.desired is None or self.ready is None or self.is_stale:
            return None
        return self.desired, self.ready

    @property
    def evidence(self) -> tuple[CoverageEvidence, ...]:
        """What its status says."""
        stale = {"metadata.generation": self.generation, "status.observedGeneration": self.observed}
        counts = {"status.desiredNumberScheduled": self.desired, "status.numberReady": self.ready}
        shown = {**(stale if self.is_stale else {}), **counts}
        return tuple(self.source.shows(name, value) for name, value in shown.items())


def find_daemon_set(fact: KubernetesFact) -> SensorDaemonSet | None:
    """The DaemonSet of Defender's that a document describes; None where it is not one of Defender's."""
    labels = fact.labels
    selector = labels_at(fact.body, "spec", "selector", "matchLabels")
    template = find(fact.body, "spec", "template", "spec")
    images = [image for one in objects_at(template, "containers") if (image := find_text(one, "image"))]
    is_known = any(map(is_of_defender, images))
    if not is_known and not _is_named_so(fact.name, {**selector, **labels}):
        return None
    status, metadata = find(fact.body, "status"), find(fact.body, "metadata")
    return SensorDaemonSet(
        namespace=fact.namespace,
        name=fact.name,
        uid=find_text(metadata, "uid"),
        parts=frozenset(_find_parts(fact.name.lower(), selector.get("dsName", "").lower(), images)),
        selector=selector,
        template=template if isinstance(template, Mapping) else {},
        is_managed=labels.get("addonmanager.kubernetes.io/mode") == "Reconcile",
        is_terminating=find_text(metadata, "deletionTimestamp") is not None,
        generation=find_count(metadata, "generation"),
        observed=find_count(status, "observedGeneration"),
        desired=find_count(status, "desiredNumberScheduled"),
        current=find_count(status, "currentNumberScheduled"),
        ready=find_count(status, "numberReady"),
        stranger="" if is_known else next(iter(images), ""),
        source=fact.source,
    )


def is_of_defender(image: str) -> bool:
    """Whether an image is one of Defender's, in Microsoft's registry or in one that mirrors it."""
    return re.search(r"(?:^|/)azuredefender/", image.lower()) is not None


_PREFIX = "microsoft-defender-"
_NAMES = re.compile(rf"{_PREFIX}(?:collectors?|publishers?)-ds")
_IDLE = {"alpine", "busybox", "debian", "nginx", "pause", "scratch", "sleep", "ubuntu"}
"""Images that do nothing by themselves: what stands in the place of a sensor's while it is unwanted."""
_BESIDE = ("misc", "virtual-kubelet", "admission")
"""In the names of what is deployed beside the sensor and is not on every node."""


def _is_named_so(name: str, labels: Mapping[str, str]) -> bool:
    is_labelled = "defender-k8s-sensor" in (labels.get("app"), labels.get("app.kubernetes.io/name"))
    return _NAMES.fullmatch(name.lower()) is not None or is_labelled or labels.get("dsName", "").startswith(_PREFIX)


def _find_parts(name: str, label: str, images: Iterable[str]) -> set[SensorPart]:
    """The parts that its images are, else those that it is named after. Anti-malware is none: it is off by default."""
    every = {re.split("[:@]", image.lower().rpartition("/")[2])[0] for image in images}
    if any(word in name for word in _BESIDE) or (every and every <= _IDLE):
        return set()
    titles = [image.lower().rpartition("/")[2] for image in images if is_of_defender(image)]
    titles = [title for title in titles if "malware" not in title]
    found = ({part for part in SensorPart for text in texts if part in text} for texts in (titles, [name], [label]))
    return next(filter(None, found), set())


@dataclass(frozen=True, slots=True, kw_only=True)
class Pod:
    """A pod, as one document says it; empty texts and None are what the document does not say.

    Attributes:
        is_of_others: whether something else made it, such as a ReplicaSet, whatever its labels are.
        node: the node that it is on, or is to go to.
        trouble: why it is not ready, as `CrashLoopBackOff`; empty where it runs and all its containers are ready.
        message: what the scheduler or the kubelet says of that.
    """

    namespace: str
    name: str
    owner: str
    owner_uid: str | None
    is_of_others: bool
    labels: Mapping[str, str]
    node: str
    is_terminating: bool
    trouble: str
    message: str
    restarts: int
    source: Source = field(compare=False)

    @property
    def key(self) -> tuple[str, str]:
        """What tells it from every other pod of its cluster."""
        return self.namespace, self.name

    @property
    def serves(self) -> bool:
        """Whether it is ready and stays."""
        return not self.trouble and not self.is_terminating

    def was_made_by(self, daemon_set: SensorDaemonSet) -> bool:
        """Whether a DaemonSet made it; one that nothing owns is found by its labels."""
        if self.owner:
            return daemon_set.owns(self.namespace, self.owner, self.owner_uid)
        selector, is_same = daemon_set.selector, self.namespace == daemon_set.namespace
        return is_same and not self.is_of_others and bool(selector) and selector.items() <= self.labels.items()


def read_pod(fact: KubernetesFact) -> Pod:
    """The pod that a document describes."""
    status = find(fact.body, "status")
    owners = objects_at(fact.body, "metadata", "ownerReferences")
    owner = next((one for one in owners if find_text(one, "kind") == "DaemonSet"), None)
    main = objects_at(status, "containerStatuses")
    containers = [*objects_at(status, "initContainerStatuses"), *main]
    trouble = next(filter(None, _troubles(fact.body, containers, main)), "")
    return Pod(
        namespace=fact.namespace,
        name=fact.name,
        owner=find_text(owner, "name") or "",
        owner_uid=find_text(owner, "uid"),
        is_of_others=owner is None and any(find_text(one, "kind") for one in owners),
        labels=fact.labels,
        node=find_text(fact.body, "spec", "nodeName") or _wanted_node(fact.body),
        is_terminating=find_text(fact.body, "metadata", "deletionTimestamp") is not None,
        trouble=trouble,
        message=shortened(next(filter(None, _messages(fact.body, containers)), "")) if trouble else "",
        restarts=sum(find_count(one, "restartCount") or 0 for one in containers),
        source=fact.source,
    )


def shortened(text: str) -> str:
    """A text on one line, and no more of it than 300 characters."""
    text = " ".join(text.split())
    return text if len(text) <= 300 else f"{text[:300].rstrip()}…"


def _troubles(
    body: Mapping[str, object], containers: Iterable[Mapping[str, object]], main: Iterable[Mapping[str, object]]
) -> Iterator[str | None]:
    """Why a pod is not ready, the first one first; nothing where it is ready."""
    status = find(body, "status")
    for one in containers:
        waiting = find(one, "state", "waiting")
        if isinstance(waiting, Mapping):
            yield find_text(waiting, "reason") or "waits"
    reason, phase = find_text(status, "reason"), (find_text(status, "phase") or "").lower()
    if phase in ("failed", "succeeded"):
        yield reason or phase.capitalize()
    for one in main:
        if find_truth(one, "ready") is False:
            yield find_text(one, "state", "terminated", "reason") or "not Ready"
    if find_condition(body, "Ready") is not True:
        yield next((find_text(one, "reason") for one in _unscheduled(body)), None) or reason or "not Ready"


def _messages(body: Mapping[str, object], containers: Iterable[Mapping[str, object]]) -> Iterator[str | None]:
    for one in containers:
        yield find_text(one, "state", "waiting", "message")
    for one in _unscheduled(body):
        yield find_text(one, "message")
    yield find_text(body, "status", "message")


def _unscheduled(body: Mapping[str, object]) -> Iterator[Mapping[str, object]]:
    """The condition that says that a pod is on no node."""
    for one in objects_at(body, "status", "conditions"):
        if find_text(one, "type") == "PodScheduled" and str(find(one, "status")).lower() != "true":
            yield one


def _wanted_node(body: Mapping[str, object]) -> str:
    """The node that the controller of DaemonSets meant a pod for, which waits to be scheduled; empty where it says none."""
    required = find(body, "spec", "affinity", "nodeAffinity", "requiredDuringSchedulingIgnoredDuringExecution")
    for term in objects_at(required, "nodeSelectorTerms"):
        for one in objects_at(term, "matchFields"):
            values = find(one, "values")
            if find_text(one, "key") == "metadata.name" and isinstance(values, list) and len(values) == 1:
                return str(values[0])
    return ""
