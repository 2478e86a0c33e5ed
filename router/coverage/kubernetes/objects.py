"""What the documents of one cluster hold of its sensor."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from router.coverage.facts import Source
from router.coverage.fields import find, find_count, find_text
from router.coverage.kubernetes.daemon_sets import SensorDaemonSet, find_daemon_set
from router.coverage.kubernetes.nodes import Node, Uncoverable, find_uncoverable, labels_at, read_node
from router.coverage.kubernetes.pods import Pod, read_pod
from router.coverage.readers.kubernetes import KubernetesFact, refusals_in
from router.coverage.verdicts import Workload

HOMES = frozenset({"kube-system", "mdc", "azuredefender"})
"""The namespaces into which Azure and Helm deploy a sensor.

https://learn.microsoft.com/azure/defender-for-cloud/defender-for-containers-architecture
"""

ENFORCE = "pod-security.kubernetes.io/enforce"
"""The label by which a namespace refuses pods. Those that warn and audit let every pod in."""

_REFUSING = ("baseline", "restricted")
"""The levels that refuse the sensor, for its host paths and capabilities.

https://kubernetes.io/docs/concepts/security/pod-security-standards/
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class CreationFailure:
    """An event that says why a pod of a DaemonSet was not made.

    Attributes:
        named: the field in which the message stands.
        time: when it did so last, as it is written; empty where the event does not say it.
    """

    namespace: str
    owner: str
    owner_uid: str | None
    named: str
    message: str
    time: str
    source: Source = field(compare=False)

    def is_about(self, daemon_set: SensorDaemonSet) -> bool:
        """Whether the DaemonSet is the one that it speaks of; one of that name which was deleted since has another uid."""
        is_same = not self.owner_uid or not daemon_set.uid or self.owner_uid == daemon_set.uid
        return (self.namespace, self.owner) == daemon_set.key and is_same


@dataclass(frozen=True, slots=True, kw_only=True)
class NamespaceLevel:
    """What a namespace lets in: the level that it enforces, in lower case; empty where no label says one."""

    namespace: str
    enforced: str
    source: Source = field(compare=False)

    @property
    def refuses_sensor(self) -> bool:
        """Whether pods of the sensor are refused there."""
        return self.enforced in _REFUSING


def find_failure(fact: KubernetesFact) -> CreationFailure | None:
    """The failure that an event of either API speaks of; None where it speaks of something else."""
    about = find(fact.body, "involvedObject") or find(fact.body, "regarding")
    if find_text(fact.body, "reason") != "FailedCreate" or find_text(about, "kind") != "DaemonSet":
        return None
    named = "message" if find_text(fact.body, "message") else "note"
    return CreationFailure(
        namespace=find_text(about, "namespace") or fact.namespace,
        owner=find_text(about, "name") or "",
        owner_uid=find_text(about, "uid"),
        named=named,
        message=" ".join((find_text(fact.body, named) or "").split()),
        time=_last_time(fact.body),
        source=fact.source,
    )


def _last_time(body: Mapping[str, object]) -> str:
    paths = (
        ("series", "lastObservedTime"),
        ("lastTimestamp",),
        ("deprecatedLastTimestamp",),
        ("eventTime",),
        ("metadata", "creationTimestamp"),
    )
    return max((text for path in paths if (text := find_text(body, *path))), default="")


def read_level(fact: KubernetesFact) -> NamespaceLevel:
    """What a namespace lets in."""
    labels = labels_at(fact.body, "metadata", "labels")
    return NamespaceLevel(namespace=fact.name, enforced=labels.get(ENFORCE, "").strip().lower(), source=fact.source)


type Versions[T] = Mapping[tuple[str, str], tuple[T, ...]]
"""Objects by namespace and name. Each is there as often as documents say different things of it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Fleet:
    """The nodes of a cluster.

    Attributes:
        nodes: the nodes by name, each as often as documents say different things of it.
        uncoverable: why a node cannot have a sensor, by its name; none of which one document says that it can.
    """

    nodes: Mapping[str, tuple[Node, ...]]
    uncoverable: Mapping[str, Uncoverable]
    is_whole: bool

    @property
    def coverable(self) -> tuple[str, ...]:
        """The nodes that are to have a sensor."""
        return tuple(name for name in self.nodes if name not in self.uncoverable)

    @property
    def possible(self) -> tuple[str, ...]:
        """The nodes on which a sensor may run, also where it is not supported."""
        return tuple(name for name in self.nodes if name not in self.uncoverable or self.uncoverable[name].may_run)

    @property
    def cloud(self) -> str:
        """The cloud of the nodes, as `azure`, `aws` or `gce`; empty if they do not say it."""
        return next((one.cloud for some in self.nodes.values() for one in some if one.cloud), "")

    def is_not_ready(self, name: str) -> bool:
        """Whether a document says that the kubelet of a node does not report that it is ready."""
        return any(one.is_ready is False for one in self.nodes[name])


@dataclass(frozen=True, slots=True)
class Breadth:
    """On how many nodes a DaemonSet, of Defender's or not, is to run: so many there are at least."""

    many: int
    title: str
    source: Source


@dataclass(frozen=True, slots=True, kw_only=True)
class SensorObjects:
    """What the documents of one cluster hold of its sensor.

    Attributes:
        is_empty: whether the cluster was not asked, or answered nothing.
        listed: the namespaces of the DaemonSets, Defender's or not, of each document that holds a whole list of them.
        searched: those of them that would show a sensor: of one namespace only where a sensor is deployed there.
        failures: why pods of DaemonSets were not made, the latest first.
        levels: what its namespaces let in, by their names; each as often as documents say different things of it.
        widest: the DaemonSet that is to be on most nodes, of those in one file with one of Defender's; None for none.
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
    levels: Mapping[str, tuple[NamespaceLevel, ...]]
    widest: Breadth | None

    def find_pods(self, daemon_set: SensorDaemonSet) -> dict[tuple[str, str], tuple[Pod, ...]]:
        """The pods that a DaemonSet made."""
        return {key: some for key, some in self.pods.items() if any(one.was_made_by(daemon_set) for one in some)}

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
    pods = (read_pod(one) for one in kinds["Pod"] if one.namespace in namespaces)
    levels = _versions(map(read_level, kinds["Namespace"]), lambda one: ("", one.namespace))
    listed = _listed(facts)
    wide = {document for document, some in _namespaces(facts).items() if some & HOMES or len(some) > 1}
    return SensorObjects(
        workload=workload,
        is_empty=not any(fact.kind for fact in facts),
        refusals=refusals_in(facts),
        fleet=_collect_fleet(kinds["Node"]),
        daemon_sets=daemon_sets,
        listed=listed,
        searched={document: some for document, some in listed.items() if not some or document in wide},
        pods=_versions(pods, lambda one: one.key),
        failures=sorted(filter(None, map(find_failure, kinds["Event"])), key=lambda one: one.time, reverse=True),
        levels={name: some for (_, name), some in levels.items()},
        widest=_find_widest(kinds["DaemonSet"], daemon_sets),
    )


def _find_widest(facts: Iterable[KubernetesFact], daemon_sets: Versions[SensorDaemonSet]) -> Breadth | None:
    """The DaemonSet that tells a list of some nodes from one of all. To leave another file out must cover nothing."""
    files = {one.source.file for versions in daemon_sets.values() for one in versions}
    found = [
        Breadth(many, f"DaemonSet {fact.name} in {fact.namespace or 'no namespace'}", fact.source)
        for fact in facts
        if (many := find_count(fact.body, "status", "desiredNumberScheduled")) and fact.source.file in files
    ]
    return max(found, key=lambda one: one.many, default=None)


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
        reasons = [find_uncoverable(one) for one in some]
        found = [one for one in reasons if one is not None]
        if len(found) == len(reasons):
            uncoverable[name] = max(found, key=lambda one: one.may_run)
    return Fleet(nodes=nodes, uncoverable=uncoverable, is_whole=any(fact.source.is_whole for fact in facts))


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
