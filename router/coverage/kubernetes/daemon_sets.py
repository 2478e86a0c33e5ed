"""Defender's DaemonSets among all of a cluster's, and what their status says.

They have other names and namespaces for each way in which they are deployed, so their images are asked first: in every registry
that mirrors Microsoft's they lie under `azuredefender/`.
https://learn.microsoft.com/azure/defender-for-cloud/defender-for-containers-architecture
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from enum import StrEnum

from router.coverage.facts import Source
from router.coverage.fields import find, find_count, find_text, objects_at
from router.coverage.kubernetes.nodes import PodScheduling, labels_at, read_scheduling
from router.coverage.readers.kubernetes import KubernetesFact
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
        generation: the version of its specification; None where the document does not say it.
        observed: the version that its status speaks of; None where the document does not say it.
        desired: on how many nodes it is to run; None where there is no status.
        current: on how many of those it has a pod; None where there is no status.
        ready: on how many of those it has a pod that is ready; None where there is no status.
        misscheduled: on how many nodes it runs though it is not to run there.
        doubt: why it may be none of Defender's, as a clause; empty where its images say that it is.
    """

    namespace: str
    name: str
    uid: str | None
    parts: frozenset[SensorPart]
    version: str | None
    selector: Mapping[str, str]
    scheduling: PodScheduling
    is_managed: bool
    is_terminating: bool
    generation: int | None
    observed: int | None
    desired: int | None
    current: int | None
    ready: int | None
    misscheduled: int
    doubt: str
    source: Source = field(compare=False)

    @property
    def key(self) -> tuple[str, str]:
        """What tells it from every other DaemonSet of its cluster."""
        return self.namespace, self.name

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

    def evidence(self) -> tuple[CoverageEvidence, ...]:
        """What its status says."""
        shown = [
            self.source.shows("status.desiredNumberScheduled", self.desired),
            self.source.shows("status.numberReady", self.ready),
        ]
        if self.is_stale:
            shown.insert(0, self.source.shows("metadata.generation", self.generation))
            shown.insert(1, self.source.shows("status.observedGeneration", self.observed))
        return tuple(shown)


def find_daemon_set(fact: KubernetesFact) -> SensorDaemonSet | None:
    """The DaemonSet of Defender's that a document describes; None where it is not one of Defender's."""
    labels = labels_at(fact.body, "metadata", "labels")
    images, selector = _images_in(fact.body), labels_at(fact.body, "spec", "selector", "matchLabels")
    if not (any(map(is_of_defender, images)) or _is_named_so(fact.name, {**selector, **labels})):
        return None
    status, metadata = find(fact.body, "status"), find(fact.body, "metadata")
    return SensorDaemonSet(
        namespace=fact.namespace,
        name=fact.name,
        uid=find_text(metadata, "uid"),
        parts=frozenset(_find_parts(fact.name, selector.get("dsName", ""), images)),
        version=_find_version(labels),
        selector=selector,
        scheduling=read_scheduling(fact.body),
        is_managed=labels.get("addonmanager.kubernetes.io/mode") == "Reconcile",
        is_terminating=find_text(metadata, "deletionTimestamp") is not None,
        generation=find_count(metadata, "generation"),
        observed=find_count(status, "observedGeneration"),
        desired=find_count(status, "desiredNumberScheduled"),
        current=find_count(status, "currentNumberScheduled"),
        ready=find_count(status, "numberReady"),
        misscheduled=find_count(status, "numberMisscheduled") or 0,
        doubt=_find_doubt(images),
        source=fact.source,
    )


def is_of_defender(image: str) -> bool:
    """Whether an image is one of Defender's, in Microsoft's registry or in one that mirrors it."""
    return re.search(r"(?:^|/)azuredefender/", image.lower()) is not None


def _images_in(body: Mapping[str, object]) -> list[str]:
    containers = objects_at(body, "spec", "template", "spec", "containers")
    return [image for one in containers if (image := find_text(one, "image"))]


_PREFIX = "microsoft-defender-"
_NAMES = re.compile(rf"{_PREFIX}(?:collectors?|publishers?)-ds")
_IDLE = {"alpine", "busybox", "debian", "nginx", "pause", "scratch", "sleep", "ubuntu"}
"""Images that do nothing by themselves: what stands in the place of a sensor's while it is unwanted."""
_BESIDE = ("misc", "virtual-kubelet", "admission")
"""In the names of what is deployed beside the sensor and is not on every node."""


def _is_named_so(name: str, labels: Mapping[str, str]) -> bool:
    is_labelled = "defender-k8s-sensor" in (labels.get("app"), labels.get("app.kubernetes.io/name"))
    return _NAMES.fullmatch(name.lower()) is not None or is_labelled or labels.get("dsName", "").startswith(_PREFIX)


def _find_parts(name: str, label: str, images: list[str]) -> set[SensorPart]:
    """The parts that its images are, else those that it is named after. Anti-malware is none: it is off by default."""
    name = name.lower()
    if any(word in name for word in _BESIDE) or _is_idle(images):
        return set()
    titles = [image.lower().rpartition("/")[2] for image in images if is_of_defender(image)]
    titles = [title for title in titles if "malware" not in title]
    return _parts_in(titles) or _parts_in([name]) or _parts_in([label.lower()])


def _is_idle(images: list[str]) -> bool:
    """Whether all its images do nothing."""
    titles = [re.split("[:@]", image.lower().rpartition("/")[2])[0] for image in images]
    return bool(titles) and all(title in _IDLE for title in titles)


def _find_doubt(images: list[str]) -> str:
    """Why what has Defender's name may be none of Defender's: a mirror may have given its images other names, too."""
    if not images or any(map(is_of_defender, images)):
        return ""
    if _is_idle(images):
        return f"runs {images[0]}, which does nothing, in the place of Defender's image"
    return f"is known by its name alone: its image {images[0]} is not in azuredefender/, as Defender's are"


def _parts_in(texts: list[str]) -> set[SensorPart]:
    return {part for part in SensorPart for text in texts if part in text}


def _find_version(labels: Mapping[str, str]) -> str | None:
    said = labels.get("app.kubernetes.io/version") or labels.get("chart") or labels.get("helm.sh/chart") or ""
    found = re.search(r"(?:^v?|-)(\d{1,4}\.\d{1,6}(?:\.\d{1,9})?)", said, re.ASCII)
    return found[1] if found else None


_SUPPORT_ENDS = {
    (0, 8): datetime(2027, 2, 1, tzinfo=UTC),
    (0, 9): datetime(2027, 4, 1, tzinfo=UTC),
    (0, 10): datetime(2027, 4, 1, tzinfo=UTC),
}
"""The month in which support of a sensor's version ends.

https://learn.microsoft.com/azure/defender-for-cloud/defender-sensor-change-log
"""


def version_remark(version: str, now: datetime) -> str:
    """What is to be said of the version of a sensor."""
    major, minor = (int(part) for part in version.split(".")[:2])
    ends = _SUPPORT_ENDS.get((major, minor))
    if ends is None:
        return f"the sensor is of version {version}"
    said = "ended in" if (now.year, now.month) > (ends.year, ends.month) else "ends in"
    return f"the sensor is of version {version}, whose support {said} {ends:%B %Y}"
