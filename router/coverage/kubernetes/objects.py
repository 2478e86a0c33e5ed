"""What the documents of one cluster hold of its sensor."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any, NamedTuple

from router.coverage.fields import find, find_count, find_text
from router.coverage.kubernetes.daemon_sets import Pod, SensorDaemonSet, find_daemon_set, read_pod
from router.coverage.kubernetes.nodes import Node, Uncoverable, find_uncoverable, read_node
from router.coverage.readers.kubernetes import KubernetesFact, refusals_in
from router.coverage.verdicts import CoverageEvidence, Workload
from router.domain.values import Value

_HOMES = frozenset({"kube-system", "mdc", "azuredefender"})
"""The namespaces into which Azure and Helm deploy a sensor.

https://learn.microsoft.com/azure/defender-for-cloud/defender-for-containers-architecture
"""

ENFORCE = "pod-security.kubernetes.io/enforce"
"""The label by which a namespace refuses pods. Those that warn and audit let every pod in."""

_REFUSING = ("baseline", "restricted")
"""The levels that refuse the sensor, for its host paths and capabilities.

https://kubernetes.io/docs/concepts/security/pod-security-standards/
"""


class CreationFailure(NamedTuple):
    """Why a pod of a DaemonSet was not made, as an event says it, and when it did so last."""

    namespace: str
    owner: str
    owner_uid: str | None
    event: CoverageEvidence


def find_failure(fact: KubernetesFact) -> CreationFailure | None:
    """The failure that an event of either API speaks of; None where it speaks of something else."""
    about = find(fact.body, "involvedObject") or find(fact.body, "regarding")
    if find_text(fact.body, "reason") != "FailedCreate" or find_text(about, "kind") != "DaemonSet":
        return None
    field = "message" if find_text(fact.body, "message") else "note"
    message = " ".join((find_text(fact.body, field) or "").split())
    event = CoverageEvidence(fact.source.document, field, message, _last_time(fact.body) or None)
    namespace = find_text(about, "namespace") or fact.namespace
    return CreationFailure(namespace, find_text(about, "name") or "", find_text(about, "uid"), event)


def _last_time(body: Mapping[str, object]) -> str:
    names = ("lastTimestamp", "deprecatedLastTimestamp", "eventTime")
    paths = (("series", "lastObservedTime"), ("metadata", "creationTimestamp"), *((name,) for name in names))
    return max((text for path in paths if (text := find_text(body, *path))), default="")


type Versions[T] = Mapping[tuple[str, str], tuple[T, ...]]
"""Objects by namespace and name. Each is there as often as documents say different things of it."""


class Fleet(Value, kw_only=True):
    """The nodes of a cluster.

    Attributes:
        nodes: the nodes by name, each as often as documents say different things of it.
        uncoverable: why a node cannot have a sensor, by its name; none of which one document says that it can.
        coverable: the nodes that are to have a sensor.
        possible: the nodes on which a sensor may run, also where it is not supported.
    """

    nodes: Mapping[str, tuple[Node, ...]]
    uncoverable: Mapping[str, Uncoverable]
    coverable: Sequence[str]
    possible: Sequence[str]
    is_whole: bool

    @property
    def cloud(self) -> str:
        """The cloud of the nodes, as `azure`, `aws` or `gce`; empty if they do not say it."""
        return next((one.cloud for some in self.nodes.values() for one in some if one.cloud), "")

    def find_not_ready(self, name: str) -> Node | None:
        """The node as a document says that its kubelet does not report that it is ready; None where none does."""
        return next((one for one in self.nodes[name] if one.is_ready is False), None)


class SensorObjects(Value, kw_only=True):
    """What the documents of one cluster hold of its sensor.

    Attributes:
        is_empty: whether the cluster was not asked, or answered nothing.
        listed: the namespaces of the DaemonSets, Defender's or not, of each document that holds a whole list of them.
        searched: those of them that would show a sensor: of one namespace only where a sensor is deployed there.
        failures: why pods of DaemonSets were not made, the latest first.
        refusing: the labels of namespaces that refuse pods of the sensor, by the namespaces' names.
        widest: the DaemonSet, Defender's or not, that is to be on most nodes, of those in a file with one of Defender's, and
            on how many: so many there are at least.
        contradictions: the objects of which documents say different things.
    """

    workload: Workload
    is_empty: bool
    refusals: tuple[str, ...]
    fleet: Fleet
    daemon_sets: Versions[SensorDaemonSet]
    listed: Mapping[str, frozenset[str]]
    searched: Mapping[str, frozenset[str]]
    pods: Versions[Pod]
    failures: Sequence[CreationFailure]
    refusing: Mapping[str, CoverageEvidence]
    widest: tuple[int, KubernetesFact] | None
    contradictions: Sequence[str]

    def find_pods(self, daemon_set: SensorDaemonSet) -> list[tuple[Pod, ...]]:
        """The pods that a DaemonSet made, each as often as documents say different things of it."""
        return [some for some in self.pods.values() if any(one.was_made_by(daemon_set) for one in some)]

    def is_namespace_listed(self, namespace: str) -> bool:
        """Whether a whole list has the DaemonSets of a namespace, so that one which is absent from it is not there."""
        return any(namespace in namespaces for namespaces in self.listed.values())


def collect_objects(facts: Sequence[KubernetesFact], workload: Workload) -> SensorObjects:
    """What the documents of one cluster hold."""
    kinds: dict[str, list[KubernetesFact]] = defaultdict(list)
    for fact in facts:
        kinds[fact.kind].append(fact)
    daemon_sets = _versions(filter(None, map(find_daemon_set, kinds["DaemonSet"])), lambda one: one.key)
    namespaces = {namespace for namespace, _ in daemon_sets}
    pods = _versions((read_pod(one) for one in kinds["Pod"] if one.namespace in namespaces), lambda one: one.key)
    fleet = _collect_fleet(kinds["Node"])
    listed = _listed(facts)
    wide = {document for document, some in _namespaces(facts).items() if some & _HOMES or len(some) > 1}
    failures = filter(None, map(find_failure, kinds["Event"]))
    return SensorObjects(
        workload=workload,
        is_empty=not any(fact.kind for fact in facts),
        refusals=refusals_in(facts),
        fleet=fleet,
        daemon_sets=daemon_sets,
        listed=listed,
        searched={document: some for document, some in listed.items() if not some or document in wide},
        pods=pods,
        failures=sorted(failures, key=lambda one: one.event.time or "", reverse=True),
        refusing=dict(_refusing_labels(kinds["Namespace"])),
        widest=_find_widest(kinds["DaemonSet"], daemon_sets),
        contradictions=[*_contradictions(daemon_sets), *_contradictions(pods), *_contradictions(fleet.nodes)],
    )


def _contradictions(objects: Mapping[Any, Sequence[SensorDaemonSet | Pod | Node]]) -> Iterator[str]:
    for some in objects.values():
        if len(some) > 1:
            documents = " and ".join(dict.fromkeys(one.source.document for one in some))
            yield f"{documents} say different things of {some[0].name}; the worse one counts"


def _refusing_labels(facts: Iterable[KubernetesFact]) -> Iterator[tuple[str, CoverageEvidence]]:
    for fact in facts:
        level = fact.labels.get(ENFORCE, "").strip().lower()
        if level in _REFUSING:
            yield fact.name, fact.source.shows(f"metadata.labels[{ENFORCE}]", level)


def _find_widest(
    facts: Iterable[KubernetesFact], daemon_sets: Versions[SensorDaemonSet]
) -> tuple[int, KubernetesFact] | None:
    """The DaemonSet that tells a list of some nodes from one of all. To leave another file out must cover nothing."""
    files = {one.source.file for versions in daemon_sets.values() for one in versions}
    wanted = (
        (find_count(fact.body, "status", "desiredNumberScheduled") or 0, fact)
        for fact in facts
        if fact.source.file in files
    )
    return max(wanted, key=lambda one: one[0], default=None)


def _versions[T](some: Iterable[T], key_of: Callable[[T], tuple[str, str]]) -> dict[tuple[str, str], tuple[T, ...]]:
    found: dict[tuple[str, str], tuple[T, ...]] = {}
    for one in some:
        there = found.get(key_of(one), ())
        if one not in there:
            found[key_of(one)] = (*there, one)
    return found


def _collect_fleet(facts: Sequence[KubernetesFact]) -> Fleet:
    nodes = {name: some for (_, name), some in _versions(map(read_node, facts), lambda one: ("", one.name)).items()}
    uncoverable: dict[str, Uncoverable] = {}
    for name, some in nodes.items():
        found = [reason for one in some if (reason := find_uncoverable(one)) is not None]
        if len(found) == len(some):
            uncoverable[name] = max(found, key=lambda one: one.may_run)
    return Fleet(
        nodes=nodes,
        uncoverable=uncoverable,
        coverable=[name for name in nodes if name not in uncoverable],
        possible=[name for name in nodes if name not in uncoverable or uncoverable[name].may_run],
        is_whole=any(fact.source.is_whole for fact in facts),
    )


def _namespaces(facts: Iterable[KubernetesFact]) -> dict[str, set[str]]:
    """The namespaces of which whole lists have objects, for each document."""
    found: dict[str, set[str]] = defaultdict(set)
    for fact in facts:
        if fact.namespace and fact.source.is_whole:
            found[fact.source.file].add(fact.namespace)
    return found


def _listed(facts: Iterable[KubernetesFact]) -> dict[str, frozenset[str]]:
    """The namespaces in the whole lists of DaemonSets; an empty `List` does not say what it lists."""
    found: dict[str, set[str]] = {}
    for fact in facts:
        is_empty = fact.kind in ("List", "DaemonSetList")
        if is_empty or (fact.kind == "DaemonSet" and fact.source.is_whole):
            found.setdefault(fact.source.file, set()).update(() if is_empty else (fact.namespace,))
    return {document: frozenset(namespaces) for document, namespaces in found.items()}
